// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <yaml.h>

#include "base/cleanup.h"
#include "plan/source.h"

static const char *format_object(const struct source *s, size_t line, size_t column,
				 char buf[sizeof(((struct cv_error *)0)->object)])
{
	size_t size = sizeof(((struct cv_error *)0)->object), len = strlen(s->origin);
	const size_t keep = 180;

	/* The end of a long path says more than its start. */
	snprintf(buf, size, "%s%s:%zu:%zu", len > keep ? "..." : "",
		 len > keep ? s->origin + len - keep : s->origin, line, column);
	return buf;
}

static int fail_at(const struct source *s, size_t line, size_t column, const char *code,
		   const char *fmt, va_list ap)
{
	char object[sizeof(s->err->object)], what[sizeof(s->err->what)];

	vsnprintf(what, sizeof(what), fmt, ap);
	format_object(s, line, column, object);
	return cv_fail(s->err, -EINVAL, CV_EXIT_USAGE, code, object, "%s", what);
}

int source_fail(const struct source *s, int node, const char *code, const char *fmt, ...)
{
	const struct source_node *n = &s->nodes[node < 0 ? 0 : node];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(s, n->line, n->column, code, fmt, ap);
	va_end(ap);
	return rc;
}

int source_fail_key(const struct source *s, int node, const char *code, const char *fmt, ...)
{
	const struct source_node *n = &s->nodes[node < 0 ? 0 : node];
	va_list ap;
	int rc;

	va_start(ap, fmt);
	rc = fail_at(s, n->key_line, n->key_column, code, fmt, ap);
	va_end(ap);
	return rc;
}

