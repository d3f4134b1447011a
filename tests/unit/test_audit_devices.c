// SPDX-License-Identifier: GPL-2.0-or-later
/* Devices and the ports above them: each check passes on a good machine, and speaks when it is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "audit_cases.h"
#include "base/cleanup.h"
#include "inventory_builder.h"

#define DEV(bdf) ib_dev(inv, bdf)

AUDIT_CHANGE(shared_group, DEV(AC_GPU)->group = DEV(AC_SW_NIC)->group)
AUDIT_CHANGE(port_in_group, DEV(AC_PORT)->group = DEV(AC_NIC)->group; DEV(AC_PORT)->has_acs = false)
AUDIT_CHANGE(no_node, DEV(AC_NIC)->node = -1)
AUDIT_CHANGE(no_reset, DEV(AC_NIC)->reset_methods[0] = '\0')
AUDIT_CHANGE(narrow, DEV(AC_NIC)->link.width = 4)
AUDIT_CHANGE(slow, DEV(AC_NIC)->link.speed = 25)
AUDIT_CHANGE(idle_gpu, DEV(AC_GPU)->link.speed = 25)
AUDIT_CHANGE(narrow_gpu, DEV(AC_GPU)->link.speed = 25; DEV(AC_GPU)->link.width = 8)
AUDIT_CHANGE(unreadable, DEV(AC_NVME)->is_unreadable = true)
AUDIT_CHANGE(quarantined, DEV(AC_NVME)->is_quarantined = true;
	     audit_text(DEV(AC_NVME)->quarantine, "reset hung"))
AUDIT_CHANGE(unplaced,
	     DEV(AC_GPU)->bars[2] = ((struct inv_bar){ .size = 32ULL << 30, .is_64bit = true }))
AUDIT_CHANGE(unplaced_vf, DEV(AC_NIC)->sriov.vf_bars[0].size = 16 << 10)
AUDIT_CHANGE(small_bar, DEV(AC_GPU)->bars[0] = ((struct inv_bar){
				.size = 256 << 20, .address = 1, .resizable = 0x7f00 }))
AUDIT_CHANGE(no_window, inv->host.phys_bits = 39;
	     DEV(AC_GPU)->bars[0] = ((struct inv_bar){
		     .size = 160ULL << 30, .address = 1ULL << 38, .is_64bit = true }))

static const struct audit_case cases[] = {
	{ "device-group", AC_GPU, AUDIT_WARN, "15: shared with " AC_SW_NIC, shared_group, 0, NULL },
	{ "device-group", AC_NIC, AUDIT_WARN, "VFs would share", port_in_group, 0, NULL },
	{ "device-node", AC_NIC, AUDIT_WARN, "numa_node: -1", no_node, 0, NULL },
	{ "device-reset", AC_NIC, AUDIT_WARN, "reset_method: none", no_reset, 0, NULL },
	{ "device-link", AC_NIC, AUDIT_WARN, "16.0 GT/s x4 of 16.0 GT/s x16", narrow, 0, NULL },
	{ "device-link", AC_NIC, AUDIT_WARN, "2.5 GT/s x16", slow, 0, NULL },
	{ "device-link", AC_GPU, AUDIT_PASS, "2.5 GT/s x16 of 16.0", idle_gpu, 0, NULL },
	{ "device-link", AC_GPU, AUDIT_WARN, "2.5 GT/s x8 of 16.0", narrow_gpu, 0, NULL },
	{ "device-config", AC_NVME, AUDIT_FAIL, "all ones", unreadable, 0, NULL },
	{ "device-quarantine", AC_NVME, AUDIT_FAIL, AC_NVME ".json: reset hung", quarantined, 0,
	  NULL },
	{ "device-bars", AC_GPU, AUDIT_FAIL, "BAR 2 of 32G has no address", unplaced,
	  AUDIT_FIRMWARE, "Above 4G" },
	{ "device-vf-bars", AC_NIC, AUDIT_WARN, "VF BAR 0, 7 of 16K", unplaced_vf, AUDIT_FIRMWARE,
	  "Above 4G" },
	{ "device-rebar", AC_GPU, AUDIT_WARN, "BAR 0 is 256M of 16G", small_bar, AUDIT_FIRMWARE,
	  "Resizable BAR" },
	{ "device-window", AC_GPU, AUDIT_FAIL, "160G need a window of 512G", no_window, 0, NULL },
};

static void test_cases(void **state)
{
	audit_check_cases(cases, CV_ARRAY_SIZE(cases), AUDIT_ISOLATE);
}

/* ---- ACS ---- */

