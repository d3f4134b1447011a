/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest without an operating system that does to its VMM what no driver would: each CPU does random
 * things, by a seed. What it finds broken, itself included, is no reason to stop. */
#ifndef CARVE_HOSTILE_H
#define CARVE_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tests/node/hostile/places.h"

#define ECAM 0xe0000000ULL
#define FUNCTIONS_MAX 32
#define ARENA_BYTES (1U << 20) /* rings and buffers, of all CPUs together */

/** struct cpu - one; @stack first: entry.S reads it */
struct cpu {
	uint64_t stack;
	uint64_t random[2];
	uint64_t done;
	unsigned int number;
};

/** struct function - a function of PCI as it was found at the start */
struct function {
	uint16_t at; /* bus << 8 | device << 3 | function */
	uint16_t vendor, device;
	uint8_t header;
	uint32_t command;
	uint32_t bars[6];
	uint8_t msix; /* offset of the capability, 0: none */
	struct {
		uint8_t bar;
		uint32_t offset;
	} common, notify, table;
	bool is_virtio, is_disk;
};

extern struct function functions[FUNCTIONS_MAX];
extern unsigned int n_functions;
extern uint8_t arena[ARENA_BYTES];

/* ---- random: numbers that are often the interesting ones ---- */
uint64_t next(struct cpu *c);
/* 0 to @n - 1 */
uint32_t below(struct cpu *c, uint32_t n);
bool once_in(struct cpu *c, uint32_t n);
/* powers of two, their neighbours, small ones, all ones; any */
uint64_t odd_value(struct cpu *c);

/* ---- access: of one width, 1, 2, 4 or 8 bytes ---- */
void port_out(uint16_t port, unsigned int width, uint32_t value);
uint32_t port_in(uint16_t port, unsigned int width);
void mem_write(uint64_t at, unsigned int width, uint64_t value);
uint64_t mem_read(uint64_t at, unsigned int width);
uint32_t config_read(uint16_t at, unsigned int offset, unsigned int width);
void config_write(uint16_t at, unsigned int offset, unsigned int width, uint32_t value);

void say(const char *text);
void say_number(const char *before, uint64_t value);

/* ---- what it does ---- */
void find_functions(void);
/* all of them as they were found: the next thing reaches them */
void restore_functions(void);
/* address of a BAR as the register says now; 0: none */
uint64_t bar_address(const struct function *f, unsigned int bar);

void do_port(struct cpu *c);
void do_memory(struct cpu *c);
void do_config(struct cpu *c);
void do_bar(struct cpu *c);
void do_msix(struct cpu *c);
void do_interrupts(struct cpu *c);
void do_queue(struct cpu *c);
/* what may well end the guest: reset, a run into a hole */
void do_end(struct cpu *c);

/* of entry.S, and called from there */
extern uint64_t tables[];
extern uint8_t stacks[];
extern const uint8_t trampoline[];
extern const uint32_t trampoline_bytes;
void on_fault(void);
void on_interrupt(void);
void begin_first(const uint8_t *zero_page);
void begin_other(unsigned int number);
void go_on(void);

#endif
