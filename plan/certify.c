// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/certify.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "plan/plan.h"

#define MS_PER_S 1000
#define NS_PER_MS 1000000
#define PPM 1000000

#define FIRMWARE (4ULL << 20) /* ROMs, the APIC's page: what a VMM maps beside memory and BARs */

const uint64_t certify_leaf_bytes[CERTIFY_LEAVES] = { 4096, 2U << 20, 1U << 30 };
const char *const certify_leaf_words[CERTIFY_LEAVES] = { "4K", "2M", "1G" };
const char *const certify_verdict_words[] = {
	[CERTIFY_PASS] = "pass",
	[CERTIFY_FAIL] = "fail",
	[CERTIFY_UNKNOWN] = "unknown",
};

/** struct judging - @rows: room for all there can be */
struct judging {
	const struct plan *plan;
	const struct plan_limits *limits;
	const struct certify_found *found;
	struct certify_rows rows;
};

static struct certify_row *add_row(struct judging *j, enum plan_limit what)
{
	struct certify_row *row = &j->rows.v[j->rows.n++];

	*row = (struct certify_row){
		.what = what,
		.vcpu = -1,
		.is_given = j->limits->is_given[what],
		.limit = plan_limit_value(j->plan, j->limits, what),
		.verdict = CERTIFY_UNKNOWN,
	};
	return row;
}

static struct certify_row *add_vcpu_row(struct judging *j, enum plan_limit what, size_t vcpu)
{
	struct certify_row *row = add_row(j, what);

	row->vcpu = (int)vcpu;
	snprintf(row->object, sizeof(row->object), "vCPU %zu", vcpu);
	return row;
}

static void set_known(struct certify_row *row, uint64_t measured)
{
	bool is_within = row->what == PLAN_LIMIT_LEAF ? measured >= row->limit
						      : measured <= row->limit;

	row->is_known = true;
	row->measured = measured;
	row->verdict = is_within ? CERTIFY_PASS : CERTIFY_FAIL;
}

/* What somebody wants to be sure of is not let pass unseen. */
static void set_unknown(struct certify_row *row, const char *why)
{
	row->verdict = row->is_given ? CERTIFY_FAIL : CERTIFY_UNKNOWN;
	snprintf(row->note, sizeof(row->note), "%s", why);
}

/* @n times @unit of @ms, rounded up: of what happened once, something is seen. */
static uint64_t rate(uint64_t n, uint64_t unit, uint64_t ms)
{
	const unsigned __int128 product = (unsigned __int128)n * unit;

	return (uint64_t)((product + ms - 1) / ms);
}

/* ---- vCPUs ---- */

static void judge_exits(struct judging *j, size_t i)
{
	const struct certify_vcpu *v = &j->found->vcpus[i];
	struct certify_row *row = add_vcpu_row(j, PLAN_LIMIT_EXITS, i);

	if (v->has_exits)
		set_known(row, rate(v->exits, MS_PER_S, j->found->ms));
	else
		set_unknown(row, "the VMM does not tell what KVM counts");
}

static void judge_off_core(struct judging *j, size_t i)
{
	const struct certify_vcpu *v = &j->found->vcpus[i];
	struct certify_row *row = add_vcpu_row(j, PLAN_LIMIT_OFF_CORE, i);

	if (!v->has_waited) {
		set_unknown(row, "/proc does not show when its thread waited");
		return;
	}
	set_known(row, rate(v->waited_ns, PPM, j->found->ms * NS_PER_MS));
	snprintf(row->note, sizeof(row->note), "%llu times taken off its core",
		 (unsigned long long)v->switches);
}

static void judge_irqs(struct judging *j, size_t i)
{
	const struct certify_vcpu *v = &j->found->vcpus[i];
	struct certify_row *row = add_vcpu_row(j, PLAN_LIMIT_IRQS, i);

	if (!v->has_irqs) {
		set_unknown(row, "/proc/interrupts does not show its core");
		return;
	}
	set_known(row, rate(v->irqs, MS_PER_S, j->found->ms));
	snprintf(row->note, sizeof(row->note), "CPU %d; of its devices: %llu/s",
		 j->plan->vcpus[i].host_cpu,
		 (unsigned long long)rate(v->device_irqs, MS_PER_S, j->found->ms));
}

