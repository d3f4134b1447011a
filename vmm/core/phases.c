// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/phases.h"

#include <time.h>

#include "base/json.h"

uint64_t vmm_now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

void vmm_phase_end(struct vmm_phases *p, const char *name)
{
	uint64_t now = vmm_now_us();

	if (p->n < VMM_PHASES_MAX)
		p->v[p->n++] = (struct vmm_phase){ name, now - p->last };
	p->last = now;
}

json_t *vmm_phases_json(const struct vmm_phases *p)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < p->n; i++)
		json_array_append_new(list, json_pack("{s:s,s:I}", "phase", p->v[i].name, "us",
						      (json_int_t)p->v[i].us));
	return list;
}
