// SPDX-License-Identifier: GPL-2.0-or-later
/* A libvirt domain of a plan: same pins, memory, topology and PCIe tree as under the QEMU backend.
 *
 * Devices are managed='no': Carve binds them. A guest address names the controller by its index,
 * not by the bus number that the guest sees; index = bridge + 1, 0 is pcie.0. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "plan/guest_tables.h"
#include "plan/libvirt_virtio.h"
#include "plan/projections.h"
#include "plan/xml.h"

#define PXB_HOST_SLOT 0x8 /* as plan/qemu_argv.c places them on pcie.0 */
#define PREALLOC_THREADS_MAX 16
#define VENDOR_NVIDIA 0x10de
#define BASE_DISPLAY 0x03

static void put_cpulist(struct xml *x, const char *name, const struct cv_cpuset *set)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);

	xml_attr(x, name, "%s", list ? list : "?");
}

/* ---- memory ---- */

static uint64_t memory_of(const struct plan *p)
{
	uint64_t total = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		total += p->nodes[i].memory;
	return total;
}

static void put_memory(struct xml *x, const struct plan *p)
{
	xml_open(x, "memory");
	xml_attr(x, "unit", "KiB");
	xml_text(x, "%" PRIu64, memory_of(p) >> 10);
	xml_close(x);
}

static void put_backing(struct xml *x, const struct plan *p)
{
	xml_open(x, "memoryBacking");
	xml_open(x, "hugepages");
	for (size_t i = 0; i < p->n_nodes; i++) {
		xml_open(x, "page");
		xml_attr(x, "size", "%" PRIu64, p->nodes[i].page_size >> 10);
		xml_attr(x, "unit", "KiB");
		xml_attr(x, "nodeset", "%zu", i);
		xml_close(x);
	}
	xml_close(x);
	xml_open(x, "nosharepages");
	xml_close(x);
	xml_open(x, "locked");
	xml_close(x);
	xml_flag(x, "source", "type", "memfd");
	xml_flag(x, "access", "mode", "shared");
	xml_open(x, "allocation");
	xml_attr(x, "mode", "immediate");
	xml_attr(x, "threads", "%zu",
		 p->n_vcpus < PREALLOC_THREADS_MAX ? p->n_vcpus : PREALLOC_THREADS_MAX);
	xml_close(x);
	xml_close(x);
}

static void put_numatune(struct xml *x, const struct plan *p)
{
	struct cv_cpuset hosts = { 0 };

	for (size_t i = 0; i < p->n_nodes; i++)
		cv_cpuset_add(&hosts, p->nodes[i].host_node);
	xml_open(x, "numatune");
	xml_open(x, "memory");
	xml_attr(x, "mode", "strict");
	put_cpulist(x, "nodeset", &hosts);
	xml_close(x);
	for (size_t i = 0; i < p->n_nodes; i++) {
		xml_open(x, "memnode");
		xml_attr(x, "cellid", "%zu", i);
		xml_attr(x, "mode", "strict");
		xml_attr(x, "nodeset", "%d", p->nodes[i].host_node);
		xml_close(x);
	}
	xml_close(x);
}

/* ---- CPUs ---- */

static void put_sched(struct xml *x, const struct plan *p)
{
	struct cv_cpuset all = { 0 };

	if (!p->rt_priority)
		return;
	for (size_t i = 0; i < p->n_vcpus; i++)
		cv_cpuset_add(&all, (int)i);
	xml_open(x, "vcpusched");
	put_cpulist(x, "vcpus", &all);
	xml_attr(x, "scheduler", "fifo");
	xml_attr(x, "priority", "%u", p->rt_priority);
	xml_close(x);
}

