// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts of a passed-through function. VFIO has one kind at a time: INTx until the guest turns on MSI
 * or MSI-X (<linux/vfio.h>, VFIO_DEVICE_SET_IRQS). */
#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/vfio_parts.h"

/* ---- INTx ---- */

static void line_off(struct vmm_vfio_device *v)
{
	struct pass_line *l = &v->line;

	if (!l->is_on)
		return;
	(void)vx_irq_set(&v->vx, VFIO_PCI_INTX_IRQ_INDEX, 0, NULL, 0);
	vmm_irq_unresample(v->env.irqs, l->gsi, l->trigger);
	close(l->trigger);
	close(l->unmask);
	l->trigger = l->unmask = -1;
	l->is_on = false;
}

static int start_line(struct vmm_vfio_device *v)
{
	struct pass_line *l = &v->line;
	int r = vmm_irq_resample(v->env.irqs, l->gsi, l->trigger, l->unmask);

	if (r < 0)
		return r;
	r = vx_irq_set(&v->vx, VFIO_PCI_INTX_IRQ_INDEX, 0, &l->trigger, 1);
	if (r == 0)
		r = vx_irq_unmask_fd(&v->vx, l->unmask);
	if (r < 0) {
		(void)vx_irq_set(&v->vx, VFIO_PCI_INTX_IRQ_INDEX, 0, NULL, 0);
		vmm_irq_unresample(v->env.irqs, l->gsi, l->trigger);
	}
	return r;
}

/* The line is raised by the device, lowered by the guest's EOI, and only then unmasked in the device. */
static void line_on(struct vmm_vfio_device *v)
{
	struct pass_line *l = &v->line;
	uint8_t pin = v->function.config[PCI_INTERRUPT_PIN];
	int r;

	if (l->is_on || v->vx.n_irqs[VFIO_PCI_INTX_IRQ_INDEX] == 0 || pin == 0)
		return;
	l->gsi = vmm_pci_intx_gsi(v->env.pci, &v->function, pin);
	l->trigger = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	l->unmask = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = l->trigger < 0 || l->unmask < 0 ? -EMFILE : start_line(v);
	l->is_on = r == 0;
	if (r == 0)
		return;
	vmm_log_of(&v->log, "%s: no INTx: %s", v->name, strerror(-r));
	cv_cleanup_close(&l->trigger);
	cv_cleanup_close(&l->unmask);
	l->trigger = l->unmask = -1;
}

/* ---- MSI ---- */

static struct vmm_msi msi_of(const struct vmm_vfio_device *v)
{
	unsigned int cap = v->caps.msi;
	struct vmm_msi m = { .address = vmm_config_get(&v->function, cap + PCI_MSI_ADDRESS_LO, 4) };

	if (v->caps.msi_is_wide)
		m.address |= (uint64_t)vmm_config_get(&v->function, cap + PCI_MSI_ADDRESS_HI, 4)
			     << 32;
	m.data = vmm_config_get(&v->function,
				cap + (v->caps.msi_is_wide ? PCI_MSI_DATA_64 : PCI_MSI_DATA_32), 2);
	return m;
}

static void msi_off(struct vmm_vfio_device *v)
{
	if (v->msi_route < 0)
		return;
	(void)vx_irq_set(&v->vx, VFIO_PCI_MSI_IRQ_INDEX, 0, NULL, 0);
	vmm_irq_remove(v->env.irqs, v->msi_route);
	v->msi_route = -1;
}

static void msi_on(struct vmm_vfio_device *v)
{
	struct vmm_msi msi = msi_of(v);
	int r = 0;

	if (v->msi_route < 0) {
		line_off(v);
		v->msi_route = vmm_irq_add(v->env.irqs, &v->msi_fd);
		r = v->msi_route < 0 ? v->msi_route
				     : vx_irq_set(&v->vx, VFIO_PCI_MSI_IRQ_INDEX, 0, &v->msi_fd, 1);
	}
	r = r ?: vmm_irq_set(v->env.irqs, v->msi_route, &msi);
	if (r == 0)
		return;
	vmm_log_of(&v->log, "%s: no MSI: %s", v->name, strerror(-r));
	msi_off(v);
	line_on(v);
}

