// SPDX-License-Identifier: GPL-2.0-or-later
/* Kind "numvfs": how many VFs a PF has. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/holders.h"
#include "sriov/pf_side.h"
#include "sriov/steps.h"

static int read_count(const struct cv_step_env *env, const char *pf, unsigned int *ret)
{
	char path[CV_PATH_MAX], text[32];
	uint64_t count;
	int r = sr_read_deadline(env->root, sr_path(path, pf, "sriov_numvfs"), text, sizeof(text),
				 env->deadline_ms);

	if (r < 0)
		return r;
	if (cv_parse_u64(text, &count) < 0 || count > UINT16_MAX)
		return -EINVAL;
	*ret = (unsigned int)count;
	return 0;
}

/* The attribute is there, but does not answer. */
static int fail_count(struct cv_error *err, int r, const char *pf)
{
	cv_fail_errno(err, r, pf, "cannot read sriov_numvfs");
	if (r == -ETIMEDOUT)
		cv_error_hint(err, "the kernel is busy with the function: see dmesg, a blocked "
				   "device usually needs a reboot");
	return r;
}

static int fail_no_sriov(struct cv_error *err, int r, const char *pf)
{
	if (r != -ENOENT)
		return fail_count(err, r, pf);
	cv_fail(err, r, CV_EXIT_PRECONDITION, "ENOSRIOV", pf, "the function has no SR-IOV");
	cv_error_hint(err, "SR-IOV may be off in the firmware of the device or of the host");
	return r;
}

static int record(const struct cv_step_env *env, const char *object, const char *value,
		  json_t **ret_prior, struct cv_error *err)
{
	unsigned int count;
	int r = sr_require(env->root, object, err);

	if (r < 0)
		return r;
	r = read_count(env, object, &count);
	if (r < 0)
		return fail_no_sriov(err, r, object);
	_cleanup_json_ json_t *prior = json_pack("{si}", "num", (int)count);
	if (!prior || sr_pf_record(env->root, object, prior) < 0)
		return cv_fail_errno(err, -ENOMEM, object, "cannot note the VF count");
	*ret_prior = TAKE_PTR(prior);
	return 0;
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

/* Goes to @wanted from 0; whatever stays behind on failure is taken away again. */
static int create(const struct cv_step_env *env, const char *pf, unsigned int wanted,
		  struct cv_error *err)
{
	unsigned int now;
	int r = write_count(env, pf, wanted, err);

	if (r == -ETIMEDOUT)
		return r;
	if (r == 0)
		r = await_vfs(env, pf, wanted, err);
	else
		explain(err, r, pf, wanted);
	if (r < 0 && read_count(env, pf, &now) == 0 && now != 0)
		(void)write_count(env, pf, 0, NULL);
	return r;
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
		return fail_no_sriov(err, r, pf);
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
		      "whoever made them has to take them away first: "
		      "echo 0 >/sys/bus/pci/devices/%s/sriov_numvfs",
		      pf);
	return -EBUSY;
}

static int parse_count(const char *object, const char *value, unsigned int *ret,
		       struct cv_error *err)
{
	uint64_t count;

	if (cv_parse_u64(value, &count) < 0 || count > UINT16_MAX)
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
			       "not a number of VFs: %s", value);
	*ret = (unsigned int)count;
	return 0;
}

static int apply(const struct cv_step_env *env, const char *object, const char *value,
		 const json_t *prior, struct cv_error *err)
{
	unsigned int wanted = 0, now;
	int r = parse_count(object, value, &wanted, err);

	if (r == 0)
		r = sr_require(env->root, object, err);
	if (r < 0)
		return r;
	r = read_count(env, object, &now);
	if (r < 0)
		return fail_no_sriov(err, r, object);
	if (now == wanted)
		return await_vfs(env, object, wanted, err);
	if (now != 0)
		return fail_other_count(err, object, now, wanted);
	r = check_driver(env, object, err);
	if (r == 0)
		r = check_total(env, object, wanted, err);
	if (r < 0)
		return r;
	r = create(env, object, wanted, err);
	/* Once more for VFs that came up in part: a slow bus, not a refusal. */
	if (r == -ENODEV)
		r = create(env, object, wanted, err);
	sr_pf_restore(env, object, prior);
	return r;
}

static int compare_devs(const void *a, const void *b)
{
	return cv_bdf_cmp(((const struct inv_dev *)a)->bdf, ((const struct inv_dev *)b)->bdf);
}

