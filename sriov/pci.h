/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Config space and names of PCI functions (libpci). */
#ifndef CARVE_SRIOV_PCI_H
#define CARVE_SRIOV_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/sysroot.h"
#include "plan/inventory.h"

struct sr_pci;

/**
 * struct sr_config - what config space says about one function
 * @is_readable:   the header could be read at all (no: nothing else is set)
 * @is_dead:       it reads all ones
 * @has_port:      @port comes from a PCIe capability or a bridge header
 * @vf_offset:     First VF Offset and VF Stride of the SR-IOV capability, 0 without
 */
struct sr_config {
	bool is_readable;
	bool is_dead;
	bool is_multifunction;
	bool has_acs;
	bool has_ats;
	uint16_t acs_ctrl;
	enum inv_port port;
	unsigned int vf_offset;
	unsigned int vf_stride;
	char serial[INV_TEXT];
};

/**
 * sr_pci_open() - libpci over the tree of @root
 * Return: 0; -ENODEV when the root is no directory (injected ops) or has no PCI bus; -ENOMEM.
 */
int sr_pci_open(struct cv_sysroot *root, struct sr_pci **ret);
void sr_pci_close(struct sr_pci *p);
static inline void sr_pci_closep(struct sr_pci **p)
{
	if (*p)
		sr_pci_close(*p);
}

/** sr_pci_config() - read config space of @bdf; unreadable is not an error, see @ret. */
void sr_pci_config(struct sr_pci *p, struct cv_bdf bdf, struct sr_config *ret);
/** sr_pci_name() - "Vendor Device" of pci.ids, "" unknown. */
void sr_pci_name(struct sr_pci *p, uint16_t vendor, uint16_t device, char *buf, size_t size);

#endif
