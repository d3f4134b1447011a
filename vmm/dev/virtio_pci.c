// SPDX-License-Identifier: GPL-2.0-or-later
/* A virtio device as a PCI function (Virtio 1.2 section 4.1). */
#include "vmm/dev/virtio_pci.h"

#include <errno.h>
#include <linux/kvm.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/core/vm_call.h"

#define VENDOR 0x1af4
#define DEVICE_BASE 0x1040 /* plus the virtio device id */
#define CAP_VENDOR 0x09
#define REVISION 1

void vmm_virtio_lock(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->state->lock);
}

void vmm_virtio_unlock(struct vmm_virtio *v)
{
	pthread_mutex_unlock(&v->state->lock);
}

void vmm_virtio_wait(struct vmm_virtio *v, pthread_cond_t *cond)
{
	pthread_cond_wait(cond, &v->state->lock);
}

/* ---- telling the guest ---- */

void vmm_virtio_notify(struct vmm_virtio *v, unsigned int queue)
{
	if (vmm_queue_wants_irq(&v->queues[queue]) && v->vectors[queue] <= v->n_queues)
		vmm_msix_raise(&v->msix, v->vectors[queue]);
}

void vmm_virtio_config_changed(struct vmm_virtio *v)
{
	v->state->generation++;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK && v->state->config_vector <= v->n_queues)
		vmm_msix_raise(&v->msix, v->state->config_vector);
}

void vmm_virtio_broken(struct vmm_virtio *v, const char *why)
{
	if (v->status & VIRTIO_CONFIG_S_NEEDS_RESET)
		return;
	vmm_log("%s: stopped until the guest resets it: %s", v->ops->name, why);
	for (unsigned int i = 0; i < v->n_queues; i++)
		v->queues[i].is_enabled = false;
	v->state->is_active = false;
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	vmm_virtio_config_changed(v);
}

/* ---- requests ---- */

void vmm_virtio_kick(struct vmm_virtio *v, unsigned int queue)
{
	uint64_t one = 1;

	if (write(v->state->kicks[queue].watch.fd, &one, sizeof(one)) < 0)
		return; /* full: it is ringing */
}

/* Return: 1 to go on, 0 when the device takes no more now. */
static int serve_one(struct vmm_virtio *v, unsigned int queue, const struct vmm_chain *c,
		     int (*serve)(struct vmm_virtio *v, unsigned int queue,
				  const struct vmm_chain *c))
{
	struct vmm_queue *q = &v->queues[queue];
	int n = serve(v, queue, c);

	if (n == -EAGAIN) {
		vmm_queue_unpop(q);
		vmm_queue_want_kick(q, false);
		return 0;
	}
	vmm_queue_push(q, c->head, n > 0 ? (uint32_t)n : 0);
	return 1;
}

void vmm_virtio_serve(struct vmm_virtio *v, unsigned int queue,
		      int (*serve)(struct vmm_virtio *v, unsigned int queue,
				   const struct vmm_chain *c))
{
	struct vmm_queue *q = &v->queues[queue];
	struct vmm_chain chain;
	int r = v->state->is_active;

	for (unsigned int left = q->size; r == 1 && left > 0; left--) {
		r = vmm_queue_pop(q, &chain);
		if (r == 1)
			r = serve_one(v, queue, &chain, serve);
		else if (r == 0)
			r = vmm_queue_want_kick(q, true);
	}
	if (r < 0) {
		vmm_virtio_broken(v, "a request that breaks the rules");
		return;
	}
	if (r == 1)
		vmm_virtio_kick(v, queue);
	vmm_virtio_notify(v, queue);
}

/* ---- doorbells ---- */

static void on_kick(void *ctx, uint32_t events)
{
	struct vmm_kick *k = ctx;
	struct vmm_virtio *v = k->v;
	uint64_t n;

	vmm_virtio_lock(v);
	if (!k->is_handed_over && read(k->watch.fd, &n, sizeof(n)) == sizeof(n) &&
	    v->state->is_active && v->queues[k->queue].is_enabled && v->ops->queue_ready)
		v->ops->queue_ready(v, k->queue);
	vmm_virtio_unlock(v);
}

