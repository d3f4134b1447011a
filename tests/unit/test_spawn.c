// SPDX-License-Identifier: GPL-2.0-or-later
/* Starting a VMM process: what it inherits, who it is, and that none is left when it fails. What
 * needs root is skipped without it. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/backend/backend.h"
#include "vmm/spawn.h"

#define NOBODY 65534
#define LOG_MAX 16384

/* What the started program tells about itself, one "name value" per line. The status is that of grep,
 * which inherits all of it: while it forks, a shell itself may hold signals back. */
#define ABOUT                                                                              \
	"exec 2>&1; "                                                                      \
	"grep -E '^(Uid|Gid|Groups|Cap...|NoNewPrivs|SigIgn|SigBlk):' /proc/self/status; " \
	"echo umask $(umask); echo core $(ulimit -c); echo cwd $(pwd); "                   \
	"echo stdin $(readlink /proc/$$/fd/0); "                                           \
	"echo sid $(cut -d' ' -f6 /proc/$$/stat) pid $$; "                                 \
	"echo env $(env | cut -d= -f1 | grep -vE '^(PWD|SHLVL|_|OLDPWD)$' | sort)"

struct fixture {
	char dir[32];
	char log_path[64];
	int log_fd;
	struct vmm_spawn spawn;
	const char *argv[4];
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	snprintf(f->dir, sizeof(f->dir), "/tmp/test-spawn-XXXXXX");
	if (!mkdtemp(f->dir))
		return -1;
	snprintf(f->log_path, sizeof(f->log_path), "%s/vmm.log", f->dir);
	f->log_fd = open(f->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	f->spawn = (struct vmm_spawn){
		.argv = f->argv,
		.log_fd = f->log_fd,
		.cgroup_fd = -1,
		.uid = geteuid() == 0 ? NOBODY : geteuid(),
		.gid = geteuid() == 0 ? NOBODY : getegid(),
	};
	f->argv[0] = "/bin/sh";
	f->argv[1] = "-c";
	*state = f;
	return f->log_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	close(f->log_fd);
	unlink(f->log_path);
	rmdir(f->dir);
	free(f);
	return 0;
}

static void read_log(const struct fixture *f, char text[LOG_MAX])
{
	_cleanup_close_ int fd = open(f->log_path, O_RDONLY | O_CLOEXEC);
	ssize_t n = read(fd, text, LOG_MAX - 1);

	assert_true(n >= 0);
	text[n] = '\0';
}

/* Starts @script and waits for its end; what it said is in @text. */
static void run_script(struct fixture *f, const char *script, char text[LOG_MAX])
{
	struct cv_error err = { 0 };
	pid_t pid = -1;
	int status;

	f->argv[2] = script;
	if (vmm_spawn(&f->spawn, &pid, &err) < 0)
		fail_msg("%s: %s", err.what, err.found);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	read_log(f, text);
}

static void assert_has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no \"%s\" in:\n%s", line, text);
}

