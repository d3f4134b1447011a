// SPDX-License-Identifier: GPL-2.0-or-later
/* Fixtures in directories, for those who read files by themselves (hwloc, lstopo). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "tests/fake/machine.h"

static int write_fd(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0)
			return -errno;
		text += n;
		len -= (size_t)n;
	}
	return 0;
}

int machine_open_text(const char *text, size_t len, struct cv_sysroot **ret, struct cv_error *err)
{
	char path[] = "/tmp/carve-machine-XXXXXX.sysroot";
	_cleanup_close_ int fd = mkostemps(path, (int)strlen(".sysroot"), O_CLOEXEC);
	int r;

	if (fd < 0)
		return cv_fail_errno(err, -errno, path, "cannot make a temporary file");
	r = write_fd(fd, text, len);
	if (r < 0)
		cv_fail_errno(err, r, path, "cannot write the manifest");
	else
		r = cv_sysroot_open(path, ret, err);
	unlink(path);
	return r;
}

int machine_open(const char *name, struct cv_sysroot **ret, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = machine_manifest(name, &text, &len, NULL, err);

	return r < 0 ? r : machine_open_text(text, len, ret, err);
}
