// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile guest and its virtqueues. First the rings alone: whatever is in memory, each buffer that
 * comes out lies in one piece of RAM. Then devices behind their registers: any accesses, any rings. The
 * pieces are heap blocks, so that a byte outside of them is an error. */
#include <linux/virtio_blk.h>
#include <linux/virtio_pci.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/virtio_guest.h"
#include "vmm/dev/devices.h"
#include "vmm/dev/virtio_blk.h"

#define PIECE 0x2000ULL
#define BASE 0x1000ULL /* two pieces that touch, a third one apart */
#define APART 0x10000ULL
#define PIECES 3
#define POPS 16
#define DISK 0x8000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/** struct input - what is left of it */
struct input {
	const uint8_t *data;
	size_t size;
};

static uint64_t take(struct input *in, size_t len)
{
	uint64_t value = 0;

	len = len < in->size ? len : in->size;
	memcpy(&value, in->data, len);
	in->data += len;
	in->size -= len;
	return value;
}

/* ---- the rings alone ---- */

static bool is_in_ram(const struct vmm_memory *m, const struct iovec *v)
{
	const uint8_t *at = v->iov_base;

	for (size_t i = 0; i < m->n; i++)
		if (at >= m->rams[i].host && v->iov_len <= m->rams[i].size &&
		    at - m->rams[i].host <= (ptrdiff_t)(m->rams[i].size - v->iov_len))
			return true;
	return false;
}

static void judge(const struct vmm_memory *m, const struct vmm_chain *c)
{
	uint64_t out = 0, in = 0;

	need(c->n_out + c->n_in <= VMM_CHAIN_MAX);
	for (unsigned int i = 0; i < c->n_out + c->n_in; i++) {
		need(c->iov[i].iov_len > 0 && is_in_ram(m, &c->iov[i]));
		*(i < c->n_out ? &out : &in) += c->iov[i].iov_len;
	}
	need(out == c->out_len && in == c->in_len);
}

static void use(struct vmm_queue *q, const struct vmm_chain *c, uint8_t how)
{
	uint8_t data[512] = { how };
	uint64_t at = c->out_len > 100 ? c->out_len - 100 : 0;

	need(vmm_chain_read(c, at, data, sizeof(data)) == c->out_len - at);
	at = c->in_len > 100 ? c->in_len - 100 : 0;
	need(vmm_chain_write(c, at, data, sizeof(data)) == c->in_len - at);
	if (how & 1) {
		vmm_queue_unpop(q);
		q->next_avail++;
	}
	vmm_queue_push(q, c->head, how);
	vmm_queue_wants_irq(q);
	vmm_queue_want_kick(q, how & 2);
}

/* As the guest could have done: without it few headers are one. */
static void put_header(const struct vmm_chain *c, struct input *in)
{
	static const uint32_t types[] = { VIRTIO_BLK_T_IN,	     VIRTIO_BLK_T_OUT,
					  VIRTIO_BLK_T_FLUSH,	     VIRTIO_BLK_T_GET_ID,
					  VIRTIO_BLK_T_DISCARD,	     VIRTIO_BLK_T_DISCARD,
					  VIRTIO_BLK_T_WRITE_ZEROES, 99 };
	struct virtio_blk_outhdr h = { .type = types[take(in, 1) % 8] };
	struct vmm_chain out = *c;

	h.sector = take(in, 1);
	out.n_in = out.n_out;
	out.n_out = 0;
	vmm_chain_write(&out, 0, &h, sizeof(h));
	h.type = (uint32_t)take(in, 1); /* a range: sector, number, flags */
	if (h.type & 1)
		vmm_chain_write(&out, sizeof(h), &(uint64_t[]){ h.sector, h.type & 62 }, 16);
}