static void put_cputune(struct xml *x, const struct plan *p)
{
	xml_open(x, "vcpu");
	xml_attr(x, "placement", "static");
	xml_text(x, "%zu", p->n_vcpus);
	xml_close(x);
	xml_open(x, "cputune");
	for (size_t i = 0; i < p->n_vcpus; i++) {
		xml_open(x, "vcpupin");
		xml_attr(x, "vcpu", "%zu", i);
		xml_attr(x, "cpuset", "%d", p->vcpus[i].host_cpu);
		xml_close(x);
	}
	xml_open(x, "emulatorpin");
	put_cpulist(x, "cpuset", &p->vmm_cpus);
	xml_close(x);
	put_sched(x, p);
	xml_close(x);
}

static void put_cell(struct xml *x, const struct plan *p, size_t node)
{
	const struct plan_node *n = &p->nodes[node];

	xml_open(x, "cell");
	xml_attr(x, "id", "%zu", node);
	if (!cv_cpuset_is_empty(&n->vcpus))
		put_cpulist(x, "cpus", &n->vcpus);
	xml_attr(x, "memory", "%" PRIu64, n->memory >> 10);
	xml_attr(x, "unit", "KiB");
	xml_attr(x, "memAccess", "shared");
	xml_open(x, "distances");
	for (size_t j = 0; j < p->n_nodes; j++) {
		xml_open(x, "sibling");
		xml_attr(x, "id", "%zu", j);
		xml_attr(x, "value", "%d", n->distances[j]);
		xml_close(x);
	}
	xml_close(x);
	xml_close(x);
}

static void put_cpu(struct xml *x, const struct plan *p)
{
	xml_open(x, "cpu");
	xml_attr(x, "mode", "host-passthrough");
	xml_attr(x, "check", "none");
	xml_attr(x, "migratable", "off");
	xml_open(x, "topology");
	xml_attr(x, "sockets", "%d", p->packages);
	xml_attr(x, "dies", "%d", p->dies);
	xml_attr(x, "cores", "%d", p->cores);
	xml_attr(x, "threads", "%d", p->threads);
	xml_close(x);
	xml_open(x, "maxphysaddr");
	xml_attr(x, "mode", "passthrough");
	if (p->phys_bits_limit)
		xml_attr(x, "limit", "%u", p->phys_bits_limit);
	xml_close(x);
	if (strcmp(p->cpu_vendor, "AuthenticAMD") == 0) {
		xml_open(x, "feature");
		xml_attr(x, "policy", "require");
		xml_attr(x, "name", "topoext");
		xml_close(x);
	}
	xml_open(x, "numa");
	for (size_t i = 0; i < p->n_nodes; i++)
		put_cell(x, p, i);
	xml_close(x);
	xml_close(x);
}

/* ---- boot ---- */

static void put_os(struct xml *x, const struct plan *p)
{
	xml_open(x, "os");
	xml_open(x, "type");
	xml_attr(x, "arch", "x86_64");
	xml_attr(x, "machine", "q35");
	xml_text(x, "hvm");
	xml_close(x);
	if (p->kernel && p->kernel[0])
		xml_leaf(x, "kernel", "%s", p->kernel);
	if (p->initrd && p->initrd[0])
		xml_leaf(x, "initrd", "%s", p->initrd);
	if (p->cmdline && p->cmdline[0])
		xml_leaf(x, "cmdline", "%s", p->cmdline);
	xml_close(x);
	xml_open(x, "features");
	xml_open(x, "acpi");
	xml_close(x);
	xml_open(x, "apic");
	xml_close(x);
	xml_flag(x, "vmport", "state", "off");
	xml_flag(x, "smm", "state", "off");
	xml_close(x);
}

static void put_lifecycle(struct xml *x)
{
	xml_flag(x, "clock", "offset", "utc");
	xml_leaf(x, "on_poweroff", "destroy");
	xml_leaf(x, "on_reboot", "destroy");
	xml_leaf(x, "on_crash", "destroy");
}

/* ---- devices ---- */

static void put_function(struct xml *x, uint32_t domain, unsigned int bus, unsigned int slot,
			 unsigned int function)
{
	xml_attr(x, "domain", "0x%04" PRIx32, domain);
	xml_attr(x, "bus", "0x%02x", bus);
	xml_attr(x, "slot", "0x%02x", slot);
	xml_attr(x, "function", "0x%x", function);
}

