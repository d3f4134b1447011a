// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "bind": the driver of a function, by driver_override only. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/steps.h"

#define PROBE "/sys/bus/pci/drivers_probe"

static int fail_read(struct cv_error *err, int r, const char *bdf)
{
	return cv_fail_errno(err, r, bdf, "cannot read driver and driver_override");
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	char driver[64], override[64];
	int r = sr_require(env->root, object, err);

	if (r < 0)
		return r;
	r = sr_driver(env->root, object, driver, sizeof(driver));
	if (r == 0)
		r = sr_override(env->root, object, env->deadline_ms, override, sizeof(override));
	if (r < 0)
		return fail_read(err, r, object);
	*ret_prior = json_pack("{ssss}", "driver", driver, "override", override);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the driver");
}

/* "" clears it: the kernel takes a lone newline for that. */
static int write_override(const struct cv_step_env *env, const char *bdf, const char *driver,
			  struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r = sr_write(env, bdf, sr_path(path, bdf, "driver_override"), driver[0] ? driver : "\n",
			 "setting driver_override", err);

	if (r < 0 && r != -ETIMEDOUT)
		cv_fail_errno(err, r, bdf, "cannot set driver_override to \"%s\"", driver);
	return r;
}

static int set_override(const struct cv_step_env *env, const char *bdf, const char *driver,
			struct cv_error *err)
{
	char now[64];
	int r = sr_override(env->root, bdf, env->deadline_ms, now, sizeof(now));

	return r == 0 && strcmp(now, driver) == 0 ? 0 : write_override(env, bdf, driver, err);
}

static int unbind(const struct cv_step_env *env, const char *bdf, const char *driver,
		  struct cv_error *err)
{
	char path[CV_PATH_MAX], doing[96], now[64];
	int r;

	cv_pathf(path, SR_DRIVERS "/%s/unbind", driver);
	snprintf(doing, sizeof(doing), "unbind from %s", driver);
	r = sr_write(env, bdf, path, bdf, doing, err);
	if (r == -ETIMEDOUT)
		return r;
	/* Gone from the driver by other means meanwhile: as good. */
	if (sr_driver(env->root, bdf, now, sizeof(now)) == 0 && strcmp(now, driver) != 0)
		return 0;
	if (r == 0)
		r = -EBUSY;
	cv_fail_errno(err, r, bdf, "cannot unbind the function from %s", driver);
	cv_error_hint(err, "see dmesg");
	return r;
}

/* Has the kernel look for the driver that driver_override names, and verifies. */
static int probe(const struct cv_step_env *env, const char *bdf, const char *driver,
		 struct cv_error *err)
{
	char doing[96], now[64] = "";
	int r;

	snprintf(doing, sizeof(doing), "bind to %s", driver);
	r = sr_write(env, bdf, PROBE, bdf, doing, err);
	if (r == -ETIMEDOUT)
		return r;
	if (sr_driver(env->root, bdf, now, sizeof(now)) == 0 && strcmp(now, driver) == 0)
		return 0;
	if (r == 0)
		r = -ENODEV;
	cv_fail(err, r, CV_EXIT_FAILED, "EBIND", bdf, "the function did not bind to %s", driver);
	cv_error_found(err, "%s (%s)", now[0] ? now : "no driver", strerror(-r));
	cv_error_wanted(err, "%s", driver);
	cv_error_hint(err, "see dmesg");
	return r;
}

static int check_driver(const struct cv_step_env *env, const char *bdf, const char *driver,
			struct cv_error *err)
{
	char path[CV_PATH_MAX];

	if (cv_exists(env->root, cv_pathf(path, SR_DRIVERS "/%s", driver)))
		return 0;
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "ENODRIVER", bdf, "the driver %s is not loaded",
		driver);
	cv_error_hint(err, "modprobe %s", driver);
	return -ENOENT;
}

/* As record has just read it: each read is a child of its own. */
static int override_now(const struct cv_step_env *env, const char *bdf, const json_t *prior,
			char *buf, size_t size)
{
	const char *noted = cv_json_str(prior, "override", NULL);

	if (!noted)
		return sr_override(env->root, bdf, env->deadline_ms, buf, size);
	snprintf(buf, size, "%s", noted);
	return 0;
}

