// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/device_reset.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/step_list.h"
#include "tools/device.h"
#include "tools/operation.h"

/* ---- which ways ---- */

static void ladder_text(const struct sr_ladder *l, const char *between, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < l->n && used < size; i++)
		used += (size_t)snprintf(buf + used, size - used, "%s%s", i ? between : "",
					 sr_rung_name(l->rungs[i]));
}

static int keep_rung(struct cmd *c, const char *bdf, enum sr_rung rung, struct sr_ladder *l)
{
	char offered[128];

	for (size_t i = 0; i < l->n; i++) {
		if (l->rungs[i] != rung)
			continue;
		l->rungs[0] = rung;
		l->n = 1;
		return 0;
	}
	ladder_text(l, ", ", offered, sizeof(offered));
	cv_fail(&c->err, -ENOTTY, CV_EXIT_PRECONDITION, "NO_SUCH_RUNG", bdf,
		"the device cannot be reset this way");
	cv_error_found(&c->err, "%s%s%s", offered[0] ? offered : "no method",
		       l->left_out[0] ? "; left out: " : "", l->left_out);
	cv_error_wanted(&c->err, "%s", sr_rung_name(rung));
	cv_error_hint(&c->err, "leave --rung out");
	return -ENOTTY;
}

static struct cv_step_env env_of(struct cmd *c)
{
	return (struct cv_step_env){ .root = c->root,
				     .vm = "carve device reset",
				     .deadline_ms = DEVICE_DEADLINE_MS };
}

int device_reset_ladders(struct cmd *c, const struct inventory *inv, const int *devs, size_t n,
			 enum sr_rung rung, struct sr_ladder *ret)
{
	const struct cv_step_env env = env_of(c);
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		char bdf[CV_BDF_MAX];

		cv_format_bdf(inv->devs[devs[i]].bdf, bdf);
		sr_ladder_make(inv, devs[i], devs, n, &ret[i]);
		sr_ladder_trim(&env, bdf, &ret[i]);
		r = sr_ladder_check(bdf, &ret[i], &c->err);
		if (r == 0 && rung != SR_RUNGS)
			r = keep_rung(c, bdf, rung, &ret[i]);
	}
	return r;
}

/* ---- the change ---- */

/**
 * struct batch - devices that are reset together
 * @free: those that nobody has leased: they are leased meanwhile
 */
struct batch {
	const struct inventory *inv;
	const int *devs;
	size_t n;
	char (*bdfs)[CV_BDF_MAX];
	const char **names;
	struct sr_ladder *ladders;
	struct sr_reset_result *results;
	struct cv_bdf *free;
	size_t n_free;
	struct cv_step_list steps;
};

static void batch_done(struct batch *b)
{
	free(b->bdfs);
	free((void *)b->names);
	free(b->ladders);
	free(b->free);
	cv_step_list_done(&b->steps);
}

static int batch_make(struct cmd *c, struct batch *b)
{
	b->bdfs = calloc(b->n + 1, sizeof(*b->bdfs));
	b->names = calloc(b->n + 1, sizeof(*b->names));
	b->ladders = calloc(b->n + 1, sizeof(*b->ladders));
	b->free = calloc(b->n + 1, sizeof(*b->free));
	if (!b->bdfs || !b->names || !b->ladders || !b->free)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot reset");
	for (size_t i = 0; i < b->n; i++) {
		struct cv_bdf bdf = b->inv->devs[b->devs[i]].bdf;

		b->names[i] = cv_format_bdf(bdf, b->bdfs[i]);
		b->results[i] = (struct sr_reset_result){ .bdf = bdf, .error = -ECANCELED };
		if (!inv_device_lease(b->inv, bdf))
			b->free[b->n_free++] = bdf;
	}
	return 0;
}

static int make_steps(struct cmd *c, struct batch *b)
{
	char rungs[128];
	int r = 0;

	for (size_t i = 0; i < b->n && r == 0; i++) {
		ladder_text(&b->ladders[i], " ", rungs, sizeof(rungs));
		if (rungs[0])
			r = cv_step_list_add(&b->steps, "reset", b->names[i], rungs,
					     "where it stands while it is reset");
	}
	return r < 0 ? cv_fail_errno(&c->err, r, NULL, "cannot make the steps") : 0;
}

static int run_batch(struct cmd *c, void *ctx)
{
	const struct batch *b = ctx;
	const struct cv_step_env env = env_of(c);

	return sr_reset_all(&env, b->names, b->ladders, b->n, b->results, &c->err);
}

static int run_change(struct cmd *c, struct batch *b)
{
	char title[64];
	struct operation op = {
		.title = title,
		.devices = b->free,
		.n_devices = b->n_free,
		.steps = b->steps.v,
		.n_steps = b->steps.n,
		.work = run_batch,
		.ctx = b,
		.user = "",
	};
	int used = snprintf(title, sizeof(title), "reset %s", b->names[0]);

	if (b->n > 1)
		snprintf(title + used, sizeof(title) - (size_t)used, " and %zu more", b->n - 1);
	operation_name(op.name, "reset", b->inv->devs[b->devs[0]].bdf);
	return operation_run_locked(c, &op);
}

int device_reset_all(struct cmd *c, const struct inventory *inv, const int *devs, size_t n,
		     enum sr_rung rung, struct sr_reset_result *results)
{
	_cleanup_(batch_done) struct batch b = {
		.inv = inv, .devs = devs, .n = n, .results = results
	};
	int r = n ? batch_make(c, &b) : 0;

	if (n == 0)
		return 0;
	r = r ?: device_reset_ladders(c, inv, devs, n, rung, b.ladders);
	r = r ?: make_steps(c, &b);
	return r ?: run_change(c, &b);
}

/* ---- for --json ---- */

static json_t *result_json(const struct sr_reset_result *r)
{
	const char *rung = r->error == -ECANCELED ? "" : sr_rung_name(r->rung);
	char bdf[CV_BDF_MAX];

	return json_pack("{s:s,s:b,s:s,s:i,s:o}", "bdf", cv_format_bdf(r->bdf, bdf), "ok",
			 r->error == 0, "rung", rung, "ms", (int)r->ms, "text",
			 cv_json_string(r->text));
}

json_t *device_reset_json(const struct sr_reset_result *results, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list, result_json(&results[i]));
	return list;
}
