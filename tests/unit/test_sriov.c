// SPDX-License-Identifier: GPL-2.0-or-later
/* The steps and the PCI inventory of sriov/ on a fake host and on small snapshots. */
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
#include "sriov/device.h"
#include "sriov/function.h"
#include "sriov/inventory.h"
#include "sriov/nvme.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"

#define PORT "0000:40:00.0"
#define PF "0000:41:00.0"
#define VF1 "0000:41:10.2"
#define DISK "0000:42:00.0"
#define MATE "0000:42:00.1"
#define DEV "/sys/bus/pci/devices/"
/* where the files are: the fake builds by real path only */
#define REAL_PF "/sys/devices/pci0000:40/" PORT "/" PF
#define REAL_DISK "/sys/devices/pci0000:40/" DISK

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
	struct cv_step_env env;
	struct cv_error err;
};

/* A NIC with 7 VFs, alone in its group behind a root port; a disk that shares its group. */
static int make_host(void **state)
{
	static const struct fake_pci devs[] = {
		{ PORT, "pci0000:40", "0x1b36 0x000c 0x060400", "pcieport", 1, 0 },
		{ PF, "pci0000:40/" PORT, "0x8086 0x10c9 0x020000", "igb", 2, 0 },
		{ DISK, "pci0000:40", "0x1b36 0x0010 0x010802", "nvme", 3, 0 },
		{ MATE, "pci0000:40", "0x1af4 0x1110 0x050000", NULL, 3, 0 },
	};
	static const struct fake_sriov sriov = { 7, 128, 2, "0x8086 0x10ca 0x020000", "igbvf", 20 };
	static const char *const drivers[] = { "pcieport", "igb", "igbvf", "nvme", "vfio-pci" };
	struct host *h = calloc(1, sizeof(*h));

	assert_int_equal(fake_new(&h->fake, &h->root), 0);
	fake_pci_install(h->fake);
	for (size_t i = 0; i < CV_ARRAY_SIZE(drivers); i++)
		fake_pci_driver(h->fake, drivers[i]);
	for (size_t i = 0; i < CV_ARRAY_SIZE(devs); i++)
		fake_pci_device(h->fake, &devs[i]);
	fake_pci_sriov(h->fake, PF, &sriov);
	fake_file(h->fake, "/proc/sys/kernel/random/boot_id",
		  "11111111-2222-3333-4444-555555555555");
	assert_int_equal(cv_state_prepare(h->root, NULL), 0);
	h->env = (struct cv_step_env){ .root = h->root, .vm = "vm1", .deadline_ms = 10000 };
	*state = h;
	return 0;
}

static int drop_host(void **state)
{
	struct host *h = *state;

	cv_sysroot_close(h->root);
	free(h);
	return 0;
}

static int begin(struct host *h, const struct cv_step_ops *ops, const char *object,
		 const char *value, json_t **ret_prior)
{
	int r;

	h->err = (struct cv_error){ 0 };
	r = ops->record(&h->env, object, value, ret_prior, &h->err);
	return r < 0 ? r : ops->apply(&h->env, object, value, *ret_prior, &h->err);
}

static int end(struct host *h, const struct cv_step_ops *ops, const char *object, const char *value,
	       const json_t *prior)
{
	h->err = (struct cv_error){ 0 };
	return ops->revert(&h->env, object, value, prior, &h->err);
}

static void assert_driver(struct host *h, const char *bdf, const char *driver)
{
	char buf[64];

	assert_string_equal(fake_pci_bound(h->fake, bdf, buf), driver);
}

