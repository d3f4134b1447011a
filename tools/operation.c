// SPDX-License-Identifier: GPL-2.0-or-later
/* An operation on disk: CV_OPERATION_DIR/NAME with its journal, and operation.json, which is replaced
 * once it is complete. The directory comes first and goes last: whatever is killed here, carve recover
 * finds it. */
#include "tools/operation.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/lease.h"
#include "base/state.h"
#include "base/step_shared.h"
#include "base/table.h"
#include "tools/apply.h"
#include "tools/launch.h"
#include "tools/vm.h"

#define MARKER "carve_operation"
#define VERSION 1

const char *operation_name(char buf[64], const char *prefix, struct cv_bdf bdf)
{
	snprintf(buf, 64, "%.31s-%04x-%02x-%02x-%x", prefix, bdf.domain, bdf.bus, bdf.dev, bdf.fn);
	return buf;
}

const char *operation_path(char buf[CV_PATH_MAX], const char *name, const char *file)
{
	return cv_pathf(buf, CV_OPERATION_DIR "/%s%s%s", name, file[0] ? "/" : "", file);
}

/* ---- what is on disk ---- */

static json_t *devices_json(const struct operation *op)
{
	json_t *list = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; list && i < op->n_devices; i++)
		json_array_append_new(list, json_string(cv_format_bdf(op->devices[i], bdf)));
	return list;
}

static int write_file(struct cmd *c, const struct operation *op, bool is_complete)
{
	_cleanup_json_ json_t *j = json_pack("{s:i,s:s,s:s,s:s,s:b,s:b,s:o}", MARKER, VERSION,
					     "name", op->name, "title", op->title, "user", op->user,
					     "held", op->is_held, "complete", is_complete,
					     "devices", devices_json(op));
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	char path[CV_PATH_MAX];
	int r = text ? cv_replace_file(c->root, operation_path(path, op->name, "operation.json"),
				       text, 0644)
		     : -ENOMEM;

	return r < 0 ? cv_fail_errno(&c->err, r, op->name, "cannot note the change") : 0;
}

/* Return: the contents, NULL when the file is not there, or damaged. */
static json_t *read_file(struct cmd *c, const char *name)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	size_t len;

	if (cv_read(c->root, operation_path(path, name, "operation.json"), &text, &len) < 0 ||
	    cv_json_parse(text, path, &j, NULL) < 0 ||
	    cv_json_version(j, MARKER, VERSION, path, NULL) < 0)
		return NULL;
	return TAKE_PTR(j);
}

/* Without the file, or with a damaged one, the change was not finished. */
enum operation_rest operation_rest(struct cmd *c, const char *name)
{
	_cleanup_json_ json_t *j = read_file(c, name);

	if (!j || !cv_json_bool(j, "complete", false))
		return OPERATION_UNFINISHED;
	return cv_json_bool(j, "held", false) ? OPERATION_HELD : OPERATION_COMPLETE;
}

/* From here on it is to be undone, whoever goes on with it. */
static int mark_unfinished(struct cmd *c, const char *name)
{
	_cleanup_json_ json_t *j = read_file(c, name);
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	int r = -ENOMEM;

	if (!j || !cv_json_bool(j, "complete", false))
		return 0;
	if (json_object_set_new(j, "complete", json_false()) == 0)
		text = cv_json_text(j);
	if (text)
		r = cv_replace_file(c->root, operation_path(path, name, "operation.json"), text,
				    0644);
	return r < 0 ? cv_fail_errno(&c->err, r, name, "cannot note that it is undone") : 0;
}

bool operation_is_held(struct cmd *c, const char *name)
{
	return operation_rest(c, name) == OPERATION_HELD;
}

int operation_names(struct cmd *c, struct cv_strv *ret)
{
	int r = cv_state_is_stale(c->root) ? 0 : cv_list(c->root, CV_OPERATION_DIR, ret);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? cv_fail_errno(&c->err, r, CV_OPERATION_DIR, "cannot list the changes") : 0;
}

/* ---- the end of one ---- */

static int drop_files(struct cmd *c, const char *name)
{
	char dir[CV_PATH_MAX];
	int r = cv_lease_remove(c->root, name, &c->err);

	if (r < 0)
		return r;
	r = cv_remove_tree(c->root, operation_path(dir, name, ""));
	return r < 0 && r != -ENOENT
		       ? cv_fail_errno(&c->err, r, dir, "cannot remove the notes of a change")
		       : 0;
}

