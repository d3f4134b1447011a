// SPDX-License-Identifier: GPL-2.0-or-later
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/hook_site.h"

int make_site(void **state)
{
	struct site *s = calloc(1, sizeof(*s));

	temp_root_init(&s->t);
	assert_int_equal(cv_mkdir_p(s->t.root, PRE_BIND, 0755), 0);
	assert_int_equal(cv_mkdir_p(s->t.root, "/out", 0755), 0);
	s->h = (struct cv_hooks){ .stage = CV_HOOK_PRE_BIND, .deadline_ms = 20000 };
	assert_int_equal(cv_strv_addf(&s->h.env, "OUT=%s/out", s->t.dir), 0);
	*state = s;
	return 0;
}

int drop_site(void **state)
{
	struct site *s = *state;

	cv_strv_done(&s->h.env);
	temp_root_done(&s->t);
	free(s);
	return 0;
}

void set_mode(struct site *s, const char *path, mode_t mode)
{
	char file[CV_PATH_MAX];

	assert_int_equal(chmod(cv_pathf(file, "%s%s", s->t.dir, path), mode), 0);
}

void add_file(struct site *s, const char *name, const char *text, mode_t mode)
{
	char path[CV_PATH_MAX];

	cv_pathf(path, PRE_BIND "/%s", name);
	temp_root_file(&s->t, path, text);
	set_mode(s, path, mode);
}

void add_hook(struct site *s, const char *name, const char *body)
{
	char text[1024];

	snprintf(text, sizeof(text), "#!/bin/sh\n%s\n", body);
	add_file(s, name, text, 0755);
}

int run(struct site *s)
{
	s->err = (struct cv_error){ 0 };
	return cv_hooks_run(s->t.root, &s->h, &s->err);
}

void assert_out(struct site *s, const char *name, const char *text)
{
	_cleanup_free_ char *found = NULL;
	char path[CV_PATH_MAX];

	assert_int_equal(cv_read_str(s->t.root, cv_pathf(path, "/out/%s", name), &found), 0);
	assert_string_equal(found, text);
}

bool has_out(struct site *s, const char *name)
{
	char path[CV_PATH_MAX];

	return cv_exists(s->t.root, cv_pathf(path, "/out/%s", name));
}
