// SPDX-License-Identifier: GPL-2.0-or-later
/* Kinds "numvfs" and "numvfs-set": how many VFs a PF has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/pf_side.h"
#include "sriov/set_aside.h"
#include "sriov/steps.h"
#include "sriov/vf_keep.h"
#include "sriov/vf_users.h"

/**
 * struct wish - the value of a step
 * @may_replace: another count may be taken away first
 */
struct wish {
	unsigned int count;
	bool may_replace;
};

static int parse_count(const char *value, size_t len, unsigned int *ret)
{
	char number[16];
	uint64_t count;

	if (len >= sizeof(number))
		return -EINVAL;
	memcpy(number, value, len);
	number[len] = '\0';
	if (cv_parse_u64(number, &count) < 0 || count > UINT16_MAX)
		return -EINVAL;
	*ret = (unsigned int)count;
	return 0;
}

/* "7", and for the operator also "7 replace" */
static int parse_wish(const char *object, const char *value, bool is_operator, struct wish *ret,
		      struct cv_error *err)
{
	size_t len = strcspn(value, " ");
	struct wish w = { .may_replace = is_operator && strcmp(value + len, " replace") == 0 };

	if (parse_count(value, len, &w.count) < 0 || (value[len] && !w.may_replace))
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
			       "not a number of VFs: %s", value);
	*ret = w;
	return 0;
}

static void set_aside(const struct cv_step_env *env, const char *pf, const char *path)
{
	char reason[80], evidence[CV_PATH_MAX + 16];

	snprintf(reason, sizeof(reason), "reading sriov_numvfs did not finish within %u ms",
		 env->deadline_ms);
	snprintf(evidence, sizeof(evidence), "read of %s", path);
	(void)sr_set_aside(env, pf, reason, evidence, NULL);
}

/* A PF that does not answer is put into quarantine. */
static int read_count(const struct cv_step_env *env, const char *pf, unsigned int *ret)
{
	char path[CV_PATH_MAX], text[32];
	uint64_t count;
	int r = sr_read_deadline(env->root, sr_path(path, pf, "sriov_numvfs"), text, sizeof(text),
				 env->deadline_ms);

	if (r == -ETIMEDOUT)
		set_aside(env, pf, path);
	if (r < 0)
		return r;
	if (cv_parse_u64(text, &count) < 0 || count > UINT16_MAX)
		return -EINVAL;
	*ret = (unsigned int)count;
	return 0;
}

/* The attribute is there, but does not answer. */
static int fail_count(const struct cv_step_env *env, const char *pf, int r, struct cv_error *err)
{
	bool is_aside = sr_is_set_aside(env->root, pf);

	if (r != -ETIMEDOUT)
		return cv_fail_errno(err, r, pf, "cannot read sriov_numvfs");
	cv_fail(err, r, CV_EXIT_TIMEOUT, "ETIMEDOUT", pf,
		"reading sriov_numvfs did not finish within %u ms", env->deadline_ms);
	cv_error_hint(err, "%s; see dmesg, a blocked device usually needs a reboot",
		      is_aside ? "the device is in quarantine now"
			       : "the device could NOT be put into quarantine");
	return r;
}

static int fail_no_sriov(const struct cv_step_env *env, const char *pf, int r, struct cv_error *err)
{
	if (r != -ENOENT)
		return fail_count(env, pf, r, err);
	cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOSRIOV", pf, "the function has no SR-IOV");
	cv_error_hint(err, "SR-IOV may be off in the firmware of the device or of the host");
	return r;
}

static int note_pf(const struct cv_step_env *env, const char *pf, unsigned int *ret_count,
		   json_t **ret_prior, struct cv_error *err)
{
	int r = sr_require(env->root, pf, err);

	if (r < 0)
		return r;
	r = read_count(env, pf, ret_count);
	if (r < 0)
		return fail_no_sriov(env, pf, r, err);
	_cleanup_json_ json_t *prior = json_pack("{si}", "num", (int)*ret_count);
	if (!prior || sr_pf_record(env->root, pf, prior) < 0)
		return cv_fail_errno(err, -ENOMEM, pf, "cannot note the VF count");
	*ret_prior = TAKE_PTR(prior);
	return 0;
}

/* A count that only stays disturbs nothing: what becomes of the PF meanwhile is not ours to put back. */
static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	struct wish wish = { 0 };
	unsigned int now = 0;
	int r = parse_wish(object, value, false, &wish, err);

	if (r == 0)
		r = note_pf(env, object, &now, ret_prior, err);
	if (r == 0 && now == wish.count) {
		json_object_del(*ret_prior, "carrier");
		json_object_del(*ret_prior, "irqs");
	}
	return r;
}

