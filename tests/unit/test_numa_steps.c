// SPDX-License-Identifier: GPL-2.0-or-later
/* The cgroup and huge page steps on a fake of sysfs that behaves. */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>

#include "tests/unit/numa_tree.h"

#include "base/json.h"
#include "base/lease.h"
#include "base/parse.h"
#include "base/state.h"
#include "numa/binding.h"
#include "numa/hugepages.h"
#include "numa/ledger.h"
#include "numa/pool.h"

#define POOL TREE_NODE "/node1/hugepages/hugepages-2048kB"
#define CG NU_CGROUP_MOUNT

/**
 * struct fake - a directory whose cgroup and huge page files react as the kernel's do; shared memory,
 * because many writes come from a child process
 * @tree:     first member: the ops take the fake for it
 * @writes:   so far
 * @fail_at:  this write is refused with -EIO, 0: none
 * @cap:      pages that the node's memory can give
 * @refusal:  state that an isolated partition ends in, "" for success
 * @immortal: SIGKILL does not empty a cgroup
 */
struct fake {
	struct tree tree;
	unsigned int writes;
	unsigned int fail_at;
	uint64_t cap;
	char refusal[64];
	bool immortal;
	struct cv_sysroot *root;
};

static uint64_t get_u64(const struct fake *f, const char *path)
{
	uint64_t v;

	assert_int_equal(cv_read_u64(f->root, path, &v), 0);
	return v;
}

static void assert_text(const struct fake *f, const char *path, const char *wanted)
{
	_cleanup_free_ char *text = NULL;

	assert_int_equal(cv_read_str(f->root, path, &text), 0);
	assert_string_equal(text, wanted);
}

/* the fake's ops */

static int fake_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	char buf[PATH_MAX];
	_cleanup_close_ int fd = open(tree_path(ctx, path, buf), O_RDONLY | O_CLOEXEC);
	char *text = calloc(1, 65536);
	ssize_t n;

	assert_non_null(text);
	n = fd < 0 ? -1 : read(fd, text, 65535);
	if (n < 0) {
		int r = -errno;

		free(text);
		return r;
	}
	*ret = text;
	*ret_len = (size_t)n;
	return 0;
}

static int fake_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	char buf[PATH_MAX];

	tree_path(ctx, path, buf);
	return (nofollow ? lstat(buf, ret) : stat(buf, ret)) < 0 ? -errno : 0;
}

static int fake_open(void *ctx, const char *path, int flags, mode_t mode)
{
	char buf[PATH_MAX];
	int fd = open(tree_path(ctx, path, buf), flags | O_CLOEXEC, mode);

	return fd < 0 ? -errno : fd;
}

static int fake_unlink(void *ctx, const char *path)
{
	char buf[PATH_MAX];

	return unlink(tree_path(ctx, path, buf)) < 0 ? -errno : 0;
}

static int fake_rename(void *ctx, const char *from, const char *to)
{
	char a[PATH_MAX], b[PATH_MAX];

	return rename(tree_path(ctx, from, a), tree_path(ctx, to, b)) < 0 ? -errno : 0;
}

static int fake_list(void *ctx, const char *path, struct cv_strv *ret)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	const struct fake *f = ctx;

	assert_int_equal(cv_sysroot_open(f->tree.dir, &r, NULL), 0);
	return cv_list(r, path, ret);
}

static const char *const cgroup_files[][2] = {
	{ "cgroup.type", "domain\n" },
	{ "cgroup.events", "populated 0\nfrozen 0\n" },
	{ "cgroup.procs", "" },
	{ "cgroup.threads", "" },
	{ "cgroup.kill", "" },
	{ "cgroup.controllers", "cpuset cpu memory\n" },
	{ "cgroup.subtree_control", "\n" },
	{ "cpuset.cpus", "\n" },
	{ "cpuset.mems", "\n" },
	{ "cpuset.cpus.exclusive", "\n" },
	{ "cpuset.cpus.partition", "member\n" },
};

