// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/cache.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define ALL_PERCENT 100

static int fail_no_resctrl(const struct spec *s, const char *found, const char *wanted,
			   struct cv_error *err)
{
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_RESCTRL", s->name,
		"this host cannot divide its caches or memory bandwidth");
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "%s", wanted);
	cv_error_hint(err,
		      "mount -t resctrl resctrl /sys/fs/resctrl; where /proc/cpuinfo has neither "
		      "cat_l3 nor mba, leave cache: out of the spec");
	return -EOPNOTSUPP;
}

static int check_host(const struct inv_resctrl *r, const struct spec *s, struct cv_error *err)
{
	if (!r->is_mounted)
		return fail_no_resctrl(s,
				       r->has_l3 || r->has_mb
					       ? "resctrl is not mounted"
					       : "no resctrl: the CPU has neither cat_l3 nor mba",
				       "resctrl mounted on /sys/fs/resctrl", err);
	if (s->l3_ways && !r->has_l3)
		return fail_no_resctrl(s, "no L3 allocation", "/sys/fs/resctrl/info/L3", err);
	if (s->memory_bandwidth && !r->has_mb)
		return fail_no_resctrl(s, "no memory bandwidth allocation",
				       "/sys/fs/resctrl/info/MB", err);
	if (r->l3_closids != 1)
		return 0;
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "NO_CLOSID", s->name,
		"this host has no class of service beside the default one");
	cv_error_found(err, "num_closids 1");
	cv_error_wanted(err, "2 or more");
	cv_error_hint(err, "mount resctrl without cdp, or leave cache: out of the spec");
	return -ENOSPC;
}

static unsigned int least_ways(const struct inv_resctrl *r)
{
	return r->l3_min_bits ? r->l3_min_bits : 1;
}

static unsigned int all_ways(const struct inv_resctrl *r)
{
	return (unsigned int)__builtin_popcountll(r->l3_mask);
}

unsigned int plan_max_ways(const struct inv_resctrl *r)
{
	return all_ways(r) > least_ways(r) ? all_ways(r) - least_ways(r) : 0;
}

static int check_ways(const struct inv_resctrl *r, const struct spec *s, struct cv_error *err)
{
	unsigned int min = least_ways(r);

	if (!s->l3_ways || (s->l3_ways >= min && s->l3_ways <= plan_max_ways(r)))
		return 0;
	cv_fail(err, -ERANGE, CV_EXIT_PRECONDITION, "BAD_WAYS", s->name,
		"%u ways of an L3 cannot be given to one guest", s->l3_ways);
	cv_error_found(err, "%u ways, %u stay with the host", all_ways(r), min);
	cv_error_wanted(err, "%u to %u", min, plan_max_ways(r));
	cv_error_hint(err, "change cache: {l3_ways: } in the spec");
	return -ERANGE;
}

static int check_bandwidth(const struct inv_resctrl *r, const struct spec *s, struct cv_error *err)
{
	if (!s->memory_bandwidth ||
	    (s->memory_bandwidth >= r->mb_min && s->memory_bandwidth <= ALL_PERCENT))
		return 0;
	cv_fail(err, -ERANGE, CV_EXIT_PRECONDITION, "BAD_BANDWIDTH", s->name,
		"a guest cannot be limited to %u %% of the memory bandwidth", s->memory_bandwidth);
	cv_error_found(err, "%u %%", s->memory_bandwidth);
	cv_error_wanted(err, "%u to %u %%", r->mb_min, (unsigned int)ALL_PERCENT);
	cv_error_hint(err, "change cache: {memory_bandwidth: } in the spec");
	return -ERANGE;
}

/* At most what was asked for, at least what the host can. */
static unsigned int round_down(const struct inv_resctrl *r, unsigned int percent)
{
	unsigned int rounded = r->mb_step ? percent - percent % r->mb_step : percent;

	return rounded < r->mb_min ? r->mb_min : rounded;
}

