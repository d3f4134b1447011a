/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What every verb of the carve command shares: the verb table, options, output, the gathered host. */
#ifndef CARVE_TOOLS_CMD_H
#define CARVE_TOOLS_CMD_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/json.h"
#include "base/step.h"
#include "base/sysroot.h"
#include "plan/inventory.h"
#include "plan/spec.h"

/**
 * struct cmd_option - one long option
 * @arg:     NULL: a flag
 * @hidden:  not in help or completion
 * @repeats: may be given several times, see cmd_value_at()
 * @words:   the only values, "text svg"; NULL: any
 * @same_as: the global option that this is another name of; NULL: none
 */
struct cmd_option {
	const char *name;
	const char *arg;
	const char *help;
	bool hidden;
	bool repeats;
	const char *words;
	const char *same_as;
};

#define CMD_MAX_OPTIONS 16
#define CMD_MAX_REPEATS 64 /* of all options that repeat, together */
#define CMD_MAX_ARGS 64

/**
 * struct cmd - one invocation
 * @root:     opened from --sysroot, "/" by default
 * @has_root: --sysroot was given
 * @args:     positional arguments after the verb
 * @values:   value of each option of the verb, by index, the last one of an option that repeats; NULL:
 *            not given; flags get ""
 * @repeats:  all values of options that repeat, in their order on the command line
 */
struct cmd {
	const struct cmd_verb *verb;
	struct cv_sysroot *root;
	const char *sysroot;
	bool has_root;
	bool json;
	bool dry_run;
	int verbose;
	const char *args[CMD_MAX_ARGS];
	size_t n_args;
	const char *values[CMD_MAX_OPTIONS];
	struct {
		int option;
		const char *value;
	} repeats[CMD_MAX_REPEATS];
	size_t n_repeats;
	struct cv_error err;
};

/** enum cmd_need - what a verb needs before it runs; bits */
enum cmd_need {
	CMD_NEED_LIVE = 1, /* the real host, not --sysroot */
	CMD_NEED_ROOT = 2, /* effective uid 0 */
};

/**
 * struct cmd_verb - one verb; the table is the source of help, completion and dispatch
 * @args:     usage of the positional arguments ("SPEC...")
 * @complete: what completes the arguments: "vm", "file", "start" (a VM or a file), "" (for the
 *            shell completion)
 * @run:      returns an exit code (enum cv_exit), or -errno with cmd->err filled
 * @verbs:    of a verb with verbs of its own (carve device list): the table, NULL-terminated; the verb
 *            itself has no run then, and cmd->verb is the inner one
 */
struct cmd_verb {
	const char *name;
	const char *args;
	const char *summary;
	size_t min_args, max_args;
	const char *complete;
	unsigned int needs;
	const struct cmd_option *options;
	int (*run)(struct cmd *c);
	const struct cmd_verb *const *verbs;
};

extern const struct cmd_verb *const cmd_verbs[]; /* NULL-terminated */
extern const struct cmd_option cmd_global_options[];

#define CMD_NAME_MAX 48
/** cmd_verb_name() - as it is typed: "run", "device list". Return: @buf. */
const char *cmd_verb_name(const struct cmd_verb *verb, char buf[CMD_NAME_MAX]);
/** cmd_parse() - fill @c from the command line. Return: 0, -EINVAL with c->err. */
int cmd_parse(int argc, char **argv, struct cmd *c);
/** cmd_help() - help of one verb, or of all (NULL), to stdout. */
void cmd_help(const struct cmd_verb *verb);
/**
 * cmd_require() - is the root live, the caller root? Not asked with --dry-run
 * @needs: enum cmd_need bits; those of the verb are looked at before it runs
 * Return: 0, -EINVAL, -EPERM.
 */
int cmd_require(struct cmd *c, unsigned int needs);
/** cmd_value() - value of an option by name, NULL when not given. */
const char *cmd_value(const struct cmd *c, const char *name);
/** cmd_value_at() - the @nth value of an option that repeats, NULL after the last. */
const char *cmd_value_at(const struct cmd *c, const char *name, size_t nth);
/** cmd_flag() - was the option given? */
bool cmd_flag(const struct cmd *c, const char *name);
/** cmd_seconds() - a non-negative number of seconds, or @dflt. Return: 0, -EINVAL. */
int cmd_seconds(struct cmd *c, const char *name, unsigned int dflt, unsigned int *ret);

/** cmd_print() - data for the user, stdout. */
void cmd_print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/** cmd_print_json() - consumes @j. Return: 0, -ENOMEM (also for NULL) with c->err. */
int cmd_print_json(struct cmd *c, json_t *j);
/** cmd_note() - a message to stderr, not an error; silent with --json unless -v. */
void cmd_note(const struct cmd *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** cmd_print_error() - c->err once, as text or JSON, to stderr. Return: its exit code. */
int cmd_print_error(const struct cmd *c);

/** cmd_read_file() - a file of the caller (not of the sysroot), at most @max bytes; heap, NUL added. */
int cmd_read_file(struct cmd *c, const char *path, size_t max, char **ret, size_t *ret_len);

/** enum cmd_depth - what a verb needs of the inventory; bits */
enum cmd_depth {
	CMD_HOLDERS = 1, /* who uses a device on the host */
	CMD_NAMES = 2,	 /* names of pci.ids */
	CMD_NOISE = 4,	 /* what only the audit judges */
};

/**
 * cmd_inventory() - the inventory with leases of this boot
 *
 * With the option --hwloc-xml of the verb, CPUs, caches and nodes come from that file; without
 * --sysroot it is another host's file, and PCI devices and leases of this one are left out.
 * @depth:  enum cmd_depth
 * @specs:  @n of them: devices that none of them can want are read in outline only (struct sr_depth);
 *          NULL: all in depth
 */
int cmd_inventory(struct cmd *c, unsigned int depth, const struct spec *specs, size_t n,
		  struct inventory *ret);
/** cmd_site() - /etc/carve/carve.yaml and conf.d; the built-in values when there are none. */
int cmd_site(struct cmd *c, struct site *ret);
/** cmd_specs() - parse the specs named by the arguments; *ret is an array of c->n_args. */
int cmd_specs(struct cmd *c, struct spec **ret);
void cmd_specs_free(struct spec *specs, size_t n);

/** cmd_steps - ops of all kinds of steps, gathered from all folders */
extern const struct cv_step_table cmd_steps;

extern const struct cmd_verb cmd_topo, cmd_audit, cmd_snapshot, cmd_state, cmd_plan, cmd_run,
	cmd_list, cmd_show, cmd_stop, cmd_console, cmd_verify, cmd_certify, cmd_drift, cmd_diff,
	cmd_metrics, cmd_recover, cmd_device, cmd_vf, cmd_help_verb, cmd_version, cmd_complete;

#endif
