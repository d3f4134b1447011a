// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/manifest_entry.h"

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static int hex_byte(const char *p, const char *end)
{
	int high, low;

	if (end - p < 2)
		return -1;
	high = hex_digit(p[0]);
	low = hex_digit(p[1]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* One character behind a backslash at *@p. Return: the byte, -1. */
static int decode_escape(const char **p, const char *end)
{
	int byte;

	if (end - *p < 2)
		return -1;
	*p += 2;
	switch ((*p)[-1]) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case '"':
	case '\\':
		return (*p)[-1];
	case 'x':
		byte = hex_byte(*p, end);
		*p += byte < 0 ? 0 : 2;
		return byte;
	default:
		return -1;
	}
}

/* One character of a text or path. Return: the byte, -1 when it should have been escaped. */
static int decode_char(const char **p, const char *end)
{
	unsigned char c = (unsigned char)**p;

	if (c == '\\')
		return decode_escape(p, end);
	if (c < 0x20 || c == 0x7f)
		return -1;
	(*p)++;
	return c;
}

/* A word up to a blank or the end, decoded. */
static int parse_word(const char **at, const char *end, char **ret, const char **ret_what)
{
	const char *start = *at;
	_cleanup_free_ char *word = malloc((size_t)(end - start) + 1);
	size_t len = 0;

	if (!word)
		return -ENOMEM;
	while (*at < end && **at != ' ') {
		const char *p = *at;
		int c = decode_char(&p, end);

		if (c <= 0) {
			*ret_what = "bad character or escape in a name";
			return -EINVAL;
		}
		word[len++] = (char)c;
		*at = p;
	}
	word[len] = '\0';
	if (!len || len >= PATH_MAX) {
		*at = start;
		*ret_what = len ? "this name is too long" : "a name is missing";
		return -EINVAL;
	}
	*ret = TAKE_PTR(word);
	return 0;
}

static bool is_component(const char *p, size_t len)
{
	if (!len || len > NAME_MAX)
		return false;
	return !(len == 1 && p[0] == '.') && !(len == 2 && p[0] == '.' && p[1] == '.');
}

static bool is_clean_path(const char *path)
{
	for (;;) {
		size_t len = strcspn(path, "/");

		if (!is_component(path, len))
			return false;
		if (!path[len])
			return true;
		path += len + 1;
	}
}

static int parse_path(const char **at, const char *end, char **ret, const char **ret_what)
{
	const char *start = *at;
	int rc = parse_word(at, end, ret, ret_what);

	if (rc || is_clean_path(*ret))
		return rc;
	*at = start;
	*ret_what = "a path must be relative, without \"..\", \".\" or empty parts";
	return -EINVAL;
}

static int check_text(const char **at, const char *end, struct cv_manifest_entry *e,
		      const char **ret_what)
{
	const char *p = *at;

	*ret_what = "expected text in double quotes";
	if (p >= end || *p++ != '"')
		return -EINVAL;
	e->data = p;
	while (p < end && *p != '"') {
		*at = p;
		if (decode_char(&p, end) < 0) {
			*ret_what = "bad character or escape in a text";
			return -EINVAL;
		}
	}
	*at = p;
	*ret_what = "the closing quote is missing";
	if (p >= end)
		return -EINVAL;
	e->data_len = (size_t)(p - e->data);
	*at = p + 1;
	return 0;
}

static int check_hex(const char **at, const char *end, struct cv_manifest_entry *e,
		     const char **ret_what)
{
	e->data = *at;
	e->data_len = (size_t)(end - *at);
	for (; *at < end; *at += 2) {
		if (hex_byte(*at, end) < 0) {
			*ret_what = "expected bytes as pairs of lower case hex digits";
			return -EINVAL;
		}
	}
	return 0;
}

static int check_target(const char **at, const char *end, struct cv_manifest_entry *e,
			const char **ret_what)
{
	_cleanup_free_ char *target = NULL;

	e->data = *at;
	e->data_len = (size_t)(end - *at);
	return parse_word(at, end, &target, ret_what);
}

/* Digits of the given base, then a blank or the end. */
static bool skip_number(const char **at, const char *end, char highest)
{
	const char *p = *at;

	while (p < end && *p >= '0' && *p <= highest)
		p++;
	if (p == *at || p - *at > 10 || (p < end && *p != ' '))
		return false;
	*at = p;
	return true;
}

static bool skip_blank(const char **at, const char *end)
{
	if (*at >= end || **at != ' ')
		return false;
	(*at)++;
	return true;
}

/* "c 0600 0 0": only checked, a node is unpacked as an empty file. */
static int check_node(const char **at, const char *end, struct cv_manifest_entry *e,
		      const char **ret_what)
{
	e->data = *at;
	*ret_what = "expected \"c|b MODE UID GID\"";
	if (*at >= end || (**at != 'c' && **at != 'b'))
		return -EINVAL;
	(*at)++;
	if (!skip_blank(at, end) || !skip_number(at, end, '7') || !skip_blank(at, end) ||
	    !skip_number(at, end, '9') || !skip_blank(at, end) || !skip_number(at, end, '9'))
		return -EINVAL;
	e->data_len = (size_t)(*at - e->data);
	return 0;
}

static int check_nothing(const char **at, const char *end, struct cv_manifest_entry *e,
			 const char **ret_what)
{
	return 0;
}

static const struct entry_kind {
	char letter;
	int (*check)(const char **at, const char *end, struct cv_manifest_entry *e,
		     const char **ret_what);
} kinds[] = {
	{ 'd', check_nothing }, { 'f', check_text }, { 'b', check_hex },
	{ 'l', check_target },	{ 'n', check_node },
};

static const struct entry_kind *find_kind(char letter)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(kinds); i++)
		if (kinds[i].letter == letter)
			return &kinds[i];
	return NULL;
}

