// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/drift.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/binding.h"
#include "numa/cgroup.h"
#include "numa/cputext.h"
#include "numa/drift_memory.h"
#include "numa/irq_guest.h"
#include "numa/irq_step.h"
#include "numa/thread.h"

const char *const nu_drift_names[NU_N_DRIFTS] = {
	[NU_DRIFT_VCPU_AFFINITY] = "vcpu-affinity", [NU_DRIFT_VCPU_CPU] = "vcpu-cpu",
	[NU_DRIFT_VCPU_CGROUP] = "vcpu-cgroup",	    [NU_DRIFT_VCPU_POLICY] = "vcpu-policy",
	[NU_DRIFT_VMM_AFFINITY] = "vmm-affinity",   [NU_DRIFT_VMM_CGROUP] = "vmm-cgroup",
	[NU_DRIFT_VMM_POLICY] = "vmm-policy",	    [NU_DRIFT_FOREIGN] = "foreign-thread",
	[NU_DRIFT_PARTITION] = "partition",	    [NU_DRIFT_MEMORY] = "memory",
	[NU_DRIFT_GUEST_IRQ] = "guest-irq",	    [NU_DRIFT_HOST_IRQ] = "host-irq",
};

/** struct look - in progress; @error: the first one, nothing is added after it */
struct look {
	struct cv_sysroot *root;
	const struct nu_running *vm;
	struct nu_drifts *out;
	int error;
};

void nu_drifts_done(struct nu_drifts *d)
{
	free(d->v);
	*d = (struct nu_drifts){ 0 };
}

struct nu_drift *nu_drift_add(struct nu_drifts *d, enum nu_drift_kind kind)
{
	struct nu_drift *v = reallocarray(d->v, d->n + 1, sizeof(*v));

	if (!v)
		return NULL;
	d->v = v;
	v = &d->v[d->n++];
	*v = (struct nu_drift){ .kind = kind };
	return v;
}

bool nu_drift_has(const struct nu_drifts *d, const struct nu_drift *one)
{
	for (size_t i = 0; i < d->n; i++)
		if (d->v[i].kind == one->kind && strcmp(d->v[i].object, one->object) == 0 &&
		    strcmp(d->v[i].found, one->found) == 0)
			return true;
	return false;
}

static struct nu_drift *add(struct look *l, enum nu_drift_kind kind)
{
	struct nu_drift *d = l->error ? NULL : nu_drift_add(l->out, kind);

	if (!d)
		l->error = -ENOMEM;
	return d;
}

/* A CPU list as text; cut when it is very long. */
static void put_list(char *buf, size_t size, const struct cv_cpuset *s)
{
	_cleanup_free_ char *list = cv_format_cpulist(s);

	snprintf(buf, size, "%s", list ? list : "?");
}

/* ---- threads ---- */

static int vcpu_of(const struct nu_running *vm, pid_t tid)
{
	for (size_t i = 0; i < vm->plan->n_vcpus; i++)
		if (vm->tids[i] == tid)
			return (int)i;
	return -1;
}

static void check_cgroup(struct look *l, const struct nu_thread *t, enum nu_drift_kind kind,
			 const char *folder, const char *object)
{
	char wanted[128];
	struct nu_drift *d;

	/* the mount is not part of the path in /proc */
	snprintf(wanted, sizeof(wanted), "%s/%s/%s", NU_CGROUP_ROOT + strlen(NU_CGROUP_MOUNT),
		 l->vm->plan->name, folder);
	if (!t->cgroup[0] || strcmp(t->cgroup, wanted) == 0)
		return;
	d = add(l, kind);
	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "%s", object);
	snprintf(d->found, sizeof(d->found), "%s", t->cgroup);
	snprintf(d->wanted, sizeof(d->wanted), "%s", wanted);
}

/* A thread that sleeps keeps the number of the CPU it ran on last. */
static void check_cpu(struct look *l, const struct nu_thread *t, int wanted, const char *object)
{
	struct nu_drift *d;

	if (t->state != 'R' || t->cpu < 0 || t->cpu == wanted)
		return;
	d = add(l, NU_DRIFT_VCPU_CPU);
	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "%s", object);
	snprintf(d->found, sizeof(d->found), "%d", t->cpu);
	snprintf(d->wanted, sizeof(d->wanted), "%d", wanted);
}

static void check_policy(struct look *l, const struct nu_thread *t, unsigned int priority,
			 enum nu_drift_kind kind, const char *object)
{
	struct nu_thread wanted = { .policy = priority ? SCHED_FIFO : SCHED_OTHER,
				    .priority = (int)priority };
	struct nu_drift *d;
	char text[NU_POLICY_MAX];

	if (nu_thread_has_policy(t, priority))
		return;
	d = add(l, kind);
	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "%s", object);
	snprintf(d->found, sizeof(d->found), "%s", nu_thread_policy_text(t, text));
	snprintf(d->wanted, sizeof(d->wanted), "%s", nu_thread_policy_text(&wanted, text));
}

