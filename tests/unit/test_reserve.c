// SPDX-License-Identifier: GPL-2.0-or-later
/* Functions that belong to VMs from boot on: the list, who they are, and how they are taken. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/quarantine.h"
#include "sriov/function.h"
#include "sriov/reserve.h"
#include "sriov/steps.h"
#include "tests/fake/fake_pci.h"
#include "tests/fake/golden.h"
#include "tests/fake/temp_root.h"
#include "tests/unit/sriov_host.h"

#define REAL_MATE "/sys/devices/pci0000:40/" MATE
#define CARD_A               \
	"\x90\x01\x01SN\x06" \
	"A12345"
#define CARD_B               \
	"\x90\x01\x01SN\x06" \
	"B77777"

static struct sr_reserved entry(const char *bdf, unsigned int vendor, unsigned int device,
				const char *serial, const char *driver)
{
	struct sr_reserved e = { .vendor = (uint16_t)vendor, .device = (uint16_t)device };

	assert_int_equal(cv_parse_bdf(bdf, &e.bdf), 0);
	snprintf(e.serial, sizeof(e.serial), "%s", serial);
	snprintf(e.driver, sizeof(e.driver), "%s", driver);
	return e;
}

/* MATE has no driver, DISK has nvme. */
static struct sr_reserved mate(const char *serial)
{
	return entry(MATE, 0x1af4, 0x1110, serial, "vfio-pci");
}

static struct sr_reserved disk(const char *serial)
{
	return entry(DISK, 0x1b36, 0x0010, serial, "vfio-pci");
}

static int apply(struct host *h, struct sr_reserved *e, size_t n, struct sr_reserved_outcome *o)
{
	struct sr_reserved_list l = { e, n };

	h->err = (struct cv_error){ 0 };
	return sr_reserved_apply(&h->env, &l, o, &h->err);
}

static void list_is_written_and_read(void **state)
{
	struct host *h = *state;
	struct sr_reserved all[] = {
		entry("0000:81:00.0", 0x10de, 0x2330, "1a2b3c4d5e6f7081", "nvgrace_gpu_vfio_pci"),
		entry("0000:17:00.0", 0x10de, 0x2330, "1321021036987", "vfio-pci"),
		entry("10000:01:00.0", 0x144d, 0xa80a, "", "vfio-pci"),
	};
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };
	struct sr_reserved_list given = { all, CV_ARRAY_SIZE(all) };
	_cleanup_free_ char *text = NULL, *rules = NULL;

	assert_int_equal(sr_reserved_write(h->root, &given, &h->err), 0);
	assert_int_equal(cv_read(h->root, SR_RESERVED_FILE, &text, &(size_t){ 0 }), 0);
	golden_check("reserved.json", text);
	assert_int_equal(cv_read(h->root, SR_RESERVED_RULES, &rules, &(size_t){ 0 }), 0);
	golden_check("reserved.rules", rules);
	assert_int_equal(sr_reserved_read(h->root, &l, &h->err), 0);
	assert_int_equal(l.n, 3);
	assert_int_equal(cv_bdf_cmp(l.v[0].bdf, all[1].bdf), 0);
	assert_string_equal(l.v[0].serial, "1321021036987");
	assert_string_equal(l.v[1].driver, "nvgrace_gpu_vfio_pci");
	assert_int_equal(l.v[2].device, 0xa80a);
}

static void empty_list_removes_both(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = mate("");
	struct sr_reserved_list l = { &e, 1 };

	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), 0);
	assert_true(cv_exists(h->root, SR_RESERVED_FILE));
	assert_true(cv_exists(h->root, SR_RESERVED_RULES));
	l.n = 0;
	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), 0);
	assert_false(cv_exists(h->root, SR_RESERVED_FILE));
	assert_false(cv_exists(h->root, SR_RESERVED_RULES));
	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), 0);
	assert_int_equal(sr_reserved_read(h->root, &l, &h->err), 0);
	assert_int_equal(l.n, 0);
	sr_reserved_done(&l);
}

