// SPDX-License-Identifier: GPL-2.0-or-later
/* Consoles and ports as Linux's virtio_console drives them: who opens first, who is slow, who leaves. */
#include <errno.h>
#include <linux/virtio_config.h>
#include <linux/virtio_console.h>
#include <linux/virtio_pci.h>
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

#include "base/cleanup.h"
#include "virtio_guest.h"
#include "vm_calls.h"
#include "tests/unit/abstract_socket.h"
#include "vmm/dev/devices.h"

#define SLOT 1
#define PORT 1 /* the named one; 0 is the console */
#define CONTROL_IN 2
#define CONTROL_OUT 3
#define IN 4
#define OUT 5
#define CONTROL_BUFFER VG_DATA
#define MESSAGE (VG_DATA + 0x8000)
#define IN_BUFFER (VG_DATA + 0x10000)
#define OUT_BUFFER (VG_PIECE - 100) /* output lies across the pieces */
#define BUFFER 64

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vmm_vconsole *c;
	struct sockaddr_un address;
	socklen_t address_len;
	unsigned int n_in; /* input buffers given so far */
};

static struct fixture x;

static int setup(void **state)
{
	struct vmm_vport ports[] = { { "", true, -1, -1 }, { "org.carve.guest", false, -1, -1 } };

	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	ports[1].listen_fd = listen_somewhere(&x.address, &x.address_len);
	assert_int_equal(vmm_vconsole_new(&x.g.env, SLOT, ports, 2, &x.c, &x.g.err), 0);
	vg_probe(&x.g, SLOT);
	return 0;
}

static int teardown(void **state)
{
	vmm_vconsole_free(x.c);
	vg_done(&x.g);
	return 0;
}

/* ---- the driver ---- */

static void give_control(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct vring_desc d = { CONTROL_BUFFER + 256ULL * i, 256, VRING_DESC_F_WRITE,
					      0 };

		vg_add(&x.g, CONTROL_IN, &d, 1);
	}
	vg_kick(&x.g, CONTROL_IN);
	vg_run(&x.g);
}

static void give_input(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++, x.n_in++) {
		const struct vring_desc d = { IN_BUFFER + (uint64_t)BUFFER * (x.n_in % 16), BUFFER,
					      VRING_DESC_F_WRITE, 0 };

		vg_add(&x.g, IN, &d, 1);
	}
	vg_kick(&x.g, IN);
	vg_run(&x.g);
}

static void probe(uint64_t features, unsigned int n_control)
{
	assert_true(vg_negotiate(&x.g, 1ULL << VIRTIO_F_VERSION_1 |
					       1ULL << VIRTIO_CONSOLE_F_MULTIPORT | features));
	for (unsigned int i = 0; i < 8; i++)
		vg_make_queue(&x.g, i, 16, VG_NO_VECTOR);
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	x.n_in = 0;
	give_control(n_control);
}

static void tell(uint32_t id, uint16_t event, uint16_t value)
{
	const struct virtio_console_control m = { id, event, value };
	const struct vring_desc d = { MESSAGE, sizeof(m), 0, 0 };
	struct vring_used_elem e;

	vg_put(&x.g, MESSAGE, &m, sizeof(m));
	vg_add(&x.g, CONTROL_OUT, &d, 1);
	vg_kick(&x.g, CONTROL_OUT);
	vg_run(&x.g);
	assert_true(vg_used(&x.g, CONTROL_OUT, &e)); /* the driver spins until then */
}

/* "add 1; name 1 org.carve.guest; ..." */
static const char *heard(void)
{
	static const char *const names[] = { "ready", "add",	"remove", "port-ready",
					     "hvc",   "resize", "open",	  "name" };
	static char text[512];
	struct vring_used_elem e;
	size_t n = 0;

	text[0] = 0;
	while (vg_used(&x.g, CONTROL_IN, &e)) {
		struct {
			struct virtio_console_control c;
			char name[64];
		} m = { 0 };
		struct vring_desc d;

		vg_get(&x.g, x.g.queues[CONTROL_IN].desc + 16ULL * e.id, &d, sizeof(d));
		assert_true(e.len >= sizeof(m.c) && e.len < sizeof(m));
		vg_get(&x.g, d.addr, &m, e.len);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s %u=%u%s; ", names[m.c.event],
				      m.c.id, m.c.value, m.name);
	}
	return text;
}

