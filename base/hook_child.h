/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One executable of a site, run to its end or to a deadline. */
#ifndef CARVE_BASE_HOOK_CHILD_H
#define CARVE_BASE_HOOK_CHILD_H

#include <stddef.h>

#include "base/hooks.h"

/**
 * struct cv_hook_end - how it ended
 * @status: exit status, -1: ended by @signal
 * @signal: 0: ended by itself
 * @output: the end of what it wrote to stderr, lines joined by "; ", without what is no printable
 *          ASCII
 */
struct cv_hook_end {
	int status;
	int signal;
	char output[2 * CV_HOOK_OUTPUT_MAX];
};

/**
 * cv_hook_exec() - run @fd in a process group of its own
 * @fd:   of the file, opened with O_PATH
 * @path: of the same file on this machine: its argv[0]; a script is executed by it, for its interpreter
 *        opens it once more, and fails when another file is there meanwhile
 * @envp: all it sees, NULL-terminated
 *
 * Stdin and stdout are /dev/null, the working directory is /, the file mode mask 022, no other
 * descriptor is open. It dies with its caller. What it leaves running is not waited for.
 * Return: 0, also when it failed; -ETIMEDOUT: it got SIGKILL with its whole process group, and
 * ret->output is what it had said; -errno.
 */
int cv_hook_exec(int fd, const char *path, char *const envp[], unsigned int deadline_ms,
		 struct cv_hook_end *ret);

#endif