#define ENTRY(driver, serial)                                                                  \
	"{\"bdf\":\"0000:01:00.0\",\"vendor\":\"0x1\",\"device\":\"0x2\",\"serial\":\"" serial \
	"\",\"driver\":\"" driver "\"}"

static void damaged_lists_are_refused(void **state)
{
	static const struct {
		const char *text;
		int err;
	} rows[] = {
		{ "", -EINVAL },
		{ "{\"carve_quarantine\": 1, \"functions\": []}", -EINVAL },
		{ "{\"carve_reserved\": 2, \"functions\": []}", -EPROTONOSUPPORT },
		{ "{\"carve_reserved\": 1}", -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [{\"bdf\": \"0000:01:00.0\"}]}",
		  -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [" ENTRY("", "") "]}", -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [" ENTRY("a/../b", "") "]}", -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [" ENTRY("x\\\", RUN+=\\\"y", "") "]}",
		  -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [" ENTRY("vfio-pci", "a\\nb") "]}",
		  -EINVAL },
		{ "{\"carve_reserved\": 1, \"functions\": [" ENTRY("vfio-pci", "") "," ENTRY(
			  "vfio-pci", "") "]}",
		  -EINVAL },
	};
	struct sr_reserved_list l = { 0 };
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		fake_file(h->fake, SR_RESERVED_FILE, rows[i].text);
		h->err = (struct cv_error){ 0 };
		assert_int_equal(sr_reserved_read(h->root, &l, &h->err), rows[i].err);
		assert_true(h->err.err != 0 && h->err.object[0]);
	}
}

static void impossible_lists_are_not_written(void **state)
{
	static struct sr_reserved many[SR_RESERVED_MAX + 1];
	struct host *h = *state;
	struct sr_reserved twice[] = { mate(""), mate("") };
	struct sr_reserved odd = entry(MATE, 1, 2, "", "vfio-pci\"");
	struct sr_reserved_list l = { many, CV_ARRAY_SIZE(many) };

	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), -E2BIG);
	l = (struct sr_reserved_list){ twice, 2 };
	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), -EINVAL);
	l = (struct sr_reserved_list){ &odd, 1 };
	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), -EINVAL);
	assert_false(cv_exists(h->root, SR_RESERVED_FILE));
}

/* Whatever fails: the list is the old one or the new one, and no rules are there without it. */
static void each_write_that_fails_leaves_a_whole_list(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = mate("");
	struct sr_reserved_list l = { &e, 1 }, none = { NULL, 0 };
	unsigned int n = 0;
	int r = -EIO;

	while (r < 0 && n < 40) {
		assert_int_equal(sr_reserved_write(h->root, &none, &h->err), 0);
		fake_fail_change(h->fake, ++n, -EIO);
		r = sr_reserved_write(h->root, &l, &h->err);
		fake_fail_change(h->fake, 0, 0);
		if (cv_exists(h->root, SR_RESERVED_RULES))
			assert_true(cv_exists(h->root, SR_RESERVED_FILE));
	}
	assert_true(n > 4 && r == 0);
}

static void free_function_is_taken(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = mate("");
	struct sr_reserved_outcome o;
	unsigned int writes;

	assert_int_equal(apply(h, &e, 1, &o), 0);
	assert_int_equal(o.result, SR_RESERVED_BOUND);
	assert_driver(h, MATE, "vfio-pci");
	assert_string_equal(fake_text(h->fake, DEV MATE "/driver_override"), "vfio-pci");
	writes = fake_writes(h->fake);
	assert_int_equal(apply(h, &e, 1, &o), 0);
	assert_int_equal(o.result, SR_RESERVED_READY);
	assert_int_equal(fake_writes(h->fake), writes);
}

static void held_function_is_left_alone(void **state)
{
	struct host *h = *state;
	struct sr_reserved e[] = { disk(""), mate("") };
	struct sr_reserved_outcome o[2];

	assert_int_equal(apply(h, e, 2, o), -EIO);
	assert_int_equal(o[0].result, SR_RESERVED_HELD);
	assert_string_equal(o[0].text, "driver nvme, wanted vfio-pci");
	assert_string_equal(h->err.object, DISK);
	assert_non_null(strstr(h->err.what, "held"));
	assert_driver(h, DISK, "nvme");
	assert_string_equal(fake_text(h->fake, DEV DISK "/driver_override"), "(null)");
	/* the others are taken all the same */
	assert_int_equal(o[1].result, SR_RESERVED_BOUND);
	assert_driver(h, MATE, "vfio-pci");
}

