/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A passed-through function in the guest's PCIe tree. */
#ifndef CARVE_VMM_VFIO_DEVICE_H
#define CARVE_VMM_VFIO_DEVICE_H

#include "base/error.h"
#include "vfio-ext/user/vfio.h"
#include "vmm/core/irq.h"
#include "vmm/core/loop.h"
#include "vmm/core/memory.h"
#include "vmm/core/slots.h"
#include "vmm/dev/pci.h"

struct vmm_vfio_device;

/** struct vmm_vfio_env - borrowed for the device's life */
struct vmm_vfio_env {
	struct vmm_pci *pci;
	struct vmm_irqs *irqs;
	struct vmm_slots *slots;
	struct vmm_loop *loop;
	struct vx_space *space; /* for peer-to-peer: BARs are mapped there when @is_p2p */
	bool is_p2p;
	int vm_fd;
	void (*gone)(void *ctx, const char *id, const char *why); /* AER fatal */
	void (*wanted)(void *ctx, struct vmm_vfio_device *v,
		       const char *id); /* back, by the host */
	void *ctx;
};

/**
 * vmm_vfio_device_new() - the function at @fd (owned) as the plan's device @d
 *
 * Configuration space by policy tables: header and capabilities that the guest may see and write; what
 * is unknown is hidden (PCIe Base 6.0 section 7; vendor-specific, power management, PCI Express with
 * flattened device/port type, MSI, MSI-X, ATS/PASID/SR-IOV/resizable BAR hidden). BARs that are mapped by
 * memslots, except the pages of the MSI-X table. It is reset here and when it is freed.
 */
int vmm_vfio_device_new(const struct vmm_vfio_env *env, const struct plan_device *d, int fd,
			struct vmm_vfio_device **ret, struct cv_error *err);
/**
 * vmm_vfio_device_silence() - it does no DMA and raises no interrupt until somebody turns it on again
 * Before one of several devices is reset or given back, all of them are silenced: they may reach each
 * other.
 */
void vmm_vfio_device_silence(struct vmm_vfio_device *v);
/**
 * vmm_vfio_device_give_up() - reset it, take it from the guest, close it; the guest reads ones from then on
 * Context: no vCPU runs; the loop's thread.
 */
void vmm_vfio_device_give_up(struct vmm_vfio_device *v);
void vmm_vfio_device_free(struct vmm_vfio_device *v);

#endif
