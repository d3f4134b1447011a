// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "vf-nvme": queues, interrupts and namespaces of an NVMe VF. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "sriov/function.h"
#include "sriov/nvme.h"
#include "sriov/steps.h"
#include "sriov/vf_users.h"

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
 * Notes no resources for a device without virtualization enhancements (NVMe 2.0 section 8.26): its VFs
 * come with their queues, and there is nothing to assign or to give back.
 */
static bool is_fixed(const json_t *prior)
{
	return json_is_object(prior) && !json_object_get(prior, "vq");
}

static void name_object(struct cv_error *err, const char *object)
{
	if (err && !err->object[0])
		snprintf(err->object, sizeof(err->object), "%s", object);
}

static int fail_namespaces(struct cv_error *err, int r, const char *object)
{
	if (r != -EOPNOTSUPP) {
		name_object(err, object);
		return r;
	}
	cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOFEATURE", object,
		"no namespace can be attached to the VF: the device has none of that number, or no "
		"namespace management");
	cv_error_hint(err, "nvme list-ns --all tells the namespaces; leave ns= out for those the "
			   "VF has anyway");
	return r;
}

/* What there is to assign and to give back */
static int note_resources(const struct cv_step_env *env, const char *object, const struct target *t,
			  json_t *prior, struct cv_error *err)
{
	struct sr_nvme_secondary s = { 0 };
	int r = sr_nvme_check_flexible(t->fd, env->deadline_ms, err);

	if (r == 0)
		r = read_state(env, object, t, &s, err);
	if (r == -EOPNOTSUPP) {
		if (err)
			*err = (struct cv_error){ 0 };
		return 0;
	}
	if (r < 0) {
		name_object(err, object);
		return r;
	}
	if (json_object_set_new(prior, "cntlid", json_integer(s.cntlid)) < 0 ||
	    json_object_set_new(prior, "vq", json_integer(s.vq)) < 0 ||
	    json_object_set_new(prior, "vi", json_integer(s.vi)) < 0 ||
	    json_object_set_new(prior, "online", json_boolean(s.is_online)) < 0)
		return cv_fail_errno(err, -ENOMEM, object, "cannot note the resources");
	return 0;
}

/* Which of the wished namespaces the VF has already */
static int note_namespaces(const struct cv_step_env *env, const char *object,
			   const struct target *t, const struct sr_nvme_wish *w, json_t *prior,
			   struct cv_error *err)
{
	json_t *list = json_array();
	struct sr_nvme_secondary s = { 0 };
	int r = json_object_set_new(prior, "attached", list);

	if (r < 0)
		return cv_fail_errno(err, -ENOMEM, object, "cannot note the namespaces");
	r = read_state(env, object, t, &s, err);
	for (size_t i = 0; i < w->n_ns && r >= 0; i++) {
		r = sr_nvme_is_attached(t->fd, w->ns[i], s.cntlid, env->deadline_ms, err);
		if (r > 0 && json_array_append_new(list, json_integer(w->ns[i])) < 0)
			return cv_fail_errno(err, -ENOMEM, object, "cannot note the namespaces");
	}
	return r < 0 ? fail_namespaces(err, r, object) : 0;
}

static int fail_wish(struct cv_error *err, int r, const char *object, const char *value)
{
	cv_fail(err, r, CV_EXIT_FAILED, "EINVAL", object, "not NVMe VF resources: %s", value);
	cv_error_wanted(err, "vq=2 vi=1, or more of them, and namespaces: ns=1,2");
	return r;
}

/* An empty value asks for nothing: what there is shall be noted, or come back. */
static int read_wish(const char *object, const char *value, struct sr_nvme_wish *ret,
		     struct cv_error *err)
{
	int r = 0;

	*ret = (struct sr_nvme_wish){ 0 };
	if (value[0])
		r = sr_nvme_parse_wish(value, ret);
	return r < 0 ? fail_wish(err, r, object, value) : 0;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	_cleanup_(target_done) struct target t = { .fd = -1 };
	_cleanup_json_ json_t *prior = json_object();
	struct sr_nvme_wish w;
	int r = read_wish(object, value, &w, err);

	if (r == 0)
		r = open_target(env, object, &t, err);
	if (r == 0)
		r = note_resources(env, object, &t, prior, err);
	if (r == 0 && w.n_ns > 0)
		r = note_namespaces(env, object, &t, &w, prior, err);
	if (r == 0)
		*ret_prior = TAKE_PTR(prior);
	return r;
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

static int fail_not_taken(struct cv_error *err, const char *object, uint32_t nsid, bool is_attach)
{
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EIO", object, "the controller did not %s namespace %u",
		is_attach ? "attach" : "detach", nsid);
	cv_error_found(err, "its list of controllers %s that of the VF",
		       is_attach ? "lacks" : "still has");
	cv_error_hint(err,
		      "nvme list-ctrl -n %u tells who has it; some controllers (QEMU 10.0) refuse "
		      "what their PF has itself: detach it there first",
		      nsid);
	return -EIO;
}

/* Writes nothing when it is so already. Verified once the controller is as it shall be: one that is
 * offline may show less than it has. */
