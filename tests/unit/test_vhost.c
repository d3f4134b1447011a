// SPDX-License-Identifier: GPL-2.0-or-later
/* Queues that somebody else serves: what it is told of them, kicks and interrupts past the loop, vectors
 * that are masked or changed, failures, and the way back. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/dev/vhost.h"

#define SLOT 3
#define QUEUES 3
#define RINGS 2 /* of queues 1 and 2: the first one is the device's own */
#define SIZE 16
#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define COMMON VIRTIO_PCI_CAP_COMMON_CFG

/** struct fake - keeps what it is told; @fail_at: the n-th call fails */
struct fake {
	struct vmm_vhost h;
	struct vmm_virtio_ring rings[RINGS];
	bool is_set[RINGS];
	uint64_t features;
	const struct vmm_memory *memory;
	unsigned int n_calls, fail_at, n_freed;
	uint16_t next;
};

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vmm_virtio v;
	struct fake side;
	unsigned int n_ready[QUEUES];
};

static struct fixture x;

/* ---- the other side ---- */

static int count(void)
{
	return ++x.side.n_calls == x.side.fail_at ? -EIO : 0;
}

static int get_features(struct vmm_vhost *h, uint64_t *ret)
{
	*ret = V1 | 1;
	return count();
}

static int set_features(struct vmm_vhost *h, uint64_t features)
{
	x.side.features = features;
	return count();
}

static int set_memory(struct vmm_vhost *h, const struct vmm_memory *m)
{
	x.side.memory = m;
	return count();
}

static int set_ring(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *r)
{
	int err = count();

	assert_true(ring < RINGS);
	assert_false(x.side.is_set[ring]);
	x.side.rings[ring] = *r;
	x.side.is_set[ring] = err == 0;
	return err;
}

static int stop_ring(struct vmm_vhost *h, unsigned int ring, uint16_t *ret_next)
{
	assert_true(x.side.is_set[ring]);
	x.side.is_set[ring] = false;
	*ret_next = x.side.next;
	return count();
}

static void free_side(struct vmm_vhost *h)
{
	x.side.n_freed++;
}

static const struct vmm_vhost_ops side_ops = {
	.features = get_features,
	.set_features = set_features,
	.set_memory = set_memory,
	.set_ring = set_ring,
	.stop_ring = stop_ring,
	.free = free_side,
};

/* ---- the device ---- */

static int activate(struct vmm_virtio *v)
{
	return vmm_vhost_start(&x.side.h, v, 1, RINGS, 42);
}

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	x.n_ready[queue]++;
}

static void reset(struct vmm_virtio *v)
{
	vmm_vhost_stop(&x.side.h, v, 1, RINGS);
}

static const struct vmm_virtio_ops ops = {
	.name = "test",
	.id = 42,
	.class_rev = 0x00ff0000,
	.n_queues = QUEUES,
	.queue_size = SIZE,
	.activate = activate,
	.queue_ready = queue_ready,
	.reset = reset,
};

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	x.side.h.ops = &side_ops;
	strcpy(x.side.h.name, "other");
	assert_int_equal(vmm_virtio_add(&x.v, &ops, &x.g.env, vmm_slot(SLOT), QUEUES, &x.g.err), 0);
	vg_probe(&x.g, SLOT);
	return 0;
}

static int teardown(void **state)
{
	vmm_virtio_done(&x.v);
	for (unsigned int i = 0; i < RINGS; i++)
		assert_false(x.side.is_set[i]);
	for (unsigned int i = 0; i < VC_MAX_ROUTES; i++)
		assert_int_equal(x.calls.irqfds[i].fd, -1);
	vg_done(&x.g);
	return 0;
}

/* ---- the driver ---- */

