// SPDX-License-Identifier: GPL-2.0-or-later
/* The disks of a plan: opened, locked, and made virtio devices. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/dev/devices.h"

#define QUEUES_MAX 4 /* of a disk */

/* Bytes of an image that QEMU locks (block/file-posix.c): 100 and up for what a user does to it, 200 and
 * up for what it suffers no other to do; the second of each is writing. */
#define BYTE_WRITES 101
#define BYTE_NO_WRITES 201

/** struct vmm_disks - of each place one of both, the first @n are made */
struct vmm_disks {
	struct vmm_vblk *disks[PLAN_MAX_DISKS];
	struct vmm_served_disk *served[PLAN_MAX_DISKS];
	size_t n;
};

CV_DEFINE_CLEANUP(struct vmm_disks *, vmm_disks_free)

static int fail_busy(const struct plan_disk *d, struct cv_error *err)
{
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "DISK_BUSY", d->path, "somebody else uses the disk");
	cv_error_found(err, "another lock on it, or a mount");
	cv_error_wanted(err, d->is_readonly ? "nobody who writes to it" : "nobody else");
	cv_error_hint(err, "end the other program, or make the disk readonly: true for both");
	return -EBUSY;
}

/* Open file description locks: they go with the descriptor, and count between programs of one user. */
static int lock_byte(int fd, short type, off_t byte, off_t len)
{
	struct flock l = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = len };

	return fcntl(fd, F_OFD_SETLK, &l) < 0 ? -errno : 0;
}

static bool is_written(int fd)
{
	struct flock l = {
		.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = BYTE_WRITES, .l_len = 1
	};

	return fcntl(fd, F_OFD_GETLK, &l) == 0 && l.l_type != F_UNLCK;
}

/* A file system that knows no locks is no reason to stop. */
static int lock(const struct plan_disk *d, int fd, struct cv_error *err)
{
	int r = d->is_readonly ? lock_byte(fd, F_RDLCK, BYTE_NO_WRITES, 1)
			       : lock_byte(fd, F_WRLCK, 0, 0);

	if (r == -EAGAIN || r == -EACCES || (r == 0 && d->is_readonly && is_written(fd)))
		return fail_busy(d, err);
	return 0;
}

/* Without O_NONBLOCK a FIFO would be waited for. */
static int open_disk(const struct plan_disk *d, int *ret_fd, struct cv_error *err)
{
	int access = d->is_readonly ? O_RDONLY : O_RDWR | O_EXCL;
	_cleanup_close_ int fd = open(d->path, access | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	int r;

	if (fd < 0 && errno == EBUSY)
		return fail_busy(d, err);
	if (fd < 0)
		return cv_fail_errno(err, -errno, d->path, "cannot open the disk");
	r = lock(d, fd, err);
	if (r == 0)
		*ret_fd = TAKE_FD(fd);
	return r;
}

static int add_disk(const struct vmm_virtio_env *env, const struct plan *p, size_t i,
		    struct vmm_vblk **ret, struct cv_error *err)
{
	const struct plan_disk *d = &p->disks[i];
	struct vmm_disk disk = {
		.id = d->id,
		.serial = d->serial[0] ? d->serial : NULL,
		.is_readonly = d->is_readonly,
		.has_discard = d->has_discard,
		.n_queues = p->n_vcpus < QUEUES_MAX ? (unsigned int)p->n_vcpus : QUEUES_MAX,
	};
	int r = open_disk(d, &disk.fd, err);

	return r ?: vmm_vblk_new(env, d->guest.dev, &disk, ret, err);
}

static int add_served(const struct vmm_virtio_env *env, const struct plan_disk *d,
		      const struct plan_link *link, struct vmm_served_disk **ret,
		      struct cv_error *err)
{
	if (link && link->n == 1)
		return vmm_served_disk_new(env, d, link->fds[0], ret, err);
	cv_fail(err, -ENOENT, CV_EXIT_USAGE, "NO_DESCRIPTOR", d->id,
		"the socket of the disk was not handed over");
	cv_error_wanted(err, "--link %s=FD", d->id);
	cv_error_hint(err, "start the guest with carve run");
	return -ENOENT;
}

int vmm_disks_new(const struct vmm_virtio_env *env, const struct plan *p,
		  const struct plan_link *links, size_t n_links, struct vmm_disks **ret,
		  struct cv_error *err)
{
	_cleanup_(vmm_disks_freep) struct vmm_disks *d = calloc(1, sizeof(*d));
	int r = d ? 0 : cv_fail_errno(err, -ENOMEM, NULL, "cannot make the disks");

	for (size_t i = 0; i < p->n_disks && r == 0; i++) {
		if (p->disks[i].is_vhost_user)
			r = add_served(env, &p->disks[i],
				       plan_find_link(links, n_links, p->disks[i].id),
				       &d->served[i], err);
		else
			r = add_disk(env, p, i, &d->disks[i], err);
		if (r == 0)
			d->n++;
	}
	if (r < 0)
		return r;
	*ret = TAKE_PTR(d);
	return 0;
}

void vmm_disks_free(struct vmm_disks *d)
{
	for (size_t i = 0; i < d->n; i++) {
		if (d->served[i])
			vmm_served_disk_free(d->served[i]);
		else
			vmm_vblk_free(d->disks[i]);
	}
	free(d);
}
