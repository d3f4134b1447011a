// SPDX-License-Identifier: GPL-2.0-or-later
/* The launch step. */
#include "tools/launch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/state.h"
#include "numa/binding.h"
#include "numa/cgroup.h"
#include "numa/irq_guest.h"
#include "numa/irq_step.h"
#include "numa/thread.h"
#include "tools/launch_devices.h"
#include "tools/launch_links.h"
#include "tools/vm.h"
#include "vmm/backend/backend.h"
#include "vmm/spawn.h"

/* Memory is cleared and pinned for DMA before QMP answers: half a second per GiB is the slowest seen. */
#define QMP_START_MS 60000
#define QMP_START_MS_PER_GIB 1000
#define QMP_MS 10000
#define HELPER_MS 300
#define LOG_MAX_BYTES (16ULL << 20) /* console.log and vmm.log, each */

/* Ends the phase that began at *@since. */
static void phase(struct launch *l, const char *name, unsigned int *since)
{
	unsigned int now = (unsigned int)cv_now_ms();

	if (l->n_phases < LAUNCH_MAX_PHASES)
		l->phases[l->n_phases++] = (struct launch_phase){ name, now - *since };
	*since = now;
}

bool launch_is_interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) ||
		sigismember(&pending, SIGHUP));
}

int launch_fail_interrupted(const char *vm, struct cv_error *err)
{
	cv_fail(err, -EINTR, CV_EXIT_FAILED, "INTERRUPTED", vm, "the start was interrupted");
	cv_error_hint(err, "what it had changed is undone");
	return -EINTR;
}

struct enter {
	const struct cv_step_env *env;
};

static int enter_cgroup(void *ctx, pid_t child, struct cv_error *err)
{
	const struct enter *e = ctx;
	int r = nu_cgroup_enter_vmm(e->env->root, e->env->vm, child, err);

	return r < 0 ? r : vm_write_proc(e->env->root, e->env->vm, child, err);
}

static uint64_t memory_of(const struct plan *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		bytes += p->nodes[i].memory;
	return bytes;
}

static unsigned int start_ms(const struct plan *p)
{
	uint64_t ms = QMP_START_MS + (memory_of(p) >> 30) * QMP_START_MS_PER_GIB;

	return ms > INT_MAX ? INT_MAX : (unsigned int)ms;
}

static int start_vmm(const struct cv_step_env *env, struct launch *l, const char *dir,
		     pid_t *ret_pid, struct cv_error *err)
{
	const struct vmm_backend_ops *backend = vmm_backend_find(l->plan->backend);
	struct enter enter = { env };
	_cleanup_close_ int cgroup = -1;

	if (!backend)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NO_BACKEND", l->plan->backend,
			       "there is no such VMM backend");
	int r = nu_cgroup_open(env->root, env->vm, &cgroup, err);
	if (r < 0)
		return r;
	struct launch_devices devices = { .open.container = -1 };
	if (!plan_vmm_opens_groups(l->plan->backend))
		r = launch_devices_open(env->root, l->plan, &devices, err);
	if (r < 0)
		return r;
	struct link_env link_env = { env, l->plan, dir, cgroup, l->uid, l->gid };
	struct launch_links links = { .n = 0 };
	r = launch_links_open(&link_env, &links, err);
	struct vmm_launch launch = {
		.plan = l->plan,
		.vm_dir = dir,
		.hypervisor_fd = l->hypervisor_fd,
		.devices = { devices.open.container, devices.fds, devices.n },
		.links = links.v,
		.n_links = links.n,
		.cgroup_fd = cgroup,
		.uid = l->uid,
		.gid = l->gid,
		.memlock = l->plan->memlock,
		.enter = enter_cgroup,
		.enter_ctx = &enter,
	};
	r = r ?: backend->start(&launch, ret_pid, err);
	launch_links_done(&links);
	launch_devices_done(&devices);
	return r;
}

struct watch {
	const struct cv_step_env *env;
	struct cv_proc vmm;
};