/* driver_override first: nothing else can take the function between the two writes. */
static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	char now[64], override[64];
	int r = sr_require(env->root, object, err);

	if (r < 0)
		return r;
	r = sr_driver(env->root, object, now, sizeof(now));
	if (r == 0)
		r = override_now(env, object, prior, override, sizeof(override));
	if (r < 0)
		return fail_read(err, r, object);
	if (strcmp(now, value) == 0 && strcmp(override, value) == 0)
		return 0;
	r = check_driver(env, object, value, err);
	if (r == 0 && strcmp(override, value) != 0)
		r = write_override(env, object, value, err);
	if (r < 0 || strcmp(now, value) == 0)
		return r;
	if (now[0])
		r = unbind(env, object, now, err);
	return r < 0 ? r : probe(env, object, value, err);
}

/* The kernel would wait in unbind until the last user of the group has closed it. */
static int check_unused(const struct cv_step_env *env, const char *bdf, const char *driver,
			struct cv_error *err)
{
	char who[64];

	if (!strstr(driver, "vfio") ||
	    !sr_group_user(env->root, sr_group(env->root, bdf), who, sizeof(who)))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", bdf,
		"the function cannot be taken back: its group is open");
	cv_error_found(err, "%s", who);
	cv_error_hint(err, "end that process, then run carve recover");
	return -EBUSY;
}

static int take_back(const struct cv_step_env *env, const char *bdf, const char *driver,
		     struct cv_error *err)
{
	int r = check_unused(env, bdf, driver, err);

	return r < 0 ? r : unbind(env, bdf, driver, err);
}

/* driver_override names the driver while it binds: a VF whose PF has autoprobe off refuses a plain
 * bind, and no other driver can be meant. */
static int give_to(const struct cv_step_env *env, const char *bdf, const char *driver,
		   struct cv_error *err)
{
	int r = check_driver(env, bdf, driver, err);

	if (r == 0)
		r = set_override(env, bdf, driver, err);
	return r < 0 ? r : probe(env, bdf, driver, err);
}

static int bring_back(const struct cv_step_env *env, const char *object, const char *value,
		      const json_t *prior, struct cv_error *err)
{
	const char *before = cv_json_str(prior, "driver", "");
	char now[64];
	int r, cleared;

	r = sr_driver(env->root, object, now, sizeof(now));
	if (r < 0)
		return fail_read(err, r, object);
	if (strcmp(now, before) != 0) {
		/* Bound elsewhere by somebody else meanwhile: not ours to fight. */
		if (now[0] && strcmp(now, value) != 0)
			return cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_DRIVER", object,
				       "bound to %s meanwhile, was bound to \"%s\" before", now,
				       before);
		if (now[0])
			r = take_back(env, object, now, err);
		if (r < 0)
			return r;
		if (before[0])
			r = give_to(env, object, before, err);
	}
	cleared = set_override(env, object, cv_json_str(prior, "override", ""), r < 0 ? NULL : err);
	return r < 0 ? r : cleared;
}

/*
 * An unbind of a killed run may still be under way: the driver then only seems to be as before. It
 * keeps the lock of the device, which reading or writing driver_override waits for, so that what is
 * seen after that is final.
 */
static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	const char *before = cv_json_str(prior, "driver", "");
	char now[64];
	int r;

	if (!sr_exists(env->root, object))
		return 0;
	r = bring_back(env, object, value, prior, err);
	if (r < 0 || sr_driver(env->root, object, now, sizeof(now)) < 0 || strcmp(now, before) == 0)
		return r;
	return bring_back(env, object, value, prior, err);
}

/* Drivers are taken off one after the other: the functions of a card may share more than its group. */
static bool at_once(const struct cv_step_env *env, const char *object)
{
	char now[64];

	return sr_driver(env->root, object, now, sizeof(now)) == 0 && !now[0];
}

const struct cv_step_ops sr_step_bind = {
	.kind = "bind",
	.scope = CV_SCOPE_OWN,
	.undo = "back to the driver and the driver_override it had before",
	.record = record,
	.apply = apply,
	.revert = revert,
	.at_once = at_once,
};
