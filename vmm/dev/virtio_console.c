// SPDX-License-Identifier: GPL-2.0-or-later
/* Consoles and named ports (Virtio 1.2 section 5.3, with several ports). */
#include <errno.h>
#include <linux/virtio_console.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/dev/channel.h"
#include "vmm/dev/devices.h"

#define DEVICE_ID 3
#define CLASS 0x078000 /* communication controller, other */
#define PORTS_MAX 8    /* port 0 is a console's, if there is one */
#define NAME_BYTES 48
#define QUEUE_SIZE 64
#define HELD_MAX 4096	      /* input on its way to the guest */
#define OUTPUT_MAX (1U << 20) /* of one request: what is behind is not looked at */

#define CONTROL_IN 2
#define CONTROL_OUT 3

/**
 * struct port - one; id 0 has queues 0 and 1, id N 2N+2 and 2N+3
 * @tell:   messages that wait for a buffer of the control queue: a bit for each row of @messages
 * @out_at: bytes of the output request at the head of the queue that were taken
 */
struct port {
	struct vmm_vconsole *c;
	unsigned int id;
	bool is_there, is_console, is_ready, is_guest_open;
	char name[NAME_BYTES];
	struct vmm_channel *channel;
	unsigned int tell;
	uint64_t out_at;
	uint8_t held[HELD_MAX];
	size_t held_at, held_len;
};

struct vmm_vconsole {
	struct vmm_virtio v;
	struct port ports[PORTS_MAX];
	unsigned int n_ports; /* the highest id and one */
};

static struct vmm_vconsole *console_of(struct vmm_virtio *v)
{
	return (struct vmm_vconsole *)(void *)((char *)v - offsetof(struct vmm_vconsole, v));
}

static unsigned int in_queue(unsigned int id)
{
	return id == 0 ? 0 : 2 * id + 2;
}

static unsigned int out_queue(unsigned int id)
{
	return in_queue(id) + 1;
}

static struct port *port_of(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_vconsole *c = console_of(v);
	unsigned int id = queue < CONTROL_IN ? 0 : (queue - 2) / 2;

	return id < c->n_ports && c->ports[id].is_there ? &c->ports[id] : NULL;
}

/* ---- control messages to the guest ---- */

enum { TELL_ADD = 1, TELL_CONSOLE = 2, TELL_NAME = 4, TELL_CLOSED = 8, TELL_OPEN = 16 };

/* In the order in which they are sent: one that left and came back is closed first. */
static const struct {
	unsigned int tell;
	uint16_t event, value;
} messages[] = {
	{ TELL_ADD, VIRTIO_CONSOLE_PORT_ADD, 1 },
	{ TELL_CONSOLE, VIRTIO_CONSOLE_CONSOLE_PORT, 1 },
	{ TELL_NAME, VIRTIO_CONSOLE_PORT_NAME, 1 },
	{ TELL_CLOSED, VIRTIO_CONSOLE_PORT_OPEN, 0 },
	{ TELL_OPEN, VIRTIO_CONSOLE_PORT_OPEN, 1 },
};

static struct port *find_message(struct vmm_vconsole *c, size_t *ret_message)
{
	for (unsigned int id = 0; id < c->n_ports; id++)
		for (size_t i = 0; i < CV_ARRAY_SIZE(messages); i++)
			if (c->ports[id].tell & messages[i].tell) {
				*ret_message = i;
				return &c->ports[id];
			}
	return NULL;
}

static void send_message(struct port *p, size_t message, const struct vmm_chain *chain)
{
	const struct virtio_console_control control = {
		.id = p->id,
		.event = messages[message].event,
		.value = messages[message].value,
	};
	size_t n = vmm_chain_write(chain, 0, &control, sizeof(control));

	if (messages[message].tell == TELL_NAME)
		n += vmm_chain_write(chain, n, p->name, strlen(p->name)); /* without NUL */
	vmm_queue_push(&p->c->v.queues[CONTROL_IN], chain->head, (uint32_t)n);
	p->tell &= ~messages[message].tell;
}

static void send_messages(struct vmm_vconsole *c)
{
	struct vmm_queue *q = &c->v.queues[CONTROL_IN];
	struct vmm_chain chain;
	struct port *p;
	size_t message = 0;
	int r = 1;

	while (r == 1 && (p = find_message(c, &message))) {
		r = vmm_queue_pop(q, &chain);
		if (r == 1)
			send_message(p, message, &chain);
		else if (r == 0)
			r = vmm_queue_want_kick(q, true);
	}
	if (r < 0) {
		vmm_virtio_broken(&c->v, "a control buffer that breaks the rules");
		return;
	}
	if (r == 1)
		vmm_queue_want_kick(q, false);
	vmm_virtio_notify(&c->v, CONTROL_IN);
}

