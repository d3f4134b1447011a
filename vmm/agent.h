/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking the checker inside the guest: one JSON line each way, over the virtio-serial port
 * org.carve.guest. */
#ifndef CARVE_VMM_AGENT_H
#define CARVE_VMM_AGENT_H

#include "base/error.h"

/**
 * vmm_agent_request() - send a request, return the answer
 * @socket_path:  the unix socket that the VMM listens on for the port
 * @request_line: a JSON object on one line, without newline. If it has an "id", an answer with another
 *                "id" belongs to an earlier request and is ignored
 * @ret_line:     the answer, a JSON object on one line; heap string owned by the caller
 *
 * The guest may not have opened the port yet, and a VMM may drop what is sent until then: the request
 * is repeated every 2 s once the VMM took the one before, on a new connection if it was closed.
 * What is not a JSON object (a line torn by that) is ignored.
 *
 * Return: 0; -EINVAL when @request_line is no JSON object; -ETIMEDOUT; -EPIPE when the VMM was there
 * and is gone; -EMSGSIZE for an answer over 1 MiB; -EINTR; -errno.
 */
int vmm_agent_request(const char *socket_path, const char *request_line, unsigned int deadline_ms,
		      char **ret_line, struct cv_error *err);

#endif
