// SPDX-License-Identifier: GPL-2.0-or-later
/* A network interface (Virtio 1.2 section 5.1): configuration and control queue; frames are carried by
 * others. */
#include "vmm/dev/virtio_net.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define DEVICE_ID 1
#define CLASS 0x020000 /* Ethernet */
#define QUEUE_SIZE 256

static struct vnet *net_of(struct vmm_virtio *v)
{
	return (struct vnet *)(void *)((char *)v - offsetof(struct vnet, v));
}

bool vnet_has(const struct vnet *n, unsigned int feature)
{
	return n->v.features & 1ULL << feature;
}

void vnet_set_link(struct vnet *n, bool is_up)
{
	uint16_t status = is_up ? VIRTIO_NET_S_LINK_UP : 0;

	if (n->config.status == status)
		return;
	n->config.status = status;
	if (n->v.state)
		vmm_virtio_config_changed(&n->v);
}

/* ---- the control queue (section 5.1.6.5) ---- */

/* Section 5.1.2: a driver that knows of one pair alone has it right behind that. */
static unsigned int control_queue(const struct vnet *n)
{
	return vnet_has(n, VIRTIO_NET_F_MQ) ? 2 * n->pairs : 2;
}

static bool set_pairs(struct vnet *n, const struct vmm_chain *c)
{
	uint16_t pairs = 0;

	if (vmm_chain_read(c, sizeof(struct virtio_net_ctrl_hdr), &pairs, sizeof(pairs)) !=
		    sizeof(pairs) ||
	    !vnet_has(n, VIRTIO_NET_F_MQ) || pairs == 0 || pairs > n->pairs)
		return false;
	return n->side_ops->set_pairs(n, pairs) == 0;
}

/* Of the commands there is one: the others belong to features that are not offered. */
static int serve_control(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *c)
{
	struct virtio_net_ctrl_hdr h = { 0 };
	virtio_net_ctrl_ack ack = VIRTIO_NET_ERR;

	if (vmm_chain_read(c, 0, &h, sizeof(h)) == sizeof(h) && h.class == VIRTIO_NET_CTRL_MQ &&
	    h.cmd == VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET && set_pairs(net_of(v), c))
		ack = VIRTIO_NET_OK;
	return (int)vmm_chain_write(c, 0, &ack, sizeof(ack));
}

/* ---- the device ---- */

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	struct vnet *n = net_of(v);

	if (n->pairs > 1 && queue == control_queue(n))
		vmm_virtio_serve(v, queue, serve_control);
	else if (n->side_ops->queue_ready)
		n->side_ops->queue_ready(n, queue);
}

static int activate(struct vmm_virtio *v)
{
	return net_of(v)->side_ops->activate(net_of(v));
}

static void reset(struct vmm_virtio *v)
{
	net_of(v)->side_ops->reset(net_of(v));
}

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	memcpy(data, (const uint8_t *)&net_of(v)->config + offset, len);
}

static int fill_config(struct vnet *n, const struct plan_net *net)
{
	n->config.status = VIRTIO_NET_S_LINK_UP;
	n->config.max_virtqueue_pairs = (uint16_t)n->pairs;
	n->config.mtu = (uint16_t)net->mtu;
	return cv_parse_mac(net->mac, n->config.mac);
}

static uint64_t features_of(const struct vnet *n)
{
	uint64_t bits = n->features | 1ULL << VIRTIO_NET_F_MAC | 1ULL << VIRTIO_NET_F_STATUS;

	if (n->config.mtu)
		bits |= 1ULL << VIRTIO_NET_F_MTU;
	if (n->pairs > 1)
		bits |= 1ULL << VIRTIO_NET_F_MQ | 1ULL << VIRTIO_NET_F_CTRL_VQ;
	return bits;
}

int vnet_add(struct vnet *n, const struct vmm_virtio_env *env, const struct plan_net *net,
	     struct cv_error *err)
{
	unsigned int n_queues = n->pairs > 1 ? 2 * n->pairs + 1 : 2;

	if (fill_config(n, net) < 0)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_PLAN", net->id,
			       "the plan has no MAC address for it: \"%s\"", net->mac);
	n->ops = (struct vmm_virtio_ops){
		.name = n->id,
		.id = DEVICE_ID,
		.class_rev = CLASS << 8,
		.features = features_of(n),
		.n_queues = n_queues,
		.queue_size = QUEUE_SIZE,
		.config_size = offsetof(struct virtio_net_config, mtu) + sizeof(n->config.mtu),
		.config_read = config_read,
		.activate = activate,
		.queue_ready = queue_ready,
		.reset = reset,
	};
	return vmm_virtio_add(&n->v, &n->ops, env, net->guest, n_queues, err);
}

static int make_side(struct vnet *n, const struct vmm_virtio_env *env, const struct plan_net *net,
		     const int *fds, struct cv_error *err)
{
	switch (net->kind) {
	case PLAN_NET_BRIDGE:
	case PLAN_NET_OVS:
		return vnet_tap_new(n, fds, net->queues, err);
	case PLAN_NET_PASST:
		return vnet_stream_new(n, env->loop, fds[0], err);
	case PLAN_NET_VHOST_USER:
		return vnet_user_new(n, env->loop, fds[0], net->queues, err);
	}
	return cv_fail_errno(err, -EINVAL, n->id, "an unknown kind of network");
}

static int check_link(const struct plan_net *net, const struct plan_link *link,
		      struct cv_error *err)
{
	bool is_tap = net->kind == PLAN_NET_BRIDGE || net->kind == PLAN_NET_OVS;
	size_t wanted = is_tap ? 2 * (size_t)net->queues : 1;

	if (link->n == wanted && net->queues >= 1 && net->queues <= PLAN_NET_QUEUES_MAX)
		return 0;
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NO_DESCRIPTOR", net->id,
		"not what a network of %u queues needs was handed over", net->queues);
	cv_error_found(err, "%zu descriptors", link->n);
	cv_error_wanted(err, "%zu, for 1 to %d queues", wanted, PLAN_NET_QUEUES_MAX);
	cv_error_hint(err, "start the guest with carve run");
	return -EINVAL;
}

int vnet_new(const struct vmm_virtio_env *env, const struct plan_net *net,
	     const struct plan_link *link, struct vnet **ret, struct cv_error *err)
{
	struct vnet *n = calloc(1, sizeof(*n));
	int r = n ? check_link(net, link, err) : -ENOMEM;

	if (r < 0) {
		for (size_t i = 0; i < link->n; i++)
			close(link->fds[i]);
		free(n);
		return r == -ENOMEM ? cv_fail_errno(err, r, net->id, "cannot make it") : r;
	}
	snprintf(n->id, sizeof(n->id), "%s", net->id);
	r = make_side(n, env, net, link->fds, err);
	r = r ?: vnet_add(n, env, net, err);
	if (r < 0) {
		vnet_free(n);
		return r;
	}
	*ret = n;
	return 0;
}

void vnet_free(struct vnet *n)
{
	vmm_virtio_done(&n->v);
	if (n->side)
		n->side_ops->free(n);
	free(n);
}
