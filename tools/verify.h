/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the running guest what was planned? Asks the checker in the guest and compares. */
#ifndef CARVE_TOOLS_VERIFY_H
#define CARVE_TOOLS_VERIFY_H

#include "tools/cmd.h"

/**
 * verify_vm() - ask, compare, print; options --tests and --timeout of the running verb are used
 * Return: 0 equal; -errno with exit CV_EXIT_GUEST when the guest differs, CV_EXIT_TIMEOUT when it does
 * not answer.
 */
int verify_vm(struct cmd *c, const char *name);

#endif
