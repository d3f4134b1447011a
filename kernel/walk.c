// SPDX-License-Identifier: GPL-2.0-only
#include "walk.h"

#define PTE_P BIT(0)
#define PTE_W BIT(1)
#define PTE_U BIT(2)
#define PTE_A BIT(5)
#define PTE_D BIT(6)
#define PTE_PS BIT(7)
#define PTE_G BIT(8)
#define PTE_KEY_SHIFT 59
#define PTE_NX (1ULL << 63)

#define RESTARTS_MAX 8

enum mode { MODE_32, MODE_PAE, MODE_LONG };

/**
 * struct walk - one way down
 * @rights: PTE_W and PTE_U where all levels allow, PTE_NX where one forbids
 * @reserved: bits that no entry may have, @address: those that say where the next table is
 * @level: of the entry looked at; that of the leaf in the end
 * @large: levels whose entries may be leaves with PTE_PS, one bit each
 * @step: bits of the address per level, @shift: those below @level
 * @is_fresh: some entry has not been marked as used
 * @t: the entries
 */
struct walk {
	const struct walk_paging *p;
	enum mode mode;
	u64 linear;
	u32 access;
	bool is_fresh;
	u64 rights, reserved, address;
	unsigned int level, levels, large, step, shift, entry_size;
	struct walk_trace *t;
};

/* Ones from bit @low to bit @high; nothing if they cross. */
static u64 bits(unsigned int high, unsigned int low)
{
	return low > high ? 0 : (~0ULL >> (63 - high)) & (~0ULL << low);
}

static unsigned int phys_bits(const struct walk_paging *p)
{
	return p->phys_bits < 32 ? 32 : p->phys_bits > 52 ? 52 : p->phys_bits;
}

bool carve_walk_is_canonical(const struct walk_paging *p, u64 linear)
{
	unsigned int unused = p->cr4 & WALK_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(linear << unused) >> unused) == linear;
}

static void choose_long(struct walk *w)
{
	w->mode = MODE_LONG;
	w->levels = w->p->cr4 & WALK_CR4_LA57 ? 5 : 4;
	w->large = w->p->has_1g ? BIT(2) | BIT(3) : BIT(2);
}

static void choose_legacy(struct walk *w)
{
	w->mode = w->p->cr4 & WALK_CR4_PAE ? MODE_PAE : MODE_32;
	w->levels = w->mode == MODE_PAE ? 3 : 2;
	w->large = w->mode == MODE_PAE || (w->p->cr4 & WALK_CR4_PSE) ? BIT(2) : 0;
	w->linear &= 0xffffffff;
}

/* AMD APM vol. 2, figures of 5.2.3 (PAE) and 5.3.3-5.3.5 (long mode) */
static void choose_bits(struct walk *w)
{
	unsigned int width = phys_bits(w->p);

	w->step = w->mode == MODE_32 ? 10 : 9;
	w->entry_size = w->mode == MODE_32 ? 4 : 8;
	w->address = bits(w->mode == MODE_32 ? 31 : width - 1, 12);
	w->reserved = 0;
	if (w->mode == MODE_32)
		return;
	w->reserved = bits(w->mode == MODE_PAE ? 62 : 51, width);
	if (w->mode == MODE_PAE)
		w->reserved |= bits(62, 52);
	if (!(w->p->efer & WALK_EFER_NXE))
		w->reserved |= PTE_NX;
}

static u64 root_of(const struct walk *w)
{
	return w->p->cr3 & (w->mode == MODE_PAE ? bits(31, 5) : w->address);
}

static bool is_leaf(const struct walk *w, u64 entry)
{
	return w->level == 1 || ((entry & PTE_PS) && (w->large & BIT(w->level)));
}

/* Directory entries of 4M keep bits 39:32 of the page in 20:13: AMD APM vol. 2, 5.2.2. */
static u64 reserved_of_4m(const struct walk *w)
{
	unsigned int extra = phys_bits(w->p) - 32;

	return BIT(21) | (extra < 8 ? bits(20, 13 + extra) : 0);
}

