// SPDX-License-Identifier: GPL-2.0-or-later
/* Executables of a site: which are run, in which order, what they see, and how they may end. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/hook_child.h"
#include "tests/fake/fake_sysroot.h"
#include "tests/unit/hook_site.h"

static void stages_have_names(void **state)
{
	assert_string_equal(cv_hook_stage_name(CV_HOOK_PRE_BIND), "pre-bind");
	assert_string_equal(cv_hook_stage_name(CV_HOOK_POST_BIND), "post-bind");
	assert_string_equal(cv_hook_stage_name(CV_HOOK_PRE_RELEASE), "pre-release");
	assert_string_equal(cv_hook_stage_name(CV_HOOK_POST_RELEASE), "post-release");
}

static void no_directory_is_no_hook(void **state)
{
	struct site *s = *state;

	s->h.stage = CV_HOOK_POST_RELEASE;
	assert_int_equal(run(s), 0);
	assert_int_equal(cv_remove_tree(s->t.root, CV_HOOKS_DIR), 0);
	s->h.stage = CV_HOOK_PRE_BIND;
	assert_int_equal(run(s), 0);
}

static void they_run_in_order_of_their_bytes(void **state)
{
	struct site *s = *state;

	add_hook(s, "20-b", "echo ${0##*/} >>$OUT/log");
	add_hook(s, "9-last", "echo ${0##*/} >>$OUT/log");
	add_hook(s, "10-a.sh", "echo ${0##*/} >>$OUT/log");
	assert_int_equal(run(s), 3);
	assert_out(s, "log", "10-a.sh\n20-b\n9-last");
}

static void other_files_are_passed_over(void **state)
{
	static const char *const others[] = {
		".hidden",  "10-a~",	"#10-a#", "10-a.dpkg-old", "10-a.rpmsave",
		"10-a.bak", "10 blank", "-dash",  "10-a.ucf-dist",
	};
	_cleanup_strv_ struct cv_strv names = { 0 };
	struct site *s = *state;

	for (size_t i = 0; i < CV_ARRAY_SIZE(others); i++)
		add_hook(s, others[i], "exit 1");
	add_file(s, "README", "not executable\n", 0644);
	assert_int_equal(cv_mkdir(s->t.root, PRE_BIND "/directory", 0755), 0);
	add_hook(s, "10-a", "exit 0");
	add_hook(s, "A_b.C", "exit 0");
	assert_int_equal(cv_hooks_list(s->t.root, CV_HOOK_PRE_BIND, 5000, &names, &s->err), 0);
	assert_int_equal(names.n, 2);
	assert_string_equal(names.v[0], "10-a");
	assert_string_equal(names.v[1], "A_b.C");
	assert_int_equal(run(s), 2);
}

static void a_hook_sees_what_it_is_told(void **state)
{
	struct site *s = *state;
	char wanted[512];
	int fd;

	assert_int_equal(cv_strv_add(&s->h.env, "CARVE_VM=vm1"), 0);
	assert_int_equal(cv_strv_add(&s->h.env, "CARVE_DEVICES=0000:41:10.0 0000:41:10.2"), 0);
	add_hook(s, "10-a",
		 "tr '\\0' '\\n' </proc/$$/environ >$OUT/env\n"
		 "pwd >$OUT/cwd; umask >$OUT/umask\n"
		 "readlink /proc/$$/fd/0 /proc/$$/fd/1 | cat >$OUT/stdio\n"
		 "ls /proc/$$/fd | grep -x 77 >$OUT/leaked || true");
	fd = fcntl(STDIN_FILENO, F_DUPFD, 77); /* not closed on exec */
	assert_int_equal(fd, 77);
	assert_int_equal(setenv("CARVE_SECRET", "1", 1), 0);
	assert_int_equal(run(s), 1);
	close(fd);
	snprintf(wanted, sizeof(wanted),
		 "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nLANG=C\n"
		 "CARVE_STAGE=pre-bind\nOUT=%s/out\nCARVE_VM=vm1\n"
		 "CARVE_DEVICES=0000:41:10.0 0000:41:10.2",
		 s->t.dir);
	assert_out(s, "env", wanted);
	assert_out(s, "cwd", "/");
	assert_out(s, "umask", "0022");
	assert_out(s, "stdio", "/dev/null\n/dev/null");
	assert_out(s, "leaked", "");
}

