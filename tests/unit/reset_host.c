// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/quarantine.h"
#include "tests/unit/reset_host.h"

static const struct fake_pci disk = { DISK, "pci0000:40", "0x144d 0xa808 0x010802", "nvme", 3, 0 };
/* behind the port, so that it has a bridge */
static const struct fake_pci nic = { PF, "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 2, 0 };
static const struct fake_pci nic_mate = {
	NIC_MATE, "pci0000:40/" PORT, "0x8086 0x1572 0x020000", "igb", 4, 0
};

int reset_host_make_watched(void **state, const struct fake_hook *hook)
{
	const struct host *h;
	int r = sriov_host_make(state);

	h = *state;
	if (hook)
		fake_hook(h->fake, hook);
	fake_faults_install(h->fake);
	fake_file(h->fake, "/sys/devices/pci0000:40/" PORT "/rescan", "");
	/* that heeds drivers_autoprobe */
	fake_file(h->fake, "/proc/sys/kernel/osrelease", "6.19.0-1-amd64");
	fake_faults_add(h->fake, &disk, "flr pm bus");
	fake_faults_add(h->fake, &nic, "flr bus");
	return r;
}

int reset_host_make(void **state)
{
	return reset_host_make_watched(state, NULL);
}

void reset_host_add_mate(struct host *h)
{
	fake_faults_add(h->fake, &nic_mate, "flr bus");
}

void assert_quarantined(struct host *h, const char *bdf, const char *reason, const char *evidence)
{
	struct cv_quarantine q;
	struct cv_bdf b;

	assert_int_equal(cv_parse_bdf(bdf, &b), 0);
	assert_int_equal(cv_quarantine_read(h->root, b, &q, NULL), 0);
	assert_non_null(strstr(q.reason, reason));
	assert_non_null(strstr(q.evidence, evidence));
}

void give_to_vfio(struct host *h, const char *bdf, const char *driver)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, "/sys/bus/pci/drivers/%s/unbind", driver);
	assert_int_equal(cv_write_str(h->root, path, bdf), 0);
	cv_pathf(path, DEV "%s/driver_override", bdf);
	assert_int_equal(cv_write_str(h->root, path, "vfio-pci"), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers_probe", bdf), 0);
	assert_driver(h, bdf, "vfio-pci");
}
