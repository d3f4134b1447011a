// SPDX-License-Identifier: GPL-2.0-or-later
/* A broken or hostile device: any 256 bytes of configuration space, then a guest that writes whatever its
 * mask lets it. The list it sees stays as it was made, and interrupts start turned off. */
#include <errno.h>
#include <linux/pci_regs.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/dev/vfio_parts.h"

#define SIZE 256
#define CAPS_MAX 48

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool ok)
{
	if (!ok)
		abort();
}

/** struct list - places of capabilities, in the order of the list */
struct list {
	uint8_t at[CAPS_MAX];
	size_t n;
};

static void read_list(const struct vmm_pci_function *f, struct list *ret)
{
	uint8_t at = f->config[PCI_CAPABILITY_LIST];

	*ret = (struct list){ 0 };
	while (at) {
		need(at >= PCI_STD_HEADER_SIZEOF && at % 4 == 0);
		need(ret->n < CAPS_MAX);
		for (size_t i = 0; i < ret->n; i++)
			need(ret->at[i] != at);
		ret->at[ret->n++] = at;
		at = f->config[at + PCI_CAP_LIST_NEXT];
	}
}

static void judge_caps(const struct vmm_pci_function *f, const struct pass_caps *caps)
{
	const uint8_t places[] = { caps->pm, caps->msi, caps->msix, caps->express };

	for (size_t i = 0; i < sizeof(places); i++)
		need(places[i] == 0 || (places[i] >= PCI_STD_HEADER_SIZEOF && places[i] % 4 == 0));
	if (caps->msi)
		need(!(vmm_pci_word(f, caps->msi + PCI_MSI_FLAGS) & PCI_MSI_FLAGS_ENABLE));
	if (caps->msix)
		need(!(vmm_pci_word(f, caps->msix + PCI_MSIX_FLAGS) & PCI_MSIX_FLAGS_ENABLE));
}

static void judge_access(const struct vmm_pci_function *f, const struct pass_caps *caps,
			 const struct list *l)
{
	for (unsigned int at = 0; at < 2 * SIZE; at++) {
		enum pass_access access = vmm_pass_config_access(caps, f, (uint16_t)at);

		need((access == PASS_BOTH) == (at == PCI_COMMAND || at == PCI_COMMAND + 1));
		need(access != PASS_LIVE || (at >= PCI_STD_HEADER_SIZEOF && at < SIZE));
	}
	for (size_t i = 0; i < l->n; i++) {
		need(vmm_pass_config_access(caps, f, l->at[i]) == PASS_SHADOW);
		need(vmm_pass_config_access(caps, f, l->at[i] + 1) == PASS_SHADOW);
	}
}

/* As the guest would: the bits that it may. */
static void scribble(struct vmm_pci_function *f, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size && i < VMM_PCI_CONFIG; i++)
		f->config[i] = (uint8_t)((f->config[i] & ~f->mask[i]) | (data[i] & f->mask[i]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct vmm_pci_function f;
	uint8_t physical[SIZE] = { 0 };
	struct list before, after;
	struct pass_caps caps;
	size_t n = size < SIZE ? size : SIZE;
	int r;

	memcpy(physical, data, n);
	f.name = "device";
	r = vmm_pass_config_init(physical, sizeof(physical), &f, &caps);
	need(r == ((physical[PCI_HEADER_TYPE] & 0x7f) == 0 ? 0 : -EINVAL));
	if (r < 0)
		return 0;
	read_list(&f, &before);
	judge_caps(&f, &caps);
	judge_access(&f, &caps, &before);
	scribble(&f, data + n, size - n);
	read_list(&f, &after);
	need(memcmp(&before, &after, sizeof(before)) == 0);
	judge_access(&f, &caps, &after);
	return 0;
}
