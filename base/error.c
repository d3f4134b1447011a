// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/json.h"

static void copy_text(char *dst, size_t size, const char *src)
{
	size_t len = strnlen(src, size - 1);

	memcpy(dst, src, len);
	dst[len] = '\0';
}

static enum cv_exit exit_of_errno(int err)
{
	switch (-err) {
	case EPERM:
	case EACCES:
		return CV_EXIT_PERMISSION;
	case ENOENT:
		return CV_EXIT_NOT_FOUND;
	case ETIMEDOUT:
		return CV_EXIT_TIMEOUT;
	case EBUSY:
		return CV_EXIT_BUSY;
	default:
		return CV_EXIT_FAILED;
	}
}

/* The arguments may point into @e: everything is built aside and copied at the end. */
static int fill(struct cv_error *e, int err, enum cv_exit exit, const char *code,
		const char *object, const char *fmt, va_list ap)
{
	struct cv_error made = { .err = err < 0 ? err : -EIO, .exit = exit };

	if (!e)
		return made.err;
	copy_text(made.code, sizeof(made.code), code ? code : "");
	copy_text(made.object, sizeof(made.object), object ? object : "");
	vsnprintf(made.what, sizeof(made.what), fmt, ap);
	*e = made;
	return made.err;
}

int cv_fail(struct cv_error *e, int err, enum cv_exit exit, const char *code, const char *object,
	    const char *fmt, ...)
{
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fill(e, err, exit, code, object, fmt, ap);
	va_end(ap);
	return rc;
}

int cv_fail_errno(struct cv_error *e, int err, const char *object, const char *fmt, ...)
{
	const char *name;
	const char *text;
	va_list ap;
	int rc;

	if (err >= 0)
		err = -EIO;
	name = strerrorname_np(-err);
	text = strerrordesc_np(-err);

	va_start(ap, fmt);
	rc = fill(e, err, exit_of_errno(err), name ? name : "EUNKNOWN", object, fmt, ap);
	va_end(ap);
	cv_error_found(e, "%s", text ? text : "unknown error");
	return rc;
}

/* Formats aside first: an argument may be the very field that is set. */
static void set_text(char *dst, size_t size, const char *fmt, va_list ap)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, ap);
	copy_text(dst, size, text);
}

void cv_error_found(struct cv_error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set_text(e->found, sizeof(e->found), fmt, ap);
	va_end(ap);
}

void cv_error_wanted(struct cv_error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set_text(e->wanted, sizeof(e->wanted), fmt, ap);
	va_end(ap);
}

void cv_error_hint(struct cv_error *e, const char *fmt, ...)
{
	va_list ap;

	if (!e)
		return;
	va_start(ap, fmt);
	set_text(e->hint, sizeof(e->hint), fmt, ap);
	va_end(ap);
}

static void print_field(FILE *f, const char *name, const char *text)
{
	if (text[0])
		fprintf(f, "\n  %-7s %s", name, text);
}

char *cv_error_format(const struct cv_error *e)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	bool is_broken;

	if (!f)
		return NULL;
	if (e->object[0])
		fprintf(f, "%s: ", e->object);
	fputs(e->what, f);
	print_field(f, "found:", e->found);
	print_field(f, "wanted:", e->wanted);
	print_field(f, "hint:", e->hint);
	is_broken = ferror(f);
	if (fclose(f) || is_broken)
		return NULL;
	return TAKE_PTR(text);
}

struct json_t *cv_error_json(const struct cv_error *e)
{
	const char *name = strerrorname_np(-e->err);

	return json_pack("{s:{s:o, s:s, s:o, s:o, s:o, s:o, s:o}}", "error", "code",
			 cv_json_string(e->code), "errno", name ? name : "EUNKNOWN", "object",
			 cv_json_string(e->object), "msg", cv_json_string(e->what), "found",
			 cv_json_string(e->found), "wanted", cv_json_string(e->wanted), "hint",
			 cv_json_string(e->hint));
}
