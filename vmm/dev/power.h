/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The power button: an interrupt of the generic event device in the DSDT. */
#ifndef CARVE_VMM_POWER_H
#define CARVE_VMM_POWER_H

#include "vmm/core/bus.h"
#include "vmm/core/irq.h"

struct vmm_power;

/** vmm_power_new() - with the sleep control and status registers at VMM_PORT_POWER (reads; a write
 * ends the guest in the vCPU's thread). Return: 0, -errno. */
int vmm_power_new(struct vmm_bus *pio, struct vmm_irqs *irqs, struct vmm_power **ret);
void vmm_power_free(struct vmm_power *p);
/** vmm_power_press() - ask the guest to power down. Context: any thread. */
void vmm_power_press(struct vmm_power *p);

#endif
