// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/device_steps.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

/** struct making - a list in progress */
struct making {
	struct cv_sysroot *root;
	const struct inventory *inv;
	const struct device_take *take;
	size_t n;
	const char *user;
	struct cv_step_list l;
};

static const struct inv_dev *dev_at(const struct making *m, size_t i)
{
	return &m->inv->devs[m->take[i].dev];
}

static bool driver_is_new(const struct making *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (strcmp(m->take[k].driver, m->take[i].driver) == 0)
			return false;
	return true;
}

static bool group_is_new(const struct making *m, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (dev_at(m, k)->group == dev_at(m, i)->group)
			return false;
	return true;
}

static int add_modules(struct making *m)
{
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++)
		if (driver_is_new(m, i))
			r = cv_step_list_add(&m->l, "module", m->take[i].driver, "loaded",
					     "driver of VFIO");
	return r;
}

static int add_health(struct making *m)
{
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++)
		r = cv_step_list_add(&m->l, "health", cv_format_bdf(dev_at(m, i)->bdf, bdf),
				     dev_at(m, i)->driver, "it comes back as good as it was");
	return r;
}

static int add_hooks(struct making *m, const char *object, const char *why)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *value = NULL;
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < m->n; i++)
		if (cv_strv_add(&names, cv_format_bdf(dev_at(m, i)->bdf, bdf)) < 0)
			return -ENOMEM;
	value = cv_strv_join(&names, " ");
	return value ? cv_step_list_add(&m->l, "hooks", object, value, "%s", why) : -ENOMEM;
}

/* A function that slept deeply may not wake up under a driver that knows nothing of it. */
static int add_power(struct making *m)
{
	char bdf[CV_BDF_MAX], path[CV_PATH_MAX];
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++) {
		cv_pathf(path, "/sys/bus/pci/devices/%s/d3cold_allowed",
			 cv_format_bdf(dev_at(m, i)->bdf, bdf));
		if (cv_exists(m->root, path))
			r = cv_step_list_add(&m->l, "attr", path, "0",
					     "it stays awake while nobody uses it");
	}
	return r;
}

static int add_binding(struct making *m)
{
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (size_t i = 0; i < m->n && r == 0; i++)
		r = cv_step_list_add(&m->l, "bind", cv_format_bdf(dev_at(m, i)->bdf, bdf),
				     m->take[i].driver, "taken from the host");
	for (size_t i = 0; i < m->n && r == 0; i++)
		if (group_is_new(m, i))
			r = cv_step_list_add(&m->l, "group-owner",
					     cv_format_bdf(dev_at(m, i)->bdf, bdf),
					     m->user[0] ? m->user : "0", "who may open the group");
	return r;
}

int device_steps(struct cv_sysroot *root, const struct inventory *inv,
		 const struct device_take *take, size_t n, const char *user,
		 struct cv_step_list *ret)
{
	struct making m = { .root = root, .inv = inv, .take = take, .n = n, .user = user };
	int r = add_modules(&m);

	r = r ?: add_health(&m);
	r = r ?: add_hooks(&m, "bind", "what the site does before devices change hands");
	r = r ?: add_power(&m);
	r = r ?: add_binding(&m);
	r = r ?: add_hooks(&m, "ready", "what the site does with devices that are ready");
	if (r < 0) {
		cv_step_list_done(&m.l);
		return r;
	}
	*ret = m.l;
	return 0;
}
