// SPDX-License-Identifier: GPL-2.0-or-later
#include "vmm/core/memory.h"

#include <errno.h>
#include <linux/memfd.h>
#include <linux/mempolicy.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vmm/core/map.h"

#define GIB (1ULL << 30)
#define NODE_BITS (8 * sizeof(unsigned long))
#define HOST_NODES_MAX 1024

/* ---- one memfd for each guest node ---- */

static int fail_pages(const struct plan_node *n, size_t node, int r, struct cv_error *err)
{
	char page[CV_SIZE_MAX], object[32];

	snprintf(object, sizeof(object), "guest node %zu", node);
	cv_fail_errno(err, r, object, "the pages for its memory cannot be had");
	cv_error_wanted(err, "%llu pages of %s on host node %d", (unsigned long long)n->pages,
			cv_format_size(n->page_size, page), n->host_node);
	return r;
}

/* Huge pages, but for the size that every file has. */
static unsigned int page_flags(uint64_t page_size)
{
	if (page_size == (uint64_t)sysconf(_SC_PAGESIZE))
		return 0;
	return MFD_HUGETLB | (unsigned int)__builtin_ctzll(page_size) << MFD_HUGE_SHIFT;
}

static int make_file(const struct plan_node *n, size_t node)
{
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "guest-node%zu", node);
	fd = memfd_create(name, MFD_CLOEXEC | page_flags(n->page_size));
	if (fd < 0)
		return -errno;
	if (ftruncate(fd, (off_t)n->memory) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

/* The call itself: libnuma would read all nodes of the host before main() begins. */
static int bind_to(void *at, uint64_t size, int host_node)
{
	unsigned long mask[HOST_NODES_MAX / NODE_BITS] = { 0 };

	if (host_node < 0 || host_node >= HOST_NODES_MAX)
		return -EINVAL;
	mask[(size_t)host_node / NODE_BITS] = 1UL << ((size_t)host_node % NODE_BITS);
	/* the kernel looks at one bit less than it is told */
	return syscall(SYS_mbind, at, size, MPOL_BIND, mask, HOST_NODES_MAX + 1, 0) < 0 ? -errno
											: 0;
}

static int make_node(const struct plan *p, size_t i, struct vmm_memory *m, struct cv_error *err)
{
	const struct plan_node *n = &p->nodes[i];
	_cleanup_close_ int fd = -1;
	void *at;
	int r;

	if (n->page_size == 0 || n->page_size & (n->page_size - 1) || n->memory == 0)
		return fail_pages(n, i, -EINVAL, err);
	fd = make_file(n, i);
	if (fd < 0)
		return fail_pages(n, i, fd, err);
	at = vmm_map_aligned(fd, 0, n->memory, GIB, 0);
	if (at == MAP_FAILED)
		return fail_pages(n, i, -errno, err);
	r = bind_to(at, n->memory, n->host_node);
	if (r < 0) {
		munmap(at, n->memory);
		return cv_fail_errno(err, r, "mbind", "memory cannot be bound to host node %d",
				     n->host_node);
	}
	m->maps[i] = at;
	m->sizes[i] = n->memory;
	m->page_sizes[i] = n->page_size;
	m->fds[i] = TAKE_FD(fd);
	m->n_nodes = i + 1;
	return 0;
}

/* ---- the guest's addresses ---- */

/* The pieces of a node follow each other in its file in the order of the guest's addresses. */
static int add_pieces(const struct plan *p, struct vmm_memory *m, struct cv_error *err)
{
	uint64_t used[PLAN_MAX_NODES] = { 0 };

	m->rams = calloc(p->n_ranges + 1, sizeof(*m->rams));
	if (!m->rams)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot lay out the guest's memory");
	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *g = &p->ranges[i];
		size_t node = (size_t)g->guest_node;

		if (g->kind != PLAN_RAM)
			continue;
		if (node >= m->n_nodes || g->size > m->sizes[node] - used[node])
			return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_PLAN", p->name,
				       "a RAM range is larger than its node");
		m->rams[m->n++] = (struct vmm_ram){
			.gpa = g->start,
			.size = g->size,
			.host = (uint8_t *)m->maps[node] + used[node],
			.guest_node = g->guest_node,
			.fd = m->fds[node],
			.offset = used[node],
		};
		used[node] += g->size;
	}
	return 0;
}

int vmm_memory_make(const struct plan *p, struct vmm_memory *ret, struct cv_error *err)
{
	struct vmm_memory m = { 0 };
	int r = 0;

	for (size_t i = 0; i < p->n_nodes && r == 0; i++)
		r = make_node(p, i, &m, err);
	r = r ?: add_pieces(p, &m, err);
	if (r < 0) {
		vmm_memory_done(&m);
		return r;
	}
	*ret = m;
	return 0;
}

