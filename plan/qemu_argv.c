// SPDX-License-Identifier: GPL-2.0-or-later
/* The QEMU command line of a plan (QEMU 9 and later, machine q35). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/apic_id.h"
#include "plan/guest_tables.h"
#include "plan/qemu_virtio.h"

/* pxb devices on pcie.0: a slot per guest node; q35 itself has functions in slot 0x1f. */
#define PXB_HOST_SLOT 0x8
/* Threads that clear the pages of a node; more of them only share its memory channels. */
#define PREALLOC_THREADS_MAX 16

static uint64_t memory_of(const struct plan *p)
{
	uint64_t total = 0;

	for (size_t i = 0; i < p->n_nodes; i++)
		total += p->nodes[i].memory;
	return total;
}

static int machine_options(const struct plan *p, struct cv_strv *a)
{
	_cleanup_strv_ struct cv_strv o = { 0 };
	int r = cv_strv_add(&o, "q35,smm=off,vmport=off,usb=off,graphics=off");

	if (r == 0 && p->low_limit < map_low_default(memory_of(p)))
		r = cv_strv_addf(&o, "max-ram-below-4g=%llu", (unsigned long long)p->low_limit);
	/* QEMU offers the extended destination ID only with the I/O APIC in user space
	 * (kvm_arch_get_supported_cpuid() of target/i386/kvm: kvm_irqchip_is_split()). */
	if (r == 0 && plan_needs_ext_dest_id(p))
		r = cv_strv_add(&o, "kernel-irqchip=split");
	_cleanup_free_ char *text = r ? NULL : cv_strv_join(&o, ",");
	if (!text)
		return -ENOMEM;
	r = cv_strv_add(a, "-machine");
	return r ?: cv_strv_add(a, text);
}

static int accelerator(const struct plan_qemu *q, struct cv_strv *a)
{
	int r = 0;

	if (q->kvm_fd < 0) {
		r = cv_strv_add(a, "-accel");
		return r ?: cv_strv_add(a, "kvm");
	}
	r = cv_strv_add(a, "-add-fd");
	r = r ?: cv_strv_addf(a, "fd=%d,set=1", q->kvm_fd);
	r = r ?: cv_strv_add(a, "-accel");
	return r ?: cv_strv_add(a, "kvm,device=/dev/fdset/1");
}

/* AMD shows L3 and SMT in the topology extension leaves (AMD64 APM vol. 3, Fn8000_001D/1E). The
 * physical address bits are the host's: the plan's need was checked against them. */
static int cpu_model(const struct plan *p, struct cv_strv *a)
{
	_cleanup_strv_ struct cv_strv o = { 0 };
	int r = cv_strv_add(&o, "host,migratable=off,host-phys-bits=on");

	if (r == 0 && p->phys_bits_limit)
		r = cv_strv_addf(&o, "host-phys-bits-limit=%u", p->phys_bits_limit);
	if (r == 0 && strcmp(p->cpu_vendor, "AuthenticAMD") == 0)
		r = cv_strv_add(&o, "topoext=on");
	if (r == 0 && plan_needs_ext_dest_id(p))
		r = cv_strv_add(&o, "x2apic=on,kvm-msi-ext-dest-id=on");
	_cleanup_free_ char *text = r ? NULL : cv_strv_join(&o, ",");
	if (!text)
		return -ENOMEM;
	r = cv_strv_add(a, "-cpu");
	return r ?: cv_strv_add(a, text);
}

static int machine(const struct plan *p, const struct plan_qemu *q, struct cv_strv *a)
{
	int r = cv_strv_add(a, q->binary);

	r = r ?: cv_strv_add(a, "-name");
	r = r ?: cv_strv_addf(a, "guest=%s,debug-threads=on", p->name);
	r = r ?: cv_strv_add(a, "-nodefaults");
	r = r ?: cv_strv_add(a, "-no-user-config");
	r = r ?: cv_strv_add(a, "-display");
	r = r ?: cv_strv_add(a, "none");
	r = r ?: cv_strv_add(a, "-S");
	r = r ?: cv_strv_add(a, "-sandbox");
	r = r ?: cv_strv_add(a, "on,obsolete=deny,elevateprivileges=deny,spawn=deny");
	r = r ?: machine_options(p, a);
	r = r ?: accelerator(q, a);
	return r ?: cpu_model(p, a);
}

static int cpus(const struct plan *p, struct cv_strv *a)
{
	int r = cv_strv_add(a, "-smp");

	return r
		       ?: cv_strv_addf(a, "%zu,sockets=%d,dies=%d,cores=%d,threads=%d,maxcpus=%zu",
				       p->n_vcpus, p->packages, p->dies, p->cores, p->threads,
				       p->n_vcpus);
}

