/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers made of names: the same guest has the same addresses in each run and on each node. */
#ifndef CARVE_PLAN_NAME_HASH_H
#define CARVE_PLAN_NAME_HASH_H

#include <stdint.h>

#include "base/parse.h"

/** name_hash() - FNV-1a, 64 bits. */
uint64_t name_hash(const char *text);

/**
 * name_mac() - the address of an interface of a guest, as text
 * @first: the first byte of the address: decides that it is of one station and locally administered
 * @vm:    the guest's name
 * @id:    of the device or network
 */
void name_mac(uint8_t first, const char *vm, const char *id, char ret[CV_MAC_MAX]);

#endif
