// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/certify_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "numa/smaps.h"

#define QMP_MS 10000

void look_done(struct look *l)
{
	metrics_answer_done(&l->answer);
	nu_irq_counts_done(&l->irqs);
	free(l->threads);
	*l = (struct look){ 0 };
}

/* ---- threads ---- */

/* "CPU 3/KVM" (QEMU), "vcpu3". Return: the number, -1 no vCPU. */
static int vcpu_of_name(const char *name)
{
	char number[32];
	int vcpu;

	if (strncmp(name, "vcpu", 4) == 0)
		snprintf(number, sizeof(number), "%s", name + 4);
	else if (strncmp(name, "CPU ", 4) == 0)
		snprintf(number, sizeof(number), "%.*s", (int)strcspn(name + 4, "/"), name + 4);
	else
		return -1;
	return cv_parse_int(number, &vcpu) < 0 ? -1 : vcpu;
}

/* For who may not ask the VMM. */
static void find_threads(struct cv_sysroot *root, const struct vm *vm, struct look *l)
{
	_cleanup_strv_ struct cv_strv tids = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(root, cv_pathf(path, "/proc/%d/task", vm->proc.pid), &tids) < 0)
		return;
	for (size_t i = 0; i < tids.n; i++) {
		char name[32];
		int tid, vcpu;

		cv_pathf(path, "/proc/%d/task/%s/comm", vm->proc.pid, tids.v[i]);
		if (cv_parse_int(tids.v[i], &tid) < 0 ||
		    cv_read_into(root, path, name, sizeof(name)) < 0)
			continue;
		vcpu = vcpu_of_name(name);
		if (vcpu >= 0 && (size_t)vcpu < vm->plan.n_vcpus)
			l->threads[vcpu].tid = tid;
	}
}

static int read_threads(struct cmd *c, const struct vm *vm, struct look *l)
{
	l->threads = calloc(vm->plan.n_vcpus + 1, sizeof(*l->threads));
	if (!l->threads)
		return cv_fail_errno(&c->err, -ENOMEM, vm->name, "cannot look at the guest");
	if (!l->is_answered)
		find_threads(c->root, vm, l);
	for (size_t i = 0; i < vm->plan.n_vcpus; i++) {
		struct look_thread *t = &l->threads[i];

		if (i < l->answer.n)
			t->tid = l->answer.tids[i];
		t->has_time = t->tid && nu_thread_time_read(c->root, t->tid, &t->time) == 0;
	}
	return 0;
}

/* ---- one look ---- */

static int ask(struct cmd *c, const struct vm *vm, const char *socket, struct look *l)
{
	int r = metrics_ask(socket, QMP_MS, &l->answer);

	l->is_answered = r == 0;
	if (r == 0 || r == -EACCES || r == -EPERM)
		return 0;
	cv_fail_errno(&c->err, r, socket, "the VMM does not answer");
	cv_error_hint(&c->err, "carve list shows its state, carve console %s what it says",
		      vm->name);
	return r;
}

int look_take(struct cmd *c, const struct vm *vm, const char *socket, bool memory, struct look *ret)
{
	_cleanup_look_ struct look l = { 0 };
	int r = ask(c, vm, socket, &l);

	l.ms = cv_now_ms();
	r = r ?: read_threads(c, vm, &l);
	if (r < 0)
		return r;
	l.has_irqs = nu_irq_counts_now(c->root, &l.irqs) == 0;
	l.has_mapped = memory && nu_smaps_read(c->root, vm->proc.pid, l.mapped) == 0;
	*ret = l;
	l = (struct look){ 0 };
	return 0;
}

/* ---- two looks ---- */

/* A counter that went back was begun anew: nothing is known then. */
static bool between(uint64_t a, uint64_t b, uint64_t *ret)
{
	*ret = b - a;
	return b >= a;
}

/* The kernel's counters have 32 bits; more than half of that is one that was begun anew. */
static bool between32(uint32_t a, uint32_t b, uint64_t *ret)
{
	*ret = (uint32_t)(b - a);
	return *ret <= INT32_MAX;
}

static const json_t *counts_of(const struct look *l, size_t vcpu)
{
	const json_t *one;
	size_t i;

	json_array_foreach(l->answer.counts, i, one)
		if (cv_json_int(one, "vcpu", -1) == (int64_t)vcpu)
			return json_object_get(one, "kvm");
	return NULL;
}

static bool count_between(const json_t *a, const json_t *b, const char *name, uint64_t *ret)
{
	int64_t from = cv_json_int(a, name, -1), to = cv_json_int(b, name, -1);

	return from >= 0 && to >= 0 && between((uint64_t)from, (uint64_t)to, ret);
}

