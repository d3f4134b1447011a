// SPDX-License-Identifier: GPL-2.0-or-later
/* What is known of models that do not survive a reset. A row without a source is no row. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/reset.h"

#define AMD_GPU 0x1002
#define AMD 0x1022
#define NVIDIA 0x10de
#define INTEL 0x8086
#define ATHEROS 0x168c
#define ASMEDIA 0x1b21
#define TI 0x104c

#define BIT(rung) (1U << (rung))
#define ALL_RUNGS (BIT(SR_RUNGS) - 1)
#define FLR (BIT(SR_RUNG_FLR) | BIT(SR_RUNG_AF_FLR))
/* A slot that loses power takes the same way through the bridge's secondary bus. */
#define BUS (BIT(SR_RUNG_BUS) | BIT(SR_RUNG_SLOT))
/* The module vendor-reset adds a method of its own; nothing else may come before it. */
#define ALL_BUT_OWN (ALL_RUNGS & ~BIT(SR_RUNG_DEVICE))

static const char *const rung_names[SR_RUNGS] = {
	[SR_RUNG_DEVICE] = "device_specific",
	[SR_RUNG_ACPI] = "acpi",
	[SR_RUNG_FLR] = "flr",
	[SR_RUNG_AF_FLR] = "af_flr",
	[SR_RUNG_PM] = "pm",
	[SR_RUNG_BUS] = "bus",
	[SR_RUNG_SLOT] = "slot",
	[SR_RUNG_REMOVE] = "remove",
};

const char *sr_rung_name(enum sr_rung rung)
{
	return (unsigned int)rung < SR_RUNGS ? rung_names[rung] : "?";
}

int sr_rung_parse(const char *name, enum sr_rung *ret)
{
	for (unsigned int i = 0; i < SR_RUNGS; i++) {
		if (strcmp(rung_names[i], name) == 0) {
			*ret = (enum sr_rung)i;
			return 0;
		}
	}
	return -EINVAL;
}

/* After an FLR or a bus reset of the PF config space reads 0xff until the host reboots; remove and
 * rescan do not help. VFs are not affected. The issue names 75a3 and 740f; 74a1 is the MI300X of AMD's
 * own driver (libgv/core/amdgv_marketing_name.c of the same project). */
#define AMD_INSTINCT(id)                                                                         \
	{                                                                                        \
		.vendor = AMD_GPU, .device = (id), .vf = 0, .refused = ALL_RUNGS,                \
		.first = SR_RUNGS,                                                               \
		.why = "after any reset its config space reads 0xff until the host is rebooted", \
		.source = "https://github.com/amd/MxGPU-Virtualization/issues/25"                \
	}

/* "The default reset the kernel will try to perform completely breaks the GPU." Ids: src/device-db.h. */
#define AMD_VENDOR_RESET(id, url)                                                          \
	{                                                                                  \
		.vendor = AMD_GPU, .device = (id), .vf = 0, .refused = ALL_BUT_OWN,        \
		.first = SR_RUNG_DEVICE,                                                   \
		.why = "the kernel's resets break the GPU until power is cut; the module " \
		       "vendor-reset adds one that works (device_specific)",               \
		.source = (url)                                                            \
	}
#define VENDOR_RESET "https://github.com/gnif/vendor-reset"
#define VEGA_NAVI(id) AMD_VENDOR_RESET(id, VENDOR_RESET "/issues/35")

/* The function says that it can do a Function Level Reset, and hangs. */
#define HANGS_IN_FLR(vendor_id, id, commit)                                           \
	{                                                                             \
		.vendor = (vendor_id), .device = (id), .vf = -1, .refused = FLR,      \
		.first = SR_RUNGS, .why = "a function level reset hangs it",          \
		.source = "drivers/pci/quirks.c quirk_no_flr(), Linux commit " commit \
	}

#define LOST_AFTER_BUS_RESET(vendor_id, id, bits, where)                                          \
	{                                                                                         \
		.vendor = (vendor_id), .device = (id), .vf = -1, .refused = BUS,                  \
		.first = SR_RUNGS, .why = "a bus reset makes it unreachable until the next boot", \
		.source = (where), .mask = (bits)                                                 \
	}
#define NO_BUS_RESET "drivers/pci/quirks.c quirk_no_bus_reset()"

