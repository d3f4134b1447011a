// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of VMM backends, and the log that all of them write. */
#include "vmm/backend/backend.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/sysroot.h"

static const struct vmm_backend_ops *const backends[] = {
	&vmm_backend_qemu,
};

const struct vmm_backend_ops *vmm_backend_find(const char *name)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(backends); i++)
		if (strcmp(backends[i]->name, name) == 0)
			return backends[i];
	return NULL;
}

/* Up to @max_bytes from the end of the log, NULL if there is none. The directory belongs to the VM's
 * user: what lies there instead of a plain file is not read. */
static char *read_end(const char *vm_dir, size_t max_bytes)
{
	char path[CV_PATH_MAX];
	_cleanup_close_ int fd = open(cv_pathf(path, "%s/vmm.log", vm_dir),
				      O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	_cleanup_free_ char *text = NULL;
	struct stat st;
	off_t from;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return NULL;
	text = calloc(1, max_bytes + 1);
	if (!text)
		return NULL;
	from = (uint64_t)st.st_size > max_bytes ? st.st_size - (off_t)max_bytes : 0;
	n = pread(fd, text, max_bytes, from);
	if (n < 0)
		return NULL;
	text[n] = '\0';
	if (from > 0 && strchr(text, '\n'))
		memmove(text, strchr(text, '\n') + 1, strlen(strchr(text, '\n')));
	return TAKE_PTR(text);
}

/* A VMM's words end up on a terminal: no control characters, no newline at the end. */
static void make_printable(char *text)
{
	size_t len = strlen(text);

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		text[--len] = '\0';
	for (size_t i = 0; i < len; i++)
		if (((unsigned char)text[i] < ' ' && text[i] != '\n' && text[i] != '\t') ||
		    text[i] == 0x7f)
			text[i] = '?';
}

char *vmm_log_tail(const char *vm_dir, size_t max_bytes)
{
	char *text = read_end(vm_dir, max_bytes);

	if (!text)
		return strdup("");
	make_printable(text);
	return text;
}
