/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope-bound ownership: values that release themselves when they leave their block. */
#ifndef CARVE_BASE_CLEANUP_H
#define CARVE_BASE_CLEANUP_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines the cleanup function NAMEp for a pointer type released by NAME. */
#define CV_DEFINE_CLEANUP(type, name)       \
	static inline void name##p(type *p) \
	{                                   \
		if (*p)                     \
			name(*p);           \
	}

static inline void cv_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void cv_cleanup_close(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cv_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

#define _cleanup_free_ _cleanup_(cv_cleanup_free)
#define _cleanup_close_ _cleanup_(cv_cleanup_close)
#define _cleanup_fclose_ _cleanup_(cv_cleanup_fclose)

/* Hands a pointer over: the variable no longer owns it. */
#define TAKE_PTR(p)                     \
	({                              \
		__typeof__(p) _t = (p); \
		(p) = NULL;             \
		_t;                     \
	})

/* Hands a file descriptor over: the variable no longer owns it. */
#define TAKE_FD(fd)            \
	({                     \
		int _t = (fd); \
		(fd) = -1;     \
		_t;            \
	})

#define CV_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
