/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Huge pages that come with devices: carve device bind --pages NODE:SIZE=COUNT. */
#ifndef CARVE_TOOLS_BIND_PAGES_H
#define CARVE_TOOLS_BIND_PAGES_H

#include "base/lease.h"
#include "tools/cmd.h"

/** struct bind_pages - each pool once */
struct bind_pages {
	struct cv_lease_pages v[CMD_MAX_REPEATS];
	size_t n;
};

/** bind_pages_read() - of the option, in their order. Return: 0, -EINVAL with c->err. */
int bind_pages_read(struct cmd *c, struct bind_pages *ret);

#endif
