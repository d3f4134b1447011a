/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A host that exists only in memory and behaves: a root for cv_sysroot_new() whose files react. */
#ifndef CARVE_TESTS_FAKE_SYSROOT_H
#define CARVE_TESTS_FAKE_SYSROOT_H

#include "base/sysroot.h"

/*
 * The tree lives in memory shared with forked children, so that a write by cv_write_deadline() is
 * seen by the test. Only open() for writing must stay in one process: what it makes has a descriptor there.
 * Text below /sys and /proc always ends in a newline, as the kernel prints it.
 */
struct fake;

/** fake_new() - an empty host; it lives until cv_sysroot_close(*@ret_root). Return: 0, -ENOMEM. */
int fake_new(struct fake **ret, struct cv_sysroot **ret_root);

/* Building: parents are implied, an existing entry is replaced. Full is an abort(). */
void fake_dir(struct fake *f, const char *path);
void fake_file(struct fake *f, const char *path, const char *text);
void fake_filef(struct fake *f, const char *path, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void fake_link(struct fake *f, const char *path, const char *target);
/** fake_remove() - an entry with everything below it; no effect when there is none. */
void fake_remove(struct fake *f, const char *path);

/** fake_text() - contents of a file, without the last newline; NULL when it is none. */
const char *fake_text(struct fake *f, const char *path);
/** fake_dump() - one line per entry, sorted, without what is below @skip (NULL: all); heap. */
char *fake_dump(struct fake *f, const char *skip);
/** fake_dump_host() - the host as it shows: without /run and what the fake keeps for itself; heap. */
char *fake_dump_host(struct fake *f);

/** fake_fail_write() - the @n-th write(2) from now fails with @err (-errno); 0: none. */
void fake_fail_write(struct fake *f, unsigned int n, int err);
/**
 * fake_fail_change() - the same, counting everything that changes the host: writes, files created,
 * renames, removals, directories, owners
 */
void fake_fail_change(struct fake *f, unsigned int n, int err);
/** fake_writes(), fake_changes() - how many there were since fake_new(). */
unsigned int fake_writes(const struct fake *f);
unsigned int fake_changes(const struct fake *f);
/** fake_block() - a write to @path never returns; NULL: none does. */
void fake_block(struct fake *f, const char *path);
/** fake_block_read() - a read of what matches @pattern (fnmatch(3) of the resolved path) never returns */
void fake_block_read(struct fake *f, const char *pattern);
/** fake_hang() - for hooks of a write: it never returns, other processes go on. */
void __attribute__((noreturn)) fake_hang(struct fake *f);

/**
 * struct fake_hook - what a write, or a new directory, does
 * @pattern: fnmatch(3) of the resolved path; '*' matches '/' as well
 * @write:   1 when done, 0 to store the text in the file, -errno to refuse; NULL: stored. May run in
 *           a child: what it changes must be in the tree.
 * @made:    fills a directory that was just made, as cgroup and resctrl do: rmdir then takes it with all
 *           that is in it. -errno refuses it. NULL: a plain directory
 */
struct fake_hook {
	const char *pattern;
	int (*write)(struct fake *f, const char *path, const char *text, void *ctx);
	void *ctx;
	int (*made)(struct fake *f, const char *path, void *ctx);
};

/** fake_hook() - copied; the first one that matches, and has the function, is used. */
void fake_hook(struct fake *f, const struct fake_hook *hook);

#endif
