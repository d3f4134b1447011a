// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tools/topo_tree.h"

/** struct bus - what every row needs */
struct bus {
	struct cv_table *table;
	const struct inventory *inv;
};

static const char *const port_words[] = {
	[INV_PORT_ROOT] = "root port",
	[INV_PORT_UPSTREAM] = "switch upstream port",
	[INV_PORT_DOWNSTREAM] = "switch downstream port",
	[INV_PORT_BRIDGE] = "bridge",
};

static const char *kind_of(const struct inv_dev *d)
{
	const char *port = inv_is_bridge(d) && (size_t)d->port < CV_ARRAY_SIZE(port_words)
				   ? port_words[d->port]
				   : NULL;

	return port ? port : inv_class_name(d);
}

/* Upstream ports from a function up to the root, itself too: 2 is a switch below a switch. */
static unsigned int switch_level(const struct inventory *inv, const struct inv_dev *d)
{
	unsigned int level = d->port == INV_PORT_UPSTREAM;
	int up = d->parent;

	for (size_t hops = 0; up >= 0 && hops < inv->n_devs; hops++) {
		level += inv->devs[up].port == INV_PORT_UPSTREAM;
		up = inv->devs[up].parent;
	}
	return level;
}

static void object_text(const struct inventory *inv, const struct inv_dev *d, char *buf,
			size_t size)
{
	bool is_switch = d->port == INV_PORT_UPSTREAM || d->port == INV_PORT_DOWNSTREAM;
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	if (d->vf_index >= 0)
		snprintf(buf, size, "%s VF %d", bdf, d->vf_index);
	else if (is_switch)
		snprintf(buf, size, "%s %s, level %u", bdf, kind_of(d), switch_level(inv, d));
	else
		snprintf(buf, size, "%s %s", bdf, kind_of(d));
}

/* PCIe Base 6.0 section 7.7.11.3, from bit 0 on */
static char *acs_text(const struct inv_dev *d)
{
	static const char *const names[] = { "SV", "TB", "RR", "CR", "UF", "EC", "DT" };
	_cleanup_strv_ struct cv_strv parts = { 0 };
	int r = cv_strv_add(&parts, "ACS");

	for (size_t i = 0; i < CV_ARRAY_SIZE(names) && r == 0; i++)
		if (d->acs_ctrl >> i & 1)
			r = cv_strv_add(&parts, names[i]);
	if (r == 0 && parts.n == 1)
		r = cv_strv_add(&parts, "off");
	return r < 0 ? NULL : cv_strv_join(&parts, " ");
}

/* "ACS SV RR CR UF", "ATS on, PASID off"; "" where there is none, or config space may not be read */
static char *access_text(const struct inv_dev *d)
{
	_cleanup_strv_ struct cv_strv parts = { 0 };
	_cleanup_free_ char *acs = d->has_acs ? acs_text(d) : NULL;
	int r = 0;

	if (d->has_acs)
		r = acs ? cv_strv_add(&parts, acs) : -ENOMEM;
	if (r == 0 && d->has_ats)
		r = cv_strv_add(&parts, d->ats_enabled ? "ATS on" : "ATS off");
	if (r == 0 && d->has_pasid)
		r = cv_strv_add(&parts, d->pasid_enabled ? "PASID on" : "PASID off");
	return r < 0 ? NULL : cv_strv_join(&parts, ", ");
}

static char *bars_text(const struct inv_dev *d)
{
	_cleanup_strv_ struct cv_strv parts = { 0 };
	char size[CV_SIZE_MAX];

	for (int i = 0; i < INV_MAX_BARS; i++) {
		const struct inv_bar *b = &d->bars[i];

		if (b->size > 0 && cv_strv_addf(&parts, "%s%s", cv_format_size(b->size, size),
						b->is_io ? "(io)" : "") < 0)
			return NULL;
	}
	return cv_strv_join(&parts, " ");
}

/* "8.0GT/s x16", and what it could be when it is less: "2.5GT/s x1 of 8.0 x16" */
static void link_text(const struct inv_link *l, char *buf, size_t size)
{
	int n;

	buf[0] = '\0';
	if (l->width == 0)
		return;
	n = snprintf(buf, size, "%u.%uGT/s x%u", l->speed / 10, l->speed % 10, l->width);
	if ((l->speed < l->max_speed || l->width < l->max_width) && (size_t)n < size)
		snprintf(buf + n, size - (size_t)n, " of %u.%u x%u", l->max_speed / 10,
			 l->max_speed % 10, l->max_width);
}

static int add_netdev(const struct inv_dev *d, struct cv_strv *parts)
{
	if (!d->netdev[0])
		return 0;
	return cv_strv_addf(parts, "%s %s", d->netdev,
			    d->net_carrier ? "with carrier"
			    : d->net_up	   ? "up"
					   : "down");
}