/* The VFs that a driver of the host works on, in BDF order, as far as holders are found by it. */
static size_t host_vfs(struct cv_sysroot *root, const char *pf, unsigned int count,
		       struct inv_dev *devs)
{
	size_t n = 0;

	for (unsigned int i = 0; i < count; i++) {
		struct inv_dev *d = &devs[n];
		char vf[CV_BDF_MAX];

		if (sr_vf_of(root, pf, i, vf) == 0 && cv_parse_bdf(vf, &d->bdf) == 0 &&
		    sr_driver(root, vf, d->driver, sizeof(d->driver)) == 0 && d->driver[0] &&
		    !strstr(d->driver, "vfio")) {
			d->group = d->node = d->pf = d->parent = -1;
			n++;
		}
	}
	qsort(devs, n, sizeof(*devs), compare_devs);
	return n;
}

static int fail_held(struct cv_error *err, const struct inv_dev *vf, const char *pf)
{
	char bdf[CV_BDF_MAX];

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", cv_format_bdf(vf->bdf, bdf),
		"the VFs of %s cannot be taken away: the host uses one", pf);
	cv_error_found(err, "%s", vf->holder);
	cv_error_hint(err, "end that use, then run carve recover");
	return -EBUSY;
}

/* A VF that the host uses itself (somebody bound it to its driver) would be pulled away. */
static int check_holders(const struct cv_step_env *env, const char *pf, unsigned int count,
			 struct cv_error *err)
{
	_cleanup_free_ struct inv_dev *devs = calloc(count + 1, sizeof(*devs));
	struct inventory inv = { .devs = devs };

	if (!devs)
		return cv_fail_errno(err, -ENOMEM, pf, "cannot look for users of the VFs");
	inv.n_devs = host_vfs(env->root, pf, count, devs);
	if (inv.n_devs > 0)
		sr_holders_read(env->root, &inv);
	for (size_t i = 0; i < inv.n_devs; i++) {
		if (devs[i].holder_kind != INV_HOLDER_NONE)
			return fail_held(err, &devs[i], pf);
	}
	return 0;
}

/* Taking away a VF whose group is open would block until its user ends. */
static int check_unused(const struct cv_step_env *env, const char *pf, unsigned int count,
			struct cv_error *err)
{
	for (unsigned int i = 0; i < count; i++) {
		char vf[CV_BDF_MAX], driver[64], who[64];

		if (sr_vf_of(env->root, pf, i, vf) < 0 ||
		    sr_driver(env->root, vf, driver, sizeof(driver)) < 0 ||
		    !strstr(driver, "vfio") ||
		    !sr_group_user(env->root, sr_group(env->root, vf), who, sizeof(who)))
			continue;
		cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_HOLDER", vf,
			"the VFs of %s cannot be taken away: one is in use", pf);
		cv_error_found(err, "%s", who);
		cv_error_hint(err, "end that process, then run carve recover");
		return -EBUSY;
	}
	return check_holders(env, pf, count, err);
}

static int revert(const struct cv_step_env *env, const char *object, const char *value,
		  const json_t *prior, struct cv_error *err)
{
	unsigned int before = (unsigned int)cv_json_int(prior, "num", 0), wanted = 0, now;
	int r = parse_count(object, value, &wanted, err);

	if (r < 0)
		return r;
	r = read_count(env, object, &now);
	if (r == -ENOENT || r == -ENODEV) /* gone, and its VFs with it */
		return 0;
	if (r < 0)
		return fail_count(err, r, object);
	if (now == before) {
		sr_pf_restore(env, object, prior);
		return 0;
	}
	if (now != wanted) {
		fail_other_count(err, object, now, before);
		cv_error_hint(err, "somebody else changed it meanwhile: set it to %u by hand",
			      before);
		return -EBUSY;
	}
	r = check_unused(env, object, now, err);
	if (r < 0)
		return r;
	r = write_count(env, object, before, err);
	if (r < 0)
		return explain(err, r, object, before);
	sr_pf_restore(env, object, prior);
	return 0;
}

const struct cv_step_ops sr_step_numvfs = {
	.kind = "numvfs",
	.scope = CV_SCOPE_SHARED,
	.undo = "set sriov_numvfs back to the count there was before",
	.record = record,
	.apply = apply,
	.revert = revert,
};
