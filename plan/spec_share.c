// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/spec_share.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/sysroot.h"
#include "plan/value.h"

/** struct entry - one share while it is read; @index: its place in the list */
struct entry {
	const struct source *s;
	const struct raw_share *raw;
	struct spec_share *d;
	size_t index;
};

static const char *key_path(const struct entry *e, const char *key, char buf[SOURCE_PATH_MAX])
{
	snprintf(buf, SOURCE_PATH_MAX, "shares[%zu].%s", e->index, key);
	return buf;
}

static int read_path(const struct entry *e)
{
	const char *text = e->raw->path;
	char path[SOURCE_PATH_MAX];

	key_path(e, "path", path);
	if (text[0] != '/') {
		value_refuse(e->s, path, text, "the absolute path of a directory");
		cv_error_hint(e->s->err, "begin it with /");
		return -EINVAL;
	}
	if (strlen(text) >= CV_PATH_MAX)
		return value_refuse(e->s, path, text, "a path of at most 511 bytes");
	return value_path(e->s, path, text, &e->d->path);
}

/* The last component of a path, "" of the root. Return: its length. */
static size_t last_component(const char *path, const char **ret)
{
	size_t end = strlen(path), start;

	while (end > 0 && path[end - 1] == '/')
		end--;
	for (start = end; start > 0 && path[start - 1] != '/'; start--)
		;
	*ret = path + start;
	return end - start;
}

static bool is_tag(const char *text, size_t len)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789._+-";

	return len > 0 && len <= SPEC_SHARE_TAG && strspn(text, allowed) >= len;
}

bool spec_tag_is_valid(const char *text)
{
	return is_tag(text, strlen(text));
}

static int refuse_tag(const struct entry *e, const char *found, const char *wanted)
{
	char path[SOURCE_PATH_MAX];

	value_refuse(e->s, key_path(e, e->raw->tag ? "tag" : "path", path), found, wanted);
	if (!e->raw->tag)
		cv_error_hint(e->s->err, "the tag is the last part of the path unless tag: says "
					 "another: add tag:");
	return -EINVAL;
}

static int read_tag(const struct entry *e)
{
	const char *text = e->raw->tag;
	size_t len = text ? strlen(text) : last_component(e->d->path, &text);

	if (!is_tag(text, len))
		return refuse_tag(e, e->raw->tag ? text : e->d->path,
				  "a tag of 1 to 36 of A-Z a-z 0-9 . _ + -");
	snprintf(e->d->tag, sizeof(e->d->tag), "%.*s", (int)len, text);
	for (size_t i = 1; i <= e->index; i++)
		if (!strcmp((e->d - i)->tag, e->d->tag))
			return refuse_tag(e, e->d->tag, "a tag that no other share has");
	return 0;
}

static int read_share(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];
	int rc = read_path(e);

	if (!rc)
		rc = read_tag(e);
	return rc ? rc
		  : value_bool(e->s, key_path(e, "readonly", path), e->raw->readonly,
			       &e->d->is_readonly);
}

int spec_read_shares(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	if (!raw->shares_count)
		return 0;
	spec->shares = calloc(raw->shares_count, sizeof(*spec->shares));
	if (!spec->shares)
		return -ENOMEM;
	spec->n_shares = raw->shares_count;
	for (size_t i = 0; i < spec->n_shares; i++) {
		struct entry e = { s, &raw->shares[i], &spec->shares[i], i };
		int rc = read_share(&e);

		if (rc)
			return rc;
	}
	return 0;
}

void spec_shares_done(struct spec *spec)
{
	for (size_t i = 0; i < spec->n_shares; i++)
		free(spec->shares[i].path);
	free(spec->shares);
}