static void assert_no_child(void)
{
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void test_surroundings(void **state)
{
	char text[LOG_MAX];
	unsigned int sid = 0, pid = 1;

	sigset_t blocked, old;

	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigprocmask(SIG_BLOCK, &blocked, &old);
	signal(SIGUSR1, SIG_IGN);
	run_script(*state, ABOUT, text);
	signal(SIGUSR1, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old, NULL);
	assert_has(text, "umask 0077\n");
	assert_has(text, "core 0\n");
	assert_has(text, "cwd /\n");
	assert_has(text, "stdin /dev/null\n");
	assert_has(text, "NoNewPrivs:\t1\n");
	assert_has(text, "CapInh:\t0000000000000000\n");
	assert_has(text, "CapPrm:\t0000000000000000\n");
	assert_has(text, "CapEff:\t0000000000000000\n");
	assert_has(text, "CapAmb:\t0000000000000000\n");
	assert_has(text, "SigBlk:\t0000000000000000\n");
	assert_has(text, "SigIgn:\t0000000001000000\n"); /* SIGXFSZ, bit 24 */
	assert_has(text, "env LANG PATH\n");
	assert_int_equal(sscanf(strstr(text, "sid "), "sid %u pid %u", &sid, &pid), 2);
	assert_int_equal(sid, pid);
}

static void test_descriptors(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int kept = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int leaky = dup(kept); /* without CLOEXEC, as a library may open it */
	char text[LOG_MAX], wanted[64];

	assert_true(leaky >= 0);
	f->spawn.keep_fds = &kept;
	f->spawn.n_keep_fds = 1;
	/* no directory listing: that would be a descriptor of the shell's own */
	run_script(f,
		   "i=0; while [ $i -lt 64 ]; do "
		   "[ ! -e /proc/$$/fd/$i ] || echo fd $i; i=$((i + 1)); done",
		   text);
	snprintf(wanted, sizeof(wanted), "fd 0\nfd 1\nfd 2\nfd %d\n", kept);
	assert_string_equal(text, wanted);
	assert_int_equal(fcntl(kept, F_GETFD), FD_CLOEXEC);
}

static void test_kept_stdio(void **state)
{
	struct fixture *f = *state;
	int kept = 1;
	pid_t pid;

	f->spawn.keep_fds = &kept;
	f->spawn.n_keep_fds = 1;
	assert_int_equal(vmm_spawn(&f->spawn, &pid, NULL), -EBADF);
}

/* The caller's own stdio may be closed: the child still gets all three. */
static void test_closed_stdio(void **state)
{
	struct fixture *f = *state;
	_cleanup_close_ int in = fcntl(0, F_DUPFD_CLOEXEC, 10);
	char text[LOG_MAX];

	close(0);
	run_script(f, "readlink /proc/$$/fd/0; readlink /proc/$$/fd/2", text);
	if (in >= 0)
		dup2(in, 0);
	assert_has(text, "/dev/null\n");
	assert_has(text, "/vmm.log\n");
}

static void test_switch_user(void **state)
{
	char text[LOG_MAX];

	if (geteuid() != 0) {
		print_message("# SKIP: switching the user needs root\n");
		skip();
	}
	run_script(*state, ABOUT, text);
	assert_has(text, "Uid:\t65534\t65534\t65534\t65534\n");
	assert_has(text, "Gid:\t65534\t65534\t65534\t65534\n");
	assert_has(text, "Groups:\t65534 \n");
	assert_has(text, "CapBnd:\t0000000000000000\n");
}

static void test_root_is_refused(void **state)
{
	struct fixture *f = *state;
	struct cv_error err = { 0 };
	pid_t pid;

	if (geteuid() != 0) {
		print_message("# SKIP: root is refused only to root\n");
		skip();
	}
	f->spawn.uid = 0;
	assert_int_equal(vmm_spawn(&f->spawn, &pid, &err), -EPERM);
	assert_int_equal(err.exit, CV_EXIT_PERMISSION);
	f->spawn.uid = NOBODY;
	f->spawn.gid = 0;
	assert_int_equal(vmm_spawn(&f->spawn, &pid, &err), -EPERM);
	assert_no_child();
}

/* In a child that gave up root, if this is root: it runs as itself, and as nobody else. */
static void test_without_root(void **state)
{
	struct fixture *f = *state;
	int status;
	pid_t pid, mine = fork();

	assert_true(mine >= 0);
	if (mine == 0) {
		if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
			_exit(1);
		f->argv[2] = "exit 5";
		f->spawn.uid = 1;
		if (vmm_spawn(&f->spawn, &pid, NULL) != -EPERM)
			_exit(2);
		f->spawn.uid = 0;
		if (vmm_spawn(&f->spawn, &pid, NULL) < 0)
			_exit(3);
		waitpid(pid, &status, 0);
		_exit(WEXITSTATUS(status));
	}
	assert_int_equal(waitpid(mine, &status, 0), mine);
	assert_int_equal(WEXITSTATUS(status), 5);
}

static void test_memlock(void **state)
{
	struct fixture *f = *state;
	char text[LOG_MAX];

	f->spawn.memlock = 1 << 20;
	run_script(f, "ulimit -l", text);
	assert_string_equal(text, "1024\n");
}

static void test_exec_error(void **state)
{
	struct fixture *f = *state;
	struct cv_error err = { 0 };
	pid_t pid = -1;

	f->argv[0] = "/nowhere/qemu";
	assert_int_equal(vmm_spawn(&f->spawn, &pid, &err), -ENOENT);
	assert_string_equal(err.object, "/nowhere/qemu");
	assert_has(err.what, "execute");
	assert_int_equal(pid, -1);
	assert_no_child();
}

static int enter_fails(void *ctx, pid_t child, struct cv_error *err)
{
	*(pid_t *)ctx = child;
	return cv_fail(err, -EXDEV, CV_EXIT_FAILED, "TEST", NULL, "no");
}

static void test_enter_fails(void **state)
{
	struct fixture *f = *state;
	struct cv_error err = { 0 };
	char text[LOG_MAX];
	pid_t pid = -1, seen = -1;

	f->argv[2] = "echo started";
	f->spawn.enter = enter_fails;
	f->spawn.enter_ctx = &seen;
	assert_int_equal(vmm_spawn(&f->spawn, &pid, &err), -EXDEV);
	assert_string_equal(err.code, "TEST");
	assert_true(seen > 0);
	assert_no_child();
	read_log(f, text);
	assert_string_equal(text, "");
}

static int enter_looks(void *ctx, pid_t child, struct cv_error *err)
{
	char text[LOG_MAX];

	poll(NULL, 0, 100);
	read_log(ctx, text);
	return text[0] == '\0' && kill(child, 0) == 0 ? 0 : -EALREADY;
}

static void test_enter_is_first(void **state)
{
	struct fixture *f = *state;
	char text[LOG_MAX];

	f->spawn.enter = enter_looks;
	f->spawn.enter_ctx = f;
	run_script(f, "echo started", text);
	assert_string_equal(text, "started\n");
}

static int enter_dies(void *ctx, pid_t child, struct cv_error *err)
{
	_exit(3);
}

static void test_parent_dies(void **state)
{
	struct fixture *f = *state;
	char text[LOG_MAX];
	int status;
	pid_t pid, parent = fork();

	assert_true(parent >= 0);
	if (parent == 0) {
		f->argv[2] = "echo started";
		f->spawn.enter = enter_dies;
		vmm_spawn(&f->spawn, &pid, NULL);
		_exit(4);
	}
	assert_int_equal(waitpid(parent, &status, 0), parent);
	assert_int_equal(WEXITSTATUS(status), 3);
	poll(NULL, 0, 200);
	read_log(f, text);
	assert_string_equal(text, "");
}

/* Return: 0, or the number of what went wrong. */
static int try_cap(struct fixture *f)
{
	int status;
	pid_t pid;

	if (geteuid() == 0 && (setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
		return 1;
	f->spawn.uid = 0;
	if (vmm_spawn(&f->spawn, &pid, NULL) < 0)
		return 2;
	if (vmm_cap_files(pid, 65536) < 0)
		return 3;
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 4;
	return WEXITSTATUS(status);
}

/* As the VMM's own user: root may be without the right to limit others. */
static void test_cap_files(void **state)
{
	struct fixture *f = *state;
	struct stat st;
	int status;
	pid_t pid;

	f->argv[2] = "while [ \"$(ulimit -f)\" = unlimited ]; do sleep 0.02; done; "
		     "head -c 300000 /dev/zero; exit 7";
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(try_cap(f));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(stat(f->log_path, &st), 0);
	assert_int_equal(st.st_size, 65536);
}

static void test_groups(void **state)
{
	gid_t groups[VMM_GROUPS_MAX];
	size_t n = 0;

	(void)state;
	assert_int_equal(vmm_groups(4000000000U, 77, groups, &n), 0);
	assert_int_equal(n, 1);
	assert_int_equal(groups[0], 77);
}

/* A cgroup v2 where this test may make one: -1 if there is none. */
static int make_cgroup(char path[128])
{
	static const char *const roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(roots); i++) {
		snprintf(path, 128, "%s/cgroup.procs", roots[i]);
		if (access(path, W_OK) < 0)
			continue;
		snprintf(path, 128, "%s/carve-test-%d", roots[i], (int)getpid());
		if (mkdir(path, 0755) == 0)
			return open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	return -1;
}

static void test_cgroup(void **state)
{
	struct fixture *f = *state;
	char text[LOG_MAX], path[128];
	_cleanup_close_ int fd = make_cgroup(path);
	int gone;

	if (fd < 0) {
		print_message("# SKIP: no cgroup v2 that can be written to (needs root)\n");
		skip();
	}
	f->spawn.cgroup_fd = fd;
	run_script(f, "cat /proc/self/cgroup", text);
	for (int i = 0; (gone = rmdir(path)) < 0 && errno == EBUSY && i < 100; i++)
		poll(NULL, 0, 10);
	assert_int_equal(gone, 0);
	assert_has(text, strrchr(path, '/'));
}

static void test_log_tail(void **state)
{
	struct fixture *f = *state;
	char *tail = vmm_log_tail(f->dir, 100);

	assert_string_equal(tail, "");
	free(tail);
	assert_true(write(f->log_fd, "first\nsecond \033[31m\nthird\n\n", 26) == 26);
	tail = vmm_log_tail(f->dir, 100);
	assert_string_equal(tail, "first\nsecond ?[31m\nthird");
	free(tail);
	tail = vmm_log_tail(f->dir, 12);
	assert_string_equal(tail, "third");
	free(tail);
	tail = vmm_log_tail("/nowhere", 12);
	assert_string_equal(tail, "");
	free(tail);
}

static void test_log_is_a_link(void **state)
{
	struct fixture *f = *state;
	char *tail;

	unlink(f->log_path);
	assert_int_equal(symlink("/etc/passwd", f->log_path), 0);
	tail = vmm_log_tail(f->dir, 100);
	assert_string_equal(tail, "");
	free(tail);
}

static void test_read_tail(void **state)
{
	struct fixture *f = *state;
	char *tail = vmm_read_tail(f->dir, "other.log", 100), path[80];

	assert_null(tail);
	assert_true(write(f->log_fd, "one\ntwo\0x\n", 10) == 10);
	tail = vmm_read_tail(f->dir, "vmm.log", 100);
	assert_string_equal(tail, "one\ntwo?x\n");
	free(tail);
	tail = vmm_read_tail(f->dir, "vmm.log", 8);
	assert_string_equal(tail, "two?x\n");
	free(tail);
	/* a second name of a file that may be somebody else's */
	snprintf(path, sizeof(path), "%s/console.log", f->dir);
	assert_int_equal(link(f->log_path, path), 0);
	tail = vmm_read_tail(f->dir, "console.log", 100);
	unlink(path);
	assert_null(tail);
}

static void test_find(void **state)
{
	assert_ptr_equal(vmm_backend_find("qemu"), &vmm_backend_qemu);
	assert_ptr_equal(vmm_backend_at(0), &vmm_backend_native);
	assert_null(vmm_backend_at(2));
	assert_null(vmm_backend_find("bhyve"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_surroundings), TEST(test_descriptors),    TEST(test_kept_stdio),
		TEST(test_closed_stdio), TEST(test_switch_user),    TEST(test_root_is_refused),
		TEST(test_without_root), TEST(test_memlock),	    TEST(test_exec_error),
		TEST(test_enter_fails),	 TEST(test_enter_is_first), TEST(test_parent_dies),
		TEST(test_cgroup),	 TEST(test_log_tail),	    TEST(test_log_is_a_link),
		TEST(test_find),	 TEST(test_cap_files),	    TEST(test_groups),
		TEST(test_read_tail),
	};

	return cmocka_run_group_tests_name("spawn", tests, NULL, NULL);
}
