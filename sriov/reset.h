/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Resets: which way is right for which function, one rung after the other, each with a deadline. */
#ifndef CARVE_SRIOV_RESET_H
#define CARVE_SRIOV_RESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/step.h"
#include "plan/inventory.h"

/**
 * enum sr_rung - from the least to the most that is disturbed
 *
 * The first five are the kernel's own methods (sysfs reset_method, Documentation/ABI/testing/sysfs-bus-pci):
 * device_specific, acpi, flr, af_flr, pm. BUS and SLOT reach all functions behind the bridge, REMOVE
 * takes the function off the bus and scans for it again.
 */
enum sr_rung {
	SR_RUNG_DEVICE,
	SR_RUNG_ACPI,
	SR_RUNG_FLR,
	SR_RUNG_AF_FLR,
	SR_RUNG_PM,
	SR_RUNG_BUS,
	SR_RUNG_SLOT,
	SR_RUNG_REMOVE,
	SR_RUNGS,
};

/** sr_rung_name() - as reset_method spells it: "flr", "bus"; "slot", "remove" */
const char *sr_rung_name(enum sr_rung rung);
/** sr_rung_parse() - Return: 0, -EINVAL. */
int sr_rung_parse(const char *name, enum sr_rung *ret);

/**
 * struct sr_reset_rule - what is known about a model
 * @vendor, @device: PCI ids, 0: any
 * @vf:      1 only VFs, 0 only others, -1 both
 * @refused: bits of rungs that must never be used; all: no reset at all
 * @first:   rung to begin with, SR_RUNGS: the usual order
 * @why:     what happens otherwise
 * @source:  where that is written: issue, erratum, data sheet
 * @mask:    bits of the device id that count, 0: all
 */
struct sr_reset_rule {
	uint16_t vendor, device;
	int vf;
	unsigned int refused;
	enum sr_rung first;
	const char *why, *source;
	uint16_t mask;
};

/** sr_reset_rule_find() - pure: the first row of the table that is about @d, NULL none */
const struct sr_reset_rule *sr_reset_rule_find(const struct inv_dev *d);

/**
 * sr_reset_limit() - pure: what the rules say about a function that VFIO gets
 *
 * vfio-pci resets a function when it is opened and when it is closed, by the methods in reset_method;
 * when none of them works, by its bus, if all that is behind the bridge is VFIO's (vfio_pci_core_enable(),
 * vfio_pci_core_disable()). Fills is_reset_limited, reset_allowed, reset_why and reset_source of @d.
 */
void sr_reset_limit(struct inv_dev *d);

/** struct sr_ladder - the rungs for one function, in order; @refused_by: a rule that left some out */
struct sr_ladder {
	enum sr_rung rungs[SR_RUNGS];
	size_t n;
	const struct sr_reset_rule *refused_by;
	char left_out[256]; /* "bus: 0000:81:00.1 behind the same bridge does not survive it" */
};

/**
 * sr_ladder_make() - pure: what can be tried for device @dev of @inv
 *
 * The kernel's methods as far as it offers them (inv_dev reset methods). BUS and SLOT only when every
 * other function behind the bridge is in @ours (indices of functions that may be reset with it);
 * REMOVE never for a VF and never for a function that another one depends on (a PF with VFs). A bridge
 * has no rung, nor has a PF with VFs that are not in @ours: its reset takes them away (SR-IOV 1.1
 * section 2.2.2).
 */
void sr_ladder_make(const struct inventory *inv, int dev, const int *ours, size_t n_ours,
		    struct sr_ladder *ret);

/**
 * sr_ladder_trim() - leave out SLOT and REMOVE where a host driver would take a function of VFIO on its
 * way back (sr_origin_find_taker()): what is tried is then known before
 */
void sr_ladder_trim(const struct cv_step_env *env, const char *bdf, struct sr_ladder *ladder);
/** sr_ladder_check() - is there a rung? Return: 0, -EPERM (a rule refuses all), -ENOTTY with @err filled. */
int sr_ladder_check(const char *bdf, const struct sr_ladder *ladder, struct cv_error *err);

/** struct sr_reset_result - of one function */
struct sr_reset_result {
	struct cv_bdf bdf;
	int error;	   /* 0, -errno */
	enum sr_rung rung; /* the one that worked, or the last that was tried */
	unsigned int ms;
	char text[192]; /* what failed on the rungs before */
};

/**
 * sr_reset() - go up the ladder until the function answers again (sr_health_read())
 *
 * Through sysfs: reset_method is put back as it was. A write that does not come back quarantines the
 * function, and so do rungs that all failed: nobody can tell what state it is in. SLOT and REMOVE take
 * it off the bus; driver_override and driver are then as before.
 * Return: 0, -ENOTTY (nothing can be tried), -EPERM (a rule refuses all), -EIO (all rungs failed),
 * -ETIMEDOUT.
 */
int sr_reset(const struct cv_step_env *env, const char *bdf, const struct sr_ladder *ladder,
	     struct sr_reset_result *ret, struct cv_error *err);

/**
 * sr_reset_all() - @n functions at once, each with the deadline of @env
 *
 * Functions bound to vfio-pci are reset by VFIO_DEVICE_RESET, which does not wait for its siblings:
 * writes to the reset attribute of functions of one device do. Opening a device of VFIO resets it already,
 * and so does closing it, but only the one asked for in between tells whether it could be.
 *
 * BUS, SLOT and REMOVE reach others: these are climbed for one function after the other, after all that
 * concerns a function alone. A function that was reset by its neighbour's BUS or SLOT is proved again:
 * who waited for one has it, who answered before has to answer still, or goes on with its ladder.
 * Return: 0, or the first error; @ret has all of them, -ECANCELED where nothing was tried.
 */
int sr_reset_all(const struct cv_step_env *env, const char *const *bdfs,
		 const struct sr_ladder *ladders, size_t n, struct sr_reset_result *ret,
		 struct cv_error *err);

#endif
