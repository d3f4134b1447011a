// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/capture_view.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "numa/binding.h"
#include "numa/partition.h"
#include "sriov/function.h"
#include "tools/capture_lines.h"

#define LOCKED_MS 1000

/**
 * struct view - ctx of the ops
 * @release: of the running kernel: modules of others are left out
 * @cgroups: the partitions alone
 */
struct view {
	struct cv_sysroot *host;
	char release[64];
	struct inventory cgroups;
};

/** struct list_rule - which names of the directories that match @path are shown */
struct list_rule {
	const char *path;
	bool (*is_shown)(const struct view *v, const char *dir, const char *name);
};

/* Attributes of a PCI function that are read; virtfnN are links beside them. */
static const char *const function_names[] = {
	"class",
	"config",
	"current_link_speed",
	"current_link_width",
	"device",
	"driver",
	"driver_override",
	"iommu_group",
	"irq",
	"max_link_speed",
	"max_link_width",
	"net",
	"numa_node",
	"physfn",
	"reset_method",
	"resource",
	"revision",
	"sriov_drivers_autoprobe",
	"sriov_numvfs",
	"sriov_offset",
	"sriov_stride",
	"sriov_totalvfs",
	"sriov_vf_device",
	"subsystem_device",
	"subsystem_vendor",
	"vendor",
};

static bool is_function_name(const struct view *v, const char *dir, const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(function_names); i++)
		if (strcmp(function_names[i], name) == 0)
			return true;
	return strncmp(name, "virtfn", 6) == 0;
}

/* Nodes that nearly every process has open say nothing about a device. */
static bool is_device_node(const char *target)
{
	static const char *const everyday[] = {
		"/dev/console", "/dev/full", "/dev/null",    "/dev/ptmx", "/dev/pts/",
		"/dev/random",	"/dev/shm/", "/dev/urandom", "/dev/tty",  "/dev/zero",
	};

	for (size_t i = 0; i < CV_ARRAY_SIZE(everyday); i++)
		if (strncmp(everyday[i], target, strlen(everyday[i])) == 0)
			return false;
	return strncmp(target, "/dev/", 5) == 0;
}

static bool is_device_fd(const struct view *v, const char *dir, const char *name)
{
	_cleanup_free_ char *target = NULL;
	char path[CV_PATH_MAX];

	return cv_readlink(v->host, cv_pathf(path, "%s/%s", dir, name), &target) == 0 &&
	       is_device_node(target);
}

static bool is_device_process(const struct view *v, const char *dir, const char *name)
{
	_cleanup_strv_ struct cv_strv fds = { 0 };
	char path[CV_PATH_MAX];

	if (name[strspn(name, "0123456789")] != '\0')
		return false;
	if (cv_list(v->host, cv_pathf(path, "%s/%s/fd", dir, name), &fds) < 0)
		return false;
	for (size_t i = 0; i < fds.n; i++)
		if (is_device_fd(v, path, fds.v[i]))
			return true;
	return false;
}

/* Of processes that hold no device only irqbalance says something: that it runs. */
static bool is_told_process(const struct view *v, const char *dir, const char *name)
{
	char path[CV_PATH_MAX], comm[32];

	if (name[strspn(name, "0123456789")] != '\0')
		return false;
	if (cv_read_into(v->host, cv_pathf(path, "%s/%s/comm", dir, name), comm, sizeof(comm)) ==
		    0 &&
	    strcmp(comm, "irqbalance") == 0)
		return true;
	return is_device_process(v, dir, name);
}

/* Cgroups that are partitions or hold one: the names of others are of jobs and people. */
static bool is_partition_path(const struct view *v, const char *dir, const char *name)
{
	char path[CV_PATH_MAX];
	size_t len;

	if (strcmp(name, "cpuset.cpus.effective") == 0 ||
	    strcmp(name, "cpuset.cpus.partition") == 0)
		return true;
	cv_pathf(path, "%s/%s", dir + strlen(NU_CGROUP_MOUNT), name);
	len = strlen(path);
	for (size_t i = 0; i < v->cgroups.n_partitions; i++) {
		const char *p = v->cgroups.partitions[i].path;

		if (strncmp(p, path, len) == 0 && (p[len] == '\0' || p[len] == '/'))
			return true;
	}
	return false;
}

static bool is_running_kernel(const struct view *v, const char *dir, const char *name)
{
	return strcmp(name, v->release) == 0;
}

static bool is_nvme(const struct view *v, const char *dir, const char *name)
{
	return strncmp(name, "nvme", 4) == 0;
}

/* CPUs alone: their neighbours in that directory have folders of the same names. */
static bool is_cpu(const struct view *v, const char *dir, const char *name)
{
	return strncmp(name, "cpu", 3) == 0 && name[3] >= '0' && name[3] <= '9';
}

