// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: global options, verbs, their options, help and completion, all from tables. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tools/cmd.h"
#include "tools/version.h"
#include "vmm/backend/backend.h"

const struct cmd_option cmd_global_options[] = {
	{ "sysroot", "PATH", "read another host: a directory or a snapshot (carve snapshot)",
	  false },
	{ "json", NULL, "JSON on stdout, errors as JSON on stderr", false },
	{ "dry-run", NULL, "show what would be done, change nothing", false },
	{ "verbose", NULL, "say more (also -v)", false },
	{ "help", NULL, "help on carve or on a verb (also -h)", false },
	{ "version", NULL, "version and build id", false },
	{ NULL, NULL, NULL, false },
};

static const struct {
	const char *letter;
	const char *name;
} letters[] = {
	{ "-v", "verbose" }, { "-j", "json" },	  { "-n", "dry-run" },
	{ "-h", "help" },    { "-V", "version" },
};

static bool has_verb(const struct cmd_verb *const *verbs, const struct cmd_verb *verb)
{
	for (size_t i = 0; verbs && verbs[i]; i++)
		if (verbs[i] == verb)
			return true;
	return false;
}

static const struct cmd_verb *outer_in(const struct cmd_verb *const *verbs,
				       const struct cmd_verb *verb)
{
	for (size_t i = 0; verbs && verbs[i]; i++) {
		const struct cmd_verb *outer = has_verb(verbs[i]->verbs, verb)
						       ? verbs[i]
						       : outer_in(verbs[i]->verbs, verb);

		if (outer)
			return outer;
	}
	return NULL;
}

/* The verb that @verb is an inner one of, NULL for one of the table. */
static const struct cmd_verb *outer_of(const struct cmd_verb *verb)
{
	return outer_in(cmd_verbs, verb);
}

/* Words that name it: 1 for "run", 3 for "vf policy show". */
static size_t depth_of(const struct cmd_verb *verb)
{
	size_t n = 0;

	for (; verb; verb = outer_of(verb))
		n++;
	return n;
}

const char *cmd_verb_name(const struct cmd_verb *verb, char buf[CMD_NAME_MAX])
{
	const struct cmd_verb *outer = outer_of(verb);
	size_t len = outer ? strlen(cmd_verb_name(outer, buf)) : 0;

	snprintf(buf + len, CMD_NAME_MAX - len, "%s%s", outer ? " " : "", verb->name);
	return buf;
}

static int usage_error(struct cmd *c, const char *code, const char *object, const char *what)
{
	char name[CMD_NAME_MAX];

	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, code, object, "%s", what);
	cv_error_hint(&c->err, c->verb ? "carve help %s" : "carve help%s",
		      c->verb ? cmd_verb_name(c->verb, name) : "");
	return -EINVAL;
}

static const struct cmd_verb *find_verb(const struct cmd_verb *const *verbs, const char *name)
{
	for (size_t i = 0; verbs && verbs[i]; i++)
		if (strcmp(verbs[i]->name, name) == 0)
			return verbs[i];
	return NULL;
}

static int find_option(const struct cmd_option *table, const char *name, size_t len)
{
	for (int i = 0; table && table[i].name; i++)
		if (strlen(table[i].name) == len && strncmp(table[i].name, name, len) == 0)
			return i;
	return -1;
}

static const char *long_name(const char *arg)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(letters); i++)
		if (strcmp(letters[i].letter, arg) == 0)
			return letters[i].name;
	return strncmp(arg, "--", 2) == 0 && arg[2] ? arg + 2 : NULL;
}

static void set_global(struct cmd *c, const char *name, const char *value, bool *help,
		       bool *version)
{
	if (strcmp(name, "sysroot") == 0) {
		c->sysroot = value;
		c->has_root = true;
	} else if (strcmp(name, "json") == 0)
		c->json = true;
	else if (strcmp(name, "dry-run") == 0)
		c->dry_run = true;
	else if (strcmp(name, "verbose") == 0)
		c->verbose++;
	else if (strcmp(name, "help") == 0)
		*help = true;
	else if (strcmp(name, "version") == 0)
		*version = true;
}

