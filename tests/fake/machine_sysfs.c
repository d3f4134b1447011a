// SPDX-License-Identifier: GPL-2.0-or-later
/* The files of PCI functions (Documentation/ABI/testing/sysfs-bus-pci) and of IOMMU groups. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fake/machine_model.h"

/* linux/ioport.h, as they stand in the third column of "resource" */
#define FLAGS_MEM32 0x40200
#define FLAGS_MEM64 0x140204
#define FLAGS_PREF64 0x14220c
#define FLAGS_IO 0x40101
#define FLAGS_WINDOW 0x200
#define FLAGS_PREF_WINDOW 0x102201

#define GROUPS "sys/kernel/iommu_groups"
#define DRIVERS "sys/bus/pci/drivers"

/* "../../.." from @path ("devices/pci0000:00/...") up to /sys, then @to */
static const char *link_to(const char *path, const char *to, char buf[MACHINE_PATH])
{
	char *p = buf;

	p += sprintf(p, "../");
	for (; *path; path++)
		if (*path == '/')
			p += sprintf(p, "../");
	snprintf(p, MACHINE_PATH - (size_t)(p - buf), "%s", to);
	return buf;
}

static void put_hex(struct machine_out *o, const struct machine_function *f, const char *name,
		    int digits, unsigned int value)
{
	char text[16];

	snprintf(text, sizeof(text), "0x%0*x\n", digits, value);
	machine_put(o, text, "sys/%s/%s", f->path, name);
}

static void put_ids(struct machine_out *o, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;
	unsigned int device = f->pf >= 0 ? p->vf_device : p->device;
	char text[128];

	put_hex(o, f, "vendor", 4, p->vendor);
	put_hex(o, f, "device", 4, device);
	put_hex(o, f, "subsystem_vendor", 4, p->subvendor);
	put_hex(o, f, "subsystem_device", 4, p->subdevice);
	put_hex(o, f, "class", 6, p->class);
	put_hex(o, f, "revision", 2, p->revision);
	snprintf(text, sizeof(text), "pci:v%08Xd%08Xsv%08Xsd%08Xbc%02Xsc%02Xi%02X\n", p->vendor,
		 device, p->subvendor, p->subdevice, p->class >> 16, p->class >> 8 & 0xff,
		 p->class & 0xff);
	machine_put(o, text, "sys/%s/modalias", f->path);
}

/* resource: one line per BAR, ROM, VF BAR, and window of a bridge */

static void put_region(FILE *out, uint64_t at, uint64_t size, unsigned int flags)
{
	if (size == 0)
		at = flags = 0;
	fprintf(out, "0x%016llx 0x%016llx 0x%016x\n", (unsigned long long)at,
		(unsigned long long)(size ? at + size - 1 : 0), flags);
}

static void put_bars(FILE *out, const struct machine_bar *bars, const uint64_t *at,
		     unsigned int times)
{
	static const unsigned int flags[] = { FLAGS_MEM32, FLAGS_MEM64, FLAGS_PREF64, FLAGS_IO };

	for (int i = 0; i < INV_MAX_BARS; i++)
		put_region(out, at[i], bars[i].size * times, flags[bars[i].kind]);
}

static void put_windows(FILE *out, const struct machine_function *f)
{
	put_region(out, 0, 0, 0);
	put_region(out, f->window[0], f->window_end[0] - f->window[0], FLAGS_WINDOW);
	put_region(out, f->window[1], f->window_end[1] - f->window[1], FLAGS_PREF_WINDOW);
	put_region(out, 0, 0, 0);
}

static void put_resource(struct machine_out *o, const struct machine_function *f)
{
	static const struct machine_bar none[INV_MAX_BARS];
	const struct machine_profile *p = f->profile;
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	put_bars(out, f->pf >= 0 ? p->vf_bars : p->bars, f->bars, 1);
	put_region(out, 0, 0, 0);
	put_bars(out, f->pf >= 0 ? none : p->vf_bars, f->vf_bars, p->total_vfs);
	if (f->secondary)
		put_windows(out, f);
	fclose(out);
	machine_put(o, text, "sys/%s/resource", f->path);
}

