// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/nvme.h"

#include <errno.h>
#include <linux/nvme_ioctl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/cleanup.h"
#include "sriov/function.h"

#define OPCODE_IDENTIFY 0x06
#define OPCODE_ATTACH 0x15
#define OPCODE_VIRT_MGMT 0x1c
#define CNS_ATTACHED_LIST 0x12
#define CNS_PRIMARY_CAPS 0x14
#define CNS_SECONDARY_LIST 0x15
#define STATUS_NO_COMMAND 0x001
#define STATUS_BAD_FIELD 0x002
#define STATUS_ATTACHED 0x118
#define STATUS_NOT_ATTACHED 0x11a
#define LIST_BYTES 4096
#define LIST_ENTRIES 127
#define ENTRY_BYTES 32
#define CONTROLLER_LIST_MAX 2047

/* Actions of Virtualization Management (NVMe Base 2.0 figure 341). */
enum action { ACTION_OFFLINE = 7, ACTION_ASSIGN = 8, ACTION_ONLINE = 9 };

/* Status code type and code as the ioctl returns them, without the do-not-retry bit. */
static const struct {
	int status;
	const char *meaning;
} status_names[] = {
	{ STATUS_NO_COMMAND, "the controller has no such command" },
	{ STATUS_BAD_FIELD, "invalid field in the command" },
	{ 0x00b, "there is no such namespace" },
	{ STATUS_ATTACHED, "the namespace is attached to the controller already" },
	{ 0x119, "the namespace is private and attached to another controller" },
	{ STATUS_NOT_ATTACHED, "the namespace is not attached to the controller" },
	{ 0x11c, "the controller is not of this subsystem" },
	{ 0x11f, "invalid controller identifier" },
	{ 0x120, "the secondary controller is in the wrong state" },
	{ 0x121, "this number of resources is not to be had" },
	{ 0x122, "invalid resource identifier" },
};

/**
 * struct request - an admin command; the child fills @status and @data
 * @status: of the controller, 0 when it took the command
 * @data:   where the command reads to or writes from, when cmd.data_len says so
 */
struct request {
	int fd;
	int status;
	struct nvme_admin_cmd cmd;
	uint8_t data[LIST_BYTES] __attribute__((aligned(LIST_BYTES)));
};

/* A controller that has no such data structure has no such feature. */
static int errno_of(const struct request *q, int code)
{
	if (code == STATUS_NO_COMMAND ||
	    (code == STATUS_BAD_FIELD && q->cmd.opcode == OPCODE_IDENTIFY))
		return -EOPNOTSUPP;
	if (q->cmd.opcode != OPCODE_ATTACH)
		return -EIO;
	return code == STATUS_ATTACHED ? -EEXIST : code == STATUS_NOT_ATTACHED ? -ENOTCONN : -EIO;
}

static int fail_status(struct cv_error *err, const struct request *q, const char *doing)
{
	const char *meaning = "";
	int code = q->status & 0x7ff;
	int r = errno_of(q, code);

	for (size_t i = 0; i < CV_ARRAY_SIZE(status_names); i++) {
		if (status_names[i].status == code)
			meaning = status_names[i].meaning;
	}
	cv_fail(err, r, CV_EXIT_FAILED, "ENVME", NULL, "%s failed", doing);
	cv_error_found(err, "NVMe status 0x%03x %s", code, meaning);
	return r;
}

static int run_request(void *data)
{
	struct request *q = data;
	int r;

	if (q->cmd.data_len > 0)
		q->cmd.addr = (uintptr_t)q->data;
	r = ioctl(q->fd, NVME_IOCTL_ADMIN_CMD, &q->cmd);
	if (r < 0)
		return -errno;
	q->status = r;
	return 0;
}

/* In a child: a controller that does not answer is reset by the kernel, which may take for ever. */
static int submit(struct request *q, const char *doing, struct cv_error *err)
{
	int r = sr_child_fill(run_request, q, sizeof(*q), q->cmd.timeout_ms);

	if (r < 0)
		return cv_fail_errno(err, r, NULL, "%s failed", doing);
	return q->status > 0 ? fail_status(err, q, doing) : 0;
}

