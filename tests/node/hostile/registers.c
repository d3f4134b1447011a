// SPDX-License-Identifier: GPL-2.0-or-later
/* Random accesses: ports, windows of memory, configuration space, BARs, tables of interrupts. */
#include "tests/node/hostile/hostile.h"

#define PORT_POWER 0x600 /* what ends the guest at once: in do_end() alone */
#define PORT_RESET 0xcf9
#define PORT_EXIT 0xf4
#define RESET_NOW 6
#define POWER_OFF 0x34

#define WINDOW 0xc0000000ULL /* of 32-bit BARs */
#define WINDOW_BYTES 0x20000000U
#define IOAPIC 0xfec00000ULL
#define RAM_END 0x20000000ULL /* of the guest's 512 MiB */

/* ---- ports ---- */

static const uint16_t ports[] = {
	0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x3fd, 0x3fe, 0x3ff, 0xcf8, 0xcfc, 0xcfe,
	0x600, 0x602, 0x20,  0x21,  0xa0,  0xa1,  0x40,	 0x43,	0x61,  0x70,  0x71,
	0x80,  0x92,  0x64,  0x60,  0x4d0, 0xcfa, 0xcfb, 0xf3,	0xf5,  0x510,
};

static bool ends_guest(uint16_t port)
{
	return port == PORT_POWER || port == PORT_RESET || port == PORT_EXIT;
}

static uint16_t random_port(struct cpu *c)
{
	if (once_in(c, 3))
		return (uint16_t)next(c);
	return (uint16_t)(ports[below(c, sizeof(ports) / sizeof(ports[0]))] + below(c, 2));
}

/* String instructions: several elements in one exit. */
static void port_string(struct cpu *c, uint16_t port, bool is_out)
{
	uint8_t *data = arena + below(c, ARENA_BYTES - 8192);
	uint64_t count = below(c, 1024);

	if (is_out)
		__asm__ volatile("rep outsl" : "+S"(data), "+c"(count) : "d"(port) : "memory");
	else
		__asm__ volatile("rep insw" : "+D"(data), "+c"(count) : "d"(port) : "memory");
}

void do_port(struct cpu *c)
{
	uint16_t port = random_port(c);
	unsigned int width = 1U << below(c, 3);
	bool is_out = once_in(c, 2);

	if (is_out && ends_guest(port))
		return;
	if (once_in(c, 64))
		port_string(c, port, is_out);
	else if (is_out)
		port_out(port, width, (uint32_t)odd_value(c));
	else
		(void)port_in(port, width);
}

/* ---- memory ---- */

static uint64_t random_bar(struct cpu *c)
{
	const struct function *f = &functions[below(c, n_functions)];
	uint64_t at = bar_address(f, below(c, 6));

	if (at < RAM_END)
		return WINDOW + below(c, WINDOW_BYTES);
	return at + below(c, once_in(c, 2) ? 0x100 : 0x8000);
}

static uint64_t random_window(struct cpu *c)
{
	switch (below(c, 8)) {
	case 0:
		return WINDOW + below(c, WINDOW_BYTES);
	case 1:
		return ECAM + below(c, 0x10000000);
	case 2:
		return IOAPIC + below(c, 0x40);
	case 3:
		/* not the command register: it would stop the others */
		return LAPIC + below(c, 0x2f0);
	case 4:
		return RAM_END + next(c) % (WINDOW - RAM_END);
	case 5:
		return 0xf0000000ULL + below(c, 0xec00000);
	case 6:
		return (1ULL << 32) + next(c) % (508ULL << 30);
	}
	return RAM_END - 4 + below(c, 8);
}

void do_memory(struct cpu *c)
{
	uint64_t at = n_functions && !once_in(c, 3) ? random_bar(c) : random_window(c);
	unsigned int width = 1U << below(c, 4);

	if (once_in(c, 4))
		at &= ~7ULL;
	if (once_in(c, 2))
		(void)mem_read(at, width);
	else
		mem_write(at, width, odd_value(c));
}

/* ---- configuration space ---- */

static uint16_t random_place(struct cpu *c)
{
	if (n_functions == 0 || once_in(c, 8))
		return (uint16_t)next(c);
	return functions[below(c, n_functions)].at;
}

static unsigned int random_offset(struct cpu *c)
{
	switch (below(c, 4)) {
	case 0:
		return below(c, 4096);
	case 1:
		return below(c, 256);
	}
	return below(c, 64);
}

