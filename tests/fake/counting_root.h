/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root that counts what is asked of another one. */
#ifndef CARVE_TESTS_COUNTING_ROOT_H
#define CARVE_TESTS_COUNTING_ROOT_H

#include "base/sysroot.h"

/** struct counting_root - @last: path of the last call that counted */
struct counting_root {
	struct cv_sysroot *inner; /* borrowed */
	const char *about;
	unsigned int calls;
	char last[CV_PATH_MAX];
};

/**
 * counting_root_new() - reads of @c->inner, each path that has @c->about in it counted (NULL: all)
 * @c: outlives the root; nothing can be changed through it
 * Return: 0, -ENOMEM.
 */
int counting_root_new(struct counting_root *c, struct cv_sysroot **ret);

#endif
