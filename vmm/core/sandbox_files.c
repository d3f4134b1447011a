// SPDX-License-Identifier: GPL-2.0-or-later
/* Landlock: everything that the kernel can withhold, withheld (Documentation/userspace-api/landlock.rst).
 * What is open already stays usable. */
#include <errno.h>
#include <linux/landlock.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/sandbox_parts.h"

/* Headers of a distribution are older than its kernels: what was added after ABI 2 is written out. */
#define FS_TRUNCATE (1ULL << 14)
#define FS_IOCTL_DEV (1ULL << 15)
#define NET_BIND_TCP (1ULL << 0)
#define NET_CONNECT_TCP (1ULL << 1)
#define SCOPE_ABSTRACT_UNIX_SOCKET (1ULL << 0)

/** struct ruleset - struct landlock_ruleset_attr of ABI 6; a tail of zeroes is taken by older ones */
struct ruleset {
	uint64_t fs, net, scoped;
};

/* Signals are not scoped: kernels before 6.15 would keep the main thread from kicking vCPU threads,
 * which enter by themselves. kill(2) is on no list of seccomp's. */
static const struct step {
	long abi;
	struct ruleset adds;
} steps[] = {
	{ 1, { .fs = LANDLOCK_ACCESS_FS_REFER - 1 } },
	{ 2, { .fs = LANDLOCK_ACCESS_FS_REFER } },
	{ 3, { .fs = FS_TRUNCATE } },
	{ 4, { .net = NET_BIND_TCP | NET_CONNECT_TCP } },
	{ 5, { .fs = FS_IOCTL_DEV } },
	{ 6, { .scoped = SCOPE_ABSTRACT_UNIX_SOCKET } },
};

int vmm_files_make(void)
{
	long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct ruleset all = { 0 };
	long fd;

	if (abi < 0) /* not in this kernel, or turned off when it was booted */
		return errno == ENOSYS || errno == EOPNOTSUPP ? -EOPNOTSUPP : -errno;
	for (size_t i = 0; i < CV_ARRAY_SIZE(steps); i++) {
		if (steps[i].abi > abi)
			break;
		all.fs |= steps[i].adds.fs;
		all.net |= steps[i].adds.net;
		all.scoped |= steps[i].adds.scoped;
	}
	/* the descriptor is close-on-exec */
	fd = syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	return fd < 0 ? -errno : (int)fd;
}

int vmm_files_enter(int ruleset_fd)
{
	return syscall(SYS_landlock_restrict_self, ruleset_fd, 0) < 0 ? -errno : 0;
}
