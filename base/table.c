// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <libsmartcols.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/table.h"

/**
 * struct cv_table - a table
 * @lines: every row by index, borrowed from @scols
 */
struct cv_table {
	struct libscols_table *scols;
	const struct cv_column *columns;
	size_t n_columns;
	struct libscols_line **lines;
	size_t n_lines;
};

static int flags_of(const struct cv_column *c)
{
	return (c->right ? SCOLS_FL_RIGHT : 0) | (c->tree ? SCOLS_FL_TREE : 0) |
	       (c->wrap ? SCOLS_FL_WRAP : 0);
}

int cv_table_new(const struct cv_column *columns, size_t n, struct cv_table **ret)
{
	_cleanup_(cv_table_freep) struct cv_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->columns = columns;
	t->n_columns = n;
	t->scols = scols_new_table();
	if (!t->scols)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (!scols_table_new_column(t->scols, columns[i].name, 0, flags_of(&columns[i])))
			return -ENOMEM;
	*ret = TAKE_PTR(t);
	return 0;
}

void cv_table_free(struct cv_table *t)
{
	scols_unref_table(t->scols);
	free(t->lines);
	free(t);
}

static struct libscols_line *parent_of(const struct cv_table *t, int parent)
{
	return parent >= 0 && (size_t)parent < t->n_lines ? t->lines[parent] : NULL;
}

int cv_table_add(struct cv_table *t, int parent, const char *const *cells)
{
	struct libscols_line *line;
	struct libscols_line **grown;

	grown = reallocarray(t->lines, t->n_lines + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	t->lines = grown;
	line = scols_table_new_line(t->scols, parent_of(t, parent));
	if (!line)
		return -ENOMEM;
	t->lines[t->n_lines++] = line;
	for (size_t i = 0; i < t->n_columns; i++)
		if (scols_line_set_data(line, i, cells[i] ? cells[i] : ""))
			return -ENOMEM;
	return (int)t->n_lines - 1;
}

/* An empty last cell leaves blanks at the end of its line. */
static void strip_blanks(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		if (*from == '\n')
			while (to > text && to[-1] == ' ')
				to--;
		*to++ = *from;
	}
	while (to > text && to[-1] == ' ')
		to--;
	*to = '\0';
}

char *cv_table_text(struct cv_table *t, bool headings, size_t width)
{
	char *text;

	scols_table_enable_noheadings(t->scols, !headings);
	scols_table_enable_colors(t->scols, 0);
	/* The width is the caller's decision, not that of the terminal this process may have. */
	scols_table_set_termforce(t->scols, width ? SCOLS_TERMFORCE_ALWAYS : SCOLS_TERMFORCE_NEVER);
	if (width)
		scols_table_set_termwidth(t->scols, width);
	if (scols_print_table_to_string(t->scols, &text))
		return NULL;
	strip_blanks(text);
	return text;
}
