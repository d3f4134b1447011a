/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VMM has to say goes to its log (its standard error, vmm.log): one line each. A guest that can
 * provoke lines without end is not heard without end. */
#ifndef CARVE_VMM_LOG_H
#define CARVE_VMM_LOG_H

#include <stdint.h>

#define VMM_LOG_MAX 1000     /* lines of the VMM itself */
#define VMM_LOG_BURST 10     /* lines of one device at once, */
#define VMM_LOG_EACH_MS 1000 /* another one each second, */
#define VMM_LOG_OF_MAX 300   /* and no more than these */

/** vmm_log() - one line of what no guest can repeat at will. Context: any thread. */
void vmm_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/**
 * struct vmm_log_budget - embedded in a device, zeroed before use: what it may still say
 * @credit_ms: of time, not yet spent on lines; @at_ms: when it was counted
 * @said:      in all
 * @dropped:   since the last line that was written
 */
struct vmm_log_budget {
	uint64_t at_ms;
	uint32_t credit_ms, said, dropped;
};

/**
 * vmm_log_of() - one line of a device, when its budget allows; how many were left out is told with the
 * next one. What devices say takes nothing from what vmm_log() may.
 * Context: any thread.
 */
void vmm_log_of(struct vmm_log_budget *b, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/**
 * vmm_log_may() - take a line from the budget; pure but for @b
 * @now_ms:      of a clock that never goes back, not 0
 * @ret_dropped: lines left out before this one, when it may be written
 */
_Bool vmm_log_may(struct vmm_log_budget *b, uint64_t now_ms, uint32_t *ret_dropped);

#endif