static void msi_written(struct vmm_vfio_device *v)
{
	if (vmm_config_get(&v->function, v->caps.msi + PCI_MSI_FLAGS, 2) & PCI_MSI_FLAGS_ENABLE) {
		msi_on(v);
	} else if (v->msi_route >= 0) {
		msi_off(v);
		line_on(v);
	}
}

/* ---- MSI-X ---- */

static int *all_fds(const struct vmm_vfio_device *v, unsigned int n)
{
	int *fds = calloc(n, sizeof(*fds));

	for (unsigned int i = 0; fds && i < n; i++)
		fds[i] = v->msix.entries[i].fd;
	return fds;
}

/* One more vector. A device, or a kernel before 6.5, that cannot add one while others are on is stopped and
 * started again with more; with as many as before, if that cannot be had. */
static int grow(struct vmm_vfio_device *v, unsigned int vector, int fd)
{
	_cleanup_free_ int *fds = all_fds(v, vector + 1);
	int r = vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, vector, &fd, 1);

	if (r < 0 && fds) {
		fds[vector] = fd;
		(void)vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0);
		r = vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, vector + 1);
		if (r < 0 && v->n_vectors > 0 &&
		    vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, v->n_vectors) < 0)
			v->n_vectors = 0;
	}
	if (r == 0)
		v->n_vectors = vector + 1;
	return r;
}

static int vector_changed(void *ctx, unsigned int vector, int fd)
{
	struct vmm_vfio_device *v = ctx;
	int r;

	if (!v->msix_is_on)
		return 0; /* told as a whole when it is turned on */
	if (vector < v->n_vectors)
		return vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, vector, &fd, 1);
	if (fd < 0)
		return 0;
	r = grow(v, vector, fd);
	if (r < 0)
		vmm_log_of(&v->log, "%s: MSI-X vector %u: %s", v->name, vector, strerror(-r));
	return r;
}

static void msix_on(struct vmm_vfio_device *v)
{
	_cleanup_free_ int *fds = NULL;
	unsigned int n = 1;
	int r;

	line_off(v);
	for (unsigned int i = 0; i < v->msix.n; i++)
		if (v->msix.entries[i].fd >= 0)
			n = i + 1;
	fds = all_fds(v, n);
	r = fds ? vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, fds, n) : -ENOMEM;
	v->n_vectors = r == 0 ? n : 0;
	v->msix_is_on = true;
	if (r < 0)
		vmm_log_of(&v->log, "%s: no MSI-X: %s", v->name, strerror(-r));
}

static void msix_off(struct vmm_vfio_device *v)
{
	(void)vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0);
	v->msix_is_on = false;
	v->n_vectors = 0;
	line_on(v);
}

/* On before vectors get their descriptors, off after they lost them. */
static void msix_written(struct vmm_vfio_device *v, uint16_t offset, unsigned int len)
{
	bool wanted = vmm_config_get(&v->function, v->caps.msix + PCI_MSIX_FLAGS, 2) &
		      PCI_MSIX_FLAGS_ENABLE;

	if (wanted && !v->msix_is_on)
		msix_on(v);
	vmm_msix_config_written(&v->msix, offset, len);
	if (!wanted && v->msix_is_on)
		msix_off(v);
}

void vmm_pass_irq_config_written(struct vmm_vfio_device *v, uint16_t offset, unsigned int len)
{
	uint8_t msi = v->caps.msi, msix = v->caps.msix;

	if (v->has_msix && offset + len > msix && offset < msix + PCI_CAP_MSIX_SIZEOF)
		msix_written(v, offset, len);
	if (msi && offset + len > msi && offset < msi + 24)
		msi_written(v);
}

