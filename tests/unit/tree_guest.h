/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest's PCIe tree with devices that keep what they are told: two host bridges, a switch. */
#ifndef CARVE_TESTS_TREE_GUEST_H
#define CARVE_TESTS_TREE_GUEST_H

#include "plan/plan.h"
#include "vmm/core/bus.h"
#include "vmm/dev/pci.h"

/* Indices of the plan's bridges. */
enum tg_bridge { TG_PXB0, TG_RP0, TG_UP0, TG_DN0, TG_DN1, TG_PXB1, TG_RP1, TG_BRIDGES };

/* On bus 0; behind the switch; behind its other port; behind the other host bridge. */
enum tg_which { TG_VIRTIO, TG_GPU, TG_NIC, TG_NVME, TG_DEVICES };

#define TG_LOW_RAM_END 0xc0000000ULL
#define TG_HIGH_RAM 0x100000000ULL
#define TG_HIGH_RAM_END 0x200000000ULL
#define TG_WINDOW0 0x8000000000ULL
#define TG_WINDOW1 0xa000000000ULL
#define TG_WINDOW_SIZE 0x2000000000ULL

/** struct tg_device - @mapped: address of each BAR by what bar_map and bar_unmap said, 0 none */
struct tg_device {
	struct vmm_pci_function f;
	uint64_t mapped[VMM_PCI_BARS];
	unsigned int n_maps, n_unmaps, n_resets, n_writes;
	unsigned int last_bar;
	uint64_t last_offset;
	int refuse;    /* what bar_map returns */
	bool is_wrong; /* told of what cannot be: unmapped twice, at another address */
};

struct tree_guest {
	struct plan plan;
	struct plan_bridge bridges[TG_BRIDGES];
	struct plan_range ranges[8];
	struct vmm_bus mmio, pio;
	struct vmm_pci *pci;
	struct tg_device devices[TG_DEVICES];
	struct cv_error err;
};

/** tg_init() - the tree and its devices, BARs as real ones have them; not assigned yet. */
int tg_init(struct tree_guest *g);
void tg_done(struct tree_guest *g);

/* Of the guest: through ECAM. */
uint32_t tg_read(struct tree_guest *g, unsigned int bus, unsigned int dev, unsigned int fn,
		 unsigned int offset, unsigned int len);
void tg_write(struct tree_guest *g, unsigned int bus, unsigned int dev, unsigned int fn,
	      unsigned int offset, unsigned int len, uint32_t value);
/** tg_put() - to the device, at the address the plan gave it. */
void tg_put(struct tree_guest *g, enum tg_which which, unsigned int offset, unsigned int len,
	    uint32_t value);
uint32_t tg_get(struct tree_guest *g, enum tg_which which, unsigned int offset, unsigned int len);

#endif
