// SPDX-License-Identifier: GPL-2.0-or-later
/* Networks, shares and vsock of guests: what plans say of them, and what two guests cannot both have. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"
#include "plan/name_hash.h"
#include "plan/placement.h"
#include "plan_cases.h"

/* Published test vectors of FNV-1a, 64 bits. */
static void hash(void **state)
{
	char mac[CV_MAC_MAX];

	(void)state;
	assert_true(name_hash("") == 0xcbf29ce484222325ULL);
	assert_true(name_hash("a") == 0xaf63dc4c8601ec8cULL);
	assert_true(name_hash("foobar") == 0x85944171f73967e8ULL);
	name_mac(0x52, "foo", "bar", mac);
	assert_int_equal(strncmp(mac, "52:", 3), 0);
	assert_int_equal(strlen(mac), 17);
}

/* No slot of bus 0 twice, and none that a backend uses for something else. */
static void slots(void **state)
{
	static const unsigned int used[] = { PLAN_NET_SLOT, PLAN_SHARE_SLOT, PLAN_VSOCK_SLOT };

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(used); i++) {
		assert_true(used[i] >= 8 + PLAN_MAX_NODES && used[i] < 31);
		for (size_t k = 0; k < PLAN_MAX_DISKS; k++)
			assert_int_not_equal(used[i], plan_disk_slot(k));
		for (size_t k = 0; k < i; k++)
			assert_int_not_equal(used[i], used[k]);
	}
}

static void of_the_plan(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	plan_case("networks", &p);
	assert_int_equal(p.n_nets, 4);
	assert_int_equal(strlen(p.nets[0].tap), 12);
	assert_int_equal(strncmp(p.nets[0].tap, p.nets[1].tap, 11), 0);
	assert_int_equal(p.nets[0].tap[11], '0');
	assert_int_equal(p.nets[1].tap[11], '1');
	assert_string_equal(p.nets[2].tap, "");
	assert_string_equal(p.nets[3].tap, "");
	assert_int_equal(p.nets[0].queues, p.n_vcpus);
	assert_int_equal(p.nets[1].queues, 1);
	assert_int_equal(p.nets[2].queues, 1);
	assert_int_equal(p.nets[3].queues, 3);
	assert_string_equal(p.nets[1].mac, "52:54:00:12:34:56");
	assert_string_not_equal(p.nets[0].mac, p.nets[2].mac);
	assert_in_range(p.vsock_cid, 0x10000, 0x7fffffff);
	assert_int_equal(p.nets[3].guest.dev, PLAN_NET_SLOT);
	assert_int_equal(p.nets[3].guest.fn, 3);
	assert_int_equal(p.shares[1].guest.dev, PLAN_SHARE_SLOT);
	assert_int_equal(p.shares[1].guest.fn, 1);
}

static void default_queues(void **state)
{
	static const struct {
		size_t vcpus;
		enum spec_net_kind kind;
		unsigned int queues;
	} rows[] = {
		{ 1, SPEC_NET_BRIDGE, 1 }, { 3, SPEC_NET_OVS, 3 },
		{ 4, SPEC_NET_BRIDGE, 4 }, { 64, SPEC_NET_OVS, 4 },
		{ 64, SPEC_NET_PASST, 1 }, { 64, SPEC_NET_VHOST_USER, 1 },
	};

	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		_cleanup_plan_ struct plan p = { .name = "vm", .n_vcpus = rows[i].vcpus };
		struct spec_net n = { .kind = rows[i].kind };
		struct spec s = { .nets = &n, .n_nets = 1 };

		assert_int_equal(plan_set_nets(&p, &s), 0);
		assert_int_equal(p.nets[0].queues, rows[i].queues);
	}
}

/* An interface for each bridge, made right before the guest's cores are taken, as docs/formats/plan.md
 * has it. */
static void steps(void **state)
{
	static const char *const values[] = {
		"user=carve bridge=br0 vlan=0 mtu=0 queues=2",
		"user=carve ovs=ovs-int vlan=100 mtu=9000 queues=1",
	};
	_cleanup_plan_ struct plan p = { 0 };
	size_t n = 0;

	(void)state;
	plan_case("networks", &p);
	for (size_t i = 0; i < p.n_steps; i++) {
		if (strcmp(p.steps[i].kind, "tap") != 0)
			continue;
		assert_true(n < 2);
		assert_string_equal(p.steps[i].object, p.nets[n].tap);
		assert_string_equal(p.steps[i].value, values[n]);
		assert_string_equal(p.steps[i + 1].kind, n == 0 ? "tap" : "cgroup-root");
		n++;
	}
	assert_int_equal(n, 2);
}

