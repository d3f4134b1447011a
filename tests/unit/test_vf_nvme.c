// SPDX-License-Identifier: GPL-2.0-or-later
/* Namespaces of an NVMe VF, on a controller that takes back what its lists say. */
#include <errno.h>
#include <fcntl.h>
#include <linux/nvme_ioctl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sriov/steps.h"
#include "tests/unit/sriov_host.h"

#define VF PF "/0"
#define CNTLID 5
#define NSID 3
#define NO_FEATURE 0x4002 /* invalid field, do not retry */

/**
 * struct controller - in memory that the children share, who issue the commands
 * @is_attached: the namespace is
 * @is_hidden:   not by the list, once
 * @refusal:     status of the next attachment or detachment; the namespace is as asked for then
 */
struct controller {
	bool is_attached;
	unsigned int is_hidden;
	int refusal;
	unsigned int n_commands;
};

static struct controller *controller;

static int identify(const struct nvme_admin_cmd *cmd)
{
	uint8_t *data = (uint8_t *)(uintptr_t)cmd->addr;

	memset(data, 0, cmd->data_len);
	switch (cmd->cdw10 & 0xff) {
	case 0x12: /* controllers that have the namespace */
		if (controller->is_hidden) {
			controller->is_hidden--;
			return 0;
		}
		data[0] = controller->is_attached;
		data[2] = CNTLID;
		return 0;
	case 0x15: /* secondary controllers: one, of the first VF */
		data[0] = 1;
		data[32] = CNTLID;
		data[40] = 1;
		return 0;
	default:
		return NO_FEATURE;
	}
}

static int attachment(const struct nvme_admin_cmd *cmd)
{
	int status = controller->refusal;

	controller->n_commands++;
	controller->refusal = 0;
	controller->is_attached = cmd->cdw10 == 0;
	return cmd->nsid == NSID ? status : 0x00b;
}

/* The whole of what sriov/ asks of the kernel for it. */
int ioctl(int fd, unsigned long request, ...)
{
	const struct nvme_admin_cmd *cmd;
	va_list ap;

	va_start(ap, request);
	cmd = va_arg(ap, const struct nvme_admin_cmd *);
	va_end(ap);
	if (request != NVME_IOCTL_ADMIN_CMD) {
		errno = ENOTTY;
		return -1;
	}
	return cmd->opcode == 0x06 ? identify(cmd) : attachment(cmd);
}

static int make(void **state)
{
	_cleanup_json_ json_t *prior = NULL;
	struct host *h;
	int r = sriov_host_make(state), fd;

	h = *state;
	controller = mmap(NULL, sizeof(*controller), PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(controller != MAP_FAILED);
	fake_dir(h->fake, REAL_PF "/nvme/nvme0");
	fake_file(h->fake, "/dev/nvme0", "");
	/* the fake gives it its descriptor here, not in a child that ends */
	fd = cv_open(h->root, "/dev/nvme0", O_RDWR, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(step_begin(h, &sr_step_numvfs, PF, "2", &prior), 0);
	return r;
}

static int drop(void **state)
{
	munmap(controller, sizeof(*controller));
	return sriov_host_drop(state);
}

static int begin(struct host *h, json_t **prior)
{
	return step_begin(h, &sr_step_vf_nvme, VF, "vq=2 vi=1 ns=3", prior);
}

static int end(struct host *h, const json_t *prior)
{
	return step_end(h, &sr_step_vf_nvme, VF, "vq=2 vi=1 ns=3", prior);
}

static void attached_and_detached(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(begin(h, &prior), 0);
	assert_true(controller->is_attached);
	assert_int_equal(end(h, prior), 0);
	assert_false(controller->is_attached);
	assert_int_equal(controller->n_commands, 2);
	assert_int_equal(end(h, prior), 0);
	assert_int_equal(controller->n_commands, 2);
}

static void what_was_attached_before_stays(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	controller->is_attached = true;
	assert_int_equal(begin(h, &prior), 0);
	assert_int_equal(end(h, prior), 0);
	assert_true(controller->is_attached);
	assert_int_equal(controller->n_commands, 0);
}

/* Somebody was faster, or the list of a controller that is offline shows less. */
static void already_attached_is_attached(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	controller->refusal = 0x4118;
	assert_int_equal(begin(h, &prior), 0);
	assert_int_equal(controller->n_commands, 1);
	assert_string_equal(h->err.what, "");
	controller->is_attached = true;
	controller->is_hidden = 2; /* for record and for apply */
	controller->refusal = 0x118;
	json_decref(prior);
	prior = NULL;
	assert_int_equal(begin(h, &prior), 0);
	assert_int_equal(controller->n_commands, 2);
}

static void already_detached_is_detached(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL;

	assert_int_equal(begin(h, &prior), 0);
	controller->refusal = 0x411a;
	assert_int_equal(end(h, prior), 0);
	assert_string_equal(h->err.what, "");
	assert_int_equal(controller->n_commands, 2);
}

static void other_refusals_are_failures(void **state)
{
	struct host *h = *state;
	_cleanup_json_ json_t *prior = NULL, *none = NULL;

	controller->refusal = 0x119;
	assert_int_equal(begin(h, &none), -EIO);
	assert_non_null(strstr(h->err.found, "0x119 the namespace is private"));
	controller->is_attached = false;
	assert_int_equal(begin(h, &prior), 0);
	controller->refusal = 0x006;
	assert_int_equal(end(h, prior), -EIO);
	assert_non_null(strstr(h->err.what, "detaching namespace 3"));
}

#define with_nvme(test) cmocka_unit_test_setup_teardown(test, make, drop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_nvme(attached_and_detached),	 with_nvme(what_was_attached_before_stays),
		with_nvme(already_attached_is_attached), with_nvme(already_detached_is_detached),
		with_nvme(other_refusals_are_failures),
	};

	return cmocka_run_group_tests_name("vf_nvme", tests, NULL, NULL);
}
