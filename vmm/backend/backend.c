// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of VMM backends, and the log that all of them write. */
#include "vmm/backend/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "vmm/spawn.h"

static const struct vmm_backend_ops *const backends[] = {
	&vmm_backend_native,
	&vmm_backend_qemu,
};

const struct vmm_backend_ops *vmm_backend_at(size_t i)
{
	return i < CV_ARRAY_SIZE(backends) ? backends[i] : NULL;
}

const struct vmm_backend_ops *vmm_backend_find(const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

/* The directory belongs to the VM's user: only a plain file with no other name is opened. */
static int check_log(int fd, uid_t uid, gid_t gid)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1)
		return -ELOOP;
	if (geteuid() == 0 && fchown(fd, uid, gid) < 0)
		return -errno;
	return 0;
}

int vmm_backend_log(const char *vm_dir, const char *file, uid_t uid, gid_t gid, int *ret_fd,
		    struct cv_error *err)
{
	char path[CV_PATH_MAX];
	_cleanup_close_ int fd = -1;
	int r;

	cv_pathf(path, "%s/%s", vm_dir, file);
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
	r = fd < 0 ? -errno : check_log(fd, uid, gid);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot open the log of the VMM");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int vmm_backend_spawn(const struct vmm_launch *l, const struct cv_strv *argv, const int *keep_fds,
		      size_t n, pid_t *ret_pid, struct cv_error *err)
{
	_cleanup_close_ int log_fd = -1;
	int r = vmm_backend_log(l->vm_dir, "vmm.log", l->uid, l->gid, &log_fd, err);

	if (r < 0)
		return r;
	struct vmm_spawn s = {
		.argv = (const char *const *)argv->v,
		.log_fd = log_fd,
		.keep_fds = keep_fds,
		.n_keep_fds = n,
		.cgroup_fd = l->cgroup_fd,
		.uid = l->uid,
		.gid = l->gid,
		.memlock = l->memlock,
		.enter = l->enter,
		.enter_ctx = l->enter_ctx,
	};
	return vmm_spawn(&s, ret_pid, err);
}

/* From the first whole line on, as a string. */
static void trim_start(char *text, size_t len, bool is_cut)
{
	char *nl;

	for (size_t i = 0; i < len; i++)
		if (text[i] == '\0')
			text[i] = '?';
	text[len] = '\0';
	nl = is_cut ? strchr(text, '\n') : NULL;
	if (nl)
		memmove(text, nl + 1, strlen(nl));
}

char *vmm_read_tail(const char *dir, const char *file, size_t max_bytes)
{
	char path[CV_PATH_MAX];
	_cleanup_close_ int fd = open(cv_pathf(path, "%s/%s", dir, file),
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	off_t from;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_nlink != 1)
		return NULL;
	text = calloc(1, max_bytes + 1);
	if (!text)
		return NULL;
	from = (uint64_t)st.st_size > max_bytes ? st.st_size - (off_t)max_bytes : 0;
	n = pread(fd, text, max_bytes, from);
	if (n < 0)
		return NULL;
	trim_start(text, (size_t)n, from > 0);
	return TAKE_PTR(text);
}

/* A VMM's words end up on a terminal: no control characters, no newline at the end. */
static void make_printable(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') ||
		    text[i] == 0x7f)
			text[i] = '?';
}

char *vmm_log_tail(const char *vm_dir, size_t max_bytes)
{
	char *text = vmm_read_tail(vm_dir, "vmm.log", max_bytes);

	if (!text)
		return strdup("");
	make_printable(text);
	return text;
}
