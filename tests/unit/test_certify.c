// SPDX-License-Identifier: GPL-2.0-or-later
/* carve certify: the texts of the kernel it reads, whole and damaged, and its judge. */
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
#include "base/interrupts.h"
#include "base/json.h"
#include "numa/irq_count.h"
#include "numa/smaps.h"
#include "numa/thread.h"
#include "plan/certify.h"
#include "plan/plan.h"
#include "plan/spec.h"
#include "plan_cases.h"
#include "tests/fake/fake_sysroot.h"
#include "tests/fake/golden.h"
#include "tools/certify_look.h"

/* ---- limits ---- */

static const struct {
	enum plan_limit which;
	const char *text;
	uint64_t value;
} good[] = {
	{ PLAN_LIMIT_EXITS, "0", 0 },
	{ PLAN_LIMIT_EXITS, "1000000000", 1000000000 },
	{ PLAN_LIMIT_IRQS, "17", 17 },
	{ PLAN_LIMIT_OFF_CORE, "0.1%", 1000 },
	{ PLAN_LIMIT_OFF_CORE, "0.1 %", 1000 },
	{ PLAN_LIMIT_OFF_CORE, "0.0001", 1 },
	{ PLAN_LIMIT_OFF_CORE, "100%", 1000000 },
	{ PLAN_LIMIT_OFF_CORE, "0", 0 },
	{ PLAN_LIMIT_LEAF, "4K", 4096 },
	{ PLAN_LIMIT_LEAF, "2M", 2 << 20 },
	{ PLAN_LIMIT_LEAF, "1GiB", 1 << 30 },
};

static const struct {
	enum plan_limit which;
	const char *text;
} bad[] = {
	{ PLAN_LIMIT_EXITS, "" },
	{ PLAN_LIMIT_EXITS, "-1" },
	{ PLAN_LIMIT_EXITS, "1000000001" },
	{ PLAN_LIMIT_EXITS, "10/s" },
	{ PLAN_LIMIT_OFF_CORE, "" },
	{ PLAN_LIMIT_OFF_CORE, "%" },
	{ PLAN_LIMIT_OFF_CORE, ".5" },
	{ PLAN_LIMIT_OFF_CORE, "1." },
	{ PLAN_LIMIT_OFF_CORE, "1.%" },
	{ PLAN_LIMIT_OFF_CORE, "0.00001" },
	{ PLAN_LIMIT_OFF_CORE, "100.0001" },
	{ PLAN_LIMIT_OFF_CORE, "1%%" },
	{ PLAN_LIMIT_OFF_CORE, "-1%" },
	{ PLAN_LIMIT_OFF_CORE, "99999999999999999999999" },
	{ PLAN_LIMIT_LEAF, "8K" },
	{ PLAN_LIMIT_LEAF, "0" },
	{ PLAN_LIMIT_LEAF, "2m" },
	{ PLAN_LIMIT_IRQS, "1.5" },
};

static void test_limits(void **state)
{
	uint64_t value;

	for (size_t i = 0; i < CV_ARRAY_SIZE(good); i++) {
		if (plan_limit_parse(good[i].which, good[i].text, &value) < 0)
			fail_msg("refused: %s", good[i].text);
		assert_int_equal(value, good[i].value);
	}
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++)
		if (plan_limit_parse(bad[i].which, bad[i].text, &value) != -EINVAL)
			fail_msg("taken: %s", bad[i].text);
}

static void test_format(void **state)
{
	char buf[PLAN_LIMIT_TEXT];

	assert_string_equal(plan_limit_format(PLAN_LIMIT_OFF_CORE, 0, buf), "0 %");
	assert_string_equal(plan_limit_format(PLAN_LIMIT_OFF_CORE, 1, buf), "0.0001 %");
	assert_string_equal(plan_limit_format(PLAN_LIMIT_OFF_CORE, 1000, buf), "0.1 %");
	assert_string_equal(plan_limit_format(PLAN_LIMIT_OFF_CORE, 1000000, buf), "100 %");
	assert_string_equal(plan_limit_format(PLAN_LIMIT_LEAF, 2 << 20, buf), "2M");
	assert_string_equal(plan_limit_format(PLAN_LIMIT_EXITS, 70, buf), "70/s");
}

