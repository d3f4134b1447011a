// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/lease.h"
#include "base/owner.h"
#include "base/state.h"

#define LOCK_POLL_MS 20

int cv_state_prepare(struct cv_sysroot *r, struct cv_error *err)
{
	static const char *const dirs[] = { CV_VM_DIR, CV_OPERATION_DIR, CV_LEASE_DIR,
					    CV_SHARED_DIR, CV_QUARANTINE_DIR };

	for (size_t i = 0; i < CV_ARRAY_SIZE(dirs); i++) {
		int rc = cv_mkdir_p(r, dirs[i], 0755);

		if (rc)
			return cv_fail_errno(err, rc, dirs[i], "cannot make a state directory");
	}
	return 0;
}

/* Return: 0 when locked, -EBUSY when it stayed locked by another. */
static int wait_lock(int fd, unsigned int wait_ms)
{
	const struct timespec poll = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int64_t end = cv_now_ms() + wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (cv_now_ms() >= end)
			return -EBUSY;
		nanosleep(&poll, NULL);
	}
	return 0;
}

static int fail_busy(int fd, struct cv_error *err)
{
	char holder[32] = "";
	ssize_t len = pread(fd, holder, sizeof(holder) - 1, 0);

	if (len > 0)
		holder[strcspn(holder, "\n")] = '\0';
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LOCK", CV_LOCK_FILE,
		"another carve is changing this node");
	cv_error_found(err, "locked by process %s", holder[0] ? holder : "unknown");
	cv_error_wanted(err, "the lock");
	cv_error_hint(err, "wait until it has finished and try again");
	return -EBUSY;
}

int cv_state_lock(struct cv_sysroot *r, unsigned int wait_ms, int *ret_fd, struct cv_error *err)
{
	_cleanup_close_ int fd = cv_open(r, CV_LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW, 0600);
	char pid[32];
	int rc;

	if (fd < 0)
		return cv_fail_errno(err, fd, CV_LOCK_FILE, "cannot open the node lock");
	/* Who may open it may hold it for ever. */
	if (fchmod(fd, 0600) < 0)
		return cv_fail_errno(err, -errno, CV_LOCK_FILE, "cannot guard the node lock");
	rc = wait_lock(fd, wait_ms);
	if (rc == -EBUSY)
		return fail_busy(fd, err);
	if (rc)
		return cv_fail_errno(err, rc, CV_LOCK_FILE, "cannot take the node lock");
	snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
	/* The pid only serves the message of the next one who waits. */
	if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, strlen(pid), 0) < 0)
		return cv_fail_errno(err, -errno, CV_LOCK_FILE, "cannot write the node lock");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/* ---- which boot ---- */

bool cv_state_is_stale(struct cv_sysroot *r)
{
	char now[CV_BOOT_ID_MAX], kept[CV_BOOT_ID_MAX];

	return !cv_read_into(r, CV_BOOT_FILE, kept, sizeof(kept)) &&
	       !cv_boot_id_read(r, now, NULL) && strcmp(kept, now);
}

/* Adds those of @more that are not in @names yet. */
static int add_names(struct cv_strv *names, const struct cv_strv *more)
{
	int rc = 0;

	for (size_t i = 0; i < more->n && !rc; i++)
		if (!cv_strv_has(names, more->v[i]))
			rc = cv_strv_add(names, more->v[i]);
	return rc;
}

static int add_entries(struct cv_sysroot *r, const char *dir, struct cv_strv *names,
		       struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv entries = { 0 };
	int rc = cv_list(r, dir, &entries);

	if (rc == -ENOENT)
		return 0;
	if (!rc)
		rc = add_names(names, &entries);
	return rc ? cv_fail_errno(err, rc, dir, "cannot list it") : 0;
}

