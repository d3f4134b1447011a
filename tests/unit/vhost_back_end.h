/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vhost-user back end in a thread of the test: it keeps what it is told, and answers properly, or once
 * as no back end should. What it keeps may be read when an answer came after it. */
#ifndef CARVE_TESTS_VHOST_BACK_END_H
#define CARVE_TESTS_VHOST_BACK_END_H

#include <pthread.h>

#include "vmm/dev/vhost_user.h"

#define VB_REQUESTS 128
#define VB_RINGS 8

enum vb_fault {
	VB_NONE,
	VB_SHORT,    /* fewer bytes than the answer has */
	VB_HUGE,     /* says that 4 GiB follow */
	VB_OTHER,    /* the answer to another request */
	VB_NO_REPLY, /* without the flag that makes it an answer */
	VB_VERSION,  /* another version */
	VB_FD,	     /* a descriptor with it */
	VB_MANY_FDS, /* more than there is place for */
	VB_HALF,     /* half of the header, then nothing */
	VB_SILENT,   /* nothing */
	VB_HANG_UP,
	VB_REFUSE, /* a proper answer: no */
};

/** struct vb_ring - @kick, @call: owned, -1 */
struct vb_ring {
	unsigned int num, base, enable;
	struct vhost_vring_addr addr;
	int kick, call;
};

/** struct vb_back_end - set before vb_start(): features to stop_num; then what it was told */
struct vb_back_end {
	uint64_t features, protocol, queues;
	uint8_t config[VHOST_USER_CONFIG_MAX];
	enum vb_fault fault;
	uint32_t fault_at;	       /* enum vhost_user_request */
	uint32_t stop_index, stop_num; /* GET_VRING_BASE: added to the ring, and where it stopped */

	uint32_t requests[VB_REQUESTS];
	size_t n_requests;
	uint64_t set_features, set_protocol;
	struct vhost_user_memory memory;
	int memory_fds[VHOST_USER_REGIONS_MAX];
	size_t n_memory_fds;
	struct vb_ring rings[VB_RINGS];
	int fd;
	pthread_t thread;
};

/** vb_start() - Return: the front end's socket; its owner closes it, and the thread ends. */
int vb_start(struct vb_back_end *b);
/** vb_hang_up() - it says nothing any more. */
void vb_hang_up(struct vb_back_end *b);
/** vb_join() - after the front end has hung up, or the back end did. */
void vb_join(struct vb_back_end *b);

#endif
