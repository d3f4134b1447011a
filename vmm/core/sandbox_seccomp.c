// SPDX-License-Identifier: GPL-2.0-or-later
/* Which system calls each role makes; everything else ends the process. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/if_tun.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <linux/vfio.h>
#include <linux/vhost.h>
#include <seccomp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "vmm/core/log.h"
#include "vmm/core/sandbox_parts.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#endif

#define MAIN (1U << VMM_ROLE_MAIN)
#define VCPU (1U << VMM_ROLE_VCPU)
#define DISK (1U << VMM_ROLE_DISK)
#define ALL (MAIN | VCPU | DISK)

#define ARGS_MAX 2
#define LIBRARY_LEVEL 3 /* of seccomp_api_set(3): what ends the process; nothing newer is needed */

/* ---- system calls ---- */

#define NONE_OF(n, bits)                                                \
	{                                                               \
		.arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits) \
	}
#define EACH_OF(n, bits)                                                                   \
	{                                                                                  \
		.arg = (n), .op = SCMP_CMP_MASKED_EQ, .datum_a = (bits), .datum_b = (bits) \
	}
#define IS(n, value)                                              \
	{                                                         \
		.arg = (n), .op = SCMP_CMP_EQ, .datum_a = (value) \
	}

/** struct rule - @args must all hold */
static const struct rule {
	unsigned int roles;
	int number;
	unsigned int n_args;
	struct scmp_arg_cmp args[ARGS_MAX];
} rules[] = {
	/* descriptors that are open already */
	{ ALL, SCMP_SYS(read) },
	{ ALL, SCMP_SYS(write) },
	{ ALL, SCMP_SYS(writev) },
	{ ALL,
	  SCMP_SYS(pread64) }, /* configuration space of VFIO; the kernel image after a reset */
	{ ALL, SCMP_SYS(pwrite64) },
	{ ALL, SCMP_SYS(close) },
	{ ALL, SCMP_SYS(poll) },
	{ ALL, SCMP_SYS(ppoll) },
	{ DISK, SCMP_SYS(preadv) },
	{ DISK, SCMP_SYS(pwritev) },
	{ DISK, SCMP_SYS(preadv2) },
	{ DISK, SCMP_SYS(pwritev2) },
	{ DISK, SCMP_SYS(fdatasync) },
	{ DISK, SCMP_SYS(fallocate) },
	{ MAIN | DISK, SCMP_SYS(fstat) },
	/* the C library's fstat(2): no name, just the descriptor */
	{ MAIN | DISK, SCMP_SYS(newfstatat), 1, { IS(3, AT_EMPTY_PATH) } },
	{ MAIN | DISK, SCMP_SYS(lseek) },
	{ ALL, SCMP_SYS(eventfd2) }, /* an interrupt that was never unmasked */
	{ MAIN | VCPU, SCMP_SYS(epoll_ctl) },
	{ MAIN, SCMP_SYS(epoll_wait) },
	{ MAIN, SCMP_SYS(epoll_pwait) },
	{ MAIN, SCMP_SYS(accept4) },
	{ MAIN, SCMP_SYS(recvfrom) },
	{ MAIN, SCMP_SYS(sendto), 1, { IS(4, 0) } }, /* to who is connected */
	/* to a vhost-user back end, when the guest starts or resets its device */
	{ MAIN | VCPU, SCMP_SYS(sendmsg) },
	{ MAIN | VCPU, SCMP_SYS(recvmsg) },
	{ MAIN | VCPU, SCMP_SYS(shutdown) },

	/* memory: nothing executable, nothing of a file */
	{ ALL, SCMP_SYS(mmap), 2, { NONE_OF(2, PROT_EXEC), EACH_OF(3, MAP_ANONYMOUS) } },
	{ ALL, SCMP_SYS(mprotect), 1, { NONE_OF(2, PROT_EXEC) } },
	{ ALL, SCMP_SYS(munmap) },
	{ ALL, SCMP_SYS(mremap) },
	{ ALL, SCMP_SYS(madvise) },
	{ ALL, SCMP_SYS(brk) },

	/* threads, time and the end; malloc(3) counts CPUs when a thread first calls it */
	{ ALL, SCMP_SYS(futex) },
	{ ALL, SCMP_SYS(sched_yield) },
	{ ALL, SCMP_SYS(sched_getaffinity) },
	{ ALL, SCMP_SYS(gettid) },
	{ ALL, SCMP_SYS(getpid) },
	{ ALL, SCMP_SYS(getrandom) },
	{ ALL, SCMP_SYS(clock_gettime) },
	{ ALL, SCMP_SYS(clock_nanosleep) },
	{ ALL, SCMP_SYS(rt_sigprocmask) },
	{ ALL, SCMP_SYS(rt_sigreturn) },
	{ ALL, SCMP_SYS(restart_syscall) },
	{ ALL, SCMP_SYS(exit) },
	{ ALL, SCMP_SYS(exit_group) },
	{ MAIN, SCMP_SYS(sysinfo) }, /* qsort(3) looks how much memory there is */
	/* read only, one's own: what a DMA mapping that failed would have needed */
	{ MAIN | VCPU, SCMP_SYS(prlimit64), 2, { IS(0, 0), IS(2, 0) } },

#ifdef IS_SANITIZED
	{ ALL, SCMP_SYS(sigaltstack) },
#endif
};

