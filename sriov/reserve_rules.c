// SPDX-License-Identifier: GPL-2.0-or-later
/* What udev is told about reserved functions, and what it calls the groups of VFIO. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "sriov/function.h"
#include "sriov/reserve.h"

#define CLASS_PCI_BRIDGE 0x0604

static const char heading[] =
	"# Made by \"carve device reserve\" from " SR_RESERVED_FILE
	": what is changed here is lost.\n"
	"# These functions belong to VMs: each gets its driver before another one can take it.\n";

/*
 * driver_override is written while the rules are read, the modalias is loaded after them. A driver
 * that is loaded by now is asked at once; another one takes the function as soon as it is.
 */
static int add_rule(const struct sr_reserved *e, struct cv_strv *rules)
{
	char bdf[CV_BDF_MAX];

	cv_format_bdf(e->bdf, bdf);
	return cv_strv_addf(rules,
			    "ACTION==\"add\", SUBSYSTEM==\"pci\", KERNEL==\"%s\", DRIVER==\"\", "
			    "ATTR{vendor}==\"0x%04x\", ATTR{device}==\"0x%04x\", "
			    "TEST!=\"" SR_REPLACED_DIR "/%s\", ATTR{driver_override}=\"%s\", "
			    "ATTR{[subsystem/pci]drivers_probe}=\"%s\", "
			    "RUN{builtin}+=\"kmod load %s\"\n",
			    bdf, e->vendor, e->device, bdf, e->driver, bdf, e->driver);
}

char *sr_reserved_rules(const struct sr_reserved_list *l)
{
	_cleanup_strv_ struct cv_strv rules = { 0 };

	if (cv_strv_add(&rules, heading) < 0)
		return NULL;
	for (size_t i = 0; i < l->n; i++)
		if (add_rule(&l->v[i], &rules) < 0)
			return NULL;
	return cv_strv_join(&rules, "");
}

static bool is_bridge(struct cv_sysroot *root, const char *bdf)
{
	char path[CV_PATH_MAX];
	uint64_t class;

	return cv_read_hex(root, sr_path(path, bdf, "class"), &class) == 0 &&
	       class >> 8 == CLASS_PCI_BRIDGE;
}

int sr_group_names(struct cv_sysroot *root, unsigned int group, struct cv_strv *ret)
{
	_cleanup_strv_ struct cv_strv members = { 0 }, names = { 0 };
	char path[CV_PATH_MAX], name[CV_BDF_MAX];
	struct cv_bdf bdf;
	int r = cv_list(root, cv_pathf(path, "/sys/kernel/iommu_groups/%u/devices", group),
			&members);

	for (size_t i = 0; r == 0 && i < members.n; i++) {
		if (cv_parse_bdf(members.v[i], &bdf) == 0 && !is_bridge(root, members.v[i]))
			r = cv_strv_add(&names, cv_format_bdf(bdf, name));
	}
	if (r < 0)
		return r;
	*ret = names;
	names = (struct cv_strv){ 0 };
	return 0;
}
