// SPDX-License-Identifier: GPL-2.0-or-later
/* Requests of virtio-blk (Virtio 1.2 section 5.2.6) on a raw file or a block device. Buffers are the
 * guest's memory itself; every place comes from the guest and is checked. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/virtio_blk.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/virtio_blk.h"

#define HEADER sizeof(struct virtio_blk_outhdr)
#define ZEROES 65536

/* ---- what is behind it ---- */

static int device_sizes(struct vblk_file *f)
{
	unsigned int physical = 0, min_io = 0, opt_io = 0;
	uint64_t bytes;
	int block;

	if (ioctl(f->fd, BLKGETSIZE64, &bytes) < 0 || ioctl(f->fd, BLKSSZGET, &block) < 0)
		return -errno;
	f->size = bytes;
	f->block = (uint32_t)block;
	/* hints */
	if (ioctl(f->fd, BLKPBSZGET, &physical) == 0)
		f->physical = physical;
	if (ioctl(f->fd, BLKIOMIN, &min_io) == 0)
		f->min_io = min_io;
	if (ioctl(f->fd, BLKIOOPT, &opt_io) == 0)
		f->opt_io = opt_io;
	return 0;
}

/* A file that is opened past the page cache is read in the blocks of its file system. */
static uint32_t file_block(int fd, uint32_t st_blksize)
{
	int flags = fcntl(fd, F_GETFL);
	struct statx sx = { .stx_mask = 0 };

	if (flags < 0 || !(flags & O_DIRECT))
		return VBLK_SECTOR;
#ifdef STATX_DIOALIGN
	if (statx(fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &sx) == 0 &&
	    sx.stx_mask & STATX_DIOALIGN && sx.stx_dio_offset_align)
		return sx.stx_dio_offset_align;
#endif
	return st_blksize > VBLK_SECTOR && st_blksize <= 4096 ? st_blksize : VBLK_SECTOR;
}

static bool is_block_size(uint32_t n)
{
	return n >= VBLK_SECTOR && n <= 65536 && (n & (n - 1)) == 0;
}

static int find_sizes(struct vblk_file *f)
{
	struct stat st;
	int r = 0;

	if (fstat(f->fd, &st) < 0)
		return -errno;
	f->is_device = S_ISBLK(st.st_mode);
	if (!f->is_device && !S_ISREG(st.st_mode))
		return -ENOTBLK;
	if (f->is_device) {
		r = device_sizes(f);
	} else {
		f->size = (uint64_t)st.st_size;
		f->block = file_block(f->fd, (uint32_t)st.st_blksize);
		f->discard_align = (uint32_t)st.st_blksize;
	}
	if (!is_block_size(f->block))
		f->block = VBLK_SECTOR;
	if (!is_block_size(f->physical) || f->physical < f->block)
		f->physical = f->block;
	if (f->discard_align < f->block || f->discard_align % f->block)
		f->discard_align = f->block;
	f->size -= f->size % f->block;
	return r;
}

static bool is_writable(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags >= 0 && (flags & O_ACCMODE) == O_RDWR;
}

int vblk_file_open(const struct vmm_disk *disk, struct vblk_file *ret, struct cv_error *err)
{
	struct vblk_file f = {
		.name = disk->id,
		.fd = disk->fd,
		.is_readonly = disk->is_readonly,
		.has_discard = disk->has_discard && !disk->is_readonly,
	};
	int r = find_sizes(&f);

	if (r < 0) {
		cv_fail_errno(err, r, disk->id,
			      "the disk is no file and no block device that can be used");
		cv_error_wanted(err, "a raw file or a block device");
		return r;
	}
	if (!f.is_readonly && !is_writable(f.fd)) {
		cv_fail_errno(err, -EROFS, disk->id, "the disk cannot be written to");
		cv_error_wanted(err, "a descriptor that is open for reading and writing");
		cv_error_hint(err,
			      "make the disk read-only, or allow the VM's user to write to it");
		return -EROFS;
	}
	if (f.size == 0) {
		cv_fail_errno(err, -EINVAL, disk->id, "the disk is empty");
		cv_error_wanted(err, "at least one block of %u bytes", f.block);
		return -EINVAL;
	}
	if (disk->serial)
		memcpy(f.serial, disk->serial, strnlen(disk->serial, sizeof(f.serial)));
	*ret = f;
	return 0;
}

/* ---- a part of a request's buffers ---- */

/** struct part - some bytes of some of them */
struct part {
	struct iovec iov[VMM_CHAIN_MAX];
	unsigned int n, at; /* [@at, @n) are left */
};

