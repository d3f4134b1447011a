// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/health.h"
#include "sriov/reset_climb.h"
#include "sriov/set_aside.h"

/* reset_method of a function whose reset still hangs is put back if that does not hang as well. */
#define RESTORE_MS 1000
#define SETTLE_MS 1000 /* a link trains, and a function answers, within a second or never */

int sr_climb_prepare(struct sr_climb *c, const struct cv_step_env *env, const char *bdf)
{
	*c = (struct sr_climb){ .env = env, .bdf = bdf, .result = { .error = -ENOTTY } };
	return cv_parse_bdf(bdf, &c->result.bdf);
}

/* ---- what may hang ---- */

void sr_climb_hangs(struct sr_climb *c, const char *fmt, ...)
{
	va_list ap;

	snprintf(c->reason, sizeof(c->reason), "reset (%s) did not finish within %u ms",
		 sr_rung_name(c->result.rung), c->env->deadline_ms);
	va_start(ap, fmt);
	vsnprintf(c->evidence, sizeof(c->evidence), fmt, ap);
	va_end(ap);
}

void sr_climb_goes_on(struct sr_climb *c)
{
	c->reason[0] = c->evidence[0] = '\0';
}

int sr_climb_write(struct sr_climb *c, const char *path, const char *value)
{
	int r;

	if (!c->is_child) {
		r = cv_write_deadline(c->env->root, path, value, c->env->deadline_ms);
		if (r == -ETIMEDOUT)
			sr_climb_hangs(c, "write of \"%s\" to %.200s", value, path);
		return r;
	}
	sr_climb_hangs(c, "write of \"%s\" to %.200s", value, path);
	r = cv_write_str(c->env->root, path, value);
	sr_climb_goes_on(c);
	return r;
}

/* ---- before and after ---- */

/* In a child there is a deadline already. But memory is read by a child of its own, with one as well. */
static unsigned int look_ms(const struct sr_climb *c)
{
	char path[CV_PATH_MAX];

	return c->is_child && cv_exists(c->env->root, sr_path(path, c->bdf, "physfn"))
		       ? 0
		       : c->env->deadline_ms;
}

/* How it was, as far as a reset may not make it worse. A reset on its own shows in the counters. */
void sr_climb_look(struct sr_climb *c)
{
	struct sr_health *h = &c->before;

	if (c->is_looked_at)
		return;
	c->is_looked_at = true;
	c->has_before = sr_health_read(c->env->root, c->bdf, look_ms(c), h) == 0 && h->is_present;
	h->aer_correctable = h->aer_nonfatal = h->aer_fatal = -1;
}

static int await_health(const struct sr_climb *c, struct sr_verdict *ret)
{
	unsigned int ms = c->env->deadline_ms < SETTLE_MS ? c->env->deadline_ms : SETTLE_MS;
	int64_t end = cv_now_ms() + ms;

	for (;;) {
		struct sr_health now;
		int r = sr_health_read(c->env->root, c->bdf, look_ms(c), &now);

		if (r < 0)
			return r;
		sr_health_judge(c->has_before ? &c->before : NULL, &now, NULL, ret);
		if (ret->is_healthy || cv_now_ms() >= end)
			return 0;
		sr_pause();
	}
}

int sr_climb_prove(struct sr_climb *c)
{
	struct sr_verdict v;
	int r = await_health(c, &v);

	if (r == 0 && v.is_healthy)
		return 0;
	if (r < 0 && !sr_health_is_answer(r))
		return r;
	snprintf(c->reason, sizeof(c->reason), "after a reset (%s) %s",
		 sr_rung_name(c->result.rung),
		 r == 0 ? v.reason : "a read of the function did not return");
	snprintf(c->evidence, sizeof(c->evidence), SR_DEVICES "/%.20s %.180s", c->bdf,
		 r == 0 ? v.evidence : "config");
	return r == -ETIMEDOUT ? r : -EIO;
}

/* ---- the kernel's own methods ---- */

void sr_climb_restore(struct sr_climb *c, const char *path, const char *saved)
{
	unsigned int ms = c->env->deadline_ms < RESTORE_MS ? c->env->deadline_ms : RESTORE_MS;

	/* no process may come from a child: it would keep open what VFIO has open there */
	if (c->is_child)
		(void)sr_climb_write(c, path, saved);
	else
		(void)cv_write_deadline(c->env->root, path, saved, ms);
}

