// SPDX-License-Identifier: GPL-2.0-or-later
/* Config space of a function: header and capabilities as in PCIe Base 6.0 chapter 7. */
#include <endian.h>
#include <string.h>

#include "tests/fake/machine_model.h"

#define MASK_ACS_CAP 0x5f /* SV TB RR CR UF DT */
#define MASK_ACS_ON 0x1d  /* SV RR CR UF: what Linux turns on */
#define CAP_PM 0x40
#define CAP_MSIX 0x50
#define CAP_EXPRESS 0x60
#define CAP_SUBSYSTEM 0xa0
#define LEN_AER 0x48
#define LEN_REBAR(n) (4 + 8 * (n))

/** struct chain - extended capabilities are placed one after the other from 0x100 */
struct chain {
	uint8_t *config;
	unsigned int last, next;
};

static void set8(uint8_t *c, unsigned int at, unsigned int value)
{
	c[at] = (uint8_t)value;
}

static void set16(uint8_t *c, unsigned int at, unsigned int value)
{
	uint16_t le = htole16((uint16_t)value);

	memcpy(c + at, &le, sizeof(le));
}

static void set32(uint8_t *c, unsigned int at, uint32_t value)
{
	uint32_t le = htole32(value);

	memcpy(c + at, &le, sizeof(le));
}

static bool is_vf(const struct machine_function *f)
{
	return f->pf >= 0;
}

static bool is_express(const struct machine_function *f)
{
	return f->port != INV_PORT_CONVENTIONAL;
}

/* BAR bits of section 7.5.1.2.1: memory or I/O, 64 bits, prefetchable */
static void write_bars(uint8_t *c, unsigned int at, const struct machine_bar *bars,
		       const uint64_t *addresses)
{
	static const uint8_t bits[] = { 0x0, 0x4, 0xc, 0x1 };

	for (unsigned int i = 0; i < INV_MAX_BARS; i++) {
		if (bars[i].size == 0)
			continue;
		set32(c, at + 4 * i, (uint32_t)addresses[i] | bits[bars[i].kind]);
		if (bars[i].kind == MACHINE_BAR_MEM64 || bars[i].kind == MACHINE_BAR_PREF64) {
			i++;
			set32(c, at + 4 * i, (uint32_t)(addresses[i - 1] >> 32));
		}
	}
}

static void write_ids(uint8_t *c, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;

	/* SR-IOV 1.1 section 3.4.1.1: the ids of a VF read all ones */
	set16(c, 0x00, is_vf(f) ? 0xffff : p->vendor);
	set16(c, 0x02, is_vf(f) ? 0xffff : p->device);
	set16(c, 0x04, is_vf(f) ? 0x0000 : f->driver[0] ? 0x0406 : 0x0402);
	set16(c, 0x06, 0x0010);
	set8(c, 0x08, p->revision);
	set8(c, 0x09, p->class);
	set16(c, 0x0a, p->class >> 8);
	set8(c, 0x34, CAP_PM);
}

static void write_endpoint(uint8_t *c, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;

	set8(c, 0x0e, f->is_multifunction ? 0x80 : 0x00);
	set16(c, 0x2c, p->subvendor);
	set16(c, 0x2e, p->subdevice);
	if (!is_vf(f))
		write_bars(c, 0x10, p->bars, f->bars);
	set8(c, 0x3d, is_vf(f) ? 0 : 1);
}

