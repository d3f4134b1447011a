/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secondary controllers of an NVMe device (NVMe Base 2.0 sections 5.19, 5.25 and 8.26). */
#ifndef CARVE_SRIOV_NVME_H
#define CARVE_SRIOV_NVME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

/** enum sr_nvme_resource - flexible resources: queues and interrupt vectors */
enum sr_nvme_resource { SR_NVME_VQ = 0, SR_NVME_VI = 1 };

/** struct sr_nvme_secondary - the controller of one VF */
struct sr_nvme_secondary {
	uint16_t cntlid;
	bool is_online;
	unsigned int vq; /* flexible queues assigned */
	unsigned int vi; /* flexible interrupts assigned */
};

/* Each command runs in a child: @timeout_ms is its deadline, -ETIMEDOUT the answer after it. */

/**
 * sr_nvme_check_flexible() - Identify, primary controller capabilities
 * @fd: controller of the PF, "/dev/nvmeN"
 * Return: 0; -EOPNOTSUPP when there are no flexible resources, or the controller does not know such
 * a thing: its VFs come with what they need; -errno.
 */
int sr_nvme_check_flexible(int fd, unsigned int timeout_ms, struct cv_error *err);

/**
 * sr_nvme_secondary_read() - Identify, secondary controller list
 * @fd:        controller of the PF, "/dev/nvmeN"
 * @vf_number: 1 for the first VF
 * Return: 0, -ENODEV no such VF, -EOPNOTSUPP no virtualization management, -errno.
 */
int sr_nvme_secondary_read(int fd, unsigned int vf_number, unsigned int timeout_ms,
			   struct sr_nvme_secondary *ret, struct cv_error *err);
/** sr_nvme_assign() - give the (offline) controller @count flexible resources. */
int sr_nvme_assign(int fd, uint16_t cntlid, enum sr_nvme_resource type, unsigned int count,
		   unsigned int timeout_ms, struct cv_error *err);
/** sr_nvme_set_online() - set the controller on- or offline. */
int sr_nvme_set_online(int fd, uint16_t cntlid, bool is_online, unsigned int timeout_ms,
		       struct cv_error *err);

#define SR_NVME_MAX_NS 16

/**
 * struct sr_nvme_wish - the value of a step "vf-nvme": "vq=2 vi=1 ns=1,2"
 * @ns: namespaces the VF shall see besides those it has, each once; @n_ns may be 0
 */
struct sr_nvme_wish {
	unsigned int vq, vi;
	uint32_t ns[SR_NVME_MAX_NS];
	size_t n_ns;
};

/** sr_nvme_parse_wish() - an admin and an I/O queue are the least. Return: 0, -EINVAL, -ENOMEM. */
int sr_nvme_parse_wish(const char *value, struct sr_nvme_wish *ret);

/**
 * sr_nvme_is_attached() - Identify, list of controllers a namespace is attached to (CNS 12h)
 * Return: 1 attached to @cntlid, 0 not; -EOPNOTSUPP no namespace management, or no such namespace in it;
 * -errno.
 */
int sr_nvme_is_attached(int fd, uint32_t nsid, uint16_t cntlid, unsigned int timeout_ms,
			struct cv_error *err);
/**
 * sr_nvme_attach() - Namespace Attachment: attach @nsid to @cntlid, or detach it
 * Return: 0, -EEXIST the controller says it is attached already, -ENOTCONN that it is not attached at
 * all, -errno.
 */
int sr_nvme_attach(int fd, uint32_t nsid, uint16_t cntlid, bool is_attach, unsigned int timeout_ms,
		   struct cv_error *err);

/** sr_nvme_list_has() - is @cntlid in the controller list of 4096 bytes? */
bool sr_nvme_list_has(const uint8_t *list, uint16_t cntlid);

/** sr_nvme_parse_caps() - Return: there are flexible resources, by the 4096 bytes of Identify CNS 14h */
bool sr_nvme_parse_caps(const uint8_t *caps);

/**
 * sr_nvme_parse_list() - find a VF in a secondary controller list
 * @list:      the 4096 bytes of Identify CNS 15h
 * @ret_last:  highest controller id in the list, to go on from
 * Return: 1 found, 0 not in this list, -EINVAL.
 */
int sr_nvme_parse_list(const uint8_t *list, unsigned int vf_number, struct sr_nvme_secondary *ret,
		       uint16_t *ret_last);

#endif