static int fake_mkdir(void *ctx, const char *path, mode_t mode)
{
	char buf[PATH_MAX];

	if (mkdir(tree_path(ctx, path, buf), mode) < 0)
		return -errno;
	if (strncmp(path, CG, strlen(CG)) == 0)
		for (size_t i = 0; i < CV_ARRAY_SIZE(cgroup_files); i++)
			tree_putf(ctx, cgroup_files[i][1], "%s/%s", path, cgroup_files[i][0]);
	return 0;
}

static int fake_rmdir(void *ctx, const char *path)
{
	char buf[PATH_MAX];
	struct stat st;

	tree_path(ctx, path, buf);
	if (stat(buf, &st) < 0)
		return -errno;
	if (strncmp(path, CG, strlen(CG)) == 0 && st.st_nlink > 2)
		return -EBUSY;
	for (size_t i = 0; i < CV_ARRAY_SIZE(cgroup_files); i++) {
		snprintf(buf + strlen(buf), 64, "/%s", cgroup_files[i][0]);
		unlink(buf);
		tree_path(ctx, path, buf);
	}
	return rmdir(buf) < 0 ? -errno : 0;
}

static void set_u64(struct fake *f, const char *path, uint64_t v)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu\n", (unsigned long long)v);
	tree_put(&f->tree, path, text);
}

/* Pages in use stay as surplus when the pool shrinks below them. */
static void set_pool(struct fake *f, uint64_t wanted)
{
	uint64_t nr = get_u64(f, POOL "/nr_hugepages");
	uint64_t used = nr - get_u64(f, POOL "/free_hugepages");
	uint64_t persistent = wanted < f->cap ? wanted : f->cap;
	uint64_t total = persistent > used ? persistent : used;

	set_u64(f, POOL "/nr_hugepages", total);
	set_u64(f, POOL "/free_hugepages", total - used);
	set_u64(f, POOL "/surplus_hugepages", total - persistent);
}

static bool ends_with(const char *s, const char *end)
{
	return strlen(s) >= strlen(end) && strcmp(s + strlen(s) - strlen(end), end) == 0;
}

static void empty_cgroup(struct fake *f, const char *kill_path)
{
	if (!f->immortal)
		tree_putf(&f->tree, "populated 0\nfrozen 0\n", "%.*scgroup.events",
			  (int)(strlen(kill_path) - strlen("cgroup.kill")), kill_path);
}

static int fake_write(void *ctx, const char *path, const void *data, size_t len)
{
	struct fake *f = ctx;
	char text[256], buf[PATH_MAX];
	uint64_t n;

	snprintf(text, sizeof(text), "%.*s", (int)len, (const char *)data);
	if (access(tree_path(&f->tree, path, buf), F_OK) < 0)
		return -errno;
	if (++f->writes == f->fail_at)
		return -EIO;
	if (ends_with(path, "/nr_hugepages") && cv_parse_u64(text, &n) == 0)
		set_pool(f, n);
	else if (ends_with(path, "/cgroup.kill"))
		empty_cgroup(f, path);
	else if (ends_with(path, "/cgroup.subtree_control"))
		tree_put(&f->tree, path, text[0] == '+' ? "cpuset memory\n" : "memory\n");
	else if (ends_with(path, "/cpuset.cpus.partition") && strcmp(text, "isolated") == 0)
		tree_put(&f->tree, path, f->refusal[0] ? f->refusal : "isolated\n");
	else
		tree_put(&f->tree, path, text);
	return 0;
}

static const struct cv_sysroot_ops fake_ops = {
	.read = fake_read,
	.write = fake_write,
	.list = fake_list,
	.stat = fake_stat,
	.open = fake_open,
	.mkdir = fake_mkdir,
	.rmdir = fake_rmdir,
	.unlink = fake_unlink,
	.rename = fake_rename,
};

