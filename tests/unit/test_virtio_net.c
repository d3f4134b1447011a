// SPDX-License-Identifier: GPL-2.0-or-later
/* Networks: frames over a stream in pieces and in heaps, a guest and a peer that break the rules, the
 * control queue. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_net.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost_back_end.h"
#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/virtio_net.h"

#define SIZE 64
#define HEADER VNET_HEADER
#define FRAME_MAX 65535
#define IN_DATA (VG_DATA + 0x1000)
#define OUT_DATA (VG_DATA + 0x4000)
#define BIT(f) (1ULL << VIRTIO_NET_F_##f)
#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define PAIRS 4

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vmm_nets *nets;
	struct vnet *n; /* of the tests of the control queue */
	int peer;
	struct vb_back_end b;
	bool has_back_end;
	unsigned int set_to, n_set, n_ready, refuse;
	uint8_t frame[FRAME_MAX];
};

static struct fixture x;

static struct plan_net a_net(const char *id, uint8_t fn)
{
	struct plan_net net = { .kind = PLAN_NET_PASST, .mtu = 1500, .queues = 1 };

	strcpy(net.id, id);
	strcpy(net.mac, "02:01:02:03:04:05");
	net.guest = (struct cv_bdf){ .dev = PLAN_NET_SLOT, .fn = fn };
	return net;
}

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	x.peer = -1;
	for (size_t i = 0; i < sizeof(x.frame); i++)
		x.frame[i] = (uint8_t)(i * 7 + (i >> 8));
	return 0;
}

static int teardown(void **state)
{
	if (x.nets)
		vmm_nets_free(x.nets);
	if (x.n)
		vnet_free(x.n);
	if (x.has_back_end)
		vb_join(&x.b);
	for (unsigned int i = 0; i < 2 && x.g.rams[i].fd >= 0; i++)
		close(x.g.rams[i].fd);
	vg_done(&x.g);
	if (x.peer >= 0)
		close(x.peer);
	return 0;
}

/* ---- the machine ---- */

static void add_stream(void)
{
	struct plan p = { .n_nets = 1, .nets = { a_net("net0", 0) } };
	struct plan_link link = { .id = "net0", .n = 1 };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	x.peer = fds[0];
	link.fds[0] = fds[1];
	assert_int_equal(vmm_nets_new(&x.g.env, &p, &link, 1, &x.nets, &x.g.err), 0);
	vg_probe(&x.g, PLAN_NET_SLOT);
}

static void start(uint64_t features, unsigned int n_queues)
{
	assert_true(vg_negotiate(&x.g, V1 | features));
	vg_enable_msix(&x.g, n_queues + 1);
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_MSIX, 2, 0);
	for (unsigned int i = 0; i < n_queues; i++)
		vg_make_queue(&x.g, i, SIZE, (uint16_t)(i + 1));
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	vg_run(&x.g);
}

static void start_stream(void)
{
	add_stream();
	start(0, 2);
}

static void stop(void)
{
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
}

static uint64_t config(size_t offset, unsigned int len)
{
	return vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, (unsigned int)offset, len);
}

static bool is_up(void)
{
	return config(offsetof(struct virtio_net_config, status), 2) & VIRTIO_NET_S_LINK_UP;
}

/* ---- the peer ---- */

static void say(const void *data, size_t len)
{
	assert_int_equal(send(x.peer, data, len, MSG_DONTWAIT), len);
}

static void say_frame(const void *data, size_t len)
{
	uint32_t prefix = htonl((uint32_t)len);

	say(&prefix, sizeof(prefix));
	say(data, len);
}

/* Return: bytes of the frame in @ret, 0: nothing is there. */
static size_t hear(uint8_t *ret)
{
	uint32_t prefix = 0;
	size_t at = 0, len;

	if (recv(x.peer, &prefix, sizeof(prefix), MSG_DONTWAIT) < 0)
		return 0;
	len = ntohl(prefix);
	assert_true(len > 0 && len <= FRAME_MAX);
	while (at < len) {
		ssize_t n = recv(x.peer, ret + at, len - at, MSG_DONTWAIT);

		if (n > 0)
			at += (size_t)n;
		vg_run(&x.g);
	}
	return len;
}

