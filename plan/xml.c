// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/xml.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <libxml/xmlwriter.h>

#include "base/cleanup.h"

struct xml {
	xmlBufferPtr buffer;
	xmlTextWriterPtr writer; /* writes to buffer */
	bool has_failed;
};

static void xml_free(struct xml *x)
{
	if (x->writer)
		xmlFreeTextWriter(x->writer);
	if (x->buffer)
		xmlBufferFree(x->buffer);
	free(x);
}

CV_DEFINE_CLEANUP(struct xml *, xml_free)

static void note(struct xml *x, int r)
{
	x->has_failed |= r < 0;
}

struct xml *xml_new(const char *doctype, const char *dtd)
{
	_cleanup_(xml_freep) struct xml *x = calloc(1, sizeof(*x));

	if (!x)
		return NULL;
	x->buffer = xmlBufferCreate();
	x->writer = x->buffer ? xmlNewTextWriterMemory(x->buffer, 0) : NULL;
	if (!x->writer)
		return NULL;
	note(x, xmlTextWriterStartDocument(x->writer, NULL, "UTF-8", NULL));
	if (doctype) { /* in one line: simple parsers skip it as such */
		note(x,
		     xmlTextWriterWriteDTD(x->writer, BAD_CAST doctype, NULL, BAD_CAST dtd, NULL));
		note(x, xmlTextWriterWriteRaw(x->writer, BAD_CAST "\n"));
	}
	note(x, xmlTextWriterSetIndent(x->writer, 1));
	note(x, xmlTextWriterSetIndentString(x->writer, BAD_CAST "  "));
	return TAKE_PTR(x);
}

/* What XML 1.0 has no place for (section 2.2), and what an attribute would not keep. */
__attribute__((format(printf, 1, 0))) static char *printable(const char *fmt, va_list ap)
{
	char *text = NULL;

	if (vasprintf(&text, fmt, ap) < 0)
		return NULL;
	for (char *c = text; *c; c++)
		if ((unsigned char)*c < 0x20 && *c != '\n' && *c != '\t')
			*c = '?';
	return text;
}

void xml_open(struct xml *x, const char *name)
{
	if (!x->has_failed)
		note(x, xmlTextWriterStartElement(x->writer, BAD_CAST name));
}

void xml_attr(struct xml *x, const char *name, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	_cleanup_free_ char *text = printable(fmt, ap);
	va_end(ap);
	if (!text)
		x->has_failed = true;
	if (!x->has_failed)
		note(x, xmlTextWriterWriteAttribute(x->writer, BAD_CAST name, BAD_CAST text));
}

__attribute__((format(printf, 2, 0))) static void write_text(struct xml *x, const char *fmt,
							     va_list ap)
{
	_cleanup_free_ char *text = printable(fmt, ap);

	if (!text)
		x->has_failed = true;
	if (!x->has_failed)
		note(x, xmlTextWriterWriteString(x->writer, BAD_CAST text));
}

void xml_text(struct xml *x, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	write_text(x, fmt, ap);
	va_end(ap);
}

void xml_comment(struct xml *x, const char *text)
{
	if (!x->has_failed)
		note(x, xmlTextWriterWriteComment(x->writer, BAD_CAST text));
}

void xml_close(struct xml *x)
{
	if (!x->has_failed)
		note(x, xmlTextWriterEndElement(x->writer));
}

void xml_leaf(struct xml *x, const char *name, const char *fmt, ...)
{
	va_list ap;

	xml_open(x, name);
	va_start(ap, fmt);
	write_text(x, fmt, ap);
	va_end(ap);
	xml_close(x);
}

void xml_flag(struct xml *x, const char *element, const char *attribute, const char *value)
{
	xml_open(x, element);
	xml_attr(x, attribute, "%s", value);
	xml_close(x);
}

char *xml_finish(struct xml *x)
{
	_cleanup_(xml_freep) struct xml *owned = x;

	if (!x || x->has_failed || xmlTextWriterEndDocument(x->writer) < 0 ||
	    xmlTextWriterFlush(x->writer) < 0)
		return NULL;
	return strdup((const char *)xmlBufferContent(x->buffer));
}
