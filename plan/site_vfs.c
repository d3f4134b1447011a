// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/site_vfs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/value.h"

#define MAX_COUNT 65535
#define MAX_RESOURCES 65535

/** struct entry - one entry as it is read; @path: "vfs[1]" */
struct entry {
	const struct source *s;
	const struct raw_vf_policy *raw;
	char path[24];
};

static const char *place(const struct entry *e, const char *key, char buf[SOURCE_PATH_MAX])
{
	snprintf(buf, SOURCE_PATH_MAX, "%s.%s", e->path, key);
	return buf;
}

static int fail_entry(const struct entry *e, const char *what, const char *found,
		      const char *wanted)
{
	source_fail(e->s, source_find(e->s, e->path), SOURCE_VALUE, "%s: %s", e->path, what);
	cv_error_found(e->s->err, "%s", found);
	cv_error_wanted(e->s->err, "%s", wanted);
	return -EINVAL;
}

static int read_id(const struct entry *e, const char *key, const char *text, uint16_t *ret)
{
	char path[SOURCE_PATH_MAX];
	uint64_t id;

	if (cv_parse_hex(text, &id) < 0 || id == 0 || id >= UINT16_MAX)
		return value_refuse(e->s, place(e, key, path), text, "a PCI id: 8086, 10c9");
	*ret = (uint16_t)id;
	return 0;
}

static int read_which(const struct entry *e, struct vf_policy *p)
{
	const struct raw_vf_policy *raw = e->raw;
	char path[SOURCE_PATH_MAX];
	int r;

	if (raw->pf && (raw->vendor || raw->device))
		return fail_entry(e, "a PF is named twice", "pf with vendor or device",
				  "pf alone, or vendor and device");
	if (!raw->pf && !(raw->vendor && raw->device))
		return fail_entry(e, "no PF is named",
				  raw->vendor	? "vendor alone"
				  : raw->device ? "device alone"
						: "neither pf nor vendor and device",
				  "pf: 0000:81:00.0, or vendor: 8086 and device: 10c9");
	p->has_pf = raw->pf;
	if (raw->pf)
		return value_bdf(e->s, place(e, "pf", path), raw->pf, &p->pf);
	r = read_id(e, "vendor", raw->vendor, &p->vendor);
	return r < 0 ? r : read_id(e, "device", raw->device, &p->device);
}

static int read_count(const struct entry *e, struct vf_policy *p)
{
	const char *text = e->raw->count;
	char path[SOURCE_PATH_MAX];
	uint64_t count;

	if (!text)
		return fail_entry(e, "count is missing", "no such key",
				  "count: a number of VFs, or all");
	if (strcmp(text, "all") == 0) {
		p->count = -1;
		return 0;
	}
	if (cv_parse_u64(text, &count) < 0 || count > MAX_COUNT)
		return value_refuse(e->s, place(e, "count", path), text,
				    "a number of VFs, 0 to 65535, or all");
	p->count = (int)count;
	return 0;
}

static int read_setting(const struct entry *e, const char *key, const char *text,
			struct vf_settings *ret)
{
	struct cv_error err = { 0 };
	char path[SOURCE_PATH_MAX];

	if (!text || vf_settings_set(ret, key, text, &err) == 0)
		return 0;
	return value_refuse(e->s, place(e, key, path), text, err.wanted);
}

static int read_settings(const struct entry *e, struct vf_settings *ret)
{
	const struct raw_vf_policy *raw = e->raw;
	const struct {
		const char *key, *text;
	} given[] = {
		{ "vlan", raw->vlan },	       { "qos", raw->qos },   { "trust", raw->trust },
		{ "spoofchk", raw->spoofchk }, { "link", raw->link }, { "min_rate", raw->min_rate },
		{ "max_rate", raw->max_rate },
	};
	struct cv_error err = { 0 };
	int r = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(given) && r == 0; i++)
		r = read_setting(e, given[i].key, given[i].text, ret);
	if (r < 0 || vf_settings_check(ret, e->path, &err) == 0)
		return r;
	r = fail_entry(e, err.what, err.found, err.wanted);
	cv_error_hint(e->s->err, "%s", err.hint);
	return r;
}

static int read_resources(const struct entry *e, struct vf_policy *p)
{
	char path[SOURCE_PATH_MAX];
	int r = value_number(e->s, place(e, "queues", path), e->raw->queues, 2, MAX_RESOURCES,
			     "queues", &p->queues);

	if (r == 0)
		r = value_number(e->s, place(e, "interrupts", path), e->raw->interrupts, 1,
				 MAX_RESOURCES, "interrupts", &p->interrupts);
	if (r < 0 || (p->queues > 0) == (p->interrupts > 0))
		return r;
	return fail_entry(e, "queues and interrupts go together",
			  p->queues ? "queues alone" : "interrupts alone",
			  "both: an admin and an I/O queue (2) with one interrupt at least");
}

static int read_entry(const struct entry *e, struct vf_policy *p)
{
	char path[SOURCE_PATH_MAX];
	int r = read_which(e, p);

	vf_settings_none(&p->settings);
	if (r == 0)
		r = read_count(e, p);
	if (r == 0)
		r = value_bool(e->s, place(e, "autoprobe", path), e->raw->autoprobe, &p->autoprobe);
	if (r == 0)
		r = read_settings(e, &p->settings);
	return r < 0 ? r : read_resources(e, p);
}

static bool is_same(const struct vf_policy *a, const struct vf_policy *b)
{
	if (a->has_pf != b->has_pf)
		return false;
	return a->has_pf ? cv_bdf_cmp(a->pf, b->pf) == 0
			 : a->vendor == b->vendor && a->device == b->device;
}

static int check_once(const struct entry *e, const struct vf_policy *list, size_t i)
{
	char first[24];

	for (size_t k = 0; k < i; k++) {
		if (!is_same(&list[k], &list[i]))
			continue;
		snprintf(first, sizeof(first), "vfs[%zu] as well", k);
		return fail_entry(e, "an entry for the same PFs is there already", first,
				  "one entry");
	}
	return 0;
}

int site_read_vfs(const struct source *s, const struct raw_site *raw, struct vf_policy **ret,
		  size_t *ret_n)
{
	_cleanup_free_ struct vf_policy *list = calloc(raw->vfs_count + 1, sizeof(*list));
	int r = list ? 0 : -ENOMEM;

	for (size_t i = 0; i < raw->vfs_count && r == 0; i++) {
		struct entry e = { .s = s, .raw = &raw->vfs[i] };

		snprintf(e.path, sizeof(e.path), "vfs[%zu]", i);
		r = read_entry(&e, &list[i]);
		if (r == 0)
			r = check_once(&e, list, i);
	}
	if (r < 0)
		return r;
	*ret_n = raw->vfs_count;
	*ret = raw->vfs_count ? TAKE_PTR(list) : NULL;
	return 0;
}