/* ---- the driver ---- */

static void give_buffer(uint32_t len)
{
	const struct vring_desc d = { IN_DATA, len, VRING_DESC_F_WRITE, 0 };

	vg_add(&x.g, 0, &d, 1);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
}

/* Header and @len bytes behind it. */
static void transmit(uint64_t at, uint32_t len)
{
	const struct vring_desc d[] = { { OUT_DATA, HEADER, 0, 0 }, { at, len, 0, 0 } };

	vg_add(&x.g, 1, d, 2);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
}

static bool is_used(unsigned int queue, uint32_t *ret_len)
{
	struct vring_used_elem e = { 0 };

	if (!vg_used(&x.g, queue, &e))
		return false;
	*ret_len = e.len;
	return true;
}

static void expect_frame(const uint8_t *frame, uint32_t len)
{
	struct virtio_net_hdr_v1 h;
	uint8_t *there = malloc(len);
	uint32_t used = 0;

	assert_true(is_used(0, &used));
	assert_int_equal(used, HEADER + len);
	vg_get(&x.g, IN_DATA, &h, sizeof(h));
	assert_int_equal(h.num_buffers, 1);
	assert_int_equal(h.flags | h.gso_type, 0);
	vg_get(&x.g, IN_DATA + HEADER, there, len);
	assert_memory_equal(there, frame, len);
	free(there);
}

static void expect_nothing(void)
{
	uint32_t used;

	vg_run(&x.g);
	assert_false(is_used(0, &used));
}

/* ---- a stream ---- */

static void test_config(void **state)
{
	add_stream();
	assert_int_equal(vg_features(&x.g) & 0xffffff,
			 BIT(MAC) | BIT(STATUS) | BIT(MTU) | BIT(MRG_RXBUF));
	assert_int_equal(config(0, 4), 0x03020102);
	assert_int_equal(config(4, 2), 0x0504);
	assert_int_equal(config(offsetof(struct virtio_net_config, mtu), 2), 1500);
	assert_true(is_up());
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_NUMQ, 2), 2);
}

static void test_from_guest(void **state)
{
	uint8_t heard[FRAME_MAX];
	uint32_t used;

	start_stream();
	vg_put(&x.g, OUT_DATA + HEADER, x.frame, FRAME_MAX);
	transmit(OUT_DATA + HEADER, 1514);
	assert_true(is_used(1, &used));
	assert_int_equal(hear(heard), 1514);
	assert_memory_equal(heard, x.frame, 1514);
	transmit(OUT_DATA + HEADER, FRAME_MAX);
	assert_int_equal(hear(heard), FRAME_MAX);
	assert_memory_equal(heard, x.frame, FRAME_MAX);
	assert_int_equal(hear(heard), 0);
}

static void test_to_guest(void **state)
{
	start_stream();
	give_buffer(2048);
	say_frame(x.frame, 60);
	vg_run(&x.g);
	expect_frame(x.frame, 60);
	expect_nothing();
}

/* The stream ends anywhere within the length and the frame. */
static void test_pieces(void **state)
{
	uint32_t prefix = htonl(100);
	uint8_t all[104];

	start_stream();
	memcpy(all, &prefix, 4);
	memcpy(all + 4, x.frame, 100);
	for (size_t cut = 1; cut < sizeof(all); cut++) {
		give_buffer(2048);
		say(all, cut);
		expect_nothing();
		say(all + cut, sizeof(all) - cut);
		vg_run(&x.g);
		expect_frame(x.frame, 100);
	}
}

/* What has no buffer waits for it, in order. */
static void test_heap(void **state)
{
	start_stream();
	for (unsigned int i = 0; i < 40; i++)
		say_frame(x.frame + i, 200 + i);
	expect_nothing();
	for (unsigned int i = 0; i < 40; i++) {
		give_buffer(2048);
		expect_frame(x.frame + i, 200 + i);
	}
	expect_nothing();
}

