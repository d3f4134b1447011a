/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Devices that belong to VMs from boot on: bound to vfio-pci before any host driver sees them
 * (docs/formats/reserved.md). */
#ifndef CARVE_SRIOV_RESERVE_H
#define CARVE_SRIOV_RESERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "base/error.h"
#include "base/step.h"
#include "base/strv.h"
#include "base/sysroot.h"

#define SR_RESERVED_FILE "/etc/carve/reserved.json"
#define SR_RESERVED_RULES_DIR "/etc/udev/rules.d"
#define SR_RESERVED_RULES SR_RESERVED_RULES_DIR "/10-carve-reserved.rules"
#define SR_RESERVED_MAX 1024
#define SR_RESERVED_VERSION 1
/* BDF: another card is in the slot of this one; what the udev rules look at */
#define SR_REPLACED_DIR "/run/carve/replaced"

/**
 * struct sr_reserved - one function: the address and who it is, so that another card in its slot is
 * not taken for it
 * @serial: Device Serial Number capability (PCIe 6.0 section 7.9.3) or VPD "SN", "" unknown
 * @driver: to bind: "vfio-pci" or the variant driver
 */
struct sr_reserved {
	struct cv_bdf bdf;
	uint16_t vendor, device;
	char serial[64];
	char driver[64];
};

/** struct sr_reserved_list - heap array, by BDF */
struct sr_reserved_list {
	struct sr_reserved *v;
	size_t n;
};
void sr_reserved_done(struct sr_reserved_list *l);
#define _cleanup_reserved_ __attribute__((cleanup(sr_reserved_done)))

/**
 * sr_serial() - of a function: DSN, else VPD SN, else ""; of a VF that of its PF
 *
 * Reads in a child with the deadline: a device may never answer for its VPD. Config space is readable
 * as a whole for root only.
 */
void sr_serial(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms, char *buf,
	       size_t size);
/**
 * sr_vfio_driver() - the driver for passing the function through: a variant driver whose vfio_pci:
 * modalias in modules.alias of the running kernel matches, else "vfio-pci"
 *
 * An alias or a blacklist of the site in modprobe.d(5) counts.
 * Return: 0, -errno.
 */
int sr_vfio_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size,
		   struct cv_error *err);
struct inv_dev;
/** sr_vfio_driver_of_vf() - the same for VFs of @pf that are not there yet */
void sr_vfio_driver_of_vf(struct cv_sysroot *root, const struct inv_dev *pf, char *buf,
			  size_t size);

/**
 * sr_host_driver() - the driver that the kernel or udev would choose for a function without driver_override
 * @buf: its name
 * Return: true, also when nobody knows: no list of modules; false: there is none for it.
 */
bool sr_host_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size);

/** sr_reserved_read() - the empty list without the file. Return: 0, -EINVAL, -EPROTONOSUPPORT. */
int sr_reserved_read(struct cv_sysroot *root, struct sr_reserved_list *ret, struct cv_error *err);
/** sr_reserved_write() - file and udev rules, each replaced at once; an empty list removes both. */
int sr_reserved_write(struct cv_sysroot *root, const struct sr_reserved_list *l,
		      struct cv_error *err);
/**
 * sr_reserved_rules() - pure: the udev rules, heap; driver_override is set when the function is added,
 * which is before its modalias loads a driver
 */
char *sr_reserved_rules(const struct sr_reserved_list *l);

/**
 * struct sr_reserved_state - of one entry now
 * @is_same: ids and serial are those that were noted
 */
struct sr_reserved_state {
	bool is_present, is_same, is_bound;
	char driver[64], serial[64];
};
/** sr_reserved_look() - Return: 0, -errno. */
int sr_reserved_look(struct cv_sysroot *root, const struct sr_reserved *r,
		     struct sr_reserved_state *ret, struct cv_error *err);

/** enum sr_reserved_result - what became of an entry */
enum sr_reserved_result {
	SR_RESERVED_BOUND,    /* to its driver, now */
	SR_RESERVED_READY,    /* it was before */
	SR_RESERVED_ABSENT,   /* no such function */
	SR_RESERVED_REPLACED, /* another card is there: not touched */
	SR_RESERVED_HELD,     /* a host driver has it: not touched */
	SR_RESERVED_FAILED,   /* no host driver has it, and its own does not */
	SR_RESERVED_RESULTS,
};
/** sr_reserved_result_name() - "bound", "ready", "absent", "replaced", "held", "failed" */
const char *sr_reserved_result_name(enum sr_reserved_result result);

/** struct sr_reserved_outcome - of one entry; @text: what was found, "" when bound or ready */
struct sr_reserved_outcome {
	struct cv_bdf bdf;
	enum sr_reserved_result result;
	char text[256];
};

/**
 * sr_reserved_apply() - bind each reserved function that is there, is the same card, and has no
 * driver; for the early unit, before udev looks for drivers
 * @ret: one per entry of @l, by the caller
 *
 * driver_override of all of them is set first, then the modules are loaded. Nothing is journalled: this
 * is the state a VM finds and gives back.
 * Return: 0; -EIO when an entry is replaced, held or failed, with @err about the first.
 */
int sr_reserved_apply(const struct cv_step_env *env, const struct sr_reserved_list *l,
		      struct sr_reserved_outcome *ret, struct cv_error *err);

/**
 * sr_group_names() - addresses of the functions of an IOMMU group without its bridges, by address
 *
 * The number of a group changes from boot to boot; these are what /dev/vfio/by-carve calls it.
 * Return: 0, -ENOENT.
 */
int sr_group_names(struct cv_sysroot *root, unsigned int group, struct cv_strv *ret);

#endif
