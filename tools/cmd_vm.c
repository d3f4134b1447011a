// SPDX-License-Identifier: GPL-2.0-or-later
/* carve list, show and console: looking at VMs. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/table.h"
#include "tools/vm.h"
#include "vmm/backend/backend.h"
#include "vmm/console.h"

#define ESCAPE 0x1d /* Ctrl-] */
#define LOG_MAX (1 << 20)

/* ---- list ---- */

static uint64_t memory_of(const struct plan *p)
{
	uint64_t bytes = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		bytes += p->nodes[i].memory;
	return bytes;
}

static char *devices_of(const struct plan *p)
{
	_cleanup_strv_ struct cv_strv l = { 0 };
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < p->n_devices; i++)
		if (cv_strv_add(&l, cv_format_bdf(p->devices[i].host, bdf)) < 0)
			return NULL;
	return cv_strv_join(&l, " ");
}

static json_t *vm_json(struct cmd *c, const struct vm *vm)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&vm->plan.host_cpus);
	json_t *devices = json_array();
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < vm->plan.n_devices; i++)
		json_array_append_new(devices,
				      json_string(cv_format_bdf(vm->plan.devices[i].host, bdf)));
	return json_pack("{s:s,s:s,s:o,s:i,s:I,s:s,s:I,s:o}", "name", vm->name, "state",
			 vm_state_name(vm_state(c, vm)), "owner", cv_owner_json(&vm->owner), "pid",
			 (int)vm->proc.pid, "since", (json_int_t)vm->since, "cpus",
			 cpus ? cpus : "", "memory", (json_int_t)memory_of(&vm->plan), "devices",
			 devices);
}

static const struct cv_column list_columns[] = {
	{ .name = "NAME" },    { .name = "STATE" }, { .name = "USER" },
	{ .name = "JOB" },     { .name = "CPUS" },  { .name = "MEMORY", .right = true },
	{ .name = "DEVICES" },
};

static int add_row(struct cmd *c, struct cv_table *t, const struct vm *vm)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&vm->plan.host_cpus);
	_cleanup_free_ char *devices = devices_of(&vm->plan);
	char memory[CV_SIZE_MAX];
	const char *cells[] = { vm->name,	vm_state_name(vm_state(c, vm)),
				vm->owner.user, vm->owner.job,
				cpus,		cv_format_size(memory_of(&vm->plan), memory),
				devices };

	return cv_table_add(t, -1, cells);
}

static int print_names(const struct cv_strv *names)
{
	for (size_t i = 0; i < names->n; i++)
		cmd_print("%s\n", names->v[i]);
	return 0;
}

/* What one VM shows must not depend on another: a damaged one is shown as partial.
 * Return: 0, -ENOENT when it went away meanwhile. */
static int read_for_list(struct cmd *c, const char *name, struct vm *ret)
{
	int r = vm_read(c, name, ret);

	if (r == 0 || r == -ENOENT)
		return r;
	cmd_note(c, "%s: %s (%s)", name, c->err.what, c->err.object);
	snprintf(ret->name, sizeof(ret->name), "%s", name);
	return 0;
}

static int run_list(struct cmd *c)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;
	_cleanup_json_ json_t *list = json_array();
	size_t n = 0;
	int r = vm_list(c, &names);

	if (r == 0 && cmd_flag(c, "names"))
		return print_names(&names);
	r = r ?: cv_table_new(list_columns, CV_ARRAY_SIZE(list_columns), &t);
	for (size_t i = 0; i < names.n && r >= 0; i++) {
		_cleanup_vm_ struct vm vm = { 0 };

		if (read_for_list(c, names.v[i], &vm) < 0)
			continue;
		if (c->json)
			r = json_array_append_new(list, vm_json(c, &vm));
		else
			r = add_row(c, t, &vm);
		n++;
	}
	if (r < 0)
		return r;
	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:O}", "carve_list", 1, "vms", list));
	_cleanup_free_ char *text = n > 0 ? cv_table_text(t, true, 0) : strdup("no VMs");
	cmd_print("%s\n", text ? text : "");
	return 0;
}

