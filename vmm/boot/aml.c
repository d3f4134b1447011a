// SPDX-License-Identifier: GPL-2.0-or-later
/* Source: ACPI 6.5 section 20.2 (grammar). */
#include "vmm/boot/aml.h"

#include <string.h>

#define OP_ZERO 0x00
#define OP_ONE 0x01
#define OP_NAME 0x08
#define OP_BYTE 0x0a
#define OP_WORD 0x0b
#define OP_DWORD 0x0c
#define OP_STRING 0x0d
#define OP_QWORD 0x0e
#define OP_SCOPE 0x10
#define OP_BUFFER 0x11
#define OP_PACKAGE 0x12
#define OP_METHOD 0x14
#define OP_EXT 0x5b
#define OP_EXT_DEVICE 0x82
#define OP_LOCAL0 0x60
#define OP_ARG0 0x68
#define OP_IF 0xa0
#define OP_ELSE 0xa1
#define OP_RETURN 0xa4
#define METHOD_SERIALIZED 0x08

#define PKG_LENGTH_MAX 4

/* ---- PkgLength (section 20.2.4) ---- */

/* The length counts its own bytes. Return: how many these are. */
static size_t package_length(size_t content, uint8_t out[PKG_LENGTH_MAX])
{
	size_t n = content + 1 < 1 << 6	   ? 1
		   : content + 2 < 1 << 12 ? 2
		   : content + 3 < 1 << 20 ? 3
					   : 4;
	size_t total = content + n;

	if (n == 1) {
		out[0] = (uint8_t)total;
		return 1;
	}
	out[0] = (uint8_t)((n - 1) << 6 | (total & 0xf));
	for (size_t i = 1; i < n; i++)
		out[i] = (uint8_t)(total >> (4 + 8 * (i - 1)));
	return n;
}

void aml_end(struct vmm_bytes *b, size_t mark)
{
	uint8_t length[PKG_LENGTH_MAX];

	if (!b->error)
		bytes_insert(b, mark, length, package_length(b->len - mark, length));
}

/* ---- names ---- */

static void put_name(struct vmm_bytes *b, const char *name)
{
	bytes_put(b, name, strlen(name));
}

void aml_name(struct vmm_bytes *b, const char *name)
{
	bytes_put8(b, OP_NAME);
	put_name(b, name);
}

void aml_ref(struct vmm_bytes *b, const char *name)
{
	put_name(b, name);
}

/* ---- containers ---- */

static size_t opened(struct vmm_bytes *b, uint8_t op)
{
	bytes_put8(b, op);
	return b->len;
}

size_t aml_scope(struct vmm_bytes *b, const char *name)
{
	size_t mark = opened(b, OP_SCOPE);

	put_name(b, name);
	return mark;
}

size_t aml_device(struct vmm_bytes *b, const char *name)
{
	bytes_put8(b, OP_EXT);
	size_t mark = opened(b, OP_EXT_DEVICE);

	put_name(b, name);
	return mark;
}

size_t aml_method(struct vmm_bytes *b, const char *name, unsigned int args)
{
	size_t mark = opened(b, OP_METHOD);

	put_name(b, name);
	bytes_put8(b, (uint8_t)(METHOD_SERIALIZED | args));
	return mark;
}

size_t aml_package(struct vmm_bytes *b, uint8_t n)
{
	size_t mark = opened(b, OP_PACKAGE);

	bytes_put8(b, n);
	return mark;
}

size_t aml_if(struct vmm_bytes *b)
{
	return opened(b, OP_IF);
}

size_t aml_else(struct vmm_bytes *b)
{
	return opened(b, OP_ELSE);
}

/* ---- data ---- */

void aml_int(struct vmm_bytes *b, uint64_t v)
{
	static const struct {
		uint64_t max;
		uint8_t op;
		size_t len;
	} forms[] = {
		{ 0xff, OP_BYTE, 1 },
		{ 0xffff, OP_WORD, 2 },
		{ 0xffffffff, OP_DWORD, 4 },
		{ UINT64_MAX, OP_QWORD, 8 },
	};
	size_t i = 0;

	if (v <= 1) {
		bytes_put8(b, v ? OP_ONE : OP_ZERO);
		return;
	}
	while (v > forms[i].max)
		i++;
	bytes_put8(b, forms[i].op);
	bytes_put_le(b, v, forms[i].len);
}

void aml_string(struct vmm_bytes *b, const char *s)
{
	bytes_put8(b, OP_STRING);
	bytes_put(b, s, strlen(s) + 1);
}

void aml_buffer(struct vmm_bytes *b, const void *data, size_t len)
{
	size_t mark = opened(b, OP_BUFFER);

	aml_int(b, len);
	bytes_put(b, data, len);
	aml_end(b, mark);
}

static unsigned int hex_digit(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of 5 bits each and four digits, most significant byte first. */
void aml_eisa_id(struct vmm_bytes *b, const char *id)
{
	unsigned int v = 0;

	for (size_t i = 0; i < 3; i++)
		v = v << 5 | ((unsigned int)id[i] & 0x1f);
	for (size_t i = 3; i < 7; i++)
		v = v << 4 | hex_digit(id[i]);
	bytes_put8(b, OP_DWORD);
	for (size_t i = 4; i-- > 0;)
		bytes_put8(b, (uint8_t)(v >> 8 * i));
}

void aml_named_int(struct vmm_bytes *b, const char *name, uint64_t v)
{
	aml_name(b, name);
	aml_int(b, v);
}

/* ---- code ---- */

void aml_arg(struct vmm_bytes *b, unsigned int n)
{
	bytes_put8(b, (uint8_t)(OP_ARG0 + n));
}

void aml_local(struct vmm_bytes *b, unsigned int n)
{
	bytes_put8(b, (uint8_t)(OP_LOCAL0 + n));
}

void aml_return(struct vmm_bytes *b)
{
	bytes_put8(b, OP_RETURN);
}

void aml_op(struct vmm_bytes *b, enum aml_op op)
{
	bytes_put8(b, (uint8_t)op);
}

/* ---- a buffer whose content is not known yet ---- */

size_t aml_resources(struct vmm_bytes *b, const char *name)
{
	aml_name(b, name);
	return opened(b, OP_BUFFER);
}

/* End tag (section 6.4.2.9): checksum 0 is "not checked". The buffer's size goes before its bytes. */
void aml_resources_end(struct vmm_bytes *b, size_t mark)
{
	struct vmm_bytes size = { 0 };

	bytes_put16(b, 0x0079);
	if (b->error)
		return;
	aml_int(&size, b->len - mark);
	if (size.error)
		b->error = size.error;
	bytes_insert(b, mark, size.data, size.len);
	vmm_bytes_done(&size);
	aml_end(b, mark);
}