/* ---- page tables ---- */

static void judge_mapped(struct judging *j)
{
	const struct certify_found *f = j->found;
	struct certify_row *row = add_row(j, PLAN_LIMIT_LEAF);
	char size[CV_SIZE_MAX];

	snprintf(row->object, sizeof(row->object), "page tables of the VMM");
	for (size_t i = 0; f->has_mapped && i < CERTIFY_LEAVES; i++) {
		if (!f->mapped[i])
			continue;
		set_known(row, certify_leaf_bytes[i]);
		snprintf(row->note, sizeof(row->note), "%s in pages of %s",
			 cv_format_size(f->mapped[i], size), certify_leaf_words[i]);
		return;
	}
	set_unknown(row, "the memory of the VMM may be seen by its user and root alone");
}

/* Of @r, what no leaf of @leaf bytes covers whole. */
static uint64_t edges_of(const struct plan_range *r, uint64_t leaf)
{
	uint64_t first = (r->start + leaf - 1) / leaf * leaf, end = r->start + r->size;
	uint64_t last = end / leaf * leaf;

	return first < last ? r->size - (last - first) : r->size;
}

static uint64_t ram_bytes(const struct plan *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		bytes += p->nodes[i].memory;
	return bytes;
}

/* Bytes that may be in leaves of less than @leaf. The first leaf has a hole: that of VGA and ROMs. */
static uint64_t explained_bytes(const struct plan *p, uint64_t leaf)
{
	uint64_t bytes = FIRMWARE + leaf;

	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_RAM)
			bytes += edges_of(&p->ranges[i], leaf);
	for (size_t i = 0; i < p->n_devices; i++)
		bytes += p->devices[i].mmio32 + p->devices[i].mmio64;
	return bytes;
}

static uint64_t smaller_bytes(const struct certify_found *f, uint64_t leaf)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < CERTIFY_LEAVES && certify_leaf_bytes[i] < leaf; i++)
		bytes += f->leaves[i] * certify_leaf_bytes[i];
	return bytes;
}

/* The smallest of @least bytes or more that is there. Return: its bytes, 0 none. */
static uint64_t smallest_leaf(const struct certify_found *f, uint64_t least)
{
	for (size_t i = 0; i < CERTIFY_LEAVES; i++)
		if (certify_leaf_bytes[i] >= least && f->leaves[i])
			return certify_leaf_bytes[i];
	return 0;
}

static void judge_leaves(struct judging *j)
{
	const struct certify_found *f = j->found;
	struct certify_row *row = add_row(j, PLAN_LIMIT_LEAF);
	uint64_t small = smaller_bytes(f, row->limit), large = smallest_leaf(f, row->limit);
	uint64_t explained = explained_bytes(j->plan, row->limit);

	snprintf(row->object, sizeof(row->object), "page tables of the hypervisor");
	if (!f->has_leaves || (!small && !large)) {
		set_unknown(row, "the VMM does not tell what KVM counts");
		return;
	}
	if (row->limit > certify_leaf_bytes[0] && explained >= ram_bytes(j->plan) && small) {
		set_unknown(row, "devices and edges may account for all of it");
		return;
	}
	set_known(row, small <= explained && large ? large : smallest_leaf(f, 0));
	snprintf(row->note, sizeof(row->note), "leaves: %llu of 4K, %llu of 2M, %llu of 1G",
		 (unsigned long long)f->leaves[0], (unsigned long long)f->leaves[1],
		 (unsigned long long)f->leaves[2]);
}

/* ---- all of it ---- */

