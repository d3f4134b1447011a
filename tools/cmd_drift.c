// SPDX-License-Identifier: GPL-2.0-or-later
/* carve drift: what runs against the plan, while it runs. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "numa/drift.h"
#include "numa/irq_ledger.h"
#include "tools/vm.h"

#define QMP_MS 10000
#define DEADLINE_MS 20000
#define INTERVAL_MS 500

/**
 * struct drift - one invocation
 * @tids:    of the vCPUs, owned
 * @known:   what the last look left: told already
 * @events:  all of them, without --watch
 * @watch_s: seconds to go on looking, 0: one look
 */
struct drift {
	struct cmd *c;
	struct site site;
	struct vm vm;
	pid_t *tids;
	struct nu_running running;
	struct nu_drifts known;
	json_t *events;
	unsigned int watch_s;
	bool fix;
};

/* ---- the guest ---- */

static int fail_not_running(struct drift *d)
{
	cv_fail(&d->c->err, -ESRCH, CV_EXIT_NOT_FOUND, "NOT_RUNNING", d->vm.name,
		"the guest is not running");
	cv_error_hint(&d->c->err, "carve list shows its state, carve recover gives back what is "
				  "left of it");
	return -ESRCH;
}

static int need_root(struct drift *d)
{
	if (!d->fix || geteuid() == 0)
		return 0;
	cv_fail(&d->c->err, -EPERM, CV_EXIT_PERMISSION, "NOT_ROOT", "drift --fix",
		"it moves threads and interrupts and needs root");
	cv_error_found(&d->c->err, "uid %u", (unsigned int)geteuid());
	cv_error_wanted(&d->c->err, "uid 0");
	cv_error_hint(&d->c->err, "without --fix it only looks");
	return -EPERM;
}

/* The threads of the vCPUs stay the same as long as the guest runs. */
static int find_vcpus(struct drift *d)
{
	_cleanup_(vmm_qmp_closep) struct vmm_qmp *qmp = NULL;
	int n = vm_open_qmp(d->c, d->vm.name, &qmp);

	if (n == 0)
		n = vmm_qmp_vcpu_tids(qmp, QMP_MS, &d->tids, &d->c->err);
	if (n < 0)
		return n;
	if ((size_t)n != d->vm.plan.n_vcpus)
		return cv_fail(&d->c->err, -EPROTO, CV_EXIT_GUEST, "VCPU_COUNT", d->vm.name,
			       "the VMM has %d vCPUs, %zu are planned", n, d->vm.plan.n_vcpus);
	d->running = (struct nu_running){ &d->vm.plan, d->vm.proc.pid, d->tids, true };
	return 0;
}

static int find_guest(struct drift *d)
{
	int r = vm_read(d->c, d->c->args[0], &d->vm);

	if (r < 0)
		return r;
	if (!d->vm.is_launched || !cv_proc_is_alive(d->c->root, &d->vm.proc))
		return fail_not_running(d);
	return find_vcpus(d);
}

/* ---- telling ---- */

static bool is_left(const struct nu_drifts *left, const struct nu_drift *one)
{
	for (size_t i = 0; i < left->n; i++)
		if (left->v[i].kind == one->kind && strcmp(left->v[i].object, one->object) == 0)
			return true;
	return false;
}

static json_t *event_json(const struct drift *d, const struct nu_drift *one, bool is_fixed)
{
	return json_pack("{s:I,s:s,s:s,s:o,s:o,s:o,s:b}", "time", (json_int_t)time(NULL), "vm",
			 d->vm.name, "kind", nu_drift_names[one->kind], "object",
			 cv_json_string(one->object), "found", cv_json_string(one->found), "wanted",
			 cv_json_string(one->wanted), "repaired", is_fixed);
}

static int tell_json(struct drift *d, const struct nu_drift *one, bool is_fixed)
{
	_cleanup_json_ json_t *event = event_json(d, one, is_fixed);
	_cleanup_free_ char *line = NULL;

	if (!event)
		return -ENOMEM;
	if (!d->watch_s)
		return json_array_append(d->events, event) < 0 ? -ENOMEM : 0;
	json_object_set_new(event, "carve_drift_event", json_integer(1));
	line = cv_json_line(event);
	if (!line)
		return -ENOMEM;
	cmd_print("%s\n", line);
	return 0;
}

static int tell(struct drift *d, const struct nu_drift *one, bool is_fixed)
{
	if (d->c->json)
		return tell_json(d, one, is_fixed);
	cmd_print("%s: %s: %s: found %s, wanted %s%s\n", d->vm.name, nu_drift_names[one->kind],
		  one->object, one->found, one->wanted,
		  !d->fix    ? ""
		  : is_fixed ? "; repaired"
			     : "; could not be repaired");
	return 0;
}

