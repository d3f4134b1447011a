// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <fcntl.h>
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

static bool find_mount(const struct use_tables *t, const char *name, const char *number,
		       char where[256])
{
	const char *text = t->mounts;
	char line[LINE_MAX_BYTES];

	while (sr_take_line(&text, line, sizeof(line))) {
		if (is_mount_of(line, name, number, where))
			return true;
	}
	return false;
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

/* Whether the block device is used; says how in @text. */
static bool is_used(struct cv_sysroot *root, const struct use_tables *t, const char *name,
		    char *text, size_t size)
{
	_cleanup_strv_ struct cv_strv holders = { 0 };
	char path[CV_PATH_MAX], number[32], where[256];

	if (cv_read_into(root, cv_pathf(path, BLOCK_DIR "/%s/dev", name), number, sizeof(number)) <
	    0)
		number[0] = '\0';
	if (find_mount(t, name, number, where)) {
		snprintf(text, size, "/dev/%s mounted on %s", name, where);
		return true;
	}
	if (is_swap(t, name)) {
		snprintf(text, size, "/dev/%s is swap space", name);
		return true;
	}
	cv_pathf(path, BLOCK_DIR "/%s/holders", name);
	if (cv_list(root, path, &holders) < 0 || holders.n == 0)
		return false;
	snprintf(text, size, "/dev/%s is used by /dev/%s", name, holders.v[0]);
	return true;
}

static void mark_block(struct cv_sysroot *root, struct inventory *inv, const struct use_tables *t,
		       const char *name)
{
	_cleanup_free_ char *target = NULL;
	char path[CV_PATH_MAX], text[512];

	if (cv_readlink(root, cv_pathf(path, BLOCK_DIR "/%s", name), &target) < 0)
		return;
	if (is_used(root, t, name, text, sizeof(text)))
		sr_mark_path(root, inv, target, INV_HOLDER_MOUNT, text);
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
static void mark_claimed(struct cv_sysroot *root, struct inventory *inv, const char *name)
{
	_cleanup_free_ char *target = NULL;
	char path[CV_PATH_MAX], text[CV_PATH_MAX + 64];
	struct open_job job = { .root = root, .path = path };
	int devs[MAX_CONTROLLERS], r;
	size_t n;

	if (cv_readlink(root, cv_pathf(path, BLOCK_DIR "/%s", name), &target) < 0)
		return;
	n = sr_devs_of_path(root, inv, target, devs, MAX_CONTROLLERS);
	if (!is_free(inv, devs, n))
		return;
	cv_pathf(path, "/dev/%s", name);
	r = sr_child_fill(run_open, &job, sizeof(job), OPEN_MS);
	if (r != -EBUSY && r != -ETIMEDOUT)
		return;
	snprintf(text, sizeof(text), "%s %s", path,
		 r == -EBUSY ? "is held exclusively by the kernel or a process"
			     : "does not answer: opening it takes too long");
	sr_mark_path(root, inv, target, INV_HOLDER_MOUNT, text);
}

void sr_holders_disks(struct cv_sysroot *root, struct inventory *inv)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct use_tables t = { 0 };

	if (cv_list(root, BLOCK_DIR, &names) < 0)
		return;
	read_tables(root, &t);
	for (size_t i = 0; i < names.n; i++)
		mark_block(root, inv, &t, names.v[i]);
	for (size_t i = 0; i < names.n && cv_sysroot_is_live(root); i++)
		mark_claimed(root, inv, names.v[i]);
	free(t.mounts);
	free(t.swaps);
}
