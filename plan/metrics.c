// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/metrics.h"

#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/metrics_text.h"

#define NUMBER_MAX 24

#define LABELS(...)                          \
	(const struct metrics_label[])       \
	{                                    \
		__VA_ARGS__, { NULL, NULL }, \
	}

static const char *number(uint64_t value, char buf[NUMBER_MAX])
{
	snprintf(buf, NUMBER_MAX, "%llu", (unsigned long long)value);
	return buf;
}

/* ---- guests ---- */

static void add_states(struct metrics_text *m, const struct metrics_node *n)
{
	static const struct metrics_family family = { "carve_guests",
						      "Guests of this node by state.",
						      METRICS_GAUGE };

	for (size_t s = 0; s < n->n_states; s++) {
		size_t count = 0;

		for (size_t i = 0; i < n->n_guests; i++)
			count += strcmp(n->guests[i].state, n->states[s]) == 0;
		metrics_sample(m, &family, LABELS({ "state", n->states[s] }), (double)count);
	}
}

static void add_infos(struct metrics_text *m, const struct metrics_node *n)
{
	static const struct metrics_family family = {
		"carve_guest_info", "A guest: its VMM, who owns it, its state; always 1.",
		METRICS_GAUGE
	};

	for (size_t i = 0; i < n->n_guests; i++) {
		const struct metrics_guest *g = &n->guests[i];

		metrics_sample(m, &family,
			       LABELS({ "guest", g->name }, { "backend", g->backend },
				      { "user", g->user }, { "job", g->job },
				      { "state", g->state }),
			       1);
	}
}

static double answers(const struct metrics_guest *g)
{
	return g->is_asked ? g->has_answered : -1;
}

static double pinned(const struct metrics_guest *g)
{
	return g->pinned;
}

static double vcpus(const struct metrics_guest *g)
{
	return (double)g->vcpus;
}

static double memory(const struct metrics_guest *g)
{
	return (double)g->memory;
}

static double since(const struct metrics_guest *g)
{
	return g->since > 0 ? (double)g->since : -1;
}

static double dma_bytes(const struct metrics_guest *g)
{
	const json_t *dma = json_object_get(g->stats, "dma");

	return dma ? (double)cv_json_int(dma, "bytes", 0) : -1;
}

/* One number of each guest; a value below 0 is not known and not told. */
static const struct guest_metric {
	struct metrics_family family;
	double (*value)(const struct metrics_guest *g);
} guest_metrics[] = {
	{ { "carve_guest_vmm_answers", "Did the VMM answer within the deadline?", METRICS_GAUGE },
	  answers },
	{ { "carve_guest_vcpus", "vCPUs of the guest.", METRICS_GAUGE }, vcpus },
	{ { "carve_guest_vcpus_pinned",
	    "vCPU threads that may run on their planned CPU and nowhere else.", METRICS_GAUGE },
	  pinned },
	{ { "carve_guest_memory_bytes", "Memory of the guest.", METRICS_GAUGE }, memory },
	{ { "carve_guest_start_time_seconds", "When the VMM was started, seconds since the epoch.",
	    METRICS_GAUGE },
	  since },
	{ { "carve_guest_dma_mapped_bytes", "Memory that is mapped for DMA of the guest's devices.",
	    METRICS_GAUGE },
	  dma_bytes },
};

static void add_numbers(struct metrics_text *m, const struct metrics_node *n)
{
	for (size_t k = 0; k < CV_ARRAY_SIZE(guest_metrics); k++)
		for (size_t i = 0; i < n->n_guests; i++) {
			const struct metrics_guest *g = &n->guests[i];
			double value = guest_metrics[k].value(g);

			if (value >= 0)
				metrics_sample(m, &guest_metrics[k].family,
					       LABELS({ "guest", g->name }), value);
		}
}

/* ---- exits ---- */

static void add_vcpu_exits(struct metrics_text *m, const struct metrics_guest *g,
			   const json_t *vcpu)
{
	static const struct metrics_family family = {
		"carve_vcpu_vmm_exits_total",
		"Returns of KVM_RUN to the VMM by reason, where the VMM counts them.",
		METRICS_COUNTER
	};
	static const char *const reasons[] = { "io", "mmio", "interrupted", "other" };
	char id[NUMBER_MAX];

	number((uint64_t)cv_json_int(vcpu, "vcpu", 0), id);
	for (size_t i = 0; i < CV_ARRAY_SIZE(reasons); i++)
		metrics_sample(m, &family,
			       LABELS({ "guest", g->name }, { "vcpu", id },
				      { "reason", reasons[i] }),
			       (double)cv_json_int(vcpu, reasons[i], 0));
}