static void fill_fake(struct fake *f)
{
	tree_put(&f->tree, CG "/cgroup.controllers", "cpuset cpu memory\n");
	tree_put(&f->tree, CG "/cgroup.subtree_control", "memory\n");
	tree_put(&f->tree, CG "/system.slice/cpuset.cpus", "\n");
	tree_put(&f->tree, POOL "/nr_hugepages", "10\n");
	tree_put(&f->tree, POOL "/free_hugepages", "4\n");
	tree_put(&f->tree, POOL "/surplus_hugepages", "0\n");
	tree_put(&f->tree, TREE_NODE "/node1/compact", "");
	tree_put(&f->tree, TREE_NODE "/node1/meminfo", "Node 1 MemFree:  8388608 kB\n");
	tree_put(&f->tree, CV_LEASE_DIR "/.keep", "");
	tree_put(&f->tree, CV_VM_DIR "/a/.keep", "");
	tree_put(&f->tree, CV_VM_DIR "/b/.keep", "");
	f->cap = 1000;
}

static int setup(void **state)
{
	struct fake *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
			      -1, 0);

	if (f == MAP_FAILED)
		return -1;
	if (tree_make(&f->tree) < 0 || cv_sysroot_new(&fake_ops, f, &f->root) < 0)
		return -1;
	fill_fake(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fake *f = *state;

	cv_sysroot_close(f->root);
	tree_remove(&f->tree, "");
	return munmap(f, sizeof(*f));
}

/* All of /sys and /run of the fake as text, to compare before and after. */
static void dump(struct fake *f, const char *path, FILE *out)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *text = NULL;

	if (fake_list(f, path, &names) < 0) {
		if (cv_read_str(f->root, path, &text) == 0)
			fprintf(out, "%s: %s\n", path, text);
		return;
	}
	fprintf(out, "%s/\n", path);
	for (size_t i = 0; i < names.n; i++) {
		char child[CV_PATH_MAX];

		dump(f, cv_pathf(child, "%s/%s", path, names.v[i]), out);
	}
}

static char *dump_all(struct fake *f)
{
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_non_null(out);
	dump(f, "/sys", out);
	dump(f, "/run", out);
	fclose(out);
	return text;
}

static struct cv_step_env env_of(struct fake *f, const char *vm)
{
	return (struct cv_step_env){ .root = f->root, .vm = vm, .deadline_ms = 1000 };
}

/* the cgroup steps */

static const char cpus_a[] = "vcpu=2-3 vmm=0,4";

static int apply_vm(struct fake *f, const char *vm, const char *value, struct cv_error *err)
{
	struct cv_step_env env = env_of(f, vm);
	char object[CV_PATH_MAX];

	cv_pathf(object, NU_CGROUP_ROOT "/%s", vm);
	return nu_step_cgroup_vm.apply(&env, object, value, NULL, err);
}

static int revert_vm(struct fake *f, const char *vm, struct cv_error *err)
{
	struct cv_step_env env = env_of(f, vm);
	char object[CV_PATH_MAX];

	cv_pathf(object, NU_CGROUP_ROOT "/%s", vm);
	return nu_step_cgroup_vm.revert(&env, object, "", NULL, err);
}

static json_t *apply_root(struct fake *f)
{
	struct cv_step_env env = env_of(f, "a");
	json_t *prior = NULL;

	assert_int_equal(nu_step_cgroup_root.record(&env, NU_CGROUP_ROOT, "cpuset", &prior, NULL),
			 0);
	assert_int_equal(nu_step_cgroup_root.apply(&env, NU_CGROUP_ROOT, "cpuset", prior, NULL), 0);
	return prior;
}

static int revert_root(struct fake *f, const json_t *prior)
{
	struct cv_step_env env = env_of(f, "a");

	return nu_step_cgroup_root.revert(&env, NU_CGROUP_ROOT, "cpuset", prior, NULL);
}

static void test_cgroup_two_vms(void **state)
{
	struct fake *f = *state;
	_cleanup_free_ char *before = dump_all(f), *after = NULL;
	_cleanup_json_ json_t *prior = apply_root(f);

	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	assert_int_equal(apply_vm(f, "b", "vcpu=5,7 vmm=0", NULL), 0);
	assert_text(f, NU_CGROUP_ROOT "/cpuset.cpus.exclusive", "2-3,5,7");
	assert_text(f, NU_CGROUP_ROOT "/a/cpuset.cpus.exclusive", "2-3");
	assert_text(f, NU_CGROUP_ROOT "/a/vcpu/cpuset.cpus", "2-3");
	assert_text(f, NU_CGROUP_ROOT "/a/vcpu/cgroup.type", "threaded");
	assert_text(f, NU_CGROUP_ROOT "/a/vmm/cpuset.cpus", "0,4");
	assert_text(f, NU_CGROUP_ROOT "/a/vcpu/cpuset.cpus.partition", "isolated");
	assert_int_equal(revert_vm(f, "a", NULL), 0);
	assert_text(f, NU_CGROUP_ROOT "/cpuset.cpus.exclusive", "5,7");
	assert_int_equal(revert_vm(f, "b", NULL), 0);
	assert_int_equal(revert_vm(f, "b", NULL), 0);
	assert_int_equal(revert_root(f, prior), 0);
	assert_int_equal(revert_root(f, prior), 0);
	after = dump_all(f);
	assert_string_equal(before, after);
}