/* The directory pointers of PAE are entries of their own kind: AMD APM vol. 2, figure 5-10. */
static bool is_pae_pointer(const struct walk *w, unsigned int level)
{
	return level == 3 && w->mode == MODE_PAE;
}

static u64 reserved_of(const struct walk *w, bool leaf)
{
	if (w->level == 1)
		return w->reserved;
	if (w->mode == MODE_32)
		return leaf ? reserved_of_4m(w) : 0;
	if (is_pae_pointer(w, w->level))
		return w->reserved | PTE_NX | bits(8, 5) | bits(2, 1);
	if (leaf)
		return w->reserved | (((1ULL << w->shift) - 1) & ~0x1fffULL);
	return w->level >= 3 ? w->reserved | PTE_PS | PTE_G : w->reserved;
}

static void narrow_rights(struct walk *w, u64 entry)
{
	if (is_pae_pointer(w, w->level))
		return;
	if (!(entry & PTE_A))
		w->is_fresh = true;
	w->rights &= entry | ~(PTE_W | PTE_U);
	if (w->mode != MODE_32)
		w->rights |= entry & PTE_NX;
}

static int page_fault(const struct walk *w, u32 why, u32 *ret_error)
{
	bool tells_fetch = (w->p->cr4 & WALK_CR4_SMEP) ||
			   (w->mode != MODE_32 && (w->p->efer & WALK_EFER_NXE));
	u32 told = WALK_WRITE | WALK_USER | (tells_fetch ? WALK_FETCH : 0);

	*ret_error = why | (w->access & told);
	return -EFAULT;
}

static int read_entry(struct walk *w, u64 table)
{
	u64 index = (w->linear >> w->shift) & ((1U << w->step) - 1);
	u64 at = table + index * w->entry_size, *entry = &w->t->entry[w->level - 1];

	*entry = 0; /* the CPU has the lowest byte first: 4 bytes fill the lower half */
	w->t->at[w->level - 1] = at;
	return w->p->ops->read(w->p->vm, at, entry, w->entry_size) ? -ENXIO : 0;
}

/* Down to the leaf, which stays in w->t->entry[w->level - 1]. */
static int descend(struct walk *w, u32 *ret_error)
{
	u64 table = root_of(w), entry;
	bool leaf;

	w->shift = 12 + w->step * (w->levels - 1);
	for (w->level = w->levels;; w->level--, w->shift -= w->step) {
		if (read_entry(w, table) < 0)
			return -ENXIO;
		entry = w->t->entry[w->level - 1];
		if (!(entry & PTE_P))
			return page_fault(w, 0, ret_error);
		leaf = is_leaf(w, entry);
		if (entry & reserved_of(w, leaf))
			return page_fault(w, WALK_PF_P | WALK_PF_RSV, ret_error);
		narrow_rights(w, entry);
		if (leaf)
			return 0;
		table = entry & w->address;
	}
}

/* User pages a supervisor may not use: SMEP and SMAP, AMD APM vol. 2, 5.6.5 and 5.6.6 */
static bool may_supervisor(const struct walk *w)
{
	bool user_page = w->rights & PTE_U;

	if ((w->access & WALK_WRITE) && !(w->rights & PTE_W) && (w->p->cr0 & WALK_CR0_WP))
		return false;
	if (w->access & WALK_FETCH)
		return !(user_page && (w->p->cr4 & WALK_CR4_SMEP));
	return !(user_page && (w->p->cr4 & WALK_CR4_SMAP) && !(w->access & WALK_AC));
}

static bool is_allowed(const struct walk *w)
{
	if ((w->access & WALK_FETCH) && (w->rights & PTE_NX))
		return false;
	if (!(w->access & WALK_USER))
		return may_supervisor(w);
	return (w->rights & PTE_U) && (!(w->access & WALK_WRITE) || (w->rights & PTE_W));
}

