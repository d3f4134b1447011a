// SPDX-License-Identifier: GPL-2.0-or-later
/* The driver that passes a function through: vfio-pci, or a variant for its model (libkmod). */
#include <errno.h>
#include <libkmod.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/inventory.h"
#include "sriov/function.h"
#include "sriov/reserve.h"

CV_DEFINE_CLEANUP(struct kmod_ctx *, kmod_unref)
CV_DEFINE_CLEANUP(struct kmod_module *, kmod_module_unref)
CV_DEFINE_CLEANUP(struct kmod_list *, kmod_module_unref_list)

#define PLAIN_MODULE "vfio_pci"
#define PLAIN_DRIVER "vfio-pci"
#define BUS "pci:"
#define VFIO_BUS "vfio_pci:"

/* Drivers that are not called as their module is; of one that is loaded sysfs tells. */
static const struct {
	const char *module, *driver;
} other_names[] = {
	{ PLAIN_MODULE, PLAIN_DRIVER },
	{ "xe_vfio_pci", "xe-vfio-pci" },
};

static void no_log(void *data, int priority, const char *file, int line, const char *fn,
		   const char *format, va_list args)
{
}

/* Modules and settings of the root: of this host, or of the kernel that a captured one runs. */
static int open_kmod(struct cv_sysroot *root, struct kmod_ctx **ret)
{
	const char *dir = cv_sysroot_dir(root);
	char modules[CV_PATH_MAX], config[CV_PATH_MAX], release[128];
	const char *const configs[] = { config, NULL };
	struct kmod_ctx *ctx;

	if (!dir || cv_read_into(root, "/proc/sys/kernel/osrelease", release, sizeof(release)) < 0)
		return -ENOENT;
	cv_pathf(modules, "%s/lib/modules/%s", dir, release);
	cv_pathf(config, "%s/etc/modprobe.d", dir);
	ctx = cv_sysroot_is_live(root) ? kmod_new(NULL, NULL) : kmod_new(modules, configs);
	if (!ctx)
		return -ENOMEM;
	kmod_set_log_fn(ctx, no_log, NULL);
	*ret = ctx;
	return 0;
}

/* "pci:v000015B3d..." to "vfio_pci:v000015B3d...". Return: 0, -ENOENT. */
static int read_alias(struct cv_sysroot *root, const char *bdf, char *buf, size_t size)
{
	char path[CV_PATH_MAX], text[128];
	int r = cv_read_into(root, sr_path(path, bdf, "modalias"), text, sizeof(text));

	if (r < 0 || strncmp(text, BUS, strlen(BUS)) != 0)
		return r < 0 ? r : -ENOENT;
	snprintf(buf, size, VFIO_BUS "%s", text + strlen(BUS));
	return 0;
}

/* Any other than vfio-pci, which matches all: the kernel has one variant for a model at most. */
static int find_variant(struct kmod_ctx *ctx, const char *alias, char *buf, size_t size)
{
	_cleanup_(kmod_module_unref_listp) struct kmod_list *all = NULL;
	_cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
	struct kmod_list *entry;
	int r = kmod_module_new_from_lookup(ctx, alias, &all);

	/* Who blacklists a variant wants vfio-pci. */
	if (r < 0 || kmod_module_apply_filter(ctx, KMOD_FILTER_BLACKLIST, all, &list) < 0)
		return -ENOENT;
	kmod_list_foreach(entry, list) {
		_cleanup_(kmod_module_unrefp) struct kmod_module *mod = kmod_module_get_module(
			entry);

		if (!mod || strcmp(kmod_module_get_name(mod), PLAIN_MODULE) == 0)
			continue;
		return snprintf(buf, size, "%s", kmod_module_get_name(mod)) < (int)size
			       ? 0
			       : -ENAMETOOLONG;
	}
	return -ENOENT;
}

/* The PCI driver of a module that is loaded. Return: 0, -ENOENT. */
static int loaded_driver(struct cv_sysroot *root, const char *module, char *buf, size_t size)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_list(root, cv_pathf(path, "/sys/module/%s/drivers", module), &names);

	for (size_t i = 0; r == 0 && i < names.n; i++) {
		if (strncmp(names.v[i], BUS, strlen(BUS)) != 0)
			continue;
		snprintf(buf, size, "%s", names.v[i] + strlen(BUS));
		return 0;
	}
	return -ENOENT;
}

static void driver_of(struct cv_sysroot *root, const char *module, char *buf, size_t size)
{
	if (loaded_driver(root, module, buf, size) == 0)
		return;
	for (size_t i = 0; i < CV_ARRAY_SIZE(other_names); i++)
		if (strcmp(other_names[i].module, module) == 0)
			module = other_names[i].driver;
	snprintf(buf, size, "%s", module);
}

/* @alias: "vfio_pci:v...", "" where there is none */
static void choose(struct cv_sysroot *root, const char *alias, char *buf, size_t size)
{
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	char module[64];
	int r = alias[0] ? open_kmod(root, &ctx) : -ENOENT;

	if (r == 0)
		r = find_variant(ctx, alias, module, sizeof(module));
	if (r == 0)
		driver_of(root, module, buf, size);
	else
		snprintf(buf, size, "%s", PLAIN_DRIVER);
}

int sr_vfio_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size,
		   struct cv_error *err)
{
	char alias[160];
	int r = sr_require(root, bdf, err);

	if (r < 0)
		return r;
	if (read_alias(root, bdf, alias, sizeof(alias)) < 0)
		alias[0] = '\0';
	choose(root, alias, buf, size);
	return 0;
}

/* As the kernel prints modalias of a PCI function. Its subsystem device is in its own config space. */
void sr_vfio_driver_of_vf(struct cv_sysroot *root, const struct inv_dev *pf, char *buf, size_t size)
{
	char alias[160];

	snprintf(alias, sizeof(alias), VFIO_BUS "v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X",
		 pf->vendor, pf->sriov.vf_device, pf->subvendor, pf->subdevice,
		 pf->class >> 16 & 0xff, pf->class >> 8 & 0xff, pf->class & 0xff);
	choose(root, alias, buf, size);
}

bool sr_host_driver(struct cv_sysroot *root, const char *bdf, char *buf, size_t size)
{
	_cleanup_(kmod_module_unref_listp) struct kmod_list *list = NULL;
	_cleanup_(kmod_module_unrefp) struct kmod_module *mod = NULL;
	_cleanup_(kmod_unrefp) struct kmod_ctx *ctx = NULL;
	char path[CV_PATH_MAX], alias[128];

	snprintf(buf, size, "a host driver");
	if (cv_read_into(root, sr_path(path, bdf, "modalias"), alias, sizeof(alias)) < 0 ||
	    open_kmod(root, &ctx) < 0 || kmod_module_new_from_lookup(ctx, alias, &list) < 0)
		return true;
	if (!list)
		return false;
	mod = kmod_module_get_module(list);
	if (mod)
		driver_of(root, kmod_module_get_name(mod), buf, size);
	return true;
}
