// SPDX-License-Identifier: GPL-2.0-or-later
/* The tree: who is there, on which bus the guest finds it now, and what resets it. */
#include "vmm/dev/pci.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "vmm/core/layout.h"
#include "vmm/dev/pci_tree.h"

#define HOST_BRIDGE_VENDOR 0x1b36 /* Red Hat's generic PCI Express host bridge */
#define HOST_BRIDGE_DEVICE 0x0008
#define HOST_BRIDGE_CLASS 0x06000000U
#define NOWHERE (-2)

/* ---- where functions are ---- */

static bool is_host_bridge(const struct vmm_pci *pci, int bridge)
{
	return pci->plan->bridges[bridge].kind == PLAN_HOST_BRIDGE;
}

/* One step down: the port of the bus below @above that has @bus, or leads there. */
static int find_port(const struct vmm_pci *pci, int above, uint8_t bus, bool *ret_is_it)
{
	for (size_t i = 0; i < pci->plan->n_bridges; i++) {
		uint16_t buses = __atomic_load_n(&pci->ports[i].buses, __ATOMIC_ACQUIRE);
		uint8_t secondary = (uint8_t)buses, subordinate = (uint8_t)(buses >> 8);

		if (is_host_bridge(pci, (int)i) || pci->plan->bridges[i].parent != above)
			continue;
		*ret_is_it = bus == secondary;
		if (*ret_is_it || (bus > secondary && bus <= subordinate))
			return (int)i;
	}
	return NOWHERE;
}

static int find_root(const struct vmm_pci *pci, uint8_t bus)
{
	for (size_t i = 0; i < pci->plan->n_bridges; i++)
		if (is_host_bridge(pci, (int)i) && bus >= pci->plan->bridges[i].bus &&
		    bus <= pci->ports[i].buses >> 8)
			return (int)i;
	return NOWHERE;
}

/* The bridge that @bus is right below, by what the ports say now; -1 bus 0. Each step goes down. */
static int find_bus(const struct vmm_pci *pci, uint8_t bus)
{
	int at = bus == 0 ? -1 : find_root(pci, bus);
	bool is_it = at < 0 || pci->plan->bridges[at].bus == bus;

	while (!is_it && at != NOWHERE)
		at = find_port(pci, at, bus, &is_it);
	return at;
}

static struct vmm_pci_function *find_at(const struct vmm_pci *pci, int bridge, uint8_t dev,
					uint8_t fn)
{
	for (size_t i = 0; i < pci->n_places; i++) {
		struct vmm_pci_function *f = pci->places[i]->f;

		if (f->bridge == bridge && f->bdf.dev == dev && f->bdf.fn == fn)
			return f;
	}
	return NULL;
}

static bool is_below(const struct vmm_pci *pci, const struct vmm_pci_function *f, int bridge)
{
	int at = f->bridge;

	while (at >= 0 && at != bridge)
		at = pci->plan->bridges[at].parent;
	return at == bridge;
}

/* ---- adding ---- */

static int check_place(const struct vmm_pci *pci, const struct vmm_pci_function *f,
		       struct cv_error *err)
{
	char bdf[CV_BDF_MAX];
	bool is_known = f->bridge >= -1 && f->bridge < (int)pci->plan->n_bridges;
	uint8_t bus = is_known && f->bridge >= 0 ? pci->plan->bridges[f->bridge].bus : 0;

	cv_format_bdf(f->bdf, bdf);
	if (!is_known || f->bdf.domain || f->bdf.bus != bus || f->bdf.dev > 31 || f->bdf.fn > 7) {
		cv_fail(err, -EINVAL, CV_EXIT_FAILED, "BAD_ADDRESS", f->name,
			"the guest's PCIe tree has no such address");
		cv_error_found(err, "%s behind bridge %d", bdf, f->bridge);
		cv_error_wanted(err, "an address on bus %u", bus);
		cv_error_hint(err, "this is a bug of the plan: please report it");
		return -EINVAL;
	}
	if (find_at(pci, f->bridge, f->bdf.dev, f->bdf.fn)) {
		cv_fail(err, -EEXIST, CV_EXIT_FAILED, "ADDRESS_TAKEN", f->name,
			"two functions of the guest have the same address");
		cv_error_found(err, "%s taken", bdf);
		cv_error_wanted(err, "an address of its own");
		cv_error_hint(err, "this is a bug of the plan: please report it");
		return -EEXIST;
	}
	return 0;
}

static void free_place(struct vmm_pci_place *place)
{
	free(place->initial);
	free(place);
}

