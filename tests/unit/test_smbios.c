// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's SMBIOS tables: as the kernel and systemd read them, and as dmidecode does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/boot/acpi.h"
#include "vmm/core/layout.h"

#define TABLE_AT 32
#define MANY 300

static const char *const credentials[] = {
	"io.systemd.credential:greeting=hello",
	"",
	"io.systemd.credential.binary:key=AAECAw==",
};

/** struct structure - one SMBIOS structure; @at NULL: none is left */
struct structure {
	const uint8_t *at, *next;
};

static struct structure structure_at(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at + at[1];

	while (p + 1 < end && (p[0] || p[1]))
		p++;
	assert_true(p + 1 < end);
	return (struct structure){ at, p + 2 };
}

/* The @nth string of a structure, from 1. */
static const char *string_of(struct structure s, unsigned int nth)
{
	const char *text = (const char *)s.at + s.at[1];

	while (--nth)
		text += strlen(text) + 1;
	assert_true((const uint8_t *)text < s.next);
	return text;
}

/* The @nth structure of a type, from 0. */
static struct structure find(const struct vmm_bytes *b, uint8_t type, unsigned int nth)
{
	const uint8_t *end = b->data + b->len;

	for (const uint8_t *p = b->data + TABLE_AT; p < end;) {
		struct structure s = structure_at(p, end);

		if (s.at[0] == type && nth-- == 0)
			return s;
		p = s.next;
	}
	return (struct structure){ 0 };
}

static void make(const char *name, const char *const *strings, size_t n, struct vmm_bytes *ret)
{
	_cleanup_plan_ struct plan p = { 0 };
	struct vmm_acpi_input in = { .plan = &p, .credentials = strings, .n_credentials = n };

	snprintf(p.name, sizeof(p.name), "%s", name);
	assert_int_equal(vmm_smbios_make(&in, ret), 0);
}

static void the_entry_point_leads_to_the_table(void **state)
{
	struct vmm_bytes b = { 0 };
	uint32_t len;
	uint64_t at;
	uint8_t sum = 0;

	(void)state;
	make("demo", NULL, 0, &b);
	assert_memory_equal(b.data, "_SM3_", 5);
	for (size_t i = 0; i < 24; i++)
		sum = (uint8_t)(sum + b.data[i]);
	assert_int_equal(sum, 0);
	memcpy(&len, b.data + 12, sizeof(len));
	memcpy(&at, b.data + 16, sizeof(at));
	assert_true(at == VMM_SMBIOS + TABLE_AT);
	assert_int_equal(len, b.len - TABLE_AT);
	assert_null(find(&b, 11, 0).at);
	struct structure last = find(&b, 127, 0);
	assert_non_null(last.at);
	assert_ptr_equal(last.next, b.data + b.len);
	vmm_bytes_done(&b);
}

static void credentials_are_oem_strings(void **state)
{
	struct vmm_bytes b = { 0 };

	(void)state;
	make("demo", credentials, CV_ARRAY_SIZE(credentials), &b);
	struct structure s = find(&b, 11, 0);
	assert_non_null(s.at);
	assert_int_equal(s.at[4], 2); /* the empty one cannot be told */
	assert_string_equal(string_of(s, 1), credentials[0]);
	assert_string_equal(string_of(s, 2), credentials[2]);
	assert_null(find(&b, 11, 1).at);
	vmm_bytes_done(&b);
}

/* A structure counts its strings in 8 bits. */
static void many_credentials_need_more_structures(void **state)
{
	const char *many[MANY];
	struct vmm_bytes b = { 0 };

	(void)state;
	for (size_t i = 0; i < MANY; i++)
		many[i] = credentials[i % 2 * 2];
	make("demo", many, MANY, &b);
	assert_int_equal(find(&b, 11, 0).at[4], 255);
	assert_int_equal(find(&b, 11, 1).at[4], MANY - 255);
	assert_string_equal(string_of(find(&b, 11, 1), MANY - 255), many[MANY - 1]);
	vmm_bytes_done(&b);
}

