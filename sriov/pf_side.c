// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/pf_side.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/json.h"
#include "sriov/function.h"

static bool has_carrier(struct cv_sysroot *root, const char *pf, const char *netdev)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX];
	uint64_t carrier;

	cv_pathf(path, "%s/%s/carrier", sr_path(dir, pf, "net"), netdev);
	return cv_read_u64(root, path, &carrier) == 0 && carrier == 1;
}

static const char *affinity_path(char buf[CV_PATH_MAX], const char *irq)
{
	return cv_pathf(buf, "/proc/irq/%s/smp_affinity_list", irq);
}

static json_t *links_json(struct cv_sysroot *root, const char *pf)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	json_t *links = json_array();
	char path[CV_PATH_MAX];

	if (cv_list(root, sr_path(path, pf, "net"), &names) < 0)
		return links;
	for (size_t i = 0; i < names.n; i++)
		if (has_carrier(root, pf, names.v[i]))
			json_array_append_new(links, json_string(names.v[i]));
	return links;
}

/* Vectors keep their order when they are made anew, not their numbers. */
static json_t *irqs_json(struct cv_sysroot *root, const char *pf)
{
	_cleanup_strv_ struct cv_strv irqs = { 0 };
	json_t *list = json_array();
	char path[CV_PATH_MAX];

	if (cv_list(root, sr_path(path, pf, "msi_irqs"), &irqs) < 0)
		return list;
	for (size_t i = 0; i < irqs.n; i++) {
		_cleanup_free_ char *cpus = NULL;

		cv_read_str(root, affinity_path(path, irqs.v[i]), &cpus);
		json_array_append_new(list, json_string(cpus ? cpus : ""));
	}
	return list;
}

int sr_pf_record(struct cv_sysroot *root, const char *pf, json_t *prior)
{
	int r = json_object_set_new(prior, "carrier", links_json(root, pf));

	if (r == 0)
		r = json_object_set_new(prior, "irqs", irqs_json(root, pf));
	return r == 0 ? 0 : -ENOMEM;
}

static void restore_irq(struct cv_sysroot *root, const char *irq, const char *cpus)
{
	_cleanup_free_ char *now = NULL;
	char path[CV_PATH_MAX];

	if (!cpus || !cpus[0] || cv_read_str(root, affinity_path(path, irq), &now) < 0 ||
	    strcmp(now, cpus) == 0)
		return;
	(void)cv_write_str(root, path, cpus);
}

void sr_pf_restore_irqs(struct cv_sysroot *root, const char *pf, const json_t *prior)
{
	const json_t *list = json_object_get(prior, "irqs");
	_cleanup_strv_ struct cv_strv irqs = { 0 };
	char path[CV_PATH_MAX];

	if (cv_list(root, sr_path(path, pf, "msi_irqs"), &irqs) < 0)
		return;
	for (size_t i = 0; i < irqs.n && i < json_array_size(list); i++)
		restore_irq(root, irqs.v[i], json_string_value(json_array_get(list, i)));
}

bool sr_pf_has_links(const json_t *prior)
{
	return json_array_size(json_object_get(prior, "carrier")) > 0;
}

void sr_pf_await_links(const struct cv_step_env *env, const char *pf, const json_t *prior)
{
	const json_t *links = json_object_get(prior, "carrier");
	int64_t end = cv_now_ms() + env->deadline_ms;

	for (size_t i = 0; i < json_array_size(links); i++) {
		const char *netdev = json_string_value(json_array_get(links, i));

		while (netdev && !has_carrier(env->root, pf, netdev) && cv_now_ms() < end)
			sr_pause();
	}
}