AUDIT_CHANGE(no_sv, DEV(AC_PORT)->acs_ctrl = 0x1c)
AUDIT_CHANGE(no_rr, DEV(AC_DOWN_GPU)->acs_ctrl = 0x19)
AUDIT_CHANGE(no_cr, DEV(AC_DOWN_NIC)->acs_ctrl = 0x15)
AUDIT_CHANGE(no_uf, DEV(AC_ROOT)->acs_ctrl = 0x0d)
AUDIT_CHANGE(acs_off, DEV(AC_DOWN_GPU)->acs_ctrl = 0)
AUDIT_CHANGE(no_acs, DEV(AC_DOWN_GPU)->has_acs = false;
	     DEV(AC_DOWN_GPU)->group = DEV(AC_GPU)->group = DEV(AC_SW_NIC)->group)
AUDIT_CHANGE(bridge, DEV(AC_PORT)->port = INV_PORT_BRIDGE; DEV(AC_PORT)->group = DEV(AC_NIC)->group)
AUDIT_CHANGE(lone_bridge, bridge(inv); DEV(AC_NIC)->sriov = ((struct inv_sriov){ 0 }))

/* One bit off is a fail that names the port and the word that turns that bit on. */
static const struct audit_case isolate[] = {
	{ "acs", AC_PORT, AUDIT_FAIL,
	  "port " AC_PORT ", above " AC_NIC ": ACS control 0x1c, off: SV", no_sv, AUDIT_CMDLINE,
	  "pci=config_acs=xxxxxx1@" AC_PORT },
	{ "acs", AC_DOWN_GPU, AUDIT_FAIL, "off: RR", no_rr, AUDIT_CMDLINE,
	  "pci=config_acs=xxxx1xx@" AC_DOWN_GPU },
	{ "acs", AC_DOWN_NIC, AUDIT_FAIL, "off: CR", no_cr, AUDIT_CMDLINE,
	  "pci=config_acs=xxx1xxx@" AC_DOWN_NIC },
	{ "acs", AC_ROOT, AUDIT_FAIL, "off: UF", no_uf, AUDIT_CMDLINE,
	  "pci=config_acs=xx1xxxx@" AC_ROOT },
	{ "acs", AC_DOWN_GPU, AUDIT_FAIL, "off: SV RR CR UF", acs_off, AUDIT_CMDLINE,
	  "pci=config_acs=xx111x1@" AC_DOWN_GPU },
	{ "acs", AC_DOWN_GPU, AUDIT_FAIL, "no ACS capability", no_acs, 0, NULL },
	{ "acs", AC_PORT, AUDIT_FAIL, "no ACS capability", bridge, 0, NULL },
	{ "acs", "", AUDIT_PASS, "no port", lone_bridge, 0, NULL },
};

static void test_isolate(void **state)
{
	audit_check_cases(isolate, CV_ARRAY_SIZE(isolate), AUDIT_ISOLATE);
}

static void judge(struct inventory *inv, enum audit_intent intent, struct audit *ret)
{
	assert_int_equal(audit_run(inv, intent, ret), 0);
}

