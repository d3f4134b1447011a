// SPDX-License-Identifier: GPL-2.0-or-later
/* Root ports and switch ports: a type 1 header and the PCI Express capability (PCIe Base 6.0 sections
 * 7.5.1.3 and 7.5.3). No hot-plug, no slot, no ASPM, no I/O window. What a window is open for is not
 * looked at: a BAR answers where it is, as long as its function decodes. */
#include <errno.h>

#include "base/cleanup.h"
#include "vmm/dev/pci_tree.h"

#define CLASS_BRIDGE 0x06040000U
#define EXP_SIZE 0x3c /* version 2, all registers */
#define EXP_VERSION 2
#define PAYLOAD_512 2	/* Max_Payload_Size Supported */
#define SPEED_DEFAULT 4 /* 16 GT/s, where the host's is unknown */
#define WIDTH_DEFAULT 16
#define WIDTH_MOST 32

/* Ids by which others show such ports, too: Red Hat's generic root port, TI's XIO3130 switch. */
static const struct kind {
	uint16_t vendor, device;
	uint8_t type;	       /* PCI Express device/port type */
	bool is_down;	       /* the port is above its link */
	uint16_t link_control; /* bits that are writable */
} kinds[PLAN_PORTS] = {
	[PLAN_ROOT_PORT] = { 0x1b36, 0x000c, PCI_EXP_TYPE_ROOT_PORT, true, 0x00d3 },
	[PLAN_SWITCH_UP] = { 0x104c, 0x8232, PCI_EXP_TYPE_UPSTREAM, false, 0x00c3 },
	[PLAN_SWITCH_DOWN] = { 0x104c, 0x8233, PCI_EXP_TYPE_DOWNSTREAM, true, 0x00d3 },
};

/* The rest of a type 1 header: reset values, and what may be written. */
static const struct {
	uint8_t offset, len;
	uint32_t value, mask;
} type1[] = {
	{ PCI_HEADER_TYPE, 1, PCI_HEADER_TYPE_BRIDGE, 0 },
	{ PCI_PRIMARY_BUS, 3, 0, 0xffffff },
	{ PCI_MEMORY_BASE, 4, 0, 0xfff0fff0 },
	{ PCI_PREF_MEMORY_BASE, 4, PCI_PREF_RANGE_TYPE_64 << 16 | PCI_PREF_RANGE_TYPE_64,
	  0xfff0fff0 },
	{ PCI_PREF_BASE_UPPER32, 4, 0, 0xffffffff },
	{ PCI_PREF_LIMIT_UPPER32, 4, 0, 0xffffffff },
	{ PCI_BRIDGE_CONTROL, 2, 0,
	  PCI_BRIDGE_CTL_PARITY | PCI_BRIDGE_CTL_SERR | PCI_BRIDGE_CTL_BUS_RESET },
};

/* ---- the link ---- */

/* Link speeds as section 7.5.3.6 counts them, from 1; in 0.1 GT/s. */
static const unsigned int speeds[] = { 25, 50, 80, 160, 320, 640 };

static unsigned int speed_code(unsigned int speed)
{
	unsigned int code = 0;

	while (code < CV_ARRAY_SIZE(speeds) && speeds[code] <= speed)
		code++;
	return code ? code : SPEED_DEFAULT;
}

static unsigned int width_code(unsigned int width)
{
	return width && width <= WIDTH_MOST ? width : WIDTH_DEFAULT;
}

/* ---- PCI Express capability ---- */

static void put(struct vmm_pci_port *port, unsigned int offset, unsigned int len, uint32_t value,
		uint32_t mask)
{
	vmm_config_put(&port->f, (uint16_t)(port->cap + offset), len, value);
	vmm_config_allow(&port->f, (uint16_t)(port->cap + offset), len, mask);
}

static void put_device(struct vmm_pci_port *port)
{
	put(port, PCI_EXP_DEVCAP, 4, PAYLOAD_512 | PCI_EXP_DEVCAP_EXT_TAG | PCI_EXP_DEVCAP_RBER, 0);
	put(port, PCI_EXP_DEVCTL, 2, PCI_EXP_DEVCTL_READRQ_512B,
	    PCI_EXP_DEVCTL_CERE | PCI_EXP_DEVCTL_NFERE | PCI_EXP_DEVCTL_FERE | PCI_EXP_DEVCTL_URRE |
		    PCI_EXP_DEVCTL_RELAX_EN | PCI_EXP_DEVCTL_PAYLOAD | PCI_EXP_DEVCTL_EXT_TAG |
		    PCI_EXP_DEVCTL_NOSNOOP_EN | PCI_EXP_DEVCTL_READRQ);
	put(port, PCI_EXP_DEVCAP2, 4, PCI_EXP_DEVCAP2_COMP_TMOUT_DIS, 0);
	put(port, PCI_EXP_DEVCTL2, 2, 0, PCI_EXP_DEVCTL2_COMP_TMOUT_DIS);
}

