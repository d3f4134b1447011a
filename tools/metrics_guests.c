// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/metrics_guests.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "numa/thread.h"

#define VMM_MS 1000
#define ALL_MS 5000

/* ---- one guest ---- */

static int count_pinned(struct cv_sysroot *root, const struct metrics_found *f)
{
	int pinned = 0;

	for (size_t i = 0; i < f->answer.n && i < f->vm.plan.n_vcpus; i++) {
		struct cv_cpuset wanted = { 0 };
		struct nu_thread t;

		cv_cpuset_add(&wanted, f->vm.plan.vcpus[i].host_cpu);
		if (nu_thread_read(root, f->answer.tids[i], &t) == 0)
			pinned += cv_cpuset_equal(&t.cpus, &wanted);
	}
	return pinned;
}

/* As vm_state() has it, but with one conversation, and a deadline for it. */
static enum vm_state ask_guest(struct cmd *c, struct metrics_found *f, int64_t end)
{
	int64_t left = end - cv_now_ms();
	char path[CV_PATH_MAX];
	int r;

	if (!cv_sysroot_is_live(c->root) || left <= 0)
		return VM_RUNNING;
	r = metrics_ask(vm_path(path, f->vm.name, "vmm/carve.sock"),
			left < VMM_MS ? (unsigned int)left : VMM_MS, &f->answer);
	f->guest.is_asked = r != -EACCES && r != -EPERM;
	f->guest.has_answered = r == 0;
	if (r == 0)
		f->guest.pinned = count_pinned(c->root, f);
	if (f->guest.is_asked && r < 0)
		return VM_SILENT;
	return r < 0 || f->answer.is_running ? VM_RUNNING : VM_PAUSED;
}

static enum vm_state find_state(struct cmd *c, struct metrics_found *f, int64_t end)
{
	if (!f->vm.is_launched)
		return VM_PARTIAL;
	return cv_proc_is_alive(c->root, &f->vm.proc) ? ask_guest(c, f, end) : VM_EXITED;
}

static json_t *read_timings(struct cmd *c, const char *name)
{
	_cleanup_free_ char *text = NULL;
	struct cv_error ignored = { 0 };
	char path[CV_PATH_MAX];
	json_t *j = NULL;
	size_t len;

	if (cv_read(c->root, vm_path(path, name, "timings.json"), &text, &len) < 0 ||
	    cv_json_parse(text, path, &j, &ignored) < 0)
		return NULL;
	return j;
}

/* A VM whose files are damaged is told of as partial, by its name alone. */
static int read_guest(struct cmd *c, const char *name, int64_t end, struct metrics_found *f)
{
	struct metrics_guest *g = &f->guest;
	int r = vm_read(c, name, &f->vm);

	if (r == -ENOENT)
		return r;
	if (r < 0)
		snprintf(f->vm.name, sizeof(f->vm.name), "%s", name);
	*g = (struct metrics_guest){ .pinned = -1 };
	f->timings = read_timings(c, f->vm.name);
	g->state = vm_state_name(find_state(c, f, end));
	g->name = f->vm.name;
	g->backend = f->vm.plan.backend;
	g->user = f->vm.owner.user;
	g->job = f->vm.owner.job;
	g->vcpus = f->vm.plan.n_vcpus;
	for (size_t i = 0; i < f->vm.plan.n_nodes; i++)
		g->memory += f->vm.plan.nodes[i].memory;
	g->since = f->vm.since;
	g->stats = f->answer.stats;
	g->kvm_stats = f->answer.kvm_stats;
	g->timings = f->timings;
	return 0;
}

/* ---- all of them ---- */

void metrics_guests_free(struct metrics_found *found, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		vm_done(&found[i].vm);
		metrics_answer_done(&found[i].answer);
		json_decref(found[i].timings);
	}
	free(found);
}

int metrics_guests_read(struct cmd *c, struct metrics_found **ret, size_t *ret_n)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int64_t end = cv_now_ms() + ALL_MS;
	struct metrics_found *found;
	size_t n = 0;
	int r = vm_list(c, &names);

	if (r < 0)
		return r;
	/* each is filled in its place: the guest points into it */
	found = calloc(names.n + 1, sizeof(*found));
	if (!found)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot read the VMs");
	for (size_t i = 0; i < names.n; i++)
		if (read_guest(c, names.v[i], end, &found[n]) == 0)
			n++;
	*ret = found;
	*ret_n = n;
	return 0;
}
