// SPDX-License-Identifier: GPL-2.0-or-later
/* What of a device's BARs is mapped into the guest, and when. */
#include <linux/pci_regs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vm_calls.h"
#include "vmm/dev/vfio_parts.h"

#define PM 0x40
#define AT 0x8000000000ULL
#define ELSEWHERE 0x9000000000ULL

static void assert_piece(const struct pass_bar *b, size_t i, uint64_t offset, uint64_t size)
{
	assert_true(i < b->n_areas);
	assert_int_equal(b->areas[i].offset, offset);
	assert_int_equal(b->areas[i].size, size);
	assert_int_equal(b->areas[i].slot, -1);
}

/* ---- pieces ---- */

static void test_whole(void **state)
{
	const struct vmm_msix other = { .n = 8, .table_bar = 3, .pba_bar = 3 };
	struct pass_bar b = { 0 };

	vmm_pass_bar_pieces(NULL, 0, 0, 0x4000, &b);
	assert_int_equal(b.n_areas, 1);
	assert_piece(&b, 0, 0, 0x4000);
	vmm_pass_bar_pieces(&other, 0, 0x8000, 0x8fff, &b); /* no whole page */
	assert_int_equal(b.n_areas, 1);
}

/* The pages of the table, and those of the pending bits, wherever they are. */
static void test_holes(void **state)
{
	struct vmm_msix x = { .n = 300, .table_bar = 2, .table_offset = 0x2000, .pba_bar = 2 };
	struct pass_bar b = { 0 };

	x.pba_offset = 0x6000;
	vmm_pass_bar_pieces(&x, 2, 0, 0x10000, &b);
	assert_int_equal(b.n_areas, 3);
	assert_piece(&b, 0, 0, 0x2000);
	assert_piece(&b, 1, 0x4000, 0x2000); /* 300 vectors are two pages */
	assert_piece(&b, 2, 0x7000, 0x9000);
	b.n_areas = 0;
	x.pba_offset = 0; /* before the table */
	vmm_pass_bar_pieces(&x, 2, 0, 0x10000, &b);
	assert_int_equal(b.n_areas, 2);
	assert_piece(&b, 0, 0x1000, 0x1000);
	assert_piece(&b, 1, 0x4000, 0xc000);
	b.n_areas = 0;
	x.n = 8; /* both in one page */
	x.pba_offset = 0x2800;
	vmm_pass_bar_pieces(&x, 2, 0, 0x3000, &b);
	assert_int_equal(b.n_areas, 1);
	assert_piece(&b, 0, 0, 0x2000);
	b.n_areas = 0;
	x.pba_bar = 4;
	x.pba_offset = 0x1000;
	vmm_pass_bar_pieces(&x, 4, 0, 0x3000, &b);
	assert_int_equal(b.n_areas, 2);
	assert_piece(&b, 0, 0, 0x1000);
	assert_piece(&b, 1, 0x2000, 0x1000);
}

/* ---- power ---- */

static void test_power(void **state)
{
	const struct pass_caps caps = { .pm = PM }, none = { 0 };
	unsigned int s = 9;

	assert_true(vmm_pass_config_power(&caps, PM + PCI_PM_CTRL, 2, 0x0103, &s));
	assert_int_equal(s, PASS_D3HOT);
	assert_true(vmm_pass_config_power(&caps, PM + PCI_PM_CTRL, 4, 0x00008, &s));
	assert_int_equal(s, 0);
	assert_true(vmm_pass_config_power(&caps, PM + PCI_PM_CTRL, 1, 0x02, &s));
	assert_int_equal(s, 2);
	assert_false(vmm_pass_config_power(&caps, PM + PCI_PM_CTRL + 1, 1, 3, &s));
	assert_false(vmm_pass_config_power(&caps, PM + PCI_PM_PMC, 2, 3, &s));
	assert_false(vmm_pass_config_power(&none, PCI_PM_CTRL, 2, 3, &s));
}

/** struct fixture - a device with one BAR in two pieces */
struct fixture {
	struct vm_calls calls;
	struct vmm_vfio_device v;
};

static char pages[2][64];

static int setup(void **state)
{
	static struct fixture f;
	struct pass_bar *b = &f.v.bars[2];

	vc_init(&f.calls);
	memset(&f.v, 0, sizeof(f.v));
	assert_int_equal(vmm_slots_new_on(&f.calls.vm, VC_MAX_SLOTS, &f.v.env.slots), 0);
	b->n_areas = 2;
	b->areas[0] = (struct pass_area){ .size = 0x1000, .host = pages[0], .slot = -1 };
	b->areas[1] = (struct pass_area){ .offset = 0x3000, .size = 0x1000, .host = pages[1] };
	b->areas[1].slot = -1;
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vmm_slots_free(f->v.env.slots);
	return 0;
}

/* Both pieces are where the BAR is; 0: nowhere. */
static void assert_at(const struct fixture *f, uint64_t address)
{
	uint64_t found[2] = { 0 };
	size_t n = 0;

	for (size_t i = 0; i < VC_MAX_SLOTS; i++)
		if (f->calls.slots[i].memory_size)
			found[n++ % 2] = f->calls.slots[i].guest_phys_addr;
	assert_int_equal(n, address ? 2 : 0);
	assert_int_equal(found[0], address);
	assert_int_equal(found[1], address ? address + 0x3000 : 0);
}

static void test_sleep(void **state)
{
	struct fixture *f = *state;

	vmm_pass_bar_map(&f->v, 2, AT);
	assert_at(f, AT);
	vmm_pass_bars_sleep(&f->v, true);
	assert_at(f, 0);
	vmm_pass_bars_sleep(&f->v, true);
	vmm_pass_bars_sleep(&f->v, false);
	assert_at(f, AT);
	vmm_pass_bars_sleep(&f->v, false);
	assert_at(f, AT);
	vmm_pass_bar_unmap(&f->v, 2, AT);
	assert_at(f, 0);
	vmm_pass_bars_sleep(&f->v, true);
	vmm_pass_bars_sleep(&f->v, false);
	assert_at(f, 0);
}

/* Moved while it sleeps: it is mapped where it is when it wakes. */
static void test_moved_asleep(void **state)
{
	struct fixture *f = *state;

	vmm_pass_bar_map(&f->v, 2, AT);
	vmm_pass_bars_sleep(&f->v, true);
	vmm_pass_bar_unmap(&f->v, 2, AT);
	vmm_pass_bar_map(&f->v, 2, ELSEWHERE);
	assert_at(f, 0);
	vmm_pass_bars_sleep(&f->v, false);
	assert_at(f, ELSEWHERE);
	vmm_pass_bar_unmap(&f->v, 2, ELSEWHERE);
	assert_at(f, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_holes),
		cmocka_unit_test(test_power),
		cmocka_unit_test_setup_teardown(test_sleep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_moved_asleep, setup, teardown),
	};

	return cmocka_run_group_tests_name("vfio_bars", tests, NULL, NULL);
}
