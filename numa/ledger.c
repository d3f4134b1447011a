// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/ledger.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"

#define MARKER "carve_hugepages"

/* A name is of a VM or of an operation: its lease is there once. */
const char *nu_ledger_path(char buf[CV_PATH_MAX], struct cv_sysroot *root, const char *vm,
			   struct nu_pool_id id)
{
	bool is_operation = cv_exists(root, cv_pathf(buf, CV_OPERATION_DIR "/%s", vm));
	char size[CV_SIZE_MAX];

	return cv_pathf(buf, "%s/%s/hugepages-node%d-%s",
			is_operation ? CV_OPERATION_DIR : CV_VM_DIR, vm, id.node,
			cv_format_size(id.page_size, size));
}

static bool is_count(int64_t n)
{
	return n >= 0;
}

static int from_json(const json_t *j, const char *path, struct nu_ledger *ret, struct cv_error *err)
{
	int64_t added = cv_json_int(j, "added", -1);
	int64_t base = cv_json_int(j, "base", -1);
	int64_t surplus = cv_json_int(j, "surplus", -1);
	int r;

	r = cv_json_version(j, MARKER, NU_LEDGER_VERSION, path, err);
	if (r < 0)
		return r;
	if (!is_count(added) || is_count(base) != is_count(surplus))
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_LEDGER", path,
			       "damaged huge page ledger");
	*ret = (struct nu_ledger){ .added = (uint64_t)added };
	if (is_count(base)) {
		ret->is_moving = true;
		ret->base = (uint64_t)base;
		ret->surplus = (uint64_t)surplus;
	}
	return 0;
}

int nu_ledger_read(struct cv_sysroot *root, const char *vm, struct nu_pool_id id,
		   struct nu_ledger *ret, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	int r;

	r = cv_read_str(root, nu_ledger_path(path, root, vm, id), &text);
	if (r == -ENOENT || r == -ENOTDIR) {
		*ret = (struct nu_ledger){ 0 };
		return 0;
	}
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot read the huge page ledger");
	r = cv_json_parse(text, path, &j, err);
	if (r < 0)
		return r;
	return from_json(j, path, ret, err);
}

static json_t *to_json(const struct nu_ledger *l)
{
	if (!l->is_moving)
		return json_pack("{s:i,s:I}", MARKER, NU_LEDGER_VERSION, "added",
				 (json_int_t)l->added);
	return json_pack("{s:i,s:I,s:I,s:I}", MARKER, NU_LEDGER_VERSION, "added",
			 (json_int_t)l->added, "base", (json_int_t)l->base, "surplus",
			 (json_int_t)l->surplus);
}

int nu_ledger_write(struct cv_sysroot *root, const char *vm, struct nu_pool_id id,
		    const struct nu_ledger *l, struct cv_error *err)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	int r;

	nu_ledger_path(path, root, vm, id);
	if (l->added == 0 && !l->is_moving) {
		r = cv_unlink(root, path);
		if (r < 0 && r != -ENOENT)
			return cv_fail_errno(err, r, path, "cannot remove the huge page ledger");
		return 0;
	}
	j = to_json(l);
	text = j ? cv_json_line(j) : NULL;
	r = text ? cv_replace_file(root, path, text, 0644) : -ENOMEM;
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot write the huge page ledger");
	return 0;
}
