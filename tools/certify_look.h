/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters of a running guest, read at one moment; what happened between two of them. */
#ifndef CARVE_TOOLS_CERTIFY_LOOK_H
#define CARVE_TOOLS_CERTIFY_LOOK_H

#include "numa/irq_count.h"
#include "numa/thread.h"
#include "plan/certify.h"
#include "tools/metrics_ask.h"
#include "tools/vm.h"

/** struct look_thread - of a vCPU; @tid 0: not found */
struct look_thread {
	pid_t tid;
	bool has_time;
	struct nu_thread_time time;
};

/**
 * struct look - zeroed before use; look_done()
 * @ms:      by cv_now_ms()
 * @answer:  of the VMM, when it @is_answered: others than root and the VM's user may not ask
 * @threads: of the vCPUs of the plan, by number
 */
struct look {
	int64_t ms;
	bool is_answered, has_irqs, has_mapped;
	struct metrics_answer answer;
	struct look_thread *threads;
	struct nu_irq_counts irqs;
	uint64_t mapped[CERTIFY_LEAVES];
};

void look_done(struct look *l);
#define _cleanup_look_ __attribute__((cleanup(look_done)))

/**
 * look_take() - read all that the caller may read
 * @socket: path of the VMM's control socket
 * @memory: also the VMM's page tables, which the kernel walks for it
 * Return: 0; -ETIMEDOUT or -errno with c->err: the VMM does not answer.
 */
int look_take(struct cmd *c, const struct vm *vm, const char *socket, bool memory,
	      struct look *ret);

/**
 * look_between() - what happened from @a to @b
 * @vcpus: of the plan, zeroed, by number; @ret points to them
 */
void look_between(const struct plan *p, const struct look *a, const struct look *b,
		  struct certify_vcpu *vcpus, struct certify_found *ret);

/** look_exits_json() - [{"vcpu", "reason", "count"}]: by KVM's own names. New reference. */
json_t *look_exits_json(const struct look *a, const struct look *b);
/** look_vectors_json() - [{"device", "vector", "count"}] of the plan's devices. New reference. */
json_t *look_vectors_json(const struct plan *p, const struct look *a, const struct look *b);

#endif
