// SPDX-License-Identifier: GPL-2.0-or-later
#include "inventory_builder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ACS_ON 0x1d

struct cv_bdf ib_bdf(const char *text)
{
	struct cv_bdf b;

	assert_int_equal(cv_parse_bdf(text, &b), 0);
	return b;
}

struct inv_dev *ib_dev(struct inventory *inv, const char *bdf)
{
	int i = inv_find_dev(inv, ib_bdf(bdf));

	assert_true(i >= 0);
	return &inv->devs[i];
}

/* ---- CPUs and memory ---- */

static void make_host(struct inv_host *h, const char *vendor)
{
	*h = (struct inv_host){
		.kernel = "6.12.1",
		.boot_id = "0d1f4b0e-6b4f-4f3a-9d5c-000000000001",
		.iommu = INV_IOMMU_INTEL,
		.n_iommu_groups = 12,
		.iommu_domain = "DMA-FQ",
		.has_intremap = true,
		.has_kvm = true,
		.has_virt = true,
		.has_npt = true,
		.has_vfio_container = true,
		.has_vfio_pci = true,
		.has_cgroup2 = true,
		.has_cpuset = true,
		.has_cpuset_exclusive = true,
		.memlock_limit = UINT64_MAX,
	};
	snprintf(h->cpu_vendor, sizeof(h->cpu_vendor), "%s", vendor);
}

/* Thread 1 of core N is CPU N + number of cores, as Linux numbers them. */
static void make_cpus(struct inventory *inv, int cores, int threads, int per_node, int per_package,
		      int per_l3)
{
	inv->n_cpus = (size_t)(cores * threads);
	inv->cpus = calloc(inv->n_cpus, sizeof(*inv->cpus));
	assert_non_null(inv->cpus);
	for (int i = 0; i < cores * threads; i++) {
		int core = i % cores;

		inv->cpus[i] = (struct inv_cpu){
			.id = i,
			.node = core / per_node,
			.package = core / per_package,
			.die = 0,
			.core = core,
			.thread = i / cores,
			.l3 = core / per_l3,
			.l2 = core,
		};
		cv_cpuset_add(&inv->host.online, i);
	}
	inv->host.smt_active = threads > 1;
}

static void make_nodes(struct inventory *inv, int n, uint64_t mem_free, uint64_t pages_2m,
		       uint64_t pages_1g, int far)
{
	inv->n_nodes = (size_t)n;
	inv->nodes = calloc((size_t)n, sizeof(*inv->nodes));
	assert_non_null(inv->nodes);
	for (int i = 0; i < n; i++) {
		struct inv_node *node = &inv->nodes[i];

		*node = (struct inv_node){ .id = i, .mem_total = 6 * IB_1G, .n_pools = 2 };
		node->mem_free = node->obtainable = mem_free;
		node->pools[0] = (struct inv_pool){ IB_2M, pages_2m, pages_2m, 0 };
		node->pools[1] = (struct inv_pool){ IB_1G, pages_1g, pages_1g, 0 };
		node->distances = calloc((size_t)n, sizeof(int));
		assert_non_null(node->distances);
		for (int j = 0; j < n; j++)
			node->distances[j] = i == j ? 10 : far;
		for (size_t c = 0; c < inv->n_cpus; c++)
			if (inv->cpus[c].node == i)
				cv_cpuset_add(&node->cpus, inv->cpus[c].id);
	}
}

/* ---- devices ---- */

static struct inv_dev *add_dev(struct inventory *inv, const char *bdf, const char *parent, int node,
			       int group, uint32_t class)
{
	inv->devs = reallocarray(inv->devs, inv->n_devs + 1, sizeof(*inv->devs));
	assert_non_null(inv->devs);
	struct inv_dev *d = &inv->devs[inv->n_devs++];

	*d = (struct inv_dev){
		.bdf = ib_bdf(bdf),
		.parent = -1,
		.vendor = 0x8086,
		.class = class,
		.port = INV_PORT_ENDPOINT,
		.group = group,
		.node = node,
		.pf = -1,
		.vf_index = -1,
		.reset_methods = "flr bus",
	};
	if (parent)
		d->parent = inv_find_dev(inv, ib_bdf(parent));
	snprintf(d->root, sizeof(d->root), "pci0000:%02x",
		 d->parent >= 0 ? inv->devs[d->parent].bdf.bus & 0xe0 : d->bdf.bus & 0xe0);
	return d;
}

