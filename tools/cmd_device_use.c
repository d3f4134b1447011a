// SPDX-License-Identifier: GPL-2.0-or-later
/* carve device holders and group: who is in the way. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/table.h"
#include "plan/inventory_json.h"
#include "sriov/holders.h"
#include "sriov/reserve.h"
#include "tools/device.h"

/* ---- holders ---- */

static json_t *holder_json(const struct sr_holder *h)
{
	return json_pack("{s:s,s:o,s:o,s:o,s:o}", "kind", inv_holder_name(h->kind), "pid",
			 h->pid ? json_integer(h->pid) : json_null(), "command",
			 cv_json_string(h->command), "path", cv_json_string(h->path), "text",
			 cv_json_string(h->text));
}

json_t *device_holders_json(const struct sr_holder_list *l)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < l->n; i++)
		json_array_append_new(list, holder_json(&l->v[i]));
	return list;
}

static int run_holders(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_args_ struct device_args args = { 0 };
	_cleanup_holders_ struct sr_holder_list l = { 0 };
	char bdf[CV_BDF_MAX];
	int dev = -1, r = device_args(c, &args);

	r = r ?: cmd_inventory(c, 0, NULL, 0, &inv);
	r = r ?: device_find(c, &inv, args.v[0], &dev);
	if (r < 0)
		return r;
	cv_format_bdf(args.v[0], bdf);
	r = sr_holders_all(c->root, &inv, dev, &l);
	if (r < 0)
		return cv_fail_errno(&c->err, r, bdf, "cannot look for holders");
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:s,s:o}", "carve_device_holders", 1,
						   "bdf", bdf, "holders", device_holders_json(&l)));
	for (size_t i = 0; i < l.n; i++)
		cmd_print("%s\n", l.v[i].text);
	if (l.n == 0)
		cmd_print("nobody holds %s\n", bdf);
	return 0;
}

const struct cmd_verb device_holders = {
	.name = "holders",
	.args = "BDF",
	.summary = "who uses a device on the host: mounts, interfaces, processes",
	.min_args = 1,
	.max_args = 1,
	.complete = "device",
	.run = run_holders,
};

/* ---- group ---- */

/** struct member_state - what a member means for the group; @blocks: VFIO refuses the group */
struct member_state {
	bool blocks;
	const char *text;
};

/* Documentation/driver-api/vfio.rst, "viable" */
static struct member_state judge_member(const struct inv_dev *d)
{
	if (device_is_bridge(d))
		return (struct member_state){ false, "a bridge: does not matter" };
	if (!d->driver[0])
		return (struct member_state){ false, "no driver: goes along with the group" };
	if (strstr(d->driver, "vfio"))
		return (struct member_state){ false, "ready for VFIO" };
	if (strcmp(d->driver, "pci-stub") == 0)
		return (struct member_state){ false, "set aside" };
	return (struct member_state){ true, "a host driver has it" };
}

static bool is_viable(const struct inventory *inv, int group)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].group == group && judge_member(&inv->devs[i]).blocks)
			return false;
	return true;
}

static int no_group(struct cmd *c, const char *object)
{
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NO_GROUP", object,
		"there is no such IOMMU group");
	cv_error_hint(&c->err, "carve device list shows the group of each device");
	return -ENOENT;
}

/* A number, or the address of a member. */
static int find_group(struct cmd *c, const struct inventory *inv, int *ret)
{
	struct cv_bdf bdf;
	int dev = -1, r;

	if (cv_parse_int(c->args[0], ret) == 0) {
		for (size_t i = 0; i < inv->n_devs; i++)
			if (*ret >= 0 && inv->devs[i].group == *ret)
				return 0;
		return no_group(c, c->args[0]);
	}
	if (cv_parse_bdf(c->args[0], &bdf) < 0) {
		cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_ADDRESS", c->args[0],
			"neither a PCI address nor the number of a group");
		cv_error_wanted(&c->err, "an address such as 0000:81:10.0, or a number");
		return -EINVAL;
	}
	r = device_find(c, inv, bdf, &dev);
	if (r < 0)
		return r;
	*ret = inv->devs[dev].group;
	return *ret >= 0 ? 0 : no_group(c, c->args[0]);
}

static int print_group_json(struct cmd *c, const struct inventory *inv, int group)
{
	const struct inv_group *g = inv_find_group(inv, group);
	json_t *list = json_array();

	for (size_t i = 0; list && i < inv->n_devs; i++) {
		const struct inv_dev *d = &inv->devs[i];
		char bdf[CV_BDF_MAX];

		if (d->group != group)
			continue;
		struct member_state s = judge_member(d);
		json_array_append_new(list, json_pack("{s:s,s:s,s:o,s:b,s:s}", "bdf",
						      cv_format_bdf(d->bdf, bdf), "class_name",
						      inv_class_name(d), "driver",
						      cv_json_string(d->driver), "blocks", s.blocks,
						      "text", s.text));
	}
	return cmd_print_json(c, json_pack("{s:i,s:i,s:b,s:s,s:o}", "carve_device_group", 1,
					   "group", group, "viable", is_viable(inv, group),
					   "domain", g ? g->domain : "", "members", list));
}

static const struct cv_column group_columns[] = {
	{ .name = "DEVICE" }, { .name = "CLASS" }, { .name = "DRIVER" },
	{ .name = "VFIO" },   { .name = "NAME" },
};

static char *group_text(const struct inventory *inv, int group)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	int r = cv_table_new(group_columns, CV_ARRAY_SIZE(group_columns), &t);

	for (size_t i = 0; i < inv->n_devs && r >= 0; i++) {
		const struct inv_dev *d = &inv->devs[i];
		char bdf[CV_BDF_MAX];

		if (d->group == group)
			r = cv_table_add(t, -1,
					 (const char *[]){ cv_format_bdf(d->bdf, bdf),
							   inv_class_name(d),
							   d->driver[0] ? d->driver : "-",
							   judge_member(d).text, d->name });
	}
	return r < 0 ? NULL : cv_table_text(t, true, 0);
}

static int run_group(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_free_ char *text = NULL;
	int group = -1, r = cmd_inventory(c, CMD_NAMES, NULL, 0, &inv);

	r = r ?: find_group(c, &inv, &group);
	if (r < 0)
		return r;
	if (c->json)
		return print_group_json(c, &inv, group);
	text = group_text(&inv, group);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot print the group");
	cmd_print("group %d: %s\n%s\n", group,
		  is_viable(&inv, group) ? "VFIO can have it" : "VFIO cannot have it as it is",
		  text);
	return 0;
}

const struct cmd_verb device_group = {
	.name = "group",
	.args = "BDF|N",
	.summary = "an IOMMU group: its members, and whether VFIO can have it",
	.min_args = 1,
	.max_args = 1,
	.complete = "device",
	.run = run_group,
};

/* ---- udev-name ---- */

/* Called by udev for each VFIO node, with the name the kernel gave it: the number of a group. */
static int run_udev_name(struct cmd *c)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *text = NULL;
	uint64_t group;

	if (cv_parse_u64(c->args[0], &group) < 0 || group > INT32_MAX)
		return no_group(c, c->args[0]);
	if (sr_group_names(c->root, (unsigned int)group, &names) < 0)
		return no_group(c, c->args[0]);
	text = cv_strv_join(&names, " ");
	cmd_print("%s\n", text ? text : "");
	return 0;
}

const struct cmd_verb device_udev_name = {
	.name = "udev-name",
	.args = "KERNELNAME",
	.min_args = 1,
	.max_args = 1,
	.complete = "",
	.run = run_udev_name,
};
