// SPDX-License-Identifier: GPL-2.0-or-later
/* Specs and site files: values, and every refusal with its place (tests/golden/spec). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/source.h"
#include "plan/spec.h"
#include "plan/value.h"

#define GOLDEN CARVE_SOURCE_DIR "/tests/golden/spec"
#define EXAMPLES CARVE_SOURCE_DIR "/examples"

static int parse(const char *text, struct spec *ret, struct cv_error *err)
{
	return spec_parse(text, strlen(text), "t.yaml", ret, err);
}

static char *read_text(const char *dir, const char *name, size_t *ret_len)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_fclose_ FILE *f = NULL;
	char path[4096];
	size_t size = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "re");
	if (!f)
		return NULL;
	n = getdelim(&text, &size, '\0', f);
	*ret_len = n < 0 ? 0 : (size_t)n;
	return n < 0 ? strdup("") : TAKE_PTR(text);
}

/* The fields of an error, one per line: what a golden .err file holds. */
static char *error_text(const struct cv_error *e)
{
	char *text = NULL;
	int len = asprintf(&text,
			   "code: %s\nobject: %s\nwhat: %s\nfound: %s\nwanted: %s\nhint: %s\n",
			   e->code, e->object, e->what, e->found, e->wanted, e->hint);

	assert_true(len > 0);
	return text;
}

static int parse_file(const char *dir, const char *name, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_site_ struct site site;
	_cleanup_spec_ struct spec spec = { 0 };
	size_t len = 0;

	site_default(&site);
	text = read_text(dir, name, &len);
	assert_non_null(text);
	if (!strncmp(name, "site-", 5) || !strcmp(name, "carve.yaml"))
		return site_parse(text, len, name, &site, err);
	return spec_parse(text, len, name, &spec, err);
}

static void write_golden(const char *name, const char *text)
{
	_cleanup_fclose_ FILE *f = NULL;
	char path[4096];

	snprintf(path, sizeof(path), GOLDEN "/%s", name);
	f = fopen(path, "we");
	assert_non_null(f);
	fputs(text, f);
}

/* NAME.yaml is refused with the message in NAME.err, or taken when there is none. With
 * CARVE_GOLDEN_UPDATE=1 the messages are written instead of compared. */
static void check_golden(const char *name)
{
	_cleanup_free_ char *want = NULL, *found = NULL;
	struct cv_error err = { 0 };
	int rc = parse_file(GOLDEN, name, &err);
	char err_name[256];
	size_t len;

	snprintf(err_name, sizeof(err_name), "%.*s.err", (int)strlen(name) - 5, name);
	want = read_text(GOLDEN, err_name, &len);
	found = error_text(&err);
	if (rc && getenv("CARVE_GOLDEN_UPDATE")) {
		write_golden(err_name, found);
		return;
	}
	if (!rc && want)
		fail_msg("%s is taken, but there is %s", name, err_name);
	if (rc && !want)
		fail_msg("%s is refused, and there is no %s:\n%s", name, err_name, found);
	if (rc) {
		assert_string_equal(found, want);
		assert_int_equal(err.err, rc);
		assert_int_equal(err.exit, CV_EXIT_USAGE);
	}
}

static bool is_yaml(const char *name)
{
	size_t len = strlen(name);

	return len > 5 && !strcmp(name + len - 5, ".yaml");
}

static void test_golden(void **state)
{
	DIR *d = opendir(GOLDEN);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		if (!is_yaml(e->d_name))
			continue;
		check_golden(e->d_name);
		n++;
	}
	closedir(d);
	assert_true(n > 60);
}

static void test_examples(void **state)
{
	DIR *d = opendir(EXAMPLES);
	int n = 0;

	assert_non_null(d);
	for (struct dirent *e; (e = readdir(d));) {
		struct cv_error err = { 0 };

		if (!is_yaml(e->d_name))
			continue;
		if (parse_file(EXAMPLES, e->d_name, &err))
			fail_msg("%s: %s: %s", e->d_name, err.object, err.what);
		n++;
	}
	closedir(d);
	assert_true(n >= 6);
}

static void test_defaults(void **state)
{
	_cleanup_spec_ struct spec s = { 0 };

	assert_int_equal(parse("name: g\ncpus: 3\nmemory: 64M\n", &s, NULL), 0);
	assert_string_equal(s.name, "g");
	assert_string_equal(s.origin, "t.yaml");
	assert_int_equal(s.cpus, 3);
	assert_int_equal(s.smt, SPEC_SMT_SIBLINGS);
	assert_int_equal(s.memory, 64 << 20);
	assert_int_equal(s.page_size, 0); /* the site's */
	assert_int_equal(s.n_nodes + s.n_devices, 0);
	assert_int_equal(s.split, SPEC_SPLIT_EVEN);
	assert_int_equal(s.l3_ways + s.memory_bandwidth + s.rt_priority, 0);
	assert_null(s.kernel);
	assert_string_equal(s.backend, "");
	assert_string_equal(s.hypervisor, "");
}