static void add_vmm_exits(struct metrics_text *m, const struct metrics_node *n)
{
	const json_t *vcpu;
	size_t k;

	for (size_t i = 0; i < n->n_guests; i++)
		json_array_foreach(json_object_get(n->guests[i].stats, "vcpus"), k, vcpu)
			add_vcpu_exits(m, &n->guests[i], vcpu);
}

static void add_kvm_exits(struct metrics_text *m, const struct metrics_node *n)
{
	static const struct metrics_family family = {
		"carve_vcpu_kvm_exits_total",
		"Exits from guest mode by reason, as KVM counts them.", METRICS_COUNTER
	};
	const json_t *row;
	char id[NUMBER_MAX];
	size_t k;

	for (size_t i = 0; i < n->n_guests; i++)
		json_array_foreach((json_t *)n->guests[i].kvm_stats, k, row)
			metrics_sample(m, &family,
				       LABELS({ "guest", n->guests[i].name },
					      { "vcpu",
						number((uint64_t)cv_json_int(row, "vcpu", 0), id) },
					      { "reason", cv_json_str(row, "reason", "") }),
				       (double)cv_json_int(row, "exits", 0));
}

/* ---- the start ---- */

static void add_phases(struct metrics_text *m, const struct metrics_node *n)
{
	static const struct metrics_family family = { "carve_launch_phase_seconds",
						      "How long each phase of the launch took.",
						      METRICS_GAUGE };
	const json_t *step;
	size_t k;

	for (size_t i = 0; i < n->n_guests; i++) {
		const struct metrics_guest *g = &n->guests[i];

		/* the launch itself is a step, whose object is the guest: its phases follow it */
		json_array_foreach(json_object_get(g->timings, "steps"), k, step)
			if (strcmp(cv_json_str(step, "step", ""), "launch") == 0 &&
			    strcmp(cv_json_str(step, "object", g->name), g->name) != 0)
				metrics_sample(m, &family,
					       LABELS({ "guest", g->name },
						      { "phase", cv_json_str(step, "object", "") }),
					       (double)cv_json_int(step, "ms", 0) / 1000);
	}
}

/* ---- huge pages ---- */

static uint64_t held_pages(const struct inventory *inv, int node, uint64_t page_size)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < inv->n_leases; i++)
		for (size_t k = 0; k < inv->leases[i].n_pages; k++) {
			const struct cv_lease_pages *p = &inv->leases[i].pages[k];

			if (p->node == node && p->page_size == page_size)
				pages += p->pages;
		}
	return pages;
}

static double held_of(const struct inventory *inv, const struct inv_node *node,
		      const struct inv_pool *pool)
{
	return (double)held_pages(inv, node->id, pool->page_size);
}

static double free_of(const struct inventory *inv, const struct inv_node *node,
		      const struct inv_pool *pool)
{
	(void)inv;
	(void)node;
	return (double)pool->free;
}

static double all_of(const struct inventory *inv, const struct inv_node *node,
		     const struct inv_pool *pool)
{
	(void)inv;
	(void)node;
	return (double)pool->total;
}

static const struct page_metric {
	struct metrics_family family;
	double (*value)(const struct inventory *inv, const struct inv_node *node,
			const struct inv_pool *pool);
} page_metrics[] = {
	{ { "carve_hugepages", "Huge pages in the pool of a NUMA node; size in bytes.",
	    METRICS_GAUGE },
	  all_of },
	{ { "carve_hugepages_free", "Huge pages that nobody uses.", METRICS_GAUGE }, free_of },
	{ { "carve_hugepages_held", "Huge pages that are leased by Carve.", METRICS_GAUGE },
	  held_of },
};

static void add_pages(struct metrics_text *m, const struct inventory *inv)
{
	char node[NUMBER_MAX], size[NUMBER_MAX];

	for (size_t k = 0; k < CV_ARRAY_SIZE(page_metrics); k++)
		for (size_t i = 0; i < inv->n_nodes; i++)
			for (size_t p = 0; p < inv->nodes[i].n_pools; p++) {
				const struct inv_node *at = &inv->nodes[i];
				const struct inv_pool *pool = &at->pools[p];

				metrics_sample(m, &page_metrics[k].family,
					       LABELS({ "node", number((uint64_t)at->id, node) },
						      { "size", number(pool->page_size, size) }),
					       page_metrics[k].value(inv, at, pool));
			}
}

/* ---- devices ---- */

