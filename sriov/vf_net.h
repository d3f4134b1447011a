/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of the kernel over netlink (libnl-route-3): settings of network VFs through their PF,
 * interfaces with an address. The step is in vf_net_step.c. Everything runs in a child: a driver may
 * hold the kernel's network lock for ever. */
#ifndef CARVE_SRIOV_VF_NET_H
#define CARVE_SRIOV_VF_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/step.h"
#include "base/strv.h"
#include "plan/vf_policy.h"
#include "sriov/steps.h"

/**
 * enum sr_vf_request - what one request to the kernel sets, in the order they are made; one bit each in
 * the masks below
 */
enum sr_vf_request {
	SR_VF_MAC,
	SR_VF_VLAN, /* with its priority */
	SR_VF_RATE, /* both rates */
	SR_VF_SPOOFCHK,
	SR_VF_TRUST,
	SR_VF_LINK,
	SR_VF_NODE_GUID,
	SR_VF_PORT_GUID,
	SR_VF_REQUESTS
};

#define SR_VF_BIT(request) (1U << (request))
/* A guest without these is not what was asked for; the others are worth a note. */
#define SR_VF_INSISTED (SR_VF_BIT(SR_VF_MAC) | SR_VF_BIT(SR_VF_VLAN) | SR_VF_BIT(SR_VF_RATE))

/** sr_vf_request_name() - "MAC address", "trust" ... for messages */
const char *sr_vf_request_name(enum sr_vf_request request);

/* Pure: which requests lead from one state to another. */

/** sr_vf_net_reported() - what the PF tells of the VF; the rest could not be brought back */
unsigned int sr_vf_net_reported(const struct sr_vf_net *vf);
/** sr_vf_net_differ() - requests that lead from @a to @b */
unsigned int sr_vf_net_differ(const struct sr_vf_net *a, const struct sr_vf_net *b);
/**
 * sr_vf_net_lay() - lay settings over what there is: two values of one request make one
 * @vf: in: as it is, out: as it shall be; a VF without a VLAN has no priority
 * Return: requests that @s speaks of.
 */
unsigned int sr_vf_net_lay(const struct vf_settings *s, struct sr_vf_net *vf);
/** sr_vf_net_settings() - what the PF tells, as settings; an address that is all zero is none */
void sr_vf_net_settings(const struct sr_vf_net *vf, struct vf_settings *ret);
/** sr_vf_net_json() - what the PF tells, for the journal. Return: a new object, NULL: no memory. */
struct json_t *sr_vf_net_json(const struct sr_vf_net *vf);
/**
 * sr_vf_net_from_json() - lay what was noted over @vf
 * Return: requests that the note speaks of (older notes know of fewer).
 */
unsigned int sr_vf_net_from_json(const struct json_t *j, struct sr_vf_net *vf);
/**
 * sr_vf_net_parse() - the VFs in the attribute IFLA_VFINFO_LIST of an interface
 * @list: payload of the attribute, @len bytes
 * Return: number of VFs written to @ret, at most @max; -EINVAL.
 */
int sr_vf_net_parse(const void *list, size_t len, struct sr_vf_net *ret, size_t max);

/* What talks to the kernel. */

/** sr_vf_net_get() - one VF of the PF that is netdev @ifname. Return: 0, -ENODEV, -errno. */
int sr_vf_net_get(const char *ifname, unsigned int index, unsigned int deadline_ms,
		  struct sr_vf_net *ret, struct cv_error *err);
/**
 * sr_vf_net_send() - one request, one attribute: an errno is about it alone
 * @vf: values of the VF @vf->index as they shall be
 * Return: 0, -errno of the kernel (-EOPNOTSUPP: the PF's driver cannot), -ETIMEDOUT.
 */
int sr_vf_net_send(const char *ifname, enum sr_vf_request request, const struct sr_vf_net *vf,
		   unsigned int deadline_ms);

/**
 * sr_vf_net_netdev() - name of the interface of a PF, never that of a port of its switch
 * @ret: 64 bytes
 * Return: 0, -ENODEV when it has none in this namespace.
 */
int sr_vf_net_netdev(struct cv_sysroot *root, const char *pf, char ret[64]);
/**
 * sr_vf_net_is_switchdev() - are the VFs of @pf ports of a switch (devlink eswitch mode switchdev)?
 *
 * Told by the representors of the VFs: an interface whose phys_port_name is "pfXvfY", with a controller
 * "cN" before it or not, on the PF itself or of the same phys_switch_id
 * (Documentation/networking/representors.rst, devlink/devlink-port.rst). A phys_switch_id alone says
 * nothing: ice and bnxt_en have one in legacy mode too. Reading these attributes waits for the kernel's
 * network lock.
 */
bool sr_vf_net_is_switchdev(struct cv_sysroot *root, const char *pf);

/**
 * sr_vf_net_notes() - what an applied step "vf-net" asked for and the driver does not do, one sentence
 * each: it is reported, never a failure
 * @ret: appended to
 * Return: 0, -errno.
 */
int sr_vf_net_notes(const struct cv_step_env *env, const char *object, const char *value,
		    struct cv_strv *ret, struct cv_error *err);
/** sr_vf_net_bring_back() - everything that record noted. Return: 0 (also when the VF is gone), -errno. */
int sr_vf_net_bring_back(const struct cv_step_env *env, const char *object,
			 const struct json_t *prior, struct cv_error *err);

#define SR_MAX_LINKS 1024

/** struct sr_links - interfaces by their index */
struct sr_links {
	size_t n;
	int index[SR_MAX_LINKS];
};

/** sr_links_addressed() - interfaces of this namespace with an IPv4 address. Return: 0, -errno. */
int sr_links_addressed(unsigned int deadline_ms, struct sr_links *ret);

#endif
