/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the two halves of virtio-blk: the device, and what a request does to the file behind it. Not a
 * public header of vmm/dev. */
#ifndef CARVE_VMM_VIRTIO_BLK_H
#define CARVE_VMM_VIRTIO_BLK_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/dev/devices.h"

#define VBLK_SECTOR 512U
#define VBLK_ID_BYTES 20
/* A request's buffers, less its header and status; a buffer across two nodes counts twice. */
#define VBLK_SEGMENTS 126
#define VBLK_RANGES 64			/* of one discard */
#define VBLK_DISCARD_SECTORS (1U << 22) /* of a range: 2 GiB */
#define VBLK_ZEROES_SECTORS (1U << 17)	/* of a range: 64 MiB, that may have to be written */

/** enum vblk_warning - what is logged once for each disk */
enum vblk_warning { VBLK_IS_FULL = 1, VBLK_IS_SHORTER = 2, VBLK_HAS_FAILED = 4 };

/** struct vblk_file - a raw file or block device; constant but @warned */
struct vblk_file {
	const char *name;
	int fd;
	bool is_device, is_readonly, has_discard;
	char serial[VBLK_ID_BYTES];				 /* padded with NUL */
	uint64_t size;						 /* bytes, whole sectors */
	uint32_t block, physical, min_io, opt_io, discard_align; /* bytes */
	unsigned int warned;					 /* atomic */
};

/** vblk_file_open() - sizes of @disk->fd; nothing is owned. Return: 0, -errno with @err. */
int vblk_file_open(const struct vmm_disk *disk, struct vblk_file *ret, struct cv_error *err);
/**
 * vblk_file_do() - one request; its status byte is written last
 * @write_through: a write is on the medium when it returns (the driver knows no flush)
 * Context: any thread. Return: bytes written to the request, status byte included; -EPROTO: it has no
 * place for a status.
 */
int64_t vblk_file_do(struct vblk_file *f, const struct vmm_chain *c, bool write_through);

#endif
