// SPDX-License-Identifier: GPL-2.0-or-later
/* The run manifest: what is in it, where it is kept, and for how long. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"
#include "plan/manifest_diff.h"
#include "plan/run_manifest.h"
#include "tests/fake/temp_root.h"
#include "tools/manifest.h"

struct bench {
	struct inventory inv;
	struct site site;
	struct spec spec;
	struct plan plan;
	struct temp_root host;
	json_t *timings;
};

static void fill_host(struct temp_root *t)
{
	temp_root_file(t, "/sys/class/dmi/id/bios_version", "2.7b\n");
	temp_root_file(t, "/sys/devices/system/cpu/vulnerabilities/spectre_v2",
		       "Mitigation: Retpolines\n");
	temp_root_file(t, "/proc/cpuinfo", "processor\t: 0\nmicrocode\t: 0xa101148\nflags\t: x\n");
	temp_root_file(t, "/sys/module/igb/srcversion", "ABCDEF\n");
	temp_root_file(t, "/sys/module/kvm_amd/srcversion", "012345\n");
}

/* A guest with a VF of IB_IGB1, which does not exist yet, and a device behind the switch. */
static int setup(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct cv_error err = { 0 };

	assert_non_null(b);
	ib_emulated(&b->inv, false);
	b->site = ib_site();
	b->spec = ib_spec("vm1", 2, 256ULL << 20, IB_2M);
	ib_want_vf(&b->spec, IB_IGB1);
	ib_want_bdf(&b->spec, IB_SW_IVSHMEM)->accept = SPEC_ACCEPT_SHARED_GROUP;
	snprintf(ib_dev(&b->inv, IB_IGB1)->driver, INV_TEXT, "igb");
	if (plan_make(&b->inv, &b->site, &b->spec, 1, NULL, &b->plan, &err) < 0)
		fail_msg("%s: %s (%s)", err.object, err.what, err.found);
	b->timings = json_pack("[{s:s,s:s,s:i}]", "step", "launch", "object", "start", "ms", 7);
	temp_root_init(&b->host);
	fill_host(&b->host);
	assert_int_equal(cv_mkdir_p(b->host.root, CV_VM_DIR "/vm1", 0755), 0);
	*state = b;
	return 0;
}

static int teardown(void **state)
{
	struct bench *b = *state;

	temp_root_done(&b->host);
	json_decref(b->timings);
	plan_done(&b->plan);
	spec_done(&b->spec);
	site_done(&b->site);
	inventory_done(&b->inv);
	free(b);
	return 0;
}

static struct manifest_run run_of(struct bench *b)
{
	return (struct manifest_run){ .plan = &b->plan,
				      .inv = &b->inv,
				      .hypervisor = "/dev/kvm",
				      .vmm_version = "9.2.0",
				      .timings = b->timings };
}

static void write_ok(struct bench *b)
{
	struct manifest_run run = run_of(b);
	struct cv_error err = { 0 };

	if (manifest_write(b->host.root, &run, &err) < 0)
		fail_msg("%s: %s (%s)", err.object, err.what, err.found);
}

static json_t *read_back(struct bench *b, const char *path)
{
	_cleanup_free_ char *text = NULL;
	struct cv_error err = { 0 };
	json_t *j = NULL;
	size_t len;

	assert_int_equal(cv_read(b->host.root, path, &text, &len), 0);
	assert_int_equal(cv_json_parse(text, path, &j, &err), 0);
	assert_int_equal(cv_json_version(j, RUN_MANIFEST_MARKER, RUN_MANIFEST_VERSION, path, &err),
			 0);
	return j;
}

/* @keys: "host.firmware.bios_version" */
static const char *at(const json_t *j, const char *keys)
{
	char copy[128], *key, *rest = copy;

	snprintf(copy, sizeof(copy), "%s", keys);
	while ((key = strsep(&rest, ".")))
		j = json_object_get(j, key);
	return json_is_string(j) ? json_string_value(j) : "(no text)";
}

static const json_t *element(const json_t *array, const char *bdf)
{
	const json_t *e;
	size_t i;

	json_array_foreach((json_t *)array, i, e)
		if (strcmp(cv_json_str(e, "bdf", ""), bdf) == 0)
			return e;
	fail_msg("no %s", bdf);
	return NULL;
}

static void test_host(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *j = NULL;

	write_ok(b);
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	assert_string_equal(at(j, "host.firmware.bios_version"), "2.7b");
	assert_string_equal(at(j, "host.firmware.bios_date"), "(no text)");
	assert_string_equal(at(j, "host.microcode"), "0xa101148");
	assert_string_equal(at(j, "host.mitigations.spectre_v2"), "Mitigation: Retpolines");
	assert_string_equal(at(j, "host.kernel"), b->inv.host.kernel);
	assert_string_equal(at(j, "host.cmdline"), b->inv.host.cmdline);
	assert_string_equal(at(j, "host.drivers.igb.srcversion"), "ABCDEF");
	assert_string_equal(at(j, "host.drivers.kvm_amd.srcversion"), "012345");
	assert_non_null(json_object_get(json_object_get(j, "host"), "iommu"));
	assert_null(json_object_get(json_object_get(j, "host"), "memlock_limit"));
	assert_string_equal(at(j, "vmm.backend"), b->plan.backend);
	assert_string_equal(at(j, "vmm.version"), "9.2.0");
	assert_string_equal(at(j, "hypervisor.path"), "/dev/kvm");
	assert_int_equal(json_array_size(json_object_get(j, "timings")), 1);
}

/* The plan is there as carve plan prints it: one truth. */
static void test_plan(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *j = NULL, *plan = plan_json(&b->plan);

	write_ok(b);
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	assert_true(json_equal(json_object_get(j, "plan"), plan));
}

