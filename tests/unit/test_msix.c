// SPDX-License-Identifier: GPL-2.0-or-later
/* The MSI-X table as a guest uses it: what is masked waits, what is unmasked has a route. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vm_calls.h"
#include "vmm/core/layout.h"
#include "vmm/dev/msix.h"

#define VECTORS 70
#define TABLE 0x1000
#define PBA 0x3000
#define BAR 4

struct fixture {
	struct vm_calls calls;
	struct vmm_irqs *irqs;
	struct vmm_pci_function f;
	struct vmm_msix m;
	int told[VECTORS], n_told, refuse;
};

static int changed(void *ctx, unsigned int vector, int fd)
{
	struct fixture *x = ctx;

	x->told[vector] = fd;
	x->n_told++;
	return x->refuse;
}

static int setup(void **state)
{
	static struct fixture x;

	memset(&x, 0, sizeof(x));
	vc_init(&x.calls);
	assert_int_equal(vmm_irqs_new_on(&x.calls.vm, 1024, &x.irqs), 0);
	vmm_pci_init_function(&x.f, "dev", 0x1234, 0x5678, 0x02000000);
	pthread_mutex_init(&x.f.lock, NULL);
	assert_int_equal(vmm_pci_set_bar(&x.f, BAR, VMM_BAR_32, 0x4000), 0);
	assert_int_equal(vmm_msix_init(&x.m, &x.f, x.irqs, VECTORS, BAR, TABLE, BAR, PBA, 0), 0);
	x.m.changed = changed;
	x.m.ctx = &x;
	*state = &x;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *x = *state;

	vmm_msix_done(&x->m);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
	vmm_irqs_free(x->irqs);
	return 0;
}

/* ---- the guest ---- */

static void control(struct fixture *x, uint16_t value)
{
	uint16_t at = (uint16_t)(x->m.cap + PCI_MSIX_FLAGS);

	x->f.config[at] = (uint8_t)((VECTORS - 1) & 0xff);
	x->f.config[at + 1] = (uint8_t)(value >> 8);
	vmm_msix_config_written(&x->m, at, 2);
}

static void put(struct fixture *x, unsigned int vector, unsigned int at, uint64_t value,
		unsigned int len)
{
	assert_true(vmm_msix_access(&x->m, BAR, TABLE + vector * 16 + at, &value, len, true));
}

static uint64_t get(struct fixture *x, uint64_t offset, unsigned int len)
{
	uint64_t value = 0;

	assert_true(vmm_msix_access(&x->m, BAR, offset, &value, len, false));
	return value;
}

static void program(struct fixture *x, unsigned int vector)
{
	put(x, vector, 0, 0xfee01000, 4);
	put(x, vector, 4, 0, 4);
	put(x, vector, 8, 0x40 + vector, 4);
}

static unsigned int delivered(struct fixture *x, unsigned int vector)
{
	vc_run(&x->calls);
	return x->m.entries[vector].route < 0
		       ? 0
		       : x->calls.delivered[VMM_GSI_MSI + x->m.entries[vector].route];
}

/* ---- cases ---- */

static void test_capability(void **state)
{
	struct fixture *x = *state;
	const uint8_t *cap = &x->f.config[0x40];

	assert_int_equal(x->m.cap, 0x40);
	assert_int_equal(x->f.config[PCI_CAPABILITY_LIST], 0x40);
	assert_true(x->f.config[PCI_STATUS] & PCI_STATUS_CAP_LIST);
	assert_int_equal(cap[0], PCI_CAP_ID_MSIX);
	assert_int_equal(vmm_pci_word(&x->f, 0x42), VECTORS - 1);
	assert_int_equal(vmm_pci_word(&x->f, 0x44), TABLE | BAR);
	assert_int_equal(vmm_pci_word(&x->f, 0x48), PBA | BAR);
	assert_int_equal(x->f.mask[0x43], 0xc0);
	assert_int_equal(x->f.mask[0x42], 0);
}

static void test_bad_layout(void **state)
{
	struct fixture *x = *state;
	struct vmm_msix m;

	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 0, BAR, 0, BAR, PBA, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 2049, BAR, 0, BAR, PBA, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 8, BAR, 0x3f88, BAR, PBA, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 8, BAR, 4, BAR, PBA, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 8, 0, 0, BAR, PBA, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 8, BAR, 0, BAR, 0x4000, 0), -EINVAL);
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 8, BAR, 0, BAR, PBA, 4095), -EINVAL);
}

static void test_reads_back(void **state)
{
	struct fixture *x = *state;
	uint64_t value = 0;

	assert_int_equal(get(x, TABLE + 12, 4), 1);
	put(x, 3, 0, 0x11223344fee02003, 8);
	put(x, 3, 8, 0xffffffff00000055, 8);
	assert_int_equal(get(x, TABLE + 3 * 16, 8), 0x11223344fee02000);
	assert_int_equal(get(x, TABLE + 3 * 16 + 4, 4), 0x11223344);
	assert_int_equal(get(x, TABLE + 3 * 16 + 8, 8), 0x0000000100000055);
	put(x, 3, 8, 0x66, 1); /* too small: undefined, here nothing */
	assert_int_equal(get(x, TABLE + 3 * 16 + 8, 4), 0x55);
	assert_false(vmm_msix_access(&x->m, BAR, TABLE + VECTORS * 16, &value, 4, false));
	assert_false(vmm_msix_access(&x->m, BAR, TABLE - 4, &value, 4, false));
	assert_false(vmm_msix_access(&x->m, 0, TABLE, &value, 4, false));
	assert_int_equal(x->calls.n_calls, 0);
}

