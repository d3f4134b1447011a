// SPDX-License-Identifier: GPL-2.0-or-later
/* The DSDT: processors, host bridges, what is reserved, the serial port, power off. */
#include <stdio.h>

#include "vmm/boot/acpi_tables.h"
#include "vmm/boot/aml.h"
#include "vmm/core/layout.h"

#define NAME_SIZE 5 /* a name segment: four characters */
#define SLOTS 32
#define PINS 4
#define PORT_PCI_LEN 8
#define NOTIFY_PRESSED 0x80

/* Ports that nothing decodes: the guest's kernel wants a window on the bus of legacy devices. */
#define IO_WINDOW 0x1000
#define IO_WINDOW_SIZE 0x1000

/* _OSC of a host bridge (PCI Firmware 3.3 section 4.5.1, ACPI 6.5 section 6.2.11). */
#define OSC_UNKNOWN_UUID 0x04
#define OSC_UNKNOWN_REVISION 0x08
#define OSC_MASKED 0x10
#define OSC_PME (1 << 2)
#define OSC_AER (1 << 3)
#define OSC_CAPABILITIES (1 << 4)

/* ---- interrupts of the PCI buses ---- */

/* _PRT (section 6.2.13), the same below each host bridge: functions behind ports are swizzled down to
 * a slot of the root bus by the guest as by vmm_pci_intx_gsi(). Pin 0 is INTA here. */
static void put_routes(struct vmm_bytes *b)
{
	aml_name(b, "PRTX");
	size_t all = aml_package(b, SLOTS * PINS);

	for (unsigned int slot = 0; slot < SLOTS; slot++) {
		for (unsigned int pin = 0; pin < PINS; pin++) {
			size_t one = aml_package(b, 4);

			aml_int(b, (uint64_t)slot << 16 | 0xffff);
			aml_int(b, pin);
			aml_int(b, 0);
			aml_int(b, VMM_GSI_INTX + (slot + pin) % 8);
			aml_end(b, one);
		}
	}
	aml_end(b, all);
}

/* ---- what the guest's kernel may control by itself ---- */

/* 33DB4D5B-1FF7-401C-9657-7441C03DD766 */
static const uint8_t osc_uuid[] = { 0x5b, 0x4d, 0xdb, 0x33, 0xf7, 0x1f, 0x1c, 0x40,
				    0x96, 0x57, 0x74, 0x41, 0xc0, 0x3d, 0xd7, 0x66 };

static void put_dword_field(struct vmm_bytes *b, unsigned int offset, const char *name)
{
	aml_op(b, AML_CREATE_DWORD);
	aml_arg(b, 3);
	aml_int(b, offset);
	aml_ref(b, name);
}

/* CDW1 |= bits */
static void put_status(struct vmm_bytes *b, uint64_t bits)
{
	aml_op(b, AML_OR);
	aml_ref(b, "CDW1");
	aml_int(b, bits);
	aml_ref(b, "CDW1");
}

/* Error bits for a revision that is not 1 (@is_revision), or for control that is not granted. */
static void put_status_unless_equal(struct vmm_bytes *b, bool is_revision)
{
	size_t mark = aml_if(b);

	aml_op(b, AML_NOT);
	aml_op(b, AML_EQUAL);
	if (is_revision) {
		aml_arg(b, 1);
		aml_int(b, 1);
	} else {
		aml_ref(b, "CDW3");
		aml_local(b, 0);
	}
	put_status(b, is_revision ? OSC_UNKNOWN_REVISION : OSC_MASKED);
	aml_end(b, mark);
}

static void put_control(struct vmm_bytes *b)
{
	put_dword_field(b, 8, "CDW3");
	aml_op(b, AML_AND);
	aml_ref(b, "CDW3");
	aml_int(b, OSC_PME | OSC_AER | OSC_CAPABILITIES);
	aml_local(b, 0);
	put_status_unless_equal(b, true);
	put_status_unless_equal(b, false);
	aml_op(b, AML_STORE);
	aml_local(b, 0);
	aml_ref(b, "CDW3");
}

static void put_osc(struct vmm_bytes *b)
{
	size_t method = aml_method(b, "_OSC", 4);

	put_dword_field(b, 0, "CDW1");
	size_t known = aml_if(b);
	aml_op(b, AML_EQUAL);
	aml_arg(b, 0);
	aml_buffer(b, osc_uuid, sizeof(osc_uuid));
	put_control(b);
	aml_end(b, known);
	size_t unknown = aml_else(b);
	put_status(b, OSC_UNKNOWN_UUID);
	aml_end(b, unknown);
	aml_return(b);
	aml_arg(b, 3);
	aml_end(b, method);
}

/* ---- devices ---- */

static size_t device(struct vmm_bytes *b, const char *name, const char *eisa_id, unsigned int uid)
{
	size_t mark = aml_device(b, name);

	aml_name(b, "_HID");
	aml_eisa_id(b, eisa_id);
	aml_named_int(b, "_UID", uid);
	return mark;
}

