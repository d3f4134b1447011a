// SPDX-License-Identifier: GPL-2.0-or-later
/* Settings of the kernel that disturb guests on given cores. What is expected, and why, is said at each
 * row; "tuned" means its profiles cpu-partitioning and realtime-virtual-host. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

#define IDLE_LATENCY_US 10

#define HOST(member) .offset = offsetof(struct inv_host, member)
#define NOISE(member) .offset = offsetof(struct inv_noise, member)
#define SYS_VM "/proc/sys/vm/"
#define SYS_KERNEL "/proc/sys/kernel/"
#define MODULE "/sys/module/"

static const struct audit_flag flags[] = {
	{
		/* tuned; Documentation/admin-guide/mm/ksm.rst: 2 also takes merged pages apart */
		.check = "ksm",
		HOST(ksm_run),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/sys/kernel/mm/ksm/run: 0", "/sys/kernel/mm/ksm/run: 1" },
		.effect = { "no page scanning", "ksmd scans memory and takes time from cores" },
		.change = { AUDIT_WRITE, "/sys/kernel/mm/ksm/run", "1", "2" },
	},
	{
		/* Documentation/admin-guide/sysctl/kernel.rst: of no use to what is bound already */
		.check = "numa-balancing",
		HOST(numa_balancing),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { SYS_KERNEL "numa_balancing: 0", SYS_KERNEL "numa_balancing: 1" },
		.effect = { "pages stay where they are bound",
			    "the kernel unmaps pages to see who uses them: faults in the VMM" },
		.change = { AUDIT_WRITE, SYS_KERNEL "numa_balancing", "1", "0" },
	},
	{
		/* Documentation/admin-guide/mm/transhuge.rst */
		.check = "thp",
		HOST(thp_always),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/sys/kernel/mm/transparent_hugepage/enabled: not always",
			      "/sys/kernel/mm/transparent_hugepage/enabled: always" },
		.effect = { "huge pages are used where asked for",
			    "khugepaged compacts memory and takes time from cores" },
		.change = { AUDIT_WRITE, "/sys/kernel/mm/transparent_hugepage/enabled", "always",
			    "madvise" },
	},
};

/**
 * struct knob - a check that is one number or one word of struct inv_noise
 * @offset: of the int, or of the text when @words is set
 * @min, @max: good numbers
 * @words: the bad words, NULL-terminated
 * @path, @value: [0] of all hosts or of Intel, [1] of AMD where it differs
 * @fix: NULL: said by the change
 */
struct knob {
	const char *check;
	size_t offset;
	int min, max;
	const char *const *words;
	const char *path[2];
	const char *good, *bad;
	enum audit_how how;
	const char *value[2];
	const char *fix;
};

static const char *const stalling_words[] = { "always", NULL };
static const char *const splitting_words[] = { "Y", "1", "on", "force", NULL };
static const char *const no_words[] = { "N", "0", NULL };
static const char *const yes_words[] = { "Y", "1", NULL };

