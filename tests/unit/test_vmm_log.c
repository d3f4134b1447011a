// SPDX-License-Identifier: GPL-2.0-or-later
/* What a device may say in the log, and that it takes nothing from the VMM. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/core/log.h"

#define TEXT_MAX 8192

/* How many of @n lines, one each @step milliseconds, may be written. */
static unsigned int may(struct vmm_log_budget *b, unsigned int n, uint64_t *now, uint64_t step)
{
	unsigned int count = 0;
	uint32_t dropped;

	for (unsigned int i = 0; i < n; i++) {
		count += vmm_log_may(b, *now, &dropped);
		*now += step;
	}
	return count;
}

static void test_burst(void **state)
{
	struct vmm_log_budget b = { 0 };
	uint64_t now = 123456;
	uint32_t dropped = 99;

	assert_int_equal(may(&b, 50, &now, 0), VMM_LOG_BURST);
	now += VMM_LOG_EACH_MS - 1;
	assert_false(vmm_log_may(&b, now, &dropped));
	assert_true(vmm_log_may(&b, now + 1, &dropped));
	assert_int_equal(dropped, 50 - VMM_LOG_BURST + 1);
	now += 1000ULL * VMM_LOG_EACH_MS; /* long ago is no more than a burst */
	assert_int_equal(may(&b, 50, &now, 0), VMM_LOG_BURST);
}

static void test_rate(void **state)
{
	struct vmm_log_budget b = { 0 };
	uint64_t now = 1;

	may(&b, 50, &now, 0);
	assert_int_equal(may(&b, 1000, &now, VMM_LOG_EACH_MS / 10), 100 - 1);
}

static void test_total(void **state)
{
	struct vmm_log_budget b = { 0 }, other = { 0 };
	uint64_t now = 1;

	assert_int_equal(may(&b, 10 * VMM_LOG_OF_MAX, &now, VMM_LOG_EACH_MS), VMM_LOG_OF_MAX);
	assert_int_equal(may(&other, 1, &now, 0), 1);
}

static void test_lines(void **state)
{
	static char text[TEXT_MAX];
	struct vmm_log_budget b = { 0 };
	int fd = memfd_create("log", MFD_CLOEXEC), old = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
	ssize_t n;

	assert_true(fd >= 0 && old >= 0);
	dup2(fd, STDERR_FILENO);
	for (unsigned int i = 0; i < 2 * VMM_LOG_MAX; i++)
		vmm_log_of(&b, "device %u", i);
	vmm_log("the end");
	dup2(old, STDERR_FILENO);
	n = pread(fd, text, sizeof(text) - 1, 0);
	assert_true(n > 0);
	assert_non_null(strstr(text, "device 0\ndevice 1\n"));
	assert_null(strstr(text, "device 99\n"));
	assert_string_equal(&text[n - 8], "the end\n");
	close(fd);
	close(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_burst),
		cmocka_unit_test(test_rate),
		cmocka_unit_test(test_total),
		cmocka_unit_test(test_lines),
	};

	return cmocka_run_group_tests_name("vmm_log", tests, NULL, NULL);
}
