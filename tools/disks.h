/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The disks of a guest, looked at before anything is changed for it. */
#ifndef CARVE_TOOLS_DISKS_H
#define CARVE_TOOLS_DISKS_H

#include <stdbool.h>
#include <sys/types.h>

#include "plan/plan.h"
#include "tools/cmd.h"

/**
 * disks_check() - can the user of the VM open each disk, is it a raw file or a block device, and does
 * nobody else use it: no other VM, nothing of the host
 *
 * Files are opened as the user, in a child.
 * Context: the node lock is held. Return: 0; -EBUSY with the name of who has it; -errno.
 */
int disks_check(struct cmd *c, const struct plan *p, uid_t uid, gid_t gid);

/**
 * disk_find_user() - what of the host uses a block device or a part of it: a mount, swap, another device
 * @ret: "/dev/sdb1 mounted on /scratch"; unchanged when nothing is found
 */
bool disk_find_user(struct cv_sysroot *root, dev_t device, char *ret, size_t size);
/** disk_whole() - the disk that @device is a partition of, or @device. */
dev_t disk_whole(struct cv_sysroot *root, dev_t device);

#endif