/* The same requests to a disk: its file keeps its size, the last byte is the status. */
static void use_disk(const struct vmm_chain *c, uint8_t how)
{
	static struct vblk_file file = { .name = "disk", .fd = -1, .size = DISK, .block = 512 };
	const struct iovec *last;
	struct stat st;
	int64_t n;

	if (file.fd < 0)
		file.fd = memfd_create("disk", MFD_CLOEXEC);
	file.is_readonly = how & 4;
	file.has_discard = how & 8;
	need(file.fd >= 0 && ftruncate(file.fd, how & 16 ? DISK / 2 : DISK) == 0);
	n = vblk_file_do(&file, c, how & 32);
	need(c->in_len == 0 ? n < 0 : n > 0 && (uint64_t)n <= c->in_len);
	last = n > 0 ? &c->iov[c->n_out + c->n_in - 1] : NULL;
	if (last)
		need(((const uint8_t *)last->iov_base)[last->iov_len - 1] <= VIRTIO_BLK_S_UNSUPP);
	need(fstat(file.fd, &st) == 0 && st.st_size == (how & 16 ? DISK / 2 : DISK));
}

/* The rest of the input is what is in memory, again and again. */
static void fill_memory(struct vmm_memory *m, const struct input *in)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n && in->size > 0; i++)
		for (size_t k = 0; k < m->rams[i].size; k++)
			m->rams[i].host[k] = in->data[n++ % in->size];
}

static void fuzz_rings(struct input *in)
{
	static const uint64_t starts[PIECES] = { BASE, BASE + PIECE, APART };
	struct vmm_ram rams[PIECES];
	struct vmm_memory memory = { .rams = rams, .n = PIECES };
	struct vmm_queue q = { .memory = &memory };
	static struct vmm_chain chain;
	uint8_t how;

	for (size_t i = 0; i < PIECES; i++)
		rams[i] = (struct vmm_ram){ starts[i], PIECE, malloc(PIECE), 0, -1, 0 };
	q.size = (uint16_t)(1U << take(in, 1) % 10);
	q.desc = take(in, 2) << 4;
	q.avail = take(in, 2) << 1;
	q.used = take(in, 2) << 2;
	q.has_event_idx = take(in, 1) & 1;
	how = (uint8_t)take(in, 1);
	fill_memory(&memory, in);
	if (vmm_queue_enable(&q) == 0) {
		/* the index of memory is far off more often than not */
		memcpy(&q.next_avail, (const uint8_t *)q.avail_at + 2, sizeof(q.next_avail));
		q.next_avail = (uint16_t)(q.next_avail - how % POPS);
		for (unsigned int i = 0; i < POPS && vmm_queue_pop(&q, &chain) == 1; i++) {
			judge(&memory, &chain);
			use(&q, &chain, how);
			put_header(&chain, in);
			use_disk(&chain, how);
		}
	}
	for (size_t i = 0; i < PIECES; i++)
		free(rams[i].host);
}

/* ---- devices ---- */

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	return 0;
}

static void do_memory(struct virtio_guest *g, struct input *in)
{
	uint8_t len = (uint8_t)take(in, 1), part[256];
	uint64_t at = take(in, 3) % (VG_RAM - 256);

	for (size_t i = 0; i < len; i++)
		part[i] = (uint8_t)take(in, 1);
	vg_put(g, at, part, len);
}

static void do_register(struct virtio_guest *g, struct input *in)
{
	uint64_t at = take(in, 2) & 0x7fff;
	unsigned int len = 1U << take(in, 1) % 4;
	bool is_write = take(in, 1) & 1;
	uint64_t value = is_write ? take(in, len) : 0;

	vmm_bus_access(&g->mmio, g->bar + at, &value, len, is_write);
}

static void do_config(struct virtio_guest *g, struct input *in)
{
	unsigned int at = 0x40 + (unsigned int)take(in, 1) % 0xbd;

	vg_config_write(g, at, 1, (uint32_t)take(in, 1));
	vg_config_read(g, at & ~3U, 4);
}

/* A driver that means it, as far as the input lets it. */
static void do_start(struct virtio_guest *g, struct input *in)
{
	uint64_t features = vg_features(g);

	vg_negotiate(g, take(in, 1) & 1 ? features : features & ~(1ULL << VIRTIO_RING_F_EVENT_IDX));
	for (unsigned int i = 0; i < 8; i++)
		vg_make_queue(g, i, 16, (uint16_t)i);
	vg_ready(g);
}

