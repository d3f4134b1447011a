// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests of a hypervisor with the KVM ABI: the same on /dev/kvm and /dev/carve, on raw ioctls, with
 * guests of a few instructions. TAP on stdout.
 */
#include "machine.h"

#include <err.h>
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

GUEST(hlt);

static const struct test *const lists[] = { system_tests, slot_tests, guest_tests, state_tests,
					    NULL };

/* A VM that lives until the process is ended. */
static void hold(void)
{
	struct machine machine = machine_open(&hlt);

	expect_exit(&machine, KVM_EXIT_HLT);
	puts("held");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	static const struct option options[] = { { "device", required_argument, NULL, 'd' },
						 { "only", required_argument, NULL, 'o' },
						 { "hold", no_argument, NULL, 'h' },
						 { NULL, 0, NULL, 0 } };
	const char *only = NULL;
	bool held = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'd':
			device_path = optarg;
			break;
		case 'o':
			only = optarg;
			break;
		case 'h':
			held = true;
			break;
		default:
			errx(2, "usage: hypervisor [--device PATH] [--only TEST] [--hold]");
		}
	}
	if (held)
		hold();
	return run_tests(lists, only) != 0;
}
