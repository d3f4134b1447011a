// SPDX-License-Identifier: GPL-2.0-or-later
/* The IOMMU by its effect: groups, the type of their domains, where interrupts go. Words on the kernel
 * command line prove nothing: Linux 6.8 turns VT-d on without intel_iommu=on, and amd_iommu=on is no
 * value at all (Documentation/admin-guide/kernel-parameters.txt). */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/audit_checks.h"

static void advise_iommu(const struct inv_host *h, struct audit_finding *f)
{
	bool is_amd = h->iommu == INV_IOMMU_AMD || strcmp(h->cpu_vendor, "AuthenticAMD") == 0;

	audit_fix(f, "turn on VT-d or AMD-Vi in the firmware%s",
		  h->iommu == INV_IOMMU_AMD ? "" : " and boot with intel_iommu=on");
	if (is_amd)
		audit_set_change(f, AUDIT_FIRMWARE, "", "", "IOMMU (AMD-Vi): enabled");
	else if (strcmp(h->cpu_vendor, "GenuineIntel") == 0)
		audit_set_change(f, AUDIT_CMDLINE, "", "", "intel_iommu=on");
}

static int check_iommu(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	struct audit_finding *f;

	f = audit_add(a, "iommu", h->n_iommu_groups > 0 ? AUDIT_PASS : AUDIT_FAIL, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/kernel/iommu_groups: %d groups%s%s", h->n_iommu_groups,
		       h->iommu_domain[0] ? ", domains of type " : "", h->iommu_domain);
	audit_effect(f, "%s",
		     f->verdict == AUDIT_PASS ? "devices reach only the memory of their guest"
					      : "no device can be given to a guest");
	if (f->verdict != AUDIT_PASS)
		advise_iommu(h, f);
	return 0;
}

/* Groups whose default domain translates nothing; the host's first one stands for all of them when
 * the domain of each was not read. */
static size_t count_identity(const struct inventory *inv)
{
	size_t n = 0;

	if (inv->n_groups == 0)
		return strcmp(inv->host.iommu_domain, "identity") == 0;
	for (size_t i = 0; i < inv->n_groups; i++)
		n += strcmp(inv->groups[i].domain, "identity") == 0;
	return n;
}

/* iommu=pt: VFIO puts the devices of guests into domains of their own all the same. */
static int check_domain(const struct inventory *inv, struct audit *a)
{
	size_t n = count_identity(inv);
	struct audit_finding *f;

	if (inv->host.n_iommu_groups <= 0)
		return 0;
	f = audit_add(a, "iommu-domain", n ? AUDIT_WARN : AUDIT_PASS, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/kernel/iommu_groups/*/type: %zu are identity", n);
	if (n == 0) {
		audit_effect(f, "devices of the host reach only what their drivers map");
		return 0;
	}
	audit_effect(f, "those devices reach all memory, that of guests too, while the host's "
			"drivers have them; guests' own devices are kept apart");
	audit_set_change(f, AUDIT_CMDLINE, "", "identity", "iommu.passthrough=0");
	audit_fix(f,
		  "boot with iommu.passthrough=0 and without iommu=pt; it costs the host's drivers "
		  "some speed");
	return 0;
}

static int check_intremap(const struct inventory *inv, struct audit *a)
{
	const struct inv_host *h = &inv->host;
	struct audit_finding *f;

	f = audit_add(a, "intremap", h->has_intremap ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "interrupt remapping is %sin effect", h->has_intremap ? "" : "not ");
	if (h->has_intremap) {
		audit_effect(f, "devices of a guest can send only their own interrupts");
		return 0;
	}
	audit_effect(f, "a device is refused unless its spec has accept: [no-intremap]");
	audit_fix(f,
		  "turn on interrupt remapping (with VT-d or AMD-Vi, x2APIC) in the firmware; boot "
		  "without intremap=off");
	audit_set_change(f, AUDIT_FIRMWARE, "", "", "interrupt remapping, x2APIC: enabled");
	return 0;
}

static const struct audit_flag flags[] = {
	{
		.check = "unsafe-interrupts",
		.offset = offsetof(struct inv_host, unsafe_interrupts),
		.want = false,
		.bad = AUDIT_WARN,
		.evidence = { "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts: "
			      "not set",
			      "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts: Y" },
		.effect = { "devices without interrupt remapping are refused",
			    "isolation is not real: a guest's device may send any interrupt to "
			    "the host" },
		.fix = "load vfio_iommu_type1 without allow_unsafe_interrupts=1",
		.change = { AUDIT_MODULE, .now = "Y",
			    .value = "options vfio_iommu_type1 allow_unsafe_interrupts=0" },
	},
};

/* A patch that is in no released kernel, and in many distributions: it makes groups that the hardware
 * does not keep apart. That it was asked for is all there is to see. */
static int check_override(const struct inventory *inv, struct audit *a)
{
	struct audit_finding *f;

	if (!strstr(inv->host.cmdline, "pcie_acs_override="))
		return 0;
	f = audit_add(a, "acs-override", AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/proc/cmdline: pcie_acs_override=");
	audit_effect(f, "isolation is not real: groups are shown that the hardware does not keep "
			"apart");
	audit_fix(
		f,
		"boot without pcie_acs_override; devices that then share a group go to one guest");
	return 0;
}

int audit_iommu(const struct inventory *inv, struct audit *a)
{
	int rc = check_iommu(inv, a);

	if (!rc)
		rc = check_domain(inv, a);
	if (!rc)
		rc = check_intremap(inv, a);
	if (!rc)
		rc = audit_add_flags(flags, CV_ARRAY_SIZE(flags), inv, a);
	return rc ? rc : check_override(inv, a);
}