#ifdef IS_SANITIZED
/* What AddressSanitizer tries when it reports: told no, so that the report is without names, and whole. */
static const int told_no[] = {
	SCMP_SYS(open),	      SCMP_SYS(openat), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(getdents64), SCMP_SYS(clone),	SCMP_SYS(pipe2),    SCMP_SYS(rt_sigaction),
	SCMP_SYS(prctl),      SCMP_SYS(pipe),	SCMP_SYS(stat),
};
#endif

/* ---- ioctls ---- */

/** struct request - of a descriptor that is open already */
static const struct request {
	unsigned int roles;
	unsigned long number;
} requests[] = {
	{ VCPU, KVM_RUN },
	/* what accesses of the guest change */
	{ MAIN | VCPU, KVM_IRQ_LINE },
	{ MAIN | VCPU, KVM_IRQFD },
	{ MAIN | VCPU, KVM_IOEVENTFD },
	{ MAIN | VCPU, KVM_SET_GSI_ROUTING },
	{ MAIN | VCPU, KVM_SET_USER_MEMORY_REGION },
	{ MAIN | VCPU, VFIO_DEVICE_SET_IRQS },
	{ MAIN | VCPU, VFIO_DEVICE_RESET },
	{ MAIN | VCPU, VFIO_IOMMU_MAP_DMA },
	{ MAIN | VCPU, VFIO_IOMMU_UNMAP_DMA },
	/* queues that the kernel serves: when a driver starts, and when it is reset */
	{ MAIN | VCPU, VHOST_SET_FEATURES },
	{ MAIN | VCPU, VHOST_SET_MEM_TABLE },
	{ MAIN | VCPU, VHOST_SET_VRING_NUM },
	{ MAIN | VCPU, VHOST_SET_VRING_BASE },
	{ MAIN | VCPU, VHOST_SET_VRING_ADDR },
	{ MAIN | VCPU, VHOST_SET_VRING_KICK },
	{ MAIN | VCPU, VHOST_SET_VRING_CALL },
	{ MAIN | VCPU, VHOST_GET_VRING_BASE },
	{ MAIN | VCPU, VHOST_NET_SET_BACKEND },
	{ MAIN | VCPU, VHOST_VSOCK_SET_RUNNING },
	{ MAIN | VCPU, TUNSETOFFLOAD },
	{ MAIN | VCPU, TUNSETQUEUE },
	/* why a guest cannot go on; its reset */
	{ MAIN | VCPU, KVM_GET_REGS },
	{ MAIN | VCPU, KVM_GET_SREGS },
	{ MAIN, KVM_SET_REGS },
	{ MAIN, KVM_SET_SREGS },
	{ MAIN, KVM_SET_MSRS },
	{ MAIN, KVM_SET_XSAVE },
	{ MAIN, KVM_SET_XCRS },
	{ MAIN, KVM_SET_LAPIC },
	{ MAIN, KVM_SET_IRQCHIP },
	{ MAIN, KVM_KVMCLOCK_CTRL },
	{ MAIN, KVM_SET_DEVICE_ATTR }, /* of VFIO: a device that the host wants back */
	{ MAIN, KVM_GET_STATS_FD },
	{ MAIN, KVM_SET_DEBUGREGS },
	{ MAIN, KVM_SET_VCPU_EVENTS },
	{ MAIN, KVM_SET_MP_STATE },
	/* disks that are block devices */
	{ DISK, BLKDISCARD },
	{ DISK, BLKZEROOUT },
};

/* ---- the program ---- */

static int add_rules(scmp_filter_ctx ctx, unsigned int role)
{
	int r = 0;

	for (size_t i = 0; i < CV_ARRAY_SIZE(rules) && r == 0; i++)
		if (rules[i].roles & role)
			r = seccomp_rule_add_array(ctx, SCMP_ACT_ALLOW, rules[i].number,
						   rules[i].n_args, rules[i].args);
	for (size_t i = 0; i < CV_ARRAY_SIZE(requests) && r == 0; i++)
		if (requests[i].roles & role)
			r = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
					     SCMP_A1(SCMP_CMP_EQ, requests[i].number));
	/* signals: to threads of this process alone */
	return r
		       ?: seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
					   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid()));
}

