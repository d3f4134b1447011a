// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts are kept off the CPUs of guests, and are where they were when the last one has gone. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/state.h"
#include "numa/cputext.h"
#include "numa/irq_guest.h"
#include "numa/irq_step.h"
#include "tests/fake/fake_sysroot.h"

#define LEDGER CV_SHARED_DIR "/irq-affinity.json"
#define NIC "/sys/bus/pci/devices/0000:81:00.0"
#define LIST(n) "/proc/irq/" #n "/smp_affinity_list"
#define VALUE_A "off=2-3 on=0,4"
#define VALUE_B "off=6-7 on=0,4"

struct host {
	struct fake *fake;
	struct cv_sysroot *root;
	json_t *prior[2]; /* of the VMs "a" and "b" */
};

static void put_irq(struct host *h, int number, const char *actions, const char *cpus, int node)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/irq/%d/actions", number);
	fake_file(h->fake, path, actions);
	snprintf(path, sizeof(path), "/proc/irq/%d/smp_affinity_list", number);
	fake_file(h->fake, path, cpus);
	snprintf(path, sizeof(path), "/proc/irq/%d/node", number);
	fake_filef(h->fake, path, "%d", node);
}

static void remove_irq(struct host *h, int number)
{
	char path[64];

	snprintf(path, sizeof(path), "/sys/kernel/irq/%d", number);
	fake_remove(h->fake, path);
	snprintf(path, sizeof(path), "/proc/irq/%d", number);
	fake_remove(h->fake, path);
}

static int refuse(struct fake *f, const char *path, const char *text, void *ctx)
{
	return -EIO;
}

static void put_host(struct host *h)
{
	fake_file(h->fake, "/sys/devices/system/cpu/online", "0-7");
	fake_file(h->fake, "/sys/devices/system/node/node0/cpulist", "0-3");
	fake_file(h->fake, "/sys/devices/system/node/node1/cpulist", "4-7");
	fake_file(h->fake, NU_IRQ_DEFAULT, "ff");
	put_irq(h, 0, "timer", "0", -1);
	put_irq(h, 9, "acpi", "0-7", -1);
	put_irq(h, 13, "", "0-7", -1); /* nobody's */
	put_irq(h, 24, "eth0-tx", "2", 0);
	put_irq(h, 25, "eth0-rx", "6-7", 1);
	put_irq(h, 26, "by hand", "0-1,4-7", -1); /* as the default will be */
	put_irq(h, 30, "nvme0q3", "3", 0);
	put_irq(h, 40, "nic-0", "0-7", 1);
	put_irq(h, 41, "nic-1", "3,5", 1);
	fake_file(h->fake, NIC "/msi_irqs/40", "msix");
	fake_file(h->fake, NIC "/msi_irqs/41", "msix");
	fake_dir(h->fake, CV_SHARED_DIR);
}

static int setup(void **state)
{
	static const struct fake_hook managed = { LIST(30), refuse, NULL };
	struct host *h = calloc(1, sizeof(*h));

	if (!h || fake_new(&h->fake, &h->root) < 0)
		return -1;
	fake_hook(h->fake, &managed);
	put_host(h);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct host *h = *state;

	json_decref(h->prior[0]);
	json_decref(h->prior[1]);
	cv_sysroot_close(h->root);
	free(h);
	return 0;
}

static struct cv_step_env env_of(struct host *h, char vm)
{
	return (struct cv_step_env){ .root = h->root,
				     .vm = vm == 'a' ? "a" : "b",
				     .deadline_ms = 1000 };
}

static int start(struct host *h, char vm)
{
	struct cv_step_env env = env_of(h, vm);
	const char *value = vm == 'a' ? VALUE_A : VALUE_B;
	json_t **prior = &h->prior[vm - 'a'];
	int r;

	json_decref(*prior);
	*prior = NULL;
	r = nu_step_irq_affinity.record(&env, NU_IRQ_DIR, value, prior, NULL);
	return r ?: nu_step_irq_affinity.apply(&env, NU_IRQ_DIR, value, *prior, NULL);
}

static int stop(struct host *h, char vm)
{
	struct cv_step_env env = env_of(h, vm);

	return nu_step_irq_affinity.revert(&env, NU_IRQ_DIR, vm == 'a' ? VALUE_A : VALUE_B,
					   h->prior[vm - 'a'], NULL);
}

static void assert_text(struct host *h, const char *path, const char *wanted)
{
	const char *text = fake_text(h->fake, path);

	assert_non_null(text);
	assert_string_equal(text, wanted);
}

static void assert_same(struct host *h, const char *before)
{
	_cleanup_free_ char *after = fake_dump(h->fake, NULL);

	assert_string_equal(before, after);
}