int operation_undo(struct cmd *c, const char *name)
{
	char journal[CV_PATH_MAX];
	int r = mark_unfinished(c, name);

	r = r ?: apply_undo(c, name, operation_path(journal, name, "journal"));
	return r ?: drop_files(c, name);
}

/* What was there before a change that stays is nothing to go back to any more. */
static int leave_shared(struct cmd *c, const char *name, const struct cv_journal_data *d)
{
	int r = 0;

	for (size_t i = 0; i < d->n && r == 0; i++) {
		const struct cv_record *rec = &d->records[i];

		if (strcmp(rec->scope, "shared") == 0)
			r = cv_shared_leave(c->root, rec->kind, rec->object, name, &c->err);
	}
	return r;
}

int operation_finish(struct cmd *c, const char *name)
{
	struct cv_journal_data d = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_journal_read(c->root, operation_path(path, name, "journal"), &d, &c->err);

	if (r == 0)
		r = leave_shared(c, name, &d);
	cv_journal_data_done(&d);
	return r < 0 && r != -ENOENT ? r : drop_files(c, name);
}

int operation_refuse_unfinished(struct cmd *c, const char *prefix)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = operation_names(c, &names);

	for (size_t i = 0; i < names.n && r >= 0; i++) {
		if (strncmp(names.v[i], prefix, strlen(prefix)) != 0 ||
		    operation_rest(c, names.v[i]) != OPERATION_UNFINISHED)
			continue;
		cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "UNFINISHED", names.v[i],
			"an earlier change of devices was cut off");
		cv_error_wanted(&c->err, "devices that are where they were");
		cv_error_hint(&c->err, "carve recover %s", names.v[i]);
		return -EBUSY;
	}
	return r < 0 ? r : 0;
}

static int fail_missing(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NO_OPERATION", name,
		"carve has made no change of this name");
	cv_error_hint(&c->err, "carve device list shows which devices are held, and by whom");
	return -ENOENT;
}

int operation_release_locked(struct cmd *c, const char *name)
{
	struct held_signals held;
	char path[CV_PATH_MAX];
	int r;

	if (!cv_name_is_valid(name) || !cv_exists(c->root, operation_path(path, name, "")))
		return fail_missing(c, name);
	apply_hold_signals(&held);
	r = operation_undo(c, name);
	apply_let_signals_go(&held, r < 0);
	return r;
}

int operation_release(struct cmd *c, const struct site *site, const char *name)
{
	_cleanup_close_ int lock = -1;
	int r = vm_lock(c, site, &lock);

	return r < 0 ? r : operation_release_locked(c, name);
}

/* ---- making one ---- */

static int print_json(struct cmd *c, const struct operation *op)
{
	json_t *steps = json_array();

	for (size_t i = 0; steps && i < op->n_steps; i++) {
		const struct cv_step *s = &op->steps[i];

		json_array_append_new(steps, json_pack("{s:i,s:s,s:s,s:s,s:s}", "seq", (int)s->seq,
						       "kind", s->kind, "object", s->object,
						       "value", s->value, "why", s->why));
	}
	return cmd_print_json(c, json_pack("{s:i,s:s,s:s,s:b,s:o,s:o}", MARKER, VERSION, "name",
					   op->name, "title", op->title, "held", op->is_held,
					   "devices", devices_json(op), "steps", steps));
}

static const struct cv_column step_columns[] = {
	{ .name = "STEP", .right = true },
	{ .name = "KIND" },
	{ .name = "OBJECT" },
	{ .name = "VALUE" },
	{ .name = "WHY" },
};

static char *steps_text(const struct operation *op)
{
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	int r = cv_table_new(step_columns, CV_ARRAY_SIZE(step_columns), &t);

	for (size_t i = 0; i < op->n_steps && r >= 0; i++) {
		const struct cv_step *s = &op->steps[i];
		char seq[12];

		snprintf(seq, sizeof(seq), "%u", s->seq);
		r = cv_table_add(t, -1,
				 (const char *[]){ seq, s->kind, s->object, s->value, s->why });
	}
	return r < 0 ? NULL : cv_table_text(t, true, 0);
}

static int print_dry_run(struct cmd *c, const struct operation *op)
{
	if (c->json)
		return print_json(c, op);
	_cleanup_free_ char *text = steps_text(op);
	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, op->name, "cannot print the steps");
	cmd_print("%s would, %s:\n%s\n", op->title,
		  op->is_held ? "until it is released" : "for good", text);
	return 0;
}