/* A VMM that ended is a zombie of ours. */
static int watch_vmm(void *ctx, struct cv_error *err)
{
	const struct watch *w = ctx;

	if (launch_is_interrupted())
		return launch_fail_interrupted(w->env->vm, err);
	if (!cv_proc_is_alive(w->env->root, &w->vmm))
		return cv_fail(err, -ECHILD, CV_EXIT_GUEST, "VMM_ENDED", w->env->vm,
			       "the VMM ended while it started");
	return 0;
}

/* Disks that are files may be written to their end. */
static uint64_t max_file_bytes(struct cv_sysroot *root, const struct plan *p)
{
	uint64_t max = LOG_MAX_BYTES;

	for (size_t i = 0; i < p->n_disks && plan_writes_files(p); i++) {
		struct stat st;

		if (!p->disks[i].is_readonly && cv_stat(root, p->disks[i].path, &st) == 0 &&
		    S_ISREG(st.st_mode) && (uint64_t)st.st_size > max)
			max = (uint64_t)st.st_size;
	}
	return max;
}

/* Memory and devices are there when QMP answers: from then on the VMM's files may be capped. */
static int open_qmp(const struct cv_step_env *env, const struct plan *p, pid_t pid,
		    struct vmm_qmp **ret, struct cv_error *err)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *qmp = NULL;
	struct watch w = { .env = env };
	char sock[CV_PATH_MAX];
	int r = cv_proc_read(env->root, pid, &w.vmm);

	if (r < 0)
		return cv_fail_errno(err, r, env->vm, "the VMM ended at once");
	r = vmm_qmp_open_watched(vm_path(sock, env->vm, "vmm/carve.sock"), start_ms(p), watch_vmm,
				 &w, &qmp, err);
	if (r < 0)
		return r;
	r = vmm_cap_files(pid, max_file_bytes(env->root, p));
	if (r < 0)
		return cv_fail_errno(err, r, env->vm, "cannot cap the VMM's log files");
	*ret = TAKE_PTR(qmp);
	return 0;
}

static int pin_all(const struct cv_step_env *env, const struct plan *p, struct vmm_qmp *qmp,
		   pid_t **ret_tids, struct cv_error *err)
{
	_cleanup_free_ pid_t *tids = NULL;
	int n = vmm_qmp_vcpu_tids(qmp, QMP_MS, &tids, err);

	if (n < 0)
		return n;
	if ((size_t)n != p->n_vcpus)
		return cv_fail(err, -EPROTO, CV_EXIT_GUEST, "VCPU_COUNT", p->name,
			       "the VMM made %d vCPUs, %zu are planned", n, p->n_vcpus);
	for (int i = 0; i < n; i++) {
		int r = nu_pin_vcpu(env->root, env->vm, tids[i], p->vcpus[i].host_cpu, err);

		if (r < 0)
			return r;
	}
	*ret_tids = TAKE_PTR(tids);
	return 0;
}

static bool has_thread(struct cv_sysroot *root, pid_t pid, const char *prefix)
{
	_cleanup_strv_ struct cv_strv tids = { 0 };
	char path[CV_PATH_MAX], name[32];

	if (cv_list(root, cv_pathf(path, "/proc/%d/task", pid), &tids) < 0)
		return false;
	for (size_t i = 0; i < tids.n; i++) {
		cv_pathf(path, "/proc/%d/task/%s/comm", pid, tids.v[i]);
		if (cv_read_into(root, path, name, sizeof(name)) == 0 &&
		    strncmp(name, prefix, strlen(prefix)) == 0)
			return true;
	}
	return false;
}

/* Waits for the helper thread that the first run of a vCPU makes, and takes it off the vCPU's core. A
 * kernel that has none costs the whole wait. */
static int clear_cores(const struct cv_step_env *env, const struct plan *p, pid_t pid,
		       const pid_t *tids, struct cv_error *err)
{
	for (unsigned int waited = 0; waited < HELPER_MS; waited += 10) {
		if (has_thread(env->root, pid, "kvm-nx-lpage"))
			break;
		poll(NULL, 0, 10);
	}
	int r = nu_evict_others(env->root, p->name, tids, p->n_vcpus, err);
	return r < 0 ? r : 0;
}

