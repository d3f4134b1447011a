/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The net: list of a spec. */
#ifndef CARVE_PLAN_SPEC_NET_H
#define CARVE_PLAN_SPEC_NET_H

#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_nets() - all entries of net: into @spec; no id, MAC, socket and forwarded port twice
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int spec_read_nets(const struct source *s, const struct raw_spec *raw, struct spec *spec);
void spec_nets_done(struct spec *spec);

#endif
