/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A YAML text as a tree of values that know their line and column (libyaml), and the errors about
 * them. Limits size, depth and number of values; anchors, aliases and tags are refused. */
#ifndef CARVE_PLAN_SOURCE_H
#define CARVE_PLAN_SOURCE_H

#include <stddef.h>

#include "base/error.h"

#define SOURCE_MAX_BYTES (256 * 1024)
#define SOURCE_MAX_DEPTH 8
#define SOURCE_MAX_NODES 8192
#define SOURCE_PATH_MAX 160
#define SOURCE_SHORT_MAX 64

/* Machine words of the errors of a spec or site file. */
#define SOURCE_SYNTAX "ESPEC_SYNTAX"   /* not YAML, or YAML we refuse */
#define SOURCE_KEY "ESPEC_KEY"	       /* unknown or missing key, key given twice */
#define SOURCE_TYPE "ESPEC_TYPE"       /* a list where a value is wanted, ... */
#define SOURCE_VALUE "ESPEC_VALUE"     /* bad value */
#define SOURCE_VERSION "ESPEC_VERSION" /* written for a newer carve */

enum source_kind { SOURCE_SCALAR, SOURCE_MAP, SOURCE_LIST };

/**
 * struct source_node - one value; indices are into source.nodes, -1 for none
 * @key:   of a mapping's member, else NULL
 * @index: of a list's entry
 * @text:  of a scalar, else NULL
 * @line:  of the value, from 1
 * @key_line: of the key; equal to @line without key
 */
struct source_node {
	enum source_kind kind;
	int parent, first, last, next;
	char *key;
	unsigned int index;
	char *text;
	size_t line, column;
	size_t key_line, key_column;
};

/**
 * struct source - node 0 is the document; without content there are no nodes
 * @text:   borrowed
 * @origin: file name for messages, borrowed
 * @err:    where all errors about this text go, borrowed, may be NULL
 */
struct source {
	const char *text;
	size_t len;
	const char *origin;
	struct cv_error *err;
	struct source_node *nodes;
	size_t n_nodes;
};

/**
 * source_open() - read a text into a tree
 * Return: 0; -EINVAL with @err filled (not YAML, a limit, an alias, a key twice);
 * -ENOMEM. @ret must be released in any case.
 */
int source_open(const char *text, size_t len, const char *origin, struct cv_error *err,
		struct source *ret);
/** source_check_content() - Return: 0, -EINVAL with @err filled: nothing but blanks and comments. */
int source_check_content(const struct source *s);
void source_done(struct source *s);
#define _cleanup_source_ __attribute__((cleanup(source_done)))

/** source_member() - Return: the node of @key in mapping @node, or -1. */
int source_member(const struct source *s, int node, const char *key);
/** source_find() - Return: the node at a path such as "devices[1].vlan" ("" the document), or -1. */
int source_find(const struct source *s, const char *path);
/** source_path() - the path of a node. Return: @buf. */
const char *source_path(const struct source *s, int node, char buf[SOURCE_PATH_MAX]);
/** source_shorten() - printable start of a text, cut at a character. Return: @buf. */
const char *source_shorten(const char *text, char buf[SOURCE_SHORT_MAX]);

/** source_fail() - an error about the value at @node: object FILE:LINE:COL. Return: -EINVAL. */
int source_fail(const struct source *s, int node, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/** source_fail_key() - the same, about the key of @node. */
int source_fail_key(const struct source *s, int node, const char *code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

#endif
