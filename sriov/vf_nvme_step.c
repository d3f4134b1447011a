// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "vf-nvme": queues and interrupts of an NVMe VF. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/nvme.h"
#include "sriov/steps.h"

#define MAX_RESOURCES 65535

/**
 * struct target - the VF of a step; done with target_done()
 * @fd: /dev/nvmeN of the PF
 * @vf: address of the VF
 */
struct target {
	int fd;
	unsigned int index;
	char vf[CV_BDF_MAX];
};

static void target_done(struct target *t)
{
	cv_cleanup_close(&t->fd);
}

/** struct share - resources and state of a secondary controller, wanted or found before */
struct share {
	unsigned int vq, vi;
	bool is_online;
};

/** struct open_job - a controller whose node is opened to see whether that comes back */
struct open_job {
	struct cv_sysroot *root;
	const char *path;
};

static int run_open(void *data)
{
	const struct open_job *job = data;
	int fd = cv_open(job->root, job->path, O_RDWR, 0);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int open_node(const struct cv_step_env *env, const char *path)
{
	struct open_job job = { .root = env->root, .path = path };
	int r = sr_child_fill(run_open, &job, sizeof(job), env->deadline_ms);

	return r < 0 ? r : cv_open(env->root, path, O_RDWR, 0);
}

static int open_controller(const struct cv_step_env *env, const char *pf, int *ret_fd,
			   struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	int fd, r = cv_list(env->root, sr_path(path, pf, "nvme"), &names);

	if (r < 0 || names.n == 0) {
		cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "ENODRIVER", pf,
			"the PF has no NVMe controller here");
		cv_error_hint(err, "the PF must be bound to the nvme driver");
		return -ENODEV;
	}
	fd = open_node(env, cv_pathf(path, "/dev/%s", names.v[0]));
	if (fd < 0)
		return cv_fail_errno(err, fd, path, "cannot open the controller of the PF");
	*ret_fd = fd;
	return 0;
}

static int open_target(const struct cv_step_env *env, const char *object, struct target *t,
		       struct cv_error *err)
{
	char pf[CV_BDF_MAX];
	int r = sr_split_vf(object, pf, &t->index, err);

	if (r < 0)
		return r;
	if (sr_vf_of(env->root, pf, t->index, t->vf) < 0)
		return cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENOVF", object,
			       "the PF has no such VF");
	return open_controller(env, pf, &t->fd, err);
}

static int read_state(const struct cv_step_env *env, const char *object, const struct target *t,
		      struct sr_nvme_secondary *ret, struct cv_error *err)
{
	int r = sr_nvme_secondary_read(t->fd, t->index + 1, env->deadline_ms, ret, err);

	if (r < 0 && err)
		snprintf(err->object, sizeof(err->object), "%s", object);
	return r;
}

/*
 * Notes nothing for a device without virtualization enhancements (NVMe 2.0 section 8.26): its VFs come
 * with their queues, and there is nothing to assign or to give back.
 */
static bool is_fixed(const json_t *prior)
{
	return json_is_object(prior) && !json_object_get(prior, "cntlid");
}

static int record_none(json_t **ret_prior, const char *object, struct cv_error *err)
{
	if (err)
		*err = (struct cv_error){ 0 };
	*ret_prior = json_object();
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the resources");
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	_cleanup_(target_done) struct target t = { .fd = -1 };
	struct sr_nvme_secondary s;
	int r = open_target(env, object, &t, err);

	if (r < 0)
		return r;
	r = sr_nvme_check_flexible(t.fd, env->deadline_ms, err);
	if (r == 0)
		r = read_state(env, object, &t, &s, err);
	if (r == -EOPNOTSUPP)
		return record_none(ret_prior, object, err);
	if (r < 0) {
		if (err && !err->object[0])
			snprintf(err->object, sizeof(err->object), "%s", object);
		return r;
	}
	*ret_prior = json_pack("{si si si sb}", "cntlid", (int)s.cntlid, "vq", (int)s.vq, "vi",
			       (int)s.vi, "online", (int)s.is_online);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot note the resources");
}

static int parse_part(char *part, struct share *s)
{
	char *value = strchr(part, '=');
	uint64_t count;

	if (!value)
		return -EINVAL;
	*value++ = '\0';
	if (cv_parse_u64(value, &count) < 0 || count > MAX_RESOURCES)
		return -EINVAL;
	if (strcmp(part, "vq") == 0)
		s->vq = (unsigned int)count;
	else if (strcmp(part, "vi") == 0)
		s->vi = (unsigned int)count;
	else
		return -EINVAL;
	return 0;
}

/* "vq=2 vi=1": an admin and an I/O queue are the least a controller can work with. */
static int parse_share(const char *object, const char *value, struct share *ret,
		       struct cv_error *err)
{
	_cleanup_free_ char *copy = strdup(value);
	struct share s = { .is_online = true };
	char *save = NULL;
	int r = copy ? 0 : -ENOMEM;

