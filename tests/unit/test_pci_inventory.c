// SPDX-License-Identifier: GPL-2.0-or-later
/* The PCI inventory where sysfs files are all there is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/quarantine.h"
#include "sriov/inventory.h"
#include "sriov/steps.h"
#include "sriov/tree.h"
#include "tests/fake/counting_root.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

static void inventory_sees_vfs(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	const struct inv_dev *vf, *pf;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	read_inventory(h, &inv);
	assert_int_equal(inv.n_devs, 11);
	pf = device_at(&inv, PF);
	vf = device_at(&inv, VF1);
	assert_int_equal(pf->sriov.total, 7);
	assert_int_equal(pf->sriov.num, 7);
	assert_true(pf->sriov.autoprobe);
	assert_string_equal(pf->root, "pci0000:40");
	assert_ptr_equal(&inv.devs[pf->parent], device_at(&inv, PORT));
	assert_ptr_equal(&inv.devs[vf->pf], pf);
	assert_int_equal(vf->vf_index, 1);
	assert_int_equal(vf->group, 21);
	assert_string_equal(vf->driver, "igbvf");
	assert_int_equal(inv.host.n_iommu_groups, 10);
}

/* What waits for the lock of the device is not read: nothing would come back. */
static void inventory_spares_quarantined(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	struct cv_quarantine q = { .reason = "test" };

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	fake_file(h->fake, REAL_PF "/driver_override", "never-read");
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "3");
	assert_int_equal(cv_parse_bdf(PF, &q.bdf), 0);
	assert_int_equal(cv_quarantine_add(h->root, &q, NULL), 0);
	read_inventory(h, &inv);
	assert_true(device_at(&inv, PF)->is_quarantined);
	assert_string_equal(device_at(&inv, PF)->driver_override, "");
	assert_int_equal(device_at(&inv, PF)->sriov.num, 7);
	assert_ptr_equal(&inv.devs[device_at(&inv, VF1)->pf], device_at(&inv, PF));
}

static const char silent[] = "it does not answer: reading ";

/* A probe that hangs keeps the lock of a PF: the VFs there are known by their links, also behind one
 * that is gone, and who asks next is answered. */
static void inventory_outlives_a_count(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	const struct inv_dev *pf;
	int64_t begun;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	fake_remove(h->fake, REAL_PF "/virtfn2");
	fake_file(h->fake, REAL_PF "/driver_override", "never-read");
	fake_file(h->fake, REAL_DISK "/driver_override", "mine");
	fake_block_read(h->fake, REAL_PF "/sriov_numvfs");
	begun = cv_now_ms();
	read_inventory(h, &inv);
	assert_in_range(cv_now_ms() - begun, 900, 3000);
	pf = device_at(&inv, PF);
	assert_true(pf->is_silent && pf->is_quarantined);
	assert_int_equal(strncmp(pf->quarantine, silent, sizeof(silent) - 1), 0);
	assert_non_null(strstr(pf->quarantine, "sriov_numvfs"));
	assert_string_equal(pf->driver_override, "");
	assert_int_equal(pf->sriov.num, 7);
	assert_int_equal(device_at(&inv, "0000:41:11.4")->vf_index, 6);
	assert_false(device_at(&inv, VF1)->is_silent);
	assert_false(device_at(&inv, DISK)->is_silent);
	assert_string_equal(device_at(&inv, DISK)->driver_override, "mine");
}

/* No attribute of any function comes back, and the wait ends all the same. */
static void inventory_outlives_all_locks(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;
	int64_t begun;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	fake_block_read(h->fake, "/sys/devices/*/driver_override");
	begun = cv_now_ms();
	read_inventory(h, &inv);
	assert_in_range(cv_now_ms() - begun, 900, 7000);
	for (size_t i = 0; i < inv.n_devs; i++) {
		assert_true(inv.devs[i].is_silent && inv.devs[i].is_quarantined);
		assert_non_null(strstr(inv.devs[i].quarantine, "answer"));
	}
	assert_int_equal(device_at(&inv, PF)->sriov.num, 7);
}

static bool is_every(const struct inv_dev *d, void *ctx)
{
	return true;
}

/* A plan asks for no driver_override, and so waits for none. */
static void plan_waits_for_no_override(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_block_read(h->fake, "/sys/devices/*/driver_override");
	assert_int_equal(sr_inventory_read(h->root, &(struct sr_depth){ .is_wanted = is_every },
					   &inv, &h->err),
			 0);
	for (size_t i = 0; i < inv.n_devs; i++)
		assert_false(inv.devs[i].is_silent);
}

