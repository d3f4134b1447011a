// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/interrupts.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/cpulist.h"
#include "base/parse.h"

/** struct table - @cpus: of the columns; @counts: of one line */
struct table {
	int *cpus;
	uint64_t *counts;
	size_t n;
};

static void table_done(struct table *t)
{
	free(t->cpus);
	free(t->counts);
}

/* The next word of @line, which is cut there; NULL at its end. */
static char *next_word(char **line)
{
	char *word = *line + strspn(*line, " \t");
	size_t len = strcspn(word, " \t");

	if (!len)
		return NULL;
	*line = word + len + (word[len] != '\0');
	word[len] = '\0';
	return word;
}

/* "           CPU0       CPU1": CPUs that are off have no column */
static int read_cpus(char *line, struct table *t)
{
	char *word;

	t->cpus = calloc(CV_CPU_MAX, sizeof(*t->cpus));
	t->counts = calloc(CV_CPU_MAX, sizeof(*t->counts));
	if (!t->cpus || !t->counts)
		return -ENOMEM;
	while ((word = next_word(&line))) {
		if (t->n == CV_CPU_MAX || strncmp(word, "CPU", 3) != 0 ||
		    cv_parse_int(word + 3, &t->cpus[t->n]) < 0 || t->cpus[t->n] < 0)
			return -EINVAL;
		t->n++;
	}
	return t->n ? 0 : -EINVAL;
}

static bool is_number(const char *text)
{
	size_t digits = strspn(text, "0123456789");

	return digits && (text[digits] == ' ' || text[digits] == '\t' || !text[digits]);
}

static int read_line(char *line, struct table *t, struct cv_interrupt *ret)
{
	char *colon = strchr(line, ':');
	size_t n = 0;

	line += strspn(line, " \t");
	if (!colon || colon <= line)
		return -EINVAL;
	*colon = '\0';
	*ret = (struct cv_interrupt){ .label = line, .cpus = t->cpus, .counts = t->counts };
	line = colon + 1;
	for (; n < t->n; n++) {
		line += strspn(line, " \t");
		if (!is_number(line))
			break;
		if (cv_parse_u64(next_word(&line), &t->counts[n]) < 0)
			return -EINVAL;
	}
	ret->n = n;
	ret->what = line + strspn(line, " \t");
	return 0;
}

int cv_interrupts_each(const char *text, int (*fn)(void *ctx, const struct cv_interrupt *line),
		       void *ctx)
{
	__attribute__((cleanup(table_done))) struct table t = { .n = 0 };
	_cleanup_free_ char *copy = strdup(text);
	char *rest = copy, *line = copy ? strsep(&rest, "\n") : NULL;
	int r = line ? read_cpus(line, &t) : -ENOMEM;

	while (r >= 0 && (line = strsep(&rest, "\n"))) {
		struct cv_interrupt one;

		if (!line[strspn(line, " \t")])
			continue;
		r = read_line(line, &t, &one);
		r = r < 0 ? r : fn(ctx, &one);
	}
	return r < 0 ? r : 0;
}
