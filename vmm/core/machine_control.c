// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine_parts.h"

#include "base/cleanup.h"
#include "vmm/core/listen.h"
#include "vmm/core/stats.h"

void vmm_machine_tell(struct machine *m, const char *event, json_t *data)
{
	vmm_server_event(m->server, event, data);
}

static const char *op_status(void *ctx)
{
	const struct machine *m = ctx;

	if (m->shall_run)
		return "running";
	return m->is_prepared ? "paused" : "prelaunch";
}

/* A guest that just ended is begun again, or ended for good, by on_end(), which is on its way. */
static int op_cont(void *ctx, struct cv_error *err)
{
	struct machine *m = ctx;
	int r;

	if (m->shall_run)
		return 0;
	r = vmm_machine_prepare(m, &m->error);
	if (r < 0) {
		if (err)
			*err = m->error;
		vmm_machine_give_up(m, r);
		return r;
	}
	m->shall_run = true;
	if (m->was_stopped)
		vmm_vcpus_tell_stopped(m->vcpus);
	m->was_stopped = false;
	vmm_vcpus_run(m->vcpus);
	vmm_phase_end(&m->phases, "first instruction");
	vmm_machine_tell(m, "RESUME", NULL);
	return 0;
}

static void op_stop(void *ctx)
{
	struct machine *m = ctx;

	if (!m->shall_run)
		return;
	m->shall_run = false;
	vmm_vcpus_pause(m->vcpus);
	m->was_stopped = true;
	vmm_machine_tell(m, "STOP", NULL);
}

static void op_quit(void *ctx)
{
	struct machine *m = ctx;

	vmm_machine_tell(m, "SHUTDOWN",
			 json_pack("{s:b,s:s}", "guest", false, "reason", "host-qmp-quit"));
	vmm_loop_stop(m->loop, 0);
}

static void op_reset(void *ctx)
{
	struct machine *m = ctx;

	vmm_vcpus_pause(m->vcpus);
	/* one that ended by itself meanwhile is on_end()'s */
	if (m->end == VMM_END_NONE)
		vmm_machine_begin_again(m, false);
}

static void op_powerdown(void *ctx)
{
	struct machine *m = ctx;

	vmm_power_press(m->power);
	vmm_machine_tell(m, "POWERDOWN", NULL);
}

static size_t op_tids(void *ctx, const pid_t **ret)
{
	const struct machine *m = ctx;
	size_t n;

	*ret = vmm_vcpus_tids(m->vcpus, &n);
	return n;
}

/* NULL, and then no member, where the hypervisor does not count. */
static json_t *vm_stats(const struct machine *m)
{
	struct vmm_vm_call vm = m->hypervisor.system;
	_cleanup_close_ int fd = -1;

	vm.fd = m->hypervisor.vm_fd;
	fd = vmm_stats_open(&vm);
	return vmm_stats_read(fd);
}

/* When somebody first asks, the guest is stopped for a moment: a vCPU in the guest has no new descriptors
 * made, and most guests end without being asked. */
static void open_stats(struct machine *m)
{
	if (!m->hypervisor.has_stats_fd || vmm_vcpus_have_stats(m->vcpus))
		return;
	vmm_vcpus_pause(m->vcpus);
	vmm_vcpus_open_stats(m->vcpus);
	if (m->shall_run && m->end == VMM_END_NONE)
		vmm_vcpus_run(m->vcpus);
}

static json_t *vcpu_stats(const struct machine *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < m->in.plan->n_vcpus; i++) {
		struct vmm_vcpu_stats s;

		vmm_vcpus_stats(m->vcpus, i, &s);
		json_array_append_new(
			list, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:o*}", "vcpu", (json_int_t)i,
					"exits", (json_int_t)s.exits, "io", (json_int_t)s.io,
					"mmio", (json_int_t)s.mmio, "interrupted",
					(json_int_t)s.interrupted, "other", (json_int_t)s.other,
					"kvm", vmm_vcpus_kvm_stats(m->vcpus, i)));
	}
	return list;
}

static json_t *op_stats(void *ctx)
{
	struct machine *m = ctx;
	const struct vx_space_facts *dma = m->space ? vx_space_facts(m->space) : NULL;

	open_stats(m);
	return json_pack("{s:o,s:o*,s:o,s:{s:s,s:I,s:I,s:I},s:I}", "vcpus", vcpu_stats(m), "kvm",
			 vm_stats(m), "phases", vmm_phases_json(&m->phases), "dma", "kind",
			 dma ? dma->kind : "none", "bytes", (json_int_t)(dma ? dma->mapped : 0),
			 "maps", (json_int_t)(dma ? dma->maps : 0), "unmaps",
			 (json_int_t)(dma ? dma->unmaps : 0), "routes",
			 (json_int_t)vmm_irq_count(m->irqs));
}

static const struct vmm_control_ops control_ops = {
	.status = op_status,
	.cont = op_cont,
	.stop = op_stop,
	.quit = op_quit,
	.reset = op_reset,
	.powerdown = op_powerdown,
	.vcpu_tids = op_tids,
	.stats = op_stats,
};

/* Last: who reads an answer from here finds everything made. */
int vmm_machine_make_server(struct machine *m, struct cv_error *err)
{
	int fds[2] = { -1, -1 };
	int r = vmm_listen(m->in.dir, "qmp.sock", &fds[0], err);

	r = r ?: vmm_listen(m->in.dir, "carve.sock", &fds[1], err);
	return r
		       ?: vmm_server_new(m->loop, m->in.plan->name, fds, 2, &control_ops, m,
					 &m->server, err);
}
