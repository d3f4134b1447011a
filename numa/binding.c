// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/binding.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"
#include "numa/cgroup.h"
#include "numa/thread.h"
#include "numa/value.h"

/* The CPUs of all partitions together. */
#define EXCLUSIVE_OF_ALL NU_CGROUP_ROOT "/cpuset.cpus.exclusive"

/** struct vm_cpus - the value of a cgroup-vm step */
struct vm_cpus {
	struct cv_cpuset vcpu;
	struct cv_cpuset vmm;
};

/** struct vm_dirs - the directories of one VM */
struct vm_dirs {
	const char *name;
	char top[CV_PATH_MAX];
	char vcpu[CV_PATH_MAX];
	char vmm[CV_PATH_MAX];
};

static int bad_step(struct cv_error *err, const char *object, const char *found, const char *wanted)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EINVAL_STEP", object, "malformed cgroup step");
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "%s", wanted);
	return -EINVAL;
}

static int fill_dirs(const char *name, struct vm_dirs *ret, struct cv_error *err)
{
	if (!cv_name_is_valid(name))
		return bad_step(err, NU_CGROUP_ROOT, name, "a VM name");
	ret->name = name;
	cv_pathf(ret->top, NU_CGROUP_ROOT "/%s", name);
	cv_pathf(ret->vcpu, NU_CGROUP_ROOT "/%s/vcpu", name);
	cv_pathf(ret->vmm, NU_CGROUP_ROOT "/%s/vmm", name);
	return 0;
}

static int parse_object(const char *object, struct vm_dirs *ret, struct cv_error *err)
{
	static const char prefix[] = NU_CGROUP_ROOT "/";

	if (strncmp(object, prefix, strlen(prefix)) != 0)
		return bad_step(err, object, object, NU_CGROUP_ROOT "/NAME");
	return fill_dirs(object + strlen(prefix), ret, err);
}

static int parse_value(const char *object, const char *value, struct vm_cpus *ret,
		       struct cv_error *err)
{
	const char *p = value;

	if (nu_value_list(&p, "vcpu=", ' ', &ret->vcpu) < 0 ||
	    nu_value_list(&p, "vmm=", '\0', &ret->vmm) < 0)
		return bad_step(err, object, value, "\"vcpu=LIST vmm=LIST\"");
	if (cv_cpuset_intersects(&ret->vcpu, &ret->vmm))
		return bad_step(err, object, value, "vCPU and VMM lists without a CPU in common");
	return 0;
}

/* cgroup-root */

static int root_record(const struct cv_step_env *env, const char *object, const char *value,
		       json_t **ret_prior, struct cv_error *err)
{
	json_t *prior;

	if (!nu_cgroup_has(env->root, NU_CGROUP_MOUNT, "cgroup.controllers", "cpuset")) {
		cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "EOPNOTSUPP_CPUSET",
			NU_CGROUP_MOUNT "/cgroup.controllers",
			"cgroup v2 with the cpuset controller is not there");
		cv_error_hint(err, "boot with systemd.unified_cgroup_hierarchy=1, and without "
				   "cgroup_disable=cpuset and cgroup v1 cpuset mounts");
		return -EOPNOTSUPP;
	}
	prior = json_pack("{s:b,s:b}", "enabled",
			  nu_cgroup_has(env->root, NU_CGROUP_MOUNT, "cgroup.subtree_control",
					"cpuset"),
			  "existed", cv_exists(env->root, NU_CGROUP_ROOT));
	if (!prior)
		return cv_fail_errno(err, -ENOMEM, object, "cannot record the cgroup");
	*ret_prior = prior;
	return 0;
}

static int root_apply(const struct cv_step_env *env, const char *object, const char *value,
		      const json_t *prior, struct cv_error *err)
{
	int r;

	if (strcmp(object, NU_CGROUP_ROOT) != 0 || strcmp(value, "cpuset") != 0)
		return bad_step(err, object, value, NU_CGROUP_ROOT " with value \"cpuset\"");
	r = nu_cgroup_enable_cpuset(env, NU_CGROUP_MOUNT, err);
	if (r < 0)
		return r;
	r = nu_cgroup_make(env, NU_CGROUP_ROOT, err);
	if (r < 0)
		return r;
	return nu_cgroup_enable_cpuset(env, NU_CGROUP_ROOT, err);
}

