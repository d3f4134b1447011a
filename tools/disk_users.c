// SPDX-License-Identifier: GPL-2.0-or-later
/* Who uses a block device of the host, as the kernel tells it. */
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "sriov/holders.h"
#include "tools/disks.h"

#define BLOCK_DIR "/sys/dev/block"
#define LINE_MAX_BYTES 4096

/** struct tables - mountinfo and /proc/swaps; NULL: cannot be read */
struct tables {
	char *mounts, *swaps;
};

/** struct part - the device, or a partition of it; @dir is below /sys */
struct part {
	char dir[CV_PATH_MAX];
	char name[64], number[32];
};

static bool is_mount_of(const char *line, const struct part *p, char where[256])
{
	char number[32], source[256];
	const char *dash = strstr(line, " - ");

	if (sscanf(line, "%*s %*s %31s %*s %255s", number, where) != 2)
		return false;
	if (strcmp(number, p->number) == 0)
		return true;
	/* btrfs shows a number of its own */
	return dash && sscanf(dash, " - %*s %255s", source) == 1 &&
	       strncmp(source, "/dev/", 5) == 0 && strcmp(source + 5, p->name) == 0;
}

static bool find_mount(const struct part *p, const char *mounts, char *ret, size_t size)
{
	char line[LINE_MAX_BYTES], where[256];

	while (sr_take_line(&mounts, line, sizeof(line))) {
		if (!is_mount_of(line, p, where))
			continue;
		snprintf(ret, size, "/dev/%s mounted on %s", p->name, where);
		return true;
	}
	return false;
}

static bool find_swap(const struct part *p, const char *swaps, char *ret, size_t size)
{
	char line[LINE_MAX_BYTES], device[80];

	snprintf(device, sizeof(device), "/dev/%s", p->name);
	while (sr_take_line(&swaps, line, sizeof(line))) {
		line[strcspn(line, " \t")] = '\0';
		if (strcmp(line, device) != 0)
			continue;
		snprintf(ret, size, "%s is swap space", device);
		return true;
	}
	return false;
}

/* md, LVM and what else is made of it. */
static bool find_holder(struct cv_sysroot *root, const struct part *p, char *ret, size_t size)
{
	_cleanup_strv_ struct cv_strv holders = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(root, cv_pathf(path, "%s/holders", p->dir), &holders) < 0 || holders.n == 0)
		return false;
	snprintf(ret, size, "/dev/%s is used by /dev/%s", p->name, holders.v[0]);
	return true;
}

static bool is_used(struct cv_sysroot *root, const struct part *p, const struct tables *t,
		    char *ret, size_t size)
{
	return find_mount(p, t->mounts, ret, size) || find_swap(p, t->swaps, ret, size) ||
	       find_holder(root, p, ret, size);
}

/* DEVNAME of its uevent: the name below /dev. */
static bool read_part(struct cv_sysroot *root, const char *dir, struct part *ret)
{
	char path[CV_PATH_MAX], text[512];
	const char *name;

	snprintf(ret->dir, sizeof(ret->dir), "%s", dir);
	if (cv_read_into(root, cv_pathf(path, "%s/uevent", dir), text, sizeof(text)) < 0 ||
	    cv_read_into(root, cv_pathf(path, "%s/dev", dir), ret->number, sizeof(ret->number)) < 0)
		return false;
	name = strstr(text, "DEVNAME=");
	return name && sscanf(name, "DEVNAME=%63s", ret->name) == 1;
}

static bool is_any_used(struct cv_sysroot *root, const char *dir, const struct tables *t, char *ret,
			size_t size)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct part p = { 0 };

	if (read_part(root, dir, &p) && is_used(root, &p, t, ret, size))
		return true;
	if (cv_list(root, dir, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		char path[CV_PATH_MAX];

		if (!cv_exists(root, cv_pathf(path, "%s/%s/partition", dir, names.v[i])))
			continue;
		if (read_part(root, cv_pathf(path, "%s/%s", dir, names.v[i]), &p) &&
		    is_used(root, &p, t, ret, size))
			return true;
	}
	return false;
}

bool disk_find_user(struct cv_sysroot *root, dev_t device, char *ret, size_t size)
{
	struct tables t = { 0 };
	char dir[CV_PATH_MAX];
	bool is_found;

	/* process 1 sees mounts that a private namespace of ours may not */
	if (cv_read_str(root, "/proc/1/mountinfo", &t.mounts) < 0 &&
	    cv_read_str(root, "/proc/self/mountinfo", &t.mounts) < 0)
		t.mounts = NULL;
	if (cv_read_str(root, "/proc/swaps", &t.swaps) < 0)
		t.swaps = NULL;
	cv_pathf(dir, BLOCK_DIR "/%u:%u", major(device), minor(device));
	is_found = is_any_used(root, dir, &t, ret, size);
	free(t.mounts);
	free(t.swaps);
	return is_found;
}

dev_t disk_whole(struct cv_sysroot *root, dev_t device)
{
	char dir[CV_PATH_MAX], path[CV_PATH_MAX], text[32];
	unsigned int high, low;

	cv_pathf(dir, BLOCK_DIR "/%u:%u", major(device), minor(device));
	if (!cv_exists(root, cv_pathf(path, "%s/partition", dir)) ||
	    cv_read_into(root, cv_pathf(path, "%s/../dev", dir), text, sizeof(text)) < 0 ||
	    sscanf(text, "%u:%u", &high, &low) != 2)
		return device;
	return makedev(high, low);
}