void vmm_memory_done(struct vmm_memory *m)
{
	for (size_t i = 0; i < m->n_nodes; i++) {
		munmap(m->maps[i], m->sizes[i]);
		close(m->fds[i]);
	}
	free(m->rams);
	*m = (struct vmm_memory){ 0 };
}

/* The pages of a node are promised, and can yet be missing: a cgroup's limit, a pool that shrank. */
static int populate(void *at, uint64_t size)
{
	while (madvise(at, size, MADV_POPULATE_WRITE) < 0) {
		if (errno == EINTR || errno == EAGAIN)
			continue;
		/* a page that cannot be had is a bus error to who touches it, and so told here */
		return errno == EFAULT ? -ENOMEM : -errno;
	}
	return 0;
}

int vmm_memory_fill(const struct vmm_memory *m, size_t node, unsigned int part, unsigned int parts)
{
	uint64_t page = m->page_sizes[node], pages = m->sizes[node] / page;
	uint64_t from = pages * part / parts, to = pages * (part + 1) / parts;

	if (from == to)
		return 0;
	return populate((uint8_t *)m->maps[node] + from * page, (to - from) * page);
}

/* ---- access ---- */

static const struct vmm_ram *find_piece(const struct vmm_memory *m, uint64_t gpa)
{
	size_t low = 0, high = m->n;

	while (low < high) {
		size_t mid = (low + high) / 2;
		const struct vmm_ram *r = &m->rams[mid];

		if (gpa < r->gpa)
			high = mid;
		else if (gpa - r->gpa >= r->size)
			low = mid + 1;
		else
			return r;
	}
	return NULL;
}

void *vmm_memory_at(const struct vmm_memory *m, uint64_t gpa, uint64_t len)
{
	const struct vmm_ram *r = find_piece(m, gpa);

	if (!r || len > r->size - (gpa - r->gpa))
		return NULL;
	return r->host + (gpa - r->gpa);
}

static bool is_all_ram(const struct vmm_memory *m, uint64_t gpa, uint64_t len)
{
	if (len > 0 && gpa + (len - 1) < gpa)
		return false;
	while (len > 0) {
		const struct vmm_ram *r = find_piece(m, gpa);
		uint64_t there;

		if (!r)
			return false;
		there = r->size - (gpa - r->gpa);
		if (len <= there)
			return true;
		gpa += there;
		len -= there;
	}
	return true;
}

static int copy(const struct vmm_memory *m, uint64_t gpa, uint8_t *data, uint64_t len,
		bool is_write)
{
	if (!is_all_ram(m, gpa, len))
		return -EFAULT;
	while (len > 0) {
		const struct vmm_ram *r = find_piece(m, gpa);
		uint64_t there = r->size - (gpa - r->gpa), n = len < there ? len : there;
		uint8_t *host = r->host + (gpa - r->gpa);

		memcpy(is_write ? host : data, is_write ? data : host, n);
		gpa += n;
		data += n;
		len -= n;
	}
	return 0;
}

/* Whole pages of the file: pieces begin and end with one. */
static int ready_piece(const struct vmm_memory *m, const struct vmm_ram *r, uint64_t offset,
		       uint64_t len)
{
	size_t node = (size_t)r->guest_node;
	uint64_t page, from;

	if (node >= m->n_nodes)
		return 0; /* made by hand: no pages of ours */
	page = m->page_sizes[node];
	from = (r->offset + offset) & ~(page - 1);
	return populate((uint8_t *)m->maps[node] + from,
			((r->offset + offset + len + page - 1) & ~(page - 1)) - from);
}

int vmm_memory_ready(const struct vmm_memory *m, uint64_t gpa, uint64_t len)
{
	if (!is_all_ram(m, gpa, len))
		return -EFAULT;
	while (len > 0) {
		const struct vmm_ram *p = find_piece(m, gpa);
		uint64_t there = p->size - (gpa - p->gpa), n = len < there ? len : there;
		int r = ready_piece(m, p, gpa - p->gpa, n);

		if (r < 0)
			return r;
		gpa += n;
		len -= n;
	}
	return 0;
}

int vmm_memory_write(const struct vmm_memory *m, uint64_t gpa, const void *data, uint64_t len)
{
	return copy(m, gpa, (uint8_t *)(uintptr_t)data, len, true); /* only read */
}

int vmm_memory_read(const struct vmm_memory *m, uint64_t gpa, void *data, uint64_t len)
{
	return copy(m, gpa, data, len, false);
}
