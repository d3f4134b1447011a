// SPDX-License-Identifier: GPL-2.0-or-later
/* libvirt, NCCL and hwloc XML and kernel command lines of plans: golden files, and that hwloc reads
 * from its file what the plan says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <hwloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "inventory_builder.h"
#include "plan/projections.h"
#include "plan_cases.h"
#include "tests/fake/golden.h"
#include "tests/fake/machine.h"

/* ---- golden files ---- */

static const struct {
	const char *ending;
	char *(*make)(const struct plan *p);
} projections[] = {
	{ "libvirt.xml", plan_libvirt_xml },
	{ "nccl.xml", plan_nccl_xml },
	{ "hwloc.xml", plan_hwloc_xml },
};

static void check_golden(const char *name, const struct plan *p)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(projections); i++) {
		_cleanup_free_ char *text = projections[i].make(p);
		_cleanup_free_ char *again = projections[i].make(p);
		char path[96];

		assert_non_null(text);
		assert_string_equal(text, again);
		snprintf(path, sizeof(path), "projections/%s.%s", name, projections[i].ending);
		golden_check(path, text);
	}
}

static void golden(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_plan_cases; i++) {
		_cleanup_plan_ struct plan p = { 0 };

		plan_case(plan_cases[i], &p);
		check_golden(plan_cases[i], &p);
	}
}

/* ---- plans made by hand ---- */

/** struct shape - counts per the level above; nodes of the whole guest, in order of the vCPUs */
struct shape {
	const char *name;
	int packages, l3s, cores, threads, nodes;
	int groups; /* that hwloc needs, because a node is no package, die, L3 or core */
};

static void fill_vcpus(struct plan *p, const struct shape *s)
{
	int per_node = (int)p->n_vcpus / s->nodes;

	for (int i = 0; i < (int)p->n_vcpus; i++) {
		int core = i / s->threads, l3 = core / s->cores;

		p->vcpus[i] = (struct plan_vcpu){
			.host_cpu = i + 8,
			.guest_node = i / per_node,
			.package = l3 / s->l3s,
			.die = l3 % s->l3s,
			.core = core,
			.thread = i % s->threads,
			.l3 = l3,
		};
		cv_cpuset_add(&p->nodes[i / per_node].vcpus, i);
	}
}

static struct plan_bridge *add_bridge(struct plan *p, enum plan_port kind, int parent, int node,
				      const char *bdf, unsigned int bus)
{
	p->bridges = reallocarray(p->bridges, p->n_bridges + 1, sizeof(*p->bridges));
	assert_non_null(p->bridges);
	struct plan_bridge *b = &p->bridges[p->n_bridges++];

	*b = (struct plan_bridge){ .kind = kind, .parent = parent, .guest_node = node };
	b->bus = (uint8_t)bus;
	if (bdf)
		b->bdf = ib_bdf(bdf);
	b->link_speed = 320;
	b->link_width = 16;
	snprintf(b->id, sizeof(b->id), "b%zu", p->n_bridges - 1);
	return b;
}

static void add_device(struct plan *p, const char *id, const char *bdf, uint32_t class)
{
	p->devices = reallocarray(p->devices, p->n_devices + 1, sizeof(*p->devices));
	assert_non_null(p->devices);
	struct plan_device *d = &p->devices[p->n_devices++];
	int bridge = (int)p->n_bridges - 1;

	*d = (struct plan_device){ .host = ib_bdf("0000:99:00.0"), .guest = ib_bdf(bdf) };
	d->bridge = bridge;
	d->guest_node = p->bridges[bridge].guest_node;
	d->vendor = 0x10de;
	d->device = 0x2330;
	d->class = class;
	d->link_speed = 320;
	d->link_width = 16;
	d->clique = -1;
	snprintf(d->id, sizeof(d->id), "%s", id);
}

