// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/device_check.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/placement.h"

/* ---- functions ---- */

int plan_find_function(const struct inventory *inv, struct cv_bdf bdf, struct plan_function *ret,
		       struct cv_error *err)
{
	int dev = inv_find_dev(inv, bdf);
	char text[CV_BDF_MAX];

	if (dev < 0) {
		cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "ENODEV", cv_format_bdf(bdf, text),
			"there is no such PCI function");
		cv_error_hint(err, "carve device list shows the functions of this host");
		return -ENODEV;
	}
	*ret = (struct plan_function){ bdf, dev, inv->devs[dev].pf, inv->devs[dev].vf_index };
	return 0;
}

/* As entries of a spec that names each of them by its address. */
static int fill_spec(const struct plan_function *f, size_t n, struct spec *s)
{
	s->devices = calloc(n + 1, sizeof(*s->devices));
	if (!s->devices)
		return -ENOMEM;
	for (; s->n_devices < n; s->n_devices++)
		s->devices[s->n_devices] = (struct spec_device){
			.select = SPEC_BY_BDF,
			.bdf = f[s->n_devices].bdf,
			.accept = SPEC_ACCEPT_NO_RESET | SPEC_ACCEPT_NO_INTREMAP,
		};
	return 0;
}

/* A PF whose VFs are to come cannot be taken itself. */
static int promise_vfs(struct place *p, const struct plan_function *f, size_t n)
{
	p->vfs = calloc(n + 1, sizeof(*p->vfs));
	if (!p->vfs)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++)
		if (f[i].dev < 0)
			p->vfs[p->n_vfs++] = (struct place_vf){ f[i].pf, f[i].vf_index };
	return 0;
}

static int check_one(const struct place *p, const struct spec *s, size_t i,
		     const struct plan_function *f, struct cv_error *err)
{
	struct place_dev dev = { f->dev, f->pf, f->vf_index, f->bdf, -1, -1 };

	return place_check_device(p, s, NULL, &s->devices[i], dev, err);
}

int plan_check_functions(const struct inventory *inv, const struct site *site,
			 const struct plan_function *functions, size_t n, struct cv_error *err)
{
	struct spec s = { 0 };
	struct place p;
	int r = place_init(&p, inv, site, NULL);

	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot judge the devices");
	r = fill_spec(functions, n, &s);
	if (r == 0)
		r = promise_vfs(&p, functions, n);
	if (r < 0)
		cv_fail_errno(err, r, NULL, "cannot judge the devices");
	for (size_t i = 0; i < n && r == 0; i++)
		r = check_one(&p, &s, i, &functions[i], err);
	free(s.devices);
	place_done(&p);
	return r;
}

/* ---- huge pages ---- */

static int fail_no_node(const struct inventory *inv, int node, const char *object,
			struct cv_error *err)
{
	char text[sizeof(err->found)] = "nodes";
	size_t used = 5;

	for (size_t i = 0; i < inv->n_nodes && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s %d", i ? "," : "",
					 inv->nodes[i].id);
	cv_fail(err, -ENODEV, CV_EXIT_NOT_FOUND, "NO_NODE", object, "there is no NUMA node %d",
		node);
	cv_error_found(err, "%s", text);
	cv_error_wanted(err, "a node of this host");
	cv_error_hint(err, "carve topo shows the nodes and their huge pages");
	return -ENODEV;
}

static int fail_no_size(const struct inv_node *node, const char *object, struct cv_error *err)
{
	char text[sizeof(err->found)] = "", size[CV_SIZE_MAX];
	size_t used = 0;

	for (size_t i = 0; i < node->n_pools && used < sizeof(text); i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i ? ", " : "",
					 cv_format_size(node->pools[i].page_size, size));
	cv_fail(err, -ENOENT, CV_EXIT_NOT_FOUND, "NO_PAGE_SIZE", object,
		"the node has no huge pages of this size");
	cv_error_found(err, "%s", text[0] ? text : "no huge pages");
	cv_error_wanted(err, "a size that the node has");
	cv_error_hint(err, "1G pages need a CPU with pdpe1gb; carve topo shows the sizes");
	return -ENOENT;
}

static int fail_too_few(const struct cv_lease_pages *want, struct place_pages there,
			const char *object, struct cv_error *err)
{
	char size[CV_SIZE_MAX];

	cv_fail(err, -ENOMEM, CV_EXIT_PRECONDITION, "TOO_FEW_PAGES", object,
		"the node cannot give that many huge pages");
	cv_error_found(err, "%" PRIu64 " free, memory for %" PRIu64 " more", there.free,
		       there.room);
	cv_error_wanted(err, "%" PRIu64, want->pages);
	cv_error_hint(
		err,
		"ask another node, or reserve them at boot: hugepagesz=%s hugepages=%d:%" PRIu64,
		cv_format_size(want->page_size, size), want->node, want->pages);
	return -ENOMEM;
}

/* What one pool has to make anew is room that the next cannot have. */
static int take_pages(struct place *p, const struct cv_lease_pages *want, struct cv_error *err)
{
	char object[48], size[CV_SIZE_MAX];
	int node = inv_find_node(p->inv, want->node);
	struct place_pages there;

	snprintf(object, sizeof(object), "node%d/%s", want->node,
		 cv_format_size(want->page_size, size));
	if (node < 0)
		return fail_no_node(p->inv, want->node, object, err);
	there = place_free_pages(p, node, want->page_size);
	if (!there.has_pool)
		return fail_no_size(&p->inv->nodes[node], object, err);
	if (want->pages > there.free && want->pages - there.free > there.room)
		return fail_too_few(want, there, object, err);
	if (want->pages > there.free)
		p->mem_taken[node].added += (want->pages - there.free) * want->page_size;
	return 0;
}

int plan_check_pages(const struct inventory *inv, const struct site *site,
		     const struct cv_lease_pages *pages, size_t n, struct cv_error *err)
{
	struct place p;
	int r = place_init(&p, inv, site, NULL);

	if (r < 0)
		return cv_fail_errno(err, r, NULL, "cannot judge the huge pages");
	for (size_t i = 0; i < n && r == 0; i++)
		r = take_pages(&p, &pages[i], err);
	place_done(&p);
	return r;
}