static uint8_t start(unsigned int queues)
{
	assert_true(vg_negotiate(&x.g, V1));
	vg_enable_msix(&x.g, QUEUES + 1);
	for (unsigned int i = 0; i < QUEUES; i++)
		if (queues & 1U << i)
			vg_make_queue(&x.g, i, SIZE, (uint16_t)(i + 1));
	return vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static void stop(void)
{
	vg_write(&x.g, COMMON, VIRTIO_PCI_COMMON_STATUS, 1, 0);
}

static uint64_t table(void)
{
	return x.g.bar + x.v.msix.table_offset;
}

static void set_mask(unsigned int vector, uint32_t masked)
{
	vmm_bus_access(&x.g.mmio, table() + 16ULL * vector + 12, &masked, 4, true);
}

static bool is_pending(unsigned int vector)
{
	uint64_t bits = 0;

	vmm_bus_access(&x.g.mmio, x.g.bar + x.v.msix.pba_offset, &bits, 8, false);
	return bits & 1ULL << vector;
}

static void set_vector(unsigned int queue, uint16_t vector)
{
	vg_write(&x.g, COMMON, VIRTIO_PCI_COMMON_Q_SELECT, 2, queue);
	vg_write(&x.g, COMMON, VIRTIO_PCI_COMMON_Q_MSIX, 2, vector);
}

/* ---- eventfds, as the other side and as the kernel sees them ---- */

static uint64_t take(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void interrupt(unsigned int ring)
{
	const uint64_t one = 1;

	assert_int_equal(write(x.side.rings[ring].call_fd, &one, sizeof(one)), sizeof(one));
	vc_run(&x.calls);
}

/* Return: data of the message that the ring's eventfd raises; 0: none. */
static uint32_t raised_by(unsigned int ring)
{
	const struct kvm_irq_routing_entry *e;

	for (unsigned int gsi = 0; gsi < VC_MAX_ROUTES; gsi++) {
		if (x.calls.irqfds[gsi].fd != x.side.rings[ring].call_fd)
			continue;
		e = vc_route(&x.calls, gsi);
		assert_non_null(e);
		return e->u.msi.data;
	}
	return 0;
}

static unsigned int delivered(void)
{
	unsigned int n = 0;

	for (unsigned int gsi = 0; gsi < VC_MAX_ROUTES; gsi++)
		n += x.calls.delivered[gsi];
	return n;
}

/* ---- tests ---- */

static void test_ring(void **state)
{
	assert_int_equal(start(7), 0);
	assert_int_equal(x.side.features, 42);
	assert_ptr_equal(x.side.memory, &x.g.memory);
	for (unsigned int i = 0; i < RINGS; i++) {
		const struct vmm_virtio_ring *r = &x.side.rings[i];

		assert_true(x.side.is_set[i]);
		assert_int_equal(r->desc, x.g.queues[i + 1].desc);
		assert_int_equal(r->avail, x.g.queues[i + 1].avail);
		assert_int_equal(r->used, x.g.queues[i + 1].used);
		assert_int_equal(r->size, SIZE);
		assert_int_equal(r->next, 0);
	}
}

/* The loop takes none of the kicks, also not those from before. */
static void test_kicks(void **state)
{
	assert_int_equal(start(7), 0);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[0], 1);
	assert_int_equal(x.n_ready[1] + x.n_ready[2], 0);
	assert_true(take(x.side.rings[0].kick_fd) > 0);
	assert_true(take(x.side.rings[1].kick_fd) > 0);
	vg_kick(&x.g, 1);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[0], 2);
	assert_int_equal(x.n_ready[1], 0);
	assert_int_equal(take(x.side.rings[0].kick_fd), 1);
	assert_int_equal(take(x.side.rings[1].kick_fd), 0);
}

static void test_interrupt(void **state)
{
	assert_int_equal(start(7), 0);
	assert_int_equal(raised_by(0), 0x32);
	assert_int_equal(raised_by(1), 0x33);
	interrupt(0);
	assert_int_equal(delivered(), 1);
	interrupt(1);
	assert_int_equal(delivered(), 2);
}

static void test_masked(void **state)
{
	assert_int_equal(start(7), 0);
	set_mask(2, 1);
	assert_int_equal(raised_by(0), 0);
	assert_false(is_pending(2));
	interrupt(0);
	interrupt(0);
	assert_int_equal(delivered(), 0);
	assert_true(is_pending(2));
	assert_false(is_pending(3));
	set_mask(2, 0);
	vc_run(&x.calls);
	assert_int_not_equal(delivered(), 0);
	assert_false(is_pending(2));
	assert_int_equal(raised_by(0), 0x32);
}

/* The other side keeps its eventfd. */
static void test_vector_changes(void **state)
{
	assert_int_equal(start(7), 0);
	set_vector(1, 3);
	assert_int_equal(raised_by(0), 0x33);
	assert_int_equal(raised_by(1), 0x33);
	interrupt(0);
	assert_int_equal(delivered(), 1);
	set_vector(1, VG_NO_VECTOR);
	assert_int_equal(raised_by(0), 0);
	interrupt(0);
	assert_int_equal(delivered(), 1);
	set_vector(1, 0);
	assert_int_equal(raised_by(0), 0x30);
}

/* A new address in the table goes to the eventfd of the other side, too. */
static void test_table_changes(void **state)
{
	uint64_t rest = 0x77;
	unsigned int before;

	assert_int_equal(start(7), 0);
	before = x.calls.n_tables;
	vmm_bus_access(&x.g.mmio, table() + 16 * 2 + 8, &rest, 8, true);
	assert_int_equal(raised_by(0), 0x77);
	assert_int_equal(raised_by(1), 0x33);
	assert_int_equal(x.calls.n_tables, before + 1);
}

