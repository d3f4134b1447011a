// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/plan_output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "plan/projections.h"

#define QEMU "/usr/bin/qemu-system-x86_64"

/* ---- which guests ---- */

static bool is_picked(const char *guest, const char *name)
{
	return !guest || strcmp(guest, name) == 0;
}

static int no_such_guest(struct cmd *c, const char *guest, const char *names)
{
	cv_fail(&c->err, -ENOENT, CV_EXIT_NOT_FOUND, "NO_GUEST", guest,
		"no spec is of a guest of this name");
	cv_error_found(&c->err, "%s", guest);
	cv_error_wanted(&c->err, "one of: %s", names);
	cv_error_hint(&c->err, "--guest takes the name: of a spec");
	return -ENOENT;
}

static int needs_guest(struct cmd *c, const char *format, const char *names)
{
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NEEDS_GUEST", format,
		"an XML file describes one guest");
	cv_error_found(&c->err, "%zu specs: %s", c->n_args, names);
	cv_error_wanted(&c->err, "--guest NAME");
	cv_error_hint(&c->err, "the other specs are still planned together with it");
	return -EINVAL;
}

static int one_form(struct cmd *c)
{
	const char *format = cmd_value(c, "format");
	bool is_json = c->json && format && strcmp(format, "json") != 0;

	if (!is_json && !(cmd_value(c, "draw") && (format || c->json)))
		return 0;
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "TWO_FORMS", is_json ? "--format" : "--draw",
		"the output has one form");
	cv_error_found(&c->err, "%s%s%s%s%s", c->json ? "--json " : "", format ? "--format " : "",
		       format ? format : "", cmd_value(c, "draw") ? " --draw " : "",
		       cmd_value(c, "draw") ? cmd_value(c, "draw") : "");
	cv_error_wanted(&c->err, "one of --json, --format and --draw");
	cv_error_hint(&c->err, "carve help plan");
	return -EINVAL;
}

static bool is_xml(const char *format)
{
	return format && (strcmp(format, "libvirt") == 0 || strcmp(format, "nccl") == 0 ||
			  strcmp(format, "hwloc") == 0);
}

int plan_output_check(struct cmd *c, const struct spec *specs)
{
	const char *format = cmd_value(c, "format"), *guest = cmd_value(c, "guest");
	_cleanup_strv_ struct cv_strv names = { 0 };
	int r = one_form(c);

	for (size_t i = 0; i < c->n_args && r == 0; i++)
		r = cv_strv_add(&names, specs[i].name);
	if (r < 0)
		return r;
	_cleanup_free_ char *list = cv_strv_join(&names, " ");
	if (guest && !cv_strv_has(&names, guest))
		return no_such_guest(c, guest, list ? list : "");
	if (is_xml(format) && !guest && c->n_args > 1)
		return needs_guest(c, format, list ? list : "");
	return 0;
}

/* ---- JSON ---- */

/* The undo of a step is known to those who make the change, not to the planner. */
static json_t *plan_json_with_undo(const struct plan *p)
{
	json_t *j = plan_json(p), *step;
	size_t i;

	json_array_foreach(json_object_get(j, "steps"), i, step) {
		const struct cv_step_ops *ops = cv_step_find(&cmd_steps,
							     cv_json_str(step, "kind", ""));

		if (ops)
			json_object_set_new(step, "undo", json_string(ops->undo));
	}
	return j;
}

static int print_json(struct cmd *c, const struct plan *plans)
{
	const char *guest = cmd_value(c, "guest");
	json_t *a = json_array();

	for (size_t i = 0; i < c->n_args; i++)
		if (is_picked(guest, plans[i].name))
			json_array_append_new(a, plan_json_with_undo(&plans[i]));
	if (json_array_size(a) > 1)
		return cmd_print_json(c, json_pack("{s:i,s:o}", "carve_plans", 1, "plans", a));
	json_t *one = json_incref(json_array_get(a, 0));
	json_decref(a);
	return cmd_print_json(c, one);
}

/* ---- the others ---- */

static char *text_of_plan(struct cmd *c, const struct plan *p)
{
	return plan_text(p, &cmd_steps, cmd_flag(c, "explain"));
}

/* Nothing that a shell would read as something else. */
static bool is_plain(const char *word)
{
	return word[0] && !word[strspn(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
					     "0123456789_@%+=:,./-")];
}

static void put_word(FILE *out, const char *word)
{
	if (is_plain(word)) {
		fputs(word, out);
		return;
	}
	fputc('\'', out);
	for (; *word; word++)
		fputs(*word == '\'' ? "'\\''" : (char[]){ *word, '\0' }, out);
	fputc('\'', out);
}

