// SPDX-License-Identifier: GPL-2.0-or-later
/* Sockets between host and guest (Virtio 1.2 section 5.10): the kernel serves the two queues of data. The
 * third is for events, of which there are none: a guest is never moved while it runs. */
#include <errno.h>
#include <linux/vhost.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <linux/virtio_vsock.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "plan/plan.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/vhost.h"

#define DEVICE_ID 19
#define CLASS 0x078000 /* communication controller, other */
#define QUEUES 3
#define QUEUES_OF_DATA 2
#define QUEUE_SIZE 128
#define NEEDED                                                              \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)

struct vmm_vsock {
	struct vmm_virtio v;
	struct vmm_virtio_ops ops;
	struct vmm_vhost *side;
	uint64_t offered; /* by @side */
	uint64_t cid;
	bool is_running;
};

static struct vmm_vsock *vsock_of(struct vmm_virtio *v)
{
	return (struct vmm_vsock *)(void *)((char *)v - offsetof(struct vmm_vsock, v));
}

static int set_running(struct vmm_vsock *s, int is_running)
{
	if (ioctl(s->side->fd, VHOST_VSOCK_SET_RUNNING, &is_running) < 0)
		return -errno;
	s->is_running = is_running;
	return 0;
}

static void reset(struct vmm_virtio *v)
{
	struct vmm_vsock *s = vsock_of(v);

	if (s->is_running)
		(void)set_running(s, 0);
	vmm_vhost_stop(s->side, v, 0, QUEUES_OF_DATA);
}

static int activate(struct vmm_virtio *v)
{
	struct vmm_vsock *s = vsock_of(v);
	int r = vmm_vhost_start(s->side, v, 0, QUEUES_OF_DATA, v->features & s->offered);

	r = r ?: set_running(s, 1);
	if (r < 0)
		reset(v);
	return r;
}

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	const struct virtio_vsock_config config = { .guest_cid = vsock_of(v)->cid };

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static int set_cid(const struct vmm_vsock *s, struct cv_error *err)
{
	int r = ioctl(s->side->fd, VHOST_VSOCK_SET_GUEST_CID, &s->cid) < 0 ? -errno : 0;

	if (r == -EADDRINUSE) {
		cv_fail(err, r, CV_EXIT_BUSY, "CID_TAKEN", PLAN_VSOCK_ID,
			"another guest of this host has the same vsock address");
		cv_error_found(err, "cid %llu in use", (unsigned long long)s->cid);
		cv_error_wanted(err, "one that nobody has");
		cv_error_hint(err, "write vsock: with another number in the spec");
		return r;
	}
	return r < 0 ? cv_fail_errno(err, r, PLAN_VSOCK_ID, "the kernel does not take cid %llu",
				     (unsigned long long)s->cid)
		     : 0;
}

static int make(struct vmm_vsock *s, const struct vmm_virtio_env *env, struct cv_error *err)
{
	int r = vmm_vhost_needs(s->side, NEEDED, &s->offered, err);

	r = r ?: set_cid(s, err);
	if (r < 0)
		return r;
	s->ops = (struct vmm_virtio_ops){
		.name = "virtio-vsock",
		.id = DEVICE_ID,
		.class_rev = CLASS << 8,
		.features = s->offered & 1ULL << VIRTIO_VSOCK_F_SEQPACKET,
		.n_queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(struct virtio_vsock_config),
		.config_read = config_read,
		.activate = activate,
		.reset = reset,
	};
	return vmm_virtio_add(&s->v, &s->ops, env, vmm_slot(PLAN_VSOCK_SLOT), QUEUES, err);
}

int vmm_vsock_new(const struct vmm_virtio_env *env, uint32_t cid, int fd, struct vmm_vsock **ret,
		  struct cv_error *err)
{
	struct vmm_vsock *s = calloc(1, sizeof(*s));
	int r;

	if (!s) {
		close(fd);
		return cv_fail_errno(err, -ENOMEM, PLAN_VSOCK_ID, "cannot make the device");
	}
	s->cid = cid;
	r = vmm_vhost_kernel_new(PLAN_VSOCK_ID, fd, &s->side, err);
	r = r ?: make(s, env, err);
	if (r < 0) {
		vmm_vsock_free(s);
		return r;
	}
	*ret = s;
	return 0;
}

void vmm_vsock_free(struct vmm_vsock *s)
{
	vmm_virtio_done(&s->v);
	vmm_vhost_free(s->side);
	free(s);
}
