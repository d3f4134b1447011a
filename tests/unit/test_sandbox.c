// SPDX-License-Identifier: GPL-2.0-or-later
/* Threads that are locked in: a child for each call that is tried. What is not on the role's list ends the
 * process with a line that names it; what is, works. */
#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <linux/vfio.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <seccomp.h>

#include "base/cleanup.h"
#include "vmm/control/server.h"
#include "vmm/core/bus.h"
#include "vmm/core/irq.h"
#include "vmm/core/layout.h"
#include "vmm/core/log.h"
#include "vmm/core/loop.h"
#include "vmm/core/memory.h"
#include "vmm/core/sandbox.h"
#include "vmm/core/sandbox_parts.h"
#include "vmm/core/vm_call.h"
#include "vmm/dev/devices.h"

#define WORKED 0
#define FAILED 60 /* a call that must work did not */
#define SURVIVED 61
#define NOT_ENTERED 62
#define LOG_MAX 1024
#define CONSOLE_BYTES 65536 /* more than is kept before it is written */

/** struct env - what a child has open before it enters */
struct env {
	int null_fd, file_fd, memory_fd, event_fd, epoll_fd, listen_fd, pair[2];
	/* a machine in name only */
	struct vmm_loop *loop;
	struct vmm_bus pio;
	struct vmm_irqs *irqs;
	struct vmm_serial *serial;
	struct vmm_server *server;
	int client_fd;
};

/** struct trial - @run: 0 or more when it worked, negative (-errno) when it was refused */
struct trial {
	const char *name;
	long (*run)(const struct env *e);
	int number; /* of the system call */
};

static long result(long r)
{
	return r < 0 ? -errno : r;
}

/* ---- what nobody may ---- */

static long try_open(const struct env *e)
{
	return result(syscall(SYS_open, "/etc/passwd", O_RDONLY));
}

static long try_openat(const struct env *e)
{
	return result(syscall(SYS_openat, AT_FDCWD, "/etc/passwd", O_RDONLY));
}

static long try_openat2(const struct env *e)
{
	const uint64_t how[3] = { O_RDONLY };

	return result(syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", how, sizeof(how)));
}

static long try_socket(const struct env *e)
{
	return result(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

static long try_connect(const struct env *e)
{
	const struct sockaddr_un to = { .sun_family = AF_UNIX, .sun_path = "/run/x" };

	return result(connect(e->pair[0], (const struct sockaddr *)&to, sizeof(to)));
}

static long try_execve(const struct env *e)
{
	char *argv[] = { (char[]){ "true" }, NULL };

	return result(execve("/bin/true", argv, argv + 1));
}

static long try_fork(const struct env *e)
{
	return result(syscall(SYS_fork));
}

static long try_ptrace(const struct env *e)
{
	return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static long try_parent(const struct env *e)
{
	return result(getppid());
}

static long try_kill(const struct env *e)
{
	return result(kill(1, 0));
}

static long try_tgkill_other(const struct env *e)
{
	return result(syscall(SYS_tgkill, 1, 1, 0));
}

static long try_process_read(const struct env *e)
{
	char byte;
	struct iovec to = { &byte, 1 }, from = { &byte, 1 };

	return result(process_vm_readv(getpid(), &to, 1, &from, 1, 0));
}

static long try_code(const struct env *e)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			-1, 0);

	return result(at == MAP_FAILED ? -1 : 0);
}

static long try_code_later(const struct env *e)
{
	void *at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return result(mprotect(at, 4096, PROT_READ | PROT_EXEC));
}

static long try_map_file(const struct env *e)
{
	void *at = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, e->file_fd, 0);

	return result(at == MAP_FAILED ? -1 : 0);
}

static long try_other_ioctl(const struct env *e)
{
	return result(ioctl(e->null_fd, KVM_CREATE_VM, 0));
}

static long try_other_action(const struct env *e)
{
	const struct sigaction action = { .sa_handler = SIG_IGN };

	return result(syscall(SYS_rt_sigaction, SIGSYS, &action, NULL, 8));
}

static long try_bpf(const struct env *e)
{
	return result(syscall(SYS_bpf, 0, NULL, 0));
}

static long try_uring(const struct env *e)
{
	return result(syscall(SYS_io_uring_setup, 1, NULL));
}

static long try_limit(const struct env *e)
{
	const struct rlimit l = { 0, 0 };

	return result(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, &l, NULL));
}

