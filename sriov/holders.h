/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who uses a PCI function on the host: mounts, network interfaces, processes, other managers. */
#ifndef CARVE_SRIOV_HOLDERS_H
#define CARVE_SRIOV_HOLDERS_H

#include <stddef.h>

#include "base/sysroot.h"
#include "plan/inventory.h"

/**
 * struct sr_holder - one use of a function
 * @pid:     of INV_HOLDER_PROCESS, else 0
 * @command: its name as the kernel keeps it, else ""
 * @path:    device node, mount point or network interface, "" none
 * @text:    all of it in plain words, as inv_dev.holder says the first one
 */
struct sr_holder {
	enum inv_holder_kind kind;
	int pid;
	char command[32];
	char path[256];
	char text[512];
};

/** struct sr_holder_list - heap array */
struct sr_holder_list {
	struct sr_holder *v;
	size_t n;
};
void sr_holder_list_done(struct sr_holder_list *l);
#define _cleanup_holders_ __attribute__((cleanup(sr_holder_list_done)))

/**
 * sr_holders_read() - fill holder_kind and holder of every function; the first one found is named
 * @inv: devs as sr_device_read() left them, in BDF order
 * Reads the file descriptors of every process. What cannot be read is taken for free.
 */
void sr_holders_read(struct cv_sysroot *root, struct inventory *inv);
/** sr_holders_all() - the same, and all that hold the function @dev. Return: 0, -ENOMEM. */
int sr_holders_all(struct cv_sysroot *root, struct inventory *inv, int dev,
		   struct sr_holder_list *ret);

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

/**
 * struct sr_marks - where the parts, each in its own file, put what they find
 * @inv: holder of each function: the first one found
 * @dev: every holder of this function goes to @all; -1 none
 * @error: the first -ENOMEM
 */
struct sr_marks {
	struct inventory *inv;
	int dev;
	struct sr_holder_list *all;
	int error;
};

/** sr_mark() - @use holds the function @dev */
void sr_mark(struct sr_marks *m, int dev, const struct sr_holder *use);
/** sr_markf() - the same for what is no process. @path: see struct sr_holder. */
void sr_markf(struct sr_marks *m, int dev, enum inv_holder_kind kind, const char *path,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/** sr_mark_path() - @use holds the functions behind a sysfs path */
void sr_mark_path(struct cv_sysroot *root, struct sr_marks *m, const char *path,
		  const struct sr_holder *use);
/** sr_holders_disks() - file systems, swap and md/dm on block devices. */
void sr_holders_disks(struct cv_sysroot *root, struct sr_marks *m);
/** sr_holders_netdevs() - interfaces in use. */
void sr_holders_netdevs(struct cv_sysroot *root, struct sr_marks *m);
/** sr_holders_processes() - open device nodes. */
void sr_holders_processes(struct cv_sysroot *root, struct sr_marks *m);

#endif
