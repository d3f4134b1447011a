/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing list of owned strings. */
#ifndef CARVE_BASE_STRV_H
#define CARVE_BASE_STRV_H

#include <stdbool.h>
#include <stddef.h>

/** struct cv_strv - embedded; all zero is empty; @v is NULL-terminated once anything was added */
struct cv_strv {
	char **v;
	size_t n;
};

/** cv_strv_add() - append a copy. Return: 0, -ENOMEM. */
int cv_strv_add(struct cv_strv *l, const char *s);
/** cv_strv_addf() - append a formatted string. Return: 0, -ENOMEM. */
int cv_strv_addf(struct cv_strv *l, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
bool cv_strv_has(const struct cv_strv *l, const char *s);
/** cv_strv_sort() - natural order: "node2" before "node10". */
void cv_strv_sort(struct cv_strv *l);
/** cv_strv_join() - Return: heap string owned by the caller ("" for an empty list), NULL. */
char *cv_strv_join(const struct cv_strv *l, const char *separator);
/** cv_strv_done() - release everything; the list is empty again. */
void cv_strv_done(struct cv_strv *l);

#define _cleanup_strv_ __attribute__((cleanup(cv_strv_done)))

#endif
