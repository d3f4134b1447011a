// SPDX-License-Identifier: GPL-2.0-or-later
/* Bytes between a device and its client: one at a time, slow ones, ones that come and go; and the log. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/unit/abstract_socket.h"
#include "vmm/dev/channel.h"

#define ROUNDS 6

struct fixture {
	struct vmm_loop *loop;
	struct vmm_channel *c;
	struct sockaddr_un address;
	socklen_t address_len;
	int log_fd;
	size_t room, n_input, n_writable;
	uint8_t input[16384];
	char opens[32];
};

static struct fixture x;

/* ---- the device ---- */

static size_t room(void *ctx)
{
	return x.room;
}

static void input(void *ctx, const uint8_t *data, size_t len)
{
	assert_true(len <= x.room);
	memcpy(x.input + x.n_input, data, len);
	x.n_input += len;
	x.room -= len;
}

static void opened(void *ctx, bool is_open)
{
	strcat(x.opens, is_open ? "+" : "-");
}

static void writable(void *ctx)
{
	x.n_writable++;
}

static const struct vmm_channel_ops ops = {
	.room = room,
	.input = input,
	.open = opened,
	.writable = writable,
};

static void stop(void *ctx)
{
	vmm_loop_stop(ctx, 0);
}

static void run(void)
{
	for (unsigned int i = 0; i < ROUNDS; i++) {
		assert_int_equal(vmm_loop_defer(x.loop, stop, x.loop), 0);
		assert_int_equal(vmm_loop_run(x.loop), 0);
	}
}

static int setup(void **state)
{
	char path[] = "/tmp/carve-test-channel-XXXXXX";
	int fd;

	memset(&x, 0, sizeof(x));
	x.room = sizeof(x.input);
	fd = mkostemp(path, O_CLOEXEC | O_APPEND);
	assert_true(fd >= 0);
	unlink(path);
	x.log_fd = dup(fd);
	assert_int_equal(vmm_loop_new(&x.loop), 0);
	assert_int_equal(vmm_channel_new(x.loop, listen_somewhere(&x.address, &x.address_len), fd,
					 &ops, &x, &x.c),
			 0);
	return 0;
}

static int teardown(void **state)
{
	if (x.c)
		vmm_channel_free(x.c);
	vmm_loop_free(x.loop);
	close(x.log_fd);
	return 0;
}

/* ---- the client ---- */

static int attach(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&x.address, x.address_len), 0);
	run();
	return fd;
}

static void leave(int fd)
{
	close(fd);
	run();
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	run();
}

static size_t hear(int fd, void *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

static size_t put(const char *text)
{
	return vmm_channel_write(x.c, (const uint8_t *)text, strlen(text), false);
}

static void expect_heard(int fd, const char *text)
{
	char data[256] = { 0 };

	assert_int_equal(hear(fd, data, sizeof(data) - 1), strlen(text));
	assert_string_equal(data, text);
}

static void expect_log(const char *text)
{
	char data[256] = { 0 };

	assert_int_equal(pread(x.log_fd, data, sizeof(data) - 1, 0), strlen(text));
	assert_string_equal(data, text);
}

/* ---- cases ---- */

static void test_both_ways(void **state)
{
	int fd = attach();

	assert_true(vmm_channel_is_open(x.c));
	assert_int_equal(put("hello "), 6);
	put("guest");
	run();
	expect_heard(fd, "hello guest");
	say(fd, "typed");
	assert_int_equal(x.n_input, 5);
	assert_memory_equal(x.input, "typed", 5);
	leave(fd);
	assert_false(vmm_channel_is_open(x.c));
	assert_string_equal(x.opens, "+-");
}

/* Nobody is there: it is in the log alone, and who comes later does not get it. */
static void test_log(void **state)
{
	int fd;

	put("first ");
	run();
	expect_log("first ");
	fd = attach();
	put("second");
	run();
	expect_log("first second");
	expect_heard(fd, "second");
	leave(fd);
	put(" third");
	vmm_channel_free(x.c); /* the end of the VMM */
	x.c = NULL;
	expect_log("first second third");
}

static void test_long_log(void **state)
{
	uint8_t data[10000], back[10000];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 7 >> 3);
	for (size_t i = 0; i < sizeof(data); i += 100)
		assert_int_equal(vmm_channel_write(x.c, data + i, 100, true), 100);
	run();
	assert_int_equal(pread(x.log_fd, back, sizeof(back), 0), sizeof(back));
	assert_memory_equal(data, back, sizeof(data));
}

