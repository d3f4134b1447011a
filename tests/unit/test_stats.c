// SPDX-License-Identifier: GPL-2.0-or-later
/* What the hypervisor counts, read from a file made as KVM makes it, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "vmm/core/stats.h"

#define NAME 48
#define N 4
#define DATA 1024

/** struct image - a statistics file */
struct image {
	struct kvm_stats_header header;
	struct {
		struct kvm_stats_desc desc;
		char name[NAME];
	} stats[N];
	size_t len; /* of the file */
	uint64_t values[8];
};

static void image_init(struct image *m)
{
	static const struct {
		const char *name;
		uint32_t flags;
		uint16_t size;
		uint32_t offset;
	} rows[N] = {
		{ "exits", KVM_STATS_TYPE_CUMULATIVE, 1, 8 },
		{ "halt_wait_hist", KVM_STATS_TYPE_LOG_HIST, 4, 16 },
		{ "halt_wait_ns", KVM_STATS_TYPE_CUMULATIVE, 1, 48 },
		{ "pages_4k", KVM_STATS_TYPE_INSTANT, 1, 0 },
	};

	*m = (struct image){ .header = { .name_size = NAME,
					 .num_desc = N,
					 .desc_offset = sizeof(struct kvm_stats_header),
					 .data_offset = DATA },
			     .len = DATA + sizeof(m->values),
			     .values = { 7, 1234, 1, 2, 3, 4, 5000, 0 } };
	for (size_t i = 0; i < N; i++) {
		m->stats[i].desc.flags = rows[i].flags;
		m->stats[i].desc.size = rows[i].size;
		m->stats[i].desc.offset = rows[i].offset;
		snprintf(m->stats[i].name, NAME, "%s", rows[i].name);
	}
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	const struct image *m = ctx;
	int file = memfd_create("stats", MFD_CLOEXEC);

	assert_int_equal(fd, 77);
	assert_int_equal(request, KVM_GET_STATS_FD);
	assert_int_equal(pwrite(file, m, offsetof(struct image, len), 0),
			 offsetof(struct image, len));
	assert_int_equal(pwrite(file, m->values, sizeof(m->values), DATA), sizeof(m->values));
	assert_int_equal(ftruncate(file, (off_t)m->len), 0);
	return file;
}

static json_t *read_image(struct image *m)
{
	const struct vmm_vm_call of = { .fd = 77, .call = answer, .ctx = m };
	_cleanup_close_ int fd = vmm_stats_open(&of);

	return vmm_stats_read(fd);
}

static void test_numbers(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct image m;

	image_init(&m);
	j = read_image(&m);
	assert_non_null(j);
	assert_int_equal(json_object_size(j), 3);
	assert_int_equal(cv_json_int(j, "exits", -1), 1234);
	assert_int_equal(cv_json_int(j, "halt_wait_ns", -1), 5000);
	assert_int_equal(cv_json_int(j, "pages_4k", -1), 7);
}

static void refuses(struct image *m)
{
	_cleanup_json_ json_t *j = read_image(m);

	assert_null(j);
}

static void test_damaged(void **state)
{
	struct image m;

	image_init(&m);
	m.header.num_desc = UINT32_MAX;
	refuses(&m);
	image_init(&m);
	m.header.name_size = 0;
	refuses(&m);
	image_init(&m);
	m.header.name_size = 1U << 31;
	refuses(&m);
	image_init(&m);
	m.header.data_offset = UINT32_MAX;
	refuses(&m);
	for (size_t len = 0; len < DATA + 56; len += 8) {
		image_init(&m);
		m.len = len;
		refuses(&m);
	}
}

/* A name without an end, a number outside of all bounds: the rest is told. */
static void test_odd(void **state)
{
	_cleanup_json_ json_t *j = NULL;
	struct image m;

	image_init(&m);
	memset(m.stats[0].name, 'x', NAME);
	m.stats[2].desc.offset = UINT32_MAX - 7;
	m.stats[3].desc.offset = 3;
	j = read_image(&m);
	assert_non_null(j);
	assert_int_equal(json_object_size(j), 1);
	assert_null(json_object_get(j, "halt_wait_ns"));
}

static int refuse(void *ctx, int fd, unsigned long request, void *arg)
{
	return -ENOTTY;
}

static void test_none(void **state)
{
	const struct vmm_vm_call of = { .fd = 77, .call = refuse };

	assert_int_equal(vmm_stats_open(&of), -ENOTTY);
	assert_null(vmm_stats_read(-ENOTTY));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_odd),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