enum use { QUARANTINED, LEASED, HELD, FREE, N_USES };

static const char *const use_words[N_USES] = {
	[QUARANTINED] = "quarantined",
	[LEASED] = "leased",
	[HELD] = "held",
	[FREE] = "free",
};

static enum use use_of(const struct inventory *inv, const struct inv_dev *d)
{
	if (d->is_quarantined)
		return QUARANTINED;
	if (inv_device_lease(inv, d->bdf))
		return LEASED;
	return d->holder_kind != INV_HOLDER_NONE ? HELD : FREE;
}

/* Bridges of any kind are nobody's to have. */
static bool is_told(const struct inv_dev *d)
{
	return !inv_is_bridge(d) && d->class >> 16 != 0x06;
}

static void add_uses(struct metrics_text *m, const struct inventory *inv)
{
	static const struct metrics_family family = {
		"carve_devices",
		"PCI functions, bridges left out: in quarantine, leased by Carve, held by the host, free.",
		METRICS_GAUGE
	};
	size_t count[N_USES] = { 0 };

	for (size_t i = 0; i < inv->n_devs; i++)
		if (is_told(&inv->devs[i]))
			count[use_of(inv, &inv->devs[i])]++;
	for (int use = 0; use < N_USES; use++)
		metrics_sample(m, &family, LABELS({ "state", use_words[use] }), (double)count[use]);
}

static void add_quarantined(struct metrics_text *m, const struct inventory *inv)
{
	static const struct metrics_family family = { "carve_device_quarantined",
						      "A PCI function in quarantine; always 1.",
						      METRICS_GAUGE };
	char bdf[CV_BDF_MAX];

	for (size_t i = 0; i < inv->n_devs; i++)
		if (inv->devs[i].is_quarantined)
			metrics_sample(m, &family,
				       LABELS({ "device", cv_format_bdf(inv->devs[i].bdf, bdf) }),
				       1);
}

static size_t leased_vfs(const struct inventory *inv, int pf)
{
	size_t n = 0;

	for (size_t i = 0; i < inv->n_devs; i++)
		n += inv->devs[i].pf == pf && inv_device_lease(inv, inv->devs[i].bdf);
	return n;
}

static double vfs_made(const struct inventory *inv, int pf)
{
	return inv->devs[pf].sriov.num;
}

static double vfs_possible(const struct inventory *inv, int pf)
{
	return inv->devs[pf].sriov.total;
}

static double vfs_leased(const struct inventory *inv, int pf)
{
	return (double)leased_vfs(inv, pf);
}

static const struct pf_metric {
	struct metrics_family family;
	double (*value)(const struct inventory *inv, int pf);
} pf_metrics[] = {
	{ { "carve_pf_vfs", "Virtual functions of a physical function.", METRICS_GAUGE },
	  vfs_made },
	{ { "carve_pf_vfs_leased", "Virtual functions that are leased by Carve.", METRICS_GAUGE },
	  vfs_leased },
	{ { "carve_pf_vfs_limit", "Virtual functions that it can have.", METRICS_GAUGE },
	  vfs_possible },
};

static void add_pfs(struct metrics_text *m, const struct inventory *inv)
{
	char bdf[CV_BDF_MAX];

	for (size_t k = 0; k < CV_ARRAY_SIZE(pf_metrics); k++)
		for (size_t i = 0; i < inv->n_devs; i++)
			if (inv->devs[i].sriov.total)
				metrics_sample(
					m, &pf_metrics[k].family,
					LABELS({ "pf", cv_format_bdf(inv->devs[i].bdf, bdf) }),
					pf_metrics[k].value(inv, (int)i));
}

/* ---- all of it ---- */

static void add_build(struct metrics_text *m, const struct metrics_node *n)
{
	static const struct metrics_family family = { "carve_build_info",
						      "The carve that wrote this; always 1.",
						      METRICS_GAUGE };

	metrics_sample(m, &family, LABELS({ "version", n->version }, { "build", n->build }), 1);
}

char *metrics_of(const struct metrics_node *n)
{
	struct metrics_text m;

	if (metrics_text_init(&m) < 0)
		return NULL;
	add_build(&m, n);
	add_states(&m, n);
	add_infos(&m, n);
	add_numbers(&m, n);
	add_vmm_exits(&m, n);
	add_kvm_exits(&m, n);
	add_phases(&m, n);
	add_pages(&m, n->inv);
	add_uses(&m, n->inv);
	add_quarantined(&m, n->inv);
	add_pfs(&m, n->inv);
	return metrics_text_take(&m);
}
