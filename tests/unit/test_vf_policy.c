// SPDX-License-Identifier: GPL-2.0-or-later
/* VF policy: which PFs, what is refused before anything is written, and the steps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/spec.h"
#include "plan/vf_policy.h"
#include "tests/unit/inventory_builder.h"

#define AUTOPROBE(pf) "attr /sys/bus/pci/devices/" pf "/sriov_drivers_autoprobe"

static struct vf_policy by_address(const char *pf, int count)
{
	struct vf_policy p = { .has_pf = true, .pf = ib_bdf(pf), .count = count };

	vf_settings_none(&p.settings);
	return p;
}

static struct vf_policy by_ids(const struct inv_dev *d, int count)
{
	struct vf_policy p = { .vendor = d->vendor, .device = d->device, .count = count };

	vf_settings_none(&p.settings);
	return p;
}

/* The steps as text, one per line: kind, object, value. */
static char *steps_of(const struct inventory *inv, const struct vf_policy *entries, size_t n)
{
	_cleanup_free_ struct vf_target *targets = NULL;
	_cleanup_step_list_ struct cv_step_list steps = { 0 };
	struct cv_error err = { 0 };
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);
	int r = vf_policy_resolve(inv, entries, n, &targets, &err);

	if (r < 0)
		fail_msg("refused: %s: %s", err.object, err.what);
	assert_int_equal(vf_policy_steps(inv, targets, (size_t)r, &steps, &err), 0);
	for (size_t i = 0; i < steps.n; i++) {
		assert_int_equal(steps.v[i].seq, i + 1);
		assert_true(steps.v[i].why[0] != '\0');
		fprintf(f, "%s %s %s\n", steps.v[i].kind, steps.v[i].object, steps.v[i].value);
	}
	assert_int_equal(fclose(f), 0);
	return text;
}

static void check_steps(const struct inventory *inv, const struct vf_policy *entries, size_t n,
			const char *want)
{
	_cleanup_free_ char *text = steps_of(inv, entries, n);

	assert_string_equal(text, want);
}

static void refused(const struct inventory *inv, const struct vf_policy *p, int r, const char *code,
		    struct cv_error *err)
{
	struct vf_target *targets = NULL;

	*err = (struct cv_error){ 0 };
	assert_int_equal(vf_policy_resolve(inv, p, 1, &targets, err), r);
	assert_null(targets);
	assert_string_equal(err->code, code);
	assert_int_equal(err->err, r);
	assert_true(err->object[0] && err->wanted[0]);
}

static void test_create(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 4);

	ib_emulated(&inv, false);
	ib_dev(&inv, IB_IGB1)->sriov.autoprobe = true;
	check_steps(&inv, &p, 1,
		    AUTOPROBE(IB_IGB1) " 0\n"
				       "numvfs-set " IB_IGB1 " 4\n");
	p.autoprobe = true;
	check_steps(&inv, &p, 1, "numvfs-set " IB_IGB1 " 4\n");
	p.count = -1;
	check_steps(&inv, &p, 1, "numvfs-set " IB_IGB1 " 7\n");
}

/* The same again: nothing. Another count: through 0. */
static void test_again(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 4);

	ib_emulated(&inv, false);
	ib_make_vfs(&inv, IB_IGB1, 4, "");
	ib_dev(&inv, IB_IGB1)->sriov.autoprobe = false;
	check_steps(&inv, &p, 1, "");
	p.count = 6;
	check_steps(&inv, &p, 1, "numvfs-set " IB_IGB1 " 6 replace\n");
}

/* Should the VFs come back because the last step fails, no driver takes them. */
static void test_destroy(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 0);

	p.autoprobe = true;
	ib_emulated(&inv, false);
	ib_dev(&inv, IB_IGB1)->sriov.autoprobe = false;
	check_steps(&inv, &p, 1, ""); /* there are none: nothing was changed by anybody */
	ib_make_vfs(&inv, IB_IGB1, 4, "");
	check_steps(&inv, &p, 1, "numvfs-set " IB_IGB1 " 0 replace\n" AUTOPROBE(IB_IGB1) " 1\n");
}