int certify_judge(const struct plan *p, const struct plan_limits *l, const struct certify_found *f,
		  struct certify_rows *ret)
{
	static void (*const of_vcpu[])(struct judging * j,
				       size_t i) = { judge_exits, judge_off_core, judge_irqs };
	struct judging j = { .plan = p, .limits = l, .found = f };

	j.rows.v = calloc(p->n_vcpus * CV_ARRAY_SIZE(of_vcpu) + 2, sizeof(*j.rows.v));
	if (!j.rows.v)
		return -ENOMEM;
	for (size_t k = 0; k < CV_ARRAY_SIZE(of_vcpu); k++)
		for (size_t i = 0; i < p->n_vcpus; i++)
			of_vcpu[k](&j, i);
	judge_mapped(&j);
	judge_leaves(&j);
	*ret = j.rows;
	return 0;
}

const struct certify_row *certify_failure(const struct certify_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].verdict == CERTIFY_FAIL)
			return &rows->v[i];
	return NULL;
}

void certify_rows_done(struct certify_rows *rows)
{
	free(rows->v);
	*rows = (struct certify_rows){ 0 };
}

/* ---- JSON ---- */

static const char *const units[PLAN_LIMITS] = {
	[PLAN_LIMIT_EXITS] = "1/s",
	[PLAN_LIMIT_OFF_CORE] = "ppm",
	[PLAN_LIMIT_LEAF] = "bytes",
	[PLAN_LIMIT_IRQS] = "1/s",
};

static json_t *known(bool is_known, uint64_t value)
{
	return is_known ? json_integer((json_int_t)value) : NULL;
}

static json_t *rows_json(const struct certify_rows *rows)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < rows->n; i++) {
		const struct certify_row *row = &rows->v[i];
		json_t *vcpu = row->vcpu < 0 ? NULL : json_integer(row->vcpu);

		json_array_append_new(
			list, json_pack("{s:s,s:o*,s:s,s:s,s:o*,s:I,s:b,s:s,s:s}", "what",
					plan_limit_words[row->what], "vcpu", vcpu, "object",
					row->object, "unit", units[row->what], "measured",
					known(row->is_known, row->measured), "limit",
					(json_int_t)row->limit, "given", row->is_given, "verdict",
					certify_verdict_words[row->verdict], "note", row->note));
	}
	return list;
}

static json_t *vcpus_json(const struct plan *p, const struct certify_found *f)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < p->n_vcpus; i++) {
		const struct certify_vcpu *v = &f->vcpus[i];

		json_array_append_new(list,
				      json_pack("{s:I,s:i,s:o*,s:o*,s:o*,s:o*,s:o*,s:o*}", "vcpu",
						(json_int_t)i, "cpu", p->vcpus[i].host_cpu, "exits",
						known(v->has_exits, v->exits), "halt_ns",
						known(v->has_exits, v->halt_ns), "waited_ns",
						known(v->has_waited, v->waited_ns), "switches",
						known(v->has_waited, v->switches), "irqs",
						known(v->has_irqs, v->irqs), "device_irqs",
						known(v->has_irqs, v->device_irqs)));
	}
	return list;
}

static json_t *leaves_json(bool has, const uint64_t n[CERTIFY_LEAVES])
{
	json_t *j = has ? json_object() : NULL;

	for (size_t i = 0; j && i < CERTIFY_LEAVES; i++)
		json_object_set_new(j, certify_leaf_words[i], json_integer((json_int_t)n[i]));
	return j;
}

json_t *certify_report(const struct plan *p, const struct certify_found *f,
		       const struct certify_rows *rows)
{
	return json_pack("{s:i,s:s,s:s,s:I,s:b,s:o,s:o,s:o*,s:o*}", "carve_certify", 1, "name",
			 p->name, "backend", p->backend, "ms", (json_int_t)f->ms, "certified",
			 certify_failure(rows) == NULL, "rows", rows_json(rows), "vcpus",
			 vcpus_json(p, f), "mapped_bytes", leaves_json(f->has_mapped, f->mapped),
			 "leaves", leaves_json(f->has_leaves, f->leaves));
}
