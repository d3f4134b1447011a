// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/set_aside.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/quarantine.h"
#include "base/state.h"

#define MARKER "carve_notes"
#define NOTES_VERSION 1
#define CAUSE_MAX 80

/* Filled as far as it can be: a device that hangs is set aside even when its owner is not known. */
static void find_owner(const struct cv_step_env *env, struct cv_owner *ret)
{
	_cleanup_(cv_lease_done) struct cv_lease lease = { 0 };

	if (env->vm && cv_lease_read(env->root, env->vm, &lease, NULL) == 0)
		*ret = lease.owner;
	else
		(void)cv_owner_read(env->root, getuid(), NULL, ret, NULL);
}

/* " (VM vm1)", " (operation dev-0000-41-10-0)", " (carve device reset)"; "" when nobody is named. A name
 * with a blank is a command's. */
static const char *format_cause(const struct cv_step_env *env, char buf[CAUSE_MAX])
{
	char path[CV_PATH_MAX];
	const char *kind = "VM ";

	buf[0] = '\0';
	if (!env->vm)
		return buf;
	if (strchr(env->vm, ' '))
		kind = "";
	else if (cv_exists(env->root, cv_pathf(path, CV_OPERATION_DIR "/%s", env->vm)))
		kind = "operation ";
	snprintf(buf, CAUSE_MAX, " (%s%.63s)", kind, env->vm);
	return buf;
}

bool sr_is_set_aside(struct cv_sysroot *root, const char *bdf)
{
	struct cv_quarantine q;
	struct cv_bdf b;

	return cv_parse_bdf(bdf, &b) == 0 && cv_quarantine_read(root, b, &q, NULL) != -ENOENT;
}

int sr_set_aside(const struct cv_step_env *env, const char *bdf, const char *reason,
		 const char *evidence, struct cv_error *err)
{
	struct cv_quarantine q = { .since = time(NULL) };
	char cause[CAUSE_MAX];

	if (cv_parse_bdf(bdf, &q.bdf) < 0)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", bdf, "not a PCI address");
	if (sr_is_set_aside(env->root, bdf))
		return 0;
	snprintf(q.reason, sizeof(q.reason), "%.180s%s", reason, format_cause(env, cause));
	snprintf(q.evidence, sizeof(q.evidence), "%s", evidence);
	find_owner(env, &q.owner);
	return cv_quarantine_add(env->root, &q, err);
}

static const char *notes_path(char buf[CV_PATH_MAX], const char *vm)
{
	return cv_pathf(buf, CV_SHARED_DIR "/notes-%s.json", vm);
}

static int read_notes(struct cv_sysroot *root, const char *path, json_t **ret)
{
	_cleanup_free_ char *text = NULL;
	int r = cv_read_str(root, path, &text);

	if (r == 0)
		r = cv_json_parse(text, path, ret, NULL);
	if (r == 0 && cv_json_version(*ret, MARKER, NOTES_VERSION, path, NULL) < 0)
		r = -EINVAL;
	return r;
}

static int add_text(json_t *j, const char *text)
{
	json_t *list = json_object_get(j, "notes");

	if (!list) {
		list = json_array();
		if (json_object_set_new(j, "notes", list) < 0)
			return -ENOMEM;
	}
	return json_array_append_new(list, cv_json_string(text)) < 0 ? -ENOMEM : 0;
}

int sr_note_add(struct cv_sysroot *root, const char *vm, const char *fmt, ...)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *file = NULL;
	char path[CV_PATH_MAX], text[512];
	va_list ap;
	int r;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (read_notes(root, notes_path(path, vm), &j) < 0) {
		json_decref(j);
		j = json_pack("{si}", MARKER, NOTES_VERSION);
	}
	if (!j)
		return -ENOMEM;
	r = add_text(j, text);
	if (r == 0)
		file = cv_json_text(j);
	if (!file)
		return -ENOMEM;
	r = cv_mkdir_p(root, CV_SHARED_DIR, 0755);
	return r < 0 ? r : cv_replace_file(root, path, file, 0644);
}

int sr_notes_take(struct cv_sysroot *root, const char *vm, struct cv_strv *ret)
{
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	const json_t *list;
	int r = read_notes(root, notes_path(path, vm), &j);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	list = json_object_get(j, "notes");
	for (size_t i = 0; r == 0 && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		r = text ? cv_strv_add(ret, text) : 0;
	}
	return r < 0 ? r : cv_unlink(root, path);
}
