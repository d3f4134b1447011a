// SPDX-License-Identifier: GPL-2.0-or-later
/* Routes and memslots: the exact tables that the hypervisor gets, and how often. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vm_calls.h"
#include "vmm/core/irq.h"
#include "vmm/core/layout.h"
#include "vmm/core/slots.h"

#define PINS 40 /* 24 of the I/O APIC, 16 of the PICs */

struct fixture {
	struct vm_calls calls;
	struct vmm_irqs *irqs;
};

static int setup(void **state)
{
	static struct fixture f;

	vc_init(&f.calls);
	assert_int_equal(vmm_irqs_new_on(&f.calls.vm, PINS + 4, &f.irqs), 0);
	*state = &f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	vmm_irqs_free(f->irqs);
	return 0;
}

static int add(struct fixture *f, int *ret_fd)
{
	int route = vmm_irq_add(f->irqs, ret_fd);

	assert_true(route >= 0);
	return route;
}

static void raise_fd(int fd)
{
	const uint64_t one = 1;

	assert_int_equal(write(fd, &one, sizeof(one)), sizeof(one));
}

static void test_pins(void **state)
{
	struct fixture *f = *state;
	const struct vmm_msi msi = { 0xfee00000, 0x31 };
	unsigned int ioapic = 0, pic = 0;
	int fd;

	assert_int_equal(vmm_irq_set(f->irqs, add(f, &fd), &msi), 0);
	assert_int_equal(f->calls.n_entries, PINS + 1);
	for (unsigned int i = 0; i < PINS; i++) {
		const struct kvm_irq_routing_entry *e = &f->calls.entries[i];
		bool is_ioapic = e->u.irqchip.irqchip == KVM_IRQCHIP_IOAPIC;

		assert_int_equal(e->type, KVM_IRQ_ROUTING_IRQCHIP);
		assert_int_equal(e->u.irqchip.pin, is_ioapic ? e->gsi : e->gsi % 8);
		if (!is_ioapic)
			assert_int_equal(e->u.irqchip.irqchip, e->gsi < 8 ? KVM_IRQCHIP_PIC_MASTER
									  : KVM_IRQCHIP_PIC_SLAVE);
		ioapic += is_ioapic;
		pic += !is_ioapic;
	}
	assert_int_equal(ioapic, 24);
	assert_int_equal(pic, 16);
}

static void test_msi_entry(void **state)
{
	struct fixture *f = *state;
	/* destination 0x2345: 0x45 in bits 19:12, 0x23 in bits 11:5 */
	const struct vmm_msi plain = { 0xfee03004, 0x4021 };
	const struct vmm_msi wide = { 0xfee45000 | 0x23 << 5, 0x22 };
	const struct vmm_msi remapped = { 0xfee00018 | 0x23 << 5, 0x23 };
	const struct kvm_irq_routing_entry *e;
	int fd[3];

	assert_int_equal(vmm_irq_set(f->irqs, add(f, &fd[0]), &plain), 0);
	assert_int_equal(vmm_irq_set(f->irqs, add(f, &fd[1]), &wide), 0);
	assert_int_equal(vmm_irq_set(f->irqs, add(f, &fd[2]), &remapped), 0);
	e = vc_route(&f->calls, VMM_GSI_MSI);
	assert_non_null(e);
	assert_int_equal(e->flags, 0);
	assert_int_equal(e->u.msi.address_lo, 0xfee03004);
	assert_int_equal(e->u.msi.address_hi, 0);
	assert_int_equal(e->u.msi.data, 0x4021);
	e = vc_route(&f->calls, VMM_GSI_MSI + 1);
	assert_int_equal(e->u.msi.address_lo, 0xfee45000);
	assert_int_equal(e->u.msi.address_hi, 0x2300);
	e = vc_route(&f->calls, VMM_GSI_MSI + 2);
	assert_int_equal(e->u.msi.address_lo, remapped.address);
	assert_int_equal(e->u.msi.address_hi, 0);
	assert_int_equal(f->calls.irqfds[VMM_GSI_MSI + 1].fd, fd[1]);
}