static bool has_text(struct cv_sysroot *root, const char *dir, const char *file)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	return cv_read_str(root, nu_cgroup_path(path, dir, file), &text) == 0 && *text;
}

/* Does a cgroup beside ours lean on the cpuset controller by now? */
static bool is_cpuset_used(struct cv_sysroot *root)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char dir[CV_PATH_MAX];

	if (cv_list(root, NU_CGROUP_MOUNT, &names) < 0)
		return false;
	for (size_t i = 0; i < names.n; i++) {
		cv_pathf(dir, NU_CGROUP_MOUNT "/%s", names.v[i]);
		if (nu_cgroup_has(root, dir, "cgroup.subtree_control", "cpuset") ||
		    has_text(root, dir, "cpuset.cpus") || has_text(root, dir, "cpuset.mems"))
			return true;
	}
	return false;
}

static int root_revert(const struct cv_step_env *env, const char *object, const char *value,
		       const json_t *prior, struct cv_error *err)
{
	int r;

	if (!cv_json_bool(prior, "existed", 0)) {
		r = nu_cgroup_remove(env, NU_CGROUP_ROOT, err);
		if (r < 0)
			return r;
	}
	if (cv_json_bool(prior, "enabled", 1) || is_cpuset_used(env->root) ||
	    !nu_cgroup_has(env->root, NU_CGROUP_MOUNT, "cgroup.subtree_control", "cpuset"))
		return 0;
	return nu_cgroup_write(env, NU_CGROUP_MOUNT, "cgroup.subtree_control", "-cpuset", err);
}

const struct cv_step_ops nu_step_cgroup_root = {
	.kind = "cgroup-root",
	.scope = CV_SCOPE_SHARED,
	.undo = "remove the cgroup; switch the cpuset controller off again if it was off",
	.record = root_record,
	.apply = root_apply,
	.revert = root_revert,
};

/* cgroup-vm */

/*
 * carve/ must hold every CPU that a partition below it takes: the union over all VMs. @plus: the CPUs
 * of the VM @name from now on, NULL: those that its cgroup, if any, has. Where the file is not there, no
 * partition ever took anything.
 */
static int update_union(const struct cv_step_env *env, const char *name,
			const struct cv_cpuset *plus, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cv_cpuset all = { 0 }, one;
	char dir[CV_PATH_MAX];
	int r;

	r = cv_list(env->root, NU_CGROUP_ROOT, &names);
	if (r == -ENOENT || (!plus && !cv_exists(env->root, EXCLUSIVE_OF_ALL)))
		return 0;
	if (r < 0)
		return cv_fail_errno(err, r, NU_CGROUP_ROOT, "cannot list the VMs' cgroups");
	for (size_t i = 0; i < names.n; i++) {
		if (plus && strcmp(names.v[i], name) == 0)
			continue;
		cv_pathf(dir, NU_CGROUP_ROOT "/%s", names.v[i]);
		if (nu_cgroup_read_list(env->root, dir, "cpuset.cpus.exclusive", &one) == 0)
			cv_cpuset_or(&all, &one);
	}
	if (plus)
		cv_cpuset_or(&all, plus);
	return nu_cgroup_set_list(env, NU_CGROUP_ROOT, "cpuset.cpus.exclusive", &all, err);
}

/* With the controller on, every cgroup below the root has the file, or none has. */
static int check_exclusive(const struct cv_step_env *env, struct cv_error *err)
{
	if (cv_exists(env->root, EXCLUSIVE_OF_ALL) ||
	    !cv_exists(env->root, NU_CGROUP_ROOT "/cpuset.cpus"))
		return 0;
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "EOPNOTSUPP_CPUSET", EXCLUSIVE_OF_ALL,
		"this kernel cannot reserve CPUs for one cgroup");
	cv_error_found(err, "no cpuset.cpus.exclusive");
	cv_error_wanted(err, "cgroup v2 with cpuset.cpus.exclusive");
	cv_error_hint(err, "Linux 6.7 or later has it; carve audit shows it");
	return -EOPNOTSUPP;
}

