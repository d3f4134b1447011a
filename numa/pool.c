// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/pool.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "base/parse.h"

static int parse_node(const char *s, size_t len, int *ret)
{
	char number[12];
	uint64_t n;
	int r;

	if (len == 0 || len >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, len);
	number[len] = '\0';
	r = cv_parse_u64(number, &n);
	if (r < 0)
		return r;
	if (n >= CV_CPU_MAX)
		return -ERANGE;
	*ret = (int)n;
	return 0;
}

int nu_pool_parse(const char *object, struct nu_pool_id *ret)
{
	struct nu_pool_id id;
	const char *slash;
	int r;

	if (strncmp(object, "node", 4) != 0)
		return -EINVAL;
	object += 4;
	slash = strchr(object, '/');
	if (!slash)
		return -EINVAL;
	r = parse_node(object, (size_t)(slash - object), &id.node);
	if (r < 0)
		return r;
	r = cv_parse_size(slash + 1, &id.page_size);
	if (r < 0)
		return r;
	if (id.page_size == 0 || id.page_size % 1024)
		return -EINVAL;
	*ret = id;
	return 0;
}

const char *nu_pool_path(char buf[CV_PATH_MAX], struct nu_pool_id id, const char *attr)
{
	return cv_pathf(buf, "/sys/devices/system/node/node%d/hugepages/hugepages-%" PRIu64 "kB/%s",
			id.node, id.page_size / 1024, attr);
}

int nu_pool_read(struct cv_sysroot *root, struct nu_pool_id id, struct inv_pool *ret)
{
	struct inv_pool pool = { .page_size = id.page_size };
	char path[CV_PATH_MAX];
	int r;

	r = cv_read_u64(root, nu_pool_path(path, id, "nr_hugepages"), &pool.total);
	if (r < 0)
		return r;
	r = cv_read_u64(root, nu_pool_path(path, id, "free_hugepages"), &pool.free);
	if (r < 0)
		return r;
	r = cv_read_u64(root, nu_pool_path(path, id, "surplus_hugepages"), &pool.surplus);
	if (r < 0 && r != -ENOENT)
		return r;
	*ret = pool;
	return 0;
}
