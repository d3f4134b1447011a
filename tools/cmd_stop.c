// SPDX-License-Identifier: GPL-2.0-or-later
/* carve stop and carve recover: everything comes back as it was. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "numa/binding.h"
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

static int release_locked(struct cmd *c, const char *name)
{
	_cleanup_site_ struct site site = { 0 };
	_cleanup_close_ int lock = -1;
	int r = cmd_site(c, &site);

	r = r ?: vm_lock(c, &site, &lock);
	return r ?: vm_release(c, name);
}

static int run_stop(struct cmd *c)
{
	_cleanup_vm_ struct vm vm = { 0 };
	unsigned int grace = GRACE_S;
	int r = cmd_seconds(c, "grace", GRACE_S, &grace);

	r = r ?: vm_read(c, c->args[0], &vm);
	if (r < 0)
		return r;
	if (c->dry_run) {
		cmd_print("would power down %s and undo %zu steps\n", vm.name, vm.plan.n_steps);
		return 0;
	}
	if (cv_proc_is_alive(c->root, &vm.proc))
		power_down(c, &vm, cmd_flag(c, "kill") ? 0 : grace);
	r = release_locked(c, vm.name);
	memset(&c->err, 0, r < 0 ? 0 : sizeof(c->err));
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
	json_t *done; /* one object per VM or lease */
	int first_error;
	struct cv_error error;
};

static void add_result(struct recovery *rec, const char *name, const char *what)
{
	json_array_append_new(rec->done, json_pack("{s:s,s:s}", "name", name, "result", what));
	if (!rec->c->json)
		cmd_print("%s: %s\n", name, what);
}

/* A VM of an earlier boot: sysfs is as the boot made it, only our files are left. */
static bool is_of_this_boot(struct cmd *c, const struct vm *vm)
{
	char boot_id[sizeof(vm->owner.boot_id)];

	return !vm->owner.boot_id[0] ||
	       cv_read_into(c->root, "/proc/sys/kernel/random/boot_id", boot_id, sizeof(boot_id)) <
		       0 ||
	       strcmp(boot_id, vm->owner.boot_id) == 0;
}

static int drop_files_only(struct cmd *c, const char *name)
{
	char dir[CV_PATH_MAX];
	int r = cv_lease_remove(c->root, name, &c->err);

	return r ?: cv_remove_tree(c->root, vm_path(dir, name, ""));
}

static void recover_vm(struct recovery *rec, const char *name)
{
	_cleanup_vm_ struct vm vm = { 0 };
	struct cmd *c = rec->c;
	int r = vm_read(c, name, &vm);

	if (r == 0 && vm.is_launched && cv_proc_is_alive(c->root, &vm.proc)) {
		add_result(rec, name, "still running, left alone");
		return;
	}
	if (r == 0)
		r = is_of_this_boot(c, &vm) ? vm_release(c, name) : drop_files_only(c, name);
	if (r == 0) {
		add_result(rec, name, "undone, everything given back");
		return;
	}
	add_result(rec, name, "not everything could be undone");
	if (!rec->first_error) {
		rec->first_error = r;
		rec->error = c->err;
	}
}

/* Leases whose VM directory never came to be, or is of an earlier boot. */
static void recover_leases(struct recovery *rec)
{
	_cleanup_strv_ struct cv_strv leases = { 0 };
	char path[CV_PATH_MAX];

	if (cv_lease_list(rec->c->root, &leases, &rec->c->err) < 0)
		return;
	for (size_t i = 0; i < leases.n; i++) {
		if (cv_exists(rec->c->root, vm_path(path, leases.v[i], "")))
			continue;
		if (cv_lease_remove(rec->c->root, leases.v[i], &rec->c->err) == 0)
			add_result(rec, leases.v[i], "lease without a VM dropped");
	}
}

static int recover_all(struct recovery *rec)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct cmd *c = rec->c;
	int r = vm_list(c, &names);

	if (r < 0)
		return r;
	for (size_t i = 0; i < names.n; i++)
		if (!c->n_args || strcmp(c->args[0], names.v[i]) == 0)
			recover_vm(rec, names.v[i]);
	if (!c->n_args)
		recover_leases(rec);
	if (!rec->first_error)
		return 0;
	c->err = rec->error;
	return rec->first_error;
}

static int dry_run_recover(struct cmd *c)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = vm_list(c, &names);

	for (size_t i = 0; i < names.n && r == 0; i++) {
		_cleanup_vm_ struct vm vm = { 0 };
		bool runs = vm_read(c, names.v[i], &vm) == 0 && vm.is_launched &&
			    cv_proc_is_alive(c->root, &vm.proc);

		cmd_print("%s: %s\n", names.v[i],
			  runs ? "running, would be left alone" : "would be undone");
	}
	return r;
}

static int run_recover(struct cmd *c)
{
	struct recovery rec = { .c = c, .done = json_array() };
	_cleanup_json_ json_t *owned = rec.done;
	_cleanup_site_ struct site site = { 0 };
	_cleanup_close_ int lock = -1;
	int r = cmd_site(c, &site);

	if (r == 0 && c->dry_run)
		return dry_run_recover(c);
	r = r ?: vm_lock(c, &site, &lock);
	r = r ?: recover_all(&rec);
	if (r < 0)
		return r;
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
	.summary = "undo whatever a killed run or VMM left behind; also after a reboot",
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.run = run_recover,
};
