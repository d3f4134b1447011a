/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest for the instruction emulator: RAM, what was asked of devices, and a CPU in each mode. */
#ifndef CARVE_TESTS_EMUL_GUEST_H
#define CARVE_TESTS_EMUL_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/emul.h"

#define EMUL_GUEST_RAM 0x10000
#define EMUL_GUEST_CODE 0x100
#define EMUL_GUEST_REG(n) (0x20000ULL + 0x100 * (n))

/**
 * struct emul_guest - a CPU and its memory
 * @ram: at guest-physical @ram_at; there is nothing else
 * @rom: writes below this offset in RAM fail
 * @swaps: compare-exchanges done; the next @races of them fail
 */
struct emul_guest {
	struct emul_ctx c;
	struct emul_seg seg[6];
	uint64_t ram_at, rom;
	unsigned int reads, swaps, races;
	uint8_t ram[EMUL_GUEST_RAM];
	uint8_t xmm[16][16];
};

/*
 * No paging, CPL 0, register n holds EMUL_GUEST_REG(n), RIP is EMUL_GUEST_CODE. Segments other than
 * CS start at their number times 0x10000 and have the largest limit the mode has.
 */
void emul_guest_init(struct emul_guest *g, enum emul_mode mode);

/* Put hexadecimal digits into RAM at RIP, start the emulator; returns the number of bytes. */
unsigned int emul_guest_code(struct emul_guest *g, const char *hex);

#endif
