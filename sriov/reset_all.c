// SPDX-License-Identifier: GPL-2.0-or-later
/* Many functions: what concerns a function alone at once, in threads of a child; what reaches its
 * neighbours one after the other. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/reset_climb.h"
#include "sriov/tree.h"

#define SLACK_MS 2000 /* of a child, for what it does besides the one thing that may hang */

/**
 * struct work - of one function; in memory that is shared with the child
 * @next:        rung to be tried
 * @is_vfio:     VFIO_DEVICE_RESET is tried before the first one, with @methods
 * @is_done:     reset, or not to be helped
 * @is_in_round: it is tried now
 * @is_back:     the thread that tried it came back, with @r
 * @bridge:      real path of what is above it, "" on a root bus
 */
struct work {
	struct sr_climb climb;
	const struct sr_ladder *ladder;
	size_t next;
	bool is_vfio, is_done, is_in_round, is_back;
	int r;
	char methods[64];
	char bridge[CV_PATH_MAX];
	char path[CV_PATH_MAX];
};

/** struct works - all of one sr_reset_all() */
struct works {
	const struct cv_step_env *env;
	struct work *v;
	size_t n;
};

/* ---- before ---- */

static bool is_own(enum sr_rung rung)
{
	return rung < SR_RUNG_BUS;
}

/* The methods that the ladder allows and that reach nobody else, as reset_method wants them; "" none. */
static void methods_of(const struct sr_ladder *l, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < l->n; i++)
		if (is_own(l->rungs[i]) && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 sr_rung_name(l->rungs[i]));
}

static void find_bridge(struct cv_sysroot *root, struct work *w)
{
	_cleanup_free_ char *target = NULL;
	char path[CV_PATH_MAX], host[16];
	struct cv_bdf parent;
	unsigned int depth;

	cv_pathf(path, SR_DEVICES "/%s", w->climb.bdf);
	if (cv_readlink(root, path, &target) < 0)
		return;
	cv_pathf(w->path, "%s/", target);
	if (sr_parse_chain(target, host, &parent, &depth) == 1)
		snprintf(w->bridge, sizeof(w->bridge), "%.*s/",
			 (int)(strrchr(target, '/') - target), target);
}

static int prepare(struct work *w, const struct cv_step_env *env, const char *bdf,
		   const struct sr_ladder *ladder, struct cv_error *err)
{
	int r = sr_climb_prepare(&w->climb, env, bdf);
	char driver[64];

	w->ladder = ladder;
	if (r < 0)
		return cv_fail(err, r, CV_EXIT_USAGE, "EINVAL", bdf, "not a PCI address");
	r = sr_require(env->root, bdf, err);
	if (r < 0)
		return r;
	w->is_done = ladder->n == 0;
	if (ladder->n == 0 && ladder->refused_by)
		w->climb.result.error = -EPERM;
	methods_of(ladder, w->methods, sizeof(w->methods));
	w->is_vfio = w->methods[0] && sr_driver(env->root, bdf, driver, sizeof(driver)) == 0 &&
		     strstr(driver, "vfio"); /* and its variants */
	find_bridge(env->root, w);
	return 0;
}

/* ---- at once ---- */

static bool has_own_rung(const struct work *w)
{
	return !w->is_done && (w->is_vfio || !w->climb.is_looked_at ||
			       (w->next < w->ladder->n && is_own(w->ladder->rungs[w->next])));
}

/* Somebody else has it: a reset behind his back would not be one. */
static void try_vfio(struct work *w)
{
	struct sr_climb *c = &w->climb;
	int64_t start = cv_now_ms();

	c->result.rung = w->ladder->rungs[0];
	w->r = sr_reset_by_vfio(c, w->methods);
	if (w->r == -EBUSY)
		snprintf(c->result.text, sizeof(c->result.text), "%s: its VFIO group is in use",
			 sr_rung_name(c->result.rung));
	if (w->r == -EBUSY)
		c->result.error = w->r;
	else
		w->r = sr_climb_took(c, w->r);
	c->result.ms += (unsigned int)(cv_now_ms() - start);
}

/* In a thread of the child: as many processes would cost more than the resets. */
static void *try_own_rung(void *data)
{
	struct work *w = data;

	w->climb.is_child = true;
	sr_climb_look(&w->climb);
	w->r = -ENOTTY;
	if (w->is_vfio)
		try_vfio(w);
	else if (w->next < w->ladder->n && is_own(w->ladder->rungs[w->next]))
		w->r = sr_climb_rung(&w->climb, w->ladder->rungs[w->next]);
	__atomic_store_n(&w->is_back, true, __ATOMIC_RELEASE);
	return NULL;
}

/* The child: it ends when the last of its threads does, or at its deadline. */
static int run_own_rungs(void *data)
{
	const struct works *a = data;
	_cleanup_free_ pthread_t *threads = calloc(a->n + 1, sizeof(*threads));
	size_t n = 0;
	int r = threads ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < a->n; i++)
		if (a->v[i].is_in_round)
			r = -pthread_create(&threads[n++], NULL, try_own_rung, &a->v[i]);
	for (size_t i = 0; i < n - (r < 0 && n); i++)
		pthread_join(threads[i], NULL);
	return r;
}

