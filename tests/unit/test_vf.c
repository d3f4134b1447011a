// SPDX-License-Identifier: GPL-2.0-or-later
/* How VFs are made, set up and taken away, on a fake host. */
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
#include "base/quarantine.h"
#include "base/state.h"
#include "sriov/function.h"
#include "sriov/nvme.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

static void numvfs_makes_and_takes(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	unsigned int writes;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "7");
	writes = fake_writes(h->fake);
	assert_int_equal(sr_step_numvfs.apply(&h->env, PF, "7", prior, &h->err), 0);
	assert_int_equal(fake_writes(h->fake), writes);
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), 0);
}

/* A driver that restarts its function makes its vectors anew: other numbers, default affinity. */
static void numvfs_brings_irq_affinity_back(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	fake_file(h->fake, REAL_PF "/msi_irqs/40", "msix");
	fake_file(h->fake, REAL_PF "/msi_irqs/41", "msix");
	fake_file(h->fake, "/proc/irq/40/smp_affinity_list", "0");
	fake_file(h->fake, "/proc/irq/41/smp_affinity_list", "2-3");
	assert_int_equal(sr_step_numvfs.record(&h->env, PF, "7", &prior, &h->err), 0);
	fake_remove(h->fake, REAL_PF "/msi_irqs");
	fake_file(h->fake, REAL_PF "/msi_irqs/52", "msix");
	fake_file(h->fake, REAL_PF "/msi_irqs/53", "msix");
	fake_file(h->fake, "/proc/irq/52/smp_affinity_list", "0-7");
	fake_file(h->fake, "/proc/irq/53/smp_affinity_list", "0-7");
	assert_int_equal(sr_step_numvfs.apply(&h->env, PF, "7", prior, &h->err), 0);
	assert_string_equal(fake_text(h->fake, "/proc/irq/52/smp_affinity_list"), "0");
	assert_string_equal(fake_text(h->fake, "/proc/irq/53/smp_affinity_list"), "2-3");
	fake_file(h->fake, "/proc/irq/53/smp_affinity_list", "0-7");
	assert_int_equal(sr_step_numvfs.revert(&h->env, PF, "7", prior, &h->err), 0);
	assert_string_equal(fake_text(h->fake, "/proc/irq/53/smp_affinity_list"), "2-3");
}

static void numvfs_keeps_what_was_there(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *other = NULL;

	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_numvfs", "3"), 0);
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &other), -EBUSY);
	assert_int_equal(h->err.exit, CV_EXIT_BUSY);
	assert_string_equal(h->err.found, "3 VFs");
	assert_true(h->err.hint[0]);
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "3", &prior), 0);
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "3", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "3");
}

static void numvfs_refuses(void **state)
{
	struct host *h = *state;
	static const struct {
		const char *object, *value;
		int err;
	} rows[] = {
		{ PF, "8", -ERANGE },
		{ PF, "x", -EINVAL },
		{ PF, "70000", -EINVAL },
		{ DISK, "1", -ENOENT },
		{ "0000:77:00.0", "1", -ENODEV },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *prior = NULL;

		assert_int_equal(step_begin(h, &sr_step_numvfs, rows[i].object, rows[i].value,
					    &prior),
				 rows[i].err);
		assert_true(h->err.what[0]);
	}
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/igb/unbind", PF), 0);
	_cleanup_json_ json_t *prior = NULL;
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), -ENODEV);
	assert_string_equal(h->err.code, "ENODRIVER");
}

static void numvfs_explains_errnos(void **state)
{
	struct host *h = *state;
	static const int errs[] = { -ENOSPC, -EIO, -ENOMEM, -EPERM };

	for (size_t i = 0; i < CV_ARRAY_SIZE(errs); i++) {
		_cleanup_json_ json_t *prior = NULL;

		fake_fail_write(h->fake, 1, errs[i]);
		assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), errs[i]);
		assert_true(h->err.what[0] && h->err.wanted[0]);
		assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), 0);
	}
}

/* VFs that exist in number only */
static void numvfs_gives_up_on_partial(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	h->env.deadline_ms = 500; /* also for each read, in a child */
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "2");
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "2", &prior), -ENODEV);
	assert_string_equal(h->err.code, "EPARTIAL");
	assert_non_null(strstr(h->err.found, "VF 0"));
}

