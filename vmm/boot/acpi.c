// SPDX-License-Identifier: GPL-2.0-or-later
/* The root pointer, the list of tables, and the tables about the machine as a whole. Source: ACPI 6.5
 * chapter 5.2, where no other is named. */
#include "vmm/boot/acpi.h"

#include <errno.h>

#include "base/cleanup.h"
#include "vmm/boot/acpi_tables.h"
#include "vmm/boot/bytes.h"
#include "vmm/core/layout.h"

#define OEM_ID "CARVE "
#define HEADER_SIZE 36
#define HEADER_LENGTH 4
#define HEADER_CHECKSUM 9
#define RSDP_SIZE 36
#define RSDP_V1_SIZE 20
#define TABLE_ALIGN 16
#define FADT_X_DSDT 140

/* FADT (section 5.2.9): nothing of the fixed hardware is there. */
#define PROFILE_SERVER 4
#define BOOT_NO_VGA (1 << 2)
#define BOOT_NO_ASPM (1 << 4)
#define BOOT_NO_RTC (1 << 5)
#define FLAG_WBINVD (1 << 0)
#define FLAG_C1 (1 << 2)
#define FLAG_NO_POWER_BUTTON (1 << 4) /* of the fixed hardware: the DSDT has one */
#define FLAG_NO_SLEEP_BUTTON (1 << 5)
#define FLAG_RESET_REG (1 << 10)
#define FLAG_HW_REDUCED (1 << 20)
#define RESET_VALUE 6
#define NO_C2 101 /* microseconds: longer than what the state may take */
#define NO_C3 1001

size_t acpi_begin(struct vmm_bytes *b, const char *signature, uint8_t revision)
{
	bytes_align(b, TABLE_ALIGN);
	size_t table = b->len;

	bytes_put(b, signature, 4);
	bytes_put32(b, 0);
	bytes_put8(b, revision);
	bytes_put8(b, 0);
	bytes_put(b, OEM_ID, 6);
	bytes_put(b, "CARVEVMM", 8);
	bytes_put32(b, 1);
	bytes_put(b, "CARV", 4);
	bytes_put32(b, 1);
	return table;
}

void acpi_end(struct vmm_bytes *b, size_t table)
{
	bytes_set_le(b, table + HEADER_LENGTH, b->len - table, 4);
	bytes_set_checksum(b, table, b->len - table, table + HEADER_CHECKSUM);
}

/* Generic address structure (section 5.2.3.2) of a port of one byte. */
static void put_port(struct vmm_bytes *b, uint16_t port)
{
	bytes_put8(b, 1); /* system I/O */
	bytes_put8(b, 8); /* bits */
	bytes_put8(b, 0);
	bytes_put8(b, 1); /* by bytes */
	bytes_put64(b, port);
}

/* ---- bodies ---- */

static void put_fadt(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	(void)in;
	bytes_put_zeros(b, 45 - HEADER_SIZE);
	bytes_put8(b, PROFILE_SERVER);
	bytes_put_zeros(b, 96 - 46);
	bytes_put16(b, NO_C2);
	bytes_put16(b, NO_C3);
	bytes_put_zeros(b, 109 - 100);
	bytes_put16(b, BOOT_NO_VGA | BOOT_NO_ASPM | BOOT_NO_RTC);
	bytes_put8(b, 0);
	bytes_put32(b, FLAG_WBINVD | FLAG_C1 | FLAG_NO_POWER_BUTTON | FLAG_NO_SLEEP_BUTTON |
			       FLAG_RESET_REG | FLAG_HW_REDUCED);
	put_port(b, VMM_PORT_RESET);
	bytes_put8(b, RESET_VALUE);
	bytes_put16(b, 0);
	bytes_put8(b, 5); /* 6.5 */
	bytes_put_zeros(b, 244 - 132);
	put_port(b, VMM_PORT_POWER);
	put_port(b, VMM_PORT_POWER + 1);
	bytes_put_zeros(b, 276 - 268);
}

/* PCI Firmware 3.3 section 4.1.2: one segment of 256 buses. */
static void put_mcfg(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	(void)in;
	bytes_put64(b, 0);
	bytes_put64(b, VMM_ECAM);
	bytes_put16(b, 0);
	bytes_put8(b, 0);
	bytes_put8(b, (uint8_t)((VMM_ECAM_SIZE >> 20) - 1));
	bytes_put32(b, 0);
}