static int set_doorbell(struct vmm_virtio *v, unsigned int queue, uint64_t bar, bool is_on)
{
	struct vmm_vm_call vm = { .fd = v->env.vm_fd };
	struct kvm_ioeventfd e = {
		.addr = bar + VIRTIO_AT_NOTIFY + (uint64_t)queue * VIRTIO_NOTIFY_STEP,
		.len = 2,
		.fd = v->state->kicks[queue].watch.fd,
		.flags = is_on ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	return v->env.vm_fd < 0 ? 0 : vmm_vm_call(&vm, KVM_IOEVENTFD, &e);
}

/* Without doorbells of the kernel's the registers are trapped: slower, and right. */
static int on_bar_map(void *ctx, unsigned int bar, uint64_t address)
{
	struct vmm_virtio *v = ctx;

	if (bar != 0)
		return 0;
	for (unsigned int i = 0; i < v->n_queues; i++)
		(void)set_doorbell(v, i, address, true);
	v->state->bar_at = address;
	v->state->has_doorbells = true;
	return 0;
}

static void on_bar_unmap(void *ctx, unsigned int bar, uint64_t address)
{
	struct vmm_virtio *v = ctx;

	if (bar != 0 || !v->state->has_doorbells)
		return;
	for (unsigned int i = 0; i < v->n_queues; i++)
		(void)set_doorbell(v, i, address, false);
	v->state->has_doorbells = false;
}

/* ---- queues of others ---- */

/* The doorbell's eventfd stays what it is, with doorbells of the kernel's or without: only who reads it
 * changes. */
int vmm_virtio_hand_over(struct vmm_virtio *v, unsigned int queue, struct vmm_virtio_ring *ret)
{
	const struct vmm_queue *q = &v->queues[queue];
	struct vmm_kick *k = &v->state->kicks[queue];
	int r;

	if (queue >= v->n_queues || !q->is_enabled || k->is_handed_over)
		return -EINVAL;
	r = vmm_msix_source_add(&v->msix, &k->call, v->vectors[queue]);
	if (r < 0)
		return r;
	vmm_loop_suspend(v->env.loop, &k->watch);
	k->is_handed_over = true;
	vmm_virtio_kick(v, queue);
	*ret = (struct vmm_virtio_ring){
		.desc = q->desc,
		.avail = q->avail,
		.used = q->used,
		.size = q->size,
		.next = q->next_avail,
		.kick_fd = k->watch.fd,
		.call_fd = k->call.fd,
	};
	return 0;
}

void vmm_virtio_take_back(struct vmm_virtio *v, unsigned int queue, uint16_t next)
{
	struct vmm_kick *k = &v->state->kicks[queue];
	int r;

	if (!k->is_handed_over)
		return;
	k->is_handed_over = false;
	vmm_msix_source_remove(&v->msix, &k->call);
	v->queues[queue].next_avail = next;
	r = vmm_loop_add(v->env.loop, &k->watch);
	if (r < 0)
		vmm_log("%s: queue %u is not served: %s", v->ops->name, queue, strerror(-r));
}

void vmm_virtio_vector_changed(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_kick *k = &v->state->kicks[queue];

	if (k->is_handed_over)
		vmm_msix_source_move(&v->msix, &k->call, v->vectors[queue]);
}

/* ---- accesses ---- */

static void on_bar_access(void *ctx, unsigned int bar, uint64_t offset, void *data,
			  unsigned int len, bool is_write)
{
	struct vmm_virtio *v = ctx;

	vmm_virtio_lock(v);
	if (!vmm_msix_access(&v->msix, bar, offset, data, len, is_write))
		vmm_virtio_register(v, offset, data, len, is_write);
	vmm_virtio_unlock(v);
}

/* The window into BAR 0 for who cannot map it (section 4.1.4.9). */
static bool window_target(const struct vmm_virtio *v, uint32_t *ret_offset, uint32_t *ret_len)
{
	const uint8_t *cap = &v->function.config[v->state->window];

	memcpy(ret_offset, cap + offsetof(struct virtio_pci_cap, offset), sizeof(*ret_offset));
	memcpy(ret_len, cap + offsetof(struct virtio_pci_cap, length), sizeof(*ret_len));
	return cap[offsetof(struct virtio_pci_cap, bar)] == 0 &&
	       (*ret_len == 1 || *ret_len == 2 || *ret_len == 4) &&
	       *ret_offset <= VIRTIO_BAR_SIZE - *ret_len;
}

static bool is_window(const struct vmm_virtio *v, uint16_t offset)
{
	return offset == v->state->window + sizeof(struct virtio_pci_cap);
}

static void on_config_read(void *ctx, uint16_t offset, unsigned int len, uint32_t *value)
{
	struct vmm_virtio *v = ctx;
	uint32_t at, n;

	if (!is_window(v, offset) || !window_target(v, &at, &n))
		return;
	*value = 0;
	on_bar_access(v, 0, at, value, n, false);
}

static void on_config_write(void *ctx, uint16_t offset, unsigned int len, uint32_t value)
{
	struct vmm_virtio *v = ctx;
	uint32_t at, n;

	if (is_window(v, offset) && window_target(v, &at, &n))
		on_bar_access(v, 0, at, &value, n, true);
	vmm_msix_config_written(&v->msix, offset, len);
}

static void on_reset(void *ctx)
{
	struct vmm_virtio *v = ctx;

	vmm_virtio_lock(v);
	vmm_virtio_reset(v);
	vmm_msix_reset(&v->msix);
	vmm_virtio_unlock(v);
}

static const struct vmm_pci_ops pci_ops = {
	.config_read = on_config_read,
	.config_write = on_config_write,
	.bar_access = on_bar_access,
	.bar_map = on_bar_map,
	.bar_unmap = on_bar_unmap,
	.reset = on_reset,
};

/* ---- making it ---- */

/** struct place - a capability that says where in BAR 0 a part is */
static const struct place {
	uint8_t type;
	uint32_t offset, length;
} places[] = {
	{ VIRTIO_PCI_CAP_COMMON_CFG, VIRTIO_AT_COMMON, sizeof(struct virtio_pci_common_cfg) },
	{ VIRTIO_PCI_CAP_ISR_CFG, VIRTIO_AT_ISR, VIRTIO_PART_SIZE },
	{ VIRTIO_PCI_CAP_DEVICE_CFG, VIRTIO_AT_DEVICE, VIRTIO_PART_SIZE },
	{ VIRTIO_PCI_CAP_NOTIFY_CFG, VIRTIO_AT_NOTIFY, VIRTIO_PART_SIZE },
	{ VIRTIO_PCI_CAP_PCI_CFG, 0, 0 },
};

/** struct cap - the largest of them: two have a word more */
struct cap {
	struct virtio_pci_cap cap;
	uint32_t more;
};

static int add_cap(struct vmm_virtio *v, const struct place *p)
{
	bool has_more = p->type == VIRTIO_PCI_CAP_NOTIFY_CFG || p->type == VIRTIO_PCI_CAP_PCI_CFG;
	uint8_t len = has_more ? sizeof(struct cap) : sizeof(struct virtio_pci_cap);
	struct cap c = {
		.cap = { .cap_vndr = CAP_VENDOR,
			 .cap_len = len,
			 .cfg_type = p->type,
			 .bar = 0,
			 .offset = p->offset,
			 .length = p->length },
		.more = p->type == VIRTIO_PCI_CAP_NOTIFY_CFG ? VIRTIO_NOTIFY_STEP : 0,
	};
	/* without the two bytes of the header, which vmm_pci_add_cap() writes */
	int at = vmm_pci_add_cap(&v->function, CAP_VENDOR, (const uint8_t *)&c + 2, len);

	if (at < 0 || p->type != VIRTIO_PCI_CAP_PCI_CFG)
		return at < 0 ? at : 0;
	v->state->window = (uint8_t)at;
	v->function.mask[at + (int)offsetof(struct virtio_pci_cap, bar)] = 0xff;
	memset(&v->function.mask[at + (int)offsetof(struct virtio_pci_cap, offset)], 0xff, 12);
	return 0;
}

static int add_caps(struct vmm_virtio *v)
{
	int r = vmm_pci_set_bar(&v->function, 0, VMM_BAR_32, VIRTIO_BAR_SIZE);

	for (size_t i = 0; i < CV_ARRAY_SIZE(places) && r == 0; i++)
		r = add_cap(v, &places[i]);
	return r
		       ?: vmm_msix_init(&v->msix, &v->function, v->env.irqs, v->n_queues + 1, 0,
					VIRTIO_AT_MSIX, 0, VIRTIO_AT_PBA, 0);
}

static int add_kicks(struct vmm_virtio *v)
{
	int r = 0;

	for (unsigned int i = 0; i < v->n_queues && r == 0; i++) {
		struct vmm_kick *k = &v->state->kicks[i];

		k->v = v;
		k->queue = i;
		k->watch = (struct vmm_watch){ eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK), EPOLLIN,
					       on_kick, k };
		r = k->watch.fd < 0 ? -errno : vmm_loop_add(v->env.loop, &k->watch);
		k->is_watched = r == 0;
	}
	return r;
}