static int append_place(struct vmm_pci *pci, struct vmm_pci_function *f)
{
	struct vmm_pci_place **grown, *place = calloc(1, sizeof(*place));

	if (!place)
		return -ENOMEM;
	place->f = f;
	place->initial = malloc(VMM_PCI_CONFIG);
	grown = reallocarray(pci->places, pci->n_places + 1, sizeof(struct vmm_pci_place *));
	if (grown)
		pci->places = grown;
	if (!grown || !place->initial) {
		free_place(place);
		return -ENOMEM;
	}
	for (unsigned int i = 0; i < VMM_PCI_BARS; i++)
		place->bars[i] = (struct vmm_pci_bar){ place, i, false };
	grown[pci->n_places++] = place;
	f->place = place;
	return 0;
}

/* All functions of a slot say that there are several (section 7.5.1.1.9). */
static void mark_multifunction(const struct vmm_pci *pci, const struct vmm_pci_function *f)
{
	unsigned int n = 0;

	for (uint8_t fn = 0; fn < 8; fn++)
		n += find_at(pci, f->bridge, f->bdf.dev, fn) != NULL;
	for (uint8_t fn = 0; n > 1 && fn < 8; fn++) {
		struct vmm_pci_function *other = find_at(pci, f->bridge, f->bdf.dev, fn);

		if (other)
			other->config[PCI_HEADER_TYPE] |= 0x80;
	}
}

int vmm_pci_add(struct vmm_pci *pci, struct vmm_pci_function *f, struct cv_error *err)
{
	int r = check_place(pci, f, err);

	if (r < 0)
		return r;
	r = append_place(pci, f);
	if (r < 0)
		return cv_fail_errno(err, r, f->name, "cannot add it to the guest's PCIe tree");
	pthread_mutex_init(&f->lock, NULL);
	f->pci = pci;
	memcpy(f->place->initial, f->config, VMM_PCI_CONFIG);
	mark_multifunction(pci, f);
	return 0;
}

/* ---- making the plan's tree ---- */

static uint8_t last_bus(const struct plan *p, int bridge)
{
	uint8_t last = p->bridges[bridge].bus;

	for (size_t i = 0; i < p->n_bridges; i++) {
		int at = (int)i;

		while (at >= 0 && at != bridge)
			at = p->bridges[at].parent;
		if (at == bridge && p->bridges[i].bus > last)
			last = p->bridges[i].bus;
	}
	return last;
}

/* A host bridge's buses are its own for good. */
static int add_bridge(struct vmm_pci *pci, int i, struct cv_error *err)
{
	const struct plan_bridge *b = &pci->plan->bridges[i];
	struct vmm_pci_port *port = &pci->ports[i];
	uint8_t last = last_bus(pci->plan, i);

	port->bridge = b;
	if (b->kind != PLAN_HOST_BRIDGE) {
		vmm_port_init(port, b, (unsigned int)i & 0xff, pci->plan->bridges[b->parent].bus,
			      last);
		return vmm_pci_add(pci, &port->f, err);
	}
	port->buses = (uint16_t)(b->bus | last << 8);
	pci->roots[pci->n_roots] = (struct vmm_root){
		.uid = (unsigned int)pci->n_roots,
		.guest_node = b->guest_node,
		.bus = b->bus,
		.bus_end = last,
	};
	pci->n_roots++;
	return 0;
}

static int add_tree(struct vmm_pci *pci, struct cv_error *err)
{
	int r;

	pci->roots[0] = (struct vmm_root){ .guest_node = -1 };
	pci->n_roots = 1;
	vmm_pci_init_function(&pci->host_bridge, "host bridge", HOST_BRIDGE_VENDOR,
			      HOST_BRIDGE_DEVICE, HOST_BRIDGE_CLASS);
	r = vmm_pci_add(pci, &pci->host_bridge, err);
	for (size_t i = 0; r == 0 && i < pci->plan->n_bridges; i++)
		r = add_bridge(pci, (int)i, err);
	return r;
}

static int make_tree(struct vmm_pci *pci, struct cv_error *err)
{
	int r;

	pci->ports = calloc(pci->plan->n_bridges + 1, sizeof(*pci->ports));
	pci->roots = calloc(pci->plan->n_bridges + 1, sizeof(*pci->roots));
	if (!pci->ports || !pci->roots)
		return cv_fail_errno(err, -ENOMEM, pci->plan->name,
				     "cannot make the guest's PCIe tree");
	r = add_tree(pci, err);
	if (r < 0)
		return r;
	r = vmm_ecam_add(pci);
	return r < 0 ? cv_fail_errno(err, r, pci->plan->name,
				     "cannot make the guest's configuration space")
		     : 0;
}