static void absent_function_is_no_error(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = entry("0000:99:00.0", 0x10de, 0x2330, "", "vfio-pci");
	struct sr_reserved_outcome o;

	assert_int_equal(apply(h, &e, 1, &o), 0);
	assert_int_equal(o.result, SR_RESERVED_ABSENT);
}

static void other_card_is_left_alone(void **state)
{
	struct host *h = *state;
	struct sr_reserved same = mate("A12345");
	struct sr_reserved other[] = { entry(MATE, 0x10de, 0x1110, "", "vfio-pci"), mate("A12345"),
				       mate("A12345") };
	static const char *const cards[] = { CARD_A, CARD_B, "no vital product data" };
	struct sr_reserved_outcome o;

	for (size_t i = 0; i < CV_ARRAY_SIZE(other); i++) {
		fake_file(h->fake, REAL_MATE "/vpd", cards[i]);
		assert_int_equal(apply(h, &other[i], 1, &o), -EIO);
		assert_int_equal(o.result, SR_RESERVED_REPLACED);
		assert_string_equal(fake_text(h->fake, DEV MATE "/driver_override"), "(null)");
		assert_driver(h, MATE, "");
		/* what the udev rules look for */
		assert_true(cv_exists(h->root, SR_REPLACED_DIR "/" MATE));
	}
	fake_file(h->fake, REAL_MATE "/vpd", CARD_B);
	assert_int_equal(apply(h, &same, 1, &o), -EIO);
	assert_non_null(strstr(o.text, "\"B77777\", noted was 0x1af4 0x1110 serial \"A12345\""));
	fake_file(h->fake, REAL_MATE "/vpd", CARD_A);
	assert_int_equal(apply(h, &same, 1, &o), 0);
	assert_int_equal(o.result, SR_RESERVED_BOUND);
	assert_false(cv_exists(h->root, SR_REPLACED_DIR "/" MATE));
}

/* The host driver must not get it because ours is not there. */
static void missing_driver_keeps_it_free(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = entry(MATE, 0x1af4, 0x1110, "", "mlx5_vfio_pci");
	struct sr_reserved_outcome o;

	assert_int_equal(apply(h, &e, 1, &o), -EIO);
	assert_int_equal(o.result, SR_RESERVED_FAILED);
	assert_string_equal(fake_text(h->fake, DEV MATE "/driver_override"), "mlx5_vfio_pci");
	assert_driver(h, MATE, "");
}

static void probe_that_hangs_is_bounded(void **state)
{
	struct host *h = *state;
	struct sr_reserved e = mate("");
	struct sr_reserved_outcome o;
	struct cv_quarantine q;

	h->env.deadline_ms = 1000;
	fake_block(h->fake, "/sys/bus/pci/drivers_probe");
	assert_int_equal(apply(h, &e, 1, &o), -EIO);
	assert_int_equal(o.result, SR_RESERVED_FAILED);
	assert_int_equal(cv_quarantine_read(h->root, e.bdf, &q, NULL), 0);
	assert_non_null(strstr(q.reason, "binding a reserved function"));
}

static void each_write_that_fails_can_be_made_again(void **state)
{
	struct sr_reserved_outcome o;
	struct sr_reserved e = mate("");
	unsigned int n = 0;
	int r = -EIO;

	while (r < 0 && n < 20) {
		void *fresh = NULL;
		struct host *h;

		sriov_host_make(&fresh);
		h = fresh;
		fake_fail_write(h->fake, ++n, -EIO);
		r = apply(h, &e, 1, &o);
		fake_fail_write(h->fake, 0, 0);
		assert_driver(h, MATE, r < 0 ? "" : "vfio-pci");
		assert_int_equal(o.result, r < 0 ? SR_RESERVED_FAILED : SR_RESERVED_BOUND);
		assert_int_equal(apply(h, &e, 1, &o), 0);
		assert_driver(h, MATE, "vfio-pci");
		sriov_host_drop(&fresh);
	}
	assert_int_equal(n, 3); /* driver_override, drivers_probe, then none fails */
}