static int tell_new(struct drift *d, const struct nu_drifts *found, const struct nu_drifts *left)
{
	int r = 0;

	for (size_t i = 0; i < found->n && r == 0; i++)
		if (!nu_drift_has(&d->known, &found->v[i]))
			r = tell(d, &found->v[i], d->fix && !is_left(left, &found->v[i]));
	/* whoever watches reads a pipe, maybe; once it is closed there is nobody to watch for */
	if (fflush(stdout) == EOF && r == 0)
		r = -errno;
	return r < 0 ? cv_fail_errno(&d->c->err, r, d->vm.name, "cannot tell the differences") : 0;
}

/* ---- looking ---- */

static int look_once(struct drift *d, struct nu_drifts *ret)
{
	if (!cv_proc_is_alive(d->c->root, &d->vm.proc))
		return fail_not_running(d);
	int r = nu_drift_find(d->c->root, &d->running, ret, &d->c->err);
	return r == -ESRCH ? fail_not_running(d) : r;
}

/* What could not be repaired is told by the second look; why not goes to stderr. */
static int repair(struct drift *d, const struct nu_drifts *found, struct nu_drifts *ret_left)
{
	struct cv_step_env env = { d->c->root, d->vm.name, DEADLINE_MS, NULL };
	struct cv_error err = { 0 };
	_cleanup_close_ int lock = -1;
	int r = vm_lock(d->c, &d->site, &lock);

	if (r < 0)
		return r;
	umask(022); /* others may read what is noted of interrupts */
	if (!cv_proc_is_alive(d->c->root, &d->vm.proc))
		return fail_not_running(d);
	if (nu_drift_fix(&env, &d->running, found, &err) < 0)
		cmd_note(d->c, "%s: %s: %s", err.object, err.what, err.found);
	return look_once(d, ret_left);
}

static int look(struct drift *d)
{
	_cleanup_drifts_ struct nu_drifts found = { 0 }, left = { 0 };
	bool has_left = false;
	int r = look_once(d, &found);

	if (r == 0 && d->fix && found.n) {
		r = repair(d, &found, &left);
		has_left = true;
	}
	r = r ?: tell_new(d, &found, &left);
	if (r < 0)
		return r;
	nu_drifts_done(&d->known);
	d->known = has_left ? left : found;
	*(has_left ? &left : &found) = (struct nu_drifts){ 0 };
	return 0;
}

/* The pages of a running guest are bound: one look at them is enough. */
static int watch(struct drift *d)
{
	int64_t end = cv_now_ms() + (int64_t)d->watch_s * 1000;
	int r = look(d);

	while (r == 0 && cv_now_ms() < end) {
		poll(NULL, 0, INTERVAL_MS);
		d->running.memory = false;
		r = look(d);
	}
	return r;
}

static json_t *managed_json(struct drift *d)
{
	_cleanup_irq_ledger_ struct nu_irq_ledger ledger = { 0 };
	struct cv_error ignored = { 0 };

	if (nu_irq_ledger_read(d->c->root, &ledger, &ignored) < 0)
		return json_object();
	return json_incref(ledger.managed);
}

static void note_managed(struct drift *d, json_t *managed)
{
	const char *key;
	json_t *actions;

	json_object_foreach(managed, key, actions)
		cmd_note(d->c, "%s: interrupt %s (%s) is managed by the kernel and stays",
			 d->vm.name, key, json_string_value(actions));
}

static int summarize(struct drift *d)
{
	_cleanup_json_ json_t *managed = managed_json(d);
	int status = d->known.n ? CV_EXIT_FAILED : CV_EXIT_OK, r = 0;

	if (d->c->json && !d->watch_s)
		r = cmd_print_json(d->c,
				   json_pack("{s:i,s:s,s:I,s:O,s:O}", "carve_drift", 1, "name",
					     d->vm.name, "remaining", (json_int_t)d->known.n,
					     "events", d->events, "managed", managed));
	if (d->c->json)
		return r < 0 ? r : status;
	note_managed(d, managed);
	if (d->known.n == 0)
		cmd_print("%s: runs as planned\n", d->vm.name);
	return status;
}

static int run(struct cmd *c)
{
	struct drift d = { .c = c,
			   .events = json_array(),
			   .fix = cmd_flag(c, "fix") && !c->dry_run };
	int r = cmd_seconds(c, "watch", 0, &d.watch_s);

	r = r ?: need_root(&d);
	r = r ?: cmd_site(c, &d.site);
	r = r ?: find_guest(&d);
	r = r ?: watch(&d);
	r = r ?: summarize(&d);
	nu_drifts_done(&d.known);
	json_decref(d.events);
	free(d.tids);
	vm_done(&d.vm);
	site_done(&d.site);
	return r;
}

static const struct cmd_option options[] = {
	{ "fix", NULL, "repair what can be repaired", false },
	{ "watch", "SEC", "look again and again for so long, tell what is new", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_drift = {
	.name = "drift",
	.args = "NAME",
	.summary = "compare pins, memory and interrupts of a running guest with its plan",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE,
	.options = options,
	.run = run,
};
