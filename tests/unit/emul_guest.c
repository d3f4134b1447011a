// SPDX-License-Identifier: GPL-2.0-or-later
#include "emul_guest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SEG_DATA 0x93
#define SEG_CODE 0x9b
#define SEG_L (1U << 9)
#define SEG_DB (1U << 10)

static uint8_t *ram_of(struct emul_guest *g, u64 gpa, unsigned int len)
{
	u64 at = gpa - g->ram_at;

	return gpa < g->ram_at || at >= EMUL_GUEST_RAM || len > EMUL_GUEST_RAM - at ? NULL
										    : g->ram + at;
}

static int read_ram(void *vm, u64 gpa, void *data, unsigned int len)
{
	struct emul_guest *g = vm;
	const uint8_t *at = ram_of(g, gpa, len);

	g->reads++;
	if (!at)
		return -ENXIO;
	memcpy(data, at, len);
	return 0;
}

static int write_ram(void *vm, u64 gpa, const void *data, unsigned int len)
{
	struct emul_guest *g = vm;
	uint8_t *at = ram_of(g, gpa, len);

	if (!at || gpa - g->ram_at < g->rom)
		return -ENXIO;
	memcpy(at, data, len);
	return 0;
}

static int swap_ram(void *vm, u64 gpa, u64 old, u64 replacement, unsigned int len)
{
	struct emul_guest *g = vm;
	uint8_t *at = ram_of(g, gpa, len);

	if (!at || gpa - g->ram_at < g->rom)
		return -ENXIO;
	if (gpa % len != 0)
		abort();
	if (g->races) {
		g->races--;
		at[0] ^= 1;
	}
	if (memcmp(at, &old, len) != 0)
		return -EAGAIN;
	g->swaps++;
	memcpy(at, &replacement, len);
	return 0;
}

static void read_xmm(void *vm, unsigned int n, void *data)
{
	struct emul_guest *g = vm;

	memcpy(data, g->xmm[n], 16);
}

static void write_xmm(void *vm, unsigned int n, const void *data)
{
	struct emul_guest *g = vm;

	memcpy(g->xmm[n], data, 16);
}

static const struct guest_memory_ops memory_ops = { read_ram, write_ram, swap_ram };
static const struct emul_ops ops = { read_xmm, write_xmm };

static void init_segments(struct emul_guest *g, enum emul_mode mode)
{
	bool is_small = mode == EMUL_REAL || mode == EMUL_VM86 || mode == EMUL_PROT16;

	for (unsigned int i = 0; i < 6; i++) {
		g->seg[i] = (struct emul_seg){
			.attrib = (uint16_t)(SEG_DATA | (mode == EMUL_PROT32 ? SEG_DB : 0)),
			.limit = is_small ? 0xffff : 0xffffffff,
			.base = 0x10000ULL * i,
		};
	}
	g->seg[EMUL_SEG_CS].base = 0;
	g->seg[EMUL_SEG_CS].attrib = SEG_CODE;
	if (mode == EMUL_PROT32)
		g->seg[EMUL_SEG_CS].attrib |= SEG_DB;
	if (mode == EMUL_LONG)
		g->seg[EMUL_SEG_CS].attrib |= SEG_L;
}

void emul_guest_init(struct emul_guest *g, enum emul_mode mode)
{
	memset(g, 0, sizeof(*g));
	init_segments(g, mode);
	for (unsigned int i = 0; i < 16; i++)
		g->c.reg[i] = EMUL_GUEST_REG(i);
	g->c.rip = EMUL_GUEST_CODE;
	g->c.rflags = 2 | (mode == EMUL_VM86 ? EMUL_VM : 0);
	g->c.seg = g->seg;
	g->c.cpl = mode == EMUL_VM86 ? 3 : 0;
	g->c.ops = &ops;
	g->c.paging = (struct walk_paging){
		.ops = &memory_ops,
		.vm = g,
		.cr0 = mode == EMUL_REAL ? 0 : WALK_CR0_PE,
		.cr4 = 1 << 9,
		.efer = mode == EMUL_LONG ? WALK_EFER_LMA | WALK_EFER_NXE : 0,
		.phys_bits = 48,
	};
}

unsigned int emul_guest_code(struct emul_guest *g, const char *hex)
{
	uint8_t *at = g->ram + g->c.rip - g->ram_at;
	unsigned int n = 0;
	char *end;

	for (unsigned long byte = strtoul(hex, &end, 16); end != hex;
	     byte = strtoul(hex, &end, 16)) {
		at[n++] = (uint8_t)byte;
		hex = end;
	}
	carve_emul_start(&g->c, NULL, 0);
	return n;
}