/* What a spec says is in the plan, and in its JSON. */
static void test_spec(void **state)
{
	static const char text[] = "name: g\ncpus: 1\nmemory: 1G\nlimits:\n  exits_per_second: 50\n"
				   "  off_core: 0.05%\n  page_leaf: 1G\n";
	_cleanup_spec_ struct spec s = { 0 };
	_cleanup_json_ json_t *j = NULL;
	struct plan_limits back;
	struct cv_error err = { 0 };

	assert_int_equal(spec_parse(text, strlen(text), "t.yaml", &s, &err), 0);
	assert_true(s.limits.is_given[PLAN_LIMIT_EXITS]);
	assert_false(s.limits.is_given[PLAN_LIMIT_IRQS]);
	assert_int_equal(s.limits.value[PLAN_LIMIT_OFF_CORE], 500);
	j = plan_limits_json(&s.limits);
	assert_int_equal(cv_json_int(j, "off_core_ppm", -1), 500);
	assert_int_equal(json_object_size(j), 3);
	assert_int_equal(plan_limits_from_json(j, &back), 0);
	assert_memory_equal(&back, &s.limits, sizeof(back));
	json_object_set_new(j, "page_leaf", json_integer(8192));
	assert_int_equal(plan_limits_from_json(j, &back), -EINVAL);
	json_object_del(j, "page_leaf");
	json_object_set_new(j, "exits", json_integer(1));
	assert_int_equal(plan_limits_from_json(j, &back), -EINVAL);
	assert_int_equal(plan_limits_from_json(NULL, &back), 0);
	assert_false(back.is_given[PLAN_LIMIT_EXITS]);
	assert_null(plan_limits_json(&back));
}

static void test_plan(void **state)
{
	_cleanup_plan_ struct plan p = { 0 }, back = { 0 };
	_cleanup_json_ json_t *without = NULL, *with = NULL;
	struct cv_error err = { 0 };

	plan_case(plan_cases[0], &p);
	without = plan_json(&p);
	assert_null(json_object_get(without, "limits"));
	p.limits.is_given[PLAN_LIMIT_IRQS] = true;
	p.limits.value[PLAN_LIMIT_IRQS] = 12;
	with = plan_json(&p);
	assert_int_equal(plan_from_json(with, "x", &back, &err), 0);
	assert_memory_equal(&back.limits, &p.limits, sizeof(p.limits));
	assert_int_equal(plan_limit_value(&back, &back.limits, PLAN_LIMIT_IRQS), 12);
	assert_int_equal(plan_limit_value(&back, &back.limits, PLAN_LIMIT_LEAF),
			 p.nodes[0].page_size);
	json_object_set_new(with, "limits", json_integer(3));
	plan_done(&back);
	assert_int_equal(plan_from_json(with, "x", &back, &err), -EINVAL);
	assert_non_null(strstr(err.found, "limits"));
}

static void test_bad_spec(void **state)
{
	static const char value[] = "name: g\ncpus: 1\nmemory: 1G\nlimits: {page_leaf: 8K}\n";
	static const char key[] = "name: g\ncpus: 1\nmemory: 1G\nlimits: {exits: 8}\n";
	struct cv_error err = { 0 };
	struct spec s = { 0 };

	assert_int_equal(spec_parse(value, strlen(value), "t.yaml", &s, &err), -EINVAL);
	assert_string_equal(err.object, "t.yaml:4:21");
	assert_string_equal(err.found, "8K");
	assert_non_null(strstr(err.wanted, "4K, 2M or 1G"));
	assert_int_equal(spec_parse(key, strlen(key), "t.yaml", &s, &err), -EINVAL);
	assert_string_equal(err.code, "ESPEC_KEY");
	assert_non_null(strstr(err.wanted, "irqs_per_second"));
}

/* ---- /proc/interrupts ---- */

static const char interrupts[] =
	"            CPU0       CPU2       CPU3       \n"
	"   0:         44          0          0  IR-IO-APIC    2-edge      timer\n"
	"  37:          1         10 4294967295  IR-PCI-MSIX-0000:21:00.0    1-edge      eth0-rx-0\n"
	"  40:          0          0         70  IR-PCI-MSIX-0000:81:10.0    3-edge      "
	"vfio-msix[3](0000:81:10.0)\n"
	"  41:          2          5          7  IR-PCI-MSIX-0000:81:10.0    0-edge      "
	"vfio-msix[0](0000:81:10.0)\n"
	" NMI:          0          0          1   Non-maskable interrupts\n"
	" LOC:       1000       2000          3   Local timer interrupts\n"
	" PIN:          0          0         20   Posted-interrupt notification event\n"
	" ERR:          9\n"
	" MIS:          0\n";

