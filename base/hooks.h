/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Steps of a site around a change: executables in /etc/carve/hooks/STAGE.d, run in name order
 * (docs/formats/hooks.md). */
#ifndef CARVE_BASE_HOOKS_H
#define CARVE_BASE_HOOKS_H

#include <stddef.h>

#include "base/error.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define CV_HOOKS_DIR "/etc/carve/hooks"
#define CV_HOOKS_MAX 64		/* executables of one stage */
#define CV_HOOK_OUTPUT_MAX 4096 /* of its stderr kept for the error, bytes */

/** enum cv_hook_stage - pre-bind and post-bind run on the way in, pre-release and post-release out */
enum cv_hook_stage {
	CV_HOOK_PRE_BIND,
	CV_HOOK_POST_BIND,
	CV_HOOK_PRE_RELEASE,
	CV_HOOK_POST_RELEASE,
	CV_HOOK_STAGES,
};

/** cv_hook_stage_name() - "pre-bind" */
const char *cv_hook_stage_name(enum cv_hook_stage stage);

/**
 * struct cv_hooks - one stage, as it is run
 * @env: "NAME=VALUE" strings; besides them a hook sees PATH, LANG=C and CARVE_STAGE, nothing else
 * @deadline_ms: of all hooks of the stage together; what runs longer gets SIGKILL, with all that it
 *               started
 */
struct cv_hooks {
	enum cv_hook_stage stage;
	struct cv_strv env;
	unsigned int deadline_ms;
};

/**
 * cv_hooks_list() - file names of the executables of a stage, sorted; the empty list without the
 * directory
 *
 * Names are [A-Za-z0-9][A-Za-z0-9_.-]*; others (backups, ".dpkg-old") are passed over as run-parts(8)
 * does.
 * Links are followed, inside the root. A child looks: a file system that does not answer keeps only it.
 * Return: 0; -EPERM with @err when a file, its directory or any directory on the way to it (that of a
 * link, too) does not belong to root or is writable by others; -ENOLINK a link leads to nothing; -E2BIG;
 * -ETIMEDOUT no answer within @deadline_ms.
 */
int cv_hooks_list(struct cv_sysroot *r, enum cv_hook_stage stage, unsigned int deadline_ms,
		  struct cv_strv *ret, struct cv_error *err);

/**
 * cv_hooks_run() - run the stage; the first one that fails ends it
 *
 * Each hook is checked again and opened before it runs; what was opened is what runs. It is a child with
 * stdin and stdout at /dev/null, working directory /, descriptors closed; its stderr is read and quoted in
 * @err. When the caller ends, also by SIGKILL, it dies with all that it started.
 * Context: live root only; blocks at most h->deadline_ms, and some 2 s more for what has to be killed.
 * Return: number of hooks that ran; -EIO a hook failed (status or signal in @err, found); -ETIMEDOUT;
 * those of cv_hooks_list().
 */
int cv_hooks_run(struct cv_sysroot *r, const struct cv_hooks *h, struct cv_error *err);

#endif
