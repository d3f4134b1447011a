// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "base/step_shared.h"

#define MARKER "carve_shared"

void cv_shared_done(struct cv_shared *s)
{
	free(s->value);
	json_decref(s->prior);
	cv_strv_done(&s->holders);
	*s = (struct cv_shared){ 0 };
}

static void write_escaped(FILE *f, char c)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyz"
				    "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.:_-";

	if (c == '/')
		fputc('+', f);
	else if (strchr(plain, c))
		fputc(c, f);
	else
		fprintf(f, "%%%02X", (unsigned char)c);
}

/* '/' becomes '+', what is neither letter, digit nor one of ".:_-" becomes %XX: no two collide. */
static char *escape_name(const char *s)
{
	_cleanup_free_ char *name = NULL;
	size_t len;
	FILE *f = open_memstream(&name, &len);
	bool is_broken;

	if (!f)
		return NULL;
	for (; *s; s++)
		write_escaped(f, *s);
	is_broken = ferror(f);
	if (fclose(f) || is_broken)
		return NULL;
	return TAKE_PTR(name);
}

static int shared_path(char path[CV_PATH_MAX], const char *kind, const char *object)
{
	_cleanup_free_ char *key = NULL;
	_cleanup_free_ char *name = NULL;

	if (asprintf(&key, "%s=%s", kind, object) < 0)
		return -ENOMEM;
	name = escape_name(key);
	if (!name)
		return -ENOMEM;
	/* ".json.tmp" is written next to it. */
	if (strlen(name) + strlen(".json.tmp") > NAME_MAX)
		return -ENAMETOOLONG;
	cv_pathf(path, CV_SHARED_DIR "/%s.json", name);
	return 0;
}

static int holders_from_json(const json_t *list, struct cv_strv *ret)
{
	if (!json_array_size(list))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *name = json_string_value(json_array_get(list, i));
		int rc = name ? cv_strv_add(ret, name) : -EINVAL;

		if (rc)
			return rc;
	}
	return 0;
}

static int shared_from_json(const json_t *j, const char *kind, const char *object,
			    struct cv_shared *s)
{
	const char *value = cv_json_str(j, "value", NULL);
	json_t *prior = json_object_get(j, "prior");

	if (!value || strcmp(cv_json_str(j, "kind", ""), kind) ||
	    strcmp(cv_json_str(j, "object", ""), object))
		return -EINVAL;
	s->value = strdup(value);
	if (!s->value)
		return -ENOMEM;
	if (prior && !json_is_null(prior))
		s->prior = json_incref(prior);
	return holders_from_json(json_object_get(j, "holders"), &s->holders);
}

int cv_shared_read(struct cv_sysroot *r, const char *kind, const char *object,
		   struct cv_shared *ret, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	int rc = shared_path(path, kind, object);

	if (rc)
		return cv_fail_errno(err, rc, object, "cannot name the file of a shared change");
	rc = cv_read_str(r, path, &text);
	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read who shares a change");
	rc = cv_json_parse(text, path, &j, err);
	if (!rc)
		rc = cv_json_version(j, MARKER, CV_SHARED_VERSION, path, err);
	if (rc)
		return rc;
	rc = shared_from_json(j, kind, object, &s);
	if (rc)
		return cv_fail(err, rc, CV_EXIT_FAILED, "ESHARED", path, "damaged file");
	*ret = s;
	s = (struct cv_shared){ 0 };
	return 0;
}

static json_t *holders_json(const struct cv_strv *holders, const char *without)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < holders->n; i++)
		if (!without || strcmp(holders->v[i], without))
			json_array_append_new(list, json_string(holders->v[i]));
	return list;
}

static int shared_write(struct cv_sysroot *r, const char *kind, const char *object,
			const struct cv_shared *s, const char *without, struct cv_error *err)
{
	_cleanup_json_ json_t *j = json_pack("{s:i, s:s, s:s, s:s, s:O?, s:o}", MARKER,
					     CV_SHARED_VERSION, "kind", kind, "object", object,
					     "value", s->value, "prior", s->prior, "holders",
					     holders_json(&s->holders, without));
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	char path[CV_PATH_MAX];
	int rc = shared_path(path, kind, object);

	if (!rc)
		rc = text ? cv_replace_file(r, path, text, 0644) : -ENOMEM;
	return rc ? cv_fail_errno(err, rc, object, "cannot write who shares a change") : 0;
}

static int shared_init(struct cv_shared *s, const char *value, const json_t *prior)
{
	s->value = strdup(value);
	/* The count of references is not part of the value. */
	s->prior = json_incref((json_t *)(uintptr_t)prior);
	return s->value ? 0 : -ENOMEM;
}

int cv_shared_add(struct cv_sysroot *r, const char *kind, const char *object, const char *value,
		  const json_t *prior, const char *holder, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	int rc = cv_shared_read(r, kind, object, &s, err);

	if (!rc && cv_strv_has(&s.holders, holder))
		return 0;
	if (rc == -ENOENT)
		rc = shared_init(&s, value, prior);
	if (!rc)
		rc = cv_strv_add(&s.holders, holder);
	if (rc == -ENOMEM)
		return cv_fail_errno(err, rc, object, "cannot note who shares a change");
	return rc ? rc : shared_write(r, kind, object, &s, NULL, err);
}

int cv_shared_leave(struct cv_sysroot *r, const char *kind, const char *object, const char *holder,
		    struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared s = { 0 };
	char path[CV_PATH_MAX];
	int rc = cv_shared_read(r, kind, object, &s, err);

	if (rc || !cv_strv_has(&s.holders, holder))
		return rc == -ENOENT ? 0 : rc;
	if (s.holders.n > 1)
		return shared_write(r, kind, object, &s, holder, err);
	rc = shared_path(path, kind, object);
	if (!rc)
		rc = cv_unlink(r, path);
	return rc ? cv_fail_errno(err, rc, object, "cannot remove the file of a shared change") : 0;
}
