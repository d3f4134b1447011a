// SPDX-License-Identifier: GPL-2.0-or-later
/* The disks of a guest: where it finds them, and that no two guests write to one. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "plan/placement.h"

/* Bus 0 of q35 has the virtio console in slot 3, an expander for each guest node from 8 on, and the
 * chipset in 31; of carve-vmm it has virtio devices in 1 and 2. */
#define FIRST_SLOT 4
#define FIRST_SLOTS 4
#define SECOND_SLOT 24

_Static_assert(SPEC_MAX_DISKS == PLAN_MAX_DISKS, "each disk of a spec has a place in the plan");
_Static_assert(SPEC_DISK_SERIAL == PLAN_DISK_SERIAL, "serials of specs fit into plans");

unsigned int plan_disk_slot(size_t i)
{
	return (unsigned int)(i < FIRST_SLOTS ? FIRST_SLOT + i : SECOND_SLOT + i - FIRST_SLOTS);
}

bool plan_disk_is_device(const char *path)
{
	return strncmp(path, "/dev/", 5) == 0 && strncmp(path, "/dev/shm/", 9) != 0;
}

bool plan_writes_files(const struct plan *p)
{
	for (size_t i = 0; i < p->n_disks; i++)
		if (!p->disks[i].is_readonly && !p->disks[i].is_vhost_user &&
		    !plan_disk_is_device(p->disks[i].path))
			return true;
	return false;
}

static int set_disk(struct plan *plan, const struct spec_disk *from, size_t i)
{
	struct plan_disk *d = &plan->disks[i];

	d->path = strdup(from->path);
	if (!d->path)
		return -ENOMEM;
	plan->n_disks = i + 1;
	snprintf(d->id, sizeof(d->id), "disk%zu", i);
	snprintf(d->serial, sizeof(d->serial), "%s", from->serial);
	d->is_vhost_user = from->is_vhost_user;
	d->is_readonly = from->is_readonly;
	d->has_discard = from->has_discard;
	d->guest = (struct cv_bdf){ .dev = (uint8_t)plan_disk_slot(i) };
	return 0;
}

int plan_set_disks(struct plan *plan, const struct spec *s)
{
	int r = 0;

	for (size_t i = 0; i < s->n_disks && i < PLAN_MAX_DISKS && r == 0; i++)
		r = set_disk(plan, &s->disks[i], i);
	return r;
}

static int fail_shared(const struct spec *a, const struct spec *b, const char *path,
		       struct cv_error *err)
{
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "DISK_SHARED", path,
		"two guests would have the disk, and not both only read it");
	cv_error_found(err, "guests %s and %s", a->name, b->name);
	cv_error_wanted(err, "a disk of its own for each, or readonly: true for both");
	cv_error_hint(err, "copy the file, or change disks: of one of the specs");
	return -EBUSY;
}

int place_check_disks(const struct spec *a, const struct spec *b, struct cv_error *err)
{
	for (size_t i = 0; i < a->n_disks; i++) {
		for (size_t k = 0; k < b->n_disks; k++) {
			const struct spec_disk *x = &a->disks[i], *y = &b->disks[k];

			if (strcmp(x->path, y->path) == 0 && !(x->is_readonly && y->is_readonly))
				return fail_shared(a, b, x->path, err);
		}
	}
	return 0;
}
