// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/owner.h"
#include "base/parse.h"

#define BOOT_ID_PATH "/proc/sys/kernel/random/boot_id"
/* proc(5), /proc/PID/stat: the state is field 3, the start time field 22. */
#define STAT_FIELD_STATE 3
#define STAT_FIELD_START 22

static void read_user(uid_t uid, char *user, size_t size)
{
	struct passwd pw;
	struct passwd *found = NULL;
	char buf[4096];

	if (!getpwuid_r(uid, &pw, buf, sizeof(buf), &found) && found)
		cv_copy_text(user, size, found->pw_name);
}

int cv_boot_id_read(struct cv_sysroot *r, char ret[CV_BOOT_ID_MAX], struct cv_error *err)
{
	int rc = cv_read_into(r, BOOT_ID_PATH, ret, CV_BOOT_ID_MAX);

	return rc ? cv_fail_errno(err, rc, BOOT_ID_PATH, "cannot tell which boot this is") : 0;
}

int cv_owner_read(struct cv_sysroot *r, uid_t uid, const char *job, struct cv_owner *ret,
		  struct cv_error *err)
{
	struct cv_owner o = { .uid = uid };
	int rc = cv_boot_id_read(r, o.boot_id, err);

	if (rc)
		return rc;
	if (job && cv_copy_text(o.job, sizeof(o.job), job))
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EJOBID", job,
			       "the job id is too long");
	read_user(uid, o.user, sizeof(o.user));
	*ret = o;
	return 0;
}

json_t *cv_owner_json(const struct cv_owner *o)
{
	return json_pack("{s:I, s:s, s:s, s:s}", "uid", (json_int_t)o->uid, "user", o->user, "job",
			 o->job, "boot_id", o->boot_id);
}

int cv_owner_from_json(const json_t *j, struct cv_owner *ret)
{
	int64_t uid = cv_json_int(j, "uid", -1);
	struct cv_owner o = { 0 };

	if (uid < 0 || uid > (int64_t)UINT32_MAX)
		return -EINVAL;
	o.uid = (uid_t)uid;
	if (cv_json_copy(j, "user", o.user, sizeof(o.user)) ||
	    cv_json_copy(j, "job", o.job, sizeof(o.job)) ||
	    cv_json_copy(j, "boot_id", o.boot_id, sizeof(o.boot_id)))
		return -EINVAL;
	*ret = o;
	return 0;
}

/* The @n-th field; the name, field 2, may hold anything, so the count starts at the last ')'. */
static int stat_field(char *text, int n, const char **ret)
{
	char *p = strrchr(text, ')');
	char *save;

	if (!p)
		return -EINVAL;
	p = strtok_r(p + 1, " ", &save);
	for (int i = STAT_FIELD_STATE; p && i < n; i++)
		p = strtok_r(NULL, " ", &save);
	if (!p)
		return -EINVAL;
	*ret = p;
	return 0;
}

static int read_field(struct cv_sysroot *r, pid_t pid, int n, char *buf, size_t size)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	const char *field;

	if (pid <= 0 || cv_read_str(r, cv_pathf(path, "/proc/%d/stat", (int)pid), &text) ||
	    stat_field(text, n, &field) || cv_copy_text(buf, size, field))
		return -ESRCH;
	return 0;
}

int cv_proc_read(struct cv_sysroot *r, pid_t pid, struct cv_proc *ret)
{
	char text[32];
	uint64_t start;

	if (read_field(r, pid, STAT_FIELD_START, text, sizeof(text)) || cv_parse_u64(text, &start))
		return -ESRCH;
	*ret = (struct cv_proc){ .pid = pid, .start = start };
	return 0;
}

int cv_proc_is_alive(struct cv_sysroot *r, const struct cv_proc *p)
{
	struct cv_proc now;
	char state[8];

	if (read_field(r, p->pid, STAT_FIELD_STATE, state, sizeof(state)))
		return 0;
	if (state[0] == 'Z' || state[0] == 'X')
		return 0;
	return !cv_proc_read(r, p->pid, &now) && now.start == p->start;
}
