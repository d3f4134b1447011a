/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tables of a made plan, taken apart, and the tools that read them. */
#ifndef CARVE_TESTS_ACPI_MACHINE_H
#define CARVE_TESTS_ACPI_MACHINE_H

#include "vmm/boot/acpi.h"

#define ACPI_MACHINE_ROOTS 17
#define ACPI_MACHINE_TABLES 12

struct acpi_table {
	char name[5];
	const uint8_t *data;
	uint32_t len;
};

/** struct acpi_machine - release with acpi_machine_done(); the plan is borrowed */
struct acpi_machine {
	struct vmm_root roots[ACPI_MACHINE_ROOTS];
	struct vmm_acpi_input in;
	struct vmm_bytes bytes;
	struct acpi_table tables[ACPI_MACHINE_TABLES];
	size_t n_tables;
};

/** acpi_machine_init() - host bridges as the VMM would make them; then vmm_acpi_make(), and every
 * table found from the root pointer, with its checksum right. */
void acpi_machine_init(struct acpi_machine *m, const struct plan *p, bool has_serial);
void acpi_machine_done(struct acpi_machine *m);
/** acpi_machine_find() - NULL none. */
const struct acpi_table *acpi_machine_find(const struct acpi_machine *m, const char *name);

/** table_le() - @len bytes at @at. */
uint64_t table_le(const uint8_t *data, size_t at, size_t len);

#endif
