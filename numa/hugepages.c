// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/hugepages.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/parse.h"
#include "base/state.h"
#include "numa/deadline.h"
#include "numa/ledger.h"
#include "numa/memory.h"
#include "numa/pool.h"

/* The kernel was asked this often in a row without giving one more page: it has none. */
#define TRIES_WITHOUT_GAIN 3
/* Bytes that one write adds at most. */
#define GROW_STEP (1ULL << 30)

static int parse_object(const char *object, struct nu_pool_id *ret, struct cv_error *err)
{
	int r = nu_pool_parse(object, ret);

	if (r < 0) {
		cv_fail(err, r, CV_EXIT_USAGE, "EINVAL_STEP", object, "malformed huge page step");
		cv_error_wanted(err, "nodeN/SIZE, for example node1/2M");
	}
	return r;
}

static int parse_step(const char *object, const char *value, struct nu_pool_id *ret_id,
		      uint64_t *ret_pages, struct cv_error *err)
{
	int r = parse_object(object, ret_id, err);

	if (r < 0)
		return r;
	r = cv_parse_u64(value, ret_pages);
	if (r == 0 && *ret_pages == 0)
		r = -EINVAL;
	if (r < 0) {
		cv_fail(err, r, CV_EXIT_USAGE, "EINVAL_STEP", object, "malformed huge page step");
		cv_error_found(err, "%s", value);
		cv_error_wanted(err, "a number of pages above 0");
	}
	return r;
}

static int read_pool(const struct cv_step_env *env, struct nu_pool_id id, struct inv_pool *ret,
		     struct cv_error *err)
{
	char path[CV_PATH_MAX], size[CV_SIZE_MAX];
	int r = nu_pool_read(env->root, id, ret);

	if (r == -ENOENT)
		return cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOENT_POOL",
			       nu_pool_path(path, id, "nr_hugepages"), "node %d has no %s pages",
			       id.node, cv_format_size(id.page_size, size));
	if (r < 0)
		return cv_fail_errno(err, r, nu_pool_path(path, id, "nr_hugepages"),
				     "cannot read the huge page pool");
	return 0;
}

static int write_size(const struct cv_step_env *env, struct nu_pool_id id, uint64_t pages)
{
	char path[CV_PATH_MAX], number[24];

	snprintf(number, sizeof(number), "%" PRIu64, pages);
	return cv_write_deadline(env->root, nu_pool_path(path, id, "nr_hugepages"), number,
				 env->deadline_ms);
}

/* Moves the node's memory together so that whole huge pages come free; best effort. */
static void compact(const struct cv_step_env *env, int node)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, "/sys/devices/system/node/node%d/compact", node);
	if (cv_write_deadline(env->root, path, "1", env->deadline_ms) == -ENOENT)
		cv_write_deadline(env->root, "/proc/sys/vm/compact_memory", "1", env->deadline_ms);
}

