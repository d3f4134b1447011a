// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/vfio_device.h"

#include <errno.h>
#include <linux/pci_regs.h>
#include <linux/vfio.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/dev/vfio_parts.h"

#define RESET_TRIES 20
#define RESET_PAUSE_MS 10

/* ---- configuration space ---- */

static bool is_live(const struct vmm_vfio_device *v, uint16_t offset)
{
	return vmm_pass_config_access(&v->caps, &v->function, offset) == PASS_LIVE;
}

static void on_config_read(void *ctx, uint16_t offset, unsigned int len, uint32_t *value)
{
	struct vmm_vfio_device *v = ctx;
	uint32_t live = UINT32_MAX;

	if (v->is_gone) {
		*value = UINT32_MAX;
		return;
	}
	if (!is_live(v, offset) && !is_live(v, (uint16_t)(offset + len - 1)))
		return;
	if (vx_region_read(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, offset, &live, len) < 0)
		return;
	for (unsigned int i = 0; i < len; i++) {
		if (!is_live(v, (uint16_t)(offset + i)))
			continue;
		*value &= ~(0xffU << (8 * i));
		*value |= live & 0xffU << (8 * i);
	}
}

static void write_command(struct vmm_vfio_device *v)
{
	uint16_t command = vmm_pci_word(&v->function, PCI_COMMAND);

	(void)vx_region_write(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &command,
			      sizeof(command));
}

static bool is_in_d3hot(const struct vmm_vfio_device *v)
{
	uint16_t control = 0;

	return vx_region_read(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX,
			      (uint64_t)v->caps.pm + PCI_PM_CTRL, &control, sizeof(control)) < 0 ||
	       (control & PCI_PM_CTRL_STATE_MASK) == PASS_D3HOT;
}

/* To sleep: its BARs go first. Awake: they come when it says that it is. */
static void write_live(struct vmm_vfio_device *v, uint16_t offset, unsigned int len, uint32_t value)
{
	unsigned int state = 0;
	bool is_power = vmm_pass_config_power(&v->caps, offset, len, value, &state);

	if (is_power && state == PASS_D3HOT)
		vmm_pass_bars_sleep(v, true);
	(void)vx_region_write(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, offset, &value, len);
	if (is_power)
		vmm_pass_bars_sleep(v, is_in_d3hot(v));
}

/* Only whole accesses to what is live reach the device. */
static void on_config_write(void *ctx, uint16_t offset, unsigned int len, uint32_t value)
{
	struct vmm_vfio_device *v = ctx;

	if (v->is_gone)
		return;
	if (offset < PCI_COMMAND + 2 && offset + len > PCI_COMMAND)
		write_command(v);
	else if (is_live(v, offset) && is_live(v, (uint16_t)(offset + len - 1)))
		write_live(v, offset, len, value);
	vmm_pass_irq_config_written(v, offset, len);
}

/* ---- the rest of a function ---- */

static void on_bar_access(void *ctx, unsigned int bar, uint64_t offset, void *data,
			  unsigned int len, bool is_write)
{
	vmm_pass_bar_access(ctx, bar, offset, data, len, is_write);
}

static int on_bar_map(void *ctx, unsigned int bar, uint64_t address)
{
	return vmm_pass_bar_map(ctx, bar, address);
}

static void on_bar_unmap(void *ctx, unsigned int bar, uint64_t address)
{
	vmm_pass_bar_unmap(ctx, bar, address);
}

/* No DMA and no interrupts from here on, also when it has no reset: a reset keeps what the register had. */
static void silence_device(struct vmm_vfio_device *v)
{
	const uint16_t none = 0;

	(void)vx_region_write(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, PCI_COMMAND, &none,
			      sizeof(none));
}

/* Somebody on the host may have the function's lock for a moment. */
static void reset_device(struct vmm_vfio_device *v)
{
	int r = -EAGAIN;

	silence_device(v);
	for (unsigned int i = 0; r == -EAGAIN && i < RESET_TRIES; i++) {
		r = vx_device_reset(&v->vx);
		if (r == -EAGAIN)
			poll(NULL, 0, RESET_PAUSE_MS);
	}
	if (r < 0 && r != -ENOTTY)
		vmm_log_of(&v->log, "%s: the reset failed: %s", v->name, strerror(-r));
}