static void check_all_devices(const struct spec *s)
{
	const struct spec_device *d = s->devices;

	assert_int_equal(s->n_devices, 3);
	assert_string_equal(d[0].id, "nic");
	assert_int_equal(d[0].select, SPEC_BY_VF);
	assert_true(d[0].has_pf && d[0].has_mac);
	assert_int_equal(d[0].pf.bus, 0x65);
	assert_int_equal(d[0].pf.fn, 1);
	assert_int_equal(d[0].mac[5], 1);
	assert_int_equal(d[0].vlan, 4094);
	assert_string_equal(d[1].id, "dev1");
	assert_int_equal(d[1].select, SPEC_BY_BDF);
	assert_int_equal(d[1].bdf.domain, 0x10000);
	assert_string_equal(d[1].near, "nic");
	assert_int_equal(d[1].accept,
			 SPEC_ACCEPT_NO_RESET | SPEC_ACCEPT_SHARED_GROUP | SPEC_ACCEPT_NO_INTREMAP);
	assert_int_equal(d[2].select, SPEC_BY_CLASS);
	assert_string_equal(d[2].class, "gpu");
}

static void check_all_disks(const struct spec *s)
{
	assert_int_equal(s->n_disks, 2);
	assert_string_equal(s->disks[0].path, "/srv/all.img");
	assert_string_equal(s->disks[0].serial, "ABCdef.0123456_+-xyz");
	assert_true(s->disks[0].has_discard && !s->disks[0].is_readonly);
	assert_string_equal(s->disks[1].path, "/dev/vg0/data");
	assert_string_equal(s->disks[1].serial, "");
	assert_true(s->disks[1].is_readonly && !s->disks[1].has_discard);
}

static void check_all_nets(const struct spec *s)
{
	const struct spec_net *n = s->nets;

	assert_int_equal(s->n_nets, 4);
	assert_string_equal(n[0].id, "lan");
	assert_int_equal(n[0].kind, SPEC_NET_BRIDGE);
	assert_string_equal(n[0].to, "br0");
	assert_true(n[0].has_mac && n[0].mac[0] == 0x52 && n[0].mac[5] == 0x56);
	assert_int_equal(n[0].mtu, 65521);
	assert_int_equal(n[0].queues, 16);
	assert_string_equal(n[1].id, "net1");
	assert_int_equal(n[1].kind, SPEC_NET_OVS);
	assert_string_equal(n[1].to, "a-15-byte-name.");
	assert_int_equal(n[1].vlan, 4094);
	assert_int_equal(n[1].mtu, 68);
	assert_false(n[1].has_mac);
	assert_int_equal(n[1].queues, 0);
	assert_int_equal(n[2].kind, SPEC_NET_PASST);
	assert_string_equal(n[2].to, "");
	assert_int_equal(n[2].n_forwards, 2);
	assert_false(n[2].forwards[0].is_udp);
	assert_int_equal(n[2].forwards[0].host, 65535);
	assert_int_equal(n[2].forwards[0].guest, 1);
	assert_true(n[2].forwards[1].is_udp);
	assert_int_equal(n[3].kind, SPEC_NET_VHOST_USER);
	assert_string_equal(n[3].to, "/run/a,b.sock");
}

static void check_all_shares(const struct spec *s)
{
	assert_int_equal(s->n_shares, 2);
	assert_string_equal(s->shares[0].path, "/scratch/project/");
	assert_string_equal(s->shares[0].tag, "project");
	assert_true(s->shares[0].is_readonly);
	assert_string_equal(s->shares[1].path, "/");
	assert_string_equal(s->shares[1].tag, "a-tag.of_36+characters-is-just-right");
	assert_false(s->shares[1].is_readonly);
}

static void test_vsock(void **state)
{
	_cleanup_spec_ struct spec a = { 0 }, b = { 0 }, none = { 0 };

	assert_int_equal(parse("name: g\ncpus: 1\nmemory: 1G\nvsock: auto\n", &a, NULL), 0);
	assert_true(a.has_vsock);
	assert_int_equal(a.vsock_cid, 0);
	assert_int_equal(parse("name: g\ncpus: 1\nmemory: 1G\nvsock: 3\n", &b, NULL), 0);
	assert_true(b.has_vsock);
	assert_int_equal(b.vsock_cid, 3);
	assert_int_equal(parse("name: g\ncpus: 1\nmemory: 1G\n", &none, NULL), 0);
	assert_false(none.has_vsock);
}

