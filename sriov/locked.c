// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/locked.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/parse.h"
#include "sriov/device.h"
#include "sriov/function.h"

#define PATIENCE_MS 1000
#define PATIENCE_MIN_MS 100
#define TOTAL_MS 4000

/**
 * struct question - one attribute of one function
 * @r: of the read; -ETIMEDOUT: it does not come back, -ECANCELED: it was not begun any more
 */
struct question {
	size_t dev;
	bool is_count; /* sriov_numvfs, else driver_override */
	int r;
	char text[INV_TEXT];
};

/**
 * struct round - all questions, in memory that is shared with the child which asks them
 * @next:     the first one without an answer
 * @begun_ms: when the child began with it, 0 not yet
 */
struct round {
	struct cv_sysroot *root;
	const struct inventory *inv;
	size_t n, next;
	int64_t begun_ms;
	struct question questions[];
};

static bool has_unknown_count(const struct sr_config *c, const struct inv_dev *d)
{
	return c->depth != SR_CONFIG_FULL && d->sriov.total > 0;
}

/* Those of a function follow each other. */
static void add_questions(const struct sr_config *configs, bool is_plan, struct round *r)
{
	for (size_t i = 0; i < r->inv->n_devs; i++) {
		const struct inv_dev *d = &r->inv->devs[i];

		if (d->is_quarantined)
			continue;
		if (has_unknown_count(&configs[i], d))
			r->questions[r->n++] = (struct question){ .dev = i, .is_count = true };
		if (!is_plan)
			r->questions[r->n++] = (struct question){ .dev = i };
	}
}

static void ask(const struct round *r, struct question *q)
{
	char bdf[CV_BDF_MAX], path[CV_PATH_MAX];

	cv_format_bdf(r->inv->devs[q->dev].bdf, bdf);
	q->r = q->is_count ? cv_read_into(r->root, sr_path(path, bdf, "sriov_numvfs"), q->text,
					  sizeof(q->text))
			   : sr_override(r->root, bdf, 0, q->text, sizeof(q->text));
}

static int ask_all(void *data)
{
	struct round *r = data;

	for (; r->next < r->n; r->next++) {
		r->begun_ms = cv_now_ms();
		ask(r, &r->questions[r->next]);
	}
	return 0;
}

/* The function that the child is at, with all that would still be asked of it. */
static void give_up(struct round *r, int error)
{
	size_t dev = r->questions[r->next].dev;

	while (r->next < r->n && r->questions[r->next].dev == dev)
		r->questions[r->next++].r = error;
}

/* A child that had just begun with a question is slow, not stuck. */
static bool is_stuck(const struct round *r, unsigned int patience)
{
	return r->begun_ms > 0 && cv_now_ms() - r->begun_ms >= patience / 2;
}

static int ask_patiently(struct round *r)
{
	int64_t end = cv_now_ms() + TOTAL_MS;
	unsigned int patience = PATIENCE_MS;

	while (r->next < r->n && cv_now_ms() < end) {
		int result, rc;

		r->begun_ms = 0;
		rc = cv_child_run(ask_all, r, patience, &result);
		if (rc < 0 && rc != -ETIMEDOUT && rc != -EIO)
			return rc;
		if (r->next == r->n || (rc == -ETIMEDOUT && !is_stuck(r, patience)))
			continue;
		give_up(r, rc);
		patience = patience / 2 > PATIENCE_MIN_MS ? patience / 2 : PATIENCE_MIN_MS;
	}
	while (r->next < r->n)
		give_up(r, -ECANCELED);
	return 0;
}

static void mark_silent(struct cv_sysroot *root, const struct question *q, struct inv_dev *d)
{
	if (d->is_silent)
		return;
	d->is_silent = d->is_quarantined = true;
	snprintf(d->quarantine, sizeof(d->quarantine), "%s",
		 q->r == -ECANCELED
			 ? "it was not asked for its state: too many others did not answer"
		 : q->is_count ? "it does not answer: reading sriov_numvfs does not come back"
			       : "it does not answer: reading driver_override does not come back");
	if (q->is_count)
		sr_device_count_vfs(root, d);
}

static void take_answer(struct cv_sysroot *root, const struct question *q, struct inv_dev *d)
{
	uint64_t count;

	if (q->r == -ETIMEDOUT || q->r == -ECANCELED)
		mark_silent(root, q, d);
	else if (q->r == 0 && !q->is_count)
		memcpy(d->driver_override, q->text, sizeof(d->driver_override));
	else if (q->r == 0 && cv_parse_u64(q->text, &count) == 0 && count <= UINT16_MAX)
		d->sriov.num = count < d->sriov.total ? (unsigned int)count : d->sriov.total;
}

static int fill(struct round *r, struct inventory *inv, struct cv_error *err)
{
	bool is_snapshot = cv_sysroot_dir(r->root) && !cv_sysroot_is_live(r->root);
	int rc = is_snapshot ? ask_all(r) : ask_patiently(r);

	if (rc < 0)
		return cv_fail_errno(err, rc, SR_DEVICES, "cannot ask the PCI functions");
	for (size_t i = 0; i < r->n; i++)
		take_answer(r->root, &r->questions[i], &inv->devs[r->questions[i].dev]);
	return 0;
}

int sr_locked_read(struct cv_sysroot *root, const struct sr_config *configs, bool is_plan,
		   struct inventory *inv, struct cv_error *err)
{
	size_t size = sizeof(struct round) + 2 * inv->n_devs * sizeof(struct question);
	struct round *r;
	int rc = 0;

	r = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (r == MAP_FAILED)
		return cv_fail_errno(err, -errno, SR_DEVICES, "cannot ask the PCI functions");
	r->root = root;
	r->inv = inv;
	add_questions(configs, is_plan, r);
	if (r->n > 0)
		rc = fill(r, inv, err);
	munmap(r, size);
	return rc;
}