static void test_settings(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p[] = { by_address(IB_NVME, 2), by_address(IB_IGB1, 2) };

	ib_emulated(&inv, false);
	p[0].queues = 3;
	p[0].interrupts = 2;
	p[0].autoprobe = p[1].autoprobe = true;
	ib_dev(&inv, IB_NVME)->sriov.autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe = true;
	p[1].settings.vlan = 100;
	p[1].settings.trust = VF_ON;
	check_steps(&inv, p, 2,
		    "numvfs-set " IB_IGB1 " 2\n"
		    "vf-net " IB_IGB1 "/0 vlan=100 trust=on\n"
		    "vf-net " IB_IGB1 "/1 vlan=100 trust=on\n"
		    "numvfs-set " IB_NVME " 2\n"
		    "vf-nvme " IB_NVME "/0 vq=3 vi=2\n"
		    "vf-nvme " IB_NVME "/1 vq=3 vi=2\n");
}

static const char *vf_text(struct inventory *inv, const char *pf, unsigned int i, char *buf)
{
	struct cv_bdf bdf;

	assert_int_equal(inv_vf_bdf(ib_dev(inv, pf), i, &bdf), 0);
	return cv_format_bdf(bdf, buf);
}

/* A VF that a guest has keeps its settings; the others get theirs. */
static void test_leased_is_left_alone(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 3);
	char bdf[CV_BDF_MAX];

	ib_emulated(&inv, false);
	ib_make_vfs(&inv, IB_IGB1, 3, "vfio-pci");
	ib_dev(&inv, IB_IGB1)->sriov.autoprobe = false;
	ib_lease_device(ib_lease(&inv, "vm0", "ann", ""), vf_text(&inv, IB_IGB1, 1, bdf));
	p.settings.spoofchk = VF_OFF;
	check_steps(&inv, &p, 1,
		    "vf-net " IB_IGB1 "/0 spoofchk=off\n"
		    "vf-net " IB_IGB1 "/2 spoofchk=off\n");
}

static void test_ids(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p[2];

	ib_emulated(&inv, false);
	ib_dev(&inv, IB_IGB0)->sriov.autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe = false;
	p[0] = by_ids(ib_dev(&inv, IB_IGB0), -1);
	p[1] = by_address(IB_IGB1, 2);
	check_steps(&inv, p, 1,
		    "numvfs-set " IB_IGB0 " 7\n"
		    "numvfs-set " IB_IGB1 " 7\n");
	/* an address is more exact, wherever it stands */
	check_steps(&inv, p, 2,
		    "numvfs-set " IB_IGB0 " 7\n"
		    "numvfs-set " IB_IGB1 " 2\n");
	p[0].device = 0xbeef; /* of another host */
	check_steps(&inv, p, 1, "");
}

/* NVMe VFs have the ids of their PF, and so have functions without SR-IOV: the policy is not theirs. */
static void test_ids_of_others(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p;
	char bdf[CV_BDF_MAX];

	ib_emulated(&inv, false);
	ib_dev(&inv, IB_NVME)->device = 0xbeef; /* a model of its own */
	p = by_ids(ib_dev(&inv, IB_NVME), 2);
	ib_make_vfs(&inv, IB_NVME, 2, "");
	ib_dev(&inv, IB_NVME)->sriov.autoprobe = false;
	ib_dev(&inv, vf_text(&inv, IB_NVME, 0, bdf))->device = p.device;
	ib_dev(&inv, vf_text(&inv, IB_NVME, 1, bdf))->device = p.device;
	ib_dev(&inv, IB_EDU)->vendor = p.vendor;
	ib_dev(&inv, IB_EDU)->device = p.device;
	check_steps(&inv, &p, 1, "");
}

static void hold(struct inventory *inv, const char *pf, unsigned int vf, enum inv_holder_kind kind)
{
	char bdf[CV_BDF_MAX];

	ib_dev(inv, vf_text(inv, pf, vf, bdf))->holder_kind = kind;
}

/* What libvirt or SPDK has needs no lease to be theirs; an NVMe VF goes offline under any user. */
static void test_used_is_left_alone(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p[] = { by_address(IB_NVME, 2), by_address(IB_IGB1, 4) };

	ib_emulated(&inv, false);
	ib_make_vfs(&inv, IB_NVME, 2, "");
	ib_make_vfs(&inv, IB_IGB1, 4, "");
	p[0].autoprobe = ib_dev(&inv, IB_NVME)->sriov.autoprobe;
	p[1].autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe;
	p[0].queues = 2;
	p[0].interrupts = 1;
	p[1].settings.vlan = 5;
	hold(&inv, IB_NVME, 0, INV_HOLDER_MOUNT);
	hold(&inv, IB_IGB1, 0, INV_HOLDER_PROCESS);
	hold(&inv, IB_IGB1, 1, INV_HOLDER_FOREIGN);
	hold(&inv, IB_IGB1, 2, INV_HOLDER_NETDEV);
	check_steps(&inv, p, 2,
		    "vf-net " IB_IGB1 "/2 vlan=5\n"
		    "vf-net " IB_IGB1 "/3 vlan=5\n"
		    "vf-nvme " IB_NVME "/1 vq=2 vi=1\n");
}

