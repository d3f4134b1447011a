/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What no emulator has: functions of a fake host that can be reset, and what breaks when they are. */
#ifndef CARVE_TESTS_FAKE_FAULTS_H
#define CARVE_TESTS_FAKE_FAULTS_H

#include "tests/fake/fake_pci.h"

/** enum fake_fault - what one reset method, or being found again, does to a function */
enum fake_fault {
	FAKE_WORKS,
	FAKE_REFUSES, /* -ENOTTY, as a method that is not to be had */
	FAKE_FAILS,   /* -EIO */
	FAKE_BLOCKS,  /* the write never returns */
	FAKE_DEAD,    /* afterwards config space reads 0xff */
	FAKE_NARROW,  /* afterwards its link has 4 lanes */
	FAKE_ERRORS,  /* a fatal AER error more */
	FAKE_REVIVES, /* config space answers again */
	FAKE_GONE,    /* it is not found again */
};

/** fake_faults_install() - before the functions; with fake_pci_install() */
void fake_faults_install(struct fake *f);
/**
 * fake_faults_add() - config space, link (x16), AER counters, reset and remove of a function
 * @d:       as it was made; stays borrowed: it is made again by it
 * @methods: reset_method, "flr bus"
 */
void fake_faults_add(struct fake *f, const struct fake_pci *d, const char *methods);
/** fake_faults_set() - what @method ("flr", "bus", "rescan", "slot") does from now on. */
void fake_faults_set(struct fake *f, const char *bdf, const char *method, enum fake_fault fault);
/** fake_faults_strike() - the same, now. */
void fake_faults_strike(struct fake *f, const char *bdf, enum fake_fault fault);
/** fake_faults_slot() - a slot with power. */
void fake_faults_slot(struct fake *f, const char *name, const char *bdf);

#endif
