// SPDX-License-Identifier: GPL-2.0-or-later
#include "acpi_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "vmm/core/layout.h"

#define WINDOW32 (64ULL << 20)

uint64_t table_le(const uint8_t *data, size_t at, size_t len)
{
	uint64_t v = 0;

	for (size_t i = len; i-- > 0;)
		v = v << 8 | data[at + i];
	return v;
}

/* ---- what goes in ---- */

static struct vmm_window window64(const struct plan *p, int node)
{
	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_MMIO64 && p->ranges[i].guest_node == node)
			return (struct vmm_window){ p->ranges[i].start, p->ranges[i].size };
	return (struct vmm_window){ 0 };
}

static size_t make_roots(struct vmm_root *roots, const struct plan *p)
{
	size_t n = 1;

	roots[0] = (struct vmm_root){
		.guest_node = -1,
		.bus_end = 255,
		.mmio32 = { VMM_MMIO32_START, WINDOW32 },
	};
	for (size_t i = 0; i < p->n_bridges; i++) {
		const struct plan_bridge *b = &p->bridges[i];

		if (b->kind != PLAN_HOST_BRIDGE)
			continue;
		roots[n - 1].bus_end = (uint8_t)(b->bus - 1);
		roots[n] = (struct vmm_root){
			.uid = (unsigned int)n,
			.guest_node = b->guest_node,
			.bus = b->bus,
			.bus_end = 255,
			.mmio32 = { VMM_MMIO32_START + n * WINDOW32, WINDOW32 },
			.mmio64 = window64(p, b->guest_node),
		};
		n++;
	}
	return n;
}

/* ---- what comes out ---- */

static uint8_t sum(const uint8_t *data, size_t len)
{
	uint8_t s = 0;

	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + data[i]);
	return s;
}

static const struct acpi_table *add_table(struct acpi_machine *m, uint64_t address)
{
	struct acpi_table *t = &m->tables[m->n_tables++];
	uint64_t at = address - m->in.base;

	assert_true(m->n_tables <= ACPI_MACHINE_TABLES);
	assert_true(address % 16 == 0 && at + 36 <= m->bytes.len);
	t->data = m->bytes.data + at;
	memcpy(t->name, t->data, 4);
	t->len = (uint32_t)table_le(t->data, 4, 4);
	assert_true(t->len >= 36 && at + t->len <= m->bytes.len);
	assert_int_equal(sum(t->data, t->len), 0);
	return t;
}

static void find_tables(struct acpi_machine *m)
{
	const uint8_t *rsdp = m->bytes.data;

	assert_memory_equal(rsdp, "RSD PTR ", 8);
	assert_int_equal(sum(rsdp, 20), 0);
	assert_int_equal(sum(rsdp, 36), 0);
	const struct acpi_table *xsdt = add_table(m, table_le(rsdp, 24, 8));
	assert_string_equal(xsdt->name, "XSDT");
	for (size_t at = 36; at < xsdt->len; at += 8) {
		const struct acpi_table *t = add_table(m, table_le(xsdt->data, at, 8));

		if (strcmp(t->name, "FACP") == 0)
			assert_string_equal(add_table(m, table_le(t->data, 140, 8))->name, "DSDT");
	}
}

void acpi_machine_init(struct acpi_machine *m, const struct plan *p, bool has_serial)
{
	*m = (struct acpi_machine){ 0 };
	m->in = (struct vmm_acpi_input){
		.plan = p,
		.base = VMM_ACPI,
		.roots = m->roots,
		.n_roots = make_roots(m->roots, p),
		.has_serial = has_serial,
	};
	assert_int_equal(vmm_acpi_make(&m->in, &m->bytes), 0);
	find_tables(m);
}

void acpi_machine_done(struct acpi_machine *m)
{
	vmm_bytes_done(&m->bytes);
}

const struct acpi_table *acpi_machine_find(const struct acpi_machine *m, const char *name)
{
	for (size_t i = 0; i < m->n_tables; i++)
		if (strcmp(m->tables[i].name, name) == 0)
			return &m->tables[i];
	return NULL;
}
