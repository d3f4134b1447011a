/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Between the parts of the sandbox. Not a public header of vmm/core. */
#ifndef CARVE_VMM_SANDBOX_PARTS_H
#define CARVE_VMM_SANDBOX_PARTS_H

#include <linux/filter.h>

#include "vmm/core/sandbox.h"

/** struct vmm_filter - a program of classic BPF as seccomp(2) takes it; owned */
struct vmm_filter {
	struct sock_filter *code;
	unsigned short len;
};

/** vmm_filter_make() - for a thread of this process. Return: 0, -errno. */
int vmm_filter_make(enum vmm_role role, struct vmm_filter *ret);
void vmm_filter_done(struct vmm_filter *f);
/** vmm_filter_probe() - does the kernel have what vmm_filter_enter() needs? Return: 0, -errno. */
int vmm_filter_probe(void);
/** vmm_filter_catch() - say in the log what ended the process. Return: 0, -errno. */
int vmm_filter_catch(void);
/** vmm_filter_enter() - the calling thread; no_new_privs is set. Return: 0, -errno. */
int vmm_filter_enter(const struct vmm_filter *f);

/** vmm_files_make() - a Landlock ruleset that allows nothing. Return: its fd, -EOPNOTSUPP, -errno. */
int vmm_files_make(void);
/** vmm_files_enter() - the calling thread; no_new_privs is set. Return: 0, -errno. */
int vmm_files_enter(int ruleset_fd);

#endif
