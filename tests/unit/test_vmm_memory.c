// SPDX-License-Identifier: GPL-2.0-or-later
/* The guest's RAM: files and mappings of ordinary pages (of huge ones where the machine has them), and
 * accesses to pieces made by hand. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "vmm/core/memory.h"
#include "vmm/core/memory_lost.h"

#define PAGE 4096ULL
#define GIB (1ULL << 30)
#define TOP_SIZE 64

/* ---- plans ---- */

/* Two nodes of @pages pages; the second has its RAM in two pieces, around a hole. */
static struct plan *make_plan(uint64_t page, uint64_t pages)
{
	struct plan *p = calloc(1, sizeof(*p));
	uint64_t size = page * pages;
	const struct plan_range ranges[] = {
		{ .kind = PLAN_RAM, .start = 0, .size = size, .guest_node = 0 },
		{ .kind = PLAN_RAM, .start = size, .size = page, .guest_node = 1 },
		{ .kind = PLAN_RESERVED, .start = size + page, .size = page, .guest_node = -1 },
		{ .kind = PLAN_RAM, .start = size + 2 * page, .size = size - page, .guest_node = 1 },
	};

	assert_non_null(p);
	snprintf(p->name, sizeof(p->name), "test");
	p->n_nodes = 2;
	for (size_t i = 0; i < p->n_nodes; i++)
		p->nodes[i] = (struct plan_node){ .memory = size,
						  .page_size = page,
						  .pages = pages };
	p->n_ranges = CV_ARRAY_SIZE(ranges);
	p->ranges = calloc(p->n_ranges, sizeof(*p->ranges));
	assert_non_null(p->ranges);
	memcpy(p->ranges, ranges, sizeof(ranges));
	return p;
}

static void free_plan(struct plan *p)
{
	free(p->ranges);
	free(p);
}

static void make(const struct plan *p, struct vmm_memory *ret)
{
	struct cv_error err = { 0 };

	if (vmm_memory_make(p, ret, &err) < 0)
		fail_msg("%s: %s: %s", err.object, err.what, err.found);
}

/* Refused, with nothing left in @m. */
static void refuse(const struct plan *p, int wanted, struct cv_error *err)
{
	struct vmm_memory m = { 0 };

	assert_int_equal(vmm_memory_make(p, &m, err), wanted);
	assert_int_equal(m.n_nodes, 0);
	assert_null(m.rams);
}

/* ---- making it ---- */

static void test_make(void **state)
{
	struct plan *p = make_plan(PAGE, 4);
	struct vmm_memory m;
	struct stat st;

	make(p, &m);
	assert_int_equal(m.n_nodes, 2);
	assert_int_equal(m.n, 3);
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal((uintptr_t)m.maps[i] % GIB, 0);
		assert_int_equal(fstat(m.fds[i], &st), 0);
		assert_int_equal(st.st_size, 4 * PAGE);
	}
	assert_ptr_equal(m.rams[0].host, m.maps[0]);
	assert_int_equal(m.rams[1].gpa, 4 * PAGE);
	assert_int_equal(m.rams[1].offset, 0);
	assert_int_equal(m.rams[2].gpa, 6 * PAGE);
	assert_int_equal(m.rams[2].offset, PAGE);
	assert_ptr_equal(m.rams[2].host, (uint8_t *)m.maps[1] + PAGE);
	assert_int_equal(m.rams[2].fd, m.fds[1]);
	vmm_memory_done(&m);
	assert_int_equal(m.n_nodes, 0);
	free_plan(p);
}

/* What the mapping shows is what is in the file: VFIO and vhost see the same. */
static void test_is_shared(void **state)
{
	struct plan *p = make_plan(PAGE, 4);
	struct vmm_memory m;
	char text[6] = "";

	make(p, &m);
	assert_int_equal(vmm_memory_write(&m, 6 * PAGE + 8, "hello", 6), 0);
	assert_int_equal(pread(m.fds[1], text, sizeof(text), PAGE + 8), sizeof(text));
	assert_string_equal(text, "hello");
	vmm_memory_done(&m);
	free_plan(p);
}

static size_t resident(const struct vmm_memory *m, size_t node)
{
	unsigned char pages[64] = { 0 };
	size_t n = m->sizes[node] / PAGE, in = 0;

	assert_true(n <= sizeof(pages));
	assert_int_equal(mincore(m->maps[node], m->sizes[node], pages), 0);
	for (size_t i = 0; i < n; i++)
		in += pages[i] & 1;
	return in;
}

