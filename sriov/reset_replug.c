// SPDX-License-Identifier: GPL-2.0-or-later
/* The rungs that take a function off the bus and find it again: its slot without power, remove and
 * rescan. What was bound to which driver comes back, and no other driver sees it on the way. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/reset_climb.h"
#include "sriov/reset_origin.h"

/* Return: 0, -EIO with the reason: it did not go. */
static int await_gone(struct sr_climb *c)
{
	int64_t end = cv_now_ms() + c->env->deadline_ms;

	while (sr_exists(c->env->root, c->bdf)) {
		if (cv_now_ms() >= end) {
			snprintf(c->reason, sizeof(c->reason),
				 "the function stayed on the bus after a reset (%s)",
				 sr_rung_name(c->result.rung));
			snprintf(c->evidence, sizeof(c->evidence),
				 SR_DEVICES "/%.20s: still there within %u ms", c->bdf,
				 c->env->deadline_ms);
			return -EIO;
		}
		sr_pause();
	}
	return 0;
}

static int find_again(struct sr_climb *c, const struct sr_origin *o)
{
	struct cv_error err = { 0 };
	char after[32];
	int r;

	snprintf(after, sizeof(after), "a reset (%s)", sr_rung_name(c->result.rung));
	r = sr_origin_return(c->env, o, after, &err);
	if (r == 0)
		return 0;
	snprintf(c->reason, sizeof(c->reason), "%.159s", err.what);
	snprintf(c->evidence, sizeof(c->evidence), "%.255s", err.found);
	return r == -ETIMEDOUT ? r : -EIO;
}

#define TAKER "%s is VFIO's, and %.32s would take it on its way back (before Linux 6.19)"

void sr_ladder_trim(const struct cv_step_env *env, const char *bdf, struct sr_ladder *ladder)
{
	size_t used = strlen(ladder->left_out), left = 0;

	for (size_t i = 0; i < ladder->n; i++) {
		enum sr_rung rung = ladder->rungs[i];
		const char *taken = NULL;
		struct sr_origin o;
		char driver[64];

		if (rung < SR_RUNG_SLOT || sr_origin_read(env, bdf, rung == SR_RUNG_SLOT, &o) < 0 ||
		    !sr_origin_find_taker(env, &o, &taken, driver, sizeof(driver))) {
			ladder->rungs[left++] = rung;
			continue;
		}
		snprintf(ladder->left_out + used, sizeof(ladder->left_out) - used, "%s%s: " TAKER,
			 used ? "; " : "", sr_rung_name(rung), taken, driver);
		used = strlen(ladder->left_out);
	}
	ladder->n = left;
}

/* Nothing of it may be done when that cannot come out right. */
static int prepare(struct sr_climb *c, bool is_device, struct sr_origin *o)
{
	const char *bdf = NULL;
	char driver[64];
	int r = sr_origin_read(c->env, c->bdf, is_device, o);

	if (r == 0 && is_device && !o->power[0])
		r = -ENOTTY;
	if (!is_device)
		o->power[0] = '\0';
	if (r < 0 || !sr_origin_find_taker(c->env, o, &bdf, driver, sizeof(driver)))
		return r;
	snprintf(c->reason, sizeof(c->reason), TAKER, bdf, driver);
	return -ENOTTY;
}

static int leave_bus(struct sr_climb *c, const char *path, const char *value)
{
	int r = sr_climb_write(c, path, value);

	return r < 0 ? r : await_gone(c);
}

/* However it left, it is looked for: but not behind a write that hangs. */
static int replug(struct sr_climb *c, const struct sr_origin *o, const char *path,
		  const char *value)
{
	int r = sr_origin_hush(c->env, o, NULL);
	int back = 0;

	if (r == 0)
		r = leave_bus(c, path, value);
	if (r == -ETIMEDOUT)
		(void)sr_origin_unhush(c->env, o, NULL);
	else if (r < 0 && c->reason[0])
		(void)sr_origin_return(c->env, o, "a reset", NULL);
	else
		back = find_again(c, o);
	return r < 0 ? r : back;
}

int sr_replug_slot(struct sr_climb *c)
{
	struct sr_origin o;
	int r = prepare(c, true, &o);

	return r < 0 ? r : replug(c, &o, o.power, "0");
}

int sr_replug_remove(struct sr_climb *c)
{
	char path[CV_PATH_MAX];
	struct sr_origin o;
	int r = prepare(c, false, &o);

	return r < 0 ? r : replug(c, &o, sr_path(path, c->bdf, "remove"), "1");
}