static int make_dirs(const struct cv_step_env *env, const struct vm_dirs *dirs,
		     struct cv_error *err)
{
	int r;

	r = nu_cgroup_make(env, dirs->top, err);
	if (r < 0)
		return r;
	r = nu_cgroup_make_threaded(env, dirs->vcpu, err);
	if (r < 0)
		return r;
	r = nu_cgroup_make_threaded(env, dirs->vmm, err);
	if (r < 0)
		return r;
	return nu_cgroup_enable_cpuset(env, dirs->top, err);
}

/* The kernel's "Invalid argument" for a list that another cgroup has a claim on. */
static int explain_claim(const char *object, const struct cv_cpuset *set, struct cv_error *err)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_CPUS", object, "the kernel refuses the CPUs %s",
		list ? list : "");
	cv_error_found(err,
		       "Invalid argument: another cgroup claims some of them, or takes them all");
	cv_error_wanted(err,
			"CPUs that no other cgroup lists in cpuset.cpus or cpuset.cpus.exclusive");
	cv_error_hint(err, "find it: grep -r . --include='cpuset.cpus*' " NU_CGROUP_MOUNT);
	return -EBUSY;
}

/* From the top down: a cgroup can only have exclusive CPUs that its parent has. */
static int set_cpus(const struct cv_step_env *env, const struct vm_dirs *dirs,
		    const struct vm_cpus *cpus, struct cv_error *err)
{
	const struct {
		const char *dir;
		const char *file;
		const struct cv_cpuset *set;
	} lists[] = {
		{ dirs->top, "cpuset.cpus.exclusive", &cpus->vcpu },
		{ dirs->vcpu, "cpuset.cpus.exclusive", &cpus->vcpu },
		{ dirs->vcpu, "cpuset.cpus", &cpus->vcpu },
		{ dirs->vmm, "cpuset.cpus", &cpus->vmm },
	};
	int r;

	r = update_union(env, dirs->name, &cpus->vcpu, err);
	for (size_t i = 0; r == 0 && i < CV_ARRAY_SIZE(lists); i++)
		r = nu_cgroup_set_list(env, lists[i].dir, lists[i].file, lists[i].set, err);
	return r == -EINVAL ? explain_claim(dirs->top, &cpus->vcpu, err) : r;
}

/* The write succeeds even when the kernel cannot isolate: only reading back tells. */
static int isolate(const struct cv_step_env *env, const struct vm_dirs *dirs, struct cv_error *err)
{
	_cleanup_free_ char *state = NULL;
	char path[CV_PATH_MAX];
	int r;

	nu_cgroup_path(path, dirs->vcpu, "cpuset.cpus.partition");
	if (cv_read_str(env->root, path, &state) == 0 && strcmp(state, "isolated") == 0)
		return 0;
	r = nu_cgroup_write(env, dirs->vcpu, "cpuset.cpus.partition", "isolated", err);
	if (r < 0)
		return r;
	free(TAKE_PTR(state));
	r = cv_read_str(env->root, path, &state);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read the partition state");
	if (strcmp(state, "isolated") == 0)
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_PRECONDITION, "EBUSY_PARTITION", path,
		"the kernel refuses to isolate the CPUs");
	cv_error_found(err, "%s", state);
	cv_error_wanted(err, "isolated");
	cv_error_hint(err, "look for other cgroups that claim these CPUs: "
			   "grep -r . --include='cpuset.cpus*' " NU_CGROUP_MOUNT);
	return -EBUSY;
}

static int vm_apply(const struct cv_step_env *env, const char *object, const char *value,
		    const json_t *prior, struct cv_error *err)
{
	struct vm_dirs dirs;
	struct vm_cpus cpus;
	int r;

	r = parse_object(object, &dirs, err);
	if (r < 0)
		return r;
	r = parse_value(object, value, &cpus, err);
	if (r < 0)
		return r;
	r = check_exclusive(env, err);
	if (r < 0)
		return r;
	r = make_dirs(env, &dirs, err);
	if (r < 0)
		return r;
	r = set_cpus(env, &dirs, &cpus, err);
	if (r < 0)
		return r;
	return isolate(env, &dirs, err);
}

