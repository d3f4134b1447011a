// SPDX-License-Identifier: GPL-2.0-or-later
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "base/strv.h"

/* Consumes @s, also on failure. */
static int add_owned(struct cv_strv *l, char *s)
{
	_cleanup_free_ char *owned = s;
	char **v;

	if (!owned)
		return -ENOMEM;
	/* Room for the entry and the NULL behind it; grown when the length is a power of two. */
	if (!(l->n & (l->n - 1))) {
		v = reallocarray(l->v, l->n ? l->n * 2 + 1 : 2, sizeof(*v));
		if (!v)
			return -ENOMEM;
		l->v = v;
	}
	l->v[l->n++] = TAKE_PTR(owned);
	l->v[l->n] = NULL;
	return 0;
}

int cv_strv_add(struct cv_strv *l, const char *s)
{
	return add_owned(l, strdup(s));
}

int cv_strv_addf(struct cv_strv *l, const char *fmt, ...)
{
	char *s = NULL;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vasprintf(&s, fmt, ap);
	va_end(ap);
	return len < 0 ? -ENOMEM : add_owned(l, s);
}

bool cv_strv_has(const struct cv_strv *l, const char *s)
{
	for (size_t i = 0; i < l->n; i++)
		if (!strcmp(l->v[i], s))
			return true;
	return false;
}

/* Compares two runs of digits by value and moves behind them. */
static int compare_digits(const char **a, const char **b)
{
	size_t la, lb;
	int cmp;

	*a += strspn(*a, "0");
	*b += strspn(*b, "0");
	la = strspn(*a, "0123456789");
	lb = strspn(*b, "0123456789");
	cmp = la == lb ? memcmp(*a, *b, la) : (la < lb ? -1 : 1);
	*a += la;
	*b += lb;
	return cmp;
}

static int compare_natural(const char *a, const char *b)
{
	const char *pa = a, *pb = b;

	while (*pa && *pb) {
		if (isdigit((unsigned char)*pa) && isdigit((unsigned char)*pb)) {
			int cmp = compare_digits(&pa, &pb);

			if (cmp)
				return cmp;
			continue;
		}
		if (*pa != *pb)
			return (unsigned char)*pa - (unsigned char)*pb;
		pa++;
		pb++;
	}
	if (*pa || *pb)
		return *pa ? 1 : -1;
	return strcmp(a, b);
}

/* PCI addresses are hexadecimal, so their digits have an order of their own; they come first. */
static int compare_names(const void *pa, const void *pb)
{
	const char *a = *(char *const *)pa;
	const char *b = *(char *const *)pb;
	struct cv_bdf ba, bb;
	bool is_a = !cv_parse_bdf(a, &ba);
	bool is_b = !cv_parse_bdf(b, &bb);

	if (is_a && is_b)
		return cv_bdf_cmp(ba, bb);
	if (is_a != is_b)
		return is_a ? -1 : 1;
	return compare_natural(a, b);
}

void cv_strv_sort(struct cv_strv *l)
{
	if (l->n > 1)
		qsort(l->v, l->n, sizeof(*l->v), compare_names);
}

char *cv_strv_join(const struct cv_strv *l, const char *separator)
{
	size_t size = 1;
	char *text, *p;

	for (size_t i = 0; i < l->n; i++)
		size += strlen(l->v[i]) + strlen(separator);
	text = malloc(size);
	if (!text)
		return NULL;
	p = text;
	*p = '\0';
	for (size_t i = 0; i < l->n; i++) {
		if (i)
			p = stpcpy(p, separator);
		p = stpcpy(p, l->v[i]);
	}
	return text;
}

void cv_strv_done(struct cv_strv *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->v[i]);
	free(l->v);
	*l = (struct cv_strv){ 0 };
}