static void the_first_failure_ends_the_stage(void **state)
{
	struct site *s = *state;

	add_hook(s, "10-a", "touch $OUT/a");
	add_hook(s, "20-b", "echo 'no such partition' >&2; printf '\\tpkey 0x8001\\n' >&2; exit 3");
	add_hook(s, "30-c", "touch $OUT/c");
	assert_int_equal(run(s), -EIO);
	assert_string_equal(s->err.code, "EHOOK");
	assert_string_equal(s->err.object, PRE_BIND "/20-b");
	assert_string_equal(s->err.found, "exit status 3: no such partition; pkey 0x8001");
	assert_non_null(strstr(s->err.hint, "hooks.md"));
	assert_true(has_out(s, "a"));
	assert_false(has_out(s, "c"));
}

static void a_signal_is_a_failure(void **state)
{
	struct site *s = *state;

	add_hook(s, "10-a", "echo going >&2; kill -TERM $$");
	assert_int_equal(run(s), -EIO);
	assert_non_null(strstr(s->err.found, "signal 15"));
	assert_non_null(strstr(s->err.found, ": going"));
}

static void no_program_is_a_failure(void **state)
{
	struct site *s = *state;

	add_file(s, "10-a", "neither script nor program\n", 0755);
	assert_int_equal(run(s), -EIO);
	assert_string_equal(s->err.found, "exit status 127: cannot be executed: Exec format error");
	add_file(s, "10-a", "#!/no/such/interpreter\n", 0755);
	assert_int_equal(run(s), -EIO);
	assert_non_null(strstr(s->err.found, "No such file"));
}

static void the_end_of_much_output_is_quoted(void **state)
{
	struct site *s = *state;

	add_hook(s, "10-a",
		 "i=0; while [ $i -lt 4000 ]; do echo line $i of very many lines; i=$((i+1)); done "
		 ">&2; echo the cause >&2; exit 1");
	assert_int_equal(run(s), -EIO);
	assert_non_null(strstr(s->err.found, "line 3999 of very many lines; the cause"));
	assert_null(strstr(s->err.found, "line 1 of"));
}

static void what_others_can_write_is_not_run(void **state)
{
	static const struct {
		const char *path;
		mode_t bad, good;
	} rows[] = {
		{ CV_HOOKS_DIR, 0777, 0755 },
		{ PRE_BIND, 0775, 0755 },
		{ PRE_BIND "/10-a", 0757, 0755 },
		{ PRE_BIND "/10-a", 0775, 0755 },
	};
	struct site *s = *state;

	add_hook(s, "10-a", "touch $OUT/a");
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		set_mode(s, rows[i].path, rows[i].bad);
		assert_int_equal(run(s), -EPERM);
		assert_string_equal(s->err.code, "EHOOK_OWNER");
		assert_string_equal(s->err.object, rows[i].path);
		set_mode(s, rows[i].path, rows[i].good);
	}
	assert_false(has_out(s, "a"));
	assert_int_equal(run(s), 1);
}

static void what_others_own_is_not_run(void **state)
{
	static const char *const paths[] = { PRE_BIND "/10-a", PRE_BIND, CV_HOOKS_DIR };
	struct site *s = *state;
	char file[CV_PATH_MAX];

	if (geteuid() != 0) {
		print_message("# SKIP: only root can give a file away\n");
		skip();
	}
	add_hook(s, "10-a", "touch $OUT/a");
	for (size_t i = 0; i < CV_ARRAY_SIZE(paths); i++) {
		cv_pathf(file, "%s%s", s->t.dir, paths[i]);
		assert_int_equal(chown(file, 65534, (gid_t)-1), 0);
		assert_int_equal(run(s), -EPERM);
		assert_string_equal(s->err.object, paths[i]);
		assert_non_null(strstr(s->err.found, "owner 65534"));
		assert_int_equal(chown(file, 0, (gid_t)-1), 0);
	}
	assert_false(has_out(s, "a"));
}