static void take_part(const struct iovec *iov, unsigned int n, uint64_t skip, uint64_t len,
		      struct part *ret)
{
	ret->n = ret->at = 0;
	for (unsigned int i = 0; i < n && len > 0; i++) {
		uint64_t there;

		if (skip >= iov[i].iov_len) {
			skip -= iov[i].iov_len;
			continue;
		}
		there = iov[i].iov_len - skip;
		if (there > len)
			there = len;
		ret->iov[ret->n++] = (struct iovec){ (uint8_t *)iov[i].iov_base + skip, there };
		skip = 0;
		len -= there;
	}
}

static void advance(struct part *p, size_t len)
{
	while (len > 0) {
		struct iovec *v = &p->iov[p->at];
		size_t n = len < v->iov_len ? len : v->iov_len;

		v->iov_base = (uint8_t *)v->iov_base + n;
		v->iov_len -= n;
		len -= n;
		if (v->iov_len == 0)
			p->at++;
	}
}

/* ---- what went wrong ---- */

static bool is_first(struct vblk_file *f, enum vblk_warning w)
{
	return !(__atomic_fetch_or(&f->warned, (unsigned int)w, __ATOMIC_RELAXED) &
		 (unsigned int)w);
}

static uint8_t status_of(struct vblk_file *f, int r)
{
	if (r >= 0)
		return VIRTIO_BLK_S_OK;
	if (r == -EOPNOTSUPP)
		return VIRTIO_BLK_S_UNSUPP;
	if (r == -ENOSPC || r == -EDQUOT || r == -EFBIG) {
		if (is_first(f, VBLK_IS_FULL))
			vmm_log("disk %s: there is no room left on the host for what the guest writes: "
				"I/O errors for the guest",
				f->name);
	} else if (r == -ENODATA) {
		if (is_first(f, VBLK_IS_SHORTER))
			vmm_log("disk %s: became shorter than the %llu bytes that the guest knows: I/O "
				"errors for the guest",
				f->name, (unsigned long long)f->size);
	} else if (r != -ERANGE && r != -EROFS && is_first(f, VBLK_HAS_FAILED)) {
		vmm_log("disk %s: %s: I/O errors for the guest", f->name, strerror(-r));
	}
	return VIRTIO_BLK_S_IOERR;
}

/* ---- the verbs; each returns 0 or -errno: -ERANGE the guest's fault, -ENODATA the file is too short ---- */

static int check_place(const struct vblk_file *f, uint64_t sector, uint64_t len)
{
	if (sector > f->size / VBLK_SECTOR || len > f->size - sector * VBLK_SECTOR ||
	    len % VBLK_SECTOR)
		return -ERANGE;
	return 0;
}

