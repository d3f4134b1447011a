// SPDX-License-Identifier: GPL-2.0-or-later
/* The event loop: descriptors, deferred calls from other threads, and watches that go away while their
 * event waits in the same batch. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/core/loop.h"

/** struct counter - an eventfd in the loop; what it does when it is ready is @act's */
struct counter {
	struct vmm_loop *loop;
	struct vmm_watch watch;
	unsigned int calls;
	uint32_t events;
	void (*act)(struct counter *c);
	struct counter *other, *third;
};

static void drain(struct counter *c)
{
	uint64_t value;

	assert_int_equal(read(c->watch.fd, &value, sizeof(value)), sizeof(value));
}

static void on_ready(void *ctx, uint32_t events)
{
	struct counter *c = ctx;

	c->calls++;
	c->events = events;
	c->act(c);
}

static struct counter *counter_new(struct vmm_loop *l, void (*act)(struct counter *c),
				   bool is_raised)
{
	struct counter *c = calloc(1, sizeof(*c));

	assert_non_null(c);
	c->loop = l;
	c->act = act;
	c->watch.fd = eventfd(is_raised, EFD_CLOEXEC | EFD_NONBLOCK);
	c->watch.events = EPOLLIN;
	c->watch.ready = on_ready;
	c->watch.ctx = c;
	assert_int_equal(vmm_loop_add(l, &c->watch), 0);
	return c;
}

static void counter_free(struct counter *c)
{
	vmm_loop_remove(c->loop, &c->watch);
	close(c->watch.fd);
	free(c);
}

static void raise_it(struct counter *c)
{
	uint64_t one = 1;

	assert_int_equal(write(c->watch.fd, &one, sizeof(one)), sizeof(one));
}

/* ---- descriptors ---- */

static void stop_third(struct counter *c)
{
	drain(c);
	if (c->calls == 3)
		vmm_loop_stop(c->loop, 42);
	else
		raise_it(c);
}

static void test_ready(void **state)
{
	struct vmm_loop *l;
	struct counter *c;

	assert_int_equal(vmm_loop_new(&l), 0);
	c = counter_new(l, stop_third, true);
	assert_int_equal(vmm_loop_run(l), 42);
	assert_int_equal(c->calls, 3);
	assert_int_equal(c->events, EPOLLIN);
	counter_free(c);
	vmm_loop_free(l);
}

static void stop_now(struct counter *c)
{
	vmm_loop_stop(c->loop, 1);
}

static void test_change(void **state)
{
	struct vmm_loop *l;
	struct counter *quiet, *last;

	assert_int_equal(vmm_loop_new(&l), 0);
	quiet = counter_new(l, stop_now, true);
	assert_int_equal(vmm_loop_change(l, &quiet->watch, 0), 0);
	assert_int_equal(quiet->watch.events, 0);
	last = counter_new(l, stop_third, true);
	assert_int_equal(vmm_loop_run(l), 42);
	assert_int_equal(quiet->calls, 0);
	assert_int_equal(vmm_loop_change(l, &quiet->watch, EPOLLOUT), 0);
	assert_int_equal(vmm_loop_run(l), 1);
	assert_int_equal(quiet->events, EPOLLOUT);
	counter_free(quiet);
	counter_free(last);
	vmm_loop_free(l);
}

/* What comes meanwhile is there afterwards. */
static void test_suspend(void **state)
{
	struct counter *quiet, *end;
	struct vmm_loop *l;

	assert_int_equal(vmm_loop_new(&l), 0);
	quiet = counter_new(l, stop_now, true);
	vmm_loop_suspend(l, &quiet->watch);
	end = counter_new(l, stop_now, true);
	assert_int_equal(vmm_loop_run(l), 1);
	assert_int_equal(quiet->calls, 0);
	drain(end);
	assert_int_equal(vmm_loop_add(l, &quiet->watch), 0);
	assert_int_equal(vmm_loop_run(l), 1);
	assert_int_equal(quiet->calls, 1);
	assert_int_equal(end->calls, 1);
	counter_free(quiet);
	counter_free(end);
	vmm_loop_free(l);
}

static void test_bad_fd(void **state)
{
	struct vmm_watch w = { .fd = -1, .events = EPOLLIN, .ready = on_ready };
	struct vmm_loop *l;

	assert_int_equal(vmm_loop_new(&l), 0);
	assert_int_equal(vmm_loop_add(l, &w), -EBADF);
	assert_int_equal(vmm_loop_change(l, &w, EPOLLIN), -EBADF);
	assert_int_equal(w.events, EPOLLIN);
	vmm_loop_remove(l, &w);
	vmm_loop_free(l);
}

