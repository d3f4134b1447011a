// SPDX-License-Identifier: GPL-2.0-or-later
/* Ports, memory, configuration space, and the line that the guest writes to its console. */
#include "tests/node/hostile/hostile.h"

#define COM1 0x3f8

void port_out(uint16_t port, unsigned int width, uint32_t value)
{
	if (width == 1)
		__asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(port));
	else if (width == 2)
		__asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(port));
	else
		__asm__ volatile("outl %0, %w1" : : "a"(value), "d"(port));
}

uint32_t port_in(uint16_t port, unsigned int width)
{
	uint32_t value = 0;

	if (width == 1)
		__asm__ volatile("inb %w1, %b0" : "+a"(value) : "d"(port));
	else if (width == 2)
		__asm__ volatile("inw %w1, %w0" : "+a"(value) : "d"(port));
	else
		__asm__ volatile("inl %w1, %0" : "+a"(value) : "d"(port));
	return value;
}

void mem_write(uint64_t at, unsigned int width, uint64_t value)
{
	if (width == 1)
		__asm__ volatile("movb %b0, (%1)" : : "q"(value), "r"(at) : "memory");
	else if (width == 2)
		__asm__ volatile("movw %w0, (%1)" : : "r"(value), "r"(at) : "memory");
	else if (width == 4)
		__asm__ volatile("movl %k0, (%1)" : : "r"(value), "r"(at) : "memory");
	else
		__asm__ volatile("movq %0, (%1)" : : "r"(value), "r"(at) : "memory");
}

uint64_t mem_read(uint64_t at, unsigned int width)
{
	uint64_t value = 0;

	if (width == 1)
		__asm__ volatile("movb (%1), %b0" : "+q"(value) : "r"(at) : "memory");
	else if (width == 2)
		__asm__ volatile("movw (%1), %w0" : "+r"(value) : "r"(at) : "memory");
	else if (width == 4)
		__asm__ volatile("movl (%1), %k0" : "+r"(value) : "r"(at) : "memory");
	else
		__asm__ volatile("movq (%1), %0" : "+r"(value) : "r"(at) : "memory");
	return value;
}

uint32_t config_read(uint16_t at, unsigned int offset, unsigned int width)
{
	return (uint32_t)mem_read(ECAM + ((uint64_t)at << 12) + offset, width);
}

void config_write(uint16_t at, unsigned int offset, unsigned int width, uint32_t value)
{
	mem_write(ECAM + ((uint64_t)at << 12) + offset, width, value);
}

/* ---- the console ---- */

void say(const char *text)
{
	port_out(COM1 + 4, 1, 0); /* out of loopback */
	port_out(COM1 + 3, 1, 3); /* the data register, not the divisor */
	port_out(COM1 + 1, 1, 0);
	while (*text)
		port_out(COM1, 1, (uint8_t)*text++);
}

void say_number(const char *before, uint64_t value)
{
	char digits[24];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	digits[--at] = '\n';
	do {
		digits[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	say(before);
	say(digits + at);
}

/* ---- random ---- */

/* xorshift128+ */
uint64_t next(struct cpu *c)
{
	uint64_t a = c->random[0], b = c->random[1];

	c->random[0] = b;
	a ^= a << 23;
	c->random[1] = a ^ b ^ a >> 18 ^ b >> 5;
	return c->random[1] + b;
}

uint32_t below(struct cpu *c, uint32_t n)
{
	return (uint32_t)(next(c) >> 33) % n;
}

bool once_in(struct cpu *c, uint32_t n)
{
	return below(c, n) == 0;
}

uint64_t odd_value(struct cpu *c)
{
	switch (below(c, 6)) {
	case 0:
		return (1ULL << below(c, 64)) + below(c, 3) - 1;
	case 1:
		return below(c, 16);
	case 2:
		return ~0ULL >> below(c, 64);
	case 3:
		return (uintptr_t)arena + below(c, ARENA_BYTES);
	}
	return next(c);
}