/* For a shell: an option with its value on a line. */
static char *shell_text(const struct cv_strv *argv)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	for (size_t i = 0; i < argv->n; i++) {
		if (i)
			fputs(argv->v[i][0] == '-' ? " \\\n\t" : " ", out);
		put_word(out, argv->v[i]);
	}
	fputc('\n', out);
	fclose(out);
	return text;
}

static char *text_of_qemu(struct cmd *c, const struct plan *p)
{
	_cleanup_strv_ struct cv_strv argv = { 0 };
	char dir[CV_PATH_MAX];
	struct plan_qemu q = { .binary = QEMU, .kvm_fd = -1 };

	q.vm_dir = cv_pathf(dir, CV_RUN_DIR "/vm/%s/vmm", p->name);
	return plan_qemu_argv(p, &q, &argv) < 0 ? NULL : shell_text(&argv);
}

static char *text_of_libvirt(struct cmd *c, const struct plan *p)
{
	return plan_libvirt_xml(p);
}

static char *text_of_nccl(struct cmd *c, const struct plan *p)
{
	return plan_nccl_xml(p);
}

static char *text_of_hwloc(struct cmd *c, const struct plan *p)
{
	return plan_hwloc_xml(p);
}

/**
 * struct form - a text per guest
 * @has_comments: of several guests each has its name above it
 * @backend:      the form is its own, NULL for one of any plan
 */
static const struct form {
	const char *name;
	char *(*make)(struct cmd *c, const struct plan *p);
	bool has_comments;
	const char *backend;
} forms[] = {
	{ "qemu", text_of_qemu, true, "qemu" },
	{ "libvirt", text_of_libvirt, false, "qemu" },
	{ "nccl", text_of_nccl, false, NULL },
	{ "hwloc", text_of_hwloc, false, NULL },
};

static const struct form form_text = { "text", text_of_plan, false, NULL };

static const struct form *find_form(const char *name)
{
	for (size_t i = 0; name && i < CV_ARRAY_SIZE(forms); i++)
		if (strcmp(forms[i].name, name) == 0)
			return &forms[i];
	return &form_text;
}

void plan_output_suppose(struct cmd *c, struct spec *specs)
{
	const struct form *form = find_form(cmd_value(c, "format"));

	for (size_t i = 0; form->backend && i < c->n_args; i++)
		snprintf(specs[i].backend, sizeof(specs[i].backend), "%s", form->backend);
}

static int no_memory(struct cmd *c, const char *object)
{
	return cv_fail_errno(&c->err, -ENOMEM, object, "cannot print the plan");
}

static int print_each(struct cmd *c, const struct form *form, const struct plan *plans)
{
	const char *guest = cmd_value(c, "guest");
	bool is_first = true;

	for (size_t i = 0; i < c->n_args; i++) {
		if (!is_picked(guest, plans[i].name))
			continue;
		_cleanup_free_ char *text = form->make(c, &plans[i]);
		if (!text)
			return no_memory(c, plans[i].name);
		cmd_print("%s", is_first ? "" : "\n");
		if (form->has_comments && c->n_args > 1)
			cmd_print("# guest %s\n", plans[i].name);
		cmd_print("%s", text);
		is_first = false;
	}
	return 0;
}

/* The host's part is of all guests, so that these are made for all or for one. */
static int print_host(struct cmd *c, const struct inventory *inv, const struct plan *plans)
{
	const char *guest = cmd_value(c, "guest"), *draw = cmd_value(c, "draw");
	size_t first = 0, n = c->n_args;

	for (size_t i = 0; guest && i < c->n_args; i++)
		if (strcmp(plans[i].name, guest) == 0) {
			first = i;
			n = 1;
		}
	_cleanup_free_ char *text = !draw ? plan_cmdline(inv, plans + first, n)
					  : plan_draw(inv, plans + first, n,
						      strcmp(draw, "svg") == 0 ? PLAN_DRAW_SVG
									       : PLAN_DRAW_TEXT,
						      0);
	if (!text)
		return no_memory(c, NULL);
	cmd_print("%s", text);
	return 0;
}

int plan_output(struct cmd *c, const struct inventory *inv, const struct plan *plans)
{
	const char *format = cmd_value(c, "format");

	if (c->json || (format && strcmp(format, "json") == 0))
		return print_json(c, plans);
	if (cmd_value(c, "draw") || (format && strcmp(format, "cmdline") == 0))
		return print_host(c, inv, plans);
	return print_each(c, find_form(format), plans);
}