/* Section 7.5.1.3: buses and windows; a window that is empty has its limit below its base */
static void write_bridge(uint8_t *c, const struct machine_function *f)
{
	bool has_mem = f->window_end[0] > f->window[0];
	bool has_pref = f->window_end[1] > f->window[1];
	uint64_t pref_last = has_pref ? f->window_end[1] - 1 : 0;

	set8(c, 0x0e, f->is_multifunction ? 0x81 : 0x01);
	set8(c, 0x18, f->bdf.bus);
	set8(c, 0x19, f->secondary);
	set8(c, 0x1a, f->subordinate);
	set16(c, 0x1c, 0x00f0); /* no I/O */
	set16(c, 0x20, has_mem ? (f->window[0] >> 16) & 0xfff0 : 0xfff0);
	set16(c, 0x22, has_mem ? ((f->window_end[0] - 1) >> 16) & 0xfff0 : 0);
	set16(c, 0x24, (has_pref ? (f->window[1] >> 16) & 0xfff0 : 0xfff0) | 1);
	set16(c, 0x26, ((pref_last >> 16) & 0xfff0) | 1);
	set32(c, 0x28, has_pref ? (uint32_t)(f->window[1] >> 32) : 0);
	set32(c, 0x2c, (uint32_t)(pref_last >> 32));
	set8(c, 0x3e, 0x02);
}

/* capabilities below 0x100 */

static void write_pm(uint8_t *c, unsigned int next)
{
	set8(c, CAP_PM, 0x01);
	set8(c, CAP_PM + 1, next);
	set16(c, CAP_PM + 2, 0x0003);
	set16(c, CAP_PM + 4, 0x0008);
}

static void write_msix(uint8_t *c, const struct machine_function *f)
{
	set8(c, CAP_MSIX, 0x11);
	set8(c, CAP_MSIX + 1, CAP_EXPRESS);
	set16(c, CAP_MSIX + 2, f->driver[0] ? 0x803f : 0x003f);
}

/* Section 7.5.3.2, Device/Port Type */
static unsigned int port_type(const struct machine_function *f)
{
	switch (f->port) {
	case INV_PORT_ROOT:
		return 4;
	case INV_PORT_UPSTREAM:
		return 5;
	case INV_PORT_DOWNSTREAM:
		return 6;
	case INV_PORT_BRIDGE:
		return 7;
	case INV_PORT_ROOT_ENDPOINT:
		return 9;
	default:
		return 0;
	}
}

static void write_express(uint8_t *c, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;
	unsigned int at = CAP_EXPRESS;
	bool has_flr = p->reset && strncmp(p->reset, "flr", 3) == 0;

	set8(c, at, 0x10);
	set8(c, at + 1, f->secondary ? CAP_SUBSYSTEM : 0);
	set16(c, at + 0x02, 0x0002 | port_type(f) << 4);
	set32(c, at + 0x04, 0x00008001 | (has_flr ? 1U << 28 : 0));
	set16(c, at + 0x08, 0x2910);
	if (f->max_gen == 0)
		return;
	set32(c, at + 0x0c, f->max_gen | f->max_width << 4 | 0x00400000);
	set16(c, at + 0x12, f->gen | f->width << 4);
	set32(c, at + 0x2c, ((1U << f->max_gen) - 1) << 1);
	set16(c, at + 0x30, f->max_gen);
}

static void write_capabilities(uint8_t *c, const struct machine_function *f)
{
	if (!is_express(f)) {
		write_pm(c, 0);
		return;
	}
	write_pm(c, f->secondary ? CAP_EXPRESS : CAP_MSIX);
	if (!f->secondary)
		write_msix(c, f);
	write_express(c, f);
	if (f->secondary) {
		set8(c, CAP_SUBSYSTEM, 0x0d);
		set16(c, CAP_SUBSYSTEM + 4, f->profile->subvendor);
		set16(c, CAP_SUBSYSTEM + 6, f->profile->subdevice);
	}
}

/* extended capabilities */

/* Section 7.6.3. Return: offset of the new one. */
static unsigned int extend(struct chain *ch, unsigned int id, unsigned int version,
			   unsigned int len)
{
	unsigned int at = ch->next;

	set16(ch->config, at, id);
	set16(ch->config, at + 2, version);
	if (ch->last)
		set16(ch->config, ch->last + 2, at << 4 | (ch->config[ch->last + 2] & 0xf));
	ch->last = at;
	ch->next = at + len;
	return at;
}