static void test_does_not_fit(void **state)
{
	start_stream();
	give_buffer(HEADER + 100);
	say_frame(x.frame, 101);
	say_frame(x.frame, 5); /* no frame */
	say_frame(x.frame + 1, 100);
	vg_run(&x.g);
	expect_frame(x.frame + 1, 100);
	assert_true(is_up());
}

static void give_buffers(unsigned int n, uint32_t len)
{
	for (unsigned int i = 0; i < n; i++) {
		const struct vring_desc d = { IN_DATA + (uint64_t)i * len, len, VRING_DESC_F_WRITE,
					      0 };

		vg_add(&x.g, 0, &d, 1);
	}
	vg_kick(&x.g, 0);
	vg_run(&x.g);
}

/* A large frame in several small buffers, once there are enough. */
static void test_merged(void **state)
{
	struct virtio_net_hdr_v1 h;
	uint8_t there[2500];
	uint32_t used;

	add_stream();
	start(BIT(MRG_RXBUF), 2);
	give_buffers(2, 1000);
	say_frame(x.frame, 2500);
	expect_nothing();
	vg_add(&x.g, 0, &(struct vring_desc){ IN_DATA + 2000, 1000, VRING_DESC_F_WRITE, 0 }, 1);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	for (unsigned int i = 0; i < 3; i++) {
		assert_true(is_used(0, &used));
		assert_int_equal(used, i < 2 ? 1000 : HEADER + 2500 - 2000);
	}
	expect_nothing();
	vg_get(&x.g, IN_DATA, &h, sizeof(h));
	assert_int_equal(h.num_buffers, 3);
	vg_get(&x.g, IN_DATA + HEADER, there, sizeof(there));
	assert_memory_equal(there, x.frame, sizeof(there));
	give_buffer(2048);
	say_frame(x.frame, 100);
	vg_run(&x.g);
	expect_frame(x.frame, 100);
}

/* More than all buffers of the guest hold, and a buffer without a place for the header: dropped. */
static void test_merged_does_not_fit(void **state)
{
	add_stream();
	start(BIT(MRG_RXBUF), 2);
	give_buffers(SIZE, 100);
	say_frame(x.frame, SIZE * 100 - HEADER + 1);
	say_frame(x.frame + 7, 88);
	vg_run(&x.g);
	expect_frame(x.frame + 7, 88);
	stop();
	start(BIT(MRG_RXBUF), 2);
	give_buffers(3, HEADER - 1);
	say_frame(x.frame, 60);
	expect_nothing();
	assert_true(is_up());
}

/* Less than a header, a header alone, not even an Ethernet header, more than a frame, no buffer at all. */
static void test_no_frames(void **state)
{
	static const struct vring_desc chains[][2] = {
		{ { OUT_DATA, HEADER - 1, 0, 0 }, { OUT_DATA, 0, 0, 0 } },
		{ { OUT_DATA, HEADER, 0, 0 }, { OUT_DATA, 0, 0, 0 } },
		{ { OUT_DATA, HEADER, 0, 0 }, { OUT_DATA, 13, 0, 0 } },
		{ { OUT_DATA, HEADER, 0, 0 }, { OUT_DATA, FRAME_MAX + 1, 0, 0 } },
		{ { OUT_DATA, 0x70000, 0, 0 }, { 0, 0x70000, 0, 0 } },
		{ { IN_DATA, 2048, VRING_DESC_F_WRITE, 0 }, { IN_DATA, 1, VRING_DESC_F_WRITE, 0 } },
	};
	uint8_t heard[FRAME_MAX];
	uint32_t used;

	start_stream();
	for (size_t i = 0; i < sizeof(chains) / sizeof(chains[0]); i++) {
		vg_add(&x.g, 1, chains[i], 2);
		vg_kick(&x.g, 1);
		vg_run(&x.g);
		assert_true(is_used(1, &used));
		assert_int_equal(used, 0);
	}
	vg_put(&x.g, OUT_DATA + HEADER, x.frame, 14);
	transmit(OUT_DATA + HEADER, 14);
	assert_int_equal(hear(heard), 14);
	assert_int_equal(hear(heard), 0);
}

