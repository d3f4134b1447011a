/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the making of the guest's ACPI tables. Not a public header of vmm/. */
#ifndef CARVE_VMM_ACPI_TABLES_H
#define CARVE_VMM_ACPI_TABLES_H

#include "vmm/boot/acpi.h"

/** acpi_begin() - header of a table (section 5.2.6); @signature of 4 characters. Return: its offset. */
size_t acpi_begin(struct vmm_bytes *b, const char *signature, uint8_t revision);
/** acpi_end() - its length and checksum. */
void acpi_end(struct vmm_bytes *b, size_t table);

/* Bodies: what follows the header. */
void acpi_put_madt(struct vmm_bytes *b, const struct vmm_acpi_input *in);
void acpi_put_srat(struct vmm_bytes *b, const struct vmm_acpi_input *in);
void acpi_put_slit(struct vmm_bytes *b, const struct vmm_acpi_input *in);
void acpi_put_hmat(struct vmm_bytes *b, const struct vmm_acpi_input *in);
void acpi_put_dsdt(struct vmm_bytes *b, const struct vmm_acpi_input *in);

#endif