static void numvfs_that_hangs_is_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	struct cv_quarantine q;
	struct cv_bdf bdf;

	h->env.deadline_ms = 100;
	fake_block(h->fake, REAL_PF "/sriov_numvfs");
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), -ETIMEDOUT);
	assert_int_equal(h->err.exit, CV_EXIT_TIMEOUT);
	assert_int_equal(cv_parse_bdf(PF, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "sriov_numvfs"));
	fake_block(h->fake, NULL);
}

/* What is told of a PF whose count cannot be read any more, and by whom it was found out */
static void assert_set_aside(struct host *h, const char *cause)
{
	struct cv_quarantine q;
	struct cv_bdf bdf;

	assert_int_equal(h->err.exit, CV_EXIT_TIMEOUT);
	assert_string_equal(h->err.object, PF);
	assert_non_null(strstr(h->err.hint, "in quarantine now"));
	assert_int_equal(cv_parse_bdf(PF, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->env.root, bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "reading sriov_numvfs did not finish within 100 ms"));
	assert_non_null(strstr(q.reason, cause));
	assert_non_null(strstr(q.evidence, "read of " DEV PF "/sriov_numvfs"));
}

static void count_that_hangs_is_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	h->env.deadline_ms = 100;
	fake_block_read(h->fake, REAL_PF "/sriov_numvfs");
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), -ETIMEDOUT);
	assert_set_aside(h, "(VM vm1)");
}

/* The write comes back, the read behind it does not. */
static int block_behind(struct fake *f, const char *path, const char *text, void *ctx)
{
	fake_block_read(f, path);
	return 0;
}

static void count_that_hangs_after_a_write_is_quarantined(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	_cleanup_json_ json_t *prior = NULL;
	const struct fake_hook hook = { .pattern = "*/sriov_numvfs", .write = block_behind };
	struct host slow = { .env = { .vm = "dev-0000-41-00-0", .deadline_ms = 100 } };

	assert_int_equal(fake_new(&slow.fake, &root), 0);
	slow.env.root = root;
	fake_hook(slow.fake, &hook);
	fake_file(slow.fake, DEV PF "/sriov_numvfs", "0");
	fake_file(slow.fake, DEV PF "/sriov_totalvfs", "7");
	fake_link(slow.fake, DEV PF "/driver", "../../drivers/igb");
	fake_dir(slow.fake, CV_OPERATION_DIR "/dev-0000-41-00-0");
	assert_int_equal(cv_state_prepare(root, NULL), 0);
	assert_int_equal(step_begin(&slow, &sr_step_numvfs, PF, "7", &prior), -ETIMEDOUT);
	assert_set_aside(&slow, "(operation dev-0000-41-00-0)");
}

static void quarantine_names_who_was_at_work(void **state)
{
	static const struct {
		const char *vm, *reason;
	} rows[] = {
		{ NULL, "it broke" },
		{ "carve device reset", "it broke (carve device reset)" },
		{ "vm1", "it broke (VM vm1)" },
		{ "dev-0000-41-10-2", "it broke (operation dev-0000-41-10-2)" },
	};
	struct host *h = *state;
	struct cv_quarantine q;
	struct cv_bdf bdf;

	assert_int_equal(cv_parse_bdf(PF, &bdf), 0);
	fake_dir(h->fake, CV_OPERATION_DIR "/dev-0000-41-10-2");
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		h->env.vm = rows[i].vm;
		assert_int_equal(sr_set_aside(&h->env, PF, "it broke", "", NULL), 0);
		assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
		assert_string_equal(q.reason, rows[i].reason);
		assert_int_equal(cv_quarantine_clear(h->root, bdf, NULL), 0);
	}
}

static void counts_of_one_card_are_set_in_turn(void **state)
{
	static const struct {
		const char *a, *b;
		bool is_apart;
	} rows[] = {
		{ "0000:41:00.0", "0000:41:00.1", false },
		{ "0000:41:00.0", "0000:41:01.0", false },
		{ "0000:41:00.0", "0000:42:00.0", true },
		{ "0000:41:00.0", "0001:41:00.0", true },
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		assert_int_equal(sr_step_numvfs.is_apart(rows[i].a, rows[i].b), rows[i].is_apart);
		assert_int_equal(sr_step_numvfs_set.is_apart(rows[i].b, rows[i].a),
				 rows[i].is_apart);
	}
}

