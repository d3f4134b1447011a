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
#define PLACE_MAX_KINDS 4      /* kinds of hybrid cores; slower ones count as the last */
#define PLACE_ANY_KIND (-1)    /* cores of several kinds for one guest */

/** struct place_core - one physical core; @why is "" while it is free */
struct place_core {
	int node; /* index of the inventory node */
	int l3;
	int package;
	int kind;      /* 0: the fastest */
	bool is_quiet; /* every thread of it isolated or nohz_full: for guests first */
	struct cv_cpuset threads;
	char why[96];
	bool is_housekeeping;
};

/**
 * struct place_l3 - the cores of one node below one L3 (or below none)
 * @free:    free cores by kind, [1] the quiet ones
 * @ways:    given to guests, while packing
 * @n_cores: all of them, free or not
 * @cores:   the first of them in place.by_l3
 */
struct place_l3 {
	int node;
	int l3;
	unsigned int free[PLACE_MAX_KINDS][2];
	unsigned int take[PLACE_MAX_KINDS][2]; /* while packing */
	unsigned int planned;		       /* while packing */
	unsigned int ways;
	size_t cores, n_cores;
};

/** struct place_node - counts of one inventory node, and where its L3s are in place.l3s */
struct place_node {
	size_t l3s, n_l3s;
	unsigned int free[PLACE_MAX_KINDS];
	unsigned int n_free;
	bool has_cores;
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
 * @by_l3:     core indices, those of one L3 together and ascending
 * @scratch:   working copy of @l3s, for place_pack()
 * @has_quiet: there are isolated or nohz_full cores
 * @max_ways:  of an L3, for all guests together
 * @mem_taken: per inventory node
 * @mem_given: bytes of all plans of this run, counted against the allowance
 * @dev_taken: per inventory device
 * @by_group:  device indices, those of one IOMMU group together and ascending, bridges left out
 * @group_at:  per inventory device: the first of its group in @by_group, -1 none
 * @vf_at:     per inventory device: the first VF of it in @by_pf; one more than devices
 */
struct place {
	const struct inventory *inv;
	const struct site *site;
	const struct plan_allowance *allow;
	struct place_core *cores;
	size_t n_cores;
	int *by_l3;
	struct place_l3 *l3s, *scratch;
	size_t n_l3s;
	struct place_node *nodes;
	unsigned int n_kinds;
	bool has_quiet;
	unsigned int max_ways;
	struct place_memory *mem_taken;
	uint64_t mem_given;
	bool *dev_taken;
	int *by_group, *group_at;
	size_t n_grouped;
	int *by_pf, *vf_at;
	struct place_vf *vfs;
	size_t n_vfs;
};

/** struct place_dev - the function chosen for one spec entry */
struct place_dev {
	int dev;      /* inventory index; -1: a VF that does not exist yet */
	int pf;	      /* inventory index of its PF, -1 not a VF */
	int vf_index; /* -1 not a VF */
	struct cv_bdf bdf;
	int node;   /* kernel node id, -1 unknown */
	int clique; /* peer-to-peer clique within the guest, -1 none */
};

/**
 * struct place_choice - one way to place one guest on a set of nodes
 * @nodes: inventory indices; @cores: place.cores indices, grouped by node in the order of @nodes
 * @node_cores, @node_pages: share of each node, in the order of @nodes; uneven with split: devices
 * @distance: sum of SLIT distances from devices to the nearest node of the guest
 * @spread: sum of SLIT distances between the nodes
 * @is_mixed: the cores are of several kinds, because those of one kind are too few
 */
struct place_choice {
	int nodes[PLAN_MAX_NODES];
	unsigned int node_cores[PLAN_MAX_NODES];
	uint64_t node_pages[PLAN_MAX_NODES];
	size_t n_nodes;
	int *cores;
	size_t n_cores;
	struct place_dev *devs;
	size_t n_devs;
	uint64_t distance;
	uint64_t spread;
	bool is_mixed;
};

int place_init(struct place *p, const struct inventory *inv, const struct site *site,
	       const struct plan_allowance *allow);
void place_done(struct place *p);
void place_choice_done(struct place_choice *c);

/** place_init_devices() - the indices of groups and VFs. Return: 0, -ENOMEM. */
int place_init_devices(struct place *p);
/** place_group() - functions of a device's IOMMU group, itself included; @ret_n may be 0. */
const int *place_group(const struct place *p, int dev, size_t *ret_n);

/** place_free_cores() - number of free cores on a node (inventory index). */
static inline unsigned int place_free_cores(const struct place *p, int node)
{
	return p->nodes[node].n_free;
}
/** place_free_pages() - pages of @page_size a node (inventory index) can give now. */
struct place_pages place_free_pages(const struct place *p, int node, uint64_t page_size);

/**
 * struct place_share - cores that one guest takes of one node
 * @kind: of this kind only, or PLACE_ANY_KIND
 * @ways: that the guest asks for of each of its L3s
 * @ret:  receives @cores core indices; NULL: count only
 */
struct place_share {
	int node;
	unsigned int cores;
	int kind;
	unsigned int guest;
	unsigned int ways;
	int *ret;
};

/** struct place_packing - what is worse about one way to take cores; less of the first counts more */
struct place_packing {
	uint64_t noisy;	    /* cores that are not quiet, on a host that has quiet ones */
	uint64_t l3s;	    /* L3s touched, once per guest */
	uint64_t left_l3;   /* cores left over on L3s that are touched */
	uint64_t left_node; /* cores left over on nodes that are touched */
};

/**
 * place_pack() - which cores the shares get, of those free in @p; all shares fit (by count)
 *
 * Per node the larger shares first: quiet cores, fewest L3s, the fullest of those that do; an even
 * split over L3s, which the guest can be shown as it is, may take one L3 more than the fewest. L3s whose
 * ways are given away are left to others where the rest is enough.
 * @shares: brought into the order in which they are served
 */
void place_pack(const struct place *p, struct place_share *shares, size_t n,
		struct place_packing *ret);

/**
 * place_check_device() - may a function be given away?
 * @s:    its functions named by address do not stand in each other's way in an IOMMU group
 * @c:    chosen so far for this guest; NULL: judge the function alone
 * @dev:  the function; for a VF to come (dev.dev < 0) its PF is judged in its place
 * Return: 0, or -errno with @err filled: object, found, wanted and what to do.
 */
int place_check_device(const struct place *p, const struct spec *s, const struct place_choice *c,
		       const struct spec_device *want, struct place_dev dev, struct cv_error *err);
/**
 * place_check_regions() - does the IOMMU group of a device leave the addresses that the memory of @s needs?
 * Only what no choice of other devices could change: plan_set_memory_map() judges all of them together.
 * Return: 0; -ENOSPC with @err IOVA_RESERVED.
 */
int place_check_regions(const struct place *p, const struct spec *s, int dev, struct cv_error *err);
/** place_is_idle() - readable, not in quarantine, neither leased nor held; other rules may still refuse. */
bool place_is_idle(const struct place *p, int dev);
/** place_is_chosen() - false for an entry of @c->devs that has no function yet. */
static inline bool place_is_chosen(const struct place_dev *d)
{
	return d->node != INT32_MIN;
}

/** place_wants_pf(), place_wants_class() - could a VF of @d, or @d itself, serve an entry by its kind? */
bool place_wants_pf(const struct spec_device *want, const struct inv_dev *d);
bool place_wants_class(const struct spec_device *want, const struct inv_dev *d);
/** place_hops() - bridges between two functions; 64 more over a host bridge, 192 between host bridges. */
unsigned int place_hops(const struct inventory *inv, int a, int b);
/** place_anchor() - the function that stands for a choice in the PCI tree: the PF of a VF. */
static inline int place_anchor(const struct place_dev *d)
{
	return d->pf >= 0 ? d->pf : d->dev;
}
/** place_distance() - SLIT distance of a device (kernel node id) to the nearest node of @c. */
unsigned int place_distance(const struct place *p, const struct place_choice *c, int node);

/**
 * place_try_devices() - a function for each spec entry, one entry after the other, none taken back
 * Where this fails, and no other choice does better, @err is the reason to tell.
 * Return: 0 with c->devs set; -errno with @err filled.
 */
int place_try_devices(const struct place *p, const struct spec *s, struct place_choice *c,
		      struct cv_error *err);

/** place_take() - mark everything of @c as taken. Return: 0, -ENOMEM. */
int place_take(struct place *p, const struct spec *s, const struct place_choice *c);

/** place_check_spec() - what no host can give: contradictions, no memory, nothing to boot. */
int place_check_spec(const struct place *p, const struct spec *s, struct cv_error *err);
/** place_refuse() - why @n guests cannot be placed; takes from @p. Return: -errno, @err filled. */
int place_refuse(struct place *p, const struct spec *specs, size_t n, struct cv_error *err);

/** enum place_lack - what a node may have too little of; bits */
enum place_lack {
	PLACE_LACKS_CORES = 1,
	PLACE_LACKS_PAGES = 2,
};

/** place_lacks() - what @node has too little of for a share. Return: enum place_lack. */
unsigned int place_lacks(const struct place *p, const struct spec *s, size_t n_nodes, int node);
/** place_add_fact() - append to a text, behind "; ". */
void place_add_fact(char *text, size_t size, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/**
 * place_add_shortage() - append what @node has too little of for one of @n_nodes even shares
 * @kinds: enum place_lack: only these
 */
void place_add_shortage(const struct place *p, const struct spec *s, size_t n_nodes, int node,
			unsigned int kinds, char *text, size_t size);

/**
 * plan_explain() - reasons for what was chosen for a guest, and why not the rest
 * @p:     as it was when the guest was placed: those before it are taken
 * @ended: what a search that did not look at all leaves open; NULL: it did
 */
int plan_explain(struct plan *plan, const struct place *p, const struct spec *s,
		 const struct place_choice *c, const char *ended);

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
/** plan_set_disks() - the guest's virtio disks. Return: 0, -ENOMEM. */
int plan_set_disks(struct plan *plan, const struct spec *s);
/** place_check_disks() - two guests of one run. Return: 0, -EBUSY: both have a disk, and one writes to it. */
int place_check_disks(const struct spec *a, const struct spec *b, struct cv_error *err);
/** plan_set_nets() - the guest's networks and its vsock. Return: 0, -ENOMEM. */
int plan_set_nets(struct plan *plan, const struct spec *s);
/** plan_set_shares() - the guest's shared directories. Return: 0, -ENOMEM. */
int plan_set_shares(struct plan *plan, const struct spec *s);
/**
 * plan_check_nets() - guests of one run
 * Return: 0; -EBUSY: two have one MAC, interface, socket, forwarded port or CID.
 */
int plan_check_nets(const struct plan *plans, size_t n, struct cv_error *err);
/** plan_net_has_tap() - does a step make an interface of the host for it? */
bool plan_net_has_tap(const struct plan_net *n);
/** plan_tap_name() - the interface of the host for network @index of guest @vm, 12 characters. */
void plan_tap_name(const char *vm, size_t index, char ret[16]);
/** plan_set_steps() - the ordered host writes, once all plans of the run are placed. */
int plan_set_steps(struct plan *plan, const struct place *p);

/** plan_accept_words - the names of enum spec_accept, by bit */
#define PLAN_ACCEPT_BITS 3
extern const char *const plan_accept_words[PLAN_ACCEPT_BITS];

#endif
