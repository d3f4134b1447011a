// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/reset_origin.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/reserve.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "sriov/tree.h"

#define SLOTS "/sys/bus/pci/slots"
#define AUTOPROBE "/sys/bus/pci/drivers_autoprobe"
#define PROBE_MS 1000 /* drivers that probe on their own time: nvme */
#define AGAIN_MS 1000 /* for a function that was waited for before */

/* ---- how it stands ---- */

static int add_place(const struct cv_step_env *env, const char *bdf, struct sr_origin *o)
{
	struct sr_place p = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_copy_text(p.bdf, sizeof(p.bdf), bdf);

	if (r == 0)
		r = sr_driver(env->root, bdf, p.driver, sizeof(p.driver));
	if (r == 0)
		/* behind the lock of the device, which a hung probe may hold */
		r = sr_override(env->root, bdf, env->deadline_ms, p.override, sizeof(p.override));
	if (r < 0)
		return r;
	p.has_methods = cv_read_into(env->root, sr_path(path, bdf, "reset_method"), p.methods,
				     sizeof(p.methods)) == 0;
	if (cv_readlink_base(env->root, sr_path(path, bdf, "physfn"), p.pf, sizeof(p.pf)) < 0)
		p.pf[0] = '\0';
	sr_held_read(env->root, bdf, &p.held);
	o->places[o->n++] = p;
	return 0;
}

static int add_device(const struct cv_step_env *env, struct cv_bdf bdf, struct sr_origin *o)
{
	int r = 0;

	for (uint8_t fn = 0; r == 0 && fn < SR_ORIGIN_MAX; fn++) {
		char name[CV_BDF_MAX];

		bdf.fn = fn;
		cv_format_bdf(bdf, name);
		if (sr_exists(env->root, name))
			r = add_place(env, name, o);
	}
	return r;
}

/* "address" of a slot is that of its device: "0000:81:00". */
static void find_slot(struct cv_sysroot *root, struct cv_bdf bdf, char power[CV_PATH_MAX])
{
	_cleanup_strv_ struct cv_strv slots = { 0 };
	char device[CV_BDF_MAX], address[CV_BDF_MAX], path[CV_PATH_MAX];

	cv_format_bdf(bdf, device);
	*strrchr(device, '.') = '\0';
	power[0] = '\0';
	if (cv_list(root, SLOTS, &slots) < 0)
		return;
	for (size_t i = 0; i < slots.n && !power[0]; i++) {
		cv_pathf(path, SLOTS "/%s/address", slots.v[i]);
		if (cv_read_into(root, path, address, sizeof(address)) < 0 ||
		    strcmp(address, device) != 0)
			continue;
		cv_pathf(path, SLOTS "/%s/power", slots.v[i]);
		if (cv_exists(root, path))
			memcpy(power, path, sizeof(path));
	}
}

/* Below its bridge, or on all buses when it has none. */
static void find_rescan(struct cv_sysroot *root, const char *bdf, char path[CV_PATH_MAX])
{
	_cleanup_free_ char *target = NULL;
	char device[CV_PATH_MAX], host[16], bridge[CV_BDF_MAX];
	struct cv_bdf parent;
	unsigned int depth;

	cv_pathf(device, SR_DEVICES "/%s", bdf);
	if (cv_readlink(root, device, &target) == 0 &&
	    sr_parse_chain(target, host, &parent, &depth) == 1)
		sr_path(path, cv_format_bdf(parent, bridge), "rescan");
	else
		cv_pathf(path, "/sys/bus/pci/rescan");
}

int sr_origin_read(const struct cv_step_env *env, const char *bdf, bool is_device,
		   struct sr_origin *ret)
{
	struct sr_origin o = { 0 };
	struct cv_bdf b;
	int r = cv_parse_bdf(bdf, &b);

