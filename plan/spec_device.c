// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "plan/spec_device.h"
#include "plan/value.h"

/* Those that a guest can be given, of the words of inv_class_name(). */
static const char *const class_words[] = {
	"gpu",	  "net",  "nvme",   "ib",     "storage",  "accel",  "crypto", "usb",   "media",
	"memory", "comm", "system", "serial", "wireless", "signal", "input",  "other", NULL,
};

static const struct {
	const char *word;
	enum spec_accept bit;
} accepts[] = {
	{ "no-reset", SPEC_ACCEPT_NO_RESET },
	{ "shared-group", SPEC_ACCEPT_SHARED_GROUP },
	{ "no-intremap", SPEC_ACCEPT_NO_INTREMAP },
};

/**
 * struct entry - one device while it is read
 * @path: "devices[1]"
 */
struct entry {
	const struct source *s;
	const struct raw_device *raw;
	struct spec_device *d;
	char path[32];
};

static const char *key_path(const struct entry *e, const char *key, char buf[SOURCE_PATH_MAX])
{
	snprintf(buf, SOURCE_PATH_MAX, "%s.%s", e->path, key);
	return buf;
}

static int read_class(const struct entry *e, const char *key, const char *text)
{
	char path[SOURCE_PATH_MAX];
	unsigned int index = 0;
	int rc = value_word(e->s, key_path(e, key, path), text, class_words, &index);

	if (!rc)
		snprintf(e->d->class, sizeof(e->d->class), "%s", class_words[index]);
	return rc;
}

static int fail_choice(const struct entry *e, const char *what, bool is_twice, const char *wanted)
{
	source_fail(e->s, source_find(e->s, e->path), SOURCE_VALUE, "%s %s", e->path, what);
	cv_error_found(e->s->err, "%s", is_twice ? "more than one" : "none of them");
	cv_error_wanted(e->s->err, "%s", wanted);
	return -EINVAL;
}

static int read_vf(const struct entry *e)
{
	const struct raw_vf *vf = e->raw->vf;
	char path[SOURCE_PATH_MAX];

	e->d->select = SPEC_BY_VF;
	e->d->has_pf = vf->pf;
	if (!vf->pf == !vf->class)
		return fail_choice(e, "does not say of which device the VF is", vf->pf,
				   "one of vf: {pf: ADDRESS} and vf: {class: WORD}");
	if (vf->class)
		return read_class(e, "vf.class", vf->class);
	return value_bdf(e->s, key_path(e, "vf.pf", path), vf->pf, &e->d->pf);
}

static int read_selection(const struct entry *e)
{
	static const char one[] = "exactly one of bdf:, class: and vf:";
	const struct raw_device *r = e->raw;
	int given = !!r->bdf + !!r->class + !!r->vf;
	char path[SOURCE_PATH_MAX];

	if (given != 1)
		return fail_choice(e, given ? "names its device twice" : "names no device", given,
				   one);
	if (r->vf)
		return read_vf(e);
	if (r->class) {
		e->d->select = SPEC_BY_CLASS;
		return read_class(e, "class", r->class);
	}
	e->d->select = SPEC_BY_BDF;
	return value_bdf(e->s, key_path(e, "bdf", path), r->bdf, &e->d->bdf);
}

static int read_id(const struct entry *e, const char *key, const char *text, char *ret, size_t size)
{
	char path[SOURCE_PATH_MAX];

	return value_id(e->s, key_path(e, key, path), text, ret, size);
}

static int read_mac(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	e->d->has_mac = e->raw->mac;
	return value_mac(e->s, key_path(e, "mac", path), e->raw->mac, e->d->mac);
}

static int read_vlan(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	return value_vlan(e->s, key_path(e, "vlan", path), e->raw->vlan, &e->d->vlan);
}

/* What only a network device can have. */
static int check_network(const struct entry *e)
{
	const char *key = e->raw->mac ? "mac" : e->raw->vlan ? "vlan" : NULL;
	const char *class = e->d->class;
	char path[SOURCE_PATH_MAX];

	if (!key || !class[0] || !strcmp(class, "net") || !strcmp(class, "ib"))
		return 0;
	key_path(e, key, path);
	source_fail_key(e->s, source_find(e->s, path), SOURCE_VALUE, "%s is for network devices",
			path);
	cv_error_found(e->s->err, "class %s", class);
	cv_error_wanted(e->s->err, "class net or ib");
	return -EINVAL;
}

static int read_p2p(const struct entry *e)
{
	char path[SOURCE_PATH_MAX];

	return value_bool(e->s, key_path(e, "p2p", path), e->raw->p2p, &e->d->p2p);
}

