// SPDX-License-Identifier: GPL-2.0-or-later
/* The rungs that take a function off the bus and find it again: its slot without power, remove and
 * rescan. What was bound to which driver comes back. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/reset_climb.h"
#include "sriov/steps.h"
#include "sriov/tree.h"

#define SLOTS "/sys/bus/pci/slots"
#define FUNCTIONS_MAX 8 /* of one device */
#define PROBE_MS 1000	/* drivers that probe on their own time: nvme */

/** struct place - a function as it stood */
struct place {
	char bdf[CV_BDF_MAX];
	char driver[64], override[64];
};

/** struct device - the functions that go together */
struct device {
	struct place places[FUNCTIONS_MAX];
	size_t n;
};

static int add_place(const struct sr_climb *c, const char *bdf, struct device *d)
{
	struct place *p = &d->places[d->n];
	int r = sr_driver(c->env->root, bdf, p->driver, sizeof(p->driver));

	if (r == 0)
		r = sr_override(c->env->root, bdf, c->env->deadline_ms, p->override,
				sizeof(p->override));
	if (r < 0)
		return r;
	snprintf(p->bdf, sizeof(p->bdf), "%s", bdf);
	d->n++;
	return 0;
}

/* All functions of the device: they share its slot. */
static int add_device(const struct sr_climb *c, struct device *d)
{
	struct cv_bdf bdf = c->result.bdf;
	int r = 0;

	for (uint8_t fn = 0; r == 0 && fn < FUNCTIONS_MAX; fn++) {
		char name[CV_BDF_MAX];

		bdf.fn = fn;
		cv_format_bdf(bdf, name);
		if (sr_exists(c->env->root, name))
			r = add_place(c, name, d);
	}
	return r;
}

/* Return: 0, -EIO with the reason: it did not come, or did not go. */
static int await(struct sr_climb *c, const char *bdf, bool is_there)
{
	int64_t end = cv_now_ms() + c->env->deadline_ms;

	while (sr_exists(c->env->root, bdf) != is_there) {
		if (cv_now_ms() >= end) {
			snprintf(c->reason, sizeof(c->reason), "the function %s after a reset (%s)",
				 is_there ? "is gone from the bus" : "stayed on the bus",
				 sr_rung_name(c->result.rung));
			snprintf(c->evidence, sizeof(c->evidence),
				 SR_DEVICES "/%.20s: %s within %u ms", bdf,
				 is_there ? "no such entry" : "still there", c->env->deadline_ms);
			return -EIO;
		}
		sr_pause();
	}
	return 0;
}

/* Until some driver has it, or none wants it. */
static void await_probe(const struct sr_climb *c, const char *bdf, char driver[64])
{
	int64_t end = cv_now_ms() +
		      (c->env->deadline_ms < PROBE_MS ? c->env->deadline_ms : PROBE_MS);

	driver[0] = '\0';
	while (sr_driver(c->env->root, bdf, driver, 64) == 0 && !driver[0] && cv_now_ms() < end)
		sr_pause();
}

/* The undo of a step "bind" does just this: from the driver that has it now to the one before. */
static int put_back(struct sr_climb *c, const struct place *p)
{
	_cleanup_json_ json_t *prior = json_pack("{ssss}", "driver", p->driver, "override",
						 p->override);
	struct cv_error err = { 0 };
	char now[64];
	int r;

	if (!prior)
		return -ENOMEM;
	await_probe(c, p->bdf, now);
	r = sr_step_bind.revert(c->env, p->bdf, now, prior, &err);
	if (r < 0) {
		snprintf(c->reason, sizeof(c->reason),
			 "after a reset (%s) the function did not get its driver back",
			 sr_rung_name(c->result.rung));
		snprintf(c->evidence, sizeof(c->evidence), "%.20s driver: %.100s, %s before",
			 p->bdf, err.found[0] ? err.found : strerror(-r),
			 p->driver[0] ? p->driver : "none");
	}
	return r;
}

static int find_again(struct sr_climb *c, const struct device *d)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < d->n; i++)
		r = await(c, d->places[i].bdf, true);
	for (size_t i = 0; r == 0 && i < d->n; i++)
		r = put_back(c, &d->places[i]);
	return r;
}

/* "address" of a slot is that of its device: "0000:81:00". */
static int find_slot(const struct sr_climb *c, char path[CV_PATH_MAX])
{
	_cleanup_strv_ struct cv_strv slots = { 0 };
	char device[CV_BDF_MAX], address[CV_BDF_MAX];

	cv_format_bdf(c->result.bdf, device);
	*strrchr(device, '.') = '\0';
	if (cv_list(c->env->root, SLOTS, &slots) < 0)
		return -ENOTTY;
	for (size_t i = 0; i < slots.n; i++) {
		cv_pathf(path, SLOTS "/%s/address", slots.v[i]);
		if (cv_read_into(c->env->root, path, address, sizeof(address)) < 0 ||
		    strcmp(address, device) != 0)
			continue;
		cv_pathf(path, SLOTS "/%s/power", slots.v[i]);
		if (cv_exists(c->env->root, path))
			return 0;
	}
	return -ENOTTY;
}

int sr_replug_slot(struct sr_climb *c)
{
	struct device d = { 0 };
	char power[CV_PATH_MAX];
	int r = find_slot(c, power);

	if (r == 0)
		r = add_device(c, &d);
	if (r == 0)
		r = sr_climb_write(c, power, "0");
	if (r < 0)
		return r;
	r = await(c, c->bdf, false);
	/* On again in any case, but not behind a write that hangs. */
	if (r == 0 || r == -EIO) {
		int on = sr_climb_write(c, power, "1");

		r = r < 0 ? r : on;
	}
	/* A slot that finds no card any more says so at once; the function is gone all the same. */
	if (r < 0 && (r == -ETIMEDOUT || sr_exists(c->env->root, c->bdf)))
		return r;
	return find_again(c, &d);
}

/* Where to look for it again: below its bridge, or on all buses when it has none. */
static void rescan_path(const struct sr_climb *c, char path[CV_PATH_MAX])
{
	_cleanup_free_ char *target = NULL;
	char device[CV_PATH_MAX], root[16], bridge[CV_BDF_MAX];
	struct cv_bdf parent;
	unsigned int depth;

	cv_pathf(device, SR_DEVICES "/%s", c->bdf);
	if (cv_readlink(c->env->root, device, &target) == 0 &&
	    sr_parse_chain(target, root, &parent, &depth) == 1)
		sr_path(path, cv_format_bdf(parent, bridge), "rescan");
	else
		cv_pathf(path, "/sys/bus/pci/rescan");
}

int sr_replug_remove(struct sr_climb *c)
{
	char rescan[CV_PATH_MAX], path[CV_PATH_MAX];
	struct device d = { 0 };
	int r = add_place(c, c->bdf, &d);

	if (r < 0)
		return r;
	rescan_path(c, rescan);
	r = sr_climb_write(c, sr_path(path, c->bdf, "remove"), "1");
	if (r == 0)
		r = await(c, c->bdf, false);
	if (r == 0)
		r = sr_climb_write(c, rescan, "1");
	return r < 0 ? r : find_again(c, &d);
}
