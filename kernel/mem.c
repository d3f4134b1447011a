// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory: user memory that is pinned when a slot is made, and let go when the slot is. A
 * guest never gives memory back, so nothing is followed (no MMU notifier): what the user unmaps
 * stays with the guest until its slot goes.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "carve.h"

#define PIN_BATCH 512

/* Appends a page to the runs; most follow the one before. */
static int append_page(struct carve_pin *pin, u64 pfn)
{
	struct carve_run *last = pin->runs + pin->run_count - 1;
	struct carve_run *grown;

	if (pin->run_count && last->pfn + last->count == pfn) {
		last->count++;
		return 0;
	}
	if (pin->run_count == pin->run_room) {
		size_t room = pin->run_room ? 2 * (size_t)pin->run_room : 64;

		grown = kvmalloc_array(room, sizeof(*grown), GFP_KERNEL_ACCOUNT | __GFP_NOWARN);
		if (!grown)
			return -ENOMEM;
		memcpy(grown, pin->runs, pin->run_count * sizeof(*grown));
		kvfree(pin->runs);
		pin->runs = grown;
		pin->run_room = room;
	}
	pin->runs[pin->run_count++] = (struct carve_run){ .first = pin->pages,
							  .pfn = pfn,
							  .count = 1 };
	return 0;
}

/* Takes over what one pin_user_pages_fast() got. */
static int append_batch(struct carve_pin *pin, struct page **pages, int count)
{
	int i, ret;

	for (i = 0; i < count; i++) {
		ret = append_page(pin, page_to_pfn(pages[i]));
		if (ret) {
			unpin_user_pages(pages + i, count - i);
			return ret;
		}
		pin->pages++;
	}
	return 0;
}

/* Pins up to @pages more; a fatal signal ends it. */
static int pin_range(struct carve_pin *pin, unsigned long hva, u64 pages, struct page **batch)
{
	unsigned int flags = FOLL_LONGTERM | (pin->writable ? FOLL_WRITE : 0);
	int got, ret;

	while (pin->pages < pages) {
		got = pin_user_pages_fast(hva + (pin->pages << PAGE_SHIFT),
					  min_t(u64, pages - pin->pages, PIN_BATCH), flags, batch);
		if (got <= 0)
			return got ?: -EFAULT;
		ret = append_batch(pin, batch, got);
		if (ret)
			return ret;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

static void unpin_all(struct carve_pin *pin)
{
	unsigned int i;

	for (i = 0; i < pin->run_count; i++) {
		unpin_user_page_range_dirty_lock(pfn_to_page(pin->runs[i].pfn), pin->runs[i].count,
						 pin->writable);
		cond_resched();
	}
	pin->run_count = 0;
	pin->pages = 0;
}

/*
 * Memory of a read-only slot may itself be read-only. Where it is not, it is pinned for writing all
 * the same, so that what the user writes later reaches the very page the guest reads.
 */
static int pin_all(struct carve_pin *pin, unsigned long hva, u64 pages, bool read_only)
{
	struct page **batch = kmalloc_array(PIN_BATCH, sizeof(*batch), GFP_KERNEL);
	int ret;

	if (!batch)
		return -ENOMEM;
	pin->writable = true;
	ret = pin_range(pin, hva, pages, batch);
	if (ret == -EFAULT && read_only) {
		unpin_all(pin);
		pin->writable = false;
		ret = pin_range(pin, hva, pages, batch);
	}
	kfree(batch);
	return ret;
}

/**
 * carve_pin_new() - pins a range of the caller's memory
 * @hva: where it begins, page aligned
 * @pages: how many pages
 * @read_only: the guest will only read it, so that it may be mapped read-only
 *
 * Charged to RLIMIT_MEMLOCK of the caller, as what VFIO pins.
 *
 * Return: the pin, to be freed with carve_pin_free(); -ENOMEM beyond the limit or without memory,
 * -EFAULT where nothing is mapped (or a device is), -EINTR.
 * Context: process, of the owner of the memory; sleeps.
 */
struct carve_pin *carve_pin_new(unsigned long hva, u64 pages, bool read_only)
{
	struct carve_pin *pin = kzalloc(sizeof(*pin), GFP_KERNEL_ACCOUNT);
	int ret;

	if (!pin)
		return ERR_PTR(-ENOMEM);
	ret = account_locked_vm(current->mm, pages, true);
	if (ret)
		goto free_pin;
	ret = pin_all(pin, hva, pages, read_only);
	if (ret)
		goto uncharge;
	pin->mm = current->mm;
	mmgrab(pin->mm);
	return pin;

uncharge:
	unpin_all(pin);
	kvfree(pin->runs);
	account_locked_vm(current->mm, pages, false);
free_pin:
	kfree(pin);
	return ERR_PTR(ret);
}

/**
 * carve_pin_free() - lets pinned memory go
 * @pin: consumed; NULL is nothing
 *
 * Context: process; sleeps. No vCPU can reach the pages any more.
 */
void carve_pin_free(struct carve_pin *pin)
{
	u64 pages;

	if (!pin)
		return;
	pages = pin->pages;
	unpin_all(pin);
	kvfree(pin->runs);
	account_locked_vm(pin->mm, pages, false);
	mmdrop(pin->mm);
	kfree(pin);
}