static const struct sr_reset_rule rules[] = {
	AMD_INSTINCT(0x74a1), /* MI300X */
	AMD_INSTINCT(0x740f),
	AMD_INSTINCT(0x75a3), /* MI355X */

	/* Vega 10 */
	VEGA_NAVI(0x6860),
	VEGA_NAVI(0x6861),
	VEGA_NAVI(0x6862),
	VEGA_NAVI(0x6863),
	VEGA_NAVI(0x6864),
	VEGA_NAVI(0x6867),
	VEGA_NAVI(0x6868),
	VEGA_NAVI(0x6869),
	VEGA_NAVI(0x686a),
	VEGA_NAVI(0x686b),
	VEGA_NAVI(0x686d),
	VEGA_NAVI(0x686e),
	VEGA_NAVI(0x686f),
	VEGA_NAVI(0x687f),
	/* Vega 20 */
	VEGA_NAVI(0x66a0),
	VEGA_NAVI(0x66a1),
	VEGA_NAVI(0x66a2),
	VEGA_NAVI(0x66a3),
	VEGA_NAVI(0x66a4),
	VEGA_NAVI(0x66a7),
	VEGA_NAVI(0x66af),
	/* Navi 10, 14, 12 */
	VEGA_NAVI(0x7310),
	VEGA_NAVI(0x7312),
	VEGA_NAVI(0x7318),
	VEGA_NAVI(0x7319),
	VEGA_NAVI(0x731a),
	VEGA_NAVI(0x731b),
	VEGA_NAVI(0x731e),
	VEGA_NAVI(0x731f),
	VEGA_NAVI(0x7340),
	VEGA_NAVI(0x7341),
	VEGA_NAVI(0x7347),
	VEGA_NAVI(0x734f),
	VEGA_NAVI(0x7360),
	VEGA_NAVI(0x7362),
	AMD_VENDOR_RESET(0x738c, VENDOR_RESET "/issues/80"), /* Instinct MI100 */

	/* GeForce RTX 5070 Ti (its id: issue 1353 of the same project, whose author had an FLR work) */
	{ .vendor = NVIDIA,
	  .device = 0x2c05,
	  .vf = 0,
	  .refused = ALL_RUNGS,
	  .first = SR_RUNGS,
	  .why = "it does not come back from the reset at the end of a VM and the host freezes",
	  .source = "https://github.com/NVIDIA/open-gpu-kernel-modules/issues/853" },
	/* GeForce RTX 5090 and its sisters: the kernel's own list of those without FLR */
	{ .vendor = NVIDIA,
	  .device = 0x2b85,
	  .vf = 0,
	  .refused = FLR,
	  .first = SR_RUNGS,
	  .why = "it never becomes ready again after a function level reset",
	  .source = "https://github.com/tinygrad/tinygrad/pull/18199" },
	{ .vendor = NVIDIA,
	  .device = 0x2b87,
	  .vf = 0,
	  .refused = FLR,
	  .first = SR_RUNGS,
	  .why = "it never becomes ready again after a function level reset",
	  .source = "https://github.com/tinygrad/tinygrad/pull/18199" },
	{ .vendor = NVIDIA,
	  .device = 0x2b8c,
	  .vf = 0,
	  .refused = FLR,
	  .first = SR_RUNGS,
	  .why = "it never becomes ready again after a function level reset",
	  .source = "https://github.com/tinygrad/tinygrad/pull/18199" },
	/* 2340..237f, Grace Hopper among them */
	LOST_AFTER_BUS_RESET(NVIDIA, 0x2340, 0xffc0,
			     "drivers/pci/quirks.c quirk_nvidia_no_bus_reset(), Linux commit "
			     "4c207e7121fa"),
	/* T4, directly below a root port */
	LOST_AFTER_BUS_RESET(NVIDIA, 0x1eb8, 0,
			     "drivers/pci/quirks.c quirk_nvidia_no_bus_reset(), Linux commit "
			     "d5af729dc207"),

	/* Matisse and Starship audio and USB, FCH AHCI; 82579 */
	HANGS_IN_FLR(AMD, 0x1487, "0d14f06cd665"),
	HANGS_IN_FLR(AMD, 0x148c, "5727043c73fd"),
	HANGS_IN_FLR(AMD, 0x149c, "0d14f06cd665"),
	HANGS_IN_FLR(AMD, 0x7901, "63ba51db24ed"),
	HANGS_IN_FLR(INTEL, 0x1502, "f65fd1aa4f98"),
	HANGS_IN_FLR(INTEL, 0x1503, "f65fd1aa4f98"),

	/* Keystone C667x; ASM1164; AR9xxx and QCA988x */
	LOST_AFTER_BUS_RESET(TI, 0xb005, 0, "https://e2e.ti.com/support/processors/f/791/t/954382"),
	LOST_AFTER_BUS_RESET(ASMEDIA, 0x1164, 0,
			     "https://forum.proxmox.com/threads/problems-with-pcie-passthrough-with-"
			     "two-identical-devices.149003/"),
	LOST_AFTER_BUS_RESET(ATHEROS, 0x0030, 0, NO_BUS_RESET),
	LOST_AFTER_BUS_RESET(ATHEROS, 0x0032, 0, NO_BUS_RESET),
	LOST_AFTER_BUS_RESET(ATHEROS, 0x0033, 0, NO_BUS_RESET),
	LOST_AFTER_BUS_RESET(ATHEROS, 0x0034, 0, NO_BUS_RESET),
	LOST_AFTER_BUS_RESET(ATHEROS, 0x003c, 0, NO_BUS_RESET),
};

static bool is_about(const struct sr_reset_rule *rule, const struct inv_dev *d)
{
	uint16_t mask = rule->mask ? rule->mask : UINT16_MAX;
	bool is_vf = d->pf >= 0 || d->vf_index >= 0;

	if (rule->vendor && rule->vendor != d->vendor)
		return false;
	if (rule->device && rule->device != (d->device & mask))
		return false;
	return rule->vf < 0 || rule->vf == is_vf;
}

const struct sr_reset_rule *sr_reset_rule_find(const struct inv_dev *d)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(rules); i++)
		if (is_about(&rules[i], d))
			return &rules[i];
	return NULL;
}
