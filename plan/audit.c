// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/audit.h"
#include "plan/audit_checks.h"

#define AUDIT_VERSION 1

static const char *const verdict_names[] = {
	[AUDIT_PASS] = "pass",
	[AUDIT_WARN] = "warn",
	[AUDIT_FAIL] = "fail",
};

const char *audit_verdict_name(enum audit_verdict v)
{
	return verdict_names[v];
}

struct audit_finding *audit_add(struct audit *a, const char *check, enum audit_verdict verdict,
				const char *object)
{
	struct audit_finding *all = a->findings, *f;

	if (!(a->n & (a->n - 1))) {
		all = reallocarray(a->findings, a->n ? a->n * 2 : 1, sizeof(*all));
		if (!all)
			return NULL;
		a->findings = all;
	}
	f = &all[a->n++];
	*f = (struct audit_finding){ .check = check, .verdict = verdict };
	snprintf(f->object, sizeof(f->object), "%s", object);
	return f;
}

void audit_evidence(struct audit_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->evidence, sizeof(f->evidence), fmt, ap);
	va_end(ap);
}

void audit_effect(struct audit_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->effect, sizeof(f->effect), fmt, ap);
	va_end(ap);
}

void audit_fix(struct audit_finding *f, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(f->fix, sizeof(f->fix), fmt, ap);
	va_end(ap);
}

int audit_add_flag(const struct audit_flag *flag, const struct inventory *inv, struct audit *a)
{
	bool value = *(const bool *)((const char *)&inv->host + flag->offset);
	bool is_good = value == flag->want;
	struct audit_finding *f;

	f = audit_add(a, flag->check, is_good ? AUDIT_PASS : flag->bad, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "%s", flag->evidence[value]);
	audit_effect(f, "%s", flag->effect[value]);
	if (!is_good)
		audit_fix(f, "%s", flag->fix);
	return 0;
}

int audit_run(const struct inventory *inv, enum audit_intent intent, struct audit *ret)
{
	struct audit a = { 0 };
	int rc = audit_host(inv, &a);

	if (!rc)
		rc = audit_noise(inv, &a);
	if (!rc)
		rc = audit_devices(inv, &a);
	if (rc) {
		audit_done(&a);
		return rc;
	}
	*ret = a;
	return 0;
}

void audit_done(struct audit *a)
{
	free(a->findings);
	*a = (struct audit){ 0 };
}

enum audit_verdict audit_worst(const struct audit *a)
{
	enum audit_verdict worst = AUDIT_PASS;

	for (size_t i = 0; i < a->n; i++)
		if (a->findings[i].verdict > worst)
			worst = a->findings[i].verdict;
	return worst;
}

static int count_verdict(const struct audit *a, enum audit_verdict v)
{
	int n = 0;

	for (size_t i = 0; i < a->n; i++)
		n += a->findings[i].verdict == v;
	return n;
}

/* Names come from the host and may be no UTF-8. */
static json_t *json_text(const char *text)
{
	char copy[sizeof(((struct audit_finding *)0)->fix)];
	json_t *j = json_string(text);

	if (j)
		return j;
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *p = copy; *p; p++)
		if (*p & 0x80)
			*p = '?';
	return json_string(copy);
}

static json_t *finding_json(const struct audit_finding *f)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o}", "check", f->check, "verdict",
			 audit_verdict_name(f->verdict), "object", json_text(f->object), "evidence",
			 json_text(f->evidence), "effect", json_text(f->effect), "fix",
			 json_text(f->fix));
}

struct json_t *audit_json(const struct audit *a)
{
	_cleanup_json_ json_t *findings = json_array();

	if (!findings)
		return NULL;
	for (size_t i = 0; i < a->n; i++)
		if (json_array_append_new(findings, finding_json(&a->findings[i])))
			return NULL;
	return json_pack("{s:i, s:{s:i, s:i, s:i}, s:O}", "carve_audit", AUDIT_VERSION, "summary",
			 "pass", count_verdict(a, AUDIT_PASS), "warn", count_verdict(a, AUDIT_WARN),
			 "fail", count_verdict(a, AUDIT_FAIL), "findings", findings);
}
