// SPDX-License-Identifier: GPL-2.0-or-later
/* The transport, register by register as a driver uses it (Virtio 1.2 sections 3.1 and 4.1), with a
 * device of the test's own and with virtio-rng. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "virtio_guest.h"
#include "vm_calls.h"
#include "vmm/core/layout.h"
#include "vmm/dev/devices.h"

#define SLOT 3
#define QUEUES 3
#define OWN_FEATURE (1ULL << 5)
#define V1 (1ULL << VIRTIO_F_VERSION_1)
#define EVENT_IDX (1ULL << VIRTIO_RING_F_EVENT_IDX)
#define STATUS VIRTIO_PCI_COMMON_STATUS
#define COMMON VIRTIO_PCI_CAP_COMMON_CFG

struct fixture {
	struct virtio_guest g;
	struct vm_calls calls;
	struct vmm_virtio v;
	unsigned int n_activated, n_resets, n_ready[QUEUES], n_served, refuse_after;
	int refuse_activate;
	uint8_t config[8];
};

static struct fixture x;

/* ---- the device ---- */

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	memcpy(data, x.config + offset, len);
}

static void config_write(struct vmm_virtio *v, uint32_t offset, const void *data, unsigned int len)
{
	memcpy(x.config + offset, data, len);
}

static int activate(struct vmm_virtio *v)
{
	x.n_activated++;
	return x.refuse_activate;
}

static int serve(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *c)
{
	if (x.refuse_after == 0)
		return -EAGAIN;
	x.refuse_after--;
	x.n_served++;
	return (int)c->in_len;
}

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	x.n_ready[queue]++;
	vmm_virtio_serve(v, queue, serve);
}

static void reset(struct vmm_virtio *v)
{
	x.n_resets++;
}

static const struct vmm_virtio_ops ops = {
	.name = "test",
	.id = 42,
	.class_rev = 0x00ff0000,
	.features = OWN_FEATURE,
	.n_queues = QUEUES,
	.queue_size = 16,
	.config_size = 8,
	.config_read = config_read,
	.config_write = config_write,
	.activate = activate,
	.queue_ready = queue_ready,
	.reset = reset,
};

static int setup(void **state)
{
	memset(&x, 0, sizeof(x));
	x.refuse_after = UINT32_MAX;
	vc_init(&x.calls);
	vg_init(&x.g, &x.calls.vm);
	assert_int_equal(vmm_virtio_add(&x.v, &ops, &x.g.env, vmm_slot(SLOT), QUEUES, &x.g.err), 0);
	vg_probe(&x.g, SLOT);
	return 0;
}

static int teardown(void **state)
{
	vmm_virtio_done(&x.v);
	vg_done(&x.g);
	return 0;
}

/* ---- short for the driver ---- */

static uint64_t get(unsigned int offset, unsigned int len)
{
	return vg_read(&x.g, COMMON, offset, len);
}

static void put(unsigned int offset, unsigned int len, uint64_t value)
{
	vg_write(&x.g, COMMON, offset, len, value);
}

static void start(uint64_t features)
{
	assert_true(vg_negotiate(&x.g, V1 | features));
	vg_enable_msix(&x.g, QUEUES + 1);
	for (unsigned int i = 0; i < QUEUES; i++)
		vg_make_queue(&x.g, i, 16, (uint16_t)(i + 1));
	assert_int_equal(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET, 0);
	vg_run(&x.g);
	memset(x.n_ready, 0, sizeof(x.n_ready));
}

static void add(unsigned int queue)
{
	const struct vring_desc d = { VG_DATA, 7, VRING_DESC_F_WRITE, 0 };

	vg_add(&x.g, queue, &d, 1);
}

static unsigned int n_used(unsigned int queue)
{
	struct vring_used_elem e;
	unsigned int n = 0;

	for (; vg_used(&x.g, queue, &e); n++)
		assert_int_equal(e.len, 7);
	return n;
}

/* Interrupts of the vector with message 0x30 + @vector. */
static unsigned int delivered(unsigned int vector)
{
	unsigned int n = 0;

	vc_run(&x.calls);
	for (unsigned int i = 0; i < x.calls.n_entries; i++)
		if (x.calls.entries[i].type == KVM_IRQ_ROUTING_MSI &&
		    x.calls.entries[i].u.msi.data == 0x30 + vector)
			n += x.calls.delivered[x.calls.entries[i].gsi];
	return n;
}

/* ---- finding it ---- */

