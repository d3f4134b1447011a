// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/resctrl_info.h"

#include <limits.h>
#include <string.h>

#include "base/cleanup.h"
#include "numa/resctrl.h"

#define INFO NU_RESCTRL_MOUNT "/info"

static bool read_uint(struct cv_sysroot *root, const char *path, unsigned int *ret)
{
	uint64_t n;

	if (cv_read_u64(root, path, &n) < 0 || n > UINT_MAX)
		return false;
	*ret = (unsigned int)n;
	return true;
}

/* A snapshot may be without the schemata. */
static bool is_percent(struct cv_sysroot *root)
{
	_cleanup_free_ char *text = NULL;

	return cv_read_str(root, NU_RESCTRL_MOUNT "/schemata", &text) < 0 ||
	       nu_schemata_is_percent(text);
}

void nu_resctrl_info_read(struct cv_sysroot *root, struct inv_resctrl *ret)
{
	struct inv_resctrl found = { .is_mounted = true };

	if (!cv_exists(root, INFO))
		return;
	found.has_l3 = cv_read_hex(root, INFO "/L3/cbm_mask", &found.l3_mask) == 0;
	if (found.has_l3) {
		read_uint(root, INFO "/L3/min_cbm_bits", &found.l3_min_bits);
		read_uint(root, INFO "/L3/num_closids", &found.l3_closids);
	}
	found.has_mb = read_uint(root, INFO "/MB/min_bandwidth", &found.mb_min) && is_percent(root);
	if (found.has_mb)
		read_uint(root, INFO "/MB/bandwidth_gran", &found.mb_step);
	*ret = found;
}
