// SPDX-License-Identifier: GPL-2.0-or-later
/* DMA mappings of a type 1 container. */
#include <errno.h>
#include <linux/vfio.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>

#include "base/cleanup.h"
#include "vfio-ext/user/vfio.h"

#define INFO_MAX 65536

/**
 * struct vx_space - the facts, and the container they are about; borrowed
 * @lock: of what @facts says of mappings: BARs are mapped by any thread
 */
struct vx_space {
	int container;
	pthread_mutex_t lock;
	struct vx_space_facts facts;
};

/* ---- what the IOMMU can do ---- */

static void read_ranges(const struct vfio_iommu_type1_info_cap_iova_range *cap, size_t left,
			struct vx_space_facts *f)
{
	size_t room = (left - sizeof(*cap)) / sizeof(cap->iova_ranges[0]);
	size_t n = cap->nr_iovas < room ? cap->nr_iovas : room;

	for (size_t i = 0; i < n && f->n_iova < CV_ARRAY_SIZE(f->iova); i++)
		f->iova[f->n_iova++] = (struct vx_iova){ cap->iova_ranges[i].start,
							 cap->iova_ranges[i].end };
}

/* Capabilities are a list of offsets in the answer (<linux/vfio.h>, struct vfio_info_cap_header). */
static void read_caps(const struct vfio_iommu_type1_info *info, struct vx_space_facts *f)
{
	uint32_t at = info->flags & VFIO_IOMMU_INFO_CAPS ? info->cap_offset : 0;
	size_t left;

	for (unsigned int guard = 0; at && guard < 16; guard++) {
		const struct vfio_info_cap_header *h;

		if (at + sizeof(*h) > info->argsz)
			return;
		h = (const void *)((const uint8_t *)info + at);
		left = info->argsz - at;
		if (h->id == VFIO_IOMMU_TYPE1_INFO_CAP_IOVA_RANGE &&
		    left >= sizeof(struct vfio_iommu_type1_info_cap_iova_range))
			read_ranges((const void *)h, left, f);
		if (h->id == VFIO_IOMMU_TYPE1_INFO_DMA_AVAIL &&
		    left >= sizeof(struct vfio_iommu_type1_info_dma_avail))
			f->dma_avail =
				((const struct vfio_iommu_type1_info_dma_avail *)(const void *)h)
					->avail;
		at = h->next;
	}
}

static int read_info(struct vx_space *s, struct cv_error *err)
{
	_cleanup_free_ struct vfio_iommu_type1_info *info = calloc(1, INFO_MAX);

	if (!info)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot ask the IOMMU");
	info->argsz = INFO_MAX;
	if (ioctl(s->container, VFIO_IOMMU_GET_INFO, info) < 0)
		return cv_fail_errno(err, -errno, "VFIO_IOMMU_GET_INFO",
				     "the IOMMU does not tell what it can do");
	if (info->argsz > INFO_MAX)
		info->argsz = INFO_MAX;
	s->facts.page_sizes = info->iova_pgsizes;
	read_caps(info, &s->facts);
	return 0;
}

