// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/vcpu.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/stats.h"
#include "vmm/core/vcpu_exit.h"
#include "vmm/core/vcpu_state.h"

#define KICK_SIGNAL (SIGRTMIN + 1)

/** enum want - what the threads shall do */
enum want { WANT_PAUSE, WANT_WORK, WANT_RUN, WANT_END };

/** struct vcpu - one; its thread alone uses @fd and @run while it runs */
struct vcpu {
	struct vmm_vcpus *all;
	size_t number;
	int fd;
	int stats_fd; /* -1 */
	struct kvm_run *run;
	pthread_t thread;
	bool has_thread;
	struct vmm_vcpu_stats stats; /* written by its thread, read by any: torn reads do no harm */
};

struct vmm_vcpus {
	struct vmm_vcpus_input in;
	struct vcpu *v;
	struct vmm_power_on power_on;
	pid_t *tids;
	size_t n;
	bool has_stats; /* the main thread's */
	pthread_mutex_t lock;
	pthread_cond_t changed, idle;
	enum want want;	    /* guarded by @lock */
	unsigned int round; /* of work; guarded by @lock */
	size_t n_idle;	    /* threads that wait; guarded by @lock */
	size_t n_worked;    /* threads that did this round's work; guarded by @lock */
	int (*work)(void *ctx, size_t vcpu);
	void *work_ctx;
	int work_result; /* guarded by @lock */
	bool has_ended;	 /* guarded by @lock */
};

/* ---- a thread ---- */

static void on_kick(int number)
{
	(void)number; /* KVM_RUN returns: that is all */
}

static void end_guest(struct vcpu *c, enum vmm_end why, uint32_t value)
{
	struct vmm_vcpus *v = c->all;
	bool is_first;

	pthread_mutex_lock(&v->lock);
	is_first = !v->has_ended;
	v->has_ended = true;
	if (v->want == WANT_RUN)
		v->want = WANT_PAUSE;
	pthread_mutex_unlock(&v->lock);
	if (is_first)
		v->in.ended(v->in.ctx, why, value);
}

static bool may_run(struct vmm_vcpus *v)
{
	bool may;

	pthread_mutex_lock(&v->lock);
	may = v->want == WANT_RUN;
	pthread_mutex_unlock(&v->lock);
	return may;
}

/* Until somebody wants something else. An exit that was begun is finished by the next KVM_RUN, which
 * returns at once when it shall not run on (api.rst 5, immediate_exit). */
static void run_guest(struct vcpu *c)
{
	struct vmm_vcpus *v = c->all;

	for (;;) {
		uint32_t value = 0;
		enum vmm_end end = VMM_END_NONE;

		if (ioctl(c->fd, KVM_RUN, 0) < 0) {
			if (errno != EINTR && errno != EAGAIN) {
				vmm_exit_explain(c->number, c->fd, NULL, errno);
				end_guest(c, VMM_END_FAILED, 0);
				return;
			}
			c->stats.interrupted++;
			if (!may_run(v))
				return;
			continue;
		}
		c->stats.exits++;
		end = vmm_exit_handle(c->run, v->in.pio, v->in.mmio, &c->stats, &value);
		if (end == VMM_END_FAILED)
			vmm_exit_explain(c->number, c->fd, c->run, 0);
		if (end != VMM_END_NONE) {
			end_guest(c, end, value);
			return;
		}
	}
}

static void do_work(struct vcpu *c)
{
	struct vmm_vcpus *v = c->all;
	int r = v->work(v->work_ctx, c->number);

	pthread_mutex_lock(&v->lock);
	if (v->work_result == 0)
		v->work_result = r;
	v->n_worked++;
	pthread_cond_broadcast(&v->idle);
	pthread_mutex_unlock(&v->lock);
}

/* Waits, and tells what is wanted next; each round of work is done once. */
static enum want await(struct vcpu *c, unsigned int *round)
{
	struct vmm_vcpus *v = c->all;
	enum want want;

	pthread_mutex_lock(&v->lock);
	v->n_idle++;
	pthread_cond_broadcast(&v->idle);
	while (v->want == WANT_PAUSE || (v->want == WANT_WORK && v->round == *round) ||
	       (v->want == WANT_RUN && v->has_ended))
		pthread_cond_wait(&v->changed, &v->lock);
	v->n_idle--;
	*round = v->round;
	want = v->want;
	pthread_mutex_unlock(&v->lock);
	return want;
}

static void *vcpu_thread(void *arg)
{
	struct vcpu *c = arg;
	unsigned int round = 0;
	char name[16];
	enum want want;

	snprintf(name, sizeof(name), "CPU %zu/KVM", c->number); /* as QEMU names its own */
	pthread_setname_np(pthread_self(), name);
	c->all->tids[c->number] = (pid_t)syscall(SYS_gettid);
	while ((want = await(c, &round)) != WANT_END) {
		if (want == WANT_RUN)
			run_guest(c);
		else
			do_work(c);
	}
	return NULL;
}

/* ---- making them ---- */

static struct vmm_vm_call call_of(const struct vcpu *c)
{
	struct vmm_vm_call call = c->all->in.hypervisor->system;