static char *info_text(const struct inventory *inv, const struct inv_dev *d)
{
	_cleanup_strv_ struct cv_strv parts = { 0 };
	const struct cv_lease *lease = inv_device_lease(inv, d->bdf);
	int r = d->name[0] ? cv_strv_add(&parts, d->name)
			   : cv_strv_addf(&parts, "%04x:%04x", d->vendor, d->device);

	if (r == 0)
		r = add_netdev(d, &parts);
	if (r == 0 && lease)
		r = cv_strv_addf(&parts, "lease %s", lease->name);
	if (r == 0 && d->holder_kind != INV_HOLDER_NONE)
		r = cv_strv_add(&parts, d->holder);
	if (r == 0 && d->is_unreadable)
		r = cv_strv_add(&parts, "does not answer: config space reads all ones");
	if (r == 0 && d->is_quarantined)
		r = cv_strv_addf(&parts, "%s%s",
				 d->is_silent ? "" : "quarantined: ", d->quarantine);
	return r < 0 ? NULL : cv_strv_join(&parts, "; ");
}

/* "-" where the firmware says nothing: not the same as an empty cell */
static void number_text(int value, char buf[16])
{
	snprintf(buf, 16, "-");
	if (value >= 0)
		snprintf(buf, 16, "%d", value);
}

static int add_row(struct bus *b, const struct inv_dev *d, int parent)
{
	_cleanup_free_ char *bars = bars_text(d);
	_cleanup_free_ char *info = info_text(b->inv, d);
	_cleanup_free_ char *access = access_text(d);
	char object[64], node[16], group[16], vfs[24] = "", link[64];

	if (!bars || !info || !access)
		return -ENOMEM;
	object_text(b->inv, d, object, sizeof(object));
	number_text(d->node, node);
	number_text(d->group, group);
	if (d->sriov.total > 0)
		snprintf(vfs, sizeof(vfs), "%u/%u", d->sriov.num, d->sriov.total);
	link_text(&d->link, link, sizeof(link));
	return cv_table_add(b->table, parent,
			    (const char *const[TOPO_N_COLUMNS]){
				    [TOPO_OBJECT] = object,
				    [TOPO_NODE] = node,
				    [TOPO_GROUP] = group,
				    [TOPO_DRIVER] = d->driver,
				    [TOPO_VFS] = vfs,
				    [TOPO_BARS] = bars,
				    [TOPO_LINK] = link,
				    [TOPO_ACCESS] = access,
				    [TOPO_INFO] = info,
			    });
}

/* VFs stand below their PF, whatever bus they are on; all others below their bridge. */
static bool is_below(const struct inv_dev *d, int upper)
{
	return d->pf >= 0 ? d->pf == upper : d->parent == upper;
}

static int add_function(struct bus *b, int dev, int parent)
{
	int row = add_row(b, &b->inv->devs[dev], parent);
	int r = row < 0 ? row : 0;

	for (size_t i = 0; i < b->inv->n_devs && r == 0; i++)
		if (is_below(&b->inv->devs[i], dev))
			r = add_function(b, (int)i, row);
	return r;
}

/* A function right on a root bus that belongs to @node; -1: to none that this host has */
static bool is_top(const struct inventory *inv, size_t dev, int node)
{
	const struct inv_dev *d = &inv->devs[dev];

	if (d->parent >= 0 || d->pf >= 0)
		return false;
	return node < 0 ? inv_find_node(inv, d->node) < 0 : d->node == node;
}

static bool is_first_of_root(const struct inventory *inv, size_t dev, int node)
{
	for (size_t i = 0; i < dev; i++)
		if (is_top(inv, i, node) && strcmp(inv->devs[i].root, inv->devs[dev].root) == 0)
			return false;
	return true;
}

static int add_root(struct bus *b, size_t first, int node, int parent)
{
	const struct inventory *inv = b->inv;
	const char *root = inv->devs[first].root;
	const char *cells[TOPO_N_COLUMNS] = { NULL };
	char object[48], number[16];
	int row;

	snprintf(object, sizeof(object), "host bridge %s", root[0] ? root : "?");
	number_text(node, number);
	cells[TOPO_OBJECT] = object;
	cells[TOPO_NODE] = number;
	row = cv_table_add(b->table, parent, cells);
	for (size_t i = first; i < inv->n_devs && row >= 0; i++) {
		int r = is_top(inv, i, node) && strcmp(inv->devs[i].root, root) == 0
				? add_function(b, (int)i, row)
				: 0;

		if (r < 0)
			return r;
	}
	return row < 0 ? row : 0;
}

int topo_add_bus(struct cv_table *t, const struct inventory *inv, int node, int parent)
{
	struct bus b = { .table = t, .inv = inv };

	for (size_t i = 0; i < inv->n_devs; i++) {
		int r = is_top(inv, i, node) && is_first_of_root(inv, i, node)
				? add_root(&b, i, node, parent)
				: 0;

		if (r < 0)
			return r;
	}
	return 0;
}