static void test_devices(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *j = NULL;
	const json_t *d;
	char vf[CV_BDF_MAX];

	write_ok(b);
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	assert_int_equal(json_array_size(json_object_get(j, "devices")), 2);
	cv_format_bdf(b->plan.devices[0].host, vf);
	d = element(json_object_get(j, "devices"), vf);
	assert_string_equal(at(d, "read_of"), IB_IGB1);
	assert_string_equal(at(d, "driver"), "igb");
	d = element(json_object_get(j, "devices"), IB_SW_IVSHMEM);
	assert_string_equal(at(d, "read_of"), IB_SW_IVSHMEM);
}

/* Every port that is above a device, once, with its ACS bits; no other. */
static void test_ports(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *j = NULL;
	const json_t *d, *above, *port;
	size_t n = 0, i;

	for (int up = ib_dev(&b->inv, IB_SW_IVSHMEM)->parent; up >= 0;
	     up = b->inv.devs[up].parent) {
		b->inv.devs[up].has_acs = true;
		b->inv.devs[up].acs_ctrl = 0x1d;
		n++;
	}
	assert_true(n >= 2);
	write_ok(b);
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	d = element(json_object_get(j, "devices"), IB_SW_IVSHMEM);
	above = json_object_get(d, "above");
	assert_int_equal(json_array_size(above), n);
	json_array_foreach((json_t *)above, i, port) {
		const json_t *p = element(json_object_get(j, "ports"), json_string_value(port));

		assert_int_equal(cv_json_int(p, "acs_ctrl", 0), 0x1d);
		assert_non_null(json_object_get(p, "link"));
	}
	for (i = 0; i < json_array_size(json_object_get(j, "ports")); i++)
		assert_string_not_equal(at(json_array_get(json_object_get(j, "ports"), i), "bdf"),
					IB_PORT); /* nothing of the guest is below it */
}

/* A changed link and ACS are what carve diff is for. */
static void test_differences(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *old = NULL, *new = NULL, *same = NULL, *list = NULL;
	struct inv_dev *port;

	write_ok(b);
	old = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	write_ok(b);
	new = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	assert_int_equal(manifest_diff(old, new, &same), 0);
	assert_int_equal(json_array_size(same), 0);
	json_decref(new);
	port = &b->inv.devs[ib_dev(&b->inv, IB_IGB1)->parent];
	port->acs_ctrl ^= 0x4;
	temp_root_file(&b->host, "/sys/class/dmi/id/bios_version", "2.8\n");
	write_ok(b);
	new = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	assert_int_equal(manifest_diff(old, new, &list), 0);
	assert_int_equal(json_array_size(list), 2);
	assert_string_equal(at(json_array_get(list, 0), "path"), "host.firmware.bios_version");
	assert_string_equal(at(json_array_get(list, 0), "new"), "2.8");
	assert_non_null(strstr(at(json_array_get(list, 1), "path"), ".acs_ctrl"));
}

static void test_copy(void **state)
{
	struct bench *b = *state;
	_cleanup_json_ json_t *j = NULL, *copy = NULL;
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	write_ok(b);
	assert_int_equal(cv_list(b->host.root, MANIFEST_DIR, &names), 0);
	assert_int_equal(names.n, 1);
	assert_non_null(strstr(names.v[0], "Z-vm1.json"));
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
	copy = read_back(b, cv_pathf(path, MANIFEST_DIR "/%s", names.v[0]));
	assert_true(json_equal(j, copy));
}

/* The oldest go; what is not a manifest of ours stays. */
static void test_prune(void **state)
{
	static const char *const others[] = { "notes.txt", "20200101T000000Z-vm1.json.bak",
					      "baseline.json", "20200101T0000Z-x.json" };
	struct bench *b = *state;
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];

	for (int i = 0; i < MANIFEST_KEPT + 20; i++)
		temp_root_file(&b->host,
			       cv_pathf(path, MANIFEST_DIR "/20200101T00%02d%02dZ-vm%d.json",
					i / 60, i % 60, i % 7),
			       "{}");
	for (size_t i = 0; i < CV_ARRAY_SIZE(others); i++)
		temp_root_file(&b->host, cv_pathf(path, MANIFEST_DIR "/%s", others[i]), "mine");
	write_ok(b);
	assert_int_equal(cv_list(b->host.root, MANIFEST_DIR, &names), 0);
	assert_int_equal(names.n, MANIFEST_KEPT + CV_ARRAY_SIZE(others));
	for (size_t i = 0; i < CV_ARRAY_SIZE(others); i++)
		assert_true(cv_strv_has(&names, others[i]));
	assert_false(cv_strv_has(&names, "20200101T000020Z-vm6.json")); /* the 21st of 120 + 1 */
	assert_true(cv_strv_has(&names, "20200101T000021Z-vm0.json"));
}

/* The VM's own is written although there is no place for the copy. */
static void test_no_place(void **state)
{
	struct bench *b = *state;
	struct manifest_run run = run_of(b);
	struct cv_error err = { 0 };
	_cleanup_json_ json_t *j = NULL;

	temp_root_file(&b->host, MANIFEST_DIR, "a file");
	assert_true(manifest_write(b->host.root, &run, &err) < 0);
	assert_string_not_equal(err.object, "");
	j = read_back(b, CV_VM_DIR "/vm1/manifest.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_plan, setup, teardown),
		cmocka_unit_test_setup_teardown(test_devices, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports, setup, teardown),
		cmocka_unit_test_setup_teardown(test_differences, setup, teardown),
		cmocka_unit_test_setup_teardown(test_copy, setup, teardown),
		cmocka_unit_test_setup_teardown(test_prune, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_place, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