static int prealloc_threads(const struct plan_node *n)
{
	int vcpus = cv_cpuset_count(&n->vcpus);

	if (vcpus < 1)
		return 1;
	return vcpus < PREALLOC_THREADS_MAX ? vcpus : PREALLOC_THREADS_MAX;
}

static int node_memory(const struct plan *p, size_t i, struct cv_strv *a)
{
	const struct plan_node *n = &p->nodes[i];
	char page[CV_SIZE_MAX];
	int r = cv_strv_add(a, "-object");

	return r
		       ?: cv_strv_addf(
				  a,
				  "memory-backend-memfd,id=ram%zu,size=%llu,hugetlb=on,hugetlbsize=%s,"
				  "share=on,prealloc=on,prealloc-threads=%d,host-nodes=%d,policy=bind",
				  i, (unsigned long long)n->memory,
				  cv_format_size(n->page_size, page), prealloc_threads(n),
				  n->host_node);
}

static int node_cpus(const struct plan *p, size_t i, struct cv_strv *a)
{
	_cleanup_free_ char *list = cv_format_cpulist(&p->nodes[i].vcpus);
	_cleanup_strv_ struct cv_strv parts = { 0 };
	int r = list ? cv_strv_addf(&parts, "node,nodeid=%zu,memdev=ram%zu", i, i) : -ENOMEM;
	char *save = NULL;

	/* each range is an option of its own: cpus=0-1,cpus=4-5 */
	for (char *t = r ? NULL : strtok_r(list, ",", &save); t && r == 0;
	     t = strtok_r(NULL, ",", &save))
		r = cv_strv_addf(&parts, "cpus=%s", t);
	_cleanup_free_ char *text = r ? NULL : cv_strv_join(&parts, ",");
	if (!text)
		return -ENOMEM;
	r = cv_strv_add(a, "-numa");
	return r ?: cv_strv_add(a, text);
}

static int nodes(const struct plan *p, struct cv_strv *a)
{
	int r = cv_strv_add(a, "-m");

	r = r ?: cv_strv_addf(a, "size=%lluM", (unsigned long long)(memory_of(p) >> 20));
	for (size_t i = 0; i < p->n_nodes && r == 0; i++) {
		r = node_memory(p, i, a);
		r = r ?: node_cpus(p, i, a);
	}
	for (size_t i = 0; i < p->n_nodes; i++) {
		for (size_t j = 0; j < p->n_nodes; j++) {
			if (i == j)
				continue;
			r = r ?: cv_strv_add(a, "-numa");
			r = r
				    ?: cv_strv_addf(a, "dist,src=%zu,dst=%zu,val=%d", i, j,
						    p->nodes[i].distances[j]);
		}
	}
	return r;
}

/* A port's chassis and slot number are its own: the guest's kernel names slots by them. Functions
 * above 0 are there only when the tree has more ports on a bus than slots. */
static int port(const struct plan *p, size_t i, const char *model, struct cv_strv *a)
{
	const struct plan_bridge *b = &p->bridges[i];
	unsigned int number = 1;
	bool is_shared = false;

	for (size_t k = 0; k < p->n_bridges; k++) {
		const struct plan_bridge *o = &p->bridges[k];

		number += k < i && o->parent >= 0;
		is_shared |= k != i && o->parent == b->parent && o->bdf.dev == b->bdf.dev;
	}
	int r = cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a, "%s,id=%s,bus=%s,addr=0x%x.0x%x%s,chassis=%u,slot=%u",
				       model, b->id, p->bridges[b->parent].id, b->bdf.dev,
				       b->bdf.fn, is_shared ? ",multifunction=on" : "", number,
				       number);
}

static int bridge(const struct plan *p, size_t i, struct cv_strv *a)
{
	const struct plan_bridge *b = &p->bridges[i];
	int r;

	switch (b->kind) {
	case PLAN_ROOT_PORT:
		return port(p, i, "pcie-root-port", a);
	case PLAN_SWITCH_DOWN:
		return port(p, i, "xio3130-downstream", a);
	case PLAN_SWITCH_UP:
		r = cv_strv_add(a, "-device");
		return r
			       ?: cv_strv_addf(a, "x3130-upstream,id=%s,bus=%s,addr=0x%x", b->id,
					       p->bridges[b->parent].id, b->bdf.dev);
	case PLAN_HOST_BRIDGE:
		break;
	}
	r = cv_strv_add(a, "-device");
	return r
		       ?: cv_strv_addf(a,
				       "pxb-pcie,id=%s,bus=pcie.0,addr=0x%x,bus_nr=%u,numa_node=%d",
				       b->id, PXB_HOST_SLOT + b->guest_node, b->bus, b->guest_node);
}