/* Serial Port Console Redirection Table, revision 2 (Microsoft, 2015): COM1 at 115200 8N1. */
static void put_spcr(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	(void)in;
	bytes_put32(b, 0); /* 16550 */
	put_port(b, VMM_PORT_SERIAL);
	bytes_put8(b, 1 << 1); /* by the I/O APIC */
	bytes_put8(b, 0);
	bytes_put32(b, VMM_GSI_SERIAL);
	bytes_put8(b, 7); /* 115200 */
	bytes_put8(b, 0);
	bytes_put8(b, 1); /* stop bit */
	bytes_put8(b, 0);
	bytes_put8(b, 3); /* ANSI */
	bytes_put8(b, 0);
	bytes_put32(b, 0xffffffff); /* no PCI device */
	bytes_put_zeros(b, 80 - 68);
}

/* ---- the list ---- */

static const struct {
	const char *signature;
	uint8_t revision;
	bool is_serial; /* only with a serial console */
	void (*put)(struct vmm_bytes *b, const struct vmm_acpi_input *in);
} tables[] = {
	{ "FACP", 6, false, put_fadt },	     { "APIC", 5, false, acpi_put_madt },
	{ "MCFG", 1, false, put_mcfg },	     { "SRAT", 3, false, acpi_put_srat },
	{ "SLIT", 1, false, acpi_put_slit }, { "HMAT", 2, false, acpi_put_hmat },
	{ "SPCR", 2, true, put_spcr },
};

#define N_TABLES CV_ARRAY_SIZE(tables)

static bool is_there(const struct vmm_acpi_input *in, size_t i)
{
	return in->has_serial || !tables[i].is_serial;
}

/* Section 5.2.5.3; the checksum of the first 20 bytes is that of ACPI 1.0. */
static void put_rsdp(struct vmm_bytes *b, uint64_t xsdt)
{
	size_t at = b->len;

	bytes_put(b, "RSD PTR ", 8);
	bytes_put8(b, 0);
	bytes_put(b, OEM_ID, 6);
	bytes_put8(b, 2);
	bytes_put32(b, 0);
	bytes_put32(b, RSDP_SIZE);
	bytes_put64(b, xsdt);
	bytes_put32(b, 0);
	bytes_set_checksum(b, at, RSDP_V1_SIZE, at + 8);
	bytes_set_checksum(b, at, RSDP_SIZE, at + 32);
}

/* Entries are set as tables follow. */
static size_t put_xsdt(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	size_t at = acpi_begin(b, "XSDT", 1);

	for (size_t i = 0; i < N_TABLES; i++)
		if (is_there(in, i))
			bytes_put64(b, 0);
	acpi_end(b, at);
	return at;
}

static size_t put_table(struct vmm_bytes *b, const struct vmm_acpi_input *in, size_t i)
{
	size_t at = acpi_begin(b, tables[i].signature, tables[i].revision);

	tables[i].put(b, in);
	acpi_end(b, at);
	return at;
}

/* The DSDT hangs on the FADT, not on the list. */
static void put_all(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	put_rsdp(b, in->base + (RSDP_SIZE + TABLE_ALIGN - 1) / TABLE_ALIGN * TABLE_ALIGN);
	size_t xsdt = put_xsdt(b, in), entry = xsdt + HEADER_SIZE, xsdt_end = b->len;
	size_t dsdt = acpi_begin(b, "DSDT", 2);

	acpi_put_dsdt(b, in);
	acpi_end(b, dsdt);
	for (size_t i = 0; i < N_TABLES; i++) {
		if (!is_there(in, i))
			continue;
		size_t at = put_table(b, in, i);
		bytes_set_le(b, entry, in->base + at, 8);
		entry += 8;
		if (tables[i].put != put_fadt)
			continue;
		bytes_set_le(b, at + FADT_X_DSDT, in->base + dsdt, 8);
		acpi_end(b, at);
	}
	bytes_set_checksum(b, xsdt, xsdt_end - xsdt, xsdt + HEADER_CHECKSUM);
}

int vmm_acpi_make(const struct vmm_acpi_input *in, struct vmm_bytes *ret)
{
	struct vmm_bytes b = { 0 };
	int r;

	put_all(&b, in);
	r = b.error;
	if (r == 0 && b.len > VMM_ACPI_END - in->base)
		r = -E2BIG;
	if (r < 0) {
		vmm_bytes_done(&b);
		return r;
	}
	*ret = b;
	return 0;
}
