// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's PCI tree as NCCL reads it from NCCL_TOPO_FILE.
 *
 * Only <cpu> and <pci> are written. NCCL finds <gpu>, <net> and <nic> itself, below the <pci> of
 * the same address, and reads from the guest's sysfs every attribute that is missing here. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/projections.h"
#include "plan/xml.h"

#define CLASS_BRIDGE 0x060400
#define BASE_NETWORK 0x02 /* Ethernet 0x0200, InfiniBand 0x0207 */
#define BASE_DISPLAY 0x03
#define BASE_ACCELERATOR 0x12

static bool is_shown(const struct plan_device *d)
{
	uint32_t base = d->class >> 16;

	return base == BASE_NETWORK || base == BASE_DISPLAY || base == BASE_ACCELERATOR;
}

/* The kernel's bitmap format for as many CPUs as the guest has: "f,ffffffff". */
static char *affinity(const struct cv_cpuset *vcpus, size_t n_vcpus)
{
	size_t words = (n_vcpus + 31) / 32, len = 0;
	char *text = NULL;
	FILE *out = open_memstream(&text, &len);

	if (!out)
		return NULL;
	for (size_t w = words; w-- > 0;) {
		size_t bits = w == words - 1 ? n_vcpus - w * 32 : 32;
		uint32_t word = (uint32_t)(vcpus->bits[w / 2] >> (w % 2 * 32));

		fprintf(out, "%s%0*" PRIx32, w == words - 1 ? "" : ",", (int)((bits + 3) / 4),
			word);
	}
	fclose(out);
	return text;
}

static bool is_x86(const char *vendor)
{
	return strcmp(vendor, "GenuineIntel") == 0 || strcmp(vendor, "AuthenticAMD") == 0;
}

/* NCCL adds the extended family in the upper half (CPUID Fn0000_0001 EAX), Linux as a number. */
static int nccl_family(int family)
{
	return family < 15 ? family : 15 + (family - 15) * 16;
}

static void put_cpu_ids(struct xml *x, const struct plan *p)
{
	if (!is_x86(p->cpu_vendor))
		return;
	xml_attr(x, "arch", "x86_64");
	xml_attr(x, "vendor", "%s", p->cpu_vendor);
	if (p->cpu_family > 0) {
		xml_attr(x, "familyid", "%d", nccl_family(p->cpu_family));
		xml_attr(x, "modelid", "%d", p->cpu_model);
	}
}

/* As the kernel prints it in current_link_speed and current_link_width. */
static void put_link(struct xml *x, unsigned int speed, unsigned int width)
{
	if (speed)
		xml_attr(x, "link_speed", "%u.%u GT/s PCIe", speed / 10, speed % 10);
	if (width)
		xml_attr(x, "link_width", "%u", width);
}

static void put_device(struct xml *x, const struct plan_device *d)
{
	char bdf[CV_BDF_MAX];

	xml_open(x, "pci");
	xml_attr(x, "busid", "%s", cv_format_bdf(d->guest, bdf));
	xml_attr(x, "class", "0x%06x", d->class);
	xml_attr(x, "vendor", "0x%04x", d->vendor);
	xml_attr(x, "device", "0x%04x", d->device);
	put_link(x, d->link_speed, d->link_width);
	xml_close(x);
}

/* Is @b a bridge on the way up from @from, or @from itself? */
static bool is_above(const struct plan *p, int b, int from)
{
	while (from >= 0 && from != b)
		from = p->bridges[from].parent;
	return from == b;
}

static bool leads_to_device(const struct plan *p, int bridge)
{
	for (size_t i = 0; i < p->n_devices; i++)
		if (is_shown(&p->devices[i]) && is_above(p, bridge, p->devices[i].bridge))
			return true;
	return false;
}

/* A root port, and a downstream port, is no level of its own for NCCL: it goes from a function to
 * the switch above by dropping two elements of the path in sysfs. */
static void put_below(struct xml *x, const struct plan *p, int bridge)
{
	for (size_t i = 0; i < p->n_devices; i++)
		if (p->devices[i].bridge == bridge && is_shown(&p->devices[i]))
			put_device(x, &p->devices[i]);
	for (size_t i = 0; i < p->n_bridges; i++) {
		const struct plan_bridge *b = &p->bridges[i];
		bool is_switch = b->kind == PLAN_SWITCH_UP;
		char bdf[CV_BDF_MAX];

		if (b->parent != bridge || !leads_to_device(p, (int)i))
			continue;
		if (is_switch) {
			xml_open(x, "pci");
			xml_attr(x, "busid", "%s", cv_format_bdf(b->bdf, bdf));
			xml_attr(x, "class", "0x%06x", CLASS_BRIDGE);
			put_link(x, b->link_speed, b->link_width);
		}
		put_below(x, p, (int)i);
		if (is_switch)
			xml_close(x);
	}
}

static int put_node(struct xml *x, const struct plan *p, size_t node)
{
	_cleanup_free_ char *mask = affinity(&p->nodes[node].vcpus, p->n_vcpus);

	if (!mask)
		return -1;
	xml_open(x, "cpu");
	xml_attr(x, "numaid", "%zu", node);
	xml_attr(x, "affinity", "%s", mask);
	put_cpu_ids(x, p);
	for (size_t i = 0; i < p->n_bridges; i++)
		if (p->bridges[i].parent < 0 && p->bridges[i].guest_node == (int)node)
			put_below(x, p, (int)i);
	xml_close(x);
	return 0;
}

char *plan_nccl_xml(const struct plan *p)
{
	struct xml *x = xml_new(NULL, NULL);
	int r = x ? 0 : -1;

	if (x)
		xml_open(x, "system");
	if (x)
		xml_attr(x, "version", "1");
	for (size_t i = 0; i < p->n_nodes && r == 0; i++)
		r = put_node(x, p, i);
	_cleanup_free_ char *text = xml_finish(x);
	return r == 0 ? TAKE_PTR(text) : NULL;
}