static void test_fill(void **state)
{
	struct plan *p = make_plan(PAGE, 10);
	struct vmm_memory m;

	make(p, &m);
	assert_int_equal(resident(&m, 0), 0);
	assert_int_equal(vmm_memory_write(&m, 0, "kept", 4), 0);
	assert_int_equal(vmm_memory_fill(&m, 0, 1, 3), 0);
	assert_int_equal(resident(&m, 0), 4); /* pages 3, 4, 5, and the first */
	assert_int_equal(vmm_memory_fill(&m, 0, 0, 3), 0);
	assert_int_equal(vmm_memory_fill(&m, 0, 2, 3), 0);
	assert_int_equal(resident(&m, 0), 10);
	assert_int_equal(resident(&m, 1), 0);
	assert_memory_equal(m.maps[0], "kept", 4);
	vmm_memory_done(&m);
	free_plan(p);
}

/* More threads than pages: some have nothing to do, and none is left out. */
static void test_fill_few(void **state)
{
	struct plan *p = make_plan(PAGE, 3);
	struct vmm_memory m;

	make(p, &m);
	for (unsigned int part = 0; part < 8; part++)
		assert_int_equal(vmm_memory_fill(&m, 1, part, 8), 0);
	assert_int_equal(resident(&m, 1), 3);
	vmm_memory_done(&m);
	free_plan(p);
}

/* ---- refusals ---- */

static void test_no_such_node(void **state)
{
	static const int nodes[] = { -1, 1023, 1024, 1 << 30 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(nodes); i++) {
		struct plan *p = make_plan(PAGE, 4);
		struct cv_error err = { 0 };

		p->nodes[1].host_node = nodes[i];
		refuse(p, -EINVAL, &err);
		assert_string_equal(err.object, "mbind");
		free_plan(p);
	}
}

static void test_bad_pages(void **state)
{
	static const uint64_t sizes[] = { 0, 3 * PAGE, 1 << 20 };

	for (size_t i = 0; i < CV_ARRAY_SIZE(sizes); i++) {
		struct plan *p = make_plan(PAGE, 4);
		struct vmm_memory m = { 0 };
		struct cv_error err = { 0 };

		p->nodes[1].page_size = sizes[i];
		assert_true(vmm_memory_make(p, &m, &err) < 0);
		assert_string_equal(err.object, "guest node 1");
		assert_int_equal(m.n_nodes, 0);
		free_plan(p);
	}
}

static void test_bad_ranges(void **state)
{
	for (int what = 0; what < 3; what++) {
		struct plan *p = make_plan(PAGE, 4);
		struct cv_error err = { 0 };

		if (what == 0)
			p->ranges[3].size += PAGE;
		else
			p->ranges[3].guest_node = what == 1 ? 2 : -1;
		refuse(p, -EINVAL, &err);
		assert_string_equal(err.code, "BAD_PLAN");
		free_plan(p);
	}
}

/* ---- huge pages ---- */

/* Free ones of 2 MiB, of the host's first node. */
static uint64_t free_huge_pages(void)
{
	static const char path[] =
		"/sys/devices/system/node/node0/hugepages/hugepages-2048kB/free_hugepages";
	_cleanup_fclose_ FILE *f = fopen(path, "re");
	uint64_t n = 0;
	char text[32];

	if (!f || !fgets(text, sizeof(text), f))
		return 0;
	text[strcspn(text, "\n")] = '\0';
	return cv_parse_u64(text, &n) < 0 ? 0 : n;
}

static void test_huge_pages_gone(void **state)
{
	struct plan *p = make_plan(2ULL << 20, 1ULL << 20); /* 2 TiB */
	struct vmm_memory m = { 0 };
	struct cv_error err = { 0 };

	assert_true(vmm_memory_make(p, &m, &err) < 0);
	assert_string_equal(err.object, "guest node 0");
	assert_string_equal(err.wanted, "1048576 pages of 2M on host node 0");
	assert_int_equal(m.n_nodes, 0);
	free_plan(p);
}

static void test_huge_pages(void **state)
{
	struct plan *p;
	struct vmm_memory m;

	if (free_huge_pages() < 4) {
		print_message("# SKIP: fewer than 4 free huge pages of 2M on host node 0; "
			      "as root: echo 8 > /sys/devices/system/node/node0/hugepages/"
			      "hugepages-2048kB/nr_hugepages\n");
		skip();
	}
	p = make_plan(2ULL << 20, 2);
	make(p, &m);
	assert_int_equal(vmm_memory_fill(&m, 0, 0, 1), 0);
	assert_int_equal(vmm_memory_fill(&m, 1, 0, 2), 0);
	assert_int_equal(vmm_memory_fill(&m, 1, 1, 2), 0);
	assert_int_equal(vmm_memory_write(&m, (4ULL << 20) - 2, "abcd", 4), 0);
	assert_memory_equal(m.maps[1], "cd", 2);
	vmm_memory_done(&m);
	free_plan(p);
}

/* ---- accesses ---- */