static uint64_t less(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* Growing goes in steps, so that the deadline of one write does not limit the pool's size. */
static uint64_t next_size(uint64_t now, uint64_t target, uint64_t page_size)
{
	uint64_t step = GROW_STEP > page_size ? GROW_STEP / page_size : 1;

	return less(target, now) > step ? now + step : target;
}

/*
 * Bring the pool's persistent size to @target. Shrinking ends at once, pages in use become surplus;
 * growing takes what the kernel finds. Written at least once, also when the size is right already: the
 * kernel lets one writer in at a time, so a write that a killed carve left behind has then ended.
 * Return: 0, -ENOMEM or -EBUSY when it stops short, -errno.
 */
static int resize(const struct cv_step_env *env, struct nu_pool_id id, uint64_t target)
{
	struct inv_pool pool;
	int r, stuck = 0;

	r = nu_pool_read(env->root, id, &pool);
	while (r == 0) {
		uint64_t last = nu_pool_persistent(&pool), now;

		r = write_size(env, id, next_size(last, target, id.page_size));
		if (r < 0 && r != -ETIMEDOUT)
			break;
		r = nu_pool_read(env->root, id, &pool);
		now = nu_pool_persistent(&pool);
		if (r < 0 || now == target)
			break;
		stuck = now == last ? stuck + 1 : 0;
		if (stuck == TRIES_WITHOUT_GAIN)
			return now < target ? -ENOMEM : -EBUSY;
		if (stuck > 0 && now < target)
			compact(env, id.node);
	}
	return r;
}

/* What the pages' users let go the kernel frees on its own time. */
static int wait_for_surplus(const struct cv_step_env *env, struct nu_pool_id id, uint64_t surplus,
			    struct cv_error *err)
{
	struct nu_deadline d = nu_deadline_start(env->deadline_ms);
	struct inv_pool pool = { 0 };
	char path[CV_PATH_MAX];
	int r;

	do {
		r = nu_pool_read(env->root, id, &pool);
	} while (r == 0 && pool.surplus > surplus && nu_deadline_wait(&d));
	if (r == -ENOENT || (r == 0 && pool.surplus <= surplus))
		return 0;
	nu_pool_path(path, id, "surplus_hugepages");
	if (r < 0)
		return cv_fail_errno(err, r, path, "cannot see whether pages are still in use");
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HUGEPAGES", path,
		"pages of the VM are still in use after %u ms", env->deadline_ms);
	cv_error_found(err, "%" PRIu64 " surplus pages", pool.surplus);
	cv_error_wanted(err, "%" PRIu64, surplus);
	cv_error_hint(err, "they go with the last process that maps them; then run carve recover");
	return -EBUSY;
}

/* Undo one change that is under way, if there is one. */
static int settle(const struct cv_step_env *env, const char *vm, struct nu_pool_id id,
		  bool is_waiting, struct cv_error *err)
{
	struct nu_ledger ledger;
	char path[CV_PATH_MAX];
	int r;

	r = nu_ledger_read(env->root, vm, id, &ledger, err);
	if (r < 0 || !ledger.is_moving)
		return r;
	r = resize(env, id, ledger.base);
	if (r < 0 && r != -ENOENT)
		return cv_fail_errno(err, r, nu_pool_path(path, id, "nr_hugepages"),
				     "cannot bring the pool back to %" PRIu64 " pages",
				     ledger.base);
	r = is_waiting ? wait_for_surplus(env, id, ledger.surplus, err) : 0;
	if (r < 0)
		return r;
	ledger.is_moving = false;
	return nu_ledger_write(env->root, vm, id, &ledger, err);
}

static int settle_those_in(const struct cv_step_env *env, const char *dir, struct nu_pool_id id,
			   struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r;

	r = cv_list(env->root, dir, &names);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return cv_fail_errno(err, r, dir, "cannot list who has huge pages");
	for (size_t i = 0; i < names.n; i++) {
		if (strcmp(names.v[i], env->vm) == 0)
			continue;
		r = settle(env, names.v[i], id, false, err);
		if (r < 0)
			return r;
	}
	return 0;
}

/* Afterwards the pool's size is the admin's plus what the ledgers say was added. */
static int settle_others(const struct cv_step_env *env, struct nu_pool_id id, struct cv_error *err)
{
	int r = settle_those_in(env, CV_VM_DIR, id, err);

	return r < 0 ? r : settle_those_in(env, CV_OPERATION_DIR, id, err);
}

static uint64_t leased_pages(const struct cv_lease *l, struct nu_pool_id id)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < l->n_pages; i++)
		if (l->pages[i].node == id.node && l->pages[i].page_size == id.page_size)
			sum += l->pages[i].pages;
	return sum;
}

static int leased_by_others(const struct cv_step_env *env, struct nu_pool_id id, uint64_t *ret,
			    struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	uint64_t sum = 0;
	int r;

	r = cv_lease_list(env->root, &names, err);
	if (r < 0 && r != -ENOENT)
		return r;
	for (size_t i = 0; i < names.n; i++) {
		struct cv_lease lease = { 0 };

		if (strcmp(names.v[i], env->vm) == 0)
			continue;
		r = cv_lease_read(env->root, names.v[i], &lease, err);
		if (r < 0)
			return r;
		sum += leased_pages(&lease, id);
		cv_lease_done(&lease);
	}
	*ret = sum;
	return 0;
}