static void test_not_a_pf(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct cv_error err;
	struct vf_policy p;
	char bdf[CV_BDF_MAX];

	ib_emulated(&inv, false);
	p = by_address(IB_EDU, 1);
	refused(&inv, &p, -EINVAL, "NOT_A_PF", &err);
	assert_int_equal(err.exit, CV_EXIT_USAGE);
	p = by_address(IB_PORT, 1);
	refused(&inv, &p, -EINVAL, "NOT_A_PF", &err);
	assert_non_null(strstr(err.what, "bridge"));
	p = by_address("0000:ff:1f.7", 1);
	refused(&inv, &p, -ENODEV, "ENODEV", &err);
	assert_int_equal(err.exit, CV_EXIT_NOT_FOUND);
	ib_make_vfs(&inv, IB_IGB1, 2, "");
	p = by_address(vf_text(&inv, IB_IGB1, 1, bdf), 1);
	refused(&inv, &p, -EINVAL, "NOT_A_PF", &err);
	assert_non_null(strstr(err.hint, IB_IGB1));
}

static void test_too_many(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 8);
	struct cv_error err;

	ib_emulated(&inv, false);
	refused(&inv, &p, -ERANGE, "TOO_MANY_VFS", &err);
	assert_non_null(strstr(err.found, "8"));
	assert_non_null(strstr(err.wanted, "7"));
}

static void test_no_iommu(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 1);
	struct cv_error err;

	ib_emulated(&inv, false);
	ib_dev(&inv, IB_IGB1)->group = -1;
	refused(&inv, &p, -ENXIO, "NO_IOMMU", &err);
	assert_int_equal(err.exit, CV_EXIT_PRECONDITION);
	p.count = 0; /* taking them away is always possible */
	p.autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe;
	check_steps(&inv, &p, 1, "");
}

static void test_held(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 0);
	struct cv_error err;
	struct inv_dev *vf;
	char bdf[CV_BDF_MAX];

	ib_emulated(&inv, false);
	ib_make_vfs(&inv, IB_IGB1, 4, "");
	ib_lease_device(ib_lease(&inv, "vm0", "ann", "4711"), vf_text(&inv, IB_IGB1, 2, bdf));
	refused(&inv, &p, -EBUSY, "EBUSY_VFS", &err);
	assert_int_equal(err.exit, CV_EXIT_BUSY);
	assert_non_null(strstr(err.found, bdf));
	assert_non_null(strstr(err.found, "vm0, user ann, job 4711"));
	p.count = 6; /* more go through 0, too */
	refused(&inv, &p, -EBUSY, "EBUSY_VFS", &err);
	p.count = 4;
	p.autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe;
	check_steps(&inv, &p, 1, "");

	cv_lease_done(&inv.leases[0]);
	inv.n_leases = 0;
	vf = ib_dev(&inv, bdf);
	vf->holder_kind = INV_HOLDER_NETDEV;
	snprintf(vf->holder, sizeof(vf->holder), "eth5 is up with an address");
	p.count = 0;
	refused(&inv, &p, -EBUSY, "EBUSY_VFS", &err);
	assert_non_null(strstr(err.found, "eth5 is up"));
}

static void test_switchdev(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 4);
	struct cv_error err;

	ib_emulated(&inv, false);
	ib_dev(&inv, IB_IGB1)->is_switchdev = true;
	refused(&inv, &p, -EOPNOTSUPP, "SWITCHDEV", &err);
	ib_make_vfs(&inv, IB_IGB1, 4, "");
	p.autoprobe = ib_dev(&inv, IB_IGB1)->sriov.autoprobe;
	check_steps(&inv, &p, 1, "");
	p.settings.trust = VF_ON;
	refused(&inv, &p, -EOPNOTSUPP, "SWITCHDEV", &err);
}

static void test_class(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_NVME, 2);
	struct cv_error err;

	ib_emulated(&inv, false);
	p.settings.vlan = 5;
	refused(&inv, &p, -EINVAL, "VF_CLASS", &err);
	p = by_address(IB_IGB1, 2);
	p.queues = 2;
	p.interrupts = 1;
	refused(&inv, &p, -EINVAL, "VF_CLASS", &err);
	p = by_address(IB_IGB1, 2);
	p.settings.min_rate = 500;
	p.settings.max_rate = 100;
	refused(&inv, &p, -EINVAL, "VF_RATE", &err);
	assert_string_equal(err.object, IB_IGB1);
}