static void test_nothing_new_calls_nothing(void **state)
{
	struct fixture *f = *state;
	struct vmm_msi msi = { 0xfee00000, 0x31 };
	int fd, route = add(f, &fd);

	assert_int_equal(vmm_irq_set(f->irqs, route, NULL), 0);
	assert_int_equal(f->calls.n_calls, 0);
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
	assert_int_equal(f->calls.n_calls, 2);
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
	assert_int_equal(f->calls.n_calls, 2);
	msi.data = 0x32; /* live: the table alone */
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
	assert_int_equal(f->calls.n_calls, 3);
	assert_int_equal(vc_route(&f->calls, VMM_GSI_MSI)->u.msi.data, 0x32);
	assert_int_equal(vmm_irq_set(f->irqs, route, NULL), 0);
	assert_int_equal(vmm_irq_set(f->irqs, route, NULL), 0);
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
	assert_int_equal(f->calls.n_tables, 2);
	assert_int_equal(f->calls.n_calls, 5);
}

/* Raised while masked: it waits, shows, and comes once. */
static void test_masked_waits(void **state)
{
	struct fixture *f = *state;
	const struct vmm_msi msi = { 0xfee00000, 0x31 };
	int fd, route = add(f, &fd);

	raise_fd(fd);
	raise_fd(fd);
	assert_true(vmm_irq_pending(f->irqs, route));
	assert_true(vmm_irq_pending(f->irqs, route));
	vmm_irq_set(f->irqs, route, &msi);
	vc_run(&f->calls);
	assert_int_equal(f->calls.delivered[VMM_GSI_MSI], 1);
	vmm_irq_set(f->irqs, route, NULL);
	assert_false(vmm_irq_pending(f->irqs, route));
	vmm_irq_set(f->irqs, route, &msi);
	vc_run(&f->calls);
	assert_int_equal(f->calls.delivered[VMM_GSI_MSI], 1);
	raise_fd(fd);
	vc_run(&f->calls);
	assert_int_equal(f->calls.delivered[VMM_GSI_MSI], 2);
}

static void test_hold(void **state)
{
	struct fixture *f = *state;
	int fd;

	vmm_irq_hold(f->irqs);
	for (unsigned int i = 0; i < 4; i++) {
		const struct vmm_msi msi = { 0xfee00000, 0x30 + i };

		assert_int_equal(vmm_irq_set(f->irqs, add(f, &fd), &msi), 0);
	}
	assert_int_equal(f->calls.n_calls, 0);
	assert_int_equal(vmm_irq_commit(f->irqs), 0);
	assert_int_equal(f->calls.n_tables, 1);
	assert_int_equal(f->calls.n_assigned, 4);
	assert_int_equal(f->calls.n_entries, PINS + 4);
	assert_int_equal(vmm_irq_count(f->irqs), 4);
	assert_int_equal(vmm_irq_add(f->irqs, &fd), -ENOSPC);
	vmm_irq_remove(f->irqs, 2);
	assert_int_equal(vmm_irq_count(f->irqs), 3);
	assert_int_equal(vmm_irq_add(f->irqs, &fd), 2);
}

/* A route that is used again does not go where the one before it went. */
static void test_reused(void **state)
{
	struct fixture *f = *state;
	const struct vmm_msi msi = { 0xfee00000, 0x31 };
	int fd, route = add(f, &fd);

	vmm_irq_set(f->irqs, route, &msi);
	vmm_irq_remove(f->irqs, route);
	assert_int_equal(f->calls.irqfds[VMM_GSI_MSI].fd, -1);
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), -ENOENT);
	assert_int_equal(add(f, &fd), route);
	assert_int_equal(f->calls.irqfds[VMM_GSI_MSI].fd, -1);
	assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
	assert_int_equal(f->calls.n_tables, 2);
}

/* What is no interrupt would make the kernel refuse the routes of all others. */
static void test_no_interrupt(void **state)
{
	struct fixture *f = *state;
	const struct vmm_msi good = { 0xfee00000, 0x31 };
	const struct vmm_msi bad[] = { { 0, 0 }, { 0x1fee00000, 0x31 }, { 0xfed00000, 0x31 } };
	int fd, route = add(f, &fd);

	vmm_irq_set(f->irqs, route, &good);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(vmm_irq_set(f->irqs, route, &bad[i]), -EINVAL);
		assert_int_equal(f->calls.irqfds[VMM_GSI_MSI].fd, -1);
		assert_int_equal(vmm_irq_set(f->irqs, route, &good), 0);
		assert_int_equal(f->calls.irqfds[VMM_GSI_MSI].fd, fd);
	}
	assert_int_equal(f->calls.n_tables, 1);
}

