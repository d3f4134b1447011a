// SPDX-License-Identifier: GPL-2.0-or-later
/* carve state: everything carve may change on this host; the proof that it was given back. */
#include <errno.h>

#include "base/cleanup.h"
#include "tools/cmd.h"
#include "tools/hoststate.h"

#define STATE_MAX_BYTES (16 << 20)

static const struct cmd_option options[] = {
	{ "diff", "FILE", "compare with the output of carve state --json (exit code 1: differs)",
	  false },
	{ NULL, NULL, NULL, false },
};

static int print_values(struct cmd *c, json_t *state)
{
	const char *key;
	json_t *value;

	if (c->json)
		return cmd_print_json(c, json_incref(state));
	json_object_foreach(json_object_get(state, "values"), key, value)
		cmd_print("%s: %s\n", key, json_string_value(value));
	return 0;
}

static int read_saved(struct cmd *c, const char *path, json_t **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len = 0;
	int r = cmd_read_file(c, path, STATE_MAX_BYTES, &text, &len);

	return r < 0 ? r : hoststate_parse(text, path, ret, &c->err);
}

static int print_differences(struct cmd *c, json_t *list)
{
	json_t *d;
	size_t i;

	if (c->json)
		return cmd_print_json(c, json_pack("{s:i,s:O}", "carve_hoststate_diff",
						   HOSTSTATE_VERSION, "differences", list));
	json_array_foreach(list, i, d)
		cmd_print("%s: %s -> %s\n", cv_json_str(d, "object", "?"),
			  cv_json_str(d, "before", "(not there)"),
			  cv_json_str(d, "now", "(not there)"));
	if (json_array_size(list) == 0)
		cmd_print("identical\n");
	return 0;
}

static int run_state(struct cmd *c)
{
	_cleanup_json_ json_t *now = NULL, *before = NULL, *list = NULL;
	const char *file = cmd_value(c, "diff");
	int r = file ? read_saved(c, file, &before) : 0;

	if (r == 0)
		r = hoststate_read(c->root, &now, &c->err);
	if (r < 0)
		return r;
	if (!file)
		return print_values(c, now);
	list = hoststate_compare(before, now);
	if (!list)
		return cv_fail_errno(&c->err, -ENOMEM, file, "cannot compare");
	r = print_differences(c, list);
	if (r < 0)
		return r;
	return json_array_size(list) > 0 ? CV_EXIT_FAILED : CV_EXIT_OK;
}

const struct cmd_verb cmd_state = {
	.name = "state",
	.args = "",
	.summary = "everything carve may change on this host, to compare before and after",
	.complete = "",
	.options = options,
	.run = run_state,
};