/* A directory @name below the root with an executable in it that writes to /out/linked. */
static void add_place(struct site *s, const char *name, mode_t mode)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, "%s/tool", name);
	temp_root_file(&s->t, path, "#!/bin/sh\necho ${0##*/} >$OUT/linked\n");
	set_mode(s, path, 0755);
	set_mode(s, name, mode);
}

static void add_link(struct site *s, const char *path, const char *target)
{
	char file[CV_PATH_MAX];

	cv_pathf(file, "%s%s", s->t.dir, path);
	(void)unlink(file);
	assert_int_equal(symlink(target, file), 0);
}

/* Links are inside the root, whatever they say. */
static void a_link_to_a_safe_place_is_run(void **state)
{
	static const char *const targets[] = { "/opt/site/tool", "../../../../opt/./site/tool",
					       "/../opt/site/../site//tool" };
	struct site *s = *state;

	add_place(s, "/opt/site", 0755);
	for (size_t i = 0; i < CV_ARRAY_SIZE(targets); i++) {
		add_link(s, PRE_BIND "/10-a", targets[i]);
		assert_int_equal(run(s), 1);
		assert_out(s, "linked", "tool");
		assert_int_equal(cv_unlink(s->t.root, "/out/linked"), 0);
	}
	add_link(s, "/opt/alias", "site");
	add_link(s, PRE_BIND "/10-a", "/opt/alias/tool");
	assert_int_equal(run(s), 1);
	assert_out(s, "linked", "tool");
}

/* Who may write to a directory of the way chooses what is run, and /tmp is no better for being sticky. */
static void a_link_through_what_others_can_write_is_not_run(void **state)
{
	static const struct {
		const char *dir, *link, *target;
		mode_t mode;
	} rows[] = {
		{ "/home/alice", PRE_BIND "/10-a", "/home/alice/tool", 0777 },
		{ "/home/alice", PRE_BIND "/10-a", "/home/alice/tool", 0775 },
		{ "/home/alice", PRE_BIND "/10-a", "/home/alice/tool", 01777 },
		{ "/home/alice", PRE_BIND "/10-a", "/home/alice/bin/tool", 0777 },
		{ "/home/alice", PRE_BIND "/10-a", "/home/alice/../../opt/tool", 01777 },
	};
	struct site *s = *state;

	add_place(s, "/home/alice/bin", 0755);
	add_place(s, "/opt", 0755);
	for (size_t i = 0; i < CV_ARRAY_SIZE(rows); i++) {
		add_place(s, rows[i].dir, rows[i].mode);
		add_link(s, rows[i].link, rows[i].target);
		assert_int_equal(run(s), -EPERM);
		assert_string_equal(s->err.code, "EHOOK_OWNER");
		assert_string_equal(s->err.object, rows[i].dir);
	}
	assert_false(has_out(s, "linked"));
}

/* The stage's directory, and what is above it. */
static void a_directory_that_is_a_link_is_followed_as_carefully(void **state)
{
	struct site *s = *state;

	add_place(s, "/srv/hooks", 0755);
	assert_int_equal(cv_remove_tree(s->t.root, PRE_BIND), 0);
	add_link(s, PRE_BIND, "/srv/hooks");
	assert_int_equal(run(s), 1);
	assert_out(s, "linked", "tool");
	set_mode(s, "/srv", 01777);
	assert_int_equal(run(s), -EPERM);
	assert_string_equal(s->err.object, "/srv");
	set_mode(s, "/srv", 0755);
	set_mode(s, "/etc/carve", 0777);
	assert_int_equal(run(s), -EPERM);
	assert_string_equal(s->err.object, "/etc/carve");
	set_mode(s, "/etc/carve", 0755);
	set_mode(s, "/", 0777);
	assert_int_equal(run(s), -EPERM);
	assert_string_equal(s->err.object, "/");
}

