// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/topo_matrix.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "base/table.h"
#include "plan/distance.h"

#define LABEL_MAX 16
#define EXTRA_COLUMNS 3 /* name, CPU affinity, node */

/** struct matrix_kind - what gets a row and a column, in the order of nvidia-smi: GPUs, then NICs */
struct matrix_kind {
	const char *label;
	const char *classes[3];
};

static const struct matrix_kind kinds[] = {
	{ "GPU", { "gpu", "accel" } },
	{ "NIC", { "net", "ib" } },
	{ "NVME", { "nvme" } },
};

/** struct entry - a row and a column */
struct entry {
	int dev;
	char label[LABEL_MAX];
};

struct matrix {
	const struct inventory *inv;
	struct entry *entries;
	size_t n;
};

static void matrix_done(struct matrix *m)
{
	free(m->entries);
}

static bool is_of_kind(const struct matrix_kind *k, const struct inv_dev *d)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(k->classes) && k->classes[i]; i++)
		if (strcmp(inv_class_name(d), k->classes[i]) == 0)
			return d->pf < 0 && !inv_is_bmc_display(d);
	return false;
}

static void add_kind(struct matrix *m, const struct matrix_kind *k)
{
	unsigned int number = 0;

	for (size_t i = 0; i < m->inv->n_devs; i++) {
		struct entry *e = &m->entries[m->n];

		if (!is_of_kind(k, &m->inv->devs[i]))
			continue;
		e->dev = (int)i;
		snprintf(e->label, sizeof(e->label), "%s%u", k->label, number++);
		m->n++;
	}
}

static int matrix_init(struct matrix *m, const struct inventory *inv)
{
	*m = (struct matrix){ .inv = inv };
	m->entries = calloc(inv->n_devs + 1, sizeof(*m->entries));
	if (!m->entries)
		return -ENOMEM;
	for (size_t i = 0; i < CV_ARRAY_SIZE(kinds); i++)
		add_kind(m, &kinds[i]);
	return 0;
}

static const char *class_of(const struct matrix *m, size_t x, size_t y)
{
	return inv_distance_name(inv_distance(m->inv, m->entries[x].dev, m->entries[y].dev));
}

static const struct inv_node *node_of(const struct matrix *m, size_t x)
{
	int node = inv_find_node(m->inv, m->inv->devs[m->entries[x].dev].node);

	return node < 0 ? NULL : &m->inv->nodes[node];
}

/* ---- text ---- */

static int add_row(const struct matrix *m, size_t x, struct cv_table *t)
{
	_cleanup_free_ const char **cells = calloc(m->n + EXTRA_COLUMNS, sizeof(*cells));
	const struct inv_node *node = node_of(m, x);
	_cleanup_free_ char *cpus = node ? cv_format_cpulist(&node->cpus) : strdup("-");
	char number[16] = "-";

	if (!cells || !cpus)
		return -ENOMEM;
	if (node)
		snprintf(number, sizeof(number), "%d", node->id);
	cells[0] = m->entries[x].label;
	for (size_t y = 0; y < m->n; y++)
		cells[1 + y] = class_of(m, x, y);
	cells[m->n + 1] = cpus[0] ? cpus : "-";
	cells[m->n + 2] = number;
	return cv_table_add(t, -1, cells) < 0 ? -ENOMEM : 0;
}

static char *table_text(const struct matrix *m)
{
	_cleanup_free_ struct cv_column *columns = calloc(m->n + EXTRA_COLUMNS, sizeof(*columns));
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (!columns)
		return NULL;
	columns[0].name = "";
	for (size_t i = 0; i < m->n; i++)
		columns[1 + i].name = m->entries[i].label;
	columns[m->n + 1].name = "CPU AFFINITY";
	columns[m->n + 2].name = "NUMA NODE";
	if (cv_table_new(columns, m->n + EXTRA_COLUMNS, &t) < 0)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		if (add_row(m, i, t) < 0)
			return NULL;
	return cv_table_text(t, true, 0);
}

static const char legend[] = "X     the device itself\n"
			     "PIX   at most one PCIe bridge; a switch is one\n"
			     "PXB   several PCIe bridges, no host bridge\n"
			     "PHB   a PCIe host bridge\n"
			     "NODE  host bridges of one NUMA node\n"
			     "SYS   NUMA nodes, or a node is unknown (-)\n";

static char *names_text(const struct matrix *m)
{
	_cleanup_strv_ struct cv_strv lines = { 0 };
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < m->n; i++) {
		const struct inv_dev *d = &m->inv->devs[m->entries[i].dev];

		if (cv_strv_addf(&lines, "%-5s %s %s%s%s", m->entries[i].label,
				 cv_format_bdf(d->bdf, bdf),
				 d->name[0] ? d->name : inv_class_name(d), d->netdev[0] ? ", " : "",
				 d->netdev) < 0)
			return NULL;
	}
	return cv_strv_join(&lines, "\n");
}

char *topo_matrix(const struct inventory *inv)
{
	_cleanup_(matrix_done) struct matrix m = { 0 };
	_cleanup_free_ char *table = NULL, *names = NULL;
	char *text = NULL;

	if (matrix_init(&m, inv) < 0)
		return NULL;
	if (m.n == 0)
		return strdup("no GPU, network or NVMe function\n");
	table = table_text(&m);
	names = names_text(&m);
	if (!table || !names || asprintf(&text, "%s\n\n%s\n\n%s", table, names, legend) < 0)
		return NULL;
	return text;
}

/* ---- JSON ---- */

static json_t *row_json(const struct matrix *m, size_t x)
{
	_cleanup_json_ json_t *row = json_array();

	for (size_t y = 0; row && y < m->n; y++)
		if (json_array_append_new(row, json_string(class_of(m, x, y))))
			return NULL;
	return TAKE_PTR(row);
}

static json_t *entry_json(const struct matrix *m, size_t x)
{
	const struct inv_dev *d = &m->inv->devs[m->entries[x].dev];
	const struct inv_node *node = node_of(m, x);
	_cleanup_free_ char *cpus = node ? cv_format_cpulist(&node->cpus) : strdup("");
	char bdf[CV_BDF_MAX];

	if (!cpus)
		return NULL;
	return json_pack("{ss ss ss so so}", "label", m->entries[x].label, "bdf",
			 cv_format_bdf(d->bdf, bdf), "cpus", cpus, "node",
			 node ? json_integer(node->id) : json_null(), "classes", row_json(m, x));
}

json_t *topo_matrix_json(const struct inventory *inv)
{
	_cleanup_(matrix_done) struct matrix m = { 0 };
	_cleanup_json_ json_t *list = json_array();

	if (!list || matrix_init(&m, inv) < 0)
		return NULL;
	for (size_t i = 0; i < m.n; i++)
		if (json_array_append_new(list, entry_json(&m, i)))
			return NULL;
	return TAKE_PTR(list);
}
