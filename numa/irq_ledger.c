// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/irq_ledger.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/state.h"
#include "numa/cputext.h"
#include "numa/irq.h"
#include "numa/value.h"

#define MARKER "carve_irq_affinity"
#define LEDGER CV_SHARED_DIR "/irq-affinity.json"

/* ---- the file ---- */

static json_t *member(const json_t *j, const char *name)
{
	json_t *value = j ? json_object_get(j, name) : NULL;

	return value ? json_incref(value) : json_object();
}

static bool is_map(const json_t *map)
{
	const char *key;
	json_t *value;

	if (!json_is_object(map))
		return false;
	json_object_foreach((json_t *)(uintptr_t)map, key, value) {
		if (!json_is_string(value))
			return false;
	}
	return true;
}

/* @j NULL: an empty one */
static int from_json(const json_t *j, struct nu_irq_ledger *ret, struct cv_error *err)
{
	json_t *dflt = j ? json_object_get(j, "default") : NULL;
	_cleanup_irq_ledger_ struct nu_irq_ledger l = {
		.holders = member(j, "holders"),
		.irqs = member(j, "irqs"),
		.managed = member(j, "managed"),
		.dflt = dflt ? json_incref(dflt) : json_null(),
	};

	if (!is_map(l.holders) || !is_map(l.irqs) || !is_map(l.managed) ||
	    !(json_is_string(l.dflt) || json_is_null(l.dflt)))
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_LEDGER", LEDGER,
			       "damaged list of moved interrupts");
	*ret = l;
	l = (struct nu_irq_ledger){ 0 };
	return 0;
}

int nu_irq_ledger_read(struct cv_sysroot *root, struct nu_irq_ledger *ret, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	int r = cv_read_str(root, LEDGER, &text);

	if (r == -ENOENT || r == -ENOTDIR)
		return from_json(NULL, ret, err);
	if (r < 0)
		return cv_fail_errno(err, r, LEDGER, "cannot read which interrupts were moved");
	r = cv_json_parse(text, LEDGER, &j, err);
	if (r == 0)
		r = cv_json_version(j, MARKER, NU_IRQ_LEDGER_VERSION, LEDGER, err);
	return r < 0 ? r : from_json(j, ret, err);
}

int nu_irq_ledger_write(struct cv_sysroot *root, const struct nu_irq_ledger *l,
			struct cv_error *err)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	int r;

	if (json_object_size(l->holders) == 0) {
		r = cv_unlink(root, LEDGER);
		return r < 0 && r != -ENOENT && r != -ENOTDIR
			       ? cv_fail_errno(err, r, LEDGER, "cannot remove it")
			       : 0;
	}
	j = json_pack("{s:i,s:O,s:O,s:O,s:O}", MARKER, NU_IRQ_LEDGER_VERSION, "holders", l->holders,
		      "default", l->dflt, "irqs", l->irqs, "managed", l->managed);
	text = j ? cv_json_text(j) : NULL;
	r = text ? cv_replace_file(root, LEDGER, text, 0644) : -ENOMEM;
	return r < 0 ? cv_fail_errno(err, r, LEDGER, "cannot note which interrupts are moved") : 0;
}

void nu_irq_ledger_done(struct nu_irq_ledger *l)
{
	json_decref(l->holders);
	json_decref(l->irqs);
	json_decref(l->managed);
	json_decref(l->dflt);
	*l = (struct nu_irq_ledger){ 0 };
}

/* ---- what it says ---- */

int nu_irq_value(const char *value, struct cv_cpuset *ret_off, struct cv_cpuset *ret_on)
{
	int r = nu_value_list(&value, "off=", ' ', ret_off);

	r = r ?: nu_value_list(&value, "on=", '\0', ret_on);
	return r == 0 && cv_cpuset_intersects(ret_off, ret_on) ? -EINVAL : r;
}

int nu_irq_policy(struct cv_sysroot *root, const struct nu_irq_ledger *l, const char *without,
		  struct nu_irq_policy *ret, struct cv_error *err)
{
	struct nu_irq_policy p = { 0 };
	struct cv_cpuset off, on;
	const char *vm;
	json_t *value;
	int r = cv_read_cpulist(root, "/sys/devices/system/cpu/online", &p.online);

	if (r < 0)
		return cv_fail_errno(err, r, "/sys/devices/system/cpu/online", "cannot read");
	json_object_foreach(l->holders, vm, value) {
		if (without && strcmp(vm, without) == 0)
			continue;
		if (nu_irq_value(json_string_value(value), &off, &on) < 0)
			return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_LEDGER", LEDGER,
				       "damaged entry of VM %s", vm);
		cv_cpuset_or(&p.off, &off);
		cv_cpuset_or(&p.on, &on);
	}
	cv_cpuset_andnot(&p.on, &p.off);
	*ret = p;
	return 0;
}

bool nu_irq_before(const struct nu_irq_ledger *l, const char *key, struct cv_cpuset *ret)
{
	const char *list = json_string_value(json_object_get(l->irqs, key));

	return list && cv_parse_cpulist(list, ret) == 0;
}

bool nu_irq_default_before(const struct nu_irq_ledger *l, struct cv_cpuset *ret)
{
	const char *mask = json_string_value(l->dflt);

	return mask && nu_parse_cpumask(mask, ret) == 0;
}

int nu_irq_remember(json_t *irqs, const char *key, const struct cv_cpuset *cpus)
{
	_cleanup_free_ char *list = cv_format_cpulist(cpus);

	if (!list || json_object_set_new(irqs, key, json_string(list)) < 0)
		return -ENOMEM;
	return 0;
}

/* Is any CPU of @a online that @b allows? @ret holds them all, offline ones as well. */
static bool take(const struct nu_irq_policy *p, const struct cv_cpuset *a,
		 const struct cv_cpuset *b, struct cv_cpuset *ret)
{
	*ret = *a;
	if (b)
		cv_cpuset_and(ret, b);
	cv_cpuset_andnot(ret, &p->off);
	return cv_cpuset_intersects(ret, &p->online);
}

void nu_irq_allowed(struct cv_sysroot *root, const struct nu_irq_policy *p, int node,
		    const struct cv_cpuset *before, struct cv_cpuset *ret)
{
	struct cv_cpuset local;
	char path[CV_PATH_MAX];

	if (take(p, before, NULL, ret))
		return;
	cv_pathf(path, "/sys/devices/system/node/node%d/cpulist", node);
	if (node >= 0 && cv_read_cpulist(root, path, &local) == 0 && take(p, &p->on, &local, ret))
		return;
	if (!take(p, &p->on, NULL, ret))
		take(p, &p->online, NULL, ret);
}