void libvirt_put_address(struct xml *x, unsigned int controller, struct cv_bdf guest,
			 bool is_shared)
{
	xml_open(x, "address");
	xml_attr(x, "type", "pci");
	put_function(x, 0, controller, guest.dev, guest.fn);
	if (is_shared)
		xml_attr(x, "multifunction", "on");
	xml_close(x);
}

static const char *model_of(enum plan_port kind)
{
	static const char *const models[] = {
		[PLAN_HOST_BRIDGE] = "pcie-expander-bus",
		[PLAN_ROOT_PORT] = "pcie-root-port",
		[PLAN_SWITCH_UP] = "pcie-switch-upstream-port",
		[PLAN_SWITCH_DOWN] = "pcie-switch-downstream-port",
	};

	return models[kind];
}

static void put_target(struct xml *x, const struct plan_bridge *b, size_t index)
{
	if (b->parent < 0) {
		xml_open(x, "target");
		xml_attr(x, "busNr", "%u", b->bus);
		xml_leaf(x, "node", "%d", b->guest_node);
		xml_close(x);
	} else if (b->kind != PLAN_SWITCH_UP) {
		xml_open(x, "target");
		xml_attr(x, "chassis", "%zu", index);
		xml_attr(x, "port", "0x%x", b->bdf.dev << 3 | b->bdf.fn);
		xml_close(x);
	}
}

/* Another port in the same slot: function 0 must say so. */
static bool is_shared(const struct plan *p, const struct plan_bridge *b)
{
	for (size_t i = 0; i < p->n_bridges; i++)
		if (&p->bridges[i] != b && p->bridges[i].parent == b->parent &&
		    p->bridges[i].bdf.dev == b->bdf.dev)
			return true;
	return false;
}

static void put_bridge(struct xml *x, const struct plan *p, const struct plan_bridge *b,
		       size_t index)
{
	struct cv_bdf host_bridge = { .dev = (uint8_t)(PXB_HOST_SLOT + b->guest_node) };

	xml_open(x, "controller");
	xml_attr(x, "type", "pci");
	xml_attr(x, "index", "%zu", index);
	xml_attr(x, "model", "%s", model_of(b->kind));
	put_target(x, b, index);
	if (b->parent < 0)
		libvirt_put_address(x, 0, host_bridge, false);
	else
		libvirt_put_address(x, (unsigned int)b->parent + 1, b->bdf,
				    b->bdf.fn == 0 && is_shared(p, b));
	xml_close(x);
}

/* The 64-bit hole has the windows of all host bridges, as in plan/qemu_argv.c. */
static void put_hole64(struct xml *x, const struct plan *p)
{
	uint64_t start = map_hole64_start(p), end = start;

	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_MMIO64)
			end = p->ranges[i].start + p->ranges[i].size;
	if (end <= start + MAP_HOLE64_DEFAULT)
		return;
	xml_open(x, "pcihole64");
	xml_attr(x, "unit", "KiB");
	xml_text(x, "%" PRIu64, (end - start) >> 10);
	xml_close(x);
}

static void put_root(struct xml *x, const struct plan *p)
{
	xml_open(x, "controller");
	xml_attr(x, "type", "pci");
	xml_attr(x, "index", "0");
	xml_attr(x, "model", "pcie-root");
	put_hole64(x, p);
	xml_close(x);
}

/* libvirt takes names of the user's own that start with "ua-"; it has no dots in them. */
static void put_alias(struct xml *x, const char *element, const char *attribute, const char *id)
{
	char alias[40];

	snprintf(alias, sizeof(alias), "ua-%s", id);
	for (char *c = alias; *c; c++)
		if (*c == '.')
			*c = '_';
	xml_open(x, element);
	xml_attr(x, attribute, "%s", alias);
}

