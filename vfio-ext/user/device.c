// SPDX-License-Identifier: GPL-2.0-or-later
/* One device: its regions and interrupts. */
#include <errno.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vfio-ext/user/vfio.h"

#define REGION_INFO_MAX 4096
#define IRQS_AT_ONCE 2048 /* PCI_MSIX_FLAGS_QSIZE + 1 */

_Static_assert(VX_REGIONS == VFIO_PCI_NUM_REGIONS, "regions of <linux/vfio.h>");

/* ---- what it has ---- */

static void read_areas(const struct vfio_region_info_cap_sparse_mmap *cap, size_t left,
		       struct vx_region *r)
{
	size_t room = (left - sizeof(*cap)) / sizeof(cap->areas[0]);
	size_t n = cap->nr_areas < room ? cap->nr_areas : room;

	for (size_t i = 0; i < n && r->n_areas < CV_ARRAY_SIZE(r->areas); i++)
		if (cap->areas[i].size)
			r->areas[r->n_areas++] = (struct vx_area){ cap->areas[i].offset,
								   cap->areas[i].size };
}

static void read_caps(const struct vfio_region_info *info, struct vx_region *r)
{
	uint32_t at = info->flags & VFIO_REGION_INFO_FLAG_CAPS ? info->cap_offset : 0;

	for (unsigned int guard = 0; at && guard < 16; guard++) {
		const struct vfio_info_cap_header *h;
		size_t left;

		if (at + sizeof(*h) > info->argsz)
			return;
		h = (const void *)((const uint8_t *)info + at);
		left = info->argsz - at;
		if (h->id == VFIO_REGION_INFO_CAP_SPARSE_MMAP &&
		    left >= sizeof(struct vfio_region_info_cap_sparse_mmap))
			read_areas((const void *)h, left, r);
		if (h->id == VFIO_REGION_INFO_CAP_MSIX_MAPPABLE)
			r->has_msix_mappable = true;
		at = h->next;
	}
}

static int read_region(int fd, unsigned int index, struct vx_region *ret)
{
	_cleanup_free_ struct vfio_region_info *info = calloc(1, REGION_INFO_MAX);
	struct vx_region r = { 0 };

	if (!info)
		return -ENOMEM;
	info->argsz = REGION_INFO_MAX;
	info->index = index;
	if (ioctl(fd, VFIO_DEVICE_GET_REGION_INFO, info) < 0)
		return errno == EINVAL ? 0 : -errno; /* a kernel without this region */
	if (info->argsz > REGION_INFO_MAX)
		info->argsz = REGION_INFO_MAX;
	r.size = info->size;
	r.offset = info->offset;
	r.can_read = info->flags & VFIO_REGION_INFO_FLAG_READ;
	r.can_write = info->flags & VFIO_REGION_INFO_FLAG_WRITE;
	r.can_mmap = info->flags & VFIO_REGION_INFO_FLAG_MMAP;
	read_caps(info, &r);
	*ret = r;
	return 0;
}

static int read_irq(int fd, unsigned int index, unsigned int *ret)
{
	struct vfio_irq_info info = { .argsz = sizeof(info), .index = index };

	if (ioctl(fd, VFIO_DEVICE_GET_IRQ_INFO, &info) < 0)
		return errno == EINVAL ? 0 : -errno;
	*ret = info.flags & VFIO_IRQ_INFO_EVENTFD ? info.count : 0;
	return 0;
}