/* ---- beginning and end ---- */

static int init_msix(struct vmm_vfio_device *v, struct cv_error *err)
{
	unsigned int cap = v->caps.msix, n = v->vx.n_irqs[VFIO_PCI_MSIX_IRQ_INDEX];
	uint32_t table = vmm_config_get(&v->function, cap + PCI_MSIX_TABLE, 4);
	uint32_t pba = vmm_config_get(&v->function, cap + PCI_MSIX_PBA, 4);
	int r;

	if (!cap || n == 0)
		return 0;
	r = vmm_msix_init(&v->msix, &v->function, v->env.irqs, n, table & PCI_MSIX_TABLE_BIR,
			  table & PCI_MSIX_TABLE_OFFSET, pba & PCI_MSIX_PBA_BIR,
			  pba & PCI_MSIX_PBA_OFFSET, (int)cap);
	if (r < 0)
		return cv_fail_errno(err, r, v->name, "its MSI-X table cannot be shown to a guest");
	v->msix.changed = vector_changed;
	v->msix.ctx = v;
	v->has_msix = true;
	return 0;
}

/* Error and request: the host has lost the device, or wants it back. */
static void on_error(void *ctx, uint32_t events)
{
	struct vmm_vfio_device *v = ctx;
	uint64_t n;

	if (read(v->error.fd, &n, sizeof(n)) > 0)
		v->env.gone(v->env.ctx, v->plan->id, "an error that the device cannot correct");
}

static void on_request(void *ctx, uint32_t events)
{
	struct vmm_vfio_device *v = ctx;
	uint64_t n;

	if (read(v->request.fd, &n, sizeof(n)) > 0)
		v->env.wanted(v->env.ctx, v, v->plan->id);
}

static void watch(struct vmm_vfio_device *v, unsigned int irq, struct vmm_watch *w,
		  void (*ready)(void *ctx, uint32_t events))
{
	*w = (struct vmm_watch){ -1, 1 /* EPOLLIN */, ready, v };
	if (v->vx.n_irqs[irq] == 0)
		return;
	w->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->fd >= 0 && vx_irq_set(&v->vx, irq, 0, &w->fd, 1) == 0 &&
	    vmm_loop_add(v->env.loop, w) == 0)
		return;
	vmm_log_of(&v->log, "%s: the host cannot tell about errors", v->name);
	cv_cleanup_close(&w->fd);
	w->fd = -1;
}

static void unwatch(struct vmm_vfio_device *v, unsigned int irq, struct vmm_watch *w)
{
	if (w->fd < 0)
		return;
	(void)vx_irq_set(&v->vx, irq, 0, NULL, 0);
	vmm_loop_remove(v->env.loop, w);
	close(w->fd);
	w->fd = -1;
}

int vmm_pass_irq_init(struct vmm_vfio_device *v, struct cv_error *err)
{
	int r = init_msix(v, err);

	if (r < 0)
		return r;
	watch(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error, on_error);
	watch(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request, on_request);
	return 0;
}

void vmm_pass_irq_start(struct vmm_vfio_device *v)
{
	line_on(v);
}

void vmm_pass_irq_reset(struct vmm_vfio_device *v)
{
	if (v->has_msix) {
		vmm_msix_reset(&v->msix);
		if (v->msix_is_on)
			msix_off(v);
	}
	msi_off(v);
	line_on(v);
}

void vmm_pass_irq_done(struct vmm_vfio_device *v)
{
	if (v->has_msix && v->msix_is_on)
		(void)vx_irq_set(&v->vx, VFIO_PCI_MSIX_IRQ_INDEX, 0, NULL, 0);
	v->msix_is_on = false;
	if (v->has_msix)
		vmm_msix_done(&v->msix);
	msi_off(v);
	line_off(v);
	unwatch(v, VFIO_PCI_REQ_IRQ_INDEX, &v->request);
	unwatch(v, VFIO_PCI_ERR_IRQ_INDEX, &v->error);
}
