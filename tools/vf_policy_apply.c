// SPDX-License-Identifier: GPL-2.0-or-later
/* carve vf policy apply: all PFs of this host, each as a change of its own. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "tools/vf_change.h"

/** struct change - of one PF; @is_tried: it was begun, and its end is @error (all zero: it was made) */
struct change {
	const struct vf_target *t;
	char pf[CV_BDF_MAX];
	struct cv_step_list steps;
	bool is_tried;
	struct cv_error error;
};

/**
 * struct changes - of all PFs; done with changes_done()
 * @is_stale: only in a dry run: leases and leftovers are of an earlier boot, a change begins with dropping
 *            them
 */
struct changes {
	struct cmd *c;
	const struct vf_host *h;
	bool is_stale;
	struct change *v;
	size_t n;
};

static void changes_done(struct changes *x)
{
	for (size_t i = 0; i < x->n; i++)
		cv_step_list_done(&x->v[i].steps);
	free(x->v);
}

/* What is sure to be refused is refused before the first PF is changed, and in a dry run. */
static int foresee(struct changes *x, const struct vf_target *t)
{
	struct change *ch = &x->v[x->n++];
	int r;

	ch->t = t;
	cv_format_bdf(x->h->inv.devs[t->dev].bdf, ch->pf);
	r = vf_steps_make(x->c, &x->h->inv, t, 1, &ch->steps);
	if (r < 0 || x->is_stale)
		return r;
	return vf_change_foresee(x->c, &x->h->inv, t->dev, &ch->steps);
}

static int make_change(struct changes *x, struct change *ch)
{
	char title[64];
	int r;

	ch->is_tried = true;
	if (ch->steps.n == 0)
		return 0;
	snprintf(title, sizeof(title), "vf policy of %s", ch->pf);
	r = vf_change_make(x->c, &x->h->inv, ch->t->dev, title, &ch->steps);
	ch->error = r < 0 ? x->c->err : (struct cv_error){ 0 };
	return r;
}

static void tell(const struct changes *x, const struct change *ch)
{
	if (ch->error.err)
		cmd_note(x->c, "%s: failed: %s", ch->pf, ch->error.what);
	else if (!x->c->json)
		cmd_print(ch->steps.n ? "%s: %u VFs, brought to the policy\n"
				      : "%s: %u VFs, nothing to change\n",
			  ch->pf, ch->t->wanted);
}

/* Only an interrupt ends it. */
static void make_all(struct changes *x)
{
	for (size_t i = 0; i < x->n; i++) {
		int r = make_change(x, &x->v[i]);

		tell(x, &x->v[i]);
		if (r == -EINTR)
			break;
	}
}

/* The one to tell: the first, or the first that left something to recover. */
static const struct cv_error *find_error(const struct changes *x)
{
	const struct cv_error *first = NULL;

	for (size_t i = 0; i < x->n; i++) {
		const struct cv_error *e = &x->v[i].error;

		if (e->err &&
		    (!first || (e->exit == CV_EXIT_PARTIAL && first->exit != CV_EXIT_PARTIAL)))
			first = e;
	}
	return first;
}

static json_t *error_json(const struct cv_error *e)
{
	_cleanup_json_ json_t *j = e->err ? cv_error_json(e) : NULL;

	return j ? json_incref(json_object_get(j, "error")) : json_null();
}

static json_t *change_json(const struct change *ch)
{
	bool is_ok = ch->is_tried && !ch->error.err;

	return json_pack("{s:s,s:i,s:b,s:b,s:o}", "pf", ch->pf, "count", (int)ch->t->wanted, "ok",
			 is_ok, "changed", is_ok && ch->steps.n > 0, "error",
			 error_json(&ch->error));
}

static int print_all(const struct changes *x)
{
	json_t *list = x->c->json ? json_array() : NULL;

	for (size_t i = 0; list && i < x->n; i++)
		json_array_append_new(list, change_json(&x->v[i]));
	if (x->c->json)
		return cmd_print_json(x->c, json_pack("{s:i,s:o}", "carve_vf_policy_apply",
						      VF_JSON_VERSION, "pfs", list));
	if (x->n == 0)
		cmd_print("nothing to do: the policy is about no PF of this host\n");
	return 0;
}

/* All PFs at once: nothing is written, nothing can fail. */
static int print_dry_run(struct cmd *c, const struct vf_host *h, const struct vf_target *targets,
			 size_t n)
{
	_cleanup_step_list_ struct cv_step_list s = { 0 };
	int r = vf_steps_make(c, &h->inv, targets, n, &s);

	if (r < 0)
		return r;
	if (s.n > 0 || c->json)
		return vf_change_make(c, &h->inv, -1, "vf policy apply", &s);
	cmd_print("nothing to change\n");
	return 0;
}

int vf_policy_apply(struct cmd *c, const struct vf_host *h, const struct vf_target *targets,
		    size_t n)
{
	_cleanup_(changes_done) struct changes x = {
		.c = c, .h = h, .is_stale = c->dry_run && cv_state_is_stale(c->root)
	};
	const struct cv_error *error;
	int r = 0;

	x.v = calloc(n + 1, sizeof(*x.v));
	if (!x.v)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot apply the policy");
	for (size_t i = 0; i < n && r == 0; i++)
		r = foresee(&x, &targets[i]);
	if (r < 0)
		return r;
	if (c->dry_run)
		return print_dry_run(c, h, targets, n);
	make_all(&x);
	r = print_all(&x);
	error = find_error(&x);
	if (!error)
		return r;
	c->err = *error;
	return error->err;
}
