/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One PCI function in sysfs: its paths, driver and group, and waiting for it to change. */
#ifndef CARVE_SRIOV_FUNCTION_H
#define CARVE_SRIOV_FUNCTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/step.h"
#include "base/sysroot.h"

#define SR_DEVICES "/sys/bus/pci/devices"
#define SR_DRIVERS "/sys/bus/pci/drivers"

/** sr_path() - "/sys/bus/pci/devices/BDF/NAME" in @buf. Return: @buf. */
const char *sr_path(char buf[CV_PATH_MAX], const char *bdf, const char *name);
/** sr_exists() - the function is there. */
bool sr_exists(struct cv_sysroot *root, const char *bdf);
/** sr_driver() - name of the bound driver, "" when unbound. Return: 0 or -errno. */
int sr_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size);
/**
 * sr_override() - driver_override, "" when there is none
 * @deadline_ms: see sr_read_deadline(); 0: read at once, for functions that are not in quarantine
 * Return: 0 or -errno.
 */
int sr_override(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms, char *buf,
		size_t size);
/** sr_group() - Return: number of the IOMMU group, -1 without one. */
int sr_group(struct cv_sysroot *root, const char *bdf);

/** sr_last_bdf() - the last component of a path that is a PCI address. Return: 0, -ENOENT. */
int sr_last_bdf(const char *path, struct cv_bdf *ret);

/** sr_require() - Return: 0, or -ENODEV with @err filled when the function is not there. */
int sr_require(struct cv_sysroot *root, const char *bdf, struct cv_error *err);

/**
 * sr_split_vf() - "0000:01:00.0/3": address of the PF and number of the VF
 * @pf: CV_BDF_MAX bytes
 * Return: 0, -EINVAL with @err filled.
 */
int sr_split_vf(const char *object, char *pf, unsigned int *ret_index, struct cv_error *err);
/** sr_vf_of() - address of an existing VF by its virtfn link. Return: 0, -ENOENT, -EINVAL. */
int sr_vf_of(struct cv_sysroot *root, const char *pf, unsigned int index, char vf[CV_BDF_MAX]);

/** sr_parse_user() - a number, or the name of a user. Return: 0, -EINVAL with @err filled. */
int sr_parse_user(const char *object, const char *value, uid_t *ret, struct cv_error *err);

/** sr_pause() - sleep between two looks at something that is awaited. */
void sr_pause(void);

/**
 * sr_child_fill() - cv_child_run() of @fn on @data, which comes back as the child left it
 * @data:        @size bytes without pointers to memory that the child has to write
 * @deadline_ms: 0: no child, for who is one with a deadline already
 * Return: what @fn returned, -ETIMEDOUT (@data is untouched), -errno.
 */
int sr_child_fill(int (*fn)(void *data), void *data, size_t size, unsigned int deadline_ms);

/**
 * sr_read_deadline() - cv_read_into() in a child, at most 255 characters: driver_override and
 * sriov_numvfs wait for the lock of the device, which an unbind that never returns keeps
 * Return: 0, -ETIMEDOUT, -errno.
 */
int sr_read_deadline(struct cv_sysroot *root, const char *path, char *buf, size_t size,
		     unsigned int deadline_ms);

/**
 * sr_write() - a write that can block, by cv_write_deadline(); a write that does not come back
 * quarantines the function
 * @doing: "unbind from igbvf", for the reason
 * Return: 0 or -errno of the write; on -ETIMEDOUT @err is filled, otherwise left alone.
 */
int sr_write(const struct cv_step_env *env, const char *bdf, const char *path, const char *value,
	     const char *doing, struct cv_error *err);

#endif
