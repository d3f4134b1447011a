// SPDX-License-Identifier: GPL-2.0-or-later
/* Networks, shares and vsock of guests: what is refused before a start, and the programs that serve them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/strv.h"
#include "tests/fake/fake_sysroot.h"
#include "tools/link_peers.h"
#include "tools/links.h"

#define NOBODY 65534

const struct cmd_verb *const cmd_verbs[] = { NULL };

/* ---- command lines ---- */

static void expect_argv(struct cv_strv *argv, const char *wanted)
{
	_cleanup_free_ char *text = cv_strv_join(argv, " ");

	assert_string_equal(text, wanted);
	cv_strv_done(argv);
}

static void passt_argv(void **state)
{
	const struct plan_net n = {
		.id = "user",
		.kind = PLAN_NET_PASST,
		.forwards = { { false, 2222, 22 }, { true, 5353, 53 } },
		.n_forwards = 2,
	};
	struct cv_strv argv = { 0 };

	(void)state;
	assert_int_equal(link_passt_argv("/usr/bin/passt", &n, 7, &argv), 0);
	expect_argv(&argv, "/usr/bin/passt --foreground --stderr --quiet --fd 7 -t 2222:22 "
			   "-u 5353:53");
}

/* One that only reads says so itself: the guest is not asked. */
static void share_argv(void **state)
{
	struct plan_share s = { .id = "share0", .path = (char *)"/srv/a b" };
	struct cv_strv argv = { 0 };

	(void)state;
	assert_int_equal(link_share_argv("/usr/libexec/virtiofsd", &s, 9, &argv), 0);
	assert_string_equal(argv.v[2], "--shared-dir=/srv/a b");
	expect_argv(&argv, "/usr/libexec/virtiofsd --fd=9 --shared-dir=/srv/a b --sandbox=none "
			   "--log-level=warn");
	s.is_readonly = true;
	assert_int_equal(link_share_argv("/usr/libexec/virtiofsd", &s, 9, &argv), 0);
	assert_string_equal(argv.v[argv.n - 1], "--readonly");
	cv_strv_done(&argv);
}

/* ---- descriptors out of a child ---- */

static int open_null(void *arg)
{
	return arg ? -ENXIO : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int never(void *arg)
{
	while (pause() < 0)
		;
	return -EIO;
}

static void fetch(void **state)
{
	int flags, fd = link_fetch(open_null, NULL, 5000);
	struct stat a, b;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(stat("/dev/null", &b), 0);
	assert_true(a.st_rdev == b.st_rdev);
	flags = fcntl(fd, F_GETFD);
	assert_true(flags & FD_CLOEXEC);
	close(fd);
	assert_int_equal(link_fetch(open_null, &fd, 5000), -ENXIO);
	assert_int_equal(link_fetch(never, NULL, 100), -ETIMEDOUT);
}

/* ---- before a start ---- */

/** struct host - without VMs, and a folder of the user's */
struct host {
	struct cmd c;
	struct fake *fake;
	char dir[32];
	struct plan p;
};

static int make_host(void **state)
{
	struct host *h = calloc(1, sizeof(*h));

	assert_non_null(h);
	assert_int_equal(fake_new(&h->fake, &h->c.root), 0);
	snprintf(h->dir, sizeof(h->dir), "/tmp/carve-links-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	assert_int_equal(chmod(h->dir, 0755), 0);
	snprintf(h->p.name, sizeof(h->p.name), "demo");
	snprintf(h->p.user, sizeof(h->p.user), "nobody");
	*state = h;
	return 0;
}

static int free_host(void **state)
{
	struct host *h = *state;

	cv_sysroot_close(h->c.root);
	assert_int_equal(rmdir(h->dir), 0);
	free(h);
	return 0;
}

static void expect_refused(struct host *h, int r, const char *object, const char *what)
{
	if (geteuid() != 0) {
		print_message("SKIP: only root can look as another user: run it as root\n");
		skip();
	}
	memset(&h->c.err, 0, sizeof(h->c.err));
	assert_int_equal(links_check(&h->c, &h->p, NOBODY, NOBODY), r);
	assert_string_equal(h->c.err.object, object);
	assert_non_null(strstr(h->c.err.what, what));
	assert_true(h->c.err.hint[0] != '\0');
}

static void bridges(void **state)
{
	struct host *h = *state;
	struct cv_step step = {
		.kind = "tap",
		.object = "cv0-0",
		.value = "user=nobody bridge=br0 vlan=0 mtu=0 queues=1",
	};

	h->p.nets[0] = (struct plan_net){ .id = "lan", .tap = "cv0-0" };
	h->p.n_nets = 1;
	h->p.steps = &step;
	h->p.n_steps = 1;
	expect_refused(h, -ENODEV, "br0", "a bridge that is not there");
	fake_dir(h->fake, "/sys/class/net/br0/bridge");
	fake_file(h->fake, "/sys/class/net/cv0-0/ifalias", "mine");
	expect_refused(h, -EEXIST, "cv0-0", "is there already");
	fake_remove(h->fake, "/sys/class/net/cv0-0");
	assert_int_equal(links_check(&h->c, &h->p, NOBODY, NOBODY), 0);
}

static void shares(void **state)
{
	struct host *h = *state;
	char path[64];

	snprintf(path, sizeof(path), "%s/data", h->dir);
	h->p.shares[0] = (struct plan_share){ .id = "share0", .path = path };
	h->p.n_shares = 1;
	expect_refused(h, -ENOENT, path, "user nobody cannot read");
	close(open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644));
	expect_refused(h, -ENOTDIR, path, "user nobody cannot read");
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0); /* root's alone */
	expect_refused(h, -EACCES, path, "user nobody cannot read");
	rmdir(path);
}