static void numvfs_makes_and_takes(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	unsigned int writes;

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "7");
	writes = fake_writes(h->fake);
	assert_int_equal(sr_step_numvfs.apply(&h->env, PF, "7", prior, &h->err), 0);
	assert_int_equal(fake_writes(h->fake), writes);
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), 0);
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
	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &other), -EBUSY);
	assert_int_equal(h->err.exit, CV_EXIT_BUSY);
	assert_string_equal(h->err.found, "3 VFs");
	assert_true(h->err.hint[0]);
	assert_int_equal(begin(h, &sr_step_numvfs, PF, "3", &prior), 0);
	assert_int_equal(end(h, &sr_step_numvfs, PF, "3", prior), 0);
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

		assert_int_equal(begin(h, &sr_step_numvfs, rows[i].object, rows[i].value, &prior),
				 rows[i].err);
		assert_true(h->err.what[0]);
	}
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers/igb/unbind", PF), 0);
	_cleanup_json_ json_t *prior = NULL;
	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), -ENODEV);
	assert_string_equal(h->err.code, "ENODRIVER");
}

static void numvfs_explains_errnos(void **state)
{
	struct host *h = *state;
	static const int errs[] = { -ENOSPC, -EIO, -ENOMEM, -EPERM };

	for (size_t i = 0; i < CV_ARRAY_SIZE(errs); i++) {
		_cleanup_json_ json_t *prior = NULL;

		fake_fail_write(h->fake, 1, errs[i]);
		assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), errs[i]);
		assert_true(h->err.what[0] && h->err.wanted[0]);
		assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), 0);
	}
}

/* VFs that exist in number only */
static void numvfs_gives_up_on_partial(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	h->env.deadline_ms = 30;
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "2");
	assert_int_equal(begin(h, &sr_step_numvfs, PF, "2", &prior), -ENODEV);
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
	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), -ETIMEDOUT);
	assert_int_equal(h->err.exit, CV_EXIT_TIMEOUT);
	assert_int_equal(cv_parse_bdf(PF, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "sriov_numvfs"));
	fake_block(h->fake, NULL);
}

/* A VF that somebody put to use on the host meanwhile */
static void numvfs_keeps_vfs_in_use(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	char vf_net[256];

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_driver(h, VF1, "igbvf");
	snprintf(vf_net, sizeof(vf_net), "/sys/devices/pci0000:40/" PORT "/" VF1 "/net");
	fake_dir(h->fake, vf_net);
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.object, VF1);
	assert_non_null(strstr(h->err.found, "another network namespace"));
	fake_dir(h->fake, "/sys/devices/pci0000:40/" PORT "/" VF1 "/net/eth7");
	fake_link(h->fake, "/sys/class/net/eth7/upper_vlan7", "../vlan7");
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.found, "network interface eth7 carries vlan7");
	fake_remove(h->fake, "/sys/class/net/eth7/upper_vlan7");
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV PF "/sriov_numvfs"), "0");
}

static void numvfs_waits_for_users(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *bound = NULL;

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	assert_int_equal(begin(h, &sr_step_bind, VF1, "vfio-pci", &bound), 0);
	fake_link(h->fake, "/proc/4711/fd/9", "/dev/vfio/21");
	fake_file(h->fake, "/proc/4711/comm", "qemu-system-x86");
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), -EBUSY);
	assert_string_equal(h->err.found, "pid 4711 (qemu-system-x86)");
	assert_int_equal(end(h, &sr_step_bind, VF1, "vfio-pci", bound), -EBUSY);
	fake_remove(h->fake, "/proc/4711");
	assert_int_equal(end(h, &sr_step_bind, VF1, "vfio-pci", bound), 0);
	assert_int_equal(end(h, &sr_step_numvfs, PF, "7", prior), 0);
}

static void bind_goes_there_and_back(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), 0);
	assert_driver(h, DISK, "vfio-pci");
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "vfio-pci");
	assert_string_equal(cv_json_str(prior, "driver", ""), "nvme");
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_driver(h, DISK, "nvme");
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "(null)");
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
}

static void bind_brings_back_override_and_nothing(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *mate = NULL;

	assert_int_equal(begin(h, &sr_step_bind, MATE, "vfio-pci", &mate), 0);
	assert_int_equal(end(h, &sr_step_bind, MATE, "vfio-pci", mate), 0);
	assert_driver(h, MATE, "");
	assert_int_equal(cv_write_str(h->root, DEV DISK "/driver_override", "nvme"), 0);
	assert_int_equal(begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), 0);
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "nvme");
	assert_driver(h, DISK, "nvme");
}

