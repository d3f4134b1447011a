// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/iommu.h"

#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

static const struct {
	const char *prefix;
	enum inv_iommu kind;
} iommu_kinds[] = {
	{ "dmar", INV_IOMMU_INTEL },
	{ "ivhd", INV_IOMMU_AMD },
	{ "smmu", INV_IOMMU_ARM },
	{ "arm-smmu", INV_IOMMU_ARM },
};

static enum inv_iommu kind_of(const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(iommu_kinds); i++) {
		if (strncmp(name, iommu_kinds[i].prefix, strlen(iommu_kinds[i].prefix)) == 0)
			return iommu_kinds[i].kind;
	}
	return INV_IOMMU_OTHER;
}

/* Only groups show that DMA is translated: an IOMMU that is off can still be listed. */
static void read_groups(struct cv_sysroot *root, struct inv_host *h)
{
	_cleanup_strv_ struct cv_strv groups = { 0 }, names = { 0 };
	char path[CV_PATH_MAX];

	h->iommu = INV_IOMMU_NONE;
	h->n_iommu_groups = 0;
	h->iommu_domain[0] = '\0';
	if (cv_list(root, "/sys/kernel/iommu_groups", &groups) < 0 || groups.n == 0)
		return;
	h->n_iommu_groups = groups.n > INT32_MAX ? INT32_MAX : (int)groups.n;
	cv_pathf(path, "/sys/kernel/iommu_groups/%s/type", groups.v[0]);
	if (cv_read_into(root, path, h->iommu_domain, sizeof(h->iommu_domain)) < 0)
		h->iommu_domain[0] = '\0';
	h->iommu = INV_IOMMU_OTHER;
	if (cv_list(root, "/sys/class/iommu", &names) == 0 && names.n > 0)
		h->iommu = kind_of(names.v[0]);
}

/* /sys/kernel/irq/N/chip_name, where /proc/interrupts was not captured */
static bool irq_chip_is_remapped(struct cv_sysroot *root)
{
	_cleanup_strv_ struct cv_strv irqs = { 0 };

	if (cv_list(root, "/sys/kernel/irq", &irqs) < 0)
		return false;
	for (size_t i = 0; i < irqs.n; i++) {
		char path[CV_PATH_MAX], chip[INV_TEXT];

		cv_pathf(path, "/sys/kernel/irq/%s/chip_name", irqs.v[i]);
		if (cv_read_into(root, path, chip, sizeof(chip)) == 0 &&
		    strncmp(chip, "IR-", 3) == 0)
			return true;
	}
	return false;
}

/* The kernel puts "IR-" in front of the name of each interrupt chip that sits behind remapping, on
 * Intel and AMD alike: a capability bit would only say that it could. */
static bool has_intremap(struct cv_sysroot *root)
{
	_cleanup_free_ char *text = NULL;

	if (cv_read_str(root, "/proc/interrupts", &text) == 0 && strstr(text, " IR-"))
		return true;
	return irq_chip_is_remapped(root);
}

static bool names_vfio_pci(struct cv_sysroot *root, const char *path)
{
	_cleanup_free_ char *text = NULL;

	return cv_read_str(root, path, &text) == 0 && strstr(text, "/vfio-pci.ko");
}

static bool has_vfio_pci(struct cv_sysroot *root)
{
	char release[INV_TEXT], path[CV_PATH_MAX];

	if (cv_exists(root, "/sys/bus/pci/drivers/vfio-pci"))
		return true;
	if (cv_read_into(root, "/proc/sys/kernel/osrelease", release, sizeof(release)) < 0 ||
	    strchr(release, '/'))
		return false;
	return names_vfio_pci(root, cv_pathf(path, "/lib/modules/%s/modules.dep", release)) ||
	       names_vfio_pci(root, cv_pathf(path, "/lib/modules/%s/modules.builtin", release));
}

void sr_iommu_read(struct cv_sysroot *root, struct inv_host *h)
{
	char text[8];
	bool is_unsafe;

	read_groups(root, h);
	h->has_intremap = has_intremap(root);
	h->has_vfio_container = cv_exists(root, "/dev/vfio/vfio");
	h->has_iommufd = cv_exists(root, "/dev/iommu");
	h->has_vfio_pci = has_vfio_pci(root);
	h->unsafe_interrupts =
		cv_read_into(root,
			     "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts",
			     text, sizeof(text)) == 0 &&
		cv_parse_bool(text, &is_unsafe) == 0 && is_unsafe;
}
