// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/log.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 512

static atomic_uint lines; /* of the process, as is the descriptor */

void vmm_log(const char *fmt, ...)
{
	char line[LINE_MAX_BYTES];
	unsigned int n = atomic_fetch_add(&lines, 1);
	va_list args;
	size_t len;

	if (n > VMM_LOG_MAX)
		return;
	va_start(args, fmt);
	vsnprintf(line, sizeof(line) - 1, n == VMM_LOG_MAX ? "more than enough: silent now" : fmt,
		  args);
	va_end(args);
	len = strlen(line);
	line[len++] = '\n';
	if (write(STDERR_FILENO, line, len) < 0)
		return; /* nobody is left to tell */
}
