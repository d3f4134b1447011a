// SPDX-License-Identifier: GPL-2.0-or-later
/* The list of reserved functions on disk, and what each of them is now. */
#include "sriov/reserve.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"
#include "sriov/function.h"

#define MARKER "carve_reserved"
#define SERIAL_MS 3000 /* VPD of a healthy device takes well below a second */

void sr_reserved_done(struct sr_reserved_list *l)
{
	free(l->v);
	*l = (struct sr_reserved_list){ 0 };
}

static int compare(const void *a, const void *b)
{
	return cv_bdf_cmp(((const struct sr_reserved *)a)->bdf,
			  ((const struct sr_reserved *)b)->bdf);
}

/* It becomes part of a udev rule and of a sysfs path. */
static bool is_driver_name(const char *name)
{
	for (const char *p = name; *p; p++)
		if (!isalnum((unsigned char)*p) && !strchr("_-", *p))
			return false;
	return name[0] != '\0';
}

/* As sr_serial() gives it. */
static bool is_serial(const char *serial)
{
	for (const char *p = serial; *p; p++)
		if (*p < ' ' || *p > '~' || *p == '"' || *p == '\\')
			return false;
	return true;
}

/* Sorted already. Return: 0, -EINVAL. */
static int check_list(const struct sr_reserved_list *l, struct cv_error *err)
{
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < l->n; i++) {
		const struct sr_reserved *e = &l->v[i];

		cv_format_bdf(e->bdf, bdf);
		if (i > 0 && cv_bdf_cmp(l->v[i - 1].bdf, e->bdf) == 0)
			return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ERESERVED", bdf,
				       "the function is reserved twice");
		if (!is_driver_name(e->driver) || !is_serial(e->serial))
			return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ERESERVED", bdf,
				       "no driver or serial number that can be: \"%s\", \"%s\"",
				       e->driver, e->serial);
	}
	return 0;
}

static int id_from_json(const json_t *j, const char *key, uint16_t *ret)
{
	uint64_t id;

	if (cv_parse_hex(cv_json_str(j, key, ""), &id) < 0 || id > UINT16_MAX)
		return -EINVAL;
	*ret = (uint16_t)id;
	return 0;
}

static int entry_from_json(const json_t *j, struct sr_reserved *ret)
{
	if (cv_parse_bdf(cv_json_str(j, "bdf", ""), &ret->bdf) < 0 ||
	    id_from_json(j, "vendor", &ret->vendor) < 0 ||
	    id_from_json(j, "device", &ret->device) < 0 ||
	    cv_json_copy(j, "serial", ret->serial, sizeof(ret->serial)) < 0)
		return -EINVAL;
	return cv_json_copy(j, "driver", ret->driver, sizeof(ret->driver));
}

static int list_from_json(const json_t *all, struct sr_reserved_list *ret)
{
	size_t n = json_array_size(all);

	if (!json_is_array(all) || n > SR_RESERVED_MAX)
		return -EINVAL;
	ret->v = calloc(n + 1, sizeof(*ret->v));
	if (!ret->v)
		return -ENOMEM;
	for (; ret->n < n; ret->n++) {
		int r = entry_from_json(json_array_get(all, ret->n), &ret->v[ret->n]);

		if (r < 0)
			return r;
	}
	qsort(ret->v, ret->n, sizeof(*ret->v), compare);
	return 0;
}

static int parse_list(const char *text, struct sr_reserved_list *ret, struct cv_error *err)
{
	_cleanup_json_ json_t *j = NULL;
	int r = cv_json_parse(text, SR_RESERVED_FILE, &j, err);

	if (r == 0)
		r = cv_json_version(j, MARKER, SR_RESERVED_VERSION, SR_RESERVED_FILE, err);
	if (r < 0)
		return r;
	r = list_from_json(json_object_get(j, "functions"), ret);
	if (r < 0) {
		cv_fail(err, r, CV_EXIT_FAILED, "ERESERVED", SR_RESERVED_FILE,
			"damaged list of reserved functions");
		cv_error_wanted(err, "bdf, vendor, device, serial, driver of at most %d functions",
				SR_RESERVED_MAX);
		cv_error_hint(err, "see docs/formats/reserved.md");
		return r;
	}
	return check_list(ret, err);
}

int sr_reserved_read(struct cv_sysroot *root, struct sr_reserved_list *ret, struct cv_error *err)
{
	_cleanup_reserved_ struct sr_reserved_list l = { 0 };
	_cleanup_free_ char *text = NULL;
	int r = cv_read_str(root, SR_RESERVED_FILE, &text);

	if (r == -ENOENT) {
		*ret = l;
		return 0;
	}
	if (r < 0)
		return cv_fail_errno(err, r, SR_RESERVED_FILE, "cannot read the reservations");
	r = parse_list(text, &l, err);
	if (r < 0)
		return r;
	*ret = l;
	l = (struct sr_reserved_list){ 0 };
	return 0;
}

