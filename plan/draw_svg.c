// SPDX-License-Identifier: GPL-2.0-or-later
/* The drawing of host and guests as SVG: a panel per NUMA node, with a legend. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/draw.h"
#include "plan/xml.h"

/* Pixels. */
#define PANEL_WIDTH 620
#define GAP 16
#define LINE 16
#define SQUARE 11
#define SQUARE_STEP 13
#define PER_ROW 32
#define LABEL_WIDTH 64
#define BAR_WIDTH (PER_ROW * SQUARE_STEP)
#define LETTER 7 /* wider than a letter of the font, so that text ends in its panel */

/** struct pen - where the next line of a panel goes */
struct pen {
	struct xml *x;
	unsigned int left, top;
};

/* Colours that people with any colour vision tell apart (Okabe and Ito). */
static const char *colour(int owner)
{
	static const char *const fixed[] = { "#e8e8e8", "#a8a8a8", "#6e6e6e" };
	static const char *const guests[] = { "#0072b2", "#d55e00", "#009e73", "#cc79a7",
					      "#56b4e9", "#e69f00", "#f0e442", "#442288" };

	if (owner < DRAW_GUEST)
		return fixed[owner];
	return guests[(size_t)(owner - DRAW_GUEST) % CV_ARRAY_SIZE(guests)];
}

static void put_label(struct xml *x, unsigned int left, unsigned int base, bool is_bold,
		      const char *text)
{
	xml_open(x, "text");
	xml_attr(x, "x", "%u", left);
	xml_attr(x, "y", "%u", base);
	if (is_bold)
		xml_attr(x, "font-weight", "bold");
	xml_text(x, "%s", text);
	xml_close(x);
}

static void put_rect(struct xml *x, unsigned int left, unsigned int top, unsigned int width,
		     unsigned int height, const char *fill, const char *title)
{
	xml_open(x, "rect");
	xml_attr(x, "x", "%u", left);
	xml_attr(x, "y", "%u", top);
	xml_attr(x, "width", "%u", width);
	xml_attr(x, "height", "%u", height);
	xml_attr(x, "fill", "%s", fill);
	xml_attr(x, "stroke", "#404040");
	xml_attr(x, "stroke-width", "0.5");
	if (title)
		xml_leaf(x, "title", "%s", title);
	xml_close(x);
}

/* A line of a panel that begins at @left of it; the end of a long one is cut off. */
static void put_line(struct pen *pen, unsigned int left, const char *text)
{
	size_t room = (PANEL_WIDTH - GAP - left) / LETTER, len = strlen(text);
	char cut[PANEL_WIDTH / LETTER + 4];

	snprintf(cut, sizeof(cut), "%.*s%s", (int)(len > room ? room - 3 : len), text,
		 len > room ? "..." : "");
	put_label(pen->x, pen->left + left, pen->top + SQUARE, false, cut);
}

/* ---- a node ---- */

static void put_core(struct pen *pen, const struct draw_core *c, size_t at)
{
	_cleanup_free_ char *list = cv_format_cpulist(&c->cpus);
	char title[128];

	snprintf(title, sizeof(title), "CPUs %s: %c", list ? list : "?", draw_mark(c->owner));
	put_rect(pen->x, pen->left + LABEL_WIDTH + (unsigned int)(at % PER_ROW) * SQUARE_STEP,
		 pen->top + (unsigned int)(at / PER_ROW) * SQUARE_STEP, SQUARE, SQUARE,
		 colour(c->owner), title);
}

static void put_cores(struct pen *pen, const struct draw *d, int node)
{
	for (size_t i = 0, to; i < d->n_cores; i = to) {
		char label[24] = "cores";

		to = draw_group(d, i);
		if (d->cores[i].node != node)
			continue;
		if (d->cores[i].l3 >= 0)
			snprintf(label, sizeof(label), "L3 %d", d->cores[i].l3);
		put_label(pen->x, pen->left, pen->top + SQUARE, false, label);
		for (size_t c = i; c < to; c++)
			put_core(pen, &d->cores[c], c - i);
		pen->top += (unsigned int)((to - i + PER_ROW - 1) / PER_ROW) * SQUARE_STEP + 4;
	}
}

/* The node's memory as a bar: what each guest takes of it, to scale. */
static void put_memory(struct pen *pen, const struct draw *d, int node)
{
	uint64_t total = d->inv->nodes[node].mem_total;
	unsigned int left = pen->left + LABEL_WIDTH, end = left + BAR_WIDTH;

	put_label(pen->x, pen->left, pen->top + SQUARE, false, "memory");
	put_rect(pen->x, left, pen->top, BAR_WIDTH, SQUARE, colour(DRAW_FREE), NULL);
	for (size_t i = 0; total && i < d->n_plans; i++) {
		uint64_t width = draw_taken(d, i, node) / (total / BAR_WIDTH + 1);

		if (!width || left + width > end)
			continue;
		put_rect(pen->x, left, pen->top, (unsigned int)width, SQUARE,
			 colour(DRAW_GUEST + (int)i), d->plans[i].name);
		left += (unsigned int)width;
	}
	pen->top += LINE;
	_cleanup_free_ char *pages = draw_pages(d, node);
	put_line(pen, 0, "pages");
	put_line(pen, LABEL_WIDTH, pages ? pages : "?");
	pen->top += LINE;
}

