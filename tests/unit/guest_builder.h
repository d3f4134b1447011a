/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guests on machines made in memory, placed by hand: for tests of what the guest is shown. */
#ifndef CARVE_TESTS_GUEST_BUILDER_H
#define CARVE_TESTS_GUEST_BUILDER_H

#include "plan/placement.h"

#define GB_2M (2ULL << 20)
#define GB_1G (1ULL << 30)
#define GB_1T (1ULL << 40)

/** struct gb_shape - a machine: @cores, @per_l3 (cores) and nodes of one size each, a package a node */
struct gb_shape {
	const char *vendor;
	int nodes, cores, threads, per_l3;
	int per_package; /* nodes, 0: one */
	unsigned int phys_bits;
};

/** struct gb - a machine and one guest; release with gb_done() */
struct gb {
	struct gb_shape shape;
	struct inventory inv;
	struct site site;
	struct spec spec;
	struct place place;
	struct place_choice choice;
	struct plan plan;
	struct cv_error err;
};

void gb_init(struct gb *b, const struct gb_shape *shape);
void gb_done(struct gb *b);

/** gb_dev() - a function, in ascending order of addresses; @parent "" none. */
struct inv_dev *gb_dev(struct gb *b, const char *bdf, const char *parent, int node,
		       enum inv_port port);
/** gb_gpu() - an NVIDIA GPU with a 64-bit BAR of @bar bytes. */
struct inv_dev *gb_gpu(struct gb *b, const char *bdf, const char *parent, int node, uint64_t bar);
/** gb_region() - a reserved region of IOMMU group @group; the group is made when there is none. */
void gb_region(struct gb *b, int group, uint64_t start, uint64_t end, const char *type);

/**
 * gb_take() - whole cores of a node, after the first, which is kept for the host; whole L3s where it
 * is a number of them; and pages of @page bytes
 */
void gb_take(struct gb *b, int node, unsigned int cores, uint64_t pages, uint64_t page);
/** gb_take_dev() - a function; gb_take_vf(): VF @index of a PF, not made yet. */
void gb_take_dev(struct gb *b, const char *bdf);
void gb_take_vf(struct gb *b, const char *pf, int index);

/** gb_plan() - topology, tree and memory map. Return: 0 or -errno with @b->err. */
int gb_plan(struct gb *b);

extern const char *const guest_cases[];
extern const size_t n_guest_cases;
/** guest_case() - a finished plan by name; release with gb_done(). */
void guest_case(const char *name, struct gb *ret);

#endif
