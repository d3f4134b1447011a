// SPDX-License-Identifier: GPL-2.0-or-later
/* carve run: plan, lease, apply through the journal, launch. */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/journal.h"
#include "base/lease.h"
#include "base/parse.h"
#include "base/state.h"
#include "tools/launch.h"
#include "tools/verify.h"
#include "tools/vm.h"
#include "vmm/backend/backend.h"

#define DEADLINE_MS 20000

struct start {
	struct cmd *c;
	struct plan plan;
	struct inventory inv;
	struct site site;
	uid_t uid;
	gid_t gid;
	struct cv_owner owner;
	struct launch launch;
	json_t *timings;
};

/* ---- before anything is changed ---- */

static int find_user(struct start *s)
{
	struct passwd entry, *pw = NULL;
	char buf[4096];

	if (getpwnam_r(s->plan.user, &entry, buf, sizeof(buf), &pw) != 0 || !pw) {
		cv_fail(&s->c->err, -ENOENT, CV_EXIT_PRECONDITION, "NO_USER", s->plan.user,
			"the user that the VMM shall run as does not exist");
		cv_error_hint(&s->c->err,
			      "useradd --system %s, or name another one: user: in the spec "
			      "or in " CV_ETC_DIR "/carve.yaml",
			      s->plan.user);
		return -ENOENT;
	}
	if (pw->pw_uid == 0) {
		cv_fail(&s->c->err, -EPERM, CV_EXIT_USAGE, "ROOT_VMM", s->plan.user,
			"the VMM never runs as root");
		cv_error_hint(&s->c->err, "name an unprivileged user: user: in the spec");
		return -EPERM;
	}
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	return 0;
}

struct readable {
	const char *path;
	uid_t uid;
	gid_t gid;
};

static int try_read(void *arg)
{
	const struct readable *f = arg;

	if (setgroups(0, NULL) < 0 || setgid(f->gid) < 0 || setuid(f->uid) < 0 ||
	    access(f->path, R_OK) < 0)
		return -errno;
	return 0;
}

/* The VMM opens kernel and initrd itself, as its user. */
static int check_readable(struct start *s, const char *path, const char *what)
{
	struct readable f = { path, s->uid, s->gid };
	int result = 0, r;

	if (!path[0])
		return 0;
	r = cv_child_run(try_read, &f, 5000, &result);
	r = r < 0 ? r : result;
	if (r == 0)
		return 0;
	cv_fail_errno(&s->c->err, r, path, "user %s cannot read the %s of the guest", s->plan.user,
		      what);
	cv_error_hint(&s->c->err, "check the path and the permissions of every directory above it");
	return r;
}

static int check_backend(struct start *s)
{
	const struct vmm_backend_ops *backend = vmm_backend_find(s->plan.backend);
	_cleanup_free_ char *version = NULL;

	if (!backend)
		return cv_fail(&s->c->err, -EINVAL, CV_EXIT_USAGE, "NO_BACKEND", s->plan.backend,
			       "there is no such VMM backend");
	return backend->probe(&version, &s->c->err);
}

static int check_kvm(struct start *s)
{
	if (s->inv.host.has_kvm || strcmp(s->plan.hypervisor, "carve") == 0 ||
	    s->plan.hypervisor[0] == '/')
		return 0;
	cv_fail(&s->c->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_KVM", "/dev/kvm",
		"this host has no KVM");
	cv_error_hint(&s->c->err, "load kvm_amd or kvm_intel; carve audit tells what is missing");
	return -ENODEV;
}

static int check_cgroup(struct start *s)
{
	if (s->inv.host.has_cgroup2 && s->inv.host.has_cpuset)
		return 0;
	cv_fail(&s->c->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_CPUSET", "/sys/fs/cgroup",
		"no cgroup v2 with the cpuset controller: cores cannot be isolated");
	cv_error_hint(&s->c->err, "boot with systemd.unified_cgroup_hierarchy=1");
	return -ENODEV;
}