static void test_cgroup_writes_nothing_twice(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	unsigned int writes;

	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	writes = f->writes;
	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	assert_int_equal(f->writes, writes);
}

/* Every write of the sequence fails once; the revert from there leaves no trace. */
static void test_cgroup_sweep(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	_cleanup_free_ char *before = dump_all(f);
	struct cv_error err;
	unsigned int n = 0;
	int r;

	do {
		_cleanup_free_ char *after = NULL;

		f->fail_at = f->writes + ++n;
		r = apply_vm(f, "a", cpus_a, &err);
		f->fail_at = 0;
		assert_true(r == 0 || r == -EIO);
		assert_int_equal(revert_vm(f, "a", NULL), 0);
		after = dump_all(f);
		assert_string_equal(before, after);
	} while (r < 0);
	assert_true(n > 8);
}

static void test_cgroup_refused_partition(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	struct cv_error err = { 0 };

	snprintf(f->refusal, sizeof(f->refusal),
		 "isolated invalid (Parent unable to distribute)\n");
	assert_int_equal(apply_vm(f, "a", cpus_a, &err), -EBUSY);
	assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
	assert_string_equal(err.found, "isolated invalid (Parent unable to distribute)");
}

static void test_cgroup_bad_values(void **state)
{
	static const char *const bad[] = { "",
					   "vcpu=2",
					   "vcpu=2  vmm=0",
					   "vcpu= vmm=0",
					   "vmm=0 vcpu=2",
					   "vcpu=2 vmm=",
					   "vcpu=2 vmm=0 x",
					   "vcpu=2 vmm=0\n",
					   "vcpu=2-4 vmm=4",
					   "vcpu=9999 vmm=0" };
	struct cv_step_env env = env_of(*state, "a");
	struct fake *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(apply_vm(f, "a", bad[i], NULL), -EINVAL);
	assert_int_equal(nu_step_cgroup_vm.apply(&env, NU_CGROUP_ROOT "/../x", cpus_a, NULL, NULL),
			 -EINVAL);
	assert_int_equal(nu_step_cgroup_vm.revert(&env, "/sys/fs/cgroup", "", NULL, NULL), -EINVAL);
	assert_int_equal(f->writes, 0);
}

static void test_cgroup_kill(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	struct cv_error err = { 0 };

	assert_int_equal(nu_cgroup_pids(f->root, "a"), 0);
	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	tree_put(&f->tree, NU_CGROUP_ROOT "/a/cgroup.events", "populated 1\nfrozen 0\n");
	tree_put(&f->tree, NU_CGROUP_ROOT "/a/cgroup.procs", "12\n13\n");
	assert_int_equal(nu_cgroup_pids(f->root, "a"), 2);
	f->immortal = true;
	assert_int_equal(revert_vm(f, "a", &err), -ETIMEDOUT);
	assert_int_equal(err.exit, CV_EXIT_TIMEOUT);
	f->immortal = false;
	assert_int_equal(revert_vm(f, "a", NULL), 0);
}

static void test_cgroup_root_kept(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);

	tree_put(&f->tree, CG "/system.slice/cpuset.cpus",
		 "0-7\n"); /* leans on the controller by now */
	assert_int_equal(revert_root(f, prior), 0);
	assert_text(f, CG "/cgroup.subtree_control", "cpuset memory");
}

