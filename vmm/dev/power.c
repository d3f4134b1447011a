// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/dev/power.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/core/layout.h"

#define REGISTERS 2 /* sleep control, sleep status (ACPI 6.5 section 4.8.3.7) */

struct vmm_power {
	struct vmm_bus *pio;
	struct vmm_irqs *irqs;
};

/* Both read as 0: nothing slept. */
static void access_register(void *ctx, uint64_t offset, void *data, unsigned int len, bool is_write)
{
	(void)ctx;
	(void)offset;
	if (!is_write)
		memset(data, 0, len);
}

int vmm_power_new(struct vmm_bus *pio, struct vmm_irqs *irqs, struct vmm_power **ret)
{
	struct vmm_power *p = calloc(1, sizeof(*p));
	struct vmm_range range = {
		.name = "sleep registers",
		.start = VMM_PORT_POWER,
		.size = REGISTERS,
		.access = access_register,
		.ctx = p,
	};
	int r;

	if (!p)
		return -ENOMEM;
	p->pio = pio;
	p->irqs = irqs;
	r = vmm_bus_add(pio, &range);
	if (r < 0) {
		free(p);
		return r;
	}
	*ret = p;
	return 0;
}

void vmm_power_free(struct vmm_power *p)
{
	vmm_bus_remove(p->pio, VMM_PORT_POWER);
	free(p);
}

/* Edge-triggered: up and down again. */
void vmm_power_press(struct vmm_power *p)
{
	vmm_irq_line(p->irqs, VMM_GSI_POWER, true);
	vmm_irq_line(p->irqs, VMM_GSI_POWER, false);
}
