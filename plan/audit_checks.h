/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The check tables of the audit: what is looked at on the host and on each device. */
#ifndef CARVE_PLAN_AUDIT_CHECKS_H
#define CARVE_PLAN_AUDIT_CHECKS_H

#include <stdbool.h>

#include "plan/audit.h"

/**
 * audit_add() - append a finding with empty texts
 * Return: the finding, valid until the next call, or NULL when out of memory.
 */
struct audit_finding *audit_add(struct audit *a, const char *check, enum audit_verdict verdict,
				const char *object);

/* Set one text of a finding; too long a text is cut. */
void audit_evidence(struct audit_finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void audit_effect(struct audit_finding *f, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void audit_fix(struct audit_finding *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** audit_host() - all checks of the node itself. Return: 0, -ENOMEM. */
int audit_host(const struct inventory *inv, struct audit *a);
/** audit_noise() - what disturbs guests on given cores. Return: 0, -ENOMEM. */
int audit_noise(const struct inventory *inv, struct audit *a);
/** audit_devices() - each GPU, network and NVMe function that is no VF. Return: 0, -ENOMEM. */
int audit_devices(const struct inventory *inv, struct audit *a);

/**
 * struct audit_flag - a check that is one yes-or-no fact of struct inv_host
 * @offset:  of the bool in struct inv_host
 * @want:    its good value
 * @bad:     verdict otherwise
 * @evidence, @effect: by value, [0] false and [1] true
 */
struct audit_flag {
	const char *check;
	size_t offset;
	bool want;
	enum audit_verdict bad;
	const char *evidence[2];
	const char *effect[2];
	const char *fix;
};

/** audit_add_flag() - judge one flag. Return: 0, -ENOMEM. */
int audit_add_flag(const struct audit_flag *flag, const struct inventory *inv, struct audit *a);

#endif