/* @r: what became of the child. A thread that did not come back has noted where it is. */
static void take(struct work *w, int r)
{
	struct sr_climb *c = &w->climb;

	if (__atomic_load_n(&w->is_back, __ATOMIC_ACQUIRE))
		r = 0;
	c->is_child = false;
	if (r < 0)
		c->result.error = w->r = r;
	/* that is no word about the function */
	if (r < 0 && r != -ETIMEDOUT) {
		sr_climb_goes_on(c);
		snprintf(c->result.text, sizeof(c->result.text), "the process for it: %s",
			 r == -ECHILD ? "killed" : strerror(-r));
	}
	if (r == -ETIMEDOUT)
		c->result.ms += c->env->deadline_ms;
	if (r == -ETIMEDOUT && !c->reason[0])
		sr_climb_hangs(c, SR_DEVICES "/%.20s", c->bdf);
	w->is_done = r < 0 || w->r == 0 || w->r == -ETIMEDOUT || (w->is_vfio && w->r == -EBUSY);
	/* what VFIO could not, the first rung may */
	if (!w->is_vfio && w->next < w->ladder->n && is_own(w->ladder->rungs[w->next]))
		w->next++;
	w->is_vfio = false;
	/* nothing has been looked at by a child that did not live */
	c->is_looked_at = true;
}

/* Return: false when nobody had anything to try. */
static bool run_round(struct works *a)
{
	size_t n = 0;
	int r, result = 0;

	for (size_t i = 0; i < a->n; i++) {
		a->v[i].is_back = false;
		a->v[i].is_in_round = has_own_rung(&a->v[i]);
		n += a->v[i].is_in_round;
	}
	if (n == 0)
		return false;
	r = cv_child_run(run_own_rungs, a, a->env->deadline_ms + SLACK_MS, &result);
	if (r == -EIO) /* it died of a signal */
		r = -ECHILD;
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].is_in_round)
			take(&a->v[i], r < 0 ? r : result);
	return true;
}

/* ---- one after the other ---- */

static bool is_reached(const struct work *from, enum sr_rung rung, const struct work *w)
{
	const struct cv_bdf *a = &from->climb.result.bdf, *b = &w->climb.result.bdf;

	if (w == from || !from->bridge[0])
		return false;
	if (rung == SR_RUNG_BUS)
		return strncmp(w->path, from->bridge, strlen(from->bridge)) == 0;
	return rung == SR_RUNG_SLOT && a->domain == b->domain && a->bus == b->bus &&
	       a->dev == b->dev;
}

/*
 * A bus or slot reset of a neighbour was one of this function, too. Who waited for one has it; who was
 * reset before has to answer still, and goes on with what its ladder has beyond.
 */
static void check_neighbour(struct work *w, enum sr_rung rung)
{
	struct sr_climb *c = &w->climb;
	struct sr_reset_result was = c->result;

	if (w->is_done && c->result.error < 0)
		return;
	c->result.rung = rung;
	while (w->next < w->ladder->n && w->ladder->rungs[w->next] <= rung)
		w->next++;
	w->is_done = sr_climb_took(c, 0) == 0 || w->next == w->ladder->n;
	if (was.error == 0 && c->result.error == 0)
		c->result.rung = was.rung;
}

/* Return: false when nobody has anything left to try. */
static bool climb_next(const struct works *a)
{
	struct work *w = NULL;
	enum sr_rung rung;
	int r;

	for (size_t i = 0; i < a->n && !w; i++)
		if (!a->v[i].is_done && a->v[i].next < a->v[i].ladder->n)
			w = &a->v[i];
	if (!w)
		return false;
	rung = w->ladder->rungs[w->next++];
	r = sr_climb_rung(&w->climb, rung);
	w->is_done = r == 0 || r == -ETIMEDOUT;
	for (size_t i = 0; i < a->n && r == 0; i++)
		if (is_reached(w, rung, &a->v[i]))
			check_neighbour(&a->v[i], rung);
	return true;
}

/* ---- all ---- */

static void run_all(struct works *a)
{
	while (run_round(a))
		;
	while (climb_next(a))
		;
}

static int conclude_all(const struct works *a, struct sr_reset_result *ret, struct cv_error *err)
{
	int first = 0;

	for (size_t i = 0; i < a->n; i++) {
		struct sr_climb *c = &a->v[i].climb;
		int r = 0;

		if (c->result.error < 0)
			r = sr_climb_conclude(c, a->v[i].ladder, first < 0 ? NULL : err);
		ret[i] = c->result;
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
	struct works a = { .env = env, .n = n };
	int r = 0;

	/* nothing is told as reset that was not even tried */
	for (size_t i = 0; i < n; i++) {
		ret[i] = (struct sr_reset_result){ .error = -ECANCELED };
		(void)cv_parse_bdf(bdfs[i], &ret[i].bdf);
	}
	a.v = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (a.v == MAP_FAILED)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot reset the functions");
	for (size_t i = 0; r == 0 && i < n; i++)
		r = prepare(&a.v[i], env, bdfs[i], &ladders[i], err);
	if (r == 0) {
		run_all(&a);
		r = conclude_all(&a, ret, err);
	}
	munmap(a.v, size);
	return r;
}
