/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Config space and names of PCI functions (libpci). */
#ifndef CARVE_SRIOV_PCI_H
#define CARVE_SRIOV_PCI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "plan/inventory.h"

#define SR_CONFIG_SIZE 4096
/* behind config space, zero: a capability at its very end is read in full */
#define SR_CONFIG_SLACK 128

struct sr_pci;

/** enum sr_config_depth - the kernel shows 64 bytes (128 of CardBus) to those without CAP_SYS_ADMIN */
enum sr_config_depth {
	SR_CONFIG_NONE,	  /* cannot be read, or reads all ones */
	SR_CONFIG_HEADER, /* ids, class and header type; capabilities unknown */
	SR_CONFIG_FULL,
};

/**
 * struct sr_config - what the reader has to know about the config space of a function
 * @is_vf: the ids read all ones and the rest does not: a VF (SR-IOV 1.1 section 3.4.1.1)
 * @is_foreseen: a VF by the capability of its PF; its own config space was not read yet
 * @total_vfs: TotalVFs of the capability; a driver may allow fewer
 */
struct sr_config {
	enum sr_config_depth depth;
	bool is_vf;
	bool is_foreseen;
	unsigned int total_vfs;
};

/** sr_pci_open() - libpci as a decoder: it does no I/O but for names. Return: 0, -ENOMEM. */
int sr_pci_open(struct sr_pci **ret);
void sr_pci_close(struct sr_pci *p);
static inline void sr_pci_closep(struct sr_pci **p)
{
	if (*p)
		sr_pci_close(*p);
}

/**
 * sr_pci_decode() - everything of @d that config space tells
 * @bytes: zero from @len on
 * @len:   bytes that could be read, 0 none
 * @d:     what config space does not tell is left alone; ids of a VF and of a function that reads
 *         all ones are not told
 */
void sr_pci_decode(struct sr_pci *p, uint8_t bytes[SR_CONFIG_SIZE + SR_CONFIG_SLACK], size_t len,
		   struct inv_dev *d, struct sr_config *ret);
/** sr_pci_name() - "Vendor Device" of pci.ids, "" unknown. */
void sr_pci_name(struct sr_pci *p, uint16_t vendor, uint16_t device, char *buf, size_t size);

#endif