static const struct knob knobs[] = {
	{
		/* Documentation/admin-guide/mm/transhuge.rst: always stalls the one who faults */
		.check = "thp-defrag",
		NOISE(thp_defrag),
		.words = stalling_words,
		.path = { "/sys/kernel/mm/transparent_hugepage/defrag" },
		.good = "who does not ask for huge pages does not wait for them",
		.bad = "any page fault may wait for compaction",
		.how = AUDIT_WRITE,
		.value = { "madvise" },
	},
	{
		/* Documentation/admin-guide/hw-vuln/multihit.rst */
		.check = "nx-huge-pages",
		NOISE(nx_huge_pages),
		.words = splitting_words,
		.path = { MODULE "kvm/parameters/nx_huge_pages" },
		.good = "KVM maps guest code in huge pages",
		.bad = "KVM maps guest code in 4K pages and zaps them from time to time",
		.how = AUDIT_MODULE,
		.value = { "options kvm nx_huge_pages=off" },
		.fix = "\"options kvm nx_huge_pages=off\" in modprobe.d, where guests are trusted or the "
		       "CPU has no iTLB multihit",
	},
	{
		/* tuned (kvm.rt.tuned.conf) */
		.check = "kvmclock-sync",
		NOISE(kvmclock_sync),
		.words = yes_words,
		.path = { MODULE "kvm/parameters/kvmclock_periodic_sync" },
		.good = "no periodic work for the guest's clock",
		.bad = "every five minutes each vCPU leaves the guest to set its clock",
		.how = AUDIT_MODULE,
		.value = { "options kvm kvmclock_periodic_sync=0" },
	},
	{
		/* tuned (kvm.rt.tuned.conf): of no use where vCPUs do not share a CPU */
		.check = "pause-exits",
		NOISE(ple_gap),
		.path = { MODULE "kvm_intel/parameters/ple_gap",
			  MODULE "kvm_amd/parameters/pause_filter_count" },
		.good = "spinning vCPUs stay in the guest",
		.bad = "a vCPU that spins leaves the guest, though no other waits for its CPU",
		.how = AUDIT_MODULE,
		.value = { "options kvm_intel ple_gap=0",
			   "options kvm_amd pause_filter_count=0 pause_filter_thresh=0" },
	},
	{
		/* Intel SDM volume 3 chapter 31, AMD APM volume 2 section 15.29 */
		.check = "apicv",
		NOISE(apicv),
		.words = no_words,
		.path = { MODULE "kvm_intel/parameters/enable_apicv",
			  MODULE "kvm_amd/parameters/avic" },
		.good = "interrupts reach a running vCPU without an exit",
		.bad = "each interrupt of a device makes its vCPU leave the guest",
		.how = AUDIT_MODULE,
		.value = { "options kvm_intel enable_apicv=1", "options kvm_amd avic=1" },
	},
	{
		/* Documentation/admin-guide/sysctl/vm.rst */
		.check = "zone-reclaim",
		NOISE(zone_reclaim_mode),
		.path = { SYS_VM "zone_reclaim_mode" },
		.good = "a full node takes memory from the next one",
		.bad = "a full node drops its caches first: the host stalls",
		.how = AUDIT_WRITE,
		.value = { "0" },
	},
	{
		/* tuned */
		.check = "stat-interval",
		NOISE(stat_interval),
		.min = 10,
		.max = INT_MAX,
		.path = { SYS_VM "stat_interval" },
		.good = "counters of memory are folded seldom",
		.bad = "a kernel worker runs on each core this often (in seconds) to fold counters",
		.how = AUDIT_WRITE,
		.value = { "10" },
	},
	{
		/* tuned; Documentation/admin-guide/lockup-watchdogs.rst */
		.check = "nmi-watchdog",
		NOISE(nmi_watchdog),
		.path = { SYS_KERNEL "nmi_watchdog" },
		.good = "no performance counter is taken, no NMI comes",
		.bad = "it takes a performance counter of each core and sends NMIs",
		.how = AUDIT_WRITE,
		.value = { "0" },
	},
	{
		/* tuned */
		.check = "timer-migration",
		NOISE(timer_migration),
		.path = { SYS_KERNEL "timer_migration" },
		.good = "timers stay on the core that set them",
		.bad = "timers of idle cores are moved to busy ones: those of guests",
		.how = AUDIT_WRITE,
		.value = { "0" },
	},
	{
		/* Documentation/admin-guide/sysctl/vm.rst */
		.check = "compaction",
		NOISE(compaction_proactiveness),
		.path = { SYS_VM "compaction_proactiveness" },
		.good = "memory is compacted when somebody asks for it",
		.bad = "kcompactd moves pages in the background",
		.how = AUDIT_WRITE,
		.value = { "0" },
	},
	{
		/* tuned (throughput-performance, which virtual-host includes) */
		.check = "swappiness",
		NOISE(swappiness),
		.max = 10,
		.path = { SYS_VM "swappiness" },
		.good = "the VMM's own memory stays in memory",
		.bad = "the VMM's own memory may be swapped out while files are cached; guests' is not",
		.how = AUDIT_WRITE,
		.value = { "10" },
	},
};