/* What is to scrub a device must not be passed over because its directory is not mounted. */
static void a_link_to_nothing_is_a_failure(void **state)
{
	struct site *s = *state;

	add_link(s, PRE_BIND "/10-a", "/opt/no/such");
	assert_int_equal(run(s), -ENOLINK);
	assert_string_equal(s->err.object, PRE_BIND "/10-a");
	add_link(s, PRE_BIND "/10-a", "10-a");
	assert_int_equal(run(s), -ELOOP);
	assert_int_equal(cv_remove_tree(s->t.root, PRE_BIND), 0);
	add_link(s, PRE_BIND, "/srv/hooks");
	assert_int_equal(run(s), -ENOLINK);
	assert_non_null(strstr(s->err.found, "/srv"));
}

/* Nothing of a stage is nothing, whether a link leads to the place or not. */
static void a_stage_that_is_missing_behind_a_link_is_no_hook(void **state)
{
	struct site *s = *state;

	add_place(s, "/srv/site/hooks/post-bind.d", 0755);
	assert_int_equal(cv_remove_tree(s->t.root, CV_HOOKS_DIR), 0);
	add_link(s, CV_HOOKS_DIR, "/srv/site/hooks");
	assert_int_equal(run(s), 0);
	s->h.stage = CV_HOOK_POST_BIND;
	assert_int_equal(run(s), 1);
	assert_out(s, "linked", "tool");
	/* a link to a link, and names of the path behind both */
	add_link(s, "/srv/alias", "site");
	add_link(s, CV_HOOKS_DIR, "../../srv/alias/hooks/");
	assert_int_equal(run(s), 1);
	s->h.stage = CV_HOOK_PRE_BIND;
	assert_int_equal(run(s), 0);
	/* but what the link names has to be there */
	add_link(s, CV_HOOKS_DIR, "/srv/alias/none");
	assert_int_equal(run(s), -ENOLINK);
	assert_string_equal(s->err.object, PRE_BIND);
	assert_non_null(strstr(s->err.found, "/srv/site/none"));
	/* and a place that others write to is none */
	add_link(s, CV_HOOKS_DIR, "/srv/alias/hooks");
	set_mode(s, "/srv/site", 0777);
	assert_int_equal(run(s), -EPERM);
}

static void copy_program(struct site *s, const char *from, const char *path)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_close_ int in = open(from, O_RDONLY | O_CLOEXEC);
	_cleanup_close_ int out = cv_open(s->t.root, path, O_WRONLY | O_CREAT, 0755);
	struct stat st;

	assert_int_equal(fstat(in, &st), 0);
	text = malloc((size_t)st.st_size);
	assert_int_equal(read(in, text, (size_t)st.st_size), st.st_size);
	assert_int_equal(write(out, text, (size_t)st.st_size), st.st_size);
}

/* No script: run by its descriptor. */
static void a_program_is_run_as_well(void **state)
{
	struct site *s = *state;

	add_link(s, PRE_BIND "/10-a", "../../../../bin/true");
	assert_int_equal(run(s), -ENOLINK); /* that is of another root */
	assert_int_equal(cv_mkdir_p(s->t.root, "/bin", 0755), 0);
	copy_program(s, "/bin/true", "/bin/true");
	assert_int_equal(run(s), 1);
	assert_int_equal(cv_unlink(s->t.root, "/bin/true"), 0);
	copy_program(s, "/bin/false", "/bin/true");
	assert_int_equal(run(s), -EIO);
	assert_string_equal(s->err.found, "exit status 1: it said nothing");
}

/** struct opened - what was found before something else took its place */
struct opened {
	int fd;
	char file[CV_PATH_MAX];
};

static void open_tool(struct site *s, const char *path, struct opened *ret)
{
	ret->fd = cv_open(s->t.root, path, O_PATH | O_NOFOLLOW, 0);
	assert_true(ret->fd >= 0);
	cv_pathf(ret->file, "%s%s", s->t.dir, path);
}

static int give_opened(void *arg, char **ret_path, struct cv_error *err)
{
	const struct opened *o = arg;

	*ret_path = strdup(o->file);
	return o->fd;
}

