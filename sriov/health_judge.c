// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/health.h"

#define ALL_ONES UINT32_MAX
/* Configuration Request Retry Status made visible (PCIe 6.0 section 2.3.2): not ready, for ever. */
#define VENDOR_NOT_READY 0x0001
#define CLASS_DISPLAY 0x03
#define CLASS_ACCELERATOR 0x12

/** struct look - what is compared */
struct look {
	const struct sr_health *before, *now;
	const char *driver;
	struct sr_verdict *v;
};

static const char *const check_names[SR_CHECKS] = {
	[SR_CHECK_PRESENT] = "present", [SR_CHECK_CONFIG] = "config", [SR_CHECK_MEMORY] = "memory",
	[SR_CHECK_LINK] = "link",	[SR_CHECK_AER] = "aer",	      [SR_CHECK_DRIVER] = "driver",
};

const char *sr_check_name(enum sr_check check)
{
	return (unsigned int)check < SR_CHECKS ? check_names[check] : "?";
}

static void __attribute__((format(printf, 2, 3))) reason(const struct look *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->v->reason, sizeof(l->v->reason), fmt, ap);
	va_end(ap);
}

static void __attribute__((format(printf, 2, 3)))
evidence(const struct look *l, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->v->evidence, sizeof(l->v->evidence), fmt, ap);
	va_end(ap);
}

/* Several notes of one function are told in one sentence. */
static void __attribute__((format(printf, 2, 3))) note(const struct look *l, const char *fmt, ...)
{
	size_t used = strlen(l->v->note);
	va_list ap;

	if (used > 0 && used + 3 < sizeof(l->v->note)) {
		memcpy(l->v->note + used, ", ", 3);
		used += 2;
	}
	va_start(ap, fmt);
	vsnprintf(l->v->note + used, sizeof(l->v->note) - used, fmt, ap);
	va_end(ap);
}

static bool check_present(const struct look *l)
{
	if (l->now->is_present)
		return true;
	reason(l, "the function is gone from the bus");
	evidence(l, "no such entry, %s", l->before ? "was there before" : "wanted one");
	return false;
}

static bool fail_config(const struct look *l, const char *what, int offset, int64_t now,
			int64_t before)
{
	reason(l, "%s", what);
	if (before >= 0)
		evidence(l, "config offset %d: 0x%08llx, 0x%08llx before", offset,
			 (unsigned long long)now, (unsigned long long)before);
	else
		evidence(l, "config offset %d: 0x%08llx, wanted another value", offset,
			 (unsigned long long)now);
	return false;
}

static bool check_header(const struct look *l)
{
	int64_t header = l->now->header, before = l->before ? l->before->header : -1;
	unsigned int vendor = header & 0xffff;

	if (l->now->is_vf || header < 0)
		return true;
	if (vendor == 0xffff)
		return fail_config(l, "config space reads all ones", 0, header, before);
	if (vendor == VENDOR_NOT_READY)
		return fail_config(l, "the function never became ready", 0, header, before);
	if (before >= 0 && (before & 0xffff) != 0xffff && header != before)
		return fail_config(l, "another device answers at its address", 0, header, before);
	return true;
}

static bool check_config(const struct look *l)
{
	if (!check_header(l))
		return false;
	if (l->now->command != ALL_ONES)
		return true;
	return fail_config(l, "config space reads all ones", 4, l->now->command,
			   l->before ? l->before->command : -1);
}

static bool check_memory(const struct look *l)
{
	if (l->now->memory != ALL_ONES)
		return true;
	reason(l, "the memory of BAR 0 reads all ones");
	evidence(l, "resource0 offset 0: 0x%08x, wanted another value", ALL_ONES);
	return false;
}

static bool may_rest(const struct sr_health *h)
{
	return h->class >> 16 == CLASS_DISPLAY || h->class >> 16 == CLASS_ACCELERATOR;
}

static void note_link(const struct look *l)
{
	const struct sr_health *h = l->now;

	if (h->link_width > 0 && h->link_width < h->link_width_max)
		note(l, "its link has %d of %d lanes", h->link_width, h->link_width_max);
	if (h->link_speed > 0 && h->link_speed < h->link_speed_max)
		note(l, "its link runs at %d.%d of %d.%d GT/s", h->link_speed / 10,
		     h->link_speed % 10, h->link_speed_max / 10, h->link_speed_max % 10);
}

static bool check_speed(const struct look *l)
{
	int now = l->now->link_speed, before = l->before->link_speed;

	if (now <= 0 || now >= before)
		return true;
	if (may_rest(l->now)) {
		note(l, "its link rests at %d.%d GT/s, %d.%d before", now / 10, now % 10,
		     before / 10, before % 10);
		return true;
	}
	reason(l, "the link came back slower");
	evidence(l, "current_link_speed: %d.%d GT/s, %d.%d GT/s before", now / 10, now % 10,
		 before / 10, before % 10);
	return false;
}

static bool check_link(const struct look *l)
{
	if (!l->before) {
		note_link(l);
		return true;
	}
	if (l->now->link_width <= 0 || l->now->link_width >= l->before->link_width)
		return check_speed(l);
	reason(l, "the link came back narrower");
	evidence(l, "current_link_width: %d, %d before", l->now->link_width, l->before->link_width);
	return false;
}

/* Counters start anew with a function that was removed and found again: fewer are no fewer errors. */
static bool has_grown(int64_t now, int64_t before)
{
	return now >= 0 && before >= 0 && now > before;
}

static bool check_aer(const struct look *l)
{
	const struct sr_health *now = l->now, *before = l->before;
	bool is_fatal = before && has_grown(now->aer_fatal, before->aer_fatal);

	if (!before)
		return true;
	if (has_grown(now->aer_correctable, before->aer_correctable))
		note(l, "%lld correctable errors more",
		     (long long)(now->aer_correctable - before->aer_correctable));
	if (!is_fatal && !has_grown(now->aer_nonfatal, before->aer_nonfatal))
		return true;
	reason(l, "uncorrectable PCIe errors were counted");
	evidence(l, "aer_dev_%s: %lld, %lld before", is_fatal ? "fatal" : "nonfatal",
		 (long long)(is_fatal ? now->aer_fatal : now->aer_nonfatal),
		 (long long)(is_fatal ? before->aer_fatal : before->aer_nonfatal));
	return false;
}

static bool check_driver(const struct look *l)
{
	const char *now = l->now->driver;

	if (!l->driver || strcmp(now, l->driver) == 0)
		return true;
	reason(l, "%s did not take the function again", l->driver);
	evidence(l, "driver: %s, %s before", now[0] ? now : "none", l->driver);
	return false;
}

static bool (*const checks[SR_CHECKS])(const struct look *l) = {
	[SR_CHECK_PRESENT] = check_present, [SR_CHECK_CONFIG] = check_config,
	[SR_CHECK_MEMORY] = check_memory,   [SR_CHECK_LINK] = check_link,
	[SR_CHECK_AER] = check_aer,	    [SR_CHECK_DRIVER] = check_driver,
};

void sr_health_judge(const struct sr_health *before, const struct sr_health *now,
		     const char *driver, struct sr_verdict *ret)
{
	const struct look l = { .before = before, .now = now, .driver = driver, .v = ret };

	*ret = (struct sr_verdict){ .is_healthy = true, .failed = SR_CHECKS };
	for (unsigned int i = 0; i < SR_CHECKS && ret->is_healthy; i++) {
		ret->is_healthy = checks[i](&l);
		if (!ret->is_healthy)
			ret->failed = (enum sr_check)i;
	}
}
