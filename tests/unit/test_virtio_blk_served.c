// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk that another program serves: what the guest sees of it comes from there, its queue is handed over,
 * and a back end that serves no disk, lacks something or ends is told of. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_blk.h>
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

#include "vhost_back_end.h"
#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/dev/devices.h"

#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define RINGS (1ULL << VIRTIO_RING_F_INDIRECT_DESC | 1ULL << VIRTIO_RING_F_EVENT_IDX)
#define DISK (1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_BLK_SIZE)
#define SLOT 4

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vb_back_end b;
	struct vmm_disks *disks;
	struct plan_link link;
	bool has_back_end;
};

static struct fixture x;

static int setup(void **state)
{
	struct virtio_blk_config *config = (struct virtio_blk_config *)(void *)x.b.config;
	struct plan_disk *d = &x.g.plan.disks[0];

	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	for (unsigned int i = 0; i < 2; i++)
		x.g.rams[i].fd = memfd_create("ram", MFD_CLOEXEC);
	x.b.features = V1 | RINGS | DISK | VHOST_USER_F_PROTOCOL;
	x.b.protocol = VHOST_USER_P_REPLY_ACK | VHOST_USER_P_CONFIG;
	config->capacity = 0x123456;
	config->blk_size = 4096;
	*d = (struct plan_disk){ .id = "disk0", .is_vhost_user = true, .guest = { .dev = SLOT } };
	x.g.plan.n_disks = 1;
	return 0;
}

static int teardown(void **state)
{
	if (x.disks)
		vmm_disks_free(x.disks);
	if (x.has_back_end)
		vb_join(&x.b);
	for (unsigned int i = 0; i < 2; i++)
		close(x.g.rams[i].fd);
	vg_done(&x.g);
	return 0;
}

static int make_disk(void)
{
	x.link = (struct plan_link){ .id = "disk0", .fds = { vb_start(&x.b) }, .n = 1 };
	x.has_back_end = true;
	return vmm_disks_new(&x.g.env, &x.g.plan, &x.link, 1, &x.disks, &x.g.err);
}

static void start(void)
{
	assert_int_equal(make_disk(), 0);
	vg_probe(&x.g, SLOT);
	assert_true(vg_negotiate(&x.g, V1 | RINGS | DISK));
	vg_make_queue(&x.g, 0, 32, 0);
	vg_enable_msix(&x.g, 2);
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
	assert_int_equal(make_disk(), 0);
	vg_probe(&x.g, SLOT);
	assert_int_equal(vg_config_read(&x.g, PCI_DEVICE_ID, 2), 0x1042);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 0, 4), 0x123456);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG,
				 offsetof(struct virtio_blk_config, blk_size), 4),
			 4096);
	assert_int_equal(vg_features(&x.g), V1 | RINGS | DISK);
}

/* What the guest could change, and queues that are not made, are not offered on. */
static void test_what_it_does_not_see(void **state)
{
	x.b.features |= 1ULL << VIRTIO_BLK_F_CONFIG_WCE | 1ULL << VIRTIO_BLK_F_MQ |
			1ULL << VIRTIO_F_RING_PACKED;
	assert_int_equal(make_disk(), 0);
	vg_probe(&x.g, SLOT);
	assert_int_equal(vg_features(&x.g), V1 | RINGS | DISK);
}

static void test_handed_over(void **state)
{
	uint64_t n = 0;

	start();
	assert_int_equal(x.b.set_features, V1 | RINGS | DISK | VHOST_USER_F_PROTOCOL);
	assert_int_equal(x.b.memory.n, 2);
	assert_int_equal(x.b.rings[0].num, 32);
	assert_int_equal(x.b.rings[0].enable, 1);
	vg_run(&x.g);
	assert_int_equal(read(x.b.rings[0].kick, &n, 8), 8);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	n = 0;
	assert_int_equal(read(x.b.rings[0].kick, &n, 8), 8);
	assert_int_equal(n, 1);
}

static void test_reset_takes_back(void **state)
{
	start();
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_int_equal(x.b.requests[x.b.n_requests - 1], VHOST_USER_GET_VRING_BASE);
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 0);
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	assert_int_equal(x.b.rings[0].num, 16);
}

/* A switch, say, at the socket of a disk. */
static void test_serves_no_disk(void **state)
{
	x.b.protocol &= ~VHOST_USER_P_CONFIG;
	assert_int_equal(make_disk(), -EOPNOTSUPP);
	assert_string_equal(x.g.err.object, "disk0");
	assert_non_null(strstr(x.g.err.wanted, "vhost-user-blk"));
}

static void test_wrong_answer(void **state)
{
	x.b.fault = VB_SHORT;
	x.b.fault_at = VHOST_USER_GET_CONFIG;
	assert_int_equal(make_disk(), -EPROTO);
	assert_string_equal(x.g.err.object, "disk0");
}

static void test_lacks_a_feature(void **state)
{
	x.b.features &= ~V1;
	assert_int_equal(make_disk(), -EOPNOTSUPP);
	assert_string_equal(x.g.err.object, "disk0");
}

static void test_too_many_pieces(void **state)
{
	x.g.memory.n = VHOST_USER_REGIONS_MAX + 1;
	assert_int_equal(make_disk(), -E2BIG);
	x.g.memory.n = 2;
}

static void test_no_link(void **state)
{
	assert_int_equal(vmm_disks_new(&x.g.env, &x.g.plan, NULL, 0, &x.disks, &x.g.err), -ENOENT);
	assert_string_equal(x.g.err.wanted, "--link disk0=FD");
}

static void test_back_end_ends(void **state)
{
	start();
	vb_hang_up(&x.b);
	vg_run(&x.g);
	assert_true(needs_reset());
	vg_write(&x.g, VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_PCI_COMMON_STATUS, 1, 0);
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 0);
	assert_true(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET);
}

#define served_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		served_test(test_what_the_guest_sees),
		served_test(test_what_it_does_not_see),
		served_test(test_handed_over),
		served_test(test_reset_takes_back),
		served_test(test_serves_no_disk),
		served_test(test_wrong_answer),
		served_test(test_lacks_a_feature),
		served_test(test_too_many_pieces),
		served_test(test_no_link),
		served_test(test_back_end_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
