/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inventories and specs made in memory, for tests of the planner and of what follows it. */
#ifndef CARVE_TESTS_INVENTORY_BUILDER_H
#define CARVE_TESTS_INVENTORY_BUILDER_H

#include "plan/inventory.h"
#include "plan/plan.h"
#include "plan/spec.h"

#define IB_2M (2ULL << 20)
#define IB_1G (1ULL << 30)

/* Devices of ib_emulated(). */
#define IB_EDU_ROOT "0000:00:04.0"   /* on the root bus: node -1, no reset method */
#define IB_PORT "0000:20:00.0"	     /* a root port */
#define IB_IGB0 "0000:21:00.0"	     /* PF with 7 VFs, node 0 */
#define IB_IGB1 "0000:81:00.0"	     /* PF with 7 VFs, node 1 */
#define IB_NVME "0000:82:00.0"	     /* PF with 4 VFs, node 1 */
#define IB_EDU "0000:83:00.0"	     /* behind its own port, node 1 */
#define IB_SW_NVME "0000:86:00.0"    /* behind a switch without ACS, node 1, PF with 4 VFs */
#define IB_SW_IVSHMEM "0000:87:00.0" /* the same group */

/** ib_emulated() - 2 packages x 4 cores, 2 nodes at distance 21, 256 x 2M and 2 x 1G pages each. */
void ib_emulated(struct inventory *inv, bool is_smt);
/** ib_epyc() - one package, NPS4: 4 nodes x 2 L3s x 4 cores x 2 threads; GPU and NIC on nodes 1, 3. */
void ib_epyc(struct inventory *inv);
/** ib_cpuless() - ib_emulated() with a third node that has memory only. */
void ib_cpuless(struct inventory *inv);

/** ib_large() - 2 packages, 16 nodes x 16 cores x 2 threads, 32 GPUs, 16 NICs with VFs: 1,072 functions. */
void ib_large(struct inventory *inv);

/** ib_machine() - @nodes of @cores cores each, one L3 for four of them, @threads; no devices yet. */
void ib_machine(struct inventory *inv, int nodes, int cores, int threads);
/** ib_add_function(), ib_add_port() - in the order of addresses; @parent NULL: on a root bus. */
struct inv_dev *ib_add_function(struct inventory *inv, const char *bdf, const char *parent,
				int node, int group, uint32_t class);
struct inv_dev *ib_add_port(struct inventory *inv, const char *bdf, const char *parent, int node,
			    int group, enum inv_port port);
/** ib_add_core() - one more core on a node. */
void ib_add_core(struct inventory *inv, int node, int threads);
/** ib_add_node() - one more node with memory, at distance @far from all others. */
void ib_add_node(struct inventory *inv, uint64_t obtainable, int far);

struct cv_bdf ib_bdf(const char *text);
/** ib_dev() - the device at an address; valid until devices are added. */
struct inv_dev *ib_dev(struct inventory *inv, const char *bdf);
/** ib_make_vfs() - as if @num were written to sriov_numvfs of a PF. */
void ib_make_vfs(struct inventory *inv, const char *pf, unsigned int num, const char *driver);
/** ib_lease() - a new lease, to be filled by the caller; valid until the next one. */
struct cv_lease *ib_lease(struct inventory *inv, const char *name, const char *user,
			  const char *job);
void ib_lease_device(struct cv_lease *l, const char *bdf);
void ib_lease_pages(struct cv_lease *l, int node, uint64_t page_size, uint64_t pages);

/** ib_spec() - release with spec_done(). */
struct spec ib_spec(const char *name, unsigned int cpus, uint64_t memory, uint64_t page_size);
/** ib_device() - a device entry "devN" of a spec; valid until the next one. */
struct spec_device *ib_device(struct spec *s, enum spec_select select);
/** ib_want_disk() - a disk of a spec; valid until the next one. */
struct spec_disk *ib_want_disk(struct spec *s, const char *path);
/** ib_want_net() - a network "netN" of a spec; valid until the next one. */
struct spec_net *ib_want_net(struct spec *s, enum spec_net_kind kind, const char *to);
/** ib_want_share() - a share of a spec; valid until the next one. */
struct spec_share *ib_want_share(struct spec *s, const char *path, const char *tag);
/* The usual ones: */
struct spec_device *ib_want_bdf(struct spec *s, const char *bdf);
struct spec_device *ib_want_class(struct spec *s, const char *class);
struct spec_device *ib_want_vf(struct spec *s, const char *pf);
struct spec_device *ib_want_vf_class(struct spec *s, const char *class);

/** ib_site() - the default with a kernel to boot; release with site_done(). */
struct site ib_site(void);

#endif
