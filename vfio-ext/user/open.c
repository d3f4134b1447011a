// SPDX-License-Identifier: GPL-2.0-or-later
/* The launcher's side: containers, groups and devices, opened while it may. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vfio-ext/user/vfio.h"

#define CONTAINER "/dev/vfio/vfio"
#define GROUP_PATH_MAX 32

static int open_container(struct cv_error *err)
{
	int fd = open(CONTAINER, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return cv_fail_errno(err, -errno, CONTAINER, "VFIO cannot be opened");
	if (ioctl(fd, VFIO_GET_API_VERSION) == VFIO_API_VERSION &&
	    ioctl(fd, VFIO_CHECK_EXTENSION, VFIO_TYPE1v2_IOMMU) > 0)
		return fd;
	close(fd);
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_TYPE1", CONTAINER,
		"this kernel's VFIO has no IOMMU of type 1");
	cv_error_hint(err, "modprobe vfio_iommu_type1");
	return -EOPNOTSUPP;
}

static int refuse_viability(const char *path, struct cv_error *err)
{
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "GROUP_NOT_VIABLE", path,
		"a function of the IOMMU group still has a driver of the host");
	cv_error_hint(err, "carve device group shows its functions");
	return -EPERM;
}

static int check_viable(int fd, const char *path, struct cv_error *err)
{
	struct vfio_group_status status = { .argsz = sizeof(status) };

	if (ioctl(fd, VFIO_GROUP_GET_STATUS, &status) < 0)
		return cv_fail_errno(err, -errno, path, "the group does not tell its state");
	return status.flags & VFIO_GROUP_FLAGS_VIABLE ? 0 : refuse_viability(path, err);
}

/* The type of IOMMU can be set once a group is attached. */
static int attach(struct vx_open *o, int fd, const char *path, struct cv_error *err)
{
	bool is_first = o->n_groups == 0;

	if (o->container < 0) {
		o->container = open_container(err);
		if (o->container < 0)
			return o->container;
	}
	if (ioctl(fd, VFIO_GROUP_SET_CONTAINER, &o->container) < 0)
		return cv_fail_errno(err, -errno, path, "the group cannot be attached");
	if (is_first && ioctl(o->container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return cv_fail_errno(err, -errno, path, "the IOMMU cannot be set");
	return 0;
}

static int find_group(const struct vx_open *o, int group)
{
	for (size_t i = 0; i < o->n_groups; i++)
		if (o->group_ids[i] == group)
			return o->groups[i];
	return -ENOENT;
}

int vx_open_group(struct vx_open *o, int group, struct cv_error *err)
{
	_cleanup_close_ int fd = -1;
	char path[GROUP_PATH_MAX];
	int r;

	if (find_group(o, group) >= 0)
		return 0;
	snprintf(path, sizeof(path), "/dev/vfio/%d", group);
	if (o->n_groups == VX_GROUPS_MAX)
		return cv_fail_errno(err, -E2BIG, path, "more than %d IOMMU groups", VX_GROUPS_MAX);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return cv_fail_errno(err, -errno, path,
				     errno == EBUSY ? "the group is open elsewhere"
						    : "the group cannot be opened");
	r = check_viable(fd, path, err);
	r = r ?: attach(o, fd, path, err);
	if (r < 0)
		return r;
	o->group_ids[o->n_groups] = group;
	o->groups[o->n_groups++] = TAKE_FD(fd);
	return 0;
}

int vx_open_device(const struct vx_open *o, int group, const char *bdf, struct cv_error *err)
{
	int group_fd = find_group(o, group), fd;

	if (group_fd < 0)
		return cv_fail_errno(err, -EINVAL, bdf, "its group was not opened");
	fd = ioctl(group_fd, VFIO_GROUP_GET_DEVICE_FD, bdf);
	if (fd < 0)
		return cv_fail_errno(err, -errno, bdf, "VFIO does not hand the device over");
	/* the kernel makes it O_CLOEXEC (drivers/vfio/group.c) */
	return fd;
}

void vx_open_done(struct vx_open *o)
{
	for (size_t i = 0; i < o->n_groups; i++)
		close(o->groups[i]);
	if (o->container >= 0)
		close(o->container);
	*o = (struct vx_open){ .container = -1 };
}