static void put_windows(struct vmm_bytes *b, const struct vmm_root *root)
{
	size_t crs = aml_resources(b, "_CRS");

	aml_bus_window(b, root->bus, root->bus_end);
	if (root->bus == 0) {
		aml_io(b, VMM_PORT_PCI, PORT_PCI_LEN);
		aml_io_window(b, IO_WINDOW, IO_WINDOW_SIZE);
	}
	if (root->mmio32.size)
		aml_memory_window(b, &root->mmio32, false);
	if (root->mmio64.size)
		aml_memory_window(b, &root->mmio64, true);
	aml_resources_end(b, crs);
}

static void put_root(struct vmm_bytes *b, const struct vmm_root *root)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "PC%02X", root->uid & 0xff);
	size_t mark = device(b, name, "PNP0A08", root->uid);

	aml_name(b, "_CID");
	aml_eisa_id(b, "PNP0A03");
	aml_named_int(b, "_SEG", 0);
	aml_named_int(b, "_BBN", root->bus);
	if (root->guest_node >= 0)
		aml_named_int(b, "_PXM", (uint64_t)root->guest_node);
	put_windows(b, root);
	size_t prt = aml_method(b, "_PRT", 0);
	aml_return(b);
	aml_ref(b, "PRTX");
	aml_end(b, prt);
	put_osc(b);
	aml_end(b, mark);
}

/* The kernel uses the ECAM only where a motherboard device reserves it (PCI Firmware 3.3 section
 * 4.1.2). */
static void put_motherboard(struct vmm_bytes *b)
{
	size_t mark = device(b, "MBRD", "PNP0C02", 0);
	size_t crs = aml_resources(b, "_CRS");

	aml_memory32(b, (uint32_t)VMM_ECAM, (uint32_t)VMM_ECAM_SIZE);
	aml_io(b, VMM_PORT_POWER, 2);
	aml_resources_end(b, crs);
	aml_end(b, mark);
}

static void put_serial(struct vmm_bytes *b)
{
	size_t mark = device(b, "COM1", "PNP0501", 0);
	size_t crs = aml_resources(b, "_CRS");

	aml_io(b, VMM_PORT_SERIAL, 8);
	aml_edge_interrupt(b, VMM_GSI_SERIAL);
	aml_resources_end(b, crs);
	aml_end(b, mark);
}

static void put_event_method(struct vmm_bytes *b)
{
	size_t method = aml_method(b, "_EVT", 1);
	size_t is_power = aml_if(b);

	aml_op(b, AML_EQUAL);
	aml_arg(b, 0);
	aml_int(b, VMM_GSI_POWER);
	aml_op(b, AML_NOTIFY);
	aml_ref(b, "PWRB");
	aml_int(b, NOTIFY_PRESSED);
	aml_end(b, is_power);
	aml_end(b, method);
}

/* The power button is an event of the generic event device (section 5.6.9, 4.8.3.2.2.2). */
static void put_power_button(struct vmm_bytes *b)
{
	size_t button = device(b, "PWRB", "PNP0C0C", 0);

	aml_end(b, button);
	size_t events = aml_device(b, "GED0");
	aml_name(b, "_HID");
	aml_string(b, "ACPI0013");
	aml_named_int(b, "_UID", 0);
	size_t crs = aml_resources(b, "_CRS");
	aml_edge_interrupt(b, VMM_GSI_POWER);
	aml_resources_end(b, crs);
	put_event_method(b);
	aml_end(b, events);
}

static void put_processor(struct vmm_bytes *b, size_t vcpu)
{
	char name[NAME_SIZE];

	snprintf(name, sizeof(name), "C%03X", (unsigned int)vcpu & 0xfff);
	size_t mark = aml_device(b, name);

	aml_name(b, "_HID");
	aml_string(b, "ACPI0007");
	aml_named_int(b, "_UID", vcpu);
	aml_end(b, mark);
}

/* What is written into the sleep control register as SLP_TYP (section 7.4.2.6). */
static void put_power_off(struct vmm_bytes *b)
{
	aml_name(b, "_S5_");
	size_t mark = aml_package(b, 4);

	aml_int(b, 5);
	for (int i = 0; i < 3; i++)
		aml_int(b, 0);
	aml_end(b, mark);
}

void acpi_put_dsdt(struct vmm_bytes *b, const struct vmm_acpi_input *in)
{
	put_power_off(b);
	size_t scope = aml_scope(b, "\\_SB_");

	put_motherboard(b);
	put_power_button(b);
	if (in->has_serial)
		put_serial(b);
	for (size_t i = 0; i < in->plan->n_vcpus; i++)
		put_processor(b, i);
	put_routes(b);
	for (size_t i = 0; i < in->n_roots; i++)
		put_root(b, &in->roots[i]);
	aml_end(b, scope);
}