static unsigned int le16(const uint8_t *p)
{
	return p[0] | (unsigned int)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
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

/* The 4096 bytes of Identify @cns for (or from) the controller @cntlid; @nsid: 0 where none is meant */
static int identify(int fd, unsigned int cns, unsigned int cntlid, uint32_t nsid, uint8_t *ret,
		    unsigned int timeout_ms, const char *doing, struct cv_error *err)
{
	struct request q = {
		.fd = fd,
		.cmd = {
			.opcode = OPCODE_IDENTIFY,
			.nsid = nsid,
			.data_len = LIST_BYTES,
			.cdw10 = cns | cntlid << 16,
			.timeout_ms = timeout_ms,
		},
	};
	int r = submit(&q, doing, err);

	if (r == 0)
		memcpy(ret, q.data, LIST_BYTES);
	return r;
}

bool sr_nvme_parse_caps(const uint8_t *caps)
{
	return le32(caps + 32) > 0 || le32(caps + 64) > 0; /* VQFRT, VIFRT */
}

int sr_nvme_check_flexible(int fd, unsigned int timeout_ms, struct cv_error *err)
{
	uint8_t caps[LIST_BYTES];
	int r = identify(fd, CNS_PRIMARY_CAPS, 0, 0, caps, timeout_ms,
			 "reading the capabilities of the primary controller", err);

	if (r < 0 || sr_nvme_parse_caps(caps))
		return r;
	return cv_fail(err, -EOPNOTSUPP, CV_EXIT_FAILED, "ENVME", NULL,
		       "the NVMe controller has no flexible resources");
}

int sr_nvme_secondary_read(int fd, unsigned int vf_number, unsigned int timeout_ms,
			   struct sr_nvme_secondary *ret, struct cv_error *err)
{
	unsigned int first = 0;

	/* Each list goes on where the one before ended, and ids only grow. */
	while (first <= UINT16_MAX) {
		uint8_t list[LIST_BYTES];
		uint16_t last = 0;
		int r = identify(fd, CNS_SECONDARY_LIST, first, 0, list, timeout_ms,
				 "reading the list of secondary controllers", err);

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
	struct request q = {
		.fd = fd,
		.cmd = {
			.opcode = OPCODE_VIRT_MGMT,
			.cdw10 = (uint32_t)cntlid << 16 | (uint32_t)type << 8 | (uint32_t)action,
			.cdw11 = count,
			.timeout_ms = timeout_ms,
		},
	};

	return submit(&q, doing, err);
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

bool sr_nvme_list_has(const uint8_t *list, uint16_t cntlid)
{
	unsigned int n = le16(list);

	for (unsigned int i = 1; i <= n && i <= CONTROLLER_LIST_MAX; i++)
		if (le16(list + 2 * (size_t)i) == cntlid)
			return true;
	return false;
}

/* The list begins with the first controller that is not below the given one. */
int sr_nvme_is_attached(int fd, uint32_t nsid, uint16_t cntlid, unsigned int timeout_ms,
			struct cv_error *err)
{
	uint8_t list[LIST_BYTES];
	char doing[80];
	int r;

	snprintf(doing, sizeof(doing), "reading which controllers namespace %u is attached to",
		 nsid);
	r = identify(fd, CNS_ATTACHED_LIST, cntlid, nsid, list, timeout_ms, doing, err);
	return r < 0 ? r : sr_nvme_list_has(list, cntlid);
}

int sr_nvme_attach(int fd, uint32_t nsid, uint16_t cntlid, bool is_attach, unsigned int timeout_ms,
		   struct cv_error *err)
{
	struct request q = {
		.fd = fd,
		.cmd = {
			.opcode = OPCODE_ATTACH,
			.nsid = nsid,
			.data_len = LIST_BYTES,
			.cdw10 = is_attach ? 0 : 1,
			.timeout_ms = timeout_ms,
		},
		.data = { 1, 0, cntlid & 0xff, cntlid >> 8 }, /* a list of one controller */
	};
	char doing[80];

	snprintf(doing, sizeof(doing), "%s namespace %u %s controller %u",
		 is_attach ? "attaching" : "detaching", nsid, is_attach ? "to" : "from", cntlid);
	return submit(&q, doing, err);
}
