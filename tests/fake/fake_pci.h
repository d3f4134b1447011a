/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PCI devices, their drivers and SR-IOV in a fake host, as far as sysfs shows them. */
#ifndef CARVE_TESTS_FAKE_PCI_H
#define CARVE_TESTS_FAKE_PCI_H

#include "tests/fake/fake_sysroot.h"

/**
 * struct fake_pci - one device
 * @bdf:    "0000:01:00.0"
 * @bus:    directory below /sys/devices, "pci0000:00" or "pci0000:00/0000:00:01.0"
 * @ids:    "0x8086 0x10c9 0x020000": vendor, device, class
 * @driver: the host driver that matches it, NULL for none
 * @group:  IOMMU group, -1 for none
 * @node:   NUMA node
 */
struct fake_pci {
	const char *bdf;
	const char *bus;
	const char *ids;
	const char *driver;
	int group;
	int node;
};

/** struct fake_sriov - the capability of a PF; VFs get group @first_group, +1, ... */
struct fake_sriov {
	unsigned int total;
	unsigned int offset;
	unsigned int stride;
	const char *vf_ids;
	const char *vf_driver;
	int first_group;
};

/**
 * fake_pci_install() - the PCI bus of a fake: drivers/NAME/{bind,unbind}, drivers_probe and
 * sriov_numvfs do what they do on a host, driver_override and (as since Linux 6.19) drivers_autoprobe
 * are honoured
 */
void fake_pci_install(struct fake *f);
/** fake_pci_driver() - a loaded driver; binding to "vfio-pci" makes /dev/vfio/GROUP. */
void fake_pci_driver(struct fake *f, const char *name);
/** fake_pci_device() - a device, bound to its driver when that is there. */
void fake_pci_device(struct fake *f, const struct fake_pci *d);
/** fake_pci_remove() - it is unbound and gone from the bus. */
void fake_pci_remove(struct fake *f, const char *bdf);
void fake_pci_sriov(struct fake *f, const char *bdf, const struct fake_sriov *s);
/** fake_pci_partial() - the next @times that VFs are made, at most @most come up, and it is no error. */
void fake_pci_partial(struct fake *f, const char *bdf, unsigned int most, unsigned int times);
/** fake_pci_probes() - how often a host driver, any but vfio-pci, has got the device. */
unsigned int fake_pci_probes(struct fake *f, const char *bdf);
/** fake_pci_bound() - name of the driver a device is bound to, "" for none. */
const char *fake_pci_bound(struct fake *f, const char *bdf, char buf[64]);

#endif
