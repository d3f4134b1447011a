/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop of the VMM's main thread: one epoll, on the housekeeping cores. */
#ifndef CARVE_VMM_LOOP_H
#define CARVE_VMM_LOOP_H

#include <stdint.h>

struct vmm_loop;

int vmm_loop_new(struct vmm_loop **ret);
void vmm_loop_free(struct vmm_loop *l);

/**
 * struct vmm_watch - one descriptor; owned by who adds it, stays at its address while it is watched
 * @events: EPOLLIN, EPOLLOUT; EPOLLERR and EPOLLHUP are always told
 * @ready:  called in the loop's thread
 */
struct vmm_watch {
	int fd;
	uint32_t events;
	void (*ready)(void *ctx, uint32_t events);
	void *ctx;
};

/**
 * vmm_loop_add(), vmm_loop_change() - Return: 0, -errno.
 * Context: any thread. @w->events is changed by vmm_loop_change() alone.
 */
int vmm_loop_add(struct vmm_loop *l, struct vmm_watch *w);
int vmm_loop_change(struct vmm_loop *l, struct vmm_watch *w, uint32_t events);
/**
 * vmm_loop_remove() - @w is not called any more when it returns; its fd is still open when it is called
 * Context: the loop's thread (also from within any handler, its own too); any thread while nobody runs
 * the loop.
 */
void vmm_loop_remove(struct vmm_loop *l, struct vmm_watch *w);
/**
 * vmm_loop_suspend() - leave its descriptor alone until vmm_loop_add(); a call of @w that is on its way
 * may still come
 * Context: any thread.
 */
void vmm_loop_suspend(struct vmm_loop *l, struct vmm_watch *w);
/**
 * vmm_loop_defer() - call @fn once in the loop's thread, soon. Context: any thread.
 * In the order of the calls; what is left when the loop stops waits for the next vmm_loop_run(), or is
 * dropped by vmm_loop_free().
 * Return: 0, -ENOMEM.
 */
int vmm_loop_defer(struct vmm_loop *l, void (*fn)(void *ctx), void *ctx);
/**
 * vmm_loop_run() - until vmm_loop_stop(); once that was called no further handler is
 * Return: its value; -errno when epoll fails.
 */
int vmm_loop_run(struct vmm_loop *l);
/** vmm_loop_stop() - the first call counts, one before vmm_loop_run() too. Context: any thread. */
void vmm_loop_stop(struct vmm_loop *l, int value);

#endif
