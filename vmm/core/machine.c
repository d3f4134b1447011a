// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/sysroot.h"
#include "vfio-ext/user/vfio.h"
#include "vmm/boot/acpi.h"
#include "vmm/boot/loader.h"
#include "vmm/control/server.h"
#include "vmm/core/layout.h"
#include "vmm/core/listen.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/memory_lost.h"
#include "vmm/core/phases.h"
#include "vmm/core/sandbox.h"
#include "vmm/core/slots.h"
#include "vmm/core/vcpu.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/power.h"
#include "vmm/dev/vfio_device.h"
#include "vmm/dev/vfio_hypervisor.h"

#define RAM_SLOTS 32   /* pieces of RAM, and BARs: the rest */
#define SLOT_CONSOLE 1 /* on bus 0 */
#define SLOT_RNG 2
#define SOCKETS 4
#define RESET_VECTOR 0xffff0 /* Intel SDM vol. 3 section 10.1.4, below 1 MiB */

/** struct machine - in the order in which it is made; freed from the end */
struct machine {
	struct vmm_machine_input in;
	struct vmm_hypervisor hypervisor;
	struct vmm_memory memory;
	struct vmm_slots *slots;
	struct vmm_bus pio, mmio;
	bool has_buses;
	struct vmm_irqs *irqs;
	struct vmm_loop *loop;
	struct vmm_pci *pci;
	struct vmm_serial *serial;
	struct vmm_power *power;
	struct vmm_vconsole *console;
	struct vmm_vrng *rng;
	struct vmm_disks *disks;
	struct vx_space *space;
	struct vmm_vfio_device **devices;
	int announced_fd; /* the hypervisor knows of them; -1 */
	int kernel_fd, initrd_fd;
	struct vmm_bytes acpi, smbios;
	struct vmm_entry entry;
	struct vmm_vcpus *vcpus;
	struct vmm_server *server;
	struct vmm_sandbox *sandbox;
	struct vmm_phases phases;
	bool is_prepared; /* memory filled and mapped for DMA, threads locked in */
	bool shall_run;	  /* cont was the last thing asked for, not stop */
	bool was_stopped; /* since it last ran */
	enum vmm_end end; /* set by a vCPU thread before it defers on_end() */
	uint32_t end_value;
	struct cv_error error;
};

/* ---- making it ---- */

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

static int make_space(struct machine *m, struct cv_error *err)
{
	if (m->in.plan->n_devices == 0)
		return 0;
	return vx_space_new(m->in.vfio_fd, &m->space, err);
}

/* Consoles and the channel of the checker. */
static int make_channels(struct machine *m, const struct vmm_virtio_env *env, struct cv_error *err)
{
	int console = -1, log = -1, guest = -1, r;
	struct vmm_vport port = { .name = "org.carve.guest", .listen_fd = -1, .log_fd = -1 };

	r = vmm_listen(m->in.dir, "console.sock", &console, err);
	r = r ?: vmm_open_log(m->in.dir, "console.log", &log, err);
	r = r ?: vmm_serial_new(&m->pio, m->irqs, m->loop, console, log, &m->serial);
	r = r ?: vmm_listen(m->in.dir, "guest.sock", &guest, err);
	port.listen_fd = guest;
	return r ?: vmm_vconsole_new(env, SLOT_CONSOLE, &port, 1, &m->console, err);
}

static void on_device_gone(void *ctx, const char *id, const char *why)
{
	struct machine *m = ctx;

	vmm_log("device %s: %s", id, why);
	if (m->server)
		vmm_server_event(m->server, "DEVICE_LOST",
				 json_pack("{s:s,s:s}", "device", id, "reason", why));
}

static void withdraw(struct machine *m, const struct vmm_vfio_device *v)
{
	struct vmm_vm_call announced = m->hypervisor.system;

	announced.fd = m->announced_fd;
	for (size_t i = 0; m->announced_fd >= 0 && i < m->in.plan->n_devices; i++)
		if (m->devices[i] == v)
			(void)vmm_vfio_withdraw(&announced, m->in.device_fds[i]);
}

/* The host waits until it is closed: an admin unbinds it, or it was unplugged. */
static void on_device_wanted(void *ctx, struct vmm_vfio_device *v, const char *id)
{
	struct machine *m = ctx;

	vmm_vcpus_pause(m->vcpus);
	withdraw(m, v);
	vmm_vfio_device_give_up(v);
	on_device_gone(m, id, "the host wants it back: given up");
	if (m->shall_run && m->end == VMM_END_NONE)
		vmm_vcpus_run(m->vcpus);
}

