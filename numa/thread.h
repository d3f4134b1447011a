/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A thread as /proc shows it: where it may run, where it runs, in which cgroup. */
#ifndef CARVE_NUMA_THREAD_H
#define CARVE_NUMA_THREAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cpulist.h"
#include "base/error.h"
#include "base/sysroot.h"

/**
 * struct nu_thread - a plain value
 * @cpus:   where it may run (Cpus_allowed_list)
 * @state:  'R' running or ready, 'S' asleep, ..., '?' unknown
 * @cpu:    where it runs, or ran last, -1 unknown
 * @policy: SCHED_OTHER, SCHED_FIFO, ..., -1 unknown
 * @priority: of a real-time policy, 1 to 99, else 0
 * @cgroup: path below the mount of cgroup v2, "/carve/vm0/vcpu"; "" unknown
 */
struct nu_thread {
	pid_t tid;
	char name[32];
	struct cv_cpuset cpus;
	char state;
	int cpu;
	int policy;
	int priority;
	char cgroup[160];
};

/** nu_thread_read() - Return: 0, -ENOENT or -ESRCH when it is gone, -EINVAL, -errno. */
int nu_thread_read(struct cv_sysroot *root, pid_t tid, struct nu_thread *ret);

/** struct nu_thread_time - since the thread began; @waited_ns: it could run, and did not have a CPU */
struct nu_thread_time {
	uint64_t ran_ns, waited_ns;
	uint64_t switches; /* times it was taken off its CPU against its will */
};

/**
 * nu_thread_time_read() - /proc/TID/schedstat (Documentation/scheduler/sched-stats.rst) and status
 * Return: 0; -ENODATA: the kernel does not count; -ENOENT or -ESRCH; -EINVAL; -errno.
 */
int nu_thread_time_read(struct cv_sysroot *root, pid_t tid, struct nu_thread_time *ret);

/** nu_thread_is_realtime() - does it run before all threads of normal policy? */
bool nu_thread_is_realtime(const struct nu_thread *t);
/** nu_thread_has_policy() - SCHED_FIFO of this priority, or with 0 not real-time; unknown is true. */
bool nu_thread_has_policy(const struct nu_thread *t, unsigned int priority);

#define NU_POLICY_MAX 32
/** nu_thread_policy_text() - "FIFO 1", "other", ... Return: @buf. */
const char *nu_thread_policy_text(const struct nu_thread *t, char buf[NU_POLICY_MAX]);

/**
 * nu_thread_set_policy() - SCHED_FIFO, without reset on fork, or back to normal; verified in /proc
 * @priority: 1 to 98; 0: normal policy, which only a real-time thread is brought back to
 *
 * Threads that it makes inherit it: see nu_place_vmm_thread().
 * Return: 0; -EPERM (EPERM_RT); -EBUSY (EBUSY_POLICY) when it is another one afterwards; -ESRCH; -errno.
 */
int nu_thread_set_policy(struct cv_sysroot *root, pid_t tid, unsigned int priority,
			 struct cv_error *err);

#endif