static void put_device(struct xml *x, const struct plan_device *d)
{
	xml_open(x, "hostdev");
	xml_attr(x, "mode", "subsystem");
	xml_attr(x, "type", "pci");
	xml_attr(x, "managed", "no");
	xml_flag(x, "driver", "name", "vfio");
	xml_open(x, "source");
	xml_open(x, "address");
	put_function(x, d->host.domain, d->host.bus, d->host.dev, d->host.fn);
	xml_close(x);
	xml_close(x);
	put_alias(x, "alias", "name", d->id);
	xml_close(x);
	libvirt_put_address(x, (unsigned int)d->bridge + 1, d->guest, false);
	xml_close(x);
}

/* What the QEMU backend has too: a serial console, and the channel of the checker in the guest. */
static void put_channels(struct xml *x)
{
	xml_open(x, "serial");
	xml_attr(x, "type", "pty");
	xml_close(x);
	xml_open(x, "channel");
	xml_attr(x, "type", "unix");
	xml_open(x, "target");
	xml_attr(x, "type", "virtio");
	xml_attr(x, "name", "org.carve.guest");
	xml_close(x);
	xml_close(x);
	xml_flag(x, "memballoon", "model", "none");
}

static void put_devices(struct xml *x, const struct plan *p)
{
	xml_open(x, "devices");
	put_root(x, p);
	for (size_t i = 0; i < p->n_bridges; i++)
		put_bridge(x, p, &p->bridges[i], i + 1);
	xml_open(x, "controller");
	xml_attr(x, "type", "usb");
	xml_attr(x, "model", "none");
	xml_close(x);
	for (size_t i = 0; i < p->n_devices; i++)
		put_device(x, &p->devices[i]);
	libvirt_put_virtio(x, p);
	put_channels(x);
	xml_close(x);
}

/* ---- what libvirt has no element for ---- */

static void put_clique(struct xml *x, const struct plan_device *d)
{
	put_alias(x, "qemu:device", "alias", d->id);
	xml_open(x, "qemu:frontend");
	xml_open(x, "qemu:property");
	xml_attr(x, "name", "x-nv-gpudirect-clique");
	xml_attr(x, "type", "unsigned");
	xml_attr(x, "value", "%d", d->clique);
	xml_close(x);
	xml_close(x);
	xml_close(x);
}

static bool has_clique(const struct plan_device *d)
{
	return d->clique >= 0 && d->vendor == VENDOR_NVIDIA && d->class >> 16 == BASE_DISPLAY;
}

static void put_cliques(struct xml *x, const struct plan *p)
{
	bool is_open = false;

	for (size_t i = 0; i < p->n_devices; i++) {
		if (!has_clique(&p->devices[i]))
			continue;
		if (!is_open)
			xml_open(x, "qemu:override");
		is_open = true;
		put_clique(x, &p->devices[i]);
	}
	if (is_open)
		xml_close(x);
}

static void put_low_limit(struct xml *x, const struct plan *p)
{
	if (!p->low_limit || p->low_limit >= map_low_default(memory_of(p)))
		return;
	xml_open(x, "qemu:commandline");
	xml_flag(x, "qemu:arg", "value", "-machine");
	xml_open(x, "qemu:arg");
	xml_attr(x, "value", "max-ram-below-4g=%" PRIu64, p->low_limit);
	xml_close(x);
	xml_close(x);
}

char *plan_libvirt_xml(const struct plan *p)
{
	struct xml *x = xml_new(NULL, NULL);

	if (!x)
		return NULL;
	xml_open(x, "domain");
	xml_attr(x, "type", "kvm");
	xml_attr(x, "xmlns:qemu", "http://libvirt.org/schemas/domain/qemu/1.0");
	xml_leaf(x, "name", "%s", p->name);
	put_memory(x, p);
	put_backing(x, p);
	put_cputune(x, p);
	put_numatune(x, p);
	put_os(x, p);
	put_cpu(x, p);
	put_lifecycle(x);
	put_devices(x, p);
	put_low_limit(x, p);
	put_cliques(x, p);
	return xml_finish(x);
}
