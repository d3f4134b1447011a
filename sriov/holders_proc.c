// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/holders.h"

#define VFIO_DIR "/dev/vfio/"
#define NVIDIA_NODE "/dev/nvidia"
#define NVIDIA_GPUS "/proc/driver/nvidia/gpus"

/* Device nodes that belong to a function: the class entry of the same name links to it. */
static const struct {
	const char *dir, *prefix, *class;
} node_classes[] = {
	{ VFIO_DIR "devices/", "vfio", "vfio-dev" },
	{ "/dev/infiniband/", "uverbs", "infiniband_verbs" },
	{ "/dev/infiniband/", "umad", "infiniband_mad" },
	{ "/dev/dri/", "", "drm" },
	{ "/dev/", "nvme", "nvme" },
	{ "/dev/", "ng", "nvme-generic" },
	{ "/dev/", "uio", "uio" },
	{ "/dev/", "", "block" },
};

/**
 * struct fd_visit - called for each file descriptor below /dev/ that a process has open
 * @see: @node is the link's text; a return other than 0 ends the walk
 */
struct fd_visit {
	int (*see)(const struct fd_visit *v, const char *pid, const char *node);
	struct cv_sysroot *root;
	struct sr_marks *m;
	int group;
	char *buf;
	size_t size;
};

static int visit_process(const struct fd_visit *v, const char *pid)
{
	_cleanup_strv_ struct cv_strv fds = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(v->root, cv_pathf(path, "/proc/%s/fd", pid), &fds) < 0)
		return 0;
	for (size_t i = 0; i < fds.n; i++) {
		_cleanup_free_ char *node = NULL;
		int r;

		cv_pathf(path, "/proc/%s/fd/%s", pid, fds.v[i]);
		if (cv_readlink(v->root, path, &node) < 0 || strncmp(node, "/dev/", 5) != 0)
			continue;
		r = v->see(v, pid, node);
		if (r != 0)
			return r;
	}
	return 0;
}

static int visit_all(const struct fd_visit *v)
{
	_cleanup_strv_ struct cv_strv names = { 0 };

	if (cv_list(v->root, "/proc", &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		int r = 0;

		if (names.v[i][strspn(names.v[i], "0123456789")] == '\0')
			r = visit_process(v, names.v[i]);
		if (r != 0)
			return r;
	}
	return 0;
}

static void read_command(struct cv_sysroot *root, const char *pid, char command[32])
{
	char path[CV_PATH_MAX];

	if (cv_read_into(root, cv_pathf(path, "/proc/%s/comm", pid), command, 32) < 0)
		snprintf(command, 32, "?");
}

/* Number of the group that the node /dev/vfio/N stands for, or -1. */
static int group_of_node(const char *node)
{
	int group;

	if (strncmp(node, VFIO_DIR, strlen(VFIO_DIR)) != 0 ||
	    cv_parse_int(node + strlen(VFIO_DIR), &group) < 0)
		return -1;
	return group;
}

static void mark_group(const struct fd_visit *v, int group, const struct sr_holder *use)
{
	const struct inventory *inv = v->m->inv;

	for (size_t i = 0; i < inv->n_devs; i++) {
		if (inv->devs[i].group == group && strstr(inv->devs[i].driver, "vfio"))
			sr_mark(v->m, (int)i, use);
	}
}

/* Number of the node of a GPU, "Device Minor: 3" of its driver's report. Return: 0, -ENOENT. */
static int read_minor(struct cv_sysroot *root, const char *gpu, int *ret)
{
	_cleanup_free_ char *report = NULL;
	char path[CV_PATH_MAX], line[256], number[16];
	const char *text;

	if (cv_read_str(root, cv_pathf(path, NVIDIA_GPUS "/%s/information", gpu), &report) < 0)
		return -ENOENT;
	text = report;
	while (sr_take_line(&text, line, sizeof(line))) {
		if (sscanf(line, "Device Minor: %15s", number) == 1)
			return cv_parse_int(number, ret) < 0 ? -ENOENT : 0;
	}
	return -ENOENT;
}

/* The NVIDIA driver has no class: its own directory below /proc tells whose node it is. */
static void mark_nvidia(const struct fd_visit *v, const char *node, const struct sr_holder *use)
{
	_cleanup_strv_ struct cv_strv gpus = { 0 };
	int wanted, minor;

	if (strncmp(node, NVIDIA_NODE, strlen(NVIDIA_NODE)) != 0 ||
	    cv_parse_int(node + strlen(NVIDIA_NODE), &wanted) < 0 ||
	    cv_list(v->root, NVIDIA_GPUS, &gpus) < 0)
		return;
	for (size_t i = 0; i < gpus.n; i++) {
		if (read_minor(v->root, gpus.v[i], &minor) == 0 && minor == wanted)
			sr_mark_path(v->root, v->m, gpus.v[i], use);
	}
}

static void mark_node(const struct fd_visit *v, const char *node, const struct sr_holder *use)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(node_classes); i++) {
		const char *dir = node_classes[i].dir, *name = node + strlen(dir);
		_cleanup_free_ char *target = NULL;
		char path[CV_PATH_MAX];

		if (strncmp(node, dir, strlen(dir)) != 0 || strchr(name, '/') ||
		    strncmp(name, node_classes[i].prefix, strlen(node_classes[i].prefix)) != 0)
			continue;
		cv_pathf(path, "/sys/class/%s/%s", node_classes[i].class, name);
		if (cv_readlink(v->root, path, &target) < 0)
			continue;
		sr_mark_path(v->root, v->m, target, use);
		return;
	}
}

/* The nodes nearly every process has open: no use in looking them up. */
static bool is_everyday(const char *node)
{
	return strcmp(node, "/dev/null") == 0 || strncmp(node, "/dev/pts/", 9) == 0 ||
	       strcmp(node, "/dev/urandom") == 0;
}

static int see_node(const struct fd_visit *v, const char *pid, const char *node)
{
	struct sr_holder use = { .kind = INV_HOLDER_PROCESS };
	int group = group_of_node(node);

	if (is_everyday(node) || cv_parse_int(pid, &use.pid) < 0)
		return 0;
	read_command(v->root, pid, use.command);
	snprintf(use.path, sizeof(use.path), "%s", node);
	snprintf(use.text, sizeof(use.text), "pid %d (%s) has %s open", use.pid, use.command,
		 use.path);
	if (group >= 0)
		mark_group(v, group, &use);
	else
		mark_node(v, node, &use);
	mark_nvidia(v, node, &use);
	return 0;
}

void sr_holders_processes(struct cv_sysroot *root, struct sr_marks *m)
{
	struct fd_visit v = { .see = see_node, .root = root, .m = m };

	visit_all(&v);
}

static int see_group(const struct fd_visit *v, const char *pid, const char *node)
{
	char command[32];

	if (group_of_node(node) != v->group)
		return 0;
	read_command(v->root, pid, command);
	snprintf(v->buf, v->size, "pid %s (%s)", pid, command);
	return 1;
}

int sr_group_user(struct cv_sysroot *root, int group, char *buf, size_t size)
{
	struct fd_visit v = {
		.see = see_group, .root = root, .group = group, .buf = buf, .size = size
	};

	return group < 0 ? 0 : visit_all(&v);
}
