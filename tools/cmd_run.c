// SPDX-License-Identifier: GPL-2.0-or-later
/* carve run: plan, lease, apply through the journal, launch. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/kvm.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/lease.h"
#include "base/state.h"
#include "numa/irq_step.h"
#include "tools/apply.h"
#include "tools/disks.h"
#include "tools/launch.h"
#include "tools/links.h"
#include "tools/manifest.h"
#include "tools/verify.h"
#include "tools/vm.h"
#include "vmm/backend/backend.h"
#include "vmm/spawn.h"

struct start {
	struct cmd *c;
	struct spec *specs;
	struct verify_request verify;
	struct plan plan;
	struct inventory inv;
	struct site site;
	uid_t uid;
	gid_t gid;
	int hypervisor_fd;
	char *vmm_version;
	struct cv_owner owner;
	struct launch launch;
	json_t *timings;
};

/* ---- before anything is changed ---- */

static int refuse_root(struct start *s, const char *what)
{
	cv_fail(&s->c->err, -EPERM, CV_EXIT_USAGE, "ROOT_VMM", s->plan.user, "%s", what);
	cv_error_hint(&s->c->err, "name an unprivileged user: user: in the spec");
	return -EPERM;
}

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
	if (pw->pw_uid == 0)
		return refuse_root(s, "the VMM never runs as root");
	if (pw->pw_gid == 0)
		return refuse_root(s, "the VMM never runs in the group of root");
	s->uid = pw->pw_uid;
	s->gid = pw->pw_gid;
	return 0;
}

struct readable {
	const char *path;
	uid_t uid;
	gid_t gid;
	gid_t groups[VMM_GROUPS_MAX];
	size_t n_groups;
};

static int try_read(void *arg)
{
	const struct readable *f = arg;

	if (setgroups(f->n_groups, f->groups) < 0 || setgid(f->gid) < 0 || setuid(f->uid) < 0 ||
	    access(f->path, R_OK) < 0)
		return -errno;
	return 0;
}

/* The VMM opens kernel and initrd itself, as its user. */
static int check_readable(struct start *s, const char *path, const char *what)
{
	struct readable f = { .path = path, .uid = s->uid, .gid = s->gid };
	int result = 0, r;

	if (!path[0])
		return 0;
	r = vmm_groups(f.uid, f.gid, f.groups, &f.n_groups);
	r = r ?: cv_child_run(try_read, &f, 5000, &result);
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

	if (!backend)
		return cv_fail(&s->c->err, -EINVAL, CV_EXIT_USAGE, "NO_BACKEND", s->plan.backend,
			       "there is no such VMM backend");
	return backend->probe(&s->vmm_version, &s->c->err);
}

static int no_kvm(struct start *s)
{
	cv_fail(&s->c->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_KVM", "/dev/kvm",
		"this host has no KVM");
	cv_error_hint(&s->c->err, "load kvm_amd or kvm_intel; carve audit tells what is missing");
	return -ENODEV;
}

static int bad_hypervisor(struct start *s, const char *path, const char *found)
{
	cv_fail(&s->c->err, -ENODEV, CV_EXIT_PRECONDITION, "NO_HYPERVISOR", path,
		"this is no hypervisor that a VM can run on");
	cv_error_found(&s->c->err, "%s", found);
	cv_error_wanted(&s->c->err, "a character device that speaks the KVM API, version %d",
			KVM_API_VERSION);
	cv_error_hint(&s->c->err, "hypervisor: auto in the spec takes the one of this host");
	return -ENODEV;
}

static const char *hypervisor_path(const struct plan *p)
{
	if (p->hypervisor[0] == '/')
		return p->hypervisor;
	return strcmp(p->hypervisor, "carve") == 0 ? "/dev/carve" : "/dev/kvm";
}

