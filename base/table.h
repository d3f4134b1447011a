/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables and trees for people (libsmartcols). */
#ifndef CARVE_BASE_TABLE_H
#define CARVE_BASE_TABLE_H

#include <stdbool.h>
#include <stddef.h>

struct cv_table;

/** struct cv_column - @right aligns right, @tree draws the tree in this column, @wrap may wrap */
struct cv_column {
	const char *name;
	bool right;
	bool tree;
	bool wrap;
};

/** cv_table_new() - Return: 0, -ENOMEM. Columns are borrowed and must outlive the table. */
int cv_table_new(const struct cv_column *columns, size_t n, struct cv_table **ret);
void cv_table_free(struct cv_table *t);
static inline void cv_table_freep(struct cv_table **t)
{
	if (*t)
		cv_table_free(*t);
}

/**
 * cv_table_add() - append a row
 * @parent: row index returned earlier, -1 for none
 * @cells:  one string per column, NULL prints as empty; copied
 * Return: the row's index (>= 0), -ENOMEM.
 */
int cv_table_add(struct cv_table *t, int parent, const char *const *cells);
/** cv_table_text() - rendered; no colours, no blanks at line ends, no last newline;
 * @width 0: as wide as needed. Return: heap string owned by the caller, or NULL. */
char *cv_table_text(struct cv_table *t, bool headings, size_t width);

#endif
