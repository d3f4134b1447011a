// SPDX-License-Identifier: GPL-2.0-or-later
/* Entropy (Virtio 1.2 section 5.4). */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#include "base/cleanup.h"
#include "vmm/dev/devices.h"

#define DEVICE_ID 4
#define CLASS 0x00ff00 /* no class of its own */
#define AT_ONCE 256    /* getrandom(2) gives that much at once, never less */

struct vmm_vrng {
	struct vmm_virtio v;
};

static int fill(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *c)
{
	uint8_t data[AT_ONCE];
	uint64_t wanted = c->in_len < AT_ONCE ? c->in_len : AT_ONCE;

	if (getrandom(data, wanted, 0) != (ssize_t)wanted)
		return 0;
	return (int)vmm_chain_write(c, 0, data, wanted);
}

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	vmm_virtio_serve(v, queue, fill);
}

static const struct vmm_virtio_ops ops = {
	.name = "virtio-rng",
	.id = DEVICE_ID,
	.class_rev = CLASS << 8,
	.n_queues = 1,
	.queue_size = 64,
	.queue_ready = queue_ready,
};

int vmm_vrng_new(const struct vmm_virtio_env *env, unsigned int slot, struct vmm_vrng **ret,
		 struct cv_error *err)
{
	struct vmm_vrng *g = calloc(1, sizeof(*g));
	int r;

	if (!g)
		return cv_fail_errno(err, -ENOMEM, ops.name, "cannot make the device");
	r = vmm_virtio_add(&g->v, &ops, env, vmm_slot(slot), 1, err);
	if (r < 0) {
		vmm_vrng_free(g);
		return r;
	}
	*ret = g;
	return 0;
}

void vmm_vrng_free(struct vmm_vrng *g)
{
	vmm_virtio_done(&g->v);
	free(g);
}