static void add_port(struct inventory *inv, const char *bdf, const char *parent, int node,
		     int group, enum inv_port port, bool has_acs)
{
	struct inv_dev *d = add_dev(inv, bdf, parent, node, group, 0x060400);

	d->port = port;
	d->device = 0x000c;
	d->has_acs = has_acs;
	d->acs_ctrl = has_acs ? ACS_ON : 0;
	snprintf(d->driver, sizeof(d->driver), "pcieport");
	snprintf(d->name, sizeof(d->name), "QEMU PCIe Root port");
}

static void add_igb(struct inventory *inv, const char *bdf, const char *parent, int node, int group)
{
	struct inv_dev *d = add_dev(inv, bdf, parent, node, group, 0x020000);

	d->device = 0x10c9;
	d->sriov = (struct inv_sriov){ 7, 0, 128, 2, 0x10ca, true };
	snprintf(d->driver, sizeof(d->driver), "igb");
	snprintf(d->netdev, sizeof(d->netdev), "eth%d", node);
	snprintf(d->name, sizeof(d->name), "Intel 82576 Gigabit");
}

static void add_nvme(struct inventory *inv, const char *bdf, const char *parent, int node,
		     int group)
{
	struct inv_dev *d = add_dev(inv, bdf, parent, node, group, 0x010802);

	d->vendor = 0x1b36;
	d->device = 0x0010;
	d->sriov = (struct inv_sriov){ 4, 0, 1, 1, 0x0010, true };
	snprintf(d->driver, sizeof(d->driver), "nvme");
}

static void add_edu(struct inventory *inv, const char *bdf, const char *parent, int node, int group,
		    const char *reset)
{
	struct inv_dev *d = add_dev(inv, bdf, parent, node, group, 0x00ff00);

	d->vendor = 0x1234;
	d->device = 0x11e8;
	d->port = INV_PORT_CONVENTIONAL;
	snprintf(d->reset_methods, sizeof(d->reset_methods), "%s", reset);
}

static void add_emulated_devices(struct inventory *inv)
{
	add_dev(inv, "0000:00:00.0", NULL, -1, 0, 0x060000);
	add_edu(inv, IB_EDU_ROOT, NULL, -1, 1, "");
	add_port(inv, IB_PORT, NULL, 0, 2, INV_PORT_ROOT, true);
	add_igb(inv, IB_IGB0, IB_PORT, 0, 3);
	add_port(inv, "0000:80:00.0", NULL, 1, 4, INV_PORT_ROOT, true);
	add_port(inv, "0000:80:01.0", NULL, 1, 6, INV_PORT_ROOT, true);
	add_port(inv, "0000:80:02.0", NULL, 1, 8, INV_PORT_ROOT, true);
	add_port(inv, "0000:80:03.0", NULL, 1, 10, INV_PORT_ROOT, true);
	add_igb(inv, IB_IGB1, "0000:80:00.0", 1, 5);
	add_nvme(inv, IB_NVME, "0000:80:01.0", 1, 7);
	add_edu(inv, IB_EDU, "0000:80:02.0", 1, 9, "bus");
	add_port(inv, "0000:84:00.0", "0000:80:03.0", 1, 11, INV_PORT_UPSTREAM, false);
	add_port(inv, "0000:85:00.0", "0000:84:00.0", 1, 11, INV_PORT_DOWNSTREAM, false);
	add_port(inv, "0000:85:01.0", "0000:84:00.0", 1, 11, INV_PORT_DOWNSTREAM, false);
	add_nvme(inv, IB_SW_NVME, "0000:85:00.0", 1, 11);
	struct inv_dev *mem = add_dev(inv, IB_SW_IVSHMEM, "0000:85:01.0", 1, 11, 0x050000);
	mem->vendor = 0x1af4;
	mem->device = 0x1110;
	mem->bars[2] = (struct inv_bar){ .size = 8 * IB_1G,
					 .is_64bit = true,
					 .is_prefetchable = true };
}

void ib_emulated(struct inventory *inv, bool is_smt)
{
	*inv = (struct inventory){ 0 };
	make_host(&inv->host, "AuthenticAMD");
	make_cpus(inv, 8, is_smt ? 2 : 1, 4, 4, 4);
	make_nodes(inv, 2, 3 * IB_1G, 256, 2, 21);
	add_emulated_devices(inv);
}

void ib_cpuless(struct inventory *inv)
{
	*inv = (struct inventory){ 0 };
	make_host(&inv->host, "GenuineIntel");
	make_cpus(inv, 8, 1, 4, 4, 4);
	make_nodes(inv, 3, 3 * IB_1G, 256, 2, 21);
	add_emulated_devices(inv);
}

