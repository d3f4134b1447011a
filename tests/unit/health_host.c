// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/quarantine.h"
#include "sriov/steps.h"
#include "tests/unit/health_host.h"

const struct fake_pci health_disk = { DISK, "pci0000:40", "0x144d 0xa808 0x010802", "nvme", 3, 0 };

int health_host_make(void **state)
{
	const struct host *h;
	int r = sriov_host_make(state);

	h = *state;
	fake_faults_install(h->fake);
	fake_faults_add(h->fake, &health_disk, "flr bus");
	fake_file(h->fake, REAL_DISK "/nvme/nvme0/state", "live");
	return r;
}
void make_vf(struct host *h, json_t **prior)
{
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "7", prior), 0);
	fake_file(h->fake, REAL_VF1 "/config", "\xff\xff\xff\xff\x06\x04\x11\x28");
	fake_file(h->fake, REAL_PF "/current_link_speed", "5.0 GT/s PCIe");
	fake_file(h->fake, REAL_PF "/current_link_width", "4");
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
