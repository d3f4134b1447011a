// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/spec_boot.h"

#include <errno.h>

#include "plan/value.h"

static int read_path(const struct source *s, const char *path, const char *text, char **ret)
{
	if (!text || !text[0] || text[0] == '/')
		return value_path(s, path, text, ret);
	value_refuse(s, path, text, "an absolute path");
	cv_error_hint(s->err, "begin it with /: the VMM does not run in the directory of carve");
	return -EINVAL;
}

int spec_read_boot(const struct source *s, const struct raw_boot *boot, char **kernel,
		   char **initrd, char **cmdline)
{
	int rc = read_path(s, "boot.kernel", boot->kernel, kernel);

	if (!rc)
		rc = read_path(s, "boot.initrd", boot->initrd, initrd);
	return rc ? rc : value_text(boot->cmdline, cmdline);
}
