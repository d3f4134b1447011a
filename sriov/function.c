// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/function.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/set_aside.h"

#define PAUSE_MS 10

const char *sr_path(char buf[CV_PATH_MAX], const char *bdf, const char *name)
{
	return cv_pathf(buf, SR_DEVICES "/%s/%s", bdf, name);
}

bool sr_exists(struct cv_sysroot *root, const char *bdf)
{
	char path[CV_PATH_MAX];

	return cv_exists(root, cv_pathf(path, SR_DEVICES "/%s", bdf));
}

int sr_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size)
{
	char path[CV_PATH_MAX];
	int r = cv_readlink_base(root, sr_path(path, bdf, "driver"), buf, size);

	if (r == -ENOENT) {
		buf[0] = '\0';
		return 0;
	}
	return r < 0 ? r : 0;
}

int sr_override(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms, char *buf,
		size_t size)
{
	char path[CV_PATH_MAX];
	int r;

	sr_path(path, bdf, "driver_override");
	r = deadline_ms > 0 ? sr_read_deadline(root, path, buf, size, deadline_ms)
			    : cv_read_into(root, path, buf, size);
	if (r < 0)
		return r;
	if (strcmp(buf, "(null)") == 0)
		buf[0] = '\0';
	return 0;
}

int sr_group(struct cv_sysroot *root, const char *bdf)
{
	char path[CV_PATH_MAX], name[32];
	int group;

	if (cv_readlink_base(root, sr_path(path, bdf, "iommu_group"), name, sizeof(name)) < 0 ||
	    cv_parse_int(name, &group) < 0 || group < 0)
		return -1;
	return group;
}

int sr_last_bdf(const char *path, struct cv_bdf *ret)
{
	const char *end = path + strlen(path);

	while (end > path) {
		const char *start = end;
		char part[CV_BDF_MAX];
		size_t len;

		while (start > path && start[-1] != '/')
			start--;
		len = (size_t)(end - start);
		if (len > 0 && len < sizeof(part)) {
			memcpy(part, start, len);
			part[len] = '\0';
			if (cv_parse_bdf(part, ret) == 0)
				return 0;
		}
		end = start > path ? start - 1 : path;
	}
	return -ENOENT;
}

int sr_require(struct cv_sysroot *root, const char *bdf, struct cv_error *err)
{
	if (sr_exists(root, bdf))
		return 0;
	cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENODEV", bdf, "there is no such PCI function");
	cv_error_hint(err, "carve topo lists the functions of this host");
	return -ENODEV;
}

static int fail_object(struct cv_error *err, const char *object)
{
	return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL", object,
		       "not a VF in the form PF/INDEX");
}

int sr_split_vf(const char *object, char *pf, unsigned int *ret_index, struct cv_error *err)
{
	const char *slash = strchr(object, '/');
	struct cv_bdf bdf;
	uint64_t index;
	size_t len;

	if (!slash)
		return fail_object(err, object);
	len = (size_t)(slash - object);
	if (len >= CV_BDF_MAX || cv_parse_u64(slash + 1, &index) < 0 || index > UINT16_MAX)
		return fail_object(err, object);
	memcpy(pf, object, len);
	pf[len] = '\0';
	if (cv_parse_bdf(pf, &bdf) < 0)
		return fail_object(err, object);
	*ret_index = (unsigned int)index;
	return 0;
}

int sr_vf_of(struct cv_sysroot *root, const char *pf, unsigned int index, char vf[CV_BDF_MAX])
{
	char path[CV_PATH_MAX], name[CV_BDF_MAX];
	struct cv_bdf bdf;
	int r;

	cv_pathf(path, SR_DEVICES "/%s/virtfn%u", pf, index);
	r = cv_readlink_base(root, path, name, sizeof(name));
	if (r < 0)
		return r;
	r = cv_parse_bdf(name, &bdf);
	if (r < 0)
		return -EINVAL;
	cv_format_bdf(bdf, vf);
	return 0;
}

void sr_pause(void)
{
	nanosleep(&(struct timespec){ .tv_nsec = PAUSE_MS * 1000000L }, NULL);
}

int sr_child_fill(int (*fn)(void *data), void *data, size_t size, unsigned int deadline_ms)
{
	int r, result = 0;
	void *shared;

	if (deadline_ms == 0)
		return fn(data);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return -errno;
	memcpy(shared, data, size);
	r = cv_child_run(fn, shared, deadline_ms, &result);
	if (r == 0)
		memcpy(data, shared, size);
	munmap(shared, size);
	return r < 0 ? r : result;
}

/** struct read_job - an attribute and what it says */
struct read_job {
	struct cv_sysroot *root;
	const char *path;
	char text[256];
};

static int run_read(void *data)
{
	struct read_job *job = data;

	return cv_read_into(job->root, job->path, job->text, sizeof(job->text));
}

int sr_read_deadline(struct cv_sysroot *root, const char *path, char *buf, size_t size,
		     unsigned int deadline_ms)
{
	struct read_job job = { .root = root, .path = path };
	int r = sr_child_fill(run_read, &job, sizeof(job), deadline_ms);

	if (r < 0)
		return r;
	if (strlen(job.text) >= size)
		return -ENAMETOOLONG;
	memcpy(buf, job.text, strlen(job.text) + 1);
	return 0;
}

static int quarantine(const struct cv_step_env *env, const char *bdf, const char *path,
		      const char *value, const char *doing)
{
	char reason[160], evidence[CV_PATH_MAX + 64];

	snprintf(reason, sizeof(reason), "%s did not finish within %u ms", doing, env->deadline_ms);
	snprintf(evidence, sizeof(evidence), "write of \"%.40s\" to %s", value, path);
	return sr_set_aside(env, bdf, reason, evidence, NULL);
}

int sr_write(const struct cv_step_env *env, const char *bdf, const char *path, const char *value,
	     const char *doing, struct cv_error *err)
{
	int r = cv_write_deadline(env->root, path, value, env->deadline_ms);
	int q;

	if (r != -ETIMEDOUT)
		return r;
	q = quarantine(env, bdf, path, value, doing);
	cv_fail(err, r, CV_EXIT_TIMEOUT, "ETIMEDOUT", bdf, "%s did not finish within %u ms", doing,
		env->deadline_ms);
	cv_error_found(err, "write of \"%s\" to %s still blocked", value, path);
	cv_error_hint(err, "%s; see dmesg, a blocked device usually needs a reboot",
		      q < 0 ? "the device could NOT be put into quarantine"
			    : "the device is in quarantine now");
	return r;
}
