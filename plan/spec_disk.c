// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/spec_disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/cleanup.h"
#include "base/sysroot.h"
#include "plan/value.h"

enum format { FORMAT_RAW, FORMAT_QCOW2 };

/**
 * struct entry - one disk while it is read
 * @index: its place in the list
 */
struct entry {
	const struct source *s;
	const struct raw_disk *raw;
	struct spec_disk *d;
	size_t index;
};

static const char *key_path(const struct entry *e, const char *key, char buf[SOURCE_PATH_MAX])
{
	snprintf(buf, SOURCE_PATH_MAX, "disks[%zu].%s", e->index, key);
	return buf;
}

/* Of a disk that another program serves nothing but the socket can be said. */
static int check_alone(const struct entry *e)
{
	const struct {
		const char *key, *text;
	} others[] = {
		{ "readonly", e->raw->readonly },
		{ "serial", e->raw->serial },
		{ "discard", e->raw->discard },
		{ "format", e->raw->format },
	};
	char path[SOURCE_PATH_MAX];

	for (size_t i = 0; e->d->is_vhost_user && i < CV_ARRAY_SIZE(others); i++) {
		if (!others[i].text)
			continue;
		value_refuse(e->s, key_path(e, others[i].key, path), others[i].text,
			     "vhost_user: alone");
		cv_error_hint(e->s->err, "say it to the program that serves the disk");
		return -EINVAL;
	}
	return 0;
}

static int fail_one_of(const struct entry *e, const char *found)
{
	char at[40];

	snprintf(at, sizeof(at), "disks[%zu]", e->index);
	value_refuse(e->s, at, found, "either path: or vhost_user:");
	cv_error_hint(e->s->err, "path: is a raw file or a block device, vhost_user: the socket of "
				 "a program that serves a disk");
	return -EINVAL;
}

static int read_path(const struct entry *e)
{
	const char *text = e->raw->vhost_user ?: e->raw->path;
	char path[SOURCE_PATH_MAX];

	if (!e->raw->vhost_user == !e->raw->path)
		return fail_one_of(e, text ? "both" : "neither");
	e->d->is_vhost_user = e->raw->vhost_user;
	key_path(e, e->d->is_vhost_user ? "vhost_user" : "path", path);
	if (e->d->is_vhost_user && strlen(text) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return value_refuse(e->s, path, text, "a path of at most 107 bytes");
	if (text[0] != '/') {
		value_refuse(e->s, path, text, "an absolute path");
		cv_error_hint(e->s->err,
			      "begin it with /: the VMM does not run in the directory of carve");
		return -EINVAL;
	}
	if (strlen(text) >= CV_PATH_MAX)
		return value_refuse(e->s, path, text, "a path of at most 511 bytes");
	return value_path(e->s, path, text, &e->d->path);
}

/* Tools of the guest make file names of it (/dev/disk/by-id). */
static int read_serial(const struct entry *e)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._+-";
	const char *text = e->raw->serial;
	char path[SOURCE_PATH_MAX];

	if (!text)
		return 0;
	if (!text[0] || strlen(text) > SPEC_DISK_SERIAL || strspn(text, allowed) != strlen(text))
		return value_refuse(e->s, key_path(e, "serial", path), text,
				    "1 to 20 of A-Z a-z 0-9 . _ + -");
	snprintf(e->d->serial, sizeof(e->d->serial), "%s", text);
	return 0;
}

static int read_format(const struct entry *e)
{
	static const char *const words[] = { "raw", "qcow2", NULL };
	unsigned int format = FORMAT_RAW;
	char path[SOURCE_PATH_MAX];
	int rc = value_word(e->s, key_path(e, "format", path), e->raw->format, words, &format);

	if (rc) {
		cv_error_wanted(e->s->err, "raw");
		return rc;
	}
	if (format == FORMAT_RAW)
		return 0;
	value_refuse(e->s, path, e->raw->format, "raw: images of other formats are not read");
	cv_error_hint(e->s->err, "convert it: qemu-img convert -O raw %.200s NEW", e->d->path);
	return -EINVAL;
}

static int read_flags(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];
	int rc = value_bool(e->s, key_path(e, "readonly", path), e->raw->readonly,
			    &e->d->is_readonly);

	if (!rc)
		rc = value_bool(e->s, key_path(e, "discard", path), e->raw->discard,
				&e->d->has_discard);
	if (rc || !e->d->is_readonly || !e->d->has_discard)
		return rc;
	value_refuse(e->s, path, "true, and readonly: true", "one of readonly: and discard:");
	cv_error_hint(e->s->err, "a guest gives no blocks back of a disk that it cannot write to");
	return -EINVAL;
}

/* No path and no serial twice. */
static int check_unique(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	for (size_t i = 1; i <= e->index; i++) {
		const struct spec_disk *other = e->d - i;

		if (!strcmp(other->path, e->d->path))
			return value_refuse(e->s,
					    key_path(e, e->d->is_vhost_user ? "vhost_user" : "path",
						     path),
					    e->d->path, "each disk once");
		if (e->d->serial[0] && !strcmp(other->serial, e->d->serial))
			return value_refuse(e->s, key_path(e, "serial", path), e->d->serial,
					    "a serial that no other disk has");
	}
	return 0;
}

static int read_disk(const struct entry *e)
{
	int rc = read_path(e);

	if (!rc)
		rc = check_alone(e);
	if (!rc)
		rc = read_flags(e);
	if (!rc)
		rc = read_serial(e);
	if (!rc)
		rc = read_format(e);
	return rc ? rc : check_unique(e);
}

int spec_read_disks(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	if (!raw->disks_count)
		return 0;
	spec->disks = calloc(raw->disks_count, sizeof(*spec->disks));
	if (!spec->disks)
		return -ENOMEM;
	spec->n_disks = raw->disks_count;
	for (size_t i = 0; i < spec->n_disks; i++) {
		struct entry e = { s, &raw->disks[i], &spec->disks[i], i };
		int rc = read_disk(&e);

		if (rc)
			return rc;
	}
	return 0;
}

void spec_disks_done(struct spec *spec)
{
	for (size_t i = 0; i < spec->n_disks; i++)
		free(spec->disks[i].path);
	free(spec->disks);
}
