// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of routes is given to the kernel as a whole: it is made anew only when a route becomes
 * live whose entry there is not the one it shall have. A masked route keeps its entry and loses its
 * irqfd, so that what is raised stays in the eventfd. */
#include "vmm/core/irq.h"

#include <errno.h>
#include <linux/kvm.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"
#include "vmm/core/vm_call.h"

#define PIC_PINS 16
#define IOAPIC_PINS VMM_GSI_MSI
#define PIN_ENTRIES (PIC_PINS + IOAPIC_PINS)
#define CHIPS 3 /* KVM_IRQCHIP_PIC_MASTER, _PIC_SLAVE, _IOAPIC */

/* Intel SDM volume 3 section 11.11.1: 0xfee, destination in bits 19:12. Bit 4: remappable format. */
#define MSI_BASE 0xfee00000U
#define MSI_BASE_MASK 0xfffffffffff00000ULL
#define MSI_REMAPPABLE (1U << 4)
#define MSI_EXT_SHIFT 5
#define MSI_EXT_MASK 0x7fU

/**
 * struct route - @fd -1: free
 * @msi:       where it goes, when @is_routed
 * @is_routed: it has an entry in the table (in the kernel's after the next flush)
 * @is_live:   its irqfd is assigned
 * @is_wanted: not masked: shall be live
 */
struct route {
	int fd;
	struct vmm_msi msi;
	bool is_routed, is_live, is_wanted;
};

struct vmm_irqs {
	struct vmm_vm_call vm;
	size_t max;			 /* MSI routes */
	struct kvm_irqchip chips[CHIPS]; /* at power-on; when @has_chips */
	bool has_chips;
	pthread_mutex_t lock;
	/* all guarded by @lock */
	struct route *routes;
	size_t n, n_used;
	unsigned int holds;
	bool is_dirty; /* the kernel's table is not this one */
};

/* ---- the table ---- */

static struct kvm_irq_routing_entry pin_entry(unsigned int gsi, uint32_t chip, uint32_t pin)
{
	return (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* GSI 0 to 15 raise both the I/O APIC and the PICs: that of them which the guest uses. */
static size_t fill_pins(struct kvm_irq_routing_entry *e)
{
	size_t n = 0;

	for (unsigned int gsi = 0; gsi < IOAPIC_PINS; gsi++) {
		e[n++] = pin_entry(gsi, KVM_IRQCHIP_IOAPIC, gsi);
		if (gsi < PIC_PINS)
			e[n++] = pin_entry(gsi,
					   gsi < 8 ? KVM_IRQCHIP_PIC_MASTER : KVM_IRQCHIP_PIC_SLAVE,
					   gsi % 8);
	}
	return n;
}

/* api.rst 4.52: with 32-bit APIC ids, bits 31:8 of address_hi are bits 31:8 of the destination. */
static struct kvm_irq_routing_entry msi_entry(size_t route, struct vmm_msi msi)
{
	uint32_t low = (uint32_t)msi.address, high = 0;

	if (!(low & MSI_REMAPPABLE)) {
		high = (low >> MSI_EXT_SHIFT & MSI_EXT_MASK) << 8;
		low &= ~(MSI_EXT_MASK << MSI_EXT_SHIFT);
	}
	return (struct kvm_irq_routing_entry){
		.gsi = VMM_GSI_MSI + (uint32_t)route,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = low, .address_hi = high, .data = msi.data },
	};
}

static int set_table_locked(struct vmm_irqs *q)
{
	_cleanup_free_ struct kvm_irq_routing *table = NULL;
	size_t n;

	table = calloc(1, sizeof(*table) + (PIN_ENTRIES + q->n) * sizeof(table->entries[0]));
	if (!table)
		return -ENOMEM;
	n = fill_pins(table->entries);
	for (size_t i = 0; i < q->n; i++)
		if (q->routes[i].is_routed)
			table->entries[n++] = msi_entry(i, q->routes[i].msi);
	table->nr = (uint32_t)n;
	return vmm_vm_call(&q->vm, KVM_SET_GSI_ROUTING, table);
}

/* ---- eventfds in the kernel ---- */

static int irqfd_locked(struct vmm_irqs *q, const struct route *r, uint32_t flags)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)r->fd,
		.gsi = VMM_GSI_MSI + (uint32_t)(r - q->routes),
		.flags = flags,
	};

	return vmm_vm_call(&q->vm, KVM_IRQFD, &irqfd);
}

