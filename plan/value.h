/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Typed, strict readers of single values of a spec or site file; every refusal names its place. */
#ifndef CARVE_PLAN_VALUE_H
#define CARVE_PLAN_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bdf.h"
#include "plan/source.h"

/*
 * All readers: @path is the value's place in @s ("devices[1].vlan"), @text the value. A NULL @text
 * (key not given) leaves @ret alone. Return: 0, -EINVAL with the source's error filled, -ENOMEM.
 */

/** value_number() - a whole number from @min to @max; @unit is what it counts ("cores"). */
int value_number(const struct source *s, const char *path, const char *text, uint64_t min,
		 uint64_t max, const char *unit, unsigned int *ret);
/** value_size() - a size with a unit, in bytes. */
int value_size(const struct source *s, const char *path, const char *text, uint64_t *ret);
/** value_page_size() - 2M or 1G, in bytes. */
int value_page_size(const struct source *s, const char *path, const char *text, uint64_t *ret);
int value_bool(const struct source *s, const char *path, const char *text, bool *ret);
int value_bdf(const struct source *s, const char *path, const char *text, struct cv_bdf *ret);
/** value_mac() - an address of one station: neither multicast nor all zero. */
int value_mac(const struct source *s, const char *path, const char *text, uint8_t ret[6]);
/** value_vlan() - a VLAN number, 1 to 4094. */
int value_vlan(const struct source *s, const char *path, const char *text, int *ret);
/** value_is_id() - up to 31 of a-z 0-9 . _ -, a letter or digit first? */
bool value_is_id(const char *text);
/** value_is_interface() - can a network interface of Linux have this name (dev_valid_name())? */
bool value_is_interface(const char *text);
/** value_id() - the id of an entry, into a buffer. */
int value_id(const struct source *s, const char *path, const char *text, char *ret, size_t size);
/** value_user() - a user name, into a buffer. */
int value_user(const struct source *s, const char *path, const char *text, char *ret, size_t size);
/** value_path() - a path that is not empty, as a new heap string; an older one is released. */
int value_path(const struct source *s, const char *path, const char *text, char **ret);
/** value_text() - any text, as a new heap string; an older one is released. */
int value_text(const char *text, char **ret);
/** value_word() - one of @words (NULL-terminated); @ret is its index. */
int value_word(const struct source *s, const char *path, const char *text, const char *const *words,
	       unsigned int *ret);
/** value_backend() - "qemu" or "native". */
int value_backend(const struct source *s, const char *path, const char *text, char *ret,
		  size_t size);
/** value_hypervisor() - auto, kvm, carve or an absolute path. */
int value_hypervisor(const struct source *s, const char *path, const char *text, char *ret,
		     size_t size);

/** value_version() - check "version" of a whole file before its keys are looked at.
 * Return: 0 (also without the key), -EINVAL, -EPROTONOSUPPORT. */
int value_version(const struct source *s, unsigned int max);

/** value_refuse() - a bad value: "@path is not @wanted"; found and wanted are set. Return: -EINVAL. */
int value_refuse(const struct source *s, const char *path, const char *text, const char *wanted);

/** value_nearest() - Return: the one of @words that @text was probably meant to be, or NULL. */
const char *value_nearest(const char *text, const char *const *words);

#endif