static void test_unfit_pf(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct vf_policy p = by_address(IB_IGB1, 2);
	struct inv_dev *pf;
	struct cv_error err;

	ib_emulated(&inv, false);
	pf = ib_dev(&inv, IB_IGB1);
	snprintf(pf->driver, sizeof(pf->driver), "vfio-pci");
	refused(&inv, &p, -ENODEV, "PF_NO_DRIVER", &err);
	pf->driver[0] = '\0';
	refused(&inv, &p, -ENODEV, "PF_NO_DRIVER", &err);
	pf->is_quarantined = true;
	snprintf(pf->quarantine, sizeof(pf->quarantine), "did not come back");
	refused(&inv, &p, -EPERM, "QUARANTINED", &err);
	assert_string_equal(err.found, "did not come back");
	pf->is_silent = true;
	refused(&inv, &p, -EPERM, "SILENT", &err);
	assert_string_equal(err.found, "did not come back");
}

/* ---- the list of the site file ---- */

static int parse(const char *text, struct site *site, struct cv_error *err)
{
	return site_parse(text, strlen(text), "carve.yaml", site, err);
}

static void test_site(void **state)
{
	_cleanup_site_ struct site site;

	site_default(&site);
	assert_int_equal(parse("vfs:\n"
			       "  - {pf: 81:00.0, count: 7, trust: on, spoofchk: off, vlan: 100}\n"
			       "  - {vendor: 8086, device: 10c9, count: all, autoprobe: on}\n"
			       "  - {pf: 82:00.0, count: 4, queues: 2, interrupts: 1}\n",
			       &site, NULL),
			 0);
	assert_int_equal(site.n_vfs, 3);
	assert_true(site.vfs[0].has_pf && !site.vfs[0].autoprobe);
	assert_int_equal(site.vfs[0].pf.bus, 0x81);
	assert_int_equal(site.vfs[0].count, 7);
	assert_int_equal(site.vfs[0].settings.trust, VF_ON);
	assert_int_equal(site.vfs[0].settings.spoofchk, VF_OFF);
	assert_int_equal(site.vfs[0].settings.link, VF_KEEP);
	assert_int_equal(site.vfs[0].settings.vlan, 100);
	assert_false(site.vfs[1].has_pf);
	assert_int_equal(site.vfs[1].vendor, 0x8086);
	assert_int_equal(site.vfs[1].device, 0x10c9);
	assert_int_equal(site.vfs[1].count, -1);
	assert_true(site.vfs[1].autoprobe);
	assert_int_equal(site.vfs[2].queues, 2);
	assert_int_equal(site.vfs[2].interrupts, 1);
}

/* A later file replaces the list, when it has one; a refused one leaves it. */
static void test_site_override(void **state)
{
	_cleanup_site_ struct site site;
	struct cv_error err = { 0 };

	site_default(&site);
	assert_int_equal(parse("vfs: [{pf: 81:00.0, count: 7}]\n", &site, NULL), 0);
	assert_int_equal(parse("lock_wait: 5\n", &site, NULL), 0);
	assert_int_equal(site.n_vfs, 1);
	assert_int_equal(site.vfs[0].count, 7);
	assert_int_equal(parse("vfs: [{pf: 82:00.0, count: 5, vlan: 5000}]\n", &site, &err),
			 -EINVAL);
	assert_string_equal(err.object, "carve.yaml:1:37");
	assert_string_equal(err.found, "5000");
	assert_int_equal(site.n_vfs, 1);
	assert_int_equal(parse("vfs: [{pf: 82:00.0, count: 5}]\n", &site, NULL), 0);
	assert_int_equal(site.n_vfs, 1);
	assert_int_equal(site.vfs[0].pf.bus, 0x82);
	assert_int_equal(parse("vfs: []\n", &site, NULL), 0);
	assert_int_equal(site.n_vfs, 0);
	assert_int_equal(site.lock_wait_s, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test(test_settings),
		cmocka_unit_test(test_leased_is_left_alone),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_ids_of_others),
		cmocka_unit_test(test_used_is_left_alone),
		cmocka_unit_test(test_not_a_pf),
		cmocka_unit_test(test_too_many),
		cmocka_unit_test(test_no_iommu),
		cmocka_unit_test(test_held),
		cmocka_unit_test(test_switchdev),
		cmocka_unit_test(test_class),
		cmocka_unit_test(test_unfit_pf),
		cmocka_unit_test(test_site),
		cmocka_unit_test(test_site_override),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