struct scan {
	struct cmd *c;
	char **argv;
	int argc;
	int i;
	bool help, version;
	bool only_args; /* after "--" */
};

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	for (const char *w = words; *w; w += strspn(w, " ")) {
		size_t n = strcspn(w, " ");

		if (n == len && strncmp(w, word, n) == 0)
			return true;
		w += n;
	}
	return false;
}

static int set_own(struct cmd *c, int option, const char *value)
{
	const struct cmd_option *o = &c->verb->options[option];
	char name[32];

	c->values[option] = value;
	snprintf(name, sizeof(name), "--%s", o->name);
	if (o->words && !has_word(o->words, value)) {
		usage_error(c, "OPTION_VALUE", name, "the option does not take this value");
		cv_error_found(&c->err, "%s", value);
		cv_error_wanted(&c->err, "one of: %s", o->words);
		return -EINVAL;
	}
	if (!o->repeats)
		return 0;
	if (c->n_repeats >= CMD_MAX_REPEATS)
		return usage_error(c, "TOO_MANY_OPTIONS", name, "given too many times");
	c->repeats[c->n_repeats].option = option;
	c->repeats[c->n_repeats++].value = value;
	return 0;
}

/* One option at argv[i]: a global one, or one of the verb that came before it. */
static int scan_option(struct scan *s, const char *name)
{
	const char *eq = strchr(name, '=');
	size_t len = eq ? (size_t)(eq - name) : strlen(name);
	int global = find_option(cmd_global_options, name, len);
	int own = s->c->verb ? find_option(s->c->verb->options, name, len) : -1;
	const struct cmd_option *o = own >= 0	   ? &s->c->verb->options[own]
				     : global >= 0 ? &cmd_global_options[global]
						   : NULL;
	const char *value = eq ? eq + 1 : "";

	if (!o)
		return usage_error(s->c, "UNKNOWN_OPTION", s->argv[s->i], "unknown option");
	if (!o->arg && eq)
		return usage_error(s->c, "OPTION_VALUE", s->argv[s->i],
				   "the option takes no value");
	if (o->arg && !eq) {
		if (s->i + 1 >= s->argc)
			return usage_error(s->c, "OPTION_VALUE", s->argv[s->i],
					   "the option needs a value");
		value = s->argv[++s->i];
	}
	if (own < 0 || o->same_as)
		set_global(s->c, o->same_as ? o->same_as : o->name, value, &s->help, &s->version);
	return own < 0 ? 0 : set_own(s->c, own, value);
}

/* The first word names the verb, and of one with verbs of its own the second names one of these. */
static int scan_word(struct scan *s, const char *word)
{
	const struct cmd_verb *verb = s->c->verb;

	if (!verb || verb->verbs) {
		verb = find_verb(verb ? verb->verbs : cmd_verbs, word);
		if (!verb)
			return usage_error(s->c, "UNKNOWN_VERB", word, "unknown verb");
		s->c->verb = verb;
		return 0;
	}
	if (s->c->n_args >= CMD_MAX_ARGS)
		return usage_error(s->c, "TOO_MANY_ARGUMENTS", word, "too many arguments");
	s->c->args[s->c->n_args++] = word;
	return 0;
}

static int scan_all(struct scan *s)
{
	int r = 0;

	for (s->i = 1; s->i < s->argc && r == 0; s->i++) {
		const char *arg = s->argv[s->i];
		const char *name = s->only_args ? NULL : long_name(arg);

		if (!s->only_args && strcmp(arg, "--") == 0)
			s->only_args = true;
		else if (name)
			r = scan_option(s, name);
		else if (!s->only_args && arg[0] == '-' && arg[1])
			r = usage_error(s->c, "UNKNOWN_OPTION", arg, "unknown option");
		else
			r = scan_word(s, arg);
	}
	return r;
}

/* VERB --help is help VERB. */
static void turn_to_help(struct cmd *c)
{
	c->n_args = depth_of(c->verb);
	for (size_t i = c->n_args; i > 0; i--) {
		c->args[i - 1] = c->verb->name;
		c->verb = outer_of(c->verb);
	}
	c->verb = &cmd_help_verb;
}

