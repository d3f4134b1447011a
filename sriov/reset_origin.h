/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where functions stood before a reset, and the way back there: onto the bus, to the driver, with the
 * reset methods they had. */
#ifndef CARVE_SRIOV_RESET_ORIGIN_H
#define CARVE_SRIOV_RESET_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/bdf.h"
#include "base/json.h"
#include "base/step.h"

#define SR_ORIGIN_MAX 8 /* functions of one device (PCIe Base 6.0 section 2.2.4.2, without ARI) */

/**
 * struct sr_held - what its holder had set; plain memory
 * @d3cold:   d3cold_allowed, "" without the attribute
 * @has_node: its VFIO group had a node, of that owner and mode
 */
struct sr_held {
	char d3cold[8];
	bool has_node;
	uid_t uid;
	gid_t gid;
	mode_t mode;
};

/**
 * struct sr_place - a function as it stood
 * @pf:      of a VF, "" of others
 * @methods: reset_method, when it has the attribute
 * @held:    nothing where the function was not to leave the bus
 */
struct sr_place {
	char bdf[CV_BDF_MAX], pf[CV_BDF_MAX];
	char driver[64], override[64];
	char methods[64];
	bool has_methods;
	struct sr_held held;
};

/**
 * struct sr_origin - functions that leave the bus together; plain memory
 * @rescan:    what is written to find them again: of their bridge, or of all buses
 * @power:     of their slot, "" none
 * @autoprobe: drivers_autoprobe of the bus, "" when it was not read
 */
struct sr_origin {
	struct sr_place places[SR_ORIGIN_MAX];
	size_t n;
	char rescan[CV_PATH_MAX];
	char power[CV_PATH_MAX];
	char autoprobe[8];
};

/**
 * sr_origin_read() - of function @bdf, with the other functions of its device for @is_device
 * Return: 0, -EINVAL, -ENODEV, -ETIMEDOUT, -errno; no message.
 */
int sr_origin_read(const struct cv_step_env *env, const char *bdf, bool is_device,
		   struct sr_origin *ret);
/** sr_origin_json(), sr_origin_from_json() - as kept in a journal. Return: new object, NULL / 0, -EINVAL. */
json_t *sr_origin_json(const struct sr_origin *o);
int sr_origin_from_json(const json_t *j, struct sr_origin *ret);

/** sr_held_read() - as it is now: what cannot be read is not there. */
void sr_held_read(struct cv_sysroot *root, const char *bdf, struct sr_held *ret);
/** sr_held_put_back() - after the driver; what is so already is not written. Return: 0, -ETIMEDOUT, -errno. */
int sr_held_put_back(const struct cv_step_env *env, const char *bdf, const struct sr_held *h,
		     struct cv_error *err);
/** sr_held_add_json(), sr_held_from_json() - as kept in a journal. Return: 0, -ENOMEM / -EINVAL. */
int sr_held_add_json(const struct sr_held *h, json_t *place);
int sr_held_from_json(const json_t *place, struct sr_held *ret);

/**
 * sr_origin_drop_gone() - forget VFs that are gone because their PF has fewer now: nobody brings them
 * back, nor waits for them
 */
void sr_origin_drop_gone(const struct cv_step_env *env, struct sr_origin *o);

/**
 * sr_origin_find_taker() - a host driver that would take one of the functions on its way back, although
 * it is VFIO's: driver_override is gone with the function, and before Linux 6.19 (commit ea34511aaf75)
 * the kernel does not heed drivers_autoprobe for what a rescan finds
 * @bdf: of that function; borrowed from @o
 * Return: true with the name of the driver.
 */
bool sr_origin_find_taker(const struct cv_step_env *env, const struct sr_origin *o,
			  const char **ret_bdf, char *driver, size_t size);

/** sr_origin_hush(), sr_origin_unhush() - no driver probes what is found in between. sr_origin_return() has
 * the latter in it. Return: 0, -errno. */
int sr_origin_hush(const struct cv_step_env *env, const struct sr_origin *o, struct cv_error *err);
int sr_origin_unhush(const struct cv_step_env *env, const struct sr_origin *o,
		     struct cv_error *err);
/**
 * sr_origin_settle() - wait for a remove of a killed process that is still under way: a rescan has to
 * wait for it. No driver probes what is found, until sr_origin_return(). Return: 0, -ETIMEDOUT, -errno.
 */
int sr_origin_settle(const struct cv_step_env *env, const struct sr_origin *o,
		     struct cv_error *err);
/**
 * sr_origin_return() - everything as it stood; what is so already is not written
 * @after: for messages: "a reset (remove)"
 *
 * What is missing is looked for: with power for its slot, behind its bridge; no driver but the one it had
 * probes it, as far as the kernel lets that be chosen. A write that hangs quarantines the function; one
 * that looks for what is missing those that are missing, and not who asked.
 * Return: 0, -ENODEV (gone from the bus), -ETIMEDOUT, -errno with @err filled.
 */
int sr_origin_return(const struct cv_step_env *env, const struct sr_origin *o, const char *after,
		     struct cv_error *err);

#endif