static int make_devices(struct machine *m, struct cv_error *err)
{
	const struct plan *p = m->in.plan;
	struct vmm_vfio_env env = {
		.pci = m->pci,
		.irqs = m->irqs,
		.slots = m->slots,
		.loop = m->loop,
		.space = m->space,
		.vm_fd = m->hypervisor.vm_fd,
		.gone = on_device_gone,
		.wanted = on_device_wanted,
		.ctx = m,
	};
	int r = 0;

	m->devices = calloc(p->n_devices + 1, sizeof(struct vmm_vfio_device *));
	if (!m->devices)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot make the devices");
	for (size_t i = 0; i < p->n_devices && r == 0; i++) {
		env.is_p2p = p->devices[i].clique >= 0;
		r = vmm_vfio_device_new(&env, &p->devices[i], m->in.device_fds[i], &m->devices[i],
					err);
	}
	return r;
}

/* Without it all DMA is taken for coherent, as it is on most hosts. */
static void announce_devices(struct machine *m)
{
	struct vmm_vm_call vm = m->hypervisor.system;
	int fd;

	if (m->in.plan->n_devices == 0)
		return;
	vm.fd = m->hypervisor.vm_fd;
	fd = vmm_vfio_announce(&vm, m->in.device_fds, m->in.plan->n_devices);
	if (fd < 0)
		vmm_log("the hypervisor is not told of the devices: %s: DMA is taken for coherent",
			strerror(-fd));
	m->announced_fd = fd < 0 ? -1 : fd;
}

static int make_all_devices(struct machine *m, struct cv_error *err)
{
	struct vmm_virtio_env env = {
		.pci = m->pci,
		.irqs = m->irqs,
		.memory = &m->memory,
		.loop = m->loop,
		.vm_fd = m->hypervisor.vm_fd,
		.sandbox = m->sandbox,
	};
	int r = make_space(m, err);

	r = r ?: make_channels(m, &env, err);
	r = r ?: vmm_power_new(&m->pio, m->irqs, &m->power);
	r = r ?: vmm_vrng_new(&env, SLOT_RNG, &m->rng, err);
	r = r ?: vmm_disks_new(&env, m->in.plan, &m->disks, err);
	r = r ?: make_devices(m, err);
	r = r ?: vmm_pci_assign(m->pci, err);
	if (r == 0)
		announce_devices(m);
	vmm_phase_end(&m->phases, "devices");
	return r;
}

/* ---- what the guest boots ---- */

static int open_file(const char *path, const char *what, int *ret_fd, struct cv_error *err)
{
	*ret_fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	return *ret_fd < 0
		       ? cv_fail_errno(err, -errno, path, "cannot open the %s of the guest", what)
		       : 0;
}

static int make_tables(struct machine *m, struct cv_error *err)
{
	const struct vmm_root *roots = NULL;
	struct vmm_acpi_input in = { .plan = m->in.plan, .base = VMM_ACPI, .has_serial = true };
	int r;

	in.n_roots = vmm_pci_roots(m->pci, &roots);
	in.roots = roots;
	r = vmm_acpi_make(&in, &m->acpi);
	r = r ?: vmm_smbios_make(&in, &m->smbios);
	return r < 0 ? cv_fail_errno(err, r, "ACPI", "cannot make the tables of the guest") : 0;
}

/* Where a kernel that finds no other way to reset jumps to in real mode: mov al, 6; mov dx, 0xcf9;
 * out dx, al; hlt; jmp to it. */
static const uint8_t reset_vector[] = { 0xb0, 0x06, 0xba, 0xf9, 0x0c, 0xee, 0xf4, 0xeb, 0xfd };

