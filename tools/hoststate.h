/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that Carve may change on a host, as one flat map, and the comparison of two of them
 * (docs/formats/hoststate.md). */
#ifndef CARVE_TOOLS_HOSTSTATE_H
#define CARVE_TOOLS_HOSTSTATE_H

#include "base/json.h"
#include "base/sysroot.h"

#define HOSTSTATE_VERSION 1

/**
 * hoststate_read() - {"carve_hoststate":1,"values":{"pci/0000:01:00.0/driver":"igb",...}}
 *
 * No counters and no times: two readings of a host where nothing happens are equal. What cannot be
 * read is left out; an attribute of a function that does not answer within 1 s is "no answer".
 * Return: 0 and a new reference, -ENOMEM.
 */
int hoststate_read(struct cv_sysroot *root, json_t **ret, struct cv_error *err);

/** hoststate_parse() - a saved reading. Return: 0 and a new reference, -EINVAL, -EPROTONOSUPPORT. */
int hoststate_parse(const char *text, const char *origin, json_t **ret, struct cv_error *err);

/**
 * hoststate_compare() - what differs between two readings, as parsed or read; pure
 * Return: a new array of {"object","before","now"} in the order of @before, then what is new; null
 * stands for "not there". NULL when out of memory.
 */
json_t *hoststate_compare(const json_t *before, const json_t *now);

#endif