static int fail_there(struct cmd *c, const struct operation *op)
{
	bool is_held = operation_is_held(c, op->name);

	cv_fail(&c->err, -EEXIST, CV_EXIT_BUSY, "OPERATION_EXISTS", op->name,
		is_held ? "this was done already" : "an earlier attempt was not finished");
	cv_error_hint(&c->err,
		      is_held ? "carve device release undoes it"
			      : "carve recover %s undoes what it left",
		      op->name);
	return -EEXIST;
}

static int make_dir(struct cmd *c, const struct operation *op)
{
	char path[CV_PATH_MAX];
	int r;

	if (cv_exists(c->root, vm_path(path, op->name, "")))
		return cv_fail(&c->err, -EEXIST, CV_EXIT_BUSY, "VM_EXISTS", op->name,
			       "a VM has the name that this change needs");
	r = cv_mkdir(c->root, operation_path(path, op->name, ""), 0755);
	if (r == -EEXIST)
		return fail_there(c, op);
	return r < 0 ? cv_fail_errno(&c->err, r, path, "cannot make the directory of the change")
		     : 0;
}

static int read_owner(struct cmd *c, const struct operation *op, struct cv_owner *ret)
{
	struct passwd entry, *pw = NULL;
	uid_t uid = getuid();
	char buf[4096];

	if (op->user[0]) {
		if (getpwnam_r(op->user, &entry, buf, sizeof(buf), &pw) != 0 || !pw)
			return cv_fail(&c->err, -ENOENT, CV_EXIT_USAGE, "NO_USER", op->user,
				       "there is no such user");
		uid = pw->pw_uid;
	}
	return cv_owner_read(c->root, uid, getenv("SLURM_JOB_ID"), ret, &c->err);
}

static int write_lease(struct cmd *c, const struct operation *op, const struct cv_owner *owner)
{
	struct cv_lease l = { .owner = *owner, .since = time(NULL), .n_devices = op->n_devices };

	if (op->n_devices == 0)
		return 0;
	snprintf(l.name, sizeof(l.name), "%s", op->name);
	l.devices = (struct cv_bdf *)(uintptr_t)op->devices; /* only read */
	l.pages = (struct cv_lease_pages *)(uintptr_t)op->pages;
	l.n_pages = op->n_pages;
	return cv_lease_write(c->root, &l, &c->err);
}

static int make_steps(struct cmd *c, const struct operation *op, const struct cv_owner *owner)
{
	char path[CV_PATH_MAX];
	struct apply a = {
		.name = op->name,
		.journal = operation_path(path, op->name, "journal"),
		.owner = owner,
		.steps = op->steps,
		.n_steps = op->n_steps,
	};
	int r = apply_steps(c, &a);

	if (r == 0 && launch_is_interrupted())
		r = launch_fail_interrupted(op->name, &c->err);
	return r;
}

static int make(struct cmd *c, const struct operation *op)
{
	struct cv_owner owner;
	int r = read_owner(c, op, &owner);

	r = r ?: make_dir(c, op);
	if (r < 0)
		return r;
	r = write_file(c, op, false);
	r = r ?: write_lease(c, op, &owner);
	r = r ?: make_steps(c, op, &owner);
	if (r == 0 && op->work)
		r = op->work(c, op->ctx);
	r = r ?: write_file(c, op, true);
	if (r < 0)
		return apply_give_up(c, r, op->name, operation_undo);
	r = op->is_held ? 0 : operation_finish(c, op->name);
	if (r < 0) {
		c->err.exit = CV_EXIT_PARTIAL;
		cv_error_hint(&c->err, "the change is made; carve recover %s drops its notes",
			      op->name);
	}
	return r;
}

int operation_run_locked(struct cmd *c, const struct operation *op)
{
	struct held_signals held;

	if (c->dry_run)
		return print_dry_run(c, op);
	cmd_note(c, "%s: %zu steps", op->title, op->n_steps);
	apply_hold_signals(&held);
	int r = make(c, op);
	apply_let_signals_go(&held, r < 0);
	return r;
}

int operation_run(struct cmd *c, const struct site *site, const struct operation *op)
{
	_cleanup_close_ int lock = -1;
	int r = c->dry_run ? 0 : vm_lock(c, site, &lock);

	return r < 0 ? r : operation_run_locked(c, op);
}
