/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI Express as the guest sees it: configuration space by tables of what may be written, BARs that the
 * guest may move, host bridges and ports of the plan, ECAM and ports 0xcf8/0xcfc. */
#ifndef CARVE_VMM_PCI_H
#define CARVE_VMM_PCI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/error.h"
#include "plan/plan.h"
#include "vmm/boot/acpi.h"
#include "vmm/core/bus.h"
#include "vmm/core/irq.h"

#define VMM_PCI_CONFIG 4096
#define VMM_PCI_BARS 6

struct vmm_pci;
struct vmm_pci_function;
struct vmm_pci_place;

/** enum vmm_bar_kind */
enum vmm_bar_kind { VMM_BAR_NONE, VMM_BAR_32, VMM_BAR_64, VMM_BAR_64_PREF, VMM_BAR_UPPER };

/**
 * struct vmm_bar - @size a power of two, at least 4096 (smaller ones of hardware are rounded up by who
 * adds them: a page is the least that can be mapped)
 * @address: where the guest has it now; valid while memory decoding is on
 */
struct vmm_bar {
	enum vmm_bar_kind kind;
	uint64_t size, address;
	bool is_mapped;
};

/**
 * struct vmm_pci_ops - a device model; every member may be NULL
 * @config_read:  after the shadow was read: may change @value (VFIO: live registers)
 * @config_write: after the shadow took the bits that its mask allows
 * @bar_access:   trapped accesses to BAR @bar
 * @bar_map, @bar_unmap: the guest placed or took away a BAR: direct mappings (memslots) follow it.
 *                Without them only @bar_access is called
 * @reset:        back to power-on
 * Context: config and bar_map with the device's lock held; bar_access and reset without. An access that
 * began before the BAR was taken away may end after bar_unmap.
 */
struct vmm_pci_ops {
	void (*config_read)(void *ctx, uint16_t offset, unsigned int len, uint32_t *value);
	void (*config_write)(void *ctx, uint16_t offset, unsigned int len, uint32_t value);
	void (*bar_access)(void *ctx, unsigned int bar, uint64_t offset, void *data,
			   unsigned int len, bool is_write);
	int (*bar_map)(void *ctx, unsigned int bar, uint64_t address);
	void (*bar_unmap)(void *ctx, unsigned int bar, uint64_t address);
	void (*reset)(void *ctx);
};

/**
 * struct vmm_pci_function - embedded in a device model; filled by it before vmm_pci_add()
 * @config:  the shadow, little endian
 * @mask:    bits the guest may write (1); @w1c: bits that are cleared by writing 1
 * @msix_table: where the table lies, handled by vmm/dev/msix
 */
struct vmm_pci_function {
	const char *name;
	struct cv_bdf bdf;
	int bridge; /* index into the plan's bridges: behind that port; -1: on bus 0 */
	uint8_t config[VMM_PCI_CONFIG], mask[VMM_PCI_CONFIG], w1c[VMM_PCI_CONFIG];
	struct vmm_bar bars[VMM_PCI_BARS];
	const struct vmm_pci_ops *ops;
	void *ctx;
	/* vmm/dev/pci's own */
	pthread_mutex_t lock;
	struct vmm_pci *pci;
	struct vmm_pci_place *place;
	uint16_t caps_end, last_cap;
};

/**
 * vmm_pci_new() - bus 0 with its host bridge, and host bridges and ports of the plan
 * Ports are PCI Express root ports and switch ports with the bus numbers, link speed and width of the
 * plan, no hot-plug (PCIe Base 6.0 section 7.5). @mmio, @pio: ECAM and 0xcf8 are added there.
 */
int vmm_pci_new(const struct plan *p, struct vmm_bus *mmio, struct vmm_bus *pio,
		struct vmm_pci **ret, struct cv_error *err);
void vmm_pci_free(struct vmm_pci *pci);

/**
 * vmm_pci_init_function() - ids and header type 0; mask of command, BARs, interrupt line
 * The first call: everything else of @f is cleared, and it is on bus 0. @name is borrowed.
 */
void vmm_pci_init_function(struct vmm_pci_function *f, const char *name, uint16_t vendor,
			   uint16_t device, uint32_t class_rev);
/** vmm_pci_add_cap() - a capability of @len bytes (header included) at the next free place (0x40..).
 * @body: the @len - 2 bytes after the header (id and next), NULL: zeroes
 * Return: its offset, -ENOSPC. */
int vmm_pci_add_cap(struct vmm_pci_function *f, uint8_t id, const void *body, uint8_t len);
/** vmm_pci_set_bar() - Return: 0, -EINVAL (size, index). Context: before vmm_pci_add(). */
int vmm_pci_set_bar(struct vmm_pci_function *f, unsigned int bar, enum vmm_bar_kind kind,
		    uint64_t size);
/** vmm_pci_add() - Return: 0, -EEXIST (the address is taken), -EINVAL (not a place of the plan's tree).
 * Context: before the guest runs; @f lives as long as accesses come. */
int vmm_pci_add(struct vmm_pci *pci, struct vmm_pci_function *f, struct cv_error *err);
/**
 * vmm_pci_assign() - give every BAR and every port window its first address, as firmware would, and
 * turn decoding on in the ports; called after all functions were added
 * Return: 0; -ENOSPC with @err BAR_ROOM: device, BAR, found, wanted.
 */
int vmm_pci_assign(struct vmm_pci *pci, struct cv_error *err);
/** vmm_pci_roots() - windows and bus ranges of the host bridges, for ACPI; valid after assign. */
size_t vmm_pci_roots(const struct vmm_pci *pci, const struct vmm_root **ret);
/** vmm_pci_access() - configuration access; nobody there: reads ones. Context: any thread. */
void vmm_pci_access(struct vmm_pci *pci, struct cv_bdf bdf, uint16_t offset, void *data,
		    unsigned int len, bool is_write);
/** vmm_pci_intx_gsi() - the I/O APIC pin of pin @pin (1: INTA) of @f, swizzled up to its root. */
unsigned int vmm_pci_intx_gsi(const struct vmm_pci *pci, const struct vmm_pci_function *f,
			      unsigned int pin);
/** vmm_pci_reset() - all functions, to where vmm_pci_assign() left them. Context: no vCPU runs. */
void vmm_pci_reset(struct vmm_pci *pci);

/** vmm_config_get() - @len (1, 2 or 4) bytes of the shadow. */
uint32_t vmm_config_get(const struct vmm_pci_function *f, uint16_t offset, unsigned int len);

static inline uint16_t vmm_pci_word(const struct vmm_pci_function *f, unsigned int offset)
{
	return (uint16_t)vmm_config_get(f, (uint16_t)offset, 2);
}

#endif
