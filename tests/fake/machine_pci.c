// SPDX-License-Identifier: GPL-2.0-or-later
/* The PCI tree of a description: addresses of functions, buses, paths and IOMMU groups. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tests/fake/machine_model.h"

#define CLASS_BRIDGE 0x060400

static int read_acs(const struct machine_line *l, enum machine_acs *ret, struct cv_error *err)
{
	static const char *const names[] = { "inherit", "none", "off", "on" };
	const char *text = machine_line_value(l, "acs");

	for (size_t i = 0; text && i < CV_ARRAY_SIZE(names); i++) {
		if (strcmp(text, names[i]) == 0) {
			*ret = (enum machine_acs)i;
			return 0;
		}
	}
	return text ? machine_line_fail(l, err, "acs= is none, off or on") : 0;
}

/* "DDDD:BB" */
static int read_root_address(const struct machine_line *l, struct machine_root *ret,
			     struct cv_error *err)
{
	char text[CV_BDF_MAX];
	struct cv_bdf bdf;

	snprintf(text, sizeof(text), "%.12s:00.0", l->words[1].value);
	if (cv_parse_bdf(text, &bdf) < 0)
		return machine_line_fail(l, err, "%s is no DOMAIN:BUS", l->words[1].value);
	ret->domain = bdf.domain;
	ret->bus = bdf.bus;
	ret->next_bus = bdf.bus + 1;
	return 0;
}

int machine_pci_root(struct machine *m, const struct machine_line *l, struct machine_place *ret,
		     struct cv_error *err)
{
	static const char *const keys[] = { "node", "acs", NULL };
	struct machine_root *root = &m->roots[m->n_roots];
	int r = machine_line_keys(l, keys, 1, err);

	if (r < 0)
		return r;
	if (m->n_roots == MACHINE_MAX_ROOTS)
		return machine_line_fail(l, err, "more than %d root buses", MACHINE_MAX_ROOTS);
	*root = (struct machine_root){ .node = -1 };
	*ret = (struct machine_place){ .root = m->n_roots, .parent = -1, .acs = MACHINE_ACS_ON };
	r = read_root_address(l, root, err);
	if (r == 0)
		r = machine_line_int(l, "node", &root->node, err);
	if (r == 0)
		r = read_acs(l, &ret->acs, err);
	ret->bus = root->bus;
	m->n_roots++;
	return r;
}

static int read_slot(const struct machine_line *l, struct machine_place *in, struct cv_bdf *ret,
		     struct cv_error *err)
{
	const char *text = machine_line_value(l, "at");
	char full[CV_BDF_MAX];
	struct cv_bdf slot = { .dev = (uint8_t)in->next_dev };

	snprintf(full, sizeof(full), "00:%.8s", text ? text : "");
	if (text && cv_parse_bdf(full, &slot) < 0)
		return machine_line_fail(l, err, "at=%s is no DEVICE.FUNCTION", text);
	if (slot.dev > 31)
		return machine_line_fail(l, err, "more than 32 devices on a bus");
	ret->dev = slot.dev;
	ret->fn = slot.fn;
	if (slot.dev + 1 > in->next_dev)
		in->next_dev = slot.dev + 1;
	return 0;
}

/* gen= and width= are what a port is capable of, and what the link of an endpoint came up with. */
static int read_link(const struct machine_line *l, struct machine_function *f, struct cv_error *err)
{
	int gen = (int)f->profile->gen, width = (int)f->profile->width;
	int r = machine_line_int(l, "gen", &gen, err);

	if (r == 0)
		r = machine_line_int(l, "width", &width, err);
	if (r == 0 && (gen < 0 || gen > 6 || width < 0 || width > 32))
		r = machine_line_fail(l, err, "gen= is 1 to 6, width= 1 to 32");
	f->gen = (unsigned int)gen;
	f->width = (unsigned int)width;
	f->max_gen = f->profile->class == CLASS_BRIDGE ? f->gen : f->profile->gen;
	f->max_width = f->profile->class == CLASS_BRIDGE ? f->width : f->profile->width;
	return r;
}

