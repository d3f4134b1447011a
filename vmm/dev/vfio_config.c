// SPDX-License-Identifier: GPL-2.0-or-later
/* Which parts of a device's configuration space the guest sees, and who answers for them. VFIO guards the
 * device itself once more (drivers/vfio/pci/vfio_pci_config.c). */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdint.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/dev/vfio_parts.h"

#define CAPS_MAX 48
#define LEGACY_SIZE 256

/** struct rule - a capability that is shown; what is in no row is left out of the list */
static const struct rule {
	uint8_t id;
	enum pass_access access;
} rules[] = {
	{ PCI_CAP_ID_PM, PASS_LIVE },	 /* states: VFIO sees to them */
	{ PCI_CAP_ID_MSI, PASS_SHADOW }, /* vectors are the VMM's routes */
	{ PCI_CAP_ID_MSIX, PASS_SHADOW }, { PCI_CAP_ID_EXP, PASS_LIVE },
	{ PCI_CAP_ID_VNDR, PASS_LIVE }, /* drivers of the vendor rely on it */
};

static const struct rule *find_rule(uint8_t id)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(rules); i++)
		if (rules[i].id == id)
			return &rules[i];
	return NULL;
}

static uint32_t get(const uint8_t *config, unsigned int at, unsigned int len)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < len; i++)
		value |= (uint32_t)config[at + i] << (8 * i);
	return value;
}

/* ---- the guest's view ---- */

static void keep_msi(const uint8_t *physical, uint8_t at, struct vmm_pci_function *f,
		     struct pass_caps *caps)
{
	uint16_t flags = (uint16_t)get(physical, at + PCI_MSI_FLAGS, 2);

	caps->msi = at;
	caps->msi_is_wide = flags & PCI_MSI_FLAGS_64BIT;
	caps->msi_has_mask = false;
	/* one vector, no mask bits: guests ask for more by MSI-X */
	flags &= PCI_MSI_FLAGS_64BIT;
	f->config[at + PCI_MSI_FLAGS] = (uint8_t)flags;
	f->config[at + PCI_MSI_FLAGS + 1] = 0;
	f->mask[at + PCI_MSI_FLAGS] = PCI_MSI_FLAGS_ENABLE;
	memset(&f->mask[at + PCI_MSI_ADDRESS_LO], 0xff, caps->msi_is_wide ? 10 : 6);
	memset(&f->config[at + PCI_MSI_ADDRESS_LO], 0, caps->msi_is_wide ? 10 : 6);
}

static void keep_cap(const uint8_t *physical, uint8_t at, struct vmm_pci_function *f,
		     struct pass_caps *caps)
{
	switch (physical[at]) {
	case PCI_CAP_ID_PM:
		caps->pm = at;
		break;
	case PCI_CAP_ID_MSI:
		keep_msi(physical, at, f, caps);
		break;
	case PCI_CAP_ID_MSIX:
		caps->msix = at;
		f->config[at + PCI_MSIX_FLAGS + 1] &= (uint8_t)(PCI_MSIX_FLAGS_QSIZE >> 8);
		break;
	case PCI_CAP_ID_EXP:
		caps->express = at;
		break;
	}
}

/* Headers are the guest's list: one within the body of another is not the guest's to write. */
static void seal_headers(struct vmm_pci_function *f)
{
	uint8_t at = f->config[PCI_CAPABILITY_LIST];

	for (unsigned int n = 0; at && n < CAPS_MAX; n++) {
		f->mask[at + PCI_CAP_LIST_ID] = 0;
		f->mask[at + PCI_CAP_LIST_NEXT] = 0;
		at = f->config[at + PCI_CAP_LIST_NEXT];
	}
}

/* A list that comes back to where it was, or leads into the header, ends there. */
static void link_caps(const uint8_t *physical, struct vmm_pci_function *f, struct pass_caps *caps)
{
	uint8_t at = physical[PCI_CAPABILITY_LIST] & 0xfc, last = PCI_CAPABILITY_LIST;
	uint64_t seen = 0; /* a bit for each place that a capability can have */

	f->config[PCI_CAPABILITY_LIST] = 0;
	if (!(physical[PCI_STATUS] & PCI_STATUS_CAP_LIST))
		at = 0;
	while (at >= PCI_STD_HEADER_SIZEOF && !(seen & 1ULL << (at / 4))) {
		uint8_t next = physical[at + PCI_CAP_LIST_NEXT] & 0xfc;

		seen |= 1ULL << (at / 4);
		if (find_rule(physical[at])) {
			f->config[last] = at;
			last = at + PCI_CAP_LIST_NEXT;
			f->config[last] = 0;
			keep_cap(physical, at, f, caps);
		}
		at = next;
	}
	seal_headers(f);
}