	call.fd = c->fd;
	return call;
}

static int fail_vcpu(size_t number, int r, const char *what, struct cv_error *err)
{
	char object[32];

	snprintf(object, sizeof(object), "vCPU %zu", number);
	return cv_fail_errno(err, r, object, "%s", what);
}

static int set_cpuid(const struct vmm_vcpus *v, struct vcpu *c, struct cv_error *err)
{
	const struct kvm_cpuid2 *supported = v->in.hypervisor->cpuid;
	_cleanup_free_ struct vmm_cpuid *table = calloc(1, sizeof(*table));
	_cleanup_free_ struct kvm_cpuid2 *arg = calloc(
		1, sizeof(*arg) + VMM_CPUID_MAX * sizeof(struct kvm_cpuid_entry2));
	int r = table && arg ? 0 : -ENOMEM;

	r = r ?: vmm_cpuid_make(v->in.plan, c->number, supported->entries, supported->nent, table);
	if (r < 0)
		return fail_vcpu(c->number, r, "its CPUID cannot be made", err);
	arg->nent = table->n;
	memcpy(arg->entries, table->entries, table->n * sizeof(table->entries[0]));
	if (ioctl(c->fd, KVM_SET_CPUID2, arg) < 0)
		return fail_vcpu(c->number, -errno, "the hypervisor refuses its CPUID", err);
	return 0;
}

static int enter(const struct vmm_vcpus *v, const struct vcpu *c, struct cv_error *err)
{
	const struct vmm_vm_call call = call_of(c);

	return vmm_state_enter(&call, v->in.hypervisor->has_sync_regs ? c->run : NULL, &v->power_on,
			       v->in.entry, err);
}

/* What all have in common is read from the first, while it is as it was made. */
static int begin_vcpu(struct vmm_vcpus *v, struct vcpu *c, struct cv_error *err)
{
	const struct vmm_vm_call call = call_of(c);
	int r = vmm_state_begin(&call, err);

	if (r < 0 || c->number > 0)
		return r;
	r = vmm_state_save(&v->in.hypervisor->system, &call, &v->power_on, err);
	return r ?: enter(v, c, err);
}

/* KVM takes the vCPU's id as its APIC ID (api.rst 4.7). */
static int make_vcpu(struct vmm_vcpus *v, size_t number, struct cv_error *err)
{
	const struct vmm_hypervisor *h = v->in.hypervisor;
	struct vcpu *c = &v->v[number];
	int r;

	c->fd = ioctl(h->vm_fd, KVM_CREATE_VCPU, vmm_apic_id(v->in.plan, number));
	if (c->fd < 0)
		return fail_vcpu(number, -errno, "the hypervisor does not make it", err);
	c->run = mmap(NULL, h->run_size, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	if (c->run == MAP_FAILED) {
		c->run = NULL;
		return fail_vcpu(number, -errno, "its shared page cannot be mapped", err);
	}
	r = set_cpuid(v, c, err);
	return r ?: begin_vcpu(v, c, err);
}

/* The threads take the kick and what they do wrong: all other signals are the main thread's. */
static int start_thread(struct vcpu *c, struct cv_error *err)
{
	sigset_t all, old;
	int r;

	sigfillset(&all);
	sigdelset(&all, KICK_SIGNAL);
	sigdelset(&all,
		  SIGBUS); /* the thread's own fault: blocked, it would end the process silently */
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&c->thread, NULL, vcpu_thread, c);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	c->has_thread = r == 0;
	return r == 0 ? 0 : fail_vcpu(c->number, -r, "its thread cannot be started", err);
}

static void await_idle(struct vmm_vcpus *v)
{
	pthread_mutex_lock(&v->lock);
	while (v->n_idle < v->n)
		pthread_cond_wait(&v->idle, &v->lock);
	pthread_mutex_unlock(&v->lock);
}

static int start_all(struct vmm_vcpus *v, struct cv_error *err)
{
	struct sigaction kick = { .sa_handler = on_kick };
	size_t n = v->in.plan->n_vcpus;
	int r = 0;

	sigaction(KICK_SIGNAL, &kick, NULL);
	for (size_t i = 0; i < n && r == 0; i++) {
		v->v[i] = (struct vcpu){ .all = v, .number = i, .fd = -1, .stats_fd = -1 };
		v->n = i + 1;
		r = make_vcpu(v, i, err);
		r = r ?: start_thread(&v->v[i], err);
	}
	if (r == 0)
		await_idle(v);
	return r;
}