void ib_epyc(struct inventory *inv)
{
	*inv = (struct inventory){ 0 };
	make_host(&inv->host, "AuthenticAMD");
	make_cpus(inv, 32, 2, 8, 32, 4);
	make_nodes(inv, 4, 16 * IB_1G, 512, 8, 12);
	add_port(inv, "0000:20:00.0", NULL, 1, 1, INV_PORT_ROOT, true);
	add_dev(inv, "0000:21:00.0", "0000:20:00.0", 1, 2, 0x030200)->device = 0x2330;
	add_port(inv, "0000:22:00.0", NULL, 1, 3, INV_PORT_ROOT, true);
	add_igb(inv, "0000:23:00.0", "0000:22:00.0", 1, 4);
	add_port(inv, "0000:60:00.0", NULL, 3, 5, INV_PORT_ROOT, true);
	add_dev(inv, "0000:61:00.0", "0000:60:00.0", 3, 6, 0x030200)->device = 0x2330;
	add_port(inv, "0000:62:00.0", NULL, 3, 7, INV_PORT_ROOT, true);
	add_igb(inv, "0000:63:00.0", "0000:62:00.0", 3, 8);
}

static void sort_devs(struct inventory *inv);

/* A switch with two GPUs and a NIC with 55 VFs, and two NVMe drives beside it: 67 functions. */
static void add_large_node(struct inventory *inv, int node)
{
	char bdf[16], up[16], port[16];
	int group = 10000 + 100 * node;

	snprintf(bdf, sizeof(bdf), "%04x:00:00.0", node + 1);
	snprintf(up, sizeof(up), "%04x:01:00.0", node + 1);
	add_port(inv, bdf, NULL, node, group++, INV_PORT_ROOT, true);
	add_port(inv, up, bdf, node, group++, INV_PORT_UPSTREAM, false);
	for (int i = 0; i < 3; i++) {
		snprintf(port, sizeof(port), "%04x:02:%02x.0", node + 1, i);
		add_port(inv, port, up, node, group++, INV_PORT_DOWNSTREAM, true);
	}
	for (int i = 0; i < 3; i++) {
		snprintf(port, sizeof(port), "%04x:02:%02x.0", node + 1, i);
		snprintf(bdf, sizeof(bdf), "%04x:%02x:00.0", node + 1, 3 + i);
		if (i == 2)
			add_igb(inv, bdf, port, node, group++);
		else
			add_dev(inv, bdf, port, node, group++, 0x030200)->device = 0x2330;
	}
	for (int i = 0; i < 2; i++) {
		snprintf(port, sizeof(port), "%04x:00:%02x.0", node + 1, 2 + i);
		snprintf(bdf, sizeof(bdf), "%04x:%02x:00.0", node + 1, 0x40 + i);
		add_port(inv, port, NULL, node, group++, INV_PORT_ROOT, true);
		add_nvme(inv, bdf, port, node, group++);
	}
}

void ib_large(struct inventory *inv)
{
	*inv = (struct inventory){ 0 };
	make_host(&inv->host, "AuthenticAMD");
	make_cpus(inv, 256, 2, 16, 128, 8);
	make_nodes(inv, 16, 64 * IB_1G, 4096, 48, 12);
	for (int i = 0; i < 16; i++)
		for (int k = 0; k < 16; k++)
			if (i / 8 != k / 8)
				inv->nodes[i].distances[k] = 32;
	for (int node = 0; node < 16; node++)
		add_large_node(inv, node);
	sort_devs(inv);
	for (int node = 0; node < 16; node++) {
		char bdf[16];

		snprintf(bdf, sizeof(bdf), "%04x:05:00.0", node + 1);
		ib_dev(inv, bdf)->sriov.total = 64;
		ib_make_vfs(inv, bdf, 55, "");
	}
}

void ib_machine(struct inventory *inv, int nodes, int cores, int threads)
{
	*inv = (struct inventory){ 0 };
	make_host(&inv->host, "AuthenticAMD");
	make_cpus(inv, nodes * cores, threads, cores, cores * nodes, 4);
	make_nodes(inv, nodes, 3 * IB_1G, 256, 2, 20);
}

struct inv_dev *ib_add_function(struct inventory *inv, const char *bdf, const char *parent,
				int node, int group, uint32_t class)
{
	struct inv_dev *d = add_dev(inv, bdf, parent, node, group, class);

	d->device = 0x2330;
	snprintf(d->driver, sizeof(d->driver), "some");
	return d;
}

