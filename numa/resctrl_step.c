// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/resctrl_step.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "base/state.h"
#include "base/step_shared.h"
#include "numa/resctrl.h"
#include "numa/value.h"

#define DEFAULT_KIND "resctrl-default"
#define PREFIX "carve-"

/** struct share - the value of a step */
struct share {
	struct cv_cpuset cpus;
	uint64_t l3; /* ways */
	uint64_t mb; /* percent */
};

static int bad_step(struct cv_error *err, const char *object, const char *value)
{
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EINVAL_STEP", object, "malformed resctrl step");
	cv_error_found(err, "%s", value);
	cv_error_wanted(err, "\"cpus=LIST l3=WAYS mb=PERCENT\" on " NU_RESCTRL_GROUP "NAME");
	return -EINVAL;
}

static int parse_number(const char **p, const char *key, char end, uint64_t *ret)
{
	char text[24];
	size_t len;

	if (strncmp(*p, key, strlen(key)) != 0)
		return -EINVAL;
	*p += strlen(key);
	len = strspn(*p, "0123456789");
	if (len >= sizeof(text) || (*p)[len] != end)
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)len, *p);
	*p += len + (end != '\0');
	return cv_parse_u64(text, ret);
}

static int parse(const char *object, const char *value, struct share *ret, struct cv_error *err)
{
	const char *p = value;

	if (strncmp(object, NU_RESCTRL_GROUP, strlen(NU_RESCTRL_GROUP)) != 0 ||
	    !cv_name_is_valid(object + strlen(NU_RESCTRL_GROUP)) ||
	    nu_value_list(&p, "cpus=", ' ', &ret->cpus) < 0 ||
	    parse_number(&p, "l3=", ' ', &ret->l3) < 0 ||
	    parse_number(&p, "mb=", '\0', &ret->mb) < 0)
		return bad_step(err, object, value);
	return 0;
}

/* ---- what is there ---- */

static int read_schemata(struct cv_sysroot *root, const char *group, char **ret)
{
	char path[CV_PATH_MAX];

	return cv_read_str(root, cv_pathf(path, "%s/schemata", group), ret);
}

/* Ways of an L3 that groups have; @only: those whose name begins so, @but: not this one. */
static uint64_t ways_in_use(struct cv_sysroot *root, int domain, const char *only, const char *but)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char group[CV_PATH_MAX];
	uint64_t used = 0, mask;

	if (cv_list(root, NU_RESCTRL_MOUNT, &names) < 0)
		return 0;
	for (size_t i = 0; i < names.n; i++) {
		_cleanup_free_ char *text = NULL;

		cv_pathf(group, NU_RESCTRL_MOUNT "/%s", names.v[i]);
		if (strncmp(names.v[i], only, strlen(only)) == 0 &&
		    !(but && strcmp(group, but) == 0) && read_schemata(root, group, &text) == 0 &&
		    nu_schemata_find(text, "L3", domain, &mask) == 0)
			used |= mask;
	}
	return used;
}

/* Number of the L3 of a CPU, the domain of both resources. */
static int domain_of(struct cv_sysroot *root, int cpu, int *ret, struct cv_error *err)
{
	char path[CV_PATH_MAX];
	int r = cv_read_int(
		root, cv_pathf(path, "/sys/devices/system/cpu/cpu%d/cache/index3/id", cpu), ret);

	return r < 0 ? cv_fail_errno(err, r, path, "cannot read which L3 CPU %d has", cpu) : 0;
}

static int fail_no_resctrl(struct cv_error *err, const char *found, const char *wanted)
{
	cv_fail(err, -EOPNOTSUPP, CV_EXIT_PRECONDITION, "NO_RESCTRL", NU_RESCTRL_MOUNT,
		"cache and memory bandwidth cannot be divided here");
	cv_error_found(err, "%s", found);
	cv_error_wanted(err, "%s", wanted);
	cv_error_hint(err,
		      "mount -t resctrl resctrl " NU_RESCTRL_MOUNT
		      "; leave cache: out of the spec where the CPU has no cat_l3 or mba flag");
	return -EOPNOTSUPP;
}

static int check_info(const struct inv_resctrl *info, const struct share *s, struct cv_error *err)
{
	if (!info->is_mounted)
		return fail_no_resctrl(err, "resctrl is not mounted", "a mounted resctrl");
	if (s->l3 && !info->has_l3)
		return fail_no_resctrl(err, "no info/L3 (mounted with cdp, or no cat_l3)",
				       "allocation of L3 ways");
	if (s->mb && !info->has_mb)
		return fail_no_resctrl(err,
				       "no info/MB, or not in percent (AMD, mounted with mba_MBps)",
				       "memory bandwidth allocation");
	return 0;
}

