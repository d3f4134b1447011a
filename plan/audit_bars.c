// SPDX-License-Identifier: GPL-2.0-or-later
/* BARs: placed by the firmware, as large as they can be, and fitting into a guest's address space. */
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/audit_checks.h"

static int first_unplaced(const struct inv_bar *bars)
{
	for (int i = 0; i < INV_MAX_BARS; i++)
		if (bars[i].size && !bars[i].address && !bars[i].is_io)
			return i;
	return -1;
}

static void advise_room(struct audit_finding *f)
{
	audit_set_change(f, AUDIT_FIRMWARE, "", "", "Above 4G decoding: enabled");
	audit_fix(
		f,
		"turn on \"Above 4G decoding\" and, if there, a larger MMIO size in the firmware; "
		"or boot with pci=realloc");
}

bool audit_find_unplaced_bar(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	int bar = first_unplaced(d->bars);
	char bdf[CV_BDF_MAX], size[CV_SIZE_MAX];

	if (bar < 0)
		return false;
	audit_evidence(f, "/sys/bus/pci/devices/%s/resource: BAR %d of %s has no address",
		       cv_format_bdf(d->bdf, bdf), bar, cv_format_size(d->bars[bar].size, size));
	audit_effect(f,
		     "the firmware found no room for it: the device cannot be used, here or in a "
		     "guest");
	advise_room(f);
	return true;
}

bool audit_find_unplaced_vf_bar(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	int bar = d->sriov.total ? first_unplaced(d->sriov.vf_bars) : -1;
	char bdf[CV_BDF_MAX], size[CV_SIZE_MAX];

	if (bar < 0)
		return false;
	audit_evidence(f, "/sys/bus/pci/devices/%s/resource: VF BAR %d, %u of %s, has no address",
		       cv_format_bdf(d->bdf, bdf), bar, d->sriov.total,
		       cv_format_size(d->sriov.vf_bars[bar].size, size));
	audit_effect(f, "the firmware left no room for VFs: sriov_numvfs refuses (ENOMEM)");
	advise_room(f);
	return true;
}

/* PCIe Base 6.0 section 7.8.6.2: bit n of the sizes stands for 2^(20 + n) bytes. */
static uint64_t largest_size(const struct inv_bar *b)
{
	for (int n = 43; n >= 0; n--)
		if (b->resizable >> n & 1)
			return 1ULL << (20 + n);
	return 0;
}

bool audit_find_small_bar(const struct inventory *inv, int dev, struct audit_finding *f)
{
	const struct inv_dev *d = &inv->devs[dev];
	char bdf[CV_BDF_MAX], size[CV_SIZE_MAX], best[CV_SIZE_MAX];

	if (strcmp(inv_class_name(d), "gpu") != 0)
		return false;
	for (int i = 0; i < INV_MAX_BARS; i++) {
		uint64_t largest = largest_size(&d->bars[i]);

		if (!d->bars[i].size || d->bars[i].size >= largest)
			continue;
		audit_evidence(f, "/sys/bus/pci/devices/%s/resource%d_resize: BAR %d is %s of %s",
			       cv_format_bdf(d->bdf, bdf), i, i,
			       cv_format_size(d->bars[i].size, size),
			       cv_format_size(largest, best));
		audit_effect(f, "the guest reaches the GPU's memory through a small window: slow "
				"copies, no peer-to-peer to all of it");
		audit_set_change(f, AUDIT_FIRMWARE, "", size, "Resizable BAR: enabled");
		audit_fix(f, "turn on \"Resizable BAR\" and \"Above 4G decoding\" in the firmware");
		return true;
	}
	return false;
}

static uint64_t sum_of_64bit(const struct inv_dev *d)
{
	uint64_t sum = 0;

	for (int i = 0; i < INV_MAX_BARS; i++)
		if (d->bars[i].is_64bit && sum + d->bars[i].size >= sum)
			sum += d->bars[i].size;
	return sum;
}

/* BARs are aligned to their size, so the window is twice the next power of two; the guest's RAM must
 * have room beside it in what the host's CPU can address. */
static uint64_t window_of(uint64_t sum)
{
	uint64_t window = 2;

	while (window < 2 * sum && window <= UINT64_MAX / 4)
		window *= 2;
	return window;
}

bool audit_find_no_window(const struct inventory *inv, int dev, struct audit_finding *f)
{
	unsigned int bits = inv->host.phys_bits;
	uint64_t sum = sum_of_64bit(&inv->devs[dev]);
	char size[CV_SIZE_MAX], need[CV_SIZE_MAX];

	if (!sum || bits == 0 || bits > 63 || window_of(sum) <= 1ULL << (bits - 1))
		return false;
	audit_evidence(f, "64-bit BARs of %s need a window of %s; /proc/cpuinfo: %u bits physical",
		       cv_format_size(sum, size), cv_format_size(window_of(sum), need), bits);
	audit_effect(f, "no guest on this host has room for its BARs");
	audit_fix(f, "make the BAR smaller (resource*_resize) before the device is given, or use a "
		     "host whose CPU addresses more");
	return true;
}
