// SPDX-License-Identifier: GPL-2.0-or-later
/* Many functions at once. Through VFIO where it can be: writes to the reset attribute of VFs of one PF
 * wait for each other, VFIO_DEVICE_RESET does not. */
#include <errno.h>
#include <fcntl.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/health.h"
#include "sriov/reset_climb.h"

#define CONTAINER "/dev/vfio/vfio"

/** struct work - of one child; in memory that is shared with the parent */
struct work {
	struct sr_climb climb;
	const struct sr_ladder *ladder;
};

/* ---- through VFIO ---- */

/* The methods that the ladder allows, as reset_method wants them; "" none. */
static void methods_of(const struct sr_ladder *l, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		if (l->rungs[i] <= SR_RUNG_BUS && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 sr_rung_name(l->rungs[i]));
}

/* Another function of the group may be under way in a sibling: a group opens once. */
static int open_group(const struct sr_climb *c, int64_t end)
{
	char path[CV_PATH_MAX];
	int fd;

	cv_pathf(path, "/dev/vfio/%d", sr_group(c->env->root, c->bdf));
	for (;;) {
		fd = cv_open(c->env->root, path, O_RDWR, 0);
		if (fd != -EBUSY || cv_now_ms() >= end)
			return fd;
		sr_pause();
	}
}

static int open_device(const struct sr_climb *c, int container, int group)
{
	int fd;

	if (ioctl(group, VFIO_GROUP_SET_CONTAINER, &container) < 0 ||
	    ioctl(container, VFIO_SET_IOMMU, VFIO_TYPE1v2_IOMMU) < 0)
		return -errno;
	fd = ioctl(group, VFIO_GROUP_GET_DEVICE_FD, c->bdf);
	return fd < 0 ? -errno : fd;
}

static int reset_by_vfio(const struct sr_climb *c)
{
	_cleanup_close_ int container = -1, group = -1, device = -1;

	container = cv_open(c->env->root, CONTAINER, O_RDWR, 0);
	if (container < 0)
		return container;
	/* half of the time: who waits for a group must not look like a reset that hangs */
	group = open_group(c, cv_now_ms() + c->env->deadline_ms / 2);
	if (group < 0)
		return group;
	device = open_device(c, container, group);
	if (device < 0)
		return device;
	return ioctl(device, VFIO_DEVICE_RESET) < 0 ? -errno : 0;
}

static int run_vfio(void *data)
{
	return reset_by_vfio(data);
}

/* Opening the device resets it as well: only methods that the ladder has may be left by then. */
static int through_vfio(struct sr_climb *c, const char *methods)
{
	char path[CV_PATH_MAX], saved[64];
	bool is_other;
	int r, result = 0;

	sr_path(path, c->bdf, "reset_method");
	r = cv_read_into(c->env->root, path, saved, sizeof(saved));
	is_other = r == 0 && strcmp(saved, methods) != 0;
	if (is_other)
		r = sr_climb_write(c, path, methods);
	if (r < 0)
		return r;
	r = cv_child_run(run_vfio, c, c->env->deadline_ms, &result);
	if (is_other)
		(void)cv_write_deadline(c->env->root, path, saved, c->env->deadline_ms);
	return r < 0 ? r : result;
}

static void note_hang(struct sr_climb *c)
{
	if (c->reason[0])
		return;
	snprintf(c->reason, sizeof(c->reason), "a reset did not finish within %u ms",
		 c->env->deadline_ms);
	snprintf(c->evidence, sizeof(c->evidence), "VFIO_DEVICE_RESET of /dev/vfio/%d",
		 sr_group(c->env->root, c->bdf));
}

