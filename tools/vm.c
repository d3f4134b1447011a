// SPDX-License-Identifier: GPL-2.0-or-later
/* A VM on disk. */
#include "tools/vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/journal.h"
#include "base/lease.h"
#include "base/state.h"
#include "numa/binding.h"
#include "tools/apply.h"
#include "tools/operation.h"

#define QMP_MS 3000

static const char *const state_names[] = {
	[VM_RUNNING] = "running", [VM_PAUSED] = "paused",   [VM_SILENT] = "silent",
	[VM_EXITED] = "exited",	  [VM_PARTIAL] = "partial",
};

const char *vm_state_name(enum vm_state s)
{
	return state_names[s];
}

void vm_done(struct vm *vm)
{
	plan_done(&vm->plan);
	memset(vm, 0, sizeof(*vm));
}

const char *vm_path(char buf[CV_PATH_MAX], const char *name, const char *file)
{
	return cv_pathf(buf, CV_VM_DIR "/%s%s%s", name, file[0] ? "/" : "", file);
}

int vm_lock_dropping(struct cmd *c, const struct site *site, int *ret_fd,
		     struct cv_strv *ret_dropped)
{
	_cleanup_close_ int fd = -1;
	int r = cv_state_prepare(c->root, &c->err);

	r = r ?: cv_state_lock(c->root, site->lock_wait_s * 1000, &fd, &c->err);
	r = r ?: cv_state_drop_stale(c->root, ret_dropped, &c->err);
	if (r < 0)
		return r;
	*ret_fd = TAKE_FD(fd);
	return 0;
}

int vm_lock(struct cmd *c, const struct site *site, int *ret_fd)
{
	_cleanup_strv_ struct cv_strv dropped = { 0 };
	int r = vm_lock_dropping(c, site, ret_fd, &dropped);

	for (size_t i = 0; i < dropped.n; i++)
		cmd_note(c, "%s: of an earlier boot, dropped", dropped.v[i]);
	return r;
}

static int already_there(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -EEXIST, CV_EXIT_BUSY, "VM_EXISTS", name,
		"a VM of this name is there already");
	cv_error_hint(&c->err,
		      "carve show %s; carve stop %s gives its resources back, carve recover "
		      "cleans up after a killed start",
		      name, name);
	return -EEXIST;
}

static int write_plan(struct cmd *c, const struct plan *plan)
{
	_cleanup_json_ json_t *j = plan_json(plan);
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	char path[CV_PATH_MAX];

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, plan->name, "cannot write the plan");
	vm_path(path, plan->name, "plan.json");
	int r = cv_replace_file(c->root, path, text, 0644);
	return r < 0 ? cv_fail_errno(&c->err, r, path, "cannot write the plan") : 0;
}

int vm_create(struct cmd *c, const struct plan *plan, uid_t uid, gid_t gid)
{
	char dir[CV_PATH_MAX], sub[CV_PATH_MAX];
	int r = cv_exists(c->root, operation_path(sub, plan->name, "")) ? -EEXIST : 0;

	r = r ?: cv_mkdir(c->root, vm_path(dir, plan->name, ""), 0755);
	if (r == -EEXIST)
		return already_there(c, plan->name);
	r = r ?: cv_mkdir(c->root, vm_path(sub, plan->name, "vmm"), 0700);
	r = r ?: cv_chown(c->root, sub, uid, gid, (mode_t)-1);
	if (r < 0)
		return cv_fail_errno(&c->err, r, dir, "cannot make the VM's directory");
	return write_plan(c, plan);
}

int vm_write_proc(struct cv_sysroot *root, const char *name, pid_t pid, struct cv_error *err)
{
	struct cv_proc proc;
	char path[CV_PATH_MAX];
	int r = cv_proc_read(root, pid, &proc);

	if (r < 0)
		return cv_fail_errno(err, r, name, "the VMM ended at once");
	_cleanup_json_ json_t *j = json_pack("{s:i,s:i,s:I,s:I}", "carve_process", 1, "pid",
					     (int)proc.pid, "start", (json_int_t)proc.start,
					     "since", (json_int_t)time(NULL));
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	r = text ? cv_replace_file(root, vm_path(path, name, "pid"), text, 0644) : -ENOMEM;
	return r < 0 ? cv_fail_errno(err, r, path, "cannot remember the VMM's process") : 0;
}