static int add_told_no(scmp_filter_ctx ctx)
{
	int r = 0;

#ifdef IS_SANITIZED
	for (size_t i = 0; i < CV_ARRAY_SIZE(told_no) && r == 0; i++)
		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), told_no[i], 0);
#endif
	return r;
}

static int read_program(int fd, struct vmm_filter *ret)
{
	_cleanup_free_ struct sock_filter *code = calloc(BPF_MAXINSNS + 1, sizeof(*code));
	ssize_t size = code ? pread(fd, code, (BPF_MAXINSNS + 1) * sizeof(*code), 0) : 0;
	size_t n = size > 0 ? (size_t)size / sizeof(*code) : 0;

	if (!code)
		return -ENOMEM;
	if (n == 0)
		return -EIO;
	if (n > BPF_MAXINSNS)
		return -E2BIG;
	ret->code = TAKE_PTR(code);
	ret->len = (unsigned short)n;
	return 0;
}

/* By way of a memory file: the library writes programs to descriptors only. */
static int export_program(scmp_filter_ctx ctx, struct vmm_filter *ret)
{
	_cleanup_close_ int fd = memfd_create("filter", MFD_CLOEXEC);
	int r;

	if (fd < 0)
		return -errno;
	r = seccomp_export_bpf(ctx, fd);
	return r ?: read_program(fd, ret);
}

/* KVM_RUN is what a vCPU does: ioctl(2) is looked at first. */
int vmm_filter_make(enum vmm_role role, struct vmm_filter *ret)
{
	scmp_filter_ctx ctx;
	int r;

	/* what the kernel has is asked by vmm_filter_probe(), and not call by call for every filter */
	seccomp_api_set(LIBRARY_LEVEL);
	ctx = seccomp_init(SCMP_ACT_TRAP);
	if (!ctx)
		return -ENOMEM;
	r = seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	r = r ?: add_rules(ctx, 1U << role);
	r = r ?: add_told_no(ctx);
	r = r ?: seccomp_syscall_priority(ctx, SCMP_SYS(ioctl), UINT8_MAX);
	r = r ?: export_program(ctx, ret);
	seccomp_release(ctx);
	return r;
}

void vmm_filter_done(struct vmm_filter *f)
{
	free(f->code);
	*f = (struct vmm_filter){ 0 };
}

int vmm_filter_probe(void)
{
	const uint32_t action = SECCOMP_RET_TRAP;

	return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) < 0 ? -errno : 0;
}

/* ---- what is caught ---- */

/* The kernel raises it where the call was made, so that the log may be written. Nothing goes on after it:
 * the call was made by mistake, or by somebody else's code. */
static void on_refused(int signal_number, siginfo_t *info, void *ctx)
{
	const ucontext_t *u = ctx;

	(void)signal_number;
	vmm_log("sandbox: thread %ld made system call %d (0x%llx, 0x%llx, 0x%llx), which it never "
		"needs: the VMM ends",
		syscall(SYS_gettid), info->si_syscall,
		(unsigned long long)u->uc_mcontext.gregs[REG_RDI],
		(unsigned long long)u->uc_mcontext.gregs[REG_RSI],
		(unsigned long long)u->uc_mcontext.gregs[REG_RDX]);
	_exit(CV_EXIT_GUEST);
}

int vmm_filter_catch(void)
{
	struct sigaction action = { .sa_sigaction = on_refused, .sa_flags = SA_SIGINFO };

	return sigaction(SIGSYS, &action, NULL) < 0 ? -errno : 0;
}

static int unblock_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGSYS);
	sigaddset(&set, SIGBUS);
	return -pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

#ifdef IS_SANITIZED
static atomic_bool has_entered;

/* LeakSanitizer looks at the process from another one, at its end: no more of that. */
int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
	return has_entered;
}

static void note_entered(void)
{
	has_entered = true;
}
#else
static void note_entered(void)
{
}
#endif

/* A filter is no reason to run the thread, and the guest in it, with speculation turned off. */
int vmm_filter_enter(const struct vmm_filter *f)
{
	struct sock_fprog program = { .len = f->len, .filter = f->code };
	int r = unblock_signals();

	if (r == 0 &&
	    syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		    SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) < 0)
		r = -errno;
	if (r == 0)
		note_entered();
	return r;
}