/** struct pieces - [0x1000, 0x1010) and [0x1010, 0x1018), far away; a hole; one that ends at 2^64 */
struct pieces {
	uint8_t first[16], second[8], third[32], top[TOP_SIZE];
	struct vmm_ram rams[4];
	struct vmm_memory m;
};

static void init_pieces(struct pieces *p)
{
	memset(p, 0, sizeof(*p));
	p->rams[0] = (struct vmm_ram){ .gpa = 0x1000, .size = 16, .host = p->first };
	p->rams[1] = (struct vmm_ram){ .gpa = 0x1010, .size = 8, .host = p->second };
	p->rams[2] = (struct vmm_ram){ .gpa = 1ULL << 32, .size = 32, .host = p->third };
	p->rams[3] = (struct vmm_ram){ .gpa = 0 - (uint64_t)TOP_SIZE,
				       .size = TOP_SIZE,
				       .host = p->top };
	p->m = (struct vmm_memory){ .rams = p->rams, .n = 4 };
}

static void test_at(void **state)
{
	struct pieces p;

	init_pieces(&p);
	assert_ptr_equal(vmm_memory_at(&p.m, 0x1000, 16), p.first);
	assert_ptr_equal(vmm_memory_at(&p.m, 0x100f, 1), p.first + 15);
	assert_ptr_equal(vmm_memory_at(&p.m, 0x1010, 8), p.second);
	assert_ptr_equal(vmm_memory_at(&p.m, (1ULL << 32) + 31, 1), p.third + 31);
	assert_ptr_equal(vmm_memory_at(&p.m, UINT64_MAX, 1), p.top + TOP_SIZE - 1);
	/* across pieces, beyond the end, in a hole, before the first */
	assert_null(vmm_memory_at(&p.m, 0x100f, 2));
	assert_null(vmm_memory_at(&p.m, 0x1010, 9));
	assert_null(vmm_memory_at(&p.m, 0x1018, 1));
	assert_null(vmm_memory_at(&p.m, 0xfff, 1));
	assert_null(vmm_memory_at(&p.m, 0, 1));
}

/* No sum of address and length may wrap. */
static void test_at_overflow(void **state)
{
	struct pieces p;

	init_pieces(&p);
	assert_null(vmm_memory_at(&p.m, 0x1000, UINT64_MAX));
	assert_null(vmm_memory_at(&p.m, 0x1008, UINT64_MAX - 7));
	assert_null(vmm_memory_at(&p.m, UINT64_MAX, 2));
	assert_null(vmm_memory_at(&p.m, UINT64_MAX, UINT64_MAX));
	assert_null(vmm_memory_at(&p.m, 0 - (uint64_t)TOP_SIZE, TOP_SIZE + 1));
}

static void test_across(void **state)
{
	struct pieces p;
	uint8_t data[24], back[24];

	init_pieces(&p);
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i + 1);
	assert_int_equal(vmm_memory_write(&p.m, 0x1000, data, 24), 0);
	assert_memory_equal(p.first, data, 16);
	assert_memory_equal(p.second, data + 16, 8);
	assert_int_equal(vmm_memory_read(&p.m, 0x1000, back, 24), 0);
	assert_memory_equal(back, data, 24);
	assert_int_equal(vmm_memory_read(&p.m, 0x100e, back, 4), 0);
	assert_memory_equal(back, data + 14, 4);
}

/* All of it is RAM, or nothing of it is touched. */
static void test_all_or_nothing(void **state)
{
	static const struct {
		uint64_t gpa, len;
	} bad[] = {
		{ 0x1000, 25 },
		{ 0xff8, 16 },
		{ 0x1010, 9 },
		{ 0x1018, 1 },
		{ 0, 1 },
		{ (1ULL << 32) - 1, 2 },
		{ (1ULL << 32) + 31, 2 },
		{ UINT64_MAX, 2 },
		{ 0x1000, UINT64_MAX },
		{ UINT64_MAX, UINT64_MAX },
	};
	struct pieces p, clean;
	uint8_t data[32];

	init_pieces(&p);
	init_pieces(&clean);
	memset(data, 0xaa, sizeof(data));
	for (size_t i = 0; i < CV_ARRAY_SIZE(bad); i++) {
		assert_int_equal(vmm_memory_write(&p.m, bad[i].gpa, data, bad[i].len), -EFAULT);
		assert_int_equal(vmm_memory_read(&p.m, bad[i].gpa, data, bad[i].len), -EFAULT);
	}
	assert_memory_equal(p.first, clean.first, sizeof(p.first));
	assert_memory_equal(p.second, clean.second, sizeof(p.second));
	assert_memory_equal(p.top, clean.top, sizeof(p.top));
	assert_int_equal(data[0], 0xaa);
}

