// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/metrics_ask.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "vmm/qmp.h"

/** struct asking - one conversation; @end: by cv_now_ms() */
struct asking {
	struct vmm_qmp *qmp;
	int64_t end;
};

static unsigned int left_ms(const struct asking *a)
{
	int64_t left = a->end - cv_now_ms();

	return left > 0 ? (unsigned int)left : 0;
}

/* Return: 0; -EREMOTEIO: the VMM does not know it. */
static int ask(struct asking *a, const char *command, json_t *arguments, json_t **ret)
{
	struct cv_error ignored = { 0 };

	return vmm_qmp_command(a->qmp, command, arguments, left_ms(a), ret, &ignored);
}

static int vcpu_of_path(const json_t *cpus, const char *path)
{
	const json_t *cpu;
	size_t i;

	json_array_foreach((json_t *)cpus, i, cpu)
		if (strcmp(cv_json_str(cpu, "qom-path", ""), path) == 0)
			return (int)cv_json_int(cpu, "cpu-index", -1);
	return -1;
}

/* "exits" is the sum of the others, which overlap: each is told as KVM names it. */
static int add_reasons(json_t *rows, int64_t vcpu, const json_t *counts)
{
	const char *name;
	const json_t *count;

	json_object_foreach((json_t *)counts, name, count) {
		size_t length = strlen(name);

		if (length < 5 || strcmp(name + length - 5, "exits") != 0)
			continue;
		if (json_array_append_new(rows, json_pack("{s:I,s:o,s:O}", "vcpu", (json_int_t)vcpu,
							  "reason", cv_json_string(name), "exits",
							  count)) < 0)
			return -ENOMEM;
	}
	return 0;
}

static json_t *reasons_of(const json_t *counts)
{
	_cleanup_json_ json_t *rows = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)counts, i, one)
		if (add_reasons(rows, cv_json_int(one, "vcpu", 0), json_object_get(one, "kvm")) < 0)
			return NULL;
	return TAKE_PTR(rows);
}

/* ---- QEMU's own command (qapi/stats.json, since 7.1) ---- */

/* [{"name": "exits", "value": 9}] to {"exits": 9}; histograms are left out. */
static json_t *object_of(const json_t *list)
{
	json_t *all = json_object();
	const json_t *s;
	size_t i;

	json_array_foreach((json_t *)list, i, s) {
		json_t *value = json_object_get(s, "value");

		if (json_is_integer(value))
			json_object_set(all, cv_json_str(s, "name", "?"), value);
	}
	return all;
}

static json_t *counts_of(const json_t *all, const json_t *cpus)
{
	json_t *counts = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)all, i, one) {
		int vcpu = vcpu_of_path(cpus, cv_json_str(one, "qom-path", "?"));

		if (vcpu >= 0)
			json_array_append_new(counts,
					      json_pack("{s:i,s:o}", "vcpu", vcpu, "kvm",
							object_of(json_object_get(one, "stats"))));
	}
	return counts;
}

static int ask_target(struct asking *a, const char *target, json_t **ret)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:s,s:[{s:s}]}", "target", target,
						     "providers", "provider", "kvm");

	return ask(a, "query-stats", arguments, ret);
}

static int ask_qemu(struct asking *a, struct metrics_answer *answer)
{
	_cleanup_json_ json_t *all = NULL, *vm = NULL, *cpus = NULL;
	int r = ask_target(a, "vcpu", &all);

	r = r ?: ask_target(a, "vm", &vm);
	r = r ?: ask(a, "query-cpus-fast", NULL, &cpus);
	if (r < 0)
		return r == -EREMOTEIO ? 0 : r;
	answer->counts = counts_of(all, cpus);
	answer->vm_counts = object_of(json_object_get(json_array_get(vm, 0), "stats"));
	return 0;
}

/* ---- both ---- */

static json_t *native_counts(const json_t *stats)
{
	json_t *counts = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach(json_object_get(stats, "vcpus"), i, one) {
		json_t *kvm = json_object_get(one, "kvm");

		if (kvm)
			json_array_append_new(counts,
					      json_pack("{s:I,s:O}", "vcpu",
							cv_json_int(one, "vcpu", 0), "kvm", kvm));
	}
	return counts;
}

/* A hypervisor that does not count leaves nothing. */
static int ask_stats(struct asking *a, struct metrics_answer *answer)
{
	int r = ask(a, "query-carve-stats", NULL, &answer->stats);

	if (r == 0) {
		answer->counts = native_counts(answer->stats);
		answer->vm_counts = json_incref(json_object_get(answer->stats, "kvm"));
	} else if (r == -EREMOTEIO) {
		r = ask_qemu(a, answer);
	}
	if (r == 0 && json_array_size(answer->counts))
		answer->kvm_stats = reasons_of(answer->counts);
	return r;
}

static int ask_all(struct asking *a, struct metrics_answer *answer)
{
	_cleanup_json_ json_t *status = NULL;
	struct cv_error ignored = { 0 };
	int n, r = ask(a, "query-status", NULL, &status);

	if (r < 0)
		return r;
	answer->is_running = cv_json_bool(status, "running", 0);
	n = vmm_qmp_vcpu_tids(a->qmp, left_ms(a), &answer->tids, &ignored);
	if (n < 0)
		return n;
	answer->n = (size_t)n;
	return ask_stats(a, answer);
}

void metrics_answer_done(struct metrics_answer *a)
{
	free(a->tids);
	json_decref(a->stats);
	json_decref(a->kvm_stats);
	json_decref(a->counts);
	json_decref(a->vm_counts);
	*a = (struct metrics_answer){ 0 };
}

int metrics_ask(const char *path, unsigned int deadline_ms, struct metrics_answer *ret)
{
	struct asking a = { .end = cv_now_ms() + deadline_ms };
	struct metrics_answer answer = { 0 };
	struct cv_error ignored = { 0 };
	int r = vmm_qmp_open(path, deadline_ms, &a.qmp, &ignored);

	if (r < 0)
		return r;
	r = ask_all(&a, &answer);
	vmm_qmp_close(a.qmp);
	if (r < 0)
		metrics_answer_done(&answer);
	else
		*ret = answer;
	return r;
}