int vx_device_read_info(int fd, struct vx_device *ret, struct cv_error *err)
{
	struct vfio_device_info info = { .argsz = sizeof(info) };
	struct vx_device d = { .fd = fd };
	int r = 0;

	if (ioctl(fd, VFIO_DEVICE_GET_INFO, &info) < 0)
		return cv_fail_errno(err, -errno, "VFIO_DEVICE_GET_INFO",
				     "the device does not tell what it is");
	if (!(info.flags & VFIO_DEVICE_FLAGS_PCI))
		return cv_fail(err, -EINVAL, CV_EXIT_PRECONDITION, "NO_PCI_DEVICE", "VFIO",
			       "the device is no PCI function");
	d.can_reset = info.flags & VFIO_DEVICE_FLAGS_RESET;
	/* a guest sees neither ROM nor VGA */
	for (unsigned int i = 0; i < VX_REGIONS && r == 0; i++)
		if (i != VFIO_PCI_ROM_REGION_INDEX && i != VFIO_PCI_VGA_REGION_INDEX)
			r = read_region(fd, i, &d.regions[i]);
	for (unsigned int i = 0; i < CV_ARRAY_SIZE(d.n_irqs) && r == 0; i++)
		r = read_irq(fd, i, &d.n_irqs[i]);
	if (r < 0)
		return cv_fail_errno(err, r, "VFIO", "the device does not tell what it has");
	*ret = d;
	return 0;
}

void vx_device_done(struct vx_device *d)
{
	if (d->fd >= 0)
		close(d->fd);
	d->fd = -1;
}

int vx_device_reset(struct vx_device *d)
{
	if (!d->can_reset)
		return -ENOTTY;
	return ioctl(d->fd, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

/* ---- registers ---- */

static bool is_inside(const struct vx_region *r, uint64_t offset, unsigned int len)
{
	return offset < r->size && len <= r->size - offset;
}

int vx_region_read(const struct vx_device *d, unsigned int region, uint64_t offset, void *data,
		   unsigned int len)
{
	const struct vx_region *r = &d->regions[region];
	ssize_t n;

	if (!r->can_read || !is_inside(r, offset, len))
		return -EINVAL;
	n = pread(d->fd, data, len, (off_t)(r->offset + offset));
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

int vx_region_write(const struct vx_device *d, unsigned int region, uint64_t offset,
		    const void *data, unsigned int len)
{
	const struct vx_region *r = &d->regions[region];
	ssize_t n;

	if (!r->can_write || !is_inside(r, offset, len))
		return -EINVAL;
	n = pwrite(d->fd, data, len, (off_t)(r->offset + offset));
	return n == (ssize_t)len ? 0 : n < 0 ? -errno : -EIO;
}

/* ---- interrupts ---- */

static int set_irqs(const struct vx_device *d, uint32_t flags, unsigned int irq, unsigned int start,
		    const int *fds, unsigned int n)
{
	_cleanup_free_ struct vfio_irq_set *set = calloc(1, sizeof(*set) +
								    (size_t)n * sizeof(int32_t));

	int r;

	if (!set)
		return -ENOMEM;
	set->argsz = (uint32_t)(sizeof(*set) + (fds ? n * sizeof(int32_t) : 0));
	set->flags = flags;
	set->index = irq;
	set->start = start;
	set->count = n;
	if (fds)
		memcpy(set->data, fds, n * sizeof(int32_t));
	r = ioctl(d->fd, VFIO_DEVICE_SET_IRQS, set);
	/* more than 0: so many vectors could be had, and none is on */
	return r < 0 ? -errno : r > 0 ? -ENOSPC : 0;
}

int vx_irq_set(const struct vx_device *d, unsigned int irq, unsigned int start, const int *fds,
	       unsigned int n)
{
	if (n > IRQS_AT_ONCE)
		return -EINVAL;
	if (n == 0)
		return set_irqs(d, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_TRIGGER, irq, start,
				NULL, 0);
	return set_irqs(d, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER, irq, start, fds,
			n);
}

int vx_irq_unmask_fd(const struct vx_device *d, int fd)
{
	return set_irqs(d, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_UNMASK,
			VFIO_PCI_INTX_IRQ_INDEX, 0, &fd, 1);
}

int vx_irq_unmask(const struct vx_device *d, unsigned int irq)
{
	return set_irqs(d, VFIO_IRQ_SET_DATA_NONE | VFIO_IRQ_SET_ACTION_UNMASK, irq, 0, NULL, 1);
}
