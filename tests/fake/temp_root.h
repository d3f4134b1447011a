/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A root in a temporary directory, for tests that end a process in the middle of a change. */
#ifndef CARVE_TESTS_TEMP_ROOT_H
#define CARVE_TESTS_TEMP_ROOT_H

#include <sys/types.h>

#include "base/sysroot.h"

/** struct temp_root - all zero is none */
struct temp_root {
	char dir[64];
	struct cv_sysroot *root;
};

/** temp_root_init() - aborts when there is no place for it. */
void temp_root_init(struct temp_root *t);
/** temp_root_done() - closes the root and removes the directory. */
void temp_root_done(struct temp_root *t);
/** temp_root_setup(), temp_root_teardown() - cmocka's, with the root as *@state. */
int temp_root_setup(void **state);
int temp_root_teardown(void **state);
/** temp_root_file() - a file with its parents; @path as in the root. */
void temp_root_file(struct temp_root *t, const char *path, const char *text);
/** temp_root_dump() - one line per entry with its contents, without *.tmp and @skip; heap. */
char *temp_root_dump(struct temp_root *t, const char *skip);

/**
 * temp_root_killer() - a root over the same directory that kills @victim at its @n-th change
 * @after: the change is still made
 *
 * Changes are counted in @victim and in its children together; 0 never kills.
 */
struct cv_sysroot *temp_root_killer(struct temp_root *t, pid_t victim, unsigned int n, bool after);
/**
 * temp_root_slow_killer() - the same, but who makes this change, or a later one, does not end: it waits
 * @ms, in the middle of its change, and then goes on unless somebody ended it meanwhile
 */
struct cv_sysroot *temp_root_slow_killer(struct temp_root *t, pid_t victim, unsigned int n,
					 bool after, unsigned int ms);

#endif