static void put_lines(struct pen *pen, const struct draw *d, int node)
{
	for (size_t i = 0; i < d->n_lines; i++) {
		const struct draw_line *l = &d->lines[i];
		unsigned int left = (unsigned int)l->depth * 14;

		if (l->node != node)
			continue;
		if (!l->is_switch)
			put_rect(pen->x, pen->left + left, pen->top + 2, SQUARE, SQUARE,
				 colour(l->owner), NULL);
		put_line(pen, l->is_switch ? left : left + LINE, l->text);
		pen->top += LINE;
	}
}

static unsigned int lines_height(const struct draw *d, int node)
{
	unsigned int n = 0;

	for (size_t i = 0; i < d->n_lines; i++)
		n += d->lines[i].node == node;
	return n * LINE;
}

static unsigned int panel_height(const struct draw *d, int node)
{
	unsigned int height = (node < 0 ? 2 : 4) * LINE + lines_height(d, node);

	for (size_t i = 0, to; i < d->n_cores; i = to) {
		to = draw_group(d, i);
		if (d->cores[i].node == node)
			height += (unsigned int)((to - i + PER_ROW - 1) / PER_ROW) * SQUARE_STEP +
				  4;
	}
	return height;
}

static void put_frame(struct xml *x, unsigned int left, unsigned int top, unsigned int height)
{
	put_rect(x, left, top, PANEL_WIDTH, height, "#ffffff", NULL);
}

static void put_panel(struct xml *x, const struct draw *d, int node, unsigned int left,
		      unsigned int top)
{
	struct pen pen = { x, left + GAP / 2, top + 4 };
	_cleanup_free_ char *head = node < 0 ? strdup("node unknown") : draw_node(d, node);

	put_frame(x, left, top, panel_height(d, node));
	put_label(x, pen.left, pen.top + SQUARE, true, head ? head : "?");
	pen.top += LINE + 4;
	if (node >= 0) {
		put_memory(&pen, d, node);
		put_cores(&pen, d, node);
	}
	put_lines(&pen, d, node);
}

/* ---- the picture ---- */

static void put_entry(struct pen *pen, int owner, const char *text)
{
	put_rect(pen->x, pen->left, pen->top, SQUARE, SQUARE, colour(owner), NULL);
	put_label(pen->x, pen->left + LINE, pen->top + SQUARE - 1, false,
		  (char[]){ draw_mark(owner), '\0' });
	put_label(pen->x, pen->left + 2 * LINE, pen->top + SQUARE - 1, false, text);
	pen->top += LINE;
}

static void put_legend(struct pen *pen, const struct draw *d)
{
	_cleanup_free_ char *host = draw_host(d);

	put_label(pen->x, pen->left, pen->top + SQUARE, true, host ? host : "?");
	pen->top += LINE + 4;
	for (size_t i = 0; i < d->n_plans; i++) {
		_cleanup_free_ char *guest = draw_guest(d, i);

		put_entry(pen, DRAW_GUEST + (int)i, guest ? guest : "?");
	}
	put_entry(pen, DRAW_HOUSEKEEPING, "housekeeping");
	put_entry(pen, DRAW_LEASED, "leased");
	put_entry(pen, DRAW_FREE, "free");
	pen->top += GAP / 2;
}

/* Panels stand in rows of two; @x NULL: only measure. Return: the height of all. */
static unsigned int put_panels(struct xml *x, const struct draw *d, unsigned int top)
{
	int n = (int)d->inv->n_nodes, last = lines_height(d, -1) ? n : n - 1;

	for (int i = 0; i <= last; i += 2) {
		unsigned int height = 0;

		for (int j = i; j <= last && j < i + 2; j++) {
			int node = j < n ? j : -1;
			unsigned int mine = panel_height(d, node);

			height = mine > height ? mine : height;
			if (x)
				put_panel(x, d, node,
					  GAP + (unsigned int)(j - i) * (PANEL_WIDTH + GAP), top);
		}
		top += height + GAP;
	}
	return top;
}

char *draw_svg(const struct draw *d)
{
	struct pen pen = { xml_new(NULL, NULL), GAP, GAP };
	unsigned int legend = GAP + LINE + 4 + (unsigned int)(d->n_plans + 3) * LINE + GAP / 2;
	bool is_wide = d->inv->n_nodes + (lines_height(d, -1) > 0) > 1;

	if (!pen.x)
		return NULL;
	xml_open(pen.x, "svg");
	xml_attr(pen.x, "xmlns", "http://www.w3.org/2000/svg");
	xml_attr(pen.x, "width", "%d", GAP + (is_wide ? 2 : 1) * (PANEL_WIDTH + GAP));
	xml_attr(pen.x, "height", "%u", put_panels(NULL, d, legend));
	xml_attr(pen.x, "font-family", "monospace");
	xml_attr(pen.x, "font-size", "11");
	put_rect(pen.x, 0, 0, (unsigned int)(GAP + (is_wide ? 2 : 1) * (PANEL_WIDTH + GAP)),
		 put_panels(NULL, d, legend), "#fafafa", NULL);
	put_legend(&pen, d);
	put_panels(pen.x, d, legend);
	return xml_finish(pen.x);
}