static int make_state(struct vmm_virtio *v)
{
	v->state = calloc(1, sizeof(*v->state));
	if (!v->state)
		return -ENOMEM;
	v->state->v = v;
	for (unsigned int i = 0; i < VMM_VIRTIO_QUEUES_MAX; i++)
		v->state->kicks[i].watch.fd = -1;
	pthread_mutex_init(&v->state->lock, NULL);
	vmm_virtio_reset(v);
	return 0;
}

int vmm_virtio_add(struct vmm_virtio *v, const struct vmm_virtio_ops *ops,
		   const struct vmm_virtio_env *env, struct cv_bdf at, unsigned int n_queues,
		   struct cv_error *err)
{
	int r;

	v->ops = ops;
	v->env = *env;
	v->n_queues = n_queues <= VMM_VIRTIO_QUEUES_MAX ? n_queues : VMM_VIRTIO_QUEUES_MAX;
	r = make_state(v);
	if (r < 0)
		return cv_fail_errno(err, r, ops->name, "cannot make the device");
	vmm_pci_init_function(&v->function, ops->name, VENDOR, (uint16_t)(DEVICE_BASE + ops->id),
			      ops->class_rev | REVISION);
	v->function.bdf = at;
	v->function.bridge = -1;
	v->function.ops = &pci_ops;
	v->function.ctx = v;
	r = add_caps(v);
	r = r ?: add_kicks(v);
	if (r < 0)
		return cv_fail_errno(err, r, ops->name, "cannot make the device");
	return vmm_pci_add(env->pci, &v->function, err);
}

void vmm_virtio_done(struct vmm_virtio *v)
{
	struct vmm_virtio_state *s = v->state;

	if (!s)
		return;
	vmm_virtio_lock(v);
	vmm_virtio_reset(v);
	vmm_virtio_unlock(v);
	if (s->has_doorbells)
		on_bar_unmap(v, 0, s->bar_at);
	for (unsigned int i = 0; i < v->n_queues; i++) {
		if (s->kicks[i].is_watched)
			vmm_loop_remove(v->env.loop, &s->kicks[i].watch);
		if (s->kicks[i].watch.fd >= 0)
			close(s->kicks[i].watch.fd);
	}
	vmm_msix_done(&v->msix);
	pthread_mutex_destroy(&s->lock);
	free(s);
	v->state = NULL;
}