static void write_serial(struct chain *ch, const struct machine_function *f)
{
	unsigned int at = extend(ch, 0x0003, 1, 12);

	set32(ch->config, at + 4, 0xff000000U | (uint32_t)f->bdf.bus << 8 | f->bdf.dev);
	set32(ch->config, at + 8, 0x00c0ff00U | (f->bdf.domain & 0xff));
}

/* Section 7.7.11 */
static void write_acs(struct chain *ch, enum machine_acs acs)
{
	unsigned int at = extend(ch, 0x000d, 1, 8);

	set16(ch->config, at + 4, MASK_ACS_CAP);
	set16(ch->config, at + 6, acs == MACHINE_ACS_ON ? MASK_ACS_ON : 0);
}

/* Section 9.3.3 */
static void write_sriov(struct chain *ch, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;
	unsigned int at = extend(ch, 0x0010, 1, 0x40);
	uint8_t *c = ch->config;

	set32(c, at + 0x04, 0x00000002);
	set16(c, at + 0x08, f->vfs ? 0x0019 : 0x0010);
	set16(c, at + 0x0c, p->total_vfs);
	set16(c, at + 0x0e, p->total_vfs);
	set16(c, at + 0x10, f->vfs);
	set16(c, at + 0x14, p->vf_offset);
	set16(c, at + 0x16, p->vf_stride);
	set16(c, at + 0x1a, p->vf_device);
	set32(c, at + 0x1c, 0x00000553);
	set32(c, at + 0x20, 0x00000001);
	write_bars(c, at + 0x24, p->vf_bars, f->vf_bars);
}

/* Exponent of a power of two above 1 MiB, as the control register counts (section 7.8.6.3) */
static unsigned int rebar_size(uint64_t size)
{
	unsigned int n = 0;

	while (size > 1 << 20) {
		size >>= 1;
		n++;
	}
	return n;
}

static unsigned int count_resizable(const struct machine_profile *p)
{
	unsigned int n = 0;

	for (int i = 0; i < INV_MAX_BARS; i++)
		n += p->bars[i].resizable != 0;
	return n;
}

/* Section 7.8.6: size bits from 4 on for 1 MiB and more, the number of BARs in the first control */
static void write_rebar(struct chain *ch, const struct machine_profile *p)
{
	unsigned int n = count_resizable(p), at, i;

	if (n == 0)
		return;
	at = extend(ch, 0x0015, 1, LEN_REBAR(n)) + 4;
	for (i = 0; i < INV_MAX_BARS; i++) {
		if (p->bars[i].resizable == 0)
			continue;
		set32(ch->config, at, p->bars[i].resizable << 4);
		set32(ch->config, at + 4, i | n << 5 | rebar_size(p->bars[i].size) << 8);
		at += 8;
	}
}

static void write_extended(uint8_t *c, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;
	struct chain ch = { .config = c, .next = 0x100 };

	extend(&ch, 0x0001, 2, LEN_AER);
	if (p->total_vfs)
		extend(&ch, 0x000e, 1, 8); /* ARI */
	if (p->has_serial && !is_vf(f))
		write_serial(&ch, f);
	if (f->acs == MACHINE_ACS_ON || f->acs == MACHINE_ACS_OFF)
		write_acs(&ch, f->acs);
	if (p->has_ats) {
		unsigned int at = extend(&ch, 0x000f, 1, 8);

		set16(c, at + 6, f->driver[0] ? 0x8000 : 0);
	}
	if (p->has_pasid && !is_vf(f))
		set16(c, extend(&ch, 0x001b, 1, 8) + 4, 0x1404);
	if (p->total_vfs && !is_vf(f))
		write_sriov(&ch, f);
	if (!is_vf(f))
		write_rebar(&ch, p);
}

void machine_config(const struct machine *m, const struct machine_function *f, uint8_t ret[4096])
{
	memset(ret, 0, 4096);
	write_ids(ret, f);
	if (f->secondary)
		write_bridge(ret, f);
	else
		write_endpoint(ret, f);
	write_capabilities(ret, f);
	if (is_express(f))
		write_extended(ret, f);
}
