/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of network VFs through their PF (libnl-route-3); the step is in vf_net_step.c. */
#ifndef CARVE_SRIOV_VF_NET_H
#define CARVE_SRIOV_VF_NET_H

#include <stdint.h>

#include "base/error.h"
#include "sriov/steps.h"

/** sr_vf_net_get() - one VF of the PF that is netdev @ifname. Return: 0, -ENODEV, -errno. */
int sr_vf_net_get(const char *ifname, unsigned int index, struct sr_vf_net *ret,
		  struct cv_error *err);

/**
 * sr_vf_net_set_mac() - one request, one attribute: an errno is about the MAC alone
 * Runs in a child: a driver may hold the kernel's network lock for ever.
 * Return: 0, -errno of the kernel (-EOPNOTSUPP: the PF's driver cannot), -ETIMEDOUT.
 */
int sr_vf_net_set_mac(const char *ifname, unsigned int index, const uint8_t mac[6],
		      unsigned int deadline_ms);
/** sr_vf_net_set_vlan() - VLAN 0: none. Like sr_vf_net_set_mac(). */
int sr_vf_net_set_vlan(const char *ifname, unsigned int index, int vlan, int qos,
		       unsigned int deadline_ms);

#endif