static void do_request(struct virtio_guest *g, struct input *in)
{
	unsigned int queue = (unsigned int)take(in, 1) % 8, n = 1 + (unsigned int)take(in, 1) % 4;
	struct vring_desc d[4];

	if (g->queues[queue].size == 0)
		return;
	for (unsigned int i = 0; i < n; i++) {
		d[i] = (struct vring_desc){ .addr = take(in, 3), .len = (uint32_t)take(in, 2) };
		d[i].flags = take(in, 1) & 1 ? VRING_DESC_F_WRITE : 0;
	}
	vg_add(g, queue, d, n);
	vg_kick(g, queue);
}

/* The other side of a stream: mostly frames, in parts; it may send anything, or nothing any more. */
static void do_peer(int fd, struct input *in)
{
	uint8_t len = (uint8_t)take(in, 1), how = (uint8_t)take(in, 1), part[4 + 256] = { 0 };

	if (how & 1)
		part[3] = len;
	for (size_t i = 0; i < len; i++)
		part[how & 1 ? 4 + i : i] = (uint8_t)take(in, 1);
	(void)!send(fd, part, len + (how & 1 ? 4U : 0U), MSG_DONTWAIT | MSG_NOSIGNAL);
	while (how & 2 && recv(fd, part, sizeof(part), MSG_DONTWAIT) > 0)
		continue;
	if (how == 0xfc)
		shutdown(fd, SHUT_RDWR);
}

static void act(struct virtio_guest *g, struct input *in, int peer)
{
	switch (take(in, 1) % (peer < 0 ? 8 : 9)) {
	case 0:
		return do_memory(g, in);
	case 1:
	case 2:
		return do_register(g, in);
	case 3:
		return do_config(g, in);
	case 4:
		return do_start(g, in);
	case 5:
	case 6:
		return do_request(g, in);
	case 7:
		vg_kick(g, (unsigned int)take(in, 1) % 8);
		return vg_run(g);
	case 8:
		return do_peer(peer, in);
	}
}

static const struct vmm_vm_call vm = { .fd = -1, .call = answer };

static void act_all(struct virtio_guest *g, struct input *in, unsigned int slot, int peer)
{
	vg_probe(g, slot);
	while (in->size > 0)
		act(g, in, peer);
	vg_run(g);
}

static void fuzz_device(struct input *in, bool is_console)
{
	static const struct vmm_vport ports[] = { { "", true, -1, -1 }, { "a", false, -1, -1 } };
	static struct virtio_guest g;
	struct vmm_vconsole *console = NULL;
	struct vmm_vrng *rng = NULL;

	vg_init(&g, &vm);
	need((is_console ? vmm_vconsole_new(&g.env, 1, ports, 2, &console, &g.err)
			 : vmm_vrng_new(&g.env, 1, &rng, &g.err)) == 0);
	act_all(&g, in, 1, -1);
	if (console)
		vmm_vconsole_free(console);
	if (rng)
		vmm_vrng_free(rng);
	vg_done(&g);
}

static void fuzz_stream(struct input *in)
{
	static struct plan p = { .n_nets = 1 };
	static struct virtio_guest g;
	struct plan_link link = { .id = "a", .n = 1 };
	struct vmm_nets *nets = NULL;
	int fds[2];

	need(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
	link.fds[0] = fds[0];
	p.nets[0] = (struct plan_net){ .id = "a", .mac = "02:00:00:00:00:01", .queues = 1 };
	p.nets[0].kind = PLAN_NET_PASST;
	p.nets[0].guest = vmm_slot(PLAN_NET_SLOT);
	vg_init(&g, &vm);
	need(vmm_nets_new(&g.env, &p, &link, 1, &nets, &g.err) == 0);
	act_all(&g, in, PLAN_NET_SLOT, fds[1]);
	vmm_nets_free(nets);
	vg_done(&g);
	close(fds[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	uint8_t what = (uint8_t)take(&in, 1);

	if (what & 1)
		fuzz_rings(&in);
	else if (what & 4)
		fuzz_stream(&in);
	else
		fuzz_device(&in, what & 2);
	return 0;
}
