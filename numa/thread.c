// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define STAT_STATE 0	  /* fields of /proc/TID/stat behind the name, proc_pid_stat(5): field 3 */
#define STAT_PROCESSOR 36 /* field 39 */
#define STAT_PRIORITY 37  /* field 40 */
#define STAT_POLICY 38	  /* field 41 */

/* The value of "Key:\tvalue\n" into @buf. Return: 0, -EINVAL. */
static int field(const char *text, const char *key, char *buf, size_t size)
{
	const char *p = strstr(text, key);
	size_t len;

	if (!p)
		return -EINVAL;
	p += strlen(key);
	p += strspn(p, " \t");
	len = strcspn(p, "\n");
	if (len >= size)
		return -EINVAL;
	memcpy(buf, p, len);
	buf[len] = '\0';
	return 0;
}

static int parse_status(const char *text, struct nu_thread *t)
{
	char list[4096];
	int r = field(text, "Cpus_allowed_list:", list, sizeof(list));

	if (field(text, "Name:", t->name, sizeof(t->name)) < 0)
		t->name[0] = '\0';
	return r ?: cv_parse_cpulist(list, &t->cpus);
}

/* The name, in parentheses, may hold anything. */
static void read_stat(struct cv_sysroot *root, struct nu_thread *t)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *p = NULL, *save = NULL;
	int n = 0;

	if (cv_read_str(root, cv_pathf(path, "/proc/%d/stat", t->tid), &text) == 0)
		p = strrchr(text, ')');
	for (char *w = p ? strtok_r(p + 1, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save)) {
		if (n == STAT_STATE)
			t->state = w[0];
		else if (n == STAT_PROCESSOR)
			(void)cv_parse_int(w, &t->cpu);
		else if (n == STAT_PRIORITY)
			(void)cv_parse_int(w, &t->priority);
		else if (n == STAT_POLICY)
			(void)cv_parse_int(w, &t->policy);
		n++;
	}
}

static void read_cgroup(struct cv_sysroot *root, struct nu_thread *t)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	if (cv_read_str(root, cv_pathf(path, "/proc/%d/cgroup", t->tid), &text) < 0 ||
	    field(text, "0::", t->cgroup, sizeof(t->cgroup)) < 0)
		t->cgroup[0] = '\0';
}

int nu_thread_read(struct cv_sysroot *root, pid_t tid, struct nu_thread *ret)
{
	struct nu_thread t = { .tid = tid, .state = '?', .cpu = -1, .policy = -1 };
	_cleanup_free_ char *status = NULL;
	char path[CV_PATH_MAX];
	int r = cv_read_str(root, cv_pathf(path, "/proc/%d/status", tid), &status);

	r = r ?: parse_status(status, &t);
	if (r < 0)
		return r;
	read_stat(root, &t);
	read_cgroup(root, &t);
	*ret = t;
	return 0;
}

/* ---- time ---- */

/* "5018623 1203 17": ran, waited, how often. A kernel without CONFIG_SCHED_INFO has all zero. */
static int parse_schedstat(char *text, struct nu_thread_time *t)
{
	char *save = NULL, *ran = strtok_r(text, " ", &save), *waited = strtok_r(NULL, " ", &save);
	uint64_t times;

	if (!waited || cv_parse_u64(ran, &t->ran_ns) < 0 ||
	    cv_parse_u64(waited, &t->waited_ns) < 0 ||
	    cv_parse_u64(strtok_r(NULL, " ", &save) ?: "", &times) < 0)
		return -EINVAL;
	return t->ran_ns || times ? 0 : -ENODATA;
}

static int parse_switches(const char *status, struct nu_thread_time *t)
{
	char number[32];
	int r = field(status, "nonvoluntary_ctxt_switches:", number, sizeof(number));

	return r < 0 || cv_parse_u64(number, &t->switches) < 0 ? -EINVAL : 0;
}

int nu_thread_time_read(struct cv_sysroot *root, pid_t tid, struct nu_thread_time *ret)
{
	_cleanup_free_ char *schedstat = NULL, *status = NULL;
	struct nu_thread_time t = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_read_str(root, cv_pathf(path, "/proc/%d/schedstat", tid), &schedstat);

	r = r ?: parse_schedstat(schedstat, &t);
	r = r ?: cv_read_str(root, cv_pathf(path, "/proc/%d/status", tid), &status);
	r = r ?: parse_switches(status, &t);
	if (r == 0)
		*ret = t;
	return r;
}

