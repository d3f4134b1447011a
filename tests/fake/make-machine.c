// SPDX-License-Identifier: GPL-2.0-or-later
/* make-machine [--tree] DESCRIPTION OUT: a machine of tests/machines as manifest or directory. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/manifest.h"
#include "tests/fake/machine.h"

static int read_all(const char *path, char **ret, size_t *ret_len, struct cv_error *err)
{
	_cleanup_fclose_ FILE *in = fopen(path, "re");
	_cleanup_free_ char *text = NULL;
	FILE *out;
	int c;

	if (!in)
		return cv_fail_errno(err, -errno, path, "cannot read the description");
	out = open_memstream(&text, ret_len);
	if (!out)
		return cv_fail_errno(err, -ENOMEM, path, "cannot read the description");
	while ((c = fgetc(in)) != EOF)
		fputc(c, out);
	fclose(out);
	*ret = TAKE_PTR(text);
	return 0;
}

static int write_manifest(const char *path, const char *text, size_t len, struct cv_error *err)
{
	_cleanup_fclose_ FILE *out = fopen(path, "we");

	if (!out || fwrite(text, 1, len, out) != len || fflush(out) != 0)
		return cv_fail_errno(err, -errno, path, "cannot write the manifest");
	return 0;
}

static int write_tree(const char *path, const char *text, size_t len, struct cv_error *err)
{
	_cleanup_close_ int fd = -1;

	if (mkdir(path, 0755) < 0 && errno != EEXIST)
		return cv_fail_errno(err, -errno, path, "cannot make the directory");
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return cv_fail_errno(err, -errno, path, "cannot open the directory");
	return cv_manifest_unpack(text, len, path, fd, err);
}

static int make(bool is_tree, const char *from, const char *to, struct cv_error *err)
{
	_cleanup_free_ char *text = NULL, *manifest = NULL;
	size_t len, manifest_len;
	int r = read_all(from, &text, &len, err);

	if (r == 0)
		r = machine_compile(text, len, from, &manifest, &manifest_len, NULL, err);
	if (r < 0)
		return r;
	return is_tree ? write_tree(to, manifest, manifest_len, err)
		       : write_manifest(to, manifest, manifest_len, err);
}

int main(int argc, char **argv)
{
	bool is_tree = argc == 4 && strcmp(argv[1], "--tree") == 0;
	_cleanup_free_ char *text = NULL;
	struct cv_error err = { 0 };

	if (argc != 3 && !is_tree) {
		fprintf(stderr, "usage: make-machine [--tree] NAME.machine OUT\n");
		return CV_EXIT_USAGE;
	}
	if (make(is_tree, argv[argc - 2], argv[argc - 1], &err) == 0)
		return 0;
	text = cv_error_format(&err);
	fprintf(stderr, "%s\n", text ? text : "out of memory");
	return err.exit;
}
