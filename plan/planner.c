// SPDX-License-Identifier: GPL-2.0-or-later
/* The planner: all guests of a run placed together: the fewest nodes, nearest to their devices, with
 * least fragmentation, lowest ids first. Pure and deterministic. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/cache.h"
#include "plan/search.h"

static int set_strings(struct plan *plan, const struct spec *s, const struct place *p)
{
	const struct site *site = p->site;
	const char *kernel = s->kernel ? s->kernel : site->kernel;
	const char *initrd = s->kernel ? s->initrd : site->initrd;
	const char *cmdline = s->cmdline ? s->cmdline : site->cmdline;

	snprintf(plan->name, sizeof(plan->name), "%s", s->name);
	snprintf(plan->user, sizeof(plan->user), "%s", s->user[0] ? s->user : site->user);
	snprintf(plan->backend, sizeof(plan->backend), "%s",
		 s->backend[0] ? s->backend : site->backend);
	snprintf(plan->hypervisor, sizeof(plan->hypervisor), "%s",
		 s->hypervisor[0] ? s->hypervisor : site->hypervisor);
	snprintf(plan->cpu_vendor, sizeof(plan->cpu_vendor), "%s", p->inv->host.cpu_vendor);
	plan->kernel = strdup(kernel ? kernel : "");
	plan->initrd = strdup(initrd ? initrd : "");
	plan->cmdline = strdup(cmdline ? cmdline : "");
	return plan->kernel && plan->initrd && plan->cmdline ? 0 : -ENOMEM;
}

/**
 * struct run - one call of plan_make()
 * @specs:   copies that borrow: only the default page size is filled in
 * @ended:   what a search that ended at its limit leaves open, else ""
 */
struct run {
	struct place p;
	struct spec *specs;
	size_t n;
	struct place_choice *choices;
	char ended[192];
	struct cv_error *err;
};

static int run_init(struct run *x, const struct inventory *inv, const struct site *site,
		    const struct spec *specs, const struct plan_allowance *allow)
{
	x->specs = calloc(x->n + 1, sizeof(*x->specs));
	x->choices = calloc(x->n + 1, sizeof(*x->choices));
	if (!x->specs || !x->choices)
		return -ENOMEM;
	for (size_t i = 0; i < x->n; i++) {
		x->specs[i] = specs[i];
		if (!specs[i].page_size)
			x->specs[i].page_size = site->page_size;
	}
	return place_init(&x->p, inv, site, allow);
}

static void run_done(struct run *x)
{
	for (size_t i = 0; x->choices && i < x->n; i++)
		place_choice_done(&x->choices[i]);
	free(x->choices);
	free(x->specs);
	place_done(&x->p);
}

static int check_specs(struct run *x)
{
	int r = 0;

	for (size_t i = 0; i < x->n && r == 0; i++) {
		r = place_check_spec(&x->p, &x->specs[i], x->err);
		x->p.mem_given += x->specs[i].memory;
		for (size_t k = 0; k < i && r == 0; k++)
			r = place_check_disks(&x->specs[k], &x->specs[i], x->err);
	}
	return r;
}

static int choose(struct run *x)
{
	struct search search;
	int r = search_init(&search, &x->p, x->specs, x->n, 0);

	if (r < 0)
		return r;
	r = search_run(&search, false);
	bool found = search.found;
	if (r == 0 && found)
		r = search_choices(&search, x->choices);
	if (search.is_ended)
		snprintf(x->ended, sizeof(x->ended),
			 "search ended after %llu steps with the best placement found; %s",
			 (unsigned long long)search.steps,
			 search.is_nearest
				 ? "none has fewer nodes or is nearer to the devices, but "
				   "one with fewer cores left over may be"
				 : "a better one may be");
	search_done(&search);
	return r == 0 && !found ? place_refuse(&x->p, x->specs, x->n, x->err) : r;
}

/* Documentation/scheduler/sched-rt-group.rst: the throttle; Linux 6.12 put the fair server
 * (a deadline server for ordinary threads) in its place. */
static int set_realtime(struct plan *plan, const struct spec *s)
{
	plan->rt_priority = s->rt_priority;
	if (!s->rt_priority)
		return 0;
	return plan_add_reason(
		plan, "real time",
		"vCPU threads have SCHED_FIFO %u; before Linux 6.12 a busy one is stopped for 5 %% of "
		"each second unless kernel.sched_rt_runtime_us is -1 (sysctl -w)",
		s->rt_priority);
}

/* In the order of the specs: for each guest those before it are taken. */
static int finish(struct run *x, size_t i, struct plan *plan)
{
	const struct spec *s = &x->specs[i];
	const struct place_choice *c = &x->choices[i];
	int r = set_strings(plan, s, &x->p);

	plan->limits = s->limits;
	if (r == 0)
		r = plan_explain(plan, &x->p, s, c, x->ended[0] ? x->ended : NULL);
	if (r == 0)
		r = plan_set_topology(plan, &x->p, s, c, x->err);
	if (r == 0)
		r = plan_set_devices(plan, &x->p, s, c, x->err);
	if (r == 0)
		r = plan_set_disks(plan, s);
	if (r == 0)
		r = plan_set_nets(plan, s);
	if (r == 0)
		r = plan_set_shares(plan, s);
	if (r == 0)
		r = plan_set_cache(plan, &x->p, s, x->err);
	if (r == 0)
		r = set_realtime(plan, s);
	return r == 0 ? place_take(&x->p, s, c) : r;
}

static int run(struct run *x, struct plan *plans)
{
	int r = check_specs(x);

	if (r == 0 && x->n)
		r = choose(x);
	for (size_t i = 0; i < x->n && r == 0; i++)
		r = finish(x, i, &plans[i]);
	if (r == 0)
		r = plan_check_caches(x->p.inv, plans, x->n, x->err);
	if (r == 0)
		r = plan_check_nets(plans, x->n, x->err);
	/* last, because the number of VFs to make depends on all plans */
	for (size_t i = 0; i < x->n && r == 0; i++)
		r = plan_set_steps(&plans[i], &x->p);
	return r;
}

int plan_make(const struct inventory *inv, const struct site *site, const struct spec *specs,
	      size_t n, const struct plan_allowance *allow, struct plan *plans,
	      struct cv_error *err)
{
	struct run x = { .n = n, .err = err };

	memset(plans, 0, n * sizeof(*plans));
	int r = run_init(&x, inv, site, specs, allow);
	if (r == 0)
		r = run(&x, plans);
	for (size_t i = 0; i < n && r < 0; i++)
		plan_done(&plans[i]);
	if (r == -ENOMEM)
		cv_fail_errno(err, r, NULL, "cannot plan");
	run_done(&x);
	return r;
}