/* The VM's user gets this descriptor, opened as root: only what is a hypervisor may go there. */
static int open_hypervisor(struct start *s)
{
	const char *path = hypervisor_path(&s->plan);
	_cleanup_close_ int fd = cv_open(
		s->c->root, path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | O_CLOEXEC, 0);
	struct stat st;

	if (fd == -ENOENT && strcmp(path, "/dev/kvm") == 0)
		return no_kvm(s);
	if (fd < 0)
		return bad_hypervisor(s, path, strerror(-fd));
	if (fstat(fd, &st) < 0 || !S_ISCHR(st.st_mode))
		return bad_hypervisor(s, path, "no character device");
	int version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version < 0)
		return bad_hypervisor(s, path, "a device that does not speak the KVM API");
	if (version != KVM_API_VERSION)
		return bad_hypervisor(s, path, "another version of the KVM API");
	s->hypervisor_fd = TAKE_FD(fd);
	return 0;
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

/* Without it a partition cannot be made below a cgroup that is none. */
static int check_partitions(struct start *s)
{
	if (s->inv.host.has_cpuset_exclusive)
		return 0;
	cv_fail(&s->c->err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "OLD_KERNEL", "/sys/fs/cgroup",
		"the kernel is too old: cores cannot be isolated");
	cv_error_found(&s->c->err, "no cpuset.cpus.exclusive");
	cv_error_wanted(&s->c->err, "Linux 6.7 or later");
	return -EOPNOTSUPP;
}

/* A lease tells whose the device is, not which process has it open (DPDK's): both have to go. */
static void name_process(struct cv_error *err, const struct inventory *inv)
{
	const struct cv_lease *l = NULL;
	size_t len = strlen(err->found);
	struct cv_bdf bdf;
	int dev;

	if (strcmp(err->code, "EBUSY_LEASE") == 0 && cv_parse_bdf(err->object, &bdf) == 0)
		l = inv_device_lease(inv, bdf);
	dev = l && !cv_lease_is_vm(l) ? inv_find_dev(inv, bdf) : -1;
	if (dev < 0 || inv->devs[dev].holder_kind != INV_HOLDER_PROCESS)
		return;
	snprintf(err->found + len, sizeof(err->found) - len, "; %s", inv->devs[dev].holder);
	cv_error_hint(err, "end that process, then: carve device release %s", err->object);
}

static int make_plan(struct start *s)
{
	int r = cmd_inventory(s->c, CMD_HOLDERS, NULL, 0, &s->inv);

	if (r < 0)
		return r;
	r = plan_make(&s->inv, &s->site, s->specs, 1, NULL, &s->plan, &s->c->err);
	if (r < 0)
		name_process(&s->c->err, &s->inv);
	return r;
}

