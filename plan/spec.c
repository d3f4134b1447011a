// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/state.h"
#include "plan/plan.h"
#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_boot.h"
#include "plan/spec_device.h"
#include "plan/spec_disk.h"
#include "plan/spec_limits.h"
#include "plan/spec_net.h"
#include "plan/spec_share.h"
#include "plan/spec_yaml.h"
#include "plan/value.h"

#define MAX_CORES 4096
#define MAX_NODE 1023
#define MAX_L3_WAYS 64
/* VMADDR_CID_HOST is 2, VMADDR_CID_ANY the last (vsock(7)). */
#define VSOCK_CID_MIN 3u
#define VSOCK_CID_MAX 0xfffffffeu

static int read_name(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	if (!cv_name_is_valid(raw->name))
		return value_refuse(s, "name", raw->name,
				    "up to 63 of a-z 0-9 _ -, a letter or digit first");
	snprintf(spec->name, sizeof(spec->name), "%s", raw->name);
	return value_user(s, "user", raw->user, spec->user, sizeof(spec->user));
}

static int read_cpus(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	static const char *const words[] = { "siblings", "one-per-core", NULL };
	unsigned int smt = SPEC_SMT_SIBLINGS;
	int rc = value_number(s, "cpus", raw->cpus, 1, MAX_CORES, "cores", &spec->cpus);

	if (!rc)
		rc = value_word(s, "smt", raw->smt, words, &smt);
	spec->smt = (enum spec_smt)smt;
	return rc;
}

static int check_memory(const struct source *s, const char *text, const struct spec *spec)
{
	char page[CV_SIZE_MAX], wanted[64];

	if (!spec->memory || spec->memory > SPEC_MAX_MEMORY)
		return value_refuse(s, "memory", text, "more than 0 and at most 1024T");
	/* not given: the planner checks against the site's */
	if (!spec->page_size || spec->memory % spec->page_size == 0)
		return 0;
	snprintf(wanted, sizeof(wanted), "a multiple of the page size, %s",
		 cv_format_size(spec->page_size, page));
	return value_refuse(s, "memory", text, wanted);
}

static int read_memory(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	int rc = value_page_size(s, "page_size", raw->page_size, &spec->page_size);

	if (!rc)
		rc = value_size(s, "memory", raw->memory, &spec->memory);
	return rc ? rc : check_memory(s, raw->memory, spec);
}

static int read_node(const struct source *s, const char *text, struct spec *spec, size_t i)
{
	unsigned int id = 0;
	char path[32];
	int rc;

	snprintf(path, sizeof(path), "nodes[%zu]", i);
	rc = value_number(s, path, text, 0, MAX_NODE, "a NUMA node", &id);
	if (rc) {
		cv_error_wanted(s->err, "the number of a NUMA node, 0 to %d", MAX_NODE);
		return rc;
	}
	for (size_t k = 0; k < i; k++)
		if (spec->nodes[k] == (int)id)
			return value_refuse(s, path, text, "each node once");
	spec->nodes[i] = (int)id;
	return 0;
}

static int read_nodes(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	for (size_t i = 0; i < raw->nodes_count; i++) {
		int rc = read_node(s, raw->nodes[i], spec, i);

		if (rc)
			return rc;
	}
	spec->n_nodes = raw->nodes_count;
	return 0;
}

static int read_split(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	static const char *const words[] = { "even", "devices", NULL };
	unsigned int split = SPEC_SPLIT_EVEN;
	int rc = value_word(s, "split", raw->split, words, &split);

	spec->split = (enum spec_split)split;
	return rc;
}

static int read_cache(const struct source *s, const struct raw_cache *cache, struct spec *spec)
{
	int rc;

	if (!cache)
		return 0;
	rc = value_number(s, "cache.l3_ways", cache->l3_ways, 1, MAX_L3_WAYS, "cache ways",
			  &spec->l3_ways);
	return rc ? rc
		  : value_number(s, "cache.memory_bandwidth", cache->memory_bandwidth, 1, 100,
				 "percent", &spec->memory_bandwidth);
}