static void check_vcpu(struct look *l, const struct nu_thread *t, int vcpu)
{
	int host_cpu = l->vm->plan->vcpus[vcpu].host_cpu;
	struct cv_cpuset wanted = { 0 };
	struct nu_drift *d;
	char object[64];

	cv_cpuset_add(&wanted, host_cpu);
	snprintf(object, sizeof(object), "vCPU %d (thread %d)", vcpu, t->tid);
	if (cv_cpuset_equal(&t->cpus, &wanted)) {
		check_cpu(l, t, host_cpu, object);
	} else {
		d = add(l, NU_DRIFT_VCPU_AFFINITY);
		if (!d)
			return;
		snprintf(d->object, sizeof(d->object), "%s", object);
		put_list(d->found, sizeof(d->found), &t->cpus);
		put_list(d->wanted, sizeof(d->wanted), &wanted);
	}
	check_cgroup(l, t, NU_DRIFT_VCPU_CGROUP, "vcpu", object);
	check_policy(l, t, l->vm->plan->rt_priority, NU_DRIFT_VCPU_POLICY, object);
}

static void check_vmm_thread(struct look *l, const struct nu_thread *t)
{
	const struct plan *p = l->vm->plan;
	struct nu_drift *d;
	char object[64];

	snprintf(object, sizeof(object), "thread %d (%s)", t->tid, t->name);
	if (cv_cpuset_intersects(&t->cpus, &p->host_cpus)) {
		d = add(l, NU_DRIFT_VMM_AFFINITY);
		if (!d)
			return;
		snprintf(d->object, sizeof(d->object), "%s", object);
		put_list(d->found, sizeof(d->found), &t->cpus);
		put_list(d->wanted, sizeof(d->wanted), &p->vmm_cpus);
	}
	check_cgroup(l, t, NU_DRIFT_VMM_CGROUP, "vmm", object);
	check_policy(l, t, 0, NU_DRIFT_VMM_POLICY, object);
}

/* Threads come and go: one that is gone by now is none. */
static int check_threads(struct look *l, struct cv_strv *tids, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r = cv_list(l->root, cv_pathf(path, "/proc/%d/task", l->vm->pid), tids);

	if (r < 0)
		return cv_fail_errno(err, r == -ENOENT ? -ESRCH : r, path,
				     "cannot list the threads of the VMM");
	for (size_t i = 0; i < tids->n; i++) {
		struct nu_thread t;
		int tid, vcpu;

		if (cv_parse_int(tids->v[i], &tid) < 0 || nu_thread_read(l->root, tid, &t) < 0)
			continue;
		vcpu = vcpu_of(l->vm, tid);
		if (vcpu >= 0)
			check_vcpu(l, &t, vcpu);
		else
			check_vmm_thread(l, &t);
	}
	return 0;
}

/* ---- the partition ---- */

static void check_foreign(struct look *l, const struct cv_strv *own)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *save = NULL;

	cv_pathf(path, NU_CGROUP_ROOT "/%s/vcpu/cgroup.threads", l->vm->plan->name);
	if (cv_read_str(l->root, path, &text) < 0)
		return;
	for (char *w = strtok_r(text, "\n", &save); w; w = strtok_r(NULL, "\n", &save)) {
		struct nu_thread t = { .tid = 0 };
		struct nu_drift *d = NULL;
		int tid;

		if (!cv_strv_has(own, w) && cv_parse_int(w, &tid) == 0 &&
		    nu_thread_read(l->root, tid, &t) == 0)
			d = add(l, NU_DRIFT_FOREIGN);
		if (!d)
			continue;
		snprintf(d->object, sizeof(d->object), "thread %d (%s)", tid, t.name);
		snprintf(d->found, sizeof(d->found), "in the partition of the guest");
		snprintf(d->wanted, sizeof(d->wanted), "vCPU threads only");
	}
}

static void add_partition(struct look *l, const char *path, const char *found, const char *wanted)
{
	struct nu_drift *d = add(l, NU_DRIFT_PARTITION);

	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "%s", path);
	snprintf(d->found, sizeof(d->found), "%s", found);
	snprintf(d->wanted, sizeof(d->wanted), "%s", wanted);
}

static void check_list(struct look *l, const char *file, const struct cv_cpuset *wanted)
{
	char path[CV_PATH_MAX], a[128], b[128];
	struct cv_cpuset now;

	cv_pathf(path, NU_CGROUP_ROOT "/%s/%s", l->vm->plan->name, file);
	if (cv_read_cpulist(l->root, path, &now) < 0)
		now = (struct cv_cpuset){ 0 };
	if (cv_cpuset_equal(&now, wanted))
		return;
	put_list(a, sizeof(a), &now);
	put_list(b, sizeof(b), wanted);
	add_partition(l, path, a[0] ? a : "none", b);
}