static int fail_mark(const struct source *s, const yaml_mark_t *mark, const char *wanted,
		     const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* The start of line @number (from 0) without its indent, as evidence; other than ASCII becomes '?'. */
static const char *copy_line(const struct source *s, size_t number, char buf[SOURCE_SHORT_MAX])
{
	const char *p = s->text, *end = s->text + s->len;
	size_t n = 0;

	while (number && (p = memchr(p, '\n', (size_t)(end - p)))) {
		p++;
		number--;
	}
	while (p && p < end && (*p == ' ' || *p == '\t'))
		p++;
	for (; p && p < end && *p != '\n' && n + 1 < SOURCE_SHORT_MAX; p++)
		buf[n++] = *p >= ' ' && *p < 0x7f ? *p : '?';
	buf[n] = '\0';
	return buf;
}

static int fail_mark(const struct source *s, const yaml_mark_t *mark, const char *wanted,
		     const char *fmt, ...)
{
	va_list ap;
	char line[SOURCE_SHORT_MAX];
	int rc;

	va_start(ap, fmt);
	rc = fail_at(s, mark->line + 1, mark->column + 1, SOURCE_SYNTAX, fmt, ap);
	va_end(ap);
	cv_error_found(s->err, "%s", copy_line(s, mark->line, line));
	cv_error_wanted(s->err, "%s", wanted);
	return rc;
}

const char *source_shorten(const char *text, char buf[SOURCE_SHORT_MAX])
{
	const size_t room = SOURCE_SHORT_MAX - 4;
	size_t len = strlen(text), n = len > room ? room : len;

	while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	memcpy(buf, text, n);
	memcpy(buf + n, n < len ? "..." : "", n < len ? 4 : 1);
	return buf;
}

int source_member(const struct source *s, int node, const char *key)
{
	if (node < 0 || (size_t)node >= s->n_nodes || s->nodes[node].kind != SOURCE_MAP)
		return -1;
	for (int i = s->nodes[node].first; i >= 0; i = s->nodes[i].next)
		if (!strcmp(s->nodes[i].key, key))
			return i;
	return -1;
}

static int find_entry(const struct source *s, int node, unsigned int index)
{
	if (node < 0 || s->nodes[node].kind != SOURCE_LIST)
		return -1;
	for (int i = s->nodes[node].first; i >= 0; i = s->nodes[i].next)
		if (s->nodes[i].index == index)
			return i;
	return -1;
}

/* Reads "[12]" at @p and moves behind it. */
static unsigned int read_index(const char **p)
{
	unsigned int index = 0;

	for ((*p)++; **p >= '0' && **p <= '9'; (*p)++)
		index = index * 10 + (unsigned int)(**p - '0');
	*p += **p == ']';
	return index;
}

int source_find(const struct source *s, const char *path)
{
	int node = s->n_nodes ? 0 : -1;

	while (*path && node >= 0) {
		char key[SOURCE_PATH_MAX];
		size_t len;

		if (*path == '[') {
			node = find_entry(s, node, read_index(&path));
			continue;
		}
		path += *path == '.';
		len = strcspn(path, ".[");
		snprintf(key, sizeof(key), "%.*s", (int)len, path);
		node = source_member(s, node, key);
		path += len;
	}
	return node;
}

const char *source_path(const struct source *s, int node, char buf[SOURCE_PATH_MAX])
{
	const struct source_node *n = &s->nodes[node];
	char piece[SOURCE_SHORT_MAX];
	size_t len;

	buf[0] = '\0';
	if (n->parent < 0)
		return buf;
	source_path(s, n->parent, buf);
	len = strlen(buf);
	if (n->key)
		snprintf(buf + len, SOURCE_PATH_MAX - len, "%s%s", len ? "." : "",
			 source_shorten(n->key, piece));
	else
		snprintf(buf + len, SOURCE_PATH_MAX - len, "[%u]", n->index);
	return buf;
}

/*
 * struct builder - the tree while it is read
 * @at:  the open mapping or list, -1 outside
 * @key: the key whose value comes next, owned
 */
struct builder {
	struct source *s;
	yaml_parser_t parser;
	int at;
	int depth;
	unsigned int documents;
	char *key;
	yaml_mark_t key_mark;
};

static void link_node(struct source *s, int parent, int node)
{
	struct source_node *p = &s->nodes[parent];

	if (p->last >= 0)
		s->nodes[p->last].next = node;
	else
		p->first = node;
	s->nodes[node].index = p->last >= 0 ? s->nodes[p->last].index + 1 : 0;
	p->last = node;
}

static int grow(struct source *s)
{
	struct source_node *nodes;

	if (s->n_nodes & (s->n_nodes - 1))
		return 0;
	nodes = reallocarray(s->nodes, s->n_nodes ? s->n_nodes * 2 : 1, sizeof(*nodes));
	if (!nodes)
		return -ENOMEM;
	s->nodes = nodes;
	return 0;
}

/* Adds the value of @e below the open mapping or list. Return: its node, -errno. */
static int add_node(struct builder *b, enum source_kind kind, const yaml_event_t *e)
{
	struct source *s = b->s;
	const yaml_mark_t *mark = &e->start_mark;
	const yaml_mark_t *key_mark = b->key ? &b->key_mark : mark;
	int node = (int)s->n_nodes, rc;

	if (s->n_nodes >= SOURCE_MAX_NODES)
		return fail_mark(s, mark, "a short file", "more than %d values in one file",
				 SOURCE_MAX_NODES);
	rc = grow(s);
	if (rc)
		return rc;
	s->nodes[s->n_nodes++] = (struct source_node){
		.kind = kind,
		.parent = b->at,
		.first = -1,
		.last = -1,
		.next = -1,
		.key = b->key,
		.line = mark->line + 1,
		.column = mark->column + 1,
		.key_line = key_mark->line + 1,
		.key_column = key_mark->column + 1,
	};
	b->key = NULL;
	if (b->at >= 0)
		link_node(s, b->at, node);
	return node;
}

/* A NUL would cut the text short, a line break would travel into a command line. */
static int check_characters(const struct builder *b, const yaml_event_t *e)
{
	const unsigned char *p = e->data.scalar.value;

	for (size_t i = 0; i < e->data.scalar.length; i++)
		if (p[i] < 0x20 || p[i] == 0x7f)
			return fail_mark(b->s, &e->start_mark, "text of one line",
					 "control character 0x%02x in a value", p[i]);
	return 0;
}

static int take_key(struct builder *b, const yaml_event_t *e)
{
	const char *key = (const char *)e->data.scalar.value;
	char shortened[SOURCE_SHORT_MAX];
	int before = source_member(b->s, b->at, key);

	if (before >= 0) {
		fail_mark(b->s, &e->start_mark, "each key once", "key %s is given twice",
			  source_shorten(key, shortened));
		cv_error_found(b->s->err, "the first one is in line %zu",
			       b->s->nodes[before].key_line);
		cv_error_hint(b->s->err, "remove one of the two");
		return -EINVAL;
	}
	b->key = strdup(key);
	b->key_mark = e->start_mark;
	return b->key ? 0 : -ENOMEM;
}

static bool wants_key(const struct builder *b)
{
	return b->at >= 0 && b->s->nodes[b->at].kind == SOURCE_MAP && !b->key;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
	int node, rc;

	if (e->data.scalar.anchor || e->data.scalar.tag)
		return fail_mark(b->s, &e->start_mark, "the value itself",
				 "anchors (&) and tags (!) are not used here");
	rc = check_characters(b, e);
	if (rc)
		return rc;
	if (wants_key(b))
		return take_key(b, e);
	node = add_node(b, SOURCE_SCALAR, e);
	if (node < 0)
		return node;
	b->s->nodes[node].text = strdup((const char *)e->data.scalar.value);
	return b->s->nodes[node].text ? 0 : -ENOMEM;
}

static int on_open(struct builder *b, enum source_kind kind, bool is_marked, const yaml_event_t *e)
{
	int node;

	if (is_marked)
		return fail_mark(b->s, &e->start_mark, "the value itself",
				 "anchors (&) and tags (!) are not used here");
	if (wants_key(b))
		return fail_mark(b->s, &e->start_mark, "a word", "a list or mapping as a key");
	if (++b->depth > SOURCE_MAX_DEPTH)
		return fail_mark(b->s, &e->start_mark, "fewer levels", "nested more than %d deep",
				 SOURCE_MAX_DEPTH);
	node = add_node(b, kind, e);
	if (node < 0)
		return node;
	b->at = node;
	return 0;
}

static int on_close(struct builder *b)
{
	b->depth--;
	b->at = b->s->nodes[b->at].parent;
	return 0;
}

static int on_event(struct builder *b, const yaml_event_t *e)
{
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		if (b->documents++)
			return fail_mark(b->s, &e->start_mark, "one document per file",
					 "a second document in one file");
		return 0;
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, SOURCE_MAP,
			       e->data.mapping_start.anchor || e->data.mapping_start.tag, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, SOURCE_LIST,
			       e->data.sequence_start.anchor || e->data.sequence_start.tag, e);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return on_close(b);
	case YAML_ALIAS_EVENT:
		return fail_mark(b->s, &e->start_mark, "the value itself",
				 "aliases (*) are not used here");
	default:
		return 0;
	}
}

