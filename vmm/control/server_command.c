// SPDX-License-Identifier: GPL-2.0-or-later
/* Classes and texts of errors are QEMU's: clients compare them (docs/interop/qmp-spec.rst). */
#include "vmm/control/server_command.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/control/server_client.h"
#include "vmm/version.h"

#define NOT_FOUND "CommandNotFound"
#define GENERIC "GenericError"

/**
 * struct call - one message
 * @error: made when the command fails
 */
struct call {
	const struct vmm_command_env *env;
	bool *is_negotiated;
	const json_t *arguments;
	json_t *error;
};

/* @desc: consumed. Return: NULL, for what a command returns. */
static json_t *fail(struct call *c, const char *class, json_t *desc)
{
	if (!c->error)
		c->error = json_pack("{s:s, s:o}", "class", class, "desc", desc);
	else
		json_decref(desc);
	return NULL;
}

/* ---- commands ---- */

static json_t *version(void)
{
	return json_pack("{s:{s:i, s:i, s:i}, s:s}", "qemu", "micro", VMM_VERSION_MICRO, "minor",
			 VMM_VERSION_MINOR, "major", VMM_VERSION_MAJOR, "package",
			 "carve-vmm " VMM_VERSION);
}

json_t *vmm_command_greeting(void)
{
	return json_pack("{s:{s:o, s:[]}}", "QMP", "version", version(), "capabilities");
}

static json_t *run_capabilities(struct call *c)
{
	const json_t *enable = json_object_get(c->arguments, "enable");
	const json_t *first = json_array_get(enable, 0);

	if (enable && !json_is_array(enable))
		return fail(c, GENERIC,
			    json_string("Invalid parameter type for 'enable', expected: array"));
	if (first)
		return fail(c, GENERIC,
			    json_sprintf("Capability '%s' not available",
					 json_is_string(first) ? json_string_value(first) : "?"));
	*c->is_negotiated = true;
	return json_object();
}

static json_t *run_version(struct call *c)
{
	return version();
}

static json_t *run_name(struct call *c)
{
	return json_pack("{s:o}", "name", cv_json_string(c->env->vm_name));
}

static json_t *run_status(struct call *c)
{
	const char *status = c->env->ops->status(c->env->ctx);

	return json_pack("{s:s, s:b}", "status", status, "running", strcmp(status, "running") == 0);
}

static json_t *run_cpus(struct call *c)
{
	const pid_t *tids = NULL;
	size_t n = c->env->ops->vcpu_tids(c->env->ctx, &tids);
	json_t *list = json_array();

	for (size_t i = 0; list && i < n; i++)
		json_array_append_new(list,
				      json_pack("{s:I, s:i, s:s}", "cpu-index", (json_int_t)i,
						"thread-id", (int)tids[i], "target", "x86_64"));
	return list;
}

static json_t *run_stats(struct call *c)
{
	json_t *j = c->env->ops->stats(c->env->ctx);

	return j ? j : fail(c, GENERIC, json_string("There are no statistics"));
}

static json_t *run_stop(struct call *c)
{
	c->env->ops->stop(c->env->ctx);
	return json_object();
}

static json_t *run_cont(struct call *c)
{
	struct cv_error err = { 0 };

	if (c->env->ops->cont(c->env->ctx, &err) < 0)
		return fail(c, GENERIC, json_string(err.what));
	return json_object();
}

static json_t *run_reset(struct call *c)
{
	c->env->ops->reset(c->env->ctx);
	return json_object();
}

static json_t *run_powerdown(struct call *c)
{
	c->env->ops->powerdown(c->env->ctx);
	return json_object();
}

static json_t *run_quit(struct call *c)
{
	c->env->ops->quit(c->env->ctx);
	return json_object();
}

static json_t *run_commands(struct call *c);

/** struct command - @argument: the one it may have, NULL none */
struct command {
	const char *name, *argument;
	json_t *(*run)(struct call *c);
};

static const struct command commands[] = {
	{ "cont", NULL, run_cont },
	{ "qmp_capabilities", "enable", run_capabilities },
	{ "query-carve-stats", NULL, run_stats },
	{ "query-commands", NULL, run_commands },
	{ "query-cpus-fast", NULL, run_cpus },
	{ "query-name", NULL, run_name },
	{ "query-status", NULL, run_status },
	{ "query-version", NULL, run_version },
	{ "quit", NULL, run_quit },
	{ "stop", NULL, run_stop },
	{ "system_powerdown", NULL, run_powerdown },
	{ "system_reset", NULL, run_reset },
};