static int read_rt(const struct source *s, const char *text, struct spec *spec)
{
	int rc = value_number(s, "rt_priority", text, 0, PLAN_RT_MAX, "a priority",
			      &spec->rt_priority);

	if (rc)
		cv_error_wanted(s->err, "a real-time priority, 1 to %d; 0: normal policy",
				PLAN_RT_MAX);
	return rc;
}

static int read_vsock(const struct source *s, const char *text, struct spec *spec)
{
	unsigned int cid = 0;

	if (!text)
		return 0;
	if (strcmp(text, "auto") != 0 &&
	    value_number(s, "vsock", text, VSOCK_CID_MIN, VSOCK_CID_MAX, "a CID", &cid)) {
		cv_error_wanted(s->err, "auto, or a CID from %u to %u", VSOCK_CID_MIN,
				VSOCK_CID_MAX);
		cv_error_hint(s->err, "0 to 2 are the host's own, and the last is for any");
		return -EINVAL;
	}
	spec->has_vsock = true;
	spec->vsock_cid = cid;
	return 0;
}

static int read_boot(const struct source *s, const struct raw_boot *boot, struct spec *spec)
{
	if (!boot)
		return 0;
	if (boot->initrd && !boot->kernel) {
		source_fail_key(s, source_find(s, "boot.initrd"), SOURCE_KEY,
				"boot.initrd without boot.kernel");
		cv_error_found(s->err, "an initrd without its kernel");
		cv_error_wanted(s->err, "boot: {kernel: PATH, initrd: PATH}");
		cv_error_hint(s->err, "name the kernel that the initrd belongs to");
		return -EINVAL;
	}
	return spec_read_boot(s, boot, &spec->kernel, &spec->initrd, &spec->cmdline);
}

static int read_vmm(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	int rc = value_backend(s, "backend", raw->backend, spec->backend, sizeof(spec->backend));

	return rc ? rc
		  : value_hypervisor(s, "hypervisor", raw->hypervisor, spec->hypervisor,
				     sizeof(spec->hypervisor));
}

static int read_spec(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	int rc = read_name(s, raw, spec);

	if (!rc)
		rc = read_cpus(s, raw, spec);
	if (!rc)
		rc = read_memory(s, raw, spec);
	if (!rc)
		rc = read_nodes(s, raw, spec);
	if (!rc)
		rc = read_split(s, raw, spec);
	if (!rc)
		rc = read_cache(s, raw->cache, spec);
	if (!rc)
		rc = read_rt(s, raw->rt_priority, spec);
	if (!rc)
		rc = spec_read_devices(s, raw, spec);
	if (!rc)
		rc = spec_read_disks(s, raw, spec);
	if (!rc)
		rc = spec_read_nets(s, raw, spec);
	if (!rc)
		rc = spec_read_shares(s, raw, spec);
	if (!rc)
		rc = read_vsock(s, raw->vsock, spec);
	if (!rc)
		rc = spec_read_limits(s, raw->limits, &spec->limits);
	if (!rc)
		rc = read_boot(s, raw->boot, spec);
	return rc ? rc : read_vmm(s, raw, spec);
}

int spec_parse(const char *text, size_t len, const char *origin, struct spec *ret,
	       struct cv_error *err)
{
	_cleanup_source_ struct source s = { 0 };
	_cleanup_(raw_spec_freep) struct raw_spec *raw = NULL;
	_cleanup_spec_ struct spec spec = { 0 };
	int rc = source_open(text, len, origin, err, &s);

	if (!rc)
		rc = source_check_content(&s);
	if (!rc)
		rc = value_version(&s, SPEC_VERSION);
	if (!rc)
		rc = raw_spec_open(&s, &raw);
	if (!rc)
		rc = read_spec(&s, raw, &spec);
	if (!rc)
		rc = value_text(origin, &spec.origin);
	if (rc == -ENOMEM)
		return cv_fail_errno(err, rc, origin, "cannot read the spec");
	if (rc)
		return rc;
	*ret = spec;
	spec = (struct spec){ 0 };
	return 0;
}

void spec_done(struct spec *s)
{
	free(s->origin);
	free(s->devices);
	spec_disks_done(s);
	spec_nets_done(s);
	spec_shares_done(s);
	free(s->kernel);
	free(s->initrd);
	free(s->cmdline);
	*s = (struct spec){ 0 };
}
