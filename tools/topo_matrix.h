/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How far GPUs, network and NVMe functions are from each other, as "nvidia-smi topo -m" lays it out. */
#ifndef CARVE_TOOLS_TOPO_MATRIX_H
#define CARVE_TOOLS_TOPO_MATRIX_H

#include "base/json.h"
#include "plan/inventory.h"

/** topo_matrix() - the matrix, which device each name stands for, and the legend. Return: heap string or
 * NULL. */
char *topo_matrix(const struct inventory *inv);
/** topo_matrix_json() - member "distances" of "carve topo --matrix --json". New reference or NULL. */
json_t *topo_matrix_json(const struct inventory *inv);

#endif
