// SPDX-License-Identifier: GPL-2.0-or-later
/* One epoll, and an eventfd that wakes it for deferred calls and for the stop. */
#include "vmm/core/loop.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"

#define BATCH 32

/** struct deferred - one call to come, oldest first */
struct deferred {
	void (*fn)(void *ctx);
	void *ctx;
	struct deferred *next;
};

/**
 * struct vmm_loop - one thread runs it
 * @batch: what one epoll_wait told: [@at, @n_batch) is not dispatched yet. Only in the loop's thread
 */
struct vmm_loop {
	int epoll_fd, wake_fd;
	struct vmm_watch wake;
	struct epoll_event batch[BATCH];
	size_t at, n_batch;
	pthread_mutex_t lock;
	struct deferred *first, **last; /* guarded by @lock */
	bool is_stopped;		/* guarded by @lock */
	int value;			/* guarded by @lock */
};

static void wake_up(struct vmm_loop *l)
{
	uint64_t one = 1;

	/* EAGAIN: it is about to wake up anyhow */
	if (write(l->wake_fd, &one, sizeof(one)) < 0)
		return;
}

static void woken(void *ctx, uint32_t events)
{
	struct vmm_loop *l = ctx;
	uint64_t count;

	if (read(l->wake_fd, &count, sizeof(count)) < 0)
		return;
}

static void free_deferred(struct deferred *d)
{
	while (d) {
		struct deferred *next = d->next;

		free(d);
		d = next;
	}
}

static void freep(struct vmm_loop **l)
{
	if (*l)
		vmm_loop_free(*l);
}

int vmm_loop_new(struct vmm_loop **ret)
{
	_cleanup_(freep) struct vmm_loop *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->last = &l->first;
	pthread_mutex_init(&l->lock, NULL);
	l->wake_fd = -1;
	l->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->epoll_fd < 0)
		return -errno;
	l->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->wake_fd < 0)
		return -errno;
	l->wake = (struct vmm_watch){ l->wake_fd, EPOLLIN, woken, l };
	r = vmm_loop_add(l, &l->wake);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

void vmm_loop_free(struct vmm_loop *l)
{
	free_deferred(l->first);
	if (l->wake_fd >= 0)
		close(l->wake_fd);
	if (l->epoll_fd >= 0)
		close(l->epoll_fd);
	pthread_mutex_destroy(&l->lock);
	free(l);
}

/* ---- watches ---- */

static int control(struct vmm_loop *l, int op, struct vmm_watch *w, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = w };

	return epoll_ctl(l->epoll_fd, op, w->fd, &e) < 0 ? -errno : 0;
}

int vmm_loop_add(struct vmm_loop *l, struct vmm_watch *w)
{
	return control(l, EPOLL_CTL_ADD, w, w->events);
}

int vmm_loop_change(struct vmm_loop *l, struct vmm_watch *w, uint32_t events)
{
	int r = control(l, EPOLL_CTL_MOD, w, events);

	if (r == 0)
		w->events = events;
	return r;
}

/* What the batch still holds of it is forgotten: @w may be freed, or be added again for another fd. */
void vmm_loop_remove(struct vmm_loop *l, struct vmm_watch *w)
{
	control(l, EPOLL_CTL_DEL, w, 0);
	for (size_t i = l->at; i < l->n_batch; i++)
		if (l->batch[i].data.ptr == w)
			l->batch[i].data.ptr = NULL;
}

void vmm_loop_suspend(struct vmm_loop *l, struct vmm_watch *w)
{
	control(l, EPOLL_CTL_DEL, w, 0);
}

/* ---- deferred calls ---- */

int vmm_loop_defer(struct vmm_loop *l, void (*fn)(void *ctx), void *ctx)
{
	struct deferred *d = malloc(sizeof(*d));

	if (!d)
		return -ENOMEM;
	*d = (struct deferred){ .fn = fn, .ctx = ctx };
	pthread_mutex_lock(&l->lock);
	*l->last = d;
	l->last = &d->next;
	pthread_mutex_unlock(&l->lock);
	wake_up(l);
	return 0;
}

static struct deferred *take_first(struct vmm_loop *l)
{
	struct deferred *d;

	pthread_mutex_lock(&l->lock);
	d = l->is_stopped ? NULL : l->first;
	if (d) {
		l->first = d->next;
		if (!l->first)
			l->last = &l->first;
	}
	pthread_mutex_unlock(&l->lock);
	return d;
}

static struct deferred *newest(struct vmm_loop *l)
{
	struct deferred *d = NULL;

	pthread_mutex_lock(&l->lock);
	if (l->first)
		d = (struct deferred *)((char *)l->last - offsetof(struct deferred, next));
	pthread_mutex_unlock(&l->lock);
	return d;
}

/* Those that a call defers itself have their turn in the next round: descriptors are not starved. */
static void run_deferred(struct vmm_loop *l)
{
	const struct deferred *end = newest(l);
	bool is_end = !end;

	while (!is_end) {
		_cleanup_free_ struct deferred *d = take_first(l);

		is_end = !d || d == end;
		if (d)
			d->fn(d->ctx);
	}
}

/* ---- running ---- */

static bool is_stopped(struct vmm_loop *l)
{
	bool stopped;

	pthread_mutex_lock(&l->lock);
	stopped = l->is_stopped;
	pthread_mutex_unlock(&l->lock);
	return stopped;
}

static int take_value(struct vmm_loop *l)
{
	int value;

	pthread_mutex_lock(&l->lock);
	value = l->value;
	l->is_stopped = false;
	pthread_mutex_unlock(&l->lock);
	return value;
}

static void dispatch(struct vmm_loop *l)
{
	l->at = 0;
	while (l->at < l->n_batch && !is_stopped(l)) {
		struct epoll_event e = l->batch[l->at++];
		const struct vmm_watch *w = e.data.ptr;

		if (w)
			w->ready(w->ctx, e.events);
	}
	l->n_batch = 0;
}

int vmm_loop_run(struct vmm_loop *l)
{
	while (!is_stopped(l)) {
		int n = epoll_wait(l->epoll_fd, l->batch, BATCH, -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		l->n_batch = n > 0 ? (size_t)n : 0;
		dispatch(l);
		run_deferred(l);
	}
	return take_value(l);
}

void vmm_loop_stop(struct vmm_loop *l, int value)
{
	pthread_mutex_lock(&l->lock);
	if (!l->is_stopped)
		l->value = value;
	l->is_stopped = true;
	pthread_mutex_unlock(&l->lock);
	wake_up(l);
}
