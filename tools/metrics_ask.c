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
static int add_reasons(json_t *rows, int vcpu, const json_t *stats)
{
	const json_t *s;
	size_t i;

	json_array_foreach((json_t *)stats, i, s) {
		const char *name = cv_json_str(s, "name", "");
		size_t length = strlen(name);

		if (length < 5 || strcmp(name + length - 5, "exits") != 0 ||
		    !json_is_integer(json_object_get(s, "value")))
			continue;
		if (json_array_append_new(rows, json_pack("{s:i,s:o,s:O}", "vcpu", vcpu, "reason",
							  cv_json_string(name), "exits",
							  json_object_get(s, "value"))) < 0)
			return -ENOMEM;
	}
	return 0;
}

static json_t *reasons_of(const json_t *all, const json_t *cpus)
{
	_cleanup_json_ json_t *rows = json_array();
	const json_t *one;
	size_t i;

	json_array_foreach((json_t *)all, i, one) {
		int vcpu = vcpu_of_path(cpus, cv_json_str(one, "qom-path", "?"));

		if (vcpu >= 0 && add_reasons(rows, vcpu, json_object_get(one, "stats")) < 0)
			return NULL;
	}
	return TAKE_PTR(rows);
}

/* QEMU's own command (qapi/stats.json, since 7.1). */
static int ask_kvm_stats(struct asking *a, struct metrics_answer *answer)
{
	_cleanup_json_ json_t *arguments = json_pack("{s:s,s:[{s:s}]}", "target", "vcpu",
						     "providers", "provider", "kvm");
	_cleanup_json_ json_t *all = NULL, *cpus = NULL;
	int r = ask(a, "query-stats", arguments, &all);

	if (r == 0)
		r = ask(a, "query-cpus-fast", NULL, &cpus);
	if (r == 0)
		answer->kvm_stats = reasons_of(all, cpus);
	return r == -EREMOTEIO ? 0 : r;
}

static int ask_stats(struct asking *a, struct metrics_answer *answer)
{
	int r = ask(a, "query-carve-stats", NULL, &answer->stats);

	return r == -EREMOTEIO ? ask_kvm_stats(a, answer) : r;
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