static void put_link_state(struct machine_out *o, const struct machine_function *f)
{
	static const char *const speeds[] = { "Unknown",       "2.5 GT/s PCIe",	 "5.0 GT/s PCIe",
					      "8.0 GT/s PCIe", "16.0 GT/s PCIe", "32.0 GT/s PCIe",
					      "64.0 GT/s PCIe" };
	char text[32];

	if (f->max_gen == 0)
		return;
	snprintf(text, sizeof(text), "%s\n", speeds[f->gen]);
	machine_put(o, text, "sys/%s/current_link_speed", f->path);
	machine_put_int(o, f->width, "sys/%s/current_link_width", f->path);
	snprintf(text, sizeof(text), "%s\n", speeds[f->max_gen]);
	machine_put(o, text, "sys/%s/max_link_speed", f->path);
	machine_put_int(o, f->max_width, "sys/%s/max_link_width", f->path);
}

static void put_locality(const struct machine *m, struct machine_out *o,
			 const struct machine_function *f)
{
	const struct cv_cpuset all = machine_all_cpus(m);
	const struct cv_cpuset *local = f->node >= 0 ? &m->nodes[f->node].cpus : &all;

	machine_put_int(o, f->node, "sys/%s/numa_node", f->path);
	machine_put_mask(o, local, m->n_cpus, "sys/%s/local_cpus", f->path);
	machine_put_list(o, local, "sys/%s/local_cpulist", f->path);
}

static void put_driver(struct machine_out *o, const struct machine_function *f)
{
	char link[MACHINE_PATH], to[MACHINE_TEXT + 32], bdf[CV_BDF_MAX];

	machine_put(o, "(null)\n", "sys/%s/driver_override", f->path);
	if (!f->driver[0])
		return;
	snprintf(to, sizeof(to), "bus/pci/drivers/%s", f->driver);
	machine_put_link(o, link_to(f->path, to, link), "sys/%s/driver", f->path);
	snprintf(link, sizeof(link), "../../../../%.480s", f->path);
	machine_put_link(o, link, DRIVERS "/%s/%s", f->driver, cv_format_bdf(f->bdf, bdf));
}

static void put_vf_links(const struct machine *m, struct machine_out *o,
			 const struct machine_function *f)
{
	char link[CV_BDF_MAX + 4], bdf[CV_BDF_MAX];
	const struct machine_function *pf = &m->fns[f->pf];

	snprintf(link, sizeof(link), "../%s", cv_format_bdf(pf->bdf, bdf));
	machine_put_link(o, link, "sys/%s/physfn", f->path);
	snprintf(link, sizeof(link), "../%s", cv_format_bdf(f->bdf, bdf));
	machine_put_link(o, link, "sys/%s/virtfn%d", pf->path, f->vf_index);
}

static void put_sriov(struct machine_out *o, const struct machine_function *f)
{
	const struct machine_profile *p = f->profile;
	char text[16];

	machine_put_int(o, p->total_vfs, "sys/%s/sriov_totalvfs", f->path);
	machine_put_int(o, f->vfs, "sys/%s/sriov_numvfs", f->path);
	machine_put_int(o, p->vf_offset, "sys/%s/sriov_offset", f->path);
	machine_put_int(o, p->vf_stride, "sys/%s/sriov_stride", f->path);
	machine_put_int(o, 1, "sys/%s/sriov_drivers_autoprobe", f->path);
	snprintf(text, sizeof(text), "%x\n", p->vf_device);
	machine_put(o, text, "sys/%s/sriov_vf_device", f->path);
}

static void put_group(const struct machine *m, struct machine_out *o,
		      const struct machine_function *f)
{
	char link[MACHINE_PATH], to[64], bdf[CV_BDF_MAX];

	if (f->group < 0)
		return;
	snprintf(to, sizeof(to), "kernel/iommu_groups/%d", f->group);
	machine_put_link(o, link_to(f->path, to, link), "sys/%s/iommu_group", f->path);
	snprintf(link, sizeof(link), "../../../../%.480s", f->path);
	machine_put_link(o, link, GROUPS "/%d/devices/%s", f->group, cv_format_bdf(f->bdf, bdf));
}

