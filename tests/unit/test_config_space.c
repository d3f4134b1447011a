// SPDX-License-Identifier: GPL-2.0-or-later
/* What config space tells about a function: whole, cut short, or wrong on purpose. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sriov/pci.h"

/** struct config - bytes of one function, @d and @c as they were decoded last */
struct config {
	struct sr_pci *pci;
	uint8_t bytes[SR_CONFIG_SIZE + SR_CONFIG_SLACK];
	struct inv_dev d;
	struct sr_config c;
};

static void put16(struct config *f, unsigned int at, unsigned int value)
{
	f->bytes[at] = value & 0xff;
	f->bytes[at + 1] = value >> 8 & 0xff;
}

static void put32(struct config *f, unsigned int at, uint32_t value)
{
	put16(f, at, value & 0xffff);
	put16(f, at + 2, value >> 16);
}

/* Header of an extended capability; @next 0 ends the list. */
static void put_extended(struct config *f, unsigned int at, unsigned int id, unsigned int next)
{
	put32(f, at, id | 1 << 16 | next << 20);
}

/* A network function with a PCIe capability of @type at 0x40. */
static int make_config(void **state)
{
	struct config *f = calloc(1, sizeof(*f));

	assert_int_equal(sr_pci_open(&f->pci), 0);
	put16(f, 0x00, 0x8086);
	put16(f, 0x02, 0x10c9);
	f->bytes[0x06] = 0x10;
	put32(f, 0x08, 0x02000001);
	put16(f, 0x2c, 0x1af4);
	put16(f, 0x2e, 0x1100);
	f->bytes[0x34] = 0x40;
	f->bytes[0x40] = 0x10;
	put16(f, 0x42, 0x0002);
	*state = f;
	return 0;
}

static int drop_config(void **state)
{
	struct config *f = *state;

	sr_pci_close(f->pci);
	free(f);
	return 0;
}

static const struct inv_dev *decode(struct config *f, size_t len)
{
	uint8_t bytes[sizeof(f->bytes)] = { 0 };

	memcpy(bytes, f->bytes, len);
	f->d = (struct inv_dev){ .pf = -1, .group = -1 };
	sr_pci_decode(f->pci, bytes, len, &f->d, &f->c);
	return &f->d;
}

static void header_is_decoded(void **state)
{
	struct config *f = *state;
	const struct inv_dev *d;

	f->bytes[0x0e] = 0x80;
	d = decode(f, 4096);
	assert_int_equal(f->c.depth, SR_CONFIG_FULL);
	assert_int_equal(d->vendor, 0x8086);
	assert_int_equal(d->device, 0x10c9);
	assert_int_equal(d->subvendor, 0x1af4);
	assert_int_equal(d->subdevice, 0x1100);
	assert_int_equal(d->class, 0x020000);
	assert_true(d->is_multifunction);
	assert_false(f->c.is_vf);
	assert_int_equal(d->port, INV_PORT_ENDPOINT);
}

static void ports_are_told_apart(void **state)
{
	static const struct {
		uint8_t header;
		uint16_t flags;
		enum inv_port port;
	} rows[] = {
		{ 0, 0x02, INV_PORT_ENDPOINT },	     { 0, 0x12, INV_PORT_ENDPOINT },
		{ 1, 0x42, INV_PORT_ROOT },	     { 1, 0x52, INV_PORT_UPSTREAM },
		{ 1, 0x62, INV_PORT_DOWNSTREAM },    { 1, 0x72, INV_PORT_BRIDGE },
		{ 0, 0x92, INV_PORT_ROOT_ENDPOINT },
	};
	struct config *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		f->bytes[0x0e] = rows[i].header;
		put16(f, 0x42, rows[i].flags);
		assert_int_equal(decode(f, 4096)->port, rows[i].port);
	}
	f->bytes[0x06] = 0;
	f->bytes[0x0e] = 0;
	assert_int_equal(decode(f, 256)->port, INV_PORT_CONVENTIONAL);
	f->bytes[0x0e] = 1;
	assert_int_equal(decode(f, 256)->port, INV_PORT_BRIDGE);
}

static void bridge_has_its_subsystem_in_a_capability(void **state)
{
	struct config *f = *state;

	f->bytes[0x0e] = 1;
	f->bytes[0x41] = 0x80;
	f->bytes[0x80] = 0x0d;
	put16(f, 0x84, 0x15d9);
	put16(f, 0x86, 0x0101);
	assert_int_equal(decode(f, 4096)->subvendor, 0x15d9);
	assert_int_equal(f->d.subdevice, 0x0101);
}