/* A VF on its host driver whose PF had autoprobe turned off meanwhile. */
static void bind_gives_vf_back_without_autoprobe(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *vfs = NULL, *prior = NULL;

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &vfs), 0);
	assert_driver(h, VF1, "igbvf");
	assert_int_equal(cv_write_str(h->root, DEV PF "/sriov_drivers_autoprobe", "0"), 0);
	assert_int_equal(begin(h, &sr_step_bind, VF1, "vfio-pci", &prior), 0);
	assert_int_equal(end(h, &sr_step_bind, VF1, "vfio-pci", prior), 0);
	assert_driver(h, VF1, "igbvf");
	assert_string_equal(fake_text(h->fake, DEV VF1 "/driver_override"), "(null)");
}

static void bind_that_hangs_is_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	struct cv_quarantine q;
	struct cv_bdf bdf;

	h->env.deadline_ms = 1000; /* the writes before the one that hangs need their time */
	fake_block(h->fake, "/sys/bus/pci/drivers/nvme/unbind");
	assert_int_equal(begin(h, &sr_step_bind, DISK, "vfio-pci", &prior), -ETIMEDOUT);
	assert_non_null(strstr(h->err.hint, "quarantine"));
	assert_int_equal(cv_parse_bdf(DISK, &bdf), 0);
	assert_int_equal(cv_quarantine_read(h->root, bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "unbind from nvme"));
	fake_block(h->fake, NULL);
	h->env.deadline_ms = 10000;
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "(null)");
	assert_driver(h, DISK, "nvme");
}

/* The unbind of a killed run ends only when driver_override is written. */
static int end_unbind(struct fake *f, const char *path, const char *text, void *ctx)
{
	if (fake_text(f, "/.fake/ended"))
		return 0;
	fake_file(f, "/.fake/ended", "");
	return cv_write_str(ctx, "/sys/bus/pci/drivers/nvme/unbind", DISK);
}

static void bind_sees_a_late_unbind(void **state)
{
	struct host *h = *state;
	const struct fake_hook late = { REAL_DISK "/late", end_unbind, h->root };
	_cleanup_json_ json_t *prior = NULL;

	fake_hook(h->fake, &late);
	assert_int_equal(sr_step_bind.record(&h->env, DISK, "vfio-pci", &prior, &h->err), 0);
	fake_remove(h->fake, REAL_DISK "/driver_override");
	fake_file(h->fake, REAL_DISK "/late", "vfio-pci");
	fake_link(h->fake, REAL_DISK "/driver_override", "late");
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", prior), 0);
	assert_non_null(fake_text(h->fake, "/.fake/ended"));
	assert_driver(h, DISK, "nvme");
}

static void bind_refuses_unknown_driver(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(begin(h, &sr_step_bind, DISK, "no-such", &prior), -ENOENT);
	assert_string_equal(h->err.code, "ENODRIVER");
	assert_driver(h, DISK, "nvme");
}

static void group_needs_all_members(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *bound = NULL, *prior = NULL;

	assert_int_equal(begin(h, &sr_step_bind, MATE, "vfio-pci", &bound), 0);
	assert_int_equal(begin(h, &sr_step_group_owner, MATE, "1000", &prior), -EPERM);
	assert_string_equal(h->err.found, DISK " (nvme)");
	assert_int_equal(end(h, &sr_step_group_owner, MATE, "1000", prior), 0);
}

static void group_owner_changes_and_returns(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *bound = NULL, *prior = NULL;
	struct stat before, st;

	assert_int_equal(begin(h, &sr_step_bind, DISK, "vfio-pci", &bound), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &before), 0);
	assert_int_equal(begin(h, &sr_step_group_owner, DISK, "1000", &prior), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &st), 0);
	assert_int_equal(st.st_uid, 1000);
	assert_int_equal(end(h, &sr_step_group_owner, DISK, "1000", prior), 0);
	assert_int_equal(cv_stat(h->root, "/dev/vfio/3", &st), 0);
	assert_int_equal(st.st_uid, before.st_uid);
	assert_int_equal(st.st_mode, before.st_mode);
	/* The node went with the binding: nothing is left to give back. */
	assert_int_equal(end(h, &sr_step_bind, DISK, "vfio-pci", bound), 0);
	assert_int_equal(end(h, &sr_step_group_owner, DISK, "1000", prior), 0);
}

