// SPDX-License-Identifier: GPL-2.0-or-later
/* Cores: how they divide, and what of the host still runs on those set aside for guests. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

#define MASK_MAX 160
#define KINDS_MAX 8

/* ---- the cores themselves ---- */

static int check_smt(const struct inventory *inv, struct audit *a)
{
	struct audit_finding *f = audit_add(a, "smt", AUDIT_PASS, "");

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/smt/active: %d", inv->host.smt_active);
	audit_effect(f, "%s",
		     inv->host.smt_active ? "both siblings of a core go to the same guest"
					  : "each core has one CPU");
	return 0;
}

static int check_kinds(const struct inventory *inv, struct audit *a)
{
	unsigned int counts[KINDS_MAX] = { 0 };
	char text[128] = "";
	struct audit_finding *f;
	size_t len = 0, kinds = 0;

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].kind >= 0 && inv->cpus[i].kind < KINDS_MAX)
			counts[inv->cpus[i].kind]++;
	for (int k = 0; k < KINDS_MAX && len < sizeof(text); k++) {
		if (counts[k] == 0)
			continue;
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%u of kind %d",
					len ? ", " : "", counts[k], k);
		kinds++;
	}
	if (kinds < 2)
		return 0;
	f = audit_add(a, "cpu-kinds", AUDIT_PASS, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "CPUs: %s (0 is the fastest)", text);
	audit_effect(f, "a guest gets cores of one kind where it fits: mixed ones wait for each "
			"other");
	return 0;
}

/* Documentation/arch/x86/resctrl.rst: what the CPU has is seen in its flags, used where it is mounted. */
static int check_resctrl(const struct inventory *inv, struct audit *a)
{
	const struct inv_resctrl *r = &inv->host.resctrl;
	bool has_any = r->has_l3 || r->has_mb;
	struct audit_finding *f;

	f = audit_add(a, "resctrl", has_any && !r->is_mounted ? AUDIT_WARN : AUDIT_PASS, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/fs/resctrl: %s; L3 allocation %s, memory bandwidth %s",
		       r->is_mounted ? "mounted" : "not mounted", r->has_l3 ? "yes" : "no",
		       r->has_mb ? "yes" : "no");
	if (has_any && r->is_mounted) {
		audit_effect(f, "guests can have cache ways and memory bandwidth of their own");
		return 0;
	}
	audit_effect(f, "a spec with l3_ways or memory_bandwidth is refused; all else works");
	if (has_any)
		audit_fix(f, "mount -t resctrl resctrl /sys/fs/resctrl");
	return 0;
}

/* ---- the cores set aside ---- */

static void add_partitions(const struct inventory *inv, struct cv_cpuset *set)
{
	for (size_t i = 0; i < inv->n_partitions; i++)
		if (inv->partitions[i].is_isolated)
			cv_cpuset_or(set, &inv->partitions[i].cpus);
}

/* What this host keeps its own work away from: at boot, or by a partition. */
static struct cv_cpuset set_aside(const struct inventory *inv)
{
	struct cv_cpuset set = inv->host.isolated;

	cv_cpuset_or(&set, &inv->host.nohz_full);
	add_partitions(inv, &set);
	return set;
}

static bool is_first_of_node(const struct inventory *inv, size_t cpu)
{
	const struct inv_cpu *c = &inv->cpus[cpu];

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (inv->cpus[i].node == c->node && inv->cpus[i].core < c->core)
			return false;
	return true;
}

/* All but the first core of each node: the housekeeping cores of a site that names no other number. */
static struct cv_cpuset for_guests(const struct inventory *inv)
{
	struct cv_cpuset set = { 0 };

	for (size_t i = 0; i < inv->n_cpus; i++)
		if (!is_first_of_node(inv, i))
			cv_cpuset_add(&set, inv->cpus[i].id);
	return set;
}

static int add_text(struct audit *a, const char *check, bool is_good, struct audit_finding **ret)
{
	*ret = audit_add(a, check, is_good ? AUDIT_PASS : AUDIT_WARN, "");
	return *ret ? 0 : -ENOMEM;
}

/* A core of which one sibling is isolated and the other not is of no use to either side. */
static void find_halves(const struct inventory *inv, struct cv_cpuset *ret)
{
	*ret = (struct cv_cpuset){ 0 };
	for (size_t i = 0; i < inv->n_cpus; i++)
		for (size_t j = 0; j < inv->n_cpus; j++)
			if (inv->cpus[i].core >= 0 && inv->cpus[i].core == inv->cpus[j].core &&
			    cv_cpuset_has(&inv->host.isolated, inv->cpus[i].id) &&
			    !cv_cpuset_has(&inv->host.isolated, inv->cpus[j].id))
				cv_cpuset_add(ret, inv->cpus[j].id);
}