static json_t *run_commands(struct call *c)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < CV_ARRAY_SIZE(commands); i++)
		json_array_append_new(list, json_pack("{s:s}", "name", commands[i].name));
	return list;
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

/* ---- messages ---- */

/* Return: what is wrong with the members, NULL nothing. */
static json_t *check_members(const json_t *message)
{
	const char *key;
	const json_t *value;

	if (!json_is_object(message))
		return json_string("QMP input must be a JSON object");
	json_object_foreach((json_t *)message, key, value) {
		if (strcmp(key, "execute") == 0 && !json_is_string(value))
			return json_string("QMP input member 'execute' must be a string");
		if (strcmp(key, "arguments") == 0 && !json_is_object(value))
			return json_string("QMP input member 'arguments' must be an object");
		if (strcmp(key, "execute") != 0 && strcmp(key, "arguments") != 0 &&
		    strcmp(key, "id") != 0)
			return json_sprintf("QMP input member '%s' is unexpected", key);
	}
	if (!json_object_get(message, "execute"))
		return json_string("QMP input lacks member 'execute'");
	return NULL;
}

/* Before the capabilities are agreed there is one command, and none later. */
static json_t *check_mode(const struct call *c, const char *name)
{
	bool is_capabilities = strcmp(name, "qmp_capabilities") == 0;

	if (!*c->is_negotiated && !is_capabilities)
		return json_string("Expecting capabilities negotiation with 'qmp_capabilities'");
	if (*c->is_negotiated && is_capabilities)
		return json_string("Capabilities negotiation is already complete, command ignored");
	return NULL;
}

static json_t *check_arguments(const struct command *cmd, const json_t *arguments)
{
	const char *key;
	const json_t *value;

	json_object_foreach((json_t *)arguments, key, value) {
		if (!cmd->argument || strcmp(key, cmd->argument) != 0)
			return json_sprintf("Parameter '%s' is unexpected", key);
	}
	return NULL;
}

static json_t *run(struct call *c, const json_t *message)
{
	json_t *wrong = check_members(message);
	const struct command *cmd;
	const char *name;

	if (wrong)
		return fail(c, GENERIC, wrong);
	name = json_string_value(json_object_get(message, "execute"));
	wrong = check_mode(c, name);
	if (wrong)
		return fail(c, NOT_FOUND, wrong);
	cmd = find_command(name);
	if (!cmd)
		return fail(c, NOT_FOUND, json_sprintf("The command %s has not been found", name));
	c->arguments = json_object_get(message, "arguments");
	wrong = check_arguments(cmd, c->arguments);
	return wrong ? fail(c, GENERIC, wrong) : cmd->run(c);
}

static json_t *parse(struct call *c, const char *text, size_t len)
{
	struct cv_error err = { 0 };
	json_t *message = NULL;

	if (!text)
		fail(c, GENERIC,
		     json_sprintf("QMP input is longer than %d bytes", VMM_CLIENT_INPUT));
	else if (memchr(text, '\0', len))
		fail(c, GENERIC, json_string("JSON parse error, stray NUL"));
	else if (cv_json_parse(text, "QMP input", &message, &err) < 0)
		fail(c, GENERIC, json_pack("s+", "JSON parse error, ", err.what));
	return message;
}

/* @value: consumed; NULL: an error was made, or memory is out. */
static json_t *make_answer(const struct call *c, const json_t *message, json_t *value)
{
	json_t *id = json_object_get(message, "id");
	json_t *answer = value ? json_pack("{s:o}", "return", value)
			       : json_pack("{s:O}", "error", c->error);

	if (answer && id)
		json_object_set(answer, "id", id);
	return answer;
}

json_t *vmm_command_answer(const struct vmm_command_env *env, bool *is_negotiated, const char *text,
			   size_t len)
{
	struct call c = { .env = env, .is_negotiated = is_negotiated };
	_cleanup_json_ json_t *message = parse(&c, text, len);
	json_t *answer = make_answer(&c, message, message ? run(&c, message) : NULL);

	json_decref(c.error);
	return answer;
}