static void open_port(void)
{
	tell(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
	tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
}

static bool say(const void *data, uint32_t len)
{
	const struct vring_desc d = { OUT_BUFFER, len, 0, 0 };
	struct vring_used_elem e;

	vg_put(&x.g, OUT_BUFFER, data, len);
	vg_add(&x.g, OUT, &d, 1);
	vg_kick(&x.g, OUT);
	vg_run(&x.g);
	return vg_used(&x.g, OUT, &e);
}

static void expect_input(const char *text)
{
	struct vring_used_elem e;
	size_t len = strlen(text);
	char data[BUFFER];

	assert_true(vg_used(&x.g, IN, &e));
	assert_int_equal(e.len, len);
	vg_get(&x.g, IN_BUFFER + (uint64_t)BUFFER * e.id, data, len);
	assert_memory_equal(data, text, len);
}

/* ---- the client ---- */

static int attach(void)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&x.address, x.address_len), 0);
	vg_run(&x.g);
	return fd;
}

static void type(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	vg_run(&x.g);
}

static void leave(int fd)
{
	close(fd);
	vg_run(&x.g);
}

static size_t hear(int fd, char *data, size_t len)
{
	ssize_t n = recv(fd, data, len, MSG_DONTWAIT);

	return n < 0 ? 0 : (size_t)n;
}

/* ---- cases ---- */

static void test_config(void **state)
{
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG,
				 offsetof(struct virtio_console_config, max_nr_ports), 4),
			 3);
}