static int check_isolation(const struct inventory *inv, struct audit *a)
{
	_cleanup_free_ char *isolated = cv_format_cpulist(&inv->host.isolated);
	_cleanup_free_ char *missing = NULL;
	struct audit_finding *f;
	struct cv_cpuset halves;

	find_halves(inv, &halves);
	missing = cv_format_cpulist(&halves);
	if (!isolated || !missing || add_text(a, "isolation", !missing[0], &f))
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/isolated: %s; %zu cpuset partitions",
		       isolated[0] ? isolated : "none", inv->n_partitions);
	if (!missing[0]) {
		audit_effect(f, "%s",
			     isolated[0]
				     ? "the scheduler leaves these cores alone at all times"
				     : "cores are isolated when a guest starts, and given back");
		return 0;
	}
	audit_effect(f,
		     "CPUs %s share cores with isolated ones: the host's work slows guests there",
		     missing);
	audit_fix(f, "boot with isolcpus= of whole cores, or without it: partitions do the same");
	return 0;
}

/* nohz_full= needs the tick only while one task runs on a CPU, which is what a pinned vCPU is
 * (Documentation/timers/no_hz.rst); tuned's cpu-partitioning and realtime-virtual-host set it too. */
static int check_nohz_full(const struct inventory *inv, struct audit *a)
{
	bool is_good = !cv_cpuset_is_empty(&inv->host.nohz_full);
	struct cv_cpuset wanted = for_guests(inv);
	_cleanup_free_ char *list = cv_format_cpulist(&wanted);
	struct audit_finding *f;

	if (!list || add_text(a, "nohz-full", is_good, &f))
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/nohz_full: %d CPUs",
		       cv_cpuset_count(&inv->host.nohz_full));
	audit_effect(f, "%s",
		     is_good ? "vCPUs on these CPUs run without timer tick"
			     : "the timer tick interrupts every vCPU");
	if (is_good)
		return 0;
	audit_fix(f, "boot with nohz_full= and rcu_nocbs= for the cores of guests");
	if (list[0])
		audit_set_change(f, AUDIT_CMDLINE, "", "", "nohz_full=%s", list);
	return 0;
}

/* nohz_full= alone brings the callbacks of its CPUs elsewhere (kernel/rcu/tree_nocb.h), and what the
 * kernel then says of rcu_nocbs differs between versions: either one of them counts. */
static int check_rcu_nocbs(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	struct cv_cpuset wanted = for_guests(inv), both = h->rcu_nocbs;
	_cleanup_free_ char *list = cv_format_cpulist(&wanted);
	struct audit_finding *f;
	bool is_good;

	cv_cpuset_or(&both, &h->nohz_full);
	is_good = !cv_cpuset_is_empty(&both);
	if (!list || add_text(a, "rcu-nocbs", is_good, &f))
		return -ENOMEM;
	audit_evidence(f, "/proc/cmdline: rcu_nocbs or nohz_full on %d CPUs",
		       cv_cpuset_count(&both));
	audit_effect(f, "%s",
		     is_good ? "RCU callbacks of these CPUs run elsewhere"
			     : "the kernel runs RCU callbacks on the cores of guests");
	if (is_good)
		return 0;
	audit_fix(f, "boot with rcu_nocbs= for the cores of guests; nohz_full= implies it");
	if (list[0])
		audit_set_change(f, AUDIT_CMDLINE, "", "", "rcu_nocbs=%s", list);
	return 0;
}

/* The kernel's mask format: words of 32 bits from the highest, "3,ffffffff". "" when it does not fit. */
static void format_mask(const struct cv_cpuset *set, int highest, char buf[MASK_MAX])
{
	size_t len = 0;

	for (int word = highest / 32; word >= 0; word--) {
		uint32_t bits = (uint32_t)(set->bits[word / 2] >> (word % 2 * 32));

		len += (size_t)snprintf(buf + len, MASK_MAX - len, len ? ",%08x" : "%x", bits);
		if (len >= MASK_MAX) {
			buf[0] = '\0';
			return;
		}
	}
}

/** struct mask_check - a mask of CPUs that should hold none of those set aside */
struct mask_check {
	const char *check;
	const char *path;
	const char *what;
	size_t offset; /* of the set in struct inv_noise */
};

/* Sources: Documentation/core-api/workqueue.rst (cpumask of unbound workqueues),
 * Documentation/core-api/irq/irq-affinity.rst (default_smp_affinity). */
static const struct mask_check masks[] = {
	{ "workqueue-mask", "/sys/devices/virtual/workqueue/cpumask", "unbound kernel work",
	  offsetof(struct inv_noise, workqueue) },
	{ "irq-default", "/proc/irq/default_smp_affinity", "interrupts of new devices",
	  offsetof(struct inv_noise, irq_default) },
};