/* VFs that another count replaces come back as they were, should that fail. */
static int record_set(const struct cv_step_env *env, const char *object, const char *value,
		      json_t **ret_prior, struct cv_error *err)
{
	_cleanup_json_ json_t *prior = NULL;
	struct wish wish = { 0 };
	unsigned int now = 0;
	int r = parse_wish(object, value, true, &wish, err);

	if (r == 0)
		r = note_pf(env, object, &now, &prior, err);
	if (r == 0 && wish.may_replace && now != 0 && now != wish.count)
		r = sr_vfs_record(env, object, now, prior, err);
	if (r == 0)
		*ret_prior = TAKE_PTR(prior);
	return r;
}

/* What the kernel means by the errno of a write to sriov_numvfs. */
static const struct {
	int err;
	enum cv_exit exit;
	const char *code, *meaning, *hint;
} write_errors[] = {
	{ -EBUSY, CV_EXIT_BUSY, "EBUSY", "the driver is busy, or other VFs exist",
	  "see who uses the PF; a count of VFs can only be changed through 0" },
	{ -ENOSPC, CV_EXIT_PRECONDITION, "ENOSPC",
	  "no interrupt vectors or bus numbers are left for the VFs",
	  "fewer VFs, or the kernel argument pci=assign-busses" },
	{ -ENOMEM, CV_EXIT_PRECONDITION, "ENOMEM",
	  "the host has no room for the BARs of the VFs, or no memory",
	  "enable SR-IOV and Above 4G Decoding in the firmware, or boot with pci=realloc" },
	{ -ERANGE, CV_EXIT_USAGE, "ERANGE", "more VFs than the device offers",
	  "sriov_totalvfs of the PF tells the limit" },
	{ -ENOENT, CV_EXIT_PRECONDITION, "ENOENT", "the PF's driver does not offer SR-IOV",
	  "load the vendor's driver for the PF" },
	{ -ENODEV, CV_EXIT_PRECONDITION, "ENODEV", "the VFs did not appear on the bus",
	  "see dmesg" },
	{ -EIO, CV_EXIT_FAILED, "EIO", "the device refused", "see dmesg; a reset may be needed" },
	{ -EINVAL, CV_EXIT_PRECONDITION, "EINVAL", "the driver refuses this count",
	  "see dmesg; some drivers want their interface down or another mode" },
};

static int explain(struct cv_error *err, int r, const char *pf, unsigned int wanted)
{
	if (r == -ETIMEDOUT)
		return r; /* told by sr_write() */
	for (size_t i = 0; i < CV_ARRAY_SIZE(write_errors); i++) {
		if (write_errors[i].err != r)
			continue;
		cv_fail(err, r, write_errors[i].exit, write_errors[i].code, pf,
			"cannot set sriov_numvfs: %s", write_errors[i].meaning);
		cv_error_wanted(err, "%u VFs", wanted);
		cv_error_hint(err, "%s", write_errors[i].hint);
		return r;
	}
	cv_fail_errno(err, r, pf, "cannot set sriov_numvfs");
	cv_error_wanted(err, "%u VFs", wanted);
	return r;
}

static int write_count(const struct cv_step_env *env, const char *pf, unsigned int count,
		       struct cv_error *err)
{
	char path[CV_PATH_MAX], text[16], doing[48];

	snprintf(text, sizeof(text), "%u", count);
	snprintf(doing, sizeof(doing), "setting sriov_numvfs to %u", count);
	return sr_write(env, pf, sr_path(path, pf, "sriov_numvfs"), text, doing, err);
}

/* Number of the first VF that is missing, or without its group where there is an IOMMU; @count when
 * all are complete. */
static unsigned int first_incomplete(struct cv_sysroot *root, const char *pf, unsigned int count)
{
	bool has_iommu = sr_group(root, pf) >= 0;

	for (unsigned int i = 0; i < count; i++) {
		char vf[CV_BDF_MAX];

		if (sr_vf_of(root, pf, i, vf) < 0 || !sr_exists(root, vf) ||
		    (has_iommu && sr_group(root, vf) < 0))
			return i;
	}
	return count;
}

static int await_vfs(const struct cv_step_env *env, const char *pf, unsigned int count,
		     struct cv_error *err)
{
	int64_t end = cv_now_ms() + env->deadline_ms;
	unsigned int missing = first_incomplete(env->root, pf, count);

	while (missing < count && cv_now_ms() < end) {
		sr_pause();
		missing = first_incomplete(env->root, pf, count);
	}
	if (missing == count)
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_FAILED, "EPARTIAL", pf, "not all VFs came up");
	cv_error_found(err, "VF %u is missing or has no IOMMU group after %u ms", missing,
		       env->deadline_ms);
	cv_error_wanted(err, "%u VFs", count);
	cv_error_hint(err, "see dmesg");
	return -ENODEV;
}