static int read_json(struct cmd *c, const char *name, const char *file, json_t **ret)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	size_t len;
	int r = cv_read(c->root, vm_path(path, name, file), &text, &len);

	return r < 0 ? r : cv_json_parse(text, path, ret, &c->err);
}

static void read_proc(struct cmd *c, struct vm *vm)
{
	_cleanup_json_ json_t *j = NULL;

	if (read_json(c, vm->name, "pid", &j) < 0)
		return;
	vm->proc.pid = (pid_t)cv_json_int(j, "pid", 0);
	vm->proc.start = (uint64_t)cv_json_int(j, "start", 0);
	vm->since = cv_json_int(j, "since", 0);
}

/* The journal says who, in which boot, and whether the start was finished. */
static int read_journal(struct cmd *c, struct vm *vm)
{
	struct cv_journal_data d = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_journal_read(c->root, vm_path(path, vm->name, "journal"), &d, &c->err);

	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return r;
	vm->owner = d.owner;
	for (size_t i = 0; i < d.n; i++)
		if (strcmp(d.records[i].kind, "launch") == 0)
			vm->is_launched = d.records[i].is_done && !d.records[i].is_reverted;
	cv_journal_data_done(&d);
	return 0;
}

int vm_fail_missing(struct cmd *c, const char *name)
{
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NO_VM", name, "there is no VM of this name");
	cv_error_hint(&c->err, "carve list shows the VMs of this node");
	return -ENOENT;
}

int vm_read(struct cmd *c, const char *name, struct vm *ret)
{
	_cleanup_vm_ struct vm vm = { 0 };
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];

	if (!cv_name_is_valid(name) || !cv_exists(c->root, vm_path(path, name, "")) ||
	    cv_state_is_stale(c->root))
		return vm_fail_missing(c, name);
	snprintf(vm.name, sizeof(vm.name), "%s", name);
	int r = read_json(c, name, "plan.json", &j);
	if (r == 0)
		r = plan_from_json(j, vm_path(path, name, "plan.json"), &vm.plan, &c->err);
	if (r < 0 && r != -ENOENT) /* killed before the plan was written: a partial start */
		return r;
	r = read_journal(c, &vm);
	if (r < 0)
		return r;
	read_proc(c, &vm);
	*ret = vm;
	vm = (struct vm){ 0 };
	return 0;
}

int vm_list(struct cmd *c, struct cv_strv *ret)
{
	int r = cv_state_is_stale(c->root) ? 0 : cv_list(c->root, CV_VM_DIR, ret);

	if (r == -ENOENT || r == -ENOTDIR)
		return 0;
	return r < 0 ? cv_fail_errno(&c->err, r, CV_VM_DIR, "cannot list the VMs") : 0;
}

int vm_open_qmp(struct cmd *c, const char *name, struct vmm_qmp **ret)
{
	char path[CV_PATH_MAX];

	return vmm_qmp_open(vm_path(path, name, "vmm/carve.sock"), QMP_MS, ret, &c->err);
}

enum vm_state vm_state(struct cmd *c, const struct vm *vm)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *qmp = NULL;
	_cleanup_json_ json_t *status = NULL;

	if (!vm->is_launched)
		return VM_PARTIAL;
	if (!cv_proc_is_alive(c->root, &vm->proc))
		return VM_EXITED;
	int r = vm_open_qmp(c, vm->name, &qmp);
	if (r == -EACCES || r == -EPERM) /* only root and the VM's user may ask */
		return VM_RUNNING;
	if (r < 0 || vmm_qmp_command(qmp, "query-status", NULL, QMP_MS, &status, &c->err) < 0)
		return VM_SILENT;
	return cv_json_bool(status, "running", 0) ? VM_RUNNING : VM_PAUSED;
}

/* The directory goes last: whatever fails or is killed here, carve recover finds it. */
static int drop_files(struct cmd *c, const char *name)
{
	char dir[CV_PATH_MAX];
	int r = cv_lease_remove(c->root, name, &c->err);

	if (r < 0)
		return r;
	r = cv_remove_tree(c->root, vm_path(dir, name, ""));
	return r < 0 && r != -ENOENT
		       ? cv_fail_errno(&c->err, r, dir, "cannot remove the VM's directory")
		       : 0;
}

int vm_release(struct cmd *c, const char *name)
{
	char journal[CV_PATH_MAX];
	int r = apply_undo(c, name, vm_path(journal, name, "journal"));

	return r < 0 ? r : drop_files(c, name);
}