/* A byte that is no UTF-8 has an offset only. */
static yaml_mark_t mark_of_offset(const struct source *s, size_t offset)
{
	yaml_mark_t mark = { 0 };

	for (size_t i = 0; i < offset && i < s->len; i++) {
		mark.column++;
		if (s->text[i] == '\n') {
			mark.line++;
			mark.column = 0;
		}
	}
	return mark;
}

static int fail_parser(const struct builder *b)
{
	const yaml_parser_t *p = &b->parser;
	yaml_mark_t mark = p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR)
		return -ENOMEM;
	if (p->error == YAML_READER_ERROR)
		mark = mark_of_offset(b->s, p->problem_offset);
	fail_mark(b->s, &mark, "YAML", "this is not valid YAML");
	cv_error_found(b->s->err, "%s%s%s", p->problem ? p->problem : "", p->context ? " " : "",
		       p->context ? p->context : "");
	cv_error_hint(b->s->err,
		      "indent with blanks, \"key: value\" with a blank behind the colon");
	return -EINVAL;
}

static int read_events(struct builder *b)
{
	bool is_end = false;

	while (!is_end) {
		yaml_event_t e;
		int rc;

		if (!yaml_parser_parse(&b->parser, &e))
			return fail_parser(b);
		is_end = e.type == YAML_STREAM_END_EVENT;
		rc = on_event(b, &e);
		yaml_event_delete(&e);
		if (rc)
			return rc;
	}
	return 0;
}

int source_check_content(const struct source *s)
{
	const yaml_mark_t start = { 0 };

	if (s->n_nodes)
		return 0;
	return fail_mark(s, &start, "keys with values, such as \"version: 1\"",
			 "the file is empty");
}

static int check_length(const struct source *s)
{
	const yaml_mark_t start = { 0 };

	if (s->len <= SOURCE_MAX_BYTES)
		return 0;
	fail_mark(s, &start, "at most 256 KiB", "the file is too large");
	cv_error_found(s->err, "%zu bytes", s->len);
	return -EINVAL;
}

int source_open(const char *text, size_t len, const char *origin, struct cv_error *err,
		struct source *ret)
{
	struct builder b = { .s = ret, .at = -1 };
	int rc;

	*ret = (struct source){ .text = text ? text : "", .len = len, .origin = origin, .err = err };
	rc = check_length(ret);
	if (rc)
		return rc;
	if (!yaml_parser_initialize(&b.parser))
		return -ENOMEM;
	yaml_parser_set_encoding(&b.parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&b.parser, (const unsigned char *)ret->text, len);
	rc = read_events(&b);
	yaml_parser_delete(&b.parser);
	free(b.key);
	return rc;
}

void source_done(struct source *s)
{
	for (size_t i = 0; i < s->n_nodes; i++) {
		free(s->nodes[i].key);
		free(s->nodes[i].text);
	}
	free(s->nodes);
	*s = (struct source){ 0 };
}
