/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Leases: who owns which CPUs, pages and devices, on disk, one file per VM
 * (docs/formats/lease.md). */
#ifndef CARVE_BASE_LEASE_H
#define CARVE_BASE_LEASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/cpulist.h"
#include "base/owner.h"

#define CV_LEASE_VERSION 1

struct cv_lease_pages {
	int node;
	uint64_t page_size; /* bytes */
	uint64_t pages;
};

/** struct cv_lease - heap members are owned by the lease */
struct cv_lease {
	char name[64];
	struct cv_owner owner;
	int64_t since; /* seconds since the epoch */
	struct cv_cpuset cpus;
	struct cv_bdf *devices;
	size_t n_devices;
	struct cv_lease_pages *pages;
	size_t n_pages;
};

void cv_lease_done(struct cv_lease *l);
/** cv_lease_is_vm() - of a VM; one without CPUs is of a change of devices (carve device, carve vf) */
static inline bool cv_lease_is_vm(const struct cv_lease *l)
{
	return !cv_cpuset_is_empty(&l->cpus);
}

/**
 * cv_lease_check() - could it be written now?
 * Context: the node lock is held, else it is only likely.
 * Return: 0, or what cv_lease_write() would refuse it with.
 */
int cv_lease_check(struct cv_sysroot *r, const struct cv_lease *l, struct cv_error *err);
/**
 * cv_lease_write() - write CV_LEASE_DIR/NAME.json
 * Context: the node lock is held.
 * Return: 0; -EEXIST when a lease of that name is there; -EBUSY when another lease holds one of the
 * CPUs or devices (@err names lease, owner, job and the object).
 */
int cv_lease_write(struct cv_sysroot *r, const struct cv_lease *l, struct cv_error *err);
/** cv_lease_read() - Return: 0, -ENOENT, -EINVAL, -EPROTONOSUPPORT (newer version). */
int cv_lease_read(struct cv_sysroot *r, const char *name, struct cv_lease *ret,
		  struct cv_error *err);
/** cv_lease_remove() - Return: 0, also when there is none. */
int cv_lease_remove(struct cv_sysroot *r, const char *name, struct cv_error *err);
/** cv_lease_list() - names of all leases, sorted. */
int cv_lease_list(struct cv_sysroot *r, struct cv_strv *ret, struct cv_error *err);

#endif