static void group_node_must_come(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	h->env.deadline_ms = 30;
	assert_int_equal(begin(h, &sr_step_group_owner, DISK, "1000", &prior), -ENOENT);
	assert_true(h->err.hint[0]);
}

/* The host as it shows: without our own files and the fake's memory. Heap. */
static char *dump_host(struct fake *f)
{
	char *all = fake_dump(f, "/run"), *to = all;

	for (const char *line = all; line && *line;) {
		size_t len = strcspn(line, "\n") + 1;

		if (strncmp(line, "/.fake", 6) != 0) {
			memmove(to, line, len);
			to += len;
		}
		line += len;
	}
	*to = '\0';
	return all;
}

/* Every change of the sequence fails once: the host must be as before each time. */
static void every_failure_is_undone(void **state)
{
	static const struct cv_step_ops *const ops[] = { &sr_step_numvfs, &sr_step_bind,
							 &sr_step_group_owner };
	static const struct cv_step steps[] = {
		{ 1, "numvfs", PF, "7", "" },
		{ 2, "bind", VF1, "vfio-pci", "" },
		{ 3, "bind", DISK, "vfio-pci", "" },
		{ 4, "group-owner", VF1, "1000", "" },
	};
	const struct cv_step_table table = { ops, CV_ARRAY_SIZE(ops) };
	struct host *h = *state;
	_cleanup_free_ char *before = dump_host(h->fake);
	bool is_done = false;

	for (unsigned int n = 1; n < 200 && !is_done; n++) {
		_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
		_cleanup_free_ char *after = NULL;
		struct cv_owner owner = { 0 };
		char path[64];

		snprintf(path, sizeof(path), "/run/carve/journal%u", n);
		if (cv_journal_create(h->root, path, "vm1", &owner, &journal, NULL) == -EROFS)
			skip(); /* this fake gives no descriptors */
		fake_fail_change(h->fake, n, -EIO);
		is_done = cv_steps_apply(&h->env, &table, journal, steps, CV_ARRAY_SIZE(steps),
					 NULL, NULL) == 0;
		fake_fail_change(h->fake, 0, 0);
		assert_true(cv_steps_revert(&h->env, &table, path, NULL) >= 0);
		after = dump_host(h->fake);
		assert_string_equal(after, before);
	}
	assert_true(is_done);
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
	};
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(bad[i].ops->apply(&h->env, bad[i].object, bad[i].value, NULL,
						   &h->err),
				 -EINVAL);
	/* What is gone needs no undo. */
	assert_int_equal(end(h, &sr_step_vf_net, PF "/1", "vlan=1", NULL), 0);
	assert_int_equal(end(h, &sr_step_vf_nvme, DISK "/1", "vq=2 vi=1", NULL), 0);
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

/* A device without flexible resources has nothing noted. */
static void nvme_without_resources_is_left_alone(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *none = json_object();

	assert_int_equal(sr_step_vf_nvme.apply(&h->env, DISK "/1", "vq=2 vi=1", none, &h->err), 0);
	assert_int_equal(end(h, &sr_step_vf_nvme, DISK "/1", "vq=2 vi=1", none), 0);
}

static void read_inventory(struct host *h, struct inventory *inv)
{
	assert_int_equal(
		sr_inventory_read(h->root, &(struct sr_depth){ .holders = true }, inv, &h->err), 0);
}

static const struct inv_dev *device(const struct inventory *inv, const char *bdf)
{
	struct cv_bdf b;
	int i;

	assert_int_equal(cv_parse_bdf(bdf, &b), 0);
	i = inv_find_dev(inv, b);
	assert_true(i >= 0);
	return &inv->devs[i];
}