struct inv_dev *ib_add_port(struct inventory *inv, const char *bdf, const char *parent, int node,
			    int group, enum inv_port port)
{
	add_port(inv, bdf, parent, node, group, port, true);
	return &inv->devs[inv->n_devs - 1];
}

/* ---- changes ---- */

void ib_add_core(struct inventory *inv, int node, int threads)
{
	int core = -1;

	for (size_t i = 0; i < inv->n_cpus; i++)
		core = inv->cpus[i].core > core ? inv->cpus[i].core : core;
	for (int t = 0; t < threads; t++) {
		inv->cpus = reallocarray(inv->cpus, inv->n_cpus + 1, sizeof(*inv->cpus));
		assert_non_null(inv->cpus);
		struct inv_cpu *c = &inv->cpus[inv->n_cpus];

		*c = (struct inv_cpu){ .id = (int)inv->n_cpus,
				       .node = node,
				       .core = core + 1,
				       .thread = t,
				       .l3 = 100 + node,
				       .l2 = core + 1 };
		cv_cpuset_add(&inv->host.online, c->id);
		cv_cpuset_add(&inv->nodes[inv_find_node(inv, node)].cpus, c->id);
		inv->n_cpus++;
	}
}

void ib_add_node(struct inventory *inv, uint64_t obtainable, int far)
{
	size_t n = inv->n_nodes++;

	inv->nodes = reallocarray(inv->nodes, n + 1, sizeof(*inv->nodes));
	assert_non_null(inv->nodes);
	inv->nodes[n] = (struct inv_node){ .id = (int)n, .mem_total = 6 * IB_1G, .n_pools = 2 };
	inv->nodes[n].mem_free = inv->nodes[n].obtainable = obtainable;
	inv->nodes[n].pools[0].page_size = IB_2M;
	inv->nodes[n].pools[1].page_size = IB_1G;
	for (size_t i = 0; i <= n; i++) {
		struct inv_node *node = &inv->nodes[i];

		node->distances = reallocarray(node->distances, n + 1, sizeof(int));
		assert_non_null(node->distances);
		for (size_t k = i == n ? 0 : n; k <= n; k++)
			node->distances[k] = i == k ? 10 : far;
	}
}

static int by_bdf(const void *a, const void *b)
{
	return cv_bdf_cmp(((const struct inv_dev *)a)->bdf, ((const struct inv_dev *)b)->bdf);
}

/* Indices point into the array, so they move with what they point at. */
static void sort_devs(struct inventory *inv)
{
	size_t n = inv->n_devs;
	struct inv_dev *old = calloc(n, sizeof(*old));

	assert_non_null(old);
	memcpy(old, inv->devs, n * sizeof(*old));
	qsort(inv->devs, n, sizeof(*inv->devs), by_bdf);
	for (size_t i = 0; i < n; i++) {
		struct inv_dev *d = &inv->devs[i];

		if (d->parent >= 0)
			d->parent = inv_find_dev(inv, old[d->parent].bdf);
		if (d->pf >= 0)
			d->pf = inv_find_dev(inv, old[d->pf].bdf);
	}
	free(old);
}

void ib_make_vfs(struct inventory *inv, const char *pf, unsigned int num, const char *driver)
{
	int index = inv_find_dev(inv, ib_bdf(pf));

	assert_true(index >= 0);
	inv->devs = reallocarray(inv->devs, inv->n_devs + num, sizeof(*inv->devs));
	assert_non_null(inv->devs);
	inv->devs[index].sriov.num = num;
	for (unsigned int i = 0; i < num; i++) {
		const struct inv_dev *from = &inv->devs[index];
		struct inv_dev *d = &inv->devs[inv->n_devs];

		*d = *from;
		assert_int_equal(inv_vf_bdf(from, i, &d->bdf), 0);
		d->device = from->sriov.vf_device;
		d->sriov = (struct inv_sriov){ 0 };
		d->pf = index;
		d->vf_index = (int)i;
		d->group = from->group == 11 ? 11 : 100 + (int)inv->n_devs;
		snprintf(d->driver, sizeof(d->driver), "%s", driver);
		d->netdev[0] = '\0';
		inv->n_devs++;
	}
	sort_devs(inv);
}

struct cv_lease *ib_lease(struct inventory *inv, const char *name, const char *user,
			  const char *job)
{
	inv->leases = reallocarray(inv->leases, inv->n_leases + 1, sizeof(*inv->leases));
	assert_non_null(inv->leases);
	struct cv_lease *l = &inv->leases[inv->n_leases++];

	*l = (struct cv_lease){ 0 };
	snprintf(l->name, sizeof(l->name), "%s", name);
	snprintf(l->owner.user, sizeof(l->owner.user), "%s", user);
	snprintf(l->owner.job, sizeof(l->owner.job), "%s", job);
	cv_cpuset_add(&l->cpus,
		      CV_CPU_MAX - 1); /* a VM always has some; these hosts lack this one */
	return l;
}

