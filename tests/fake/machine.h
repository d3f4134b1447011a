/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Machines nobody here owns: descriptions of tests/machines made into what Linux would show of them. */
#ifndef CARVE_TESTS_MACHINE_H
#define CARVE_TESTS_MACHINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/sysroot.h"
#include "plan/inventory.h"

/** struct machine_counts - the "expect" line of a description; -1: it does not say */
struct machine_counts {
	int packages, nodes, l3s, cores, cpus;
	int functions, vfs, bridges, gpus, nics, nvmes, groups;
};

/**
 * machine_compile() - a description as a manifest (docs/formats/sysroot.md)
 * @origin:     named in errors
 * @ret:        heap text of the manifest
 * @ret_counts: what the description expects; may be NULL
 * Return: 0, -EINVAL with "ORIGIN:LINE" as the object, -ENOMEM.
 */
int machine_compile(const char *text, size_t len, const char *origin, char **ret, size_t *ret_len,
		    struct machine_counts *ret_counts, struct cv_error *err);

/**
 * machine_names() - all fixtures: tests/machines without .machine, tests/sysroots without .sysroot
 * Return: 0 or -errno; sorted.
 */
int machine_names(struct cv_strv *ret);

/** machine_is_captured() - true when @name is one of tests/sysroots. */
bool machine_is_captured(const char *name);

/**
 * machine_manifest() - the manifest of a fixture, captured or made
 * Return: 0, -ENOENT, or -errno with @err filled.
 */
int machine_manifest(const char *name, char **ret, size_t *ret_len, struct machine_counts *counts,
		     struct cv_error *err);

/** machine_open_text() - a manifest as a root in a directory, as --sysroot opens it. */
int machine_open_text(const char *text, size_t len, struct cv_sysroot **ret, struct cv_error *err);

/**
 * machine_open_memory() - a sound manifest as a root without a directory: fast, nothing can be changed
 * Return: 0, -EINVAL, -ENOMEM.
 */
int machine_open_memory(const char *text, size_t len, struct cv_sysroot **ret);

/** machine_open() - a fixture as a root in a directory, for hwloc and lstopo. Return: 0 or -errno. */
int machine_open(const char *name, struct cv_sysroot **ret, struct cv_error *err);

/** machine_read() - the whole inventory of a root: noise and holders, no names. */
int machine_read(struct cv_sysroot *root, struct inventory *ret, struct cv_error *err);

/** machine_inventory() - the inventory of a fixture, read from memory; fails the running test when it cannot be read. */
void machine_inventory(const char *name, struct inventory *ret);

#endif