	if (r == 0 && !sr_exists(env->root, bdf))
		r = -ENODEV;
	if (r == 0)
		r = is_device ? add_device(env, b, &o) : add_place(env, bdf, &o);
	if (r < 0)
		return r;
	find_rescan(env->root, bdf, o.rescan);
	find_slot(env->root, b, o.power);
	if (cv_read_into(env->root, AUTOPROBE, o.autoprobe, sizeof(o.autoprobe)) < 0)
		o.autoprobe[0] = '\0';
	*ret = o;
	return 0;
}

/* ---- nobody takes it on its way ---- */

/* Linux 6.19: driver core: Check drivers_autoprobe for all added devices */
static bool is_autoprobe_heeded(struct cv_sysroot *root)
{
	char release[128];
	unsigned int major, minor;

	return cv_read_into(root, "/proc/sys/kernel/osrelease", release, sizeof(release)) == 0 &&
	       sscanf(release, "%4u.%4u", &major, &minor) == 2 &&
	       (major > 6 || (major == 6 && minor >= 19));
}

static bool is_for_vfio(const struct sr_place *p)
{
	return p->override[0] || strstr(p->driver, "vfio");
}

bool sr_origin_find_taker(const struct cv_step_env *env, const struct sr_origin *o,
			  const char **ret_bdf, char *driver, size_t size)
{
	if (o->autoprobe[0] && is_autoprobe_heeded(env->root))
		return false;
	for (size_t i = 0; i < o->n; i++) {
		const struct sr_place *p = &o->places[i];

		if (!is_for_vfio(p) || !sr_host_driver(env->root, p->bdf, driver, size))
			continue;
		*ret_bdf = p->bdf;
		return true;
	}
	return false;
}

int sr_origin_hush(const struct cv_step_env *env, const struct sr_origin *o, struct cv_error *err)
{
	int r;

	if (!o->autoprobe[0] || strcmp(o->autoprobe, "0") == 0)
		return 0;
	r = cv_write_str(env->root, AUTOPROBE, "0");
	return r < 0 ? cv_fail_errno(err, r, AUTOPROBE, "cannot keep drivers off what is found")
		     : 0;
}

int sr_origin_unhush(const struct cv_step_env *env, const struct sr_origin *o, struct cv_error *err)
{
	char now[sizeof(o->autoprobe)];
	int r;

	if (!o->autoprobe[0] || (cv_read_into(env->root, AUTOPROBE, now, sizeof(now)) == 0 &&
				 strcmp(now, o->autoprobe) == 0))
		return 0;
	r = cv_write_str(env->root, AUTOPROBE, o->autoprobe);
	if (r == 0)
		return 0;
	cv_fail_errno(err, r, AUTOPROBE, "cannot let drivers probe again");
	cv_error_wanted(err, "%s", o->autoprobe);
	return r;
}

/* ---- onto the bus ---- */

/* Return: the first that is not there, NULL when all are. */
static const struct sr_place *find_missing(const struct cv_step_env *env, const struct sr_origin *o)
{
	for (size_t i = 0; i < o->n; i++)
		if (!sr_exists(env->root, o->places[i].bdf))
			return &o->places[i];
	return NULL;
}

/* What hangs there is the remove, or the probe, of what is missing: who is there has nothing to do with
 * it. */
static void set_missing_aside(const struct cv_step_env *env, const struct sr_origin *o,
			      const char *path)
{
	char reason[160], evidence[CV_PATH_MAX + 64];

	snprintf(reason, sizeof(reason),
		 "gone from the bus, finding it again did not finish within %u ms",
		 env->deadline_ms);
	snprintf(evidence, sizeof(evidence), "write of \"1\" to %s", path);
	for (size_t i = 0; i < o->n; i++)
		if (!sr_exists(env->root, o->places[i].bdf))
			(void)sr_set_aside(env, o->places[i].bdf, reason, evidence, NULL);
}