static bool is_amd(const struct inv_host *h)
{
	return strcmp(h->cpu_vendor, "AuthenticAMD") == 0;
}

static const char *of_vendor(const char *const pair[2], const struct inv_host *h)
{
	return pair[1] && is_amd(h) ? pair[1] : pair[0];
}

static bool has_word(const char *const *words, const char *word)
{
	for (; *words; words++)
		if (strcmp(*words, word) == 0)
			return true;
	return false;
}

/* The value as text. Return: false when the kernel shows none. */
static bool read_knob(const struct knob *k, const struct inv_noise *n, char buf[INV_TEXT],
		      bool *ret_good)
{
	const void *at = (const char *)n + k->offset;
	int value;

	if (k->words) {
		snprintf(buf, INV_TEXT, "%s", (const char *)at);
		*ret_good = !has_word(k->words, buf);
		return buf[0];
	}
	memcpy(&value, at, sizeof(value));
	snprintf(buf, INV_TEXT, "%d", value);
	*ret_good = value >= k->min && value <= k->max;
	return value >= 0;
}

static void advise_knob(const struct knob *k, const struct inv_host *h, const char *now,
			struct audit_finding *f)
{
	const char *path = k->how == AUDIT_WRITE ? of_vendor(k->path, h) : "";

	audit_set_change(f, k->how, path, now, "%s", of_vendor(k->value, h));
	if (k->fix)
		audit_fix(f, "%s", k->fix);
	else
		audit_fix_by_change(f);
}

static int check_knob(const struct knob *k, const struct inv_host *h, struct audit *a)
{
	char value[INV_TEXT];
	struct audit_finding *f;
	bool is_good;

	if (!read_knob(k, &h->noise, value, &is_good))
		return 0;
	f = audit_add(a, k->check, is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s: %s", of_vendor(k->path, h), value);
	audit_effect(f, "%s", is_good ? k->good : k->bad);
	if (!is_good)
		advise_knob(k, h, value, f);
	return 0;
}

static int check_knobs(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(knobs); i++) {
		int rc = check_knob(&knobs[i], &inv->host, a);

		if (rc)
			return rc;
	}
	return 0;
}

