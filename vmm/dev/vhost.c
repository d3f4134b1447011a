// SPDX-License-Identifier: GPL-2.0-or-later
/* Queues on their way to the other side and back: what its kinds share. */
#include "vmm/dev/vhost.h"

#include <errno.h>
#include <string.h>

int vmm_vhost_needs(struct vmm_vhost *h, uint64_t features, uint64_t *ret_offered,
		    struct cv_error *err)
{
	uint64_t offered = 0;
	int r = h->ops->features(h, &offered);

	if (r < 0)
		return cv_fail_errno(err, r, h->name, "what the other side can is not known");
	if (features & ~offered) {
		cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_FEATURE", h->name,
			"who serves the device lacks what the guest is offered");
		cv_error_found(err, "virtio features 0x%llx", (unsigned long long)offered);
		cv_error_wanted(err, "0x%llx among them", (unsigned long long)features);
		cv_error_hint(err, "use a newer kernel, or a newer back end");
		return -EOPNOTSUPP;
	}
	*ret_offered = offered;
	return 0;
}

void vmm_vhost_free(struct vmm_vhost *h)
{
	if (h)
		h->ops->free(h);
}

static int start_ring(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int queue,
		      unsigned int ring)
{
	struct vmm_virtio_ring at;
	int r = vmm_virtio_hand_over(v, queue, &at);

	if (r < 0)
		return r;
	r = h->ops->set_ring(h, ring, &at);
	if (r < 0) {
		vmm_virtio_take_back(v, queue, at.next);
		return r;
	}
	h->running |= 1ULL << ring;
	return 0;
}

int vmm_vhost_start(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int first, unsigned int n,
		    uint64_t features)
{
	int r = h->ops->set_features(h, features);

	r = r ?: h->ops->set_memory(h, v->env.memory);
	for (unsigned int i = 0; i < n && r == 0; i++)
		if (v->queues[first + i].is_enabled)
			r = start_ring(h, v, first + i, i);
	if (r == 0)
		return 0;
	vmm_log_of(&h->log, "%s: its queues cannot be handed over: %s", h->name, strerror(-r));
	vmm_vhost_stop(h, v, first, n);
	return r;
}

static void stop_ring(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int queue,
		      unsigned int ring)
{
	uint16_t next = v->queues[queue].next_avail;
	int r = h->ops->stop_ring(h, ring, &next);

	if (r < 0)
		vmm_log_of(&h->log, "%s: queue %u was not given back: %s", h->name, queue,
			   strerror(-r));
	vmm_virtio_take_back(v, queue, next);
	h->running &= ~(1ULL << ring);
}

void vmm_vhost_stop(struct vmm_vhost *h, struct vmm_virtio *v, unsigned int first, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (h->running & 1ULL << i)
			stop_ring(h, v, first + i, i);
}
