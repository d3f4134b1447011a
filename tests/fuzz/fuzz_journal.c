// SPDX-License-Identifier: GPL-2.0-or-later
/* Any text as a journal, lease, quarantine entry and stat file of a process. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/journal.h"
#include "base/lease.h"
#include "base/quarantine.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *data;
	size_t size;
};

/* Every file of this root holds the input. */
static int read_input(void *ctx, const char *path, char **ret, size_t *ret_len)
{
	const struct input *in = ctx;
	char *copy = malloc(in->size + 1);

	if (!copy)
		return -ENOMEM;
	memcpy(copy, in->data, in->size);
	copy[in->size] = '\0';
	*ret = copy;
	*ret_len = in->size;
	return 0;
}

static const struct cv_sysroot_ops input_ops = { .read = read_input };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { .data = data, .size = size };
	struct cv_journal_data journal;
	struct cv_quarantine entry;
	struct cv_sysroot *root;
	struct cv_lease lease;
	struct cv_error err;
	struct cv_proc proc;

	if (cv_sysroot_new(&input_ops, &in, &root))
		return 0;
	if (!cv_journal_read(root, "/journal", &journal, &err))
		cv_journal_data_done(&journal);
	if (!cv_lease_read(root, "vm1", &lease, &err))
		cv_lease_done(&lease);
	cv_quarantine_read(root, (struct cv_bdf){ .bus = 1, .dev = 0x10 }, &entry, &err);
	if (!cv_proc_read(root, 1, &proc))
		cv_proc_is_alive(root, &proc);
	cv_sysroot_close(root);
	return 0;
}