static void test_interrupts(void **state)
{
	_cleanup_irq_counts_ struct nu_irq_counts c = { 0 };

	assert_int_equal(nu_irq_counts_parse(interrupts, &c), 0);
	assert_int_equal(cv_cpuset_count(&c.cpus), 3);
	assert_false(cv_cpuset_has(&c.cpus, 1));
	assert_int_equal(c.host[0], 44 + 1 + 1000);
	assert_int_equal(c.host[2], 10 + 2000);
	assert_int_equal(c.host[3], 3); /* 2^32 - 1 + 1 + 3 */
	assert_int_equal(c.device[3], 70 + 7 + 20);
	assert_int_equal(c.n_vectors, 2);
	assert_int_equal(c.vectors[0].number, 3);
	assert_int_equal(c.vectors[0].bdf.bus, 0x81);
	assert_int_equal(c.vectors[1].count, 14);
}

static void test_interrupts_damaged(void **state)
{
	static const char *const texts[] = {
		"",
		"\n",
		"nonsense\n",
		"   0:   44  timer\n",
		"  CPU0 CPUx\n",
		"  CPU0 CPU-1\n",
		"  CPU0\n 5 6\n",
		"  CPU0\n :5\n",
		"  CPU0\n  0: 99999999999999999999 timer\n",
		"  CPU0 CPU5000\n  0: 1 2 timer\n",
	};
	struct nu_irq_counts c = { 0 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(texts); i++)
		if (nu_irq_counts_parse(texts[i], &c) != -EINVAL)
			fail_msg("taken: %s", texts[i]);
	/* cut anywhere: refused or read, never more than that */
	for (size_t len = 0; len < sizeof(interrupts); len++) {
		_cleanup_free_ char *cut = strndup(interrupts, len);

		if (nu_irq_counts_parse(cut, &c) == 0)
			nu_irq_counts_done(&c);
	}
}

/* ---- /proc/PID/smaps ---- */

#define MAPPING(name, size, page)                                             \
	"7f0000000000-7f0020000000 rw-s 00000000 00:01 3077       " name "\n" \
	"Size:             " size " kB\n"                                     \
	"KernelPageSize:   " page " kB\n"                                     \
	"MMUPageSize:      " page " kB\n"                                     \
	"Rss:                   0 kB\n"                                       \
	"Private_Hugetlb:  " size " kB\n"                                     \
	"THPeligible:           0\n"                                          \
	"VmFlags: rd wr sh mr mw me ms de ht sd \n"

static void test_smaps(void **state)
{
	uint64_t bytes[CERTIFY_LEAVES];

	assert_int_equal(nu_smaps_parse(MAPPING("/usr/bin/qemu", "512", "4") MAPPING(
						"/memfd:guest-node0 (deleted)", "524288", "2048")
						MAPPING("/memfd:ram1 (deleted)", "4096", "2048")
							MAPPING("", "64", "4"),
					bytes),
			 0);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[1], 516ULL << 20);
	assert_int_equal(bytes[2], 0);
	assert_int_equal(nu_smaps_parse(MAPPING("/memfd:a", "2097152", "1048576")
						MAPPING("/memfd:b", "64", "64"),
					bytes),
			 0);
	assert_int_equal(bytes[0], 64 << 10);
	assert_int_equal(bytes[2], 2ULL << 30);
}

static void test_smaps_damaged(void **state)
{
	static const char whole[] = MAPPING("/memfd:a", "2048", "2048");
	uint64_t bytes[CERTIFY_LEAVES];

	assert_int_equal(nu_smaps_parse("", bytes), -ENODATA);
	assert_int_equal(nu_smaps_parse(MAPPING("[heap]", "64", "4"), bytes), -ENODATA);
	assert_int_equal(nu_smaps_parse("Size: 4 kB\n", bytes), -EINVAL);
	assert_int_equal(nu_smaps_parse(MAPPING("/memfd:a", "x", "4"), bytes), -EINVAL);
	assert_int_equal(nu_smaps_parse(MAPPING("/memfd:a", "64", "0"), bytes), -EINVAL);
	assert_int_equal(nu_smaps_parse(MAPPING("/memfd:a", "99999999999999999999999", "4"), bytes),
			 -EINVAL);
	for (size_t len = 0; len < sizeof(whole); len++) {
		_cleanup_free_ char *cut = strndup(whole, len);

		(void)nu_smaps_parse(cut, bytes);
	}
}

/* ---- /proc/TID ---- */