/* A switch with a GPU, an InfiniBand NIC and an NVMe on each node; node buses 0x20 apart. */
static void add_switch(struct plan *p, int node)
{
	unsigned int bus = 0x20 + 0x20 * (unsigned int)node;
	int root = (int)p->n_bridges;
	static const struct {
		const char *id;
		uint32_t class;
	} devices[] = { { "gpu", 0x030200 }, { "nic", 0x020700 }, { "disk", 0x010802 } };
	char bdf[CV_BDF_MAX], id[16];

	add_bridge(p, PLAN_HOST_BRIDGE, -1, node, NULL, bus);
	snprintf(bdf, sizeof(bdf), "%02x:01.0", bus);
	add_bridge(p, PLAN_ROOT_PORT, root, node, bdf, bus + 1);
	snprintf(bdf, sizeof(bdf), "%02x:00.0", bus + 1);
	add_bridge(p, PLAN_SWITCH_UP, root + 1, node, bdf, bus + 2);
	for (unsigned int i = 0; i < CV_ARRAY_SIZE(devices); i++) {
		snprintf(bdf, sizeof(bdf), "%02x:%02x.0", bus + 2, i);
		add_bridge(p, PLAN_SWITCH_DOWN, root + 2, node, bdf, bus + 3 + i);
		snprintf(bdf, sizeof(bdf), "%02x:00.0", bus + 3 + i);
		snprintf(id, sizeof(id), "%s%d", devices[i].id, node);
		add_device(p, id, bdf, devices[i].class);
	}
}

static void make_plan(const struct shape *s, struct plan *p)
{
	*p = (struct plan){ .packages = s->packages, .dies = s->l3s, .cores = s->cores };
	p->threads = s->threads;
	p->n_vcpus = (size_t)(s->packages * s->l3s * s->cores * s->threads);
	p->vcpus = calloc(p->n_vcpus, sizeof(*p->vcpus));
	assert_non_null(p->vcpus);
	p->n_nodes = (size_t)s->nodes;
	snprintf(p->name, sizeof(p->name), "%s", s->name);
	snprintf(p->cpu_vendor, sizeof(p->cpu_vendor), "AuthenticAMD");
	p->cpu_family = 25;
	p->cpu_model = 17;
	p->caches = (struct plan_caches){ 32 << 10, 32 << 10, 1 << 20, 32 << 20 };
	cv_cpuset_add(&p->vmm_cpus, 0);
	fill_vcpus(p, s);
	for (int n = 0; n < s->nodes; n++) {
		struct plan_node *node = &p->nodes[n];

		node->host_node = n + 1;
		node->page_size = IB_1G;
		node->pages = 4;
		node->memory = 4 * IB_1G;
		for (int j = 0; j < s->nodes; j++)
			node->distances[j] = n == j ? 10 : 20 + n + j;
		add_switch(p, n);
	}
}

static const struct shape shapes[] = {
	{ "one", 1, 1, 2, 2, 1, 0 },	    { "node-is-package", 2, 2, 2, 2, 2, 0 },
	{ "node-is-l3", 1, 4, 3, 1, 4, 0 }, { "nps2", 1, 4, 2, 2, 2, 2 },
	{ "snc", 2, 1, 4, 2, 4, 4 },	    { "one-node-two-packages", 2, 1, 3, 1, 1, 0 },
	{ "wide", 2, 8, 8, 2, 2, 0 },	    { "core-per-node", 1, 1, 3, 2, 3, 0 },
	{ "odd", 1, 1, 17, 2, 1, 0 },
};

/* ---- hwloc reads it ---- */

static hwloc_topology_t load(const struct plan *p)
{
	_cleanup_free_ char *text = plan_hwloc_xml(p);
	hwloc_topology_t t;

	assert_non_null(text);
	assert_int_equal(hwloc_topology_init(&t), 0);
	assert_int_equal(hwloc_topology_set_xmlbuffer(t, text, (int)strlen(text) + 1), 0);
	assert_int_equal(hwloc_topology_set_all_types_filter(t, HWLOC_TYPE_FILTER_KEEP_ALL), 0);
	assert_int_equal(hwloc_topology_load(t), 0);
	hwloc_topology_check(t);
	return t;
}

static void judge_counts(const struct shape *s, const struct plan *p, hwloc_topology_t t)
{
	int l3s = s->packages * s->l3s, cores = l3s * s->cores;

	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PACKAGE), s->packages);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_DIE), s->l3s > 1 ? l3s : 0);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_L3CACHE), l3s);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_L2CACHE), cores);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_L1CACHE), cores);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_CORE), cores);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PU), p->n_vcpus);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE), s->nodes);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_GROUP), s->groups);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_PCI_DEVICE), p->n_devices);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_BRIDGE), p->n_bridges);
}

