// SPDX-License-Identifier: GPL-2.0-only
/* Addresses of the guest: segment and offset, linear, guest-physical; and the fetch of its code. */
#include "emul_parts.h"

#define PAGE 4096U

/* Attributes of a segment: AMD APM vol. 2, 4.7.1-4.7.3 */
#define SEG_READ_WRITE BIT(1) /* of code: may be read; of data: may be written */
#define SEG_EXPAND_DOWN BIT(2)
#define SEG_CODE BIT(3)
#define SEG_P BIT(7)
#define SEG_DB BIT(10)

int carve_emul_raise(struct emul_ctx *c, u8 vector)
{
	c->fault = (struct emul_fault){
		.vector = vector,
		.has_error = vector >= EMUL_SS && (c->paging.cr0 & WALK_CR0_PE),
	};
	return -EFAULT;
}

static int raise_page_fault(struct emul_ctx *c, u64 linear, u32 error)
{
	carve_emul_raise(c, EMUL_PAGE_FAULT);
	c->fault.error = error;
	c->fault.cr2 = linear;
	return -EFAULT;
}

static int raise_segment(struct emul_ctx *c, unsigned int seg)
{
	return carve_emul_raise(c, seg == EMUL_SEG_SS ? EMUL_SS : EMUL_GP);
}

/* AMD APM vol. 2, 4.12: in real and virtual-8086 mode the type means nothing. */
static bool is_type_allowed(const struct emul_ctx *c, const struct emul_seg *s, u32 access)
{
	if (c->mode == EMUL_REAL || c->mode == EMUL_VM86)
		return true;
	if (!(s->attrib & SEG_P))
		return false;
	if (access & WALK_FETCH)
		return true;
	if (access & WALK_WRITE)
		return !(s->attrib & SEG_CODE) && (s->attrib & SEG_READ_WRITE);
	return !(s->attrib & SEG_CODE) || (s->attrib & SEG_READ_WRITE);
}

/* AMD APM vol. 2, 4.12.2: below the limit a segment that expands down has nothing. */
static bool is_in_limit(const struct emul_ctx *c, const struct emul_seg *s, u64 first, u64 last)
{
	bool is_data = !(s->attrib & SEG_CODE) && c->mode != EMUL_REAL && c->mode != EMUL_VM86;

	if (is_data && (s->attrib & SEG_EXPAND_DOWN))
		return first > s->limit && last <= (s->attrib & SEG_DB ? 0xffffffff : 0xffff);
	return last <= s->limit;
}

static int long_linear(struct emul_ctx *c, unsigned int seg, u64 offset, unsigned int len,
		       u64 *ret_linear)
{
	u64 linear = offset + (seg >= EMUL_SEG_FS ? c->seg[seg].base : 0);

	if (!carve_walk_is_canonical(&c->paging, linear) ||
	    !carve_walk_is_canonical(&c->paging, linear + len - 1))
		return raise_segment(c, seg);
	*ret_linear = linear;
	return 0;
}

int carve_emul_linear(struct emul_ctx *c, unsigned int seg, u64 offset, unsigned int len,
		      u32 access, u64 *ret_linear)
{
	const struct emul_seg *s = &c->seg[seg];

	if (c->mode == EMUL_LONG)
		return long_linear(c, seg, offset, len, ret_linear);
	if (!is_type_allowed(c, s, access) || !is_in_limit(c, s, offset, offset + len - 1))
		return raise_segment(c, seg);
	*ret_linear = (s->base + offset) & 0xffffffff;
	return 0;
}

static int translate_page(struct emul_ctx *c, u64 linear, u32 access, struct walk_trace *ret)
{
	u32 error = 0;
	int r;

	if (c->cpl == 3)
		access |= WALK_USER;
	if (c->rflags & EMUL_AC)
		access |= WALK_AC;
	r = carve_walk_trace(&c->paging, linear, access, ret, &error);
	if (r == -EFAULT)
		return raise_page_fault(c, linear, error);
	if (r == -ERANGE)
		return carve_emul_raise(c, EMUL_GP);
	return r == -ENXIO ? -EOPNOTSUPP : r;
}

/*
 * The CPU names one address. With two memory operands it may be that of either, and both may lie at
 * the same place of their pages.
 */
static bool is_cause(const struct emul_ctx *c, const struct emul_operand *o)
{
	bool is_only = c->dst.kind != KIND_MEMORY || c->src.kind != KIND_MEMORY;

	return c->cause.has_gpa && is_only && o->first == o->len &&
	       (!o->is_write || c->cause.is_write) && (c->cause.gpa ^ o->linear) % PAGE == 0;
}

int carve_emul_translate(struct emul_ctx *c, struct emul_operand *o)
{
	u64 room = PAGE - o->linear % PAGE, second;
	u32 access = o->is_write ? WALK_WRITE : 0;
	struct walk_trace t;
	int r;

	o->first = o->len < room ? o->len : (u8)room;
	if (is_cause(c, o)) {
		o->gpa[0] = c->cause.gpa;
		return 0;
	}
	r = translate_page(c, o->linear, access, &t);
	if (r < 0)
		return r;
	o->gpa[0] = t.gpa;
	if (o->first == o->len)
		return 0;
	second = o->linear + o->first;
	r = translate_page(c, c->mode == EMUL_LONG ? second : second & 0xffffffff, access, &t);
	o->gpa[1] = t.gpa;
	return r;
}

/*
 * Bytes of code that can be had from @linear on: to the end of the page, of the segment, of an
 * instruction
 */
static unsigned int fetch_size(const struct emul_ctx *c, u64 linear, u64 offset)
{
	u64 n = EMUL_INSN_MAX - c->insn.fetched, room = PAGE - linear % PAGE;
	u64 limit = c->seg[EMUL_SEG_CS].limit;

	if (n > room)
		n = room;
	if (c->mode != EMUL_LONG && n > limit - offset + 1)
		n = limit - offset + 1;
	return (unsigned int)n;
}

int carve_emul_fetch(struct emul_ctx *c)
{
	struct emul_insn *i = &c->insn;
	struct walk_trace unkept,
		*t = i->fetched == 0 && c->memo ? &carve_emul_memo(c)->code : &unkept;
	u64 offset = c->rip + i->fetched, linear = 0;
	unsigned int n;
	int r;

	if (i->fetched == EMUL_INSN_MAX)
		return carve_emul_raise(c, EMUL_GP);
	r = carve_emul_linear(c, EMUL_SEG_CS, offset, 1, WALK_FETCH, &linear);
	if (r < 0)
		return r;
	r = translate_page(c, linear, WALK_FETCH, t);
	if (r < 0)
		return r;
	n = fetch_size(c, linear, offset);
	if (c->paging.ops->read(c->paging.vm, t->gpa, i->bytes + i->fetched, n))
		return -EOPNOTSUPP;
	i->fetched += (u8)n;
	return 0;
}
