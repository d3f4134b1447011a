// SPDX-License-Identifier: GPL-2.0-or-later
/* Which card a function is on: the serial number in its config space, or in its vital product data. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/pci.h"
#include "sriov/reserve.h"

/* PCI Local Bus 3.0 appendix I: large resources have bit 7 and a 16 bit length, small ones 3 bits. */
#define VPD_LARGE 0x80
#define VPD_READ_ONLY 0x90
#define VPD_SMALL_END 0x78
#define VPD_SMALL_MASK 0xf8
#define VPD_SIZE 32768 /* addresses have 15 bits */
#define VPD_TAGS 32

/** struct job - what the child reads, and what it found */
struct job {
	struct cv_sysroot *root;
	char bdf[CV_BDF_MAX];
	char serial[64];
};

/* All zeros or all ones: nobody programmed it. */
static bool is_blank(const char *serial)
{
	return strspn(serial, "0") == strlen(serial) || strspn(serial, "f") == strlen(serial);
}

static int read_config(struct cv_sysroot *root, const char *bdf, uint8_t *bytes, size_t *ret_len)
{
	char path[CV_PATH_MAX];
	_cleanup_close_ int fd = cv_open(root, sr_path(path, bdf, "config"), O_RDONLY | O_NONBLOCK,
					 0);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, bytes, SR_CONFIG_SIZE, 0);
	if (n < 0)
		return -errno;
	*ret_len = (size_t)n;
	return 0;
}

static void read_dsn(struct job *job)
{
	_cleanup_(sr_pci_closep) struct sr_pci *pci = NULL;
	uint8_t bytes[SR_CONFIG_SIZE + SR_CONFIG_SLACK] = { 0 };
	struct inv_dev dev = { 0 };
	struct sr_config config;
	size_t len = 0;

	if (read_config(job->root, job->bdf, bytes, &len) < 0 || sr_pci_open(&pci) < 0)
		return;
	sr_pci_decode(pci, bytes, len, &dev, &config);
	if (!is_blank(dev.serial))
		snprintf(job->serial, sizeof(job->serial), "%s", dev.serial);
}

/* Each dword costs the device a handshake: only what is needed is read. */
static int read_vpd(int fd, size_t at, void *buf, size_t len)
{
	ssize_t n = at + len <= VPD_SIZE ? pread(fd, buf, len, (off_t)at) : -1;

	return n == (ssize_t)len ? 0 : -EIO;
}

static bool is_serial_char(char c)
{
	return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

/* Blanks at the end are padding; bytes that belong into no serial number become '?'. */
static void copy_serial(const uint8_t *text, size_t len, char *buf, size_t size)
{
	size_t n = 0;

	for (; n < len && text[n] && n + 1 < size; n++)
		buf[n] = is_serial_char((char)text[n]) ? (char)text[n] : '?';
	while (n > 0 && buf[n - 1] == ' ')
		n--;
	buf[n] = '\0';
}

/* The fields of the read-only resource: two letters, a length, the text. */
static void find_field(int fd, size_t at, size_t end, char *buf, size_t size)
{
	uint8_t head[3], text[255];

	while (at + sizeof(head) <= end && read_vpd(fd, at, head, sizeof(head)) == 0) {
		at += sizeof(head);
		if (head[0] == 'S' && head[1] == 'N') {
			if (at + head[2] <= end && read_vpd(fd, at, text, head[2]) == 0)
				copy_serial(text, head[2], buf, size);
			return;
		}
		at += head[2];
	}
}

/* Return: bytes of the resource's head, 0 at the end; @ret_len those that follow it. */
static size_t read_tag(int fd, size_t at, uint8_t *ret_tag, size_t *ret_len)
{
	uint8_t size[2];

	if (read_vpd(fd, at, ret_tag, 1) < 0)
		return 0;
	if (!(*ret_tag & VPD_LARGE)) {
		*ret_len = *ret_tag & 7;
		return (*ret_tag & VPD_SMALL_MASK) == VPD_SMALL_END ? 0 : 1;
	}
	if (read_vpd(fd, at + 1, size, sizeof(size)) < 0)
		return 0;
	*ret_len = size[0] | (size_t)size[1] << 8;
	return 3;
}

static void read_sn(struct job *job)
{
	char path[CV_PATH_MAX];
	_cleanup_close_ int fd = cv_open(job->root, sr_path(path, job->bdf, "vpd"),
					 O_RDONLY | O_NONBLOCK, 0);
	size_t at = 0;

	for (int i = 0; fd >= 0 && i < VPD_TAGS; i++) {
		uint8_t tag = 0;
		size_t len = 0, head = read_tag(fd, at, &tag, &len);

		if (head == 0)
			return;
		if (tag == VPD_READ_ONLY) {
			find_field(fd, at + head, at + head + len, job->serial,
				   sizeof(job->serial));
			return;
		}
		at += head + len;
	}
}

static int read_serial(void *data)
{
	struct job *job = data;

	read_dsn(job);
	if (!job->serial[0])
		read_sn(job);
	return 0;
}

/* A VF has no number of its own: it is on the card of its PF. */
void sr_serial(struct cv_sysroot *root, const char *bdf, unsigned int deadline_ms, char *buf,
	       size_t size)
{
	struct job job = { .root = root };
	char path[CV_PATH_MAX];

	buf[0] = '\0';
	if (cv_readlink_base(root, sr_path(path, bdf, "physfn"), job.bdf, sizeof(job.bdf)) < 0)
		snprintf(job.bdf, sizeof(job.bdf), "%s", bdf);
	if (sr_child_fill(read_serial, &job, sizeof(job), deadline_ms) == 0)
		snprintf(buf, size, "%s", job.serial);
}
