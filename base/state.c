// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/state.h"

#define LOCK_POLL_MS 20

int cv_state_prepare(struct cv_sysroot *r, struct cv_error *err)
{
	static const char *const dirs[] = { CV_VM_DIR, CV_LEASE_DIR, CV_SHARED_DIR,
					    CV_QUARANTINE_DIR };

	for (size_t i = 0; i < CV_ARRAY_SIZE(dirs); i++) {
		int rc = cv_mkdir_p(r, dirs[i], 0755);

		if (rc)
			return cv_fail_errno(err, rc, dirs[i], "cannot make a state directory");
	}
	return 0;
}

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* Return: 0 when locked, -EBUSY when it stayed locked by another. */
static int wait_lock(int fd, unsigned int wait_ms)
{
	const struct timespec poll = { .tv_nsec = LOCK_POLL_MS * 1000000L };
	int64_t end = now_ms() + wait_ms;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return -errno;
		if (now_ms() >= end)
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
	_cleanup_close_ int fd = cv_open(r, CV_LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW, 0644);
	char pid[32];
	int rc;

	if (fd < 0)
		return cv_fail_errno(err, fd, CV_LOCK_FILE, "cannot open the node lock");
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

int cv_name_is_valid(const char *name)
{
	static const char first[] = "abcdefghijklmnopqrstuvwxyz0123456789";
	static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";
	size_t len = strlen(name);

	return len >= 1 && len <= 63 && strchr(first, name[0]) && strspn(name, rest) == len;
}
