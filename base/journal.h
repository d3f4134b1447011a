/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The write-ahead journal: JSON lines, fsynced before each change (docs/formats/journal.md). */
#ifndef CARVE_BASE_JOURNAL_H
#define CARVE_BASE_JOURNAL_H

#include <stddef.h>

#include "base/error.h"
#include "base/owner.h"
#include "base/sysroot.h"

#define CV_JOURNAL_VERSION 1

/*
 * Line 1: {"carve_journal":1,"name":"vm1","owner":{...},"time":N}
 * then:   {"seq":1,"event":"begin","kind":"numvfs","scope":"shared","object":"0000:01:00.0",
 *          "value":"7","prior":{...}}                                before the change
 *         {"seq":1,"event":"done"}                                   after it
 *         {"seq":1,"event":"reverted"}                               after its undo
 * A torn last line (crash while writing) is ignored; any other damage is -EINVAL.
 */

struct cv_journal; /* open for appending */

/** struct cv_record - one step as found in a journal; strings and prior owned by the record */
struct cv_record {
	unsigned int seq;
	char *kind;
	char *scope;
	char *object;
	char *value;
	struct json_t *prior;
	int is_done;
	int is_reverted;
};

struct cv_journal_data {
	char name[64];
	struct cv_owner owner;
	struct cv_record *records;
	size_t n;
};

/** cv_journal_create() - O_EXCL, header written and fsynced. Return: 0, -EEXIST, -errno. */
int cv_journal_create(struct cv_sysroot *r, const char *path, const char *name,
		      const struct cv_owner *owner, struct cv_journal **ret, struct cv_error *err);
/** cv_journal_open() - for appending "reverted" to an existing one. */
int cv_journal_open(struct cv_sysroot *r, const char *path, struct cv_journal **ret,
		    struct cv_error *err);
void cv_journal_close(struct cv_journal *j);
static inline void cv_journal_closep(struct cv_journal **j)
{
	if (*j)
		cv_journal_close(*j);
}

/**
 * cv_journal_crash_at() - fault injection: SIGKILL this process right after the @n-th line that
 * follows the header was made durable (1 = the first; 0 = never)
 */
void cv_journal_crash_at(struct cv_journal *j, unsigned int n);

/** cv_journal_begin() - append a begin line; @prior is borrowed (may be NULL). */
int cv_journal_begin(struct cv_journal *j, unsigned int seq, const char *kind, const char *scope,
		     const char *object, const char *value, const struct json_t *prior);
int cv_journal_done(struct cv_journal *j, unsigned int seq);
int cv_journal_reverted(struct cv_journal *j, unsigned int seq);

/** cv_journal_read() - Return: 0, -ENOENT, -EINVAL, -EPROTONOSUPPORT. */
int cv_journal_read(struct cv_sysroot *r, const char *path, struct cv_journal_data *ret,
		    struct cv_error *err);
void cv_journal_data_done(struct cv_journal_data *d);

#endif
