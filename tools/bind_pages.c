// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/bind_pages.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define OPTION "pages"
#define PART_MAX 32

static int fail_pages(struct cmd *c, const char *text, const char *what)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_PAGES", "--" OPTION, "%s", what);
	cv_error_found(&c->err, "%s", text);
	cv_error_wanted(&c->err, "NODE:SIZE=COUNT: 0:2M=512, or 1:1G=2");
	cv_error_hint(&c->err, "carve topo shows the nodes and their huge pages");
	return -EINVAL;
}

/* What lies before the first @end. Return: the rest behind it, NULL without one. */
static const char *cut(const char *text, char end, char part[PART_MAX])
{
	const char *at = strchr(text, end);

	if (!at || at - text >= PART_MAX)
		return NULL;
	snprintf(part, PART_MAX, "%.*s", (int)(at - text), text);
	return at + 1;
}

static int parse_pages(const char *text, struct cv_lease_pages *ret)
{
	char node[PART_MAX], size[PART_MAX];
	struct cv_lease_pages p;
	const char *rest = cut(text, ':', node);

	if (rest)
		rest = cut(rest, '=', size);
	if (!rest || cv_parse_int(node, &p.node) < 0 || p.node < 0 ||
	    cv_parse_size(size, &p.page_size) < 0 || p.page_size == 0 ||
	    cv_parse_u64(rest, &p.pages) < 0 || p.pages == 0 || p.pages > INT64_MAX / p.page_size)
		return -EINVAL;
	*ret = p;
	return 0;
}

static bool is_among(const struct bind_pages *list, const struct cv_lease_pages *p)
{
	for (size_t i = 0; i < list->n; i++)
		if (list->v[i].node == p->node && list->v[i].page_size == p->page_size)
			return true;
	return false;
}

int bind_pages_read(struct cmd *c, struct bind_pages *ret)
{
	const char *text;

	ret->n = 0;
	for (size_t i = 0; (text = cmd_value_at(c, OPTION, i)); i++) {
		struct cv_lease_pages p;

		if (parse_pages(text, &p) < 0)
			return fail_pages(c, text, "this names no huge pages");
		if (is_among(ret, &p))
			return fail_pages(c, text,
					  "pages of this size and node are asked for twice");
		ret->v[ret->n++] = p;
	}
	return 0;
}
