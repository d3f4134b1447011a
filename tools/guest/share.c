// SPDX-License-Identifier: GPL-2.0-or-later
/* share-read, share-write: mount a virtiofs share, read or write one file of it, compare. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "tools/guest/guest.h"

#define MOUNT_POINT GUEST_SHARE_MOUNT
#define TAG_MAX 36 /* bytes (Virtio 1.2 section 5.11.4) */
#define APPEAR_MS 5000
#define POLL_MS 50
#define CHUNK (256 * 1024)
#define BYTES_MAX (64ULL << 20)

/** struct share_args - @is_refused: writing must fail, with EROFS or EACCES */
struct share_args {
	const char *tag, *file, *sha256;
	uint64_t bytes, seed;
	bool is_refused;
};

static bool is_file_name(const char *name)
{
	return name && name[0] && !strchr(name, '/') && strcmp(name, ".") != 0 &&
	       strcmp(name, "..") != 0 && strlen(name) < 256;
}

static int read_args(const json_t *test, struct share_args *args, struct guest_result *result)
{
	args->tag = json_string_value(json_object_get(test, "tag"));
	args->file = json_string_value(json_object_get(test, "file"));
	args->sha256 = json_string_value(json_object_get(test, "sha256"));
	args->is_refused = json_is_true(json_object_get(test, "refused"));
	if (!args->tag || !args->tag[0] || strlen(args->tag) > TAG_MAX)
		return guest_fail(result, -EINVAL, "tag must be a text of 1 to %d bytes", TAG_MAX);
	if (!is_file_name(args->file))
		return guest_fail(result, -EINVAL, "file must be the name of a file of the share");
	if (guest_arg_uint(test, "bytes", CHUNK, BYTES_MAX, &args->bytes) < 0 ||
	    args->bytes % sizeof(uint64_t))
		return guest_fail(result, -EINVAL, "bytes must be a multiple of 8, at most %llu",
				  BYTES_MAX);
	if (guest_arg_uint(test, "seed", 0, INT64_MAX, &args->seed) < 0)
		return guest_fail(result, -EINVAL, "seed must be a whole number");
	return 0;
}

/* ---- mounting ---- */

/* The driver may still be looking for the device. */
int guest_share_mount(const char *tag)
{
	uint64_t deadline = guest_now_us() + APPEAR_MS * 1000ULL;

	if (mkdir(MOUNT_POINT, 0755) < 0 && errno != EEXIST)
		return -errno;
	for (;;) {
		if (mount(tag, MOUNT_POINT, "virtiofs", MS_NOSUID | MS_NODEV, NULL) == 0)
			return 0;
		if (errno != EINVAL || guest_now_us() >= deadline)
			return -errno;
		guest_sleep_ms(POLL_MS);
	}
}

void guest_share_umount(void)
{
	(void)umount2(MOUNT_POINT, 0);
}

static int open_file(const struct share_args *args, int flags)
{
	int dir = open(MOUNT_POINT, O_PATH | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, args->file, flags | O_CLOEXEC | O_NOFOLLOW, 0644);
	int ret = fd < 0 ? -errno : fd;

	guest_closep(&dir);
	return ret;
}

/* ---- share-read ---- */

static int hash_file(int fd, struct guest_result *result, char hex[GUEST_SHA256_HEX])
{
	_cleanup_free_ uint8_t *buffer = malloc(CHUNK);
	struct guest_sha256 sha;
	uint64_t bytes = 0;
	ssize_t n = 1;

	if (!buffer)
		return -ENOMEM;
	guest_sha256_init(&sha);
	while (n > 0) {
		n = read(fd, buffer, CHUNK);
		if (n < 0)
			return -errno;
		guest_sha256_update(&sha, buffer, (size_t)n);
		bytes += (uint64_t)n;
	}
	guest_sha256_hex(&sha, hex);
	json_object_set_new(result->json, "bytes", json_integer((json_int_t)bytes));
	json_object_set_new(result->json, "sha256", json_string(hex));
	return 0;
}

static int read_share(const struct share_args *args, struct guest_result *result)
{
	_cleanup_close_ int fd = open_file(args, O_RDONLY);
	char hex[GUEST_SHA256_HEX];
	int ret = fd < 0 ? fd : hash_file(fd, result, hex);

	if (ret < 0)
		return guest_fail(result, ret, "cannot read %s of share %s", args->file, args->tag);
	if (!args->sha256)
		return guest_say(result, "%s of share %s can be read; no checksum was given",
				 args->file, args->tag);
	if (strcmp(hex, args->sha256) != 0)
		return guest_fail(result, -EBADMSG, "the checksum of %s of share %s differs",
				  args->file, args->tag);
	return guest_say(result, "%s of share %s has the expected checksum", args->file, args->tag);
}

