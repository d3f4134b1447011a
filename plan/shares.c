// SPDX-License-Identifier: GPL-2.0-or-later
/* The directories that a guest shares with the host. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/placement.h"

_Static_assert(SPEC_MAX_SHARES == PLAN_MAX_SHARES, "each share of a spec has a place in the plan");
_Static_assert(PLAN_MAX_SHARES <= 8, "each share has a function of the slot");
_Static_assert(SPEC_SHARE_TAG == PLAN_SHARE_TAG, "tags of specs fit into plans");

static int set_share(struct plan *plan, const struct spec_share *from, size_t i)
{
	struct plan_share *d = &plan->shares[i];

	d->path = strdup(from->path);
	if (!d->path)
		return -ENOMEM;
	plan->n_shares = i + 1;
	snprintf(d->id, sizeof(d->id), "share%zu", i);
	snprintf(d->tag, sizeof(d->tag), "%s", from->tag);
	d->is_readonly = from->is_readonly;
	d->guest = (struct cv_bdf){ .dev = PLAN_SHARE_SLOT, .fn = (uint8_t)i };
	return 0;
}

int plan_set_shares(struct plan *plan, const struct spec *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n_shares && i < PLAN_MAX_SHARES && r == 0; i++)
		r = set_share(plan, &s->shares[i], i);
	return r;
}