/* The kernel looks at the eventfd when it gets it, delivers what waits there and leaves the count, which
 * would look like another one later: it is taken out before, and written again for it to see. */
static int go_live_locked(struct vmm_irqs *q, struct route *r)
{
	uint64_t count = 0;
	bool had_waiting = read(r->fd, &count, sizeof(count)) == sizeof(count);
	int err = irqfd_locked(q, r, 0);

	r->is_live = err >= 0;
	if (had_waiting) {
		count = 1;
		if (write(r->fd, &count, sizeof(count)) < 0)
			err = err < 0 ? err : -EIO;
	}
	return err < 0 ? err : 0;
}

static void mask_locked(struct vmm_irqs *q, struct route *r)
{
	r->is_wanted = false;
	if (r->is_live)
		irqfd_locked(q, r, KVM_IRQFD_FLAG_DEASSIGN);
	r->is_live = false;
}

static int flush_locked(struct vmm_irqs *q)
{
	int first = 0, r;

	if (q->is_dirty) {
		r = set_table_locked(q);
		if (r < 0)
			return r;
		q->is_dirty = false;
	}
	for (size_t i = 0; i < q->n; i++) {
		if (!q->routes[i].is_wanted || q->routes[i].is_live)
			continue;
		r = go_live_locked(q, &q->routes[i]);
		first = first ?: r;
	}
	return first;
}

/* ---- routes ---- */

int vmm_irqs_new_on(const struct vmm_vm_call *vm, unsigned int max_routes, struct vmm_irqs **ret)
{
	struct vmm_irqs *q;

	if (max_routes < PIN_ENTRIES)
		return -EINVAL;
	q = calloc(1, sizeof(*q));
	if (!q)
		return -ENOMEM;
	q->vm = *vm;
	q->max = max_routes - PIN_ENTRIES;
	pthread_mutex_init(&q->lock, NULL);
	*ret = q;
	return 0;
}

int vmm_irqs_new(int vm_fd, unsigned int max_routes, struct vmm_irqs **ret)
{
	const struct vmm_vm_call vm = { .fd = vm_fd };

	return vmm_irqs_new_on(&vm, max_routes, ret);
}

void vmm_irqs_free(struct vmm_irqs *q)
{
	if (!q)
		return;
	for (size_t i = 0; i < q->n; i++)
		if (q->routes[i].fd >= 0)
			close(q->routes[i].fd);
	pthread_mutex_destroy(&q->lock);
	free(q->routes);
	free(q);
}