/* A function with what all kinds of them share. Return: its index or -EINVAL. */
static int add_function(struct machine *m, const struct machine_line *l, const char *profile,
			struct machine_place *in, struct cv_error *err)
{
	const struct machine_root *root = &m->roots[in->root];
	struct machine_function *f = &m->fns[m->n_fns];
	const char *driver = machine_line_value(l, "driver");
	int r;

	if (m->n_fns == MACHINE_MAX_FUNCTIONS)
		return machine_line_fail(l, err, "more than %d functions", MACHINE_MAX_FUNCTIONS);
	*f = (struct machine_function){ .parent = in->parent,
					.root = in->root,
					.node = root->node,
					.pf = -1,
					.vf_index = -1,
					.group = -1 };
	f->profile = machine_profile_find(profile);
	if (!f->profile)
		return machine_line_fail(l, err, "unknown profile %s", profile);
	f->bdf.domain = root->domain;
	f->bdf.bus = in->bus;
	f->port = f->profile->port;
	if (!driver)
		driver = f->profile->driver ? f->profile->driver : "";
	snprintf(f->driver, sizeof(f->driver), "%s", strcmp(driver, "none") ? driver : "");
	r = read_slot(l, in, &f->bdf, err);
	if (r == 0)
		r = machine_line_int(l, "node", &f->node, err);
	if (r == 0)
		r = read_link(l, f, err);
	return r < 0 ? r : m->n_fns++;
}

/* A new bus below a bridge; numbers go in the order of the text, depth first, as by firmware. */
static int open_bus(struct machine *m, const struct machine_line *l, int bridge,
		    struct cv_error *err)
{
	struct machine_root *root = &m->roots[m->fns[bridge].root];

	if (root->next_bus > 255)
		return machine_line_fail(l, err, "more than 256 buses");
	m->fns[bridge].secondary = (uint8_t)root->next_bus++;
	for (int up = bridge; up >= 0; up = m->fns[up].parent)
		m->fns[up].subordinate = m->fns[bridge].secondary;
	return 0;
}

int machine_pci_port(struct machine *m, const struct machine_line *l, enum inv_port port,
		     struct machine_place *in, struct machine_place *ret, struct cv_error *err)
{
	static const char *const keys[] = { "at", "acs", "node", "gen", "width", "driver", NULL };
	const char *profile = l->words[0].value;
	enum inv_port above = in->parent >= 0 ? m->fns[in->parent].port : INV_PORT_ENDPOINT;
	int i, r = machine_line_keys(l, keys, 0, err);

	if (r < 0)
		return r;
	if ((port == INV_PORT_ROOT) != (in->parent < 0) || above == INV_PORT_BRIDGE ||
	    (port == INV_PORT_DOWNSTREAM) != (above == INV_PORT_UPSTREAM))
		return machine_line_fail(l, err, "a %s cannot be here", profile);
	i = add_function(m, l, profile, in, err);
	if (i < 0)
		return i;
	ret->root = in->root;
	ret->parent = i;
	ret->acs = in->acs;
	r = read_acs(l, &ret->acs, err);
	if (port == INV_PORT_ROOT || port == INV_PORT_DOWNSTREAM)
		m->fns[i].acs = ret->acs;
	if (r == 0)
		r = open_bus(m, l, i, err);
	ret->bus = m->fns[i].secondary;
	return r;
}

static int add_vf(struct machine *m, const struct machine_line *l, int pf, unsigned int index,
		  struct cv_error *err)
{
	const struct machine_profile *p = m->fns[pf].profile;
	struct machine_function *vf = &m->fns[m->n_fns];

	if (m->n_fns == MACHINE_MAX_FUNCTIONS)
		return machine_line_fail(l, err, "more than %d functions", MACHINE_MAX_FUNCTIONS);
	*vf = m->fns[pf];
	vf->bdf = cv_bdf_add(m->fns[pf].bdf, p->vf_offset + index * p->vf_stride);
	if (vf->bdf.bus != m->fns[pf].bdf.bus)
		return machine_line_fail(l, err, "VF %u does not fit the bus of its PF", index);
	vf->pf = pf;
	vf->vf_index = (int)index;
	vf->vfs = 0;
	vf->driver[0] = '\0';
	m->n_fns++;
	return 0;
}

