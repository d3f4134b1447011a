/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit: each precondition of passthrough judged by its effect; pure over the inventory. */
#ifndef CARVE_PLAN_AUDIT_H
#define CARVE_PLAN_AUDIT_H

#include <stddef.h>

#include "plan/inventory.h"

enum audit_verdict { AUDIT_PASS, AUDIT_WARN, AUDIT_FAIL };

/** struct audit_finding - strings are owned by the list; @object is "" for the whole host */
struct audit_finding {
	const char *check; /* stable id: "iommu", "intremap", "kvm", ... (static) */
	enum audit_verdict verdict;
	char object[64];
	char evidence[200]; /* path and value */
	char effect[200];   /* what follows */
	char fix[240];	    /* what to do about it, "" when it passes */
};

struct audit {
	struct audit_finding *findings;
	size_t n;
};

/** audit_run() - Return: 0, -ENOMEM. Findings in the order of the check table. */
int audit_run(const struct inventory *inv, struct audit *ret);
void audit_done(struct audit *a);
/** audit_worst() - the worst verdict of all. */
enum audit_verdict audit_worst(const struct audit *a);
const char *audit_verdict_name(enum audit_verdict v);
/** audit_json() - {"carve_audit":1,"summary":{..},"findings":[..]}; new reference or NULL. */
struct json_t *audit_json(const struct audit *a);

#endif
