/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets and logs in the VM's directory, which belongs to the user that the VMM runs as. */
#ifndef CARVE_VMM_LISTEN_H
#define CARVE_VMM_LISTEN_H

#include "base/error.h"

/** vmm_listen() - a unix socket @dir/@file that is listened on. Return: 0, -errno. */
int vmm_listen(const char *dir, const char *file, int *ret_fd, struct cv_error *err);
/** vmm_open_log() - @dir/@file, to be appended to. Return: 0, -errno. */
int vmm_open_log(const char *dir, const char *file, int *ret_fd, struct cv_error *err);

#endif
