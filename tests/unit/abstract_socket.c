// SPDX-License-Identifier: GPL-2.0-or-later
#include "tests/unit/abstract_socket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

int listen_somewhere(struct sockaddr_un *ret_address, socklen_t *ret_len)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ret_address->sun_family = AF_UNIX;
	assert_int_equal(bind(fd, (struct sockaddr *)ret_address, sizeof(sa_family_t)), 0);
	*ret_len = sizeof(*ret_address);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_address, ret_len), 0);
	assert_int_equal(listen(fd, 4), 0);
	return fd;
}