static const struct trial forbidden[] = {
	{ "open", try_open, SYS_open },
	{ "openat", try_openat, SYS_openat },
	{ "openat2", try_openat2, SYS_openat2 },
	{ "socket", try_socket, SYS_socket },
	{ "connect", try_connect, SYS_connect },
	{ "execve", try_execve, SYS_execve },
	{ "fork", try_fork, SYS_fork },
	{ "ptrace", try_ptrace, SYS_ptrace },
	{ "getppid", try_parent, SYS_getppid },
	{ "kill", try_kill, SYS_kill },
	{ "tgkill of another process", try_tgkill_other, SYS_tgkill },
	{ "process_vm_readv", try_process_read, SYS_process_vm_readv },
	{ "mmap PROT_EXEC", try_code, SYS_mmap },
	{ "mprotect PROT_EXEC", try_code_later, SYS_mprotect },
	{ "mmap of a file", try_map_file, SYS_mmap },
	{ "an ioctl that is not listed", try_other_ioctl, SYS_ioctl },
	{ "sigaction", try_other_action, SYS_rt_sigaction },
	{ "bpf", try_bpf, SYS_bpf },
	{ "io_uring_setup", try_uring, SYS_io_uring_setup },
	{ "setrlimit", try_limit, SYS_prlimit64 },
};

/* ---- what a role may ---- */

static long use_memory(const struct env *e)
{
	size_t size = 1 << 20;
	char *big = malloc(size);

	if (!big)
		return -ENOMEM;
	memset(big, 1, size);
	big = realloc(big, 64 * size);
	free(big);
	return big ? 0 : -ENOMEM;
}

static long use_event(const struct env *e)
{
	uint64_t n = 1;

	if (write(e->event_fd, &n, sizeof(n)) != sizeof(n))
		return -errno;
	return read(e->event_fd, &n, sizeof(n)) == sizeof(n) ? 0 : -errno;
}

static long use_file(const struct env *e)
{
	char byte;

	return pread(e->file_fd, &byte, 1, 0) == 1 ? 0 : -errno;
}

static long use_kick(const struct env *e)
{
	return -pthread_kill(pthread_self(), 0);
}

/* The list let it through: the file refuses it. */
static long use_ioctl(const struct env *e, unsigned long request)
{
	return ioctl(e->null_fd, request, 0) < 0 && errno == ENOTTY ? 0 : -EIO;
}

static long use_run(const struct env *e)
{
	return use_ioctl(e, KVM_RUN);
}

static long use_routes(const struct env *e)
{
	return use_ioctl(e, KVM_SET_GSI_ROUTING);
}

static long use_vectors(const struct env *e)
{
	return use_ioctl(e, VFIO_DEVICE_SET_IRQS);
}

static long use_msrs(const struct env *e)
{
	return use_ioctl(e, KVM_SET_MSRS);
}

static long use_new_event(const struct env *e)
{
	int fd = eventfd(0, EFD_CLOEXEC);

	return fd < 0 ? -errno : close(fd);
}

static long use_watch(const struct env *e)
{
	struct epoll_event event = { .events = EPOLLIN };

	return result(epoll_ctl(e->epoll_fd, EPOLL_CTL_ADD, e->event_fd, &event));
}

static long use_wait(const struct env *e)
{
	struct epoll_event event;

	return result(epoll_wait(e->epoll_fd, &event, 1, 0));
}