static int explain(struct plan *plan, const struct inventory *inv, const struct spec *s)
{
	const struct inv_resctrl *r = &inv->host.resctrl;
	unsigned int all = all_ways(r);
	char size[CV_SIZE_MAX];
	int rc = 0;

	if (plan->l3_ways)
		rc = plan_add_reason(
			plan, "cache", "%u of %u ways of each of its L3s (%s) for it alone",
			plan->l3_ways, all,
			inv->host.caches.l3
				? cv_format_size(inv->host.caches.l3 / all * plan->l3_ways, size)
				: "size unknown");
	if (rc == 0 && plan->memory_bandwidth != s->memory_bandwidth)
		rc = plan_add_reason(plan, "memory bandwidth",
				     "%u %% instead of %u %%: the host knows steps of %u %%",
				     plan->memory_bandwidth, s->memory_bandwidth, r->mb_step);
	return rc;
}

int plan_set_cache(struct plan *plan, const struct place *p, const struct spec *s,
		   struct cv_error *err)
{
	const struct inv_resctrl *host = &p->inv->host.resctrl;
	int r;

	if (!s->l3_ways && !s->memory_bandwidth)
		return 0;
	r = check_host(host, s, err);
	r = r ?: check_ways(host, s, err);
	r = r ?: check_bandwidth(host, s, err);
	if (r < 0)
		return r;
	plan->l3_ways = s->l3_ways;
	if (s->memory_bandwidth)
		plan->memory_bandwidth = round_down(host, s->memory_bandwidth);
	return explain(plan, p->inv, s);
}

/* ---- several guests ---- */

static int check_closids(const struct inv_resctrl *r, const struct plan *plans, size_t n,
			 struct cv_error *err)
{
	unsigned int asked = 0;
	const char *name = "";

	for (size_t i = 0; i < n; i++)
		if (plans[i].l3_ways || plans[i].memory_bandwidth) {
			name = plans[i].name;
			asked++;
		}
	if (!asked || !r->l3_closids || asked < r->l3_closids)
		return 0;
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "NO_CLOSID", name,
		"this host has fewer classes of service than guests that ask for one");
	cv_error_found(err, "num_closids %u, one of them the host's own", r->l3_closids);
	cv_error_wanted(err, "%u for the guests of this plan", asked);
	cv_error_hint(err, "leave cache: out of some specs, or mount resctrl without cdp");
	return -ENOSPC;
}

/** struct ways - by number of an L3: ways promised, and one more than the last plan that was counted */
struct ways {
	unsigned int sum;
	size_t last;
};

static int fail_ways(const struct inv_resctrl *r, const struct plan *plan, int l3, unsigned int sum,
		     struct cv_error *err)
{
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "TOO_MANY_WAYS", plan->name,
		"the guests that share L3 %d ask for more ways together than it has", l3);
	cv_error_found(err, "%u ways with the guests planned before it", sum);
	cv_error_wanted(err, "at most %u of %u: %u stay with the host", plan_max_ways(r),
			all_ways(r), least_ways(r));
	cv_error_hint(err, "ask for fewer ways (cache: {l3_ways: }), or name other nodes (nodes:) "
			   "for one of the guests");
	return -ENOSPC;
}

static int add_ways(const struct inventory *inv, const struct plan *plans, size_t i,
		    struct ways *ways, struct cv_error *err)
{
	const struct inv_resctrl *r = &inv->host.resctrl;

	for (size_t c = 0; c < inv->n_cpus && plans[i].l3_ways; c++) {
		const struct inv_cpu *cpu = &inv->cpus[c];
		struct ways *w = &ways[cpu->l3 < 0 ? 0 : cpu->l3];

		if (cpu->l3 < 0 || w->last == i + 1 || !cv_cpuset_has(&plans[i].host_cpus, cpu->id))
			continue;
		w->last = i + 1;
		w->sum += plans[i].l3_ways;
		if (w->sum > plan_max_ways(r))
			return fail_ways(r, &plans[i], cpu->l3, w->sum, err);
	}
	return 0;
}

int plan_check_caches(const struct inventory *inv, const struct plan *plans, size_t n,
		      struct cv_error *err)
{
	int max = 0, r = check_closids(&inv->host.resctrl, plans, n, err);

	for (size_t i = 0; i < inv->n_cpus; i++)
		max = inv->cpus[i].l3 > max ? inv->cpus[i].l3 : max;
	_cleanup_free_ struct ways *ways = calloc((size_t)max + 1, sizeof(*ways));
	if (!ways)
		return -ENOMEM;
	for (size_t i = 0; i < n && r == 0; i++)
		r = add_ways(inv, plans, i, ways, err);
	return r;
}
