/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that must not be given out again until an operator cleared them; survives a reboot
 * (docs/formats/quarantine.md). */
#ifndef CARVE_BASE_QUARANTINE_H
#define CARVE_BASE_QUARANTINE_H

#include <stdint.h>

#include "base/bdf.h"
#include "base/owner.h"

#define CV_QUARANTINE_VERSION 1

struct cv_quarantine {
	struct cv_bdf bdf;
	char reason[256];   /* what was being done, what happened */
	char evidence[256]; /* path and value */
	int64_t since;
	struct cv_owner owner; /* whose lease it was */
};

/** cv_quarantine_add() - write CV_QUARANTINE_DIR/BDF.json, replacing an older entry. */
int cv_quarantine_add(struct cv_sysroot *r, const struct cv_quarantine *q, struct cv_error *err);
/** cv_quarantine_read() - Return: 0, -ENOENT (not quarantined), -EINVAL, -EPROTONOSUPPORT. */
int cv_quarantine_read(struct cv_sysroot *r, struct cv_bdf bdf, struct cv_quarantine *ret,
		       struct cv_error *err);
/** cv_quarantine_clear() - Return: 0, -ENOENT. */
int cv_quarantine_clear(struct cv_sysroot *r, struct cv_bdf bdf, struct cv_error *err);

#endif
