/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VMM has to say goes to its log (its standard error, vmm.log): one line each. */
#ifndef CARVE_VMM_LOG_H
#define CARVE_VMM_LOG_H

/**
 * vmm_log() - one line; a guest that can provoke it without end is not heard without end: after
 * VMM_LOG_MAX lines the rest is dropped
 * Context: any thread.
 */
void vmm_log(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define VMM_LOG_MAX 1000

#endif