/* A write behind the end of a file that was cut would make it longer again, and hide what is lost. */
static int check_end(const struct vblk_file *f, uint64_t end)
{
	struct stat st;

	if (f->is_device)
		return 0;
	if (fstat(f->fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size < end ? -ENODATA : 0;
}

static int move(const struct vblk_file *f, struct part *p, uint64_t at, bool is_write)
{
	while (p->at < p->n) {
		const struct iovec *iov = &p->iov[p->at];
		int left = (int)(p->n - p->at);
		ssize_t n = is_write ? pwritev(f->fd, iov, left, (off_t)at)
				     : preadv(f->fd, iov, left, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -ENODATA;
		advance(p, (size_t)n);
		at += (uint64_t)n;
	}
	return 0;
}

static int flush(const struct vblk_file *f)
{
	return f->is_readonly || fdatasync(f->fd) == 0 ? 0 : -errno;
}

/** struct request - @n_in and @in_len without the status byte */
struct request {
	const struct vmm_chain *c;
	struct virtio_blk_outhdr h;
	uint64_t out_len, in_len; /* of data */
	uint64_t written;	  /* to the guest */
	bool write_through;
};

static int do_read(struct vblk_file *f, struct request *q)
{
	int r = check_place(f, q->h.sector, q->in_len);
	struct part p;

	if (r < 0)
		return r;
	take_part(q->c->iov + q->c->n_out, q->c->n_in, 0, q->in_len, &p);
	r = move(f, &p, q->h.sector * VBLK_SECTOR, false);
	q->written = r < 0 ? 0 : q->in_len;
	return r;
}

static int do_write(struct vblk_file *f, struct request *q)
{
	uint64_t at = q->h.sector * VBLK_SECTOR;
	int r = f->is_readonly ? -EROFS : check_place(f, q->h.sector, q->out_len);
	struct part p;

	r = r ?: check_end(f, at + q->out_len);
	if (r < 0)
		return r;
	take_part(q->c->iov, q->c->n_out, HEADER, q->out_len, &p);
	r = move(f, &p, at, true);
	return r < 0 || !q->write_through ? r : flush(f);
}

static int do_flush(struct vblk_file *f, struct request *q)
{
	return flush(f);
}

static int do_id(struct vblk_file *f, struct request *q)
{
	q->written = q->in_len < VBLK_ID_BYTES ? q->in_len : VBLK_ID_BYTES;
	vmm_chain_write(q->c, 0, f->serial, q->written);
	return 0;
}

/* ---- discard and write zeroes ---- */

static int discard(const struct vblk_file *f, uint64_t at, uint64_t len, bool may_unmap)
{
	uint64_t range[2] = { at, len };

	if (f->is_device)
		return ioctl(f->fd, BLKDISCARD, range) < 0 ? -errno : 0;
	return fallocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) <
			       0
		       ? -errno
		       : 0;
}

static int write_zeroes(const struct vblk_file *f, uint64_t at, uint64_t len)
{
	static const uint8_t zeroes[ZEROES] __attribute__((aligned(4096)));

	while (len > 0) {
		size_t part = len < ZEROES ? len : ZEROES;
		ssize_t n = pwrite(f->fd, zeroes, part, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		at += (uint64_t)n;
		len -= (uint64_t)n;
	}
	return 0;
}

/* What the file system cannot do at once is written. */
static int zero(const struct vblk_file *f, uint64_t at, uint64_t len, bool may_unmap)
{
	uint64_t range[2] = { at, len };
	int mode = may_unmap && f->has_discard ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE;

	if (f->is_device)
		return ioctl(f->fd, BLKZEROOUT, range) < 0 ? -errno : 0;
	if (fallocate(f->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t)at, (off_t)len) == 0)
		return 0;
	return errno == EOPNOTSUPP ? write_zeroes(f, at, len) : -errno;
}

/** struct kind - what is done with each range, and what it may ask for */
struct kind {
	uint32_t max, flags;
	int (*apply)(const struct vblk_file *f, uint64_t at, uint64_t len, bool may_unmap);
};

static const struct kind kind_discard = { VBLK_DISCARD_SECTORS, 0, discard };
static const struct kind kind_zeroes = { VBLK_ZEROES_SECTORS, VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP,
					 zero };

static int do_range(const struct vblk_file *f, const struct kind *k,
		    const struct virtio_blk_discard_write_zeroes *d)
{
	uint64_t len = (uint64_t)d->num_sectors * VBLK_SECTOR;
	bool may_unmap = d->flags & VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	int r = check_place(f, d->sector, len);

	if (d->flags & ~k->flags)
		return -EOPNOTSUPP;
	if (r < 0 || d->num_sectors > k->max)
		return -ERANGE;
	r = check_end(f, d->sector * VBLK_SECTOR + len);
	if (r < 0 || len == 0)
		return r;
	return k->apply(f, d->sector * VBLK_SECTOR, len, may_unmap);
}

static int do_ranges(struct vblk_file *f, struct request *q, const struct kind *k)
{
	struct virtio_blk_discard_write_zeroes d;
	int r = 0;

	if (f->is_readonly)
		return -EROFS;
	if (q->out_len == 0 || q->out_len % sizeof(d) || q->out_len / sizeof(d) > VBLK_RANGES)
		return -ERANGE;
	for (uint64_t at = 0; at < q->out_len && r == 0; at += sizeof(d)) {
		vmm_chain_read(q->c, HEADER + at, &d, sizeof(d));
		r = do_range(f, k, &d);
	}
	return r < 0 || !q->write_through ? r : flush(f);
}

static int do_discard(struct vblk_file *f, struct request *q)
{
	return f->has_discard ? do_ranges(f, q, &kind_discard) : -EOPNOTSUPP;
}

static int do_zeroes(struct vblk_file *f, struct request *q)
{
	return do_ranges(f, q, &kind_zeroes);
}

/* ---- one request ---- */

static const struct {
	uint32_t type;
	int (*verb)(struct vblk_file *f, struct request *q);
} verbs[] = {
	{ VIRTIO_BLK_T_IN, do_read },	      { VIRTIO_BLK_T_OUT, do_write },
	{ VIRTIO_BLK_T_FLUSH, do_flush },     { VIRTIO_BLK_T_GET_ID, do_id },
	{ VIRTIO_BLK_T_DISCARD, do_discard }, { VIRTIO_BLK_T_WRITE_ZEROES, do_zeroes },
};

static int run_verb(struct vblk_file *f, struct request *q)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(verbs); i++)
		if (verbs[i].type == q->h.type)
			return verbs[i].verb(f, q);
	return -EOPNOTSUPP;
}

int64_t vblk_file_do(struct vblk_file *f, const struct vmm_chain *c, bool write_through)
{
	struct request q = { .c = c, .write_through = write_through };
	uint8_t status;
	int r = -ERANGE;

	if (c->in_len == 0)
		return -EPROTO;
	q.in_len = c->in_len - 1;
	if (vmm_chain_read(c, 0, &q.h, sizeof(q.h)) == sizeof(q.h)) {
		q.out_len = c->out_len - HEADER;
		r = run_verb(f, &q);
	}
	status = status_of(f, r);
	vmm_chain_write(c, q.in_len, &status, 1);
	return (int64_t)q.written + 1;
}
