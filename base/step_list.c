// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/step_list.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int cv_step_list_vadd(struct cv_step_list *l, const char *kind, const char *object,
		      const char *value, const char *fmt, va_list ap)
{
	struct cv_step *grown = reallocarray(l->v, l->n + 1, sizeof(*grown));
	char *why = NULL;

	if (!grown)
		return -ENOMEM;
	l->v = grown;
	if (vasprintf(&why, fmt, ap) < 0)
		return -ENOMEM;
	struct cv_step *s = &grown[l->n++];
	*s = (struct cv_step){ .seq = (unsigned int)l->n,
			       .kind = strdup(kind),
			       .object = strdup(object),
			       .value = strdup(value),
			       .why = why };
	return s->kind && s->object && s->value ? 0 : -ENOMEM;
}

int cv_step_list_add(struct cv_step_list *l, const char *kind, const char *object,
		     const char *value, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int r = cv_step_list_vadd(l, kind, object, value, fmt, ap);
	va_end(ap);
	return r;
}

/* Borrowed everywhere else, the strings of a step on a list are the list's. */
static void drop(const char *text)
{
	free((char *)(uintptr_t)text);
}

void cv_step_done(struct cv_step *s)
{
	drop(s->kind);
	drop(s->object);
	drop(s->value);
	drop(s->why);
}

void cv_step_list_done(struct cv_step_list *l)
{
	for (size_t i = 0; i < l->n; i++)
		cv_step_done(&l->v[i]);
	free(l->v);
	*l = (struct cv_step_list){ 0 };
}
