// SPDX-License-Identifier: GPL-2.0-or-later
/* What a hypervisor is told of the host's devices. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "vmm/dev/vfio_hypervisor.h"

#define VM 3

/** struct fake - @fails: the n-th that is added, from 1 */
struct fake {
	struct vmm_vm_call vm;
	int create_error, add_error, device_fd;
	unsigned int fails;
	int added[8];
	unsigned int n;
	int deleted, delete_error;
};

static int create(struct fake *f, struct kvm_create_device *c)
{
	assert_int_equal(c->type, KVM_DEV_TYPE_VFIO);
	assert_int_equal(c->flags, 0);
	if (f->create_error)
		return f->create_error;
	f->device_fd = dup(STDIN_FILENO);
	assert_true(f->device_fd >= 0);
	c->fd = (uint32_t)f->device_fd;
	return 0;
}

static int add(struct fake *f, int fd, const struct kvm_device_attr *a)
{
	int32_t added;

	assert_int_equal(fd, f->device_fd);
	assert_int_equal(a->flags, 0);
	assert_int_equal(a->group, KVM_DEV_VFIO_GROUP);
	memcpy(&added, (const void *)(uintptr_t)a->addr, sizeof(added));
	if (a->attr == KVM_DEV_VFIO_GROUP_DEL) {
		f->deleted = added;
		return f->delete_error;
	}
	assert_int_equal(a->attr, KVM_DEV_VFIO_GROUP_ADD);
	f->added[f->n++] = added;
	return f->n == f->fails ? f->add_error : 0;
}

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	struct fake *f = ctx;

	if (request == KVM_CREATE_DEVICE && fd == VM)
		return create(f, arg);
	assert_int_equal(request, KVM_SET_DEVICE_ATTR);
	return add(f, fd, arg);
}

static int setup(void **state)
{
	static struct fake f;

	f = (struct fake){ .vm = { .fd = VM, .call = answer, .ctx = &f } };
	*state = &f;
	return 0;
}

static void test_all_are_told(void **state)
{
	struct fake *f = *state;
	const int fds[] = { 70, 71, 72 };
	int fd = vmm_vfio_announce(&f->vm, fds, 3);

	assert_int_equal(fd, f->device_fd);
	assert_int_equal(f->n, 3);
	assert_memory_equal(f->added, fds, sizeof(fds));
	assert_int_equal(close(f->device_fd), 0);
}

static void test_withdraw(void **state)
{
	struct fake *f = *state;
	struct vmm_vm_call device = f->vm;

	device.fd = f->device_fd = 9;
	assert_int_equal(vmm_vfio_withdraw(&device, 71), 0);
	assert_int_equal(f->deleted, 71);
	f->delete_error = -ENOENT;
	assert_int_equal(vmm_vfio_withdraw(&device, 72), -ENOENT);
}

static void test_unknown(void **state)
{
	struct fake *f = *state;
	const int fd = 70;

	f->create_error = -ENODEV;
	assert_int_equal(vmm_vfio_announce(&f->vm, &fd, 1), -ENODEV);
	assert_int_equal(f->n, 0);
}

/* One that is not taken: nothing stays open. */
static void test_refused(void **state)
{
	struct fake *f = *state;
	const int fds[] = { 70, 71, 72 };

	f->fails = 2;
	f->add_error = -EINVAL;
	assert_int_equal(vmm_vfio_announce(&f->vm, fds, 3), -EINVAL);
	assert_int_equal(f->n, 2);
	assert_int_equal(fcntl(f->device_fd, F_GETFD), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_all_are_told, setup),
		cmocka_unit_test_setup(test_withdraw, setup),
		cmocka_unit_test_setup(test_unknown, setup),
		cmocka_unit_test_setup(test_refused, setup),
	};

	return cmocka_run_group_tests_name("vfio_hypervisor", tests, NULL, NULL);
}
