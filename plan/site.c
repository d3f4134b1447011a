// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/site_vfs.h"
#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_boot.h"
#include "plan/spec_yaml.h"
#include "plan/value.h"

#define SITE_VERSION 1
#define MAX_HOUSEKEEPING 1024
#define MAX_LOCK_WAIT_S 86400

void site_default(struct site *ret)
{
	*ret = (struct site){
		.housekeeping = 1,
		.user = "carve",
		.backend = "native",
		.hypervisor = "auto",
		.page_size = UINT64_C(2) << 20,
		.lock_wait_s = 60,
	};
}

static int copy_vfs(const struct site *from, struct site *to)
{
	struct vf_policy *list;

	if (from->n_vfs == 0)
		return 0;
	list = calloc(from->n_vfs, sizeof(*list));
	if (!list)
		return -ENOMEM;
	memcpy(list, from->vfs, from->n_vfs * sizeof(*list));
	to->vfs = list;
	to->n_vfs = from->n_vfs;
	return 0;
}

/* Texts of @from replace those of @to, so that a refused file changes nothing. */
static int copy_texts(const struct site *from, struct site *to)
{
	int rc = value_text(from->kernel, &to->kernel);

	if (!rc)
		rc = value_text(from->initrd, &to->initrd);
	return rc ? rc : value_text(from->cmdline, &to->cmdline);
}

/* A kernel takes the initrd of its own file: one of an earlier file belongs to another kernel. */
static int read_boot(const struct source *s, const struct raw_boot *boot, struct site *site)
{
	if (!boot)
		return 0;
	if (boot->kernel) {
		free(site->initrd);
		site->initrd = NULL;
	}
	return spec_read_boot(s, boot, &site->kernel, &site->initrd, &site->cmdline);
}

static int read_defaults(const struct source *s, const struct raw_vm_defaults *d, struct site *site)
{
	int rc;

	if (!d)
		return 0;
	rc = value_user(s, "vm_defaults.user", d->user, site->user, sizeof(site->user));
	if (!rc)
		rc = value_page_size(s, "vm_defaults.page_size", d->page_size, &site->page_size);
	if (!rc)
		rc = value_backend(s, "vm_defaults.backend", d->backend, site->backend,
				   sizeof(site->backend));
	if (!rc)
		rc = value_hypervisor(s, "vm_defaults.hypervisor", d->hypervisor, site->hypervisor,
				      sizeof(site->hypervisor));
	return rc;
}

static int read_site(const struct source *s, const struct raw_site *raw, struct site *site)
{
	int rc = value_number(s, "lock_wait", raw->lock_wait, 0, MAX_LOCK_WAIT_S, "seconds",
			      &site->lock_wait_s);

	if (!rc && raw->node)
		rc = value_number(s, "node.housekeeping_cores", raw->node->housekeeping_cores, 1,
				  MAX_HOUSEKEEPING, "cores per node", &site->housekeeping);
	if (!rc)
		rc = read_defaults(s, raw->vm_defaults, site);
	return rc ? rc : read_boot(s, raw->boot, site);
}

/* A list replaces that of an earlier file, also an empty one. */
static int read_vfs(const struct source *s, const struct raw_site *raw, const struct site *before,
		    struct site *site)
{
	if (source_member(s, 0, "vfs") < 0)
		return copy_vfs(before, site);
	return site_read_vfs(s, raw, &site->vfs, &site->n_vfs);
}

/* Reads into a copy first: @site stays whole when the file is refused. */
static int read_over(const struct source *s, const struct raw_site *raw, struct site *site)
{
	_cleanup_site_ struct site next = *site;
	struct site before;
	int rc;

	next.kernel = next.initrd = next.cmdline = NULL;
	next.vfs = NULL;
	next.n_vfs = 0;
	rc = copy_texts(site, &next);
	if (!rc)
		rc = read_site(s, raw, &next);
	if (!rc)
		rc = read_vfs(s, raw, site, &next);
	if (rc)
		return rc;
	before = *site;
	*site = next;
	next = before;
	return 0;
}

int site_parse(const char *text, size_t len, const char *origin, struct site *s,
	       struct cv_error *err)
{
	_cleanup_source_ struct source source = { 0 };
	_cleanup_(raw_site_freep) struct raw_site *raw = NULL;
	int rc = source_open(text, len, origin, err, &source);

	if (!rc && !source.n_nodes)
		return 0; /* all of it is commented out */
	if (!rc)
		rc = value_version(&source, SITE_VERSION);
	if (!rc)
		rc = raw_site_open(&source, &raw);
	if (!rc)
		rc = read_over(&source, raw, s);
	if (rc == -ENOMEM)
		return cv_fail_errno(err, rc, origin, "cannot read the site file");
	return rc;
}

void site_done(struct site *s)
{
	free(s->kernel);
	free(s->initrd);
	free(s->cmdline);
	free(s->vfs);
	*s = (struct site){ 0 };
}