/* A VF that somebody put to use on the host meanwhile */
static void numvfs_keeps_vfs_in_use(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	char vf_net[256];

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_driver(h, VF1, "igbvf");
	snprintf(vf_net, sizeof(vf_net), "/sys/devices/pci0000:40/" PORT "/" VF1 "/net");
	fake_dir(h->fake, vf_net);
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.object, VF1);
	assert_non_null(strstr(h->err.found, "another network namespace"));
	fake_dir(h->fake, "/sys/devices/pci0000:40/" PORT "/" VF1 "/net/eth7");
	fake_link(h->fake, "/sys/class/net/eth7/upper_vlan7", "../vlan7");
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.found, "network interface eth7 carries vlan7");
	fake_remove(h->fake, "/sys/class/net/eth7/upper_vlan7");
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
}

static void numvfs_waits_for_users(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *bound = NULL;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_int_equal(step_begin(h, &sr_step_bind, VF1, "vfio-pci", &bound), 0);
	fake_link(h->fake, "/proc/4711/fd/9", "/dev/vfio/21");
	fake_file(h->fake, "/proc/4711/comm", "qemu-system-x86");
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.found, "pid 4711 (qemu-system-x86)");
	assert_int_equal(step_end(h, &sr_step_bind, VF1, "vfio-pci", bound), -EBUSY);
	assert_int_equal(step_end(h, &sr_step_vf_net, PF "/1", "vlan=1", NULL), -EBUSY);
	assert_string_equal(h->err.code, "EBUSY_HOLDER");
	assert_string_equal(h->err.found, "pid 4711 (qemu-system-x86)");
	assert_int_equal(step_end(h, &sr_step_vf_nvme, PF "/1", "vq=2 vi=1", NULL), -EBUSY);
	assert_string_equal(h->err.object, VF1);
	/* of others there is no user: their PF has neither interface nor controller */
	assert_int_equal(step_end(h, &sr_step_vf_net, PF "/0", "vlan=1", NULL), 0);
	assert_int_equal(step_end(h, &sr_step_vf_nvme, PF "/0", "vq=2 vi=1", NULL), 0);
	fake_remove(h->fake, "/proc/4711");
	assert_int_equal(step_end(h, &sr_step_vf_net, PF "/1", "vlan=1", NULL), 0);
	assert_int_equal(step_end(h, &sr_step_bind, VF1, "vfio-pci", bound), 0);
	assert_int_equal(step_end(h, &sr_step_numvfs, PF, "7", prior), 0);
}

static void vf_settings_are_checked(void **state)
{
	static const struct {
		const struct cv_step_ops *ops;
		const char *object, *value;
	} bad[] = {
		{ &sr_step_vf_net, PF "/1", "mac=nonsense" },
		{ &sr_step_vf_net, PF "/1", "vlan=4095" },
		{ &sr_step_vf_net, PF "/1", "speed=9" },
		{ &sr_step_vf_net, PF, "vlan=1" },
		{ &sr_step_vf_net, PF "/-1", "vlan=1" },
		{ &sr_step_vf_net, "nonsense/1", "vlan=1" },
		{ &sr_step_vf_nvme, PF "/1", "vq=1 vi=1" },
		{ &sr_step_vf_nvme, PF "/1", "vq=2" },
		{ &sr_step_vf_nvme, PF "/99999999", "vq=2 vi=1" },
		{ &sr_step_vf_nvme, PF "/1", "vq=2 vi=1 ns=0" },
	};
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(bad[i].ops->apply(&h->env, bad[i].object, bad[i].value, NULL,
						   &h->err),
				 -EINVAL);
	/* What is gone needs no undo. */
	assert_int_equal(step_end(h, &sr_step_vf_net, PF "/1", "vlan=1", NULL), 0);
	assert_int_equal(step_end(h, &sr_step_vf_nvme, DISK "/1", "vq=2 vi=1", NULL), 0);
}

static void put_entry(uint8_t *list, unsigned int i, uint8_t cntlid, uint8_t vf, uint8_t vq)
{
	uint8_t *e = list + 32 + i * 32;

	list[0] = (uint8_t)(i + 1);
	e[0] = cntlid;
	e[4] = vf == 2;
	e[8] = vf;
	e[10] = vq;
	e[12] = 1;
}

