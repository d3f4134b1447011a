// SPDX-License-Identifier: GPL-2.0-or-later
/* The CPUs of the hostile guest: started, each with a sequence of its own, and with a table of interrupts
 * that brings every one back to it. */
#include "tests/node/hostile/hostile.h"

#define CMDLINE_AT 0x228 /* of the zero page: cmd_line_ptr */
#define MSR_GS_BASE 0xc0000101U
#define KEPT 0x2000U /* a page that a reset leaves alone: how often it was reset */
#define KEPT_MAGIC 0x5ca1ab1eU
#define ICR_LOW (LAPIC + 0x300)
#define ICR_INIT_ALL 0x000c4500U /* all but oneself (Intel SDM vol. 3 section 11.6.1) */
#define ICR_START_ALL 0x000c4600U
#define SPURIOUS (LAPIC + 0xf0)
#define ROUND 400 /* things of the first CPU; then the devices are put back */

struct gate {
	uint16_t low, selector;
	uint8_t ist, type;
	uint16_t middle;
	uint32_t high, zero;
};

struct kept {
	uint32_t magic, resets;
};

static struct cpu cpus[CPUS_MAX];
static struct gate gates[256];
static uint64_t seed;

/* 64-bit code, data: as those of the trampoline. */
static const uint64_t gdt[] = { 0, 0x00af9b000000ffff, 0x00cf93000000ffff };

struct table_pointer {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

/* ---- tables ---- */

static void make_pages(void)
{
	uint64_t *pdpt = tables + 512, *leaves = tables + 1024;

	tables[0] = (uintptr_t)pdpt | 3;
	for (uint64_t i = 0; i < 512; i++)
		pdpt[i] = (uintptr_t)(leaves + 512 * i) | 3;
	for (uint64_t i = 0; i < 512 * 512; i++)
		leaves[i] = i << 21 | 0x83;
}

static void make_gates(void)
{
	for (unsigned int i = 0; i < 256; i++) {
		void (*to)(void) = i < 32 && i != 2 ? on_fault : on_interrupt;
		uint64_t at = (uintptr_t)to;

		gates[i] = (struct gate){ (uint16_t)at,		8, 0, 0x8e, (uint16_t)(at >> 16),
					  (uint32_t)(at >> 32), 0 };
	}
}

static void load_tables(struct cpu *c)
{
	struct table_pointer g = { sizeof(gdt) - 1, (uintptr_t)gdt };
	struct table_pointer i = { sizeof(gates) - 1, (uintptr_t)gates };
	uint64_t base = (uintptr_t)c;

	__asm__ volatile("mov %0, %%cr3\n\t"
			 "lgdt %1\n\t"
			 "lidt %2\n\t"
			 "pushq $8\n\t"
			 "leaq 1f(%%rip), %%rax\n\t"
			 "pushq %%rax\n\t"
			 "lretq\n"
			 "1:\tmovl $16, %%eax\n\t"
			 "movw %%ax, %%ds\n\t"
			 "movw %%ax, %%es\n\t"
			 "movw %%ax, %%ss\n\t"
			 "movw %%ax, %%gs"
			 :
			 : "r"(tables), "m"(g), "m"(i)
			 : "rax", "memory");
	__asm__ volatile("wrmsr"
			 :
			 : "c"(MSR_GS_BASE), "a"((uint32_t)base), "d"((uint32_t)(base >> 32)));
}

/* ---- what is done ---- */

static const struct {
	unsigned int weight;
	void (*fn)(struct cpu *c);
} things[] = {
	{ 20, do_port }, { 25, do_memory }, { 20, do_config },	  { 6, do_bar },
	{ 8, do_msix },	 { 20, do_queue },  { 1, do_interrupts },
};

static void do_one(struct cpu *c)
{
	unsigned int total = 0, at;

	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++)
		total += things[i].weight;
	at = below(c, total);
	for (size_t i = 0; i < sizeof(things) / sizeof(things[0]); i++) {
		if (at < things[i].weight) {
			things[i].fn(c);
			return;
		}
		at -= things[i].weight;
	}
}

static void end_round(struct cpu *c)
{
	restore_functions();
	say_number("\nhostile: things done ", c->done);
	if (once_in(c, 4))
		do_end(c);
}

/* For ever: an exception comes back here, with the next number. */
void go_on(void)
{
	struct cpu *c;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(c));
	c = &cpus[((uintptr_t)c - (uintptr_t)stacks - 1) / STACK_BYTES];
	for (;;) {
		c->done++;
		do_one(c);
		if (c->number == 0 && c->done % ROUND == 0)
			end_round(c);
	}
}

static void begin(unsigned int number)
{
	struct cpu *c = &cpus[number];

	c->number = number;
	c->stack = (uintptr_t)stacks + (number + 1ULL) * STACK_BYTES;
	c->random[0] = seed * 0x9e3779b97f4a7c15ULL + number + 1;
	c->random[1] = ~c->random[0] ^ 0xd1b54a32d192ed03ULL;
	load_tables(c);
	for (unsigned int i = 0; i < 16; i++)
		next(c);
	go_on();
}

void begin_other(unsigned int number)
{
	begin(number);
}

/* ---- the first ---- */

/* What follows the word in it; NULL: it is not there. */
static const char *find_word(const char *cmdline, const char *word)
{
	for (; *cmdline; cmdline++) {
		size_t i = 0;

		while (word[i] && cmdline[i] == word[i])
			i++;
		if (!word[i])
			return cmdline + i;
	}
	return NULL;
}

static uint64_t seed_of(const char *cmdline)
{
	const char *at = find_word(cmdline, "seed=");
	uint64_t value = 0;

	for (; at && *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (uint64_t)(*at - '0');
	return value;
}

/* Of good behaviour: a line after the other, for ever. */
static void talk(void)
{
	for (uint64_t line = 1;; line++)
		say_number("talking: line ", line);
}

static uint32_t count_resets(void)
{
	volatile struct kept *kept = (volatile struct kept *)(uintptr_t)KEPT;

	if (kept->magic != KEPT_MAGIC)
		kept->resets = 0;
	else
		kept->resets++;
	kept->magic = KEPT_MAGIC;
	return kept->resets;
}

static void wait_some(void)
{
	for (unsigned int i = 0; i < 2000; i++)
		(void)port_in(0x80, 1);
}

static void start_others(void)
{
	volatile uint8_t *to = (volatile uint8_t *)(uintptr_t)TRAMPOLINE;

	for (uint32_t i = 0; i < trampoline_bytes; i++)
		to[i] = trampoline[i];
	mem_write(SPURIOUS, 4, 0x1ff);
	mem_write(ICR_LOW, 4, ICR_INIT_ALL);
	wait_some();
	mem_write(ICR_LOW, 4, ICR_START_ALL | TRAMPOLINE >> 12);
	wait_some();
}

void begin_first(const uint8_t *zero_page)
{
	uint32_t cmdline, resets = count_resets();

	__builtin_memcpy(&cmdline, zero_page + CMDLINE_AT, sizeof(cmdline));
	if (find_word((const char *)(uintptr_t)cmdline, "talk"))
		talk();
	seed = seed_of((const char *)(uintptr_t)cmdline);
	say_number("\nhostile: seed ", seed);
	say_number("\nhostile: resets ", resets);
	seed = seed * 1000003 + resets;
	make_pages();
	make_gates();
	__asm__ volatile("mov %0, %%cr3" : : "r"(tables) : "memory");
	find_functions();
	say_number("\nhostile: functions ", n_functions);
	start_others();
	begin(0);
}
