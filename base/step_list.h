/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A growing list of steps (base/step.h) that owns their strings. */
#ifndef CARVE_BASE_STEP_LIST_H
#define CARVE_BASE_STEP_LIST_H

#include <stdarg.h>
#include <stddef.h>

#include "base/step.h"

/** struct cv_step_list - heap array; release with cv_step_list_done() */
struct cv_step_list {
	struct cv_step *v;
	size_t n;
};

/**
 * cv_step_list_add() - append a step with the next number
 * @fmt: of why
 * Return: 0, -ENOMEM; what was there stays.
 */
int cv_step_list_add(struct cv_step_list *l, const char *kind, const char *object,
		     const char *value, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
int cv_step_list_vadd(struct cv_step_list *l, const char *kind, const char *object,
		      const char *value, const char *fmt, va_list ap)
	__attribute__((format(printf, 5, 0)));

/** cv_step_done() - release the strings of one step: of a list's, when it is taken off */
void cv_step_done(struct cv_step *s);
void cv_step_list_done(struct cv_step_list *l);
#define _cleanup_step_list_ __attribute__((cleanup(cv_step_list_done)))

#endif