/* Through the ports of PCI: address and data may be of two CPUs. */
static void config_by_port(struct cpu *c, uint16_t at, unsigned int offset, bool is_write)
{
	port_out(0xcf8, 4, 0x80000000U | (uint32_t)at << 8 | (offset & 0xfc));
	if (is_write)
		port_out((uint16_t)(0xcfc + (offset & 3)), 1U << below(c, 3),
			 (uint32_t)odd_value(c));
	else
		(void)port_in((uint16_t)(0xcfc + (offset & 3)), 1U << below(c, 3));
}

void do_config(struct cpu *c)
{
	uint16_t at = random_place(c);
	unsigned int offset = random_offset(c);
	bool is_write = once_in(c, 2);

	if (once_in(c, 4))
		config_by_port(c, at, offset, is_write);
	else if (is_write)
		config_write(at, offset, 1U << below(c, 4), (uint32_t)odd_value(c));
	else
		(void)config_read(at, offset, 1U << below(c, 4));
	if (is_write && once_in(c, 32))
		restore_functions();
}

/* Somewhere in a window, on another BAR, over memory, over the interrupt controllers, nowhere. */
static uint32_t random_base(struct cpu *c)
{
	switch (below(c, 6)) {
	case 0:
		return (uint32_t)random_bar(c);
	case 1:
		return below(c, (uint32_t)RAM_END);
	case 2:
		return 0xe0000000U + below(c, 0x1fffffff);
	case 3:
		return 0xffffffffU;
	}
	return (uint32_t)WINDOW + below(c, WINDOW_BYTES);
}

void do_bar(struct cpu *c)
{
	const struct function *f;
	unsigned int bar = below(c, 6);

	if (n_functions == 0)
		return;
	f = &functions[below(c, n_functions)];
	if (once_in(c, 3))
		config_write(f->at, 4, 2, below(c, 8));
	config_write(f->at, 0x10 + 4 * bar, 4, random_base(c));
	config_write(f->at, 4, 2, 6);
	if (once_in(c, 2))
		mem_write(bar_address(f, bar) | RAM_END, 4, odd_value(c));
	if (once_in(c, 2)) {
		config_write(f->at, 0x10 + 4 * bar, 4, f->bars[bar]);
		config_write(f->at, 4, 2, f->command);
	}
}

/* ---- interrupts ---- */

static void write_entry(struct cpu *c, uint64_t table)
{
	unsigned int vector = below(c, once_in(c, 4) ? 2048 : 8);
	uint64_t at = table + 16 * vector;

	mem_write(at, 4, once_in(c, 4) ? (uint32_t)odd_value(c) : LAPIC | below(c, 0x100000));
	mem_write(at + 4, 4, once_in(c, 8) ? (uint32_t)odd_value(c) : 0);
	mem_write(at + 8, 4, once_in(c, 4) ? (uint32_t)odd_value(c) : 32 + below(c, 224));
	mem_write(at + 12, 4, below(c, 2));
}

void do_msix(struct cpu *c)
{
	const struct function *f;
	uint64_t table;

	if (n_functions == 0)
		return;
	f = &functions[below(c, n_functions)];
	table = f->msix ? bar_address(f, f->table.bar) : 0;
	if (table < RAM_END)
		return;
	config_write(f->at, f->msix + 2U, 2, once_in(c, 3) ? below(c, 4) << 14 : 0x8000);
	write_entry(c, table + f->table.offset);
}

/* Taken for a moment, then no more. */
void do_interrupts(struct cpu *c)
{
	__asm__ volatile("sti; nop; nop; cli" : : : "memory");
	mem_write(LAPIC + 0xf0, 4, 0x1ff);
	if (once_in(c, 4))
		mem_write(LAPIC + 0x300, 4, 0x40000U | (32 + below(c, 224))); /* to itself */
}

/* ---- the end ---- */

static void run_into(uint64_t at)
{
	((void (*)(void))(uintptr_t)at)();
}

void do_end(struct cpu *c)
{
	switch (below(c, 16)) {
	case 0:
		run_into(WINDOW + below(c, WINDOW_BYTES));
		return;
	case 1:
		say("\nhostile: power off\n");
		port_out(PORT_POWER, 1, POWER_OFF);
		return;
	case 2:
		say("\nhostile: exit port\n");
		port_out(PORT_EXIT, 4, (uint32_t)odd_value(c));
		return;
	}
	port_out(PORT_RESET, 1, RESET_NOW);
}