static const struct cmd_option list_options[] = {
	{ "names", NULL, "only the names, one per line", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_list = {
	.name = "list",
	.args = "",
	.summary = "the VMs of this node, who owns them and what they hold",
	.complete = "",
	.options = list_options,
	.run = run_list,
};

/* ---- show ---- */

static json_t *file_json(struct cmd *c, const char *name, const char *file)
{
	_cleanup_free_ char *text = NULL;
	struct cv_error ignored = { 0 };
	char path[CV_PATH_MAX];
	json_t *j = NULL;
	size_t len;

	if (cv_read(c->root, vm_path(path, name, file), &text, &len) < 0 ||
	    cv_json_parse(text, path, &j, &ignored) < 0)
		return json_null();
	return j;
}

static int run_show(struct cmd *c)
{
	_cleanup_vm_ struct vm vm = { 0 };
	int r = vm_read(c, c->args[0], &vm);

	if (r < 0)
		return r;
	if (c->json) {
		json_t *j = vm_json(c, &vm);

		json_object_set_new(j, "carve_show", json_integer(1));
		json_object_set_new(j, "timings", file_json(c, vm.name, "timings.json"));
		json_object_set_new(j, "plan", plan_json(&vm.plan));
		return cmd_print_json(c, j);
	}
	_cleanup_free_ char *text = plan_text(&vm.plan, &cmd_steps, c->verbose > 0);
	cmd_print("%s: %s, pid %d, user %s%s%s\n\n%s", vm.name, vm_state_name(vm_state(c, &vm)),
		  (int)vm.proc.pid, vm.owner.user, vm.owner.job[0] ? ", job " : "", vm.owner.job,
		  text ? text : "");
	return 0;
}

const struct cmd_verb cmd_show = {
	.name = "show",
	.args = "NAME",
	.summary = "one VM: state, plan, timings",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.run = run_show,
};

/* ---- console ---- */

static int attach(int sock)
{
	struct termios saved, raw;
	bool is_tty = tcgetattr(STDIN_FILENO, &saved) == 0;

	if (is_tty) {
		raw = saved;
		cfmakeraw(&raw);
		tcsetattr(STDIN_FILENO, TCSANOW, &raw);
	}
	int r = vmm_console_attach(sock, STDIN_FILENO, STDOUT_FILENO, ESCAPE);
	if (is_tty)
		tcsetattr(STDIN_FILENO, TCSANOW, &saved);
	return r;
}

/* The directory belongs to the VM's user, who may have put anything in the log's place. */
static int print_log(struct cmd *c, const char *name)
{
	char dir[CV_PATH_MAX], path[CV_PATH_MAX];
	_cleanup_free_ char *text = vmm_read_tail(vm_path(dir, name, "vmm"), "console.log",
						  LOG_MAX);
	struct stat st;

	if (!text) {
		int r = cv_stat(c->root, vm_path(path, name, "vmm/console.log"), &st);

		r = cv_fail_errno(&c->err, r < 0 ? r : -EINVAL, path,
				  "cannot read the console log");
		if (r == -ENOENT)
			cv_error_hint(&c->err, "under QEMU a guest that writes to disks that are "
					       "files has none: carve-spec(5)");
		return r;
	}
	fputs(text, stdout);
	return 0;
}

static int run_console(struct cmd *c)
{
	_cleanup_vm_ struct vm vm = { 0 };
	_cleanup_close_ int sock = -1;
	char path[CV_PATH_MAX];
	int r = vm_read(c, c->args[0], &vm);

	if (r == 0 && cmd_flag(c, "log"))
		return print_log(c, vm.name);
	r = r ?: vmm_console_open(vm_path(path, vm.name, "vmm/console.sock"), &sock, &c->err);
	if (r < 0)
		return r;
	cmd_note(c, "console of %s, leave with Ctrl-]", vm.name);
	r = attach(sock);
	if (r < 0)
		return cv_fail_errno(&c->err, r, vm.name, "the console ended");
	cmd_note(c, r ? "\n%s: the console was closed, the VM ended" : "\nleft the console of %s",
		 vm.name);
	return 0;
}

static const struct cmd_option console_options[] = {
	{ "log", NULL, "print what the console said so far, do not attach", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_console = {
	.name = "console",
	.args = "NAME",
	.summary = "attach to the serial console of a guest (leave with Ctrl-])",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE,
	.options = console_options,
	.run = run_console,
};