static void vcpu_between(const struct plan *p, const struct look *a, const struct look *b, size_t i,
			 struct certify_vcpu *v)
{
	const struct look_thread *from = &a->threads[i], *to = &b->threads[i];
	const json_t *counts = counts_of(b, i);
	int cpu = p->vcpus[i].host_cpu;

	v->has_exits = count_between(counts_of(a, i), counts, "exits", &v->exits);
	if (!count_between(counts_of(a, i), counts, "halt_wait_ns", &v->halt_ns))
		v->halt_ns = 0;
	v->has_waited = from->has_time && to->has_time && from->tid == to->tid &&
			between(from->time.waited_ns, to->time.waited_ns, &v->waited_ns) &&
			between(from->time.switches, to->time.switches, &v->switches);
	v->has_irqs = a->has_irqs && b->has_irqs && cv_cpuset_has(&a->irqs.cpus, cpu) &&
		      cv_cpuset_has(&b->irqs.cpus, cpu) &&
		      between32(a->irqs.host[cpu], b->irqs.host[cpu], &v->irqs);
	if (!v->has_irqs || !between32(a->irqs.device[cpu], b->irqs.device[cpu], &v->device_irqs))
		v->device_irqs = 0;
}

void look_between(const struct plan *p, const struct look *a, const struct look *b,
		  struct certify_vcpu *vcpus, struct certify_found *ret)
{
	static const char *const leaves[CERTIFY_LEAVES] = { "pages_4k", "pages_2m", "pages_1g" };

	*ret = (struct certify_found){
		.ms = b->ms > a->ms ? (uint64_t)(b->ms - a->ms) : 1,
		.vcpus = vcpus,
		.has_mapped = b->has_mapped,
		.has_leaves = true,
	};
	memcpy(ret->mapped, b->mapped, sizeof(ret->mapped));
	for (size_t i = 0; i < p->n_vcpus; i++)
		vcpu_between(p, a, b, i, &vcpus[i]);
	for (size_t i = 0; i < CERTIFY_LEAVES; i++) {
		int64_t n = cv_json_int(b->answer.vm_counts, leaves[i], -1);

		ret->has_leaves = ret->has_leaves && n >= 0;
		ret->leaves[i] = n > 0 ? (uint64_t)n : 0;
	}
}

/* ---- by reason, by vector ---- */

static uint64_t exits_before(const struct look *l, const json_t *row)
{
	const json_t *before;
	size_t i;

	json_array_foreach(l->answer.kvm_stats, i, before)
		if (cv_json_int(before, "vcpu", -1) == cv_json_int(row, "vcpu", 0) &&
		    strcmp(cv_json_str(before, "reason", ""), cv_json_str(row, "reason", "?")) == 0)
			return (uint64_t)cv_json_int(before, "exits", 0);
	return 0;
}

json_t *look_exits_json(const struct look *a, const struct look *b)
{
	json_t *list = json_array();
	const json_t *row;
	uint64_t n;
	size_t i;

	json_array_foreach(b->answer.kvm_stats, i, row)
		if (between(exits_before(a, row), (uint64_t)cv_json_int(row, "exits", 0), &n))
			json_array_append_new(list,
					      json_pack("{s:I,s:s,s:I}", "vcpu",
							(json_int_t)cv_json_int(row, "vcpu", 0),
							"reason", cv_json_str(row, "reason", "?"),
							"count", (json_int_t)n));
	return list;
}

static uint32_t vector_before(const struct look *l, const struct nu_vector *v)
{
	for (size_t i = 0; i < l->irqs.n_vectors; i++)
		if (cv_bdf_cmp(l->irqs.vectors[i].bdf, v->bdf) == 0 &&
		    l->irqs.vectors[i].number == v->number)
			return l->irqs.vectors[i].count;
	return 0;
}

static const char *device_id(const struct plan *p, struct cv_bdf bdf)
{
	for (size_t i = 0; i < p->n_devices; i++)
		if (cv_bdf_cmp(p->devices[i].host, bdf) == 0)
			return p->devices[i].id;
	return NULL;
}

json_t *look_vectors_json(const struct plan *p, const struct look *a, const struct look *b)
{
	json_t *list = json_array();
	uint64_t n;

	for (size_t i = 0; i < b->irqs.n_vectors; i++) {
		const struct nu_vector *v = &b->irqs.vectors[i];
		const char *id = device_id(p, v->bdf);

		if (id && between32(vector_before(a, v), v->count, &n))
			json_array_append_new(list, json_pack("{s:s,s:I,s:I}", "device", id,
							      "vector", (json_int_t)v->number,
							      "count", (json_int_t)n));
	}
	return list;
}