/* Without IOMMU there are no groups to join, and another check says so. */
static void test_no_iommu(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.host.n_iommu_groups = 0;
	no_rr(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_null(audit_find(&a, "acs", ""));
	assert_null(audit_find(&a, "acs", AC_DOWN_GPU));
	audit_done(&a);
	inventory_done(&inv);
}

/* The groups that a port joins: those of all its neighbours below the switch. */
static void test_joined_groups(void **state)
{
	const struct audit_finding *f;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	no_rr(&inv);
	judge(&inv, AUDIT_ISOLATE, &a);
	f = audit_find(&a, "acs", AC_DOWN_GPU);
	assert_non_null(f);
	assert_non_null(strstr(f->effect, "groups 14, 15:"));
	audit_done(&a);
	inventory_done(&inv);
}

/* What a port cannot do is not asked of it; a port without ACS that the kernel keeps apart is one that the
 * kernel knows; a port above nothing that a guest wants does not matter. */
static void test_isolate_quiet(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	ib_dev(&inv, AC_PORT)->acs_cap = 0x1c;
	no_sv(&inv);
	ib_dev(&inv, AC_ROOT)->has_acs = false;
	ib_dev(&inv, "0000:80:02.0")->acs_ctrl = 0;
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	assert_non_null(audit_find(&a, "acs", ""));
	audit_done(&a);
	inventory_done(&inv);
}

AUDIT_CHANGE(as_is, inv->n_cpus += 0)
AUDIT_CHANGE(only_rr, DEV(AC_DOWN_GPU)->acs_ctrl = 0x04; DEV(AC_DOWN_NIC)->acs_ctrl = 0)
AUDIT_CHANGE(open_switch, DEV(AC_DOWN_GPU)->acs_ctrl = DEV(AC_DOWN_NIC)->acs_ctrl = 0x11)
AUDIT_CHANGE(one_translates, DEV(AC_DOWN_GPU)->acs_ctrl = DEV(AC_DOWN_NIC)->acs_ctrl = 0x5d;
	     DEV(AC_GPU)->ats_enabled = true)
AUDIT_CHANGE(both_translate, one_translates(inv); DEV(AC_SW_NIC)->ats_enabled = true)
AUDIT_CHANGE(alone, DEV(AC_SW_NIC)->class = 0x010802)

static const struct audit_case p2p[] = {
	{ "acs-p2p", AC_DOWN_GPU, AUDIT_WARN, "on: RR CR", as_is, AUDIT_CMDLINE,
	  "pci=disable_acs_redir=" AC_DOWN_GPU },
	{ "acs-p2p", AC_DOWN_NIC, AUDIT_WARN, "port " AC_DOWN_NIC ", above " AC_SW_NIC, as_is,
	  AUDIT_CMDLINE, "pci=disable_acs_redir=" AC_DOWN_NIC },
	{ "acs-p2p", AC_DOWN_GPU, AUDIT_WARN, "0x04, on: RR", only_rr, AUDIT_CMDLINE, AC_DOWN_GPU },
	{ "acs-p2p", AC_DOWN_GPU, AUDIT_WARN, "0x5d", one_translates, AUDIT_CMDLINE, AC_DOWN_GPU },
	{ "acs-p2p", "", AUDIT_PASS, "no port of a switch", open_switch, 0, NULL },
	{ "acs-p2p", "", AUDIT_PASS, "no port of a switch", both_translate, 0, NULL },
	{ "acs-p2p", "", AUDIT_PASS, "no two GPU", alone, 0, NULL },
};

static void test_p2p(void **state)
{
	audit_check_cases(p2p, CV_ARRAY_SIZE(p2p), AUDIT_P2P);
}

/* Root ports are not asked to let transfers pass: there the root complex decides. */
static void test_p2p_leaves_root_ports(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	only_rr(&inv);
	judge(&inv, AUDIT_P2P, &a);
	assert_null(audit_find(&a, "acs-p2p", AC_ROOT));
	assert_null(audit_find(&a, "acs-p2p", AC_PORT));
	assert_null(audit_find(&a, "acs-p2p", AC_DOWN_NIC));
	assert_null(audit_find(&a, "acs", ""));
	audit_done(&a);
	inventory_done(&inv);
}

/* ---- units and what is left alone ---- */

/* A GPU and its sound are one unit, not a shared group. */
static void test_gpu_with_audio(void **state)
{
	const struct audit_finding *f;
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	*ib_dev(&inv, AC_SW_NIC) = *ib_dev(&inv, AC_GPU);
	inv.devs[inv.n_devs - 1].bdf.fn = 1;
	inv.devs[inv.n_devs - 1].class = 0x040300;
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_null(audit_find(&a, "device-group", AC_GPU));
	f = audit_find(&a, "device", AC_GPU);
	assert_non_null(f);
	assert_non_null(strstr(f->effect, "as one unit with 0000:86:00.1"));
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	audit_done(&a);
	inventory_done(&inv);
}

/* What is no fault: a slower slot, no NUMA node on a host with one, VFs and other classes. */
static void test_quiet(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	inv.n_nodes = 1;
	ib_dev(&inv, AC_NIC)->node = -1;
	ib_dev(&inv, AC_PORT)->link.max_width = 4;
	ib_dev(&inv, AC_NIC)->link.width = 4;
	ib_dev(&inv, AC_NVME)->pf = inv_find_dev(&inv, ib_bdf(AC_NIC));
	ib_dev(&inv, AC_NVME)->is_unreadable = true;
	ib_dev(&inv, AC_GPU)->bars[1] = (struct inv_bar){ .size = 256, .is_io = true };
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	assert_null(audit_find(&a, "device", AC_NVME));
	audit_done(&a);
	inv.n_nodes = 2;
	inventory_done(&inv);
}

/* Each server has one, and it is not for guests. */
static void test_bmc(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	ib_dev(&inv, AC_GPU)->vendor = 0x1a03;
	ib_dev(&inv, AC_GPU)->reset_methods[0] = '\0';
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_null(audit_find(&a, "device-reset", AC_GPU));
	assert_int_equal(audit_worst(&a), AUDIT_PASS);
	audit_done(&a);
	inventory_done(&inv);
}

/* A VF is silent, its quarantine is not. */
static void test_quarantined_vf(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	quarantined(&inv);
	ib_dev(&inv, AC_NVME)->pf = inv_find_dev(&inv, ib_bdf(AC_NIC));
	ib_dev(&inv, AC_NVME)->reset_methods[0] = '\0';
	judge(&inv, AUDIT_ISOLATE, &a);
	assert_non_null(audit_find(&a, "device-quarantine", AC_NVME));
	assert_null(audit_find(&a, "device-reset", AC_NVME));
	audit_done(&a);
	inventory_done(&inv);
}

/* A hostile snapshot may have bridges in a circle. */
static void test_loop(void **state)
{
	struct inventory inv;
	struct audit a = { 0 };

	audit_machine(&inv);
	ib_dev(&inv, AC_ROOT)->parent = inv_find_dev(&inv, ib_bdf(AC_DOWN_GPU));
	judge(&inv, AUDIT_ISOLATE, &a);
	audit_done(&a);
	judge(&inv, AUDIT_P2P, &a);
	assert_true(a.n > 0);
	audit_done(&a);
	inventory_done(&inv);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_isolate),
		cmocka_unit_test(test_no_iommu),
		cmocka_unit_test(test_joined_groups),
		cmocka_unit_test(test_isolate_quiet),
		cmocka_unit_test(test_p2p),
		cmocka_unit_test(test_p2p_leaves_root_ports),
		cmocka_unit_test(test_gpu_with_audio),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_bmc),
		cmocka_unit_test(test_quarantined_vf),
		cmocka_unit_test(test_loop),
	};

	return cmocka_run_group_tests_name("audit_devices", tests, NULL, NULL);
}