int vx_space_new(int container, struct vx_space **ret, struct cv_error *err)
{
	struct vx_space *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot make the DMA address space");
	s->container = container;
	s->facts.kind = "type1v2";
	pthread_mutex_init(&s->lock, NULL);
	r = read_info(s, err);
	if (r < 0) {
		vx_space_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* What is mapped stays so until the container is closed: that undoes all of it at once. */
void vx_space_free(struct vx_space *s)
{
	if (!s)
		return;
	pthread_mutex_destroy(&s->lock);
	free(s);
}

const struct vx_space_facts *vx_space_facts(struct vx_space *s)
{
	return &s->facts;
}

/* ---- mappings ---- */

static bool is_in_a_range(const struct vx_space_facts *f, uint64_t start, uint64_t size)
{
	for (size_t i = 0; i < f->n_iova; i++)
		if (start >= f->iova[i].start && start <= f->iova[i].end &&
		    size - 1 <= f->iova[i].end - start)
			return true;
	return f->n_iova == 0;
}

static int fail_range(uint64_t iova, uint64_t size, struct cv_error *err)
{
	cv_fail(err, -EINVAL, CV_EXIT_PRECONDITION, "IOVA_RESERVED", "DMA",
		"the IOMMU cannot map these addresses");
	cv_error_found(err, "0x%llx-0x%llx", (unsigned long long)iova,
		       (unsigned long long)(iova + size - 1));
	cv_error_hint(err, "the memory map of the plan does not fit the devices: plan again");
	return -EINVAL;
}

static int fail_memlock(uint64_t size, const struct vx_space_facts *f, struct cv_error *err)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_MEMLOCK, &limit);
	cv_fail(err, -ENOMEM, CV_EXIT_PRECONDITION, "MEMLOCK", "DMA",
		"the guest's memory cannot be pinned");
	cv_error_found(err, "RLIMIT_MEMLOCK of %llu bytes, %llu pinned",
		       (unsigned long long)limit.rlim_cur, (unsigned long long)f->mapped);
	cv_error_wanted(err, "%llu bytes more", (unsigned long long)size);
	return -ENOMEM;
}

static int fail_entries(const struct vx_space_facts *f, struct cv_error *err)
{
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "DMA_ENTRY_LIMIT", "DMA",
		"VFIO allows no more mappings");
	cv_error_found(err, "%u mapped", f->maps - f->unmaps);
	cv_error_hint(err, "options vfio_iommu_type1 dma_entry_limit=65535 in /etc/modprobe.d");
	return -ENOSPC;
}

static int map_locked(struct vx_space *s, uint64_t iova, void *host, uint64_t size,
		      bool is_writable, struct cv_error *err)
{
	struct vfio_iommu_type1_dma_map map = {
		.argsz = sizeof(map),
		.flags = VFIO_DMA_MAP_FLAG_READ | (is_writable ? VFIO_DMA_MAP_FLAG_WRITE : 0),
		.vaddr = (uintptr_t)host,
		.iova = iova,
		.size = size,
	};

	if (size == 0 || !is_in_a_range(&s->facts, iova, size))
		return fail_range(iova, size, err);
	if (ioctl(s->container, VFIO_IOMMU_MAP_DMA, &map) == 0) {
		s->facts.maps++;
		s->facts.mapped += size;
		return 0;
	}
	if (errno == ENOMEM)
		return fail_memlock(size, &s->facts, err);
	if (errno == ENOSPC)
		return fail_entries(&s->facts, err);
	return cv_fail_errno(err, -errno, "VFIO_IOMMU_MAP_DMA", "memory cannot be mapped for DMA");
}

int vx_space_map(struct vx_space *s, uint64_t iova, void *host, uint64_t size, bool is_writable,
		 struct cv_error *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = map_locked(s, iova, host, size, is_writable, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}

static int unmap_locked(struct vx_space *s, uint64_t iova, uint64_t size, struct cv_error *err)
{
	struct vfio_iommu_type1_dma_unmap unmap = { .argsz = sizeof(unmap),
						    .iova = iova,
						    .size = size };

	if (ioctl(s->container, VFIO_IOMMU_UNMAP_DMA, &unmap) < 0)
		return cv_fail_errno(err, -errno, "VFIO_IOMMU_UNMAP_DMA",
				     "memory cannot be taken from DMA");
	s->facts.unmaps++;
	s->facts.mapped -= unmap.size < s->facts.mapped ? unmap.size : s->facts.mapped;
	return 0;
}

int vx_space_unmap(struct vx_space *s, uint64_t iova, uint64_t size, struct cv_error *err)
{
	int r;

	pthread_mutex_lock(&s->lock);
	r = unmap_locked(s, iova, size, err);
	pthread_mutex_unlock(&s->lock);
	return r;
}
