// SPDX-License-Identifier: GPL-2.0-or-later
/* PCIe links: slower or narrower than they could be. */
#include <string.h>

#include "plan/audit_checks.h"

static unsigned int lower(unsigned int own, unsigned int upstream)
{
	return upstream && upstream < own ? upstream : own;
}

/* A GPU at rest runs its link at 2.5 GT/s and speeds up under load: no fault. A link never gets wider. */
static void judge_speed(const struct inv_dev *d, struct audit_finding *f)
{
	if (strcmp(inv_class_name(d), "gpu") == 0) {
		f->verdict = AUDIT_PASS;
		audit_effect(f, "a GPU at rest saves power; the speed counts under load");
		return;
	}
	audit_effect(f, "it moves less data than it could; may be power saving while idle");
	audit_fix(f, "look again under load, then at the slot");
}

/* Measured against what both ends of the link can do: a slower slot is no fault of the link. */
bool audit_find_slow_link(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	const struct inv_link none = { 0 };
	const struct inv_link *up = d->parent >= 0 ? &inv->devs[d->parent].link : &none;
	unsigned int speed = lower(d->link.max_speed, up->max_speed);
	unsigned int width = lower(d->link.max_width, up->max_width);

	if (!d->link.speed || !d->link.width)
		return false;
	if (d->link.speed >= speed && d->link.width >= width)
		return false;
	audit_evidence(f, "link at %u.%u GT/s x%u of %u.%u GT/s x%u", d->link.speed / 10,
		       d->link.speed % 10, d->link.width, speed / 10, speed % 10, width);
	if (d->link.width >= width) {
		judge_speed(d, f);
		return true;
	}
	audit_effect(f, "it moves less data than it could");
	audit_fix(f, "seat the card again, look at slot and riser");
	return true;
}