static int fail_partial(struct cv_error *err, const char *pf, unsigned int now, unsigned int wanted)
{
	cv_fail(err, -ENODEV, CV_EXIT_FAILED, "EPARTIAL", pf, "not all VFs came up");
	cv_error_found(err, "%u VFs", now);
	cv_error_wanted(err, "%u VFs", wanted);
	cv_error_hint(err, "see dmesg; %u VFs may be had, or more after a reset of the device",
		      now);
	return -ENODEV;
}

/* Some drivers enable what they can and call that a success. */
static int check_created(const struct cv_step_env *env, const char *pf, unsigned int wanted,
			 struct cv_error *err)
{
	unsigned int now;
	int r = read_count(env, pf, &now);

	if (r < 0)
		return fail_count(env, pf, r, err);
	return now == wanted ? await_vfs(env, pf, wanted, err) : fail_partial(err, pf, now, wanted);
}

/* Goes to @wanted from 0; whatever stays behind on failure is taken away again. VFs behind a write that
 * was refused because there are some, or too many are wanted, are somebody else's. */
static int create_once(const struct cv_step_env *env, const char *pf, unsigned int wanted,
		       struct cv_error *err)
{
	unsigned int now;
	int r = write_count(env, pf, wanted, err);

	if (r == -ETIMEDOUT)
		return r;
	if (r == -EBUSY || r == -ERANGE)
		return explain(err, r, pf, wanted);
	if (r == 0)
		r = check_created(env, pf, wanted, err);
	else
		explain(err, r, pf, wanted);
	if (r < 0 && read_count(env, pf, &now) == 0 && now != 0)
		(void)write_count(env, pf, 0, NULL);
	return r;
}

/* Once more for VFs that came up in part: a slow bus, not a refusal. */
static int create(const struct cv_step_env *env, const char *pf, unsigned int wanted,
		  struct cv_error *err)
{
	int r = create_once(env, pf, wanted, err);

	return r == -ENODEV ? create_once(env, pf, wanted, err) : r;
}

static int take_away(const struct cv_step_env *env, const char *pf, struct cv_error *err)
{
	int r = write_count(env, pf, 0, err);

	return r < 0 ? explain(err, r, pf, 0) : 0;
}

static int check_driver(const struct cv_step_env *env, const char *pf, struct cv_error *err)
{
	char driver[64];
	int r = sr_driver(env->root, pf, driver, sizeof(driver));

	if (r < 0)
		return cv_fail_errno(err, r, pf, "cannot read the driver of the PF");
	if (driver[0] && strcmp(driver, "vfio-pci") != 0)
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_PRECONDITION, "ENODRIVER", pf,
		"only the PF's own driver can make VFs");
	cv_error_found(err, "%s", driver[0] ? driver : "no driver");
	cv_error_hint(err, "bind the PF to its driver first");
	return -ENODEV;
}

static int check_total(const struct cv_step_env *env, const char *pf, unsigned int wanted,
		       struct cv_error *err)
{
	char path[CV_PATH_MAX];
	uint64_t total;
	int r = cv_read_u64(env->root, sr_path(path, pf, "sriov_totalvfs"), &total);

	if (r < 0)
		return fail_no_sriov(env, pf, r, err);
	if (wanted <= total)
		return 0;
	explain(err, -ERANGE, pf, wanted);
	cv_error_found(err, "sriov_totalvfs %llu", (unsigned long long)total);
	return -ERANGE;
}

static int fail_other_count(struct cv_error *err, const char *pf, unsigned int now,
			    unsigned int wanted)
{
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_NUMVFS", pf,
		"the PF has another number of VFs already");
	cv_error_found(err, "%u VFs", now);
	cv_error_wanted(err, "%u VFs, or none yet", wanted);
	cv_error_hint(err,
		      "whoever made them has to take them away first: carve vf destroy %s, or "
		      "echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs",
		      pf, pf);
	return -EBUSY;
}

/* Nothing is written before all of this holds. */
static int check_reach(const struct cv_step_env *env, const char *pf, unsigned int now,
		       const struct wish *wish, struct cv_error *err)
{
	int r;

	if (now != 0 && !wish->may_replace)
		return fail_other_count(err, pf, now, wish->count);
	r = check_driver(env, pf, err);
	if (r == 0)
		r = check_total(env, pf, wish->count, err);
	return r < 0 || now == 0 ? r : sr_vfs_check_free(env, pf, now, err);
}

/* From @now to what is wanted, through 0. */
static int reach(const struct cv_step_env *env, const char *pf, unsigned int now,
		 unsigned int wanted, struct cv_error *err)
{
	int r = now != 0 ? take_away(env, pf, err) : 0;

	return r == 0 && wanted != 0 ? create(env, pf, wanted, err) : r;
}