static void test_thread_time(void **state)
{
	static const char *const damaged[] = { "", "5", "5 6", "5 x 7", "-5 6 7" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct nu_thread_time t;
	struct fake *f;

	assert_int_equal(fake_new(&f, &root), 0);
	assert_int_equal(nu_thread_time_read(root, 12, &t), -ENOENT);
	fake_file(f, "/proc/12/schedstat", "5018623 1203 17");
	assert_int_equal(nu_thread_time_read(root, 12, &t), -ENOENT);
	fake_file(f, "/proc/12/status",
		  "Name:\tvcpu0\nvoluntary_ctxt_switches:\t88\nnonvoluntary_ctxt_switches:\t5\n");
	assert_int_equal(nu_thread_time_read(root, 12, &t), 0);
	assert_int_equal(t.ran_ns, 5018623);
	assert_int_equal(t.waited_ns, 1203);
	assert_int_equal(t.switches, 5);
	for (size_t i = 0; i < CV_ARRAY_SIZE(damaged); i++) {
		fake_file(f, "/proc/12/schedstat", damaged[i]);
		assert_int_equal(nu_thread_time_read(root, 12, &t), -EINVAL);
	}
	fake_file(f, "/proc/12/schedstat", "0 0 0");
	assert_int_equal(nu_thread_time_read(root, 12, &t), -ENODATA);
	fake_file(f, "/proc/12/schedstat", "1 2 3");
	fake_file(f, "/proc/12/status", "Name:\tvcpu0\n");
	assert_int_equal(nu_thread_time_read(root, 12, &t), -EINVAL);
}

/* ---- the judge ---- */

/* A guest with two vCPUs, 512 MiB in pages of 2 MiB, one function with 16 MiB of BARs. */
static struct plan_vcpu vcpus[] = { { .host_cpu = 2 }, { .host_cpu = 3 } };
static struct plan_device devices[] = { { .id = "nic0", .mmio32 = 16 << 20 } };
static struct plan_range ranges[] = { { PLAN_RAM, 0, 512 << 20, 0, "" },
				      { PLAN_MMIO32, 0x80000000, 1 << 30, -1, "" } };

static struct plan make_plan(void)
{
	return (struct plan){
		.name = "g",
		.backend = "native",
		.vcpus = vcpus,
		.n_vcpus = 2,
		.nodes = { { .memory = 512 << 20, .page_size = 2 << 20 } },
		.n_nodes = 1,
		.devices = devices,
		.n_devices = 1,
		.ranges = ranges,
		.n_ranges = 2,
	};
}

static const struct certify_vcpu quiet[] = {
	{ true, true, true, 1000, 5000, 70000, 3, 40, 900 },
	{ true, true, true, 10001, 0, 0, 0, 0, 0 },
};

static struct certify_found make_found(void)
{
	return (struct certify_found){
		.ms = 10000,
		.vcpus = quiet,
		.has_mapped = true,
		.has_leaves = true,
		.mapped = { 0, 512 << 20, 0 },
		.leaves = { 600, 200, 0 },
	};
}

static void judge(const struct plan_limits *l, const struct certify_found *f,
		  struct certify_rows *ret)
{
	struct plan p = make_plan();

	assert_int_equal(certify_judge(&p, l, f, ret), 0);
}

static const struct certify_row *row_of(const struct certify_rows *rows, enum plan_limit what,
					const char *object)
{
	for (size_t i = 0; i < rows->n; i++)
		if (rows->v[i].what == what && strcmp(rows->v[i].object, object) == 0)
			return &rows->v[i];
	fail_msg("no row of %s", object);
	return NULL;
}

static void test_certified(void **state)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 };
	const struct plan_limits none = { 0 };
	struct certify_found f = make_found();
	const struct certify_row *row;

	judge(&none, &f, &rows);
	assert_int_equal(rows.n, 8);
	row = row_of(&rows, PLAN_LIMIT_EXITS, "vCPU 0");
	assert_int_equal(row->measured, 100);
	assert_int_equal(row->limit, 1000);
	assert_false(row->is_given);
	/* 1000.1 per second is more than 1000 */
	row = certify_failure(&rows);
	assert_ptr_equal(row, row_of(&rows, PLAN_LIMIT_EXITS, "vCPU 1"));
	assert_int_equal(row->measured, 1001);
	row = row_of(&rows, PLAN_LIMIT_OFF_CORE, "vCPU 0");
	assert_int_equal(row->measured, 7);
	assert_string_equal(row->note, "3 times taken off its core");
	row = row_of(&rows, PLAN_LIMIT_IRQS, "vCPU 0");
	assert_int_equal(row->measured, 4);
	assert_string_equal(row->note, "CPU 2; of its devices: 90/s");
	row = row_of(&rows, PLAN_LIMIT_LEAF, "page tables of the VMM");
	assert_int_equal(row->measured, 2 << 20);
	assert_int_equal(row->verdict, CERTIFY_PASS);
}