static json_t *entry_json(const struct sr_reserved *e)
{
	char bdf[CV_BDF_MAX], vendor[8], device[8];

	snprintf(vendor, sizeof(vendor), "0x%04x", e->vendor);
	snprintf(device, sizeof(device), "0x%04x", e->device);
	return json_pack("{ss ss ss ss ss}", "bdf", cv_format_bdf(e->bdf, bdf), "vendor", vendor,
			 "device", device, "serial", e->serial, "driver", e->driver);
}

static char *list_text(const struct sr_reserved_list *l)
{
	_cleanup_json_ json_t *all = json_array(), *j = NULL;

	for (size_t i = 0; i < l->n; i++)
		if (json_array_append_new(all, entry_json(&l->v[i])))
			return NULL;
	j = json_pack("{si sO}", MARKER, SR_RESERVED_VERSION, "functions", all);
	return j ? cv_json_text(j) : NULL;
}

static int remove_file(struct cv_sysroot *root, const char *path, struct cv_error *err)
{
	int r = cv_unlink(root, path);

	return r < 0 && r != -ENOENT ? cv_fail_errno(err, r, path, "cannot remove") : 0;
}

static int replace_file(struct cv_sysroot *root, const char *dir, const char *path,
			const char *text, struct cv_error *err)
{
	int r = text ? cv_mkdir_p(root, dir, 0755) : -ENOMEM;

	if (r == 0)
		r = cv_replace_file(root, path, text, 0644);
	return r < 0 ? cv_fail_errno(err, r, path, "cannot write") : 0;
}

/* The rules come last and go first: there are never rules that no list explains. */
static int write_sorted(struct cv_sysroot *root, const struct sr_reserved_list *l,
			struct cv_error *err)
{
	_cleanup_free_ char *text = list_text(l), *rules = sr_reserved_rules(l);
	int r;

	if (l->n == 0) {
		r = remove_file(root, SR_RESERVED_RULES, err);
		return r < 0 ? r : remove_file(root, SR_RESERVED_FILE, err);
	}
	r = replace_file(root, CV_ETC_DIR, SR_RESERVED_FILE, text, err);
	return r < 0 ? r : replace_file(root, SR_RESERVED_RULES_DIR, SR_RESERVED_RULES, rules, err);
}

int sr_reserved_write(struct cv_sysroot *root, const struct sr_reserved_list *l,
		      struct cv_error *err)
{
	_cleanup_reserved_ struct sr_reserved_list sorted = { 0 };
	int r;

	if (l->n > SR_RESERVED_MAX) {
		cv_fail(err, -E2BIG, CV_EXIT_USAGE, "E2BIG", SR_RESERVED_FILE,
			"too many reserved functions");
		cv_error_found(err, "%zu", l->n);
		cv_error_wanted(err, "at most %d", SR_RESERVED_MAX);
		return -E2BIG;
	}
	sorted.v = calloc(l->n + 1, sizeof(*sorted.v));
	if (!sorted.v)
		return cv_fail_errno(err, -ENOMEM, SR_RESERVED_FILE, "cannot write");
	for (; sorted.n < l->n; sorted.n++)
		sorted.v[sorted.n] = l->v[sorted.n];
	qsort(sorted.v, sorted.n, sizeof(*sorted.v), compare);
	r = check_list(&sorted, err);
	return r < 0 ? r : write_sorted(root, &sorted, err);
}

static uint64_t id_now(struct cv_sysroot *root, const char *bdf, const char *name)
{
	char path[CV_PATH_MAX];
	uint64_t id;

	return cv_read_hex(root, sr_path(path, bdf, name), &id) < 0 ? UINT64_MAX : id;
}

/* A serial number that was noted has to be there: one that cannot be read proves nothing. */
int sr_reserved_look(struct cv_sysroot *root, const struct sr_reserved *r,
		     struct sr_reserved_state *ret, struct cv_error *err)
{
	struct sr_reserved_state s = { .is_present = true };
	char bdf[CV_BDF_MAX];
	int rc;

	cv_format_bdf(r->bdf, bdf);
	if (!sr_exists(root, bdf)) {
		*ret = (struct sr_reserved_state){ 0 };
		return 0;
	}
	rc = sr_driver(root, bdf, s.driver, sizeof(s.driver));
	if (rc < 0)
		return cv_fail_errno(err, rc, bdf, "cannot read the driver");
	s.is_bound = strcmp(s.driver, r->driver) == 0;
	if (r->serial[0])
		sr_serial(root, bdf, SERIAL_MS, s.serial, sizeof(s.serial));
	s.is_same = id_now(root, bdf, "vendor") == r->vendor &&
		    id_now(root, bdf, "device") == r->device &&
		    (!r->serial[0] || strcmp(r->serial, s.serial) == 0);
	*ret = s;
	return 0;
}