static int apply_wish(const struct cv_step_env *env, const char *pf, const struct wish *wish,
		      const json_t *prior, struct cv_error *err)
{
	unsigned int now;
	int r = sr_require(env->root, pf, err);

	if (r < 0)
		return r;
	r = read_count(env, pf, &now);
	if (r < 0)
		return fail_no_sriov(env, pf, r, err);
	if (now == wish->count)
		return await_vfs(env, pf, now, err);
	r = check_reach(env, pf, now, wish, err);
	if (r < 0)
		return r;
	r = reach(env, pf, now, wish->count, err);
	sr_pf_restore_irqs(env->root, pf, prior);
	return r < 0 ? r : sr_pf_has_links(prior);
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	struct wish wish = { 0 };
	int r = parse_wish(object, value, false, &wish, err);

	return r < 0 ? r : apply_wish(env, object, &wish, prior, err);
}

static int apply_set(const struct cv_step_env *env, const char *object, const char *value,
		     const json_t *prior, struct cv_error *err)
{
	struct wish wish = { 0 };
	int r = parse_wish(object, value, true, &wish, err);

	return r < 0 ? r : apply_wish(env, object, &wish, prior, err);
}

static int fail_changed(struct cv_error *err, const char *pf, unsigned int now, unsigned int before)
{
	fail_other_count(err, pf, now, before);
	cv_error_hint(err, "somebody else changed it meanwhile: set it to %u by hand", before);
	return -EBUSY;
}

/* Ours, or on the way to it: the 0 in between, or less than was wanted. */
static bool is_on_the_way(unsigned int now, unsigned int before, const struct wish *wish)
{
	return now == wish->count || (now < wish->count && (before == 0 || wish->may_replace));
}

/* To the count there was before, from what a run of ours may have left. */
static int go_back(const struct cv_step_env *env, const char *pf, unsigned int now,
		   unsigned int before, const struct wish *wish, struct cv_error *err)
{
	int r = 0;

	if (now == before)
		return 0;
	if (!is_on_the_way(now, before, wish))
		return fail_changed(err, pf, now, before);
	if (now != 0)
		r = sr_vfs_check_unused(env, pf, now, err);
	return r < 0 ? r : reach(env, pf, now, before, err);
}

static int revert_wish(const struct cv_step_env *env, const char *pf, const struct wish *wish,
		       const json_t *prior, struct cv_error *err)
{
	unsigned int before = (unsigned int)cv_json_int(prior, "num", 0), now;
	int r = read_count(env, pf, &now);

	if (r == -ENOENT || r == -ENODEV) /* gone, and its VFs with it */
		return 0;
	if (r < 0)
		return fail_count(env, pf, r, err);
	r = go_back(env, pf, now, before, wish, err);
	if (r == 0)
		r = sr_vfs_restore(env, pf, prior, err);
	if (r < 0)
		return r;
	sr_pf_await_links(env, pf, prior);
	sr_pf_restore_irqs(env->root, pf, prior);
	return 0;
}

/* VFs of several PFs come at the same time: most of it is waiting for hardware. */
static bool at_once(const struct cv_step_env *env, const char *object)
{
	return true;
}

/* PFs of a card wait for each other in its firmware and driver. They are on one bus: a port has one
 * device, and what ARI shows as further ones are functions of it (PCIe Base 6.0 section 6.13). */
static bool is_apart(const char *object, const char *other)
{
	struct cv_bdf a, b;

	return cv_parse_bdf(object, &a) == 0 && cv_parse_bdf(other, &b) == 0 &&
	       (a.domain != b.domain || a.bus != b.bus);
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	struct wish wish = { 0 };
	int r = parse_wish(object, value, false, &wish, err);

	return r < 0 ? r : revert_wish(env, object, &wish, prior, err);
}

static int revert_set(const struct cv_step_env *env, const char *object, const char *value,
		      const json_t *prior, struct cv_error *err)
{
	struct wish wish = { 0 };
	int r = parse_wish(object, value, true, &wish, err);

	return r < 0 ? r : revert_wish(env, object, &wish, prior, err);
}

const struct cv_step_ops sr_step_numvfs = {
	.kind = "numvfs",
	.scope = CV_SCOPE_SHARED,
	.undo = "set sriov_numvfs back to the count there was before",
	.record = record,
	.apply = apply,
	.revert = revert,
	.settle = sr_pf_await_links,
	.at_once = at_once,
	.is_apart = is_apart,
};

/* Of its own: what the operator sets is not shared with VMs, who find it there. */
const struct cv_step_ops sr_step_numvfs_set = {
	.kind = "numvfs-set",
	.scope = CV_SCOPE_OWN,
	.undo = "set sriov_numvfs back, and the VFs' drivers and settings",
	.record = record_set,
	.apply = apply_set,
	.revert = revert_set,
	.settle = sr_pf_await_links,
	.at_once = at_once,
	.is_apart = is_apart,
};
