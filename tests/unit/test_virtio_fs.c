// SPDX-License-Identifier: GPL-2.0-or-later
/* A share: what the guest sees of it, its queues in the hands of the back end, a back end that lacks
 * something, and one that ends. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vhost_back_end.h"
#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/dev/devices.h"

#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define RINGS (1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX)
#define QUEUES 2

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vb_back_end b;
	struct vmm_shares *shares;
	struct plan_link link;
	bool has_back_end;
};

static struct fixture x;

static int setup(void **state)
{
	struct plan_share *s = &x.g.plan.shares[0];

	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	for (unsigned int i = 0; i < 2; i++)
		x.g.rams[i].fd = memfd_create("ram", MFD_CLOEXEC);
	x.b.features = V1 | RINGS | VHOST_USER_F_PROTOCOL;
	x.b.protocol = VHOST_USER_P_REPLY_ACK;
	*s = (struct plan_share){ .id = "share0", .guest = { .dev = PLAN_SHARE_SLOT } };
	strcpy(s->tag, "data");
	x.g.plan.n_shares = 1;
	return 0;
}

static int teardown(void **state)
{
	if (x.shares)
		vmm_shares_free(x.shares);
	if (x.has_back_end)
		vb_join(&x.b);
	for (unsigned int i = 0; i < 2; i++)
		close(x.g.rams[i].fd);
	vg_done(&x.g);
	return 0;
}

static int make_share(void)
{
	x.link = (struct plan_link){ .id = "share0", .fds = { vb_start(&x.b) }, .n = 1 };
	x.has_back_end = true;
	return vmm_shares_new(&x.g.env, &x.g.plan, &x.link, 1, &x.shares, &x.g.err);
}

static void start(void)
{
	assert_int_equal(make_share(), 0);
	vg_probe(&x.g, PLAN_SHARE_SLOT);
	assert_true(vg_negotiate(&x.g, V1 | RINGS));
	for (unsigned int i = 0; i < QUEUES; i++)
		vg_make_queue(&x.g, i, 32, (uint16_t)i);
	vg_enable_msix(&x.g, QUEUES + 1);
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
}

static bool needs_reset(void)
{
	return vg_read(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1) &
	       VIRTIO_CONFIG_S_NEEDS_RESET;
}

/* ---- tests ---- */

static void test_what_the_guest_sees(void **state)
{
	char tag[PLAN_SHARE_TAG] = "data", found[PLAN_SHARE_TAG];

	assert_int_equal(make_share(), 0);
	vg_probe(&x.g, PLAN_SHARE_SLOT);
	assert_int_equal(vg_config_read(&x.g, PCI_DEVICE_ID, 2), 0x105a);
	for (unsigned int i = 0; i < sizeof(tag); i++)
		found[i] = (char)vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, i, 1);
	assert_memory_equal(found, tag, sizeof(tag));
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG,
				 offsetof(struct virtio_fs_config, num_request_queues), 4),
			 1);
	assert_int_equal(vg_features(&x.g), V1 | RINGS);
}

static void test_longest_tag(void **state)
{
	struct plan_share *s = &x.g.plan.shares[0];

	memset(s->tag, 'x', PLAN_SHARE_TAG);
	assert_int_equal(make_share(), 0);
	vg_probe(&x.g, PLAN_SHARE_SLOT);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, PLAN_SHARE_TAG - 1, 1), 'x');
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, PLAN_SHARE_TAG, 4), 1);
}

static unsigned int delivered(void)
{
	unsigned int n = 0;

	vc_run(&x.calls);
	for (unsigned int i = 0; i < VC_MAX_ROUTES; i++)
		n += x.calls.delivered[i];
	return n;
}

/* A kick of the guest arrives at the back end, its call at the guest's vector. */
static void test_handed_over(void **state)
{
	uint64_t n = 0;

	start();
	assert_int_equal(x.b.set_features, V1 | RINGS | VHOST_USER_F_PROTOCOL);
	assert_int_equal(x.b.memory.n, 2);
	for (unsigned int i = 0; i < QUEUES; i++) {
		const struct vb_ring *r = &x.b.rings[i];

		assert_int_equal(r->num, 32);
		assert_int_equal(r->enable, 1);
		assert_true(r->kick >= 0 && r->call >= 0);
	}
	vg_run(&x.g);
	assert_int_equal(read(x.b.rings[1].kick, &n, 8), 8);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	n = 0;
	assert_int_equal(read(x.b.rings[1].kick, &n, 8), 8);
	assert_int_equal(n, 1);
	assert_int_equal(delivered(), 0);
	assert_int_equal(write(x.b.rings[1].call, &n, 8), 8);
	assert_int_equal(delivered(), 1);
}

static void test_reset_takes_back(void **state)
{
	start();
	x.b.stop_num = 5;
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(x.b.requests[x.b.n_requests - 1], VHOST_USER_GET_VRING_BASE);
	assert_int_equal(x.b.requests[x.b.n_requests - 2], VHOST_USER_GET_VRING_BASE);
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 0);
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_int_equal(x.b.set_features, V1 | VHOST_USER_F_PROTOCOL);
	assert_int_equal(x.b.rings[0].num, 16);
	assert_int_equal(x.b.rings[0].base, 0);
}

static void test_lacks_a_feature(void **state)
{
	x.b.features &= ~(1ULL << VIRTIO_RING_F_EVENT_IDX);
	assert_int_equal(make_share(), -EOPNOTSUPP);
	assert_string_equal(x.g.err.object, "share0");
}

static void test_too_many_pieces(void **state)
{
	x.g.memory.n = VHOST_USER_REGIONS_MAX + 1;
	assert_int_equal(make_share(), -E2BIG);
	assert_string_equal(x.g.err.found, "9 pieces of memory");
	x.g.memory.n = 2;
}

/* Of another share: whose it is is not guessed. */
static void test_no_link(void **state)
{
	x.link = (struct plan_link){ .id = "share1", .fds = { -1 }, .n = 1 };
	assert_int_equal(vmm_shares_new(&x.g.env, &x.g.plan, &x.link, 1, &x.shares, &x.g.err),
			 -ENOENT);
	assert_string_equal(x.g.err.object, "share0");
	assert_string_equal(x.g.err.wanted, "--link share0=FD");
}

/* While the guest uses it. It may reset the device, and is told again when it starts it. */
static void test_back_end_ends(void **state)
{
	start();
	vb_hang_up(&x.b);
	vg_run(&x.g);
	assert_true(needs_reset());
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_false(needs_reset());
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 0);
	assert_true(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

/* One that says no to the memory is not given the rings. */
static void test_refused(void **state)
{
	x.b.fault = VB_REFUSE;
	x.b.fault_at = VHOST_USER_SET_MEM_TABLE;
	assert_int_equal(make_share(), 0);
	vg_probe(&x.g, PLAN_SHARE_SLOT);
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 0);
	assert_true(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(x.b.rings[0].kick, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_what_the_guest_sees, setup, teardown),
		cmocka_unit_test_setup_teardown(test_longest_tag, setup, teardown),
		cmocka_unit_test_setup_teardown(test_handed_over, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset_takes_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lacks_a_feature, setup, teardown),
		cmocka_unit_test_setup_teardown(test_too_many_pieces, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_link, setup, teardown),
		cmocka_unit_test_setup_teardown(test_back_end_ends, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests_name("virtio_fs", tests, NULL, NULL);
}
