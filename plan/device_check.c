// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/device_check.h"

#include <errno.h>
#include <stdlib.h>

#include "plan/placement.h"

static int fail_absent(struct cv_bdf bdf, struct cv_error *err)
{
	char text[CV_BDF_MAX];

	cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENODEV", cv_format_bdf(bdf, text),
		"there is no such PCI function");
	cv_error_hint(err, "carve device list shows the functions of this host");
	return -ENODEV;
}

/* As entries of a spec that names each of them by its address. */
static int fill_spec(const struct cv_bdf *bdfs, size_t n, struct spec *s)
{
	s->devices = calloc(n + 1, sizeof(*s->devices));
	if (!s->devices)
		return -ENOMEM;
	for (; s->n_devices < n; s->n_devices++)
		s->devices[s->n_devices] = (struct spec_device){
			.select = SPEC_BY_BDF,
			.bdf = bdfs[s->n_devices],
			.accept = SPEC_ACCEPT_NO_RESET | SPEC_ACCEPT_NO_INTREMAP,
		};
	return 0;
}

static int check_one(const struct place *p, const struct spec *s, const struct spec_device *want,
		     struct cv_error *err)
{
	struct place_dev dev = { .bdf = want->bdf, .vf_index = -1, .pf = -1, .clique = -1 };

	dev.dev = inv_find_dev(p->inv, want->bdf);
	if (dev.dev < 0)
		return fail_absent(want->bdf, err);
	return place_check_device(p, s, NULL, want, dev, err);
}

int plan_check_devices(const struct inventory *inv, const struct site *site,
		       const struct cv_bdf *bdfs, size_t n, struct cv_error *err)
{
	struct spec s = { 0 };
	struct place p;
	int r = place_init(&p, inv, site, NULL);

	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot judge the devices");
	r = fill_spec(bdfs, n, &s);
	if (r < 0)
		cv_fail_errno(err, r, NULL, "cannot judge the devices");
	for (size_t i = 0; i < s.n_devices && r == 0; i++)
		r = check_one(&p, &s, &s.devices[i], err);
	free(s.devices);
	place_done(&p);
	return r;
}