static void test_identity(void **state)
{
	assert_int_equal(vg_config_read(&x.g, PCI_VENDOR_ID, 2), 0x1af4);
	assert_int_equal(vg_config_read(&x.g, PCI_DEVICE_ID, 2), 0x1040 + 42);
	assert_int_equal(vg_config_read(&x.g, PCI_REVISION_ID, 1), 1);
	assert_int_equal(x.g.parts[COMMON].length, sizeof(struct virtio_pci_common_cfg));
	for (unsigned int i = COMMON; i <= VIRTIO_PCI_CAP_DEVICE_CFG; i++) {
		assert_int_equal(x.g.parts[i].bar, 0);
		assert_int_not_equal(x.g.parts[i].length, 0);
	}
	assert_int_equal(x.g.parts[VIRTIO_PCI_CAP_NOTIFY_CFG].more, 4);
}

static void test_power_on(void **state)
{
	assert_int_equal(get(STATUS, 1), 0);
	assert_int_equal(get(VIRTIO_PCI_COMMON_NUMQ, 2), QUEUES);
	assert_int_equal(get(VIRTIO_PCI_COMMON_MSIX, 2), VG_NO_VECTOR);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_SIZE, 2), 16);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_MSIX, 2), VG_NO_VECTOR);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, QUEUES);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_SIZE, 2), 0); /* no such queue */
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_ISR_CFG, 0, 1), 0);
}

/* ---- features ---- */

static void test_features(void **state)
{
	uint64_t all = vg_features(&x.g);

	assert_int_equal(all, V1 | EVENT_IDX | OWN_FEATURE | 1ULL << VIRTIO_RING_F_INDIRECT_DESC);
	put(VIRTIO_PCI_COMMON_DFSELECT, 4, 2);
	assert_int_equal(get(VIRTIO_PCI_COMMON_DF, 4), 0);
	assert_true(vg_negotiate(&x.g, V1 | OWN_FEATURE));
	put(VIRTIO_PCI_COMMON_GF, 4, 0); /* fixed from here on */
	assert_int_equal(x.v.features, V1 | OWN_FEATURE);
	assert_false(vg_negotiate(&x.g, all | 1ULL << 40)); /* was not offered */
	assert_false(vg_negotiate(&x.g, OWN_FEATURE));	    /* of the time before Virtio 1 */
}

static void test_no_start_without_features(void **state)
{
	assert_false(vg_negotiate(&x.g, OWN_FEATURE));
	vg_make_queue(&x.g, 0, 16, 1);
	assert_true(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(x.n_activated, 0);
}

static void test_status_bits_stay(void **state)
{
	start(0);
	put(STATUS, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(get(STATUS, 1), 0x0f);
	assert_int_equal(x.n_activated, 1);
	put(STATUS, 1, 0x0f); /* once is enough */
	assert_int_equal(x.n_activated, 1);
}

static void test_refused_start(void **state)
{
	x.refuse_activate = -EBUSY;
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 1);
	assert_true(vg_ready(&x.g) & VIRTIO_CONFIG_S_NEEDS_RESET);
	add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[0], 0);
}

/* ---- queues ---- */

static void test_queue_registers(void **state)
{
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	put(VIRTIO_PCI_COMMON_Q_SIZE, 2, 8);
	put(VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0x89abc000);
	put(VIRTIO_PCI_COMMON_Q_DESCHI, 4, 0x01234567);
	put(VIRTIO_PCI_COMMON_Q_USEDLO, 8, 0x1122334455667788);
	put(VIRTIO_PCI_COMMON_Q_MSIX, 2, 3);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_SIZE, 2), 8);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0x0123456789abc000);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_USEDHI, 4), 0x11223344);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_MSIX, 2), 3);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_NOFF, 2), 1);
	put(VIRTIO_PCI_COMMON_Q_MSIX, 2, QUEUES + 1); /* has no such vector */
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_MSIX, 2), VG_NO_VECTOR);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_DESCLO, 8), 0);
	put(VIRTIO_PCI_COMMON_MSIX, 2, QUEUES + 1);
	assert_int_equal(get(VIRTIO_PCI_COMMON_MSIX, 2), VG_NO_VECTOR);
}

static void test_enabled_queue_stays(void **state)
{
	start(0);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	put(VIRTIO_PCI_COMMON_Q_DESCLO, 4, 0xdead0000);
	put(VIRTIO_PCI_COMMON_Q_SIZE, 2, 4);
	put(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 0);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_DESCLO, 4), x.g.queues[0].desc);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_SIZE, 2), 16);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 1);
}

