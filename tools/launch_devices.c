// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/launch_devices.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sriov/function.h"

int launch_devices_open(struct cv_sysroot *root, const struct plan *p, struct launch_devices *ret,
			struct cv_error *err)
{
	struct launch_devices d = { .open.container = -1 };
	int r = 0;

	d.fds = calloc(p->n_devices + 1, sizeof(*d.fds));
	if (!d.fds)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot open the devices");
	for (size_t i = 0; i < p->n_devices && r == 0; i++) {
		char bdf[CV_BDF_MAX];
		int group = sr_group(root, cv_format_bdf(p->devices[i].host, bdf)), fd;

		r = group < 0 ? cv_fail_errno(err, -ENOENT, bdf, "the device has no IOMMU group")
			      : vx_open_group(&d.open, group, err);
		if (r < 0)
			break;
		fd = vx_open_device(&d.open, group, bdf, err);
		if (fd < 0)
			r = fd;
		else
			d.fds[d.n++] = fd;
	}
	if (r < 0) {
		launch_devices_done(&d);
		return r;
	}
	*ret = d;
	return 0;
}

void launch_devices_done(struct launch_devices *d)
{
	for (size_t i = 0; i < d->n; i++)
		close(d->fds[i]);
	free(d->fds);
	if (d->open.container >= 0)
		vx_open_done(&d->open);
	*d = (struct launch_devices){ .open.container = -1 };
}
