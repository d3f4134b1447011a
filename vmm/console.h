/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The relay between a person and a guest's console. */
#ifndef CARVE_VMM_CONSOLE_H
#define CARVE_VMM_CONSOLE_H

#include "base/error.h"

#define VMM_CONSOLE_ESCAPE 0x1d /* Ctrl-] */

/**
 * vmm_console_open() - connect to the console socket of a VM that runs
 * Return: 0, -ENOENT or -ECONNREFUSED (not running), -errno.
 */
int vmm_console_open(const char *path, int *ret_fd, struct cv_error *err);
/**
 * vmm_console_attach() - relay bytes between @in_fd, @out_fd and the console
 * @sock_fd: connected console socket; borrowed, as are the others
 * @in_fd:   if it is a terminal, the caller made it raw. What a guest that does not read would block
 *           is then dropped, as a serial line does; else it waits
 * @escape:  this byte ends the relay, negative: none does
 *
 * Return: 0 after the escape byte or the end of @in_fd, 1 when the console was closed (the VM ended),
 * -EINTR (a signal handler ran), -errno.
 */
int vmm_console_attach(int sock_fd, int in_fd, int out_fd, int escape);

#endif
