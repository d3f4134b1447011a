/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The devices: list of a spec. */
#ifndef CARVE_PLAN_SPEC_DEVICE_H
#define CARVE_PLAN_SPEC_DEVICE_H

#include "plan/source.h"
#include "plan/spec.h"
#include "plan/spec_yaml.h"

/**
 * spec_read_devices() - all entries of devices: into @spec, and what they say about each other
 * Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */
int spec_read_devices(const struct source *s, const struct raw_spec *raw, struct spec *spec);

#endif