/* Drivers that were bound or restarted by the steps may have spread their vectors over all CPUs. */
static int clear_irqs(const struct cv_step_env *env, struct cv_error *err)
{
	int r = nu_irqs_keep_off(env->root, err);

	return r < 0 ? r : 0;
}

/* Not before the helper thread has left: it inherits the policy of the vCPU that makes it. */
static int set_policy(const struct cv_step_env *env, const struct plan *p, const pid_t *tids,
		      struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < p->n_vcpus && p->rt_priority && r == 0; i++)
		r = nu_thread_set_policy(env->root, tids[i], p->rt_priority, err);
	return r;
}

/*
 * Takes the guest's cores for itself: other threads go, its devices' interrupts come. Of these few are
 * there yet, and a guest that runs is not ended because a CPU has no vector left: carve drift tells.
 */
static int settle(const struct cv_step_env *env, const struct plan *p, pid_t pid, const pid_t *tids,
		  struct cv_error *err)
{
	struct cv_error ignored = { 0 };
	int r = clear_cores(env, p, pid, tids, err);

	r = r ?: set_policy(env, p, tids, err);
	if (r == 0)
		(void)nu_guest_irqs_place(env->root, p, &ignored);
	return r;
}

/* The reason of a VMM that ended is in its log, or in that of a program on its other side. */
static int explain_failure(const struct plan *p, const char *dir, int r, struct cv_error *err)
{
	_cleanup_free_ char *tail = vmm_log_tail(dir, 400);
	_cleanup_free_ char *other = launch_links_said(p, dir, 200);

	if (r == -EINTR || !err || ((!tail || !tail[0]) && !other))
		return r;
	cv_error_found(err, "%s%s%s", tail ?: "", other && tail && tail[0] ? "; " : "",
		       other ?: "");
	err->exit = CV_EXIT_GUEST;
	return r;
}

static int apply_launch(const struct cv_step_env *env, const char *object, const char *value,
			const json_t *prior, struct cv_error *err)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *qmp = NULL;
	_cleanup_free_ pid_t *tids = NULL;
	struct launch *l = env->launch;
	char dir[CV_PATH_MAX];
	unsigned int since = (unsigned int)cv_now_ms();
	pid_t pid = 0;

	(void)value;
	(void)prior;
	if (!l)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "NO_LAUNCH", object,
			       "nothing to launch");
	if (launch_is_interrupted())
		return launch_fail_interrupted(env->vm, err);
	vm_path(dir, env->vm, "vmm");
	int r = clear_irqs(env, err);
	if (r < 0)
		return r;
	phase(l, "clear interrupts", &since);
	r = start_vmm(env, l, dir, &pid, err);
	if (r < 0)
		return explain_failure(l->plan, dir, r, err);
	phase(l, "start", &since);
	r = open_qmp(env, l->plan, pid, &qmp, err);
	if (r < 0)
		return explain_failure(l->plan, dir, r, err);
	phase(l, "memory and devices", &since);
	r = pin_all(env, l->plan, qmp, &tids, err);
	if (r < 0)
		return explain_failure(l->plan, dir, r, err);
	phase(l, "pin vCPUs", &since);
	/* a VMM may fill memory and map it for DMA now, when its threads are where they belong */
	r = vmm_qmp_command(qmp, "cont", NULL, start_ms(l->plan), NULL, err);
	phase(l, "first instruction", &since);
	if (r == 0)
		r = settle(env, l->plan, pid, tids, err);
	phase(l, "clear vCPU cores", &since);
	return r < 0 ? explain_failure(l->plan, dir, r, err) : 0;
}

/* Every process of the VM was born in its cgroup, so this finds them without a remembered pid. */
static int revert_launch(const struct cv_step_env *env, const char *object, const char *value,
			 const json_t *prior, struct cv_error *err)
{
	char dir[CV_PATH_MAX];

	return nu_cgroup_kill(env, cv_pathf(dir, NU_CGROUP_ROOT "/%s", env->vm), err);
}

const struct cv_step_ops cmd_step_launch = {
	.kind = "launch",
	.scope = CV_SCOPE_OWN,
	.undo = "every process in the VM's cgroup ended",
	.apply = apply_launch,
	.revert = revert_launch,
	.needs_rest = true,
};