/* A vCPU that resets the bus above it meets one that writes its registers. */
static void on_reset(void *ctx)
{
	struct vmm_vfio_device *v = ctx;

	pthread_mutex_lock(&v->function.lock);
	if (!v->is_gone) {
		vmm_pass_irq_reset(v);
		reset_device(v);
		vmm_pass_bars_sleep(v, v->caps.pm && is_in_d3hot(v));
	}
	pthread_mutex_unlock(&v->function.lock);
}

static const struct vmm_pci_ops ops = {
	.config_read = on_config_read,
	.config_write = on_config_write,
	.bar_access = on_bar_access,
	.bar_map = on_bar_map,
	.bar_unmap = on_bar_unmap,
	.reset = on_reset,
};

/* ---- making it ---- */

static int init_config(struct vmm_vfio_device *v, struct cv_error *err)
{
	uint8_t physical[256];
	int r = vx_region_read(&v->vx, VFIO_PCI_CONFIG_REGION_INDEX, 0, physical, sizeof(physical));

	v->function.name = v->name;
	r = r ?: vmm_pass_config_init(physical, sizeof(physical), &v->function, &v->caps);
	if (r < 0)
		return cv_fail_errno(err, r, v->name, "its configuration space cannot be shown");
	/* a VF has no ids of its own (SR-IOV 1.1 section 3.4.1): the plan knows them */
	v->function.config[PCI_VENDOR_ID] = (uint8_t)v->plan->vendor;
	v->function.config[PCI_VENDOR_ID + 1] = (uint8_t)(v->plan->vendor >> 8);
	v->function.config[PCI_DEVICE_ID] = (uint8_t)v->plan->device;
	v->function.config[PCI_DEVICE_ID + 1] = (uint8_t)(v->plan->device >> 8);
	v->function.bdf = v->plan->guest;
	v->function.bridge = v->plan->bridge;
	v->function.ops = &ops;
	v->function.ctx = v;
	return 0;
}

/* It has no state of anybody's: whoever opens it resets it (vfio_pci_core_enable()). */
static int make(struct vmm_vfio_device *v, int fd, struct cv_error *err)
{
	int r = vx_device_read_info(fd, &v->vx, err);

	r = r ?: init_config(v, err);
	r = r ?: vmm_pass_bars_init(v, err);
	r = r ?: vmm_pass_irq_init(v, err);
	if (r < 0)
		return r;
	vmm_pass_bars_open(v);
	r = vmm_pci_add(v->env.pci, &v->function, err);
	if (r == 0)
		vmm_pass_irq_start(v);
	return r;
}

int vmm_vfio_device_new(const struct vmm_vfio_env *env, const struct plan_device *d, int fd,
			struct vmm_vfio_device **ret, struct cv_error *err)
{
	struct vmm_vfio_device *v = calloc(1, sizeof(*v));
	char bdf[CV_BDF_MAX];
	int r;

	if (!v)
		return cv_fail_errno(err, -ENOMEM, d->id, "cannot make the device");
	v->env = *env;
	v->plan = d;
	v->vx.fd = -1;
	v->msi_route = v->msi_fd = -1;
	v->line.trigger = v->line.unmask = -1;
	v->error.fd = v->request.fd = -1;
	snprintf(v->name, sizeof(v->name), "%s (%s)", d->id, cv_format_bdf(d->host, bdf));
	r = make(v, fd, err);
	if (r < 0) {
		vmm_vfio_device_free(v);
		return r;
	}
	*ret = v;
	return 0;
}

void vmm_vfio_device_silence(struct vmm_vfio_device *v)
{
	if (v->vx.fd >= 0)
		silence_device(v);
}

/* Silent first, then reset: nothing of the guest is left in it. */
static void close_device(struct vmm_vfio_device *v)
{
	vmm_pass_irq_done(v);
	if (v->vx.fd >= 0)
		reset_device(v);
	vmm_pass_bars_done(v);
	vx_device_done(&v->vx);
}

void vmm_vfio_device_give_up(struct vmm_vfio_device *v)
{
	pthread_mutex_lock(&v->function.lock);
	if (!v->is_gone)
		close_device(v);
	v->is_gone = true;
	pthread_mutex_unlock(&v->function.lock);
}

void vmm_vfio_device_free(struct vmm_vfio_device *v)
{
	close_device(v);
	free(v);
}
