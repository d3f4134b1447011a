// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device list: what can be given away, who has it, and is it healthy. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/table.h"
#include "tools/device.h"

#define NO_FILTER INT32_MIN

/** struct filter - @node: NO_FILTER all */
struct filter {
	const char *class;
	int node;
	bool vfs;
};

static int read_filter(struct cmd *c, struct filter *ret)
{
	const char *node = cmd_value(c, "node");
	struct filter f = { .class = cmd_value(c, "class"), .node = NO_FILTER };

	f.vfs = cmd_flag(c, "vfs");
	if (node && (cv_parse_int(node, &f.node) < 0 || f.node < -1)) {
		cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_NODE", node,
			"this is no number of a NUMA node");
		cv_error_wanted(&c->err, "a number, -1 for devices whose node is unknown");
		return -EINVAL;
	}
	*ret = f;
	return 0;
}

/* Bridges are listed where somebody asks for them: nobody can have one. */
static bool is_listed(const struct filter *f, const struct inv_dev *d)
{
	if (f->class ? strcmp(f->class, inv_class_name(d)) != 0 : device_is_bridge(d))
		return false;
	return (f->node == NO_FILTER || f->node == d->node) && (f->vfs || d->pf < 0);
}

enum column { DEVICE, CLASS, NODE, GROUP, DRIVER, VFS, HEALTH, USE, NAME, N_COLUMNS };

static const struct cv_column columns[N_COLUMNS] = {
	[DEVICE] = { .name = "DEVICE", .tree = true },
	[CLASS] = { .name = "CLASS" },
	[NODE] = { .name = "NODE", .right = true },
	[GROUP] = { .name = "GROUP", .right = true },
	[DRIVER] = { .name = "DRIVER" },
	[VFS] = { .name = "VFS", .right = true },
	[HEALTH] = { .name = "HEALTH" },
	[USE] = { .name = "USE" },
	[NAME] = { .name = "NAME" },
};

static const char *number(int value, char buf[16])
{
	if (value < 0)
		return "-";
	snprintf(buf, 16, "%d", value);
	return buf;
}

static int add_row(struct cv_table *t, const struct inventory *inv, int dev, int parent)
{
	const struct inv_dev *d = &inv->devs[dev];
	char bdf[CV_BDF_MAX], node[16], group[16], vfs[32] = "", use[DEVICE_USE_MAX];

	if (d->sriov.total)
		snprintf(vfs, sizeof(vfs), "%u/%u", d->sriov.num, d->sriov.total);
	const char *cells[N_COLUMNS] = {
		[DEVICE] = cv_format_bdf(d->bdf, bdf),
		[CLASS] = inv_class_name(d),
		[NODE] = number(d->node, node),
		[GROUP] = number(d->group, group),
		[DRIVER] = d->driver[0] ? d->driver : "-",
		[VFS] = vfs,
		[HEALTH] = device_health(d),
		[USE] = device_use(inv, d, use),
		[NAME] = d->name,
	};

	return cv_table_add(t, parent, cells);
}

/* VFs below their PF, when that is listed as well. */
static int add_rows(struct cv_table *t, const struct inventory *inv, const struct filter *f,
		    size_t *ret_n)
{
	_cleanup_free_ int *rows = calloc(inv->n_devs + 1, sizeof(*rows));
	size_t n = 0;

	for (size_t i = 0; rows && i < inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];

		rows[i] = -1;
		if (!is_listed(f, d))
			continue;
		rows[i] = add_row(t, inv, (int)i, d->pf >= 0 && d->pf < (int)i ? rows[d->pf] : -1);
		if (rows[i] < 0)
			return -ENOMEM;
		n++;
	}
	*ret_n = n;
	return rows ? 0 : -ENOMEM;
}

static int print_table(struct cmd *c, const struct inventory *inv, const struct filter *f)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_free_ char *text = NULL;
	size_t n = 0;
	int r = cv_table_new(columns, N_COLUMNS, &t);

	r = r ?: add_rows(t, inv, f, &n);
	if (r == 0)
		text = n ? cv_table_text(t, true, 0) : strdup("no such devices");
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the devices");
	cmd_print("%s\n", text);
	return 0;
}

static int print_json(struct cmd *c, const struct inventory *inv, const struct filter *f)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < inv->n_devs; i++)
		if (is_listed(f, &inv->devs[i]))
			json_array_append_new(list, device_json(inv, (int)i));
	return cmd_print_json(c, json_pack("{s:i,s:o}", "carve_device_list", 1, "devices", list));
}

static int print_names(const struct inventory *inv, const struct filter *f)
{
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < inv->n_devs; i++)
		if (is_listed(f, &inv->devs[i]))
			cmd_print("%s\n", cv_format_bdf(inv->devs[i].bdf, bdf));
	return 0;
}

static int run_list(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	bool is_names = cmd_flag(c, "names");
	struct filter f;
	int r = read_filter(c, &f);

	r = r ?: cmd_inventory(c, is_names ? 0 : CMD_HOLDERS | CMD_NAMES, NULL, 0, &inv);
	if (r < 0)
		return r;
	if (is_names)
		return print_names(&inv, &f);
	return c->json ? print_json(c, &inv, &f) : print_table(c, &inv, &f);
}

static const struct cmd_option options[] = {
	{ "vfs", NULL, "virtual functions as well, below their physical function", false },
	{ "class", "CLASS", "only of this class", false, false,
	  "nvme storage ib net gpu media memory bridge comm system input cpu usb serial wireless "
	  "crypto signal accel other" },
	{ "node", "N", "only of this NUMA node; -1: the firmware names none", false },
	{ "names", NULL, "only the addresses, one per line", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb device_list = {
	.name = "list",
	.args = "",
	.summary = "the devices, who has them, and are they healthy",
	.complete = "",
	.options = options,
	.run = run_list,
};