/* One exit in an hour is more than none. */
static void test_zero(void **state)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 };
	const struct plan_limits l = { .is_given = { [PLAN_LIMIT_EXITS] = true } };
	struct certify_vcpu v[2] = { quiet[0], quiet[0] };
	struct certify_found f = make_found();

	v[0].exits = 0;
	v[1].exits = 1;
	f.vcpus = v;
	f.ms = 3600000;
	judge(&l, &f, &rows);
	assert_int_equal(row_of(&rows, PLAN_LIMIT_EXITS, "vCPU 0")->verdict, CERTIFY_PASS);
	assert_string_equal(certify_failure(&rows)->object, "vCPU 1");
	assert_true(certify_failure(&rows)->is_given);
}

/* What cannot be read fails where somebody wants to be sure. */
static void test_unknown(void **state)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 }, sure = { 0 };
	const struct certify_vcpu blind[2] = { { .exits = 1 }, { .exits = 1 } };
	const struct plan_limits none = { 0 };
	struct certify_found f = { .ms = 10, .vcpus = blind };
	struct plan_limits l = { .is_given = { [PLAN_LIMIT_LEAF] = true },
				 .value = { [PLAN_LIMIT_LEAF] = 4096 } };

	judge(&none, &f, &rows);
	assert_null(certify_failure(&rows));
	for (size_t i = 0; i < rows.n; i++)
		assert_int_equal(rows.v[i].verdict, CERTIFY_UNKNOWN);
	judge(&l, &f, &sure);
	assert_int_equal(certify_failure(&sure)->what, PLAN_LIMIT_LEAF);
	assert_false(certify_failure(&sure)->is_known);
}

static enum certify_verdict judge_leaves(uint64_t limit, uint64_t n4k, uint64_t n2m, uint64_t n1g)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 };
	const struct plan_limits l = { .is_given = { [PLAN_LIMIT_LEAF] = limit > 0 },
				       .value = { [PLAN_LIMIT_LEAF] = limit } };
	struct certify_found f = make_found();

	f.leaves[0] = n4k;
	f.leaves[1] = n2m;
	f.leaves[2] = n1g;
	judge(&l, &f, &rows);
	return row_of(&rows, PLAN_LIMIT_LEAF, "page tables of the hypervisor")->verdict;
}

/* BARs of 16 MiB, the first 2 MiB and 4 MiB of the VMM are 5632 pages; one more is the memory's. */
static void test_leaves(void **state)
{
	assert_int_equal(judge_leaves(0, 0, 200, 0), CERTIFY_PASS);
	assert_int_equal(judge_leaves(0, 5632, 200, 0), CERTIFY_PASS);
	assert_int_equal(judge_leaves(0, 5633, 200, 0), CERTIFY_FAIL);
	assert_int_equal(judge_leaves(0, 100, 0, 0), CERTIFY_FAIL); /* no large one at all */
	assert_int_equal(judge_leaves(0, 0, 0, 0), CERTIFY_UNKNOWN);
	assert_int_equal(judge_leaves(4096, 100000, 0, 0), CERTIFY_PASS);
	assert_int_equal(judge_leaves(0, 0, 0, 1), CERTIFY_PASS);
	/* of 512 MiB none can be a leaf of 1 GiB: nothing is known, and somebody wants to be sure */
	assert_int_equal(judge_leaves(1 << 30, 0, 200, 0), CERTIFY_FAIL);
}

static void test_mapped(void **state)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 };
	const struct plan_limits none = { 0 };
	struct certify_found f = make_found();
	const struct certify_row *row;

	f.mapped[0] = 8192;
	judge(&none, &f, &rows);
	row = row_of(&rows, PLAN_LIMIT_LEAF, "page tables of the VMM");
	assert_int_equal(row->verdict, CERTIFY_FAIL);
	assert_int_equal(row->measured, 4096);
	assert_string_equal(row->note, "8K in pages of 4K");
}