/* ---- share-write ---- */

/* Each 8-byte little-endian word is its own byte offset plus the seed. */
static void fill(uint64_t *words, size_t bytes, uint64_t at, uint64_t seed)
{
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = at + i * sizeof(*words) + seed;
}

/* @wanted: CHUNK bytes; @found: NULL to write, else as many, to read and compare. */
static int walk_file(const struct share_args *args, int fd, uint64_t *wanted, uint64_t *found)
{
	for (uint64_t at = 0; at < args->bytes; at += CHUNK) {
		size_t size = args->bytes - at < CHUNK ? args->bytes - at : CHUNK;
		ssize_t n;

		fill(wanted, size, at, args->seed);
		n = found ? pread(fd, found, size, (off_t)at) : pwrite(fd, wanted, size, (off_t)at);
		if (n < 0)
			return -errno;
		if ((size_t)n != size)
			return -EIO;
		if (found && memcmp(found, wanted, size) != 0)
			return -EBADMSG;
	}
	return 0;
}

static int write_file(const struct share_args *args, uint64_t *words)
{
	_cleanup_close_ int fd = open_file(args, O_WRONLY | O_CREAT | O_TRUNC);
	int ret = fd < 0 ? fd : walk_file(args, fd, words, NULL);

	if (ret == 0 && fsync(fd) < 0)
		return -errno;
	return ret;
}

/* Mounted anew: what is read comes from the host, not from this guest's page cache. */
static int read_back(const struct share_args *args, uint64_t *wanted, uint64_t *found)
{
	_cleanup_close_ int fd = -1;
	struct stat st;
	int ret;

	if (umount2(MOUNT_POINT, 0) < 0)
		return -errno;
	ret = guest_share_mount(args->tag);
	if (ret < 0)
		return ret;
	fd = open_file(args, O_RDONLY);
	if (fd < 0)
		return fd;
	if (fstat(fd, &st) < 0)
		return -errno;
	return (uint64_t)st.st_size == args->bytes ? walk_file(args, fd, wanted, found) : -EBADMSG;
}

static int judge_refusal(const struct share_args *args, int ret, struct guest_result *result)
{
	if (ret == -EROFS || ret == -EACCES)
		return guest_say(result, "share %s takes no file %s, as it should", args->tag,
				 args->file);
	return guest_fail(result, ret < 0 ? ret : -EBADMSG,
			  "share %s should refuse file %s as read-only", args->tag, args->file);
}

static int write_share(const struct share_args *args, struct guest_result *result)
{
	_cleanup_free_ uint64_t *wanted = malloc(CHUNK), *found = malloc(CHUNK);
	int ret = wanted && found ? write_file(args, wanted) : -ENOMEM;

	if (args->is_refused)
		return judge_refusal(args, ret, result);
	if (ret < 0)
		return guest_fail(result, ret, "cannot write %" PRIu64 " bytes to %s of share %s",
				  args->bytes, args->file, args->tag);
	ret = read_back(args, wanted, found);
	if (ret < 0)
		return guest_fail(result, ret, "%s of share %s does not read back as written",
				  args->file, args->tag);
	json_object_set_new(result->json, "bytes", json_integer((json_int_t)args->bytes));
	return guest_say(result, "%s of share %s: %" PRIu64 " bytes written and read back the same",
			 args->file, args->tag, args->bytes);
}

/* ---- both ---- */

static int run(const json_t *test, struct guest_result *result,
	       int (*use)(const struct share_args *args, struct guest_result *result))
{
	struct share_args args;
	int ret = read_args(test, &args, result);

	if (ret < 0)
		return ret;
	ret = guest_share_mount(args.tag);
	if (ret < 0)
		return guest_fail(result, ret, "share %s cannot be mounted", args.tag);
	ret = use(&args, result);
	guest_share_umount();
	return ret;
}

int guest_test_share_read(const struct guest *g, const json_t *test, struct guest_result *result)
{
	return run(test, result, read_share);
}

int guest_test_share_write(const struct guest *g, const json_t *test, struct guest_result *result)
{
	return run(test, result, write_share);
}