/* The undo would remove a group that somebody else made. */
static int check_name(struct cv_sysroot *root, const char *object, struct cv_error *err)
{
	if (!cv_exists(root, object))
		return 0;
	cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_RESCTRL", object,
		"a resctrl group of this name is there already, and no guest's");
	cv_error_hint(err, "remove it: rmdir %s; or give the guest another name", object);
	return -EBUSY;
}

/* A CPU that another group has would not find back to it. */
static int check_cpus(struct cv_sysroot *root, const char *object, const struct cv_cpuset *cpus,
		      struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	struct cv_cpuset theirs;
	int r = cv_list(root, NU_RESCTRL_MOUNT, &names);

	if (r < 0)
		return cv_fail_errno(err, r, NU_RESCTRL_MOUNT, "cannot list the groups");
	for (size_t i = 0; i < names.n; i++) {
		cv_pathf(path, NU_RESCTRL_MOUNT "/%s", names.v[i]);
		if (strcmp(path, object) == 0)
			continue;
		cv_pathf(path, NU_RESCTRL_MOUNT "/%s/cpus_list", names.v[i]);
		if (cv_read_cpulist(root, path, &theirs) < 0 ||
		    !cv_cpuset_intersects(&theirs, cpus))
			continue;
		cv_fail(err, -EBUSY, CV_EXIT_BUSY, "EBUSY_RESCTRL", path,
			"another resctrl group has CPUs of the guest");
		cv_error_hint(err,
			      "take them out of it, or remove the group: rmdir " NU_RESCTRL_MOUNT
			      "/%s",
			      names.v[i]);
		return -EBUSY;
	}
	return 0;
}

/* ---- record: which ways ---- */

static int fail_ways(struct cv_error *err, int domain, const struct share *s,
		     const struct nu_ways *w)
{
	cv_fail(err, -ENOSPC, CV_EXIT_PRECONDITION, "NO_WAYS", NU_RESCTRL_MOUNT,
		"L3 %d has no room for %u adjacent ways", domain, (unsigned int)s->l3);
	cv_error_found(err, "ways %llx, in use by other groups %llx", (unsigned long long)w->full,
		       (unsigned long long)w->used);
	cv_error_wanted(err, "%u free ways in a row, and %u left for the host", (unsigned int)s->l3,
			w->min_bits);
	cv_error_hint(err, "ask for fewer ways (cache: l3_ways), or stop another guest");
	return -ENOSPC;
}

/* The default group's mask before the first guest: now, unless a guest has changed it. */
static int default_before(struct cv_sysroot *root, int domain, uint64_t *ret, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared shared = { 0 };
	_cleanup_free_ char *text = NULL;
	char name[16];
	int r;

	snprintf(name, sizeof(name), "%d", domain);
	r = cv_shared_read(root, DEFAULT_KIND, name, &shared, err);
	if (r == 0 && cv_parse_hex(cv_json_str(shared.prior, "mask", ""), ret) < 0)
		return bad_step(err, NU_RESCTRL_MOUNT, "a damaged record");
	if (r != -ENOENT)
		return r;
	r = read_schemata(root, NU_RESCTRL_MOUNT, &text);
	r = r ?: nu_schemata_find(text, "L3", domain, ret);
	return r < 0 ? cv_fail_errno(err, r, NU_RESCTRL_MOUNT "/schemata",
				     "cannot read the ways of L3 %d", domain)
		     : 0;
}

static int choose(struct cv_sysroot *root, const char *object, const struct inv_resctrl *info,
		  const struct share *s, int domain, uint64_t *ret, struct cv_error *err)
{
	struct nu_ways w = { .full = info->l3_mask, .min_bits = info->l3_min_bits };
	int r = default_before(root, domain, &w.dflt, err);

	if (r < 0)
		return r;
	(void)cv_read_hex(root, NU_RESCTRL_MOUNT "/info/L3/shareable_bits", &w.hardware);
	w.used = ways_in_use(root, domain, "", object);
	return nu_ways_choose(&w, (unsigned int)s->l3, ret) < 0 ? fail_ways(err, domain, s, &w) : 0;
}

