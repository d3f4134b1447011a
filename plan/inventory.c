// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/inventory.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/* ACS Source Validation, Request Redirect, Completion Redirect, Upstream Forwarding (PCIe Base 6.0
 * section 7.7.11.3): what the kernel asks of every port before it splits groups. */
#define ACS_ISOLATES 0x1d

void inventory_done(struct inventory *inv)
{
	for (size_t i = 0; i < inv->n_nodes; i++)
		free(inv->nodes[i].distances);
	for (size_t i = 0; i < inv->n_leases; i++)
		cv_lease_done(&inv->leases[i]);
	free(inv->cpus);
	free(inv->nodes);
	free(inv->devs);
	free(inv->groups);
	free(inv->by_group);
	free(inv->partitions);
	free(inv->leases);
	*inv = (struct inventory){ 0 };
}

int inv_find_dev(const struct inventory *inv, struct cv_bdf bdf)
{
	size_t low = 0, high = inv->n_devs;

	while (low < high) {
		size_t mid = low + (high - low) / 2;
		int order = cv_bdf_cmp(inv->devs[mid].bdf, bdf);

		if (order == 0)
			return (int)mid;
		if (order < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return -1;
}

int inv_find_cpu(const struct inventory *inv, int id)
{
	for (size_t i = 0; i < inv->n_cpus; i++) {
		if (inv->cpus[i].id == id)
			return (int)i;
	}
	return -1;
}

int inv_find_node(const struct inventory *inv, int id)
{
	for (size_t i = 0; i < inv->n_nodes; i++) {
		if (inv->nodes[i].id == id)
			return (int)i;
	}
	return -1;
}

const struct inv_pool *inv_find_pool(const struct inv_node *node, uint64_t page_size)
{
	for (size_t i = 0; i < node->n_pools; i++) {
		if (node->pools[i].page_size == page_size)
			return &node->pools[i];
	}
	return NULL;
}

const struct inv_group *inv_find_group(const struct inventory *inv, int id)
{
	size_t low = 0, high = inv->n_groups;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (inv->groups[mid].id == id)
			return &inv->groups[mid];
		if (inv->groups[mid].id < id)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

bool inv_is_bridge(const struct inv_dev *d)
{
	switch (d->port) {
	case INV_PORT_ROOT:
	case INV_PORT_UPSTREAM:
	case INV_PORT_DOWNSTREAM:
	case INV_PORT_BRIDGE:
		return true;
	case INV_PORT_ENDPOINT:
	case INV_PORT_ROOT_ENDPOINT:
	case INV_PORT_CONVENTIONAL:
		break;
	}
	return false;
}

static bool lease_has(const struct cv_lease *lease, struct cv_bdf bdf)
{
	for (size_t i = 0; i < lease->n_devices; i++) {
		if (cv_bdf_cmp(lease->devices[i], bdf) == 0)
			return true;
	}
	return false;
}

const struct cv_lease *inv_device_lease(const struct inventory *inv, struct cv_bdf bdf)
{
	for (size_t i = 0; i < inv->n_leases; i++) {
		if (lease_has(&inv->leases[i], bdf))
			return &inv->leases[i];
	}
	return NULL;
}

/* PCI Code and ID Assignment 1.16: @mask picks the base class, or base class and sub-class. The first
 * match counts. */
static const struct {
	uint32_t class, mask;
	const char *name;
} class_names[] = {
	{ 0x010800, 0xffff00, "nvme" },	    { 0x010000, 0xff0000, "storage" },
	{ 0x020700, 0xffff00, "ib" },	    { 0x020000, 0xff0000, "net" },
	{ 0x030000, 0xff0000, "gpu" },	    { 0x040000, 0xff0000, "media" },
	{ 0x050000, 0xff0000, "memory" },   { 0x060000, 0xff0000, "bridge" },
	{ 0x070000, 0xff0000, "comm" },	    { 0x080000, 0xff0000, "system" },
	{ 0x090000, 0xff0000, "input" },    { 0x0b0000, 0xff0000, "cpu" },
	{ 0x0c0300, 0xffff00, "usb" },	    { 0x0c0000, 0xff0000, "serial" },
	{ 0x0d0000, 0xff0000, "wireless" }, { 0x100000, 0xff0000, "crypto" },
	{ 0x110000, 0xff0000, "signal" },   { 0x120000, 0xff0000, "accel" },
};

const char *inv_class_name(const struct inv_dev *d)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(class_names); i++) {
		if ((d->class & class_names[i].mask) == class_names[i].class)
			return class_names[i].name;
	}
	return "other";
}

bool inv_is_bmc_display(const struct inv_dev *d)
{
	static const uint16_t vendors[] = { 0x1a03 /* ASPEED */, 0x102b /* Matrox, G200 */ };

	for (size_t i = 0; i < CV_ARRAY_SIZE(vendors); i++)
		if (d->vendor == vendors[i] && d->class >> 16 == 0x03)
			return true;
	return false;
}

int inv_vf_bdf(const struct inv_dev *pf, unsigned int vf_index, struct cv_bdf *ret)
{
	const struct inv_sriov *s = &pf->sriov;

	if (vf_index >= s->total || s->offset == 0)
		return -ERANGE;
	if (s->stride == 0 && vf_index > 0)
		return -ERANGE;
	*ret = cv_bdf_add(pf->bdf, s->offset + vf_index * s->stride);
	return 0;
}

static bool is_index(const struct inventory *inv, int dev)
{
	return dev >= 0 && (size_t)dev < inv->n_devs;
}

/*
 * Whether a port joins what is below it into one group. The kernel's own decision about the PF is the
 * best evidence (it knows quirks that no capability shows): the path above a new VF is the path above
 * its PF, so a port that shares the PF's group will share the VF's. ACS decides where the port's group
 * is unknown.
 */
static bool port_joins(const struct inv_dev *port, const struct inv_dev *pf)
{
	if (port->group >= 0)
		return port->group == pf->group;
	if (port->port != INV_PORT_ROOT && port->port != INV_PORT_DOWNSTREAM)
		return false;
	return !port->has_acs || (port->acs_ctrl & ACS_ISOLATES) == 0;
}

static bool future_vf_is_alone(const struct inventory *inv, const struct inv_dev *pf)
{
	int up = pf->parent;

	for (size_t hops = 0; is_index(inv, up) && hops < inv->n_devs; hops++) {
		if (port_joins(&inv->devs[up], pf))
			return false;
		up = inv->devs[up].parent;
	}
	return true;
}

/* A host bridge shows up as a plain function; it forwards, and has no driver to fight. */
static bool is_host_bridge(const struct inv_dev *d)
{
	return d->class >> 8 == 0x0600;
}

static bool blocks(const struct inv_dev *d)
{
	return !inv_is_bridge(d) && !is_host_bridge(d) && strcmp(d->driver, "vfio-pci") != 0;
}

/** struct member - sort key of by_group */
struct member {
	int group, dev;
};

static int compare_members(const void *a, const void *b)
{
	const struct member *x = a, *y = b;

	if (x->group != y->group)
		return x->group < y->group ? -1 : 1;
	return x->dev < y->dev ? -1 : x->dev > y->dev;
}

int inv_index_groups(struct inventory *inv)
{
	_cleanup_free_ struct member *members = calloc(inv->n_devs + 1, sizeof(*members));
	int *index = calloc(inv->n_devs + 1, sizeof(*index));
	size_t n = 0;

	if (!members || !index) {
		free(index);
		return -ENOMEM;
	}
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].group >= 0)
			members[n++] = (struct member){ inv->devs[i].group, (int)i };
	qsort(members, n, sizeof(*members), compare_members);
	for (size_t i = 0; i < n; i++)
		index[i] = members[i].dev;
	free(inv->by_group);
	inv->by_group = index;
	inv->n_by_group = n;
	return 0;
}

