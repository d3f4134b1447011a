// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine_parts.h"

#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "vmm/boot/acpi.h"
#include "vmm/core/memory_lost.h"

static int make_vm(struct machine *m, struct cv_error *err)
{
	int r = vmm_hypervisor_open(m->in.hypervisor_fd, &m->hypervisor, err);

	r = r ?: vmm_hypervisor_make_vm(&m->hypervisor, err);
	if (r < 0)
		return r;
	if (vmm_needs_ext_dest_id(m->in.plan) && !m->hypervisor.has_ext_dest_id)
		return cv_fail(
			err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_CAPABILITY",
			"KVM_CAP_X2APIC_API",
			"the hypervisor cannot send interrupts of devices to all of the %zu vCPUs",
			m->in.plan->n_vcpus);
	if (m->in.plan->n_vcpus > m->hypervisor.max_vcpus)
		return cv_fail(err, -E2BIG, CV_EXIT_PRECONDITION, "NO_CAPABILITY",
			       "KVM_CAP_MAX_VCPUS",
			       "the hypervisor makes %u vCPUs, %zu are planned",
			       m->hypervisor.max_vcpus, m->in.plan->n_vcpus);
	vmm_phase_end(&m->phases, "hypervisor");
	return 0;
}

static void name_ram(const struct vmm_ram *ram)
{
	char name[80];

	snprintf(name, sizeof(name), "memory of guest node %d from guest address 0x%llx",
		 ram->guest_node, (unsigned long long)ram->gpa);
	vmm_lost_name(ram->host, ram->size, name);
}

static int add_ram(struct machine *m, struct cv_error *err)
{
	int r = vmm_memory_make(m->in.plan, &m->memory, err);

	for (size_t i = 0; r == 0 && i < m->memory.n; i++) {
		const struct vmm_ram *ram = &m->memory.rams[i];
		int slot = vmm_slots_add(m->slots, ram->gpa, ram->host, ram->size, false);

		name_ram(ram);
		if (slot < 0)
			r = cv_fail_errno(err, slot, "KVM_SET_USER_MEMORY_REGION",
					  "the hypervisor does not take the guest's memory");
	}
	vmm_phase_end(&m->phases, "memory");
	return r;
}

static int make_buses(struct machine *m, struct cv_error *err)
{
	int r = vmm_bus_init(&m->pio);

	if (r == 0) {
		r = vmm_bus_init(&m->mmio);
		if (r < 0)
			vmm_bus_done(&m->pio);
	}
	m->has_buses = r == 0;
	r = r ?: vmm_irqs_new(m->hypervisor.vm_fd, m->hypervisor.max_routes, &m->irqs);
	r = r ?: vmm_irqs_save(m->irqs);
	r = r ?: vmm_loop_new(&m->loop);
	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot make buses, routes and the event loop");
	return vmm_pci_new(m->in.plan, &m->mmio, &m->pio, &m->pci, err);
}

static int make_vcpus(struct machine *m, struct cv_error *err)
{
	struct vmm_vcpus_input in = {
		.plan = m->in.plan,
		.hypervisor = &m->hypervisor,
		.pio = &m->pio,
		.mmio = &m->mmio,
		.entry = &m->entry,
		.ended = vmm_machine_ended,
		.ctx = m,
	};
	int r = vmm_vcpus_new(&in, &m->vcpus, err);

	vmm_phase_end(&m->phases, "vCPUs");
	return r;
}

static int make_machine(struct machine *m, struct cv_error *err)
{
	int r = make_vm(m, err);

	if (r == 0) {
		r = vmm_slots_new(m->hypervisor.vm_fd, m->hypervisor.max_slots, &m->slots);
		if (r < 0)
			return cv_fail_errno(err, r, NULL, "cannot make the memslots");
	}
	r = r ?: vmm_sandbox_new(m->in.has_sandbox, &m->sandbox, err);
	r = r ?: add_ram(m, err);
	r = r ?: make_buses(m, err);
	r = r ?: vmm_machine_make_devices(m, err);
	r = r ?: vmm_machine_make_boot(m, err);
	r = r ?: make_vcpus(m, err);
	r = r ?: vmm_machine_make_server(m, err);
	return r ?: vmm_sandbox_enter(m->sandbox, VMM_ROLE_MAIN, err);
}

/* vCPUs first: nobody touches a device any more. Devices are reset as they go, before memory does. */
static void free_machine(struct machine *m)
{
	if (m->server)
		vmm_server_free(m->server);
	if (m->vcpus)
		vmm_vcpus_free(m->vcpus);
	vmm_machine_free_devices(m);
	if (m->pci)
		vmm_pci_free(m->pci);
	if (m->loop)
		vmm_loop_free(m->loop);
	if (m->irqs)
		vmm_irqs_free(m->irqs);
	if (m->has_buses) {
		vmm_bus_done(&m->mmio);
		vmm_bus_done(&m->pio);
	}
	if (m->slots)
		vmm_slots_free(m->slots);
	for (size_t i = 0; i < m->memory.n; i++)
		vmm_lost_forget(m->memory.rams[i].host);
	vmm_memory_done(&m->memory);
	vmm_hypervisor_done(&m->hypervisor);
	vmm_bytes_done(&m->acpi);
	vmm_bytes_done(&m->smbios);
	cv_cleanup_close(&m->kernel_fd);
	cv_cleanup_close(&m->initrd_fd);
	vmm_sandbox_free(m->sandbox);
}

int vmm_machine_main(const struct vmm_machine_input *in, struct cv_error *err)
{
	struct machine m = {
		.in = *in,
		.hypervisor = { .fd = -1, .vm_fd = -1 },
		.kernel_fd = -1,
		.initrd_fd = -1,
		.announced_fd = -1,
		.phases.last = in->start_us,
	};
	int r = vmm_lost_catch();

	if (r < 0)
		return cv_fail_errno(err, r, "SIGBUS", "cannot be caught");
	r = make_machine(&m, err);
	if (r == 0) {
		r = vmm_loop_run(m.loop);
		if (r < 0 && m.error.err)
			*err = m.error;
	}
	free_machine(&m);
	return r;
}