static void set_mask_change(const struct inventory *inv, const struct mask_check *m,
			    const struct cv_cpuset *wanted, struct audit_finding *f)
{
	char mask[MASK_MAX];
	int highest = 0;

	CV_CPUSET_FOREACH(cpu, &inv->host.online)
	highest = cpu;
	format_mask(wanted, highest, mask);
	if (mask[0])
		audit_set_change(f, AUDIT_WRITE, m->path, "", "%s", mask);
	audit_fix(f, "write the mask of the host's own cores to %s", m->path);
}

static int check_mask(const struct inventory *inv, const struct mask_check *m, struct audit *a)
{
	struct cv_cpuset have = *(const struct cv_cpuset *)((const char *)&inv->host.noise +
							    m->offset);
	struct cv_cpuset aside = set_aside(inv), wanted = inv->host.online;
	_cleanup_free_ char *list = cv_format_cpulist(&have);
	bool is_good = !cv_cpuset_intersects(&have, &aside);
	struct audit_finding *f;

	if (cv_cpuset_is_empty(&have))
		return 0;
	if (!list || add_text(a, m->check, is_good, &f))
		return -ENOMEM;
	audit_evidence(f, "%s: CPUs %s", m->path, list);
	if (is_good) {
		audit_effect(f, "%s",
			     cv_cpuset_is_empty(&aside)
				     ? "no core is set aside now; partitions of guests leave it"
				     : "it keeps to the host's own cores");
		return 0;
	}
	audit_effect(f, "%s may run on cores set aside for guests", m->what);
	cv_cpuset_andnot(&wanted, &aside);
	set_mask_change(inv, m, &wanted, f);
	return 0;
}

static int check_masks(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(masks); i++) {
		int rc = check_mask(inv, &masks[i], a);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_irqs(const struct inventory *inv, struct audit *a)
{
	struct cv_cpuset aside = set_aside(inv), hit = { 0 };
	_cleanup_free_ char *list = NULL;
	struct audit_finding *f;
	int total = 0;

	for (size_t i = 0; i < inv->n_cpus; i++) {
		if (inv->cpus[i].irqs <= 0)
			continue;
		total += inv->cpus[i].irqs;
		if (cv_cpuset_has(&aside, inv->cpus[i].id))
			cv_cpuset_add(&hit, inv->cpus[i].id);
	}
	list = cv_format_cpulist(&hit);
	if (!list || add_text(a, "host-irqs", !list[0], &f))
		return -ENOMEM;
	audit_evidence(f,
		       "/proc/irq/*/effective_affinity: %d interrupts, %d CPUs set aside get some",
		       total, cv_cpuset_count(&hit));
	if (!list[0]) {
		audit_effect(f, "no core set aside handles interrupts of the host's devices");
		return 0;
	}
	audit_effect(f, "CPUs %s handle interrupts of the host's devices", list);
	audit_fix(f,
		  "echo a CPU of the host to /proc/irq/N/smp_affinity_list; queues of NVMe and "
		  "network cards stay unless booted with isolcpus=managed_irq,domain,%s",
		  list);
	return 0;
}

/* It moves interrupts to idle cores, and knows isolcpus= and nohz_full=, but no partition (irqbalance(1),
 * IRQBALANCE_BANNED_CPULIST). */
static int check_irqbalance(const struct inventory *inv, struct audit *a)
{
	bool is_good = !inv->host.noise.irqbalance;
	struct audit_finding *f;

	if (add_text(a, "irqbalance", is_good, &f))
		return -ENOMEM;
	audit_evidence(f, "/proc/*/comm: irqbalance %s", is_good ? "does not run" : "runs");
	audit_effect(
		f, "%s",
		is_good ? "interrupts stay where they are put"
			: "it moves interrupts onto cores that are idle now and a guest's next");
	if (is_good)
		return 0;
	audit_set_change(f, AUDIT_SERVICE, "", "", "irqbalance.service");
	audit_fix(f,
		  "systemctl disable --now irqbalance.service, or IRQBALANCE_BANNED_CPULIST with "
		  "the cores of guests");
	return 0;
}

static int (*const noise_checks[])(const struct inventory *inv, struct audit *a) = {
	check_isolation, check_rcu_nocbs, check_masks, check_irqs, check_irqbalance,
};

int audit_cores(const struct inventory *inv, struct audit *a)
{
	int rc = check_smt(inv, a);

	if (!rc)
		rc = check_kinds(inv, a);
	if (!rc)
		rc = check_resctrl(inv, a);
	if (!rc)
		rc = check_nohz_full(inv, a);
	for (size_t i = 0; inv->host.noise.is_read && i < CV_ARRAY_SIZE(noise_checks) && !rc; i++)
		rc = noise_checks[i](inv, a);
	return rc;
}
