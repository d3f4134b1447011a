/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A listening unix socket without a name in a file system. */
#ifndef CARVE_TESTS_ABSTRACT_SOCKET_H
#define CARVE_TESTS_ABSTRACT_SOCKET_H

#include <sys/socket.h>
#include <sys/un.h>

/** listen_somewhere() - at an abstract address that the kernel chooses. Return: the descriptor. */
int listen_somewhere(struct sockaddr_un *ret_address, socklen_t *ret_len);

#endif
