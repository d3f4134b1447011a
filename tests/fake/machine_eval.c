// SPDX-License-Identifier: GPL-2.0-or-later
/* Integer expressions of descriptions: + - * / %, parentheses, numbers and loop variables. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "base/parse.h"
#include "tests/fake/machine_model.h"

#define MAX_DEPTH 16

struct expression {
	const char *at;
	const char *const *names;
	const int *values;
	size_t n;
	int depth;
};

static int sum(struct expression *e, long *ret);

static void skip_blanks(struct expression *e)
{
	e->at += strspn(e->at, " ");
}

static int number(struct expression *e, long *ret)
{
	size_t len = strspn(e->at, "0123456789");
	char text[16];
	int value;

	if (len == 0 || len >= sizeof(text))
		return -EINVAL;
	memcpy(text, e->at, len);
	text[len] = '\0';
	if (cv_parse_int(text, &value) < 0)
		return -EINVAL;
	e->at += len;
	*ret = value;
	return 0;
}

static int variable(struct expression *e, long *ret)
{
	size_t len = strspn(e->at, "abcdefghijklmnopqrstuvwxyz");

	for (size_t i = e->n; i > 0; i--) {
		if (strlen(e->names[i - 1]) == len && strncmp(e->names[i - 1], e->at, len) == 0) {
			e->at += len;
			*ret = e->values[i - 1];
			return 0;
		}
	}
	return -EINVAL;
}

static int factor(struct expression *e, long *ret)
{
	int r;

	skip_blanks(e);
	if (*e->at != '(')
		return *e->at >= '0' && *e->at <= '9' ? number(e, ret) : variable(e, ret);
	if (++e->depth > MAX_DEPTH)
		return -EINVAL;
	e->at++;
	r = sum(e, ret);
	skip_blanks(e);
	if (r < 0 || *e->at != ')')
		return -EINVAL;
	e->at++;
	e->depth--;
	return 0;
}

static int combine(char op, long *left, long right)
{
	if ((op == '/' || op == '%') && right == 0)
		return -EINVAL;
	if (op == '*')
		*left *= right;
	else if (op == '/')
		*left /= right;
	else if (op == '%')
		*left %= right;
	else if (op == '+')
		*left += right;
	else
		*left -= right;
	return *left > INT_MAX || *left < INT_MIN ? -EINVAL : 0;
}

static int product(struct expression *e, long *ret)
{
	int r = factor(e, ret);

	skip_blanks(e);
	while (r == 0 && *e->at && strchr("*/%", *e->at)) {
		char op = *e->at++;
		long right;

		r = factor(e, &right);
		if (r == 0)
			r = combine(op, ret, right);
		skip_blanks(e);
	}
	return r;
}

static int sum(struct expression *e, long *ret)
{
	int r = product(e, ret);

	skip_blanks(e);
	while (r == 0 && *e->at && strchr("+-", *e->at)) {
		char op = *e->at++;
		long right;

		r = product(e, &right);
		if (r == 0)
			r = combine(op, ret, right);
		skip_blanks(e);
	}
	return r;
}

int machine_eval(const char *text, const char *const *names, const int *values, size_t n, int *ret)
{
	struct expression e = { .at = text, .names = names, .values = values, .n = n };
	long value;

	if (sum(&e, &value) < 0 || *e.at)
		return -EINVAL;
	*ret = (int)value;
	return 0;
}
