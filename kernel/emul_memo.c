// SPDX-License-Identifier: GPL-2.0-only
/*
 * Instructions that were met before. A driver touches its device from few places; without decode
 * assists the walk to the code and its decoding are most of what such an exit costs. Nothing is
 * taken on trust: the page tables and the bytes are read again, and what follows from them is not
 * worked out a second time.
 */
#include "emul_parts.h"

#define PAGE 4096U

struct emul_memo *carve_emul_memo(const struct emul_ctx *c)
{
	return &c->memo[(c->rip ^ c->rip >> 4) % EMUL_MEMOS];
}

static bool is_same_cpu(const struct emul_memo *m, const struct emul_ctx *c)
{
	const struct walk_paging *p = &c->paging;

	return m->rip == c->rip && m->cpl == c->cpl && m->cr3 == p->cr3 && m->cr0 == p->cr0 &&
	       m->cr4 == p->cr4 && m->efer == p->efer;
}

bool carve_emul_recall(struct emul_ctx *c)
{
	const struct walk_paging *p = &c->paging;
	u64 now[2] = { 0, 0 };
	struct emul_memo *m;

	if (!c->memo || c->mode != EMUL_LONG || c->insn.fetched)
		return false;
	m = carve_emul_memo(c);
	if (!m->is_valid || !is_same_cpu(m, c) || !carve_walk_is_same(p, &m->code))
		return false;
	if (p->ops->read(p->vm, m->code.gpa, now, m->insn.len) || now[0] != m->bytes[0] ||
	    now[1] != m->bytes[1])
		return false;
	c->insn = m->insn;
	return true;
}

void carve_emul_forget(struct emul_ctx *c)
{
	if (c->memo)
		carve_emul_memo(c)->is_valid = false;
}

void carve_emul_remember(struct emul_ctx *c)
{
	const struct walk_paging *p = &c->paging;
	struct emul_memo *m;

	if (!c->memo || c->mode != EMUL_LONG || c->is_given || c->rip % PAGE + c->insn.len > PAGE)
		return;
	m = carve_emul_memo(c);
	m->rip = c->rip;
	m->cr0 = p->cr0;
	m->cr3 = p->cr3;
	m->cr4 = p->cr4;
	m->efer = p->efer;
	m->cpl = c->cpl;
	m->bytes[0] = m->bytes[1] = 0;
	memcpy(m->bytes, c->insn.bytes, c->insn.len);
	m->insn = c->insn;
	m->is_valid = true;
}