int cv_state_names(struct cv_sysroot *r, struct cv_strv *ret, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_strv_ struct cv_strv leases = { 0 };
	int rc = add_entries(r, CV_VM_DIR, &names, err);

	if (!rc)
		rc = add_entries(r, CV_OPERATION_DIR, &names, err);
	if (!rc)
		rc = cv_lease_list(r, &leases, err);
	if (rc)
		return rc;
	rc = add_names(&names, &leases);
	if (rc)
		return cv_fail_errno(err, rc, CV_LEASE_DIR, "cannot list the leases");
	cv_strv_sort(&names);
	*ret = names;
	names = (struct cv_strv){ 0 };
	return 0;
}

static int drop_below(struct cv_sysroot *r, const char *dir, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	int rc = cv_list(r, dir, &names);

	if (rc)
		return rc == -ENOENT ? 0 : cv_fail_errno(err, rc, dir, "cannot list it");
	for (size_t i = 0; i < names.n; i++) {
		rc = cv_remove_tree(r, cv_pathf(path, "%s/%s", dir, names.v[i]));
		if (rc && rc != -ENOENT)
			return cv_fail_errno(err, rc, path,
					     "cannot remove what an earlier boot left");
	}
	return 0;
}

static int drop_all(struct cv_sysroot *r, struct cv_strv *ret_dropped, struct cv_error *err)
{
	static const char *const dirs[] = { CV_SHARED_DIR, CV_LEASE_DIR, CV_OPERATION_DIR,
					    CV_VM_DIR };
	_cleanup_strv_ struct cv_strv names = { 0 };
	int rc = cv_state_names(r, &names, err);

	for (size_t i = 0; !rc && i < CV_ARRAY_SIZE(dirs); i++)
		rc = drop_below(r, dirs[i], err);
	if (rc)
		return rc;
	*ret_dropped = names;
	names = (struct cv_strv){ 0 };
	return 0;
}

static bool is_left_behind(const char *name)
{
	size_t len = strlen(name);

	return len > 4 && strcmp(name + len - 4, ".tmp") == 0;
}

int cv_state_sweep(struct cv_sysroot *r, struct cv_error *err)
{
	static const char *const dirs[] = { CV_RUN_DIR, CV_SHARED_DIR, CV_LEASE_DIR,
					    CV_QUARANTINE_DIR };
	char path[CV_PATH_MAX];

	for (size_t i = 0; i < CV_ARRAY_SIZE(dirs); i++) {
		_cleanup_strv_ struct cv_strv names = { 0 };
		int rc = cv_list(r, dirs[i], &names);

		for (size_t k = 0; !rc && k < names.n; k++)
			if (is_left_behind(names.v[k]))
				rc = cv_unlink(r, cv_pathf(path, "%s/%s", dirs[i], names.v[k]));
		if (rc && rc != -ENOENT)
			return cv_fail_errno(err, rc, dirs[i],
					     "cannot remove what a killed command left there");
	}
	return 0;
}

static int write_boot(struct cv_sysroot *r, struct cv_error *err)
{
	char id[CV_BOOT_ID_MAX], text[CV_BOOT_ID_MAX + 1];
	int rc = cv_boot_id_read(r, id, err);

	if (rc)
		return rc;
	snprintf(text, sizeof(text), "%s\n", id);
	rc = cv_replace_file(r, CV_BOOT_FILE, text, 0644);
	return rc ? cv_fail_errno(err, rc, CV_BOOT_FILE, "cannot note which boot this is") : 0;
}

int cv_state_drop_stale(struct cv_sysroot *r, struct cv_strv *ret_dropped, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv dropped = { 0 };
	bool is_stale = cv_state_is_stale(r);
	int rc = 0;

	if (is_stale)
		rc = drop_all(r, &dropped, err);
	if (!rc && (is_stale || !cv_exists(r, CV_BOOT_FILE)))
		rc = write_boot(r, err);
	if (rc)
		return rc;
	*ret_dropped = dropped;
	dropped = (struct cv_strv){ 0 };
	return 0;
}

/* ---- names ---- */

int cv_name_is_valid(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_-";
	size_t len = strlen(name);

	return len >= 1 && len <= 63 && strchr(first, name[0]) && strspn(name, rest) == len;
}
