/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A small virtual machine on raw ioctls, and TAP: what the tests of a hypervisor are written with.
 */
#ifndef CARVE_TESTS_KERNEL_MACHINE_H
#define CARVE_TESTS_KERNEL_MACHINE_H

#include <linux/kvm.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MEMORY_BYTES (2UL << 20)
/* Guests are copied to, and started at, this address. */
#define CODE 0x1000
#define STACK 0x8000
#define TABLES 0x10000

struct guest {
	const void *start;
	const void *end;
};

/* Declares the guest of that name in guests.S. */
#define GUEST(name)                                             \
	extern const char guest_##name[], guest_##name##_end[]; \
	static const struct guest name = { guest_##name, guest_##name##_end }

struct machine {
	int device;
	int vm;
	int vcpu;
	uint8_t *memory;
	struct kvm_run *run;
	size_t run_bytes;
};

/* The device under test; set once. */
extern const char *device_path;

/*
 * A VM with one slot and one vCPU in real mode, about to execute @guest. Ends the program on
 * failure.
 */
struct machine machine_open(const struct guest *guest);
void machine_close(struct machine *machine);

/* Copies a guest to CODE and sets the vCPU to it: real mode, all segments at 0. */
void machine_start(struct machine *machine, const struct guest *guest);

/* KVM_RUN. Return: the exit reason, or -errno. */
int machine_run(struct machine *machine);

/* Runs on; the next exit must be that port, direction and size. Return: its data (writes only). */
uint32_t expect_out(struct machine *machine, uint16_t port, unsigned int size);
void expect_in(struct machine *machine, uint16_t port, unsigned int size, uint32_t data);
void expect_exit(struct machine *machine, int reason);

struct kvm_regs machine_regs(const struct machine *machine);

/* A slot. Return: 0 or -errno. */
int set_slot(int vm, uint32_t slot, uint32_t flags, uint64_t gpa, uint64_t bytes,
	     const void *memory);

/* An ioctl. Return: what it returned, or -errno. */
long call(int fd, unsigned long request, unsigned long argument);
#define call_with(fd, request, pointer) call(fd, request, (unsigned long)(pointer))

/* One condition of a test; a false one is told, and fails the test. */
#define check(condition, ...) check_at(condition, #condition, __LINE__, __VA_ARGS__)
#define check_is(value, wanted)                                                           \
	do {                                                                              \
		long long value_ = (value), wanted_ = (wanted);                           \
		check_at(value_ == wanted_, #value, __LINE__,                             \
			 "is %lld (%#llx), wanted %lld (%#llx)", value_, value_, wanted_, \
			 wanted_);                                                        \
	} while (0)
void check_at(bool good, const char *what, int line, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

struct test {
	const char *name;
	void (*run)(void);
};

extern const struct test system_tests[], slot_tests[], guest_tests[], state_tests[];

/* Runs every test of the lists (or only one), prints TAP. Return: how many failed. */
int run_tests(const struct test *const *lists, const char *only);

#endif
