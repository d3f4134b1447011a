/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A site with hooks of the stage pre-bind. */
#ifndef CARVE_TESTS_HOOK_SITE_H
#define CARVE_TESTS_HOOK_SITE_H

#include <stdbool.h>

#include "base/hooks.h"
#include "tests/fake/temp_root.h"

#define PRE_BIND CV_HOOKS_DIR "/pre-bind.d"

/** struct site - a root with hooks; they write to @t.dir/out */
struct site {
	struct temp_root t;
	struct cv_hooks h;
	struct cv_error err;
};

int make_site(void **state);
int drop_site(void **state);
#define with_site(test) cmocka_unit_test_setup_teardown(test, make_site, drop_site)

void set_mode(struct site *s, const char *path, mode_t mode);
void add_file(struct site *s, const char *name, const char *text, mode_t mode);
/** add_hook() - a script of the shell in PRE_BIND; it finds /out of the root in $OUT. */
void add_hook(struct site *s, const char *name, const char *body);
/** run() - the stage, its error in @s->err. */
int run(struct site *s);
void assert_out(struct site *s, const char *name, const char *text);
bool has_out(struct site *s, const char *name);

#endif