static void text(void **state)
{
	static const char *const words[] = {
		"lan",
		"bridge br0",
		"ovs ovs-int, VLAN 100, MTU 9000",
		"passt, tcp 2222 to 22, udp 5353 to 53",
		"vhost-user /run/ovs,dpdk/guest.sock",
		"0000:00:1c.3",
		"52:54:00:12:34:56",
		"/scratch/project",
		"read-only",
		"software",
		"0000:00:1d.1",
		"vsock: the guest is CID ",
	};
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	plan_case("networks", &p);
	_cleanup_free_ char *said = plan_text(&p, NULL, false);
	for (size_t i = 0; i < CV_ARRAY_SIZE(words); i++)
		if (!strstr(said, words[i]))
			fail_msg("no %s in\n%s", words[i], said);
}

/* ---- two guests of one run ---- */

/** struct two - guests "a" and "b" */
struct two {
	struct spec specs[2];
	struct plan plans[2];
	struct cv_error err;
};

static void make_two(struct two *t)
{
	memset(t, 0, sizeof(*t));
	t->specs[0] = ib_spec("a", 1, IB_1G, IB_2M);
	t->specs[1] = ib_spec("b", 1, IB_1G, IB_2M);
}

/* Plans them once, and releases all. Return: of plan_make(). */
static int plan_two(struct two *t)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = ib_site();

	ib_emulated(&inv, false);
	int r = plan_make(&inv, &site, t->specs, 2, NULL, t->plans, &t->err);
	for (size_t i = 0; i < 2; i++) {
		plan_done(&t->plans[i]);
		spec_done(&t->specs[i]);
	}
	return r;
}

static void expect_refused(struct two *t, const char *code, const char *object)
{
	assert_int_equal(plan_two(t), -EBUSY);
	assert_string_equal(t->err.code, code);
	assert_string_equal(t->err.object, object);
	assert_string_equal(t->err.found, "guests a and b");
	assert_int_equal(t->err.exit, CV_EXIT_BUSY);
	assert_true(t->err.hint[0]);
}

static void nothing_shared(void **state)
{
	struct two t;

	(void)state;
	make_two(&t);
	for (size_t i = 0; i < 2; i++) {
		struct spec_net *n = ib_want_net(&t.specs[i], SPEC_NET_PASST, "");

		n->forwards[0] = (struct spec_forward){ i == 1, 2222, 22 };
		n->n_forwards = 1;
		ib_want_net(&t.specs[i], SPEC_NET_BRIDGE, "br0");
		ib_want_share(&t.specs[i], "/scratch", "scratch");
		t.specs[i].has_vsock = true;
	}
	assert_int_equal(plan_two(&t), 0);
}

static void shared_between_guests(void **state)
{
	struct two t;

	(void)state;
	make_two(&t);
	for (size_t i = 0; i < 2; i++) {
		struct spec_net *n = ib_want_net(&t.specs[i], SPEC_NET_PASST, "");

		n->forwards[0] = (struct spec_forward){ true, 5353, (uint16_t)(53 + i) };
		n->n_forwards = 1;
	}
	expect_refused(&t, "PORT_SHARED", "udp:5353");

	make_two(&t);
	for (size_t i = 0; i < 2; i++) {
		struct spec_net *n = ib_want_net(&t.specs[i], SPEC_NET_BRIDGE, "br0");

		n->has_mac = true;
		memcpy(n->mac, (uint8_t[]){ 2, 0, 0, 0, 0, 1 }, sizeof(n->mac));
	}
	expect_refused(&t, "MAC_SHARED", "02:00:00:00:00:01");

	make_two(&t);
	for (size_t i = 0; i < 2; i++)
		ib_want_net(&t.specs[i], SPEC_NET_VHOST_USER, "/run/one.sock");
	expect_refused(&t, "SOCKET_SHARED", "/run/one.sock");

	make_two(&t);
	for (size_t i = 0; i < 2; i++) {
		t.specs[i].has_vsock = true;
		t.specs[i].vsock_cid = 42;
	}
	expect_refused(&t, "CID_SHARED", "42");
}

/* Two names with one hash are not at hand: the names of the interfaces are made equal. */
static void interface_of_two_guests(void **state)
{
	struct plan plans[2] = { { .name = "a", .n_nets = 1 }, { .name = "b", .n_nets = 1 } };
	struct cv_error err = { 0 };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		snprintf(plans[i].nets[0].tap, sizeof(plans[i].nets[0].tap), "cv01234567-0");
		snprintf(plans[i].nets[0].mac, sizeof(plans[i].nets[0].mac), "02:00:00:00:00:0%zu",
			 i);
	}
	assert_int_equal(plan_check_nets(plans, 2, &err), -EBUSY);
	assert_string_equal(err.code, "TAP_SHARED");
	assert_string_equal(err.object, "cv01234567-0");
	plans[1].nets[0].tap[2] = 'f';
	assert_int_equal(plan_check_nets(plans, 2, &err), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(hash),
		cmocka_unit_test(slots),
		cmocka_unit_test(of_the_plan),
		cmocka_unit_test(default_queues),
		cmocka_unit_test(steps),
		cmocka_unit_test(text),
		cmocka_unit_test(nothing_shared),
		cmocka_unit_test(shared_between_guests),
		cmocka_unit_test(interface_of_two_guests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
