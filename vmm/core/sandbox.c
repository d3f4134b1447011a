// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/core/log.h"
#include "vmm/core/sandbox_parts.h"

/** struct vmm_sandbox - @files: Landlock ruleset, -1: this kernel has none */
struct vmm_sandbox {
	bool is_on;
	int files;
	struct vmm_filter filters[VMM_ROLES];
};

/* ---- making it ---- */

void vmm_sandbox_free(struct vmm_sandbox *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < VMM_ROLES; i++)
		vmm_filter_done(&s->filters[i]);
	cv_cleanup_close(&s->files);
	free(s);
}

CV_DEFINE_CLEANUP(struct vmm_sandbox *, vmm_sandbox_free)

static int refuse_kernel(int r, struct cv_error *err)
{
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_SECCOMP", "sandbox",
		"this kernel cannot hold the VMM's threads to their system calls");
	cv_error_found(err, "seccomp(2): errno %d", -r);
	cv_error_wanted(err, "CONFIG_SECCOMP_FILTER");
	cv_error_hint(err, "boot a kernel that has it, or take QEMU: backend: qemu in the spec");
	return -EOPNOTSUPP;
}

static int make_filters(struct vmm_sandbox *s, struct cv_error *err)
{
	int r = vmm_filter_probe();

	if (r < 0)
		return refuse_kernel(r, err);
	for (size_t i = 0; i < VMM_ROLES && r == 0; i++)
		r = vmm_filter_make((enum vmm_role)i, &s->filters[i]);
	r = r ?: vmm_filter_catch();
	return r < 0 ? cv_fail_errno(err, r, "sandbox", "cannot make the system call filters") : 0;
}

static int make_files(struct vmm_sandbox *s, struct cv_error *err)
{
	s->files = vmm_files_make();
	if (s->files >= 0)
		return 0;
	if (s->files != -EOPNOTSUPP)
		return cv_fail_errno(err, s->files, "sandbox", "cannot make the Landlock ruleset");
	vmm_log("sandbox: this kernel has no Landlock: files are closed off by seccomp alone");
	return 0;
}

/* What libraries open when they first need it: jansson /dev/urandom, for its hashes; malloc(3), when a
 * thread with a heap of its own gives memory back, /proc/sys/vm/overcommit_memory. */
static void settle_libraries(void)
{
	json_object_seed(0);
	mallopt(M_ARENA_MAX, 1);
}

int vmm_sandbox_new(bool is_on, struct vmm_sandbox **ret, struct cv_error *err)
{
	_cleanup_(vmm_sandbox_freep) struct vmm_sandbox *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return cv_fail_errno(err, -ENOMEM, "sandbox", "cannot make it");
	s->is_on = is_on;
	s->files = -1;
	settle_libraries();
	if (is_on) {
		r = make_filters(s, err);
		r = r ?: make_files(s, err);
		if (r < 0)
			return r;
	} else {
		vmm_log("sandbox: off: a fault of the VMM is the guest's way to the host");
	}
	*ret = TAKE_PTR(s);
	return 0;
}

/* ---- entering it ---- */

/* The launcher took them all; whoever starts the VMM by hand may not have. Of the thread alone. */
static int drop_capabilities(void)
{
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { 0 };
	uint32_t any = 0;

	if (syscall(SYS_capset, &head, data) < 0 || syscall(SYS_capget, &head, data) < 0)
		return -errno;
	for (size_t i = 0; i < CV_ARRAY_SIZE(data); i++)
		any |= data[i].effective | data[i].permitted | data[i].inheritable;
	return any ? -EPERM : 0;
}

static int close_privileges(void)
{
	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0;
}

/* seccomp last: the calls before it are not on its list. */
int vmm_sandbox_enter(const struct vmm_sandbox *s, enum vmm_role role, struct cv_error *err)
{
	int r;

	if (!s || !s->is_on)
		return 0;
	r = close_privileges();
	r = r ?: drop_capabilities();
	if (r == 0 && s->files >= 0)
		r = vmm_files_enter(s->files);
	r = r ?: vmm_filter_enter(&s->filters[role]);
	return r < 0 ? cv_fail_errno(err, r, "sandbox", "a thread cannot be locked in") : 0;
}

void vmm_sandbox_enter_or_end(const struct vmm_sandbox *s, enum vmm_role role)
{
	int r = vmm_sandbox_enter(s, role, NULL);

	if (r == 0)
		return;
	vmm_log("sandbox: a thread cannot be locked in: %s: the VMM ends", strerror(-r));
	_exit(CV_EXIT_GUEST);
}