/* A claim of many VFs costs no look at each of them; one whose link is lost hides none of the others. */
static void inventory_believes_links(void **state)
{
	struct host *h = *state;
	struct counting_root c = { .inner = h->root, .about = "/virtfn" };
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *counting = NULL;
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", &prior), 0);
	fake_remove(h->fake, REAL_PF "/virtfn2");
	fake_file(h->fake, REAL_PF "/sriov_totalvfs", "65535");
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "65535");
	assert_int_equal(counting_root_new(&c, &counting), 0);
	assert_int_equal(sr_inventory_read(counting, &(struct sr_depth){ 0 }, &inv, &h->err), 0);
	assert_int_equal(device_at(&inv, VF1)->vf_index, 1);
	assert_int_equal(device_at(&inv, "0000:41:10.4")->vf_index, -1);
	assert_int_equal(device_at(&inv, "0000:41:11.4")->vf_index, 6);
	assert_true(c.calls < 32);
}

static void inventory_survives_lies(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	/* each claims to hang below the other */
	fake_link(h->fake, DEV DISK, "../../../devices/pci0000:40/" MATE "/" DISK);
	fake_link(h->fake, DEV MATE, "../../../devices/pci0000:40/" DISK "/" MATE);
	fake_file(h->fake, REAL_PF "/numa_node", "99999999999999");
	fake_file(h->fake, REAL_PF "/resource", "0x0 garbage\n");
	fake_file(h->fake, REAL_PF "/sriov_numvfs", "4000000000");
	fake_link(h->fake, REAL_PF "/physfn", "../" PF);
	fake_link(h->fake, REAL_PF "/virtfn0", "../" PF);
	fake_dir(h->fake, DEV "not-an-address");
	fake_dir(h->fake, DEV "ffff:ff:1f.7");
	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, DISK)->parent, -1);
	assert_int_equal(device_at(&inv, MATE)->parent, -1);
	assert_int_equal(device_at(&inv, PF)->node, -1);
	assert_int_equal(device_at(&inv, PF)->pf, -1);
	assert_int_equal(device_at(&inv, PF)->bars[0].size, 0);
	assert_int_equal(device_at(&inv, "ffff:ff:1f.7")->vendor, 0);
}

static void chains_are_parsed(void **state)
{
	struct cv_bdf parent;
	unsigned int depth;
	char root[16], buf[CV_BDF_MAX];

	assert_int_equal(sr_parse_chain("../../../devices/pci0000:40/0000:40:01.0", root, &parent,
					&depth),
			 0);
	assert_string_equal(root, "pci0000:40");
	assert_int_equal(depth, 0);
	assert_int_equal(sr_parse_chain("../../../devices/pci0000:40/0000:40:01.0/pci10000:00/"
					"10000:00:02.0/10000:01:00.0",
					root, &parent, &depth),
			 1);
	assert_string_equal(root, "pci10000:00");
	assert_string_equal(cv_format_bdf(parent, buf), "10000:00:02.0");
	assert_int_equal(depth, 1);
	assert_int_equal(sr_parse_chain("", root, &parent, &depth), 0);
	assert_string_equal(root, "");
	assert_int_equal(sr_parse_chain("pcidddddddddddddddddddd:00/0000:40:01.0", root, &parent,
					&depth),
			 0);
	assert_string_equal(root, "");
}

static void host_without_pci_is_empty(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_remove(h->fake, "/sys/bus/pci");
	fake_remove(h->fake, "/sys/kernel/iommu_groups");
	read_inventory(h, &inv);
	assert_int_equal(inv.n_devs, 0);
	assert_int_equal(inv.host.iommu, INV_IOMMU_NONE);
}

static void iommu_is_judged_by_effect(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, "/sys/class/iommu/ivhd0");
	fake_file(h->fake, "/sys/kernel/iommu_groups/1/type", "DMA-FQ");
	fake_file(h->fake, "/proc/interrupts", "  24:  0  IR-PCI-MSI 1 edge nvme0q0\n");
	fake_file(h->fake, "/proc/sys/kernel/osrelease", "6.1.0-test");
	fake_file(h->fake, "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts", "Y");
	read_inventory(h, &inv);
	assert_int_equal(inv.host.iommu, INV_IOMMU_AMD);
	assert_string_equal(inv.host.iommu_domain, "DMA-FQ");
	assert_true(inv.host.has_intremap && inv.host.unsafe_interrupts && inv.host.has_vfio_pci);
	assert_false(inv.host.has_iommufd);
	fake_remove(h->fake, "/sys/bus/pci/drivers/vfio-pci");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_false(inv.host.has_vfio_pci);
	fake_file(h->fake, "/lib/modules/6.1.0-test/modules.dep",
		  "kernel/drivers/vfio/pci/vfio-pci.ko.xz: kernel/x.ko");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_true(inv.host.has_vfio_pci);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(inventory_sees_vfs),	       with_host(inventory_spares_quarantined),
		with_host(inventory_outlives_a_count), with_host(inventory_outlives_all_locks),
		with_host(plan_waits_for_no_override), with_host(inventory_believes_links),
		with_host(inventory_survives_lies),    cmocka_unit_test(chains_are_parsed),
		with_host(host_without_pci_is_empty),  with_host(iommu_is_judged_by_effect),
	};

	return cmocka_run_group_tests_name("pci_inventory", tests, NULL, NULL);
}
