// SPDX-License-Identifier: GPL-2.0-or-later
/* Reserved functions are taken at boot, before a host driver can. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/step.h"
#include "sriov/function.h"
#include "sriov/reserve.h"
#include "sriov/steps.h"

#define PROBE "/sys/bus/pci/drivers_probe"

static const char *const result_names[SR_RESERVED_RESULTS] = {
	[SR_RESERVED_BOUND] = "bound",	 [SR_RESERVED_READY] = "ready",
	[SR_RESERVED_ABSENT] = "absent", [SR_RESERVED_REPLACED] = "replaced",
	[SR_RESERVED_HELD] = "held",	 [SR_RESERVED_FAILED] = "failed",
};

const char *sr_reserved_result_name(enum sr_reserved_result result)
{
	return result < SR_RESERVED_RESULTS ? result_names[result] : "";
}

static void fail_entry(struct sr_reserved_outcome *o, const struct cv_error *why)
{
	o->result = SR_RESERVED_FAILED;
	snprintf(o->text, sizeof(o->text), "%.150s%s%.100s", why->what, why->found[0] ? ": " : "",
		 why->found);
}

/* The udev rules know no serial numbers: they are told by a file which card is not meant. */
static int mark_replaced(struct cv_sysroot *root, const char *bdf, bool is_replaced)
{
	char path[CV_PATH_MAX];
	int r;

	cv_pathf(path, SR_REPLACED_DIR "/%s", bdf);
	if (!is_replaced) {
		r = cv_unlink(root, path);
		return r == -ENOENT ? 0 : r;
	}
	r = cv_mkdir_p(root, SR_REPLACED_DIR, 0755);
	return r < 0 ? r : cv_replace_file(root, path, "", 0644);
}

static void describe_other(struct cv_sysroot *root, const struct sr_reserved *e,
			   const struct sr_reserved_state *s, struct sr_reserved_outcome *o)
{
	char bdf[CV_BDF_MAX], path[CV_PATH_MAX], vendor[16] = "?", device[16] = "?";

	cv_format_bdf(e->bdf, bdf);
	(void)cv_read_into(root, sr_path(path, bdf, "vendor"), vendor, sizeof(vendor));
	(void)cv_read_into(root, sr_path(path, bdf, "device"), device, sizeof(device));
	o->result = SR_RESERVED_REPLACED;
	snprintf(o->text, sizeof(o->text),
		 "%s %s serial \"%.60s\", noted was 0x%04x 0x%04x serial \"%.60s\"", vendor, device,
		 s->serial, e->vendor, e->device, e->serial);
}

/* Which entries are to be taken: those left with SR_RESERVED_BOUND. */
static void judge(struct cv_sysroot *root, const struct sr_reserved *e,
		  struct sr_reserved_outcome *o)
{
	struct sr_reserved_state s = { 0 };
	struct cv_error err = { 0 };
	char bdf[CV_BDF_MAX];

	cv_format_bdf(e->bdf, bdf);
	*o = (struct sr_reserved_outcome){ .bdf = e->bdf };
	if (sr_reserved_look(root, e, &s, &err) < 0) {
		fail_entry(o, &err);
	} else if (!s.is_present) {
		o->result = SR_RESERVED_ABSENT;
		snprintf(o->text, sizeof(o->text), "there is no such function");
	} else if (!s.is_same) {
		describe_other(root, e, &s, o);
	} else if (s.is_bound) {
		o->result = SR_RESERVED_READY;
	} else if (s.driver[0]) {
		o->result = SR_RESERVED_HELD;
		snprintf(o->text, sizeof(o->text), "driver %.63s, wanted %.63s", s.driver,
			 e->driver);
	}
	if (mark_replaced(root, bdf, o->result == SR_RESERVED_REPLACED) < 0 &&
	    o->result == SR_RESERVED_REPLACED)
		strncat(o->text, "; udev could not be told", sizeof(o->text) - strlen(o->text) - 1);
}

static void set_override(const struct cv_step_env *env, const struct sr_reserved *e,
			 struct sr_reserved_outcome *o)
{
	char bdf[CV_BDF_MAX], path[CV_PATH_MAX], now[64];
	struct cv_error err = { 0 };
	int r;

	cv_format_bdf(e->bdf, bdf);
	r = sr_override(env->root, bdf, env->deadline_ms, now, sizeof(now));
	if (r == 0 && strcmp(now, e->driver) == 0)
		return;
	r = sr_write(env, bdf, sr_path(path, bdf, "driver_override"), e->driver,
		     "setting driver_override", &err);
	if (r < 0 && r != -ETIMEDOUT)
		cv_fail_errno(&err, r, bdf, "cannot set driver_override");
	if (r < 0)
		fail_entry(o, &err);
}

/* Loading a driver has it take all functions that name it; one that was loaded is asked. */
static void take(const struct cv_step_env *env, const struct sr_reserved *e,
		 struct sr_reserved_outcome *o)
{
	char bdf[CV_BDF_MAX], now[64] = "";
	struct cv_error err = { 0 };
	int r = sr_step_module.apply(env, e->driver, "loaded", NULL, &err);

	cv_format_bdf(e->bdf, bdf);
	if (r == 0)
		r = sr_driver(env->root, bdf, now, sizeof(now));
	if (r == 0 && !now[0])
		r = sr_write(env, bdf, PROBE, bdf, "binding a reserved function", &err);
	if (r == 0)
		r = sr_driver(env->root, bdf, now, sizeof(now));
	if (r == 0 && strcmp(now, e->driver) == 0)
		return;
	if (!err.err)
		cv_fail(&err, r < 0 ? r : -ENODEV, CV_EXIT_FAILED, "EBIND", bdf,
			"the function did not bind to %s: %s", e->driver,
			now[0] ? now : strerror(r < 0 ? -r : ENODEV));
	fail_entry(o, &err);
}

/* About the first of those that are not as they should be. */
static int sum_up(const struct sr_reserved_list *l, const struct sr_reserved_outcome *o,
		  struct cv_error *err)
{
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < l->n; i++) {
		if (o[i].result < SR_RESERVED_REPLACED)
			continue;
		cv_fail(err, -EIO, CV_EXIT_FAILED, "ERESERVED", cv_format_bdf(o[i].bdf, bdf),
			"the reserved function is %s", sr_reserved_result_name(o[i].result));
		cv_error_found(err, "%s", o[i].text);
		cv_error_wanted(err, "bound to %s", l->v[i].driver);
		cv_error_hint(err,
			      "reserve it again if the card is meant, or release the reservation");
		return -EIO;
	}
	return 0;
}

int sr_reserved_apply(const struct cv_step_env *env, const struct sr_reserved_list *l,
		      struct sr_reserved_outcome *ret, struct cv_error *err)
{
	for (size_t i = 0; i < l->n; i++) {
		judge(env->root, &l->v[i], &ret[i]);
		if (ret[i].result == SR_RESERVED_BOUND)
			set_override(env, &l->v[i], &ret[i]);
	}
	for (size_t i = 0; i < l->n; i++)
		if (ret[i].result == SR_RESERVED_BOUND)
			take(env, &l->v[i], &ret[i]);
	return sum_up(l, ret, err);
}
