// SPDX-License-Identifier: GPL-2.0-or-later
/* Which functions of PCI there are, as firmware would leave them, and how they are put back. */
#include "tests/node/hostile/hostile.h"

#define VIRTIO_VENDOR 0x1af4
#define VIRTIO_BLK 0x1042
#define CAP_VENDOR 9
#define CAP_MSIX 0x11
#define CAPS_MAX 48
#define VIRTIO_COMMON 1
#define VIRTIO_NOTIFY 2
#define BUSES 64

struct function functions[FUNCTIONS_MAX];
unsigned int n_functions;

static void note_virtio(struct function *f, unsigned int at)
{
	uint8_t kind = (uint8_t)config_read(f->at, at + 3, 1);
	uint8_t bar = (uint8_t)config_read(f->at, at + 4, 1);
	uint32_t offset = config_read(f->at, at + 8, 4);

	if (kind == VIRTIO_COMMON) {
		f->common.bar = bar;
		f->common.offset = offset;
	} else if (kind == VIRTIO_NOTIFY) {
		f->notify.bar = bar;
		f->notify.offset = offset;
	}
}

static void note_msix(struct function *f, unsigned int at)
{
	uint32_t table = config_read(f->at, at + 4, 4);

	f->msix = (uint8_t)at;
	f->table.bar = table & 7;
	f->table.offset = table & ~7U;
}

static void read_caps(struct function *f)
{
	unsigned int at = config_read(f->at, 0x34, 1);

	for (unsigned int n = 0; at >= 0x40 && n < CAPS_MAX; n++) {
		uint8_t id = (uint8_t)config_read(f->at, at, 1);

		if (id == CAP_VENDOR && f->is_virtio)
			note_virtio(f, at);
		else if (id == CAP_MSIX)
			note_msix(f, at);
		at = config_read(f->at, at + 1, 1);
	}
}

static void note_function(uint16_t at, uint32_t id)
{
	struct function *f = &functions[n_functions++];

	*f = (struct function){ .at = at, .vendor = (uint16_t)id, .device = (uint16_t)(id >> 16) };
	f->is_virtio = f->vendor == VIRTIO_VENDOR;
	f->is_disk = f->is_virtio && f->device == VIRTIO_BLK;
	f->header = config_read(at, 0x0e, 1) & 0x7f;
	f->command = 6; /* memory, bus master */
	config_write(at, 4, 2, f->command);
	for (unsigned int i = 0; i < 6; i++)
		f->bars[i] = config_read(at, 0x10 + 4 * i,
					 4); /* of a port: its buses and windows, too */
	read_caps(f);
}

void find_functions(void)
{
	for (unsigned int at = 0; at < BUSES << 8 && n_functions < FUNCTIONS_MAX; at += 8) {
		uint32_t id = config_read((uint16_t)at, 0, 4);

		if (id != 0xffffffff)
			note_function((uint16_t)at, id);
	}
}

void restore_functions(void)
{
	for (unsigned int i = 0; i < n_functions; i++) {
		const struct function *f = &functions[i];

		for (unsigned int bar = 0; bar < 6; bar++)
			config_write(f->at, 0x10 + 4 * bar, 4, f->bars[bar]);
		config_write(f->at, 4, 2, f->command);
	}
}

/* Of a port the first two are BARs, as far as it has any. */
uint64_t bar_address(const struct function *f, unsigned int bar)
{
	uint32_t low;

	if (bar >= (f->header ? 2 : 6))
		return 0;
	low = config_read(f->at, 0x10 + 4 * bar, 4);
	if (low == 0xffffffff || low & 1)
		return 0;
	if ((low & 6) == 4 && bar < 5)
		return (low & ~15U) | (uint64_t)config_read(f->at, 0x14 + 4 * bar, 4) << 32;
	return low & ~15U;
}