/* A socket that is full: what it does not take stays in the queue, and comes later, whole and in order. */
static void test_slow_peer(void **state)
{
	static uint8_t heard[FRAME_MAX];
	unsigned int sent = 0, n = 0;
	uint32_t used;

	start_stream();
	for (; sent < 60; sent++) {
		vg_put(&x.g, OUT_DATA + HEADER, x.frame + sent, 30000);
		transmit(OUT_DATA + HEADER, 30000);
		if (!is_used(1, &used))
			break;
	}
	assert_in_range(sent, 2, 59);
	for (; n < sent; n++) {
		assert_int_equal(hear(heard), 30000);
		assert_memory_equal(heard, x.frame + n, 30000);
		vg_run(&x.g);
	}
	assert_int_equal(hear(heard), 30000);
	assert_memory_equal(heard, x.frame + sent, 30000);
	assert_true(is_used(1, &used));
	assert_int_equal(hear(heard), 0);
}

/* Frames from before the driver was there are none of its own; half of one is no reason to lose step. */
static void test_no_driver(void **state)
{
	uint32_t prefix = htonl(80);

	add_stream();
	say_frame(x.frame, 60);
	say(&prefix, 4);
	say(x.frame, 30);
	vg_run(&x.g);
	start(0, 2);
	say(x.frame + 30, 50);
	say_frame(x.frame + 3, 90);
	vg_run(&x.g);
	give_buffer(2048);
	expect_frame(x.frame, 80);
	give_buffer(2048);
	expect_frame(x.frame + 3, 90);
	say_frame(x.frame, 99);
	vg_run(&x.g);
	stop();
	vg_run(&x.g);
	start(0, 2);
	give_buffer(2048);
	expect_nothing();
	say_frame(x.frame, 70);
	vg_run(&x.g);
	expect_frame(x.frame, 70);
}

static void check_down(void)
{
	unsigned int before = x.calls.delivered[24] + x.calls.delivered[25];
	uint32_t used;

	assert_true(is_up());
	vg_run(&x.g);
	vc_run(&x.calls);
	assert_false(is_up());
	assert_true(x.calls.delivered[24] + x.calls.delivered[25] > before);
	transmit(OUT_DATA + HEADER, 60);
	assert_true(is_used(1, &used));
	give_buffer(2048);
	expect_nothing();
	stop();
	start(0, 2);
	assert_false(is_up());
}

static void test_hang_up(void **state)
{
	start_stream();
	close(x.peer);
	x.peer = -1;
	check_down();
}

/* Frames wait for buffers of the guest when it goes. */
static void test_hang_up_held(void **state)
{
	start_stream();
	say_frame(x.frame, 60);
	vg_run(&x.g);
	close(x.peer);
	x.peer = -1;
	check_down();
}

static void test_bad_length(void **state)
{
	static const uint32_t lengths[] = { 0, FRAME_MAX + 1, UINT32_MAX };

	for (size_t i = 0; i < 3; i++) {
		uint32_t prefix = htonl(lengths[i]);

		start_stream();
		say(&prefix, sizeof(prefix));
		check_down();
		teardown(NULL);
		setup(NULL);
	}
}

/* A ring that breaks the rules stops the device, not the VMM; the next driver finds it whole. */
static void test_bad_ring(void **state)
{
	const struct vring_desc bad = { VG_RAM, 2048, VRING_DESC_F_WRITE, 0 };

	start_stream();
	vg_add(&x.g, 0, &bad, 1);
	vg_kick(&x.g, 0);
	say_frame(x.frame, 60);
	vg_run(&x.g);
	assert_int_not_equal(vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1) &
				     VIRTIO_CONFIG_S_NEEDS_RESET,
			     0);
	stop();
	start(0, 2);
	give_buffer(2048);
	say_frame(x.frame, 61);
	vg_run(&x.g);
	expect_frame(x.frame, 61);
}

