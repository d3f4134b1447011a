// SPDX-License-Identifier: GPL-2.0-or-later
/* Tap interfaces of guests: what steps say, what is refused, and a real one in a network namespace. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/steps.h"
#include "sriov/tap.h"
#include "tests/fake/fake_sysroot.h"

#define TAP "cv0123abcd-0"
#define BRIDGE "user=0 bridge=br0 vlan=0 mtu=0 queues=1"

/* ---- the text of a step ---- */

static void parse(void **state)
{
	struct sr_tap t;

	(void)state;
	assert_int_equal(
		sr_tap_parse(TAP, "user=alice bridge=br-x vlan=0 mtu=9000 queues=4", &t, NULL), 0);
	assert_string_equal(t.name, TAP);
	assert_string_equal(t.user, "alice");
	assert_string_equal(t.bridge, "br-x");
	assert_false(t.is_ovs);
	assert_int_equal(t.mtu, 9000);
	assert_int_equal(t.queues, 4);
	assert_int_equal(sr_tap_parse(TAP, "user=a ovs=br1 vlan=4094 mtu=0 queues=1", &t, NULL), 0);
	assert_true(t.is_ovs);
	assert_int_equal(t.vlan, 4094);
}

static void parse_refuses(void **state)
{
	static const struct {
		const char *object, *value;
	} rows[] = {
		{ "a-name-of-sixteen", BRIDGE },
		{ "..", BRIDGE },
		{ "a/b", BRIDGE },
		{ TAP, "" },
		{ TAP, "bridge=br0 vlan=0 mtu=0 queues=1" },
		{ TAP, "user=0 vlan=0 mtu=0 queues=1" },
		{ TAP, "user=0 bridge=../x vlan=0 mtu=0 queues=1" },
		{ TAP, "user=0 bridge=br0 vlan=5 mtu=0 queues=1" }, /* only Open vSwitch has tags */
		{ TAP, "user=0 ovs=br0 vlan=4095 mtu=0 queues=1" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=67 queues=1" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=65522 queues=1" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=0 queues=0" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=0 queues=17" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=0 queues=1 x=1" },
		{ TAP, "user=0 bridge=br0 vlan=0 mtu=0 queues" },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		struct cv_error err = { 0 };
		struct sr_tap t;

		assert_int_equal(sr_tap_parse(rows[i].object, rows[i].value, &t, &err), -EINVAL);
		assert_string_equal(err.code, "BAD_TAP");
	}
}

/* ---- a host that is not this one ---- */

static struct cv_step_env env_of(struct cv_sysroot *root)
{
	return (struct cv_step_env){ .root = root, .vm = "demo", .deadline_ms = 10000 };
}

static void expect_record(struct cv_sysroot *root, int wanted, const char *code, const char *found)
{
	struct cv_step_env env = env_of(root);
	struct cv_error err = { 0 };
	json_t *prior = NULL;

	assert_int_equal(sr_step_tap.record(&env, TAP, BRIDGE, &prior, &err), wanted);
	assert_null(prior);
	assert_string_equal(err.code, code);
	assert_non_null(strstr(err.found, found));
}

/* What is wrong is said; and nothing is made where only a picture of a host is. */
static void record_refuses(void **state)
{
	struct cv_sysroot *root = NULL;
	struct fake *f = NULL;

	(void)state;
	assert_int_equal(fake_new(&f, &root), 0);
	fake_dir(f, "/sys/class/net");
	expect_record(root, -ENODEV, "NO_BRIDGE", "no such interface");
	fake_file(f, "/sys/class/net/br0/mtu", "1500");
	expect_record(root, -ENODEV, "NO_BRIDGE", "no bridge");
	fake_dir(f, "/sys/class/net/br0/bridge");
	expect_record(root, -EOPNOTSUPP, "EOPNOTSUPP", "");
	fake_file(f, "/sys/class/net/" TAP "/ifalias", "somebody's");
	expect_record(root, -EEXIST, "TAP_EXISTS", "somebody's");
	cv_sysroot_close(root);
}

static int revert(struct cv_sysroot *root, struct cv_error *err)
{
	_cleanup_json_ json_t *prior = json_pack("{ss}", "mark", "carve:demo");
	struct cv_step_env env = env_of(root);

	return sr_step_tap.revert(&env, TAP, BRIDGE, prior, err);
}

static void revert_leaves_others(void **state)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	struct cv_sysroot *root = NULL;
	struct fake *f = NULL;
	struct cv_error err = { 0 };

	(void)state;
	assert_int_equal(fake_new(&f, &root), 0);
	fake_dir(f, "/run/carve/vm/demo");
	assert_int_equal(revert(root, &err), 0);
	fake_file(f, "/sys/class/net/" TAP "/ifalias", "carve:other");
	fake_file(f, "/sys/class/net/" TAP "/ifindex", "7");
	before = fake_dump_host(f);
	assert_int_equal(revert(root, &err), 0);
	after = fake_dump_host(f);
	assert_string_equal(before, after);
	/* one with our mark would be deleted, but not in a picture */
	fake_file(f, "/sys/class/net/" TAP "/ifalias", "carve:demo");
	assert_int_equal(revert(root, &err), -EOPNOTSUPP);
	cv_sysroot_close(root);
}