static int find_free_locked(struct vmm_irqs *q)
{
	struct route *grown;

	for (size_t i = 0; q->n_used < q->n && i < q->n; i++)
		if (q->routes[i].fd < 0)
			return (int)i;
	if (q->n >= q->max)
		return -ENOSPC;
	grown = reallocarray(q->routes, q->n + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	q->routes = grown;
	grown[q->n] = (struct route){ .fd = -1 };
	return (int)q->n++;
}

static int add_locked(struct vmm_irqs *q, int *ret_fd)
{
	int i = find_free_locked(q), fd;

	if (i < 0)
		return i;
	fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	q->routes[i] = (struct route){ .fd = fd };
	q->n_used++;
	*ret_fd = fd;
	return i;
}

int vmm_irq_add(struct vmm_irqs *q, int *ret_fd)
{
	int r;

	pthread_mutex_lock(&q->lock);
	r = add_locked(q, ret_fd);
	pthread_mutex_unlock(&q->lock);
	return r;
}

static struct route *find_locked(struct vmm_irqs *q, int route)
{
	if (route < 0 || (size_t)route >= q->n || q->routes[route].fd < 0)
		return NULL;
	return &q->routes[route];
}

/* Its entry leaves the kernel's table with the next one: nothing raises it any more. */
void vmm_irq_remove(struct vmm_irqs *q, int route)
{
	struct route *r;

	pthread_mutex_lock(&q->lock);
	r = find_locked(q, route);
	if (r) {
		mask_locked(q, r);
		close(r->fd);
		*r = (struct route){ .fd = -1 };
		q->n_used--;
	}
	pthread_mutex_unlock(&q->lock);
}

static int set_locked(struct vmm_irqs *q, struct route *r, const struct vmm_msi *msi)
{
	if (!msi || (msi->address & MSI_BASE_MASK) != MSI_BASE) {
		mask_locked(q, r);
		return msi ? -EINVAL : 0;
	}
	if (!r->is_routed || r->msi.address != msi->address || r->msi.data != msi->data) {
		r->msi = *msi;
		r->is_routed = true;
		q->is_dirty = true;
	}
	r->is_wanted = true;
	return q->holds ? 0 : flush_locked(q);
}

int vmm_irq_set(struct vmm_irqs *q, int route, const struct vmm_msi *msi)
{
	struct route *r;
	int err;

	pthread_mutex_lock(&q->lock);
	r = find_locked(q, route);
	err = r ? set_locked(q, r, msi) : -ENOENT;
	pthread_mutex_unlock(&q->lock);
	return err;
}

void vmm_irq_hold(struct vmm_irqs *q)
{
	pthread_mutex_lock(&q->lock);
	q->holds++;
	pthread_mutex_unlock(&q->lock);
}

int vmm_irq_commit(struct vmm_irqs *q)
{
	int r = 0;

	pthread_mutex_lock(&q->lock);
	if (--q->holds == 0)
		r = flush_locked(q);
	pthread_mutex_unlock(&q->lock);
	return r;
}

bool vmm_irq_pending(struct vmm_irqs *q, int route)
{
	struct pollfd p = { .events = POLLIN };
	struct route *r;
	bool is_pending;

	pthread_mutex_lock(&q->lock);
	r = find_locked(q, route);
	p.fd = r ? r->fd : -1;
	is_pending = r && !r->is_live && poll(&p, 1, 0) == 1 && p.revents & POLLIN;
	pthread_mutex_unlock(&q->lock);
	return is_pending;
}

size_t vmm_irq_count(struct vmm_irqs *q)
{
	size_t n;

	pthread_mutex_lock(&q->lock);
	n = q->n_used;
	pthread_mutex_unlock(&q->lock);
	return n;
}

/* ---- the chips ---- */

int vmm_irqs_save(struct vmm_irqs *q)
{
	int r = 0;

	for (uint32_t i = 0; i < CHIPS && r >= 0; i++) {
		q->chips[i] = (struct kvm_irqchip){ .chip_id = i };
		r = vmm_vm_call(&q->vm, KVM_GET_IRQCHIP, &q->chips[i]);
	}
	q->has_chips = r >= 0;
	return r < 0 ? r : 0;
}

int vmm_irqs_restore(struct vmm_irqs *q)
{
	int r = q->has_chips ? 0 : -ENODATA;

	for (uint32_t i = 0; i < CHIPS && r >= 0; i++) {
		struct kvm_irqchip chip = q->chips[i];

		r = vmm_vm_call(&q->vm, KVM_SET_IRQCHIP, &chip);
	}
	return r < 0 ? r : 0;
}

/* ---- level-triggered lines ---- */

int vmm_irq_line(struct vmm_irqs *q, unsigned int gsi, bool level)
{
	struct kvm_irq_level line = { .irq = gsi, .level = level };
	int r = vmm_vm_call(&q->vm, KVM_IRQ_LINE, &line);

	return r < 0 ? r : 0;
}

int vmm_irq_resample(struct vmm_irqs *q, unsigned int gsi, int trigger_fd, int resample_fd)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)trigger_fd,
		.gsi = gsi,
		.flags = KVM_IRQFD_FLAG_RESAMPLE,
		.resamplefd = (uint32_t)resample_fd,
	};
	int r = vmm_vm_call(&q->vm, KVM_IRQFD, &irqfd);

	return r < 0 ? r : 0;
}

void vmm_irq_unresample(struct vmm_irqs *q, unsigned int gsi, int trigger_fd)
{
	struct kvm_irqfd irqfd = {
		.fd = (uint32_t)trigger_fd,
		.gsi = gsi,
		.flags = KVM_IRQFD_FLAG_DEASSIGN,
	};

	vmm_vm_call(&q->vm, KVM_IRQFD, &irqfd);
}
