// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest report: a small captured guest against its golden report, and requests that are wrong. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "tools/guest/guest.h"

#ifndef CARVE_SOURCE_DIR
#define CARVE_SOURCE_DIR "."
#endif

#define GOLDEN CARVE_SOURCE_DIR "/tests/golden/guest-report.json"
#define CPU "sys/devices/system/cpu/"
#define NODE "sys/devices/system/node/"
#define ROOT_PORT "sys/devices/pci0000:40/0000:40:00.0"
#define VF ROOT_PORT "/0000:41:00.0"

struct fixture_file {
	const char *path, *text;
};

static const struct fixture_file files[] = {
	{ "proc/sys/kernel/osrelease", "6.12.1\n" },
	{ "proc/cmdline", "quiet console=ttyS0\n" },
	{ "proc/iomem", "00000000-00000fff : Reserved\n"
			"00001000-0009fbff : System RAM\n"
			"00100000-3fffffff : System RAM\n"
			"  01000000-01e00000 : Kernel code\n"
			"  02000000-02ffffff : System RAM\n"
			"b0000000-bfffffff : PCI MMCONFIG 0000 [bus 00-ff]\n"
			"junk\n"
			"10000000000-101ffffffff : System RAM\n" },
	{ CPU "cpu0/topology/physical_package_id", "0\n" },
	{ CPU "cpu0/topology/die_id", "0\n" },
	{ CPU "cpu0/topology/core_id", "4\n" },
	{ CPU "cpu0/topology/thread_siblings_list", "0,10\n" },
	{ CPU "cpu0/cache/index2/level", "2\n" },
	{ CPU "cpu0/cache/index3/level", "3\n" },
	{ CPU "cpu0/cache/index3/id", "7\n" },
	{ CPU "cpu0/cache/index3/shared_cpu_list", "0,10\n" },
	{ CPU "cpu0/node1/cpulist", "0,10\n" },
	{ CPU "cpu10/topology/thread_siblings_list", "0,10\n" },
	{ CPU "cpu10/cache/index3/level", "3\n" },
	{ CPU "cpu10/cache/index3/shared_cpu_list", "0,10\n" },
	{ CPU "cpu2/online", "0\n" },
	{ CPU "cpufreq/boost", "0\n" },
	{ NODE "node1/cpulist", "0,10\n" },
	{ NODE "node1/distance", "21 10\n" },
	{ NODE "node1/meminfo", "Node 1 MemTotal:        1048576 kB\nNode 1 MemFree:  1 kB\n" },
	{ NODE "node1/hugepages/hugepages-2048kB/nr_hugepages", "5\n" },
	{ NODE "node1/hugepages/hugepages-1048576kB/nr_hugepages", "0\n" },
	{ NODE "online", "1\n" },
	{ ROOT_PORT "/vendor", "0x1b36\n" },
	{ ROOT_PORT "/device", "0x000c\n" },
	{ ROOT_PORT "/class", "0x060400\n" },
	{ ROOT_PORT "/numa_node", "1\n" },
	{ ROOT_PORT "/current_link_width", "16\n" },
	{ ROOT_PORT "/current_link_speed", "32.0 GT/s PCIe\n" },
	{ ROOT_PORT "/resource", "0x00000000fe000000 0x00000000fe000fff 0x0000000000040200\n"
				 "0x0000000000000000 0x0000000000000000 0x0000000000000000\n" },
	{ VF "/vendor", "0x8086\n" },
	{ VF "/device", "0x10ca\n" },
	{ VF "/class", "0x020000\n" },
	{ VF "/numa_node", "-1\n" },
	{ VF "/current_link_width", "0\n" },
	{ VF "/current_link_speed", "Unknown\n" },
	{ VF "/resource", "0x000000c000000000 0x000000c000003fff 0x000000000014220c\n"
			  "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			  "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
			  "0x000000c000020000 0x000000c000023fff 0x000000000014220c\n" },
	{ VF "/net/eth0/mtu", "1500\n" },
	{ "sys/class/net/eth0/address", "52:54:00:00:00:01\n" },
	{ "sys/class/net/eth0/carrier", "1\n" },
	{ "sys/bus/pci/drivers/igbvf/bind", "" },
};

static const struct fixture_file links[] = {
	{ "sys/bus/pci/devices/0000:40:00.0", "../../../devices/pci0000:40/0000:40:00.0" },
	{ "sys/bus/pci/devices/0000:41:00.0",
	  "../../../devices/pci0000:40/0000:40:00.0/0000:41:00.0" },
	{ VF "/driver", "../../../../bus/pci/drivers/igbvf" },
};

struct fixture {
	char dir[32];
	struct guest g;
};

static void make_parents(int root, const char *path)
{
	char parent[GUEST_PATH_MAX];

	for (const char *slash = strchr(path, '/'); slash; slash = strchr(slash + 1, '/')) {
		snprintf(parent, sizeof(parent), "%.*s", (int)(slash - path), path);
		assert_true(mkdirat(root, parent, 0755) == 0 || errno == EEXIST);
	}
}