int vmm_pci_new(const struct plan *p, struct vmm_bus *mmio, struct vmm_bus *pio,
		struct vmm_pci **ret, struct cv_error *err)
{
	struct vmm_pci *pci = calloc(1, sizeof(*pci));
	int r;

	if (!pci)
		return cv_fail_errno(err, -ENOMEM, p->name, "cannot make the guest's PCIe tree");
	pci->plan = p;
	pci->mmio = mmio;
	pci->pio = pio;
	pthread_mutex_init(&pci->map_lock, NULL);
	r = make_tree(pci, err);
	if (r < 0) {
		vmm_pci_free(pci);
		return r;
	}
	*ret = pci;
	return 0;
}

void vmm_pci_free(struct vmm_pci *pci)
{
	if (!pci)
		return;
	vmm_ecam_remove(pci);
	for (size_t i = 0; i < pci->n_places; i++)
		free_place(pci->places[i]);
	free(pci->places);
	free(pci->ports);
	free(pci->roots);
	free(pci->maps);
	pthread_mutex_destroy(&pci->map_lock);
	free(pci);
}

size_t vmm_pci_roots(const struct vmm_pci *pci, const struct vmm_root **ret)
{
	*ret = pci->roots;
	return pci->n_roots;
}

/* ---- reset ---- */

static void reset_function(struct vmm_pci_function *f)
{
	pthread_mutex_lock(&f->lock);
	vmm_bars_unmap(f);
	memcpy(f->config, f->place->initial, VMM_PCI_CONFIG);
	pthread_mutex_unlock(&f->lock);
	if (f->ops && f->ops->reset)
		f->ops->reset(f->ctx);
}

void vmm_pci_reset(struct vmm_pci *pci)
{
	for (size_t i = 0; i < pci->n_places; i++)
		reset_function(pci->places[i]->f);
}

static void reset_below(struct vmm_pci *pci, int bridge)
{
	for (size_t i = 0; i < pci->n_places; i++)
		if (is_below(pci, pci->places[i]->f, bridge))
			reset_function(pci->places[i]->f);
}

/* ---- accesses ---- */

static void map_again(struct vmm_pci *pci)
{
	for (size_t i = 0; i < pci->n_places; i++) {
		struct vmm_pci_function *f = pci->places[i]->f;

		pthread_mutex_lock(&f->lock);
		vmm_bars_map(f);
		pthread_mutex_unlock(&f->lock);
	}
}

/* What a write sets off in other functions; no lock is held. */
static void after_write(struct vmm_pci *pci)
{
	for (size_t i = 0; i < pci->plan->n_bridges; i++)
		if (__atomic_exchange_n(&pci->ports[i].reset, false, __ATOMIC_ACQ_REL))
			reset_below(pci, (int)i);
	if (__atomic_exchange_n(&pci->is_freed, false, __ATOMIC_ACQ_REL))
		map_again(pci);
}

void vmm_pci_access(struct vmm_pci *pci, struct cv_bdf bdf, uint16_t offset, void *data,
		    unsigned int len, bool is_write)
{
	int bridge = bdf.domain ? NOWHERE : find_bus(pci, bdf.bus);
	struct vmm_pci_function *f = bridge == NOWHERE ? NULL
						       : find_at(pci, bridge, bdf.dev, bdf.fn);

	if (!f || len > VMM_PCI_CONFIG || offset > VMM_PCI_CONFIG - len) {
		if (!is_write)
			memset(data, 0xff, len);
		return;
	}
	pthread_mutex_lock(&f->lock);
	vmm_config_access(f, offset, data, len, is_write);
	pthread_mutex_unlock(&f->lock);
	if (is_write)
		after_write(pci);
}

/* ---- INTx ---- */

/* PCI-to-PCI Bridge 1.2 section 9.1: each bridge turns the pin by the slot below it. */
unsigned int vmm_pci_intx_gsi(const struct vmm_pci *pci, const struct vmm_pci_function *f,
			      unsigned int pin)
{
	unsigned int dev = f->bdf.dev, n = pin - 1;

	for (int at = f->bridge; at >= 0 && !is_host_bridge(pci, at);
	     at = pci->plan->bridges[at].parent) {
		n = (n + dev) % 4;
		dev = pci->plan->bridges[at].bdf.dev;
	}
	return VMM_GSI_INTX + (dev + n) % 8;
}
