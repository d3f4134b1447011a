// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory and rings as a vhost-user back end must know them: it maps the descriptors of the guest's RAM
 * itself, and finds a ring by where it is in the VMM. */
#include <errno.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "vmm/dev/vhost_user.h"

static struct vhost_user *user_of(struct vmm_vhost *h)
{
	return (struct vhost_user *)(void *)h;
}

/* ---- memory ---- */

int vhost_user_set_memory(struct vmm_vhost *h, const struct vmm_memory *m)
{
	struct vhost_user *u = user_of(h);
	struct vhost_user_memory table = { .n = (uint32_t)m->n };
	int fds[VHOST_USER_REGIONS_MAX], r;
	struct vhost_user_out out = { VHOST_USER_SET_MEM_TABLE, &table, 0, fds,
				      (unsigned int)m->n };

	if (m->n > VHOST_USER_REGIONS_MAX) {
		vmm_log_of(
			&u->h.log,
			"%s: the guest's memory is in %zu pieces, a vhost-user back end takes %d",
			h->name, m->n, VHOST_USER_REGIONS_MAX);
		return -E2BIG;
	}
	for (size_t i = 0; i < m->n; i++) {
		const struct vmm_ram *ram = &m->rams[i];

		table.regions[i] = (struct vhost_user_region){ ram->gpa, ram->size,
							       (uintptr_t)ram->host, ram->offset };
		fds[i] = ram->fd;
	}
	out.size = (uint32_t)(offsetof(struct vhost_user_memory, regions) +
			      m->n * sizeof(table.regions[0]));
	vhost_user_begin(u);
	r = vhost_user_tell(u, &out);
	if (r == 0)
		u->memory = m;
	return r;
}

/* ---- rings ---- */

static int tell_state(struct vhost_user *u, enum vhost_user_request request, unsigned int ring,
		      unsigned int value)
{
	struct vhost_vring_state s = { .index = ring, .num = value };

	return vhost_user_tell(u, &(struct vhost_user_out){ request, &s, sizeof(s), NULL, 0 });
}

static int tell_fd(struct vhost_user *u, enum vhost_user_request request, unsigned int ring, int fd)
{
	uint64_t value = ring; /* bits 0-7: the ring; bit 8: no descriptor */

	return vhost_user_tell(u,
			       &(struct vhost_user_out){ request, &value, sizeof(value), &fd, 1 });
}

static uint64_t user_address(const struct vmm_memory *m, uint64_t gpa, uint64_t len)
{
	return (uintptr_t)vmm_memory_at(m, gpa, len);
}

/* Virtio 1.2 section 2.7: what follows the entries of the rings is one index each. */
static int tell_addresses(struct vhost_user *u, unsigned int ring, const struct vmm_virtio_ring *r)
{
	const struct vmm_memory *m = u->memory;
	struct vhost_vring_addr a = {
		.index = ring,
		.desc_user_addr = user_address(m, r->desc, r->size * sizeof(struct vring_desc)),
		.used_user_addr = user_address(m, r->used,
					       sizeof(struct vring_used) + 2 +
						       r->size * sizeof(struct vring_used_elem)),
		.avail_user_addr = user_address(
			m, r->avail, sizeof(struct vring_avail) + 2 + r->size * sizeof(__virtio16)),
	};

	if (!a.desc_user_addr || !a.used_user_addr || !a.avail_user_addr)
		return -EFAULT;
	return vhost_user_tell(u, &(struct vhost_user_out){ VHOST_USER_SET_VRING_ADDR, &a,
							    sizeof(a), NULL, 0 });
}

/* It runs from the kick on, or when it is enabled. */
int vhost_user_set_ring(struct vmm_vhost *h, unsigned int ring, const struct vmm_virtio_ring *r)
{
	struct vhost_user *u = user_of(h);
	int ret;

	if (!u->memory || ring > UINT8_MAX)
		return -EINVAL;
	vhost_user_begin(u);
	ret = tell_state(u, VHOST_USER_SET_VRING_NUM, ring, r->size);
	ret = ret ?: tell_state(u, VHOST_USER_SET_VRING_BASE, ring, r->next);
	ret = ret ?: tell_addresses(u, ring, r);
	ret = ret ?: tell_fd(u, VHOST_USER_SET_VRING_CALL, ring, r->call_fd);
	ret = ret ?: tell_fd(u, VHOST_USER_SET_VRING_KICK, ring, r->kick_fd);
	if (ret == 0 && u->has_protocol)
		ret = tell_state(u, VHOST_USER_SET_VRING_ENABLE, ring, 1);
	return ret;
}

int vhost_user_stop_ring(struct vmm_vhost *h, unsigned int ring, uint16_t *ret_next)
{
	struct vhost_user *u = user_of(h);
	struct vhost_vring_state s = { .index = ring }, answer = { 0 };
	struct vhost_user_out out = { VHOST_USER_GET_VRING_BASE, &s, sizeof(s), NULL, 0 };
	int r;

	vhost_user_begin(u);
	r = vhost_user_ask(u, &out, &answer, sizeof(answer));
	if (r < 0)
		return r;
	if (answer.index != ring || answer.num > UINT16_MAX) {
		vmm_log("%s: the back end stopped ring %u at request %u; wanted: ring %u, at most %u",
			h->name, answer.index, answer.num, ring, UINT16_MAX);
		return vhost_user_end(u, VHOST_USER_GET_VRING_BASE, -EPROTO);
	}
	*ret_next = (uint16_t)answer.num;
	return 0;
}