/* NVIDIA GPUs find their peers by a capability (QEMU docs/specs: nv-gpudirect-clique). */
static int device(const struct plan *p, const struct plan_device *d, struct cv_strv *a)
{
	bool is_gpu = d->vendor == 0x10de && d->class >> 16 == 0x03;
	char bdf[CV_BDF_MAX], clique[40] = "";
	int r = cv_strv_add(a, "-device");

	if (is_gpu && d->clique >= 0)
		snprintf(clique, sizeof(clique), ",x-nv-gpudirect-clique=%d", d->clique);
	return r
		       ?: cv_strv_addf(a, "vfio-pci,id=vfio-%s,host=%s,bus=%s,addr=0x0%s", d->id,
				       cv_format_bdf(d->host, bdf), p->bridges[d->bridge].id,
				       clique);
}

/* The 64-bit hole of q35 holds the windows of all host bridges; 32 GiB is QEMU's own size. */
static int hole64(const struct plan *p, struct cv_strv *a)
{
	uint64_t start = map_hole64_start(p), end = start;

	for (size_t i = 0; i < p->n_ranges; i++)
		if (p->ranges[i].kind == PLAN_MMIO64)
			end = p->ranges[i].start + p->ranges[i].size;
	if (end <= start + MAP_HOLE64_DEFAULT)
		return 0;
	int r = cv_strv_add(a, "-global");
	return r
		       ?: cv_strv_addf(a, "q35-pcihost.pci-hole64-size=%lluM",
				       (unsigned long long)((end - start) >> 20));
}

static int devices(const struct plan *p, struct cv_strv *a)
{
	int r = hole64(p, a);

	for (size_t i = 0; i < p->n_bridges && r == 0; i++)
		r = bridge(p, i, a);
	for (size_t i = 0; i < p->n_devices && r == 0; i++)
		r = device(p, &p->devices[i], a);
	return r;
}

static int chardev(struct cv_strv *a, const char *dir, const char *id, const char *file,
		   const char *more)
{
	int r = cv_strv_add(a, "-chardev");

	return r
		       ?: cv_strv_addf(a, "socket,id=%s,path=%s/%s,server=on,wait=off%s", id, dir,
				       file, more);
}

/* A monitor serves one client at a time: Carve has one of its own beside the user's. */
static int monitor(struct cv_strv *a, const char *dir, const char *id, const char *file)
{
	int r = chardev(a, dir, id, file, "");

	r = r ?: cv_strv_add(a, "-mon");
	return r ?: cv_strv_addf(a, "chardev=%s,mode=control", id);
}

/* The launcher caps the size of the log files (vmm_cap_files()), unless that would cap disks. */
static int channels(const struct plan *p, const struct plan_qemu *q, struct cv_strv *a)
{
	_cleanup_free_ char *dir = qemu_escaped(q->vm_dir);
	_cleanup_free_ char *log = NULL;

	if (!dir || asprintf(&log, ",logfile=%s/console.log", dir) < 0)
		return -ENOMEM;
	int r = monitor(a, dir, "qmp", "qmp.sock");
	r = r ?: monitor(a, dir, "carve", "carve.sock");
	r = r ?: chardev(a, dir, "console", "console.sock", plan_writes_files(p) ? "" : log);
	r = r ?: cv_strv_add(a, "-serial");
	r = r ?: cv_strv_add(a, "chardev:console");
	r = r ?: cv_strv_add(a, "-device");
	r = r ?: cv_strv_add(a, "virtio-serial-pci,id=vser,bus=pcie.0,addr=0x3");
	r = r ?: chardev(a, dir, "guest", "guest.sock", "");
	r = r ?: cv_strv_add(a, "-device");
	return r ?: cv_strv_add(a, "virtserialport,bus=vser.0,chardev=guest,name=org.carve.guest");
}

static int boot(const struct plan *p, struct cv_strv *a)
{
	int r = cv_strv_add(a, "-kernel");

	r = r ?: cv_strv_add(a, p->kernel);
	if (p->initrd[0]) {
		r = r ?: cv_strv_add(a, "-initrd");
		r = r ?: cv_strv_add(a, p->initrd);
	}
	if (p->cmdline[0]) {
		r = r ?: cv_strv_add(a, "-append");
		r = r ?: cv_strv_add(a, p->cmdline);
	}
	return r;
}

int plan_qemu_argv(const struct plan *p, const struct plan_qemu *q, struct cv_strv *ret)
{
	_cleanup_strv_ struct cv_strv a = { 0 };
	int r = machine(p, q, &a);

	r = r ?: cpus(p, &a);
	r = r ?: nodes(p, &a);
	r = r ?: devices(p, &a);
	r = r ?: qemu_virtio(p, q, &a);
	r = r ?: channels(p, q, &a);
	r = r ?: boot(p, &a);
	if (r < 0)
		return r;
	*ret = a;
	a = (struct cv_strv){ 0 };
	return 0;
}
