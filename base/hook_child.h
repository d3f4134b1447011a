/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One executable of a site, run to its end or to a deadline. */
#ifndef CARVE_BASE_HOOK_CHILD_H
#define CARVE_BASE_HOOK_CHILD_H

#include "base/hooks.h"

/**
 * struct cv_hook_program - what is run
 * @find: opens it (O_PATH), in the process that becomes it: a path that hangs does so within the deadline.
 *        The path of the same file on this machine goes to @ret_path (heap), its argv[0]; a script is
 *        executed by it, for its interpreter opens it once more, and fails when another file is there
 *        meanwhile. Return: a descriptor, -errno with @err filled
 * @envp: all it sees, NULL-terminated
 * @deadline_ms: of finding and running
 */
struct cv_hook_program {
	int (*find)(void *arg, char **ret_path, struct cv_error *err);
	void *arg;
	char *const *envp;
	unsigned int deadline_ms;
};

/**
 * struct cv_hook_end - how it ended
 * @refused: 0; what find() returned when it failed, with its @err: nothing ran
 * @status:  exit status, -1: ended by @signal
 * @signal:  0: ended by itself
 * @output:  the end of what it wrote to stderr, lines joined by "; ", without what is no printable
 *           ASCII
 */
struct cv_hook_end {
	int refused;
	struct cv_error err;
	int status;
	int signal;
	char output[2 * CV_HOOK_OUTPUT_MAX];
};

/**
 * cv_hook_exec() - find and run it in a process group of its own
 *
 * Stdin and stdout are /dev/null, the working directory is /, the file mode mask 022, no other
 * descriptor is open. With its caller it dies, and with it all that it started (base/hook_keeper.h).
 * What it leaves running when it ends by itself is not waited for.
 * Return: 0, also when it failed; -ETIMEDOUT: all of that got SIGKILL, and ret->output is what it had
 * said; -errno.
 */
int cv_hook_exec(const struct cv_hook_program *p, struct cv_hook_end *ret);

#endif