static int by_method(struct sr_climb *c)
{
	char method[CV_PATH_MAX], reset[CV_PATH_MAX], saved[64];
	const char *name = sr_rung_name(c->result.rung);
	bool is_other;
	int r;

	sr_path(method, c->bdf, "reset_method");
	sr_path(reset, c->bdf, "reset");
	r = cv_read_into(c->env->root, method, saved, sizeof(saved));
	if (r < 0)
		return r == -ENOENT ? -ENOTTY : r;
	is_other = strcmp(saved, name) != 0;
	if (is_other)
		r = sr_climb_write(c, method, name);
	if (r == 0)
		r = sr_climb_write(c, reset, "1");
	/* a reset that still waits would take the first method of all of them */
	if (is_other && r != -ETIMEDOUT)
		sr_climb_restore(c, method, saved);
	return r;
}

static int (*const ways[SR_RUNGS])(struct sr_climb *c) = {
	[SR_RUNG_DEVICE] = by_method,	 [SR_RUNG_ACPI] = by_method,
	[SR_RUNG_FLR] = by_method,	 [SR_RUNG_AF_FLR] = by_method,
	[SR_RUNG_PM] = by_method,	 [SR_RUNG_BUS] = by_method,
	[SR_RUNG_SLOT] = sr_replug_slot, [SR_RUNG_REMOVE] = sr_replug_remove,
};

/* ---- rung after rung ---- */

static void note_failure(struct sr_climb *c, const char *what)
{
	size_t used = strlen(c->result.text);

	snprintf(c->result.text + used, sizeof(c->result.text) - used, "%s%s: %s", used ? "; " : "",
		 sr_rung_name(c->result.rung), what);
}

int sr_climb_try(struct sr_climb *c, enum sr_rung rung)
{
	memcpy(c->last_reason, c->reason, sizeof(c->last_reason));
	memcpy(c->last_evidence, c->evidence, sizeof(c->last_evidence));
	sr_climb_goes_on(c);
	c->result.rung = rung;
	return ways[rung](c);
}

/* A way that has no reason of its own to set the function aside leaves that of the one before. */
static void keep_reason(struct sr_climb *c, int r)
{
	if (r == -ENOTTY || (r < 0 && !c->reason[0])) {
		memcpy(c->reason, c->last_reason, sizeof(c->reason));
		memcpy(c->evidence, c->last_evidence, sizeof(c->evidence));
	}
	c->last_reason[0] = c->last_evidence[0] = '\0';
}

int sr_climb_took(struct sr_climb *c, int r)
{
	int error = r == -ENOTTY ? c->result.error : r;

	if (r == 0) {
		/* what this machine lacks for the proof is no failed reset */
		r = sr_climb_prove(c);
		error = r;
	} else if (r != -ENOTTY && r != -ETIMEDOUT && sr_health_is_answer(r)) {
		error = -EIO;
	}
	c->result.error = error;
	if (r < 0 && r != -ETIMEDOUT)
		note_failure(c, c->reason[0] ? c->reason : strerror(-r));
	keep_reason(c, r);
	return r;
}

int sr_climb_rung(struct sr_climb *c, enum sr_rung rung)
{
	int64_t start = cv_now_ms();
	int r;

	sr_climb_look(c);
	r = sr_climb_took(c, sr_climb_try(c, rung));
	c->result.ms += (unsigned int)(cv_now_ms() - start);
	return r;
}

/* ---- what the caller is told ---- */

static int fail_refused(const struct sr_climb *c, const struct sr_reset_rule *rule,
			struct cv_error *err)
{
	cv_fail(err, -EPERM, CV_EXIT_PRECONDITION, "ERESET_FATAL", c->bdf,
		"this model is not reset: %s", rule->why);
	cv_error_found(err, "%04x:%04x", rule->vendor, rule->device);
	cv_error_wanted(err, "a function that survives a reset");
	cv_error_hint(err, "%s", rule->source);
	return -EPERM;
}

