// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/vcpu_exit.h"

#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"
#include "vmm/core/log.h"

#define RESET_NOW 0x06	  /* FADT RESET_VALUE of ours */
#define SLEEP_ENABLE 0x20 /* SLP_EN; SLP_TYP in bits 4:2 (ACPI 6.5 section 4.8.3.7) */
#define SLEEP_TYPE(v) (((v) >> 2) & 7)
#define SLEEP_OFF 5

/* ---- ports that end the guest ---- */

static enum vmm_end sleep_written(uint8_t value)
{
	return value & SLEEP_ENABLE && SLEEP_TYPE(value) == SLEEP_OFF ? VMM_END_POWER_OFF
								      : VMM_END_NONE;
}

static enum vmm_end reset_written(uint8_t value)
{
	return (value & RESET_NOW) == RESET_NOW ? VMM_END_RESET : VMM_END_NONE;
}

static enum vmm_end end_written(uint16_t port, const uint8_t *data, uint8_t size,
				uint32_t *ret_value)
{
	switch (port) {
	case VMM_PORT_POWER:
		return sleep_written(data[0]);
	case VMM_PORT_RESET:
		return reset_written(data[0]);
	case VMM_PORT_TEST_EXIT:
		*ret_value = 0;
		memcpy(ret_value, data, size < sizeof(*ret_value) ? size : sizeof(*ret_value));
		return VMM_END_TEST;
	}
	return VMM_END_NONE;
}

/* String instructions have several elements. */
static enum vmm_end handle_io(struct kvm_run *run, struct vmm_bus *pio, uint32_t *ret_value)
{
	uint8_t *data = (uint8_t *)run + run->io.data_offset;
	bool is_write = run->io.direction == KVM_EXIT_IO_OUT;
	enum vmm_end end = VMM_END_NONE;

	for (uint32_t i = 0; i < run->io.count && end == VMM_END_NONE; i++) {
		if (is_write)
			end = end_written(run->io.port, data, run->io.size, ret_value);
		if (end == VMM_END_NONE)
			vmm_bus_access(pio, run->io.port, data, run->io.size, is_write);
		data += run->io.size;
	}
	return end;
}

static enum vmm_end handle_event(const struct kvm_run *run)
{
	switch (run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		return VMM_END_POWER_OFF;
	case KVM_SYSTEM_EVENT_RESET:
		return VMM_END_RESET;
	}
	return VMM_END_FAILED;
}

enum vmm_end vmm_exit_handle(struct kvm_run *run, struct vmm_bus *pio, struct vmm_bus *mmio,
			     struct vmm_vcpu_stats *stats, uint32_t *ret_value)
{
	switch (run->exit_reason) {
	case KVM_EXIT_IO:
		stats->io++;
		return handle_io(run, pio, ret_value);
	case KVM_EXIT_MMIO:
		stats->mmio++;
		vmm_bus_access(mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len,
			       run->mmio.is_write);
		return VMM_END_NONE;
	case KVM_EXIT_INTR:
		stats->interrupted++;
		return VMM_END_NONE;
	case KVM_EXIT_SHUTDOWN: /* triple fault */
		return VMM_END_RESET;
	case KVM_EXIT_SYSTEM_EVENT:
		return handle_event(run);
	}
	stats->other++;
	return VMM_END_FAILED;
}

/* ---- why it cannot go on ---- */

static const struct {
	uint32_t reason;
	const char *name;
} reasons[] = {
	{ KVM_EXIT_UNKNOWN, "an exit that the hypervisor does not know" },
	{ KVM_EXIT_EXCEPTION, "an exception" },
	{ KVM_EXIT_DEBUG, "a debug exception" },
	{ KVM_EXIT_HLT, "a halt without interrupt controller" },
	{ KVM_EXIT_FAIL_ENTRY, "the guest's state was refused by the CPU" },
	{ KVM_EXIT_INTERNAL_ERROR, "an instruction that the hypervisor cannot emulate" },
	{ KVM_EXIT_SYSTEM_EVENT, "a crash that the guest reported" },
};

static const char *reason_name(uint32_t reason)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(reasons); i++)
		if (reasons[i].reason == reason)
			return reasons[i].name;
	return "an exit that this VMM does not handle";
}

static void log_segment(size_t vcpu, const char *name, const struct kvm_segment *g)
{
	vmm_log("vCPU %zu: %s %04x base %llx limit %x type %x dpl %u present %u", vcpu, name,
		g->selector, g->base, g->limit, g->type, g->dpl, g->present);
}

static void log_registers(size_t vcpu, int fd)
{
	struct kvm_regs r;
	struct kvm_sregs s;

	if (ioctl(fd, KVM_GET_REGS, &r) < 0 || ioctl(fd, KVM_GET_SREGS, &s) < 0)
		return;
	vmm_log("vCPU %zu: rip %llx rsp %llx rflags %llx rax %llx rbx %llx rcx %llx rdx %llx", vcpu,
		r.rip, r.rsp, r.rflags, r.rax, r.rbx, r.rcx, r.rdx);
	vmm_log("vCPU %zu: rsi %llx rdi %llx rbp %llx r8 %llx r9 %llx r10 %llx r11 %llx r12 %llx "
		"r13 %llx r14 %llx r15 %llx",
		vcpu, r.rsi, r.rdi, r.rbp, r.r8, r.r9, r.r10, r.r11, r.r12, r.r13, r.r14, r.r15);
	vmm_log("vCPU %zu: cr0 %llx cr2 %llx cr3 %llx cr4 %llx cr8 %llx efer %llx apic base %llx",
		vcpu, s.cr0, s.cr2, s.cr3, s.cr4, s.cr8, s.efer, s.apic_base);
	log_segment(vcpu, "cs", &s.cs);
	log_segment(vcpu, "ss", &s.ss);
	log_segment(vcpu, "tr", &s.tr);
	vmm_log("vCPU %zu: gdt %llx-%x idt %llx-%x", vcpu, s.gdt.base, s.gdt.limit, s.idt.base,
		s.idt.limit);
}

/* What comes with it depends on the suberror: an instruction's bytes, an event that was being delivered. */
static void log_internal(size_t vcpu, const struct kvm_run *run)
{
	uint32_t n = run->internal.ndata;

	vmm_log("vCPU %zu: %s, suberror %u", vcpu, reason_name(run->exit_reason),
		run->internal.suberror);
	for (uint32_t i = 0; i < n && i < CV_ARRAY_SIZE(run->internal.data); i++)
		vmm_log("vCPU %zu: data %u: %016llx", vcpu, i, run->internal.data[i]);
}

static const char *hint(int error)
{
	return error == EFAULT ? ": memory or a BAR of the guest is not there any more, or it runs "
				 "where only a device is"
			       : "";
}

void vmm_exit_explain(size_t vcpu, int vcpu_fd, const struct kvm_run *run, int error)
{
	if (!run)
		vmm_log("vCPU %zu: KVM_RUN failed: %s%s", vcpu, strerror(error), hint(error));
	else if (run->exit_reason == KVM_EXIT_FAIL_ENTRY)
		vmm_log("vCPU %zu: %s, reason 0x%llx", vcpu, reason_name(run->exit_reason),
			run->fail_entry.hardware_entry_failure_reason);
	else if (run->exit_reason == KVM_EXIT_INTERNAL_ERROR)
		log_internal(vcpu, run);
	else
		vmm_log("vCPU %zu: %s (exit %u)", vcpu, reason_name(run->exit_reason),
			run->exit_reason);
	log_registers(vcpu, vcpu_fd);
}
