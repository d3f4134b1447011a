// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/nvme.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"

#define OPCODE_IDENTIFY 0x06
#define OPCODE_VIRT_MGMT 0x1c
#define CNS_SECONDARY_LIST 0x15
#define LIST_BYTES 4096
#define LIST_ENTRIES 127
#define ENTRY_BYTES 32

/* Actions of Virtualization Management (NVMe Base 2.0 figure 341). */
enum action { ACTION_OFFLINE = 7, ACTION_ASSIGN = 8, ACTION_ONLINE = 9 };

/* Status code type and code as the ioctl returns them, without the do-not-retry bit. */
static const struct {
	int status;
	const char *meaning;
} status_names[] = {
	{ 0x001, "the controller has no such command" },
	{ 0x002, "invalid field in the command" },
	{ 0x11f, "invalid controller identifier" },
	{ 0x120, "the secondary controller is in the wrong state" },
	{ 0x121, "this number of resources is not to be had" },
	{ 0x122, "invalid resource identifier" },
};

static int fail_status(struct cv_error *err, int status, const char *doing)
{
	const char *meaning = "";
	int code = status & 0x7ff;
	int r = code == 0x001 ? -EOPNOTSUPP : -EIO;

	for (size_t i = 0; i < CV_ARRAY_SIZE(status_names); i++) {
		if (status_names[i].status == code)
			meaning = status_names[i].meaning;
	}
	cv_fail(err, r, CV_EXIT_FAILED, "ENVME", NULL, "%s failed", doing);
	cv_error_found(err, "NVMe status 0x%03x %s", code, meaning);
	return r;
}

static int submit(int fd, struct nvme_admin_cmd *cmd, const char *doing, struct cv_error *err)
{
	int r = ioctl(fd, NVME_IOCTL_ADMIN_CMD, cmd);

	if (r < 0)
		return cv_fail_errno(err, -errno, NULL, "%s failed", doing);
	return r > 0 ? fail_status(err, r, doing) : 0;
}

static unsigned int le16(const uint8_t *p)
{
	return p[0] | (unsigned int)p[1] << 8;
}

int sr_nvme_parse_list(const uint8_t *list, unsigned int vf_number, struct sr_nvme_secondary *ret,
		       uint16_t *ret_last)
{
	unsigned int n = list[0];

	if (n > LIST_ENTRIES)
		return -EINVAL;
	for (unsigned int i = 0; i < n; i++) {
		const uint8_t *e = list + ENTRY_BYTES + i * ENTRY_BYTES;

		*ret_last = (uint16_t)le16(e);
		if (le16(e + 8) != vf_number)
			continue;
		*ret = (struct sr_nvme_secondary){
			.cntlid = (uint16_t)le16(e),
			.is_online = e[4] & 1,
			.vq = le16(e + 10),
			.vi = le16(e + 12),
		};
		return 1;
	}
	return 0;
}

static int read_list(int fd, unsigned int first, uint8_t *list, unsigned int timeout_ms,
		     struct cv_error *err)
{
	struct nvme_admin_cmd cmd = {
		.opcode = OPCODE_IDENTIFY,
		.addr = (uintptr_t)list,
		.data_len = LIST_BYTES,
		.cdw10 = CNS_SECONDARY_LIST | first << 16,
		.timeout_ms = timeout_ms,
	};

	return submit(fd, &cmd, "reading the list of secondary controllers", err);
}

int sr_nvme_secondary_read(int fd, unsigned int vf_number, unsigned int timeout_ms,
			   struct sr_nvme_secondary *ret, struct cv_error *err)
{
	unsigned int first = 0;

	/* Each list goes on where the one before ended, and ids only grow. */
	while (first <= UINT16_MAX) {
		uint8_t list[LIST_BYTES] __attribute__((aligned(LIST_BYTES))) = { 0 };
		uint16_t last = 0;
		int r = read_list(fd, first, list, timeout_ms, err);

		if (r == 0)
			r = sr_nvme_parse_list(list, vf_number, ret, &last);
		if (r == -EINVAL)
			return cv_fail(err, r, CV_EXIT_FAILED, "ENVME", NULL,
				       "the list of secondary controllers makes no sense");
		if (r != 0)
			return r < 0 ? r : 0;
		if (list[0] < LIST_ENTRIES || last < first)
			break;
		first = last + 1U;
	}
	return cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENOVF", NULL,
		       "the NVMe controller knows no secondary controller for VF number %u",
		       vf_number);
}

static int manage(int fd, uint16_t cntlid, enum action action, enum sr_nvme_resource type,
		  unsigned int count, unsigned int timeout_ms, const char *doing,
		  struct cv_error *err)
{
	struct nvme_admin_cmd cmd = {
		.opcode = OPCODE_VIRT_MGMT,
		.cdw10 = (uint32_t)cntlid << 16 | (uint32_t)type << 8 | (uint32_t)action,
		.cdw11 = count,
		.timeout_ms = timeout_ms,
	};

	return submit(fd, &cmd, doing, err);
}

int sr_nvme_assign(int fd, uint16_t cntlid, enum sr_nvme_resource type, unsigned int count,
		   unsigned int timeout_ms, struct cv_error *err)
{
	char doing[80];

	snprintf(doing, sizeof(doing), "assigning %u %s to controller %u", count,
		 type == SR_NVME_VQ ? "queues" : "interrupts", cntlid);
	return manage(fd, cntlid, ACTION_ASSIGN, type, count, timeout_ms, doing, err);
}

int sr_nvme_set_online(int fd, uint16_t cntlid, bool is_online, unsigned int timeout_ms,
		       struct cv_error *err)
{
	char doing[80];

	snprintf(doing, sizeof(doing), "setting controller %u %s", cntlid,
		 is_online ? "online" : "offline");
	return manage(fd, cntlid, is_online ? ACTION_ONLINE : ACTION_OFFLINE, SR_NVME_VQ, 0,
		      timeout_ms, doing, err);
}