static void test_report(void **state)
{
	_cleanup_certify_rows_ struct certify_rows rows = { 0 };
	const struct plan_limits l = { .is_given = { [PLAN_LIMIT_EXITS] = true },
				       .value = { [PLAN_LIMIT_EXITS] = 500 } };
	struct certify_vcpu v[2] = { quiet[0], quiet[1] };
	struct certify_found f = make_found();
	struct plan p = make_plan();
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;

	v[1].has_waited = false;
	f.vcpus = v;
	assert_int_equal(certify_judge(&p, &l, &f, &rows), 0);
	j = certify_report(&p, &f, &rows);
	assert_non_null(j);
	text = cv_json_text(j);
	golden_check("certify.json", text);
}

/* ---- two looks ---- */

static json_t *counts(int exits, int irq_exits)
{
	return json_pack("[{s:i,s:{s:i,s:i,s:i}}]", "vcpu", 0, "kvm", "exits", exits, "irq_exits",
			 irq_exits, "halt_wait_ns", 7);
}

static json_t *reasons(int exits, int irq_exits)
{
	return json_pack("[{s:i,s:s,s:i},{s:i,s:s,s:i}]", "vcpu", 0, "reason", "exits", "exits",
			 exits, "vcpu", 0, "reason", "irq_exits", "exits", irq_exits);
}

static void make_look(struct look *l, int64_t ms, int exits, int irq_exits, const char *text)
{
	*l = (struct look){ .ms = ms, .is_answered = true };
	l->threads = calloc(2, sizeof(*l->threads));
	l->threads[0] = (struct look_thread){ 9, true, { 100, (uint64_t)ms, 4 } };
	l->threads[1] = (struct look_thread){ (pid_t)ms, true, { 100, 0, 0 } };
	l->answer.counts = counts(exits, irq_exits);
	l->answer.kvm_stats = reasons(exits, irq_exits);
	l->answer.vm_counts = json_pack("{s:i,s:i}", "pages_4k", 5, "pages_2m", 6);
	l->has_irqs = nu_irq_counts_parse(text, &l->irqs) == 0;
}

static void test_between(void **state)
{
	_cleanup_look_ struct look a = { 0 }, b = { 0 };
	_cleanup_json_ json_t *exits = NULL, *vectors = NULL;
	struct certify_vcpu v[2] = { 0 };
	struct certify_found f;
	struct plan p = make_plan();

	devices[0].host = (struct cv_bdf){ 0, 0x81, 0x10, 0 };
	make_look(&a, 1000, 50, 10, "  CPU2 CPU3\n LOC: 4294967290 100\n");
	make_look(&b, 3000, 90, 15,
		  "  CPU2 CPU3\n LOC: 4 50\n 7: 8 0 x vfio-msix[2](0000:81:10.0)\n"
		  " 8: 1 0 x vfio-msix[2](0000:81:10.1)\n");
	look_between(&p, &a, &b, v, &f);
	assert_int_equal(f.ms, 2000);
	assert_true(v[0].has_exits);
	assert_int_equal(v[0].exits, 40);
	assert_int_equal(v[0].waited_ns, 2000);
	assert_int_equal(v[0].irqs, 10); /* across 2^32 */
	assert_int_equal(v[0].device_irqs, 9);
	/* not counted; another thread; went back */
	assert_false(v[1].has_exits);
	assert_false(v[1].has_waited);
	assert_false(v[1].has_irqs);
	assert_false(f.has_leaves); /* pages_1g is missing */
	exits = look_exits_json(&a, &b);
	assert_int_equal(json_array_size(exits), 2);
	assert_int_equal(cv_json_int(json_array_get(exits, 1), "count", -1), 5);
	vectors = look_vectors_json(&p, &a, &b);
	assert_int_equal(json_array_size(vectors), 1);
	assert_string_equal(cv_json_str(json_array_get(vectors, 0), "device", ""), "nic0");
	assert_int_equal(cv_json_int(json_array_get(vectors, 0), "count", -1), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_spec),
		cmocka_unit_test(test_plan),
		cmocka_unit_test(test_bad_spec),
		cmocka_unit_test(test_interrupts),
		cmocka_unit_test(test_interrupts_damaged),
		cmocka_unit_test(test_smaps),
		cmocka_unit_test(test_smaps_damaged),
		cmocka_unit_test(test_thread_time),
		cmocka_unit_test(test_certified),
		cmocka_unit_test(test_zero),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_leaves),
		cmocka_unit_test(test_mapped),
		cmocka_unit_test(test_report),
		cmocka_unit_test(test_between),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