static void judge_nodes(const struct plan *p, hwloc_topology_t t)
{
	for (hwloc_obj_t o = NULL; (o = hwloc_get_next_obj_by_type(t, HWLOC_OBJ_NUMANODE, o));) {
		const struct plan_node *n = &p->nodes[o->os_index];

		assert_int_equal(o->attr->numanode.local_memory, n->memory);
		assert_int_equal(hwloc_bitmap_weight(o->cpuset), cv_cpuset_count(&n->vcpus));
		CV_CPUSET_FOREACH(v, &n->vcpus)
		assert_true(hwloc_bitmap_isset(o->cpuset, (unsigned int)v));
	}
}

/* Each vCPU below the core, L3 and package that the plan gives it. */
static void judge_vcpus(const struct plan *p, hwloc_topology_t t)
{
	for (size_t i = 0; i < p->n_vcpus; i++) {
		const struct plan_vcpu *v = &p->vcpus[i];
		hwloc_obj_t pu = hwloc_get_pu_obj_by_os_index(t, (unsigned int)i);
		hwloc_obj_t l3 = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_L3CACHE, pu);
		hwloc_obj_t package = hwloc_get_ancestor_obj_by_type(t, HWLOC_OBJ_PACKAGE, pu);

		assert_int_equal(pu->parent->os_index, v->core);
		assert_int_equal(l3->logical_index, v->l3);
		assert_int_equal(l3->attr->cache.size, p->caches.l3);
		assert_int_equal(package->os_index, v->package);
		assert_true(hwloc_bitmap_isset(pu->nodeset, (unsigned int)v->guest_node));
		assert_int_equal(hwloc_bitmap_weight(pu->nodeset), 1);
	}
}

/* MB/s of a link of 8 GT/s or more: 128 of 130 bits are data. */
static unsigned int mbytes(const struct plan_device *d)
{
	return d->link_speed * d->link_width * 100 / 8 * 128 / 130;
}

static void judge_devices(const struct plan *p, hwloc_topology_t t)
{
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		hwloc_obj_t o = hwloc_get_pcidev_by_busid(t, d->guest.domain, d->guest.bus,
							  d->guest.dev, d->guest.fn);

		assert_non_null(o);
		assert_int_equal(o->attr->pcidev.class_id, d->class >> 8);
		assert_int_equal(o->attr->pcidev.vendor_id, d->vendor);
		assert_int_equal(o->parent->attr->bridge.downstream.pci.secondary_bus,
				 d->guest.bus);
		assert_true(abs((int)(o->attr->pcidev.linkspeed * 1000) - (int)mbytes(d)) <= 1);
		hwloc_obj_t place = hwloc_get_non_io_ancestor_obj(t, o);
		CV_CPUSET_FOREACH(v, &p->nodes[d->guest_node].vcpus)
		assert_true(hwloc_bitmap_isset(place->cpuset, (unsigned int)v));
		assert_int_equal(hwloc_bitmap_weight(place->cpuset),
				 cv_cpuset_count(&p->nodes[d->guest_node].vcpus));
	}
}

static void judge_distances(const struct plan *p, hwloc_topology_t t)
{
	struct hwloc_distances_s *d = NULL;
	unsigned int n = 1;

	assert_int_equal(hwloc_distances_get_by_name(t, "NUMALatency", &n, &d, 0), 0);
	if (p->n_nodes < 2) {
		assert_int_equal(n, 0);
		return;
	}
	assert_int_equal(n, 1);
	assert_int_equal(d->nbobjs, p->n_nodes);
	for (size_t i = 0; i < p->n_nodes; i++)
		for (size_t j = 0; j < p->n_nodes; j++)
			assert_int_equal(
				d->values[i * p->n_nodes + j],
				p->nodes[d->objs[i]->os_index].distances[d->objs[j]->os_index]);
	hwloc_distances_release(t, d);
}

static void the_plan_in_hwloc(void **state)
{
	(void)state;
	for (size_t i = 0; i < CV_ARRAY_SIZE(shapes); i++) {
		_cleanup_plan_ struct plan p = { 0 };

		print_message("# %s\n", shapes[i].name);
		make_plan(&shapes[i], &p);
		hwloc_topology_t t = load(&p);
		judge_counts(&shapes[i], &p, t);
		judge_nodes(&p, t);
		judge_vcpus(&p, t);
		judge_devices(&p, t);
		judge_distances(&p, t);
		hwloc_topology_destroy(t);
	}
}