int cv_manifest_entry_parse(const char **at, const char *end, struct cv_manifest_entry *ret,
			    const char **ret_what)
{
	const struct entry_kind *kind = find_kind(**at);
	int rc;

	if (!kind || end - *at < 3 || (*at)[1] != ' ') {
		*ret_what = "expected an entry: d, f, b, l or n, a blank and a path";
		return -EINVAL;
	}
	ret->kind = kind->letter;
	*at += 2;
	rc = parse_path(at, end, &ret->path, ret_what);
	if (rc)
		return rc;
	if (kind->letter != 'd' && !skip_blank(at, end)) {
		*ret_what = "something is missing behind the path";
		return -EINVAL;
	}
	rc = kind->check(at, end, ret, ret_what);
	if (rc || *at == end)
		return rc;
	*ret_what = "the line goes on behind its entry";
	return -EINVAL;
}

int cv_manifest_entry_data(const struct cv_manifest_entry *e, char **ret, size_t *ret_len)
{
	const char *p = e->data;
	const char *end = p + e->data_len;
	char *data = malloc(e->data_len + 1);
	size_t len = 0;

	if (!data)
		return -ENOMEM;
	while (p < end) {
		if (e->kind == 'b') {
			data[len++] = (char)hex_byte(p, end);
			p += 2;
		} else {
			data[len++] = (char)decode_char(&p, end);
		}
	}
	data[len] = '\0';
	*ret = data;
	*ret_len = len;
	return 0;
}

static int rank_of(char c)
{
	return c == '/' ? 1 : (unsigned char)c + 1;
}

int cv_manifest_path_cmp(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return (*a ? rank_of(*a) : 0) - (*b ? rank_of(*b) : 0);
}

static void write_char(FILE *out, unsigned char c)
{
	if (c == '\n')
		fputs("\\n", out);
	else if (c == '\t')
		fputs("\\t", out);
	else if (c == '"' || c == '\\')
		fprintf(out, "\\%c", c);
	else if (c < 0x20 || c >= 0x7f)
		fprintf(out, "\\x%02x", c);
	else
		fputc(c, out);
}

static void write_word(FILE *out, const char *s)
{
	for (; *s; s++) {
		if (*s == ' ')
			fputs("\\x20", out);
		else
			write_char(out, (unsigned char)*s);
	}
}

static void write_start(FILE *out, char kind, const char *path)
{
	fprintf(out, "%c ", kind);
	write_word(out, path);
}

void cv_manifest_write_dir(FILE *out, const char *path)
{
	write_start(out, 'd', path);
	fputc('\n', out);
}

static bool is_text(const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)data[i];

		if ((c < 0x20 && c != '\n' && c != '\t') || c >= 0x7f)
			return false;
	}
	return true;
}

void cv_manifest_write_file(FILE *out, const char *path, const char *data, size_t len)
{
	bool text = is_text(data, len);

	write_start(out, text ? 'f' : 'b', path);
	fputs(text ? " \"" : " ", out);
	for (size_t i = 0; i < len; i++) {
		if (text)
			write_char(out, (unsigned char)data[i]);
		else
			fprintf(out, "%02x", (unsigned char)data[i]);
	}
	fputs(text ? "\"\n" : "\n", out);
}

void cv_manifest_write_link(FILE *out, const char *path, const char *target)
{
	write_start(out, 'l', path);
	fputc(' ', out);
	write_word(out, target);
	fputc('\n', out);
}

void cv_manifest_write_node(FILE *out, const char *path, char type, unsigned int mode,
			    unsigned int uid, unsigned int gid)
{
	write_start(out, 'n', path);
	fprintf(out, " %c %04o %u %u\n", type, mode & 07777, uid, gid);
}
