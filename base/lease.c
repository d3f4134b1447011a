// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/lease.h"
#include "base/state.h"

#define MARKER "carve_lease"
#define SUFFIX ".json"

void cv_lease_done(struct cv_lease *l)
{
	free(l->devices);
	free(l->pages);
	*l = (struct cv_lease){ 0 };
}

static json_t *devices_json(const struct cv_lease *l)
{
	json_t *list = json_array();
	char buf[CV_BDF_MAX];

	for (size_t i = 0; list && i < l->n_devices; i++)
		json_array_append_new(list, json_string(cv_format_bdf(l->devices[i], buf)));
	return list;
}

static json_t *pages_json(const struct cv_lease *l)
{
	json_t *list = json_array();

	for (size_t i = 0; list && i < l->n_pages; i++) {
		const struct cv_lease_pages *p = &l->pages[i];

		json_array_append_new(list, json_pack("{s:i, s:I, s:I}", "node", p->node,
						      "page_size", (json_int_t)p->page_size,
						      "pages", (json_int_t)p->pages));
	}
	return list;
}

static char *lease_text(const struct cv_lease *l)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&l->cpus);
	_cleanup_json_ json_t *j = NULL;

	if (!cpus)
		return NULL;
	j = json_pack("{s:i, s:s, s:o, s:I, s:s, s:o, s:o}", MARKER, CV_LEASE_VERSION, "name",
		      l->name, "owner", cv_owner_json(&l->owner), "since", (json_int_t)l->since,
		      "cpus", cpus, "devices", devices_json(l), "pages", pages_json(l));
	return j ? cv_json_text(j) : NULL;
}

static int devices_from_json(const json_t *list, struct cv_lease *l)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return -EINVAL;
	l->devices = calloc(n ? n : 1, sizeof(*l->devices));
	if (!l->devices)
		return -ENOMEM;
	for (; l->n_devices < n; l->n_devices++) {
		const char *s = json_string_value(json_array_get(list, l->n_devices));

		if (!s || cv_parse_bdf(s, &l->devices[l->n_devices]))
			return -EINVAL;
	}
	return 0;
}

static int pages_from_json(const json_t *list, struct cv_lease *l)
{
	size_t n = json_array_size(list);

	if (!json_is_array(list))
		return -EINVAL;
	l->pages = calloc(n ? n : 1, sizeof(*l->pages));
	if (!l->pages)
		return -ENOMEM;
	for (; l->n_pages < n; l->n_pages++) {
		const json_t *j = json_array_get(list, l->n_pages);
		int64_t node = cv_json_int(j, "node", -1);
		int64_t page_size = cv_json_int(j, "page_size", -1);
		int64_t pages = cv_json_int(j, "pages", -1);

		if (node < 0 || node >= CV_CPU_MAX || page_size <= 0 || pages < 0)
			return -EINVAL;
		l->pages[l->n_pages] = (struct cv_lease_pages){
			.node = (int)node,
			.page_size = (uint64_t)page_size,
			.pages = (uint64_t)pages,
		};
	}
	return 0;
}

static int lease_from_json(const json_t *j, const char *name, struct cv_lease *l)
{
	const char *cpus = cv_json_str(j, "cpus", NULL);
	int rc;

	/* A file that was copied to another name would hold everything twice. */
	if (cv_json_copy(j, "name", l->name, sizeof(l->name)) || strcmp(l->name, name))
		return -EINVAL;
	l->since = cv_json_int(j, "since", -1);
	if (l->since < 0 || !cpus || cv_parse_cpulist(cpus, &l->cpus))
		return -EINVAL;
	rc = cv_owner_from_json(json_object_get(j, "owner"), &l->owner);
	if (!rc)
		rc = devices_from_json(json_object_get(j, "devices"), l);
	return rc ? rc : pages_from_json(json_object_get(j, "pages"), l);
}

static const char *lease_path(char buf[CV_PATH_MAX], const char *name)
{
	return cv_pathf(buf, CV_LEASE_DIR "/%s" SUFFIX, name);
}

int cv_lease_read(struct cv_sysroot *r, const char *name, struct cv_lease *ret,
		  struct cv_error *err)
{
	_cleanup_(cv_lease_done) struct cv_lease l = { 0 };
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	char path[CV_PATH_MAX];
	int rc;

	if (!cv_name_is_valid(name))
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ENAME", name, "not a VM name");
	rc = cv_read_str(r, lease_path(path, name), &text);
	if (rc)
		return cv_fail_errno(err, rc, path, "cannot read the lease");
	rc = cv_json_parse(text, path, &j, err);
	if (!rc)
		rc = cv_json_version(j, MARKER, CV_LEASE_VERSION, path, err);
	if (rc)
		return rc;
	rc = lease_from_json(j, name, &l);
	if (rc)
		return cv_fail(err, rc, CV_EXIT_FAILED, "ELEASE", path, "damaged lease");
	*ret = l;
	l = (struct cv_lease){ 0 };
	return 0;
}

int cv_lease_remove(struct cv_sysroot *r, const char *name, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int rc;

	if (!cv_name_is_valid(name))
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ENAME", name, "not a VM name");
	rc = cv_unlink(r, lease_path(path, name));
	if (rc && rc != -ENOENT)
		return cv_fail_errno(err, rc, path, "cannot remove the lease");
	return 0;
}

