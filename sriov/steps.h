/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changes sriov/ can make to the host, as steps with undo. */
#ifndef CARVE_SRIOV_STEPS_H
#define CARVE_SRIOV_STEPS_H

#include "base/step.h"

/*
 * kind          scope   object             value
 * "module"      shared  "vfio-pci"         "loaded"    libkmod; revert unloads what was not there before
 * "numvfs"      shared  BDF of the PF      "7"         sriov_numvfs, waits until every VF and its group
 *                                                      exist; only from 0 (or already as wanted);
 *                                                      revert: prior count; the PF's links and IRQ
 *                                                      affinities are brought back after each change
 * "vf-net"      own     "PF/INDEX"         "mac=aa:bb:cc:dd:ee:ff vlan=100"  libnl-route-3; read back;
 *                                                      prior: MAC, VLAN as reported by the PF
 * "vf-nvme"     own     "PF/INDEX"         "vq=2 vi=1" secondary controller resources: offline, assign
 *                                                      queues and interrupts, reset, online (NVMe 2.0
 *                                                      section 8.26); prior: resources and state
 * "bind"        own     BDF                "vfio-pci"  unbind, driver_override, drivers_probe, verified;
 *                                                      prior: driver and driver_override
 * "group-owner" own     BDF                "UID"       /dev/vfio/GROUP of the device given to the user;
 *                                                      checks first that the whole group is viable;
 *                                                      prior: uid, gid, mode (the group number is resolved
 *                                                      at apply and kept in prior by record)
 * sriov_drivers_autoprobe is set by kind "attr-shared" of base/ (path of the attribute, "0").
 * Errno of sriov_numvfs explained: EBUSY, ENOSPC (MSI-X or bus numbers), ERANGE, ENOENT, EIO.
 */
extern const struct cv_step_ops sr_step_module;
extern const struct cv_step_ops sr_step_numvfs;
extern const struct cv_step_ops sr_step_vf_net;
extern const struct cv_step_ops sr_step_vf_nvme;
extern const struct cv_step_ops sr_step_bind;
extern const struct cv_step_ops sr_step_group_owner;

/** struct sr_vf_net - settings of one VF as its PF reports them */
struct sr_vf_net {
	unsigned int index;
	char mac[18];
	int vlan;
	int qos;
	int trust, spoofchk, linkstate; /* -1: not reported */
	unsigned int min_rate, max_rate;
};

/** sr_vf_net_list() - VFs of the PF that is netdev @ifname. Return: count or -errno; heap array. */
int sr_vf_net_list(const char *ifname, struct sr_vf_net **ret, struct cv_error *err);

#endif