static int make_plan(struct start *s)
{
	struct spec *specs = NULL;
	int r = cmd_specs(s->c, &specs);

	r = r ?: cmd_inventory(s->c, true, &s->inv);
	r = r ?: plan_make(&s->inv, &s->site, specs, 1, NULL, &s->plan, &s->c->err);
	cmd_specs_free(specs, s->c->n_args);
	return r;
}

static int check(struct start *s)
{
	int r = check_kvm(s);

	r = r ?: check_cgroup(s);
	r = r ?: find_user(s);
	r = r ?: check_readable(s, s->plan.kernel, "kernel");
	r = r ?: check_readable(s, s->plan.initrd, "initrd");
	r = r ?: check_backend(s);
	return r
		       ?: cv_owner_read(s->c->root, s->uid, getenv("SLURM_JOB_ID"), &s->owner,
					&s->c->err);
}

/* ---- the lease ---- */

static int fill_lease(const struct start *s, struct cv_lease *l)
{
	const struct plan *p = &s->plan;

	snprintf(l->name, sizeof(l->name), "%s", p->name);
	l->owner = s->owner;
	l->since = time(NULL);
	l->cpus = p->host_cpus;
	l->devices = calloc(p->n_steps + 1, sizeof(*l->devices));
	l->pages = calloc(p->n_nodes + 1, sizeof(*l->pages));
	if (!l->devices || !l->pages)
		return -ENOMEM;
	/* the bind steps name every function taken, members of a shared group included */
	for (size_t i = 0; i < p->n_steps; i++)
		if (strcmp(p->steps[i].kind, "bind") == 0 &&
		    cv_parse_bdf(p->steps[i].object, &l->devices[l->n_devices]) == 0)
			l->n_devices++;
	for (size_t i = 0; i < p->n_nodes; i++)
		l->pages[l->n_pages++] = (struct cv_lease_pages){ p->nodes[i].host_node,
								  p->nodes[i].page_size,
								  p->nodes[i].pages };
	return 0;
}

static int write_lease(struct start *s)
{
	struct cv_lease l = { 0 };
	int r = fill_lease(s, &l);

	if (r < 0)
		cv_fail_errno(&s->c->err, r, s->plan.name, "cannot write the lease");
	else
		r = cv_lease_write(s->c->root, &l, &s->c->err);
	cv_lease_done(&l);
	return r;
}

/* ---- apply ---- */

static void progress(void *ctx, const struct cv_step *step, int done, unsigned int ms)
{
	struct start *s = ctx;

	if (!done)
		return;
	json_array_append_new(s->timings, json_pack("{s:s,s:s,s:I}", "step", step->kind, "object",
						    step->object, "ms", (json_int_t)ms));
	cmd_note(s->c, "  %2u/%zu %-12s %-44s %6u ms", step->seq, s->plan.n_steps, step->kind,
		 step->object, ms);
	if (strcmp(step->kind, "launch") != 0)
		return;
	for (size_t i = 0; i < s->launch.n_phases; i++) {
		const struct launch_phase *p = &s->launch.phases[i];

		json_array_append_new(s->timings,
				      json_pack("{s:s,s:s,s:I}", "step", "launch", "object",
						p->name, "ms", (json_int_t)p->ms));
		cmd_note(s->c, "        %-12s %-44s %6u ms", "", p->name, p->ms);
	}
}

static int open_journal(struct start *s, struct cv_journal **ret)
{
	const char *crash = cmd_value(s->c, "crash-at");
	char path[CV_PATH_MAX];
	uint64_t n = 0;
	int r = 0;

	if (crash && cv_parse_u64(crash, &n) < 0)
		return cv_fail(&s->c->err, -EINVAL, CV_EXIT_USAGE, "BAD_NUMBER", crash,
			       "not a journal line");
	r = cv_journal_create(s->c->root, vm_path(path, s->plan.name, "journal"), s->plan.name,
			      &s->owner, ret, &s->c->err);
	if (r == 0)
		cv_journal_crash_at(*ret, (unsigned int)n);
	return r;
}