int vmm_vcpus_new(const struct vmm_vcpus_input *in, struct vmm_vcpus **ret, struct cv_error *err)
{
	struct vmm_vcpus *v = calloc(1, sizeof(*v));
	size_t n = in->plan->n_vcpus;
	int r;

	if (!v)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot make the vCPUs");
	v->in = *in;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->changed, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->v = calloc(n + 1, sizeof(*v->v));
	v->tids = calloc(n + 1, sizeof(*v->tids));
	r = v->v && v->tids ? start_all(v, err)
			    : cv_fail_errno(err, -ENOMEM, NULL, "cannot make the vCPUs");
	if (r < 0) {
		vmm_vcpus_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

/* ---- steering them ---- */

static void want(struct vmm_vcpus *v, enum want w)
{
	pthread_mutex_lock(&v->lock);
	v->want = w;
	if (w == WANT_RUN)
		for (size_t i = 0; i < v->n; i++)
			__atomic_store_n(&v->v[i].run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

static void kick(struct vcpu *c)
{
	if (c->run)
		__atomic_store_n(&c->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (c->has_thread)
		pthread_kill(c->thread, KICK_SIGNAL);
}

void vmm_vcpus_run(struct vmm_vcpus *v)
{
	want(v, WANT_RUN);
}

void vmm_vcpus_pause(struct vmm_vcpus *v)
{
	want(v, WANT_PAUSE);
	for (size_t i = 0; i < v->n; i++)
		kick(&v->v[i]);
	await_idle(v);
}

bool vmm_vcpus_are_running(const struct vmm_vcpus *v)
{
	struct vmm_vcpus *w = (struct vmm_vcpus *)(uintptr_t)v; /* the lock alone is written */
	bool is;

	pthread_mutex_lock(&w->lock);
	is = w->want == WANT_RUN && !w->has_ended;
	pthread_mutex_unlock(&w->lock);
	return is;
}

void vmm_vcpus_begin(struct vmm_vcpus *v, int (*fn)(void *ctx, size_t vcpu), void *ctx)
{
	pthread_mutex_lock(&v->lock);
	v->work = fn;
	v->work_ctx = ctx;
	v->work_result = 0;
	v->n_worked = 0;
	v->round++;
	v->want = WANT_WORK;
	pthread_cond_broadcast(&v->changed);
	pthread_mutex_unlock(&v->lock);
}

int vmm_vcpus_finish(struct vmm_vcpus *v)
{
	int r;

	pthread_mutex_lock(&v->lock);
	while (v->n_worked < v->n)
		pthread_cond_wait(&v->idle, &v->lock);
	v->want = WANT_PAUSE;
	r = v->work_result;
	pthread_mutex_unlock(&v->lock);
	return r;
}

int vmm_vcpus_each(struct vmm_vcpus *v, int (*fn)(void *ctx, size_t vcpu), void *ctx)
{
	vmm_vcpus_begin(v, fn, ctx);
	return vmm_vcpus_finish(v);
}

int vmm_vcpus_reset(struct vmm_vcpus *v, struct cv_error *err)
{
	int r = 0;

	for (size_t i = 0; i < v->n && r == 0; i++) {
		const struct vmm_vm_call call = call_of(&v->v[i]);

		r = vmm_state_reset(&call, &v->power_on, vmm_apic_id(v->in.plan, i), i == 0, err);
		if (r == 0 && i == 0)
			r = enter(v, &v->v[i], err);
	}
	pthread_mutex_lock(&v->lock);
	v->has_ended = false;
	pthread_mutex_unlock(&v->lock);
	return r;
}

/* A guest without a paravirtual clock has nothing to be told: -EINVAL. */
void vmm_vcpus_tell_stopped(struct vmm_vcpus *v)
{
	for (size_t i = 0; i < v->n; i++) {
		const struct vmm_vm_call call = call_of(&v->v[i]);

		(void)vmm_vm_call(&call, KVM_KVMCLOCK_CTRL, NULL);
	}
}

const pid_t *vmm_vcpus_tids(const struct vmm_vcpus *v, size_t *ret_n)
{
	*ret_n = v->n;
	return v->tids;
}

void vmm_vcpus_stats(const struct vmm_vcpus *v, size_t vcpu, struct vmm_vcpu_stats *ret)
{
	*ret = v->v[vcpu].stats;
}

void vmm_vcpus_open_stats(struct vmm_vcpus *v)
{
	for (size_t i = 0; !v->has_stats && i < v->n; i++) {
		const struct vmm_vm_call call = call_of(&v->v[i]);

		v->v[i].stats_fd = vmm_stats_open(&call);
	}
	v->has_stats = true;
}

bool vmm_vcpus_have_stats(const struct vmm_vcpus *v)
{
	return v->has_stats;
}

struct json_t *vmm_vcpus_kvm_stats(const struct vmm_vcpus *v, size_t vcpu)
{
	return vmm_stats_read(v->v[vcpu].stats_fd);
}

static void end_vcpu(struct vmm_vcpus *v, struct vcpu *c)
{
	if (c->has_thread)
		pthread_join(c->thread, NULL);
	if (c->run)
		munmap(c->run, v->in.hypervisor->run_size);
	if (c->stats_fd >= 0)
		close(c->stats_fd);
	if (c->fd >= 0)
		close(c->fd);
}

void vmm_vcpus_free(struct vmm_vcpus *v)
{
	want(v, WANT_END);
	for (size_t i = 0; i < v->n; i++)
		kick(&v->v[i]);
	for (size_t i = 0; i < v->n; i++)
		end_vcpu(v, &v->v[i]);
	pthread_cond_destroy(&v->changed);
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	vmm_power_on_done(&v->power_on);
	free(v->tids);
	free(v->v);
	free(v);
}
