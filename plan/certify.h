/* SPDX-License-Identifier: GPL-2.0-or-later */
/* carve certify's judge: figures of a guest that ran for a while, against its limits. Pure. */
#ifndef CARVE_PLAN_CERTIFY_H
#define CARVE_PLAN_CERTIFY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/guest_limits.h"

struct json_t;
struct plan;

#define CERTIFY_LEAVES 3 /* 4K, 2M, 1G */
extern const uint64_t certify_leaf_bytes[CERTIFY_LEAVES];
/** certify_leaf_words - "4K" "2M" "1G" */
extern const char *const certify_leaf_words[CERTIFY_LEAVES];

/**
 * struct certify_vcpu - what happened to a vCPU meanwhile; without its has_ a figure means nothing
 * @exits:       from guest mode, as KVM counts them
 * @halt_ns:     that it slept in the host because the guest had nothing to do
 * @waited_ns:   that its thread could have run but did not have the core
 * @switches:    times that the thread was taken off its core
 * @irqs:        of the host on its core, those of passed-through devices left out
 * @device_irqs: of passed-through devices on its core
 */
struct certify_vcpu {
	bool has_exits, has_waited, has_irqs;
	uint64_t exits, halt_ns, waited_ns, switches, irqs, device_irqs;
};

/**
 * struct certify_found - borrowed
 * @ms:     how long was looked
 * @vcpus:  of the plan, by number
 * @mapped: bytes of the guest's memory in the VMM, by size of the leaves of the VMM's page tables
 * @leaves: number of leaves in the hypervisor's page tables, by size
 */
struct certify_found {
	uint64_t ms;
	const struct certify_vcpu *vcpus;
	bool has_mapped, has_leaves;
	uint64_t mapped[CERTIFY_LEAVES], leaves[CERTIFY_LEAVES];
};

enum certify_verdict { CERTIFY_PASS, CERTIFY_FAIL, CERTIFY_UNKNOWN };
/** certify_verdict_words - "pass" "fail" "unknown" */
extern const char *const certify_verdict_words[];

/**
 * struct certify_row - one figure and what becomes of it
 * @vcpu:     -1: of the whole guest
 * @object:   "vCPU 0", "page tables of the VMM"
 * @measured: in the unit of the limit, rounded up; when it @is_known
 * @is_given: the limit is the caller's, not the built-in one
 * @note:     what else there is to say, "" nothing
 */
struct certify_row {
	enum plan_limit what;
	int vcpu;
	char object[48];
	bool is_known, is_given;
	uint64_t measured, limit;
	enum certify_verdict verdict;
	char note[96];
};

struct certify_rows {
	struct certify_row *v;
	size_t n;
};
void certify_rows_done(struct certify_rows *rows);
#define _cleanup_certify_rows_ __attribute__((cleanup(certify_rows_done)))

/**
 * certify_judge() - limit by limit, vCPU by vCPU
 *
 * What is not known fails when its limit is given. Leaves of the hypervisor that are too small are let
 * pass as far as the edges of the guest's memory, the BARs of its devices and what the VMM itself shows
 * the guest explain them; where that is as much as all of the memory, nothing is known.
 * @l: those of @p, or others
 * Return: 0, -ENOMEM.
 */
int certify_judge(const struct plan *p, const struct plan_limits *l, const struct certify_found *f,
		  struct certify_rows *ret);
/** certify_failure() - Return: the first row that fails, NULL: certified. */
const struct certify_row *certify_failure(const struct certify_rows *rows);

/** certify_report() - the figures and the rows as JSON (docs/formats/certify.md). NULL: memory is out. */
struct json_t *certify_report(const struct plan *p, const struct certify_found *f,
			      const struct certify_rows *rows);

#endif
