/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the parts of the hypervisor that know nothing of Linux are written in: interrupt controllers, timers,
 * the instruction emulator. They are built into the module, and by the unit tests and fuzz targets as
 * ordinary programs. Such a file includes this header and its own, allocates nothing and never sleeps.
 */
#ifndef CARVE_KERNEL_PURE_H
#define CARVE_KERNEL_PURE_H

#ifdef __KERNEL__

#include <linux/bitops.h>
#include <linux/build_bug.h>
#include <linux/errno.h>
#include <linux/kernel.h>
#include <linux/math64.h>
#include <linux/string.h>
#include <linux/types.h>

#else

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int8_t s8;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define BIT(n) (1UL << (n))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define static_assert _Static_assert

static inline u64 div_u64(u64 dividend, u32 divisor)
{
	return dividend / divisor;
}

#endif

#endif