/* ---- all networks of a plan ---- */

static void test_functions(void **state)
{
	struct plan p = { .n_nets = 2, .nets = { a_net("a", 0), a_net("b", 1) } };
	struct plan_link links[] = { { .id = "b", .n = 1 }, { .id = "a", .n = 1 } };
	int fds[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
	links[0].fds[0] = fds[0];
	links[1].fds[0] = fds[1];
	assert_int_equal(vmm_nets_new(&x.g.env, &p, links, 2, &x.nets, &x.g.err), 0);
	vg_probe(&x.g, PLAN_NET_SLOT);
	assert_int_equal(vg_config_read(&x.g, PCI_HEADER_TYPE, 1), 0x80);
	assert_int_equal(vg_config_read(&x.g, 0x1000 + PCI_VENDOR_ID, 4), 0x10411af4);
	assert_int_equal(vg_config_read(&x.g, 0x2000 + PCI_VENDOR_ID, 4), 0xffffffff);
	vmm_pci_reset(x.g.pci);
	assert_int_equal(vg_config_read(&x.g, PCI_HEADER_TYPE, 1), 0x80);
}

static void refuse(struct plan_net net, const char *id, size_t n, const char *code)
{
	struct plan p = { .n_nets = 1, .nets = { net } };
	struct plan_link link = { .id = id, .n = n };
	struct cv_error err = { 0 };

	for (size_t i = 0; i < n; i++)
		link.fds[i] = memfd_create("link", MFD_CLOEXEC);
	assert_true(vmm_nets_new(&x.g.env, &p, &link, 1, &x.nets, &err) < 0);
	assert_null(x.nets);
	assert_string_equal(err.code, code);
	assert_string_equal(err.object, net.id);
	for (size_t i = 0; i < n && strcmp(id, net.id) == 0; i++)
		assert_int_equal(close(link.fds[i]), -1);
}

static void test_refused(void **state)
{
	struct plan_net net = a_net("net0", 0), tap = net;

	tap.kind = PLAN_NET_BRIDGE;
	tap.queues = 2;
	refuse(net, "net1", 0, "NO_DESCRIPTOR");
	refuse(net, "net0", 2, "NO_DESCRIPTOR");
	refuse(tap, "net0", 3, "NO_DESCRIPTOR");
	refuse(tap, "net0", 4, "ENOTTY");
	refuse(net, "net0", 1, "EPERM"); /* a file cannot be watched */
	tap.queues = 17;
	refuse(tap, "net0", 1, "NO_DESCRIPTOR");
}

/* ---- the control queue ---- */

static int fake_activate(struct vnet *n)
{
	return 0;
}

static int fake_set_pairs(struct vnet *n, unsigned int pairs)
{
	x.set_to = pairs;
	x.n_set++;
	return x.refuse ? -EIO : 0;
}

static void fake_ready(struct vnet *n, unsigned int queue)
{
	x.n_ready |= 1U << queue;
}

static void fake_nothing(struct vnet *n)
{
}

static const struct vnet_ops fake_ops = {
	.activate = fake_activate,
	.set_pairs = fake_set_pairs,
	.queue_ready = fake_ready,
	.reset = fake_nothing,
	.free = fake_nothing,
};

static void add_pairs(void)
{
	const struct plan_net net = a_net("net0", 0);

	x.n = calloc(1, sizeof(*x.n));
	assert_non_null(x.n);
	x.n->side_ops = &fake_ops;
	x.n->side = &x;
	x.n->pairs = PAIRS;
	x.n->features = BIT(MRG_RXBUF);
	strcpy(x.n->id, "net0");
	assert_int_equal(vnet_add(x.n, &x.g.env, &net, &x.g.err), 0);
	vg_probe(&x.g, PLAN_NET_SLOT);
}

/* Return: what the device answers. */
static uint8_t command(unsigned int queue, const void *data, uint32_t len)
{
	const struct vring_desc d[] = { { OUT_DATA, len, 0, 0 },
					{ IN_DATA, 1, VRING_DESC_F_WRITE, 0 } };
	uint8_t ack = 0x55;
	uint32_t used;

	vg_put(&x.g, IN_DATA, &ack, 1);
	vg_put(&x.g, OUT_DATA, data, len);
	vg_add(&x.g, queue, d, 2);
	vg_kick(&x.g, queue);
	vg_run(&x.g);
	assert_true(is_used(queue, &used));
	assert_int_equal(used, 1);
	vg_get(&x.g, IN_DATA, &ack, 1);
	return ack;
}

static uint8_t ask_pairs(unsigned int queue, uint16_t pairs)
{
	const uint8_t c[] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, (uint8_t)pairs,
			      (uint8_t)(pairs >> 8) };

	return command(queue, c, sizeof(c));
}

