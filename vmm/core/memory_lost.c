// SPDX-License-Identifier: GPL-2.0-or-later
/* The handler runs where anything may be locked: it looks at the table without a lock, and writes with
 * write(2) alone (signal-safety(7)). */
#include "vmm/core/memory_lost.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"

#define NAME_MAX_BYTES 96
#define LINE_MAX_BYTES 400

/** struct place - @start: 0: free; written last, and first when it goes */
struct place {
	uintptr_t start;
	uint64_t size;
	char name[NAME_MAX_BYTES];
};

/* Of the process, as the signal is. */
static struct place places[VMM_LOST_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* of who writes @places */

/* ---- the line ---- */

/** struct line - text that grows, without stdio */
struct line {
	char text[LINE_MAX_BYTES];
	size_t len;
};

static void add_text(struct line *l, const char *text)
{
	while (*text && l->len < sizeof(l->text) - 1)
		l->text[l->len++] = *text++;
}

static void add_hex(struct line *l, uint64_t value)
{
	char digits[2 * sizeof(value) + 1];
	size_t at = sizeof(digits) - 1;

	digits[at] = '\0';
	do {
		digits[--at] = "0123456789abcdef"[value & 0xf];
		value >>= 4;
	} while (value > 0);
	add_text(l, "0x");
	add_text(l, &digits[at]);
}

static const struct place *find_place(uintptr_t at, uint64_t *ret_offset)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(places); i++) {
		uintptr_t start = __atomic_load_n(&places[i].start, __ATOMIC_ACQUIRE);

		if (start == 0 || at < start || at - start >= places[i].size)
			continue;
		*ret_offset = at - start;
		return &places[i];
	}
	return NULL;
}

static const char *reason(int code)
{
	if (code == BUS_MCEERR_AR || code == BUS_MCEERR_AO)
		return ": the host's hardware lost this memory";
	return ": what was mapped there is gone (huge pages taken away, or the device is off)";
}

static void say(const siginfo_t *info)
{
	struct line l = { .len = 0 };
	uint64_t offset = 0;
	const struct place *p = find_place((uintptr_t)info->si_addr, &offset);

	add_text(&l, "bus error at ");
	add_hex(&l, (uintptr_t)info->si_addr);
	add_text(&l, p ? ", which is " : ", which is neither the guest's memory nor a BAR");
	add_text(&l, p ? p->name : "");
	if (p) {
		add_text(&l, ", offset ");
		add_hex(&l, offset);
	}
	add_text(&l, reason(info->si_code));
	add_text(&l, ": the VMM ends\n");
	if (write(STDERR_FILENO, l.text, l.len) < 0)
		return; /* nobody is left to tell */
}

static void on_bus_error(int number, siginfo_t *info, void *ctx)
{
	(void)number;
	(void)ctx;
	say(info);
	_exit(CV_EXIT_GUEST);
}

int vmm_lost_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO };

	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

/* ---- the table ---- */

void vmm_lost_name(const void *at, uint64_t size, const char *name)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < CV_ARRAY_SIZE(places); i++) {
		if (places[i].start)
			continue;
		places[i].size = size;
		snprintf(places[i].name, sizeof(places[i].name), "%s", name);
		__atomic_store_n(&places[i].start, (uintptr_t)at, __ATOMIC_RELEASE);
		break;
	}
	pthread_mutex_unlock(&lock);
}

void vmm_lost_forget(const void *at)
{
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < CV_ARRAY_SIZE(places); i++)
		if (places[i].start == (uintptr_t)at)
			__atomic_store_n(&places[i].start, 0, __ATOMIC_RELEASE);
	pthread_mutex_unlock(&lock);
}
