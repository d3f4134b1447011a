// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/value.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"

int nu_value_list(const char **p, const char *key, char end, struct cv_cpuset *ret)
{
	_cleanup_free_ char *list = NULL;
	const char *stop;
	int r;

	if (strncmp(*p, key, strlen(key)) != 0)
		return -EINVAL;
	*p += strlen(key);
	stop = strchr(*p, end);
	if (!stop)
		return -EINVAL;
	list = strndup(*p, (size_t)(stop - *p));
	if (!list)
		return -ENOMEM;
	r = cv_parse_cpulist(list, ret);
	if (r < 0)
		return r;
	*p = end ? stop + 1 : stop;
	return cv_cpuset_is_empty(ret) ? -EINVAL : 0;
}