static const struct list_rule list_rules[] = {
	{ "/proc", is_told_process },
	{ "/proc/[0-9]*/fd", is_device_fd },
	{ "/lib/modules", is_running_kernel },
	{ "/usr/lib/modules", is_running_kernel },
	{ "/sys/devices/system/cpu", is_cpu },
	{ "/sys/devices/virtual/nvme-subsystem/*", is_nvme },
	{ NU_CGROUP_MOUNT, is_partition_path },
	{ NU_CGROUP_MOUNT "/*", is_partition_path }, /* at any depth */
	{ "/sys/devices/*", is_function_name },	     /* with a PCI address as last component */
};

/* The kernel reads them with the lock of the function, which somebody may keep for ever. */
static bool is_locked(const char *path)
{
	const char *name = strrchr(path, '/');

	return strncmp(path, "/sys/devices/", 13) == 0 && name &&
	       (strcmp(name, "/driver_override") == 0 || strcmp(name, "/sriov_numvfs") == 0);
}

static int read_locked(const struct view *v, const char *path, char **ret, size_t *ret_len)
{
	char text[256];
	int r = sr_read_deadline(v->host, path, text, sizeof(text), LOCKED_MS);

	if (r < 0)
		return r;
	r = asprintf(ret, "%s\n", text);
	if (r < 0)
		return -ENOMEM;
	*ret_len = (size_t)r;
	return 0;
}

/* What cannot be read is left out of the snapshot. */
static int view_read(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	const struct view *v = ctx;
	size_t len;
	int r = is_locked(path) ? read_locked(v, path, ret, &len)
				: cv_read(v->host, path, ret, &len);

	if (r == 0)
		*ret_len = capture_lines(path, *ret, len);
	return r;
}

static int view_readlink(void *ctx, const char *path, char **ret)
{
	const struct view *v = ctx;

	/* a snapshot of process 4711 would be different every time */
	return strcmp(path, "/proc/self") == 0 ? -EINVAL : cv_readlink(v->host, path, ret);
}

static bool is_function_dir(const char *path)
{
	const char *name = strrchr(path, '/');
	struct cv_bdf bdf;

	return name && strchr(name, ':') && cv_parse_bdf(name + 1, &bdf) == 0;
}

/* Its '*' stands for any number of levels. */
static bool is_deep(const struct list_rule *rule)
{
	return rule->is_shown == is_function_name || rule->is_shown == is_partition_path;
}

static const struct list_rule *find_list_rule(const char *path)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(list_rules); i++) {
		const struct list_rule *rule = &list_rules[i];

		if (rule->is_shown == is_function_name && !is_function_dir(path))
			continue;
		if (fnmatch(rule->path, path, is_deep(rule) ? 0 : FNM_PATHNAME) == 0)
			return rule;
	}
	return NULL;
}

static int add_shown(const struct view *v, const char *dir, const struct cv_strv *names,
		     struct cv_strv *ret)
{
	const struct list_rule *rule = find_list_rule(dir);
	int r = 0;

	for (size_t i = 0; i < names->n && r == 0; i++)
		if (!rule || rule->is_shown(v, dir, names->v[i]))
			r = cv_strv_add(ret, names->v[i]);
	return r;
}

static int view_list(void *ctx, const char *path, struct cv_strv *ret)
{
	const struct view *v = ctx;
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cv_strv shown = { 0 };
	int r = cv_list(v->host, path, &names);

	if (r == 0)
		r = add_shown(v, path, &names, &shown);
	if (r < 0) {
		cv_strv_done(&shown);
		return r;
	}
	*ret = shown;
	return 0;
}

static int view_stat(void *ctx, const char *path, bool nofollow, struct stat *ret)
{
	const struct view *v = ctx;

	/* asked for by the capture only where a link was met before, or none is */
	return cv_stat(v->host, path, ret);
}

static void view_close(void *ctx)
{
	struct view *v = ctx;

	inventory_done(&v->cgroups);
	free(v);
}

static const struct cv_sysroot_ops view_ops = {
	.read = view_read,
	.readlink = view_readlink,
	.list = view_list,
	.stat = view_stat,
	.close = view_close,
};

static int view_init(struct view *v, struct cv_sysroot *host, struct cv_error *err)
{
	v->host = host;
	if (cv_read_into(host, "/proc/sys/kernel/osrelease", v->release, sizeof(v->release)) < 0)
		v->release[0] = '\0';
	v->cgroups.host.has_cgroup2 = v->cgroups.host.has_cpuset = true;
	return nu_partitions_read(host, &v->cgroups, err);
}

int capture_view_open(struct cv_sysroot *host, struct cv_sysroot **ret, struct cv_error *err)
{
	struct view *v = calloc(1, sizeof(*v));
	int r;

	if (!v)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot look at the host");
	r = view_init(v, host, err);
	if (r == 0) {
		r = cv_sysroot_new(&view_ops, v, ret);
		if (r < 0)
			cv_fail_errno(err, r, NULL, "cannot look at the host");
	}
	if (r < 0)
		view_close(v);
	return r;
}
