// SPDX-License-Identifier: GPL-2.0-or-later
/* A disk (Virtio 1.2 section 5.2). The loop's thread only wakes workers: each takes a request from a
 * queue, does it with the device unlocked, and puts it back. */
#include "vmm/dev/virtio_blk.h"

#include <errno.h>
#include <linux/virtio_blk.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/sandbox.h"

#define DEVICE_ID 2
#define CLASS 0x018000 /* mass storage, other */
#define QUEUE_SIZE 256
#define WORKERS_PER_QUEUE 2
#define WORKERS_MAX 16
#define STACK_BYTES (256UL * 1024)

/** struct worker - a thread, and the request it is at */
struct worker {
	struct vmm_vblk *b;
	pthread_t thread;
	unsigned int next_queue; /* where it looks first: all have their turn */
	struct vmm_chain chain;
};

/** struct vmm_vblk - guarded by the device's lock, from @is_running on */
struct vmm_vblk {
	struct vmm_virtio v;
	struct vmm_virtio_ops ops;
	struct vblk_file file;
	char id[64];
	struct virtio_blk_config config;
	pthread_cond_t work, idle; /* requests came, or the end; nothing is in flight any more */
	struct worker *workers;
	unsigned int n_workers;
	bool is_running, is_ending;
	unsigned int in_flight, n_idle, draining;
};

static struct vmm_vblk *blk_of(struct vmm_virtio *v)
{
	return (struct vmm_vblk *)(void *)((char *)v - offsetof(struct vmm_vblk, v));
}

/* ---- workers; the device is locked ---- */

/* Return: 1 with a request in @w->chain, 0. */
static int pop_from(struct worker *w, unsigned int queue)
{
	struct vmm_virtio *v = &w->b->v;
	int r = vmm_queue_pop(&v->queues[queue], &w->chain);

	if (r == 0 && vmm_queue_want_kick(&v->queues[queue], true))
		r = vmm_queue_pop(&v->queues[queue], &w->chain);
	if (r >= 0)
		return r;
	vmm_virtio_broken(v, "a request that breaks the rules");
	w->b->is_running = false;
	return 0;
}

static bool find_request(struct worker *w, unsigned int *ret_queue)
{
	unsigned int n = w->b->v.n_queues;

	for (unsigned int i = 0; w->b->is_running && i < n; i++) {
		unsigned int queue = (w->next_queue + i) % n;

		if (pop_from(w, queue) == 1) {
			w->next_queue = (queue + 1) % n;
			*ret_queue = queue;
			return true;
		}
	}
	return false;
}

/* While somebody is idle the guest's next request goes there, not behind this one. */
static void pass_on(struct vmm_vblk *b, unsigned int queue)
{
	if (b->n_idle == 0)
		vmm_queue_want_kick(&b->v.queues[queue], false);
	else if (vmm_queue_want_kick(&b->v.queues[queue], true))
		pthread_cond_signal(&b->work);
}

static void finish(struct vmm_vblk *b, struct worker *w, unsigned int queue, int64_t written)
{
	if (written < 0) {
		vmm_virtio_broken(&b->v, "a request without a place for its status");
		b->is_running = false;
	} else {
		vmm_queue_push(&b->v.queues[queue], w->chain.head,
			       written < UINT32_MAX ? (uint32_t)written : UINT32_MAX);
		vmm_virtio_notify(&b->v, queue);
	}
	b->in_flight--;
	if (b->in_flight == 0)
		pthread_cond_broadcast(&b->idle);
}

static void do_request(struct worker *w, unsigned int queue)
{
	struct vmm_vblk *b = w->b;
	bool write_through = !(b->v.features & 1ULL << VIRTIO_BLK_F_FLUSH);
	int64_t written;

	b->in_flight++;
	pass_on(b, queue);
	vmm_virtio_unlock(&b->v);
	written = vblk_file_do(&b->file, &w->chain, write_through);
	vmm_virtio_lock(&b->v);
	finish(b, w, queue, written);
}

static void *work(void *ctx)
{
	struct worker *w = ctx;
	struct vmm_vblk *b = w->b;
	unsigned int queue = 0;

	vmm_sandbox_enter_or_end(b->v.env.sandbox, VMM_ROLE_DISK);
	vmm_virtio_lock(&b->v);
	while (!b->is_ending) {
		if (find_request(w, &queue)) {
			do_request(w, queue);
			continue;
		}
		b->n_idle++;
		vmm_virtio_wait(&b->v, &b->work);
		b->n_idle--;
	}
	vmm_virtio_unlock(&b->v);
	return NULL;
}

static int start_worker(struct vmm_vblk *b, struct worker *w)
{
	pthread_attr_t attr;
	char name[16];
	int r;

	w->b = b;
	pthread_attr_init(&attr);
	r = pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = r ?: pthread_create(&w->thread, &attr, work, w);
	pthread_attr_destroy(&attr);
	if (r)
		return -r;
	snprintf(name, sizeof(name), "disk-%.10s", b->id);
	pthread_setname_np(w->thread, name);
	b->n_workers++;
	return 0;
}