static void inventory_sees_vfs(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	const struct inv_dev *vf, *pf;

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	read_inventory(h, &inv);
	assert_int_equal(inv.n_devs, 11);
	pf = device(&inv, PF);
	vf = device(&inv, VF1);
	assert_int_equal(pf->sriov.total, 7);
	assert_int_equal(pf->sriov.num, 7);
	assert_true(pf->sriov.autoprobe);
	assert_string_equal(pf->root, "pci0000:40");
	assert_ptr_equal(&inv.devs[pf->parent], device(&inv, PORT));
	assert_ptr_equal(&inv.devs[vf->pf], pf);
	assert_int_equal(vf->vf_index, 1);
	assert_int_equal(vf->group, 21);
	assert_string_equal(vf->driver, "igbvf");
	assert_int_equal(inv.host.n_iommu_groups, 10);
}

static void inventory_names_holders(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, REAL_PF "/net/eth0");
	fake_file(h->fake, "/sys/class/net/eth0/flags", "0x1003");
	fake_file(h->fake, "/proc/net/route",
		  "Iface\tDestination\tGateway\neth0\t000010AC\t00000000\n");
	fake_link(h->fake, "/sys/class/block/nvme0n1p1",
		  "../../devices/pci0000:40/" DISK "/nvme/nvme0/nvme0n1/nvme0n1p1");
	fake_file(h->fake, REAL_DISK "/nvme/nvme0/nvme0n1/nvme0n1p1/dev", "259:1");
	fake_file(h->fake, "/proc/1/mountinfo",
		  "20 1 0:5 / / rw - tmpfs x rw\n"
		  "36 20 259:1 / /scratch rw shared:1 - ext4 /dev/root rw\n");
	assert_int_equal(cv_write_str(h->root, DEV MATE "/driver_override", "vfio-pci"), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers_probe", MATE), 0);
	read_inventory(h, &inv);
	assert_int_equal(device(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_non_null(strstr(device(&inv, PF)->holder, "eth0"));
	assert_int_equal(device(&inv, DISK)->holder_kind, INV_HOLDER_MOUNT);
	assert_string_equal(device(&inv, DISK)->holder, "/dev/nvme0n1p1 mounted on /scratch");
	assert_int_equal(device(&inv, MATE)->holder_kind, INV_HOLDER_FOREIGN);
	assert_int_equal(device(&inv, PORT)->holder_kind, INV_HOLDER_NONE);
}

static void inventory_finds_open_nodes(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	/* a namespace with native multipath: only the subsystem knows the controller */
	fake_link(h->fake, "/sys/class/block/nvme0n1",
		  "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
	fake_link(h->fake, "/sys/class/nvme-subsystem/nvme-subsys0/nvme0",
		  "../../../pci0000:40/" DISK "/nvme/nvme0");
	fake_link(h->fake, "/proc/99/fd/3", "/dev/null");
	fake_link(h->fake, "/proc/99/fd/4", "/dev/nvme0n1");
	fake_file(h->fake, "/proc/99/comm", "fio");
	read_inventory(h, &inv);
	assert_int_equal(device(&inv, DISK)->holder_kind, INV_HOLDER_PROCESS);
	assert_string_equal(device(&inv, DISK)->holder, "pid 99 (fio) has /dev/nvme0n1 open");
}

static void inventory_finds_gpu_users(void **state)
{
	static const struct fake_pci gpu = {
		"0000:43:00.0", "pci0000:40", "0x10de 0x2330 0x030200", NULL, 4, 0
	};
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_pci_device(h->fake, &gpu);
	fake_file(h->fake, "/proc/driver/nvidia/gpus/" DISK "/information",
		  "Model: \t\t X\nDevice Minor: \t 0");
	fake_file(h->fake, "/proc/driver/nvidia/gpus/0000:43:00.0/information",
		  "Model: \t\t X\nBus Location: \t 0000:43:00.0\nDevice Minor: \t 12\n"
		  "GPU Excluded:\t No");
	fake_link(h->fake, "/proc/99/fd/3", "/dev/nvidiactl");
	fake_link(h->fake, "/proc/99/fd/4", "/dev/nvidia12");
	fake_file(h->fake, "/proc/99/comm", "train");
	read_inventory(h, &inv);
	assert_string_equal(device(&inv, "0000:43:00.0")->holder,
			    "pid 99 (train) has /dev/nvidia12 open");
	assert_int_equal(device(&inv, DISK)->holder_kind, INV_HOLDER_NONE);
}

static void inventory_names_interfaces_on_top(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, REAL_PF "/net/eth0");
	fake_file(h->fake, "/sys/class/net/eth0/flags", "0x1002");
	fake_link(h->fake, "/sys/class/net/eth0/upper_macvlan0", "../macvlan0");
	read_inventory(h, &inv);
	assert_int_equal(device(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_string_equal(device(&inv, PF)->holder, "network interface eth0 carries macvlan0");
}

/* An empty directory: the interface was moved; none at all: the driver makes no interface. */
static void inventory_sees_other_namespaces(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	read_inventory(h, &inv);
	assert_int_equal(device(&inv, PF)->holder_kind, INV_HOLDER_NONE);
	fake_dir(h->fake, REAL_PF "/net");
	fake_dir(h->fake, REAL_DISK "/net");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_int_equal(device(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_non_null(strstr(device(&inv, PF)->holder, "another network namespace"));
	assert_int_equal(device(&inv, DISK)->holder_kind, INV_HOLDER_NONE);
}

/* What waits for the lock of the device is not read: nothing would come back. */
static void inventory_spares_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	struct cv_quarantine q = { .reason = "test" };

	assert_int_equal(begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	fake_file(h->fake, REAL_PF "/driver_override", "never-read");
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "3");
	assert_int_equal(cv_parse_bdf(PF, &q.bdf), 0);
	assert_int_equal(cv_quarantine_add(h->root, &q, NULL), 0);
	read_inventory(h, &inv);
	assert_true(device(&inv, PF)->is_quarantined);
	assert_string_equal(device(&inv, PF)->driver_override, "");
	assert_int_equal(device(&inv, PF)->sriov.num, 7);
	assert_ptr_equal(&inv.devs[device(&inv, VF1)->pf], device(&inv, PF));
}

static void inventory_survives_lies(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	/* each claims to hang below the other */
	fake_link(h->fake, DEV DISK, "../../../devices/pci0000:40/" MATE "/" DISK);
	fake_link(h->fake, DEV MATE, "../../../devices/pci0000:40/" DISK "/" MATE);
	fake_file(h->fake, REAL_PF "/numa_node", "99999999999999");
	fake_file(h->fake, REAL_PF "/resource", "0x0 garbage\n");
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "4000000000");
	fake_link(h->fake, REAL_PF "/physfn", "../" PF);
	fake_link(h->fake, REAL_PF "/virtfn0", "../" PF);
	fake_dir(h->fake, DEV "not-an-address");
	fake_dir(h->fake, DEV "ffff:ff:1f.7");
	read_inventory(h, &inv);
	assert_int_equal(device(&inv, DISK)->parent, -1);
	assert_int_equal(device(&inv, MATE)->parent, -1);
	assert_int_equal(device(&inv, PF)->node, -1);
	assert_int_equal(device(&inv, PF)->pf, -1);
	assert_int_equal(device(&inv, PF)->bars[0].size, 0);
	assert_int_equal(device(&inv, "ffff:ff:1f.7")->vendor, 0);
}

static void chains_are_parsed(void **state)
{
	struct cv_bdf parent;
	unsigned int depth;
	char root[16], buf[CV_BDF_MAX];

	assert_int_equal(sr_parse_chain("../../../devices/pci0000:40/0000:40:01.0", root, &parent,
					&depth),
			 0);
	assert_string_equal(root, "pci0000:40");
	assert_int_equal(depth, 0);
	assert_int_equal(sr_parse_chain("../../../devices/pci0000:40/0000:40:01.0/pci10000:00/"
					"10000:00:02.0/10000:01:00.0",
					root, &parent, &depth),
			 1);
	assert_string_equal(root, "pci10000:00");
	assert_string_equal(cv_format_bdf(parent, buf), "10000:00:02.0");
	assert_int_equal(depth, 1);
	assert_int_equal(sr_parse_chain("", root, &parent, &depth), 0);
	assert_string_equal(root, "");
	assert_int_equal(sr_parse_chain("pcidddddddddddddddddddd:00/0000:40:01.0", root, &parent,
					&depth),
			 0);
	assert_string_equal(root, "");
}

/* Config space of a root port: PCIe capability at 0x40, ACS at 0x100, serial number at 0x140. */
static void write_config(FILE *f, bool is_dead, bool is_looping)
{
	uint8_t c[512] = { 0x36, 0x1b, 0x0c, 0 };

	c[0x06] = 0x10;
	c[0x0e] = 0x81;
	c[0x34] = 0x40;
	c[0x40] = 0x10;
	c[0x41] = is_looping ? 0x40 : 0;
	c[0x42] = 0x42;
	c[0x100] = 0x0d;
	c[0x102] = 0x01;
	c[0x103] = is_looping ? 0x10 : 0x14;
	c[0x106] = 0x1d;
	c[0x140] = 0x03;
	c[0x142] = 0x01;
	c[0x144] = 0x78;
	c[0x148] = 0x12;
	for (size_t i = 0; i < sizeof(c); i++)
		fprintf(f, "%02x", is_dead ? 0xff : c[i]);
	fputc('\n', f);
}

static void inventory_reads_config_space(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	char name[] = "/tmp/carve-test-XXXXXX.sysroot";
	int fd = mkstemps(name, 8);
	FILE *f = fdopen(fd, "w");
	struct cv_error err = { 0 };
	int r;

	fputs("carve-sysroot 1\n", f);
	for (int i = 0; i < 3; i++)
		fprintf(f,
			"l sys/bus/pci/devices/0000:40:0%d.0 "
			"../../../devices/pci0000:40/0000:40:0%d.0\n",
			i, i);
	for (int i = 0; i < 3; i++) {
		fprintf(f, "f sys/devices/pci0000:40/0000:40:0%d.0/class \"0x060400\\n\"\n", i);
		fprintf(f, "b sys/devices/pci0000:40/0000:40:0%d.0/config ", i);
		write_config(f, i == 1, i == 2);
		fprintf(f,
			"f sys/devices/pci0000:40/0000:40:0%d.0/current_link_speed "
			"\"8.0 GT/s PCIe\\n\"\n",
			i);
		fprintf(f,
			"f sys/devices/pci0000:40/0000:40:0%d.0/resource "
			"\"0x38000000000 0x3bfffffffff 0x14220c\\n\"\n",
			i);
	}
	fclose(f);
	r = cv_sysroot_open(name, &root, &err);
	unlink(name);
	assert_string_equal(err.what, "");
	assert_int_equal(r, 0);
	assert_int_equal(sr_inventory_read(root, &(struct sr_depth){ 0 }, &inv, &err), 0);
	assert_int_equal(inv.n_devs, 3);
	assert_int_equal(inv.devs[0].port, INV_PORT_ROOT);
	assert_true(inv.devs[0].has_acs && inv.devs[0].is_multifunction);
	assert_int_equal(inv.devs[0].acs_ctrl, 0x1d);
	assert_string_equal(inv.devs[0].serial, "0000001200000078");
	assert_int_equal(inv.devs[0].link.speed, 80);
	assert_true(inv.devs[0].bars[0].size == 0x4000000000);
	assert_true(inv.devs[0].bars[0].is_64bit && inv.devs[0].bars[0].is_prefetchable);
	assert_true(inv.devs[1].is_unreadable && !inv.devs[0].is_unreadable);
	assert_int_equal(inv.devs[2].port, INV_PORT_ROOT);
}

static void host_without_pci_is_empty(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_remove(h->fake, "/sys/bus/pci");
	fake_remove(h->fake, "/sys/kernel/iommu_groups");
	read_inventory(h, &inv);
	assert_int_equal(inv.n_devs, 0);
	assert_int_equal(inv.host.iommu, INV_IOMMU_NONE);
}

static void iommu_is_judged_by_effect(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, "/sys/class/iommu/ivhd0");
	fake_file(h->fake, "/sys/kernel/iommu_groups/1/type", "DMA-FQ");
	fake_file(h->fake, "/proc/interrupts", "  24:  0  IR-PCI-MSI 1 edge nvme0q0\n");
	fake_file(h->fake, "/proc/sys/kernel/osrelease", "6.1.0-test");
	fake_file(h->fake, "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
	read_inventory(h, &inv);
	assert_int_equal(inv.host.iommu, INV_IOMMU_AMD);
	assert_string_equal(inv.host.iommu_domain, "DMA-FQ");
	assert_true(inv.host.has_intremap && inv.host.unsafe_interrupts && inv.host.has_vfio_pci);
	assert_false(inv.host.has_iommufd);
	fake_remove(h->fake, "/sys/bus/pci/drivers/vfio-pci");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_false(inv.host.has_vfio_pci);
	fake_file(h->fake, "/lib/modules/6.1.0-test/modules.dep",
		  "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/x.ko");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_true(inv.host.has_vfio_pci);
}

static int fill(void *data)
{
	*(int *)data += 1;
	return 7;
}

static int fill_and_hang(void *data)
{
	*(int *)data += 1;
	pause();
	return 0;
}

static void children_fill_or_time_out(void **state)
{
	struct host *h = *state;
	char text[4];
	int data = 41;

	assert_int_equal(sr_child_fill(fill, &data, sizeof(data), 10000), 7);
	assert_int_equal(data, 42);
	assert_int_equal(sr_child_fill(fill_and_hang, &data, sizeof(data), 50), -ETIMEDOUT);
	assert_int_equal(data, 42);
	assert_int_equal(
		sr_read_deadline(h->root, DEV PF "/sriov_totalvfs", text, sizeof(text), 10000), 0);
	assert_string_equal(text, "7");
	assert_int_equal(sr_read_deadline(h->root, DEV PF "/vendor", text, sizeof(text), 10000),
			 -ENAMETOOLONG);
	assert_int_equal(sr_read_deadline(h->root, DEV PF "/none", text, sizeof(text), 10000),
			 -ENOENT);
}

#define with_host(test) cmocka_unit_test_setup_teardown(test, make_host, drop_host)

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
		with_host(numvfs_keeps_vfs_in_use),
		with_host(numvfs_waits_for_users),
		with_host(bind_goes_there_and_back),
		with_host(bind_brings_back_override_and_nothing),
		with_host(bind_gives_vf_back_without_autoprobe),
		with_host(bind_that_hangs_is_quarantined),
		with_host(bind_sees_a_late_unbind),
		with_host(bind_refuses_unknown_driver),
		with_host(group_needs_all_members),
		with_host(group_owner_changes_and_returns),
		with_host(group_node_must_come),
		with_host(every_failure_is_undone),
		with_host(vf_settings_are_checked),
		cmocka_unit_test(nvme_list_is_parsed),
		cmocka_unit_test(nvme_caps_are_parsed),
		with_host(nvme_without_resources_is_left_alone),
		with_host(inventory_sees_vfs),
		with_host(inventory_names_holders),
		with_host(inventory_finds_open_nodes),
		with_host(inventory_finds_gpu_users),
		with_host(inventory_names_interfaces_on_top),
		with_host(inventory_sees_other_namespaces),
		with_host(inventory_spares_quarantined),
		with_host(inventory_survives_lies),
		cmocka_unit_test(chains_are_parsed),
		cmocka_unit_test(inventory_reads_config_space),
		with_host(host_without_pci_is_empty),
		with_host(iommu_is_judged_by_effect),
		with_host(children_fill_or_time_out),
	};

	return cmocka_run_group_tests_name("sriov", tests, NULL, NULL);
}