/* Each call fails once: the error is told, and the next attempt gets there. */
static void test_failures(void **state)
{
	struct fixture *f = *state;
	const struct vmm_msi msi = { 0xfee00000, 0x31 };

	for (unsigned int n = 1; n <= 2; n++) {
		int fd, route = add(f, &fd);

		raise_fd(fd);
		f->calls.fail_at = n;
		f->calls.error = -ENOMEM;
		assert_int_equal(vmm_irq_set(f->irqs, route, &msi), -ENOMEM);
		assert_true(vmm_irq_pending(f->irqs, route));
		assert_int_equal(vmm_irq_set(f->irqs, route, &msi), 0);
		vc_run(&f->calls);
		assert_int_equal(f->calls.delivered[VMM_GSI_MSI + route], 1);
	}
}

static void test_lines(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vmm_irq_line(f->irqs, 4, true), 0);
	assert_true(f->calls.lines[4]);
	assert_int_equal(vmm_irq_line(f->irqs, 4, false), 0);
	assert_false(f->calls.lines[4]);
	assert_int_equal(vmm_irq_resample(f->irqs, 17, 100, 101), 0);
	assert_int_equal(f->calls.irqfds[17].fd, 100);
	assert_int_equal(f->calls.irqfds[17].resample_fd, 101);
	vmm_irq_unresample(f->irqs, 17, 100);
	assert_int_equal(f->calls.irqfds[17].fd, -1);
	f->calls.fail_at = 1;
	f->calls.error = -ENXIO;
	assert_int_equal(vmm_irq_line(f->irqs, 4, true), -ENXIO);
}

/* What a guest unmasked in the chips is masked again, in each of them. */
static void test_chips(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(vmm_irqs_restore(f->irqs), -ENODATA);
	for (unsigned int i = 0; i < VC_CHIPS; i++)
		f->calls.chips[i].chip.dummy[0] = (char)(0x10 + i);
	assert_int_equal(vmm_irqs_save(f->irqs), 0);
	for (unsigned int i = 0; i < VC_CHIPS; i++)
		memset(f->calls.chips[i].chip.dummy, 0x5a, sizeof(f->calls.chips[i].chip.dummy));
	assert_int_equal(vmm_irqs_restore(f->irqs), 0);
	for (unsigned int i = 0; i < VC_CHIPS; i++) {
		assert_int_equal(f->calls.chips[i].chip.dummy[0], 0x10 + i);
		assert_int_equal(f->calls.chips[i].chip.dummy[1], 0);
	}
	for (unsigned int n = 1; n <= VC_CHIPS; n++) {
		f->calls.fail_at = n;
		f->calls.error = -EFAULT;
		assert_int_equal(vmm_irqs_restore(f->irqs), -EFAULT);
	}
}

static void test_slots(void **state)
{
	struct fixture *f = *state;
	struct vmm_slots *s;
	char page[1];

	assert_int_equal(vmm_slots_new_on(&f->calls.vm, 2, &s), 0);
	assert_int_equal(vmm_slots_add(s, 0, page, 0, false), -EINVAL);
	assert_int_equal(vmm_slots_add(s, 0x1000, page, 0x2000, true), 0);
	assert_int_equal(f->calls.slots[0].flags, KVM_MEM_READONLY);
	assert_int_equal(f->calls.slots[0].guest_phys_addr, 0x1000);
	assert_int_equal(f->calls.slots[0].memory_size, 0x2000);
	assert_int_equal(f->calls.slots[0].userspace_addr, (uintptr_t)page);
	assert_int_equal(vmm_slots_add(s, 0x2000, page, 0x1000, false), -EEXIST);
	assert_int_equal(vmm_slots_add(s, 0x3000, page, 0x1000, false), 1);
	assert_int_equal(f->calls.slots[1].flags, 0);
	assert_int_equal(vmm_slots_add(s, 0x8000, page, 0x1000, false), -ENOSPC);
	vmm_slots_remove(s, 0);
	vmm_slots_remove(s, 0);
	vmm_slots_remove(s, -1);
	assert_int_equal(f->calls.slots[0].memory_size, 0);
	assert_int_equal(vmm_slots_add(s, 0x8000, page, 0x1000, false), 0);
	vmm_slots_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_pins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_msi_entry, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nothing_new_calls_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masked_waits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_hold, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_interrupt, setup, teardown),
		cmocka_unit_test_setup_teardown(test_failures, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lines, setup, teardown),
		cmocka_unit_test_setup_teardown(test_chips, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slots, setup, teardown),
	};

	return cmocka_run_group_tests_name("vmm_irq", tests, NULL, NULL);
}