static void link_is_decoded(void **state)
{
	static const struct {
		uint32_t cap, cap2;
		uint16_t status;
		struct inv_link link;
	} rows[] = {
		/* 32 GT/s x16 that runs at 16 GT/s x8 */
		{ 0x105, 0x3e, 0x1084, { 160, 8, 320, 16 } },
		/* PCIe 1: no vector of speeds */
		{ 0x041, 0, 0x041, { 25, 4, 25, 4 } },
		/* an encoding nobody knows, widths that do not exist */
		{ 0x3ff, 0, 0x3ff, { 0, 0, 0, 0 } },
		{ 0, 0, 0, { 0, 0, 0, 0 } },
		/* 64 GT/s */
		{ 0x106, 0x7e, 0x106, { 640, 16, 640, 16 } },
	};
	struct config *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		put32(f, 0x4c, rows[i].cap);
		put16(f, 0x52, rows[i].status);
		put32(f, 0x6c, rows[i].cap2);
		assert_memory_equal(&decode(f, 4096)->link, &rows[i].link, sizeof(rows[i].link));
	}
}

static void isolation_is_decoded(void **state)
{
	struct config *f = *state;
	const struct inv_dev *d = decode(f, 4096);

	assert_false(d->has_acs || d->has_ats || d->has_pasid);
	put_extended(f, 0x100, 0x0d, 0x140);
	put16(f, 0x104, 0x085f); /* without egress control, whose vector has 8 bits */
	put16(f, 0x106, 0x001d);
	put_extended(f, 0x140, 0x0f, 0x180);
	put16(f, 0x146, 0x8000);
	put_extended(f, 0x180, 0x1b, 0);
	put16(f, 0x186, 0x0001);
	decode(f, 4096);
	assert_true(d->has_acs && d->has_ats && d->has_pasid);
	assert_int_equal(d->acs_cap, 0x5f);
	assert_int_equal(d->acs_ctrl, 0x1d);
	assert_true(d->ats_enabled && d->pasid_enabled);
	put16(f, 0x146, 0x001f);
	put16(f, 0x186, 0x0006);
	decode(f, 4096);
	assert_true(d->has_ats && d->has_pasid);
	assert_false(d->ats_enabled || d->pasid_enabled);
}

static void resizable_bars_are_decoded(void **state)
{
	struct config *f = *state;
	const struct inv_dev *d;

	put_extended(f, 0x100, 0x15, 0);
	put32(f, 0x104, 0x000ffff0); /* 1 MiB to 32 GiB */
	put32(f, 0x108, 2 << 5 | 0); /* two of them, the first for BAR 0 */
	put32(f, 0x10c, 0x80000000); /* 128 TiB */
	put32(f, 0x110, 1 << 16 | 2);
	d = decode(f, 4096);
	assert_true(d->bars[0].resizable == 0xffff);
	assert_true(d->bars[1].resizable == 0);
	assert_true(d->bars[2].resizable == (1ULL << 27 | 1ULL << 28));
	put32(f, 0x108, 7 << 5 | 7); /* more than there can be, for a BAR that cannot be */
	d = decode(f, 4096);
	assert_true(d->bars[0].resizable == 0 && d->bars[2].resizable != 0);
}

static void vfs_are_decoded(void **state)
{
	struct config *f = *state;
	const struct inv_sriov *s;

	put_extended(f, 0x160, 0x10, 0);
	put_extended(f, 0x100, 0x03, 0x160);
	put32(f, 0x104, 0x11223344);
	put32(f, 0x108, 0xaabbccdd);
	put16(f, 0x160 + 0x0e, 8);
	put16(f, 0x160 + 0x10, 4);
	put16(f, 0x160 + 0x14, 0x80);
	put16(f, 0x160 + 0x16, 2);
	put16(f, 0x160 + 0x1a, 0x10ca);
	s = &decode(f, 4096)->sriov;
	assert_int_equal(s->total, 8);
	assert_int_equal(s->num, 0); /* NumVFs counts once they are enabled */
	assert_int_equal(s->offset, 0x80);
	assert_int_equal(s->stride, 2);
	assert_int_equal(s->vf_device, 0x10ca);
	assert_int_equal(f->c.total_vfs, 8);
	assert_string_equal(f->d.serial, "aabbccdd11223344");
	put16(f, 0x160 + 0x08, 1);
	assert_int_equal(decode(f, 4096)->sriov.num, 4);
	put16(f, 0x160 + 0x10, 9);
	assert_int_equal(decode(f, 4096)->sriov.num, 8);
}