static long use_accept(const struct env *e)
{
	/* cppcheck-suppress nullPointer */ /* the peer has no address */
	int fd = accept4(e->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 && errno == EAGAIN ? 0 : -EIO;
}

static long use_socket(const struct env *e)
{
	char byte = 1;

	if (send(e->pair[0], &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return -errno;
	return recv(e->pair[1], &byte, 1, MSG_DONTWAIT) == 1 ? 0 : -errno;
}

static long use_message(const struct env *e)
{
	char byte = 1;
	struct iovec part = { &byte, 1 };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	if (sendmsg(e->pair[0], &m, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		return -errno;
	return recvmsg(e->pair[1], &m, MSG_DONTWAIT) == 1 ? 0 : -errno;
}

static long use_limits(const struct env *e)
{
	struct rlimit l;

	return result(getrlimit(RLIMIT_MEMLOCK, &l));
}

static long use_stat(const struct env *e)
{
	struct stat st;

	return fstat(e->file_fd, &st) == 0 && lseek(e->file_fd, 0, SEEK_END) > 0 ? 0 : -errno;
}

static int by_value(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static long use_sort(const struct env *e)
{
	int n[4096];

	for (int i = 0; i < 4096; i++)
		n[i] = 4096 - i;
	qsort(n, CV_ARRAY_SIZE(n), sizeof(n[0]), by_value);
	return n[0] == 1 ? 0 : -EIO;
}

/* As virtio-blk's. */
static long use_disk(const struct env *e)
{
	char byte = 1;
	struct iovec v = { &byte, 1 };
	const int punch = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;

	if (pwritev(e->memory_fd, &v, 1, 4096) != 1 || preadv(e->memory_fd, &v, 1, 4096) != 1 ||
	    fdatasync(e->memory_fd) < 0 || fallocate(e->memory_fd, punch, 0, 4096) < 0)
		return -errno;
	return 0;
}

/* A client that asks and then ends the machine: it wrote all of it before. */
static long use_server(const struct env *e)
{
	char text[4096] = "";
	ssize_t n;
	int r = vmm_loop_run(e->loop);

	vmm_server_free(e->server);
	n = recv(e->client_fd, text, sizeof(text) - 1, MSG_DONTWAIT);
	return r == 0 && n > 0 && strstr(text, "prelaunch") ? 0 : -EIO;
}

/* Output of a guest to its console, an interrupt, a line in the log. */
static long use_devices(const struct env *e)
{
	const struct vmm_msi msi = { 0xfee00000, 0x31 };
	struct vmm_bus *pio = &((struct env *)(uintptr_t)e)->pio;
	uint8_t byte = 'x';
	int fd, route;

	for (size_t i = 0; i < CONSOLE_BYTES; i++)
		if (!vmm_bus_access(pio, VMM_PORT_SERIAL, &byte, 1, true))
			return -EIO;
	route = vmm_irq_add(e->irqs, &fd);
	if (route < 0 || vmm_irq_pending(e->irqs, route) || vmm_irq_set(e->irqs, route, &msi) < 0)
		return -EIO;
	vmm_irq_remove(e->irqs, route);
	vmm_log("%s: %s", "device", strerror(EIO));
	byte = 0;
	return pread(e->memory_fd, &byte, 1, 0) == 1 && byte == 'x' ? 0 : -EIO;
}

static long use_guest_memory(const struct env *e)
{
	uint8_t *at = aligned_alloc(4096, 8 * 4096);
	struct vmm_memory m = { .maps = { at }, .sizes = { 8 * 4096 }, .page_sizes = { 4096 } };
	int r = at ? vmm_memory_fill(&m, 0, 1, 2) : -ENOMEM;

	free(at);
	return r;
}

#define MAIN (1U << VMM_ROLE_MAIN)
#define VCPU (1U << VMM_ROLE_VCPU)
#define DISK (1U << VMM_ROLE_DISK)
#define ALL (MAIN | VCPU | DISK)

static const struct allowed {
	unsigned int roles;
	struct trial trial;
} allowed[] = {
	{ ALL, { "memory", use_memory, SYS_mmap } },
	{ ALL, { "eventfd", use_event, SYS_write } },
	{ ALL, { "pread", use_file, SYS_pread64 } },
	{ ALL, { "own thread's signal", use_kick, SYS_tgkill } },
	{ VCPU, { "KVM_RUN", use_run, SYS_ioctl } },
	{ MAIN | VCPU, { "KVM_SET_GSI_ROUTING", use_routes, SYS_ioctl } },
	{ MAIN | VCPU, { "VFIO_DEVICE_SET_IRQS", use_vectors, SYS_ioctl } },
	{ MAIN, { "KVM_SET_MSRS", use_msrs, SYS_ioctl } },
	{ ALL, { "eventfd2", use_new_event, SYS_eventfd2 } },
	{ MAIN | VCPU, { "epoll_ctl", use_watch, SYS_epoll_ctl } },
	{ MAIN, { "epoll_wait", use_wait, SYS_epoll_wait } },
	{ MAIN, { "accept4", use_accept, SYS_accept4 } },
	{ MAIN, { "send and recv", use_socket, SYS_sendto } },
	{ MAIN | VCPU, { "message of vhost-user", use_message, SYS_sendmsg } },
	{ MAIN | VCPU, { "getrlimit", use_limits, SYS_prlimit64 } },
	{ MAIN | DISK, { "fstat and lseek", use_stat, -1 } },
	{ DISK, { "requests of a disk", use_disk, SYS_pwritev } },
	{ MAIN, { "qsort", use_sort, -1 } },
	{ MAIN, { "QMP", use_server, SYS_epoll_wait } },
	{ MAIN | VCPU, { "console, interrupts, log", use_devices, -1 } },
	{ MAIN | VCPU, { "filling memory", use_guest_memory, -1 } },
};

static const char *const role_names[VMM_ROLES] = { "main", "vCPU", "disk" };

/* ---- a child ---- */

static const char *machine_status(void *ctx)
{
	return "prelaunch";
}

static void machine_quit(void *ctx)
{
	vmm_loop_stop(((struct env *)ctx)->loop, 0);
}

static const struct vmm_control_ops control_ops = { .status = machine_status,
						    .quit = machine_quit };

static int answer(void *ctx, int fd, unsigned long request, void *arg)
{
	return 0;
}

static int open_server(struct env *e)
{
	static const char requests[] = "{\"execute\":\"qmp_capabilities\"}"
				       "{\"execute\":\"query-status\"}"
				       "{\"execute\":\"nonsense\"}{\"execute\":\"quit\"}";
	struct sockaddr_un addr;
	socklen_t len = sizeof(addr);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	addr.sun_family = AF_UNIX;
	if (bind(fd, (const struct sockaddr *)&addr, sizeof(sa_family_t)) < 0 ||
	    listen(fd, 1) < 0 || getsockname(fd, (struct sockaddr *)&addr, &len) < 0)
		return -errno;
	e->client_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(e->client_fd, (const struct sockaddr *)&addr, len) < 0 ||
	    write(e->client_fd, requests, strlen(requests)) < 0)
		return -errno;
	return vmm_server_new(e->loop, "vm", &fd, 1, &control_ops, e, &e->server, NULL);
}

static int open_machine(struct env *e)
{
	static const struct vmm_vm_call vm = { .fd = -1, .call = answer };
	int r = vmm_loop_new(&e->loop);

	r = r ?: vmm_bus_init(&e->pio);
	r = r ?: vmm_irqs_new_on(&vm, 128, &e->irqs);
	r = r ?: vmm_serial_new(&e->pio, e->irqs, e->loop, -1, e->memory_fd, &e->serial);
	return r ?: open_server(e);
}

static int forgotten = -1; /* system call that the child's kernel does not have */

/* Outermost: @number is unknown to this kernel. */
static int forget_call(int number)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	r = r ?: seccomp_rule_add(ctx, SCMP_ACT_ERRNO(ENOSYS), number, 0);
	r = r ?: seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return r;
}

static void open_env(struct env *e)
{
	const struct sockaddr_un any = { .sun_family = AF_UNIX }; /* the kernel names it */

	e->null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	e->file_fd = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	e->memory_fd = memfd_create("test", MFD_CLOEXEC);
	e->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	e->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	e->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (e->null_fd < 0 || e->file_fd < 0 || e->event_fd < 0 || e->epoll_fd < 0 ||
	    bind(e->listen_fd, (const struct sockaddr *)&any, sizeof(sa_family_t)) < 0 ||
	    listen(e->listen_fd, 1) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, e->pair) < 0 || open_machine(e) < 0)
		_exit(NOT_ENTERED);
}

/** struct thread - as a vCPU's: no signal reaches it */
struct thread {
	const struct vmm_sandbox *sandbox;
	const struct env *env;
	const struct trial *trial;
	enum vmm_role role;
	int status;
};

static void *thread_main(void *arg)
{
	struct thread *t = arg;
	long r;

	if (vmm_sandbox_enter(t->sandbox, t->role, NULL) < 0)
		_exit(NOT_ENTERED);
	r = t->trial->run(t->env);
	t->status = r < 0 ? FAILED : WORKED;
	return NULL;
}

/* In a thread of its own, with all signals blocked; what is not on its list ends all. */
static void child_main(const struct trial *t, enum vmm_role role, bool is_on)
{
	struct thread thread = { .trial = t, .role = role, .status = NOT_ENTERED };
	struct vmm_sandbox *s = NULL;
	struct env e = { 0 };
	pthread_t id;
	sigset_t all;

	open_env(&e);
	thread.env = &e;
	if (forgotten >= 0 && forget_call(forgotten) < 0)
		_exit(NOT_ENTERED);
	if (vmm_sandbox_new(is_on, &s, NULL) < 0)
		_exit(NOT_ENTERED);
	thread.sandbox = s;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	if (pthread_create(&id, NULL, thread_main, &thread) != 0)
		_exit(NOT_ENTERED);
	pthread_join(id, NULL);
	vmm_sandbox_free(s);
	_exit(thread.status);
}

/* Return: how it ended; what it said is in @text. */
static int run_child(const struct trial *t, enum vmm_role role, bool is_on, char text[LOG_MAX])
{
	int out[2], status;
	size_t len = 0;
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDERR_FILENO);
		child_main(t, role, is_on);
	}
	close(out[1]);
	while (len < LOG_MAX - 1 && (n = read(out[0], text + len, LOG_MAX - 1 - len)) > 0)
		len += (size_t)n;
	text[len] = '\0';
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

#ifdef __SANITIZE_ADDRESS__
#define MAY_BE_TOLD true /* its reports need an answer to some calls */
#else
#define MAY_BE_TOLD false
#endif

/* The process has ended, and the log names the call. */
static void assert_stopped(const struct trial *t, enum vmm_role role)
{
	char text[LOG_MAX], call[64];
	int status = run_child(t, role, true, text);

	if (MAY_BE_TOLD && WIFEXITED(status) && WEXITSTATUS(status) == FAILED)
		return;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != CV_EXIT_GUEST)
		fail_msg("%s, %s: ended with 0x%x: %s", role_names[role], t->name, status, text);
	snprintf(call, sizeof(call), "made system call %d (", t->number);
	if (!strstr(text, call))
		fail_msg("%s, %s: no \"%s\" in: %s", role_names[role], t->name, call, text);
}

static void assert_works(const struct trial *t, enum vmm_role role)
{
	char text[LOG_MAX];
	int status = run_child(t, role, true, text);

	if (!WIFEXITED(status) || WEXITSTATUS(status) != WORKED)
		fail_msg("%s, %s: ended with 0x%x: %s", role_names[role], t->name, status, text);
}

/* ---- tests ---- */

static void test_forbidden(void **state)
{
	for (int role = 0; role < VMM_ROLES; role++)
		for (size_t i = 0; i < CV_ARRAY_SIZE(forbidden); i++)
			assert_stopped(&forbidden[i], (enum vmm_role)role);
}

static void test_allowed(void **state)
{
	for (int role = 0; role < VMM_ROLES; role++)
		for (size_t i = 0; i < CV_ARRAY_SIZE(allowed); i++)
			if (allowed[i].roles & 1U << role)
				assert_works(&allowed[i].trial, (enum vmm_role)role);
}

/* What one role needs is not another's. */
static void test_roles(void **state)
{
	for (int role = 0; role < VMM_ROLES; role++)
		for (size_t i = 0; i < CV_ARRAY_SIZE(allowed); i++)
			if (!(allowed[i].roles & 1U << role) && allowed[i].trial.number >= 0)
				assert_stopped(&allowed[i].trial, (enum vmm_role)role);
}

/* Without it the same call works, and the log says that it is off. */
static void test_off(void **state)
{
	const struct trial *t = &forbidden[1];
	char text[LOG_MAX];
	int status = run_child(t, VMM_ROLE_VCPU, false, text);

	assert_string_equal(t->name, "openat");
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "sandbox: off"));
}