	for (char *part = copy ? strtok_r(copy, " ", &save) : NULL; part && r == 0;
	     part = strtok_r(NULL, " ", &save))
		r = parse_part(part, &s);
	if (r < 0 || s.vq < 2 || s.vi < 1)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
			       "not NVMe VF resources: %s", value);
	*ret = s;
	return 0;
}

/* A controller comes up with its new resources only after a reset of its function. */
static int reset_vf(const struct cv_step_env *env, const struct target *t, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r = sr_write(env, t->vf, sr_path(path, t->vf, "reset"), "1", "reset", err);

	if (r < 0 && r != -ETIMEDOUT)
		cv_fail_errno(err, r, t->vf, "cannot reset the VF");
	return r;
}

static bool is_like(const struct sr_nvme_secondary *s, const struct share *w)
{
	return s->vq == w->vq && s->vi == w->vi && s->is_online == w->is_online;
}

static int assign(const struct cv_step_env *env, const struct target *t, uint16_t cntlid,
		  const struct share *w, struct cv_error *err)
{
	unsigned int ms = env->deadline_ms;
	int r = sr_nvme_set_online(t->fd, cntlid, false, ms, err);

	if (r == 0)
		r = sr_nvme_assign(t->fd, cntlid, SR_NVME_VQ, w->vq, ms, err);
	if (r == 0)
		r = sr_nvme_assign(t->fd, cntlid, SR_NVME_VI, w->vi, ms, err);
	if (r < 0 || !w->is_online)
		return r;
	r = reset_vf(env, t, err);
	return r < 0 ? r : sr_nvme_set_online(t->fd, cntlid, true, ms, err);
}

/* Brings the controller to @w, whatever it is now, and verifies. */
static int bring_to(const struct cv_step_env *env, const char *object, const struct target *t,
		    const struct share *w, struct cv_error *err)
{
	struct sr_nvme_secondary s = { 0 };
	int r = read_state(env, object, t, &s, err);

	if (r < 0 || is_like(&s, w))
		return r;
	r = assign(env, t, s.cntlid, w, err);
	if (r < 0) {
		if (err && !err->object[0])
			snprintf(err->object, sizeof(err->object), "%s", object);
		return r;
	}
	r = read_state(env, object, t, &s, err);
	if (r < 0 || is_like(&s, w))
		return r;
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", object, "the VF did not take its resources");
	cv_error_found(err, "vq=%u vi=%u %s", s.vq, s.vi, s.is_online ? "online" : "offline");
	cv_error_wanted(err, "vq=%u vi=%u %s", w->vq, w->vi, w->is_online ? "online" : "offline");
	return -EIO;
}

/* A host driver on the VF would lose its queues under its feet. */
static int check_unbound(const struct cv_step_env *env, const struct target *t,
			 struct cv_error *err)
{
	char driver[64];

	if (sr_driver(env->root, t->vf, driver, sizeof(driver)) < 0 || !driver[0] ||
	    strstr(driver, "vfio"))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_DRIVER", t->vf,
		"the VF is driven by the host: its queues cannot be changed");
	cv_error_found(err, "%s", driver);
	cv_error_hint(err, "unbind the VF from %s", driver);
	return -EBUSY;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	_cleanup_(target_done) struct target t = { .fd = -1 };
	struct sr_nvme_secondary s;
	struct share wanted;
	int r = parse_share(object, value, &wanted, err);

	if (r == 0 && is_fixed(prior))
		return 0;
	if (r == 0)
		r = open_target(env, object, &t, err);
	if (r == 0)
		r = read_state(env, object, &t, &s, err);
	if (r < 0 || is_like(&s, &wanted))
		return r;
	r = check_unbound(env, &t, err);
	return r < 0 ? r : bring_to(env, object, &t, &wanted, err);
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	_cleanup_(target_done) struct target t = { .fd = -1 };
	struct share before = {
		.vq = (unsigned int)cv_json_int(prior, "vq", 0),
		.vi = (unsigned int)cv_json_int(prior, "vi", 0),
		.is_online = cv_json_bool(prior, "online", 0),
	};
	int r;

	if (is_fixed(prior))
		return 0;
	r = open_target(env, object, &t, err);
	/* Without the VF or the PF's controller there is nothing that could be given back. */
	if (r == -ENODEV || r == -ENOENT || r == -ENXIO)
		return 0;
	return r < 0 ? r : bring_to(env, object, &t, &before, err);
}

const struct cv_step_ops sr_step_vf_nvme = {
	.kind = "vf-nvme",
	.scope = CV_SCOPE_OWN,
	.undo = "offline, then the queues, interrupts and state the VF had before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