static void sockets(void **state)
{
	struct host *h = *state;
	_cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un a = { .sun_family = AF_UNIX };

	snprintf(a.sun_path, sizeof(a.sun_path), "%s/sock", h->dir);
	h->p.nets[0] = (struct plan_net){ .id = "sw",
					  .kind = PLAN_NET_VHOST_USER,
					  .to = a.sun_path };
	h->p.n_nets = 1;
	expect_refused(h, -ENOENT, a.sun_path, "socket of the switch");
	close(open(a.sun_path, O_CREAT | O_WRONLY | O_CLOEXEC, 0666));
	expect_refused(h, -ENOTSOCK, a.sun_path, "socket of the switch");
	unlink(a.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(chmod(a.sun_path, 0600), 0);
	expect_refused(h, -EACCES, a.sun_path, "socket of the switch");
	h->p.n_nets = 0;
	h->p.disks[0] = (struct plan_disk){ .id = "disk0",
					    .path = a.sun_path,
					    .is_vhost_user = true };
	h->p.n_disks = 1;
	expect_refused(h, -EACCES, a.sun_path, "socket of the program that serves the disk");
	h->p.n_nets = 1;
	assert_int_equal(chmod(a.sun_path, 0666), 0);
	assert_int_equal(links_check(&h->c, &h->p, NOBODY, NOBODY), 0);
	unlink(a.sun_path);
}

static void ports(void **state)
{
	struct host *h = *state;
	_cleanup_close_ int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct sockaddr_in a = { .sin_family = AF_INET };
	socklen_t size = sizeof(a);
	char object[24];

	assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &size), 0);
	snprintf(object, sizeof(object), "%u/tcp", ntohs(a.sin_port));
	h->p.nets[0] = (struct plan_net){
		.id = "user",
		.kind = PLAN_NET_PASST,
		.forwards = { { false, ntohs(a.sin_port), 22 } },
		.n_forwards = 1,
	};
	h->p.n_nets = 1;
	expect_refused(h, -EADDRINUSE, object, "cannot listen on the port");
	assert_int_equal(h->c.err.exit, CV_EXIT_BUSY);
}

#define WITH_HOST(test) cmocka_unit_test_setup_teardown(test, make_host, free_host)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(passt_argv),
		cmocka_unit_test(share_argv),
		cmocka_unit_test(fetch),
		WITH_HOST(bridges),
		WITH_HOST(shares),
		WITH_HOST(sockets),
		WITH_HOST(ports),
	};

	return cmocka_run_group_tests_name("links", tests, NULL, NULL);
}