static void check_partition(struct look *l)
{
	const struct plan *p = l->vm->plan;
	char path[CV_PATH_MAX], state[128] = "not there";

	check_list(l, "vcpu/cpuset.cpus.exclusive", &p->host_cpus);
	check_list(l, "vcpu/cpuset.cpus", &p->host_cpus);
	check_list(l, "vmm/cpuset.cpus", &p->vmm_cpus);
	cv_pathf(path, NU_CGROUP_ROOT "/%s/vcpu/cpuset.cpus.partition", p->name);
	(void)cv_read_into(l->root, path, state, sizeof(state));
	if (strcmp(state, "isolated") != 0)
		add_partition(l, path, state, "isolated");
}

/* ---- interrupts ---- */

static void add_irq(struct look *l, enum nu_drift_kind kind, const struct nu_irq *irq,
		    const struct cv_cpuset *wanted)
{
	struct nu_drift *d = add(l, kind);

	if (!d)
		return;
	snprintf(d->object, sizeof(d->object), "interrupt %d (%s)", irq->number, irq->actions);
	put_list(d->found, sizeof(d->found), &irq->cpus);
	put_list(d->wanted, sizeof(d->wanted), wanted);
}

static int check_guest_irqs(struct look *l, struct cv_error *err)
{
	_cleanup_free_ struct nu_guest_irq *list = NULL;
	size_t n = 0;
	int r = nu_guest_irqs(l->root, l->vm->plan, &list, &n, err);

	for (size_t i = 0; r == 0 && i < n; i++) {
		struct cv_cpuset wanted = { 0 };

		cv_cpuset_add(&wanted, list[i].wanted);
		if (!cv_cpuset_equal(&wanted, &list[i].irq.cpus))
			add_irq(l, NU_DRIFT_GUEST_IRQ, &list[i].irq, &wanted);
	}
	return r;
}

static void check_default_irq(struct look *l, const struct nu_irq_ledger *ledger,
			      const struct nu_irq_policy *policy)
{
	struct cv_cpuset now, before, wanted;
	_cleanup_free_ char *text = NULL;
	struct nu_irq irq = { .number = 0 };
	struct nu_drift *d;

	if (cv_read_str(l->root, NU_IRQ_DEFAULT, &text) < 0 || nu_parse_cpumask(text, &now) < 0 ||
	    !cv_cpuset_intersects(&now, &l->vm->plan->host_cpus) ||
	    !nu_irq_default_before(ledger, &before))
		return;
	nu_irq_allowed(l->root, policy, -1, &before, &wanted);
	irq.cpus = now;
	add_irq(l, NU_DRIFT_HOST_IRQ, &irq, &wanted);
	d = l->error ? NULL : &l->out->v[l->out->n - 1];
	if (d)
		snprintf(d->object, sizeof(d->object), "new interrupts (%s)", NU_IRQ_DEFAULT);
}

static int check_host_irqs(struct look *l, struct cv_error *err)
{
	_cleanup_irq_ledger_ struct nu_irq_ledger ledger = { 0 };
	_cleanup_irqs_ struct nu_irqs irqs = { 0 };
	struct nu_irq_policy policy;
	struct cv_cpuset wanted;
	int r = nu_irq_ledger_read(l->root, &ledger, err);

	/* a guest of an earlier version, without the step */
	if (r < 0 || !json_object_get(ledger.holders, l->vm->plan->name))
		return r;
	r = nu_irq_policy(l->root, &ledger, NULL, &policy, err);
	r = r ?: nu_irqs_read(l->root, &irqs, err);
	if (r < 0)
		return r;
	check_default_irq(l, &ledger, &policy);
	for (size_t i = 0; i < irqs.n; i++)
		if (cv_cpuset_intersects(&irqs.v[i].cpus, &l->vm->plan->host_cpus) &&
		    nu_irq_is_astray(l->root, &ledger, &policy, &irqs.v[i], &wanted))
			add_irq(l, NU_DRIFT_HOST_IRQ, &irqs.v[i], &wanted);
	return 0;
}

int nu_drift_find(struct cv_sysroot *root, const struct nu_running *vm, struct nu_drifts *ret,
		  struct cv_error *err)
{
	_cleanup_drifts_ struct nu_drifts found = { 0 };
	_cleanup_strv_ struct cv_strv tids = { 0 };
	struct look l = { .root = root, .vm = vm, .out = &found };
	int r = check_threads(&l, &tids, err);

	if (r < 0)
		return r;
	check_foreign(&l, &tids);
	check_partition(&l);
	if (vm->memory && nu_drift_memory(root, vm, &found) < 0)
		l.error = -ENOMEM;
	r = check_guest_irqs(&l, err);
	r = r ?: check_host_irqs(&l, err);
	if (r == 0 && l.error)
		r = cv_fail_errno(err, l.error, vm->plan->name, "cannot compare");
	if (r < 0)
		return r;
	*ret = found;
	found = (struct nu_drifts){ 0 };
	return 0;
}