static int fail_hung(const struct cv_step_env *env, const struct sr_place *missing,
		     const struct sr_place *first, const char *path, struct cv_error *err)
{
	cv_fail(err, -ETIMEDOUT, CV_EXIT_TIMEOUT, "ETIMEDOUT", missing ? missing->bdf : first->bdf,
		missing ? "finding it again did not finish within %u ms"
			: "a look for functions did not finish within %u ms",
		env->deadline_ms);
	cv_error_found(err, "write of \"1\" to %s still blocked", path);
	cv_error_wanted(err, "a bus that nobody removes functions from");
	cv_error_hint(err, "%s; see dmesg, a blocked device usually needs a reboot",
		      missing ? "what is missing is in quarantine now"
			      : "carve device list shows what is in quarantine");
	return -ETIMEDOUT;
}

static int look_for(const struct cv_step_env *env, const struct sr_origin *o, const char *path,
		    struct cv_error *err)
{
	const struct sr_place *missing = find_missing(env, o);
	int r = cv_write_deadline(env->root, path, "1", env->deadline_ms);

	if (r == -ETIMEDOUT) {
		set_missing_aside(env, o, path);
		return fail_hung(env, missing, &o->places[0], path, err);
	}
	if (r < 0)
		cv_fail_errno(err, r, missing ? missing->bdf : o->places[0].bdf,
			      "cannot look for the function by %s", path);
	return r;
}

/* The kernel numbers them without a gap. */
static bool has_vf(struct cv_sysroot *root, const char *pf, const char *vf)
{
	char bdf[CV_BDF_MAX];

	for (unsigned int i = 0; sr_vf_of(root, pf, i, bdf) == 0; i++)
		if (strcmp(bdf, vf) == 0)
			return true;
	return false;
}

void sr_origin_drop_gone(const struct cv_step_env *env, struct sr_origin *o)
{
	size_t left = 0;

	for (size_t i = 0; i < o->n; i++) {
		const struct sr_place *p = &o->places[i];

		if (p->pf[0] && !sr_exists(env->root, p->bdf) && !has_vf(env->root, p->pf, p->bdf))
			continue;
		o->places[left++] = *p;
	}
	o->n = left;
}

static bool is_without_power(const struct cv_step_env *env, const struct sr_origin *o)
{
	char now[8];

	return o->power[0] && cv_read_into(env->root, o->power, now, sizeof(now)) == 0 &&
	       strcmp(now, "0") == 0;
}

/* A slot that finds no card any more says so at once: whether the function is there is seen later. */
static int give_power(const struct cv_step_env *env, const struct sr_origin *o,
		      struct cv_error *err)
{
	int r = 0;

	if (is_without_power(env, o))
		r = look_for(env, o, o->power, err);
	return r == -ETIMEDOUT ? r : 0;
}

static int await_all(const struct cv_step_env *env, const struct sr_origin *o, const char *after,
		     struct cv_error *err)
{
	const struct sr_place *p = find_missing(env, o);
	unsigned int ms = env->deadline_ms;
	int64_t end;

	if (p && ms > AGAIN_MS && sr_is_set_aside(env->root, p->bdf))
		ms = AGAIN_MS;
	for (end = cv_now_ms() + ms; p && cv_now_ms() < end; p = find_missing(env, o))
		sr_pause();
	if (!p)
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_FAILED, "EGONE", p->bdf,
		"the function is gone from the bus after %s", after);
	cv_error_found(err, SR_DEVICES "/%s: no such entry within %u ms", p->bdf, ms);
	cv_error_wanted(err, "the function where it was");
	cv_error_hint(err, "see dmesg; carve device reset, or a power cycle, may bring it back");
	return -ENODEV;
}

static int find_again(const struct cv_step_env *env, const struct sr_origin *o, const char *after,
		      struct cv_error *err)
{
	int r;

	if (!find_missing(env, o) && !is_without_power(env, o))
		return 0;
	r = sr_origin_hush(env, o, err);
	if (r == 0)
		r = give_power(env, o, err);
	if (r == 0 && find_missing(env, o))
		r = look_for(env, o, o->rescan, err);
	return r < 0 ? r : await_all(env, o, after, err);
}

