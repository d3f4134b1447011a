// SPDX-License-Identifier: GPL-2.0-or-later
/* Directories of the host (Virtio 1.2 section 5.11): the tag is the VMM's, both queues are the back
 * end's, virtiofsd. A back end that ends takes its share with it; the guest goes on. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_ring.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/vhost.h"
#include "vmm/dev/vhost_user.h"

#define DEVICE_ID 26
#define CLASS 0x018000 /* mass storage, other */
#define REQUEST_QUEUES 1
#define QUEUES (1 + REQUEST_QUEUES) /* the first one is for what cannot wait */
#define QUEUE_SIZE 256
#define NEEDED                                                              \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC | \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)

_Static_assert(sizeof(((struct virtio_fs_config *)NULL)->tag) == PLAN_SHARE_TAG, "one tag");

/** struct share - @is_gone: guarded by the device's lock */
struct share {
	struct vmm_virtio v;
	struct vmm_virtio_ops ops;
	struct vmm_vhost *side;
	struct virtio_fs_config config;
	char id[sizeof(((struct plan_share *)NULL)->id)];
	bool is_gone;
};

/** struct vmm_shares - the first @n are made */
struct vmm_shares {
	struct share *shares[PLAN_MAX_SHARES];
	size_t n;
};

CV_DEFINE_CLEANUP(struct vmm_shares *, vmm_shares_free)

static struct share *share_of(struct vmm_virtio *v)
{
	return (struct share *)(void *)((char *)v - offsetof(struct share, v));
}

/* ---- the device ---- */

static int activate(struct vmm_virtio *v)
{
	struct share *s = share_of(v);

	if (s->is_gone)
		return -ENOTCONN;
	return vmm_vhost_start(s->side, v, 0, QUEUES, v->features);
}

static void reset(struct vmm_virtio *v)
{
	vmm_vhost_stop(share_of(v)->side, v, 0, QUEUES);
}

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	memcpy(data, (const uint8_t *)&share_of(v)->config + offset, len);
}

/* In the loop's thread. */
static void on_gone(void *ctx)
{
	struct share *s = ctx;

	vmm_virtio_lock(&s->v);
	vmm_log("%s: who serves it has ended: the guest can neither read nor write it any more",
		s->id);
	s->is_gone = true;
	vmm_virtio_broken(&s->v, "its back end has hung up");
	vmm_virtio_unlock(&s->v);
}

/* ---- making it ---- */

static int fail_pieces(const struct plan_share *p, size_t n, struct cv_error *err)
{
	cv_fail(err, -E2BIG, CV_EXIT_PRECONDITION, "TOO_MANY_PIECES", p->id,
		"virtiofsd cannot be shown all of the guest's memory");
	cv_error_found(err, "%zu pieces of memory", n);
	cv_error_wanted(err, "%d at most", VHOST_USER_REGIONS_MAX);
	cv_error_hint(err, "take the guest from fewer NUMA nodes, or leave shares: out");
	return -E2BIG;
}

static int make_device(struct share *s, const struct vmm_virtio_env *env,
		       const struct plan_share *p, struct cv_error *err)
{
	s->ops = (struct vmm_virtio_ops){
		.name = "virtio-fs",
		.id = DEVICE_ID,
		.class_rev = CLASS << 8,
		.n_queues = QUEUES,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(s->config),
		.config_read = config_read,
		.activate = activate,
		.reset = reset,
	};
	s->config.num_request_queues = REQUEST_QUEUES;
	memcpy(s->config.tag, p->tag, strnlen(p->tag, sizeof(s->config.tag)));
	return vmm_virtio_add(&s->v, &s->ops, env, p->guest, QUEUES, err);
}

static void free_share(struct share *s)
{
	vmm_virtio_done(&s->v);
	vmm_vhost_free(s->side);
	free(s);
}

/* @fd: owned, also when it fails. */
static int new_share(const struct vmm_virtio_env *env, const struct plan_share *p, int fd,
		     struct share **ret, struct cv_error *err)
{
	_cleanup_close_ int owned = fd;
	struct share *s = calloc(1, sizeof(*s));
	uint64_t offered;
	int r;

	if (!s)
		return cv_fail_errno(err, -ENOMEM, p->id, "cannot make the share");
	snprintf(s->id, sizeof(s->id), "%s", p->id);
	r = env->memory->n > VHOST_USER_REGIONS_MAX ? fail_pieces(p, env->memory->n, err) : 0;
	r = r ?: vmm_vhost_user_new(s->id, TAKE_FD(owned), env->loop, on_gone, s, &s->side, err);
	r = r ?: vmm_vhost_needs(s->side, NEEDED, &offered, err);
	r = r ?: make_device(s, env, p, err);
	if (r < 0) {
		free_share(s);
		return r;
	}
	*ret = s;
	return 0;
}

/* ---- all of a plan ---- */

static int add_share(const struct vmm_virtio_env *env, const struct plan_share *p,
		     const struct plan_link *link, struct share **ret, struct cv_error *err)
{
	if (link && link->n == 1)
		return new_share(env, p, link->fds[0], ret, err);
	for (size_t i = 0; link && i < link->n; i++)
		close(link->fds[i]);
	cv_fail(err, -ENOENT, CV_EXIT_USAGE, "NO_DESCRIPTOR", p->id,
		"the socket of the share was not handed over");
	cv_error_found(err, "%zu descriptors", link ? link->n : 0);
	cv_error_wanted(err, "--link %s=FD", p->id);
	cv_error_hint(err, "start the guest with carve run");
	return -ENOENT;
}

static void close_links(const struct plan *p, size_t first, const struct plan_link *links,
			size_t n_links)
{
	for (size_t i = first; i < p->n_shares; i++) {
		const struct plan_link *link = plan_find_link(links, n_links, p->shares[i].id);

		for (size_t k = 0; link && k < link->n; k++)
			close(link->fds[k]);
	}
}

int vmm_shares_new(const struct vmm_virtio_env *env, const struct plan *p,
		   const struct plan_link *links, size_t n_links, struct vmm_shares **ret,
		   struct cv_error *err)
{
	_cleanup_(vmm_shares_freep) struct vmm_shares *s = calloc(1, sizeof(*s));
	int r = s ? 0 : cv_fail_errno(err, -ENOMEM, NULL, "cannot make the shares");
	size_t i = 0;

	for (; i < p->n_shares && r == 0; i++) {
		const struct plan_share *share = &p->shares[i];

		r = add_share(env, share, plan_find_link(links, n_links, share->id), &s->shares[i],
			      err);
		if (r == 0)
			s->n++;
	}
	if (r < 0) {
		close_links(p, i, links, n_links);
		return r;
	}
	*ret = TAKE_PTR(s);
	return 0;
}

void vmm_shares_free(struct vmm_shares *s)
{
	for (size_t i = 0; i < s->n; i++)
		free_share(s->shares[i]);
	free(s);
}
