/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where things lie in the guest's address spaces under the native backend; what the plan leaves to the
 * VMM. RAM, windows for 64-bit BARs and reserved ranges are the plan's (plan_range). */
#ifndef CARVE_VMM_LAYOUT_H
#define CARVE_VMM_LAYOUT_H

/* Below 4 GiB. RAM ends at VMM_LOW_END at the latest, so that each GiB is all RAM or none of it is. */
#define VMM_LOW_END 0xc0000000ULL
#define VMM_MMIO32_START 0xc0000000ULL /* 32-bit BARs, shared out among the host bridges */
#define VMM_MMIO32_END 0xe0000000ULL
#define VMM_ECAM 0xe0000000ULL /* 256 buses of 1 MiB (PCI Firmware 3.3 section 4.1.2) */
#define VMM_ECAM_SIZE 0x10000000ULL
#define VMM_IOAPIC 0xfec00000ULL /* fixed in KVM_CREATE_IRQCHIP */
#define VMM_LAPIC 0xfee00000ULL
/* Pages that KVM on Intel needs for itself (Documentation/virt/kvm/api.rst 4.24, 4.79). */
#define VMM_IDENTITY_MAP 0xfeffc000ULL
#define VMM_TSS 0xfeffd000ULL

/* The first MiB: RAM in one piece with the rest; the e820 map keeps Linux away from the second part. */
#define VMM_GDT 0x500ULL
#define VMM_ZERO_PAGE 0x7000ULL
#define VMM_PAGE_TABLES 0x9000ULL /* up to 0x10000: identity map of the first 4 GiB by 2M pages */
#define VMM_START_INFO 0x6000ULL  /* PVH */
#define VMM_CMDLINE 0x20000ULL
#define VMM_CMDLINE_MAX 0x10000ULL
#define VMM_LOW_RESERVED 0x9fc00ULL /* from here to 1 MiB: reserved */
#define VMM_ACPI 0xa0000ULL	    /* RSDP first, then the tables */
#define VMM_ACPI_END 0xf0000ULL
#define VMM_SMBIOS 0xf0000ULL /* anchor _SM3_ where the kernel scans for it */
#define VMM_SMBIOS_END 0x100000ULL
#define VMM_KERNEL 0x1000000ULL /* a bzImage's 64-bit code, when the image prefers nothing else */

/* Ports. */
#define VMM_PORT_SERIAL 0x3f8 /* COM1, GSI 4 */
#define VMM_GSI_SERIAL 4
#define VMM_GSI_POWER 5	     /* power button: generic event device (ACPI 6.5 section 5.6.9) */
#define VMM_PORT_RESET 0xcf9 /* FADT reset register, value 6 */
#define VMM_PORT_PCI 0xcf8
#define VMM_PORT_POWER 0x600	/* FADT sleep control and status registers, 1 byte each */
#define VMM_PORT_TEST_EXIT 0xf4 /* isa-debug-exit */

/* Global system interrupts: 0-23 I/O APIC; routes for MSI follow. */
#define VMM_GSI_INTX 16 /* 16 to 23: INTx of PCI, by (bus-rooted device + pin) mod 8 */
#define VMM_GSI_MSI 24

/* Addresses of the VMM's own functions on bus 0. */
#define VMM_BUS0_VIRTIO 1 /* first virtio device; devices follow in order */

#endif
