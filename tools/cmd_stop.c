// SPDX-License-Identifier: GPL-2.0-or-later
/* carve stop and carve recover: everything comes back as it was. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "numa/binding.h"
#include "tools/operation.h"
#include "tools/vm.h"

#define GRACE_S 60
#define QMP_MS 3000

/* ---- stop ---- */

/* Waits until the VMM's process is gone. Return: true when it is. */
static bool wait_gone(struct cmd *c, const struct vm *vm, unsigned int ms)
{
	for (unsigned int waited = 0; cv_proc_is_alive(c->root, &vm->proc); waited += 50) {
		if (waited >= ms)
			return false;
		poll(NULL, 0, 50);
	}
	return true;
}

/* ACPI power-down, then the deadline, then quit; what still runs is ended by the journal's undo. */
static void power_down(struct cmd *c, const struct vm *vm, unsigned int grace_s)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *qmp = NULL;
	struct cv_error ignored = { 0 };

	if (vm_open_qmp(c, vm->name, &qmp) < 0) {
		cmd_note(c, "%s: QMP does not answer, ending the VMM", vm->name);
		return;
	}
	if (grace_s &&
	    vmm_qmp_command(qmp, "system_powerdown", NULL, QMP_MS, NULL, &ignored) == 0 &&
	    wait_gone(c, vm, grace_s * 1000)) {
		cmd_note(c, "%s: powered down", vm->name);
		return;
	}
	if (grace_s)
		cmd_note(c, "%s: did not power down within %u s, ending it", vm->name, grace_s);
	if (cv_proc_is_alive(c->root, &vm->proc))
		vmm_qmp_command(qmp, "quit", NULL, QMP_MS, NULL, &ignored);
	wait_gone(c, vm, QMP_MS);
}

static int fail_replaced(struct cmd *c, const struct vm *was, const struct vm *now)
{
	cv_fail(&c->err, -EBUSY, CV_EXIT_BUSY, "VM_REPLACED", was->name,
		"this is another VM now, it was left alone");
	cv_error_found(&c->err, "VMM process %d", (int)now->proc.pid);
	cv_error_wanted(&c->err, "VMM process %d", (int)was->proc.pid);
	cv_error_hint(&c->err, "carve show %s tells whose it is", was->name);
	return -EBUSY;
}

/* A name is free again as soon as its VM was released: by now it may be somebody else's. */
static int release_locked(struct cmd *c, const struct site *site, const struct vm *was)
{
	_cleanup_vm_ struct vm now = { 0 };
	_cleanup_close_ int lock = -1;
	int r = vm_lock(c, site, &lock);

	r = r ?: vm_read(c, was->name, &now);
	if (r < 0)
		return r;
	if (now.proc.pid != was->proc.pid || now.proc.start != was->proc.start)
		return fail_replaced(c, was, &now);
	return vm_release(c, was->name);
}

/* The VM as it is outside of a run: one in progress holds the lock and is waited for. */
static int read_settled(struct cmd *c, const struct site *site, struct vm *ret)
{
	_cleanup_close_ int lock = -1;
	int r = vm_read(c, c->args[0], ret);

	if (r < 0 || ret->is_launched || c->dry_run)
		return r;
	r = vm_lock(c, site, &lock);
	if (r < 0)
		return r;
	vm_done(ret);
	return vm_read(c, c->args[0], ret);
}

static int run_stop(struct cmd *c)
{
	_cleanup_site_ struct site site = { 0 };
	_cleanup_vm_ struct vm vm = { 0 };
	unsigned int grace = GRACE_S;
	int r = cmd_seconds(c, "grace", GRACE_S, &grace);

	r = r ?: cmd_site(c, &site);
	r = r ?: read_settled(c, &site, &vm);
	if (r < 0)
		return r;
	if (c->dry_run) {
		cmd_print("would power down %s and undo %zu steps\n", vm.name, vm.plan.n_steps);
		return 0;
	}
	if (vm.is_launched && cv_proc_is_alive(c->root, &vm.proc))
		power_down(c, &vm, cmd_flag(c, "kill") ? 0 : grace);
	r = release_locked(c, &site, &vm);
	if (r < 0)
		return r;
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:s,s:s}", "carve_stop", 1, "name",
						   vm.name, "state", "released"));
	cmd_print("%s: stopped, everything given back\n", vm.name);
	return 0;
}

