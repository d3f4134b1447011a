/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who uses a PCI function on the host: mounts, network interfaces, processes, other managers. */
#ifndef CARVE_SRIOV_HOLDERS_H
#define CARVE_SRIOV_HOLDERS_H

#include <stddef.h>

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * sr_holders_read() - fill holder_kind and holder of every function; the first one found is named
 * @inv: devs as sr_device_read() left them, in BDF order
 * Reads the file descriptors of every process. What cannot be read is taken for free.
 */
void sr_holders_read(struct cv_sysroot *root, struct inventory *inv);

/**
 * sr_group_user() - a process that has /dev/vfio/@group open
 * @buf: "pid 4711 (qemu-system-x86)"
 * Return: 1 when there is one, 0 when not.
 */
int sr_group_user(struct cv_sysroot *root, int group, char *buf, size_t size);

/** sr_devs_of_path() - functions behind a sysfs path, through NVMe subsystems as well. Return: number
 * of indices written to @ret, at most @max. */
size_t sr_devs_of_path(struct cv_sysroot *root, const struct inventory *inv, const char *path,
		       int *ret, size_t max);

/**
 * sr_take_line() - copy the next line of @text, cut to @size, and step over it
 * Return: false at the end of the text, or when there is none (NULL).
 */
bool sr_take_line(const char **text, char *buf, size_t size);

/** sr_is_handover_driver() - it does nothing by itself: someone bound the function to hand it on. */
bool sr_is_handover_driver(const char *driver);

/* The parts, each in its own file: mark() keeps the first holder of a function. */
void sr_mark(struct inventory *inv, int dev, enum inv_holder_kind kind, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void sr_mark_path(struct cv_sysroot *root, struct inventory *inv, const char *path,
		  enum inv_holder_kind kind, const char *text);
/** sr_holders_disks() - file systems, swap and md/dm on block devices. */
void sr_holders_disks(struct cv_sysroot *root, struct inventory *inv);
/** sr_holders_netdevs() - interfaces in use. */
void sr_holders_netdevs(struct cv_sysroot *root, struct inventory *inv);
/** sr_holders_processes() - open device nodes. */
void sr_holders_processes(struct cv_sysroot *root, struct inventory *inv);

#endif