/* What was checked runs, or nothing does. */
static void what_takes_its_place_is_not_run(void **state)
{
	_cleanup_free_ struct cv_hook_end *end = calloc(1, sizeof(*end));
	struct site *s = *state;
	struct opened o;
	const struct cv_hook_program p = {
		.find = give_opened, .arg = &o, .envp = s->h.env.v, .deadline_ms = 20000
	};
	char moved[CV_PATH_MAX + 8];

	add_hook(s, "10-a", "exit 0");
	open_tool(s, PRE_BIND "/10-a", &o);
	assert_int_equal(cv_hook_exec(&p, end), 0);
	assert_int_equal(end->status, 0);
	snprintf(moved, sizeof(moved), "%s.old", o.file);
	assert_int_equal(rename(o.file, moved), 0);
	add_hook(s, "10-a", "touch $OUT/evil");
	assert_int_equal(cv_hook_exec(&p, end), 0);
	close(o.fd);
	assert_int_equal(end->status, 127);
	assert_non_null(strstr(end->output, "Stale"));
	assert_false(has_out(s, "evil"));
}

static void what_others_own_on_the_way_is_not_followed(void **state)
{
	struct site *s = *state;
	char file[CV_PATH_MAX];

	if (geteuid() != 0) {
		print_message("# SKIP: only root can give a directory away\n");
		skip();
	}
	add_place(s, "/home/alice", 0755);
	add_link(s, PRE_BIND "/10-a", "/home/alice/tool");
	assert_int_equal(chown(cv_pathf(file, "%s/home/alice", s->t.dir), 65534, (gid_t)-1), 0);
	assert_int_equal(run(s), -EPERM);
	assert_string_equal(s->err.object, "/home/alice");
	assert_non_null(strstr(s->err.found, "owner 65534"));
	assert_false(has_out(s, "linked"));
}

static void there_may_not_be_too_many(void **state)
{
	struct site *s = *state;
	char name[16];

	for (int i = 0; i <= CV_HOOKS_MAX; i++) {
		snprintf(name, sizeof(name), "%02d-a", i);
		add_hook(s, name, "touch $OUT/a");
	}
	assert_int_equal(run(s), -E2BIG);
	assert_false(has_out(s, "a"));
}

static void a_fake_host_runs_nothing(void **state)
{
	_cleanup_(cv_sysroot_closep) struct cv_sysroot *root = NULL;
	struct cv_hooks h = { .stage = CV_HOOK_PRE_BIND, .deadline_ms = 1000 };
	struct cv_error err = { 0 };
	struct fake *f = NULL;

	assert_int_equal(fake_new(&f, &root), 0);
	assert_int_equal(cv_hooks_run(root, &h, &err), 0);
	fake_file(f, PRE_BIND "/10-a", "#!/bin/sh\n");
	assert_int_equal(cv_hooks_run(root, &h, &err), 0);
	assert_int_equal(cv_chown(root, PRE_BIND "/10-a", 0, 0, 0755), 0);
	assert_int_equal(cv_hooks_run(root, &h, &err), -EOPNOTSUPP);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stages_have_names),
		with_site(no_directory_is_no_hook),
		with_site(they_run_in_order_of_their_bytes),
		with_site(other_files_are_passed_over),
		with_site(a_hook_sees_what_it_is_told),
		with_site(the_first_failure_ends_the_stage),
		with_site(a_signal_is_a_failure),
		with_site(no_program_is_a_failure),
		with_site(the_end_of_much_output_is_quoted),
		with_site(what_others_can_write_is_not_run),
		with_site(what_others_own_is_not_run),
		with_site(a_link_to_a_safe_place_is_run),
		with_site(a_link_through_what_others_can_write_is_not_run),
		with_site(a_directory_that_is_a_link_is_followed_as_carefully),
		with_site(a_link_to_nothing_is_a_failure),
		with_site(a_stage_that_is_missing_behind_a_link_is_no_hook),
		with_site(a_program_is_run_as_well),
		with_site(what_takes_its_place_is_not_run),
		with_site(what_others_own_on_the_way_is_not_followed),
		with_site(there_may_not_be_too_many),
		cmocka_unit_test(a_fake_host_runs_nothing),
	};

	return cmocka_run_group_tests_name("hooks", tests, NULL, NULL);
}