/* Protection keys: data accesses to user pages in long mode, AMD APM vol. 2, 5.6.7 */
static bool is_allowed_by_key(const struct walk *w)
{
	bool write_counts = (w->access & WALK_USER) || (w->p->cr0 & WALK_CR0_WP);
	u32 rights;

	if (w->mode != MODE_LONG || !(w->p->cr4 & WALK_CR4_PKE))
		return true;
	if (!(w->rights & PTE_U) || (w->access & WALK_FETCH))
		return true;
	rights = w->p->pkru >> (2 * ((w->t->entry[w->level - 1] >> PTE_KEY_SHIFT) & 15));
	return !(rights & 1) && !((rights & 2) && (w->access & WALK_WRITE) && write_counts);
}

/*
 * Entries in memory that cannot be written (a ROM) stay as they are.
 * Return: 0, or -EAGAIN where an entry is no longer what was judged.
 */
static int mark_used(const struct walk *w)
{
	for (unsigned int level = w->levels; level >= w->level; level--) {
		u64 old = w->t->entry[level - 1], marked = old | PTE_A;

		if (is_pae_pointer(w, level))
			continue;
		if (level == w->level && (w->access & WALK_WRITE))
			marked |= PTE_D;
		if (marked != old && w->p->ops->cmpxchg(w->p->vm, w->t->at[level - 1], old, marked,
							w->entry_size) == -EAGAIN)
			return -EAGAIN;
	}
	return 0;
}

static bool is_to_mark(const struct walk *w)
{
	bool is_clean = !(w->t->entry[w->level - 1] & PTE_D);

	return !(w->access & WALK_PEEK) && (w->is_fresh || (is_clean && (w->access & WALK_WRITE)));
}

static u64 page_of(const struct walk *w)
{
	u64 entry = w->t->entry[w->level - 1];

	if (w->mode != MODE_32 || w->level == 1)
		return entry & w->address & ~((1ULL << w->shift) - 1);
	return (entry & bits(31, 22)) | (entry & bits(20, 13)) << (32 - 13);
}

static int walk_once(struct walk *w, u32 *ret_error)
{
	int r;

	w->rights = PTE_W | PTE_U;
	w->is_fresh = false;
	r = descend(w, ret_error);
	if (r < 0)
		return r;
	if (!is_allowed(w))
		return page_fault(w, WALK_PF_P, ret_error);
	if (!is_allowed_by_key(w))
		return page_fault(w, WALK_PF_P | WALK_PF_PK, ret_error);
	if (is_to_mark(w) && mark_used(w) < 0)
		return -EAGAIN;
	w->t->gpa = page_of(w) | (w->linear & ((1ULL << w->shift) - 1));
	return 0;
}

int carve_walk_trace(const struct walk_paging *p, u64 linear, u32 access, struct walk_trace *ret,
		     u32 *ret_error)
{
	struct walk w;
	int r = -EAGAIN;

	w.p = p;
	w.linear = linear;
	w.access = access;
	w.t = ret;
	if (p->efer & WALK_EFER_LMA)
		choose_long(&w);
	else
		choose_legacy(&w);
	if (w.mode == MODE_LONG && !carve_walk_is_canonical(p, linear))
		return -ERANGE;
	ret->levels = 0;
	ret->leaf = 1;
	ret->gpa = w.linear;
	if (!(p->cr0 & WALK_CR0_PG))
		return 0;
	choose_bits(&w);
	for (unsigned int i = 0; i < RESTARTS_MAX && r == -EAGAIN; i++)
		r = walk_once(&w, ret_error);
	ret->leaf = (u8)w.level;
	ret->levels = (u8)w.levels;
	ret->entry_size = (u8)w.entry_size;
	return r;
}

int carve_walk(const struct walk_paging *p, u64 linear, u32 access, u64 *ret_gpa, u32 *ret_error)
{
	struct walk_trace t;
	int r = carve_walk_trace(p, linear, access, &t, ret_error);

	if (r == 0)
		*ret_gpa = t.gpa;
	return r;
}

bool carve_walk_is_same(const struct walk_paging *p, const struct walk_trace *t)
{
	for (unsigned int level = t->leaf; level <= t->levels; level++) {
		u64 entry = 0;

		if (p->ops->read(p->vm, t->at[level - 1], &entry, t->entry_size) ||
		    entry != t->entry[level - 1])
			return false;
	}
	return true;
}
