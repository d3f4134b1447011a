/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What can only be read with the lock of a function, which a probe or unbind that hangs keeps for ever. */
#ifndef CARVE_SRIOV_LOCKED_H
#define CARVE_SRIOV_LOCKED_H

#include "base/sysroot.h"
#include "plan/inventory.h"
#include "sriov/pci.h"

/**
 * sr_locked_read() - sriov_numvfs and driver_override of all functions, read by a child
 * @configs: as sr_scan() gave them: where config space told the VF count, it is not asked for again
 * @is_plan: leave out driver_override, which no plan depends on
 * @inv:     as sr_scan() left it
 *
 * A function that does not answer is waited for 1 s; each further one half as long as the one before,
 * but 100 ms; 4 s are spent in all. One that did not answer, or was not asked any more, is marked
 * is_silent and counts as one in quarantine: its VF count is what its virtfn links show, its
 * driver_override unknown (""). What is in quarantine already is not asked.
 * A snapshot has no locks: it is read at once. Without anything to ask there is no child.
 *
 * Return: 0, -errno with @err filled when there can be no child.
 */
int sr_locked_read(struct cv_sysroot *root, const struct sr_config *configs, bool is_plan,
		   struct inventory *inv, struct cv_error *err);

#endif