static const struct cmd_option stop_options[] = {
	{ "grace", "SEC", "how long to wait for the guest's ACPI power-down, default 60", false },
	{ "kill", NULL, "do not wait: end the VMM at once", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_stop = {
	.name = "stop",
	.args = "NAME",
	.summary = "power a guest down and give everything back",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = stop_options,
	.run = run_stop,
};

/* ---- recover ---- */

struct recovery {
	struct cmd *c;
	json_t *done;  /* one object per VM, operation or lease */
	bool is_found; /* there was something of the name asked for */
	int first_error;
	struct cv_error error;
};

static void add_result(struct recovery *rec, const char *name, const char *what)
{
	json_array_append_new(rec->done, json_pack("{s:s,s:s}", "name", name, "result", what));
	if (!rec->c->json)
		cmd_print("%s: %s\n", name, what);
}

static bool is_meant(const struct cmd *c, const char *name)
{
	return !c->n_args || strcmp(c->args[0], name) == 0;
}

static void note_error(struct recovery *rec, int r)
{
	if (rec->first_error)
		return;
	rec->first_error = r;
	rec->error = rec->c->err;
}

static void add_undone(struct recovery *rec, const char *name, int r)
{
	add_result(rec, name,
		   r == 0 ? "undone, everything given back" : "not everything could be undone");
	if (r < 0)
		note_error(rec, r);
}

static void recover_vm(struct recovery *rec, const char *name)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct cmd *c = rec->c;
	int r = vm_read(c, name, &vm);

	if (r == 0 && vm.is_launched && cv_proc_is_alive(c->root, &vm.proc)) {
		add_result(rec, name,
			   c->dry_run ? "running, would be left alone"
				      : "still running, left alone");
		return;
	}
	if (c->dry_run) {
		add_result(rec, name, r == 0 ? "would be undone" : "cannot be undone");
		return;
	}
	add_undone(rec, name, r ?: vm_release(c, name));
}

static void finish_operation(struct recovery *rec, const char *name)
{
	int r = rec->c->dry_run ? 0 : operation_finish(rec->c, name);

	if (r < 0)
		note_error(rec, r);
	else
		add_result(rec, name,
			   rec->c->dry_run ? "complete, its notes would be removed"
					   : "complete, its notes were removed");
}

static void recover_operation(struct recovery *rec, const char *name)
{
	struct cmd *c = rec->c;

	switch (operation_rest(c, name)) {
	case OPERATION_HELD:
		add_result(rec, name,
			   c->dry_run ? "held, would be left alone"
				      : "held, left alone: carve device release");
		break;
	case OPERATION_COMPLETE:
		finish_operation(rec, name);
		break;
	case OPERATION_UNFINISHED:
		if (c->dry_run)
			add_result(rec, name, "would be undone");
		else
			add_undone(rec, name, operation_undo(c, name));
		break;
	}
}

/* A lease whose directory never came to be, or went before it. */
static void recover_lease(struct recovery *rec, const char *name)
{
	struct cmd *c = rec->c;
	int r = c->dry_run ? 0 : cv_lease_remove(c->root, name, &c->err);

	if (r == 0)
		add_result(rec, name,
			   c->dry_run ? "lease without a VM, would be dropped"
				      : "lease without a VM dropped");
	else
		note_error(rec, r);
}

static void recover_one(struct recovery *rec, const char *name)
{
	struct cv_sysroot *root = rec->c->root;
	char path[CV_PATH_MAX];

	if (cv_exists(root, vm_path(path, name, "")))
		recover_vm(rec, name);
	else if (cv_exists(root, operation_path(path, name, "")))
		recover_operation(rec, name);
	else
		recover_lease(rec, name);
}

/* Resets first: what they had taken off the bus is there again when who holds it is undone. */
static void recover_those(struct recovery *rec, const struct cv_strv *names, bool are_resets)
{
	for (size_t i = 0; i < names->n; i++) {
		if (!is_meant(rec->c, names->v[i]) ||
		    (strncmp(names->v[i], "reset-", 6) == 0) != are_resets)
			continue;
		rec->is_found = true;
		recover_one(rec, names->v[i]);
	}
}

static int recover_all(struct recovery *rec)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cmd *c = rec->c;
	int r = cv_state_names(c->root, &names, &c->err);

	if (r < 0)
		return r;
	recover_those(rec, &names, true);
	recover_those(rec, &names, false);
	if (!rec->first_error)
		return 0;
	c->err = rec->error;
	return rec->first_error;
}

/* All VMs of an earlier boot go at once, whichever is named. */
static void add_dropped(struct recovery *rec, const struct cv_strv *names)
{
	for (size_t i = 0; i < names->n; i++) {
		add_result(rec, names->v[i],
			   rec->c->dry_run ? "of an earlier boot, would be dropped"
					   : "of an earlier boot, dropped");
		if (is_meant(rec->c, names->v[i]))
			rec->is_found = true;
	}
}

static int recover_changing(struct recovery *rec)
{
	_cleanup_strv_ struct cv_strv dropped = { 0 };
	_cleanup_site_ struct site site = { 0 };
	_cleanup_close_ int lock = -1;
	struct cmd *c = rec->c;
	int r = cmd_site(c, &site);

	r = r ?: vm_lock_dropping(c, &site, &lock, &dropped);
	if (r < 0)
		return r;
	add_dropped(rec, &dropped);
	r = recover_all(rec);
	return r ?: cv_state_sweep(c->root, &c->err);
}

static int recover_dry(struct recovery *rec)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cmd *c = rec->c;

	if (!cv_state_is_stale(c->root))
		return recover_all(rec);
	int r = cv_state_names(c->root, &names, &c->err);
	add_dropped(rec, &names);
	return r;
}

static int run_recover(struct cmd *c)
{
	struct recovery rec = { .c = c, .done = json_array() };
	_cleanup_json_ json_t *owned = rec.done;
	int r = c->dry_run ? recover_dry(&rec) : recover_changing(&rec);

	if (r < 0)
		return r;
	if (c->n_args && !rec.is_found)
		return vm_fail_missing(c, c->args[0]);
	if (c->json)
		return cmd_print_json(c,
				      json_pack("{s:i,s:O}", "carve_recover", 1, "results", owned));
	if (json_array_size(owned) == 0)
		cmd_print("nothing to recover\n");
	return 0;
}

const struct cmd_verb cmd_recover = {
	.name = "recover",
	.args = "[NAME]",
	.summary = "undo whatever a killed start, change or VMM left behind; also after a reboot",
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.run = run_recover,
};
