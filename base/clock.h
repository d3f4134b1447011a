/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock that deadlines and timings are measured with. */
#ifndef CARVE_BASE_CLOCK_H
#define CARVE_BASE_CLOCK_H

#include <stdint.h>

/** cv_now_ms() - milliseconds of CLOCK_MONOTONIC, never negative. */
int64_t cv_now_ms(void);

#endif