/* {"domains": {"0": "f", "1": "f0"}}; "0" where no ways are asked for. */
static int choose_all(struct cv_sysroot *root, const char *object, const struct inv_resctrl *info,
		      const struct share *s, json_t *domains, struct cv_error *err)
{
	int r = 0;

	CV_CPUSET_FOREACH(cpu, &s->cpus)
	{
		char name[16], text[24];
		uint64_t mask = 0;
		int domain = -1;

		r = domain_of(root, cpu, &domain, err);
		snprintf(name, sizeof(name), "%d", domain);
		if (r == 0 && json_object_get(domains, name))
			continue;
		if (r == 0 && s->l3)
			r = choose(root, object, info, s, domain, &mask, err);
		snprintf(text, sizeof(text), "%llx", (unsigned long long)mask);
		if (r == 0 && json_object_set_new(domains, name, json_string(text)) < 0)
			r = cv_fail_errno(err, -ENOMEM, object, "cannot record the ways");
		if (r < 0)
			return r;
	}
	return 0;
}

static int resctrl_record(const struct cv_step_env *env, const char *object, const char *value,
			  json_t **ret_prior, struct cv_error *err)
{
	_cleanup_json_ json_t *domains = json_object();
	struct inv_resctrl info = { .is_mounted = false };
	struct share s;
	int r = parse(object, value, &s, err);

	if (r < 0)
		return r;
	nu_resctrl_info_read(env->root, &info);
	r = check_info(&info, &s, err);
	r = r ?: check_name(env->root, object, err);
	r = r ?: check_cpus(env->root, object, &s.cpus, err);
	r = r ?: choose_all(env->root, object, &info, &s, domains, err);
	if (r < 0)
		return r;
	*ret_prior = json_pack("{s:O}", "domains", domains);
	return *ret_prior ? 0 : cv_fail_errno(err, -ENOMEM, object, "cannot record the ways");
}

/* ---- apply ---- */

/* The kernel tells in words what it does not like. */
static int fail_write(struct cv_sysroot *root, int r, const char *path, const char *text,
		      struct cv_error *err)
{
	_cleanup_free_ char *status = NULL;

	cv_fail_errno(err, r, path, "cannot write '%s'", text);
	if (cv_read_str(root, NU_RESCTRL_MOUNT "/info/last_cmd_status", &status) == 0)
		cv_error_found(err, "%s", status);
	return r;
}

static int set_domain(const struct cv_step_env *env, const char *group, const char *resource,
		      int domain, uint64_t value, struct cv_error *err)
{
	_cleanup_free_ char *before = NULL, *after = NULL;
	char path[CV_PATH_MAX], line[64];
	uint64_t now = 0;
	int r = read_schemata(env->root, group, &before);

	cv_pathf(path, "%s/schemata", group);
	if (r == 0 && nu_schemata_find(before, resource, domain, &now) == 0 && now == value)
		return 0;
	snprintf(line, sizeof(line), strcmp(resource, "MB") == 0 ? "%s:%d=%llu\n" : "%s:%d=%llx\n",
		 resource, domain, (unsigned long long)value);
	r = cv_write_deadline(env->root, path, line, env->deadline_ms);
	line[strcspn(line, "\n")] = '\0';
	if (r < 0)
		return fail_write(env->root, r, path, line, err);
	r = read_schemata(env->root, group, &after);
	r = r ?: nu_schemata_find(after, resource, domain, &now);
	if (r < 0 || now == value)
		return r < 0 ? cv_fail_errno(err, r, path, "cannot read it back") : 0;
	cv_fail(err, -EIO, CV_EXIT_FAILED, "EREADBACK", path, "the write did not take");
	cv_error_found(err, "%s:%d=%llx", resource, domain, (unsigned long long)now);
	cv_error_wanted(err, "%s", line);
	return -EIO;
}

static int make_group(const struct cv_step_env *env, const char *object, struct cv_error *err)
{
	int r = cv_mkdir(env->root, object, 0755);

	if (r == 0 || r == -EEXIST)
		return 0;
	cv_fail_errno(err, r, object, "cannot make the resctrl group");
	if (r == -ENOSPC)
		cv_error_hint(err,
			      "no class of service (CLOSID) is left: remove groups that nobody "
			      "needs, or stop a guest with cache:");
	return r;
}

/* Of what the default group had it keeps the longest run that no guest has. */
static int trim_default(const struct cv_step_env *env, int domain, uint64_t before,
			struct cv_error *err)
{
	uint64_t used = ways_in_use(env->root, domain, PREFIX, NULL);

	return set_domain(env, NU_RESCTRL_MOUNT, "L3", domain,
			  before & used ? nu_longest_run(before & ~used) : before, err);
}

/* Write-ahead: the default group's mask is on disk before it changes. */
static int take_ways(const struct cv_step_env *env, const char *object, int domain, uint64_t mask,
		     struct cv_error *err)
{
	_cleanup_json_ json_t *prior = NULL;
	char name[16], text[24];
	uint64_t before = 0;
	int r = default_before(env->root, domain, &before, err);

