/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the kernel over netlink (libnl-route-3): settings of network VFs through their PF,
 * interfaces with an address. The step is in vf_net_step.c. Everything runs in a child: a driver may
 * hold the kernel's network lock for ever. */
#ifndef CARVE_SRIOV_VF_NET_H
#define CARVE_SRIOV_VF_NET_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "sriov/steps.h"

/** sr_vf_net_get() - one VF of the PF that is netdev @ifname. Return: 0, -ENODEV, -errno. */
int sr_vf_net_get(const char *ifname, unsigned int index, unsigned int deadline_ms,
		  struct sr_vf_net *ret, struct cv_error *err);

#define SR_MAX_LINKS 1024

/** struct sr_links - interfaces by their index */
struct sr_links {
	size_t n;
	int index[SR_MAX_LINKS];
};

/** sr_links_addressed() - interfaces of this namespace with an IPv4 address. Return: 0, -errno. */
int sr_links_addressed(unsigned int deadline_ms, struct sr_links *ret);

/**
 * sr_vf_net_set_mac() - one request, one attribute: an errno is about the MAC alone
 * Return: 0, -errno of the kernel (-EOPNOTSUPP: the PF's driver cannot), -ETIMEDOUT.
 */
int sr_vf_net_set_mac(const char *ifname, unsigned int index, const uint8_t mac[6],
		      unsigned int deadline_ms);
/** sr_vf_net_set_vlan() - VLAN 0: none. Like sr_vf_net_set_mac(). */
int sr_vf_net_set_vlan(const char *ifname, unsigned int index, int vlan, int qos,
		       unsigned int deadline_ms);

#endif
