// SPDX-License-Identifier: GPL-2.0-or-later
/* Many functions: what concerns a function alone at once, in threads of a child; what reaches its
 * neighbours one after the other.
 *
 * A round has three parts, each a child of its own: a look at each function, the resets, the proofs. The
 * looks and proofs may have children of their own; the resets may not: what VFIO has open in one thread
 * would stay open in a child of another, and is reset when it is closed. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "sriov/function.h"
#include "sriov/reset_climb.h"
#include "sriov/tree.h"

#define SLACK_MS 2000 /* of a child, for what it does besides the one thing that may hang */
/* Descriptors: of a function container, group, device and what is read meanwhile; of the process besides. */
#define FDS_EACH 6
#define FDS_BESIDES 64

/**
 * struct work - of one function; in memory that is shared with the child
 * @next:        rung to be tried
 * @is_vfio:     VFIO_DEVICE_RESET is tried before the first one, with @methods
 * @is_done:     reset, or not to be helped
 * @is_in_round: it is tried now
 * @is_in_part:  it has a thread in this part of the round
 * @is_back:     the thread came back
 * @is_proved:   whether it answers was asked in this round
 * @is_stuck:    its reset did not come back
 * @r:           what the try came to
 * @pf:          of a VF, "" of others
 * @bridge:      real path of what is above it, "" on a root bus
 */
struct work {
	struct sr_climb climb;
	const struct sr_ladder *ladder;
	size_t next;
	bool is_vfio, is_done, is_in_round, is_in_part, is_back, is_proved, is_stuck;
	int r;
	char methods[64];
	char pf[CV_BDF_MAX];
	char bridge[CV_PATH_MAX];
	char path[CV_PATH_MAX];
};

/** struct works - all of one sr_reset_all(); @chunk: how many of them at once */
struct works {
	const struct cv_step_env *env;
	struct work *v;
	size_t n, chunk;
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
	char driver[64], path[CV_PATH_MAX];

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
	if (cv_readlink_base(env->root, sr_path(path, bdf, "physfn"), w->pf, sizeof(w->pf)) < 0)
		w->pf[0] = '\0';
	find_bridge(env->root, w);
	return 0;
}

size_t sr_reset_chunk(uint64_t limit)
{
	return limit < FDS_BESIDES + FDS_EACH ? 1 : (size_t)((limit - FDS_BESIDES) / FDS_EACH);
}

static size_t chunk_here(void)
{
	struct rlimit limit;

	return sr_reset_chunk(getrlimit(RLIMIT_NOFILE, &limit) < 0 ? 0 : limit.rlim_cur);
}

/* ---- at once: who ---- */

static bool has_rung(const struct work *w)
{
	return w->next < w->ladder->n && is_own(w->ladder->rungs[w->next]);
}

static bool has_try(const struct work *w)
{
	return w->is_vfio || has_rung(w);
}

/* Resets of the VFs of one PF by their attribute wait for each other in the kernel. */
static const struct work *find_sibling(const struct works *a, const struct work *w)
{
	for (size_t i = 0; i < a->n; i++) {
		const struct work *other = &a->v[i];

		if (other != w && !other->is_vfio && (other->is_in_round || other->is_stuck) &&
		    strcmp(other->pf, w->pf) == 0)
			return other;
	}
	return NULL;
}

/* What is behind a reset that hangs would only hang as well: that is no fault of the function. */
static void give_up_behind(struct work *w, const struct work *stuck, enum sr_rung rung)
{
	struct sr_climb *c = &w->climb;
	size_t used = strlen(c->result.text);

	w->is_done = true;
	c->result.error = -ECANCELED;
	c->result.rung = rung;
	snprintf(c->result.text + used, sizeof(c->result.text) - used,
		 "%s%s: not tried, that of %s did not return", used ? "; " : "", sr_rung_name(rung),
		 stuck->climb.bdf);
}

