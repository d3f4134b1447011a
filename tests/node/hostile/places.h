/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that the C parts and the assembly of the hostile guest share. */
#ifndef CARVE_HOSTILE_PLACES_H
#define CARVE_HOSTILE_PLACES_H

#define CPUS_MAX 8
#define STACK_BYTES 16384
#define TRAMPOLINE 0x8000 /* page of the first MiB that carve-vmm uses for nothing */
#define LAPIC 0xfee00000
#define TABLES_BYTES 0x202000 /* one PML4, one PDPT, 512 directories: 512 GiB by pages of 2M */

#endif