void ib_lease_device(struct cv_lease *l, const char *bdf)
{
	l->devices = reallocarray(l->devices, l->n_devices + 1, sizeof(*l->devices));
	assert_non_null(l->devices);
	l->devices[l->n_devices++] = ib_bdf(bdf);
}

void ib_lease_pages(struct cv_lease *l, int node, uint64_t page_size, uint64_t pages)
{
	l->pages = reallocarray(l->pages, l->n_pages + 1, sizeof(*l->pages));
	assert_non_null(l->pages);
	l->pages[l->n_pages++] = (struct cv_lease_pages){ node, page_size, pages };
}

/* ---- specs ---- */

struct spec ib_spec(const char *name, unsigned int cpus, uint64_t memory, uint64_t page_size)
{
	struct spec s = { .cpus = cpus, .memory = memory, .page_size = page_size };

	snprintf(s.name, sizeof(s.name), "%s", name);
	s.origin = strdup("test.yaml");
	assert_non_null(s.origin);
	return s;
}

struct spec_device *ib_device(struct spec *s, enum spec_select select)
{
	s->devices = reallocarray(s->devices, s->n_devices + 1, sizeof(*s->devices));
	assert_non_null(s->devices);
	struct spec_device *d = &s->devices[s->n_devices];

	*d = (struct spec_device){ .select = select };
	snprintf(d->id, sizeof(d->id), "dev%u", (unsigned int)s->n_devices++);
	return d;
}

struct spec_disk *ib_want_disk(struct spec *s, const char *path)
{
	s->disks = reallocarray(s->disks, s->n_disks + 1, sizeof(*s->disks));
	assert_non_null(s->disks);
	s->disks[s->n_disks] = (struct spec_disk){ .path = strdup(path) };
	assert_non_null(s->disks[s->n_disks].path);
	return &s->disks[s->n_disks++];
}

struct spec_net *ib_want_net(struct spec *s, enum spec_net_kind kind, const char *to)
{
	struct spec_net *n;

	s->nets = reallocarray(s->nets, s->n_nets + 1, sizeof(*s->nets));
	assert_non_null(s->nets);
	n = &s->nets[s->n_nets];
	*n = (struct spec_net){ .kind = kind, .to = strdup(to) };
	assert_non_null(n->to);
	snprintf(n->id, sizeof(n->id), "net%zu", s->n_nets++);
	return n;
}

struct spec_share *ib_want_share(struct spec *s, const char *path, const char *tag)
{
	struct spec_share *d;

	s->shares = reallocarray(s->shares, s->n_shares + 1, sizeof(*s->shares));
	assert_non_null(s->shares);
	d = &s->shares[s->n_shares++];
	*d = (struct spec_share){ .path = strdup(path) };
	assert_non_null(d->path);
	snprintf(d->tag, sizeof(d->tag), "%s", tag);
	return d;
}

struct spec_device *ib_want_bdf(struct spec *s, const char *bdf)
{
	struct spec_device *d = ib_device(s, SPEC_BY_BDF);

	d->bdf = ib_bdf(bdf);
	return d;
}

struct spec_device *ib_want_class(struct spec *s, const char *class)
{
	struct spec_device *d = ib_device(s, SPEC_BY_CLASS);

	snprintf(d->class, sizeof(d->class), "%s", class);
	return d;
}

struct spec_device *ib_want_vf(struct spec *s, const char *pf)
{
	struct spec_device *d = ib_device(s, SPEC_BY_VF);

	d->pf = ib_bdf(pf);
	d->has_pf = true;
	return d;
}

struct spec_device *ib_want_vf_class(struct spec *s, const char *class)
{
	struct spec_device *d = ib_want_class(s, class);

	d->select = SPEC_BY_VF;
	return d;
}

struct site ib_site(void)
{
	struct site site;

	site_default(&site);
	snprintf(site.user, sizeof(site.user), "carve");
	/* QEMU needs every kind of step: cases of the native VMM name it */
	snprintf(site.backend, sizeof(site.backend), "qemu");
	site.kernel = strdup("/boot/vmlinuz");
	site.initrd = strdup("/boot/guest.img");
	site.cmdline = strdup("console=ttyS0 quiet");
	assert_true(site.kernel && site.initrd && site.cmdline);
	return site;
}
