// SPDX-License-Identifier: GPL-2.0-or-later
/* nvme-pattern: read a known range from the namespace of a controller and compare its SHA-256. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define PCI_DIR "sys/bus/pci/devices"
#define APPEAR_MS 15000
#define POLL_MS 20
#define CHUNK (1024 * 1024)
#define ALIGNMENT 4096

/*
 * The namespaces of a controller are its children nvme0n1, or nvme0c1n1 with native multipath: then the
 * block device is the subsystem's head, which has the same name without the "c1".
 */
static bool head_name(const char *child, char *name, size_t size)
{
	const char *c = strchr(child, 'c'), *n = strrchr(child, 'n');

	if (!n || n == child || strspn(n + 1, "0123456789") != strlen(n + 1) || !n[1])
		return false;
	if (!c)
		return snprintf(name, size, "%s", child) < (int)size;
	return snprintf(name, size, "%.*s%s", (int)(c - child), child, n) < (int)size;
}

static int find_namespace(const struct guest *g, const char *bdf, char *name, size_t size)
{
	_cleanup_names_ struct guest_names controllers = {}, children = {};
	int ret;

	ret = guest_list(g, &controllers, "nvme", PCI_DIR "/%s/nvme", bdf);
	if (ret < 0)
		return ret;
	if (!controllers.count)
		return -ENODEV;
	ret = guest_list(g, &children, "nvme", PCI_DIR "/%s/nvme/%s", bdf, controllers.names[0]);
	if (ret < 0)
		return ret;
	for (size_t i = 0; i < children.count; i++)
		if (head_name(children.names[i], name, size))
			return 0;
	return -ENODEV;
}

/* The disk of a virtio function: virtio1/block/vda. */
static int find_virtio_disk(const struct guest *g, const char *bdf, char *name, size_t size)
{
	_cleanup_names_ struct guest_names devices = {}, disks = {};
	int ret;

	ret = guest_list(g, &devices, "virtio", PCI_DIR "/%s", bdf);
	if (ret < 0)
		return ret;
	if (!devices.count)
		return -ENODEV;
	ret = guest_list(g, &disks, "vd", PCI_DIR "/%s/%s/block", bdf, devices.names[0]);
	if (ret < 0)
		return ret;
	return disks.count && snprintf(name, size, "%s", disks.names[0]) < (int)size ? 0 : -ENODEV;
}

static int find_disk(const struct guest *g, const char *bdf, char *name, size_t size)
{
	int ret = find_namespace(g, bdf, name, size);

	return ret < 0 ? find_virtio_disk(g, bdf, name, size) : ret;
}

int guest_nvme_open(const struct guest *g, const char *bdf, int flags, char *name, size_t size)
{
	uint64_t deadline = guest_now_us() + APPEAR_MS * 1000ULL;
	int fd;

	for (;;) {
		fd = find_disk(g, bdf, name, size);
		if (fd == 0)
			fd = guest_open(g, flags | O_DIRECT, "dev/%s", name);
		if (fd >= 0 || guest_now_us() >= deadline)
			return fd;
		guest_sleep_ms(POLL_MS);
	}
}

/* O_DIRECT wants whole blocks: reads start and end on ALIGNMENT, what is outside the range is not hashed. */
static int hash_range(int fd, uint64_t offset, uint64_t bytes, char hex[GUEST_SHA256_HEX])
{
	_cleanup_free_ uint8_t *buffer = aligned_alloc(ALIGNMENT, CHUNK);
	uint64_t skip = offset % ALIGNMENT, at = offset - skip, left = bytes;
	struct guest_sha256 sha;

	if (!buffer)
		return -ENOMEM;
	guest_sha256_init(&sha);
	while (left) {
		uint64_t want = (skip + left + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
		ssize_t n = pread(fd, buffer, want < CHUNK ? want : CHUNK, at);
		uint64_t take;

		if (n < 0)
			return -errno;
		if ((uint64_t)n <= skip)
			return -ENODATA;
		take = n - skip < left ? n - skip : left;
		guest_sha256_update(&sha, buffer + skip, take);
		left -= take;
		at += n;
		skip = 0;
	}
	guest_sha256_hex(&sha, hex);
	return 0;
}

static int compare(const char *name, const char *hex, const char *expected, uint64_t bytes,
		   struct guest_result *result)
{
	if (!expected)
		return guest_say(result, "read %" PRIu64 " bytes of %s; no checksum was given",
				 bytes, name);
	if (strcmp(hex, expected) != 0)
		return guest_fail(result, -EBADMSG,
				  "%s: the checksum of %" PRIu64
				  " bytes differs from the expected one",
				  name, bytes);
	return guest_say(result, "%" PRIu64 " bytes of %s have the expected checksum", bytes, name);
}

int guest_test_nvme(const struct guest *g, const json_t *test, struct guest_result *result)
{
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	const char *expected = json_string_value(json_object_get(test, "sha256"));
	char name[64], hex[GUEST_SHA256_HEX];
	_cleanup_close_ int fd = -1;
	uint64_t offset, bytes;
	int ret;

	if (guest_arg_uint(test, "offset", 0, INT64_MAX / 2, &offset) < 0 ||
	    guest_arg_uint(test, "bytes", CHUNK, INT64_MAX / 2, &bytes) < 0 || bytes == 0)
		return guest_fail(result, -EINVAL, "offset and bytes must be whole numbers");
	fd = guest_nvme_open(g, bdf, O_RDONLY, name, sizeof(name));
	if (fd < 0)
		return guest_fail(result, fd,
				  "no namespace of the NVMe controller %s can be opened", bdf);
	ret = hash_range(fd, offset, bytes, hex);
	if (ret < 0)
		return guest_fail(result, ret, "cannot read %" PRIu64 " bytes at %" PRIu64 " of %s",
				  bytes, offset, name);
	json_object_set_new(result->json, "device", json_string(name));
	json_object_set_new(result->json, "bytes", json_integer(bytes));
	json_object_set_new(result->json, "sha256", json_string(hex));
	return compare(name, hex, expected, bytes, result);
}
