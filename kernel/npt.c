// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nested page tables, AMD APM vol. 2, 15.25: built when a slot is made, with the largest pages that
 * guest address and memory allow, and never changed while the slot lives. The Accessed and Dirty
 * bits are set from the start, so that the CPU never writes to a table.
 */
#include <linux/bitops.h>
#include <linux/gfp.h>
#include <linux/mem_encrypt.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <asm/cpufeature.h>
#include <asm/processor.h>

#include "carve.h"

#define LEVELS 4
#define ENTRIES 512
#define NPT_PRESENT BIT_ULL(0)
#define NPT_WRITE BIT_ULL(1)
#define NPT_USER BIT_ULL(2) /* a nested walk is a user access: 15.25.5 */
#define NPT_SEEN (BIT_ULL(5) | BIT_ULL(6))
#define NPT_LARGE BIT_ULL(7)
#define NPT_ADDRESS GENMASK_ULL(51, 12)
#define NPT_TABLE (NPT_PRESENT | NPT_WRITE | NPT_USER | BIT_ULL(5))

/* Level 0 holds entries of 4 KiB, 1 of 2 MiB, 2 of 1 GiB. */
static u64 level_pages(unsigned int level)
{
	return 1ULL << (9 * level);
}

static unsigned int index_at(u64 gfn, unsigned int level)
{
	return (gfn >> (9 * level)) % ENTRIES;
}

static u64 *table_of(u64 entry)
{
	return __va(__sme_clr(entry) & NPT_ADDRESS);
}

static bool is_table(u64 entry, unsigned int level)
{
	return level && (entry & NPT_PRESENT) && !(entry & NPT_LARGE);
}

static u64 *table_new(const struct carve_npt *npt)
{
	struct page *page = alloc_pages_node(npt->node, GFP_KERNEL_ACCOUNT | __GFP_ZERO, 0);

	return page ? page_address(page) : NULL;
}

/**
 * carve_npt_max() - the guest addresses that tables can map
 *
 * Return: the first address beyond; bounded by the CPU and by four levels.
 */
u64 carve_npt_max(void)
{
	return 1ULL << min_t(unsigned int, boot_cpu_data.x86_phys_bits, 48);
}

static unsigned int largest_leaf(void)
{
	return boot_cpu_has(X86_FEATURE_GBPAGES) ? 2 : 1;
}

/* The level of the largest page that begins at both numbers and ends within @count pages. */
static unsigned int leaf_level(u64 gfn, u64 pfn, u64 count)
{
	unsigned int level = largest_leaf();

	while (level && (((gfn | pfn) & (level_pages(level) - 1)) || count < level_pages(level)))
		level--;
	return level;
}

/*
 * The entry of @gfn at @level, with the tables above it made. Where a smaller page lies already in
 * the way of a large one, the table that holds it is used: *level says where the entry is.
 */
static u64 *entry_make(struct carve_npt *npt, u64 gfn, unsigned int *level)
{
	u64 *table = npt->root, *child;
	unsigned int at;

	for (at = LEVELS - 1;; at--) {
		u64 *entry = &table[index_at(gfn, at)];

		if (at == *level && !is_table(*entry, at))
			return entry;
		if (!(*entry & NPT_PRESENT)) {
			child = table_new(npt);
			if (!child)
				return NULL;
			/* The walker of another CPU sees the table only with its zeroes. */
			smp_store_release(entry, __sme_set(__pa(child)) | NPT_TABLE);
		}
		table = table_of(*entry);
		if (at == *level)
			(*level)--;
	}
}

static int map_run(struct carve_npt *npt, u64 gfn, const struct carve_run *run, bool writable)
{
	u64 flags = NPT_PRESENT | NPT_USER | NPT_SEEN | (writable ? NPT_WRITE : 0);
	u64 done = 0, *entry;
	unsigned int level;

	while (done < run->count) {
		level = leaf_level(gfn + done, run->pfn + done, run->count - done);
		entry = entry_make(npt, gfn + done, &level);
		if (!entry)
			return -ENOMEM;
		WRITE_ONCE(*entry, __sme_set((run->pfn + done) << PAGE_SHIFT) | flags |
					   (level ? NPT_LARGE : 0));
		done += level_pages(level);
		cond_resched();
	}
	return 0;
}

/**
 * carve_npt_map() - maps a slot
 * @npt: the tables
 * @gpa: where the slot begins for the guest; nothing is mapped there
 * @pin: its memory, borrowed until carve_npt_unmap()
 * @writable: the guest may write
 *
 * Return: 0, -ENOMEM: some of it may be mapped then, and is to be unmapped.
 * Context: vm->lock; sleeps. vCPUs may run: they see the slot appear.
 */
int carve_npt_map(struct carve_npt *npt, u64 gpa, const struct carve_pin *pin, bool writable)
{
	unsigned int i;
	int ret;

	for (i = 0; i < pin->run_count; i++) {
		ret = map_run(npt, (gpa >> PAGE_SHIFT) + pin->runs[i].first, &pin->runs[i],
			      writable);
		if (ret)
			return ret;
	}
	return 0;
}

static bool is_empty(const u64 *table)
{
	return !memchr_inv(table, 0, PAGE_SIZE);
}

/* Clears [@from, @to), page numbers, in a table whose first entry maps page @base. */
static void unmap_table(u64 *table, unsigned int level, u64 base, u64 from, u64 to,
			struct list_head *unused)
{
	u64 step = level_pages(level);
	unsigned int i = from > base ? (from - base) / step : 0;

	for (; i < ENTRIES && base + i * step < to; i++) {
		u64 entry = table[i];

		if (is_table(entry, level)) {
			unmap_table(table_of(entry), level - 1, base + i * step, from, to, unused);
			if (!is_empty(table_of(entry)))
				continue;
			list_add(&virt_to_page(table_of(entry))->lru, unused);
		}
		WRITE_ONCE(table[i], 0);
	}
	cond_resched();
}

/**
 * carve_npt_unmap() - takes a slot out of the tables
 * @npt: the tables
 * @gpa: where the slot begins
 * @bytes: its size
 * @unused: takes the tables that are empty now; carve_npt_free() frees them once every TLB is
 * flushed
 *
 * Context: vm->lock; sleeps. vCPUs may run, and use what their TLB holds until it is flushed.
 */
void carve_npt_unmap(struct carve_npt *npt, u64 gpa, u64 bytes, struct list_head *unused)
{
	unmap_table(npt->root, LEVELS - 1, 0, gpa >> PAGE_SHIFT, (gpa + bytes) >> PAGE_SHIFT,
		    unused);
}

/**
 * carve_npt_free() - frees tables that nothing refers to
 * @unused: emptied
 */
void carve_npt_free(struct list_head *unused)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, unused, lru)
	{
		list_del(&page->lru);
		__free_page(page);
	}
}

/**
 * carve_npt_init() - tables that map nothing, on the NUMA node of the caller
 * @npt: the tables
 *
 * Return: 0, -ENOMEM.
 */
int carve_npt_init(struct carve_npt *npt)
{
	npt->node = numa_mem_id();
	npt->root = table_new(npt);
	return npt->root ? 0 : -ENOMEM;
}

/**
 * carve_npt_done() - frees the tables
 * @npt: the tables
 *
 * Context: no vCPU can run; every slot is unmapped.
 */
void carve_npt_done(struct carve_npt *npt)
{
	LIST_HEAD(unused);

	carve_npt_unmap(npt, 0, 1ULL << 48, &unused);
	carve_npt_free(&unused);
	free_page((unsigned long)npt->root);
}
