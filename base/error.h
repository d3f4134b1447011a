/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The error context: what failed, on which object, found, wanted, and what the user can do. */
#ifndef CARVE_BASE_ERROR_H
#define CARVE_BASE_ERROR_H

#include <stdarg.h>

/**
 * enum cv_exit - exit codes of every carve command; part of the interface (docs/exit-codes.md)
 */
enum cv_exit {
	CV_EXIT_OK = 0,
	CV_EXIT_FAILED = 1,	/* generic failure; also "audit found a fail" and "state differs" */
	CV_EXIT_USAGE = 2,	/* bad command line, spec or input file */
	CV_EXIT_NOT_FOUND = 3,	/* no such VM, device, file; not running */
	CV_EXIT_PERMISSION = 4, /* not root, capability missing */
	CV_EXIT_PRECONDITION =
		5,	     /* IOMMU off, module missing, does not fit, isolation not to be had */
	CV_EXIT_BUSY = 6,    /* held by another VM, process, mount or lock */
	CV_EXIT_PARTIAL = 7, /* something could not be undone: run carve recover */
	CV_EXIT_TIMEOUT = 8, /* a deadline passed */
	CV_EXIT_GUEST = 9, /* the VMM or the guest failed, or is not what was planned or certified */
	CV_EXIT_TRANSIENT = 75, /* try again later */
};

/**
 * struct cv_error - one error, filled where it happens, printed once by tools/
 * @err:    -errno of the failing call, never 0 once filled
 * @exit:   the exit code it maps to
 * @code:   stable machine word, e.g. "EBUSY_HOLDER" ("" until filled)
 * @object: what it is about: a path, a BDF, a VM name, "spec.yaml:4:7"
 * @what:   what failed, a plain sentence without full stop
 * @found:  value found ("" when it makes no sense)
 * @wanted: value wanted
 * @hint:   the next step for the user
 */
struct cv_error {
	int err;
	enum cv_exit exit;
	char code[40];
	char object[256];
	char what[512];
	char found[512];
	char wanted[256];
	char hint[512];
};

/**
 * cv_fail() - fill an error context and return its errno
 * @e:      context; NULL is allowed (the caller does not want to know). An already filled context
 *          is overwritten: the outermost function that knows best decides.
 * @err:    -errno (a positive value or 0 is turned into -EIO)
 * @exit:   exit code class
 * @code:   stable machine word
 * @object: what it is about, may be NULL
 * @fmt:    what failed
 *
 * Return: @err, so that "return cv_fail(...)" is one statement.
 */
int cv_fail(struct cv_error *e, int err, enum cv_exit exit, const char *code, const char *object,
	    const char *fmt, ...) __attribute__((format(printf, 6, 7)));

/** cv_error_found() - set the value found; no effect on NULL. */
void cv_error_found(struct cv_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** cv_error_wanted() - set the value wanted; no effect on NULL. */
void cv_error_wanted(struct cv_error *e, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/** cv_error_hint() - set the next step for the user; no effect on NULL. */
void cv_error_hint(struct cv_error *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/**
 * cv_fail_errno() - the common case: a system call failed on an object
 *
 * Maps -EPERM and -EACCES to CV_EXIT_PERMISSION, -ENOENT to CV_EXIT_NOT_FOUND, -ETIMEDOUT to
 * CV_EXIT_TIMEOUT, -EBUSY to CV_EXIT_BUSY, the rest to CV_EXIT_FAILED; @code becomes the errno's
 * name ("EACCES"), found the errno's text.
 *
 * Return: @err.
 */
int cv_fail_errno(struct cv_error *e, int err, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * cv_error_format() - the error as text for a person, several lines, no trailing newline
 * Return: a heap string owned by the caller, NULL when out of memory.
 */
char *cv_error_format(const struct cv_error *e);

/**
 * cv_error_json() - the error as {"error":{"code","errno","object","msg","found","wanted","hint"}}
 * Return: a new reference owned by the caller, NULL when out of memory.
 */
struct json_t *cv_error_json(const struct cv_error *e);

#endif