static void test_masks(void **state)
{
	static const struct {
		const char *text, *list, *again;
	} cases[] = {
		{ "ff", "0-7", "ff" },
		{ "00000001,00000000", "32", "1,00000000" },
		{ "0000,000000f0", "4-7", "f0" },
		{ "c0000001,00000000,80000000", "31,64,94-95", "c0000001,00000000,80000000" },
		{ "0", "", "0" },
	};
	struct cv_cpuset s;

	for (size_t i = 0; i < CV_ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *list = NULL, *mask = NULL;

		assert_int_equal(nu_parse_cpumask(cases[i].text, &s), 0);
		list = cv_format_cpulist(&s);
		mask = nu_mask_format(&s);
		assert_string_equal(list, cases[i].list);
		assert_string_equal(mask, cases[i].again);
	}
	assert_int_equal(nu_parse_cpumask("", &s), -EINVAL);
	assert_int_equal(nu_parse_cpumask("fg", &s), -EINVAL);
	assert_int_equal(nu_parse_cpumask("0-7", &s), -EINVAL);
}

static void test_one(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = fake_dump(h->fake, NULL);

	assert_int_equal(start(h, 'a'), 0);
	assert_text(h, NU_IRQ_DEFAULT, "f3");
	assert_text(h, LIST(0), "0");
	assert_text(h, LIST(9), "0-1,4-7");
	assert_text(h, LIST(13), "0-7");
	assert_text(h, LIST(24), "0"); /* of its node what the host keeps */
	assert_text(h, LIST(25), "6-7");
	assert_text(h, LIST(41), "5");
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
	assert_int_equal(stop(h, 'a'), 0);
	assert_same(h, before);
}

static void test_writes_nothing_twice(void **state)
{
	struct host *h = *state;
	unsigned int writes;

	assert_int_equal(start(h, 'a'), 0);
	writes = fake_writes(h->fake);
	assert_int_equal(nu_irqs_keep_off(h->root, NULL), 0);
	assert_int_equal(fake_writes(h->fake), writes);
}

/* Guests come and go in any order. */
static void test_two(void **state)
{
	static const char *const orders[] = { "ABab", "ABba", "BAab", "BAba", "AaBb", "ABaAba" };
	struct host *h = *state;
	_cleanup_free_ char *before = fake_dump(h->fake, NULL);

	for (size_t i = 0; i < CV_ARRAY_SIZE(orders); i++) {
		for (const char *p = orders[i]; *p; p++)
			assert_int_equal(*p < 'a' ? start(h, (char)(*p + 'a' - 'A')) : stop(h, *p),
					 0);
		assert_same(h, before);
	}
}

static void test_two_together(void **state)
{
	struct host *h = *state;

	assert_int_equal(start(h, 'a'), 0);
	assert_int_equal(start(h, 'b'), 0);
	assert_text(h, NU_IRQ_DEFAULT, "33");
	assert_text(h, LIST(9), "0-1,4-5");
	assert_text(h, LIST(25), "4");
	assert_int_equal(stop(h, 'a'), 0);
	assert_text(h, NU_IRQ_DEFAULT, "3f");
	assert_text(h, LIST(9), "0-5");
	assert_text(h, LIST(24), "2");
	assert_text(h, LIST(25), "4");
}

/* What the driver of a function makes anew has other numbers and the default of now. */
static void remake_vectors(struct host *h, int number, const char *cpus)
{
	char path[96];

	for (int i = 20; i < 100; i++) {
		snprintf(path, sizeof(path), NIC "/msi_irqs/%d", i);
		if (!fake_text(h->fake, path))
			continue;
		fake_remove(h->fake, path);
		remove_irq(h, i);
	}
	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), NIC "/msi_irqs/%d", number + i);
		fake_file(h->fake, path, "msix");
		put_irq(h, number + i, i ? "nic-1" : "nic-0", cpus, 1);
	}
}

static void test_vectors_made_anew(void **state)
{
	struct host *h = *state;

	assert_int_equal(start(h, 'a'), 0);
	remake_vectors(h, 50, "0-1,4-7");
	assert_int_equal(start(h, 'b'), 0);
	assert_text(h, LIST(50), "0-1,4-5");
	remake_vectors(h, 60, "0-1,4-7"); /* restored by somebody to what it was between */
	assert_int_equal(stop(h, 'a'), 0);
	assert_int_equal(stop(h, 'b'), 0);
	assert_text(h, LIST(60), "0-7");
	assert_text(h, LIST(61), "3,5");
}

/* One that is new gets the whole default back; one that always looked like that stays. */
static void test_new_interrupt(void **state)
{
	struct host *h = *state;

	assert_int_equal(start(h, 'a'), 0);
	put_irq(h, 70, "new", "0-1,4-7", -1);
	assert_int_equal(start(h, 'b'), 0);
	put_irq(h, 71, "newer", "0-1,4-5", -1);
	assert_text(h, LIST(70), "0-1,4-5");
	assert_int_equal(stop(h, 'a'), 0);
	assert_text(h, LIST(71), "0-5");
	assert_int_equal(stop(h, 'b'), 0);
	assert_text(h, LIST(70), "0-7");
	assert_text(h, LIST(71), "0-7");
	assert_text(h, LIST(26), "0-1,4-7");
}