static void test_cgroup_absent(void **state)
{
	struct fake *f = *state;
	struct cv_step_env env = env_of(f, "a");
	struct cv_error err = { 0 };
	json_t *prior;

	tree_put(&f->tree, CG "/cgroup.controllers", "memory\n");
	assert_int_equal(nu_step_cgroup_root.record(&env, NU_CGROUP_ROOT, "cpuset", &prior, &err),
			 -EOPNOTSUPP);
	assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
}

/* Linux before 6.7: refused before anything is made, and the revert finds nothing to do. */
static void test_cgroup_without_exclusive(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct cv_error err = { 0 };
	unsigned int writes = f->writes;

	tree_remove(&f->tree, NU_CGROUP_ROOT "/cpuset.cpus.exclusive");
	before = dump_all(f);
	assert_int_equal(apply_vm(f, "a", cpus_a, &err), -EOPNOTSUPP);
	assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
	assert_non_null(strstr(err.hint, "6.7"));
	err = (struct cv_error){ 0 };
	assert_int_equal(revert_vm(f, "a", &err), 0);
	assert_int_equal(err.err, 0);
	assert_int_equal(f->writes, writes);
	after = dump_all(f);
	assert_string_equal(before, after);
	assert_int_equal(revert_root(f, prior), 0);
}

static void test_processes(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	_cleanup_close_ int fd = -1;

	assert_int_equal(nu_cgroup_open(f->root, "a", &fd, NULL), -ENOENT);
	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	assert_int_equal(nu_cgroup_open(f->root, "a", &fd, NULL), 0);
	assert_int_equal(nu_cgroup_open(f->root, "../a", &fd, NULL), -EINVAL);
	assert_int_equal(nu_cgroup_enter_vmm(f->root, "a", 77, NULL), 0);
	assert_text(f, NU_CGROUP_ROOT "/a/vmm/cgroup.procs", "77");
}

static int first_cpu(const cpu_set_t *set)
{
	int cpu = 0;

	while (!CPU_ISSET(cpu, set))
		cpu++;
	return cpu;
}