static void test_pairs(void **state)
{
	add_pairs();
	assert_int_equal(vg_features(&x.g) & 0xffffff, BIT(MAC) | BIT(STATUS) | BIT(MTU) |
							       BIT(MRG_RXBUF) | BIT(CTRL_VQ) |
							       BIT(MQ));
	assert_int_equal(config(offsetof(struct virtio_net_config, max_virtqueue_pairs), 2), PAIRS);
	start(BIT(MQ) | BIT(CTRL_VQ), 2 * PAIRS + 1);
	assert_int_equal(ask_pairs(2 * PAIRS, 3), VIRTIO_NET_OK);
	assert_int_equal(x.set_to, 3);
	assert_int_equal(ask_pairs(2 * PAIRS, PAIRS), VIRTIO_NET_OK);
	assert_int_equal(x.set_to, PAIRS);
	x.refuse = 1;
	assert_int_equal(ask_pairs(2 * PAIRS, 1), VIRTIO_NET_ERR);
}

static void test_bad_commands(void **state)
{
	static const uint8_t commands[][4] = {
		{ VIRTIO_NET_CTRL_MQ, 1, 1, 0 },
		{ VIRTIO_NET_CTRL_RX, 0, 1, 0 },
		{ 0xff, 0xff, 0xff, 0xff },
	};
	const uint8_t set[] = { VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2, 0 };

	add_pairs();
	start(BIT(MQ) | BIT(CTRL_VQ), 2 * PAIRS + 1);
	assert_int_equal(ask_pairs(2 * PAIRS, 0), VIRTIO_NET_ERR);
	assert_int_equal(ask_pairs(2 * PAIRS, PAIRS + 1), VIRTIO_NET_ERR);
	assert_int_equal(ask_pairs(2 * PAIRS, 0x8000), VIRTIO_NET_ERR);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(command(2 * PAIRS, commands[i], 4), VIRTIO_NET_ERR);
	for (uint32_t len = 1; len < sizeof(set); len++)
		assert_int_equal(command(2 * PAIRS, set, len), VIRTIO_NET_ERR);
	assert_int_equal(x.n_set, 0);
	assert_int_equal(command(2 * PAIRS, set, sizeof(set)), VIRTIO_NET_OK);
}

/* A driver that knows of one pair has the control queue behind it, and cannot ask for more. */
static void test_one_pair(void **state)
{
	add_pairs();
	start(BIT(CTRL_VQ), 3);
	x.n_ready = 0;
	assert_int_equal(ask_pairs(2, 2), VIRTIO_NET_ERR);
	assert_int_equal(x.n_ready, 0);
	assert_int_equal(x.n_set, 0);
}

/* ---- a vhost-user back end ---- */