static void make_file(int root, const struct fixture_file *file)
{
	ssize_t length = strlen(file->text);
	int fd;

	make_parents(root, file->path);
	fd = openat(root, file->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, file->text, length), length);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));

	assert_non_null(fixture);
	strcpy(fixture->dir, "/tmp/guest-report-XXXXXX");
	assert_non_null(mkdtemp(fixture->dir));
	fixture->g.root_fd = open(fixture->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_true(fixture->g.root_fd >= 0);
	fixture->g.modules = json_pack("{ss ss}", "igbvf", "ok", "nvme",
				       "No such file or directory");
	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		make_file(fixture->g.root_fd, &files[i]);
	for (size_t i = 0; i < ARRAY_SIZE(links); i++) {
		make_parents(fixture->g.root_fd, links[i].path);
		assert_int_equal(symlinkat(links[i].text, fixture->g.root_fd, links[i].path), 0);
	}
	*state = fixture;
	return 0;
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *walk)
{
	return remove(path);
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	close(fixture->g.root_fd);
	json_decref(fixture->g.modules);
	nftw(fixture->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	free(fixture);
	return 0;
}

static json_t *ask(void **state, const char *request)
{
	const struct fixture *fixture = *state;
	char *text = guest_answer(&fixture->g, request, request ? strlen(request) : 0);
	json_t *report;

	assert_non_null(text);
	assert_null(strchr(text, '\n'));
	report = json_loads(text, 0, NULL);
	assert_non_null(report);
	free(text);
	return report;
}

static void golden(void **state)
{
	json_t *report = ask(state, "{\"carve_request\":1,\"id\":\"a\",\"tests\":["
				    "{\"kind\":\"link\",\"bdf\":\"0000:40:00.0\"}]}");
	json_t *result = json_array_get(json_object_get(report, "tests"), 0);
	json_error_t error;
	json_t *expected = json_load_file(GOLDEN, 0, &error);

	if (!expected)
		fail_msg("%s:%d: %s", GOLDEN, error.line, error.text);
	json_object_set_new(result, "ms", json_integer(0));
	json_object_set_new(report, "base_page_kib", json_integer(4));
	if (!json_equal(report, expected)) {
		json_dumpf(report, stderr, JSON_INDENT(2));
		fail_msg("the report differs from %s", GOLDEN);
	}
	json_decref(expected);
	json_decref(report);
}

static void refused_requests(void **state)
{
	static const struct {
		const char *request, *text;
	} cases[] = {
		{ "", "not JSON" },
		{ "nonsense", "not JSON" },
		{ "{\"carve_request\":1", "not JSON" },
		{ "{\"carve_request\":1,\"carve_request\":1}", "duplicate" },
		{ "[]", "no number carve_request" },
		{ "{\"carve_request\":\"1\"}", "no number carve_request" },
		{ "{\"carve_request\":2}", "version 2" },
		{ "{\"carve_request\":1,\"tests\":{}}", "array" },
		{ NULL, "longer" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *report = ask(state, cases[i].request);
		const char *error = json_string_value(json_object_get(report, "error"));

		assert_int_equal(json_integer_value(json_object_get(report, "carve_guest_report")),
				 1);
		assert_non_null(error);
		assert_non_null(strstr(error, cases[i].text));
		assert_null(json_object_get(report, "cpus"));
		json_decref(report);
	}
}

static void failing_tests(void **state)
{
	static const char *const tests[] = {
		"1",
		"{}",
		"{\"kind\":\"link\"}",
		"{\"kind\":\"link\",\"bdf\":\"../../class\"}",
		"{\"kind\":\"link\",\"bdf\":\"0000:99:00.0\"}",
		"{\"kind\":\"link\",\"bdf\":\"0000:40:00.0\",\"timeout_ms\":-1}",
		"{\"kind\":\"magic\",\"bdf\":\"0000:40:00.0\"}",
		"{\"kind\":\"edu-dma\",\"bdf\":\"0000:40:00.0\"}",
		"{\"kind\":\"edu-dma\",\"bdf\":\"0000:40:00.0\",\"bytes\":4097}",
		"{\"kind\":\"nvme-pattern\",\"bdf\":\"0000:40:00.0\",\"bytes\":0}",
		"{\"kind\":\"ping\",\"bdf\":\"0000:40:00.0\",\"address\":\"192.0.2.2\"}",
		"{\"kind\":\"ping\",\"bdf\":\"0000:40:00.0\",\"address\":\"192.0.2.2/24\",\"peer\":\"x\"}",
		"{\"kind\":\"ping\",\"bdf\":\"0000:40:00.0\",\"address\":\"192.0.2.2/24\","
		"\"peer\":\"192.0.2.1\",\"timeout_ms\":1}",
		"{\"kind\":\"mac\",\"bdf\":\"0000:41:00.0\"}",
		"{\"kind\":\"mac\",\"bdf\":\"0000:41:00.0\",\"mac\":\"52:54:00:00:00:02\"}",
		"{\"kind\":\"nvme-write\",\"bdf\":\"0000:40:00.0\"}",
		"{\"kind\":\"nvme-write\",\"bdf\":\"0000:40:00.0\",\"offset\":512}",
		"{\"kind\":\"nvme-write\",\"bdf\":\"0000:40:00.0\",\"offset\":0,\"bytes\":0}",
		"{\"kind\":\"disk-write\",\"bdf\":\"0000:40:00.0\",\"offset\":100}",
		"{\"kind\":\"silence\",\"bdf\":\"0000:41:00.0\",\"address\":\"192.0.2.2\"}",
		"{\"kind\":\"program\",\"bdf\":\"0000:41:00.0\",\"argv\":[\"/a\"]}",
		"{\"kind\":\"program\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\",\"argv\":[]}",
		"{\"kind\":\"program\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\",\"argv\":[1]}",
		"{\"kind\":\"program\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\",\"argv\":[\"/a\"]}",
		"{\"kind\":\"share-read\",\"bdf\":\"0000:41:00.0\",\"file\":\"a\"}",
		"{\"kind\":\"share-read\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\"}",
		"{\"kind\":\"share-read\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\",\"file\":\"../a\"}",
		"{\"kind\":\"share-write\",\"bdf\":\"0000:41:00.0\",\"tag\":\"t\",\"file\":\"a\","
		"\"bytes\":12}",
		"{\"kind\":\"silence\",\"bdf\":\"0000:41:00.0\",\"address\":\"192.0.2.2\","
		"\"peer\":\"192.0.2.1\",\"peer_mac\":\"52:54\"}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(tests); i++) {
		char request[GUEST_TEXT_MAX];
		json_t *report, *result;

		snprintf(request, sizeof(request), "{\"carve_request\":1,\"tests\":[%s]}",
			 tests[i]);
		report = ask(state, request);
		result = json_array_get(json_object_get(report, "tests"), 0);
		assert_true(json_is_false(json_object_get(result, "ok")));
		assert_true(strlen(json_string_value(json_object_get(result, "detail"))) > 0);
		json_decref(report);
	}
}

static void mac_of_interface(void **state)
{
	json_t *report = ask(state, "{\"carve_request\":1,\"tests\":[{\"kind\":\"mac\",\"bdf\":"
				    "\"0000:41:00.0\",\"mac\":\"52:54:00:00:00:01\"}]}");
	json_t *result = json_array_get(json_object_get(report, "tests"), 0);

	assert_true(json_is_true(json_object_get(result, "ok")));
	assert_string_equal(json_string_value(json_object_get(result, "net")), "eth0");
	assert_string_equal(json_string_value(json_object_get(result, "mac")), "52:54:00:00:00:01");
	json_decref(report);
}

static void strict_parsers(void **state)
{
	uint64_t value = 1;
	uint8_t mac[6];

	assert_int_equal(guest_parse_uint("0", 10, &value), 0);
	assert_int_equal(value, 0);
	assert_int_equal(guest_parse_uint("18446744073709551615", 10, &value), 0);
	assert_true(value == UINT64_MAX);
	assert_int_equal(guest_parse_uint("18446744073709551616", 10, &value), -ERANGE);
	assert_int_equal(guest_parse_uint("0xff", 16, &value), 0);
	assert_int_equal(value, 255);
	assert_int_equal(guest_parse_uint("", 10, &value), -EINVAL);
	assert_int_equal(guest_parse_uint("0x", 16, &value), -EINVAL);
	assert_int_equal(guest_parse_uint("-1", 10, &value), -EINVAL);
	assert_int_equal(guest_parse_uint("1 ", 10, &value), -EINVAL);
	assert_true(guest_is_bdf("0000:41:1f.7"));
	assert_false(guest_is_bdf("0000:41:1F.7"));
	assert_false(guest_is_bdf("0000:41:1f.8"));
	assert_false(guest_is_bdf("41:1f.7"));
	assert_false(guest_is_bdf(NULL));
	assert_int_equal(guest_parse_mac("02:ca:00:00:0A:1f", mac), 0);
	assert_memory_equal(mac, "\x02\xca\x00\x00\x0a\x1f", sizeof(mac));
	assert_int_equal(guest_parse_mac("02:ca:00:00:0a:1", mac), -EINVAL);
	assert_int_equal(guest_parse_mac("02:ca:00:00-0a:1f", mac), -EINVAL);
	assert_int_equal(guest_parse_mac("02:ca:00:00:0a:1g", mac), -EINVAL);
	assert_int_equal(guest_parse_mac(NULL, mac), -EINVAL);
}

static void sha256_vectors(void **state)
{
	assert_int_equal(guest_sha256_selftest(), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(golden, setup, teardown),
		cmocka_unit_test_setup_teardown(refused_requests, setup, teardown),
		cmocka_unit_test_setup_teardown(failing_tests, setup, teardown),
		cmocka_unit_test_setup_teardown(mac_of_interface, setup, teardown),
		cmocka_unit_test(strict_parsers),
		cmocka_unit_test(sha256_vectors),
	};

	return cmocka_run_group_tests_name("guest_report", tests, NULL, NULL);
}
