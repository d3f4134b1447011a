// SPDX-License-Identifier: GPL-2.0-or-later
/* The kernel as the other side (linux/vhost.h): its threads reach the guest's memory where the VMM has
 * it. What a ring's data goes to is told by each device. */
#include <errno.h>
#include <linux/vhost.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "vmm/dev/vhost.h"

struct kernel {
	struct vmm_vhost h;
	const struct vmm_memory *memory; /* borrowed; from set_memory on */
};

static struct kernel *kernel_of(struct vmm_vhost *h)
{
	return (struct kernel *)(void *)h;
}

static int call(const struct vmm_vhost *h, unsigned long request, const void *arg)
{
	return ioctl(h->fd, request, arg) < 0 ? -errno : 0;
}

static int get_features(struct vmm_vhost *h, uint64_t *ret)
{
	return ioctl(h->fd, VHOST_GET_FEATURES, ret) < 0 ? -errno : 0;
}

static int set_features(struct vmm_vhost *h, uint64_t features)
{
	return call(h, VHOST_SET_FEATURES, &features);
}

static int set_memory(struct vmm_vhost *h, const struct vmm_memory *m)
{
	_cleanup_free_ struct vhost_memory *table = calloc(
		1, sizeof(*table) + m->n * sizeof(table->regions[0]));

	if (!table)
		return -ENOMEM;
	table->nregions = (uint32_t)m->n;
	for (size_t i = 0; i < m->n; i++)
		table->regions[i] = (struct vhost_memory_region){
			.guest_phys_addr = m->rams[i].gpa,
			.memory_size = m->rams[i].size,
			.userspace_addr = (uintptr_t)m->rams[i].host,
		};
	kernel_of(h)->memory = m;
	return call(h, VHOST_SET_MEM_TABLE, table);
}

/* The queue was enabled: its parts are in memory. */
static int set_addresses(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *r)
{
	const struct vmm_memory *m = kernel_of(h)->memory;
	const struct vhost_vring_addr at = {
		.index = ring,
		.desc_user_addr = (uintptr_t)vmm_memory_at(m, r->desc, 1),
		.avail_user_addr = (uintptr_t)vmm_memory_at(m, r->avail, 1),
		.used_user_addr = (uintptr_t)vmm_memory_at(m, r->used, 1),
	};

	return call(h, VHOST_SET_VRING_ADDR, &at);
}

static int set_events(struct vmm_vhost *h, unsigned int ring, int kick_fd, int call_fd)
{
	const struct vhost_vring_file kick = { ring, kick_fd }, interrupt = { ring, call_fd };
	int r = call(h, VHOST_SET_VRING_CALL, &interrupt);

	return r ?: call(h, VHOST_SET_VRING_KICK, &kick);
}

static int set_ring(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *at)
{
	const struct vhost_vring_state size = { ring, at->size }, base = { ring, at->next };
	int r = call(h, VHOST_SET_VRING_NUM, &size);

	r = r ?: call(h, VHOST_SET_VRING_BASE, &base);
	r = r ?: set_addresses(h, ring, at);
	r = r ?: set_events(h, ring, at->kick_fd, at->call_fd);
	if (r < 0)
		(void)set_events(h, ring, VHOST_FILE_UNBIND, VHOST_FILE_UNBIND);
	return r;
}

/* The device has taken away what the ring's data goes to: nothing moves any more. */
static int stop_ring(struct vmm_vhost *h, unsigned int ring, uint16_t *ret_next)
{
	struct vhost_vring_state base = { .index = ring };
	int r = set_events(h, ring, VHOST_FILE_UNBIND, VHOST_FILE_UNBIND);

	if (ioctl(h->fd, VHOST_GET_VRING_BASE, &base) < 0)
		return r ?: -errno;
	*ret_next = (uint16_t)base.num;
	return r;
}

static void free_kernel(struct vmm_vhost *h)
{
	close(h->fd);
	free(h);
}

static const struct vmm_vhost_ops ops = {
	.features = get_features,
	.set_features = set_features,
	.set_memory = set_memory,
	.set_ring = set_ring,
	.stop_ring = stop_ring,
	.free = free_kernel,
};

int vmm_vhost_kernel_new(const char *name, int fd, struct vmm_vhost **ret, struct cv_error *err)
{
	_cleanup_close_ int owned = fd;
	struct kernel *k;

	if (ioctl(fd, VHOST_SET_OWNER) < 0) {
		int r = -errno;

		cv_fail_errno(err, r, name, "the kernel does not serve the device");
		cv_error_wanted(err, "a descriptor of /dev/vhost-* that nobody else has");
		cv_error_hint(err, "modprobe vhost_net vhost_vsock on the host");
		return r;
	}
	k = calloc(1, sizeof(*k));
	if (!k)
		return cv_fail_errno(err, -ENOMEM, name, "cannot make the device");
	k->h.ops = &ops;
	k->h.fd = TAKE_FD(owned);
	snprintf(k->h.name, sizeof(k->h.name), "%s", name);
	*ret = &k->h;
	return 0;
}