/* ---- control messages of the guest ---- */

static void add_ports(struct vmm_vconsole *c)
{
	for (unsigned int id = 0; id < c->n_ports; id++)
		if (c->ports[id].is_there)
			c->ports[id].tell |= TELL_ADD;
}

static void introduce(struct port *p)
{
	p->is_ready = true;
	if (p->is_console)
		p->tell |= TELL_CONSOLE;
	if (p->name[0])
		p->tell |= TELL_NAME;
	if (p->is_console || vmm_channel_is_open(p->channel))
		p->tell |= TELL_OPEN;
}

static void take_message(struct vmm_vconsole *c, const struct virtio_console_control *m)
{
	struct port *p = m->id < c->n_ports && c->ports[m->id].is_there ? &c->ports[m->id] : NULL;

	if (m->event == VIRTIO_CONSOLE_DEVICE_READY && m->value == 1)
		add_ports(c);
	else if (p && m->event == VIRTIO_CONSOLE_PORT_READY && m->value == 1)
		introduce(p);
	else if (p && m->event == VIRTIO_CONSOLE_PORT_OPEN)
		p->is_guest_open = m->value == 1;
	if (p && p->is_guest_open) /* what waits for it is given now */
		vmm_virtio_kick(&c->v, in_queue(p->id));
}

static int serve_control(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *chain)
{
	struct virtio_console_control m;

	if (vmm_chain_read(chain, 0, &m, sizeof(m)) == sizeof(m))
		take_message(console_of(v), &m);
	return 0;
}

/* ---- output ---- */

/* A console never stalls its guest; who talks to a named port gets all of it. */
static int serve_output(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *chain)
{
	struct port *p = port_of(v, queue);
	uint8_t data[1024];
	size_t n;

	while (p->out_at < OUTPUT_MAX &&
	       (n = vmm_chain_read(chain, p->out_at, data, sizeof(data))) > 0) {
		size_t taken = vmm_channel_write(p->channel, data, n, !p->is_console);

		p->out_at += taken;
		if (taken < n)
			return -EAGAIN;
	}
	p->out_at = 0;
	return 0;
}

/* ---- input ---- */

/* A driver without the ports' protocol has one console, that is always open. */
static bool can_take(const struct port *p)
{
	const struct vmm_virtio *v = &p->c->v;

	if (!v->queues[in_queue(p->id)].is_enabled)
		return false;
	return v->features & 1ULL << VIRTIO_CONSOLE_F_MULTIPORT ? p->is_guest_open : p->id == 0;
}

static void give_part(struct port *p, const struct vmm_chain *chain)
{
	size_t n = vmm_chain_write(chain, 0, p->held + p->held_at, p->held_len);

	vmm_queue_push(&p->c->v.queues[in_queue(p->id)], chain->head, (uint32_t)n);
	p->held_at += n;
	p->held_len -= n;
}

/* What the buffers at hand do not hold waits for more of them. */
static void give_input(struct port *p)
{
	struct vmm_virtio *v = &p->c->v;
	struct vmm_queue *q = &v->queues[in_queue(p->id)];
	struct vmm_chain chain;
	int r = 1;

	for (unsigned int left = QUEUE_SIZE; r == 1 && left > 0 && p->held_len > 0; left--) {
		r = vmm_queue_pop(q, &chain);
		if (r == 1)
			give_part(p, &chain);
		else if (r == 0)
			r = vmm_queue_want_kick(q, true);
	}
	if (r < 0) {
		vmm_virtio_broken(v, "an input buffer that breaks the rules");
		return;
	}
	if (r == 1 && p->held_len > 0)
		vmm_virtio_kick(v, in_queue(p->id));
	vmm_virtio_notify(v, in_queue(p->id));
}

static void queue_ready(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_vconsole *c = console_of(v);
	struct port *p = port_of(v, queue);

	if (queue == CONTROL_OUT)
		vmm_virtio_serve(v, queue, serve_control);
	if (queue == CONTROL_IN || queue == CONTROL_OUT)
		return send_messages(c);
	if (!p)
		return;
	if (queue == out_queue(p->id))
		return vmm_virtio_serve(v, queue, serve_output);
	if (p->held_len > 0 && can_take(p))
		give_input(p);
	vmm_channel_has_room(p->channel);
}

/* ---- the client of a port; in the loop's thread, the device is not locked ---- */

/* A page at a time; without a buffer the guest's next kick asks again. */
static size_t on_room(void *ctx)
{
	struct port *p = ctx;
	struct vmm_virtio *v = &p->c->v;
	size_t room = 0;

	vmm_virtio_lock(v);
	if (can_take(p) && p->held_len == 0 &&
	    vmm_queue_want_kick(&v->queues[in_queue(p->id)], true))
		room = HELD_MAX;
	vmm_virtio_unlock(v);
	return room;
}