static int fail_no_way(const struct sr_climb *c, const struct sr_ladder *ladder,
		       struct cv_error *err)
{
	cv_fail(err, -ENOTTY, CV_EXIT_PRECONDITION, "ENORESET", c->bdf,
		"there is no way to reset the function");
	cv_error_found(err, "%s",
		       c->result.text[0]     ? c->result.text
		       : ladder->left_out[0] ? ladder->left_out
					     : "the kernel offers no method");
	cv_error_wanted(err, "a method in its reset_method, or nobody else behind its bridge");
	cv_error_hint(err, "carve device show %s tells what it offers", c->bdf);
	return -ENOTTY;
}

int sr_ladder_check(const char *bdf, const struct sr_ladder *ladder, struct cv_error *err)
{
	const struct sr_climb c = { .bdf = bdf };

	if (ladder->n > 0)
		return 0;
	return ladder->refused_by ? fail_refused(&c, ladder->refused_by, err)
				  : fail_no_way(&c, ladder, err);
}

static int fail_reset(const struct sr_climb *c, const struct sr_ladder *ladder, bool is_aside,
		      struct cv_error *err)
{
	int r = c->result.error;

	cv_fail(err, r,
		r == -ETIMEDOUT ? CV_EXIT_TIMEOUT
		: r == -EBUSY	? CV_EXIT_BUSY
				: CV_EXIT_FAILED,
		r == -ETIMEDOUT ? "ETIMEDOUT" : "ERESET", c->bdf, "%s",
		c->reason[0] ? c->reason : "the function was not reset");
	cv_error_found(err, "%s%s%s", c->result.text,
		       c->result.text[0] && c->evidence[0] ? "; " : "", c->evidence);
	cv_error_wanted(err, "a function that answers after it");
	if (c->reason[0])
		cv_error_hint(err, "%s; see dmesg, it usually needs a reboot or a power cycle%s%s",
			      is_aside ? "the device is in quarantine now"
				       : "the device could NOT be put into quarantine",
			      ladder->left_out[0] ? "; left out: " : "", ladder->left_out);
	return r;
}

/* All rungs failed without a word of the function, or nobody knows where it hangs. */
static void find_reason(struct sr_climb *c)
{
	if (c->reason[0] || (c->result.error != -EIO && c->result.error != -ETIMEDOUT))
		return;
	snprintf(c->reason, sizeof(c->reason), "%s",
		 c->result.error == -EIO ? "no reset worked" : "a reset did not finish");
	snprintf(c->evidence, sizeof(c->evidence), SR_DEVICES "/%.20s %.190s", c->bdf,
		 c->result.text[0] ? c->result.text : sr_rung_name(c->result.rung));
}

int sr_climb_conclude(struct sr_climb *c, const struct sr_ladder *ladder, struct cv_error *err)
{
	bool is_aside = true;

	if (c->result.error == 0)
		return 0;
	if (c->result.error == -EPERM && ladder->n == 0 && ladder->refused_by)
		return fail_refused(c, ladder->refused_by, err);
	if (c->result.error == -ENOTTY)
		return fail_no_way(c, ladder, err);
	find_reason(c);
	if (c->reason[0])
		is_aside = sr_set_aside(c->env, c->bdf, c->reason, c->evidence, NULL) == 0;
	return fail_reset(c, ladder, is_aside, err);
}

int sr_reset(const struct cv_step_env *env, const char *bdf, const struct sr_ladder *ladder,
	     struct sr_reset_result *ret, struct cv_error *err)
{
	struct sr_climb c;
	int r = sr_climb_prepare(&c, env, bdf);

	if (r == 0)
		r = sr_require(env->root, bdf, err);
	else
		cv_fail(err, r, CV_EXIT_USAGE, "EINVAL", bdf, "not a PCI address");
	if (r < 0)
		return r;
	if (ladder->n == 0 && ladder->refused_by)
		c.result.error = -EPERM;
	for (size_t i = 0; i < ladder->n; i++) {
		r = sr_climb_rung(&c, ladder->rungs[i]);
		if (r == 0 || r == -ETIMEDOUT)
			break;
	}
	*ret = c.result;
	return sr_climb_conclude(&c, ladder, err);
}
