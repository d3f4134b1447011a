// SPDX-License-Identifier: GPL-2.0-or-later
/* carve diff: what differs between two starts, two plans, or a start and a plan. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/manifest_diff.h"
#include "plan/plan.h"
#include "plan/run_manifest.h"
#include "tools/manifest.h"
#include "tools/vm.h"

#define FILE_MAX_BYTES (64 << 20)
#define PLAN_MARKER "carve_plan"

/* ---- what is compared ---- */

static bool is_manifest(const json_t *j)
{
	return json_object_get(j, RUN_MANIFEST_MARKER) != NULL;
}

static bool is_vm(struct cmd *c, const char *name)
{
	char path[CV_PATH_MAX];

	return cv_name_is_valid(name) && !cv_state_is_stale(c->root) &&
	       cv_exists(c->root, vm_path(path, name, ""));
}

static int read_vm(struct cmd *c, const char *name, char **ret)
{
	char path[CV_PATH_MAX];
	size_t len;
	int r = cv_read(c->root, vm_path(path, name, MANIFEST_FILE), ret, &len);

	if (r == 0)
		return 0;
	cv_fail_errno(&c->err, r, path, "cannot read the manifest of this VM");
	if (r == -ENOENT)
		cv_error_hint(&c->err,
			      "its start did not finish, or was by an older carve: carve "
			      "show %s --json has its plan",
			      name);
	return r;
}

static int read_file(struct cmd *c, const char *name, char **ret)
{
	size_t len;
	int r = cmd_read_file(c, name, FILE_MAX_BYTES, ret, &len);

	if (r == -ENOENT) {
		cv_fail(&c->err, r, CV_EXIT_NOT_FOUND, "NO_MANIFEST", name,
			"there is no VM and no file of this name");
		cv_error_hint(&c->err, "name a VM of carve list, a manifest of " MANIFEST_DIR
				       ", or a file with the output of carve plan --json");
	}
	return r;
}

static int check(struct cmd *c, const json_t *j, const char *name)
{
	if (is_manifest(j))
		return cv_json_version(j, RUN_MANIFEST_MARKER, RUN_MANIFEST_VERSION, name, &c->err);
	if (json_object_get(j, PLAN_MARKER))
		return cv_json_version(j, PLAN_MARKER, PLAN_VERSION, name, &c->err);
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "EFORMAT", name, "not this kind of file");
	cv_error_found(&c->err, "neither \"" RUN_MANIFEST_MARKER "\" nor \"" PLAN_MARKER "\"");
	cv_error_wanted(&c->err, "a run manifest, or the plan of one guest");
	cv_error_hint(&c->err,
		      "manifests are in " MANIFEST_DIR "; carve plan SPEC --json prints a plan");
	return -EINVAL;
}

static int load(struct cmd *c, const char *name, json_t **ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	int r = is_vm(c, name) ? read_vm(c, name, &text) : read_file(c, name, &text);

	r = r ?: cv_json_parse(text, name, &j, &c->err);
	r = r ?: check(c, j, name);
	if (r == 0)
		*ret = TAKE_PTR(j);
	return r;
}

/* Beside a plan only the plan of a manifest can be compared. */
static const json_t *part_of(const json_t *j, const json_t *other)
{
	return is_manifest(j) && !is_manifest(other) ? json_object_get(j, "plan") : j;
}

/* ---- telling ---- */

static int print_lines(struct cmd *c, json_t *list)
{
	json_t *d;
	size_t i;

	json_array_foreach(list, i, d) {
		_cleanup_free_ char *path = manifest_diff_text(json_object_get(d, "path"));
		_cleanup_free_ char *old = manifest_diff_text(json_object_get(d, "old"));
		_cleanup_free_ char *new = manifest_diff_text(json_object_get(d, "new"));

		if (!path || !old || !new)
			return cv_fail_errno(&c->err, -ENOMEM, NULL,
					     "cannot print the differences");
		cmd_print("%s: %s -> %s\n", path, old, new);
	}
	if (json_array_size(list) == 0)
		cmd_print("identical\n");
	return 0;
}

static int print(struct cmd *c, json_t *list)
{
	if (c->json)
		return cmd_print_json(c,
				      json_pack("{s:i,s:o,s:o,s:O}", "carve_diff", 1, "old",
						cv_json_string(c->args[0]), "new",
						cv_json_string(c->args[1]), "differences", list));
	return print_lines(c, list);
}

static int run(struct cmd *c)
{
	_cleanup_json_ json_t *a = NULL, *b = NULL, *list = NULL;
	int r = load(c, c->args[0], &a);

	r = r ?: load(c, c->args[1], &b);
	if (r < 0)
		return r;
	r = manifest_diff(part_of(a, b), part_of(b, a), &list);
	if (r < 0)
		return cv_fail_errno(&c->err, r, c->args[0], "cannot compare");
	r = print(c, list);
	if (r < 0)
		return r;
	return json_array_size(list) > 0 ? CV_EXIT_FAILED : CV_EXIT_OK;
}

const struct cmd_verb cmd_diff = {
	.name = "diff",
	.args = "A B",
	.summary = "what differs between two starts (running VMs, manifests) or plans",
	.min_args = 2,
	.max_args = 2,
	.complete = "start",
	.run = run,
};
