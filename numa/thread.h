/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread as /proc shows it: where it may run, where it runs, in which cgroup. */
#ifndef CARVE_NUMA_THREAD_H
#define CARVE_NUMA_THREAD_H

#include "base/cpulist.h"
#include "base/sysroot.h"

/**
 * struct nu_thread - a plain value
 * @cpus:   where it may run (Cpus_allowed_list)
 * @state:  'R' running or ready, 'S' asleep, ..., '?' unknown
 * @cpu:    where it runs, or ran last, -1 unknown
 * @cgroup: path below the mount of cgroup v2, "/carve/vm0/vcpu"; "" unknown
 */
struct nu_thread {
	pid_t tid;
	char name[32];
	struct cv_cpuset cpus;
	char state;
	int cpu;
	char cgroup[160];
};

/** nu_thread_read() - Return: 0, -ENOENT or -ESRCH when it is gone, -EINVAL, -errno. */
int nu_thread_read(struct cv_sysroot *root, pid_t tid, struct nu_thread *ret);

#endif