int vmm_pass_config_init(const uint8_t *physical, size_t len, struct vmm_pci_function *f,
			 struct pass_caps *ret)
{
	const char *name = f->name;
	struct pass_caps caps = { 0 };

	if (len < LEGACY_SIZE || (physical[PCI_HEADER_TYPE] & 0x7f) != PCI_HEADER_TYPE_NORMAL)
		return -EINVAL;
	vmm_pci_init_function(f, name, (uint16_t)get(physical, PCI_VENDOR_ID, 2),
			      (uint16_t)get(physical, PCI_DEVICE_ID, 2),
			      get(physical, PCI_CLASS_REVISION, 4));
	memcpy(&f->config[PCI_SUBSYSTEM_VENDOR_ID], &physical[PCI_SUBSYSTEM_VENDOR_ID], 4);
	memcpy(&f->config[PCI_STD_HEADER_SIZEOF], &physical[PCI_STD_HEADER_SIZEOF],
	       LEGACY_SIZE - PCI_STD_HEADER_SIZEOF);
	f->config[PCI_STATUS] = physical[PCI_STATUS] & PCI_STATUS_CAP_LIST;
	f->config[PCI_INTERRUPT_PIN] = physical[PCI_INTERRUPT_PIN];
	link_caps(physical, f, &caps);
	*ret = caps;
	return 0;
}

/* ---- who answers ---- */

/* The capability that a byte belongs to: the last one of the list that begins at or before it. */
static uint8_t cap_of(const struct vmm_pci_function *f, uint16_t offset)
{
	uint8_t at = f->config[PCI_CAPABILITY_LIST], best = 0;

	for (unsigned int n = 0; at && n < CAPS_MAX; n++) {
		if (at <= offset && at > best)
			best = at;
		at = f->config[at + PCI_CAP_LIST_NEXT];
	}
	return best;
}

/* How long each is: what follows belongs to nobody (PCIe Base 6.0 sections 7.5.2, 7.5.3, 7.7). */
static unsigned int length_of(const struct vmm_pci_function *f, uint8_t cap)
{
	switch (f->config[cap]) {
	case PCI_CAP_ID_PM:
		return PCI_PM_SIZEOF;
	case PCI_CAP_ID_EXP:
		return 0x3c;
	case PCI_CAP_ID_VNDR:
		return f->config[cap + PCI_CAP_FLAGS];
	case PCI_CAP_ID_MSIX:
		return PCI_CAP_MSIX_SIZEOF;
	}
	return 24; /* MSI, in its longest form */
}

static enum pass_access cap_access(const struct vmm_pci_function *f, uint16_t offset)
{
	uint8_t cap = cap_of(f, offset);
	const struct rule *rule = cap ? find_rule(f->config[cap]) : NULL;

	/* the header of each capability is the guest's list */
	if (!rule || offset < cap + 2 || offset >= cap + length_of(f, cap))
		return PASS_SHADOW;
	return rule->access;
}

/* The state is in the register's lowest byte (PCIe Base 6.0 section 7.5.2.2). */
bool vmm_pass_config_power(const struct pass_caps *caps, uint16_t offset, unsigned int len,
			   uint32_t value, unsigned int *ret_state)
{
	unsigned int at = caps->pm + PCI_PM_CTRL;

	if (caps->pm == 0 || at < offset || at >= offset + len)
		return false;
	*ret_state = value >> (8 * (at - offset)) & PCI_PM_CTRL_STATE_MASK;
	return true;
}

enum pass_access vmm_pass_config_access(const struct pass_caps *caps,
					const struct vmm_pci_function *f, uint16_t offset)
{
	if (offset == PCI_COMMAND || offset == PCI_COMMAND + 1)
		return PASS_BOTH;
	if (offset >= PCI_STD_HEADER_SIZEOF && offset < LEGACY_SIZE)
		return cap_access(f, offset);
	return PASS_SHADOW;
}