/* Return: true when it is settled one way or the other, false: the ladder is next. */
static bool settle_by_vfio(struct sr_climb *c, const struct sr_ladder *l)
{
	char driver[64], methods[64];
	struct sr_health before;
	int r;

	methods_of(l, methods, sizeof(methods));
	if (!methods[0] || sr_driver(c->env->root, c->bdf, driver, sizeof(driver)) < 0 ||
	    strcmp(driver, "vfio-pci") != 0)
		return false;
	c->result.rung = l->rungs[0];
	r = sr_health_read(c->env->root, c->bdf, c->env->deadline_ms, &before);
	if (r < 0)
		return false;
	r = through_vfio(c, methods);
	/* Somebody else has it: a reset behind his back would not be one. */
	if (r == -ETIMEDOUT || r == -EBUSY) {
		c->result.error = r;
		if (r == -ETIMEDOUT)
			note_hang(c);
		else
			sr_climb_failed(c, c->result.rung, "its VFIO group is in use");
		return true;
	}
	if (r == 0) {
		before.aer_correctable = before.aer_nonfatal = before.aer_fatal = -1;
		r = sr_climb_prove(c, &before);
	}
	if (r < 0)
		sr_climb_failed(c, c->result.rung, c->reason[0] ? c->reason : strerror(-r));
	c->result.error = r;
	return r == 0;
}

/* ---- at once ---- */

static int run_work(void *data)
{
	struct work *w = data;
	int64_t start = cv_now_ms();

	if (!settle_by_vfio(&w->climb, w->ladder))
		sr_climb(&w->climb, w->ladder);
	w->climb.result.ms = (unsigned int)(cv_now_ms() - start);
	return 0;
}

/* More than the children can need: each write in them has its own deadline. */
static unsigned int backstop_ms(const struct cv_step_env *env, const struct sr_ladder *ladders,
				size_t n)
{
	size_t longest = 0;

	for (size_t i = 0; i < n; i++)
		if (ladders[i].n > longest)
			longest = ladders[i].n;
	return env->deadline_ms * (unsigned int)(6 * longest + 4);
}

static int prepare(struct work *w, const struct cv_step_env *env, const char *bdf,
		   const struct sr_ladder *ladder, struct cv_error *err)
{
	int r = sr_climb_prepare(&w->climb, env, bdf);

	w->ladder = ladder;
	if (r < 0)
		return cv_fail(err, r, CV_EXIT_USAGE, "EINVAL", bdf, "not a PCI address");
	r = sr_require(env->root, bdf, err);
	if (r < 0)
		return r;
	if (ladder->n == 0 && ladder->refused_by)
		w->climb.result.error = -EPERM;
	return 0;
}

static void run_all(const struct cv_step_env *env, struct work *works,
		    const struct sr_ladder *ladders, size_t n)
{
	_cleanup_free_ void **args = calloc(n + 1, sizeof(*args));
	_cleanup_free_ int *results = calloc(n + 1, sizeof(*results));
	size_t n_args = 0;
	int r = args && results ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < n; i++)
		if (ladders[i].n > 0)
			args[n_args++] = &works[i];
	if (r == 0)
		r = cv_children_run(run_work, args, n_args, backstop_ms(env, ladders, n), results);
	for (size_t i = 0; i < n_args; i++) {
		struct work *w = args[i];

		if (r < 0 || results[i] < 0)
			w->climb.result.error = r < 0 ? r : results[i];
		if (r == 0 && results[i] == -ETIMEDOUT)
			note_hang(&w->climb);
	}
}

static int conclude_all(const struct work *works, size_t n, struct sr_reset_result *ret,
			struct cv_error *err)
{
	int first = 0;

	for (size_t i = 0; i < n; i++) {
		const struct sr_climb *c = &works[i].climb;
		int r = 0;

		ret[i] = c->result;
		if (c->result.error < 0)
			r = sr_climb_conclude(c, works[i].ladder, first < 0 ? NULL : err);
		if (first == 0)
			first = r;
	}
	return first;
}

int sr_reset_all(const struct cv_step_env *env, const char *const *bdfs,
		 const struct sr_ladder *ladders, size_t n, struct sr_reset_result *ret,
		 struct cv_error *err)
{
	size_t size = (n ? n : 1) * sizeof(struct work);
	struct work *works = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
				  -1, 0);
	int r = 0;

	/* nothing is told as reset that was not even tried */
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct sr_reset_result){ .error = -ECANCELED };
		(void)cv_parse_bdf(bdfs[i], &ret[i].bdf);
	}
	if (works == MAP_FAILED)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot reset the functions");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = prepare(&works[i], env, bdfs[i], &ladders[i], err);
	if (r == 0) {
		run_all(env, works, ladders, n);
		r = conclude_all(works, n, ret, err);
	}
	munmap(works, size);
	return r;
}