static int check(struct start *s)
{
	int r = check_cgroup(s);

	r = r ?: check_partitions(s);
	r = r ?: open_hypervisor(s);
	r = r ?: verify_resolve(s->c, &s->plan, &s->verify);
	r = r ?: find_user(s);
	r = r ?: check_readable(s, s->plan.kernel, "kernel");
	r = r ?: check_readable(s, s->plan.initrd, "initrd");
	r = r ?: disks_check(s->c, &s->plan, s->uid, s->gid);
	r = r ?: links_check(s->c, &s->plan, s->uid, s->gid);
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

/* Not a failure: managed interrupts follow their queues, which the guest's cores do not use. */
static void note_managed(const struct start *s)
{
	_cleanup_irq_ledger_ struct nu_irq_ledger ledger = { 0 };
	struct cv_error ignored = { 0 };
	size_t n;

	if (nu_irq_ledger_read(s->c->root, &ledger, &ignored) < 0)
		return;
	n = json_object_size(ledger.managed);
	if (n)
		cmd_note(s->c,
			 "        %zu interrupts are managed by the kernel and stay; "
			 "carve drift %s names them",
			 n, s->plan.name);
}

static void add_phases(struct start *s)
{
	for (size_t i = 0; i < s->launch.n_phases; i++) {
		const struct launch_phase *p = &s->launch.phases[i];

		json_array_append_new(s->timings,
				      json_pack("{s:s,s:s,s:I}", "step", "launch", "object",
						p->name, "ms", (json_int_t)p->ms));
		cmd_note(s->c, "        %-12s %-62s %6u ms", "", p->name, p->ms);
	}
}

static void after_step(void *ctx, const struct cv_step *step)
{
	if (strcmp(step->kind, nu_step_irq_affinity.kind) == 0)
		note_managed(ctx);
	if (strcmp(step->kind, cmd_step_launch.kind) == 0)
		add_phases(ctx);
}

static int apply(struct start *s)
{
	char path[CV_PATH_MAX];
	struct apply a = {
		.name = s->plan.name,
		.journal = vm_path(path, s->plan.name, "journal"),
		.owner = &s->owner,
		.steps = s->plan.steps,
		.n_steps = s->plan.n_steps,
		.launch = &s->launch,
		.timings = s->timings,
		.after = after_step,
		.ctx = s,
	};

	s->launch = (struct launch){
		.plan = &s->plan, .hypervisor_fd = s->hypervisor_fd, .uid = s->uid, .gid = s->gid
	};
	return apply_steps(s->c, &a);
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

/* Evidence, not a part of the start: a guest that runs is not ended because a disk is full. */
static void write_manifest(struct start *s)
{
	struct manifest_run run = {
		.plan = &s->plan,
		.inv = &s->inv,
		.hypervisor = hypervisor_path(&s->plan),
		.vmm_version = s->vmm_version,
		.timings = s->timings,
	};
	struct cv_error err = { 0 };

	if (manifest_write(s->c->root, &run, &err) < 0)
		cmd_note(s->c, "%s: %s: %s", err.object, err.what, err.found);
}

static int take_and_launch(struct start *s)
{
	int r = vm_create(s->c, &s->plan, s->uid, s->gid);

	if (r == -EEXIST)
		return r; /* somebody else's directory */
	r = r ?: write_lease(s);
	r = r ?: apply(s);
	if (r == 0) {
		write_timings(s);
		write_manifest(s);
	}
	if (r == 0 && launch_is_interrupted())
		r = launch_fail_interrupted(s->plan.name, &s->c->err);
	return r < 0 ? apply_give_up(s->c, r, s->plan.name, vm_release) : 0;
}

static int take_whole_or_nothing(struct start *s)
{
	struct held_signals h;

	apply_hold_signals(&h);
	int r = take_and_launch(s);
	apply_let_signals_go(&h, r < 0);
	return r;
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

	r = r ?: cmd_specs(s->c, &s->specs);
	r = r ?: verify_read(s->c, &s->verify);
	if (r == 0 && !s->c->dry_run)
		r = vm_lock(s->c, &s->site, &lock);
	r = r ?: make_plan(s);
	if (r == 0 && s->c->dry_run)
		return print_dry_run(s);
	r = r ?: check(s);
	if (r == 0)
		cmd_note(s->c, "%s: %zu steps", s->plan.name, s->plan.n_steps);
	return r ?: take_whole_or_nothing(s);
}

/* A guest that is not what was planned, or silent, is left for the user to look at. */
static int verify(struct start *s)
{
	const char *name = s->plan.name;
	int r = verify_vm(s->c, name, &s->verify);
	struct cv_error first = s->c->err;

	if (r < 0)
		cv_error_hint(&s->c->err, "%.300s%s%s keeps running: carve stop %s ends it",
			      first.hint, first.hint[0] ? "; " : "", name, name);
	return r;
}

static int report(struct start *s)
{
	if (cmd_flag(s->c, "verify"))
		return verify(s);
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
	struct start s = { .c = c, .timings = json_array(), .hypervisor_fd = -1 };
	int r = start_vm(&s);

	if (r == 0 && !c->dry_run)
		r = report(&s);
	if (s.hypervisor_fd >= 0)
		close(s.hypervisor_fd);
	json_decref(s.timings);
	free(s.vmm_version);
	verify_done(&s.verify);
	cmd_specs_free(s.specs, c->n_args);
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