/* The names of a table, those that the help shows. */
static void join_names(const struct cmd_verb *const *verbs, char *buf, size_t size)
{
	size_t used = 0;

	buf[0] = '\0';
	for (size_t i = 0; verbs[i]; i++)
		if (verbs[i]->summary && used < size)
			used += (size_t)snprintf(buf + used, size - used, "%s%s", used ? " " : "",
						 verbs[i]->name);
}

static int fail_no_inner_verb(struct cmd *c)
{
	char names[sizeof(c->err.wanted) - 16];

	usage_error(c, "MISSING_VERB", c->verb->name, "it needs a verb of its own");
	join_names(c->verb->verbs, names, sizeof(names));
	cv_error_wanted(&c->err, "one of: %s", names);
	return -EINVAL;
}

int cmd_parse(int argc, char **argv, struct cmd *c)
{
	struct scan s = { .c = c, .argv = argv, .argc = argc };
	int r;

	c->sysroot = "/";
	r = scan_all(&s);
	if (r < 0)
		return r;
	if (s.version)
		c->verb = &cmd_version;
	else if (s.help || !c->verb)
		turn_to_help(c);
	if (c->verb->verbs)
		return fail_no_inner_verb(c);
	if (c->n_args < c->verb->min_args)
		return usage_error(c, "MISSING_ARGUMENT", c->verb->args, "an argument is missing");
	if (c->n_args > c->verb->max_args)
		return usage_error(c, "TOO_MANY_ARGUMENTS", c->args[c->verb->max_args],
				   "too many arguments");
	return 0;
}

const char *cmd_value(const struct cmd *c, const char *name)
{
	int i = find_option(c->verb->options, name, strlen(name));

	return i < 0 ? NULL : c->values[i];
}

const char *cmd_value_at(const struct cmd *c, const char *name, size_t nth)
{
	int option = find_option(c->verb->options, name, strlen(name));

	for (size_t i = 0; i < c->n_repeats; i++)
		if (c->repeats[i].option == option && nth-- == 0)
			return c->repeats[i].value;
	return NULL;
}

bool cmd_flag(const struct cmd *c, const char *name)
{
	return cmd_value(c, name) != NULL;
}

int cmd_seconds(struct cmd *c, const char *name, unsigned int dflt, unsigned int *ret)
{
	const char *text = cmd_value(c, name);
	uint64_t v = dflt;

	if (text && (cv_parse_u64(text, &v) < 0 || v > 86400)) {
		usage_error(c, "BAD_SECONDS", text, "not a number of seconds");
		cv_error_wanted(&c->err, "0 to 86400");
		return -EINVAL;
	}
	*ret = (unsigned int)v;
	return 0;
}

/* ---- help and completion ---- */

static void help_options(const char *title, const struct cmd_option *o)
{
	char left[48];

	if (o && o->name)
		cmd_print("\n%s\n", title);
	for (; o && o->name; o++) {
		if (o->hidden)
			continue;
		snprintf(left, sizeof(left), "--%s%s%s", o->name, o->arg ? " " : "",
			 o->arg ? o->arg : "");
		cmd_print("  %-24s %s\n", left, o->help);
	}
}

static void help_verbs(const struct cmd_verb *const *verbs)
{
	cmd_print("\nverbs\n");
	for (size_t i = 0; verbs[i]; i++)
		if (verbs[i]->summary)
			cmd_print("  %-10s %-14s %s\n", verbs[i]->name, verbs[i]->args,
				  verbs[i]->summary);
}

static void help_verb(const struct cmd_verb *verb)
{
	char name[CMD_NAME_MAX];

	cmd_print("usage: carve %s%s%s [options]\n\n%s\n", cmd_verb_name(verb, name),
		  verb->args[0] ? " " : "", verb->args, verb->summary);
	if (verb->verbs)
		help_verbs(verb->verbs);
	help_options("options", verb->options);
	help_options("global options", cmd_global_options);
	if (verb->verbs)
		cmd_print("\ncarve help %s VERB tells more\n", name);
}

void cmd_help(const struct cmd_verb *verb)
{
	if (verb) {
		help_verb(verb);
		return;
	}
	cmd_print("usage: carve VERB [arguments] [options]\n\n"
		  "near-native guests from whole cores, huge pages and PCI devices of this node\n");
	help_verbs(cmd_verbs);
	help_options("global options", cmd_global_options);
	cmd_print(
		"\ncarve help VERB tells more; exit codes and formats: carve(1), carve-spec(5)\n");
}