static void test_driver_spreads(void **state)
{
	struct host *h = *state;

	assert_int_equal(start(h, 'a'), 0);
	put_irq(h, 72, "spread", "2-4", 0);
	assert_int_equal(nu_irqs_keep_off(h->root, NULL), 1);
	assert_text(h, LIST(72), "4");
	assert_int_equal(stop(h, 'a'), 0);
	assert_text(h, LIST(72), "2-4");
}

/* Not a failure, but told: it stays where it is, and is not tried again. */
static void test_managed(void **state)
{
	struct host *h = *state;
	_cleanup_irq_ledger_ struct nu_irq_ledger l = { 0 };

	assert_int_equal(start(h, 'a'), 0);
	assert_text(h, LIST(30), "3");
	assert_int_equal(nu_irq_ledger_read(h->root, &l, NULL), 0);
	assert_int_equal(json_object_size(l.managed), 1);
	assert_string_equal(cv_json_str(l.managed, "30", ""), "nvme0q3");
}

/* Every change fails once, while it is applied and while it is undone. */
static void test_sweep(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = fake_dump(h->fake, NULL);
	unsigned int n = 0, failures = 0;
	int r;

	do {
		fake_fail_change(h->fake, ++n, -ENOSPC);
		r = start(h, 'a');
		fake_fail_change(h->fake, 0, 0);
		failures += r < 0;
		assert_int_equal(stop(h, 'a'), 0);
		assert_same(h, before);
	} while (r < 0 && n < 99);
	assert_int_equal(r, 0);
	assert_true(failures > 6);
	for (n = 1, failures = 0; n < 20; n++) {
		assert_int_equal(start(h, 'a'), 0);
		fake_fail_change(h->fake, n, -ENOSPC);
		failures += stop(h, 'a') < 0;
		fake_fail_change(h->fake, 0, 0);
		assert_int_equal(stop(h, 'a'), 0);
		assert_same(h, before);
	}
	assert_true(failures > 5);
}

static void test_no_vectors_left(void **state)
{
	struct host *h = *state;
	struct cv_step_env env = env_of(h, 'a');
	struct cv_error err = { 0 };
	json_t *prior = NULL;

	assert_int_equal(nu_step_irq_affinity.record(&env, NU_IRQ_DIR, VALUE_A, &prior, NULL), 0);
	h->prior[0] = prior;
	fake_fail_write(h->fake, 3, -ENOSPC);
	assert_int_equal(nu_step_irq_affinity.apply(&env, NU_IRQ_DIR, VALUE_A, prior, &err),
			 -ENOSPC);
	assert_non_null(strstr(err.object, "/proc/irq/"));
	assert_non_null(strstr(err.hint, "housekeeping"));
}

static void test_bad_values(void **state)
{
	static const char *const bad[] = { "",		"off=2",      "off=2 on=",    "on=0 off=2",
					   "off= on=0", "off=2 on=2", "off=2 on=0 x", "off=x on=0" };
	struct host *h = *state;
	struct cv_step_env env = env_of(h, 'a');
	json_t *prior = NULL;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		assert_int_equal(nu_step_irq_affinity.record(&env, NU_IRQ_DIR, bad[i], &prior,
							     NULL),
				 -EINVAL);
	assert_int_equal(nu_step_irq_affinity.record(&env, "/proc", VALUE_A, &prior, NULL),
			 -EINVAL);
	assert_null(prior);
}

static void test_damaged_ledger(void **state)
{
	static const char *const bad[] = {
		"",
		"{}",
		"{\"carve_irq_affinity\":1,\"holders\":[]}",
		"{\"carve_irq_affinity\":1,\"holders\":{\"a\":\"off=x\"}}",
		"{\"carve_irq_affinity\":1,\"irqs\":{\"9\":1}}",
	};
	struct host *h = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		fake_file(h->fake, LEDGER, bad[i]);
		assert_int_equal(stop(h, 'a'), -EINVAL);
	}
	fake_file(h->fake, LEDGER, "{\"carve_irq_affinity\":2}");
	assert_int_equal(stop(h, 'a'), -EPROTONOSUPPORT);
}

/* A guest of two nodes: two vCPUs on each, one function on each. */
static struct plan_vcpu vcpus[] = { { .host_cpu = 2, .guest_node = 0 },
				    { .host_cpu = 3, .guest_node = 0 },
				    { .host_cpu = 6, .guest_node = 1 },
				    { .host_cpu = 7, .guest_node = 1 } };
