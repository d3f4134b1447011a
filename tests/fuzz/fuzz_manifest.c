// SPDX-License-Identifier: GPL-2.0-or-later
/* Any text as a manifest: refused, or unpacked into a directory that it does not leave. */
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/manifest.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static char dir[] = "/tmp/carve-fuzz-XXXXXX";
static struct cv_sysroot *root;

static void clean(void)
{
	cv_remove_tree(root, "/in");
	cv_sysroot_close(root);
	rmdir(dir);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	if (!mkdtemp(dir) || cv_sysroot_open(dir, &root, NULL))
		abort();
	return atexit(clean);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct cv_capture all = { "/in/*", 100 };
	_cleanup_strv_ struct cv_strv outside = { 0 };
	_cleanup_close_ int fd = -1;
	_cleanup_fclose_ FILE *null = NULL;
	struct cv_error err;

	if (cv_mkdir(root, "/in", 0755))
		return 0;
	fd = cv_open(root, "/in", O_RDONLY | O_DIRECTORY, 0);
	if (!cv_manifest_unpack((const char *)data, size, "fuzz", fd, &err)) {
		null = fopen("/dev/null", "we");
		if (null)
			cv_manifest_capture(root, &all, 1, null, &err);
	}
	if (cv_list(root, "/", &outside) || outside.n != 1)
		abort();
	cv_remove_tree(root, "/in");
	return 0;
}