/* The disk is full: the guest goes on. */
static void test_log_fails(void **state)
{
	struct vmm_channel *c;
	int full = open("/dev/full", O_WRONLY | O_CLOEXEC);

	assert_true(full >= 0);
	assert_int_equal(vmm_channel_new(x.loop, -1, full, &ops, &x, &c), 0);
	for (unsigned int i = 0; i < 100; i++)
		assert_int_equal(vmm_channel_write(c, x.input, 100, false), 100);
	run();
	vmm_channel_free(c);
}

static void test_guest_without_room(void **state)
{
	int fd;

	x.room = 0;
	fd = attach();
	say(fd, "early");
	assert_int_equal(x.n_input, 0);
	x.room = 3;
	vmm_channel_has_room(x.c);
	run();
	assert_int_equal(x.n_input, 3);
	x.room = 10;
	vmm_channel_has_room(x.c);
	run();
	assert_memory_equal(x.input, "early", 5);
	leave(fd);
}

/* It writes and goes at once: all that fits arrives, also when output cannot be sent any more. */
static void test_says_and_leaves(void **state)
{
	uint8_t data[9000] = { 1 };
	int fd = attach();

	put("nobody reads this");
	data[8999] = 2;
	assert_int_equal(send(fd, data, sizeof(data), MSG_NOSIGNAL), sizeof(data));
	leave(fd);
	assert_int_equal(x.n_input, sizeof(data));
	assert_memory_equal(x.input, data, sizeof(data));
	assert_string_equal(x.opens, "+-");
}

static void test_second_waits(void **state)
{
	int first = attach(), second = attach();

	put("a");
	run();
	expect_heard(first, "a");
	say(second, "me too");
	assert_int_equal(x.n_input, 0);
	leave(first);
	assert_string_equal(x.opens, "+-+");
	assert_int_equal(x.n_input, 6);
	put("b");
	run();
	expect_heard(second, "b");
	leave(second);
	assert_string_equal(x.opens, "+-+-");
}

static size_t fill(bool may_wait)
{
	static uint8_t data[4096];
	size_t total = 0, n;

	do {
		n = vmm_channel_write(x.c, data, sizeof(data), may_wait);
		total += n;
		run();
	} while (n == sizeof(data) && total < 16 << 20);
	return total;
}

/* A client that does not read: who may wait is told when it goes on; nothing is lost. */
static void test_slow_client(void **state)
{
	static uint8_t data[1 << 20];
	int fd = attach();
	size_t total = fill(true), heard = 0, n;

	assert_true(total >= VMM_CHANNEL_MAX);
	assert_true(total < 16 << 20);
	assert_int_equal(x.n_writable, 0);
	for (unsigned int i = 0; i < 1000 && heard < total; i++) {
		n = hear(fd, data, sizeof(data));
		heard += n;
		run();
	}
	assert_int_equal(heard, total);
	assert_int_equal(x.n_writable, 1);
	leave(fd);
	assert_int_equal(x.n_writable, 1);
}

static void test_slow_client_leaves(void **state)
{
	int fd = attach();

	fill(true);
	leave(fd);
	assert_int_equal(x.n_writable, 1);
	assert_int_equal(vmm_channel_write(x.c, x.input, 100, true), 100);
}

static void test_console_does_not_wait(void **state)
{
	int fd = attach();

	assert_true(fill(false) >= 16 << 20);
	assert_int_equal(x.n_writable, 0);
	leave(fd);
}

/* What is for the one that left is not for the next. */
static void test_leftovers(void **state)
{
	int fd = attach();
	char data[16];

	put("secret");
	close(fd);
	run();
	fd = attach();
	run();
	assert_int_equal(hear(fd, data, sizeof(data)), 0);
	leave(fd);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_both_ways),	       CASE(test_log),
		CASE(test_long_log),	       CASE(test_log_fails),
		CASE(test_guest_without_room), CASE(test_says_and_leaves),
		CASE(test_second_waits),       CASE(test_slow_client),
		CASE(test_slow_client_leaves), CASE(test_console_does_not_wait),
		CASE(test_leftovers),
	};

	return cmocka_run_group_tests_name("channel", tests, NULL, NULL);
}
