/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where functions stood before a reset, and the way back there: onto the bus, to the driver, with the
 * reset methods they had. */
#ifndef CARVE_SRIOV_RESET_ORIGIN_H
#define CARVE_SRIOV_RESET_ORIGIN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/bdf.h"
#include "base/json.h"
#include "base/step.h"

#define SR_ORIGIN_MAX 8 /* functions of one device (PCIe Base 6.0 section 2.2.4.2, without ARI) */

/** struct sr_place - a function as it stood; @methods: reset_method, when it has the attribute */
struct sr_place {
	char bdf[CV_BDF_MAX];
	char driver[64], override[64];
	char methods[64];
	bool has_methods;
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
 * probes it, as far as the kernel lets that be chosen. A write that hangs quarantines the function.
 * Return: 0, -ENODEV (gone from the bus), -ETIMEDOUT, -errno with @err filled.
 */
int sr_origin_return(const struct cv_step_env *env, const struct sr_origin *o, const char *after,
		     struct cv_error *err);

#endif