int machine_pci_function(struct machine *m, const struct machine_line *l, struct machine_place *in,
			 struct cv_error *err)
{
	static const char *const keys[] = { "at", "node", "gen", "width", "driver", "vfs", NULL };
	int vfs = 0, i, r = machine_line_keys(l, keys, 1, err);

	if (r == 0)
		r = machine_line_int(l, "vfs", &vfs, err);
	if (r < 0)
		return r;
	i = add_function(m, l, l->words[1].value, in, err);
	if (i < 0)
		return i;
	if (vfs < 0 || (unsigned int)vfs > m->fns[i].profile->total_vfs)
		return machine_line_fail(l, err, "%s has at most %u VFs", l->words[1].value,
					 m->fns[i].profile->total_vfs);
	m->fns[i].vfs = (unsigned int)vfs;
	for (unsigned int vf = 0; r == 0 && vf < (unsigned int)vfs; vf++)
		r = add_vf(m, l, i, vf, err);
	return r;
}

/* paths */

static void fill_path(struct machine *m, struct machine_function *f)
{
	const struct machine_root *root = &m->roots[f->root];
	char bdf[CV_BDF_MAX], above[MACHINE_PATH];

	if (f->parent >= 0)
		snprintf(above, sizeof(above), "%s", m->fns[f->parent].path);
	else
		snprintf(above, sizeof(above), "devices/pci%04x:%02x", root->domain, root->bus);
	snprintf(f->path, sizeof(f->path), "%.480s/%s", above, cv_format_bdf(f->bdf, bdf));
}

static bool same_slot(const struct machine_function *a, const struct machine_function *b)
{
	return a->bdf.domain == b->bdf.domain && a->bdf.bus == b->bdf.bus &&
	       a->bdf.dev == b->bdf.dev;
}

static void mark_multifunction(struct machine *m)
{
	for (int i = 0; i < m->n_fns; i++)
		for (int j = i + 1; j < m->n_fns; j++)
			if (m->fns[i].pf < 0 && m->fns[j].pf < 0 &&
			    same_slot(&m->fns[i], &m->fns[j]))
				m->fns[i].is_multifunction = m->fns[j].is_multifunction = true;
}

/* links: both ends come up with what both are capable of */