/* First place of @group in the index, or where it would be. */
static size_t first_of_group(const struct inventory *inv, int group)
{
	size_t low = 0, high = inv->n_by_group;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (inv->devs[inv->by_group[mid]].group < group)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/** struct blockers - where inv_group_blockers() collects */
struct blockers {
	int *ret;
	size_t n, max;
};

static void add_blocker(const struct inventory *inv, int i, struct blockers *b)
{
	if (!blocks(&inv->devs[i]))
		return;
	if (b->n < b->max)
		b->ret[b->n] = i;
	b->n++;
}

size_t inv_group_blockers(const struct inventory *inv, int dev, bool is_future_vf, int *ret,
			  size_t max)
{
	struct blockers found = { .ret = ret, .max = max };
	int group, self = is_future_vf ? -1 : dev;

	if (!is_index(inv, dev))
		return 0;
	group = inv->devs[dev].group;
	if (group < 0 || (is_future_vf && future_vf_is_alone(inv, &inv->devs[dev])))
		return 0;

	if (!inv->by_group) {
		for (int i = 0; (size_t)i < inv->n_devs; i++)
			if (inv->devs[i].group == group && i != self)
				add_blocker(inv, i, &found);
		return found.n;
	}
	for (size_t k = first_of_group(inv, group); k < inv->n_by_group; k++) {
		int i = inv->by_group[k];

		if (inv->devs[i].group != group)
			break;
		if (i != self)
			add_blocker(inv, i, &found);
	}
	return found.n;
}
