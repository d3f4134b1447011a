// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/vf_change.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/parse.h"
#include "sriov/nvme.h"
#include "sriov/vf_net.h"
#include "sriov/vf_users.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define READ_MS 10000 /* what a VF has now */

int vf_host_open(struct cmd *c, bool is_change, struct vf_host *ret)
{
	int r = cmd_site(c, &ret->site);

	ret->lock = -1;
	if (r == 0 && is_change && !c->dry_run)
		r = vm_lock(c, &ret->site, &ret->lock);
	return r < 0 ? r : cmd_inventory(c, CMD_HOLDERS, NULL, 0, &ret->inv);
}

void vf_host_done(struct vf_host *h)
{
	inventory_done(&h->inv);
	site_done(&h->site);
	cv_cleanup_close(&h->lock);
}

/* ---- what there is ---- */

int vf_reports(struct cmd *c, const struct inv_dev *pf, struct sr_vf_net **ret)
{
	char bdf[CV_BDF_MAX], ifname[64];
	struct cv_error err = { 0 };
	int n;

	if (!cv_sysroot_is_live(c->root) || pf->sriov.num == 0 || pf->is_switchdev ||
	    sr_vf_net_netdev(c->root, cv_format_bdf(pf->bdf, bdf), ifname) < 0)
		return 0;
	n = sr_vf_net_list(ifname, ret, &err);
	if (n < 0)
		cmd_note(c, "%s: %s: %s", ifname, err.what, err.found);
	return n < 0 ? 0 : n;
}

/* ---- what is left to do ---- */

/** struct look - the settings that the VFs of one PF have */
struct look {
	struct cmd *c;
	const struct inventory *inv;
	int pf; /* index of the one that was asked, -1 none yet */
	struct sr_vf_net *vfs;
	int n;
};

static void look_done(struct look *l)
{
	free(l->vfs);
}

/* "PF/INDEX" */
static bool split_object(const char *object, struct cv_bdf *ret_pf, uint64_t *ret_index)
{
	const char *slash = strchr(object, '/');
	char pf[CV_BDF_MAX];

	if (!slash || (size_t)(slash - object) >= sizeof(pf))
		return false;
	snprintf(pf, sizeof(pf), "%.*s", (int)(slash - object), object);
	return cv_parse_bdf(pf, ret_pf) == 0 && cv_parse_u64(slash + 1, ret_index) == 0;
}

static const struct sr_vf_net *find_report(struct look *l, int pf, uint64_t index)
{
	if (l->pf != pf) {
		free(l->vfs);
		l->vfs = NULL;
		l->n = vf_reports(l->c, &l->inv->devs[pf], &l->vfs);
		l->pf = pf;
	}
	for (int i = 0; i < l->n; i++)
		if (l->vfs[i].index == index)
			return &l->vfs[i];
	return NULL;
}

/* What the driver does not report it cannot do: there is nothing to wait for. */
static bool net_is_done(struct look *l, int pf, uint64_t index, const char *value)
{
	const struct sr_vf_net *vf = find_report(l, pf, index);
	struct vf_settings wanted, now;

	if (!vf || vf_settings_parse(value, &wanted, NULL) < 0)
		return false;
	sr_vf_net_settings(vf, &now);
	if (now.trust == VF_KEEP)
		wanted.trust = VF_KEEP;
	if (now.spoofchk == VF_KEEP)
		wanted.spoofchk = VF_KEEP;
	if (now.link == VF_KEEP)
		wanted.link = VF_KEEP;
	return vf_settings_match(&wanted, &now);
}

static bool has_number(const json_t *list, uint32_t number)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(list, i, entry)
		if (json_integer_value(entry) == (json_int_t)number)
			return true;
	return false;
}

/* @now: what its record found; without flexible resources there are none to assign. */
static bool has_resources(const json_t *now, const struct sr_nvme_wish *w)
{
	const json_t *attached = json_object_get(now, "attached");

	for (size_t i = 0; i < w->n_ns; i++)
		if (!has_number(attached, w->ns[i]))
			return false;
	if (!json_object_get(now, "cntlid"))
		return true;
	return cv_json_int(now, "vq", 0) == (json_int_t)w->vq &&
	       cv_json_int(now, "vi", 0) == (json_int_t)w->vi && cv_json_bool(now, "online", false);
}

/* Its record reads and changes nothing. */
static bool nvme_is_done(struct look *l, const struct cv_step *s)
{
	struct cv_step_env env = { l->c->root, "vf", READ_MS, NULL };
	_cleanup_json_ json_t *now = NULL;
	struct sr_nvme_wish wish;

	return cv_sysroot_is_live(l->c->root) && sr_nvme_parse_wish(s->value, &wish) == 0 &&
	       sr_step_vf_nvme.record(&env, s->object, s->value, &now, NULL) == 0 &&
	       has_resources(now, &wish);
}

static bool is_recounted(const struct cv_step_list *s, struct cv_bdf pf)
{
	char bdf[CV_BDF_MAX];

	cv_format_bdf(pf, bdf);
	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].kind, "numvfs-set") == 0 && strcmp(s->v[i].object, bdf) == 0)
			return true;
	return false;
}

static bool is_done(struct look *l, const struct cv_step_list *all, const struct cv_step *s)
{
	struct cv_bdf pf;
	uint64_t index;
	int dev;

	if (!split_object(s->object, &pf, &index) || is_recounted(all, pf))
		return false;
	dev = inv_find_dev(l->inv, pf);
	if (strcmp(s->kind, "vf-net") == 0 && dev >= 0)
		return net_is_done(l, dev, index, s->value);
	return strcmp(s->kind, "vf-nvme") == 0 && nvme_is_done(l, s);
}

