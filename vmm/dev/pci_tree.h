/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside PCI: who sits where, what is mapped. Not a public header of vmm/. */
#ifndef CARVE_VMM_PCI_TREE_H
#define CARVE_VMM_PCI_TREE_H

#include <linux/pci_regs.h>

#include "vmm/dev/pci.h"

#define VMM_PCI_COMMANDS                                                                   \
	(PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_PARITY | PCI_COMMAND_SERR | \
	 PCI_COMMAND_INTX_DISABLE)
#define VMM_PCI_STATUS_W1C 0xf900 /* PCIe Base 6.0 section 7.5.1.1.4: errors that were seen */

/**
 * struct vmm_pci_place - a function in the tree
 * @initial: its configuration space after vmm_pci_assign()
 * @bars:    contexts of the ranges on the bus; @is_told: that it could not be mapped was logged
 */
struct vmm_pci_place {
	struct vmm_pci_function *f;
	uint8_t *initial;
	struct vmm_pci_bar {
		struct vmm_pci_place *place;
		unsigned int bar;
		bool is_told; /* guarded by the function's lock */
	} bars[VMM_PCI_BARS];
};

/**
 * struct vmm_pci_port - a bridge of the plan; host bridges are no function
 * @cap:   PCI Express capability
 * @buses: secondary and subordinate bus (<< 8) as the guest set them; atomic
 * @reset: the guest resets what is below; atomic
 */
struct vmm_pci_port {
	const struct plan_bridge *bridge;
	struct vmm_pci_function f;
	uint16_t cap;
	uint16_t buses;
	bool reset, is_in_reset;
};

struct vmm_pci {
	const struct plan *plan;
	struct vmm_bus *mmio, *pio;
	struct vmm_root *roots;
	size_t n_roots;
	struct vmm_pci_port *ports; /* as many as the plan has bridges */
	struct vmm_pci_place **places;
	size_t n_places;
	struct vmm_pci_function host_bridge;
	bool has_ecam, has_ports;
	uint32_t address; /* of port 0xcf8; atomic */
	pthread_mutex_t map_lock;
	struct vmm_window *maps; /* of BARs; guarded by @map_lock */
	size_t n_maps;
	bool is_freed; /* a BAR went away: others may fit now; atomic */
};

/* ---- pci_config: configuration space of one function; the function's lock is held ---- */
void vmm_config_access(struct vmm_pci_function *f, uint16_t offset, void *data, unsigned int len,
		       bool is_write);
void vmm_config_put(struct vmm_pci_function *f, uint16_t offset, unsigned int len, uint32_t value);
/* Bits of @value that the guest may write. */
void vmm_config_allow(struct vmm_pci_function *f, uint16_t offset, unsigned int len,
		      uint32_t value);

/* ---- pci_bar: BARs follow their registers; the function's lock is held ---- */
/* Those that are not any more where the registers say. */
void vmm_bars_unmap_stale(struct vmm_pci_function *f);
/* Those that are mapped nowhere and should be. */
void vmm_bars_map(struct vmm_pci_function *f);
void vmm_bars_unmap(struct vmm_pci_function *f);
void vmm_bar_put_address(struct vmm_pci_function *f, unsigned int bar, uint64_t address);

/* ---- pci_port ---- */
void vmm_port_init(struct vmm_pci_port *port, const struct plan_bridge *bridge, unsigned int number,
		   uint8_t primary, uint8_t subordinate);
/* Windows as registers; size 0: closed. */
void vmm_port_set_windows(struct vmm_pci_port *port, struct vmm_window low, struct vmm_window high);

/* ---- pci_ecam ---- */
int vmm_ecam_add(struct vmm_pci *pci);
void vmm_ecam_remove(struct vmm_pci *pci);

#endif
