/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One guest of the instruction emulator, led step by step; each call fails the test where it is not
 * as said.
 */
#ifndef CARVE_TESTS_EMUL_STEPS_H
#define CARVE_TESTS_EMUL_STEPS_H

#include "emul_guest.h"

#define REG EMUL_GUEST_REG

/* The guest that all of these are about */
extern struct emul_guest g;

/* A new guest with these bytes as code */
void start(enum emul_mode mode, const char *code);

/* The next step asks to write this. */
void assert_writes(uint64_t addr, unsigned int len, uint64_t want);

/* The next step asks to read this, and gets it. */
void assert_reads(uint64_t addr, unsigned int len, uint64_t answer);

/* The next step ends so. */
void assert_ends(enum emul_result want);

/* The next step raises this, and RIP stays. */
void assert_raises(unsigned int vector, unsigned int error);

/* Eight bytes of RAM */
uint64_t ram(unsigned int at);
void set_ram(unsigned int at, uint64_t value);

#endif