static void test_all_keys(void **state)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_spec_ struct spec s = { 0 };
	size_t len = 0;

	text = read_text(GOLDEN, "good-all.yaml", &len);
	assert_int_equal(spec_parse(text, len, "good-all.yaml", &s, NULL), 0);
	assert_string_equal(s.user, "hpc");
	assert_int_equal(s.smt, SPEC_SMT_ONE_PER_CORE);
	assert_int_equal(s.page_size, 1 << 30);
	assert_int_equal(s.n_nodes, 2);
	assert_int_equal(s.nodes[0], 1);
	assert_string_equal(s.kernel, "/boot/vmlinuz");
	assert_string_equal(s.initrd, "/boot/initrd.img");
	assert_string_equal(s.cmdline, "");
	assert_string_equal(s.backend, "qemu");
	assert_string_equal(s.hypervisor, "/dev/carve");
	check_all_devices(&s);
	check_all_disks(&s);
	check_all_nets(&s);
	check_all_shares(&s);
	assert_true(s.has_vsock && s.vsock_cid == 0xfffffffe);
}

static void test_split_cache_and_p2p(void **state)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_spec_ struct spec s = { 0 };
	size_t len = 0;

	text = read_text(GOLDEN, "good-split.yaml", &len);
	assert_int_equal(spec_parse(text, len, "good-split.yaml", &s, NULL), 0);
	assert_int_equal(s.split, SPEC_SPLIT_DEVICES);
	assert_int_equal(s.l3_ways, 4);
	assert_int_equal(s.memory_bandwidth, 50);
	assert_int_equal(s.rt_priority, 98);
	assert_true(s.devices[0].p2p && s.devices[1].p2p);
}

static void test_refused_writes_nothing(void **state)
{
	struct spec s = { .cpus = 77 };
	struct cv_error err = { 0 };

	assert_int_equal(parse("name: g\ncpus: 1\nmemory: 3M\npage_size: 2M\n", &s, &err), -EINVAL);
	assert_int_equal(s.cpus, 77);
	assert_string_equal(err.object, "t.yaml:3:9");
	assert_int_equal(parse("version: 2\n", &s, &err), -EPROTONOSUPPORT);
	assert_int_equal(err.err, -EPROTONOSUPPORT);
}

static void test_limits(void **state)
{
	size_t len = SOURCE_MAX_BYTES + 1;
	_cleanup_free_ char *text = calloc(1, len + 1);
	struct cv_error err = { 0 };
	struct spec s = { 0 };

	memset(text, '#', len);
	assert_int_equal(spec_parse(text, len, "t.yaml", &s, &err), -EINVAL);
	assert_string_equal(err.what, "the file is too large");

	memcpy(text, "nodes: [", 8);
	for (size_t i = 8; i + 1 < 40000; i += 2)
		memcpy(text + i, "1,", 2);
	assert_int_equal(spec_parse(text, 40000, "t.yaml", &s, &err), -EINVAL);
	assert_string_equal(err.what, "more than 8192 values in one file");
}

static void test_long_origin(void **state)
{
	char origin[600];
	struct cv_error err = { 0 };
	struct spec s = { 0 };

	memset(origin, 'x', sizeof(origin));
	strcpy(origin + sizeof(origin) - 8, "/s.yaml");
	assert_int_equal(spec_parse("cpus: 1", 7, origin, &s, &err), -EINVAL);
	assert_non_null(strstr(err.object, "/s.yaml:1:1"));
}

static void test_site_overrides(void **state)
{
	static const char first[] = "boot: {kernel: /k1, initrd: /i1, cmdline: a}\nlock_wait: 7\n";
	static const char second[] = "boot: {kernel: /k2}\nnode: {housekeeping_cores: 3}\n";
	static const char bad[] = "lock_wait: 1\nboot: {kernel: /k3}\nvm_defaults: {backend: x}\n";
	_cleanup_site_ struct site s;

	site_default(&s);
	assert_int_equal(s.housekeeping, 1);
	assert_string_equal(s.backend, "native");
	assert_int_equal(site_parse(first, strlen(first), "1", &s, NULL), 0);
	assert_int_equal(site_parse(second, strlen(second), "2", &s, NULL), 0);
	assert_int_equal(site_parse(bad, strlen(bad), "3", &s, NULL), -EINVAL);
	assert_string_equal(s.kernel, "/k2");
	assert_null(s.initrd);
	assert_string_equal(s.cmdline, "a");
	assert_int_equal(s.lock_wait_s, 7);
	assert_int_equal(s.housekeeping, 3);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "devices", "memory", "net", "mac", NULL };

	assert_string_equal(value_nearest("device", words), "devices");
	assert_string_equal(value_nearest("mempry", words), "memory");
	assert_string_equal(value_nearest("nets", words), "net");
	assert_null(value_nearest("quux", words));
	assert_null(value_nearest("", words));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden),
		cmocka_unit_test(test_examples),
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_vsock),
		cmocka_unit_test(test_all_keys),
		cmocka_unit_test(test_split_cache_and_p2p),
		cmocka_unit_test(test_refused_writes_nothing),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_origin),
		cmocka_unit_test(test_site_overrides),
		cmocka_unit_test(test_nearest),
	};

	return cmocka_run_group_tests_name("spec", tests, NULL, NULL);
}
