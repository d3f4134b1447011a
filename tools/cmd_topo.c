// SPDX-License-Identifier: GPL-2.0-or-later
/* carve topo: what this host has and where. */
#include <errno.h>

#include "base/cleanup.h"
#include "tools/cmd.h"
#include "tools/topo_matrix.h"
#include "tools/topo_tree.h"

static const struct cmd_option options[] = {
	{ "cpus-only", NULL, "packages, nodes, caches and cores only", false },
	{ "devices-only", NULL, "host bridges, switches and devices only", false },
	{ "hwloc-xml", "FILE", "CPUs and memory of a file that lstopo --of xml wrote", false },
	{ "matrix", NULL, "how far GPUs, network and NVMe functions are from each other", false },
	{ NULL, NULL, NULL, false },
};

static unsigned int wanted_parts(const struct cmd *c)
{
	bool cpus = cmd_flag(c, "cpus-only"), devices = cmd_flag(c, "devices-only");

	if (cpus == devices)
		return TOPO_CPUS | TOPO_DEVICES;
	return cpus ? TOPO_CPUS : TOPO_DEVICES;
}

static int print_tree(struct cmd *c, const struct inventory *inv)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_free_ char *text = NULL;
	int r = topo_tree(inv, wanted_parts(c), &t);

	if (r == 0)
		text = cv_table_text(t, true, 0);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot draw the tree");
	cmd_print("%s\n", text);
	return 0;
}

static int print_matrix(struct cmd *c, const struct inventory *inv)
{
	_cleanup_free_ char *text = topo_matrix(inv);

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot draw the matrix");
	cmd_print("%s", text);
	return 0;
}

/* With --matrix the distances go along: they are as many as the devices squared. */
static int print_json(struct cmd *c, const struct inventory *inv)
{
	json_t *j = inventory_json(inv);

	if (cmd_flag(c, "matrix") && json_object_set_new(j, "distances", topo_matrix_json(inv))) {
		json_decref(j);
		j = NULL;
	}
	return cmd_print_json(c, j);
}

static int run_topo(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	int r = cmd_inventory(c, CMD_HOLDERS | CMD_NAMES, NULL, 0, &inv);

	if (r < 0)
		return r;
	if (c->json)
		return print_json(c, &inv);
	return cmd_flag(c, "matrix") ? print_matrix(c, &inv) : print_tree(c, &inv);
}

const struct cmd_verb cmd_topo = {
	.name = "topo",
	.args = "",
	.summary = "what this host has: cores, memory, huge pages, PCI devices, and where",
	.complete = "",
	.options = options,
	.run = run_topo,
};
