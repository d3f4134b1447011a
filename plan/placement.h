/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the planner: what is free, what was taken, and the choices for one guest. Not a public
 * header of plan/. */
#ifndef CARVE_PLAN_PLACEMENT_H
#define CARVE_PLAN_PLACEMENT_H

#include "plan/inventory.h"
#include "plan/plan.h"
#include "plan/spec.h"

#define PLACE_MEM_MARGIN (256ULL << 20) /* bytes of each node left to the host */
#define PLACE_NO_DISTANCE 1000 /* unknown node: farther than any SLIT entry (at most 255) */
#define PLACE_GROUP_MAX 64     /* members of a shared group that can be taken whole */

/** struct place_core - one physical core; @why is "" while it is free */
struct place_core {
	int node; /* index of the inventory node */
	int l3;
	int package;
	struct cv_cpuset threads;
	char why[96];
	bool is_housekeeping;
};

/** struct place_vf - a VF that a plan of this run already took */
struct place_vf {
	int pf;
	int vf_index;
};

/** struct place_memory - memory of one node that plans of this run took: from pools, and new pages */
struct place_memory {
	uint64_t pool_pages[INV_MAX_POOLS];
	uint64_t added; /* bytes */
};

/** struct place_pages - @free in the pool and promised to nobody, @room: what could be added */
struct place_pages {
	bool has_pool;
	uint64_t free;
	uint64_t room;
};

/**
 * struct place - the free part of the node while plans are made one after the other
 * @mem_taken: per inventory node
 * @mem_given: bytes of all plans of this run, counted against the allowance
 * @dev_taken: per inventory device
 */
struct place {
	const struct inventory *inv;
	const struct site *site;
	const struct plan_allowance *allow;
	struct place_core *cores;
	size_t n_cores;
	struct place_memory *mem_taken;
	uint64_t mem_given;
	bool *dev_taken;
	struct place_vf *vfs;
	size_t n_vfs;
};

/** struct place_dev - the function chosen for one spec entry */
struct place_dev {
	int dev;      /* inventory index; -1: a VF that does not exist yet */
	int pf;	      /* inventory index of its PF, -1 not a VF */
	int vf_index; /* -1 not a VF */
	struct cv_bdf bdf;
	int node; /* kernel node id, -1 unknown */
};

/**
 * struct place_choice - one way to place one guest on a set of nodes
 * @nodes: inventory indices; @cores: place.cores indices, grouped by node in the order of @nodes
 * @distance: sum of SLIT distances from devices to the nearest node of the guest
 * @spread: sum of SLIT distances between the nodes
 * @slack: free cores left on the chosen nodes: less is less fragmentation
 */
struct place_choice {
	int nodes[PLAN_MAX_NODES];
	size_t n_nodes;
	int *cores;
	size_t n_cores;
	struct place_dev *devs;
	size_t n_devs;
	uint64_t distance;
	uint64_t spread;
	uint64_t slack;
};

int place_init(struct place *p, const struct inventory *inv, const struct site *site,
	       const struct plan_allowance *allow);
void place_done(struct place *p);
void place_choice_done(struct place_choice *c);

/** place_free_cores() - number of free cores on a node (inventory index). */
unsigned int place_free_cores(const struct place *p, int node);
/** place_free_pages() - pages of @page_size a node (inventory index) can give now. */
struct place_pages place_free_pages(const struct place *p, int node, uint64_t page_size);
/**
 * place_pick_cores() - @n free cores of a node
 *
 * Fewest L3s, the fullest of those that do; an even split over L3s, which the guest can be shown as it
 * is, may take one L3 more than the fewest.
 * Return: 0, -ENOSPC.
 */
int place_pick_cores(const struct place *p, int node, unsigned int n, int *ret);

/**
 * place_check_device() - may a function be given away?
 * @s:    its functions named by address do not stand in each other's way in an IOMMU group
 * @c:    chosen so far for this guest
 * @dev:  the function; for a VF to come (dev.dev < 0) its PF is judged in its place
 * Return: 0, or -errno with @err filled: object, found, wanted and what to do.
 */
int place_check_device(const struct place *p, const struct spec *s, const struct place_choice *c,
		       const struct spec_device *want, struct place_dev dev, struct cv_error *err);
/** place_is_chosen() - false for an entry of @c->devs that has no function yet. */
static inline bool place_is_chosen(const struct place_dev *d)
{
	return d->node != INT32_MIN;
}

/**
 * place_pick_devices() - a function for each spec entry, nearest to the nodes of @c
 * @plan: rejected candidates are recorded there; NULL: do not record
 * Return: 0 with c->devs and c->distance set; -errno with @err filled.
 */
int place_pick_devices(const struct place *p, const struct spec *s, struct place_choice *c,
		       struct plan *plan, struct cv_error *err);

/** place_take() - mark everything of @c as taken. Return: 0, -ENOMEM. */
int place_take(struct place *p, const struct spec *s, const struct place_choice *c);

/** plan_add_reason(), plan_add_rejected() - formatted. Return: 0, -ENOMEM. */
int plan_add_reason(struct plan *p, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int plan_add_rejected(struct plan *p, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/** plan_set_topology() - vCPUs, nodes and topology ids of a choice. Return: 0, -errno. */
int plan_set_topology(struct plan *plan, const struct place *p, const struct spec *s,
		      const struct place_choice *c, struct cv_error *err);
/** plan_set_devices() - devices, bridges and guest addresses of a choice. */
int plan_set_devices(struct plan *plan, const struct place *p, const struct spec *s,
		     const struct place_choice *c, struct cv_error *err);
/** plan_set_steps() - the ordered host writes, once all plans of the run are placed. */
int plan_set_steps(struct plan *plan, const struct place *p);

/** plan_accept_words - the names of enum spec_accept, by bit */
#define PLAN_ACCEPT_BITS 3
extern const char *const plan_accept_words[PLAN_ACCEPT_BITS];

#endif
