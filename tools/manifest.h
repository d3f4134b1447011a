/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run manifests on disk: one is written at each start, the newest are kept beyond the VM's end. */
#ifndef CARVE_TOOLS_MANIFEST_H
#define CARVE_TOOLS_MANIFEST_H

#include "base/json.h"
#include "base/state.h"
#include "plan/inventory.h"
#include "plan/plan.h"

#define MANIFEST_DIR CV_VAR_DIR "/runs"
#define MANIFEST_FILE "manifest.json" /* in the VM's directory */
#define MANIFEST_KEPT 100

/**
 * struct manifest_run - a start; all borrowed
 * @inv:     that the plan was made of
 * @timings: array of steps, or NULL
 */
struct manifest_run {
	const struct plan *plan;
	const struct inventory *inv;
	const char *hypervisor, *vmm_version;
	json_t *timings;
};

/**
 * manifest_write() - CV_VM_DIR/NAME/manifest.json, and MANIFEST_DIR/TIME-NAME.json; only the newest
 * MANIFEST_KEPT of those are kept, other files there are left alone
 * Context: the node lock is held, the devices' drivers are loaded.
 * Return: 0, -errno.
 */
int manifest_write(struct cv_sysroot *root, const struct manifest_run *run, struct cv_error *err);

/**
 * manifest_prune() - remove the oldest manifests beyond @keep
 * Return: 0, -errno of the first that could not be removed.
 */
int manifest_prune(struct cv_sysroot *root, size_t keep, struct cv_error *err);

#endif
