// SPDX-License-Identifier: GPL-2.0-or-later
/* From what VFs there are to those that are wanted, as steps (sriov/steps.h, base/step.h). */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/vf_policy.h"

/** struct steps - a growing list */
struct steps {
	struct cv_step *v;
	size_t n;
};

void vf_step_done(struct cv_step *s)
{
	free((char *)(uintptr_t)s->kind);
	free((char *)(uintptr_t)s->object);
	free((char *)(uintptr_t)s->value);
	free((char *)(uintptr_t)s->why);
}

void vf_steps_free(struct cv_step *steps, size_t n)
{
	for (size_t i = 0; steps && i < n; i++)
		vf_step_done(&steps[i]);
	free(steps);
}

static void steps_done(struct steps *s)
{
	vf_steps_free(s->v, s->n);
}

static int add(struct steps *s, const char *kind, const char *object, const char *value,
	       const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static int add(struct steps *s, const char *kind, const char *object, const char *value,
	       const char *fmt, ...)
{
	struct cv_step *grown = reallocarray(s->v, s->n + 1, sizeof(*grown));
	char *why = NULL;
	va_list ap;
	int r;

	if (!grown)
		return -ENOMEM;
	s->v = grown;
	va_start(ap, fmt);
	r = vasprintf(&why, fmt, ap);
	va_end(ap);
	if (r < 0)
		return -ENOMEM;
	grown[s->n] = (struct cv_step){
		.seq = (unsigned int)s->n + 1,
		.kind = strdup(kind),
		.object = strdup(object),
		.value = strdup(value),
		.why = why,
	};
	s->n++;
	return grown[s->n - 1].kind && grown[s->n - 1].object && grown[s->n - 1].value ? 0
										       : -ENOMEM;
}

static int add_autoprobe(const struct inv_dev *pf, bool is_on, struct steps *s)
{
	char bdf[CV_BDF_MAX], path[96];

	if (pf->sriov.autoprobe == is_on)
		return 0;
	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/sriov_drivers_autoprobe",
		 cv_format_bdf(pf->bdf, bdf));
	return add(s, "attr", path, is_on ? "1" : "0", "%s",
		   is_on ? "host drivers may take new VFs" : "no host driver shall touch new VFs");
}

static int add_count(const struct inv_dev *pf, const struct vf_target *t, struct steps *s)
{
	char bdf[CV_BDF_MAX], value[32];

	cv_format_bdf(pf->bdf, bdf);
	snprintf(value, sizeof(value), "%u%s", t->wanted, t->now ? " replace" : "");
	return add(s, "numvfs-set", bdf, value, "%s has %u VFs, %u are wanted", bdf, t->now,
		   t->wanted);
}

/*
 * Without VFs, what becomes of new ones is said last: should the VFs come back because a later step
 * fails, they find what held when they were made.
 */
static int add_creation(const struct inv_dev *pf, const struct vf_target *t, struct steps *s)
{
	bool is_last = t->wanted == 0;
	int r = 0;

	if (is_last && t->now == 0)
		return 0;
	if (!is_last)
		r = add_autoprobe(pf, t->policy->autoprobe, s);
	if (r == 0 && t->now != t->wanted)
		r = add_count(pf, t, s);
	return r == 0 && is_last ? add_autoprobe(pf, t->policy->autoprobe, s) : r;
}

static int find_vf(const struct inventory *inv, int pf, unsigned int index)
{
	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].pf == pf && inv->devs[i].vf_index == (int)index)
			return (int)i;
	return -1;
}

/*
 * What a guest works with is its own until it is given back, with or without a lease; an NVMe VF goes
 * offline for its settings, whoever uses it.
 */
static bool is_left_alone(const struct inventory *inv, const struct vf_target *t,
			  unsigned int index)
{
	int vf = find_vf(inv, t->dev, index);

	if (vf < 0)
		return false;
	return t->policy->queues > 0 ? vf_is_held(inv, vf) : vf_is_taken(inv, vf);
}

static int add_settings(const struct inv_dev *pf, const struct vf_policy *p, unsigned int index,
			const char *net, struct steps *s)
{
	char bdf[CV_BDF_MAX], object[40], value[48];
	int r = 0;

	snprintf(object, sizeof(object), "%s/%u", cv_format_bdf(pf->bdf, bdf), index);
	if (net[0])
		r = add(s, "vf-net", object, net, "settings of VF %u", index);
	if (r < 0 || p->queues == 0)
		return r;
	snprintf(value, sizeof(value), "vq=%u vi=%u", p->queues, p->interrupts);
	return add(s, "vf-nvme", object, value, "queues and interrupts of VF %u", index);
}

static int add_target(const struct inventory *inv, const struct vf_target *t, struct steps *s)
{
	_cleanup_free_ char *net = vf_settings_text(&t->policy->settings);
	const struct inv_dev *pf = &inv->devs[t->dev];
	int r = net ? add_creation(pf, t, s) : -ENOMEM;

	for (unsigned int i = 0; i < t->wanted && r == 0; i++)
		if (!is_left_alone(inv, t, i))
			r = add_settings(pf, t->policy, i, net, s);
	return r;
}

int vf_policy_steps(const struct inventory *inv, const struct vf_target *targets, size_t n,
		    struct cv_step **ret, struct cv_error *err)
{
	_cleanup_(steps_done) struct steps s = { 0 };
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++)
		r = add_target(inv, &targets[i], &s);
	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot make the steps");
	*ret = TAKE_PTR(s.v);
	r = (int)s.n;
	s.n = 0;
	return r;
}
