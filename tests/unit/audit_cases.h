/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A machine on which the audit finds nothing, and changes of it that it must find. */
#ifndef CARVE_TESTS_AUDIT_CASES_H
#define CARVE_TESTS_AUDIT_CASES_H

#include "plan/audit.h"

/* Devices of audit_machine(): */
#define AC_PORT "0000:20:00.0"	   /* root port above AC_NIC */
#define AC_NIC "0000:21:00.0"	   /* PF with 7 VFs, node 0 */
#define AC_NVME "0000:82:00.0"	   /* PF with 4 VFs, node 1 */
#define AC_ROOT "0000:80:03.0"	   /* root port above the switch */
#define AC_DOWN_GPU "0000:85:00.0" /* port of the switch above AC_GPU */
#define AC_DOWN_NIC "0000:85:01.0" /* port of the switch above AC_SW_NIC */
#define AC_GPU "0000:86:00.0"	   /* behind the switch, node 1 */
#define AC_SW_NIC "0000:87:00.0"   /* its neighbour */

/**
 * audit_machine() - two nodes of four cores, a switch with GPU and NIC, everything as it should be
 * for AUDIT_ISOLATE; release with inventory_done()
 */
void audit_machine(struct inventory *inv);

/**
 * struct audit_case - one fact changed, and the finding that must say so
 * @object:   "" the host
 * @evidence: part of it
 * @fix:      part of the change's value, NULL: the finding has no change
 * @how:      of the change
 */
struct audit_case {
	const char *check;
	const char *object;
	enum audit_verdict verdict;
	const char *evidence;
	void (*change)(struct inventory *inv);
	enum audit_how how;
	const char *value;
};

#define AUDIT_CHANGE(name, statement)           \
	static void name(struct inventory *inv) \
	{                                       \
		statement;                      \
	}

/** audit_check_cases() - each one on a machine of its own; the check passes there without the change. */
void audit_check_cases(const struct audit_case *cases, size_t n, enum audit_intent intent);

/** audit_find() - the finding of a check about an object, or NULL. */
const struct audit_finding *audit_find(const struct audit *a, const char *check,
				       const char *object);

/** audit_text() - copy @text into a member of the inventory. */
#define audit_text(member, text) snprintf((member), sizeof(member), "%s", (text))

#endif
