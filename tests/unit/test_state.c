// SPDX-License-Identifier: GPL-2.0-or-later
/* What is kept on disk: owners, the node lock, leases, quarantine. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/parse.h"
#include "base/quarantine.h"
#include "base/state.h"
#include "tests/fake/fake_sysroot.h"
#include "tests/fake/golden.h"
#include "tests/fake/temp_root.h"

#define BOOT_ID "f4b5c5a0-0000-4000-8000-0123456789ab"

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
};

static int setup(void **state)
{
	static struct host h;

	if (fake_new(&h.fake, &h.root))
		return -1;
	fake_file(h.fake, "/proc/sys/kernel/random/boot_id", BOOT_ID);
	*state = &h;
	return cv_state_prepare(h.root, NULL);
}

static int teardown(void **state)
{
	struct host *h = *state;

	cv_sysroot_close(h->root);
	return 0;
}

static void test_owner(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *j = NULL;
	struct cv_owner o, back;
	struct cv_error e;

	assert_int_equal(cv_owner_read(h->root, 0, "12.batch", &o, &e), 0);
	assert_string_equal(o.user, "root");
	assert_string_equal(o.boot_id, BOOT_ID);
	j = cv_owner_json(&o);
	assert_int_equal(cv_owner_from_json(j, &back), 0);
	assert_string_equal(back.job, "12.batch");
	assert_int_equal(back.uid, 0);
	json_object_del(j, "job");
	assert_int_equal(cv_owner_from_json(j, &back), -EINVAL);
	assert_int_equal(cv_owner_from_json(NULL, &back), -EINVAL);
	assert_int_equal(cv_owner_read(h->root, 4294000000U, NULL, &o, &e), 0);
	assert_string_equal(o.user, "");
	fake_remove(h->fake, "/proc");
	assert_int_equal(cv_owner_read(h->root, 0, NULL, &o, &e), -ENOENT);
}

static void test_proc(void **state)
{
	struct host *h = *state;
	struct cv_proc p;

	fake_file(h->fake, "/proc/42/stat",
		  "42 (a) R 1 (b) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 1 2");
	assert_int_equal(cv_proc_read(h->root, 42, &p), 0);
	assert_int_equal(p.start, 777);
	assert_true(cv_proc_is_alive(h->root, &p));
	p.start = 778;
	assert_false(cv_proc_is_alive(h->root, &p));
	p.start = 777;
	fake_file(h->fake, "/proc/42/stat",
		  "42 (a) R 1 (b) Z 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 1 2");
	assert_false(cv_proc_is_alive(h->root, &p));
	fake_file(h->fake, "/proc/42/stat", "42 (a) R 1");
	assert_int_equal(cv_proc_read(h->root, 42, &p), -ESRCH);
	assert_int_equal(cv_proc_read(h->root, 43, &p), -ESRCH);
	assert_int_equal(cv_proc_read(h->root, -1, &p), -ESRCH);
}

static void test_proc_self(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
	struct cv_proc p;

	assert_int_equal(cv_sysroot_open("/", &r, NULL), 0);
	assert_int_equal(cv_proc_read(r, getpid(), &p), 0);
	assert_true(cv_proc_is_alive(r, &p));
}

static void test_lock(void **state)
{
	struct host *h = *state;
	_cleanup_close_ int fd = -1;
	_cleanup_close_ int second = -1;
	struct cv_error e;
	char pid[32];

	assert_int_equal(cv_state_lock(h->root, 0, &fd, &e), 0);
	assert_int_equal(cv_state_lock(h->root, 50, &second, &e), -EBUSY);
	assert_int_equal(e.exit, CV_EXIT_BUSY);
	assert_true(snprintf(pid, sizeof(pid), "process %d", (int)getpid()) > 0);
	assert_non_null(strstr(e.found, pid));
	close(TAKE_FD(fd));
	assert_int_equal(cv_state_lock(h->root, 0, &second, &e), 0);
}

/* Also one that was made readable: whoever can open it can hold it. */
static void test_lock_mode(void **state)
{
	struct temp_root t;
	_cleanup_close_ int fd = -1;
	struct stat st;

	temp_root_init(&t);
	temp_root_file(&t, CV_LOCK_FILE, "");
	assert_int_equal(cv_stat(t.root, CV_LOCK_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(cv_state_lock(t.root, 0, &fd, NULL), 0);
	assert_int_equal(cv_stat(t.root, CV_LOCK_FILE, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	temp_root_done(&t);
}

/* A writer that was killed between the file beside and the rename; what is whole stays. */
static void test_sweep(void **state)
{
	static const char *const left[] = { CV_RUN_DIR "/boot_id.tmp",
					    CV_SHARED_DIR "/numvfs.json.tmp",
					    CV_LEASE_DIR "/a.json.tmp",
					    CV_QUARANTINE_DIR "/0000:01:00.0.json.tmp" };
	struct temp_root t;

	temp_root_init(&t);
	assert_int_equal(cv_state_sweep(t.root, NULL), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(left); i++)
		temp_root_file(&t, left[i], "half");
	temp_root_file(&t, CV_SHARED_DIR "/numvfs.json", "whole");
	temp_root_file(&t, CV_LEASE_DIR "/.tmp", "");
	assert_int_equal(cv_state_sweep(t.root, NULL), 0);
	for (size_t i = 0; i < CV_ARRAY_SIZE(left); i++)
		assert_false(cv_exists(t.root, left[i]));
	assert_true(cv_exists(t.root, CV_SHARED_DIR "/numvfs.json"));
	temp_root_done(&t);
}

#define BOOT_PATH "/proc/sys/kernel/random/boot_id"

static void expect_dropped(struct cv_sysroot *r, const char *names)
{
	_cleanup_strv_ struct cv_strv dropped = { 0 };
	_cleanup_free_ char *text = NULL;
	struct cv_error e;

	assert_int_equal(cv_state_drop_stale(r, &dropped, &e), 0);
	text = cv_strv_join(&dropped, " ");
	assert_string_equal(text, names);
	assert_false(cv_state_is_stale(r));
}

static void expect_empty(struct cv_sysroot *r, const char *dir)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	assert_int_equal(cv_list(r, dir, &names), 0);
	assert_int_equal(names.n, 0);
}

/* A /run that was kept over a reboot. */
static void test_boot(void **state)
{
	struct temp_root t;
	char id[CV_BOOT_ID_MAX];

	temp_root_init(&t);
	temp_root_file(&t, BOOT_PATH, BOOT_ID "\n");
	assert_int_equal(cv_state_prepare(t.root, NULL), 0);
	temp_root_file(&t, CV_VM_DIR "/vm1/journal", "anything");
	temp_root_file(&t, CV_VM_DIR "/vm1/vmm/sub/file", "");
	temp_root_file(&t, CV_LEASE_DIR "/vm1.json", "{}");
	temp_root_file(&t, CV_LEASE_DIR "/vm2.json", "damaged");
	temp_root_file(&t, CV_SHARED_DIR "/pool.json", "{}");
	temp_root_file(&t, CV_QUARANTINE_DIR "/0000:01:00.0.json", "{}");
	/* Not known of which boot: nothing is dropped. */
	assert_false(cv_state_is_stale(t.root));
	expect_dropped(t.root, "");
	expect_dropped(t.root, "");
	assert_true(cv_exists(t.root, CV_VM_DIR "/vm1/journal"));
	temp_root_file(&t, BOOT_PATH, "another\n");
	assert_true(cv_state_is_stale(t.root));
	expect_dropped(t.root, "vm1 vm2");
	expect_empty(t.root, CV_VM_DIR);
	expect_empty(t.root, CV_LEASE_DIR);
	expect_empty(t.root, CV_SHARED_DIR);
	assert_true(cv_exists(t.root, CV_QUARANTINE_DIR "/0000:01:00.0.json"));
	assert_int_equal(cv_read_into(t.root, CV_BOOT_FILE, id, sizeof(id)), 0);
	assert_string_equal(id, "another");
	temp_root_done(&t);
}

/* Whatever fails on the way, what is left stays stale until all of it is gone. */
static void test_boot_sweep(void **state)
{
	for (unsigned int n = 1;; n++) {
		_cleanup_(cv_sysroot_closep) struct cv_sysroot *r = NULL;
		_cleanup_strv_ struct cv_strv dropped = { 0 };
		struct fake *f;
		int rc;

		assert_int_equal(fake_new(&f, &r), 0);
		fake_file(f, BOOT_PATH, BOOT_ID);
		fake_file(f, CV_BOOT_FILE, "another");
		fake_file(f, CV_VM_DIR "/vm1/journal", "anything");
		fake_file(f, CV_LEASE_DIR "/vm1.json", "{}");
		fake_file(f, CV_SHARED_DIR "/pool.json", "{}");
		fake_fail_change(f, n, -EIO);
		rc = cv_state_drop_stale(r, &dropped, NULL);
		assert_int_equal(cv_state_is_stale(r), rc != 0);
		if (!rc)
			break;
		assert_int_equal(dropped.n, 0);
		fake_fail_change(f, 0, 0);
		assert_int_equal(cv_state_drop_stale(r, &dropped, NULL), 0);
		assert_false(cv_exists(r, CV_VM_DIR "/vm1"));
		assert_false(cv_exists(r, CV_LEASE_DIR "/vm1.json"));
		assert_true(n < 40);
	}
}

static void test_names(void **state)
{
	static const char *const bad[] = { "",	       ".",  "..",	     ".a",	"-a",
					   "a/b",      "A",  "a b",	     "../vm",	"a\n",
					   "\xc3\xa4", "_a", "cgroup.procs", "cpu.stat" };
	char name[65];

	memset(name, 'a', 64);
	name[64] = '\0';
	assert_false(cv_name_is_valid(name));
	name[63] = '\0';
	assert_true(cv_name_is_valid(name));
	assert_true(cv_name_is_valid("0vm-1_x"));
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_false(cv_name_is_valid(bad[i]));
}

static struct cv_bdf devices[] = { { .bus = 1, .dev = 0x10 }, { .bus = 0x65 } };
static struct cv_lease_pages pages[] = { { .node = 1, .page_size = 2 << 20, .pages = 512 } };

/* Members are borrowed here: never given to cv_lease_done(). */
static struct cv_lease example(const char *name, const char *cpus, size_t n_devices)
{
	struct cv_lease l = {
		.owner = { .uid = 1000, .user = "alice", .job = "4711", .boot_id = BOOT_ID },
		.since = 1700000000,
		.devices = devices,
		.n_devices = n_devices,
		.pages = pages,
		.n_pages = 1,
	};

	assert_int_equal(cv_copy_text(l.name, sizeof(l.name), name), 0);
	assert_int_equal(cv_parse_cpulist(cpus, &l.cpus), 0);
	return l;
}

static void test_lease_golden(void **state)
{
	struct host *h = *state;
	_cleanup_(cv_lease_done) struct cv_lease back = { 0 };
	struct cv_lease l = example("vm1", "4-7", 2);
	_cleanup_free_ char *text = NULL;
	size_t len;

	assert_int_equal(cv_lease_write(h->root, &l, NULL), 0);
	assert_int_equal(cv_read(h->root, CV_LEASE_DIR "/vm1.json", &text, &len), 0);
	golden_check("lease.json", text);
	assert_int_equal(cv_lease_read(h->root, "vm1", &back, NULL), 0);
	assert_string_equal(back.name, "vm1");
	assert_string_equal(back.owner.user, "alice");
	assert_int_equal(back.since, 1700000000);
	assert_true(cv_cpuset_equal(&back.cpus, &l.cpus));
	assert_int_equal(back.n_devices, 2);
	assert_int_equal(cv_bdf_cmp(back.devices[1], devices[1]), 0);
	assert_int_equal(back.n_pages, 1);
	assert_int_equal(back.pages[0].page_size, 2 << 20);
	assert_int_equal(back.pages[0].pages, 512);
}

static void test_lease_conflict(void **state)
{
	struct host *h = *state;
	struct cv_lease held = example("vm1", "4-7", 1);
	struct cv_lease same_name = example("vm1", "8-9", 0);
	struct cv_lease same_cpu = example("vm2", "7-8", 0);
	struct cv_lease same_device = example("vm2", "8-9", 2);
	struct cv_lease other = example("vm2", "8-9", 0);
	struct cv_error e;

	assert_int_equal(cv_lease_write(h->root, &held, &e), 0);
	assert_int_equal(cv_lease_write(h->root, &same_name, &e), -EEXIST);
	assert_int_equal(cv_lease_write(h->root, &same_cpu, &e), -EBUSY);
	assert_int_equal(e.exit, CV_EXIT_BUSY);
	assert_string_equal(e.object, "cpu 7");
	assert_non_null(strstr(e.found, "vm1"));
	assert_non_null(strstr(e.found, "alice"));
	assert_non_null(strstr(e.found, "job 4711"));
	assert_int_equal(cv_lease_write(h->root, &same_device, &e), -EBUSY);
	assert_string_equal(e.object, "0000:01:10.0");
	assert_int_equal(cv_lease_write(h->root, &other, &e), 0);
}

static void test_lease_list(void **state)
{
	struct host *h = *state;
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *text = NULL;
	struct cv_lease a = example("vm10", "1", 0);
	struct cv_lease b = example("vm2", "2", 0);

	assert_int_equal(cv_lease_write(h->root, &a, NULL), 0);
	assert_int_equal(cv_lease_write(h->root, &b, NULL), 0);
	fake_file(h->fake, CV_LEASE_DIR "/vm3.json.tmp", "");
	assert_int_equal(cv_lease_list(h->root, &names, NULL), 0);
	text = cv_strv_join(&names, " ");
	assert_string_equal(text, "vm2 vm10");
	assert_int_equal(cv_lease_remove(h->root, "vm2", NULL), 0);
	assert_int_equal(cv_lease_remove(h->root, "vm2", NULL), 0);
	assert_int_equal(cv_lease_read(h->root, "vm2", &b, NULL), -ENOENT);
	assert_int_equal(cv_lease_read(h->root, "../vm", &b, NULL), -EINVAL);
	fake_remove(h->fake, CV_LEASE_DIR);
	cv_strv_done(&names);
	assert_int_equal(cv_lease_list(h->root, &names, NULL), 0);
	assert_int_equal(names.n, 0);
}

static void test_lease_bad(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *newer = golden_next_version("lease.json", "carve_lease");
	_cleanup_free_ char *same = golden_read("lease.json");
	struct cv_lease l = example("vm2", "1", 0);
	struct cv_lease back;
	struct cv_error e;

	fake_file(h->fake, CV_LEASE_DIR "/vm1.json", newer);
	assert_int_equal(cv_lease_read(h->root, "vm1", &back, &e), -EPROTONOSUPPORT);
	assert_string_equal(e.code, "EVERSION");
	/* What cannot be read may hold anything. */
	assert_int_equal(cv_lease_write(h->root, &l, &e), -EPROTONOSUPPORT);
	fake_file(h->fake, CV_LEASE_DIR "/other.json", same);
	assert_int_equal(cv_lease_read(h->root, "other", &back, &e), -EINVAL);
	fake_file(h->fake, CV_LEASE_DIR "/vm1.json", "{\"carve_lease\":1,\"name\":\"vm1\"}");
	assert_int_equal(cv_lease_read(h->root, "vm1", &back, &e), -EINVAL);
	fake_file(h->fake, CV_LEASE_DIR "/vm1.json", "");
	assert_int_equal(cv_lease_read(h->root, "vm1", &back, &e), -EINVAL);
}

static void test_quarantine(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *text = NULL;
	_cleanup_free_ char *newer = NULL;
	struct cv_quarantine back;
	const struct cv_quarantine q = {
		.bdf = devices[0],
		.reason = "unbind from vfio-pci did not come back within 30 s",
		.evidence = "/sys/bus/pci/drivers/vfio-pci/unbind: 0000:01:10.0",
		.since = 1700000000,
		.owner = { .uid = 1000, .user = "alice", .job = "4711", .boot_id = BOOT_ID },
	};
	struct cv_error e;
	size_t len;

	fake_remove(h->fake, CV_VAR_DIR);
	assert_int_equal(cv_quarantine_read(h->root, q.bdf, &back, &e), -ENOENT);
	assert_int_equal(cv_quarantine_add(h->root, &q, &e), 0);
	assert_int_equal(cv_quarantine_add(h->root, &q, &e), 0);
	assert_int_equal(cv_read(h->root, CV_QUARANTINE_DIR "/0000:01:10.0.json", &text, &len), 0);
	golden_check("quarantine.json", text);
	assert_int_equal(cv_quarantine_read(h->root, q.bdf, &back, &e), 0);
	assert_string_equal(back.reason, q.reason);
	assert_string_equal(back.evidence, q.evidence);
	assert_string_equal(back.owner.job, "4711");
	newer = golden_next_version("quarantine.json", "carve_quarantine");
	fake_file(h->fake, CV_QUARANTINE_DIR "/0000:01:10.0.json", newer);
	assert_int_equal(cv_quarantine_read(h->root, q.bdf, &back, &e), -EPROTONOSUPPORT);
	assert_int_equal(cv_quarantine_clear(h->root, q.bdf, &e), 0);
	assert_int_equal(cv_quarantine_clear(h->root, q.bdf, &e), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_proc, setup, teardown),
		cmocka_unit_test(test_proc_self),
		cmocka_unit_test_setup_teardown(test_lock, setup, teardown),
		cmocka_unit_test(test_lock_mode),
		cmocka_unit_test(test_sweep),
		cmocka_unit_test(test_boot),
		cmocka_unit_test(test_boot_sweep),
		cmocka_unit_test(test_names),
		cmocka_unit_test_setup_teardown(test_lease_golden, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_conflict, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_list, setup, teardown),
		cmocka_unit_test_setup_teardown(test_lease_bad, setup, teardown),
		cmocka_unit_test_setup_teardown(test_quarantine, setup, teardown),
	};

	return cmocka_run_group_tests_name("state", tests, NULL, NULL);
}
