// SPDX-License-Identifier: GPL-2.0-or-later
/* The native backend: carve-vmm, which gets the plan and the descriptors of hypervisor and devices. */
#include "vmm/backend/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define PROGRAM "carve-vmm"

/* Beside the program that runs (a build folder), then where it is installed. */
static const char *const folders[] = {
	"/usr/local/libexec/carve",
	"/usr/libexec/carve",
};

static int open_beside(void)
{
	char path[CV_PATH_MAX], self[CV_PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	char *slash;

	if (n <= 0)
		return -ENOENT;
	self[n] = '\0';
	slash = strrchr(self, '/');
	if (!slash)
		return -ENOENT;
	*slash = '\0';
	int fd = open(cv_pathf(path, "%s/" PROGRAM, self), O_RDONLY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* Opened here: the VM's user may not be able to walk to it. */
static int open_program(int *ret_fd, struct cv_error *err)
{
	int fd = open_beside();

	for (size_t i = 0; fd < 0 && i < CV_ARRAY_SIZE(folders); i++) {
		char path[CV_PATH_MAX];

		fd = open(cv_pathf(path, "%s/" PROGRAM, folders[i]), O_RDONLY | O_CLOEXEC);
	}
	if (fd >= 0) {
		*ret_fd = fd;
		return 0;
	}
	cv_fail(err, -ENOENT, CV_EXIT_PRECONDITION, "NO_VMM", PROGRAM,
		"Carve's own VMM is not installed");
	cv_error_wanted(err, "beside carve, or in %s", folders[1]);
	cv_error_hint(err, "install all of Carve, or take QEMU: backend: qemu in the spec");
	return -ENOENT;
}

static int native_probe(char **ret_version, struct cv_error *err)
{
	_cleanup_close_ int fd = -1;
	int r = open_program(&fd, err);

	if (r < 0)
		return r;
	*ret_version = strdup("built in");
	return *ret_version ? 0 : -ENOMEM;
}

/* ---- what it gets ---- */

/* The plan in memory that nobody can change any more. */
static int open_plan(const struct vmm_launch *l, int *ret_fd, struct cv_error *err)
{
	_cleanup_json_ json_t *j = plan_json(l->plan);
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	_cleanup_close_ int fd = memfd_create("plan", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	size_t len = text ? strlen(text) : 0;

	if (!text || fd < 0)
		return cv_fail_errno(err, -ENOMEM, l->plan->name, "cannot hand over the plan");
	if (write(fd, text, len) != (ssize_t)len ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) < 0)
		return cv_fail_errno(err, -errno, l->plan->name, "cannot hand over the plan");
	*ret_fd = TAKE_FD(fd);
	return 0;
}

/** struct handing - descriptors that stay open, and the command line that names them */
struct handing {
	struct cv_strv argv;
	int *fds;
	size_t n;
};

static int hand(struct handing *h, const char *option, const char *prefix, int fd)
{
	int r = cv_strv_add(&h->argv, option);

	h->fds[h->n++] = fd;
	return r ?: cv_strv_addf(&h->argv, "%s%d", prefix, fd);
}

/* --link ID=FD[,FD...] */
static int hand_link(struct handing *h, const struct plan_link *link)
{
	char text[32 + 12 * PLAN_LINK_FDS_MAX];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s", link->id);

	for (size_t i = 0; i < link->n; i++) {
		h->fds[h->n++] = link->fds[i];
		len += (size_t)snprintf(text + len, sizeof(text) - len, "%c%d", i ? ',' : '=',
					link->fds[i]);
	}
	int r = cv_strv_add(&h->argv, "--link");
	return r ?: cv_strv_add(&h->argv, text);
}

static int make_argv(const struct vmm_launch *l, int program_fd, int plan_fd, struct handing *h)
{
	char prefix[48];
	int r;

	h->fds = calloc(l->devices.n + 4 + l->n_links * PLAN_LINK_FDS_MAX, sizeof(*h->fds));
	if (!h->fds)
		return -ENOMEM;
	h->fds[h->n++] = program_fd;
	r = cv_strv_addf(&h->argv, "/proc/self/fd/%d", program_fd);
	r = r ?: cv_strv_add(&h->argv, "--dir");
	r = r ?: cv_strv_add(&h->argv, l->vm_dir);
	r = r ?: hand(h, "--plan-fd", "", plan_fd);
	r = r ?: hand(h, "--hypervisor-fd", "", l->hypervisor_fd);
	if (r == 0 && l->devices.container >= 0)
		r = hand(h, "--vfio-fd", "", l->devices.container);
	for (size_t i = 0; i < l->devices.n && r == 0; i++) {
		snprintf(prefix, sizeof(prefix), "%s=", l->plan->devices[i].id);
		r = hand(h, "--device", prefix, l->devices.fds[i]);
	}
	for (size_t i = 0; i < l->n_links && r == 0; i++)
		r = hand_link(h, &l->links[i]);
	return r;
}

static int native_start(const struct vmm_launch *l, pid_t *ret_pid, struct cv_error *err)
{
	_cleanup_close_ int program_fd = -1, plan_fd = -1;
	struct handing h = { 0 };
	int r = open_program(&program_fd, err);

	r = r ?: open_plan(l, &plan_fd, err);
	if (r < 0)
		return r;
	r = make_argv(l, program_fd, plan_fd, &h);
	if (r < 0)
		cv_fail_errno(err, r, l->plan->name, "cannot make the command line of the VMM");
	else
		r = vmm_backend_spawn(l, &h.argv, h.fds, h.n, ret_pid, err);
	cv_strv_done(&h.argv);
	free(h.fds);
	return r;
}

const struct vmm_backend_ops vmm_backend_native = {
	.name = "native",
	.probe = native_probe,
	.start = native_start,
};
