// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/machine_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/listen.h"
#include "vmm/core/log.h"
#include "vmm/dev/vfio_hypervisor.h"

#define SLOT_CONSOLE 1 /* on bus 0 */
#define SLOT_RNG 2

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

static int make_vsock(struct machine *m, const struct vmm_virtio_env *env, struct cv_error *err)
{
	uint32_t cid = m->in.plan->vsock_cid;
	const struct plan_link *link = plan_find_link(m->in.links, m->in.n_links, PLAN_VSOCK_ID);
	int fd = link && link->n == 1 ? link->fds[0] : -1;

	if (cid == 0)
		return 0;
	if (fd < 0)
		return cv_fail(err, -ENOENT, CV_EXIT_USAGE, "NO_DESCRIPTOR", PLAN_VSOCK_ID,
			       "vsock was not handed over");
	return vmm_vsock_new(env, cid, fd, &m->vsock, err);
}

int vmm_machine_make_devices(struct machine *m, struct cv_error *err)
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
	r = r ?: vmm_disks_new(&env, m->in.plan, m->in.links, m->in.n_links, &m->disks, err);
	r = r ?: vmm_nets_new(&env, m->in.plan, m->in.links, m->in.n_links, &m->nets, err);
	r = r ?: make_vsock(m, &env, err);
	r = r ?: vmm_shares_new(&env, m->in.plan, m->in.links, m->in.n_links, &m->shares, err);
	r = r ?: make_devices(m, err);
	r = r ?: vmm_pci_assign(m->pci, err);
	if (r == 0)
		announce_devices(m);
	vmm_phase_end(&m->phases, "devices");
	return r;
}

/* All of them before one of them: they may reach each other, and the memory that is filled next. */
void vmm_machine_silence(struct machine *m)
{
	for (size_t i = 0; m->devices && i < m->in.plan->n_devices; i++)
		if (m->devices[i])
			vmm_vfio_device_silence(m->devices[i]);
}

void vmm_machine_free_devices(struct machine *m)
{
	vmm_machine_silence(m);
	cv_cleanup_close(&m->announced_fd);
	for (size_t i = 0; m->devices && i < m->in.plan->n_devices; i++)
		if (m->devices[i])
			vmm_vfio_device_free(m->devices[i]);
	free(m->devices);
	if (m->shares)
		vmm_shares_free(m->shares);
	if (m->vsock)
		vmm_vsock_free(m->vsock);
	if (m->nets)
		vmm_nets_free(m->nets);
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
}
