/* SPDX-License-Identifier: GPL-2.0-or-later */
/* XML written to memory, element by element (libxml2). */
#ifndef CARVE_PLAN_XML_H
#define CARVE_PLAN_XML_H

struct xml;

/**
 * xml_new() - an empty document
 * Errors are kept: after one the calls do nothing and xml_finish() returns NULL, so that the calls in
 * between need no check.
 * @doctype: name of the root element and @dtd its system identifier, both NULL: no DOCTYPE
 * Return: to be given to xml_finish(), or NULL.
 */
struct xml *xml_new(const char *doctype, const char *dtd);
/** xml_open() - start an element; attributes, then text or elements follow. */
void xml_open(struct xml *x, const char *name);
/** xml_attr() - an attribute of the element just opened; control characters become "?". */
void xml_attr(struct xml *x, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** xml_text() - text inside the element; control characters become "?". */
void xml_text(struct xml *x, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/** xml_comment() - a comment; must not have "--" in it. */
void xml_comment(struct xml *x, const char *text);
/** xml_close() - end the innermost element. */
void xml_close(struct xml *x);
/** xml_leaf() - an element with text and nothing else. */
void xml_leaf(struct xml *x, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/** xml_flag() - an element with one attribute and nothing else. */
void xml_flag(struct xml *x, const char *element, const char *attribute, const char *value);
/**
 * xml_finish() - end what is open and release the writer (NULL is allowed)
 * Return: heap string owned by the caller, NULL after an error.
 */
char *xml_finish(struct xml *x);

#endif
