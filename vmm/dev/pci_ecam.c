// SPDX-License-Identifier: GPL-2.0-or-later
/* The two ways to configuration space: memory (PCIe Base 6.0 section 7.2.2), and ports 0xcf8 and 0xcfc
 * (PCI Local Bus 3.0 section 3.2.2.3.2). */
#include <string.h>

#include "vmm/core/layout.h"
#include "vmm/dev/pci_tree.h"

#define PORT_ADDRESS 4 /* bytes; the data follows */
#define PORT_ENABLE (1U << 31)

static void ecam_accessed(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	struct vmm_pci *pci = ctx;
	const struct cv_bdf bdf = {
		.bus = (uint8_t)(offset >> 20),
		.dev = offset >> 15 & 0x1f,
		.fn = offset >> 12 & 7,
	};

	vmm_pci_access(pci, bdf, offset & (VMM_PCI_CONFIG - 1), data, len, is_write);
}

/* The address is a register of 4 bytes: nothing else writes it. */
static void address_accessed(struct vmm_pci *pci, uint64_t offset, void *data, unsigned int len,
			     bool is_write)
{
	uint32_t value = __atomic_load_n(&pci->address, __ATOMIC_ACQUIRE);

	if (is_write && offset == 0 && len == sizeof(value)) {
		memcpy(&value, data, sizeof(value));
		__atomic_store_n(&pci->address, value & 0x80fffffc, __ATOMIC_RELEASE);
	} else if (!is_write && offset + len <= sizeof(value)) {
		memcpy(data, (uint8_t *)&value + offset, len);
	}
}

static void data_accessed(struct vmm_pci *pci, uint64_t offset, void *data, unsigned int len,
			  bool is_write)
{
	uint32_t address = __atomic_load_n(&pci->address, __ATOMIC_ACQUIRE);
	const struct cv_bdf bdf = {
		.bus = (uint8_t)(address >> 16),
		.dev = address >> 11 & 0x1f,
		.fn = address >> 8 & 7,
	};

	if (address & PORT_ENABLE)
		vmm_pci_access(pci, bdf, (uint16_t)((address & 0xfc) + offset), data, len,
			       is_write);
}

static void port_accessed(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	if (offset < PORT_ADDRESS)
		address_accessed(ctx, offset, data, len, is_write);
	else
		data_accessed(ctx, offset - PORT_ADDRESS, data, len, is_write);
}

int vmm_ecam_add(struct vmm_pci *pci)
{
	const struct vmm_range ecam = { "ECAM", VMM_ECAM, VMM_ECAM_SIZE, ecam_accessed, pci };
	const struct vmm_range ports = { "PCI ports", VMM_PORT_PCI, 8, port_accessed, pci };
	int r = vmm_bus_add(pci->mmio, &ecam);

	if (r < 0)
		return r;
	pci->has_ecam = true;
	r = vmm_bus_add(pci->pio, &ports);
	pci->has_ports = r == 0;
	return r;
}

void vmm_ecam_remove(struct vmm_pci *pci)
{
	if (pci->has_ecam)
		vmm_bus_detach(pci->mmio, VMM_ECAM);
	if (pci->has_ports)
		vmm_bus_detach(pci->pio, VMM_PORT_PCI);
}
