// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/tree.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/device.h"
#include "sriov/function.h"

/**
 * struct chains - what the links claim, one element per function
 * @parents: index of the bridge above, -1 none
 * @depths:  bridges above
 */
struct chains {
	int *parents;
	unsigned int *depths;
};

/* "pci0000:40": the directory of a root bus */
static bool is_root_bus(const char *part)
{
	size_t len = strlen(part);
	const char *colon = strchr(part, ':');

	if (strncmp(part, "pci", 3) != 0 || !colon || len >= 16 || colon - part < 7)
		return false;
	return strspn(part + 3, "0123456789abcdef") == (size_t)(colon - part - 3) &&
	       strlen(colon + 1) == 2 && strspn(colon + 1, "0123456789abcdef") == 2;
}

int sr_parse_chain(const char *target, char ret_root[16], struct cv_bdf *ret_parent,
		   unsigned int *ret_depth)
{
	_cleanup_free_ char *copy = strdup(target);
	struct cv_bdf seen, parent = { 0 };
	unsigned int depth = 0;
	char *save = NULL;

	ret_root[0] = '\0';
	for (char *part = copy ? strtok_r(copy, "/", &save) : NULL; part;
	     part = strtok_r(NULL, "/", &save)) {
		if (is_root_bus(part)) { /* a second one: a domain below a function (VMD) */
			snprintf(ret_root, 16, "%s", part);
			depth = 0;
		} else if (ret_root[0] && cv_parse_bdf(part, &seen) == 0) {
			if (depth++ > 0)
				*ret_parent = parent;
			parent = seen;
		}
	}
	*ret_depth = depth > 0 ? depth - 1 : 0;
	return depth > 1 ? 1 : 0;
}

static bool read_chain(struct cv_sysroot *root, const struct inventory *inv, struct inv_dev *d,
		       int *ret_parent, unsigned int *ret_depth)
{
	_cleanup_free_ char *target = NULL;
	char path[CV_PATH_MAX], bdf[CV_BDF_MAX];
	struct cv_bdf parent;

	*ret_parent = -1;
	*ret_depth = 0;
	cv_pathf(path, SR_DEVICES "/%s", cv_format_bdf(d->bdf, bdf));
	if (cv_readlink(root, path, &target) < 0)
		return false;
	if (sr_parse_chain(target, d->root, &parent, ret_depth) > 0)
		*ret_parent = inv_find_dev(inv, parent);
	return d->root[0];
}

static bool is_same_bus(const struct inv_dev *a, const struct inv_dev *b)
{
	return a->bdf.domain == b->bdf.domain && a->bdf.bus == b->bdf.bus;
}

/* All functions of a bus, those of VFs as well, are in one directory: the first link that says where
 * speaks for the others. Return: index behind the bus that @first is on. */
static size_t read_bus(struct cv_sysroot *root, struct inventory *inv, size_t first,
		       struct chains *c)
{
	struct inv_dev *devs = inv->devs;
	size_t end = first, told;

	while (end < inv->n_devs && is_same_bus(&devs[first], &devs[end]))
		end++;
	for (told = first; told < end; told++)
		if (read_chain(root, inv, &devs[told], &c->parents[told], &c->depths[told]))
			break;
	for (size_t i = first; told < end && i < end; i++) {
		c->parents[i] = c->parents[told];
		c->depths[i] = c->depths[told];
		memcpy(devs[i].root, devs[told].root, sizeof(devs[i].root));
	}
	return end;
}

/*
 * A parent is taken only when it hangs exactly one level higher on the same root: whatever a snapshot
 * claims, the chain of parents then ends.
 */
static void link_parents(struct inventory *inv, const struct chains *c)
{
	for (size_t i = 0; i < inv->n_devs; i++) {
		int up = c->parents[i];

		if (up >= 0 && c->depths[up] + 1 == c->depths[i] &&
		    strcmp(inv->devs[up].root, inv->devs[i].root) == 0)
			inv->devs[i].parent = up;
	}
}

