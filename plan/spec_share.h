/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The shares: list of a spec. */
#ifndef CARVE_PLAN_SPEC_SHARE_H
#define CARVE_PLAN_SPEC_SHARE_H

#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_shares() - all entries of shares: into @spec; no tag twice
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int spec_read_shares(const struct source *s, const struct raw_spec *raw, struct spec *spec);
void spec_shares_done(struct spec *spec);

/** spec_tag_is_valid() - 1 to 36 of A-Z a-z 0-9 . _ + -: what mount(8) and fstab(5) take without quotes */
bool spec_tag_is_valid(const char *text);

#endif
