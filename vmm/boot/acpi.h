/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's ACPI and SMBIOS tables as bytes. Pure: the same input gives the same bytes
 * (tests/golden/acpi). */
#ifndef CARVE_VMM_ACPI_H
#define CARVE_VMM_ACPI_H

#include <stddef.h>
#include <stdint.h>

#include "plan/plan.h"

/** struct vmm_bytes - a growing buffer; @data owned */
struct vmm_bytes {
	uint8_t *data;
	size_t len, size;
	int error; /* -ENOMEM sticks */
};
void vmm_bytes_done(struct vmm_bytes *b);

/** struct vmm_window - addresses that a host bridge decodes; size 0: none */
struct vmm_window {
	uint64_t start, size;
};

/**
 * struct vmm_root - a host bridge for the DSDT: bus 0 first (the VMM's own devices), then one for each
 * PLAN_HOST_BRIDGE
 * @uid:        _UID; 0 for bus 0
 * @guest_node: _PXM; -1 none
 * @bus, @bus_end: first and last bus number
 */
struct vmm_root {
	unsigned int uid;
	int guest_node;
	uint8_t bus, bus_end;
	struct vmm_window mmio32, mmio64;
};

/**
 * struct vmm_acpi_input - borrowed
 * @base: guest address the tables will lie at (VMM_ACPI): the RSDP comes first
 * @credentials: SMBIOS type 11 strings ("io.systemd.credential:..."), for vmm_smbios_make()
 */
struct vmm_acpi_input {
	const struct plan *plan;
	uint64_t base;
	const struct vmm_root *roots;
	size_t n_roots;
	bool has_serial;
	const char *const *credentials;
	size_t n_credentials;
};

/**
 * vmm_acpi_make() - RSDP, XSDT, FADT (hardware-reduced, sleep registers, reset register), MADT (x2APIC,
 * I/O APIC), MCFG, SRAT, SLIT, HMAT, SPCR, DSDT (host bridges with _PXM, _BBN, _CRS, _PRT, _OSC;
 * processors; COM1; power button by generic event device, VMM_GSI_POWER), at @in->base
 * Source: ACPI 6.5. The OEM ID is "CARVE ".
 * Return: 0, -ENOMEM, -E2BIG (more than VMM_ACPI_END allows).
 */
int vmm_acpi_make(const struct vmm_acpi_input *in, struct vmm_bytes *ret);
/** vmm_smbios_make() - SMBIOS 3 entry point at VMM_SMBIOS and structures: types 0, 1, 11, 127. */
int vmm_smbios_make(const struct vmm_acpi_input *in, struct vmm_bytes *ret);

#endif