static void test_unmask_makes_the_route(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE);
	assert_true(vmm_msix_is_enabled(&x->m));
	program(x, 5);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
	assert_int_equal(x->n_told, 0);
	put(x, 5, 12, 0, 4);
	assert_int_equal(vmm_irq_count(x->irqs), 1);
	assert_int_equal(x->told[5], x->m.entries[5].fd);
	assert_int_equal(vc_route(&x->calls, VMM_GSI_MSI)->u.msi.data, 0x45);
	vmm_msix_raise(&x->m, 5);
	assert_int_equal(delivered(x, 5), 1);
	assert_int_equal(get(x, PBA, 8), 0);
}

static void test_masked_is_pending(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE);
	program(x, 5);
	program(x, 69);
	put(x, 5, 12, 0, 4);
	put(x, 5, 12, 1, 4);
	vmm_msix_raise(&x->m, 5);
	vmm_msix_raise(&x->m, 69); /* never unmasked yet */
	vmm_msix_raise(&x->m, VECTORS);
	assert_int_equal(get(x, PBA, 8), 1U << 5);
	assert_int_equal(get(x, PBA, 4), 1U << 5);
	assert_int_equal(get(x, PBA + 8, 8), 1U << 5);
	assert_int_equal(get(x, PBA + 12, 4), 0);
	assert_int_equal(delivered(x, 5), 0);
	put(x, 5, 12, 0, 4);
	put(x, 69, 12, 0, 4);
	assert_int_equal(delivered(x, 5), 1);
	assert_int_equal(delivered(x, 69), 1);
	assert_int_equal(get(x, PBA, 8), 0);
	assert_int_equal(get(x, PBA + 8, 8), 0);
}

/* All that the function mask held back goes live with one table. */
static void test_function_mask(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	for (unsigned int i = 0; i < VECTORS; i++) {
		program(x, i);
		put(x, i, 12, 0, 4);
	}
	assert_int_equal(x->calls.n_calls, 0);
	vmm_msix_raise(&x->m, 7);
	control(x, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(x->calls.n_tables, 1);
	assert_int_equal(x->calls.n_assigned, VECTORS);
	assert_int_equal(delivered(x, 7), 1);
	control(x, PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	assert_int_equal(x->calls.n_deassigned, VECTORS);
	vmm_msix_raise(&x->m, 9);
	assert_int_equal(get(x, PBA, 8), 1U << 9);
	control(x, PCI_MSIX_FLAGS_ENABLE);
	assert_int_equal(x->calls.n_tables, 1);
	assert_int_equal(delivered(x, 9), 1);
}

static void test_disable(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE);
	program(x, 5);
	put(x, 5, 12, 0, 4);
	control(x, 0);
	assert_false(vmm_msix_is_enabled(&x->m));
	assert_int_equal(x->told[5], -1);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
	vmm_msix_raise(&x->m, 5);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
	control(x, PCI_MSIX_FLAGS_ENABLE); /* the entry is as it was: unmasked */
	vmm_msix_raise(&x->m, 5);
	assert_int_equal(delivered(x, 5), 1);
}

static void test_reset(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE);
	program(x, 5);
	put(x, 5, 12, 0, 4);
	vmm_msix_reset(&x->m);
	assert_false(vmm_msix_is_enabled(&x->m));
	assert_int_equal(vmm_pci_word(&x->f, x->m.cap + PCI_MSIX_FLAGS), VECTORS - 1);
	assert_int_equal(get(x, TABLE + 5 * 16, 8), 0);
	assert_int_equal(get(x, TABLE + 5 * 16 + 12, 4), 1);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
}

/* Who has to be told says no: the vector is dead, nothing leaks, and the next attempt gets there. */
static void test_refused(void **state)
{
	struct fixture *x = *state;

	control(x, PCI_MSIX_FLAGS_ENABLE);
	program(x, 5);
	x->refuse = -EIO;
	put(x, 5, 12, 0, 4);
	assert_int_equal(vmm_irq_count(x->irqs), 0);
	x->refuse = 0;
	put(x, 5, 12, 1, 4);
	put(x, 5, 12, 0, 4);
	vmm_msix_raise(&x->m, 5);
	assert_int_equal(delivered(x, 5), 1);
}

static void test_capability_of_the_device(void **state)
{
	struct fixture *x = *state;
	struct vmm_msix m;

	x->f.config[0xb2] = 0xff;
	x->f.config[0xb3] = 0xff;
	assert_int_equal(vmm_msix_init(&m, &x->f, x->irqs, 3, BAR, 0x20, BAR, PBA, 0xb0), 0);
	assert_int_equal(vmm_pci_word(&x->f, 0xb2), 2);
	assert_int_equal(vmm_pci_word(&x->f, 0xb4), 0x20 | BAR);
	vmm_msix_done(&m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_capability, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_layout, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reads_back, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unmask_makes_the_route, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masked_is_pending, setup, teardown),
		cmocka_unit_test_setup_teardown(test_function_mask, setup, teardown),
		cmocka_unit_test_setup_teardown(test_disable, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reset, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_capability_of_the_device, setup, teardown),
	};

	return cmocka_run_group_tests_name("msix", tests, NULL, NULL);
}