void vf_steps_drop_done(struct cmd *c, const struct inventory *inv, struct cv_step_list *s)
{
	_cleanup_(look_done) struct look l = { .c = c, .inv = inv, .pf = -1 };
	size_t left = 0;

	for (size_t i = 0; i < s->n; i++) {
		struct cv_step step = s->v[i];

		if (is_done(&l, s, &step))
			continue;
		s->v[i] = s->v[left];
		s->v[left++] = step;
		s->v[left - 1].seq = (unsigned int)left;
	}
	for (size_t i = left; i < s->n; i++)
		cv_step_done(&s->v[i]);
	s->n = left;
}

int vf_steps_make(struct cmd *c, const struct inventory *inv, const struct vf_target *targets,
		  size_t n, struct cv_step_list *ret)
{
	int r = vf_policy_steps(inv, targets, n, ret, &c->err);

	if (r == 0)
		vf_steps_drop_done(c, inv, ret);
	return r;
}

/* ---- doing it ---- */

static bool is_touched(const struct inventory *inv, int dev, size_t i)
{
	if ((int)i == dev)
		return true;
	return inv->devs[i].pf == dev && !inv_device_lease(inv, inv->devs[i].bdf);
}

static int fail_leftover(struct cmd *c, const char *name)
{
	char path[CV_PATH_MAX];

	cv_fail(&c->err, -EEXIST, CV_EXIT_BUSY, "OPERATION_EXISTS", name,
		"an earlier attempt was not finished");
	cv_error_found(&c->err, "%s", operation_path(path, name, ""));
	cv_error_wanted(&c->err, "no such leftover");
	cv_error_hint(&c->err, "carve recover %s undoes what it left", name);
	return -EEXIST;
}

int vf_change_check(struct cmd *c, const struct inventory *inv, int dev)
{
	char name[64], path[CV_PATH_MAX];

	operation_name(name, "vf", inv->devs[dev].bdf);
	if (!cv_exists(c->root, operation_path(path, name, "")) ||
	    operation_rest(c, name) != OPERATION_UNFINISHED)
		return 0;
	return fail_leftover(c, name);
}

/* What the operation leases, into @op->devices, heap. */
static int add_devices(const struct inventory *inv, int dev, struct operation *op)
{
	struct cv_bdf *devices = calloc(inv->n_devs + 1, sizeof(*devices));

	if (!devices)
		return -ENOMEM;
	for (size_t i = 0; dev >= 0 && i < inv->n_devs; i++)
		if (is_touched(inv, dev, i))
			devices[op->n_devices++] = inv->devs[i].bdf;
	op->devices = devices;
	return 0;
}

static void operation_done(struct operation *op)
{
	free((void *)(uintptr_t)op->devices);
}

/* Without CPUs it is told from a VM's: only the devices can be somebody else's. */
static int foresee_lease(struct cmd *c, const struct inventory *inv, int dev, const char *name)
{
	_cleanup_(operation_done) struct operation op = { 0 };
	struct cv_lease l = { 0 };

	if (add_devices(inv, dev, &op) < 0)
		return cv_fail_errno(&c->err, -ENOMEM, name, "cannot look at the leases");
	snprintf(l.name, sizeof(l.name), "%s", name);
	l.devices = (struct cv_bdf *)(uintptr_t)op.devices; /* only read */
	l.n_devices = op.n_devices;
	return cv_lease_check(c->root, &l, &c->err);
}

/* Those that another count takes away */
static int foresee_count(struct cmd *c, const struct inventory *inv, int dev, const char *name,
			 const struct cv_step_list *s)
{
	const struct cv_step_env env = { c->root, name, READ_MS, NULL };
	const struct inv_dev *pf = &inv->devs[dev];
	char bdf[CV_BDF_MAX];

	if (pf->sriov.num == 0 || !is_recounted(s, pf->bdf))
		return 0;
	return sr_vfs_check_free(&env, cv_format_bdf(pf->bdf, bdf), pf->sriov.num, &c->err);
}

int vf_change_foresee(struct cmd *c, const struct inventory *inv, int dev,
		      const struct cv_step_list *s)
{
	char name[64], path[CV_PATH_MAX];
	int r;

	if (s->n == 0)
		return vf_change_check(c, inv, dev);
	operation_name(name, "vf", inv->devs[dev].bdf);
	if (cv_exists(c->root, operation_path(path, name, "")))
		return fail_leftover(c, name);
	r = foresee_lease(c, inv, dev, name);
	return r ?: foresee_count(c, inv, dev, name, s);
}

static void tell_notes(struct cmd *c, const struct cv_step_list *s)
{
	_cleanup_strv_ struct cv_strv notes = { 0 };
	struct cv_step_env env = { c->root, "vf", READ_MS, NULL };

	for (size_t i = 0; i < s->n; i++)
		if (strcmp(s->v[i].kind, "vf-net") == 0)
			(void)sr_vf_net_notes(&env, s->v[i].object, s->v[i].value, &notes, NULL);
	for (size_t i = 0; i < notes.n; i++)
		cmd_note(c, "note: %s", notes.v[i]);
}

int vf_change_make(struct cmd *c, const struct inventory *inv, int dev, const char *title,
		   const struct cv_step_list *s)
{
	_cleanup_(operation_done) struct operation op = {
		.title = title, .steps = s->v, .n_steps = s->n, .user = ""
	};

	if (add_devices(inv, dev, &op) < 0)
		return cv_fail_errno(&c->err, -ENOMEM, title, "cannot change the VFs");
	if (dev >= 0)
		operation_name(op.name, "vf", inv->devs[dev].bdf);
	else
		snprintf(op.name, sizeof(op.name), "vf");
	int r = operation_run_locked(c, &op);
	if (r == 0 && !c->dry_run)
		tell_notes(c, s);
	return r;
}
