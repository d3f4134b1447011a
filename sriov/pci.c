// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/pci.h"

#include <errno.h>
#include <pci/pci.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"

#define PCI_BUS_DIR "/sys/bus/pci"
#define HEADER_TYPE_MASK 0x7f
#define MULTIFUNCTION 0x80

struct sr_pci {
	struct pci_access *access;
};

/* libpci wants these not to return, and a library of ours must not exit. The only error on the way we
 * use (no scan, method set) is lack of memory while the access is set up. */
static __attribute__((noreturn, format(printf, 1, 2))) void on_error(char *msg, ...)
{
	__builtin_trap();
}

static __attribute__((format(printf, 1, 2))) void on_message(char *msg, ...)
{
}

int sr_pci_open(struct cv_sysroot *root, struct sr_pci **ret)
{
	_cleanup_free_ struct sr_pci *p = NULL;
	char path[CV_PATH_MAX], param[] = "sysfs.path";
	const char *dir = cv_sysroot_dir(root);

	if (!dir || !cv_exists(root, PCI_BUS_DIR "/devices"))
		return -ENODEV;
	p = calloc(1, sizeof(*p));
	if (!p)
		return -ENOMEM;
	p->access = pci_alloc();
	if (!p->access)
		return -ENOMEM;

	cv_pathf(path, "%s" PCI_BUS_DIR, strcmp(dir, "/") == 0 ? "" : dir);
	p->access->error = on_error;
	p->access->warning = on_message;
	p->access->debug = on_message;
	p->access->method = PCI_ACCESS_SYS_BUS_PCI;
	if (pci_set_param(p->access, param, path)) {
		pci_cleanup(p->access);
		return -ENOMEM;
	}
	pci_init(p->access);
	*ret = TAKE_PTR(p);
	return 0;
}

void sr_pci_close(struct sr_pci *p)
{
	pci_cleanup(p->access);
	free(p);
}

/* PCIe Base 6.0 section 7.5.3.2, Device/Port Type. */
static enum inv_port port_of_type(unsigned int type)
{
	switch (type) {
	case PCI_EXP_TYPE_ROOT_PORT:
		return INV_PORT_ROOT;
	case PCI_EXP_TYPE_UPSTREAM:
		return INV_PORT_UPSTREAM;
	case PCI_EXP_TYPE_DOWNSTREAM:
		return INV_PORT_DOWNSTREAM;
	case PCI_EXP_TYPE_PCI_BRIDGE:
	case PCI_EXP_TYPE_PCIE_BRIDGE:
		return INV_PORT_BRIDGE;
	case PCI_EXP_TYPE_ROOT_INT_EP:
	case PCI_EXP_TYPE_ROOT_EC:
		return INV_PORT_ROOT_ENDPOINT;
	default:
		return INV_PORT_ENDPOINT;
	}
}

static enum inv_port read_port(struct pci_dev *d, unsigned int header_type)
{
	struct pci_cap *cap = pci_find_cap(d, PCI_CAP_ID_EXP, PCI_CAP_NORMAL);

	if (cap) {
		unsigned int flags = pci_read_word(d, (int)cap->addr + PCI_EXP_FLAGS);

		return port_of_type((flags & PCI_EXP_FLAGS_TYPE) >> 4);
	}
	if ((header_type & HEADER_TYPE_MASK) == PCI_HEADER_TYPE_NORMAL)
		return INV_PORT_CONVENTIONAL;
	return INV_PORT_BRIDGE;
}

static void read_serial(struct pci_dev *d, char *buf, size_t size)
{
	struct pci_cap *cap = pci_find_cap(d, PCI_EXT_CAP_ID_DSN, PCI_CAP_EXTENDED);

	if (cap)
		snprintf(buf, size, "%08x%08x", (unsigned int)pci_read_long(d, (int)cap->addr + 8),
			 (unsigned int)pci_read_long(d, (int)cap->addr + 4));
}

static void read_extended(struct pci_dev *d, struct sr_config *ret)
{
	struct pci_cap *cap = pci_find_cap(d, PCI_EXT_CAP_ID_ACS, PCI_CAP_EXTENDED);

	if (cap) {
		ret->has_acs = true;
		ret->acs_ctrl = pci_read_word(d, (int)cap->addr + PCI_ACS_CTRL);
	}
	ret->has_ats = pci_find_cap(d, PCI_EXT_CAP_ID_ATS, PCI_CAP_EXTENDED) != NULL;
	cap = pci_find_cap(d, PCI_EXT_CAP_ID_SRIOV, PCI_CAP_EXTENDED);
	if (cap) {
		ret->vf_offset = pci_read_word(d, (int)cap->addr + PCI_IOV_OFFSET);
		ret->vf_stride = pci_read_word(d, (int)cap->addr + PCI_IOV_STRIDE);
	}
	read_serial(d, ret->serial, sizeof(ret->serial));
}

void sr_pci_config(struct sr_pci *p, struct cv_bdf bdf, struct sr_config *ret)
{
	struct pci_dev *d;
	uint8_t header[16];

	*ret = (struct sr_config){ .port = INV_PORT_ENDPOINT };
	if (bdf.domain > INT32_MAX)
		return;
	d = pci_get_dev(p->access, (int)bdf.domain, bdf.bus, bdf.dev, bdf.fn);
	if (!d)
		return;
	ret->is_readable = pci_read_block(d, 0, header, sizeof(header)) == 1;
	/* Not the ids: those of a VF read all ones by design (SR-IOV 1.1 section 3.4.1.1). */
	ret->is_dead = ret->is_readable && memcmp(header + 4, "\xff\xff\xff\xff", 4) == 0 &&
		       header[PCI_HEADER_TYPE] == 0xff;
	if (ret->is_readable && !ret->is_dead) {
		ret->is_multifunction = header[PCI_HEADER_TYPE] & MULTIFUNCTION;
		ret->port = read_port(d, header[PCI_HEADER_TYPE]);
		read_extended(d, ret);
	}
	pci_free_dev(d);
}

void sr_pci_name(struct sr_pci *p, uint16_t vendor, uint16_t device, char *buf, size_t size)
{
	char text[256];
	int flags = PCI_LOOKUP_VENDOR | PCI_LOOKUP_DEVICE | PCI_LOOKUP_NO_NUMBERS |
		    PCI_LOOKUP_NO_HWDB;
	const char *name = pci_lookup_name(p->access, text, sizeof(text), flags, vendor, device);

	snprintf(buf, size, "%s", name ? name : "");
}
