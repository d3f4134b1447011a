// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk that another program serves (Virtio 1.2 section 5.2; vhost-user-blk): its queue and its
 * configuration are the back end's, SPDK or qemu-storage-daemon. One that ends takes its disk with it; the
 * guest goes on. */
#include <errno.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/vhost.h"
#include "vmm/dev/vhost_user.h"

#define DEVICE_ID 2
#define CLASS 0x018000 /* mass storage, other */
#define QUEUES 1
#define QUEUE_SIZE 256
#define NEEDED                                                              \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)
/* What is the back end's affair alone. Left out: a cache mode that the guest could write (its configuration
 * is read once), and queues beyond the first. */
#define OFFERED                                                                                    \
	(1ULL << VIRTIO_BLK_F_SIZE_MAX | 1ULL << VIRTIO_BLK_F_SEG_MAX |                            \
	 1ULL << VIRTIO_BLK_F_GEOMETRY | 1ULL << VIRTIO_BLK_F_RO | 1ULL << VIRTIO_BLK_F_BLK_SIZE | \
	 1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_TOPOLOGY |                              \
	 1ULL << VIRTIO_BLK_F_DISCARD | 1ULL << VIRTIO_BLK_F_WRITE_ZEROES)
/* All of them up to write_zeroes_may_unmap; newer members belong to features that are not offered. */
#define CONFIG_BYTES 60U

_Static_assert(sizeof(struct virtio_blk_config) >= CONFIG_BYTES, "the header knows them");

/** struct vmm_served_disk - @is_gone: guarded by the device's lock */
struct vmm_served_disk {
	struct vmm_virtio v;
	struct vmm_virtio_ops ops;
	struct vmm_vhost *side;
	uint64_t offered; /* by the back end */
	uint8_t config[CONFIG_BYTES];
	char id[sizeof(((struct plan_disk *)NULL)->id)];
	bool is_gone;
};

static struct vmm_served_disk *disk_of(struct vmm_virtio *v)
{
	return (struct vmm_served_disk *)(void *)((char *)v - offsetof(struct vmm_served_disk, v));
}

/* ---- the device ---- */

static int activate(struct vmm_virtio *v)
{
	struct vmm_served_disk *d = disk_of(v);

	if (d->is_gone)
		return -ENOTCONN;
	return vmm_vhost_start(d->side, v, 0, QUEUES, v->features & d->offered);
}

static void reset(struct vmm_virtio *v)
{
	vmm_vhost_stop(disk_of(v)->side, v, 0, QUEUES);
}

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	memcpy(data, disk_of(v)->config + offset, len);
}

/* In the loop's thread. */
static void on_gone(void *ctx)
{
	struct vmm_served_disk *d = ctx;

	vmm_virtio_lock(&d->v);
	vmm_log("%s: who serves it has ended: the guest can neither read nor write it any more",
		d->id);
	d->is_gone = true;
	vmm_virtio_broken(&d->v, "its back end has hung up");
	vmm_virtio_unlock(&d->v);
}

/* ---- making it ---- */

static int fail_pieces(const char *id, size_t n, struct cv_error *err)
{
	cv_fail(err, -E2BIG, CV_EXIT_PRECONDITION, "TOO_MANY_PIECES", id,
		"who serves the disk cannot be shown all of the guest's memory");
	cv_error_found(err, "%zu pieces of memory", n);
	cv_error_wanted(err, "%d at most", VHOST_USER_REGIONS_MAX);
	cv_error_hint(err, "take the guest from fewer NUMA nodes");
	return -E2BIG;
}

/* Size, blocks and limits: only the back end knows them. */
static int read_config(struct vmm_served_disk *d, struct cv_error *err)
{
	int r = vmm_vhost_user_config(d->side, d->config, sizeof(d->config));

	if (r == 0)
		return 0;
	cv_fail_errno(err, r, d->id, "the back end does not tell the size of the disk");
	cv_error_wanted(err, "a vhost-user-blk back end, with VHOST_USER_PROTOCOL_F_CONFIG");
	cv_error_hint(err, "look at what the back end logs: it may serve no disk");
	return r;
}

static int make_device(struct vmm_served_disk *d, const struct vmm_virtio_env *env,
		       const struct plan_disk *p, struct cv_error *err)
{
	d->ops = (struct vmm_virtio_ops){
		.name = "virtio-blk",
		.id = DEVICE_ID,
		.class_rev = CLASS << 8,
		.features = d->offered & OFFERED,
		.n_queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(d->config),
		.config_read = config_read,
		.activate = activate,
		.reset = reset,
	};
	return vmm_virtio_add(&d->v, &d->ops, env, p->guest, QUEUES, err);
}

int vmm_served_disk_new(const struct vmm_virtio_env *env, const struct plan_disk *p, int fd,
			struct vmm_served_disk **ret, struct cv_error *err)
{
	_cleanup_close_ int owned = fd;
	struct vmm_served_disk *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return cv_fail_errno(err, -ENOMEM, p->id, "cannot make the disk");
	snprintf(d->id, sizeof(d->id), "%s", p->id);
	r = env->memory->n > VHOST_USER_REGIONS_MAX ? fail_pieces(p->id, env->memory->n, err) : 0;
	r = r ?: vmm_vhost_user_new(d->id, TAKE_FD(owned), env->loop, on_gone, d, &d->side, err);
	r = r ?: vmm_vhost_needs(d->side, NEEDED, &d->offered, err);
	r = r ?: read_config(d, err);
	r = r ?: make_device(d, env, p, err);
	if (r < 0) {
		vmm_served_disk_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

void vmm_served_disk_free(struct vmm_served_disk *d)
{
	vmm_virtio_done(&d->v);
	vmm_vhost_free(d->side);
	free(d);
}
