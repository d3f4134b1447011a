// SPDX-License-Identifier: GPL-2.0-or-later
/* The vhost-user front end: what both sides can is agreed, and the end of the back end noticed. */
#include "vmm/dev/vhost_user.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/cleanup.h"

static struct vhost_user *user_of(struct vmm_vhost *h)
{
	return (struct vhost_user *)(void *)h;
}

static int ask_u64(struct vhost_user *u, enum vhost_user_request request, uint64_t *ret)
{
	return vhost_user_ask(u, &(struct vhost_user_out){ .request = request }, ret, sizeof(*ret));
}

static int tell_u64(struct vhost_user *u, enum vhost_user_request request, uint64_t value)
{
	return vhost_user_tell(u,
			       &(struct vhost_user_out){ request, &value, sizeof(value), NULL, 0 });
}

/* ---- the ops ---- */

static int features(struct vmm_vhost *h, uint64_t *ret)
{
	uint64_t bits;
	int r;

	vhost_user_begin(user_of(h));
	r = ask_u64(user_of(h), VHOST_USER_GET_FEATURES, &bits);
	if (r == 0)
		*ret = bits & ~VHOST_USER_F_PROTOCOL;
	return r;
}

static int set_features(struct vmm_vhost *h, uint64_t bits)
{
	struct vhost_user *u = user_of(h);

	vhost_user_begin(u);
	return tell_u64(u, VHOST_USER_SET_FEATURES,
			bits | (u->has_protocol ? VHOST_USER_F_PROTOCOL : 0));
}

static void free_user(struct vmm_vhost *h)
{
	struct vhost_user *u = user_of(h);

	if (u->is_watched)
		vmm_loop_remove(u->loop, &u->watch);
	cv_cleanup_close(&h->fd);
	free(u);
}

static const struct vmm_vhost_ops user_ops = {
	.features = features,
	.set_features = set_features,
	.set_memory = vhost_user_set_memory,
	.set_ring = vhost_user_set_ring,
	.stop_ring = vhost_user_stop_ring,
	.free = free_user,
};

int vmm_vhost_user_queues(struct vmm_vhost *h)
{
	struct vhost_user *u = user_of(h);
	uint64_t n;
	int r;

	if (!u->has_mq)
		return 1;
	vhost_user_begin(u);
	r = ask_u64(u, VHOST_USER_GET_QUEUE_NUM, &n);
	if (r < 0)
		return r;
	if (n >= 1 && n <= VHOST_USER_QUEUES_MAX)
		return (int)n;
	vmm_log("%s: the back end has %llu queues; wanted: 1 to %u", h->name, (unsigned long long)n,
		VHOST_USER_QUEUES_MAX);
	return -EPROTO;
}

int vmm_vhost_user_config(struct vmm_vhost *h, void *ret, uint32_t size)
{
	struct vhost_user *u = user_of(h);
	struct vhost_user_config c = { .size = size }, got;
	uint32_t len = (uint32_t)offsetof(struct vhost_user_config, data) + size;
	int r;

	if (!u->has_config || size > VHOST_USER_CONFIG_MAX)
		return -EOPNOTSUPP;
	vhost_user_begin(u);
	r = vhost_user_ask(u, &(struct vhost_user_out){ VHOST_USER_GET_CONFIG, &c, len, NULL, 0 },
			   &got, len);
	if (r == 0 && (got.offset != 0 || got.size != size))
		r = vhost_user_end(u, VHOST_USER_GET_CONFIG, -EPROTO);
	if (r == 0)
		memcpy(ret, got.data, size);
	return r;
}

/* ---- the connection ---- */

/* Only its end is waited for: answers are for who asked. */
static void on_hang_up(void *ctx, uint32_t events)
{
	struct vhost_user *u = ctx;
	int before = 0;

	vmm_loop_remove(u->loop, &u->watch);
	u->is_watched = false;
	if (atomic_compare_exchange_strong(&u->broken, &before, -ECONNRESET))
		vmm_log("%s: the back end has hung up", u->h.name);
	u->gone(u->ctx);
}

static int agree_protocol(struct vhost_user *u)
{
	uint64_t theirs, ours;
	int r = ask_u64(u, VHOST_USER_GET_PROTOCOL_FEATURES, &theirs);

	if (r < 0)
		return r;
	ours = theirs & (VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG);
	r = tell_u64(u, VHOST_USER_SET_PROTOCOL_FEATURES, ours);
	u->has_mq = ours & VHOST_USER_P_MQ;
	u->has_ack = ours & VHOST_USER_P_REPLY_ACK;
	u->has_config = ours & VHOST_USER_P_CONFIG;
	return r;
}

static int agree(struct vhost_user *u)
{
	uint64_t bits;
	int r;

	vhost_user_begin(u);
	r = ask_u64(u, VHOST_USER_GET_FEATURES, &bits);
	if (r < 0)
		return r;
	u->has_protocol = bits & VHOST_USER_F_PROTOCOL;
	if (u->has_protocol)
		r = agree_protocol(u);
	return r ?: vhost_user_tell(u, &(struct vhost_user_out){ .request = VHOST_USER_SET_OWNER });
}

static int watch(struct vhost_user *u)
{
	int r;

	u->watch = (struct vmm_watch){ u->h.fd, EPOLLRDHUP, on_hang_up, u };
	r = vmm_loop_add(u->loop, &u->watch);
	u->is_watched = r == 0;
	return r;
}

static int fail_agree(const struct vhost_user *u, int r, struct cv_error *err)
{
	cv_fail_errno(err, r, u->h.name, "the vhost-user back end gives no right answer");
	if (r == -ETIMEDOUT)
		cv_error_found(err, "none in %u milliseconds", u->answer_ms);
	cv_error_wanted(err, "a back end that speaks vhost-user, version 1");
	cv_error_hint(err, "look at what the back end logs, and whether it serves another guest");
	return r;
}

int vhost_user_new(const char *name, int fd, unsigned int answer_ms, struct vmm_loop *loop,
		   void (*gone)(void *ctx), void *ctx, struct vmm_vhost **ret, struct cv_error *err)
{
	_cleanup_close_ int owned = fd;
	struct vhost_user *u = calloc(1, sizeof(*u));
	int r;

	if (!u)
		return cv_fail_errno(err, -ENOMEM, name, "cannot make the device");
	*u = (struct vhost_user){ .h = { .ops = &user_ops, .fd = TAKE_FD(owned) },
				  .loop = loop,
				  .gone = gone,
				  .ctx = ctx,
				  .answer_ms = answer_ms };
	snprintf(u->h.name, sizeof(u->h.name), "%s", name);
	r = agree(u);
	r = r ?: watch(u);
	if (r < 0) {
		fail_agree(u, r, err);
		free_user(&u->h);
		return r;
	}
	*ret = &u->h;
	return 0;
}

int vmm_vhost_user_new(const char *name, int fd, struct vmm_loop *loop, void (*gone)(void *ctx),
		       void *ctx, struct vmm_vhost **ret, struct cv_error *err)
{
	return vhost_user_new(name, fd, VHOST_USER_ANSWER_MS, loop, gone, ctx, ret, err);
}
