/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The changes sriov/ can make to the host, as steps with undo. */
#ifndef CARVE_SRIOV_STEPS_H
#define CARVE_SRIOV_STEPS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/step.h"

/*
 * kind          scope   object             value
 * "module"      shared  "vfio-pci"         "loaded"    libkmod; revert unloads what was not there before
 * "numvfs"      shared  BDF of the PF      "7"         sriov_numvfs, waits until every VF and its group
 *                                                      exist; only from 0 (or already as wanted);
 *                                                      revert: prior count; the PF's links and IRQ
 *                                                      affinities are brought back after each change
 * "numvfs-set"  own     BDF of the PF      "7" or "7 replace"  of the operator: it stays. "replace": another
 *                                                      count is taken away first, when nobody uses a VF
 *                                                      (lease, shared by a VM, open group, host); prior
 *                                                      then also has driver and settings of each VF;
 *                                                      4 VFs of 5 are tried once more, then EPARTIAL
 * "vf-net"      own     "PF/INDEX"         "mac=aa:bb:cc:dd:ee:ff vlan=100 trust=on"  libnl-route-3;
 *                                                      text of plan/vf_policy.h; read back; prior: the
 *                                                      same settings as reported by the PF; what the
 *                                                      driver cannot do and nobody insists on is noted,
 *                                                      not refused (MAC, VLAN and max_rate are insisted on)
 * "vf-nvme"     own     "PF/INDEX"         "vq=2 vi=1 ns=1,2" secondary controller: namespaces attached
 *                                                      (ns= may be absent; NVMe Base 2.0 section 5.19),
 *                                                      offline, queues and interrupts, reset, online
 *                                                      (section 8.26); prior: resources, state and which
 *                                                      of the namespaces were attached
 * "bind"        own     BDF                "vfio-pci"  unbind, driver_override, drivers_probe, verified;
 *                                                      prior: driver and driver_override
 * "group-owner" own     BDF                "UID"       /dev/vfio/GROUP of the device given to the user;
 *                                                      checks first that the whole group is viable;
 *                                                      prior: uid, gid, mode (the group number is resolved
 *                                                      at apply and kept in prior by record)
 * "health"      own     BDF                "DRIVER"    "" or the driver it has to come back to; record:
 *                                                      struct sr_health; apply: refuses a function that is
 *                                                      not healthy; revert: compares, and quarantines one
 *                                                      that is worse. Placed before the function's other
 *                                                      steps, so that its revert is the last of them
 * "hooks"       own     "bind" | "ready"   "BDF BDF.." "bind": apply runs pre-bind.d, revert post-release.d;
 *                                                      "ready": apply runs post-bind.d, revert
 *                                                      pre-release.d. A hook that fails on the way out
 *                                                      quarantines the functions, the release goes on
 * "reset"       own     BDF                "flr bus"   nothing is made: while the function is reset these
 *                                                      ways, the journal has where it stood (with "slot"
 *                                                      all functions of its device do): driver,
 *                                                      driver_override, reset_method, how it is found
 *                                                      again; revert: back there, drivers_autoprobe as well
 * "reset-method" own    BDF                "flr"       "" none: what VFIO may reset it by when it is opened
 *                                                      and closed; prior: reset_method
 * "tap"         own     interface          "user=U bridge=B vlan=0 mtu=N queues=N"  or ovs=B: made, marked by
 *                                                      the alias "carve:NAME", a port of the bridge, up
 *                                                      (sriov/tap.h); prior: the mark; revert: deletes it,
 *                                                      never an interface with another alias
 * sriov_drivers_autoprobe is set by kind "attr-shared" of base/ (path of the attribute, "0").
 * Errno of sriov_numvfs explained: EBUSY, ENOSPC (MSI-X or bus numbers), ERANGE, ENOENT, EIO.
 */
extern const struct cv_step_ops sr_step_module;
extern const struct cv_step_ops sr_step_numvfs;
extern const struct cv_step_ops sr_step_numvfs_set;
extern const struct cv_step_ops sr_step_vf_net;
extern const struct cv_step_ops sr_step_vf_nvme;
extern const struct cv_step_ops sr_step_bind;
extern const struct cv_step_ops sr_step_group_owner;
extern const struct cv_step_ops sr_step_health;
extern const struct cv_step_ops sr_step_hooks;
extern const struct cv_step_ops sr_step_reset;
extern const struct cv_step_ops sr_step_reset_method;
extern const struct cv_step_ops sr_step_tap;

/** struct sr_vf_net - settings of one VF as its PF reports them; linkstate is enum ifla_vf's: 0 auto, 1
 * on, 2 off */
struct sr_vf_net {
	unsigned int index;
	char mac[18];
	int vlan;
	int qos;
	int trust, spoofchk, linkstate;	 /* -1: not reported */
	unsigned int min_rate, max_rate; /* Mbit/s, 0: no limit */
	bool has_guids;			 /* the PF's driver reports them */
	uint64_t node_guid, port_guid;	 /* InfiniBand, 0: none set, or not reported */
	uint16_t vlan_proto;		 /* ETH_P_8021Q, ETH_P_8021AD; 0: not reported */
};

/** sr_vf_net_list() - VFs of the PF that is netdev @ifname. Return: count or -errno; heap array. */
int sr_vf_net_list(const char *ifname, struct sr_vf_net **ret, struct cv_error *err);

#endif
