/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the inventory's JSON, between the files that write it. */
#ifndef CARVE_PLAN_INVENTORY_JSON_H
#define CARVE_PLAN_INVENTORY_JSON_H

#include <stddef.h>

#include "plan/inventory.h"

/** inv_dev_json() - the PCI function at an index. Return: a new reference, or NULL. */
struct json_t *inv_dev_json(const struct inventory *inv, size_t i);
/** inv_holder_name() - "none", "mount", "netdev", "process", "foreign" */
const char *inv_holder_name(enum inv_holder_kind kind);
/** inv_json_number() - null for -1. Return: a new reference, or NULL. */
struct json_t *inv_json_number(int value);

#endif