static int read_accept(const struct entry *e)
{
	const char *words[sizeof(accepts) / sizeof(accepts[0]) + 1] = { NULL };
	char path[SOURCE_PATH_MAX], key[32];

	for (size_t i = 0; i < sizeof(accepts) / sizeof(accepts[0]); i++)
		words[i] = accepts[i].word;
	for (unsigned int i = 0; i < e->raw->accept_count; i++) {
		unsigned int index = 0;
		int rc;

		snprintf(key, sizeof(key), "accept[%u]", i);
		rc = value_word(e->s, key_path(e, key, path), e->raw->accept[i], words, &index);
		if (rc)
			return rc;
		e->d->accept |= accepts[index].bit;
	}
	return 0;
}

static int read_device(const struct entry *e)
{
	struct spec_device *d = e->d;
	int rc = read_selection(e);

	if (!rc)
		rc = read_id(e, "id", e->raw->id, d->id, sizeof(d->id));
	if (!rc)
		rc = read_id(e, "near", e->raw->near, d->near, sizeof(d->near));
	if (!rc)
		rc = read_mac(e);
	if (!rc)
		rc = read_vlan(e);
	if (!rc)
		rc = check_network(e);
	if (!rc)
		rc = read_p2p(e);
	return rc ? rc : read_accept(e);
}

/* Return: index of the entry with @id among the first @n, or -1. */
static int find_id(const struct spec *spec, size_t n, const char *id)
{
	for (size_t i = 0; i < n; i++)
		if (!strcmp(spec->devices[i].id, id))
			return (int)i;
	return -1;
}

static int fail_relation(const struct source *s, size_t i, const char *key, const char *found,
			 const char *wanted)
{
	char path[SOURCE_PATH_MAX];
	int node;

	snprintf(path, sizeof(path), "devices[%zu].%s", i, key);
	node = source_find(s, path);
	if (node < 0)
		node = source_find(s, (snprintf(path, sizeof(path), "devices[%zu]", i), path));
	source_fail(s, node, SOURCE_VALUE, "%s has a bad value", path);
	cv_error_found(s->err, "%s", found);
	cv_error_wanted(s->err, "%s", wanted);
	return -EINVAL;
}

static int check_unique(const struct source *s, const struct spec *spec, size_t i)
{
	const struct spec_device *d = &spec->devices[i];
	char text[CV_BDF_MAX];

	if (find_id(spec, i, d->id) >= 0)
		return fail_relation(s, i, "id", d->id, "an id that no other device has");
	for (size_t k = 0; k < i && d->select == SPEC_BY_BDF; k++) {
		const struct spec_device *other = &spec->devices[k];

		if (other->select == SPEC_BY_BDF && !cv_bdf_cmp(other->bdf, d->bdf))
			return fail_relation(s, i, "bdf", cv_format_bdf(d->bdf, text),
					     "each device once");
	}
	return 0;
}

/* near: works in both directions: entries that follow each other in a circle say nothing. */
static int check_circle(const struct source *s, const struct spec *spec, size_t i)
{
	int next = find_id(spec, spec->n_devices, spec->devices[i].near);

	for (size_t hops = 1; next >= 0 && next != (int)i && hops < spec->n_devices; hops++)
		next = spec->devices[next].near[0]
			       ? find_id(spec, spec->n_devices, spec->devices[next].near)
			       : -1;
	if (next != (int)i)
		return 0;
	return fail_relation(s, i, "near", spec->devices[i].near,
			     "no circle: one entry that the others are near to");
}

static int check_near(const struct source *s, const struct spec *spec, size_t i)
{
	const struct spec_device *d = &spec->devices[i];

	if (!d->near[0])
		return 0;
	if (!strcmp(d->near, d->id))
		return fail_relation(s, i, "near", d->near, "the id of another device");
	if (find_id(spec, spec->n_devices, d->near) >= 0)
		return check_circle(s, spec, i);
	return fail_relation(s, i, "near", d->near, "the id of another device of this spec");
}

static int check_relations(const struct source *s, const struct spec *spec)
{
	for (size_t i = 0; i < spec->n_devices; i++) {
		int rc = check_unique(s, spec, i);

		if (!rc)
			rc = check_near(s, spec, i);
		if (rc)
			return rc;
	}
	return 0;
}

int spec_read_devices(const struct source *s, const struct raw_spec *raw, struct spec *spec)
{
	if (!raw->devices_count)
		return 0;
	spec->devices = calloc(raw->devices_count, sizeof(*spec->devices));
	if (!spec->devices)
		return -ENOMEM;
	spec->n_devices = raw->devices_count;
	for (size_t i = 0; i < spec->n_devices; i++) {
		struct entry e = { .s = s, .raw = &raw->devices[i], .d = &spec->devices[i] };
		int rc;

		snprintf(e.path, sizeof(e.path), "devices[%zu]", i);
		snprintf(e.d->id, sizeof(e.d->id), "dev%u", (unsigned int)i);
		rc = read_device(&e);
		if (rc)
			return rc;
	}
	return check_relations(s, spec);
}