/* The VM name in a file name, without what a crash left behind (NAME.json.tmp). */
static int add_lease_name(struct cv_strv *names, const char *file)
{
	char name[64];
	size_t len = strlen(file);

	if (len <= strlen(SUFFIX) || strcmp(file + len - strlen(SUFFIX), SUFFIX))
		return 0;
	len -= strlen(SUFFIX);
	if (len >= sizeof(name))
		return 0;
	memcpy(name, file, len);
	name[len] = '\0';
	return cv_name_is_valid(name) ? cv_strv_add(names, name) : 0;
}

int cv_lease_list(struct cv_sysroot *r, struct cv_strv *ret, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv files = { 0 };
	_cleanup_strv_ struct cv_strv names = { 0 };
	int rc = cv_list(r, CV_LEASE_DIR, &files);

	if (rc && rc != -ENOENT)
		return cv_fail_errno(err, rc, CV_LEASE_DIR, "cannot list the leases");
	for (size_t i = 0; i < files.n; i++) {
		rc = add_lease_name(&names, files.v[i]);
		if (rc)
			return cv_fail_errno(err, rc, CV_LEASE_DIR, "cannot list the leases");
	}
	cv_strv_sort(&names);
	*ret = names;
	names = (struct cv_strv){ 0 };
	return 0;
}

/* Who is rid of it: that depends on what the lease is of. */
static void hint_release(const struct cv_lease *held, struct cv_error *err)
{
	if (cv_lease_is_vm(held))
		cv_error_hint(err, "stop VM %s first (carve stop %s), or choose others", held->name,
			      held->name);
	else if (strncmp(held->name, "dev-", 4) == 0)
		cv_error_hint(err, "give it back first (carve device release %s), or choose others",
			      held->name);
	else
		cv_error_hint(err,
			      "a change of devices that was cut off has it: carve recover %s "
			      "undoes that",
			      held->name);
}

static int fail_held(const struct cv_lease *held, const char *object, struct cv_error *err)
{
	const struct cv_owner *o = &held->owner;

	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_LEASE", object,
		cv_lease_is_vm(held) ? "it is leased to VM %s" : "it is held by %s", held->name);
	cv_error_found(err, "lease %s of user %s (uid %u), %s%s", held->name,
		       o->user[0] ? o->user : "unknown", (unsigned int)o->uid,
		       o->job[0] ? "job " : "no job", o->job);
	cv_error_wanted(err, "not leased");
	hint_release(held, err);
	return -EBUSY;
}

static int fail_there(const struct cv_lease *l, struct cv_error *err)
{
	cv_fail(err, -EEXIST, CV_EXIT_BUSY, "EEXIST_LEASE", l->name,
		"there is a lease of this name already");
	if (cv_lease_is_vm(l))
		cv_error_hint(err, "choose another name, or stop it: carve stop %s", l->name);
	else
		cv_error_hint(err, "an earlier change of devices left it: carve recover %s",
			      l->name);
	return -EEXIST;
}

static int check_devices(const struct cv_lease *l, const struct cv_lease *held,
			 struct cv_error *err)
{
	char buf[CV_BDF_MAX];

	for (size_t i = 0; i < l->n_devices; i++)
		for (size_t k = 0; k < held->n_devices; k++)
			if (!cv_bdf_cmp(l->devices[i], held->devices[k]))
				return fail_held(held, cv_format_bdf(l->devices[i], buf), err);
	return 0;
}

static int check_conflict(const struct cv_lease *l, const struct cv_lease *held,
			  struct cv_error *err)
{
	struct cv_cpuset both = l->cpus;
	_cleanup_free_ char *list = NULL;
	char object[64];

	cv_cpuset_and(&both, &held->cpus);
	if (cv_cpuset_is_empty(&both))
		return check_devices(l, held, err);
	list = cv_format_cpulist(&both);
	snprintf(object, sizeof(object), "cpu %.50s", list ? list : "?");
	return fail_held(held, object, err);
}

/* A lease that cannot be read could hold anything: that is an error too. */
static int check_others(struct cv_sysroot *r, const struct cv_lease *l, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	int rc = cv_lease_list(r, &names, err);

	for (size_t i = 0; !rc && i < names.n; i++) {
		_cleanup_(cv_lease_done) struct cv_lease held = { 0 };

		rc = cv_lease_read(r, names.v[i], &held, err);
		if (!rc)
			rc = check_conflict(l, &held, err);
	}
	return rc;
}

int cv_lease_check(struct cv_sysroot *r, const struct cv_lease *l, struct cv_error *err)
{
	char path[CV_PATH_MAX];

	if (!cv_name_is_valid(l->name))
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "ENAME", l->name, "not a VM name");
	if (cv_exists(r, lease_path(path, l->name)))
		return fail_there(l, err);
	return check_others(r, l, err);
}

int cv_lease_write(struct cv_sysroot *r, const struct cv_lease *l, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];
	int rc = cv_lease_check(r, l, err);

	if (rc)
		return rc;
	text = lease_text(l);
	rc = text ? cv_replace_file(r, lease_path(path, l->name), text, 0644) : -ENOMEM;
	return rc ? cv_fail_errno(err, rc, path, "cannot write the lease") : 0;
}