/* Pages that programs have mapped but not touched yet; the kernel counts them for all nodes. */
static uint64_t reserved_pages(struct cv_sysroot *root, struct nu_pool_id id)
{
	char path[CV_PATH_MAX];
	uint64_t n;

	cv_pathf(path, "/sys/kernel/mm/hugepages/hugepages-%" PRIu64 "kB/resv_hugepages",
		 id.page_size / 1024);
	return cv_read_u64(root, path, &n) == 0 ? n : 0;
}

/* Pages of the pool that this VM may take as they are. */
static int usable_pages(const struct cv_step_env *env, struct nu_pool_id id, uint64_t *ret,
			struct cv_error *err)
{
	uint64_t leased = 0, unleased, unreserved;
	struct inv_pool pool;
	int r;

	r = leased_by_others(env, id, &leased, err);
	if (r < 0)
		return r;
	r = read_pool(env, id, &pool, err);
	if (r < 0)
		return r;
	unleased = less(pool.total, leased);
	unreserved = less(pool.free, reserved_pages(env->root, id));
	*ret = unreserved < unleased ? unreserved : unleased;
	return 0;
}

/* Asking the kernel for more than this would drive out every cached file before it fails. */
static uint64_t obtainable_pages(struct cv_sysroot *root, struct nu_pool_id id)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	cv_pathf(path, "/sys/devices/system/node/node%d/meminfo", id.node);
	if (cv_read_str(root, path, &text) < 0)
		return UINT64_MAX;
	return nu_meminfo_obtainable(text) / id.page_size;
}

/* @tried: the kernel was asked for more */
static int too_few(struct nu_pool_id id, uint64_t found, uint64_t wanted, bool tried,
		   struct cv_error *err)
{
	char path[CV_PATH_MAX], size[CV_SIZE_MAX];

	cv_format_size(id.page_size, size);
	cv_fail(err, -ENOMEM, CV_EXIT_PRECONDITION, "ENOMEM_HUGEPAGES",
		nu_pool_path(path, id, "nr_hugepages"),
		"node %d has %" PRIu64 " free %s pages%s, %" PRIu64 " needed", id.node, found, size,
		tried ? " after trying" : " and no memory for the rest", wanted);
	cv_error_found(err, "%" PRIu64, found);
	cv_error_wanted(err, "%" PRIu64, wanted);
	cv_error_hint(err, "reserve them at boot: hugepagesz=%s hugepages=%d:%" PRIu64, size,
		      id.node, wanted);
	return -ENOMEM;
}

/* Note in the ledger that the pool is about to change from @pool and would go back to @base. */
static int begin_change(const struct cv_step_env *env, struct nu_pool_id id,
			struct nu_ledger *ledger, uint64_t base, const struct inv_pool *pool,
			struct cv_error *err)
{
	ledger->is_moving = true;
	ledger->base = base;
	ledger->surplus = pool->surplus;
	return nu_ledger_write(env->root, env->vm, id, ledger, err);
}

/* Add @missing pages and count again: pages in use that were surplus may have become ours. */
static int add_pages(const struct cv_step_env *env, struct nu_pool_id id, uint64_t base,
		     uint64_t missing, uint64_t wanted, struct cv_error *err)
{
	uint64_t usable = 0;
	int r, counted;

	r = resize(env, id, base + missing);
	counted = usable_pages(env, id, &usable, err);
	if (counted < 0)
		return counted;
	if (r == 0 && usable >= wanted)
		return 0;
	if (r == 0 || r == -ENOMEM || r == -ETIMEDOUT)
		return too_few(id, usable, wanted, true, err);
	return cv_fail_errno(err, r, env->vm, "cannot add pages to node %d", id.node);
}

