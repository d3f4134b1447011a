// SPDX-License-Identifier: GPL-2.0-or-later
/* Memory: what each node has, whether it comes in large pages, how much of it can be pinned. */
#include <errno.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/audit_checks.h"

#define PAGE_1G (1ULL << 30)
#define PAGE_2M (2ULL << 20)

/* Default of vfio_iommu_type1 (drivers/vfio/vfio_iommu_type1.c, dma_entry_limit). */
#define DMA_ENTRIES 65535

static struct audit_finding *add_node(struct audit *a, const char *check,
				      enum audit_verdict verdict, const struct inv_node *n)
{
	char object[32];

	snprintf(object, sizeof(object), "node%d", n->id);
	return audit_add(a, check, verdict, object);
}

/* A node without memory (a socket with empty slots) or without CPUs (memory of a GPU or behind CXL) is
 * how some machines are, and no fault: the planner knows. */
static const char *memory_effect(const struct inv_node *n)
{
	if (!n->mem_total)
		return "it has no memory: guests are not placed here";
	if (cv_cpuset_is_empty(&n->cpus))
		return "it has no CPUs: guests on other nodes may take memory here when their spec "
		       "names it";
	return "guests can have memory near its cores";
}

static int check_node_memory(const struct inv_node *n, struct audit *a)
{
	struct audit_finding *f = add_node(a, "node-memory", AUDIT_PASS, n);

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/node/node%d/meminfo: %llu of %llu MiB free", n->id,
		       (unsigned long long)(n->mem_free >> 20),
		       (unsigned long long)(n->mem_total >> 20));
	audit_effect(f, "%s", memory_effect(n));
	return 0;
}

static uint64_t describe_pools(const struct inv_node *n, char *buf, size_t size)
{
	uint64_t free_pages = 0;
	char unit[CV_SIZE_MAX];
	size_t len = 0;

	snprintf(buf, size, "none");
	for (size_t i = 0; i < n->n_pools && len < size; i++) {
		const struct inv_pool *p = &n->pools[i];

		free_pages += p->free;
		len += (size_t)snprintf(buf + len, size - len, "%s%llu of %llu x %s free",
					len ? ", " : "", (unsigned long long)p->free,
					(unsigned long long)p->total,
					cv_format_size(p->page_size, unit));
	}
	return free_pages;
}

static bool is_for_guests(const struct inv_node *n)
{
	return n->mem_total && !cv_cpuset_is_empty(&n->cpus);
}

static int check_hugepages(const struct inv_node *n, struct audit *a)
{
	char pools[160];
	uint64_t free_pages = describe_pools(n, pools, sizeof(pools));
	bool is_good = free_pages || !is_for_guests(n);
	struct audit_finding *f = add_node(a, "hugepages", is_good ? AUDIT_PASS : AUDIT_WARN, n);

	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/devices/system/node/node%d/hugepages: %s", n->id, pools);
	if (is_good) {
		audit_effect(f, "%s",
			     free_pages ? "guests start with pages that are already there"
					: "no guest needs pages here");
		return 0;
	}
	audit_effect(f, "pages are reserved when a guest starts; fragmented memory may refuse, 1G "
			"pages above all");
	audit_fix(f, "reserve them at boot: hugepagesz=1G hugepages=%d:N, where N is at most %llu",
		  n->id, (unsigned long long)(n->mem_total / PAGE_1G));
	return 0;
}

/* Free memory that is not in blocks of 2 MiB has to be moved together before it makes huge pages, and
 * what cannot be moved never will (Documentation/admin-guide/mm/hugetlbpage.rst: reserve early). */
static int check_fragmentation(const struct inv_node *n, struct audit *a)
{
	bool is_good = n->free_blocks >= n->mem_free / 2;
	struct audit_finding *f;
	char path[64];

	if (n->free_blocks == INV_UNKNOWN || !is_for_guests(n))
		return 0;
	f = add_node(a, "fragmentation", is_good ? AUDIT_PASS : AUDIT_WARN, n);
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/proc/buddyinfo: %llu of %llu MiB free in blocks of 2 MiB or more",
		       (unsigned long long)(n->free_blocks >> 20),
		       (unsigned long long)(n->mem_free >> 20));
	audit_effect(f, "%llu pages of 2M are to be had at once%s",
		     (unsigned long long)(n->free_blocks / PAGE_2M),
		     is_good ? ""
			     : "; more only when the kernel moves pages: slow, and it may fail");
	if (is_good)
		return 0;
	snprintf(path, sizeof(path), "/sys/devices/system/node/node%d/compact", n->id);
	audit_set_change(f, AUDIT_WRITE, path, "", "1");
	audit_fix(f, "echo 1 > %s; for 1G pages boot with hugepagesz=1G hugepages=%d:N", path,
		  n->id);
	return 0;
}

static int check_nodes(const struct inventory *inv, struct audit *a)
{
	for (size_t i = 0; i < inv->n_nodes; i++) {
		int rc = check_hugepages(&inv->nodes[i], a);

		if (!rc)
			rc = check_node_memory(&inv->nodes[i], a);
		if (!rc && inv->host.noise.is_read)
			rc = check_fragmentation(&inv->nodes[i], a);
		if (rc)
			return rc;
	}
	return 0;
}

static int check_memlock(const struct inventory *inv, struct audit *a)
{
	uint64_t limit = inv->host.memlock_limit;
	char size[CV_SIZE_MAX];
	struct audit_finding *f;

	f = audit_add(a, "memlock", limit == UINT64_MAX ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	if (limit == UINT64_MAX) {
		audit_evidence(f, "RLIMIT_MEMLOCK: unlimited");
		audit_effect(f, "guests of any size can be pinned for DMA");
		return 0;
	}
	audit_evidence(f, "RLIMIT_MEMLOCK: %s", cv_format_size(limit, size));
	audit_effect(f, "carve run raises it for the VM where it is root; elsewhere larger guests "
			"cannot be pinned for DMA");
	audit_fix(f, "set memlock to unlimited in limits.conf or the unit of the job");
	return 0;
}

static int check_dma_entries(const struct inventory *inv, struct audit *a)
{
	int limit = inv->host.noise.dma_entry_limit;
	struct audit_finding *f;

	if (!inv->host.noise.is_read || limit < 0)
		return 0;
	f = audit_add(a, "dma-entries", limit >= DMA_ENTRIES ? AUDIT_PASS : AUDIT_WARN, "");
	if (!f)
		return -ENOMEM;
	audit_evidence(f, "/sys/module/vfio_iommu_type1/parameters/dma_entry_limit: %d", limit);
	if (f->verdict == AUDIT_PASS) {
		audit_effect(f, "so many ranges of a guest's memory can be mapped for its devices");
		return 0;
	}
	audit_effect(f, "a guest with an IOMMU of its own, or memory in many pieces, runs out of "
			"DMA mappings");
	audit_set_change(f, AUDIT_MODULE, "", "", "options vfio_iommu_type1 dma_entry_limit=%d",
			 DMA_ENTRIES);
	audit_fix_by_change(f);
	return 0;
}

int audit_memory(const struct inventory *inv, struct audit *a)
{
	int rc = check_nodes(inv, a);

	if (!rc)
		rc = check_memlock(inv, a);
	return rc ? rc : check_dma_entries(inv, a);
}
