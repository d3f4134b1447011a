// SPDX-License-Identifier: GPL-2.0-or-later
/* Everything carve says: data on stdout, messages and errors on stderr. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "tools/cmd.h"

void cmd_print(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
}

int cmd_print_json(struct cmd *c, json_t *j)
{
	_cleanup_json_ json_t *owned = j;
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot write JSON");
	fputs(text, stdout);
	return 0;
}

void cmd_note(const struct cmd *c, const char *fmt, ...)
{
	va_list ap;

	if (c->json && !c->verbose)
		return;
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

int cmd_print_error(const struct cmd *c)
{
	_cleanup_json_ json_t *j = c->json ? cv_error_json(&c->err) : NULL;
	_cleanup_free_ char *text = j ? cv_json_line(j) : cv_error_format(&c->err);

	fprintf(stderr, "%s%s\n", j ? "" : "carve: ", text ? text : "out of memory");
	return c->err.exit ? (int)c->err.exit : CV_EXIT_FAILED;
}