/* ---- a namespace of our own ---- */

static bool is_inside; /* this process has entered it */

static bool write_text(const char *path, const char *text)
{
	_cleanup_close_ int fd = open(path, O_WRONLY | O_CLOEXEC);

	return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
}

static bool enter_user(void)
{
	uid_t uid = getuid();
	char map[32];

	if (uid == 0)
		return unshare(CLONE_NEWNET | CLONE_NEWNS) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0)
		return false;
	snprintf(map, sizeof(map), "0 %u 1", uid);
	return write_text("/proc/self/uid_map", map);
}

static bool make_bridge(const char *name)
{
	_cleanup_close_ int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	return fd >= 0 && ioctl(fd, SIOCBRADDBR, name) == 0;
}

/* Its own interfaces, seen in its own /sys; nothing of this machine's /run is written. */
static bool enter_namespace(void)
{
	return enter_user() && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("sysfs", "/sys", "sysfs", 0, NULL) == 0 &&
	       mount("tmpfs", "/run", "tmpfs", 0, NULL) == 0 &&
	       access("/dev/net/tun", R_OK | W_OK) == 0 && make_bridge("br0");
}

static void read_net(struct cv_sysroot *root, const char *ifname, const char *attribute,
		     char buf[64])
{
	assert_int_equal(sr_net_read(root, ifname, attribute, buf, 64), 0);
}

static json_t *make(struct cv_sysroot *root, const char *value)
{
	struct cv_step_env env = env_of(root);
	struct cv_error err = { 0 };
	json_t *prior = NULL;
	int r = sr_step_tap.record(&env, TAP, value, &prior, &err);

	r = r ?: sr_step_tap.apply(&env, TAP, value, prior, &err);
	if (r < 0)
		fail_msg("%s: %s (%s)", err.object, err.what, err.found);
	return prior;
}

static void check_made(struct cv_sysroot *root)
{
	char text[64];

	read_net(root, TAP, "ifalias", text);
	assert_string_equal(text, "carve:demo");
	read_net(root, TAP, "mtu", text);
	assert_string_equal(text, "9000");
	read_net(root, TAP, "address", text);
	assert_memory_equal(text, "fe:ff:ff:", 9);
	assert_true(cv_exists(root, "/sys/class/net/br0/brif/" TAP));
}

/* The queues that a VMM gets. */
static void check_queues(struct cv_sysroot *root, unsigned int n)
{
	int fds[4];

	for (unsigned int i = 0; i < n; i++) {
		fds[i] = cv_open(root, "/dev/net/tun", O_RDWR | O_CLOEXEC, 0);
		assert_true(fds[i] >= 0);
		assert_int_equal(sr_tap_open(fds[i], TAP, n), 0);
	}
	for (unsigned int i = 0; i < n; i++)
		close(fds[i]);
}

static void real_one(void **state)
{
	static const char value[] = "user=0 bridge=br0 vlan=0 mtu=9000 queues=2";
	struct cv_error err = { 0 };
	struct cv_sysroot *root = NULL;
	char before[64], after[64];
	json_t *prior;

	(void)state;
	if (!enter_namespace()) {
		print_message("SKIP: no network namespace with a bridge and /dev/net/tun: modprobe "
			      "tun bridge; sysctl kernel.unprivileged_userns_clone=1\n");
		skip();
	}
	is_inside = true;
	assert_int_equal(cv_sysroot_open("/", &root, &err), 0);
	assert_int_equal(cv_mkdir_p(root, "/run/carve/vm/demo", 0755), 0);
	read_net(root, "br0", "address", before);
	prior = make(root, value);
	check_made(root);
	check_queues(root, 2);
	assert_true(sr_net_exists(root, TAP)); /* it stays when nobody has it open */
	read_net(root, "br0", "address", after);
	assert_string_equal(before, after);
	expect_record(root, -EEXIST, "TAP_EXISTS", "carve:demo");
	assert_int_equal(revert(root, &err), 0);
	assert_false(sr_net_exists(root, TAP));
	assert_int_equal(revert(root, &err), 0);
	read_net(root, "br0", "address", after);
	assert_string_equal(before, after);
	read_net(root, "br0", "mtu", after);
	assert_string_equal(after, "1500");
	json_decref(prior);
	cv_sysroot_close(root);
}

