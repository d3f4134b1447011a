// SPDX-License-Identifier: GPL-2.0-or-later
/* program: run a program that lies in a virtiofs share, here, to its end. Pid 1 of Carve's initramfs does
 * that alone: in somebody's distribution guest the host has no programs to run. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/wait.h>

#include "tools/guest/guest.h"

#define ARGS_MAX 63
#define SAID_MAX 160 /* bytes of its last words, in the sentence */

/** struct program_args - @argv ends with NULL; its texts are the request's */
struct program_args {
	const char *tag, *argv[ARGS_MAX + 1];
	uint64_t timeout_ms;
};

static int read_args(const json_t *test, struct program_args *args, struct guest_result *result)
{
	const json_t *argv = json_object_get(test, "argv");
	size_t n = json_array_size(argv);

	*args = (struct program_args){ .tag = json_string_value(json_object_get(test, "tag")) };
	if (!args->tag || !args->tag[0])
		return guest_fail(result, -EINVAL, "tag must name a share");
	if (n == 0 || n > ARGS_MAX)
		return guest_fail(result, -EINVAL, "argv must be 1 to %d texts", ARGS_MAX);
	for (size_t i = 0; i < n; i++) {
		args->argv[i] = json_string_value(json_array_get(argv, i));
		if (!args->argv[i])
			return guest_fail(result, -EINVAL, "argv must be 1 to %d texts", ARGS_MAX);
	}
	if (guest_arg_uint(test, "timeout_ms", 60000, 600000, &args->timeout_ms) < 0)
		return guest_fail(result, -EINVAL, "timeout_ms must be at most 600000");
	return 0;
}

_Noreturn static void become(const struct program_args *args, int said)
{
	if (dup2(said, STDOUT_FILENO) >= 0 && dup2(said, STDERR_FILENO) >= 0)
		execv(args->argv[0], (char *const *)args->argv);
	dprintf(said, "%s: %s", args->argv[0], strerror(errno));
	_exit(127);
}

/* All it says is read, and the last of it kept, until it has closed its output. Return: 0, -ETIMEDOUT, -errno. */
static int listen_to(int fd, uint64_t timeout_ms, char said[SAID_MAX + 1])
{
	uint64_t end = guest_now_us() + timeout_ms * 1000;
	size_t len = 0;

	for (;;) {
		struct pollfd p = { .fd = fd, .events = POLLIN };
		uint64_t now = guest_now_us();
		char chunk[SAID_MAX];
		ssize_t n;

		if (now >= end || poll(&p, 1, (int)((end - now) / 1000) + 1) == 0)
			return -ETIMEDOUT;
		n = read(fd, chunk, sizeof(chunk));
		if (n <= 0)
			return n < 0 ? -errno : 0;
		if (len + (size_t)n > SAID_MAX) {
			size_t drop = len + (size_t)n - SAID_MAX;

			memmove(said, said + drop, len - drop);
			len -= drop;
		}
		memcpy(said + len, chunk, (size_t)n);
		len += (size_t)n;
		said[len] = '\0';
	}
}

static void one_line(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = ' ';
}

static int judge(int r, int status, const struct program_args *args, const char *said,
		 struct guest_result *result)
{
	if (r < 0)
		return guest_fail(result, r, "%s, which said last: %s", args->argv[0], said);
	if (WIFSIGNALED(status))
		return guest_fail(result, -EBADMSG, "%s ended by signal %d, and said last: %s",
				  args->argv[0], WTERMSIG(status), said);
	json_object_set_new(result->json, "exit", json_integer(WEXITSTATUS(status)));
	if (WEXITSTATUS(status) != 0)
		return guest_fail(result, -EBADMSG, "%s ended with %d, and said last: %s",
				  args->argv[0], WEXITSTATUS(status), said);
	return guest_say(result, "%s ended well, and said last: %s", args->argv[0], said);
}

static int run(const struct program_args *args, struct guest_result *result)
{
	_cleanup_close_ int from = -1;
	char said[SAID_MAX + 1] = "";
	int fds[2], status = 0, r;
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC) < 0)
		return guest_fail(result, -errno, "no pipe");
	from = fds[0];
	pid = fork();
	if (pid == 0)
		become(args, fds[1]);
	close(fds[1]);
	if (pid < 0)
		return guest_fail(result, -errno, "no process");
	r = listen_to(from, args->timeout_ms, said);
	if (r < 0)
		kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) < 0)
		r = -errno;
	one_line(said);
	return judge(r, status, args, said, result);
}

int guest_test_program(const struct guest *g, const json_t *test, struct guest_result *result)
{
	struct program_args args;
	void (*was)(int);
	int r = read_args(test, &args, result);

	if (r < 0)
		return r;
	if (getpid() != 1)
		return guest_fail(result, -EPERM,
				  "programs are run in Carve's own test guest alone");
	r = guest_share_mount(args.tag);
	if (r < 0)
		return guest_fail(result, r, "share %s cannot be mounted", args.tag);
	was = signal(SIGCHLD, SIG_DFL); /* pid 1 ignores it: nobody could be waited for */
	r = run(&args, result);
	signal(SIGCHLD, was);
	guest_share_umount();
	return r;
}