int sr_origin_settle(const struct cv_step_env *env, const struct sr_origin *o, struct cv_error *err)
{
	int r = sr_origin_hush(env, o, err);

	return r < 0 ? r : look_for(env, o, o->rescan, err);
}

/* ---- as it was there ---- */

/* A kernel that does not heed drivers_autoprobe may have a driver on its way to it. */
static int read_driver(const struct cv_step_env *env, const struct sr_place *p, bool was_gone,
		       char now[64])
{
	unsigned int ms = !was_gone || is_autoprobe_heeded(env->root) ? 0
			  : env->deadline_ms < PROBE_MS		      ? env->deadline_ms
								      : PROBE_MS;
	int64_t end = cv_now_ms() + ms;
	int r = sr_driver(env->root, p->bdf, now, 64);

	while (r == 0 && !now[0] && cv_now_ms() < end) {
		sr_pause();
		r = sr_driver(env->root, p->bdf, now, 64);
	}
	return r;
}

/*
 * The undo of a step "bind" does just this: from the driver that has it now to the one before. A function
 * that never left the bus has a driver of somebody's choice, if it has another one: that is left to him.
 */
static int put_back(const struct cv_step_env *env, const struct sr_place *p, bool was_gone,
		    const char *after, struct cv_error *err)
{
	_cleanup_json_ json_t *prior = json_pack("{ssss}", "driver", p->driver, "override",
						 p->override);
	struct cv_error why = { 0 };
	char now[64];
	int r = prior ? read_driver(env, p, was_gone, now) : -ENOMEM;

	if (r == 0)
		r = sr_step_bind.revert(env, p->bdf, was_gone ? now : "", prior, &why);
	if (r == 0)
		return 0;
	cv_fail(err, r, CV_EXIT_FAILED, "EBIND", p->bdf,
		"the function did not get its driver back after %s", after);
	cv_error_found(err, "%s driver: %s", p->bdf, why.found[0] ? why.found : strerror(-r));
	cv_error_wanted(err, "%s", p->driver[0] ? p->driver : "no driver");
	cv_error_hint(err, "see dmesg");
	return r;
}

static int put_methods_back(const struct cv_step_env *env, const struct sr_place *p,
			    struct cv_error *err)
{
	char path[CV_PATH_MAX], now[sizeof(p->methods)];
	int r;

	sr_path(path, p->bdf, "reset_method");
	if (!p->has_methods ||
	    (cv_read_into(env->root, path, now, sizeof(now)) == 0 && strcmp(now, p->methods) == 0))
		return 0;
	r = sr_write(env, p->bdf, path, p->methods[0] ? p->methods : "\n", "setting reset_method",
		     err);
	if (r == 0 || r == -ETIMEDOUT)
		return r;
	cv_fail_errno(err, r, p->bdf, "cannot set reset_method as it was");
	cv_error_wanted(err, "%s", p->methods);
	return r;
}

static int place_again(const struct cv_step_env *env, const struct sr_origin *o, bool was_gone,
		       const char *after, struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < o->n; i++)
		if (sr_exists(env->root, o->places[i].bdf))
			r = put_back(env, &o->places[i], was_gone, after, err);
	for (size_t i = 0; r == 0 && i < o->n; i++) {
		const struct sr_place *p = &o->places[i];

		if (!sr_exists(env->root, p->bdf))
			continue;
		r = put_methods_back(env, p, err);
		r = r ?: sr_held_put_back(env, p->bdf, &p->held, err);
	}
	return r;
}

int sr_origin_return(const struct cv_step_env *env, const struct sr_origin *o, const char *after,
		     struct cv_error *err)
{
	bool was_gone = find_missing(env, o);
	int r = find_again(env, o, after, err), probe, again;

	/* those that came back are not to suffer for one that did not */
	if (r == 0 || r == -ENODEV) {
		again = place_again(env, o, was_gone, after, r < 0 ? NULL : err);
		r = r < 0 ? r : again;
	}
	probe = sr_origin_unhush(env, o, r < 0 ? NULL : err);
	return r < 0 ? r : probe;
}
