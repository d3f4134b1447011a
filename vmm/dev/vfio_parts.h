/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of a passed-through function. Not a public header of vmm/dev. */
#ifndef CARVE_VMM_VFIO_PARTS_H
#define CARVE_VMM_VFIO_PARTS_H

#include "vmm/core/log.h"
#include "vmm/dev/msix.h"
#include "vmm/dev/vfio_device.h"

#define PASS_AREAS_MAX \
	8	     /* mapped pieces of a BAR: around the pages of the MSI-X table and its PBA */
#define PASS_D3HOT 3 /* PCI_PM_CTRL_STATE_MASK: decodes nothing (PCIe Base 6.0 section 5.3.1.4) */

/** struct pass_caps - offsets of capabilities that are handled here, 0: not there */
struct pass_caps {
	uint8_t pm, msi, msix, express;
	bool msi_is_wide, msi_has_mask;
};

/**
 * struct pass_bar - what of a BAR the guest sees without leaving
 * @address: where the guest has it, when @is_placed; guarded by the function's lock
 */
struct pass_bar {
	uint64_t region_size; /* of the device; the guest's BAR has a page at least */
	uint64_t address;
	bool is_placed;
	struct pass_area {
		uint64_t offset, size;
		void *host;	   /* NULL: not mapped */
		int slot;	   /* -1 */
		bool is_for_peers; /* mapped for DMA, too */
	} areas[PASS_AREAS_MAX];
	size_t n_areas;
};

/** struct vmm_vfio_device - one function */
struct vmm_vfio_device {
	struct vmm_vfio_env env;
	const struct plan_device *plan;
	char name[64];
	struct vx_device vx;
	struct vmm_pci_function function;
	struct pass_caps caps;
	struct pass_bar bars[VMM_PCI_BARS];
	bool is_gone;	/* given up; guarded by the function's lock */
	bool is_asleep; /* D3hot: nothing of it is mapped; guarded by the function's lock */
	struct vmm_msix msix;
	bool has_msix, msix_is_on;
	unsigned int n_vectors; /* that the device has been told of, in use or not */
	int msi_route, msi_fd;	/* -1 */
	struct pass_line {
		unsigned int gsi;
		int trigger, unmask; /* eventfds, -1 */
		bool is_on;
	} line;
	struct vmm_watch error, request;
	struct vmm_log_budget log;
};

/**
 * vmm_pass_config_init() - the guest's view of @physical, by the table of capabilities; pure
 * Offsets stay as the hardware has them; what is not in the table is not in the list.
 * Return: 0, -EINVAL (no function of type 0).
 */
int vmm_pass_config_init(const uint8_t *physical, size_t len, struct vmm_pci_function *f,
			 struct pass_caps *ret);
/** enum pass_access - who answers for a byte of configuration space */
enum pass_access {
	PASS_SHADOW, /* the VMM */
	PASS_LIVE,   /* read from the device, written to it */
	PASS_BOTH,   /* as the VMM has it, and the device is told */
};
/** vmm_pass_config_access() - pure. */
enum pass_access vmm_pass_config_access(const struct pass_caps *caps,
					const struct vmm_pci_function *f, uint16_t offset);

/**
 * vmm_pass_config_power() - does a write to configuration space set the power state? Pure.
 * @ret_state: 0 to 3 (PASS_D3HOT), when it does
 */
bool vmm_pass_config_power(const struct pass_caps *caps, uint16_t offset, unsigned int len,
			   uint32_t value, unsigned int *ret_state);

/**
 * vmm_pass_bars_sleep() - a function in D3hot answers no access: VFIO takes the pages of its BARs away,
 * and the guest's mappings go before that and come back after
 * Context: with the function's lock.
 */
void vmm_pass_bars_sleep(struct vmm_vfio_device *v, bool is_asleep);
/**
 * vmm_pass_bar_pieces() - what of [@start, @end) is mapped: whole pages without those of the MSI-X table
 * and of its pending bits, which the VMM answers for; pure, appends to @b
 */
void vmm_pass_bar_pieces(const struct vmm_msix *msix, unsigned int bar, uint64_t start,
			 uint64_t end, struct pass_bar *b);
/** vmm_pass_bars_init() - sizes and mappings. Return: 0, -errno. */
int vmm_pass_bars_init(struct vmm_vfio_device *v, struct cv_error *err);
/** vmm_pass_bars_open() - map what can be mapped; after vmm_pass_irq_init(). */
void vmm_pass_bars_open(struct vmm_vfio_device *v);
void vmm_pass_bars_done(struct vmm_vfio_device *v);
int vmm_pass_bar_map(struct vmm_vfio_device *v, unsigned int bar, uint64_t address);
void vmm_pass_bar_unmap(struct vmm_vfio_device *v, unsigned int bar, uint64_t address);
void vmm_pass_bar_access(struct vmm_vfio_device *v, unsigned int bar, uint64_t offset, void *data,
			 unsigned int len, bool is_write);

/** vmm_pass_irq_init() - MSI-X, MSI and INTx as the device has them. */
int vmm_pass_irq_init(struct vmm_vfio_device *v, struct cv_error *err);
/** vmm_pass_irq_start() - INTx, once the function has its place in the tree. */
void vmm_pass_irq_start(struct vmm_vfio_device *v);
void vmm_pass_irq_done(struct vmm_vfio_device *v);
/** vmm_pass_irq_config_written() - the guest may have turned MSI or MSI-X on or off. */
void vmm_pass_irq_config_written(struct vmm_vfio_device *v, uint16_t offset, unsigned int len);
void vmm_pass_irq_reset(struct vmm_vfio_device *v);

#endif