/*
 * The verb that the arguments name, "device list" or "topo"; NULL without any. Words after a verb that
 * has none of its own are not looked at.
 * Return: 0; the index of the word that is no verb, plus one.
 */
static size_t find_named(const struct cmd *c, const struct cmd_verb **ret)
{
	const struct cmd_verb *const *verbs = cmd_verbs;

	*ret = NULL;
	for (size_t i = 0; i < c->n_args && verbs; i++) {
		const struct cmd_verb *verb = find_verb(verbs, c->args[i]);

		if (!verb)
			return i + 1;
		*ret = verb;
		verbs = verb->verbs;
	}
	return 0;
}

static int run_help(struct cmd *c)
{
	const struct cmd_verb *verb;
	size_t bad = find_named(c, &verb);

	if (bad || (verb && !verb->summary))
		return usage_error(c, "UNKNOWN_VERB", c->args[bad ? bad - 1 : c->n_args - 1],
				   "unknown verb");
	if (c->n_args > depth_of(verb))
		return usage_error(c, "TOO_MANY_ARGUMENTS", c->args[depth_of(verb)],
				   "too many arguments");
	cmd_help(verb);
	return 0;
}

const struct cmd_verb cmd_help_verb = {
	.name = "help",
	.args = "[VERB...]",
	.summary = "help on carve or on one verb",
	.max_args = 3,
	.complete = "verb",
	.run = run_help,
};

static int version_json(struct cmd *c)
{
	const struct vmm_backend_ops *backend;
	json_t *names = json_array();

	for (size_t i = 0; (backend = vmm_backend_at(i)); i++)
		json_array_append_new(names, json_string(backend->name));
	return cmd_print_json(c,
			      json_pack("{s:i,s:s,s:s,s:o}", "carve_version", 1, "version",
					CARVE_VERSION, "build", CARVE_BUILD_ID, "backends", names));
}

static int run_version(struct cmd *c)
{
	const struct vmm_backend_ops *backend;

	if (c->json)
		return version_json(c);
	cmd_print("carve %s (%s), backends:", CARVE_VERSION, CARVE_BUILD_ID);
	for (size_t i = 0; (backend = vmm_backend_at(i)); i++)
		cmd_print(" %s", backend->name);
	cmd_print("\n");
	return 0;
}

const struct cmd_verb cmd_version = {
	.name = "version",
	.args = "",
	.summary = "version, build id and backends",
	.complete = "",
	.run = run_version,
};

static void complete_options(const struct cmd_option *o)
{
	for (; o && o->name; o++)
		if (!o->hidden)
			cmd_print("--%s\n", o->name);
}

/* "@value --draw text svg"; without words, what the value is: "@value --from PATH". */
static void complete_values(const struct cmd_option *o)
{
	for (; o && o->name; o++)
		if (!o->hidden && o->arg)
			cmd_print("@value --%s %s\n", o->name, o->words ? o->words : o->arg);
}

static void complete_verbs(const struct cmd_verb *const *verbs)
{
	for (size_t i = 0; verbs[i]; i++)
		if (verbs[i]->summary)
			cmd_print("%s\n", verbs[i]->name);
}

/* carve __complete [VERB [VERB]]: the verbs, as "@inner" says also of a verb that has some; or options,
 * what their values are, and kind of argument of one ("@vm", "@file"). */
static int run_complete(struct cmd *c)
{
	const struct cmd_verb *verb;

	find_named(c, &verb);
	if (!c->n_args)
		complete_verbs(cmd_verbs);
	if (verb && verb->verbs) {
		cmd_print("@inner\n");
		complete_verbs(verb->verbs);
	}
	if (verb) {
		complete_options(verb->options);
		complete_values(verb->options);
		if (verb->complete && verb->complete[0])
			cmd_print("@%s\n", verb->complete);
	}
	complete_options(cmd_global_options);
	if (verb)
		complete_values(cmd_global_options);
	return 0;
}

const struct cmd_verb cmd_complete = {
	.name = "__complete",
	.args = "[VERB [VERB]]",
	.max_args = CMD_MAX_ARGS,
	.complete = "",
	.run = run_complete,
};