/* Also after a reset: the guest may have written over all of it. */
static int load(struct machine *m, struct cv_error *err)
{
	const struct plan *p = m->in.plan;
	struct vmm_boot_input in = {
		.memory = &m->memory,
		.plan = p,
		.kernel_fd = m->kernel_fd,
		.initrd_fd = m->initrd_fd,
		.kernel_name = p->kernel,
		.initrd_name = p->initrd,
		.cmdline = p->cmdline,
		.rsdp = VMM_ACPI,
	};
	int r = vmm_memory_ready(&m->memory, VMM_ACPI, m->acpi.len);

	r = r ?: vmm_memory_write(&m->memory, VMM_ACPI, m->acpi.data, m->acpi.len);
	r = r ?: vmm_memory_ready(&m->memory, VMM_SMBIOS, m->smbios.len);
	r = r ?: vmm_memory_write(&m->memory, VMM_SMBIOS, m->smbios.data, m->smbios.len);
	r = r ?: vmm_memory_write(&m->memory, RESET_VECTOR, reset_vector, sizeof(reset_vector));
	if (r < 0)
		return cv_fail_errno(err, r, "ACPI", "the tables cannot be put below 1 MiB");
	return vmm_load(&in, &m->entry, err);
}

static int make_boot(struct machine *m, struct cv_error *err)
{
	const struct plan *p = m->in.plan;
	int r = make_tables(m, err);

	r = r ?: open_file(p->kernel, "kernel", &m->kernel_fd, err);
	if (r == 0 && p->initrd[0])
		r = open_file(p->initrd, "initrd", &m->initrd_fd, err);
	r = r ?: load(m, err);
	vmm_phase_end(&m->phases, "kernel");
	return r;
}

/* ---- running it ---- */

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
static int prepare(struct machine *m, struct cv_error *err)
{
	int r;

	if (m->is_prepared)
		return 0;
	vmm_phase_end(&m->phases, "waiting to be pinned");
	r = vmm_vcpus_each(m->vcpus, fill_part, m);
	r = r ?: fill_rest(m);
	if (r < 0)
		return cv_fail_errno(err, r, m->in.plan->name,
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

/* All of them before one of them: they may reach each other, and the memory that is filled next. */
static void silence_devices(struct machine *m)
{
	for (size_t i = 0; m->devices && i < m->in.plan->n_devices; i++)
		if (m->devices[i])
			vmm_vfio_device_silence(m->devices[i]);
}

/* All that the guest had, but its memory. Context: no vCPU runs. */
static int restart(struct machine *m, struct cv_error *err)
{
	int r;

	silence_devices(m);
	vmm_pci_reset(m->pci);
	vmm_serial_reset(m->serial);
	r = vmm_irqs_restore(m->irqs);
	if (r < 0)
		return cv_fail_errno(err, r, "KVM_SET_IRQCHIP",
				     "the interrupt controllers cannot be reset");
	r = vmm_pci_assign(m->pci, err);
	r = r ?: load(m, err);
	return r ?: vmm_vcpus_reset(m->vcpus, err);
}

static void give_up(struct machine *m, int r)
{
	char *text = cv_error_format(&m->error);

	vmm_log("%s", text ? text : "out of memory");
	free(text);
	vmm_loop_stop(m->loop, r);
}

static void tell(struct machine *m, const char *event, json_t *data)
{
	vmm_server_event(m->server, event, data);
}

static void begin_again(struct machine *m, bool by_guest)
{
	int r;

	tell(m, "RESET",
	     json_pack("{s:b,s:s}", "guest", by_guest, "reason",
		       by_guest ? "guest-reset" : "host-qmp-system-reset"));
	r = restart(m, &m->error);
	if (r < 0) {
		give_up(m, r);
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
		tell(m, "SHUTDOWN",
		     json_pack("{s:b,s:s}", "guest", true, "reason", "guest-shutdown"));
		vmm_loop_stop(m->loop, 0);
		return;
	case VMM_END_FAILED:
		tell(m, "GUEST_PANICKED", json_pack("{s:s}", "action", "poweroff"));
		cv_fail(&m->error, -EIO, CV_EXIT_GUEST, "GUEST_FAILED", m->in.plan->name,
			"the hypervisor cannot go on with the guest");
		vmm_loop_stop(m->loop, -EIO);
		return;
	case VMM_END_RESET:
		begin_again(m, true);
		return;
	}
}

static void on_ended(void *ctx, enum vmm_end why, uint32_t value)
{
	struct machine *m = ctx;

	m->end = why;
	m->end_value = value;
	if (vmm_loop_defer(m->loop, on_end, m) < 0)
		vmm_loop_stop(m->loop, -ENOMEM);
}

/* ---- what it can be asked ---- */

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
	r = prepare(m, &m->error);
	if (r < 0) {
		if (err)
			*err = m->error;
		give_up(m, r);
		return r;
	}
	m->shall_run = true;
	if (m->was_stopped)
		vmm_vcpus_tell_stopped(m->vcpus);
	m->was_stopped = false;
	vmm_vcpus_run(m->vcpus);
	vmm_phase_end(&m->phases, "first instruction");
	tell(m, "RESUME", NULL);
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
	tell(m, "STOP", NULL);
}

static void op_quit(void *ctx)
{
	struct machine *m = ctx;

	tell(m, "SHUTDOWN", json_pack("{s:b,s:s}", "guest", false, "reason", "host-qmp-quit"));
	vmm_loop_stop(m->loop, 0);
}

static void op_reset(void *ctx)
{
	struct machine *m = ctx;

	vmm_vcpus_pause(m->vcpus);
	/* one that ended by itself meanwhile is on_end()'s */
	if (m->end == VMM_END_NONE)
		begin_again(m, false);
}

static void op_powerdown(void *ctx)
{
	struct machine *m = ctx;

	vmm_power_press(m->power);
	tell(m, "POWERDOWN", NULL);
}

static size_t op_tids(void *ctx, const pid_t **ret)
{
	const struct machine *m = ctx;
	size_t n;

	*ret = vmm_vcpus_tids(m->vcpus, &n);
	return n;
}

static json_t *vcpu_stats(const struct machine *m)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < m->in.plan->n_vcpus; i++) {
		struct vmm_vcpu_stats s;

		vmm_vcpus_stats(m->vcpus, i, &s);
		json_array_append_new(
			list, json_pack("{s:I,s:I,s:I,s:I,s:I,s:I}", "vcpu", (json_int_t)i, "exits",
					(json_int_t)s.exits, "io", (json_int_t)s.io, "mmio",
					(json_int_t)s.mmio, "interrupted",
					(json_int_t)s.interrupted, "other", (json_int_t)s.other));
	}
	return list;
}