/* Signals are for other threads. */
static int start_workers(struct vmm_vblk *b)
{
	unsigned int n = WORKERS_PER_QUEUE * b->v.n_queues;
	sigset_t all, before;
	int r = 0;

	if (n > WORKERS_MAX)
		n = WORKERS_MAX;
	b->workers = calloc(n, sizeof(*b->workers));
	if (!b->workers)
		return -ENOMEM;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	for (unsigned int i = 0; i < n && r == 0; i++)
		r = start_worker(b, &b->workers[i]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return r;
}

/* ---- the device ---- */

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	pthread_cond_signal(&blk_of(v)->work);
}

static int activate(struct vmm_virtio *v)
{
	struct vmm_vblk *b = blk_of(v);

	if (b->draining)
		return -EBUSY;
	b->is_running = true;
	return 0;
}

/* What is under way is done: it writes to the guest's memory. The lock is free while this waits. */
static void reset(struct vmm_virtio *v)
{
	struct vmm_vblk *b = blk_of(v);

	b->is_running = false;
	b->draining++;
	while (b->in_flight > 0)
		vmm_virtio_wait(v, &b->idle);
	b->draining--;
}

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	memcpy(data, (const uint8_t *)&blk_of(v)->config + offset, len);
}

static void fill_config(struct vmm_vblk *b, unsigned int n_queues)
{
	const struct vblk_file *f = &b->file;

	b->config = (struct virtio_blk_config){
		.capacity = f->size / VBLK_SECTOR,
		.seg_max = VBLK_SEGMENTS,
		.blk_size = f->block,
		.physical_block_exp = (uint8_t)__builtin_ctz(f->physical / f->block),
		.min_io_size = (uint16_t)(f->min_io / f->block),
		.opt_io_size = f->opt_io / f->block,
		.num_queues = (uint16_t)n_queues,
		.max_discard_sectors = VBLK_DISCARD_SECTORS,
		.max_discard_seg = VBLK_RANGES,
		.discard_sector_alignment = f->discard_align / VBLK_SECTOR,
		.max_write_zeroes_sectors = VBLK_ZEROES_SECTORS,
		.max_write_zeroes_seg = VBLK_RANGES,
		.write_zeroes_may_unmap = f->has_discard,
	};
}

static uint64_t features_of(const struct vblk_file *f, unsigned int n_queues)
{
	uint64_t bits = 1ULL << VIRTIO_BLK_F_SEG_MAX | 1ULL << VIRTIO_BLK_F_BLK_SIZE |
			1ULL << VIRTIO_BLK_F_FLUSH | 1ULL << VIRTIO_BLK_F_TOPOLOGY;

	if (f->is_readonly)
		bits |= 1ULL << VIRTIO_BLK_F_RO;
	else
		bits |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
	if (f->has_discard)
		bits |= 1ULL << VIRTIO_BLK_F_DISCARD;
	if (n_queues > 1)
		bits |= 1ULL << VIRTIO_BLK_F_MQ;
	return bits;
}

static int make_disk(struct vmm_vblk *b, const struct vmm_virtio_env *env, unsigned int slot,
		     unsigned int n_queues, struct cv_error *err)
{
	int r;

	b->ops = (struct vmm_virtio_ops){
		.name = "virtio-blk",
		.id = DEVICE_ID,
		.class_rev = CLASS << 8,
		.features = features_of(&b->file, n_queues),
		.n_queues = n_queues,
		.queue_size = QUEUE_SIZE,
		.config_size = sizeof(b->config),
		.config_read = config_read,
		.activate = activate,
		.queue_ready = queue_ready,
		.reset = reset,
	};
	fill_config(b, n_queues);
	r = vmm_virtio_add(&b->v, &b->ops, env, vmm_slot(slot), n_queues, err);
	if (r < 0)
		return r;
	r = start_workers(b);
	return r < 0 ? cv_fail_errno(err, r, b->id, "cannot start the threads of the disk") : 0;
}

static unsigned int queues_of(const struct vmm_disk *disk)
{
	if (disk->n_queues == 0)
		return 1;
	return disk->n_queues < VMM_DISK_QUEUES_MAX ? disk->n_queues : VMM_DISK_QUEUES_MAX;
}

int vmm_vblk_new(const struct vmm_virtio_env *env, unsigned int slot, const struct vmm_disk *disk,
		 struct vmm_vblk **ret, struct cv_error *err)
{
	_cleanup_close_ int fd = disk->fd;
	struct vmm_vblk *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return cv_fail_errno(err, -ENOMEM, disk->id, "cannot make the disk");
	pthread_cond_init(&b->work, NULL);
	pthread_cond_init(&b->idle, NULL);
	r = vblk_file_open(disk, &b->file, err);
	b->file.fd = TAKE_FD(fd);
	snprintf(b->id, sizeof(b->id), "%s", disk->id);
	b->file.name = b->id;
	r = r ?: make_disk(b, env, slot, queues_of(disk), err);
	if (r < 0) {
		vmm_vblk_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

static void end_workers(struct vmm_vblk *b)
{
	vmm_virtio_lock(&b->v);
	reset(&b->v);
	b->is_ending = true;
	pthread_cond_broadcast(&b->work);
	vmm_virtio_unlock(&b->v);
	for (unsigned int i = 0; i < b->n_workers; i++)
		pthread_join(b->workers[i].thread, NULL);
	free(b->workers);
}

void vmm_vblk_free(struct vmm_vblk *b)
{
	if (b->v.state)
		end_workers(b);
	vmm_virtio_done(&b->v);
	pthread_cond_destroy(&b->idle);
	pthread_cond_destroy(&b->work);
	close(b->file.fd);
	free(b);
}