static void on_input(void *ctx, const uint8_t *data, size_t len)
{
	struct port *p = ctx;

	vmm_virtio_lock(&p->c->v);
	/* the guest may have gone since it was asked for room */
	if (can_take(p) && p->held_len == 0 && len <= HELD_MAX) {
		memcpy(p->held, data, len);
		p->held_at = 0;
		p->held_len = len;
		give_input(p);
	}
	vmm_virtio_unlock(&p->c->v);
}

static void on_open(void *ctx, bool is_open)
{
	struct port *p = ctx;

	vmm_virtio_lock(&p->c->v);
	if (p->is_ready && !p->is_console) {
		p->tell = is_open ? p->tell | TELL_OPEN : (p->tell & ~TELL_OPEN) | TELL_CLOSED;
		send_messages(p->c);
	}
	vmm_virtio_unlock(&p->c->v);
}

static void on_writable(void *ctx)
{
	struct port *p = ctx;

	vmm_virtio_lock(&p->c->v);
	vmm_virtio_serve(&p->c->v, out_queue(p->id), serve_output);
	vmm_virtio_unlock(&p->c->v);
}

static const struct vmm_channel_ops channel_ops = {
	.room = on_room,
	.input = on_input,
	.open = on_open,
	.writable = on_writable,
};

/* ---- the device ---- */

static void config_read(struct vmm_virtio *v, uint32_t offset, void *data, unsigned int len)
{
	struct virtio_console_config config = { .max_nr_ports = console_of(v)->n_ports };

	memcpy(data, (const uint8_t *)&config + offset, len);
}

static void reset(struct vmm_virtio *v)
{
	struct vmm_vconsole *c = console_of(v);

	for (unsigned int i = 0; i < PORTS_MAX; i++) {
		struct port *p = &c->ports[i];

		p->is_ready = p->is_guest_open = false;
		p->tell = 0;
		p->out_at = 0;
		p->held_len = 0;
	}
}

static const struct vmm_virtio_ops ops = {
	.name = "virtio-console",
	.id = DEVICE_ID,
	.class_rev = CLASS << 8,
	.features = 1ULL << VIRTIO_CONSOLE_F_MULTIPORT,
	.n_queues = 2 * PORTS_MAX + 2,
	.queue_size = QUEUE_SIZE,
	.config_size = sizeof(struct virtio_console_config),
	.config_read = config_read,
	.queue_ready = queue_ready,
	.reset = reset,
};

static int add_port(struct vmm_vconsole *c, const struct vmm_vport *from, unsigned int id)
{
	struct port *p = &c->ports[id];
	int r;

	p->c = c;
	p->id = id;
	p->is_console = from->is_console;
	snprintf(p->name, sizeof(p->name), "%.47s", from->name);
	r = vmm_channel_new(c->v.env.loop, from->listen_fd, from->log_fd, &channel_ops, p,
			    &p->channel);
	p->is_there = r == 0;
	return r;
}

/* One console at most, it is port 0. */
static int add_all(struct vmm_vconsole *c, const struct vmm_vport *ports, size_t n,
		   struct cv_error *err)
{
	unsigned int next = 1;
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		unsigned int id = ports[i].is_console ? 0 : next++;

		r = c->ports[id].is_there ? -EEXIST : add_port(c, &ports[i], id);
		if (r < 0)
			cv_fail_errno(err, r, ports[i].name, "cannot make the port");
	}
	return r;
}

int vmm_vconsole_new(const struct vmm_virtio_env *env, unsigned int slot,
		     const struct vmm_vport *ports, size_t n, struct vmm_vconsole **ret,
		     struct cv_error *err)
{
	struct vmm_vconsole *c = calloc(1, sizeof(*c));
	int r;

	if (!c || n >= PORTS_MAX) {
		free(c);
		return cv_fail_errno(err, c ? -E2BIG : -ENOMEM, ops.name, "cannot make the device");
	}
	c->n_ports = (unsigned int)n + 1;
	r = vmm_virtio_add(&c->v, &ops, env, vmm_slot(slot), 2 * c->n_ports + 2, err);
	r = r ?: add_all(c, ports, n, err);
	if (r < 0) {
		vmm_vconsole_free(c);
		return r;
	}
	*ret = c;
	return 0;
}

void vmm_vconsole_free(struct vmm_vconsole *c)
{
	for (unsigned int i = 0; i < PORTS_MAX; i++)
		if (c->ports[i].channel)
			vmm_channel_free(c->ports[i].channel);
	vmm_virtio_done(&c->v);
	free(c);
}