static int read_parents(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_free_ unsigned int *depths = calloc(inv->n_devs + 1, sizeof(*depths));
	_cleanup_free_ int *parents = calloc(inv->n_devs + 1, sizeof(*parents));
	struct chains c = { parents, depths };

	if (!depths || !parents)
		return -ENOMEM;
	for (size_t i = 0; i < inv->n_devs;)
		i = read_bus(root, inv, i, &c);
	link_parents(inv, &c);
	return 0;
}

/* The kernel adds a VF where its PF's capability says, and a VF's own ids read all ones: no other
 * function can be there. */
static int vf_by_address(const struct inventory *inv, const struct sr_config *configs, int pf,
			 unsigned int i)
{
	struct cv_bdf bdf;
	int vf;

	if (configs[pf].depth != SR_CONFIG_FULL || inv_vf_bdf(&inv->devs[pf], i, &bdf) < 0)
		return -1;
	vf = inv_find_dev(inv, bdf);
	return vf >= 0 && configs[vf].is_vf ? vf : -1;
}

/* By its link; the VF has to name the PF that counts it among its own. Return: 0 with its index, or
 * -1 for what is no VF of this one; -errno when there is no such link. */
static int vf_by_link(struct cv_sysroot *root, const struct inventory *inv, int pf, unsigned int i,
		      int *ret)
{
	char path[CV_PATH_MAX], pf_name[CV_BDF_MAX], vf_name[CV_BDF_MAX], back[CV_BDF_MAX];
	struct cv_bdf bdf;
	int r;

	*ret = -1;
	cv_format_bdf(inv->devs[pf].bdf, pf_name);
	r = sr_vf_of(root, pf_name, i, vf_name);
	if (r < 0 || cv_parse_bdf(vf_name, &bdf) < 0)
		return r == -EINVAL ? 0 : r;
	if (cv_readlink_base(root, sr_path(path, vf_name, "physfn"), back, sizeof(back)) == 0 &&
	    strcmp(back, pf_name) == 0)
		*ret = inv_find_dev(inv, bdf);
	return 0;
}

/* @misses: links that may still be absent: no more are looked for than there are functions, whatever
 * number of VFs a snapshot claims. */
static void link_vfs(struct cv_sysroot *root, const struct sr_config *configs,
		     struct inventory *inv, int pf, size_t *misses)
{
	for (unsigned int i = 0; i < inv->devs[pf].sriov.num; i++) {
		int vf = vf_by_address(inv, configs, pf, i);
		struct inv_dev *d;

		if (vf < 0 && vf_by_link(root, inv, pf, i, &vf) < 0) {
			if (*misses == 0)
				return;
			--*misses;
		}
		if (vf < 0 || vf == pf)
			continue;
		d = &inv->devs[vf];
		if (d->sriov.total > 0 || d->pf >= 0)
			continue;
		d->pf = pf;
		d->vf_index = (int)i;
	}
}

/* SR-IOV 1.1 sections 3.4.1.1 and 3.3.11: a VF has its PF's vendor, and the device id that the
 * capability of the PF names. */
static void set_vf_ids(struct cv_sysroot *root, const struct inventory *inv, struct inv_dev *d)
{
	const struct inv_dev *pf = d->pf >= 0 ? &inv->devs[d->pf] : NULL;

	if (!pf || pf->sriov.vf_device == 0) {
		sr_device_vendor(root, d);
		return;
	}
	d->vendor = pf->vendor;
	d->device = pf->sriov.vf_device;
}

int sr_tree_link(struct cv_sysroot *root, const struct sr_config *configs, struct inventory *inv,
		 struct cv_error *err)
{
	size_t misses = inv->n_devs;

	if (read_parents(root, inv) < 0)
		return cv_fail_errno(err, -ENOMEM, SR_DEVICES, "cannot build the PCI tree");
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].sriov.total > 0)
			link_vfs(root, configs, inv, (int)i, &misses);
	for (size_t i = 0; i < inv->n_devs; i++)
		if (configs[i].is_vf)
			set_vf_ids(root, inv, &inv->devs[i]);
	return 0;
}