/*
 * rmdir alone would free the CPUs too, but some time later, from a work queue: a VM that starts in
 * between would find them taken. What fails here is left to rmdir.
 */
static void give_cpus_back(const struct cv_step_env *env, const struct vm_dirs *dirs)
{
	static const struct cv_cpuset none;

	if (cv_exists(env->root, dirs->vcpu)) {
		nu_cgroup_write(env, dirs->vcpu, "cpuset.cpus.partition", "member", NULL);
		nu_cgroup_set_list(env, dirs->vcpu, "cpuset.cpus.exclusive", &none, NULL);
	}
	if (cv_exists(env->root, dirs->top))
		nu_cgroup_set_list(env, dirs->top, "cpuset.cpus.exclusive", &none, NULL);
}

static int vm_revert(const struct cv_step_env *env, const char *object, const char *value,
		     const json_t *prior, struct cv_error *err)
{
	struct vm_dirs dirs;
	int r;

	r = parse_object(object, &dirs, err);
	if (r < 0)
		return r;
	r = nu_cgroup_kill(env, dirs.top, err);
	if (r < 0)
		return r;
	give_cpus_back(env, &dirs);
	r = nu_cgroup_remove(env, dirs.vcpu, err);
	if (r < 0)
		return r;
	r = nu_cgroup_remove(env, dirs.vmm, err);
	if (r < 0)
		return r;
	r = nu_cgroup_remove(env, dirs.top, err);
	if (r < 0)
		return r;
	return update_union(env, dirs.name, NULL, err);
}

const struct cv_step_ops nu_step_cgroup_vm = {
	.kind = "cgroup-vm",
	.scope = CV_SCOPE_OWN,
	.undo = "kill what still runs in the cgroup and remove it; its CPUs are no longer isolated",
	.apply = vm_apply,
	.revert = vm_revert,
};

/* processes and threads */

