// SPDX-License-Identifier: GPL-2.0-or-later
/* Frames carried by another process: a vhost-user back end, such as a switch. */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "vmm/dev/virtio_net.h"

/** struct user - @pairs: that are handed over */
struct user {
	struct vmm_vhost *vhost;
	uint64_t offered; /* by it */
	unsigned int pairs;
};

/* In the loop's thread. */
static void on_gone(void *ctx)
{
	struct vnet *n = ctx;

	vmm_virtio_lock(&n->v);
	vmm_log_of(&n->log, "%s: the other side hung up: no link any more", n->id);
	vnet_set_link(n, false);
	vmm_virtio_unlock(&n->v);
}

static void reset(struct vnet *n)
{
	struct user *u = n->side;

	vmm_vhost_stop(u->vhost, &n->v, 0, 2 * u->pairs);
	u->pairs = 0;
}

/* It fills all queues that it has: it shall have no more than the guest uses. */
static int set_pairs(struct vnet *n, unsigned int pairs)
{
	struct user *u = n->side;
	int r;

	if (u->pairs == pairs)
		return 0;
	reset(n);
	r = vmm_vhost_start(u->vhost, &n->v, 0, 2 * pairs, n->v.features & u->offered);
	if (r == 0)
		u->pairs = pairs;
	return r;
}

static int activate(struct vnet *n)
{
	return set_pairs(n, 1);
}

static void free_user(struct vnet *n)
{
	struct user *u = n->side;

	vmm_vhost_free(u->vhost);
	free(u);
}

static const struct vnet_ops ops = {
	.activate = activate,
	.set_pairs = set_pairs,
	.reset = reset,
	.free = free_user,
};

static int count_pairs(struct vnet *n, unsigned int wanted, struct cv_error *err)
{
	const struct user *u = n->side;
	int has = u->offered & 1ULL << VIRTIO_NET_F_MQ ? vmm_vhost_user_queues(u->vhost) : 1;

	if (has < 1)
		return cv_fail_errno(err, has < 0 ? has : -EPROTO, n->id,
				     "how many queues the other side has is not known");
	n->pairs = (unsigned int)has < wanted ? (unsigned int)has : wanted;
	if (n->pairs < wanted)
		vmm_log("%s: the other side has %u queues, not %u", n->id, n->pairs, wanted);
	return 0;
}

int vnet_user_new(struct vnet *n, struct vmm_loop *loop, int fd, unsigned int pairs,
		  struct cv_error *err)
{
	struct user *u = calloc(1, sizeof(*u));
	int r;

	if (!u) {
		close(fd);
		return cv_fail_errno(err, -ENOMEM, n->id, "cannot make it");
	}
	n->side = u;
	n->side_ops = &ops;
	r = vmm_vhost_user_new(n->id, fd, loop, on_gone, n, &u->vhost, err);
	r = r ?: vmm_vhost_needs(u->vhost, VNET_NEEDED, &u->offered, err);
	n->features = u->offered & (VNET_OFFLOADS | 1ULL << VIRTIO_NET_F_MRG_RXBUF);
	return r ?: count_pairs(n, pairs, err);
}