	if (r < 0)
		return r;
	snprintf(name, sizeof(name), "%d", domain);
	snprintf(text, sizeof(text), "%llx", (unsigned long long)before);
	prior = json_pack("{s:s}", "mask", text);
	r = cv_shared_add(env->root, DEFAULT_KIND, name, "", prior, env->vm, err);
	r = r ?: set_domain(env, object, "L3", domain, mask, err);
	return r ?: trim_default(env, domain, before, err);
}

static int apply_domains(const struct cv_step_env *env, const char *object, const struct share *s,
			 json_t *domains, struct cv_error *err)
{
	const char *name;
	json_t *value;
	int r = 0;

	json_object_foreach(domains, name, value) {
		uint64_t mask;
		int domain;

		if (cv_parse_int(name, &domain) < 0 ||
		    cv_parse_hex(json_string_value(value), &mask) < 0)
			return bad_step(err, object, "a damaged record");
		if (s->l3)
			r = take_ways(env, object, domain, mask, err);
		if (r == 0 && s->mb)
			r = set_domain(env, object, "MB", domain, s->mb, err);
		if (r < 0)
			return r;
	}
	return 0;
}

static int set_cpus(const struct cv_step_env *env, const char *object, const struct cv_cpuset *cpus,
		    struct cv_error *err)
{
	_cleanup_free_ char *list = cv_format_cpulist(cpus);
	struct cv_cpuset now;
	char path[CV_PATH_MAX];
	int r;

	cv_pathf(path, "%s/cpus_list", object);
	if (!list)
		return cv_fail_errno(err, -ENOMEM, path, "cannot format a CPU list");
	if (cv_read_cpulist(env->root, path, &now) == 0 && cv_cpuset_equal(&now, cpus))
		return 0;
	r = cv_write_deadline(env->root, path, list, env->deadline_ms);
	if (r < 0)
		return fail_write(env->root, r, path, list, err);
	if (cv_read_cpulist(env->root, path, &now) == 0 && cv_cpuset_equal(&now, cpus))
		return 0;
	return cv_fail(err, -EIO, CV_EXIT_FAILED, "EREADBACK", path,
		       "the write of the CPUs %s did not take", list);
}

static int resctrl_apply(const struct cv_step_env *env, const char *object, const char *value,
			 const json_t *prior, struct cv_error *err)
{
	struct share s;
	int r = parse(object, value, &s, err);

	r = r ?: make_group(env, object, err);
	r = r ?: apply_domains(env, object, &s, json_object_get(prior, "domains"), err);
	return r ?: set_cpus(env, object, &s.cpus, err);
}

/* ---- revert ---- */

static int give_ways_back(const struct cv_step_env *env, const char *name, struct cv_error *err)
{
	_cleanup_(cv_shared_done) struct cv_shared shared = { 0 };
	uint64_t before;
	int domain, r = cv_shared_read(env->root, DEFAULT_KIND, name, &shared, err);

	if (r == -ENOENT || (r == 0 && !cv_strv_has(&shared.holders, env->vm)))
		return 0;
	if (r < 0)
		return r;
	if (cv_parse_int(name, &domain) < 0 ||
	    cv_parse_hex(cv_json_str(shared.prior, "mask", ""), &before) < 0)
		return bad_step(err, NU_RESCTRL_MOUNT, "a damaged record");
	/* unmounted meanwhile: nothing is divided any more */
	if (cv_exists(env->root, NU_RESCTRL_MOUNT "/schemata"))
		r = trim_default(env, domain, before, err);
	return r ?: cv_shared_leave(env->root, DEFAULT_KIND, name, env->vm, err);
}

static int resctrl_revert(const struct cv_step_env *env, const char *object, const char *value,
			  const json_t *prior, struct cv_error *err)
{
	const char *name;
	json_t *ignored;
	struct share s;
	int r = parse(object, value, &s, err);

	if (r < 0)
		return r;
	r = cv_rmdir(env->root, object);
	if (r < 0 && r != -ENOENT && r != -ENOTDIR)
		return cv_fail_errno(err, r, object, "cannot remove the resctrl group");
	json_object_foreach(json_object_get(prior, "domains"), name, ignored) {
		r = give_ways_back(env, name, err);
		if (r < 0)
			return r;
	}
	return 0;
}

const struct cv_step_ops nu_step_resctrl = {
	.kind = "resctrl",
	.scope = CV_SCOPE_OWN,
	.undo = "remove the group; the host gets its cache ways back",
	.record = resctrl_record,
	.apply = resctrl_apply,
	.revert = resctrl_revert,
};