static void test_pin(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	struct cv_error err = { 0 };
	char status[64], tid[16];
	cpu_set_t all;
	int cpu;

	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	cpu = first_cpu(&all);
	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	snprintf(status, sizeof(status), "Name:\tx\nCpus_allowed_list:\t%d\nMems:\t0\n", cpu);
	tree_putf(&f->tree, status, "/proc/%d/status", gettid());
	assert_int_equal(nu_pin_vcpu(f->root, "a", gettid(), cpu, NULL), 0);
	snprintf(tid, sizeof(tid), "%d", gettid());
	assert_text(f, NU_CGROUP_ROOT "/a/vcpu/cgroup.threads", tid);
	tree_putf(&f->tree, "Cpus_allowed_list:\t0-63\n", "/proc/%d/status", gettid());
	assert_int_equal(nu_pin_vcpu(f->root, "a", gettid(), cpu, &err), -EBUSY);
	assert_string_equal(err.found, "Cpus_allowed_list 0-63");
	assert_int_equal(nu_pin_vcpu(f->root, "a", gettid(), -1, NULL), -ERANGE);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* What a real-time vCPU made is normal again before it comes to the cores of the host. */
static void test_place_ends_real_time(void **state)
{
	struct fake *f = *state;
	_cleanup_json_ json_t *prior = apply_root(f);
	const struct sched_param one = { .sched_priority = 1 };
	cpu_set_t all;

	if (sched_setscheduler(0, SCHED_FIFO, &one) < 0)
		skip(); /* this machine gives no real-time policy to its users */
	assert_int_equal(sched_getaffinity(0, sizeof(all), &all), 0);
	assert_int_equal(apply_vm(f, "a", cpus_a, NULL), 0);
	tree_putf(&f->tree, "Name:\tx\nCpus_allowed_list:\t0\n", "/proc/%d/status", gettid());
	(void)nu_place_vmm_thread(f->root, "a", gettid(), NULL); /* CPUs this machine may lack */
	assert_int_equal(sched_getscheduler(0), SCHED_OTHER);
	assert_int_equal(sched_setaffinity(0, sizeof(all), &all), 0);
}

/* huge pages */

static int apply_pages(struct fake *f, const char *vm, const char *value, struct cv_error *err)
{
	struct cv_step_env env = env_of(f, vm);

	return nu_step_hugepages.apply(&env, "node1/2M", value, NULL, err);
}

static int revert_pages(struct fake *f, const char *vm, struct cv_error *err)
{
	struct cv_step_env env = env_of(f, vm);

	return nu_step_hugepages.revert(&env, "node1/2M", "", NULL, err);
}

static void lease(struct fake *f, const char *vm, uint64_t pages)
{
	struct cv_lease_pages p[] = { { 1, 2 << 20, pages }, { 0, 2 << 20, 500 } };
	struct cv_lease l = { .pages = p, .n_pages = 2 };

	snprintf(l.name, sizeof(l.name), "%s", vm);
	snprintf(l.owner.boot_id, sizeof(l.owner.boot_id), "x");
	assert_int_equal(cv_lease_write(f->root, &l, NULL), 0);
}

static void test_pages_free_ones_first(void **state)
{
	struct fake *f = *state;

	assert_int_equal(apply_pages(f, "a", "4", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 10);
	assert_int_equal(f->writes, 0);
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(f->writes, 0);
	assert_int_equal(apply_pages(f, "a", "6", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 12);
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 10);
}

static void test_pages_of_other_leases(void **state)
{
	struct fake *f = *state;

	lease(f, "b", 8); /* of the pool of 10, six in use: two are nobody's */
	assert_int_equal(apply_pages(f, "a", "4", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 12);
	assert_int_equal(apply_pages(f, "b", "8", NULL), 0); /* takes no notice of its own lease */
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 14);
	set_pool(f, 17); /* the admin adds three */
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 15);
	assert_int_equal(revert_pages(f, "b", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 13);
}

static void test_pages_short(void **state)
{
	struct fake *f = *state;
	_cleanup_free_ char *before = dump_all(f), *after = NULL;
	struct cv_error err = { 0 };

	f->cap = 15;
	assert_int_equal(apply_pages(f, "a", "10", &err), -ENOMEM);
	assert_string_equal(err.what, "node 1 has 9 free 2M pages after trying, 10 needed");
	tree_put(&f->tree, TREE_NODE "/node1/compact", "");
	after = dump_all(f);
	assert_string_equal(before, after);
	f->writes = 0;
	assert_int_equal(apply_pages(f, "a", "4101", &err), -ENOMEM);
	assert_string_equal(err.what,
			    "node 1 has 4 free 2M pages and no memory for the rest, 4101 needed");
	assert_int_equal(f->writes, 0);
	/* 4096 of them fit into what is free; cached files make room, shared memory does not */
	tree_put(&f->tree, TREE_NODE "/node1/meminfo",
		 "Node 1 MemFree: 8388608 kB\nNode 1 FilePages: 8192 kB\nNode 1 Shmem: 8192 kB\n");
	assert_int_equal(apply_pages(f, "a", "4101", NULL), -ENOMEM);
	assert_int_equal(f->writes, 0);
	f->cap = 5000;
	tree_put(&f->tree, TREE_NODE "/node1/meminfo",
		 "Node 1 MemFree: 8388608 kB\nNode 1 FilePages: 2048 kB\n");
	assert_int_equal(apply_pages(f, "a", "4101", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 4107);
}

static void test_pages_still_in_use(void **state)
{
	struct fake *f = *state;
	struct cv_error err = { 0 };

	assert_int_equal(apply_pages(f, "a", "10", NULL), 0);
	tree_put(&f->tree, POOL "/free_hugepages", "0\n");
	assert_int_equal(revert_pages(f, "a", &err), -EBUSY);
	assert_int_equal(err.exit, CV_EXIT_BUSY);
	assert_int_equal(get_u64(f, POOL "/surplus_hugepages"), 6);
	tree_put(&f->tree, POOL "/surplus_hugepages", "0\n"); /* the last user is gone */
	tree_put(&f->tree, POOL "/nr_hugepages", "10\n");
	tree_put(&f->tree, POOL "/free_hugepages", "4\n");
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 10);
}

/* A crash leaves the ledger moving: the pool half grown, grown, or back already. */
static void test_pages_after_crash(void **state)
{
	static const uint64_t left[] = { 10, 12, 14 };
	struct nu_pool_id id = { 1, 2 << 20 };
	struct nu_ledger moving = { .is_moving = true, .base = 10 };
	struct fake *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(left); i++) {
		set_pool(f, left[i]);
		assert_int_equal(nu_ledger_write(f->root, "a", id, &moving, NULL), 0);
		assert_int_equal(revert_pages(f, "a", NULL), 0);
		assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 10);
	}
	set_pool(f, 14);
	assert_int_equal(nu_ledger_write(f->root, "a", id, &moving, NULL), 0);
	assert_int_equal(apply_pages(f, "b", "5", NULL), 0); /* settles a first */
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 11);
	assert_int_equal(revert_pages(f, "a", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 11);
	assert_int_equal(revert_pages(f, "b", NULL), 0);
	assert_int_equal(get_u64(f, POOL "/nr_hugepages"), 10);
}

