// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames carried by the kernel: queues of a tap, each pair with a /dev/vhost-net of its own. */
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/vhost.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "vmm/dev/virtio_net.h"

#define QUEUES_OF_PAIR 2

/** struct tap_pair - @fd: of the tap; frames come there while @is_attached */
struct tap_pair {
	int fd;
	struct vmm_vhost *vhost;
	bool is_attached;
};

struct tap {
	struct tap_pair pairs[PLAN_NET_QUEUES_MAX];
	uint64_t offered; /* by vhost-net */
};

/* ---- the queues of the tap ---- */

static int set_attached(struct tap_pair *p, bool is_attached)
{
	struct ifreq request = { .ifr_flags = is_attached ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE };

	if (p->is_attached == is_attached)
		return 0;
	if (ioctl(p->fd, TUNSETQUEUE, &request) < 0)
		return -errno;
	p->is_attached = is_attached;
	return 0;
}

static int set_pairs(struct vnet *n, unsigned int pairs)
{
	struct tap *t = n->side;
	int r = 0;

	for (unsigned int i = 0; i < n->pairs && r == 0; i++)
		r = set_attached(&t->pairs[i], i < pairs);
	if (r < 0)
		vmm_log_of(&n->log, "%s: the tap does not change to %u queues: %s", n->id, pairs,
			   strerror(-r));
	return r;
}

/* What the host's network stack may give to the guest as it is; of the whole tap. */
static int set_offloads(struct vnet *n)
{
	static const struct {
		unsigned int feature, flag;
	} offloads[] = {
		{ VIRTIO_NET_F_GUEST_CSUM, TUN_F_CSUM },
		{ VIRTIO_NET_F_GUEST_TSO4, TUN_F_TSO4 },
		{ VIRTIO_NET_F_GUEST_TSO6, TUN_F_TSO6 },
		{ VIRTIO_NET_F_GUEST_ECN, TUN_F_TSO_ECN },
	};
	const struct tap *t = n->side;
	unsigned long flags = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(offloads); i++)
		if (vnet_has(n, offloads[i].feature))
			flags |= offloads[i].flag;
	if (!(flags & TUN_F_CSUM)) /* section 5.1.3.1: the others need it */
		flags = 0;
	return ioctl(t->pairs[0].fd, TUNSETOFFLOAD, flags) < 0 ? -errno : 0;
}

/* ---- vhost-net ---- */

static int set_backend(const struct vmm_vhost *h, unsigned int ring, int fd)
{
	const struct vhost_vring_file backend = { ring, fd };

	return ioctl(h->fd, VHOST_NET_SET_BACKEND, &backend) < 0 ? -errno : 0;
}

/* Of rings that were handed over. */
static int connect_pair(const struct tap_pair *p, int fd)
{
	int first = 0;

	for (unsigned int i = 0; i < QUEUES_OF_PAIR; i++)
		if (p->vhost->running & 1ULL << i) {
			int r = set_backend(p->vhost, i, fd);

			first = first ?: r;
		}
	return first;
}

static int start_pair(struct vnet *n, unsigned int i)
{
	const struct tap *t = n->side;
	const struct tap_pair *p = &t->pairs[i];
	int r = vmm_vhost_start(p->vhost, &n->v, QUEUES_OF_PAIR * i, QUEUES_OF_PAIR,
				n->v.features & t->offered);

	return r ?: connect_pair(p, p->fd);
}

static void reset(struct vnet *n)
{
	const struct tap *t = n->side;

	for (unsigned int i = 0; i < n->pairs; i++) {
		(void)connect_pair(&t->pairs[i], -1);
		vmm_vhost_stop(t->pairs[i].vhost, &n->v, QUEUES_OF_PAIR * i, QUEUES_OF_PAIR);
	}
}

/* All pairs that the driver knows of are served from the start: those that it does not use get no frames
 * from the tap. */
static int activate(struct vnet *n)
{
	unsigned int pairs = vnet_has(n, VIRTIO_NET_F_MQ) ? n->pairs : 1;
	int r = set_offloads(n);

	r = r ?: set_pairs(n, 1);
	for (unsigned int i = 0; i < pairs && r == 0; i++)
		r = start_pair(n, i);
	if (r < 0)
		reset(n);
	return r;
}

/* ---- making it ---- */

static int check_tap(const struct vnet *n, int fd, struct cv_error *err)
{
	struct ifreq request = { 0 };
	int size = VNET_HEADER;
	bool is_tap = ioctl(fd, TUNGETIFF, &request) == 0 && request.ifr_flags & IFF_TAP;
	bool has_header = is_tap && request.ifr_flags & IFF_VNET_HDR;

	if (!has_header) {
		cv_fail(err, -EINVAL, CV_EXIT_PRECONDITION, "BAD_TAP", n->id,
			"no tap that can be used was handed over");
		cv_error_found(err, is_tap ? "a tap without IFF_VNET_HDR" : "no tap");
		cv_error_wanted(err, "a tap with IFF_VNET_HDR");
		cv_error_hint(err, "start the guest with carve run");
		return -EINVAL;
	}
	return ioctl(fd, TUNSETVNETHDRSZ, &size) < 0
		       ? cv_fail_errno(err, -errno, n->id, "the tap takes no virtio headers")
		       : 0;
}

static int make_pair(struct vnet *n, struct tap_pair *p, int vhost_fd, struct cv_error *err)
{
	struct tap *t = n->side;
	int r = vmm_vhost_kernel_new(n->id, vhost_fd, &p->vhost, err);

	r = r ?: check_tap(n, p->fd, err);
	return r
		       ?: vmm_vhost_needs(p->vhost, VNET_NEEDED | 1ULL << VIRTIO_NET_F_MRG_RXBUF,
					  &t->offered, err);
}

static void free_tap(struct vnet *n)
{
	struct tap *t = n->side;

	for (unsigned int i = 0; i < n->pairs; i++) {
		vmm_vhost_free(t->pairs[i].vhost);
		close(t->pairs[i].fd);
	}
	free(t);
}

static const struct vnet_ops ops = {
	.activate = activate,
	.set_pairs = set_pairs,
	.reset = reset,
	.free = free_tap,
};

int vnet_tap_new(struct vnet *n, const int *fds, unsigned int pairs, struct cv_error *err)
{
	struct tap *t = calloc(1, sizeof(*t));
	unsigned int i = 0;
	int r = 0;

	if (!t) {
		for (i = 0; i < 2 * pairs; i++)
			close(fds[i]);
		return cv_fail_errno(err, -ENOMEM, n->id, "cannot make it");
	}
	n->side = t;
	n->side_ops = &ops;
	n->pairs = pairs;
	n->features = VNET_OFFLOADS | 1ULL << VIRTIO_NET_F_MRG_RXBUF;
	for (i = 0; i < pairs; i++)
		t->pairs[i] = (struct tap_pair){ .fd = fds[i], .is_attached = true };
	for (i = 0; i < pairs && r == 0; i++)
		r = make_pair(n, &t->pairs[i], fds[pairs + i], err);
	for (; i < pairs; i++)
		close(fds[pairs + i]);
	return r;
}