static void test_rings_outside_of_memory(void **state)
{
	assert_true(vg_negotiate(&x.g, V1));
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 0);
	put(VIRTIO_PCI_COMMON_Q_DESCLO, 8, VG_RAM);
	put(VIRTIO_PCI_COMMON_Q_ENABLE, 2, 1);
	assert_true(get(STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	put(STATUS, 1, 0);
	assert_int_equal(get(STATUS, 1), 0);
}

/* ---- requests and interrupts ---- */

static void test_request(void **state)
{
	start(0);
	add(1);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[1], 1);
	assert_int_equal(x.n_ready[0], 0);
	assert_int_equal(n_used(1), 1);
	assert_int_equal(delivered(2), 1);
	assert_int_equal(delivered(1), 0);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 1);
	put(VIRTIO_PCI_COMMON_Q_MSIX, 2, VG_NO_VECTOR);
	add(1);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_int_equal(n_used(1), 1);
	assert_int_equal(delivered(2), 1);
}

static void test_event_index(void **state)
{
	start(EVENT_IDX);
	vg_set_used_event(&x.g, 0, 1); /* not for the first one */
	add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(delivered(1), 0);
	assert_int_equal(vg_avail_event(&x.g, 0), 1);
	add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(delivered(1), 1);
	assert_int_equal(n_used(0), 2);
	assert_int_equal(vg_avail_event(&x.g, 0), 2);
}

/* A doorbell of any width rings; one of a queue that is not there does not. */
static void test_doorbells(void **state)
{
	start(0);
	vg_write(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 4, 1, 1);
	vg_run(&x.g);
	vg_write(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 4, 4, 1);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[1], 2);
	vg_write(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 4 * QUEUES, 2, 0);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[0] + x.n_ready[2], 0);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_NOTIFY_CFG, 0, 2), 0);
}

/* Buffers that were there before DRIVER_OK, and a kick that came too early. */
static void test_early_kick(void **state)
{
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 16, 1);
	add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(n_used(0), 0);
	vg_ready(&x.g);
	vg_run(&x.g);
	assert_int_equal(n_used(0), 1);
}

static void test_device_that_waits(void **state)
{
	start(0);
	x.refuse_after = 1;
	for (unsigned int i = 0; i < 3; i++)
		add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(n_used(0), 1);
	assert_int_equal(vg_used_flags(&x.g, 0), VRING_USED_F_NO_NOTIFY);
	x.refuse_after = UINT32_MAX;
	vmm_virtio_kick(&x.v, 0);
	vg_run(&x.g);
	assert_int_equal(n_used(0), 2);
	assert_int_equal(x.n_served, 3);
	assert_int_equal(vg_used_flags(&x.g, 0), 0);
}

static void test_broken_guest(void **state)
{
	start(0);
	put(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	vg_publish(&x.g, 0, 99);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_true(get(STATUS, 1) & VIRTIO_CONFIG_S_NEEDS_RESET);
	assert_int_equal(delivered(0), 1);
	add(1);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_int_equal(n_used(1), 0);
	start(0);
	add(1);
	vg_kick(&x.g, 1);
	vg_run(&x.g);
	assert_int_equal(n_used(1), 1);
}

/* ---- the device's own configuration ---- */

static void test_device_config(void **state)
{
	uint64_t generation;

	memcpy(x.config, "\x01\x02\x03\x04\x05\x06\x07\x08", 8);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 0, 8), 0x0807060504030201);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 6, 2), 0x0807);
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 6, 4), 0); /* past the end */
	assert_int_equal(vg_read(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 0xffc, 8), 0);
	vg_write(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 4, 4, 0xaabbccdd);
	vg_write(&x.g, VIRTIO_PCI_CAP_DEVICE_CFG, 5, 8, 0);
	assert_int_equal(x.config[7], 0xaa);
	start(0);
	put(VIRTIO_PCI_COMMON_MSIX, 2, 0);
	generation = get(VIRTIO_PCI_COMMON_CFGGENERATION, 1);
	vmm_virtio_lock(&x.v);
	vmm_virtio_config_changed(&x.v);
	vmm_virtio_unlock(&x.v);
	assert_int_equal(get(VIRTIO_PCI_COMMON_CFGGENERATION, 1), generation + 1);
	assert_int_equal(delivered(0), 1);
}