static void put_function(const struct machine *m, struct machine_out *o,
			 const struct machine_function *f)
{
	char link[MACHINE_PATH], bdf[CV_BDF_MAX];
	const char *reset = f->pf >= 0 ? "flr" : f->profile->reset;
	uint8_t config[4096];

	snprintf(link, sizeof(link), "../../../%.480s", f->path);
	machine_put_link(o, link, "sys/bus/pci/devices/%s", cv_format_bdf(f->bdf, bdf));
	put_ids(o, f);
	machine_config(m, f, config);
	machine_put_bytes(o, config, f->port == INV_PORT_CONVENTIONAL ? 256 : sizeof(config),
			  "sys/%s/config", f->path);
	put_resource(o, f);
	put_link_state(o, f);
	put_locality(m, o, f);
	put_driver(o, f);
	put_group(m, o, f);
	machine_put_int(o, 1, "sys/%s/enable", f->path);
	machine_put_int(o, 0, "sys/%s/irq", f->path);
	if (reset) {
		snprintf(link, sizeof(link), "%s\n", reset);
		machine_put(o, link, "sys/%s/reset_method", f->path);
	}
	if (f->pf >= 0)
		put_vf_links(m, o, f);
	else if (f->profile->total_vfs)
		put_sriov(o, f);
}

/* What the drivers of Linux reserve: interrupts of the CPU for all, more on AMD. */
static void put_regions(const struct machine *m, struct machine_out *o, int group)
{
	static const char *const regions[] = {
		[INV_IOMMU_NONE] = "",
		[INV_IOMMU_INTEL] = "0x00000000fee00000 0x00000000feefffff msi\n",
		[INV_IOMMU_AMD] = "0x00000000fee00000 0x00000000feefffff msi\n"
				  "0x000000fd00000000 0x000000ffffffffff reserved\n",
		[INV_IOMMU_ARM] = "0x0000000008000000 0x00000000080fffff msi\n",
	};
	char text[MACHINE_TEXT + 2];

	machine_put(o, regions[m->host.iommu], GROUPS "/%d/reserved_regions", group);
	snprintf(text, sizeof(text), "%s\n", m->host.domain);
	machine_put(o, text, GROUPS "/%d/type", group);
}

static void put_roots(const struct machine *m, struct machine_out *o)
{
	char link[64];

	for (int i = 0; i < m->n_roots; i++) {
		const struct machine_root *r = &m->roots[i];
		const struct cv_cpuset all = machine_all_cpus(m);
		const struct cv_cpuset *local = r->node >= 0 ? &m->nodes[r->node].cpus : &all;

		snprintf(link, sizeof(link), "../../devices/pci%04x:%02x/pci_bus/%04x:%02x",
			 r->domain, r->bus, r->domain, r->bus);
		machine_put_list(o, local, "sys/%s/cpulistaffinity", link + 6);
		machine_put_mask(o, local, m->n_cpus, "sys/%s/cpuaffinity", link + 6);
		machine_put_link(o, link, "sys/class/pci_bus/%04x:%02x", r->domain, r->bus);
	}
}

static void put_vfio(struct machine_out *o)
{
	machine_put_dir(o, DRIVERS "/vfio-pci");
	machine_put(o, "N\n", "sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts");
	machine_put(o, "65535\n", "sys/module/vfio_iommu_type1/parameters/dma_entry_limit");
	machine_put(o, "", "dev/vfio/vfio");
}

void machine_write_pci(const struct machine *m, struct machine_out *o)
{
	put_roots(m, o);
	for (int i = 0; i < m->n_fns; i++)
		put_function(m, o, &m->fns[i]);
	for (int i = 0; i < m->n_groups; i++)
		put_regions(m, o, i);
	put_vfio(o);
}
