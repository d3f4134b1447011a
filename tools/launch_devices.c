// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/launch_devices.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "sriov/function.h"

#define OPEN_TRIES 20
#define OPEN_PAUSE_MS 10

/** struct opening - of one device */
struct opening {
	const struct vx_open *open;
	int group;
	char bdf[CV_BDF_MAX];
	pthread_t thread;
	int fd; /* or -errno with @err */
	struct cv_error err;
};

static void *open_one(void *arg)
{
	struct opening *o = arg;

	/* somebody on the host may have the function's lock for a moment */
	for (unsigned int i = 0; i < OPEN_TRIES; i++) {
		o->fd = vx_open_device(o->open, o->group, o->bdf, &o->err);
		if (o->fd != -EAGAIN)
			break;
		poll(NULL, 0, OPEN_PAUSE_MS);
	}
	return NULL;
}

static int open_groups(struct cv_sysroot *root, const struct plan *p, struct vx_open *open,
		       struct opening *v, struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < p->n_devices && r == 0; i++) {
		v[i].open = open;
		v[i].group = sr_group(root, cv_format_bdf(p->devices[i].host, v[i].bdf));
		r = v[i].group < 0
			    ? cv_fail_errno(err, -ENOENT, v[i].bdf, "the device has no IOMMU group")
			    : vx_open_group(open, v[i].group, err);
	}
	return r;
}

/* Each is reset as it is opened, which takes 100 ms and more (PCIe Base 6.0 section 6.6.2): at once. */
static int open_all(struct opening *v, size_t n, struct launch_devices *d, struct cv_error *err)
{
	size_t begun = 0;
	int r = 0;

	while (r == 0 && begun < n) {
		r = -pthread_create(&v[begun].thread, NULL, open_one, &v[begun]);
		begun += r == 0;
	}
	if (r < 0)
		cv_fail_errno(err, r, NULL, "cannot open the devices");
	for (size_t i = 0; i < begun; i++)
		pthread_join(v[i].thread, NULL);
	for (size_t i = 0; i < begun; i++) {
		if (v[i].fd >= 0) {
			d->fds[d->n++] = v[i].fd;
		} else if (r == 0) {
			r = v[i].fd;
			if (err)
				*err = v[i].err;
		}
	}
	return r;
}

int launch_devices_open(struct cv_sysroot *root, const struct plan *p, struct launch_devices *ret,
			struct cv_error *err)
{
	struct launch_devices d = { .open.container = -1 };
	_cleanup_free_ struct opening *v = calloc(p->n_devices + 1, sizeof(*v));
	int r;

	d.fds = calloc(p->n_devices + 1, sizeof(*d.fds));
	if (!d.fds || !v)
		r = cv_fail_errno(err, -ENOMEM, NULL, "cannot open the devices");
	else
		r = open_groups(root, p, &d.open, v, err);
	r = r ?: open_all(v, p->n_devices, &d, err);
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
