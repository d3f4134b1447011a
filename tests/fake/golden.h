/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Golden files of tests/golden: what a writer must write, byte for byte. */
#ifndef CARVE_TESTS_GOLDEN_H
#define CARVE_TESTS_GOLDEN_H

/** golden_read() - text of tests/golden/@name; heap. A missing file fails the test. */
char *golden_read(const char *name);
/** golden_check() - fails the test when they differ; with CARVE_GOLDEN_UPDATE=1 the file is written first. */
void golden_check(const char *name, const char *text);
/** golden_next_version() - the golden text with "@marker" one higher; heap. */
char *golden_next_version(const char *name, const char *marker);

#endif