static int attach(const struct cv_step_env *env, const char *object, const struct target *t,
		  uint16_t cntlid, uint32_t nsid, struct cv_error *err)
{
	int r = sr_nvme_is_attached(t->fd, nsid, cntlid, env->deadline_ms, err);

	if (r == 0)
		r = sr_nvme_attach(t->fd, nsid, cntlid, true, env->deadline_ms, err);
	if (r == -EEXIST && err)
		*err = (struct cv_error){ 0 };
	return r < 0 && r != -EEXIST ? fail_namespaces(err, r, object) : 0;
}

static int attach_all(const struct cv_step_env *env, const char *object, const struct target *t,
		      const struct sr_nvme_wish *w, struct cv_error *err)
{
	struct sr_nvme_secondary s = { 0 };
	int r = w->n_ns > 0 ? read_state(env, object, t, &s, err) : 0;

	for (size_t i = 0; i < w->n_ns && r == 0; i++)
		r = attach(env, object, t, s.cntlid, w->ns[i], err);
	return r;
}

static int verify_attached(const struct cv_step_env *env, const char *object,
			   const struct target *t, const struct sr_nvme_wish *w,
			   struct cv_error *err)
{
	struct sr_nvme_secondary s = { 0 };
	int r = w->n_ns > 0 ? read_state(env, object, t, &s, err) : 0;

	for (size_t i = 0; i < w->n_ns && r >= 0; i++) {
		r = sr_nvme_is_attached(t->fd, w->ns[i], s.cntlid, env->deadline_ms, err);
		if (r == 0)
			return fail_not_taken(err, object, w->ns[i], true);
	}
	return r < 0 ? fail_namespaces(err, r, object) : 0;
}

/* A namespace that is gone is attached to nobody. */
static int detach(const struct cv_step_env *env, const char *object, const struct target *t,
		  uint16_t cntlid, uint32_t nsid, struct cv_error *err)
{
	int r = sr_nvme_is_attached(t->fd, nsid, cntlid, env->deadline_ms, err);

	if (r > 0) {
		r = sr_nvme_attach(t->fd, nsid, cntlid, false, env->deadline_ms, err);
		if (r == -ENOTCONN && err)
			*err = (struct cv_error){ 0 };
		if (r == 0 || r == -ENOTCONN)
			r = sr_nvme_is_attached(t->fd, nsid, cntlid, env->deadline_ms, err);
	}
	if (r > 0)
		return fail_not_taken(err, object, nsid, false);
	return r < 0 && r != -EOPNOTSUPP ? fail_namespaces(err, r, object) : 0;
}

static bool was_attached(const json_t *prior, uint32_t nsid)
{
	const json_t *list = json_object_get(prior, "attached");

	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_integer_value(json_array_get(list, i)) == (json_int_t)nsid)
			return true;
	return false;
}

/* All that apply may have attached, last first */
static int detach_all(const struct cv_step_env *env, const char *object, const struct target *t,
		      const struct sr_nvme_wish *w, const json_t *prior, struct cv_error *err)
{
	struct sr_nvme_secondary s = { 0 };
	int r = w->n_ns > 0 ? read_state(env, object, t, &s, err) : 0;

	for (size_t i = w->n_ns; i > 0 && r == 0; i--)
		if (!was_attached(prior, w->ns[i - 1]))
			r = detach(env, object, t, s.cntlid, w->ns[i - 1], err);
	return r;
}

static int assign_wish(const struct cv_step_env *env, const char *object, const struct target *t,
		       const struct sr_nvme_wish *w, struct cv_error *err)
{
	const struct share wanted = { .vq = w->vq, .vi = w->vi, .is_online = true };
	struct sr_nvme_secondary s = { 0 };
	int r = read_state(env, object, t, &s, err);

	if (r < 0 || is_like(&s, &wanted))
		return r;
	r = check_unbound(env, t, err);
	return r < 0 ? r : bring_to(env, object, t, &wanted, err);
}

/* Namespaces first: a controller that comes online has them then. */
static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	_cleanup_(target_done) struct target t = { .fd = -1 };
	struct sr_nvme_wish w;
	int r = sr_nvme_parse_wish(value, &w);

	if (r < 0)
		return fail_wish(err, r, object, value);
	if (is_fixed(prior) && w.n_ns == 0)
		return 0;
	r = open_target(env, object, &t, err);
	if (r == 0)
		r = attach_all(env, object, &t, &w, err);
	if (r == 0 && !is_fixed(prior))
		r = assign_wish(env, object, &t, &w, err);
	return r < 0 ? r : verify_attached(env, object, &t, &w, err);
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
	struct sr_nvme_wish w;
	int r = read_wish(object, value, &w, err);

	if (r < 0 || (is_fixed(prior) && w.n_ns == 0))
		return r;
	r = sr_vf_check_closed(env, object, err);
	if (r < 0)
		return r;
	r = open_target(env, object, &t, err);
	/* Without the VF or the PF's controller there is nothing that could be given back. */
	if (r == -ENODEV || r == -ENOENT || r == -ENXIO)
		return 0;
	if (r == 0 && !is_fixed(prior))
		r = bring_to(env, object, &t, &before, err);
	return r < 0 ? r : detach_all(env, object, &t, &w, prior, err);
}

const struct cv_step_ops sr_step_vf_nvme = {
	.kind = "vf-nvme",
	.scope = CV_SCOPE_OWN,
	.undo = "offline, then the queues, interrupts, state and namespaces the VF had before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