int nu_cgroup_open(struct cv_sysroot *root, const char *vm, int *ret_fd, struct cv_error *err)
{
	struct vm_dirs dirs;
	int fd;

	fd = fill_dirs(vm, &dirs, err);
	if (fd < 0)
		return fd;
	fd = cv_open(root, dirs.top, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
	if (fd < 0)
		return cv_fail_errno(err, fd, dirs.top, "cannot open the VM's cgroup");
	*ret_fd = fd;
	return 0;
}

static int move(struct cv_sysroot *root, const char *dir, const char *file, pid_t id,
		struct cv_error *err)
{
	char path[CV_PATH_MAX], number[16];
	int r;

	snprintf(number, sizeof(number), "%d", id);
	r = cv_write_str(root, nu_cgroup_path(path, dir, file), number);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot move %d into the cgroup", id);
	return 0;
}

int nu_cgroup_enter_vmm(struct cv_sysroot *root, const char *vm, pid_t pid, struct cv_error *err)
{
	struct vm_dirs dirs;
	int r;

	r = fill_dirs(vm, &dirs, err);
	if (r < 0)
		return r;
	return move(root, dirs.vmm, "cgroup.procs", pid, err);
}

static int set_affinity(pid_t tid, const struct cv_cpuset *cpus)
{
	cpu_set_t *set = CPU_ALLOC(CV_CPU_MAX);
	size_t size = CPU_ALLOC_SIZE(CV_CPU_MAX);
	int r;

	if (!set)
		return -ENOMEM;
	CPU_ZERO_S(size, set);
	CV_CPUSET_FOREACH(cpu, cpus)
	CPU_SET_S((size_t)cpu, size, set);
	r = sched_setaffinity(tid, size, set) < 0 ? -errno : 0;
	CPU_FREE(set);
	return r;
}

/* The kernel may have narrowed or refused it silently: only /proc tells. */
static int verify_affinity(struct cv_sysroot *root, pid_t tid, const struct cv_cpuset *wanted,
			   struct cv_error *err)
{
	_cleanup_free_ char *found = NULL, *list = NULL;
	struct nu_thread t;
	char path[CV_PATH_MAX];
	int r = nu_thread_read(root, tid, &t);

	cv_pathf(path, "/proc/%d/status", tid);
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read where thread %d may run", tid);
	if (cv_cpuset_equal(&t.cpus, wanted))
		return 0;
	found = cv_format_cpulist(&t.cpus);
	list = cv_format_cpulist(wanted);
	cv_fail(err, -EBUSY, CV_EXIT_FAILED, "EBUSY_PIN", path, "thread %d is not pinned", tid);
	cv_error_found(err, "Cpus_allowed_list %s", found ? found : "");
	cv_error_wanted(err, "%s", list ? list : "");
	return -EBUSY;
}

int nu_pin_vcpu(struct cv_sysroot *root, const char *vm, pid_t tid, int host_cpu,
		struct cv_error *err)
{
	struct cv_cpuset one = { 0 };
	struct vm_dirs dirs;
	int r;

	cv_cpuset_add(&one, host_cpu);
	r = fill_dirs(vm, &dirs, err);
	if (r < 0)
		return r;
	if (host_cpu < 0 || host_cpu >= CV_CPU_MAX)
		return cv_fail(err, -ERANGE, CV_EXIT_USAGE, "ERANGE_CPU", vm, "no CPU %d",
			       host_cpu);
	r = move(root, dirs.vcpu, "cgroup.threads", tid, err);
	if (r < 0)
		return r;
	r = set_affinity(tid, &one);
	if (r < 0)
		return cv_fail_errno(err, r, vm, "cannot pin thread %d to CPU %d", tid, host_cpu);
	return verify_affinity(root, tid, &one, err);
}

int nu_place_vmm_thread(struct cv_sysroot *root, const char *vm, pid_t tid, struct cv_error *err)
{
	struct cv_cpuset cpus;
	struct vm_dirs dirs;
	int r = fill_dirs(vm, &dirs, err);

	if (r < 0)
		return r;
	r = nu_cgroup_read_list(root, dirs.vmm, "cpuset.cpus", &cpus);
	if (r < 0)
		return cv_fail_errno(err, r, dirs.vmm, "cannot see where the VMM may run");
	/* before it can hold a core of the host: what a real-time vCPU makes is real-time too */
	r = nu_thread_set_policy(root, tid, 0, err);
	if (r < 0)
		return r;
	r = move(root, dirs.vmm, "cgroup.threads", tid, err);
	if (r < 0)
		return r;
	r = set_affinity(tid, &cpus);
	return r < 0 ? cv_fail_errno(err, r, vm, "cannot place thread %d", tid) : 0;
}

static bool is_among(pid_t tid, const pid_t *tids, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (tids[i] == tid)
			return true;
	return false;
}

int nu_evict_others(struct cv_sysroot *root, const char *vm, const pid_t *tids, size_t n,
		    struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *save = NULL;
	struct vm_dirs dirs;
	int moved = 0;
	int r = fill_dirs(vm, &dirs, err);

	if (r == 0)
		r = cv_read_str(root, nu_cgroup_path(path, dirs.vcpu, "cgroup.threads"), &text);
	if (r < 0)
		return cv_fail_errno(err, r, dirs.vcpu,
				     "cannot see which threads are on the vCPU cores");
	for (char *t = strtok_r(text, "\n", &save); t; t = strtok_r(NULL, "\n", &save)) {
		int tid;

		if (cv_parse_int(t, &tid) < 0 || is_among(tid, tids, n))
			continue;
		/* it inherited the pin of the vCPU that made it */
		r = nu_place_vmm_thread(root, vm, tid, err);
		if (r < 0 && r != -ESRCH)
			return r;
		moved++;
	}
	return moved;
}

int nu_cgroup_pids(struct cv_sysroot *root, const char *vm)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	struct vm_dirs dirs;
	int n = 0, r;

	r = fill_dirs(vm, &dirs, NULL);
	if (r < 0)
		return r;
	r = cv_read_str(root, nu_cgroup_path(path, dirs.top, "cgroup.procs"), &text);
	if (r == -ENOENT || r == -ENODEV)
		return 0;
	if (r < 0)
		return r;
	for (const char *p = text; *p; n++) {
		p += strcspn(p, "\n");
		p += *p == '\n';
	}
	return n;
}
