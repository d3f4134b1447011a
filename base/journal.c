// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/json.h"

#define MARKER "carve_journal"

/**
 * struct cv_journal - open for appending
 * @n_lines:  lines written by this process since the header
 * @crash_at: fault injection, 0 for none
 */
struct cv_journal {
	int fd;
	unsigned int n_lines;
	unsigned int crash_at;
};

static int journal_new(int fd, struct cv_journal **ret)
{
	struct cv_journal *j = calloc(1, sizeof(*j));

	if (!j)
		return -ENOMEM;
	j->fd = fd;
	*ret = j;
	return 0;
}

void cv_journal_close(struct cv_journal *j)
{
	close(j->fd);
	free(j);
}

void cv_journal_crash_at(struct cv_journal *j, unsigned int n)
{
	j->crash_at = n;
	j->n_lines = 0;
}

/*
 * Appends one line and makes it durable. What was written of a line that did not fit is cut off
 * again: a later line must not grow onto it.
 */
static int append_text(int fd, const char *text)
{
	struct iovec parts[] = {
		{ .iov_base = (void *)(uintptr_t)text, .iov_len = strlen(text) },
		{ .iov_base = (char[]){ '\n' }, .iov_len = 1 },
	};
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return -errno;
	n = writev(fd, parts, 2);
	if (n == (ssize_t)(parts[0].iov_len + 1))
		return fsync(fd) < 0 ? -errno : 0;
	if (n >= 0)
		return ftruncate(fd, st.st_size) < 0 ? -errno : -EIO;
	return -errno;
}

static int append_json(int fd, const json_t *line)
{
	_cleanup_free_ char *text = line ? cv_json_line(line) : NULL;

	return text ? append_text(fd, text) : -ENOMEM;
}

static int append(struct cv_journal *j, const json_t *line)
{
	int rc = append_json(j->fd, line);

	if (rc)
		return rc;
	j->n_lines++;
	if (j->crash_at && j->n_lines == j->crash_at)
		kill(getpid(), SIGKILL);
	return 0;
}

static int write_header(int fd, const char *name, const struct cv_owner *owner)
{
	_cleanup_json_ json_t *header = json_pack("{s:i, s:s, s:o, s:I}", MARKER,
						  CV_JOURNAL_VERSION, "name", name, "owner",
						  cv_owner_json(owner), "time",
						  (json_int_t)time(NULL));

	return append_json(fd, header);
}

static int sync_dir_of(struct cv_sysroot *r, const char *path)
{
	_cleanup_free_ char *dir = strdup(path);
	_cleanup_close_ int fd = -1;

	if (!dir)
		return -ENOMEM;
	*(strrchr(dir, '/') + 1) = '\0';
	fd = cv_open(r, dir, O_RDONLY | O_DIRECTORY, 0);
	if (fd < 0)
		return fd;
	return fsync(fd) < 0 ? -errno : 0;
}

int cv_journal_create(struct cv_sysroot *r, const char *path, const char *name,
		      const struct cv_owner *owner, struct cv_journal **ret, struct cv_error *err)
{
	_cleanup_close_ int fd = cv_open(r, path, O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_NOFOLLOW,
					 0644);
	int rc;

	if (fd < 0)
		return cv_fail_errno(err, fd, path, "cannot create the journal");
	rc = write_header(fd, name, owner);
	if (!rc)
		rc = sync_dir_of(r, path);
	if (!rc)
		rc = journal_new(fd, ret);
	if (rc) {
		cv_unlink(r, path);
		return cv_fail_errno(err, rc, path, "cannot write the journal");
	}
	TAKE_FD(fd);
	return 0;
}

/* Cuts off a line that a crash left without its end. */
static int drop_torn_line(struct cv_sysroot *r, const char *path, int fd)
{
	_cleanup_free_ char *text = NULL;
	size_t len, whole;
	int rc = cv_read(r, path, &text, &len);

	if (rc)
		return rc;
	for (whole = len; whole && text[whole - 1] != '\n';)
		whole--;
	if (whole == len)
		return 0;
	return ftruncate(fd, (off_t)whole) < 0 ? -errno : 0;
}

int cv_journal_open(struct cv_sysroot *r, const char *path, struct cv_journal **ret,
		    struct cv_error *err)
{
	_cleanup_close_ int fd = cv_open(r, path, O_RDWR | O_APPEND | O_NOFOLLOW, 0);
	int rc;

	if (fd < 0)
		return cv_fail_errno(err, fd, path, "cannot open the journal");
	rc = drop_torn_line(r, path, fd);
	if (!rc)
		rc = journal_new(fd, ret);
	if (rc)
		return cv_fail_errno(err, rc, path, "cannot open the journal");
	TAKE_FD(fd);
	return 0;
}

int cv_journal_begin(struct cv_journal *j, unsigned int seq, const char *kind, const char *scope,
		     const char *object, const char *value, const json_t *prior)
{
	/* json_pack() counts references of what it is given, which needs a mutable value. */
	json_t *borrowed = (json_t *)(uintptr_t)prior;
	_cleanup_json_ json_t *line = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:O?}", "seq",
						(json_int_t)seq, "event", "begin", "kind", kind,
						"scope", scope, "object", object, "value", value,
						"prior", borrowed);

	return append(j, line);
}

static int append_event(struct cv_journal *j, unsigned int seq, const char *event)
{
	_cleanup_json_ json_t *line = json_pack("{s:I, s:s}", "seq", (json_int_t)seq, "event",
						event);

	return append(j, line);
}

int cv_journal_done(struct cv_journal *j, unsigned int seq)
{
	return append_event(j, seq, "done");
}

int cv_journal_reverted(struct cv_journal *j, unsigned int seq)
{
	return append_event(j, seq, "reverted");
}
