// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine_parts.h"

#include <errno.h>
#include <stdlib.h>

#include "vmm/core/log.h"

/* In the thread of each vCPU: those of one node share its memory out. */
static int fill_part(void *ctx, size_t vcpu)
{
	const struct machine *m = ctx;
	const struct plan *p = m->in.plan;
	size_t node = (size_t)p->vcpus[vcpu].guest_node;
	unsigned int part = 0, parts = 0;

	for (size_t i = 0; i < p->n_vcpus; i++) {
		if ((size_t)p->vcpus[i].guest_node != node)
			continue;
		part += i < vcpu;
		parts++;
	}
	return vmm_memory_fill(&m->memory, node, part, parts);
}

/* A node without vCPUs is filled by those of the first. */
static int fill_rest(struct machine *m)
{
	const struct plan *p = m->in.plan;
	int r = 0;

	for (size_t n = 0; n < p->n_nodes && r == 0; n++)
		if (cv_cpuset_count(&p->nodes[n].vcpus) == 0)
			r = vmm_memory_fill(&m->memory, n, 0, 1);
	return r;
}

static int map_for_dma(struct machine *m, struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; m->space && i < m->memory.n && r == 0; i++) {
		const struct vmm_ram *ram = &m->memory.rams[i];

		r = vx_space_map(m->space, ram->gpa, ram->host, ram->size, true, err);
	}
	return r;
}

static int lock_in(void *ctx, size_t vcpu)
{
	const struct machine *m = ctx;

	return vmm_sandbox_enter(m->sandbox, VMM_ROLE_VCPU, NULL);
}

/* Before the first instruction, when each vCPU thread is on its core. */
int vmm_machine_prepare(struct machine *m, struct cv_error *err)
{
	int r, filled;

	if (m->is_prepared)
		return 0;
	vmm_phase_end(&m->phases, "waiting to be pinned");
	vmm_vcpus_begin(m->vcpus, fill_part, m);
	r = vmm_load_rest(&m->memory, &m->later, err);
	filled = vmm_vcpus_finish(m->vcpus);
	filled = filled ?: fill_rest(m);
	if (r < 0)
		return r;
	if (filled < 0)
		return cv_fail_errno(err, filled, m->in.plan->name,
				     "the guest's memory cannot be filled");
	vmm_phase_end(&m->phases, "filling memory");
	r = vmm_vcpus_each(m->vcpus, lock_in, m);
	if (r < 0)
		return cv_fail_errno(err, r, "sandbox", "the threads of vCPUs cannot be locked in");
	vmm_phase_end(&m->phases, "sandbox");
	r = map_for_dma(m, err);
	vmm_phase_end(&m->phases, "mapping for DMA");
	m->is_prepared = r == 0;
	return r;
}

/* All that the guest had, but its memory. Context: no vCPU runs. */
static int restart(struct machine *m, struct cv_error *err)
{
	int r;

	vmm_machine_silence(m);
	vmm_pci_reset(m->pci);
	vmm_serial_reset(m->serial);
	r = vmm_irqs_restore(m->irqs);
	if (r < 0)
		return cv_fail_errno(err, r, "KVM_SET_IRQCHIP",
				     "the interrupt controllers cannot be reset");
	r = vmm_pci_assign(m->pci, err);
	r = r ?: vmm_machine_load(m, NULL, err);
	return r ?: vmm_vcpus_reset(m->vcpus, err);
}

void vmm_machine_give_up(struct machine *m, int r)
{
	char *text = cv_error_format(&m->error);

	vmm_log("%s", text ? text : "out of memory");
	free(text);
	vmm_loop_stop(m->loop, r);
}

void vmm_machine_begin_again(struct machine *m, bool by_guest)
{
	int r;

	vmm_machine_tell(m, "RESET",
			 json_pack("{s:b,s:s}", "guest", by_guest, "reason",
				   by_guest ? "guest-reset" : "host-qmp-system-reset"));
	r = restart(m, &m->error);
	if (r < 0) {
		vmm_machine_give_up(m, r);
		return;
	}
	m->end = VMM_END_NONE;
	if (m->shall_run)
		vmm_vcpus_run(m->vcpus);
}

/* In the loop's thread: the vCPU that ended waits, the others are stopped first. */
static void on_end(void *ctx)
{
	struct machine *m = ctx;

	if (m->end == VMM_END_NONE)
		return;
	vmm_vcpus_pause(m->vcpus);
	switch (m->end) {
	case VMM_END_NONE:
		return;
	case VMM_END_TEST:
		vmm_loop_stop(m->loop, (int)((m->end_value << 1 | 1) & 0xff));
		return;
	case VMM_END_POWER_OFF:
		vmm_machine_tell(m, "SHUTDOWN",
				 json_pack("{s:b,s:s}", "guest", true, "reason", "guest-shutdown"));
		vmm_loop_stop(m->loop, 0);
		return;
	case VMM_END_FAILED:
		vmm_machine_tell(m, "GUEST_PANICKED", json_pack("{s:s}", "action", "poweroff"));
		cv_fail(&m->error, -EIO, CV_EXIT_GUEST, "GUEST_FAILED", m->in.plan->name,
			"the hypervisor cannot go on with the guest");
		vmm_loop_stop(m->loop, -EIO);
		return;
	case VMM_END_RESET:
		vmm_machine_begin_again(m, true);
		return;
	}
}

void vmm_machine_ended(void *ctx, enum vmm_end why, uint32_t value)
{
	struct machine *m = ctx;

	m->end = why;
	m->end_value = value;
	if (vmm_loop_defer(m->loop, on_end, m) < 0)
		vmm_loop_stop(m->loop, -ENOMEM);
}
