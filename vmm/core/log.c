// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512
#define CREDIT_MAX_MS (VMM_LOG_BURST * VMM_LOG_EACH_MS)

static atomic_uint lines; /* of the process, as is the descriptor */
static pthread_mutex_t budgets = PTHREAD_MUTEX_INITIALIZER; /* of all of them: lines are rare */

__attribute__((format(printf, 1, 0))) static void write_line(const char *fmt, va_list args)
{
	char line[LINE_MAX_BYTES];
	size_t len;

	vsnprintf(line, sizeof(line) - 1, fmt, args);
	len = strlen(line);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}

void vmm_log(const char *fmt, ...)
{
	unsigned int n = atomic_fetch_add(&lines, 1);
	va_list args;

	if (n > VMM_LOG_MAX)
		return;
	va_start(args, fmt);
	write_line(n == VMM_LOG_MAX ? "more than enough: silent now" : fmt, args);
	va_end(args);
}

/* ---- of a device ---- */

static uint32_t credit_at(const struct vmm_log_budget *b, uint64_t now_ms)
{
	uint64_t passed = b->at_ms ? now_ms - b->at_ms : CREDIT_MAX_MS;

	if (passed > CREDIT_MAX_MS - b->credit_ms)
		return CREDIT_MAX_MS;
	return b->credit_ms + (uint32_t)passed;
}

_Bool vmm_log_may(struct vmm_log_budget *b, uint64_t now_ms, uint32_t *ret_dropped)
{
	b->credit_ms = credit_at(b, now_ms);
	b->at_ms = now_ms;
	if (b->credit_ms < VMM_LOG_EACH_MS || b->said >= VMM_LOG_OF_MAX) {
		b->dropped++;
		return false;
	}
	b->credit_ms -= VMM_LOG_EACH_MS;
	b->said++;
	*ret_dropped = b->dropped;
	b->dropped = 0;
	return true;
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000 + 1;
}

__attribute__((format(printf, 1, 2))) static void say(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	write_line(fmt, args);
	va_end(args);
}

void vmm_log_of(struct vmm_log_budget *b, const char *fmt, ...)
{
	uint32_t dropped = 0;
	bool may, is_last;
	va_list args;

	pthread_mutex_lock(&budgets);
	may = vmm_log_may(b, now_ms(), &dropped);
	is_last = may && b->said == VMM_LOG_OF_MAX;
	pthread_mutex_unlock(&budgets);
	if (!may)
		return;
	if (dropped)
		say("%u lines about the next one's device left out", dropped);
	va_start(args, fmt);
	write_line(fmt, args);
	va_end(args);
	if (is_last)
		say("that device has said enough: silent now");
}