/* Each has a deadline of its own: who would only wait for a sibling has its turn later. */
static bool choose(const struct works *a, struct work *w)
{
	const struct work *sibling;

	if (w->is_done || (w->climb.is_looked_at && !has_try(w)))
		return false;
	sibling = w->pf[0] && !w->is_vfio && has_rung(w) ? find_sibling(a, w) : NULL;
	if (sibling && sibling->is_stuck)
		give_up_behind(w, sibling, w->ladder->rungs[w->next]);
	return !sibling;
}

static size_t choose_round(struct works *a)
{
	size_t n = 0;

	for (size_t i = 0; i < a->n; i++)
		a->v[i].is_in_round = a->v[i].is_proved = false;
	for (size_t i = 0; i < a->n && n < a->chunk; i++) {
		a->v[i].is_in_round = choose(a, &a->v[i]);
		n += a->v[i].is_in_round;
	}
	return n;
}

/* ---- at once: what, in threads of a child ---- */

static void *look(void *data)
{
	struct work *w = data;

	w->climb.is_child = true;
	sr_climb_look(&w->climb);
	__atomic_store_n(&w->is_back, true, __ATOMIC_RELEASE);
	return NULL;
}

static int try_vfio(struct work *w)
{
	struct sr_climb *c = &w->climb;

	c->result.rung = w->ladder->rungs[0];
	return sr_reset_by_vfio(c, w->methods);
}

static void *attempt(void *data)
{
	struct work *w = data;
	struct sr_climb *c = &w->climb;
	int64_t start = cv_now_ms();

	c->is_child = true;
	w->r = w->is_vfio ? try_vfio(w) : sr_climb_try(c, w->ladder->rungs[w->next]);
	c->result.ms += (unsigned int)(cv_now_ms() - start);
	__atomic_store_n(&w->is_back, true, __ATOMIC_RELEASE);
	return NULL;
}

static void *prove(void *data)
{
	struct work *w = data;
	struct sr_climb *c = &w->climb;
	int64_t start = cv_now_ms();

	c->is_child = true;
	w->r = sr_climb_took(c, 0);
	w->is_proved = true;
	c->result.ms += (unsigned int)(cv_now_ms() - start);
	__atomic_store_n(&w->is_back, true, __ATOMIC_RELEASE);
	return NULL;
}

/** struct part - of a round: @job for each that @is_wanted */
struct part {
	bool (*is_wanted)(const struct work *w);
	void *(*job)(void *work);
	bool may_stick;
};

static bool wants_look(const struct work *w)
{
	return !w->climb.is_looked_at;
}

static bool wants_proof(const struct work *w)
{
	return has_try(w) && w->r == 0;
}

static const struct part parts[] = {
	{ wants_look, look, false },
	{ has_try, attempt, true },
	{ wants_proof, prove, false },
};

/** struct crew - ctx of run_part() */
struct crew {
	const struct works *a;
	const struct part *part;
};

/* In threads: as many processes would cost more than the resets. The child ends when the last of them
 * does, or at its deadline. */
static int run_part(void *data)
{
	const struct crew *crew = data;
	const struct works *a = crew->a;
	_cleanup_free_ pthread_t *threads = calloc(a->n + 1, sizeof(*threads));
	size_t n = 0;
	int r = threads ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < a->n; i++)
		if (a->v[i].is_in_part)
			r = -pthread_create(&threads[n++], NULL, crew->part->job, &a->v[i]);
	for (size_t i = 0; i < n - (r < 0 && n); i++)
		pthread_join(threads[i], NULL);
	return r;
}

/* ---- at once: how it ended ---- */

