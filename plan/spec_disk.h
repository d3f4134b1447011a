/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks: list of a spec. */
#ifndef CARVE_PLAN_SPEC_DISK_H
#define CARVE_PLAN_SPEC_DISK_H

#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_disks() - all entries of disks: into @spec; no path and no serial twice
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int spec_read_disks(const struct source *s, const struct raw_spec *raw, struct spec *spec);
void spec_disks_done(struct spec *spec);

#endif
