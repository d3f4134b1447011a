// SPDX-License-Identifier: GPL-2.0-or-later
/* A reset through VFIO: writes to the reset attribute of VFs of one PF wait for each other,
 * VFIO_DEVICE_RESET does not. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/reset_climb.h"

#define CONTAINER "/dev/vfio/vfio"

/* Another function of the group may be under way in a sibling: a group opens once. */
static int open_group(const struct sr_climb *c, int64_t end)
{
	char path[CV_PATH_MAX];
	int fd;

	cv_pathf(path, "/dev/vfio/%d", sr_group(c->env->root, c->bdf));
	for (;;) {
		fd = cv_open(c->env->root, path, O_RDWR, 0);
		if (fd != -EBUSY || cv_now_ms() >= end)
			return fd;
		sr_pause();
	}
}

static int open_device(const struct sr_climb *c, int container, int group)
{
	int fd;

	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0 ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return -errno;
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, c->bdf);
	return fd < 0 ? -errno : fd;
}

/* Opening the device resets it, and so does closing it. Only the one in between says whether it could. */
static int reset_device(const struct sr_climb *c, int container, int group)
{
	_cleanup_close_ int device = open_device(c, container, group);

	if (device < 0)
		return device;
	return ioctl(device, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

static int open_and_reset(struct sr_climb *c)
{
	_cleanup_close_ int container = -1, group = -1;
	int r;

	container = cv_open(c->env->root, CONTAINER, O_RDWR, 0);
	if (container < 0)
		return container;
	/* half of the time: who waits for a group must not look like a reset that hangs */
	group = open_group(c, cv_now_ms() + c->env->deadline_ms / 2);
	if (group < 0)
		return group;
	sr_climb_hangs(c, "VFIO_DEVICE_RESET of /dev/vfio/%d", sr_group(c->env->root, c->bdf));
	r = reset_device(c, container, group);
	sr_climb_goes_on(c);
	return r;
}

/* The kernel goes on to the next method only where the one before does not exist (drivers/pci/pci.c,
 * __pci_reset_function_locked()): the first one decides. */
static bool begin_alike(const char *offered, const char *allowed)
{
	size_t n = strcspn(offered, " ");

	return n > 0 && n == strcspn(allowed, " ") && strncmp(offered, allowed, n) == 0;
}

int sr_reset_by_vfio(struct sr_climb *c, const char *methods)
{
	char path[CV_PATH_MAX], saved[64];
	bool is_other;
	int r;

	sr_path(path, c->bdf, "reset_method");
	r = cv_read_into(c->env->root, path, saved, sizeof(saved));
	is_other = r == 0 && !begin_alike(saved, methods);
	if (is_other)
		r = sr_climb_write(c, path, methods);
	if (r < 0)
		return r;
	r = open_and_reset(c);
	if (is_other)
		sr_climb_restore(c, path, saved);
	return r;
}