static void test_introduction(void **state)
{
	probe(0, 16);
	assert_string_equal(heard(), "");
	tell(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	assert_string_equal(heard(), "add 0=1; add 1=1; ");
	tell(0, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_string_equal(heard(), "hvc 0=1; open 0=1; ");
	tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_string_equal(heard(), "name 1=1org.carve.guest; ");
	tell(7, VIRTIO_CONSOLE_PORT_READY, 1);
	tell(UINT32_MAX, VIRTIO_CONSOLE_PORT_OPEN, 1);
	tell(PORT, 99, 1);
	assert_string_equal(heard(), "");
}

/* Fewer buffers than messages: the rest comes with the next ones. */
static void test_few_control_buffers(void **state)
{
	for (unsigned int i = 0; i < 2; i++) {
		probe(i * (1ULL << VIRTIO_RING_F_EVENT_IDX), 1);
		tell(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
		assert_string_equal(heard(), "add 0=1; ");
		tell(0, VIRTIO_CONSOLE_PORT_READY, 1);
		give_control(2);
		assert_string_equal(heard(), "hvc 0=1; open 0=1; ");
		give_control(1);
		assert_string_equal(heard(), "add 1=1; ");
	}
}

static void test_client_first(void **state)
{
	int fd = attach();

	type(fd, "early");
	probe(0, 16);
	give_input(4);
	tell(0, VIRTIO_CONSOLE_DEVICE_READY, 1);
	tell(PORT, VIRTIO_CONSOLE_PORT_READY, 1);
	assert_string_equal(heard(), "add 0=1; add 1=1; name 1=1org.carve.guest; open 1=1; ");
	tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
	expect_input("early");
	leave(fd);
	assert_string_equal(heard(), "open 1=0; ");
}

static void test_guest_first(void **state)
{
	char data[64] = { 0 };
	int fd;

	probe(0, 16);
	open_port();
	heard();
	fd = attach();
	assert_string_equal(heard(), "open 1=1; ");
	type(fd, "before there is a buffer");
	give_input(1);
	expect_input("before there is a buffer");
	assert_true(say("answer", 6));
	assert_int_equal(hear(fd, data, sizeof(data)), 6);
	assert_string_equal(data, "answer");
	/* closed in the guest: what comes then waits */
	tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 0);
	give_input(2);
	type(fd, "late");
	struct vring_used_elem e;
	assert_false(vg_used(&x.g, IN, &e));
	tell(PORT, VIRTIO_CONSOLE_PORT_OPEN, 1);
	expect_input("late");
	leave(fd);
}

/* Left and came back before the guest had a buffer for the news: it hears both. */
static void test_comes_back(void **state)
{
	int fd;

	probe(0, 3);
	open_port();
	assert_string_equal(heard(), "add 0=1; add 1=1; name 1=1org.carve.guest; ");
	leave(attach());
	fd = attach();
	give_control(4);
	assert_string_equal(heard(), "open 1=0; open 1=1; ");
	leave(fd);
}

static void test_long_input(void **state)
{
	char text[3 * BUFFER + 1], part[BUFFER + 1];
	int fd;

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)('a' + i % 26);
	text[sizeof(text) - 1] = 0;
	probe(1ULL << VIRTIO_RING_F_EVENT_IDX, 16);
	open_port();
	fd = attach();
	give_input(1);
	type(fd, text);
	for (unsigned int i = 0; i < 3; i++) {
		snprintf(part, sizeof(part), "%s", text + (size_t)i * BUFFER);
		expect_input(part);
		give_input(1);
	}
	leave(fd);
}

/* The client of a named port is slow: the guest waits, and nothing is lost. */
static void test_long_output(void **state)
{
	static char chunk[4096], data[65536];
	size_t sent = 0, got = 0;
	struct vring_used_elem e;
	int fd;

	probe(1ULL << VIRTIO_RING_F_EVENT_IDX, 16);
	open_port();
	fd = attach();
	do {
		for (size_t i = 0; i < sizeof(chunk); i++)
			chunk[i] = (char)((sent + i) % 251);
		sent += sizeof(chunk);
	} while (say(chunk, sizeof(chunk)) && sent < 16 << 20);
	assert_true(sent < 16 << 20);
	for (unsigned int tries = 0; tries < 1000 && got < sent; tries++) {
		size_t n = hear(fd, data, sizeof(data));

		for (size_t i = 0; i < n; i++)
			assert_int_equal((unsigned char)data[i], (got + i) % 251);
		got += n;
		vg_run(&x.g);
	}
	assert_int_equal(got, sent);
	assert_true(vg_used(&x.g, OUT, &e));
	leave(fd);
}

static void test_slow_client_leaves(void **state)
{
	static const char chunk[4096];
	struct vring_used_elem e;
	int fd;

	probe(0, 16);
	open_port();
	fd = attach();
	while (say(chunk, sizeof(chunk)))
		continue;
	leave(fd);
	assert_true(vg_used(&x.g, OUT, &e));
	assert_true(say(chunk, sizeof(chunk)));
}

static void test_guest_reboots(void **state)
{
	int fd = attach();

	probe(0, 16);
	open_port();
	type(fd, "for the old one");
	vmm_pci_reset(x.g.pci);
	vg_probe(&x.g, SLOT);
	probe(0, 16);
	give_input(2);
	open_port();
	assert_string_equal(heard(), "add 0=1; add 1=1; name 1=1org.carve.guest; open 1=1; ");
	type(fd, "for the new one");
	leave(fd);
}

/* A console alone, by a driver that does not know ports. */
static void test_without_ports(void **state)
{
	const struct vring_desc d = { OUT_BUFFER, 10, 0, 0 };
	struct vring_used_elem e;

	assert_true(vg_negotiate(&x.g, 1ULL << VIRTIO_F_VERSION_1));
	for (unsigned int i = 0; i < 2; i++)
		vg_make_queue(&x.g, i, 16, VG_NO_VECTOR);
	vg_ready(&x.g);
	vg_add(&x.g, 1, &d, 1);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_true(vg_used(&x.g, 1, &e));
}

/* 4 GiB of output in one request do not keep the loop for themselves. */
static void test_huge_request(void **state)
{
	const struct vring_desc d = { 0, VG_RAM, 0, 0 };
	struct vring_used_elem e;

	probe(0, 16);
	open_port();
	for (unsigned int i = 0; i < 8; i++)
		vg_add(&x.g, OUT, &d, 1);
	vg_kick(&x.g, OUT);
	vg_run(&x.g);
	for (unsigned int i = 0; i < 8; i++)
		assert_true(vg_used(&x.g, OUT, &e));
}

static void test_too_many(void **state)
{
	struct vmm_vport ports[8] = { { "a", true, -1, -1 }, { "b", true, -1, -1 } };
	struct vmm_vconsole *c;

	assert_int_equal(vmm_vconsole_new(&x.g.env, 5, ports, 8, &c, &x.g.err), -E2BIG);
	x.g.err = (struct cv_error){ 0 };
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_config),	  CASE(test_introduction),  CASE(test_few_control_buffers),
		CASE(test_client_first),  CASE(test_guest_first),   CASE(test_comes_back),
		CASE(test_long_input),	  CASE(test_long_output),   CASE(test_slow_client_leaves),
		CASE(test_guest_reboots), CASE(test_without_ports), CASE(test_huge_request),
		CASE(test_too_many),
	};

	return cmocka_run_group_tests_name("virtio_console", tests, NULL, NULL);
}