/* ---- policy ---- */

bool nu_thread_is_realtime(const struct nu_thread *t)
{
	return t->policy == SCHED_FIFO || t->policy == SCHED_RR || t->policy == SCHED_DEADLINE;
}

bool nu_thread_has_policy(const struct nu_thread *t, unsigned int priority)
{
	if (t->policy < 0)
		return true;
	return priority ? t->policy == SCHED_FIFO && t->priority == (int)priority
			: !nu_thread_is_realtime(t);
}

const char *nu_thread_policy_text(const struct nu_thread *t, char buf[NU_POLICY_MAX])
{
	static const char *const names[] = {
		[SCHED_OTHER] = "other", [SCHED_FIFO] = "FIFO", [SCHED_RR] = "RR",
		[SCHED_BATCH] = "batch", [SCHED_IDLE] = "idle", [SCHED_DEADLINE] = "deadline",
	};
	const char *name = NULL;

	if (t->policy >= 0 && (size_t)t->policy < CV_ARRAY_SIZE(names))
		name = names[t->policy];
	if (!name)
		snprintf(buf, NU_POLICY_MAX, "policy %d", t->policy);
	else if (t->priority)
		snprintf(buf, NU_POLICY_MAX, "%s %d", name, t->priority);
	else
		snprintf(buf, NU_POLICY_MAX, "%s", name);
	return buf;
}

/* Who has no CAP_SYS_NICE may go up to RLIMIT_RTPRIO (sched(7)). */
static int explain_refusal(pid_t tid, unsigned int priority, int r, struct cv_error *err)
{
	struct rlimit limit = { 0 };
	char path[CV_PATH_MAX];

	cv_pathf(path, "/proc/%d", tid);
	if (r != -EPERM)
		return cv_fail_errno(err, r, path, "cannot set the policy of thread %d", tid);
	(void)getrlimit(RLIMIT_RTPRIO, &limit);
	cv_fail(err, -EPERM, CV_EXIT_PERMISSION, "EPERM_RT", path,
		"the kernel refuses thread %d SCHED_FIFO %u", tid, priority);
	cv_error_found(err, "uid %u, RLIMIT_RTPRIO %llu", (unsigned int)geteuid(),
		       (unsigned long long)limit.rlim_cur);
	cv_error_wanted(err, "CAP_SYS_NICE, or RLIMIT_RTPRIO of at least %u", priority);
	cv_error_hint(
		err,
		"run as root outside of a container, or take rt_priority: out of the spec; a "
		"kernel with CONFIG_RT_GROUP_SCHED also needs cpu.rt_runtime_us for the cgroup");
	return -EPERM;
}

static int verify_policy(struct cv_sysroot *root, pid_t tid, unsigned int priority,
			 struct cv_error *err)
{
	struct nu_thread t;
	char path[CV_PATH_MAX], text[NU_POLICY_MAX];
	int r = nu_thread_read(root, tid, &t);

	cv_pathf(path, "/proc/%d/stat", tid);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read the policy of thread %d", tid);
	if (nu_thread_has_policy(&t, priority))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_FAILED, "EBUSY_POLICY", path,
		"thread %d has another policy than the one it was given", tid);
	cv_error_found(err, "%s", nu_thread_policy_text(&t, text));
	if (priority)
		cv_error_wanted(err, "FIFO %u", priority);
	else
		cv_error_wanted(err, "other");
	cv_error_hint(err, "find what changes it: rtkit, tuned or a chrt of the site");
	return -EBUSY;
}

int nu_thread_set_policy(struct cv_sysroot *root, pid_t tid, unsigned int priority,
			 struct cv_error *err)
{
	const struct sched_param param = { .sched_priority = (int)priority };
	struct nu_thread now = { .tid = tid, .policy = sched_getscheduler(tid) };

	if (now.policy < 0)
		return explain_refusal(tid, priority, -errno, err);
	now.policy &= ~SCHED_RESET_ON_FORK;
	if (!priority && !nu_thread_is_realtime(&now))
		return 0;
	if (sched_setscheduler(tid, priority ? SCHED_FIFO : SCHED_OTHER, &param) < 0)
		return explain_refusal(tid, priority, -errno, err);
	return verify_policy(root, tid, priority, err);
}