static void more_than_fits_is_refused(void **state)
{
	static char large[VMM_SMBIOS_END - VMM_SMBIOS];
	_cleanup_plan_ struct plan p = { 0 };
	const char *one = large;
	struct vmm_acpi_input in = { .plan = &p, .credentials = &one, .n_credentials = 1 };
	struct vmm_bytes b = { 0 };

	(void)state;
	memset(large, 'x', sizeof(large) - 1);
	assert_int_equal(vmm_smbios_make(&in, &b), -E2BIG);
	assert_null(b.data);
}

static void the_uuid_is_of_the_name(void **state)
{
	struct vmm_bytes a = { 0 }, same = { 0 }, other = { 0 };

	(void)state;
	make("demo", NULL, 0, &a);
	make("demo", NULL, 0, &same);
	make("demo2", NULL, 0, &other);
	const uint8_t *uuid = find(&a, 1, 0).at + 8;
	assert_memory_equal(uuid, find(&same, 1, 0).at + 8, 16);
	assert_memory_not_equal(uuid, find(&other, 1, 0).at + 8, 16);
	assert_int_equal(uuid[7] >> 4, 8);
	assert_int_equal(uuid[8] >> 6, 2);
	vmm_bytes_done(&a);
	vmm_bytes_done(&same);
	vmm_bytes_done(&other);
}

/* ---- dmidecode: in a dump the table follows the entry point ---- */

static void write_dump(const char *path, const struct vmm_bytes *b)
{
	_cleanup_fclose_ FILE *f = fopen(path, "we");

	assert_non_null(f);
	b->data[5] = (uint8_t)(b->data[5] + b->data[18]);
	b->data[18] = 0; /* 0xf0020 becomes 0x20 */
	assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
}

static char *output_of(const char *command)
{
	char *text = calloc(1, 1 << 16);
	FILE *f = popen(command, "re");
	size_t n;

	assert_non_null(text);
	assert_non_null(f);
	n = fread(text, 1, (1 << 16) - 1, f);
	text[n] = '\0';
	if (pclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

static void dmidecode_reads_it(void **state)
{
	static const char *const wanted[] = {
		"SMBIOS 3.6.0 present",
		"Vendor: Carve",
		"System is a virtual machine",
		"Manufacturer: Carve",
		"Product Name: carve-vmm",
		"Wake-up Type: Power Switch",
		"String 1: io.systemd.credential:greeting=hello",
		"End Of Table",
	};
	static const char *const bad[] = { "<BAD",	   "Invalid", "Wrong",
					   "out of range", "broken",  "checksum" };
	char path[] = "/tmp/carve-smbios-XXXXXX", command[96];
	int fd = mkstemp(path);
	struct vmm_bytes b = { 0 };

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	make("demo", credentials, CV_ARRAY_SIZE(credentials), &b);
	write_dump(path, &b);
	vmm_bytes_done(&b);
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin dmidecode --from-dump %s 2>&1",
		 path);
	_cleanup_free_ char *text = output_of(command);
	unlink(path);
	if (!text) {
		print_message("no dmidecode: scripts/install-deps check\n");
		skip();
	}
	for (size_t i = 0; text && i < CV_ARRAY_SIZE(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("no '%s' in:\n%s", wanted[i], text);
	for (size_t i = 0; text && i < CV_ARRAY_SIZE(bad); i++)
		if (strstr(text, bad[i]))
			fail_msg("'%s' in:\n%s", bad[i], text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_entry_point_leads_to_the_table),
		cmocka_unit_test(credentials_are_oem_strings),
		cmocka_unit_test(many_credentials_need_more_structures),
		cmocka_unit_test(more_than_fits_is_refused),
		cmocka_unit_test(the_uuid_is_of_the_name),
		cmocka_unit_test(dmidecode_reads_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
