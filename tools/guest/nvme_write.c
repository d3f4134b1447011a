// SPDX-License-Identifier: GPL-2.0-or-later
/* nvme-write, disk-write: write a pattern to the namespace of a controller or to a virtio disk, read it
 * back, compare each word. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "tools/guest/guest.h"

#define CHUNK (1024 * 1024)
#define ALIGNMENT 4096
#define BYTES_MAX (64ULL << 20)

struct write_args {
	uint64_t offset, bytes, seed;
};

/** struct write_io - @fd: the namespace; @out, @in: buffers of CHUNK bytes */
struct write_io {
	int fd;
	uint64_t *out, *in;
	uint64_t mismatches;
	struct guest_sha256 sha;
};

static int read_args(const json_t *test, struct write_args *args, struct guest_result *result)
{
	if (guest_arg_uint(test, "offset", UINT64_MAX, INT64_MAX / 2, &args->offset) < 0 ||
	    args->offset == UINT64_MAX || args->offset % ALIGNMENT)
		return guest_fail(result, -EINVAL, "offset must be a multiple of %d", ALIGNMENT);
	if (guest_arg_uint(test, "bytes", CHUNK, BYTES_MAX, &args->bytes) < 0 || !args->bytes ||
	    args->bytes % ALIGNMENT)
		return guest_fail(result, -EINVAL, "bytes must be a multiple of %d, at most %llu",
				  ALIGNMENT, BYTES_MAX);
	if (guest_arg_uint(test, "seed", 0, INT64_MAX, &args->seed) < 0)
		return guest_fail(result, -EINVAL, "seed must be a whole number");
	return 0;
}

/* Each 8-byte little-endian word is its own byte offset plus the seed. */
static void fill(uint64_t *words, size_t bytes, uint64_t at, uint64_t seed)
{
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = at + i * sizeof(*words) + seed;
}

static size_t chunk_at(const struct write_args *args, uint64_t done)
{
	return args->bytes - done < CHUNK ? args->bytes - done : CHUNK;
}

static int write_all(struct write_io *io, const struct write_args *args)
{
	for (uint64_t done = 0; done < args->bytes; done += CHUNK) {
		size_t size = chunk_at(args, done);
		ssize_t n;

		fill(io->out, size, args->offset + done, args->seed);
		n = pwrite(io->fd, io->out, size, args->offset + done);
		if (n < 0)
			return -errno;
		if ((size_t)n != size)
			return -EIO;
	}
	return fdatasync(io->fd) < 0 ? -errno : 0;
}

static int compare_all(struct write_io *io, const struct write_args *args)
{
	for (uint64_t done = 0; done < args->bytes; done += CHUNK) {
		size_t size = chunk_at(args, done);
		ssize_t n;

		memset(io->in, 0, size);
		fill(io->out, size, args->offset + done, args->seed);
		n = pread(io->fd, io->in, size, args->offset + done);
		if (n < 0)
			return -errno;
		if ((size_t)n != size)
			return -EIO;
		for (size_t i = 0; i < size / sizeof(*io->in); i++)
			io->mismatches += io->in[i] != io->out[i];
		guest_sha256_update(&io->sha, io->in, size);
	}
	return 0;
}

static int run(struct write_io *io, const struct write_args *args, const char *name,
	       struct guest_result *result)
{
	char hex[GUEST_SHA256_HEX];
	int ret = write_all(io, args);

	if (ret < 0)
		return guest_fail(result, ret,
				  "cannot write %" PRIu64 " bytes at %" PRIu64 " of %s",
				  args->bytes, args->offset, name);
	guest_sha256_init(&io->sha);
	ret = compare_all(io, args);
	if (ret < 0)
		return guest_fail(result, ret, "cannot read back what was written to %s", name);
	guest_sha256_hex(&io->sha, hex);
	json_object_set_new(result->json, "bytes", json_integer(args->bytes));
	json_object_set_new(result->json, "mismatches", json_integer(io->mismatches));
	json_object_set_new(result->json, "sha256", json_string(hex));
	if (io->mismatches)
		return guest_fail(result, -EBADMSG,
				  "%s: %" PRIu64 " words read back differ from those written", name,
				  io->mismatches);
	return guest_say(result, "%s: %" PRIu64 " bytes written and read back the same", name,
			 args->bytes);
}

int guest_test_nvme_write(const struct guest *g, const json_t *test, struct guest_result *result)
{
	_cleanup_free_ uint64_t *out = aligned_alloc(ALIGNMENT, CHUNK);
	_cleanup_free_ uint64_t *in = aligned_alloc(ALIGNMENT, CHUNK);
	const char *bdf = json_string_value(json_object_get(test, "bdf"));
	_cleanup_close_ int fd = -1;
	struct write_args args;
	char name[64];
	int ret;

	ret = read_args(test, &args, result);
	if (ret < 0)
		return ret;
	if (!out || !in)
		return guest_fail(result, -ENOMEM, "cannot write to %s", bdf);
	fd = guest_nvme_open(g, bdf, O_RDWR, name, sizeof(name));
	if (fd < 0)
		return guest_fail(result, fd,
				  "no NVMe namespace and no virtio disk of %s can be opened", bdf);
	json_object_set_new(result->json, "device", json_string(name));
	return run(&(struct write_io){ .fd = fd, .out = out, .in = in }, &args, name, result);
}
