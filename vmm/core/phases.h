/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long each part of the start took. */
#ifndef CARVE_VMM_PHASES_H
#define CARVE_VMM_PHASES_H

#include <stddef.h>
#include <stdint.h>

#define VMM_PHASES_MAX 16

/** struct vmm_phases - microseconds; @last: when the last one ended (CLOCK_MONOTONIC) */
struct vmm_phases {
	struct vmm_phase {
		const char *name;
		uint64_t us;
	} v[VMM_PHASES_MAX];
	size_t n;
	uint64_t last;
};

struct json_t;

/** vmm_now_us() - CLOCK_MONOTONIC in microseconds. */
uint64_t vmm_now_us(void);
/** vmm_phase_end() - the part since the last one is called @name (static text). */
void vmm_phase_end(struct vmm_phases *p, const char *name);
/** vmm_phases_json() - [{"phase", "us"}], new reference or NULL. */
struct json_t *vmm_phases_json(const struct vmm_phases *p);

#endif
