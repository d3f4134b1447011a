/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The audit: each precondition of passthrough judged by its effect; pure over the inventory. */
#ifndef CARVE_PLAN_AUDIT_H
#define CARVE_PLAN_AUDIT_H

#include <stddef.h>

#include "plan/inventory.h"

/** enum audit_intent - what the switches shall be good for: ACS cannot serve both */
enum audit_intent {
	AUDIT_ISOLATE, /* each device alone in its group */
	AUDIT_P2P,     /* devices below one switch talk to each other without the root complex */
};

/** enum audit_how - how a change is made to last */
enum audit_how {
	AUDIT_NO_CHANGE,
	AUDIT_WRITE,	/* @value is written to @path; lost at the next boot */
	AUDIT_CMDLINE,	/* @value is added to the kernel command line */
	AUDIT_MODULE,	/* @value is an "options MODULE KEY=VALUE" line of modprobe.d */
	AUDIT_SERVICE,	/* @value is a unit to stop and disable */
	AUDIT_FIRMWARE, /* @value is a firmware setting */
};

/** struct audit_change - one change of --fix-plan; nothing of it is made by Carve */
struct audit_change {
	enum audit_how how;
	char path[128];	 /* AUDIT_WRITE: file */
	char now[64];	 /* value found, "" unknown */
	char value[160]; /* value wanted */
};

enum audit_verdict { AUDIT_PASS, AUDIT_WARN, AUDIT_FAIL };

/** struct audit_finding - strings are owned by the list; @object is "" for the whole host */
struct audit_finding {
	const char *check; /* stable id: "iommu", "intremap", "kvm", ... (static) */
	enum audit_verdict verdict;
	char object[64];
	char evidence[200];	    /* path and value */
	char effect[200];	    /* what follows */
	char fix[240];		    /* what to do about it, "" when it passes */
	struct audit_change change; /* the same for machines, where it is one change */
};

struct audit {
	struct audit_finding *findings;
	size_t n;
};

/** audit_run() - Return: 0, -ENOMEM. Findings in the order of the check table. */
int audit_run(const struct inventory *inv, enum audit_intent intent, struct audit *ret);
void audit_done(struct audit *a);
/** audit_worst() - the worst verdict of all. */
enum audit_verdict audit_worst(const struct audit *a);
const char *audit_verdict_name(enum audit_verdict v);
/** audit_json() - {"carve_audit":1,"summary":{..},"findings":[..]}; new reference or NULL. */
struct json_t *audit_json(const struct audit *a);
/**
 * audit_fix_plan() - the changes that the findings name, for people: writes to make now, words for the
 * kernel command line in one line, lines for modprobe.d, units, firmware settings
 * Return: heap string ("" nothing to change), or NULL.
 */
char *audit_fix_plan(const struct audit *a);

#endif