static void start_user(uint64_t features, uint64_t queues)
{
	struct plan p = { .n_nets = 1, .nets = { a_net("net0", 0) } };
	struct plan_link link = { .id = "net0", .n = 1 };

	for (unsigned int i = 0; i < 2; i++)
		x.g.rams[i].fd = memfd_create("ram", MFD_CLOEXEC);
	x.b.features = VNET_NEEDED | VHOST_USER_F_PROTOCOL | features;
	x.b.protocol = VHOST_USER_P_MQ | VHOST_USER_P_REPLY_ACK;
	x.b.queues = queues;
	link.fds[0] = vb_start(&x.b);
	x.has_back_end = true;
	p.nets[0].kind = PLAN_NET_VHOST_USER;
	p.nets[0].queues = 3;
	assert_int_equal(vmm_nets_new(&x.g.env, &p, &link, 1, &x.nets, &x.g.err), 0);
	vg_probe(&x.g, PLAN_NET_SLOT);
}

/* Return: rings that it serves: begun, and not stopped. */
static unsigned int n_served(void)
{
	unsigned int n = 0;

	for (size_t i = 0; i < x.b.n_requests; i++)
		n += x.b.requests[i] == VHOST_USER_SET_VRING_ENABLE ? 1U
		     : x.b.requests[i] == VHOST_USER_GET_VRING_BASE ? -1U
								    : 0;
	return n;
}

/* What the back end lacks is not offered; it has as many queues as the guest uses, no more. */
static void test_user(void **state)
{
	start_user(BIT(MQ) | BIT(CSUM) | BIT(MRG_RXBUF) | BIT(GUEST_ANNOUNCE), 2);
	assert_int_equal(vg_features(&x.g) & 0xffffff, BIT(MAC) | BIT(STATUS) | BIT(MTU) |
							       BIT(CTRL_VQ) | BIT(MQ) | BIT(CSUM) |
							       BIT(MRG_RXBUF));
	assert_int_equal(config(offsetof(struct virtio_net_config, max_virtqueue_pairs), 2), 2);
	start(BIT(MQ) | BIT(CTRL_VQ) | BIT(CSUM), 5);
	assert_int_equal(n_served(), 2);
	assert_int_equal(x.b.set_features & BIT(CSUM), BIT(CSUM));
	assert_int_equal(x.b.set_features & (BIT(CTRL_VQ) | BIT(MRG_RXBUF)), 0);
	assert_int_equal(ask_pairs(4, 2), VIRTIO_NET_OK);
	assert_int_equal(n_served(), 4);
	assert_int_equal(x.b.rings[3].num, SIZE);
	assert_int_equal(ask_pairs(4, 1), VIRTIO_NET_OK);
	assert_int_equal(n_served(), 2);
	stop();
	assert_int_equal(n_served(), 0);
}

static void test_user_one_pair(void **state)
{
	start_user(BIT(GUEST_CSUM), 8);
	assert_int_equal(vg_features(&x.g) & 0xffffff,
			 BIT(MAC) | BIT(STATUS) | BIT(MTU) | BIT(GUEST_CSUM));
	start(0, 2);
	assert_int_equal(n_served(), 2);
}

/* Queues of a driver that asks for more while nobody is there: told no, and no link. */
static void test_user_hangs_up(void **state)
{
	start_user(BIT(MQ), 2);
	start(BIT(MQ) | BIT(CTRL_VQ), 5);
	assert_true(is_up());
	vb_hang_up(&x.b);
	for (unsigned int i = 0; i < 1000 && is_up(); i++) {
		vg_run(&x.g);
		usleep(1000);
	}
	assert_false(is_up());
	assert_int_equal(ask_pairs(4, 2), VIRTIO_NET_ERR);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_from_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_to_guest, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_heap, setup, teardown),
		cmocka_unit_test_setup_teardown(test_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_merged_does_not_fit, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_frames, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_peer, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_driver, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hang_up_held, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_functions, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_pairs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_commands, setup, teardown),
		cmocka_unit_test_setup_teardown(test_one_pair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_one_pair, setup, teardown),
		cmocka_unit_test_setup_teardown(test_user_hangs_up, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