/* From outside: the thread itself may not ask. */
static void test_status(void **state)
{
	static const char *const wanted[] = { "NoNewPrivs:\t1", "Seccomp:\t2",
					      "CapEff:\t0000000000000000",
					      "CapPrm:\t0000000000000000",
					      "CapInh:\t0000000000000000" };
	char path[64], text[8192];
	struct vmm_sandbox *s = NULL;
	int go[2];
	ssize_t n;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, go), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (vmm_sandbox_new(true, &s, NULL) < 0 ||
		    vmm_sandbox_enter(s, VMM_ROLE_MAIN, NULL) < 0)
			_exit(NOT_ENTERED);
		_exit(write(go[1], "", 1) == 1 && read(go[1], text, 1) == 1 ? WORKED : FAILED);
	}
	assert_int_equal(read(go[0], text, 1), 1);
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
	n = read(fd, text, sizeof(text) - 1);
	assert_true(n > 0);
	text[n] = '\0';
	for (size_t i = 0; i < CV_ARRAY_SIZE(wanted); i++)
		if (!strstr(text, wanted[i]))
			fail_msg("no \"%s\" in:\n%s", wanted[i], text);
	assert_int_equal(write(go[0], "", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	close(go[0]);
	close(go[1]);
}

/* Landlock by itself. */
static void test_files(void **state)
{
	int fd, status, ruleset = vmm_files_make();
	pid_t pid;

	if (ruleset == -EOPNOTSUPP) {
		print_message(
			"SKIP: this kernel has no Landlock; boot one with lsm=landlock,...\n");
		skip();
	}
	assert_true(ruleset >= 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || vmm_files_enter(ruleset) < 0)
			_exit(NOT_ENTERED);
		fd = open("/etc/passwd", O_RDONLY | O_CLOEXEC);
		if (fd >= 0 || errno != EACCES)
			_exit(SURVIVED);
		_exit(mkdir("/tmp/test-sandbox-made", 0700) == 0 || errno != EACCES ? SURVIVED
										    : WORKED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	close(ruleset);
}

/* ---- kernels that lack something ---- */

static long use_nothing(const struct env *e)
{
	return 0;
}

static void test_no_landlock(void **state)
{
	static const struct trial nothing = { "nothing", use_nothing, -1 };
	char text[LOG_MAX];
	int status;

	forgotten = SCMP_SYS(landlock_create_ruleset);
	status = run_child(&nothing, VMM_ROLE_VCPU, true, text);
	assert_int_equal(status, 0);
	assert_non_null(strstr(text, "no Landlock"));
	status = run_child(&forbidden[0], VMM_ROLE_VCPU, true, text);
	assert_int_not_equal(status, 0);
	forgotten = -1;
}

static void test_no_seccomp(void **state)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct vmm_sandbox *s = NULL;
		struct cv_error err = { 0 };

		if (forget_call(SCMP_SYS(seccomp)) < 0)
			_exit(NOT_ENTERED);
		if (vmm_sandbox_new(true, &s, &err) != -EOPNOTSUPP || s)
			_exit(SURVIVED);
		_exit(strcmp(err.code, "NO_SECCOMP") == 0 && err.hint[0] ? WORKED : FAILED);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

/* Each KVM_RUN goes through it. */
static void test_programs(void **state)
{
	for (int role = 0; role < VMM_ROLES; role++) {
		struct vmm_filter f = { 0 };

		assert_int_equal(vmm_filter_make((enum vmm_role)role, &f), 0);
		assert_in_range(f.len, 20, 512);
		vmm_filter_done(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),   cmocka_unit_test(test_forbidden),
		cmocka_unit_test(test_allowed),	   cmocka_unit_test(test_roles),
		cmocka_unit_test(test_off),	   cmocka_unit_test(test_status),
		cmocka_unit_test(test_files),	   cmocka_unit_test(test_no_landlock),
		cmocka_unit_test(test_no_seccomp),
	};

	/* forget_call() loads by the library, which then must have looked at the kernel itself, before
	 * vmm_filter_make() tells it what there is */
	seccomp_api_get();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