/* Groups have other numbers after a reboot, and one more card. */
static void renumbered_group_is_the_same_card(void **state)
{
	struct host *h = *state;
	const struct fake_pci moved = { MATE, "pci0000:40", "0x1af4 0x1110 0x050000", NULL, 77, 0 };
	struct sr_reserved e = mate("A12345");
	struct sr_reserved_list l = { &e, 1 };
	_cleanup_json_ json_t *prior = NULL;
	_cleanup_free_ char *text = NULL;
	struct sr_reserved_outcome o;

	fake_file(h->fake, REAL_MATE "/vpd", CARD_A);
	assert_int_equal(sr_reserved_write(h->root, &l, &h->err), 0);
	assert_int_equal(cv_read_str(h->root, SR_RESERVED_FILE, &text), 0);
	assert_null(strstr(text, "group"));
	fake_remove(h->fake, "/sys/kernel/iommu_groups/3");
	fake_remove(h->fake, REAL_MATE);
	fake_pci_device(h->fake, &moved);
	fake_file(h->fake, REAL_MATE "/vpd", CARD_A);
	l = (struct sr_reserved_list){ 0 };
	assert_int_equal(sr_reserved_read(h->root, &l, &h->err), 0);
	assert_int_equal(sr_reserved_apply(&h->env, &l, &o, &h->err), 0);
	sr_reserved_done(&l);
	assert_int_equal(o.result, SR_RESERVED_BOUND);
	assert_true(cv_exists(h->root, "/dev/vfio/77"));
	assert_false(cv_exists(h->root, "/dev/vfio/3"));
	assert_int_equal(step_begin(h, &sr_step_group_owner, MATE, "1000", &prior), 0);
	assert_int_equal(cv_json_int(prior, "group", -1), 77);
}

static void group_has_the_names_of_its_functions(void **state)
{
	_cleanup_strv_ struct cv_strv names = { 0 }, alone = { 0 };
	const struct fake_pci bridge = {
		"0000:41:1f.0", "pci0000:40/" PORT, "0x1b36 0x000e 0x060400", NULL, 3, 0
	};
	struct host *h = *state;

	fake_pci_device(h->fake, &bridge);
	assert_int_equal(sr_group_names(h->root, 3, &names), 0);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], DISK);
	assert_string_equal(names.v[1], MATE);
	assert_int_equal(sr_group_names(h->root, 2, &alone), 0);
	assert_int_equal(alone.n, 1);
	assert_string_equal(alone.v[0], PF);
	assert_int_equal(sr_group_names(h->root, 999, &alone), -ENOENT);
}

static void vf_is_on_the_card_of_its_pf(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;
	char serial[64];

	fake_file(h->fake, REAL_PF "/vpd", CARD_B);
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	sr_serial(h->root, VF1, 5000, serial, sizeof(serial));
	assert_string_equal(serial, "B77777");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(list_is_written_and_read),
		with_host(empty_list_removes_both),
		with_host(damaged_lists_are_refused),
		with_host(impossible_lists_are_not_written),
		with_host(each_write_that_fails_leaves_a_whole_list),
		with_host(free_function_is_taken),
		with_host(held_function_is_left_alone),
		with_host(absent_function_is_no_error),
		with_host(other_card_is_left_alone),
		with_host(missing_driver_keeps_it_free),
		with_host(probe_that_hangs_is_bounded),
		with_host(each_write_that_fails_can_be_made_again),
		with_host(renumbered_group_is_the_same_card),
		with_host(group_has_the_names_of_its_functions),
		with_host(vf_is_on_the_card_of_its_pf),
	};

	return cmocka_run_group_tests_name("reserve", tests, NULL, NULL);
}
