/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Is the running guest what was planned? Asks the checker in the guest and compares. */
#ifndef CARVE_TOOLS_VERIFY_H
#define CARVE_TOOLS_VERIFY_H

#include "tools/cmd.h"

struct plan;

/**
 * struct verify_request - what the user wants to know of the guest
 * @seconds: how long to wait for the guest
 * @tests:   array of device tests, owned; never NULL once read
 */
struct verify_request {
	unsigned int seconds;
	json_t *tests;
};

/** verify_read() - from the options --timeout and --tests of the running verb. Return: 0, -errno. */
int verify_read(struct cmd *c, struct verify_request *ret);
static inline void verify_done(struct verify_request *q)
{
	json_decref(q->tests);
}
/**
 * verify_resolve() - give every test the guest's address of its device; may be called again
 * Return: 0; -EINVAL when a test names a device that @p does not have.
 */
int verify_resolve(struct cmd *c, const struct plan *p, struct verify_request *q);
/**
 * verify_vm() - ask, compare, print
 * Return: 0 equal; -errno with exit CV_EXIT_GUEST when the guest differs, CV_EXIT_TIMEOUT when it does
 * not answer.
 */
int verify_vm(struct cmd *c, const char *name, struct verify_request *q);

#endif
