// SPDX-License-Identifier: GPL-2.0-or-later
/* The drawing of host and guests for a terminal. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/draw.h"

#define INDENT 2
#define LABEL 11 /* "L3 14-15   " */

/** struct block - cores of one L3, or of several L3s in a row that one owner has whole */
struct block {
	size_t from, to; /* cores */
	int first_l3, last_l3;
	bool is_one; /* one owner */
};

static bool has_one_owner(const struct draw *d, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (d->cores[i].owner != d->cores[from].owner)
			return false;
	return true;
}

static struct block next_block(const struct draw *d, size_t from)
{
	struct block b = { .from = from, .to = draw_group(d, from) };

	b.first_l3 = b.last_l3 = d->cores[from].l3;
	b.is_one = has_one_owner(d, from, b.to);
	while (b.is_one && b.to < d->n_cores && d->cores[b.to].node == d->cores[from].node) {
		size_t to = draw_group(d, b.to);

		if (!has_one_owner(d, b.to, to) || d->cores[b.to].owner != d->cores[from].owner)
			break;
		b.last_l3 = d->cores[b.to].l3;
		b.to = to;
	}
	return b;
}

/* ---- one block: "L3 0       [hAAA....]  h 0,8  A 1-3,9-11  . 4-7,12-15" ---- */

static void put_label(FILE *out, const struct block *b)
{
	char label[32] = "cores";

	if (b->first_l3 >= 0 && b->first_l3 == b->last_l3)
		snprintf(label, sizeof(label), "L3 %d", b->first_l3);
	else if (b->first_l3 >= 0)
		snprintf(label, sizeof(label), "L3 %d-%d", b->first_l3, b->last_l3);
	fprintf(out, "%*s%-*s", INDENT, "", LABEL, label);
}

/* One letter per core; a count where that would be longer than a line. */
static size_t put_bar(FILE *out, const struct draw *d, const struct block *b, unsigned int width)
{
	size_t n = b->to - b->from;

	if (INDENT + LABEL + n + 2 > width || b->first_l3 != b->last_l3)
		return (size_t)fprintf(out, "%zu cores", n);
	fputc('[', out);
	for (size_t i = b->from; i < b->to; i++)
		fputc(draw_mark(d->cores[i].owner), out);
	fputc(']', out);
	return n + 2;
}

static struct cv_cpuset cpus_of(const struct draw *d, const struct block *b, int owner)
{
	struct cv_cpuset set = { 0 };

	for (size_t i = b->from; i < b->to; i++)
		if (d->cores[i].owner == owner)
			cv_cpuset_or(&set, &d->cores[i].cpus);
	return set;
}

/* Begins a line where this one has no room. Return: the column after it. */
static size_t put_cpus(FILE *out, const struct draw *d, const struct block *b, int owner,
		       size_t column, unsigned int width)
{
	struct cv_cpuset set = cpus_of(d, b, owner);
	_cleanup_free_ char *list = cv_format_cpulist(&set);

	if (!list || !list[0])
		return column;
	if (column + strlen(list) + 4 > width) {
		fprintf(out, "\n%*s", INDENT + LABEL - 2, "");
		column = INDENT + LABEL - 2;
	}
	return column + (size_t)fprintf(out, "  %c %s", draw_mark(owner), list);
}

static void put_block(FILE *out, const struct draw *d, const struct block *b, unsigned int width)
{
	size_t column = INDENT + LABEL;

	put_label(out, b);
	column += put_bar(out, d, b, width);
	for (int owner = 1; owner < DRAW_GUEST + (int)d->n_plans; owner++)
		column = put_cpus(out, d, b, owner, column, width);
	put_cpus(out, d, b, DRAW_FREE, column, width);
	fputc('\n', out);
}

/* ---- nodes ---- */

/* The end of a long line is cut off. */
static void put_line(FILE *out, int indent, const char *text, unsigned int width)
{
	int room = (int)width - indent;

	if ((int)strlen(text) <= room || room < 4)
		fprintf(out, "%*s%s\n", indent, "", text);
	else
		fprintf(out, "%*s%.*s...\n", indent, "", room - 3, text);
}

static void put_lines(FILE *out, const struct draw *d, int node, unsigned int width)
{
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct draw_line *l = &d->lines[i];

		if (l->node != node)
			continue;
		fprintf(out, "%*s%c", INDENT, "", l->is_switch ? ' ' : draw_mark(l->owner));
		put_line(out, 1 + 2 * l->depth, l->text, width - INDENT - 1);
	}
}

static void put_node(FILE *out, const struct draw *d, int node, unsigned int width)
{
	_cleanup_free_ char *head = draw_node(d, node);
	_cleanup_free_ char *pages = draw_pages(d, node);

	fprintf(out, "\n%s\n%*s%-*s%s\n", head ? head : "?", INDENT, "", LABEL, "pages",
		pages ? pages : "?");
	for (size_t i = 0; i < d->n_cores;) {
		struct block b = next_block(d, i);

		if (d->cores[i].node == node)
			put_block(out, d, &b, width);
		i = b.to;
	}
	put_lines(out, d, node, width);
}

static void put_head(FILE *out, const struct draw *d)
{
	_cleanup_free_ char *host = draw_host(d);

	fprintf(out, "host: %s\n", host ? host : "?");
	for (size_t i = 0; i < d->n_plans; i++) {
		_cleanup_free_ char *guest = draw_guest(d, i);

		fprintf(out, "  %c  %s\n", draw_mark(DRAW_GUEST + (int)i), guest ? guest : "?");
	}
	fputs("  h  housekeeping   -  leased   .  free\n", out);
}

static bool has_unplaced(const struct draw *d)
{
	return d->n_lines && d->lines[d->n_lines - 1].node < 0;
}

char *draw_text(const struct draw *d, unsigned int width)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_head(out, d);
	for (size_t i = 0; i < d->inv->n_nodes; i++)
		put_node(out, d, (int)i, width);
	if (has_unplaced(d)) {
		fputs("\nnode unknown\n", out);
		put_lines(out, d, -1, width);
	}
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}
