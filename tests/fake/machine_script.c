// SPDX-License-Identifier: GPL-2.0-or-later
/* The text of a description: lines, "repeat", "$(...)", and the words of a statement. */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tests/fake/machine_model.h"

#define MAX_VARIABLES 8
#define MAX_LINE 2048
#define MAX_REPEAT 1024

struct script {
	const char *origin;
	char **lines;
	size_t n;
	const char *names[MAX_VARIABLES];
	int values[MAX_VARIABLES];
	size_t n_variables;
	const struct machine_sink *sink;
	struct cv_error *err;
};

int machine_line_fail(const struct machine_line *l, struct cv_error *err, const char *fmt, ...)
{
	char where[256], what[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(what, sizeof(what), fmt, ap);
	va_end(ap);
	snprintf(where, sizeof(where), "%.200s:%d", l->origin, l->number);
	cv_fail(err, -EINVAL, CV_EXIT_USAGE, "EMACHINE", where, "%s", what);
	cv_error_hint(err, "see tests/machines/README.md");
	return -EINVAL;
}

const char *machine_line_value(const struct machine_line *l, const char *key)
{
	for (size_t i = 1; i < l->n_words; i++)
		if (strcmp(l->words[i].key, key) == 0)
			return l->words[i].value;
	return NULL;
}

int machine_line_int(const struct machine_line *l, const char *key, int *ret, struct cv_error *err)
{
	const char *text = machine_line_value(l, key);

	if (text && cv_parse_int(text, ret) < 0)
		return machine_line_fail(l, err, "%s=%s is not a number", key, text);
	return 0;
}

int machine_line_size(const struct machine_line *l, const char *key, uint64_t *ret,
		      struct cv_error *err)
{
	const char *text = machine_line_value(l, key);

	if (text && cv_parse_size(text, ret) < 0)
		return machine_line_fail(l, err, "%s=%s is not a size", key, text);
	return 0;
}

int machine_line_text(const struct machine_line *l, const char *key, char *buf, size_t size,
		      struct cv_error *err)
{
	const char *text = machine_line_value(l, key);

	if (text && cv_copy_text(buf, size, text) < 0)
		return machine_line_fail(l, err, "%s is too long", key);
	return 0;
}

static bool is_one_of(const char *word, const char *const *words)
{
	for (; *words; words++)
		if (strcmp(word, *words) == 0)
			return true;
	return false;
}

int machine_line_keys(const struct machine_line *l, const char *const *keys, size_t n_bare,
		      struct cv_error *err)
{
	size_t bare = 0;

	for (size_t i = 1; i < l->n_words; i++) {
		const char *key = l->words[i].key;

		bare += *key == '\0';
		if (*key && !is_one_of(key, keys))
			return machine_line_fail(l, err, "%s knows no %s=", l->words[0].value, key);
		for (size_t j = 1; *key && j < i; j++)
			if (strcmp(l->words[j].key, key) == 0)
				return machine_line_fail(l, err, "%s= twice", key);
	}
	if (bare != n_bare)
		return machine_line_fail(l, err, "%s takes %zu plain words, not %zu",
					 l->words[0].value, n_bare, bare);
	return 0;
}

/* words */

/* One word up to a blank; "..." may hold blanks and is taken out of its quotes in place. */
static char *cut_word(char **at)
{
	char *start, *to;
	bool quoted = false;

	*at += strspn(*at, " \t");
	start = to = *at;
	if (!**at)
		return NULL;
	for (; **at && (quoted || !strchr(" \t", **at)); (*at)++) {
		if (**at == '"')
			quoted = !quoted;
		else
			*to++ = **at;
	}
	if (**at)
		(*at)++;
	*to = '\0';
	return start;
}

static int split_words(struct machine_line *l, struct cv_error *err)
{
	static char none[] = "";
	char *at = l->text, *word;

	while ((word = cut_word(&at))) {
		char *equals = strchr(word, '=');
		struct machine_word *w = &l->words[l->n_words];

		if (l->n_words == MACHINE_MAX_WORDS)
			return machine_line_fail(l, err, "too many words");
		if (equals)
			*equals = '\0';
		w->key = equals ? word : none;
		w->value = equals ? equals + 1 : word;
		l->n_words++;
	}
	if (l->n_words > 0 && strcmp(l->words[l->n_words - 1].value, "{") == 0) {
		l->opens = true;
		l->n_words--;
	}
	if (l->n_words == 0 || l->words[0].key[0])
		return machine_line_fail(l, err, "a line starts with the name of a statement");
	return 0;
}

/* expansion */

/* "$(EXPR)" in decimal, "$x(EXPR)" in two or more hex digits */
static int expand_one(const struct script *s, const char **from, FILE *out)
{
	bool hex = (*from)[1] == 'x';
	const char *open = *from + 1 + hex, *p = open;
	_cleanup_free_ char *text = NULL;
	int depth = 0, value;

	do {
		depth += (*p == '(') - (*p == ')');
		if (!*p++)
			return -EINVAL;
	} while (depth > 0);
	text = strndup(open, (size_t)(p - open));
	if (!text)
		return -ENOMEM;
	if (*open != '(' || machine_eval(text, s->names, s->values, s->n_variables, &value) < 0)
		return -EINVAL;
	fprintf(out, hex ? "%02x" : "%d", (unsigned int)value);
	*from = p;
	return 0;
}

static int expand(const struct script *s, const char *line, char **ret)
{
	_cleanup_free_ char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	int r = 0;

	if (!out)
		return -ENOMEM;
	while (r == 0 && *line) {
		if (*line == '$')
			r = expand_one(s, &line, out);
		else
			fputc(*line++, out);
	}
	if (fclose(out) != 0)
		return -ENOMEM;
	if (r == 0)
		*ret = TAKE_PTR(text);
	return r;
}

static int read_line(const struct script *s, size_t i, struct machine_line *l)
{
	int r;

	*l = (struct machine_line){ .origin = s->origin, .number = (int)i + 1 };
	r = expand(s, s->lines[i], &l->text);
	if (r == -EINVAL)
		return machine_line_fail(l, s->err, "a wrong $(...)");
	return r < 0 ? r : split_words(l, s->err);
}

/* blocks */

static bool is_blank(const char *line)
{
	line += strspn(line, " \t");
	return !*line || *line == '#';
}

static bool closes(const char *line)
{
	line += strspn(line, " \t");
	return strcmp(line, "}") == 0;
}

static bool opens(const char *line)
{
	size_t len = strlen(line);

	return !is_blank(line) && len > 0 && line[len - 1] == '{';
}

/* The line of the "}" that belongs to the "{" before line @i, or s->n. */
static size_t block_end(const struct script *s, size_t i)
{
	int depth = 1;

	for (; i < s->n; i++) {
		depth += opens(s->lines[i]);
		depth -= closes(s->lines[i]);
		if (depth == 0)
			break;
	}
	return i;
}

static int run(struct script *s, size_t from, size_t to);

static int repeat(struct script *s, const struct machine_line *l, size_t from, size_t to)
{
	int count = -1, r = 0;
	size_t slot = s->n_variables;

	if (l->n_words != 3 || !l->opens || cv_parse_int(l->words[2].value, &count) < 0 ||
	    count < 0 || count > MAX_REPEAT)
		return machine_line_fail(l, s->err, "repeat is \"repeat VARIABLE COUNT {\"");
	if (slot == MAX_VARIABLES)
		return machine_line_fail(l, s->err, "more than %d loops in each other",
					 MAX_VARIABLES);
	s->names[slot] = l->words[1].value;
	s->n_variables++;
	for (int i = 0; r == 0 && i < count; i++) {
		s->values[slot] = i;
		r = run(s, from, to);
	}
	s->n_variables = slot;
	return r;
}

static int run_block(struct script *s, const struct machine_line *l, size_t from, size_t to)
{
	int r;

	if (to >= s->n)
		return machine_line_fail(l, s->err, "the block is not closed");
	if (strcmp(l->words[0].value, "repeat") == 0)
		return repeat(s, l, from, to);
	r = s->sink->run(s->sink->ctx, l, s->err);
	if (r == 0)
		r = run(s, from, to);
	return r == 0 ? s->sink->run(s->sink->ctx, NULL, s->err) : r;
}

static int run_line(struct script *s, size_t *i)
{
	_cleanup_free_ char *text = NULL;
	struct machine_line l;
	size_t end;
	int r = read_line(s, *i, &l);

	text = l.text;
	if (r < 0)
		return r;
	if (closes(s->lines[*i]))
		return machine_line_fail(&l, s->err, "a \"}\" without its \"{\"");
	if (!l.opens)
		return s->sink->run(s->sink->ctx, &l, s->err);
	end = block_end(s, *i + 1);
	r = run_block(s, &l, *i + 1, end);
	*i = end;
	return r;
}

static int run(struct script *s, size_t from, size_t to)
{
	int r = 0;

	for (size_t i = from; r == 0 && i < to; i++)
		if (!is_blank(s->lines[i]))
			r = run_line(s, &i);
	return r;
}

/* Splits @copy in place; @lines has room for all. */
static size_t split_lines(char *copy, char **lines)
{
	size_t n = 0;

	for (char *p = copy; p; n++) {
		char *end = strchr(p, '\n');

		lines[n] = p;
		if (end)
			*end++ = '\0';
		p = end;
	}
	return n;
}

int machine_script(const char *text, size_t len, const char *origin,
		   const struct machine_sink *sink, struct cv_error *err)
{
	_cleanup_free_ char *copy = strndup(text, len);
	_cleanup_free_ char **lines = calloc(len + 1, sizeof(*lines));
	struct script s = { .origin = origin, .lines = lines, .sink = sink, .err = err };
	const struct machine_line first = { .origin = origin, .number = 1 };

	if (!copy || !lines)
		return -ENOMEM;
	s.n = split_lines(copy, lines);
	if (strcmp(lines[0], "carve-machine 1") != 0)
		return machine_line_fail(&first, err, "the first line must be \"carve-machine 1\"");
	return run(&s, 1, s.n);
}
