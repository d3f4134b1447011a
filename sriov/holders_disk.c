// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/holders.h"

#define LINE_MAX_BYTES 4096
#define BLOCK_DIR "/sys/class/block"
#define OPEN_MS 10000
#define OPEN_TRIES 3 /* somebody may only be looking, as we do */
#define MAX_CONTROLLERS 64

/**
 * struct use_tables - what the kernel says is in use, as text
 * @mounts: mountinfo
 * @swaps:  /proc/swaps
 */
struct use_tables {
	char *mounts;
	char *swaps;
};

/* The host's view: process 1 sees mounts that a private namespace of ours may not. */
static void read_tables(struct cv_sysroot *root, struct use_tables *t)
{
	if (cv_read_str(root, "/proc/1/mountinfo", &t->mounts) < 0 &&
	    cv_read_str(root, "/proc/self/mountinfo", &t->mounts) < 0)
		t->mounts = NULL;
	if (cv_read_str(root, "/proc/swaps", &t->swaps) < 0)
		t->swaps = NULL;
}

/* Whether @line (of mountinfo) is a mount of the block device; the mount point goes to @where. The
 * source counts as well as the number: btrfs shows a number of its own. */
static bool is_mount_of(const char *line, const char *name, const char *number, char where[256])
{
	char dev[32], source[256];
	const char *dash = strstr(line, " - ");

	if (sscanf(line, "%*s %*s %31s %*s %255s", dev, where) != 2)
		return false;
	if (number[0] && strcmp(dev, number) == 0)
		return true;
	return dash && sscanf(dash, " - %*s %255s", source) == 1 &&
	       strncmp(source, "/dev/", 5) == 0 && strcmp(source + 5, name) == 0;
}

static bool is_swap(const struct use_tables *t, const char *name)
{
	const char *text = t->swaps;
	char line[LINE_MAX_BYTES];

	while (sr_take_line(&text, line, sizeof(line))) {
		size_t len = strcspn(line, " \t");

		if (len == strlen(name) + 5 && strncmp(line, "/dev/", 5) == 0 &&
		    strncmp(line + 5, name, len - 5) == 0)
			return true;
	}
	return false;
}

/** struct block - a block device, and where its uses are marked; @target: of its link in sysfs */
struct block {
	struct cv_sysroot *root;
	struct sr_marks *m;
	const char *name;
	const char *target;
};

static void __attribute__((format(printf, 3, 4)))
mark_block(const struct block *b, const char *path, const char *fmt, ...)
{
	struct sr_holder use = { .kind = INV_HOLDER_MOUNT };
	va_list args;

	snprintf(use.path, sizeof(use.path), "%s", path);
	va_start(args, fmt);
	vsnprintf(use.text, sizeof(use.text), fmt, args);
	va_end(args);
	sr_mark_path(b->root, b->m, b->target, &use);
}

static void mark_mounts(const struct block *b, const struct use_tables *t)
{
	char path[CV_PATH_MAX], number[32], line[LINE_MAX_BYTES], where[256];
	const char *text = t->mounts;

	cv_pathf(path, BLOCK_DIR "/%s/dev", b->name);
	if (cv_read_into(b->root, path, number, sizeof(number)) < 0)
		number[0] = '\0';
	while (sr_take_line(&text, line, sizeof(line))) {
		if (is_mount_of(line, b->name, number, where))
			mark_block(b, where, "/dev/%s mounted on %s", b->name, where);
	}
}

static void mark_holders(const struct block *b)
{
	_cleanup_strv_ struct cv_strv holders = { 0 };
	char path[CV_PATH_MAX], node[64];

	if (cv_list(b->root, cv_pathf(path, BLOCK_DIR "/%s/holders", b->name), &holders) < 0)
		return;
	for (size_t i = 0; i < holders.n; i++) {
		snprintf(node, sizeof(node), "/dev/%.50s", holders.v[i]);
		mark_block(b, node, "/dev/%s is used by %s", b->name, node);
	}
}

static void mark_used(struct cv_sysroot *root, struct sr_marks *m, const struct use_tables *t,
		      const char *name)
{
	_cleanup_free_ char *target = NULL;
	struct block b = { .root = root, .m = m, .name = name };
	char path[CV_PATH_MAX];

	if (cv_readlink(root, cv_pathf(path, BLOCK_DIR "/%s", name), &target) < 0)
		return;
	b.target = target;
	mark_mounts(&b, t);
	if (is_swap(t, name))
		mark_block(&b, "", "/dev/%s is swap space", name);
	mark_holders(&b);
}

/** struct open_job - a device node to open as its only user */
struct open_job {
	struct cv_sysroot *root;
	const char *path;
};

static int run_open(void *data)
{
	const struct open_job *job = data;
	int fd = -EBUSY;

	for (int i = 0; i < OPEN_TRIES && fd == -EBUSY; i++) {
		if (i > 0)
			sr_pause();
		fd = cv_open(job->root, job->path, O_RDONLY | O_EXCL | O_NONBLOCK, 0);
	}
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static bool is_free(const struct inventory *inv, const int *devs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (inv->devs[devs[i]].holder_kind == INV_HOLDER_NONE)
			return true;
	}
	return false;
}

/*
 * What no table shows (members of ZFS and btrfs, mounts of other namespaces) still claims its block
 * device. Only nodes of functions that nothing else holds are opened.
 */
static void mark_claimed(struct cv_sysroot *root, struct sr_marks *m, const char *name)
{
	_cleanup_free_ char *target = NULL;
	struct block b = { .root = root, .m = m, .name = name };
	char path[CV_PATH_MAX];
	struct open_job job = { .root = root, .path = path };
	int devs[MAX_CONTROLLERS], r;
	size_t n;

	if (cv_readlink(root, cv_pathf(path, BLOCK_DIR "/%s", name), &target) < 0)
		return;
	n = sr_devs_of_path(root, m->inv, target, devs, MAX_CONTROLLERS);
	if (!is_free(m->inv, devs, n))
		return;
	cv_pathf(path, "/dev/%s", name);
	r = sr_child_fill(run_open, &job, sizeof(job), OPEN_MS);
	if (r != -EBUSY && r != -ETIMEDOUT)
		return;
	b.target = target;
	mark_block(&b, path, "%s %s", path,
		   r == -EBUSY ? "is held exclusively by the kernel or a process"
			       : "does not answer: opening it takes too long");
}

void sr_holders_disks(struct cv_sysroot *root, struct sr_marks *m)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct use_tables t = { 0 };

	if (cv_list(root, BLOCK_DIR, &names) < 0)
		return;
	read_tables(root, &t);
	for (size_t i = 0; i < names.n; i++)
		mark_used(root, m, &t, names.v[i]);
	for (size_t i = 0; i < names.n && cv_sysroot_is_live(root); i++)
		mark_claimed(root, m, names.v[i]);
	free(t.mounts);
	free(t.swaps);
}
