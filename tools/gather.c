// SPDX-License-Identifier: GPL-2.0-or-later
/* Gathers what verbs decide on: files of the caller, the inventory, the site's configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "numa/binding.h"
#include "numa/hugepages.h"
#include "numa/inventory.h"
#include "numa/irq_step.h"
#include "numa/resctrl_step.h"
#include "sriov/inventory.h"
#include "sriov/steps.h"
#include "tools/cmd.h"
#include "tools/launch.h"

#define SPEC_MAX_BYTES (1 << 20)

static const struct cv_step_ops *const all_steps[] = {
	&cv_step_attr,	       &cv_step_attr_shared, &sr_step_module,	   &sr_step_numvfs,
	&sr_step_numvfs_set,   &sr_step_vf_net,	     &sr_step_vf_nvme,	   &sr_step_bind,
	&sr_step_group_owner,  &sr_step_health,	     &sr_step_hooks,	   &sr_step_reset,
	&sr_step_reset_method, &nu_step_hugepages,   &nu_step_cgroup_root, &nu_step_cgroup_vm,
	&nu_step_irq_affinity, &nu_step_resctrl,     &sr_step_tap,	   &cmd_step_launch,
};

const struct cv_step_table cmd_steps = { all_steps, CV_ARRAY_SIZE(all_steps) };

int cmd_read_file(struct cmd *c, const char *path, size_t max, char **ret, size_t *ret_len)
{
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	_cleanup_free_ char *text = malloc(max + 1);

	if (!f)
		return cv_fail_errno(&c->err, -errno, path, "cannot open the file");
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, path, "cannot read the file");
	size_t n = fread(text, 1, max, f);
	if (ferror(f))
		return cv_fail_errno(&c->err, -EIO, path, "cannot read the file");
	if (n == max)
		return cv_fail_errno(&c->err, -EFBIG, path, "the file is larger than %zu bytes",
				     max);
	text[n] = '\0';
	*ret_len = n;
	*ret = TAKE_PTR(text);
	return 0;
}

/* Leases of another boot mean nothing any more (carve recover drops them). */
static int add_leases(struct cmd *c, struct inventory *inv)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = cv_lease_list(c->root, &names, &c->err);

	if (r < 0)
		return r;
	inv->leases = calloc(names.n + 1, sizeof(*inv->leases));
	if (!inv->leases)
		return cv_fail_errno(&c->err, -ENOMEM, CV_LEASE_DIR, "cannot read the leases");
	for (size_t i = 0; i < names.n; i++) {
		struct cv_lease l = { 0 };

		r = cv_lease_read(c->root, names.v[i], &l, &c->err);
		if (r < 0)
			return r;
		if (strcmp(l.owner.boot_id, inv->host.boot_id) == 0)
			inv->leases[inv->n_leases++] = l;
		else
			cv_lease_done(&l);
	}
	return 0;
}

/** struct wanted - ctx of is_wanted() */
struct wanted {
	const struct spec *specs;
	size_t n;
};

static bool is_wanted(const struct inv_dev *d, void *ctx)
{
	const struct wanted *w = ctx;

	return spec_wants(w->specs, w->n, d);
}

int cmd_inventory(struct cmd *c, unsigned int depth, const struct spec *specs, size_t n,
		  struct inventory *ret)
{
	struct wanted wanted = { specs, n };
	const char *xml = cmd_value(c, "hwloc-xml");
	struct nu_depth cpus = { .noise = depth & CMD_NOISE, .hwloc_xml = xml };
	struct sr_depth pci = {
		.holders = depth & CMD_HOLDERS,
		.names = depth & CMD_NAMES,
		.is_wanted = specs ? is_wanted : NULL,
		.ctx = &wanted,
	};
	struct inventory inv = { 0 };
	int r = nu_inventory_read(c->root, &cpus, &inv, &c->err);

	/* a file alone tells of CPUs and memory: the devices and leases of this host are not its */
	bool is_cpus_only = xml && !c->has_root;

	/* leases first: a device on vfio-pci with a lease of ours is not foreign */
	if (r == 0 && !is_cpus_only)
		r = add_leases(c, &inv);
	if (r == 0 && !is_cpus_only)
		r = sr_inventory_read(c->root, &pci, &inv, &c->err);
	if (r < 0) {
		inventory_done(&inv);
		return r;
	}
	*ret = inv;
	return 0;
}

static int add_site_file(struct cmd *c, const char *path, struct site *s)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = cv_read(c->root, path, &text, &len);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	if (r < 0)
		return cv_fail_errno(&c->err, r, path, "cannot read the site configuration");
	return site_parse(text, len, path, s, &c->err);
}

int cmd_site(struct cmd *c, struct site *ret)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct site s;
	int r;

	site_default(&s);
	r = add_site_file(c, CV_ETC_DIR "/carve.yaml", &s);
	if (r == 0 && cv_list(c->root, CV_ETC_DIR "/conf.d", &names) < 0)
		cv_strv_done(&names);
	for (size_t i = 0; i < names.n && r == 0; i++) {
		const char *dot = strrchr(names.v[i], '.');
		char path[CV_PATH_MAX];

		if (dot && strcmp(dot, ".yaml") == 0)
			r = add_site_file(c, cv_pathf(path, CV_ETC_DIR "/conf.d/%s", names.v[i]),
					  &s);
	}
	if (r < 0) {
		site_done(&s);
		return r;
	}
	*ret = s;
	return 0;
}

void cmd_specs_free(struct spec *specs, size_t n)
{
	for (size_t i = 0; specs && i < n; i++)
		spec_done(&specs[i]);
	free(specs);
}

int cmd_specs(struct cmd *c, struct spec **ret)
{
	struct spec *specs = calloc(c->n_args + 1, sizeof(*specs));
	int r = specs ? 0 : cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot read the specs");

	for (size_t i = 0; i < c->n_args && r == 0; i++) {
		_cleanup_free_ char *text = NULL;
		size_t len = 0;

		r = cmd_read_file(c, c->args[i], SPEC_MAX_BYTES, &text, &len);
		if (r == 0)
			r = spec_parse(text, len, c->args[i], &specs[i], &c->err);
	}
	if (r < 0) {
		cmd_specs_free(specs, c->n_args);
		return r;
	}
	*ret = specs;
	return 0;
}