/* RAM at 0 is not what follows the last address. */
static void test_no_way_round(void **state)
{
	struct pieces p;
	uint8_t data[8];

	init_pieces(&p);
	p.rams[0].gpa = 0;
	assert_int_equal(vmm_memory_read(&p.m, UINT64_MAX - 3, data, 4), 0);
	assert_int_equal(vmm_memory_read(&p.m, UINT64_MAX - 3, data, 8), -EFAULT);
}

static void test_nothing(void **state)
{
	const struct vmm_memory none = { 0 };
	uint8_t byte;

	assert_null(vmm_memory_at(&none, 0, 1));
	assert_int_equal(vmm_memory_read(&none, 0, &byte, 1), -EFAULT);
	assert_int_equal(vmm_memory_read(&none, 0x5000, &byte, 0), 0);
}

/* ---- pages that are not there ---- */

/* Only what is asked for, whole pages of it, across the hole between pieces. */
static void test_ready(void **state)
{
	struct plan *p = make_plan(PAGE, 8);
	const struct vmm_memory none = { 0 };
	struct vmm_memory m;

	make(p, &m);
	assert_int_equal(vmm_memory_ready(&m, PAGE + 8, PAGE), 0);
	assert_int_equal(resident(&m, 0), 2);
	assert_int_equal(vmm_memory_ready(&m, 7 * PAGE, 2 * PAGE), 0);
	assert_int_equal(resident(&m, 0), 3);
	assert_int_equal(resident(&m, 1), 1);
	assert_int_equal(vmm_memory_ready(&m, 10 * PAGE + 1, 1), 0);
	assert_int_equal(resident(&m, 1), 2);
	assert_int_equal(vmm_memory_ready(&m, 8 * PAGE, 3 * PAGE), -EFAULT);
	assert_int_equal(vmm_memory_ready(&none, 0, 1), -EFAULT);
	vmm_memory_done(&m);
	free_plan(p);
}

/* Pages behind the mapping went: an error, not a signal. */
static void test_not_ready(void **state)
{
	struct plan *p = make_plan(PAGE, 4);
	struct vmm_memory m;

	make(p, &m);
	assert_int_equal(ftruncate(m.fds[0], 0), 0);
	assert_int_equal(vmm_memory_ready(&m, 0, PAGE), -ENOMEM);
	vmm_memory_done(&m);
	free_plan(p);
}

/* In a child: who touches what is gone. Return: what it said. */
static const char *touch_gone(struct vmm_memory *m, const char *name, int *ret_status)
{
	static char said[512];
	int fds[2];
	pid_t pid;
	ssize_t n;

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(fds[1], STDERR_FILENO);
		if (name)
			vmm_lost_name(m->maps[0], m->sizes[0], name);
		if (vmm_lost_catch() == 0 && ftruncate(m->fds[0], 0) == 0)
			*((volatile char *)m->maps[0] + PAGE + 0x10) = 1;
		_exit(0);
	}
	close(fds[1]);
	n = read(fds[0], said, sizeof(said) - 1);
	close(fds[0]);
	said[n > 0 ? n : 0] = '\0';
	assert_int_equal(waitpid(pid, ret_status, 0), pid);
	return said;
}

static void test_lost(void **state)
{
	struct plan *p = make_plan(PAGE, 4);
	struct vmm_memory m;
	const char *said;
	int status;

	make(p, &m);
	said = touch_gone(&m, "memory of guest node 0", &status);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), CV_EXIT_GUEST);
	if (!strstr(said, "memory of guest node 0, offset 0x1010: what was mapped there is gone"))
		fail_msg("said: %s", said);
	vmm_memory_done(&m);
	make(p, &m);
	said = touch_gone(&m, NULL, &status);
	assert_int_equal(WEXITSTATUS(status), CV_EXIT_GUEST);
	assert_non_null(strstr(said, "neither the guest's memory nor a BAR"));
	vmm_memory_done(&m);
	free_plan(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_make),	       cmocka_unit_test(test_is_shared),
		cmocka_unit_test(test_fill),	       cmocka_unit_test(test_fill_few),
		cmocka_unit_test(test_no_such_node),   cmocka_unit_test(test_bad_pages),
		cmocka_unit_test(test_bad_ranges),     cmocka_unit_test(test_huge_pages_gone),
		cmocka_unit_test(test_huge_pages),     cmocka_unit_test(test_at),
		cmocka_unit_test(test_at_overflow),    cmocka_unit_test(test_across),
		cmocka_unit_test(test_all_or_nothing), cmocka_unit_test(test_no_way_round),
		cmocka_unit_test(test_nothing),	       cmocka_unit_test(test_ready),
		cmocka_unit_test(test_not_ready),      cmocka_unit_test(test_lost),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
