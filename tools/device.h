/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the verbs of carve device share. */
#ifndef CARVE_TOOLS_DEVICE_H
#define CARVE_TOOLS_DEVICE_H

#include "base/bdf.h"
#include "plan/inventory.h"
#include "tools/cmd.h"

#define DEVICE_DEADLINE_MS 20000 /* one look at a function, one write that can block */

extern const struct cmd_verb device_bind, device_clear, device_group, device_holders, device_list,
	device_release, device_reserve, device_reset, device_show, device_udev_name;

/** struct device_args - the arguments as addresses, each once; @v owned */
struct device_args {
	struct cv_bdf *v;
	size_t n;
};
void device_args_done(struct device_args *a);
#define _cleanup_args_ __attribute__((cleanup(device_args_done)))

/** device_address() - one argument that is an address. Return: 0, -EINVAL. */
int device_address(struct cmd *c, const char *arg, struct cv_bdf *ret);
/** device_args() - Return: 0, -EINVAL (no address, given twice). */
int device_args(struct cmd *c, struct device_args *ret);
/** device_find() - Return: 0 with the index of the function, -ENODEV with a hint. */
int device_find(struct cmd *c, const struct inventory *inv, struct cv_bdf bdf, int *ret);
/** device_refuse_bridge() - Return: 0, -EINVAL. */
int device_refuse_bridge(struct cmd *c, const struct inv_dev *d);
/** device_is_bridge() - ports and everything else of class bridge. */
bool device_is_bridge(const struct inv_dev *d);
/** device_health() - as far as the inventory tells: "ok", "no answer", "quarantined",
 * "unreadable" */
const char *device_health(const struct inv_dev *d);
#define DEVICE_USE_MAX 200
/** device_use() - who has it, in plain words, "" nobody. Return: @buf. */
const char *device_use(const struct inventory *inv, const struct inv_dev *d,
		       char buf[DEVICE_USE_MAX]);
/** device_json() - a function as in the inventory, with its health. Return: a new reference, NULL. */
json_t *device_json(const struct inventory *inv, int dev);
/** device_bdf_json() - addresses as texts. Return: a new reference, NULL. */
json_t *device_bdf_json(const struct cv_bdf *bdfs, size_t n);

struct sr_holder_list;
/** device_holders_json() - Return: a new reference, NULL. */
json_t *device_holders_json(const struct sr_holder_list *l);

#endif