static int check_governor(const struct inventory *inv, struct audit *a)
{
	static const char path[] = "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor";
	const char *governor = inv->host.governor;
	bool is_good = !governor[0] || !strcmp(governor, "performance");
	struct audit_finding *f;

	f = audit_add(a, "governor", is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s: %s", path, governor[0] ? governor : "is not there");
	audit_effect(f, "%s",
		     is_good ? "the kernel does not slow cores down"
			     : "cores of a guest change speed with their load");
	if (is_good)
		return 0;
	audit_set_change(f, AUDIT_CMDLINE, "", governor, "cpufreq.default_governor=performance");
	audit_fix(f, "cpupower frequency-set -g performance");
	return 0;
}

/* tuned's cpu-partitioning allows what wakes up within 10 us (force_latency). */
static int check_c_states(const struct inventory *inv, struct audit *a)
{
	const struct inv_noise *n = &inv->host.noise;
	bool is_good = n->idle_latency_us <= IDLE_LATENCY_US;
	struct audit_finding *f;

	if (!n->idle_driver[0] || n->idle_latency_us < 0)
		return 0;
	f = audit_add(a, "c-states", is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/cpu/cpu0/cpuidle: %s, deepest is %s with %d us",
		       n->idle_driver, n->idle_deepest, n->idle_latency_us);
	audit_effect(f, "%s",
		     is_good ? "an idle core wakes up at once"
			     : "an idle core of a guest takes that long to wake up");
	if (is_good)
		return 0;
	audit_set_change(f, AUDIT_CMDLINE, "", n->idle_deepest, "%s.max_cstate=1",
			 strcmp(n->idle_driver, "intel_idle") == 0 ? "intel_idle" : "processor");
	audit_fix(f,
		  "hold %d in /dev/cpu_dma_latency while guests run, or boot with %s; it costs "
		  "power and turbo",
		  IDLE_LATENCY_US, f->change.value);
	return 0;
}

/* Documentation/virt/kvm/halt-polling.rst: polling wakes a vCPU fast, and a core of its own costs nobody
 * else; with two siblings at work the one that polls slows the other. */
static int check_halt_poll(const struct inventory *inv, struct audit *a)
{
	static const char path[] = MODULE "kvm/parameters/halt_poll_ns";
	int ns = inv->host.noise.halt_poll_ns;
	bool is_good = ns == 0 || !inv->host.smt_active;
	struct audit_finding *f;
	char now[16];

	if (ns < 0)
		return 0;
	f = audit_add(a, "halt-poll", is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s: %d", path, ns);
	audit_effect(f, "%s",
		     ns == 0   ? "an idle vCPU gives its CPU back at once"
		     : is_good ? "an idle vCPU polls on a core of its own: it wakes up fast"
			       : "an idle vCPU polls and slows its sibling, which is a vCPU too");
	if (is_good)
		return 0;
	snprintf(now, sizeof(now), "%d", ns);
	audit_set_change(f, AUDIT_WRITE, path, now, "0");
	audit_fix_by_change(f);
	return 0;
}

static bool is_x86(const struct inv_host *h)
{
	return is_amd(h) || strcmp(h->cpu_vendor, "GenuineIntel") == 0;
}

/* Documentation/virt/kvm/x86/timekeeping.rst; other architectures have one clock source only. */
static int check_clocksource(const struct inventory *inv, struct audit *a)
{
	static const char path[] =
		"/sys/devices/system/clocksource/clocksource0/current_clocksource";
	const char *source = inv->host.noise.clocksource;
	bool is_good = !strcmp(source, "tsc");
	struct audit_finding *f;

	if (!source[0] || !is_x86(&inv->host))
		return 0;
	f = audit_add(a, "clocksource", is_good ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s: %s", path, source);
	audit_effect(f, "%s",
		     is_good ? "guests read the time without leaving"
			     : "guests get no stable clock: each look at the time is slow");
	if (!is_good)
		audit_fix(f,
			  "find in dmesg why the TSC was given up (firmware, sockets out of step); "
			  "tsc=reliable only where it is");
	return 0;
}

static int check_mitigations(const struct inventory *inv, struct audit *a)
{
	const char *word = inv->host.noise.mitigations;
	struct audit_finding *f;

	if (!word[0])
		return 0;
	f = audit_add(a, "mitigations", AUDIT_PASS, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/proc/cmdline: mitigations=%s", word);
	audit_effect(f, "%s",
		     strncmp(word, "off", 3) == 0
			     ? "fast; guests of different users may read each other's secrets"
			     : "the kernel keeps guests from reading what they should not");
	return 0;
}

static int (*const noise_checks[])(const struct inventory *inv, struct audit *a) = {
	check_knobs, check_c_states, check_halt_poll, check_clocksource, check_mitigations,
};

int audit_noise(const struct inventory *inv, struct audit *a)
{
	int rc = audit_add_flags(flags, CV_ARRAY_SIZE(flags), inv, a);

	if (!rc)
		rc = check_governor(inv, a);
	for (size_t i = 0; inv->host.noise.is_read && i < CV_ARRAY_SIZE(noise_checks) && !rc; i++)
		rc = noise_checks[i](inv, a);
	return rc;
}