static struct plan_device devices[] = {
	{ .host = { 0, 0x21, 0x10, 0 }, .guest_node = 0 },
	{ .host = { 0, 0x81, 0x10, 2 }, .guest_node = 1 },
};
static const struct plan guest = {
	.name = "a", .vcpus = vcpus, .n_vcpus = 4, .devices = devices, .n_devices = 2
};

static void put_vector(struct host *h, int number, const char *bdf, const char *actions)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/bus/pci/devices/%s/msi_irqs/%d", bdf, number);
	fake_file(h->fake, path, "msix");
	put_irq(h, number, actions, "0-1,4-5", 0);
}

static void test_guest_vectors(void **state)
{
	struct host *h = *state;

	put_vector(h, 80, "0000:21:10.0", "vfio-msix[0](0000:21:10.0)");
	put_vector(h, 81, "0000:21:10.0", "vfio-msix[1](0000:21:10.0)");
	put_vector(h, 82, "0000:21:10.0", "vfio-msix[2](0000:21:10.0)");
	put_vector(h, 83, "0000:81:10.2", "vfio-msi[0](0000:81:10.2)");
	put_vector(h, 84, "0000:81:10.4", "vfio-msix[0](0000:81:10.4)"); /* another guest's */
	assert_int_equal(nu_guest_irqs_place(h->root, &guest, NULL), 4);
	assert_text(h, LIST(80), "2");
	assert_text(h, LIST(81), "3");
	assert_text(h, LIST(82), "2");
	assert_text(h, LIST(83), "7");
	assert_text(h, LIST(84), "0-1,4-5");
	assert_int_equal(nu_guest_irqs_place(h->root, &guest, NULL), 0);
}

/* The vectors of guests are on their CPUs by intent. */
static void test_guest_vectors_stay(void **state)
{
	struct host *h = *state;

	put_vector(h, 80, "0000:21:10.0", "vfio-msix[0](0000:21:10.0)");
	assert_int_equal(start(h, 'a'), 0);
	assert_int_equal(nu_guest_irqs_place(h->root, &guest, NULL), 1);
	assert_int_equal(nu_irqs_keep_off(h->root, NULL), 0);
	assert_int_equal(start(h, 'b'), 0);
	assert_text(h, LIST(80), "2");
}

/* One that cannot be moved keeps none of the others from its place. */
static void test_guest_vectors_fail(void **state)
{
	struct host *h = *state;
	struct cv_error err = { 0 };

	put_vector(h, 80, "0000:21:10.0", "vfio-msix[0](0000:21:10.0)");
	put_vector(h, 81, "0000:21:10.0", "vfio-msix[1](0000:21:10.0)");
	fake_fail_write(h->fake, 1, -ENOSPC);
	assert_int_equal(nu_guest_irqs_place(h->root, &guest, &err), -ENOSPC);
	assert_non_null(strstr(err.object, "/proc/irq/80/"));
	assert_text(h, LIST(80), "0-1,4-5");
	assert_text(h, LIST(81), "3");
}

/* A line is there before and after the guest: it goes back. One that the host handles, too, stays. */
static void test_guest_line(void **state)
{
	struct host *h = *state;
	_cleanup_free_ char *before = NULL;

	put_irq(h, 16, "vfio-intx(0000:21:10.0)", "0-1", -1);
	put_irq(h, 17, "ahci,vfio-intx(0000:81:10.2)", "0-1", -1);
	before = fake_dump(h->fake, NULL);
	assert_int_equal(start(h, 'a'), 0);
	assert_int_equal(nu_guest_irqs_place(h->root, &guest, NULL), 1);
	assert_text(h, LIST(16), "2");
	assert_text(h, LIST(17), "0-1");
	put_irq(h, 16, "uhci_hcd", "2", -1);
	assert_int_equal(stop(h, 'a'), 0);
	assert_text(h, LIST(16), "0-1");
	put_irq(h, 16, "vfio-intx(0000:21:10.0)", "0-1", -1);
	assert_same(h, before);
}

#define HOST_TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_masks),
		HOST_TEST(test_one),
		HOST_TEST(test_writes_nothing_twice),
		HOST_TEST(test_two),
		HOST_TEST(test_two_together),
		HOST_TEST(test_vectors_made_anew),
		HOST_TEST(test_new_interrupt),
		HOST_TEST(test_driver_spreads),
		HOST_TEST(test_managed),
		HOST_TEST(test_sweep),
		HOST_TEST(test_no_vectors_left),
		HOST_TEST(test_bad_values),
		HOST_TEST(test_damaged_ledger),
		HOST_TEST(test_guest_vectors),
		HOST_TEST(test_guest_vectors_stay),
		HOST_TEST(test_guest_vectors_fail),
		HOST_TEST(test_guest_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