#define SHELL_QUIET " >/dev/null 2>&1"
#define VSCTL "ovs-vsctl --timeout=20 "

static bool shell(const char *command)
{
	return system(command) == 0;
}

/* In the namespace that the test before entered, all its files in that one's /run. */
static bool start_ovs(void)
{
	return is_inside &&
	       shell("{ mkdir /run/openvswitch && ovsdb-tool create /run/ovs.db "
		     "/usr/share/openvswitch/vswitch.ovsschema && "
		     "ovsdb-server /run/ovs.db --remote=punix:/run/openvswitch/db.sock "
		     "--pidfile=/run/ovs1.pid --unixctl=/run/ovs1.ctl --detach "
		     "--log-file=/run/ovs1.log && " VSCTL "--no-wait init && "
		     "ovs-vswitchd --pidfile=/run/ovs2.pid --unixctl=/run/ovs2.ctl --detach "
		     "--log-file=/run/ovs2.log && " VSCTL "add-br br1 -- "
		     "set bridge br1 datapath_type=netdev; }" SHELL_QUIET);
}

static void stop_ovs(void)
{
	(void)shell("kill $(cat /run/ovs2.pid /run/ovs1.pid)" SHELL_QUIET);
}

static void expect_owner(const char *wanted)
{
	char owner[64];

	assert_int_equal(sr_ovs_owner(TAP, 10000, owner, NULL), 0);
	assert_string_equal(owner, wanted);
}

static void refused_ports(struct cv_sysroot *root)
{
	struct cv_step_env env = env_of(root);
	struct cv_error err = { 0 };
	struct sr_tap t;

	assert_int_equal(sr_tap_parse(TAP, "user=0 ovs=br2 vlan=0 mtu=0 queues=1", &t, NULL), 0);
	assert_int_equal(sr_tap_check(&env, &t, &err), -ENODEV);
	assert_string_equal(err.code, "NO_BRIDGE");
	assert_true(shell(VSCTL "--no-wait add-port br1 " TAP SHELL_QUIET));
	snprintf(t.bridge, sizeof(t.bridge), "br1");
	assert_int_equal(sr_tap_check(&env, &t, &err), -EEXIST);
	assert_string_equal(err.code, "TAP_EXISTS");
	assert_true(shell(VSCTL "del-port " TAP SHELL_QUIET));
}

static void real_ovs(void **state)
{
	static const char value[] = "user=0 ovs=br1 vlan=100 mtu=0 queues=1";
	struct cv_step_env env;
	struct cv_error err = { 0 };
	struct cv_sysroot *root = NULL;
	json_t *prior;

	(void)state;
	if (!start_ovs()) {
		stop_ovs();
		print_message("SKIP: Open vSwitch does not start in a namespace: apt-get install "
			      "openvswitch-switch, and run it as root\n");
		skip();
	}
	assert_int_equal(cv_sysroot_open("/", &root, &err), 0);
	env = env_of(root);
	expect_owner("");
	refused_ports(root);
	prior = make(root, value);
	expect_owner("demo");
	assert_true(shell("test \"$(" VSCTL "get Port " TAP " tag)\" = 100"));
	assert_int_equal(sr_step_tap.revert(&env, TAP, value, prior, &err), 0);
	assert_false(sr_net_exists(root, TAP));
	expect_owner("");
	json_decref(prior);
	cv_sysroot_close(root);
	stop_ovs();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(parse),	  cmocka_unit_test(parse_refuses),
		cmocka_unit_test(record_refuses), cmocka_unit_test(revert_leaves_others),
		cmocka_unit_test(real_one), /* it moves this process, */
		cmocka_unit_test(real_ovs), /* and this goes on there */
	};

	return cmocka_run_group_tests_name("tap", tests, NULL, NULL);
}
