/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of the audit by what they look at, and what they share: adding findings, tables of facts. */
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

/**
 * audit_set_change() - the change that mends a finding
 * @path: file of AUDIT_WRITE, else ""
 * @now:  value found, "" unknown
 * A value that does not fit is left out whole: half of one would do harm.
 */
void audit_set_change(struct audit_finding *f, enum audit_how how, const char *path,
		      const char *now, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** audit_fix_by_change() - "echo VALUE > PATH", "boot with VALUE", ... as the text of the fix. */
void audit_fix_by_change(struct audit_finding *f);

/* Each adds what it looks at. Return: 0, -ENOMEM. */
int audit_host(const struct inventory *inv, struct audit *a);
int audit_iommu(const struct inventory *inv, struct audit *a);
int audit_memory(const struct inventory *inv, struct audit *a);
/** audit_cores() - siblings, kinds, cache allocation, and what runs on cores set aside for guests. */
int audit_cores(const struct inventory *inv, struct audit *a);
/** audit_noise() - settings of the kernel that disturb guests on given cores. */
int audit_noise(const struct inventory *inv, struct audit *a);
/** audit_devices() - each GPU, network and NVMe function that is no VF. */
int audit_devices(const struct inventory *inv, struct audit *a);
/** audit_acs() - the ports above those functions, for one intent. */
int audit_acs(const struct inventory *inv, enum audit_intent intent, struct audit *a);

/** audit_is_candidate() - a function that guests are made for: GPU, network, NVMe, or with VFs; no VF. */
bool audit_is_candidate(const struct inv_dev *d);

/** struct audit_fact - what is true of a device; @find fills all but check and object of @f */
struct audit_fact {
	const char *check;
	enum audit_verdict verdict; /* @find may set another one */
	bool (*find)(const struct inventory *inv, int dev, struct audit_finding *f);
};

/* The facts of devices by what they are about. Return of each: there is something to say. */
bool audit_find_unplaced_bar(const struct inventory *inv, int dev, struct audit_finding *f);
bool audit_find_unplaced_vf_bar(const struct inventory *inv, int dev, struct audit_finding *f);
bool audit_find_small_bar(const struct inventory *inv, int dev, struct audit_finding *f);
bool audit_find_no_window(const struct inventory *inv, int dev, struct audit_finding *f);
bool audit_find_slow_link(const struct inventory *inv, int dev, struct audit_finding *f);
bool audit_find_group(const struct inventory *inv, int dev, struct audit_finding *f);
/** audit_unit() - number of other functions of the same card that share its group; named in @buf. */
size_t audit_unit(const struct inventory *inv, int dev, char *buf, size_t size);

/**
 * struct audit_flag - a check that is one yes-or-no fact of struct inv_host
 * @offset:  of the bool in struct inv_host
 * @want:    its good value
 * @bad:     verdict otherwise
 * @evidence, @effect: by value, [0] false and [1] true
 * @fix:     NULL: said by @change
 */
struct audit_flag {
	const char *check;
	size_t offset;
	bool want;
	enum audit_verdict bad;
	const char *evidence[2];
	const char *effect[2];
	const char *fix;
	struct audit_change change;
};

/** audit_add_flags() - judge @n flags. Return: 0, -ENOMEM. */
int audit_add_flags(const struct audit_flag *flags, size_t n, const struct inventory *inv,
		    struct audit *a);

#endif