/* Section 4.1.4.9: who cannot map the BAR reads and writes it through configuration space. */
static void test_window(void **state)
{
	unsigned int at = x.g.parts[VIRTIO_PCI_CAP_PCI_CFG].at;

	vg_config_write(&x.g, at + 4, 1, 0);
	vg_config_write(&x.g, at + 8, 4, x.g.parts[COMMON].offset + STATUS);
	vg_config_write(&x.g, at + 12, 4, 1);
	vg_config_write(&x.g, at + 16, 1, VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(get(STATUS, 1), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	assert_int_equal(vg_config_read(&x.g, at + 16, 1), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	vg_config_write(&x.g, at + 12, 4, 3); /* no such width */
	vg_config_write(&x.g, at + 16, 1, 0);
	assert_int_equal(get(STATUS, 1), VIRTIO_CONFIG_S_ACKNOWLEDGE);
	vg_config_write(&x.g, at + 12, 4, 4);
	vg_config_write(&x.g, at + 8, 4, 0xfffffffe); /* outside */
	vg_config_read(&x.g, at + 16, 4);
	vg_config_write(&x.g, at + 4, 1, 1); /* no such BAR */
	vg_config_write(&x.g, at + 8, 4, x.g.parts[COMMON].offset + STATUS);
	vg_config_write(&x.g, at + 12, 4, 1);
	vg_config_write(&x.g, at + 16, 1, 0);
	assert_int_equal(get(STATUS, 1), VIRTIO_CONFIG_S_ACKNOWLEDGE);
}

/* ---- reset ---- */

static void test_reset(void **state)
{
	unsigned int before;

	start(EVENT_IDX | OWN_FEATURE);
	before = x.n_resets;
	put(STATUS, 1, 0);
	assert_int_equal(x.n_resets, before + 1);
	assert_int_equal(x.v.features, 0);
	put(VIRTIO_PCI_COMMON_Q_SELECT, 2, 2);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_ENABLE, 2), 0);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_SIZE, 2), 16);
	assert_int_equal(get(VIRTIO_PCI_COMMON_Q_MSIX, 2), VG_NO_VECTOR);
	add(0);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_int_equal(x.n_ready[0], 0);
	start(0);
	vmm_pci_reset(x.g.pci); /* of the whole machine */
	assert_int_equal(x.v.status, 0);
	assert_int_equal(vmm_irq_count(x.g.irqs), 0);
}

/* ---- entropy ---- */

static void test_rng(void **state)
{
	static const uint8_t zeroes[64];
	const struct vring_desc d[] = { { VG_PIECE - 32, 64, VRING_DESC_F_WRITE, 0 },
					{ VG_DATA, 4096, VRING_DESC_F_WRITE, 0 } };
	struct vring_used_elem e;
	struct vmm_vrng *rng;
	uint8_t data[64];

	assert_int_equal(vmm_vrng_new(&x.g.env, SLOT + 1, &rng, &x.g.err), 0);
	vg_probe(&x.g, SLOT + 1);
	assert_true(vg_negotiate(&x.g, V1));
	vg_make_queue(&x.g, 0, 8, VG_NO_VECTOR);
	vg_ready(&x.g);
	vg_add(&x.g, 0, &d[0], 1);
	vg_add(&x.g, 0, &d[1], 1);
	vg_kick(&x.g, 0);
	vg_run(&x.g);
	assert_true(vg_used(&x.g, 0, &e));
	assert_int_equal(e.len, 64);
	vg_get(&x.g, VG_PIECE - 32, data, sizeof(data));
	assert_memory_not_equal(data, zeroes, 32);
	assert_memory_not_equal(data + 32, zeroes, 32);
	assert_true(vg_used(&x.g, 0, &e));
	assert_int_equal(e.len, 256);
	vmm_vrng_free(rng);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_identity),
		CASE(test_power_on),
		CASE(test_features),
		CASE(test_no_start_without_features),
		CASE(test_status_bits_stay),
		CASE(test_refused_start),
		CASE(test_queue_registers),
		CASE(test_enabled_queue_stays),
		CASE(test_rings_outside_of_memory),
		CASE(test_request),
		CASE(test_event_index),
		CASE(test_doorbells),
		CASE(test_early_kick),
		CASE(test_device_that_waits),
		CASE(test_broken_guest),
		CASE(test_device_config),
		CASE(test_window),
		CASE(test_reset),
		CASE(test_rng),
	};

	return cmocka_run_group_tests_name("virtio", tests, NULL, NULL);
}
