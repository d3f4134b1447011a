/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VFIO as a VMM needs it (Linux Documentation/driver-api/vfio.rst, <linux/vfio.h>): an address space of
 * DMA mappings, and devices in it. Type 1 containers now; cdev and iommufd behind the same interface
 * where the kernel has them. */
#ifndef CARVE_VFIO_H
#define CARVE_VFIO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/* ---- the launcher's side: root, before the VMM is started ---- */

#define VX_GROUPS_MAX 64

/**
 * struct vx_open - descriptors that the launcher opened and the VMM inherits
 * @container: /dev/vfio/vfio with an IOMMU of type 1 v2 set, -1: none needed
 * @groups:    /dev/vfio/GROUP, attached to the container
 */
struct vx_open {
	int container;
	int groups[VX_GROUPS_MAX];
	int group_ids[VX_GROUPS_MAX];
	size_t n_groups;
};

/** vx_open_group() - open @group once, attach it; the container is made with the first one.
 * Return: 0, -EBUSY (open elsewhere), -EPERM (not viable), -errno. */
int vx_open_group(struct vx_open *o, int group, struct cv_error *err);
/** vx_open_device() - descriptor of function @bdf ("0000:81:00.0") of an opened group; resets it.
 * Context: several threads at once. Return: fd, -errno. */
int vx_open_device(const struct vx_open *o, int group, const char *bdf, struct cv_error *err);
void vx_open_done(struct vx_open *o);

/* ---- DMA ---- */

struct vx_space;

/** struct vx_space_facts - what was found out */
struct vx_space_facts {
	const char *kind; /* "type1v2", "iommufd" */
	uint64_t page_sizes;
	unsigned int dma_avail; /* mappings left, 0 unknown */
	struct vx_iova {
		uint64_t start, end; /* @end inclusive */
	} iova[64];
	size_t n_iova;
	uint64_t mapped; /* bytes */
	unsigned int maps, unmaps;
};

/** vx_space_new() - @container is borrowed. Return: 0, -errno with @err. */
int vx_space_new(int container, struct vx_space **ret, struct cv_error *err);
/** vx_space_free() - NULL is allowed. */
void vx_space_free(struct vx_space *s);
/**
 * vx_space_map() - [@iova, @iova + @size) is @host
 * Context: any thread, as vx_space_unmap().
 * Return: 0; -ENOSPC with @err (dma_entry_limit); -ENOMEM (RLIMIT_MEMLOCK: found, wanted); -EINVAL (not in
 * an IOVA range of the IOMMU); -errno.
 */
int vx_space_map(struct vx_space *s, uint64_t iova, void *host, uint64_t size, bool is_writable,
		 struct cv_error *err);
int vx_space_unmap(struct vx_space *s, uint64_t iova, uint64_t size, struct cv_error *err);
const struct vx_space_facts *vx_space_facts(struct vx_space *s);

/* ---- devices ---- */

/** struct vx_region - one region of the device */
struct vx_region {
	uint64_t size, offset; /* @offset in the device's descriptor */
	bool can_read, can_write, can_mmap;
	struct vx_area {
		uint64_t offset, size;
	} areas[16]; /* that may be mapped; all of it when n_areas is 0 */
	size_t n_areas;
	bool has_msix_mappable;
};

#define VX_REGIONS 9 /* BAR 0-5, ROM, configuration space, VGA */

struct vx_device {
	int fd;
	bool can_reset;
	unsigned int n_irqs[5]; /* INTx, MSI, MSI-X, error, request */
	struct vx_region regions[VX_REGIONS];
};

/** vx_device_read_info() - all but ROM and VGA; @fd is owned by @ret afterwards. Return: 0, -errno. */
int vx_device_read_info(int fd, struct vx_device *ret, struct cv_error *err);
void vx_device_done(struct vx_device *d);
/** vx_device_reset() - VFIO_DEVICE_RESET. Return: 0, -ENOTTY, -errno. */
int vx_device_reset(struct vx_device *d);
/** vx_region_read(), vx_region_write() - of @region. Return: 0, -errno. */
int vx_region_read(const struct vx_device *d, unsigned int region, uint64_t offset, void *data,
		   unsigned int len);
int vx_region_write(const struct vx_device *d, unsigned int region, uint64_t offset,
		    const void *data, unsigned int len);
/** vx_irq_set() - vectors [@start, @start + @n) of index @irq raise @fds (-1: none); n 0: all off.
 * Return: 0, -errno. */
int vx_irq_set(const struct vx_device *d, unsigned int irq, unsigned int start, const int *fds,
	       unsigned int n);
/** vx_irq_unmask_fd() - INTx is unmasked when @fd is written (the guest's EOI). */
int vx_irq_unmask_fd(const struct vx_device *d, int fd);
int vx_irq_unmask(const struct vx_device *d, unsigned int irq);

#endif
