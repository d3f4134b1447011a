// SPDX-License-Identifier: GPL-2.0-or-later
/* SMBIOS 3 (DMTF DSP0134 3.6): who made this machine, and credentials for systemd. */
#include <errno.h>
#include <string.h>

#include "vmm/boot/acpi.h"
#include "vmm/boot/bytes.h"
#include "vmm/core/layout.h"

#define ENTRY_SIZE 24
#define TABLE_AT 32 /* after the entry point */
#define TYPE_FIRMWARE 0
#define TYPE_SYSTEM 1
#define TYPE_OEM_STRINGS 11
#define TYPE_END 127
#define CHARACTERISTICS_UNSUPPORTED (1 << 3) /* the fields that follow say nothing */
#define IS_VIRTUAL (1 << 4)		     /* second extension byte, section 7.1.2.2 */
#define WAKE_UP_POWER_SWITCH 6
#define MAX_STRINGS 255

struct maker {
	struct vmm_bytes b;
	uint16_t handle;
};

/* ---- structures: a formatted part, strings, a zero (section 6.1) ---- */

static void begin(struct maker *m, uint8_t type, uint8_t len)
{
	bytes_put8(&m->b, type);
	bytes_put8(&m->b, len);
	bytes_put16(&m->b, m->handle++);
}

static void put_text(struct maker *m, const char *s)
{
	bytes_put(&m->b, s, strlen(s) + 1);
}

/* Without any string two zeros end the structure. */
static void end(struct maker *m, bool has_strings)
{
	bytes_put_zeros(&m->b, has_strings ? 1 : 2);
}

static void put_firmware(struct maker *m)
{
	begin(m, TYPE_FIRMWARE, 0x1a);
	bytes_put8(&m->b, 1);  /* vendor */
	bytes_put8(&m->b, 2);  /* version */
	bytes_put16(&m->b, 0); /* address */
	bytes_put8(&m->b, 3);  /* date */
	bytes_put8(&m->b, 0);  /* 64 KiB */
	bytes_put64(&m->b, CHARACTERISTICS_UNSUPPORTED);
	bytes_put8(&m->b, 0);
	bytes_put8(&m->b, IS_VIRTUAL);
	bytes_put32(&m->b, 0xffffffff); /* no releases */
	bytes_put16(&m->b, 0);
	put_text(m, "Carve");
	put_text(m, "1");
	put_text(m, "01/01/2025");
	end(m, true);
}

/* FNV-1a, 64 bits, from a start of one's own. */
static uint64_t hash_of(const char *s, uint64_t start)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ start;

	for (; *s; s++)
		h = (h ^ (uint8_t)*s) * 0x100000001b3ULL;
	return h ^ h >> 32;
}

/* Of the name alone: the same VM has the same everywhere. Version 8 and variant of RFC 9562 section
 * 5.8; the first three fields are little endian (DSP0134 section 7.2.1). */
static void put_uuid(struct maker *m, const char *name)
{
	uint64_t high = hash_of(name, 0), low = hash_of(name, 0x9e3779b97f4a7c15ULL);

	bytes_put32(&m->b, (uint32_t)(high >> 32));
	bytes_put16(&m->b, (uint16_t)(high >> 16));
	bytes_put16(&m->b, (uint16_t)((high & 0x0fff) | 0x8000));
	bytes_put8(&m->b, (uint8_t)((low >> 56 & 0x3f) | 0x80));
	for (int i = 6; i >= 0; i--)
		bytes_put8(&m->b, (uint8_t)(low >> 8 * i));
}

static void put_system(struct maker *m, const char *name)
{
	begin(m, TYPE_SYSTEM, 0x1b);
	bytes_put8(&m->b, 1); /* manufacturer */
	bytes_put8(&m->b, 2); /* product */
	bytes_put8(&m->b, 0);
	bytes_put8(&m->b, 0);
	put_uuid(m, name);
	bytes_put8(&m->b, WAKE_UP_POWER_SWITCH);
	bytes_put16(&m->b, 0);
	put_text(m, "Carve");
	put_text(m, "carve-vmm");
	end(m, true);
}

/* An empty string would end the structure: those are left out. */
static size_t put_strings(struct maker *m, const struct vmm_acpi_input *in, size_t i)
{
	uint8_t n = 0;
	size_t count_at;

	begin(m, TYPE_OEM_STRINGS, 5);
	count_at = m->b.len;
	bytes_put8(&m->b, 0);
	for (; i < in->n_credentials && n < MAX_STRINGS; i++) {
		if (!in->credentials[i][0])
			continue;
		put_text(m, in->credentials[i]);
		n++;
	}
	bytes_set_le(&m->b, count_at, n, 1);
	end(m, n > 0);
	return i;
}

static void put_entry(struct vmm_bytes *b, size_t table_len)
{
	bytes_put(b, "_SM3_", 5);
	bytes_put8(b, 0);
	bytes_put8(b, ENTRY_SIZE);
	bytes_put8(b, 3);
	bytes_put8(b, 6);
	bytes_put8(b, 0);
	bytes_put8(b, 1); /* of the entry point */
	bytes_put8(b, 0);
	bytes_put32(b, (uint32_t)table_len);
	bytes_put64(b, VMM_SMBIOS + TABLE_AT);
	bytes_set_checksum(b, 0, ENTRY_SIZE, 5);
	bytes_put_zeros(b, TABLE_AT - ENTRY_SIZE);
}

int vmm_smbios_make(const struct vmm_acpi_input *in, struct vmm_bytes *ret)
{
	struct maker m = { 0 };
	struct vmm_bytes b = { 0 };
	int r;

	put_firmware(&m);
	put_system(&m, in->plan->name);
	for (size_t i = 0; i < in->n_credentials;)
		i = put_strings(&m, in, i);
	begin(&m, TYPE_END, 4);
	end(&m, false);
	put_entry(&b, m.b.len);
	bytes_put(&b, m.b.data, m.b.len);
	r = m.b.error ?: b.error;
	vmm_bytes_done(&m.b);
	if (r == 0 && b.len > VMM_SMBIOS_END - VMM_SMBIOS)
		r = -E2BIG;
	if (r < 0)
		vmm_bytes_done(&b);
	else
		*ret = b;
	return r;
}