/* Told although nobody asked for it. */
static void test_hangup(void **state)
{
	struct vmm_loop *l;
	struct counter c = { .act = stop_now };
	int pair[2];

	assert_int_equal(vmm_loop_new(&l), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	c.loop = l;
	c.watch = (struct vmm_watch){ pair[0], 0, on_ready, &c };
	assert_int_equal(vmm_loop_add(l, &c.watch), 0);
	close(pair[1]);
	assert_int_equal(vmm_loop_run(l), 1);
	assert_true(c.events & EPOLLHUP);
	vmm_loop_remove(l, &c.watch);
	close(pair[0]);
	vmm_loop_free(l);
}

/* ---- watches that go away ---- */

static void free_others_and_go_on(struct counter *c)
{
	drain(c);
	if (c->other) {
		c->other->other = NULL;
		counter_free(c->third);
		c->other->third = NULL;
		c->other = NULL;
	}
	raise_it(c);
	if (c->calls == 3)
		vmm_loop_stop(c->loop, 6);
}

/* Whoever is first takes one away whose event is in the same batch; the loop goes on with the rest. */
static void test_remove_and_go_on(void **state)
{
	struct vmm_loop *l;
	struct counter *a, *b, *gone;

	assert_int_equal(vmm_loop_new(&l), 0);
	a = counter_new(l, free_others_and_go_on, true);
	gone = counter_new(l, stop_now, true);
	b = counter_new(l, free_others_and_go_on, true);
	a->other = b;
	b->other = a;
	a->third = b->third = gone;
	assert_int_equal(vmm_loop_run(l), 6);
	assert_true(a->calls + b->calls >= 5);
	counter_free(a);
	counter_free(b);
	vmm_loop_free(l);
}

static void free_self(struct counter *c)
{
	struct vmm_loop *l = c->loop;

	counter_free(c);
	vmm_loop_stop(l, 7);
}

static void test_remove_self(void **state)
{
	struct vmm_loop *l;

	assert_int_equal(vmm_loop_new(&l), 0);
	counter_new(l, free_self, true);
	assert_int_equal(vmm_loop_run(l), 7);
	vmm_loop_free(l);
}

/* ---- deferred calls ---- */

struct list {
	struct vmm_loop *loop;
	unsigned int n, stop_at, again;
	unsigned int order[4];
};

static void count(void *ctx)
{
	struct list *t = ctx;

	if (++t->n == t->stop_at)
		vmm_loop_stop(t->loop, (int)t->n);
}

static void count_and_defer(void *ctx)
{
	struct list *t = ctx;

	count(ctx);
	assert_int_equal(vmm_loop_defer(t->loop, count_and_defer, t), 0);
}

static void *defer_many(void *arg)
{
	struct list *t = arg;

	for (int i = 0; i < 1000; i++)
		if (vmm_loop_defer(t->loop, count, t) < 0)
			abort();
	return NULL;
}

static void test_defer_threads(void **state)
{
	struct list t = { .stop_at = 4000 };
	pthread_t threads[4];

	assert_int_equal(vmm_loop_new(&t.loop), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, defer_many, &t), 0);
	assert_int_equal(vmm_loop_run(t.loop), 4000);
	for (size_t i = 0; i < CV_ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	vmm_loop_free(t.loop);
}

/* One that always defers itself again does not keep descriptors from their turn. */
static void test_defer_again(void **state)
{
	struct list t = { .stop_at = 1000000 };
	struct counter *c;

	assert_int_equal(vmm_loop_new(&t.loop), 0);
	c = counter_new(t.loop, stop_third, true);
	assert_int_equal(vmm_loop_defer(t.loop, count_and_defer, &t), 0);
	assert_int_equal(vmm_loop_run(t.loop), 42);
	assert_in_range(t.n, 1, 100);
	counter_free(c);
	vmm_loop_free(t.loop);
}

static void note_first(void *ctx)
{
	struct list *t = ctx;

	t->order[t->n++] = 1;
}

static void note_second(void *ctx)
{
	struct list *t = ctx;

	t->order[t->n++] = 2;
	vmm_loop_stop(t->loop, 3);
}

/* In order; what comes after the stop waits for the next run. */
static void test_defer_order(void **state)
{
	struct list t = { 0 };

	assert_int_equal(vmm_loop_new(&t.loop), 0);
	assert_int_equal(vmm_loop_defer(t.loop, note_first, &t), 0);
	assert_int_equal(vmm_loop_defer(t.loop, note_second, &t), 0);
	assert_int_equal(vmm_loop_defer(t.loop, note_second, &t), 0);
	assert_int_equal(vmm_loop_run(t.loop), 3);
	assert_int_equal(t.n, 2);
	assert_int_equal(t.order[0], 1);
	assert_int_equal(t.order[1], 2);
	assert_int_equal(vmm_loop_run(t.loop), 3);
	assert_int_equal(t.n, 3);
	assert_int_equal(vmm_loop_defer(t.loop, note_first, &t), 0);
	vmm_loop_free(t.loop);
	assert_int_equal(t.n, 3);
}

static void *stop_from_thread(void *arg)
{
	usleep(20000);
	vmm_loop_stop(arg, 9);
	return NULL;
}

static void test_stop(void **state)
{
	struct vmm_loop *l;
	pthread_t thread;

	assert_int_equal(vmm_loop_new(&l), 0);
	vmm_loop_stop(l, 8);
	vmm_loop_stop(l, 1);
	assert_int_equal(vmm_loop_run(l), 8);
	assert_int_equal(pthread_create(&thread, NULL, stop_from_thread, l), 0);
	assert_int_equal(vmm_loop_run(l), 9);
	pthread_join(thread, NULL);
	vmm_loop_free(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),	    cmocka_unit_test(test_change),
		cmocka_unit_test(test_suspend),	    cmocka_unit_test(test_bad_fd),
		cmocka_unit_test(test_hangup),	    cmocka_unit_test(test_remove_and_go_on),
		cmocka_unit_test(test_remove_self), cmocka_unit_test(test_defer_threads),
		cmocka_unit_test(test_defer_again), cmocka_unit_test(test_defer_order),
		cmocka_unit_test(test_stop),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
