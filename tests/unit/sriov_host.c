// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "sriov/inventory.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

int sriov_host_make(void **state)
{
	static const struct fake_pci devs[] = {
		{ PORT, "pci0000:40", "0x1b36 0x000c 0x060400", "pcieport", 1, 0 },
		{ PF, "pci0000:40/" PORT, "0x8086 0x10c9 0x020000", "igb", 2, 0 },
		{ DISK, "pci0000:40", "0x1b36 0x0010 0x010802", "nvme", 3, 0 },
		{ MATE, "pci0000:40", "0x1af4 0x1110 0x050000", NULL, 3, 0 },
	};
	static const struct fake_sriov sriov = { 7, 128, 2, "0x8086 0x10ca 0x020000", "igbvf", 20 };
	static const char *const drivers[] = { "pcieport", "igb", "igbvf", "nvme", "vfio-pci" };
	struct host *h = calloc(1, sizeof(*h));

	assert_int_equal(fake_new(&h->fake, &h->root), 0);
	fake_pci_install(h->fake);
	for (size_t i = 0; i < CV_ARRAY_SIZE(drivers); i++)
		fake_pci_driver(h->fake, drivers[i]);
	for (size_t i = 0; i < CV_ARRAY_SIZE(devs); i++)
		fake_pci_device(h->fake, &devs[i]);
	fake_pci_sriov(h->fake, PF, &sriov);
	fake_file(h->fake, "/proc/sys/kernel/random/boot_id",
		  "11111111-2222-3333-4444-555555555555");
	assert_int_equal(cv_state_prepare(h->root, NULL), 0);
	h->env = (struct cv_step_env){ .root = h->root, .vm = "vm1", .deadline_ms = 10000 };
	*state = h;
	return 0;
}

int sriov_host_drop(void **state)
{
	struct host *h = *state;

	cv_sysroot_close(h->root);
	free(h);
	return 0;
}

int step_begin(struct host *h, const struct cv_step_ops *ops, const char *object, const char *value,
	       json_t **ret_prior)
{
	int r;

	h->err = (struct cv_error){ 0 };
	r = ops->record(&h->env, object, value, ret_prior, &h->err);
	return r < 0 ? r : ops->apply(&h->env, object, value, *ret_prior, &h->err);
}

int step_end(struct host *h, const struct cv_step_ops *ops, const char *object, const char *value,
	     const json_t *prior)
{
	h->err = (struct cv_error){ 0 };
	return ops->revert(&h->env, object, value, prior, &h->err);
}

void assert_state(struct host *h, const char *before)
{
	_cleanup_free_ char *now = fake_dump(h->fake, "/.fake");
	size_t same = 0;

	while (now[same] && now[same] == before[same])
		same++;
	while (same && now[same - 1] != '\n')
		same--;
	if (strcmp(now, before) != 0)
		fail_msg("now:    %.300s\nbefore: %.300s", now + same, before + same);
}

void assert_driver(struct host *h, const char *bdf, const char *driver)
{
	char buf[64];

	assert_string_equal(fake_pci_bound(h->fake, bdf, buf), driver);
}

void read_inventory(struct host *h, struct inventory *inv)
{
	assert_int_equal(
		sr_inventory_read(h->root, &(struct sr_depth){ .holders = true }, inv, &h->err), 0);
}

const struct inv_dev *device_at(const struct inventory *inv, const char *bdf)
{
	struct cv_bdf b;
	int i;

	assert_int_equal(cv_parse_bdf(bdf, &b), 0);
	i = inv_find_dev(inv, b);
	assert_true(i >= 0);
	return &inv->devs[i];
}
