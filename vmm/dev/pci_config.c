// SPDX-License-Identifier: GPL-2.0-or-later
/* Configuration space of one function: the shadow, and the tables of what the guest may write. */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/dev/pci_tree.h"

#define FIRST_CAP 0x40
#define CAPS_END 0x100
#define BAR_LEAST 4096
#define BAR_MOST_32 (1ULL << 31)
#define BAR_MOST_64 (1ULL << 48)

uint32_t vmm_config_get(const struct vmm_pci_function *f, uint16_t offset, unsigned int len)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < len; i++)
		value |= (uint32_t)f->config[offset + i] << (8 * i);
	return value;
}

void vmm_config_put(struct vmm_pci_function *f, uint16_t offset, unsigned int len, uint32_t value)
{
	for (unsigned int i = 0; i < len; i++)
		f->config[offset + i] = (uint8_t)(value >> (8 * i));
}

void vmm_config_allow(struct vmm_pci_function *f, uint16_t offset, unsigned int len, uint32_t value)
{
	for (unsigned int i = 0; i < len; i++)
		f->mask[offset + i] = (uint8_t)(value >> (8 * i));
}

/* ---- making a function ---- */

/* What the guest may write in the part that both header types have (PCIe Base 6.0 section 7.5.1.1). */
static const struct {
	uint8_t offset, len;
	uint16_t mask;
} header_masks[] = {
	{ PCI_COMMAND, 2, VMM_PCI_COMMANDS },
	{ PCI_CACHE_LINE_SIZE, 1, 0xff },
	{ PCI_INTERRUPT_LINE, 1, 0xff },
};

void vmm_pci_init_function(struct vmm_pci_function *f, const char *name, uint16_t vendor,
			   uint16_t device, uint32_t class_rev)
{
	memset(f, 0, sizeof(*f));
	f->name = name;
	f->bridge = -1;
	f->caps_end = FIRST_CAP;
	vmm_config_put(f, PCI_VENDOR_ID, 2, vendor);
	vmm_config_put(f, PCI_DEVICE_ID, 2, device);
	vmm_config_put(f, PCI_CLASS_REVISION, 4, class_rev);
	for (size_t i = 0; i < CV_ARRAY_SIZE(header_masks); i++)
		vmm_config_allow(f, header_masks[i].offset, header_masks[i].len,
				 header_masks[i].mask);
	f->w1c[PCI_STATUS + 1] = VMM_PCI_STATUS_W1C >> 8;
}

int vmm_pci_add_cap(struct vmm_pci_function *f, uint8_t id, const void *body, uint8_t len)
{
	uint16_t at = f->caps_end;

	if (len < 2)
		return -EINVAL;
	if (at + len > CAPS_END)
		return -ENOSPC;
	f->config[at] = id;
	f->config[at + 1] = 0;
	if (body)
		memcpy(&f->config[at + 2], body, len - 2U);
	f->config[f->last_cap ? f->last_cap + 1 : PCI_CAPABILITY_LIST] = (uint8_t)at;
	f->config[PCI_STATUS] |= PCI_STATUS_CAP_LIST;
	f->last_cap = at;
	f->caps_end = (uint16_t)((at + len + 3) & ~3);
	return at;
}

static uint32_t bar_flags(enum vmm_bar_kind kind)
{
	switch (kind) {
	case VMM_BAR_64:
		return PCI_BASE_ADDRESS_MEM_TYPE_64;
	case VMM_BAR_64_PREF:
		return PCI_BASE_ADDRESS_MEM_TYPE_64 | PCI_BASE_ADDRESS_MEM_PREFETCH;
	default:
		return PCI_BASE_ADDRESS_MEM_TYPE_32;
	}
}

static bool is_bar_free(const struct vmm_pci_function *f, unsigned int bar)
{
	return bar < VMM_PCI_BARS && f->bars[bar].kind == VMM_BAR_NONE;
}

int vmm_pci_set_bar(struct vmm_pci_function *f, unsigned int bar, enum vmm_bar_kind kind,
		    uint64_t size)
{
	bool is_wide = kind == VMM_BAR_64 || kind == VMM_BAR_64_PREF;
	uint64_t mask = ~(size - 1);
	uint16_t at = (uint16_t)(PCI_BASE_ADDRESS_0 + 4 * bar);

	if ((kind != VMM_BAR_32 && !is_wide) || !is_bar_free(f, bar) ||
	    (is_wide && !is_bar_free(f, bar + 1)))
		return -EINVAL;
	if (size < BAR_LEAST || size & (size - 1) || size > (is_wide ? BAR_MOST_64 : BAR_MOST_32))
		return -EINVAL;
	f->bars[bar] = (struct vmm_bar){ .kind = kind, .size = size };
	vmm_config_put(f, at, 4, bar_flags(kind));
	vmm_config_allow(f, at, 4, (uint32_t)mask & (uint32_t)PCI_BASE_ADDRESS_MEM_MASK);
	if (is_wide) {
		f->bars[bar + 1].kind = VMM_BAR_UPPER;
		vmm_config_allow(f, at + 4, 4, (uint32_t)(mask >> 32));
	}
	return 0;
}

/* ---- accesses ---- */

static uint32_t read_config(struct vmm_pci_function *f, uint16_t offset, unsigned int len)
{
	uint32_t value = vmm_config_get(f, offset, len);

	if (f->ops && f->ops->config_read)
		f->ops->config_read(f->ctx, offset, len, &value);
	return value;
}

static void write_shadow(struct vmm_pci_function *f, uint16_t offset, unsigned int len,
			 uint32_t value)
{
	for (unsigned int i = 0; i < len; i++) {
		uint8_t *at = &f->config[offset + i], mask = f->mask[offset + i];
		uint8_t byte = (uint8_t)(value >> (8 * i));

		*at = (uint8_t)(*at & ~(byte & f->w1c[offset + i]));
		*at = (uint8_t)((*at & ~mask) | (byte & mask));
	}
}

/* Nothing is mapped while the device does not decode: away before it hears of it, there after. */
static void write_config(struct vmm_pci_function *f, uint16_t offset, unsigned int len,
			 uint32_t value)
{
	bool is_header = offset < PCI_CARDBUS_CIS;

	write_shadow(f, offset, len, value);
	if (is_header)
		vmm_bars_unmap_stale(f);
	if (f->ops && f->ops->config_write)
		f->ops->config_write(f->ctx, offset, len, value);
	if (is_header)
		vmm_bars_map(f);
}

/* The largest part of an access that lies within a 4-byte register and is aligned in it. */
static unsigned int part_of(uint16_t offset, unsigned int len)
{
	unsigned int part = 4;

	while (part > len || offset % part)
		part /= 2;
	return part;
}

void vmm_config_access(struct vmm_pci_function *f, uint16_t offset, void *data, unsigned int len,
		       bool is_write)
{
	uint8_t *at = data;

	while (len > 0) {
		unsigned int part = part_of(offset, len);
		uint32_t value = 0;

		if (is_write) {
			memcpy(&value, at, part);
			write_config(f, offset, part, value);
		} else {
			value = read_config(f, offset, part);
			memcpy(at, &value, part);
		}
		offset = (uint16_t)(offset + part);
		at += part;
		len -= part;
	}
}