static unsigned int lesser(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static bool has_link_below(const struct machine_function *f)
{
	return f->port == INV_PORT_ROOT || f->port == INV_PORT_DOWNSTREAM;
}

static void train_links(struct machine *m)
{
	for (int i = 0; i < m->n_fns; i++) {
		if (has_link_below(&m->fns[i])) {
			m->fns[i].gen = 1; /* nothing there: 2.5 GT/s and no lanes */
			m->fns[i].width = 0;
		}
	}
	for (int i = 0; i < m->n_fns; i++) {
		struct machine_function *f = &m->fns[i];
		struct machine_function *up = f->parent >= 0 ? &m->fns[f->parent] : NULL;

		if (!up || !has_link_below(up) || f->max_gen == 0)
			continue;
		f->gen = up->gen = lesser(f->gen, up->max_gen);
		f->width = up->width = lesser(f->width, up->max_width);
	}
}

/* groups, as pci_device_group() of Linux makes them */

static bool isolates(const struct machine_function *f)
{
	switch (f->port) {
	case INV_PORT_ROOT:
	case INV_PORT_DOWNSTREAM:
		return f->acs == MACHINE_ACS_ON;
	case INV_PORT_CONVENTIONAL:
	case INV_PORT_BRIDGE:
		return false;
	default:
		return !f->is_multifunction;
	}
}

static bool path_isolates(const struct machine *m, int i)
{
	for (; i >= 0; i = m->fns[i].parent)
		if (!isolates(&m->fns[i]))
			return false;
	return true;
}

/* A function that does not isolate itself shares the group of those like it in its slot. */
static int group_of_slot(const struct machine *m, int i)
{
	const struct machine_function *f = &m->fns[i];

	if (!f->is_multifunction || isolates(f) || f->pf >= 0)
		return -1;
	for (int j = 0; j < i; j++)
		if (same_slot(f, &m->fns[j]) && m->fns[j].pf < 0 && !isolates(&m->fns[j]))
			return m->fns[j].group;
	return -1;
}

static void fill_groups(struct machine *m)
{
	for (int i = 0; i < m->n_fns; i++) {
		struct machine_function *f = &m->fns[i];

		if (f->parent >= 0 && !path_isolates(m, f->parent))
			f->group = m->fns[f->parent].group;
		else
			f->group = group_of_slot(m, i);
		if (f->group < 0)
			f->group = m->n_groups++;
	}
}

/* addresses */

struct allocator {
	uint64_t next[2]; /* below 4 GiB, above */
};

static uint64_t align(uint64_t value, uint64_t to)
{
	return (value + to - 1) / to * to;
}

static uint64_t take(struct allocator *a, const struct machine_bar *bar, unsigned int times)
{
	int high = bar->kind == MACHINE_BAR_PREF64;
	uint64_t at;

	if (bar->size == 0)
		return 0;
	if (bar->kind == MACHINE_BAR_IO)
		return 0x3000;
	at = align(a->next[high], bar->size < 4096 ? 4096 : bar->size);
	a->next[high] = at + bar->size * times;
	return at;
}

static void place_bars(struct allocator *a, struct machine_function *f)
{
	const struct machine_profile *p = f->profile;

	for (int i = 0; i < INV_MAX_BARS; i++)
		f->bars[i] = take(a, &p->bars[i], 1);
	for (int i = 0; i < INV_MAX_BARS; i++)
		f->vf_bars[i] = take(a, &p->vf_bars[i], p->total_vfs);
}

static void place_vf(const struct machine *m, struct machine_function *vf)
{
	for (int i = 0; i < INV_MAX_BARS; i++)
		vf->bars[i] = vf->profile->vf_bars[i].size
				      ? m->fns[vf->pf].vf_bars[i] +
						(uint64_t)vf->vf_index *
							vf->profile->vf_bars[i].size
				      : 0;
}

/* Functions come parents first, each followed by all below it: a window is what lies between. */
static int place_tree(struct machine *m, struct allocator *a, int i)
{
	struct machine_function *f = &m->fns[i];
	int next = i + 1;

	if (f->pf >= 0)
		place_vf(m, f);
	else
		place_bars(a, f);
	for (int w = 0; w < 2; w++)
		f->window[w] = a->next[w] = align(a->next[w], f->secondary ? 1 << 20 : 1);
	while (next < m->n_fns && m->fns[next].parent == i)
		next = place_tree(m, a, next);
	for (int w = 0; w < 2; w++)
		f->window_end[w] = a->next[w] = align(a->next[w], f->secondary ? 1 << 20 : 1);
	return next;
}

static void place_all(struct machine *m)
{
	struct allocator a = { { 0x80000000, 0x4000000000 } };

	if (m->host.phys_bits >= 46)
		a.next[1] = 1ULL << (m->host.phys_bits - 1);
	for (int i = 0; i < m->n_fns;) {
		a.next[0] = align(a.next[0], 1 << 20);
		i = place_tree(m, &a, i);
	}
}

/* order */

static int check_twice(const struct machine *m, struct cv_error *err)
{
	char bdf[CV_BDF_MAX];

	for (int i = 0; i < m->n_fns; i++)
		for (int j = i + 1; j < m->n_fns; j++)
			if (cv_bdf_cmp(m->fns[i].bdf, m->fns[j].bdf) == 0)
				return cv_fail(
					err, -EINVAL, CV_EXIT_USAGE, "EMACHINE",
					cv_format_bdf(m->fns[i].bdf, bdf),
					"two functions of the description have this address");
	return 0;
}

static void number_instances(struct machine *m)
{
	int nets = 0, nvmes = 0;

	for (int i = 0; i < m->n_fns; i++) {
		struct machine_function *f = &m->fns[i];

		if (f->profile->netdev && f->pf < 0)
			f->instance = nets++;
		else if (f->profile->has_nvme && f->pf < 0)
			f->instance = nvmes++;
	}
}

int machine_pci_finish(struct machine *m, struct cv_error *err)
{
	for (int i = 0; i < m->n_fns; i++)
		fill_path(m, &m->fns[i]);
	mark_multifunction(m);
	train_links(m);
	number_instances(m);
	if (m->host.iommu != INV_IOMMU_NONE)
		fill_groups(m);
	place_all(m);
	return check_twice(m, err);
}