static void test_pages_bad_values(void **state)
{
	static const char *const bad[] = { "node1",   "node1/",	  "nodex/2M", "node-1/2M",
					   "node1/0", "node1/2X", "1/2M",     "node99999/2M" };
	struct cv_step_env env = env_of(*state, "a");
	struct cv_error err;
	struct fake *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_true(nu_step_hugepages.apply(&env, bad[i], "1", NULL, NULL) < 0);
	assert_int_equal(apply_pages(f, "a", "0", NULL), -EINVAL);
	assert_int_equal(apply_pages(f, "a", "-1", NULL), -EINVAL);
	assert_int_equal(nu_step_hugepages.apply(&env, "node1/1G", "1", NULL, &err), -ENOENT);
	assert_string_equal(err.what, "node 1 has no 1G pages");
	assert_int_equal(nu_step_hugepages.revert(&env, "node1/1G", "1", NULL, NULL), 0);
	assert_int_equal(f->writes, 0);
}

static void test_pages_record(void **state)
{
	struct cv_step_env env = env_of(*state, "a");
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(nu_step_hugepages.record(&env, "node1/2M", "3", &prior, NULL), 0);
	assert_int_equal(cv_json_int(prior, "nr", -1), 10);
}

static void test_ledger_damaged(void **state)
{
	static const char *const bad[] = { "", "{}", "{\"carve_hugepages\":1}",
					   "{\"carve_hugepages\":1,\"added\":-2}",
					   "{\"carve_hugepages\":1,\"added\":2,\"base\":1}" };
	struct fake *f = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		tree_put(&f->tree, CV_VM_DIR "/a/hugepages-node1-2M", bad[i]);
		assert_int_equal(revert_pages(f, "a", NULL), -EINVAL);
	}
	tree_put(&f->tree, CV_VM_DIR "/a/hugepages-node1-2M",
		 "{\"carve_hugepages\":2,\"added\":2}");
	assert_int_equal(revert_pages(f, "a", NULL), -EPROTONOSUPPORT);
}

#define FAKE_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		FAKE_TEST(test_cgroup_two_vms),
		FAKE_TEST(test_cgroup_writes_nothing_twice),
		FAKE_TEST(test_cgroup_sweep),
		FAKE_TEST(test_cgroup_refused_partition),
		FAKE_TEST(test_cgroup_bad_values),
		FAKE_TEST(test_cgroup_kill),
		FAKE_TEST(test_cgroup_root_kept),
		FAKE_TEST(test_cgroup_absent),
		FAKE_TEST(test_cgroup_without_exclusive),
		FAKE_TEST(test_processes),
		FAKE_TEST(test_pin),
		FAKE_TEST(test_place_ends_real_time),
		FAKE_TEST(test_pages_free_ones_first),
		FAKE_TEST(test_pages_of_other_leases),
		FAKE_TEST(test_pages_short),
		FAKE_TEST(test_pages_still_in_use),
		FAKE_TEST(test_pages_after_crash),
		FAKE_TEST(test_pages_bad_values),
		FAKE_TEST(test_pages_record),
		FAKE_TEST(test_ledger_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