static void vf_is_not_dead(void **state)
{
	struct config *f = *state;

	put32(f, 0x00, 0xffffffff);
	decode(f, 4096);
	assert_true(f->c.is_vf && f->c.depth == SR_CONFIG_FULL);
	assert_false(f->d.is_unreadable);
	assert_int_equal(f->d.vendor, 0);
	assert_int_equal(f->d.class, 0x020000);
	memset(f->bytes, 0xff, SR_CONFIG_SIZE);
	decode(f, 4096);
	assert_true(f->d.is_unreadable);
	assert_true(f->c.depth == SR_CONFIG_NONE && !f->c.is_vf);
	decode(f, 64);
	assert_true(f->d.is_unreadable);
}

static void short_reads_tell_less(void **state)
{
	struct config *f = *state;

	put_extended(f, 0x100, 0x0d, 0);
	decode(f, 0);
	assert_int_equal(f->c.depth, SR_CONFIG_NONE);
	assert_false(f->d.is_unreadable);
	decode(f, 63);
	assert_int_equal(f->c.depth, SR_CONFIG_NONE);
	assert_int_equal(f->d.vendor, 0);
	decode(f, 64);
	assert_int_equal(f->c.depth, SR_CONFIG_HEADER);
	assert_int_equal(f->d.vendor, 0x8086);
	assert_int_equal(f->d.subdevice, 0x1100);
	decode(f, 128);
	assert_int_equal(f->c.depth, SR_CONFIG_HEADER);
	decode(f, 256);
	assert_int_equal(f->c.depth, SR_CONFIG_FULL);
	assert_false(f->d.has_acs);
}

static void lists_that_loop_end(void **state)
{
	struct config *f = *state;

	f->bytes[0x41] = 0x40;
	put_extended(f, 0x100, 0x0d, 0x140);
	put_extended(f, 0x140, 0x0f, 0x100);
	decode(f, 4096);
	assert_true(f->d.has_acs && f->d.has_ats);
	assert_int_equal(f->d.port, INV_PORT_ENDPOINT);
	f->bytes[0x41] = 0x43; /* the two low bits are not part of the place */
	decode(f, 4096);
	assert_true(f->d.has_acs);
	f->bytes[0x34] = 0xff;
	f->bytes[0xfc] = 0x10;
	f->bytes[0xfd] = 0xfc;
	decode(f, 4096);
	assert_true(f->d.has_acs);
	/* a capability that would reach over the end */
	put_extended(f, 0x140, 0x10, 0xffc);
	put_extended(f, 0xffc, 0x15, 0xffc);
	decode(f, 4096);
	assert_int_equal(f->d.bars[0].resizable, 0);
}

/* Whatever it reads: it ends, and stays within its bounds (the sanitizers look on). */
static void noise_is_survived(void **state)
{
	struct config *f = *state;
	uint32_t x = 2463534242U;

	for (int run = 0; run < 500; run++) {
		for (size_t i = 0x34; i < SR_CONFIG_SIZE; i++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			f->bytes[i] = (uint8_t)(x >> 8);
		}
		f->bytes[0x34] = 0x40;
		f->bytes[0x40] = 0x10;
		decode(f, x % (SR_CONFIG_SIZE + 1));
		assert_true(f->d.sriov.num <= f->d.sriov.total);
		assert_true(f->d.link.width <= 32 && f->d.link.max_width <= 32);
	}
}

#define with_config(test) cmocka_unit_test_setup_teardown(test, make_config, drop_config)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_config(header_is_decoded),
		with_config(ports_are_told_apart),
		with_config(bridge_has_its_subsystem_in_a_capability),
		with_config(link_is_decoded),
		with_config(isolation_is_decoded),
		with_config(resizable_bars_are_decoded),
		with_config(vfs_are_decoded),
		with_config(vf_is_not_dead),
		with_config(short_reads_tell_less),
		with_config(lists_that_loop_end),
		with_config(noise_is_survived),
	};

	return cmocka_run_group_tests_name("config_space", tests, NULL, NULL);
}
