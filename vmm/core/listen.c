// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/sysroot.h"

#define BACKLOG 4

int vmm_listen(const char *dir, const char *file, int *ret_fd, struct cv_error *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	_cleanup_close_ int fd = -1;
	char path[CV_PATH_MAX];

	cv_pathf(path, "%s/%s", dir, file);
	if (strlen(path) >= sizeof(addr.sun_path))
		return cv_fail_errno(err, -ENAMETOOLONG, path, "no socket can have this name");
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.107s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    listen(fd, BACKLOG) < 0)
		return cv_fail_errno(err, -errno, path, "cannot listen on the socket");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int vmm_open_log(const char *dir, const char *file, int *ret_fd, struct cv_error *err)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, "%s/%s", dir, file);
	*ret_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
	return *ret_fd < 0 ? cv_fail_errno(err, -errno, path, "cannot open the log") : 0;
}