/* Memory of a device, far from any CPU: a node of the machine. */
static void a_node_without_cpus_in_hwloc(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	make_plan(&shapes[1], &p);
	p.nodes[2] = (struct plan_node){ .host_node = 5, .memory = IB_1G };
	p.n_nodes = 3;
	hwloc_topology_t t = load(&p);
	assert_int_equal(hwloc_get_nbobjs_by_type(t, HWLOC_OBJ_NUMANODE), 3);
	hwloc_obj_t o = hwloc_get_numanode_obj_by_os_index(t, 2);
	assert_non_null(o);
	assert_int_equal(o->attr->numanode.local_memory, IB_1G);
	assert_int_equal(o->parent->type, HWLOC_OBJ_MACHINE);
	hwloc_topology_destroy(t);
}

/* ---- NCCL ---- */

/* Where @needle begins, which must be after @from. */
static const char *after(const char *from, const char *needle)
{
	const char *at = strstr(from, needle);

	if (!at)
		fail_msg("no %s after:\n%s", needle, from);
	return at;
}

static void nccl_shows_a_switch_once(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	make_plan(&shapes[1], &p);
	check_golden("switches", &p);
	_cleanup_free_ char *text = plan_nccl_xml(&p);
	const char *cpu = after(text, "<cpu numaid=\"0\" affinity=\"00ff\" arch=\"x86_64\" "
				      "vendor=\"AuthenticAMD\" familyid=\"175\" modelid=\"17\">");
	const char *sw = after(cpu, "<pci busid=\"0000:21:00.0\" class=\"0x060400\" "
				    "link_speed=\"32.0 GT/s PCIe\" link_width=\"16\">");
	const char *gpu = after(sw, "<pci busid=\"0000:23:00.0\" class=\"0x030200\"");
	const char *nic = after(gpu, "<pci busid=\"0000:24:00.0\" class=\"0x020700\"");
	after(after(nic, "</pci>"), "<cpu numaid=\"1\" affinity=\"ff00\"");
	assert_null(strstr(text, "0000:20:01.0")); /* the root port */
	assert_null(strstr(text, "0000:22:00.0")); /* a downstream port */
	assert_null(strstr(text, "0x0108"));	   /* NVMe */
	assert_null(strstr(text, "<gpu"));
}

static void nccl_affinity_is_the_kernels(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	make_plan(&shapes[6], &p); /* 256 vCPUs */
	_cleanup_free_ char *wide = plan_nccl_xml(&p);
	after(wide, "numaid=\"0\" affinity=\"00000000,00000000,00000000,00000000,"
		    "ffffffff,ffffffff,ffffffff,ffffffff\"");
	_cleanup_plan_ struct plan few = { 0 };
	make_plan(&shapes[8], &few); /* 34 vCPUs: the first word has one digit */
	_cleanup_free_ char *odd = plan_nccl_xml(&few);
	after(odd, "numaid=\"0\" affinity=\"3,ffffffff\"");
}

/* ---- libvirt ---- */

static void libvirt_addresses_are_controllers(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	make_plan(&shapes[1], &p);
	_cleanup_free_ char *text = plan_libvirt_xml(&p);
	/* gpu1 is behind bridge 9: controller 10, a downstream port of controller 9 */
	const char *port = after(text, "index=\"10\" model=\"pcie-switch-downstream-port\"");
	after(port, "<address type=\"pci\" domain=\"0x0000\" bus=\"0x09\" slot=\"0x00\"");
	const char *gpu = after(text, "<alias name=\"ua-gpu1\"/>");
	after(gpu, "<address type=\"pci\" domain=\"0x0000\" bus=\"0x0a\" slot=\"0x00\"");
	after(text, "<vcpupin vcpu=\"15\" cpuset=\"23\"/>");
	after(text, "<memnode cellid=\"1\" mode=\"strict\" nodeset=\"2\"/>");
	after(text, "<sibling id=\"1\" value=\"21\"/>");
}

