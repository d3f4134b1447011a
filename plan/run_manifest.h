/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The run manifest: what a guest was started on, as JSON (docs/formats/manifest.md); pure. */
#ifndef CARVE_PLAN_RUN_MANIFEST_H
#define CARVE_PLAN_RUN_MANIFEST_H

#include <stdint.h>

#include "base/json.h"
#include "plan/inventory.h"
#include "plan/plan.h"

#define RUN_MANIFEST_MARKER "carve_manifest"
#define RUN_MANIFEST_VERSION 1

/**
 * struct run_manifest - what goes into it; all borrowed
 * @time:        of the start, seconds since the epoch
 * @inv:         that the plan was made of
 * @hypervisor:  path of the device
 * @vmm_version: as the backend tells it
 * @firmware:    object, what DMI says of the host's firmware
 * @microcode:   of CPU 0, "" unknown
 * @mitigations: object, what the kernel says of each weakness of the CPU
 * @drivers:     object, by name: {"version", "srcversion"}
 * @timings:     array of the steps of the start, or NULL
 */
struct run_manifest {
	const struct plan *plan;
	const struct inventory *inv;
	int64_t time;
	const char *version, *build;
	const char *hypervisor, *vmm_version;
	json_t *firmware;
	const char *microcode;
	json_t *mitigations;
	json_t *drivers;
	json_t *timings;
};

/** run_manifest_anchor() - index in @inv of a plan's device, of the PF for a VF to come; -1. */
int run_manifest_anchor(const struct inventory *inv, const struct plan_device *d);

/**
 * run_manifest_json() - the manifest; the plan is in it as it is, not told twice
 * Return: a new reference, NULL when memory is out.
 */
json_t *run_manifest_json(const struct run_manifest *m);

#endif
