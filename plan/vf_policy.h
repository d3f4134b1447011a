/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the VFs of a PF shall be: the vfs: list of the site file, or the options of carve vf. Pure: it
 * is compared with the inventory and becomes steps. */
#ifndef CARVE_PLAN_VF_POLICY_H
#define CARVE_PLAN_VF_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/error.h"
#include "base/step_list.h"
#include "plan/inventory.h"

#define VF_POLICY_MAX 64 /* entries of a site */

/** enum vf_switch - left alone, off, on; the link also follows the PF's */
enum vf_switch { VF_KEEP = -1, VF_OFF, VF_ON, VF_AUTO };

/**
 * struct vf_settings - settings of one network VF; what is not given stays as it is
 * @vlan:     1..4094, 0: none, -1: keep
 * @qos:      802.1p priority 0..7, with @vlan
 * @min_rate, @max_rate: Mbit/s, 0: no limit, -1: keep; min_rate must not exceed max_rate
 * @node_guid, @port_guid: InfiniBand, 0: keep
 */
struct vf_settings {
	bool has_mac;
	uint8_t mac[6]; /* unicast, not zero */
	int vlan, qos;
	enum vf_switch trust, spoofchk, link;
	int64_t min_rate, max_rate;
	uint64_t node_guid, port_guid;
};

/** vf_settings_none() - everything stays as it is */
void vf_settings_none(struct vf_settings *ret);
/**
 * vf_settings_set() - one KEY=VALUE: mac, vlan, qos, trust, spoofchk, link (auto on off), min_rate,
 * max_rate, node_guid, port_guid ("00:11:22:33:44:55:66:77")
 * Return: 0, -EINVAL with value found and wanted, before anything is written.
 */
int vf_settings_set(struct vf_settings *s, const char *key, const char *value,
		    struct cv_error *err);
/** vf_settings_check() - what only the whole can tell: rates, qos without vlan. Return: 0, -EINVAL. */
int vf_settings_check(const struct vf_settings *s, const char *object, struct cv_error *err);
/** vf_settings_text() - "mac=.. vlan=.. trust=on", the value of a step "vf-net"; heap, NULL: no memory. */
char *vf_settings_text(const struct vf_settings *s);
/**
 * vf_settings_parse() - the reverse; an empty "mac=" asks for no address
 * Return: 0, -EINVAL (a bad value, a key twice, what vf_settings_check() refuses), -ENOMEM.
 */
int vf_settings_parse(const char *text, struct vf_settings *ret, struct cv_error *err);
/** vf_settings_over() - what @s does not give becomes what there is @now: the whole after a change. */
void vf_settings_over(const struct vf_settings *now, struct vf_settings *s);
/** vf_settings_match() - is everything that @wanted gives so @now? */
bool vf_settings_match(const struct vf_settings *wanted, const struct vf_settings *now);

/**
 * struct vf_policy - one entry of vfs:
 * @pf:       by address; or
 * @vendor, @device: every PF of these ids (@has_pf false)
 * @count:    VFs wanted; -1: as many as the device offers
 * @autoprobe: host drivers may take new VFs; default no
 * @settings: of each network VF of it (no MAC here)
 * @queues, @interrupts: flexible NVMe resources of each VF, both or neither; 0: left alone
 */
struct vf_policy {
	bool has_pf;
	struct cv_bdf pf;
	uint16_t vendor, device;
	int count;
	bool autoprobe;
	struct vf_settings settings;
	unsigned int queues, interrupts;
};

/**
 * struct vf_target - one PF of the inventory and what it shall become
 * @held: a VF of it that is leased or in use, -1; a count can then only stay
 */
struct vf_target {
	int dev;
	unsigned int now, wanted;
	int held;
	const struct vf_policy *policy;
};

/**
 * vf_policy_targets() - the PFs that the entries are about, each once, the more exact entry wins; not
 * checked
 * @ret: heap, by BDF
 * Return: number of targets; -ENODEV no such function, -ENOMEM.
 */
int vf_policy_targets(const struct inventory *inv, const struct vf_policy *entries, size_t n,
		      struct vf_target **ret, struct cv_error *err);
/** vf_target_check() - can it become what it shall? Return: 0, those of vf_policy_resolve(). */
int vf_target_check(const struct inventory *inv, const struct vf_target *t, struct cv_error *err);

/**
 * vf_policy_resolve() - both of these
 * Return: number of targets; -ENODEV no such function, -EINVAL not a PF / a bridge, -ERANGE more VFs than
 * TotalVFs, -EOPNOTSUPP a PF in switchdev mode, -ENXIO no IOMMU, -EBUSY a count that would pull a VF
 * from its holder (named in @err), -EPERM a count to change of a PF in quarantine. An entry of ids may
 * be about no function: a site file serves many hosts. Nothing is written.
 */
int vf_policy_resolve(const struct inventory *inv, const struct vf_policy *entries, size_t n,
		      struct vf_target **ret, struct cv_error *err);

/** vf_is_held() - is the function leased, or used on the host? */
bool vf_is_held(const struct inventory *inv, int dev);
/** vf_is_taken() - is it leased, or did somebody take it from the host (VFIO, DPDK, libvirt)? */
bool vf_is_taken(const struct inventory *inv, int dev);

/**
 * vf_policy_steps() - the steps that lead from the inventory to the targets; none when all is as wanted
 *
 * attr sriov_drivers_autoprobe, numvfs-set (through 0 only when another count is there), vf-net of
 * each VF that is not vf_is_taken(), vf-nvme of each that is not vf_is_held(). Settings of VFs are no
 * part of the inventory: their steps are there whenever the policy has some, and write only what
 * differs.
 * @ret: a new list
 * Return: 0, -ENOMEM.
 */
int vf_policy_steps(const struct inventory *inv, const struct vf_target *targets, size_t n,
		    struct cv_step_list *ret, struct cv_error *err);

#endif
