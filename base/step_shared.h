/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who shares a change of the host, and what was there before the first of them
 * (docs/formats/journal.md). */
#ifndef CARVE_BASE_STEP_SHARED_H
#define CARVE_BASE_STEP_SHARED_H

#include <stdbool.h>

#include "base/error.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define CV_SHARED_VERSION 1

/** struct cv_shared - the file of one kind and object; all members are owned */
struct cv_shared {
	char *value;
	json_t *prior; /* NULL: nothing was recorded */
	struct cv_strv holders;
};

void cv_shared_done(struct cv_shared *s);

/** cv_shared_read() - Return: 0, -ENOENT (nobody holds it), -EINVAL, -EPROTONOSUPPORT. */
int cv_shared_read(struct cv_sysroot *r, const char *kind, const char *object,
		   struct cv_shared *ret, struct cv_error *err);
/** cv_shared_add() - add a holder; the first one also leaves @value and @prior (borrowed). */
int cv_shared_add(struct cv_sysroot *r, const char *kind, const char *object, const char *value,
		  const json_t *prior, const char *holder, struct cv_error *err);
/** cv_shared_leave() - drop a holder, and the file with the last one. */
int cv_shared_leave(struct cv_sysroot *r, const char *kind, const char *object, const char *holder,
		    struct cv_error *err);

#endif
