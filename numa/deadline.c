// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/deadline.h"

#include <time.h>

#include "base/clock.h"

#define NAP_MAX_MS 50

struct nu_deadline nu_deadline_start(unsigned int ms)
{
	return (struct nu_deadline){ .end = (uint64_t)cv_now_ms() + ms, .nap = 1 };
}

bool nu_deadline_wait(struct nu_deadline *d)
{
	struct timespec pause = { .tv_nsec = (long)d->nap * 1000000 };

	if ((uint64_t)cv_now_ms() >= d->end)
		return false;
	nanosleep(&pause, NULL);
	d->nap = d->nap * 2 > NAP_MAX_MS ? NAP_MAX_MS : d->nap * 2;
	return true;
}