/* @r: what became of the child. A thread that did not come back has noted where it is. */
static void lose(struct work *w, int r)
{
	struct sr_climb *c = &w->climb;

	c->result.error = w->r = r;
	w->is_done = true;
	w->is_in_round = false;
	/* nothing has been looked at by a child that did not live */
	c->is_looked_at = true;
	if (r == -ETIMEDOUT) {
		c->result.ms += c->env->deadline_ms;
		if (!c->reason[0])
			sr_climb_hangs(c, SR_DEVICES "/%.20s", c->bdf);
		return;
	}
	/* that is no word about the function */
	sr_climb_goes_on(c);
	snprintf(c->result.text, sizeof(c->result.text), "the process for it: %s",
		 r == -ECHILD ? "killed" : strerror(-r));
}

static int run_child(struct works *a, const struct part *part)
{
	struct crew crew = { a, part };
	int result = 0;
	int r = cv_child_run(run_part, &crew, a->env->deadline_ms + SLACK_MS, &result);

	if (r == -EIO) /* it died of a signal */
		return -ECHILD;
	return r < 0 ? r : result;
}

static void do_part(struct works *a, const struct part *part)
{
	size_t n = 0;
	int r;

	for (size_t i = 0; i < a->n; i++) {
		struct work *w = &a->v[i];

		w->is_back = false;
		w->is_in_part = w->is_in_round && part->is_wanted(w);
		n += w->is_in_part;
	}
	if (n == 0)
		return;
	r = run_child(a, part);
	for (size_t i = 0; i < a->n; i++) {
		struct work *w = &a->v[i];

		w->climb.is_child = false;
		if (!w->is_in_part || __atomic_load_n(&w->is_back, __ATOMIC_ACQUIRE))
			continue;
		w->is_stuck = r == -ETIMEDOUT && part->may_stick && !w->is_vfio;
		lose(w, r);
	}
}

/* Somebody else has it: a reset behind his back would not be one. */
static void leave_to_holder(struct sr_climb *c, int r)
{
	c->result.error = r;
	snprintf(c->result.text, sizeof(c->result.text), "%s: its VFIO group is in use",
		 sr_rung_name(c->result.rung));
}

static void take(struct work *w)
{
	bool is_held = w->is_vfio && w->r == -EBUSY;

	if (!has_try(w)) /* it was looked at */
		return;
	if (is_held)
		leave_to_holder(&w->climb, w->r);
	else if (w->r < 0 && !w->is_proved)
		w->r = sr_climb_took(&w->climb, w->r);
	w->is_done = w->r == 0 || w->r == -ETIMEDOUT || is_held;
	/* what VFIO could not, the first rung may */
	if (!w->is_vfio && has_rung(w))
		w->next++;
	w->is_vfio = false;
}

/* Return: false when nobody had anything to try. */
static bool run_round(struct works *a)
{
	if (choose_round(a) == 0)
		return false;
	for (size_t i = 0; i < CV_ARRAY_SIZE(parts); i++)
		do_part(a, &parts[i]);
	for (size_t i = 0; i < a->n; i++)
		if (a->v[i].is_in_round)
			take(&a->v[i]);
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

/* SLOT and REMOVE of all functions wait for one lock of the kernel (pci_lock_rescan_remove()). */
static const struct work *find_blocker(const struct works *a, enum sr_rung rung)
{
	for (size_t i = 0; i < a->n && rung >= SR_RUNG_SLOT; i++)
		if (a->v[i].climb.result.error == -ETIMEDOUT &&
		    a->v[i].climb.result.rung >= SR_RUNG_SLOT)
			return &a->v[i];
	return NULL;
}

/* Return: false when nobody has anything left to try. */
static bool climb_next(const struct works *a)
{
	const struct work *blocker;
	struct work *w = NULL;
	enum sr_rung rung;
	int r;

	for (size_t i = 0; i < a->n && !w; i++)
		if (!a->v[i].is_done && a->v[i].next < a->v[i].ladder->n)
			w = &a->v[i];
	if (!w)
		return false;
	rung = w->ladder->rungs[w->next++];
	blocker = find_blocker(a, rung);
	if (blocker) {
		give_up_behind(w, blocker, rung);
		return true;
	}
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
	struct works a = { .env = env, .n = n, .chunk = chunk_here() };
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