static int grow(const struct cv_step_env *env, struct nu_pool_id id, uint64_t missing,
		uint64_t wanted, struct cv_error *err)
{
	struct nu_ledger ledger;
	struct inv_pool pool;
	int r;

	if (missing > obtainable_pages(env->root, id))
		return too_few(id, less(wanted, missing), wanted, false, err);
	r = nu_ledger_read(env->root, env->vm, id, &ledger, err);
	if (r < 0)
		return r;
	r = read_pool(env, id, &pool, err);
	if (r < 0)
		return r;
	r = begin_change(env, id, &ledger, nu_pool_persistent(&pool), &pool, err);
	if (r < 0)
		return r;
	r = add_pages(env, id, ledger.base, missing, wanted, err);
	if (r < 0) {
		settle(env, env->vm, id, false, NULL);
		return r;
	}
	ledger.is_moving = false;
	ledger.added += missing;
	return nu_ledger_write(env->root, env->vm, id, &ledger, err);
}

static int hugepages_record(const struct cv_step_env *env, const char *object, const char *value,
			    json_t **ret_prior, struct cv_error *err)
{
	struct nu_pool_id id;
	struct inv_pool pool;
	uint64_t pages;
	json_t *prior;
	int r;

	r = parse_step(object, value, &id, &pages, err);
	if (r < 0)
		return r;
	r = read_pool(env, id, &pool, err);
	if (r < 0)
		return r;
	prior = json_pack("{s:I}", "nr", (json_int_t)nu_pool_persistent(&pool));
	if (!prior)
		return cv_fail_errno(err, -ENOMEM, object, "cannot record the pool");
	*ret_prior = prior;
	return 0;
}

static int hugepages_apply(const struct cv_step_env *env, const char *object, const char *value,
			   const json_t *prior, struct cv_error *err)
{
	struct nu_pool_id id;
	uint64_t pages, usable;
	int r;

	r = parse_step(object, value, &id, &pages, err);
	if (r < 0)
		return r;
	r = settle_others(env, id, err);
	if (r < 0)
		return r;
	r = settle(env, env->vm, id, false, err);
	if (r < 0)
		return r;
	r = usable_pages(env, id, &usable, err);
	if (r < 0)
		return r;
	return usable >= pages ? 0 : grow(env, id, pages - usable, pages, err);
}

/* Take what the ledger says was added out of the pool; nothing is under way on the pool. */
static int shrink(const struct cv_step_env *env, struct nu_pool_id id, struct cv_error *err)
{
	struct nu_ledger ledger;
	struct inv_pool pool = { 0 };
	uint64_t added;
	int r;

	r = nu_ledger_read(env->root, env->vm, id, &ledger, err);
	if (r < 0 || ledger.added == 0)
		return r;
	r = nu_pool_read(env->root, id, &pool);
	if (r < 0 && r != -ENOENT)
		return cv_fail_errno(err, r, env->vm, "cannot read the pool of node %d", id.node);
	added = ledger.added;
	ledger.added = 0;
	r = begin_change(env, id, &ledger, less(nu_pool_persistent(&pool), added), &pool, err);
	if (r < 0)
		return r;
	return settle(env, env->vm, id, true, err);
}

static int hugepages_revert(const struct cv_step_env *env, const char *object, const char *value,
			    const json_t *prior, struct cv_error *err)
{
	struct nu_pool_id id;
	int r;

	r = parse_object(object, &id, err);
	if (r < 0)
		return r;
	r = settle_others(env, id, err);
	if (r < 0)
		return r;
	r = settle(env, env->vm, id, true, err);
	if (r < 0)
		return r;
	return shrink(env, id, err);
}

const struct cv_step_ops nu_step_hugepages = {
	.kind = "hugepages",
	.scope = CV_SCOPE_OWN,
	.undo = "take the pages that this VM added out of the node's pool again",
	.record = hugepages_record,
	.apply = hugepages_apply,
	.revert = hugepages_revert,
};
