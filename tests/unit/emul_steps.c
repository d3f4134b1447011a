// SPDX-License-Identifier: GPL-2.0-or-later
#include "emul_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct emul_guest g;

void start(enum emul_mode mode, const char *code)
{
	emul_guest_init(&g, mode);
	emul_guest_code(&g, code);
}

void assert_writes(uint64_t addr, unsigned int len, uint64_t want)
{
	uint64_t data;

	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	memcpy(&data, g.c.io.data, sizeof(data));
	assert_true(g.c.io.is_write);
	assert_int_equal(g.c.io.addr, addr);
	assert_int_equal(g.c.io.len, len);
	assert_int_equal(data, want);
}

void assert_reads(uint64_t addr, unsigned int len, uint64_t answer)
{
	assert_int_equal(carve_emul_run(&g.c), EMUL_IO);
	assert_false(g.c.io.is_write);
	assert_int_equal(g.c.io.addr, addr);
	assert_int_equal(g.c.io.len, len);
	memcpy(g.c.io.data, &answer, sizeof(answer));
}

void assert_ends(enum emul_result want)
{
	assert_int_equal(carve_emul_run(&g.c), want);
}

void assert_raises(unsigned int vector, unsigned int error)
{
	assert_ends(EMUL_EXCEPTION);
	assert_int_equal(g.c.fault.vector, vector);
	assert_int_equal(g.c.fault.error, error);
	assert_int_equal(g.c.rip, EMUL_GUEST_CODE);
}

uint64_t ram(unsigned int at)
{
	uint64_t value;

	memcpy(&value, g.ram + at, sizeof(value));
	return value;
}

void set_ram(unsigned int at, uint64_t value)
{
	memcpy(g.ram + at, &value, sizeof(value));
}