/* The link is up and as fast as the host's; above 5 GT/s the port has to say that it is up. */
static void put_link(struct vmm_pci_port *port, const struct kind *kind, unsigned int number)
{
	unsigned int speed = speed_code(port->bridge->link_speed);
	unsigned int link = speed | width_code(port->bridge->link_width) << 4;
	uint32_t cap = link | 1U << 22 /* ASPM optionality */ | number << 24;

	if (kind->is_down)
		cap |= PCI_EXP_LNKCAP_DLLLARC;
	put(port, PCI_EXP_LNKCAP, 4, cap, 0);
	put(port, PCI_EXP_LNKCTL, 2, 0, kind->link_control);
	put(port, PCI_EXP_LNKSTA, 2,
	    link | PCI_EXP_LNKSTA_SLC | (kind->is_down ? PCI_EXP_LNKSTA_DLLLA : 0U), 0);
	put(port, PCI_EXP_LNKCAP2, 4, ((1U << speed) - 1) << 1, 0);
	put(port, PCI_EXP_LNKCTL2, 2, speed, PCI_EXP_LNKCTL2_TLS);
}

static void add_express(struct vmm_pci_port *port, unsigned int number)
{
	const struct kind *kind = &kinds[port->bridge->kind];
	int cap = vmm_pci_add_cap(&port->f, PCI_CAP_ID_EXP, NULL, EXP_SIZE);

	port->cap = (uint16_t)cap; /* the first one always fits */
	put(port, PCI_EXP_FLAGS, 2, EXP_VERSION | (uint32_t)kind->type << 4, 0);
	put_device(port);
	put_link(port, kind, number);
	if (kind->type == PCI_EXP_TYPE_ROOT_PORT)
		put(port, PCI_EXP_RTCTL, 2, 0,
		    PCI_EXP_RTCTL_SECEE | PCI_EXP_RTCTL_SENFEE | PCI_EXP_RTCTL_SEFEE |
			    PCI_EXP_RTCTL_PMEIE);
}

/* ---- bus numbers and bus reset ---- */

static void read_buses(struct vmm_pci_port *port)
{
	__atomic_store_n(&port->buses, (uint16_t)vmm_config_get(&port->f, PCI_SECONDARY_BUS, 2),
			 __ATOMIC_RELEASE);
}

/* The functions below are reset after the access, when this port's lock is not held any more. */
static void port_written(void *ctx, uint16_t offset, unsigned int len, uint32_t value)
{
	struct vmm_pci_port *port = ctx;
	bool is_in_reset = port->f.config[PCI_BRIDGE_CONTROL] & PCI_BRIDGE_CTL_BUS_RESET;

	read_buses(port);
	if (is_in_reset && !port->is_in_reset)
		__atomic_store_n(&port->reset, true, __ATOMIC_RELEASE);
	port->is_in_reset = is_in_reset;
}

static void port_reset(void *ctx)
{
	struct vmm_pci_port *port = ctx;

	pthread_mutex_lock(&port->f.lock);
	port->is_in_reset = false;
	read_buses(port);
	pthread_mutex_unlock(&port->f.lock);
}

static const struct vmm_pci_ops port_ops = {
	.config_write = port_written,
	.reset = port_reset,
};

/* ---- windows ---- */

/* Base and limit in units of 1 MiB, in the upper 12 bits of each; a base above the limit: closed. */
static uint32_t window_bits(struct vmm_window w)
{
	uint64_t last = w.start + w.size - 1;

	if (w.size == 0)
		return 0x0000fff0;
	return (uint32_t)(w.start >> 16 & 0xfff0) | (uint32_t)(last >> 16 & 0xfff0) << 16;
}

void vmm_port_set_windows(struct vmm_pci_port *port, struct vmm_window low, struct vmm_window high)
{
	uint64_t last = high.size ? high.start + high.size - 1 : 0;

	vmm_config_put(&port->f, PCI_MEMORY_BASE, 4, window_bits(low));
	vmm_config_put(&port->f, PCI_PREF_MEMORY_BASE, 4,
		       window_bits(high) | PCI_PREF_RANGE_TYPE_64 << 16 | PCI_PREF_RANGE_TYPE_64);
	vmm_config_put(&port->f, PCI_PREF_BASE_UPPER32, 4,
		       high.size ? (uint32_t)(high.start >> 32) : 0);
	vmm_config_put(&port->f, PCI_PREF_LIMIT_UPPER32, 4, (uint32_t)(last >> 32));
}

void vmm_port_init(struct vmm_pci_port *port, const struct plan_bridge *bridge, unsigned int number,
		   uint8_t primary, uint8_t subordinate)
{
	const struct kind *kind = &kinds[bridge->kind];

	port->bridge = bridge;
	vmm_pci_init_function(&port->f, bridge->id, kind->vendor, kind->device, CLASS_BRIDGE);
	port->f.bdf = bridge->bdf;
	port->f.bridge = bridge->parent;
	port->f.ops = &port_ops;
	port->f.ctx = port;
	for (size_t i = 0; i < CV_ARRAY_SIZE(type1); i++) {
		vmm_config_put(&port->f, type1[i].offset, type1[i].len, type1[i].value);
		vmm_config_allow(&port->f, type1[i].offset, type1[i].len, type1[i].mask);
	}
	port->f.w1c[PCI_SEC_STATUS + 1] = VMM_PCI_STATUS_W1C >> 8;
	vmm_config_put(&port->f, PCI_PRIMARY_BUS, 3,
		       primary | (uint32_t)bridge->bus << 8 | (uint32_t)subordinate << 16);
	vmm_port_set_windows(port, (struct vmm_window){ 0, 0 }, (struct vmm_window){ 0, 0 });
	add_express(port, number);
	read_buses(port);
}