static int apply(struct start *s)
{
	_cleanup_(cv_journal_closep) struct cv_journal *journal = NULL;
	struct cv_step_env env = { s->c->root, s->plan.name, DEADLINE_MS, &s->launch };
	struct cv_step_progress report = { progress, s };
	int r = open_journal(s, &journal);

	s->launch = (struct launch){ .plan = &s->plan, .uid = s->uid, .gid = s->gid };
	return r < 0 ? r
		     : cv_steps_apply(&env, &cmd_steps, journal, s->plan.steps, s->plan.n_steps,
				      &report, &s->c->err);
}

static void write_timings(struct start *s)
{
	_cleanup_json_ json_t *j = json_pack("{s:i,s:O}", "carve_timings", 1, "steps", s->timings);
	_cleanup_free_ char *text = j ? cv_json_text(j) : NULL;
	char path[CV_PATH_MAX];

	if (text)
		cv_replace_file(s->c->root, vm_path(path, s->plan.name, "timings.json"), text,
				0644);
}

/* The first error is the one to tell; a failed clean-up only changes its exit code and hint. */
static int give_up(struct start *s, int r)
{
	struct cv_error first = s->c->err;

	if (first.exit == CV_EXIT_PARTIAL)
		return r;
	if (vm_release(s->c, s->plan.name) < 0) {
		first.exit = CV_EXIT_PARTIAL;
		cv_error_hint(&first, "not everything could be undone (%.200s): carve recover",
			      s->c->err.what);
	}
	s->c->err = first;
	return r;
}

static int take_and_launch(struct start *s)
{
	int r = vm_create(s->c, &s->plan, s->uid, s->gid);

	if (r == -EEXIST)
		return r; /* somebody else's directory */
	r = r ?: write_lease(s);
	r = r ?: apply(s);
	if (r < 0)
		return give_up(s, r);
	write_timings(s);
	return 0;
}

static int print_dry_run(struct start *s)
{
	if (s->c->json)
		return cmd_print_json(s->c, plan_json(&s->plan));
	_cleanup_free_ char *text = plan_text(&s->plan, &cmd_steps, s->c->verbose > 0);
	if (!text)
		return cv_fail_errno(&s->c->err, -ENOMEM, NULL, "cannot print the plan");
	cmd_print("%s", text);
	return 0;
}

static int start_vm(struct start *s)
{
	_cleanup_close_ int lock = -1;
	int r = cmd_site(s->c, &s->site);

	if (r == 0 && !s->c->dry_run)
		r = vm_lock(s->c, &s->site, &lock);
	r = r ?: make_plan(s);
	if (r == 0 && s->c->dry_run)
		return print_dry_run(s);
	r = r ?: check(s);
	if (r == 0)
		cmd_note(s->c, "%s: %zu steps", s->plan.name, s->plan.n_steps);
	return r ?: take_and_launch(s);
}

static int report(struct start *s)
{
	if (cmd_flag(s->c, "verify"))
		return verify_vm(s->c, s->plan.name);
	if (s->c->json)
		return cmd_print_json(s->c, json_pack("{s:i,s:s,s:s,s:O}", "carve_run", 1, "name",
						      s->plan.name, "state", "running", "steps",
						      s->timings));
	cmd_print("%s is running; carve console %s, carve stop %s\n", s->plan.name, s->plan.name,
		  s->plan.name);
	return 0;
}

static int run(struct cmd *c)
{
	struct start s = { .c = c, .timings = json_array() };
	int r = start_vm(&s);

	if (r == 0 && !c->dry_run)
		r = report(&s);
	json_decref(s.timings);
	plan_done(&s.plan);
	inventory_done(&s.inv);
	site_done(&s.site);
	return r;
}

static const struct cmd_option options[] = {
	{ "verify", NULL, "wait for the checker in the guest and compare the guest with the plan",
	  false },
	{ "tests", "FILE", "device tests for --verify (carve-guest(8)), JSON", false },
	{ "timeout", "SEC", "deadline of --verify, default 120", false },
	{ "crash-at", "N", "end by SIGKILL after journal line N (fault injection)", true },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_run = {
	.name = "run",
	.args = "SPEC",
	.summary = "take the resources and start a guest on them",
	.min_args = 1,
	.max_args = 1,
	.complete = "file",
	.needs = CMD_NEED_LIVE | CMD_NEED_ROOT,
	.options = options,
	.run = run,
};
