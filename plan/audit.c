// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/audit.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
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

static void judge_flag(const struct audit_flag *flag, bool value, struct audit_finding *f)
{
	audit_evidence(f, "%s", flag->evidence[value]);
	audit_effect(f, "%s", flag->effect[value]);
	if (f->verdict == AUDIT_PASS)
		return;
	f->change = flag->change;
	if (flag->fix)
		audit_fix(f, "%s", flag->fix);
	else
		audit_fix_by_change(f);
}

int audit_add_flags(const struct audit_flag *flags, size_t n, const struct inventory *inv,
		    struct audit *a)
{
	for (size_t i = 0; i < n; i++) {
		bool value = *(const bool *)((const char *)&inv->host + flags[i].offset);
		bool is_good = value == flags[i].want;
		struct audit_finding *f;

		f = audit_add(a, flags[i].check, is_good ? AUDIT_PASS : flags[i].bad, "");
		if (!f)
			return -ENOMEM;
		judge_flag(&flags[i], value, f);
	}
	return 0;
}

int audit_run(const struct inventory *inv, enum audit_intent intent, struct audit *ret)
{
	static int (*const parts[])(const struct inventory *inv, struct audit *a) = {
		audit_host, audit_iommu, audit_memory, audit_cores, audit_noise, audit_devices,
	};
	struct audit a = { 0 };
	int rc = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(parts) && !rc; i++)
		rc = parts[i](inv, &a);
	if (!rc)
		rc = audit_acs(inv, intent, &a);
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

static json_t *change_json(const struct audit_change *c)
{
	static const char *const names[] = {
		[AUDIT_WRITE] = "write",       [AUDIT_CMDLINE] = "cmdline",
		[AUDIT_MODULE] = "module",     [AUDIT_SERVICE] = "service",
		[AUDIT_FIRMWARE] = "firmware",
	};

	if (c->how == AUDIT_NO_CHANGE)
		return json_null();
	return json_pack("{s:s, s:o, s:o, s:o}", "how", names[c->how], "path",
			 cv_json_string(c->path), "now", cv_json_string(c->now), "value",
			 cv_json_string(c->value));
}

static json_t *finding_json(const struct audit_finding *f)
{
	return json_pack("{s:s, s:s, s:o, s:o, s:o, s:o, s:o}", "check", f->check, "verdict",
			 audit_verdict_name(f->verdict), "object", cv_json_string(f->object),
			 "evidence", cv_json_string(f->evidence), "effect",
			 cv_json_string(f->effect), "fix", cv_json_string(f->fix), "change",
			 change_json(&f->change));
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