static json_t *op_stats(void *ctx)
{
	const struct machine *m = ctx;
	const struct vx_space_facts *dma = m->space ? vx_space_facts(m->space) : NULL;

	return json_pack("{s:o,s:o,s:{s:s,s:I,s:I,s:I},s:I}", "vcpus", vcpu_stats(m), "phases",
			 vmm_phases_json(&m->phases), "dma", "kind", dma ? dma->kind : "none",
			 "bytes", (json_int_t)(dma ? dma->mapped : 0), "maps",
			 (json_int_t)(dma ? dma->maps : 0), "unmaps",
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
static int make_server(struct machine *m, struct cv_error *err)
{
	int fds[2] = { -1, -1 };
	int r = vmm_listen(m->in.dir, "qmp.sock", &fds[0], err);

	r = r ?: vmm_listen(m->in.dir, "carve.sock", &fds[1], err);
	return r
		       ?: vmm_server_new(m->loop, m->in.plan->name, fds, 2, &control_ops, m,
					 &m->server, err);
}

static int make_vcpus(struct machine *m, struct cv_error *err)
{
	struct vmm_vcpus_input in = {
		.plan = m->in.plan,
		.hypervisor = &m->hypervisor,
		.pio = &m->pio,
		.mmio = &m->mmio,
		.entry = &m->entry,
		.ended = on_ended,
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
	r = r ?: make_all_devices(m, err);
	r = r ?: make_boot(m, err);
	r = r ?: make_vcpus(m, err);
	r = r ?: make_server(m, err);
	return r ?: vmm_sandbox_enter(m->sandbox, VMM_ROLE_MAIN, err);
}

/* vCPUs first: nobody touches a device any more. Devices are reset as they go, before memory does. */
static void free_machine(struct machine *m)
{
	if (m->server)
		vmm_server_free(m->server);
	if (m->vcpus)
		vmm_vcpus_free(m->vcpus);
	silence_devices(m);
	cv_cleanup_close(&m->announced_fd);
	for (size_t i = 0; m->devices && i < m->in.plan->n_devices; i++)
		if (m->devices[i])
			vmm_vfio_device_free(m->devices[i]);
	free(m->devices);
	if (m->disks)
		vmm_disks_free(m->disks);
	if (m->rng)
		vmm_vrng_free(m->rng);
	if (m->console)
		vmm_vconsole_free(m->console);
	if (m->power)
		vmm_power_free(m->power);
	if (m->serial)
		vmm_serial_free(m->serial);
	if (m->space)
		vx_space_free(m->space);
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