/* What a user can put into a spec does not break out of an attribute or text. */
static void text_is_escaped(void **state)
{
	_cleanup_plan_ struct plan p = { 0 };

	(void)state;
	make_plan(&shapes[0], &p);
	p.cmdline = strdup("a=\"1\" </cmdline><x> & \x01 end");
	snprintf(p.devices[0].id, sizeof(p.devices[0].id), "a\"><b");
	_cleanup_free_ char *text = plan_libvirt_xml(&p);
	after(text, "<cmdline>a=&quot;1&quot; &lt;/cmdline&gt;&lt;x&gt; &amp; ? end</cmdline>");
	after(text, "ua-a&quot;&gt;&lt;b");
	hwloc_topology_destroy(load(&p));
}

/* Two GPUs and a NIC that talk to each other below switches of switches. */
static void a_real_switch_tree(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	_cleanup_site_ struct site site = ib_site();
	_cleanup_spec_ struct spec spec = ib_spec("p2p", 8, 64 * IB_1G, IB_1G);
	_cleanup_plan_ struct plan p = { 0 };
	struct cv_error err = { 0 };

	(void)state;
	machine_inventory("dgx-a100", &inv);
	ib_want_class(&spec, "gpu")->p2p = true;
	ib_want_class(&spec, "gpu")->p2p = true;
	ib_want_class(&spec, "ib")->p2p = true;
	snprintf(spec.devices[1].near, sizeof(spec.devices[1].near), "dev0");
	snprintf(spec.devices[2].near, sizeof(spec.devices[2].near), "dev0");
	if (plan_make(&inv, &site, &spec, 1, NULL, &p, &err) < 0)
		fail_msg("%s: %s (%s)", err.object, err.what, err.found);
	check_golden("dgx-a100-p2p", &p);
	_cleanup_free_ char *drawing = plan_draw(&inv, &p, 1, PLAN_DRAW_TEXT, 0);
	golden_check("projections/dgx-a100-p2p.txt", drawing);
	_cleanup_free_ char *domain = plan_libvirt_xml(&p);
	after(domain, "<qemu:device alias=\"ua-dev1\">");
	after(domain, "x-nv-gpudirect-clique\" type=\"unsigned\" value=\"0\"");
	hwloc_topology_t t = load(&p);
	judge_devices(&p, t);
	hwloc_topology_destroy(t);
}

/* ---- kernel command lines ---- */

static void make_epyc(struct inventory *inv, struct plan plans[2])
{
	_cleanup_site_ struct site site = ib_site();
	struct spec specs[2] = { ib_spec("a", 6, 4 * IB_1G, IB_1G),
				 ib_spec("b", 8, 2 * IB_1G, IB_2M) };
	struct cv_error err = { 0 };

	ib_epyc(inv);
	ib_want_class(&specs[0], "gpu");
	specs[1].nodes[0] = 2;
	specs[1].nodes[1] = 3;
	specs[1].n_nodes = 2;
	if (plan_make(inv, &site, specs, 2, NULL, plans, &err) < 0)
		fail_msg("%s (%s)", err.what, err.found);
	spec_done(&specs[0]);
	spec_done(&specs[1]);
}

static void command_lines(void **state)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct plan plans[2] = { 0 };

	(void)state;
	make_epyc(&inv, plans);
	_cleanup_free_ char *text = plan_cmdline(&inv, plans, 2);
	golden_check("projections/two-guests.cmdline", text);
	cv_cpuset_or(&inv.host.nohz_full, &inv.host.online);
	inv.host.has_cpuset_exclusive = false;
	inv.host.iommu = INV_IOMMU_NONE;
	snprintf(inv.host.cpu_vendor, sizeof(inv.host.cpu_vendor), "GenuineIntel");
	_cleanup_free_ char *other = plan_cmdline(&inv, plans, 2);
	after(other, "\n# in effect: nohz_full=");
	after(other, "\nisolcpus=managed_irq,domain,");
	after(other, "\nintel_iommu=on\n");
	assert_null(strstr(other, "iommu=pt"));
	plan_done(&plans[0]);
	plan_done(&plans[1]);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(golden),
		cmocka_unit_test(the_plan_in_hwloc),
		cmocka_unit_test(a_node_without_cpus_in_hwloc),
		cmocka_unit_test(nccl_shows_a_switch_once),
		cmocka_unit_test(nccl_affinity_is_the_kernels),
		cmocka_unit_test(libvirt_addresses_are_controllers),
		cmocka_unit_test(text_is_escaped),
		cmocka_unit_test(a_real_switch_tree),
		cmocka_unit_test(command_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
