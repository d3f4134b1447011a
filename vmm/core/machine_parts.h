/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the machine is made of, for the files that make it (machine.c, machine_devices.c, machine_boot.c),
 * run it (machine_run.c) and answer for it (machine_control.c). The rest of the VMM knows machine.h. */
#ifndef CARVE_VMM_MACHINE_PARTS_H
#define CARVE_VMM_MACHINE_PARTS_H

#include <jansson.h>

#include "vfio-ext/user/vfio.h"
#include "vmm/boot/loader.h"
#include "vmm/control/server.h"
#include "vmm/core/hypervisor.h"
#include "vmm/core/loop.h"
#include "vmm/core/machine.h"
#include "vmm/core/phases.h"
#include "vmm/core/sandbox.h"
#include "vmm/core/slots.h"
#include "vmm/core/vcpu.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/power.h"
#include "vmm/dev/vfio_device.h"

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
	struct vmm_nets *nets;
	struct vmm_vsock *vsock;
	struct vmm_shares *shares;
	struct vx_space *space;
	struct vmm_vfio_device **devices;
	int announced_fd; /* the hypervisor knows of them; -1 */
	int kernel_fd, initrd_fd;
	struct vmm_bytes acpi, smbios;
	struct vmm_entry entry;
	struct vmm_load_later later;
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

/* ---- machine_devices.c ---- */

/** vmm_machine_make_devices() - what the guest finds on its buses; the hypervisor is told of VFIO's */
int vmm_machine_make_devices(struct machine *m, struct cv_error *err);

/** vmm_machine_free_devices() - the mirror; VFIO's are reset as they go, so memory must still be there */
void vmm_machine_free_devices(struct machine *m);

/** vmm_machine_silence() - no VFIO device does DMA or interrupts any more. All of them before one of
 * them is reset: they may reach each other. */
void vmm_machine_silence(struct machine *m);

/* ---- machine_boot.c ---- */

/** vmm_machine_make_boot() - tables, kernel and initrd; what takes long is left to m->later */
int vmm_machine_make_boot(struct machine *m, struct cv_error *err);

/**
 * vmm_machine_load() - also after a reset: the guest may have written over all of it
 * @later: what takes long is noted there; NULL: all is loaded now
 */
int vmm_machine_load(struct machine *m, struct vmm_load_later *later, struct cv_error *err);

/* ---- machine_run.c ---- */

/** vmm_machine_prepare() - before the first instruction, when each vCPU thread is on its core */
int vmm_machine_prepare(struct machine *m, struct cv_error *err);

/** vmm_machine_begin_again() - all that the guest had, but its memory, is as at its start.
 * Context: the loop's thread; no vCPU runs. */
void vmm_machine_begin_again(struct machine *m, bool by_guest);

/** vmm_machine_give_up() - m->error is logged, the loop ends with @r */
void vmm_machine_give_up(struct machine *m, int r);

/** vmm_machine_ended() - of struct vmm_vcpus_input. Context: the thread of a vCPU. */
void vmm_machine_ended(void *ctx, enum vmm_end why, uint32_t value);

/* ---- machine_control.c ---- */

/** vmm_machine_make_server() - last: who reads an answer from its sockets finds everything made */
int vmm_machine_make_server(struct machine *m, struct cv_error *err);

/** vmm_machine_tell() - an event for who listens; @data is consumed, may be NULL */
void vmm_machine_tell(struct machine *m, const char *event, json_t *data);

#endif