static void test_function_masked(void **state)
{
	unsigned int flags = x.v.msix.cap + PCI_MSIX_FLAGS;

	assert_int_equal(start(7), 0);
	vg_config_write(&x.g, flags, 2, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	interrupt(1);
	assert_int_equal(delivered(), 0);
	vg_config_write(&x.g, flags, 2, PCI_MSIX_FLAGS_ENABLE);
	vc_run(&x.calls);
	assert_int_not_equal(delivered(), 0);
	vg_config_write(&x.g, flags, 2, 0);
	assert_int_equal(raised_by(0) + raised_by(1), 0);
	vg_config_write(&x.g, flags, 2, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(raised_by(1), 0x33);
}

static void test_queue_left_out(void **state)
{
	assert_int_equal(start(1 | 4), 0);
	assert_false(x.side.is_set[0]);
	assert_true(x.side.is_set[1]);
}

/* The VMM may serve it again, from where the other side stopped. */
static void test_way_back(void **state)
{
	struct vmm_virtio_ring r;

	assert_int_equal(start(7), 0);
	x.side.next = 9;
	vmm_virtio_lock(&x.v);
	assert_int_equal(vmm_virtio_hand_over(&x.v, 1, &r), -EINVAL);
	vmm_vhost_stop(&x.side.h, &x.v, 1, RINGS);
	assert_int_equal(x.v.queues[1].next_avail, 9);
	vmm_virtio_unlock(&x.v);
	assert_int_equal(raised_by(0), 0);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[1], 1);
}

static void test_reset(void **state)
{
	assert_int_equal(start(7), 0);
	stop();
	assert_false(x.side.is_set[0] || x.side.is_set[1]);
	for (unsigned int i = 0; i < 3; i++) {
		assert_int_equal(start(7), 0);
		assert_int_equal(x.side.rings[0].next, 0);
		interrupt(0);
		assert_int_equal(delivered(), i + 1);
		stop();
	}
}

/* Queues that are stopped because the guest broke the rules are still the other side's until the reset. */
static void test_broken(void **state)
{
	assert_int_equal(start(7), 0);
	vmm_virtio_lock(&x.v);
	vmm_virtio_broken(&x.v, "test");
	vmm_virtio_unlock(&x.v);
	assert_true(x.side.is_set[0]);
	stop();
	assert_false(x.side.is_set[0]);
	assert_int_equal(start(7), 0);
}

/* Each call of the start fails once: nothing is handed over, and the next start is as the first. */
static void test_failures(void **state)
{
	for (unsigned int n = 1; n <= 4; n++) {
		x.side.n_calls = 0;
		x.side.fail_at = n;
		assert_int_not_equal(start(7), 0);
		assert_false(x.side.is_set[0] || x.side.is_set[1]);
		assert_int_equal(raised_by(0) + raised_by(1), 0);
		stop();
	}
	x.side.fail_at = 0;
	assert_int_equal(start(7), 0);
	assert_int_equal(raised_by(1), 0x33);
}

static void test_no_routes(void **state)
{
	x.side.n_calls = 0;
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 1, SIZE, 1);
	for (int r = 0, fd; r >= 0;)
		r = vmm_irq_add(x.g.irqs, &fd);
	assert_int_not_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_false(x.side.is_set[0]);
}

static void test_needs(void **state)
{
	uint64_t offered = 0;

	assert_int_equal(vmm_vhost_needs(&x.side.h, V1, &offered, &x.g.err), 0);
	assert_int_equal(offered, V1 | 1);
	assert_int_equal(vmm_vhost_needs(&x.side.h, V1 | 2, &offered, &x.g.err), -EOPNOTSUPP);
	assert_string_equal(x.g.err.code, "NO_FEATURE");
	assert_string_equal(x.g.err.object, "other");
	x.side.n_calls = 0;
	x.side.fail_at = 1;
	assert_int_equal(vmm_vhost_needs(&x.side.h, V1, &offered, &x.g.err), -EIO);
}

/* A descriptor that is no /dev/vhost-*: refused, and closed. */
static void test_no_vhost(void **state)
{
	struct vmm_vhost *h = NULL;
	int fd = memfd_create("none", MFD_CLOEXEC);

	assert_int_equal(vmm_vhost_kernel_new("net0", fd, &h, &x.g.err), -ENOTTY);
	assert_null(h);
	assert_string_equal(x.g.err.object, "net0");
	assert_int_equal(close(fd), -1);
	vmm_vhost_free(NULL);
	vmm_vhost_free(&x.side.h);
	assert_int_equal(x.side.n_freed, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ring, setup, teardown),
		cmocka_unit_test_setup_teardown(test_kicks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_vector_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_table_changes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_function_masked, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queue_left_out, setup, teardown),
		cmocka_unit_test_setup_teardown(test_way_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_routes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_needs, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_vhost, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