static void nvme_list_is_parsed(void **state)
{
	uint8_t list[4096] = { 0 };
	struct sr_nvme_secondary s;
	uint16_t last = 0;

	assert_int_equal(sr_nvme_parse_list(list, 1, &s, &last), 0);
	put_entry(list, 0, 5, 1, 0);
	put_entry(list, 1, 6, 2, 2);
	assert_int_equal(sr_nvme_parse_list(list, 2, &s, &last), 1);
	assert_int_equal(s.cntlid, 6);
	assert_int_equal(s.vq, 2);
	assert_int_equal(s.vi, 1);
	assert_true(s.is_online);
	assert_int_equal(sr_nvme_parse_list(list, 3, &s, &last), 0);
	assert_int_equal(last, 6);
	list[0] = 255;
	assert_int_equal(sr_nvme_parse_list(list, 3, &s, &last), -EINVAL);
}

static void nvme_caps_are_parsed(void **state)
{
	uint8_t caps[4096] = { 1, 0, 0, 0, 3 };

	assert_false(sr_nvme_parse_caps(caps));
	caps[33] = 1;
	assert_true(sr_nvme_parse_caps(caps));
	caps[33] = 0;
	caps[64] = 8;
	assert_true(sr_nvme_parse_caps(caps));
}

static void nvme_wish_is_parsed(void **state)
{
	static const char *const bad[] = {
		"",
		"vq=2",
		"vq=1 vi=1",
		"vq=2 vi=0",
		"vq=2 vi=1 vq=3",
		"vq=2 vi=70000",
		"vq=2 vi=1 ns",
		"vq=2 vi=1 ns=",
		"vq=2 vi=1 ns=0",
		"vq=2 vi=1 ns=1,",
		"vq=2 vi=1 ns=1,1",
		"vq=2 vi=1 ns=1 ns=2",
		"vq=2 vi=1 ns=4294967295",
		"vq=2 vi=1 ns=1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17",
	};
	struct sr_nvme_wish w;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(sr_nvme_parse_wish(bad[i], &w), -EINVAL);
	assert_int_equal(sr_nvme_parse_wish("vq=4 vi=2", &w), 0);
	assert_int_equal(w.n_ns, 0);
	assert_int_equal(sr_nvme_parse_wish("vq=4 vi=2 ns=7,4294967294", &w), 0);
	assert_int_equal(w.vq, 4);
	assert_int_equal(w.vi, 2);
	assert_int_equal(w.n_ns, 2);
	assert_int_equal(w.ns[0], 7);
	assert_true(w.ns[1] == 4294967294U);
}

static void nvme_controllers_are_found(void **state)
{
	uint8_t list[4096] = { 2, 0, 5, 0, 6, 1, 9, 0 };

	assert_true(sr_nvme_list_has(list, 5));
	assert_true(sr_nvme_list_has(list, 0x106));
	assert_false(sr_nvme_list_has(list, 6));
	assert_false(sr_nvme_list_has(list, 9)); /* behind the end */
	memset(list, 0xff, sizeof(list));	 /* a number that is too high ends with the page */
	assert_false(sr_nvme_list_has(list, 5));
}

/* A device without flexible resources has nothing noted. */
static void nvme_without_resources_is_left_alone(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *none = json_object();

	assert_int_equal(sr_step_vf_nvme.apply(&h->env, DISK "/1", "vq=2 vi=1", none, &h->err), 0);
	assert_int_equal(step_end(h, &sr_step_vf_nvme, DISK "/1", "vq=2 vi=1", none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(numvfs_makes_and_takes),
		with_host(numvfs_brings_irq_affinity_back),
		with_host(numvfs_keeps_what_was_there),
		with_host(numvfs_refuses),
		with_host(numvfs_explains_errnos),
		with_host(numvfs_gives_up_on_partial),
		with_host(numvfs_that_hangs_is_quarantined),
		with_host(count_that_hangs_is_quarantined),
		cmocka_unit_test(count_that_hangs_after_a_write_is_quarantined),
		with_host(quarantine_names_who_was_at_work),
		cmocka_unit_test(counts_of_one_card_are_set_in_turn),
		with_host(numvfs_keeps_vfs_in_use),
		with_host(numvfs_waits_for_users),
		with_host(vf_settings_are_checked),
		cmocka_unit_test(nvme_list_is_parsed),
		cmocka_unit_test(nvme_caps_are_parsed),
		cmocka_unit_test(nvme_wish_is_parsed),
		cmocka_unit_test(nvme_controllers_are_found),
		with_host(nvme_without_resources_is_left_alone),
	};

	return cmocka_run_group_tests_name("vf", tests, NULL, NULL);
}
