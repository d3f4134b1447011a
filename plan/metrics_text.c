// SPDX-License-Identifier: GPL-2.0-or-later
#include "plan/metrics_text.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

static const char *const type_words[] = {
	[METRICS_GAUGE] = "gauge",
	[METRICS_COUNTER] = "counter",
};

int metrics_text_init(struct metrics_text *m)
{
	*m = (struct metrics_text){ 0 };
	m->f = open_memstream(&m->text, &m->len);
	return m->f ? 0 : -ENOMEM;
}

/* A reader refuses the whole file for one byte that is no UTF-8: other than ASCII is not written. */
static void put_escaped(FILE *f, const char *text, bool is_quoted)
{
	for (; *text; text++) {
		unsigned char c = (unsigned char)*text;

		if (c == '\\')
			fputs("\\\\", f);
		else if (c == '\n')
			fputs("\\n", f);
		else if (c == '"' && is_quoted)
			fputs("\\\"", f);
		else
			fputc(c > 127 ? '?' : c, f);
	}
}

static void put_family(struct metrics_text *m, const struct metrics_family *family)
{
	fprintf(m->f, "# HELP %s ", family->name);
	put_escaped(m->f, family->help, false);
	fprintf(m->f, "\n# TYPE %s %s\n", family->name, type_words[family->type]);
	m->family = family;
}

void metrics_sample(struct metrics_text *m, const struct metrics_family *family,
		    const struct metrics_label *labels, double value)
{
	size_t i;

	if (m->family != family)
		put_family(m, family);
	fputs(family->name, m->f);
	for (i = 0; labels && i < METRICS_LABELS_MAX && labels[i].name; i++) {
		fprintf(m->f, "%s%s=\"", i ? "," : "{", labels[i].name);
		put_escaped(m->f, labels[i].value ? labels[i].value : "", true);
		fputc('"', m->f);
	}
	fprintf(m->f, "%s %.15g\n", i ? "}" : "", value);
}

char *metrics_text_take(struct metrics_text *m)
{
	bool has_failed = ferror(m->f);
	char *text;

	has_failed = fclose(m->f) != 0 || has_failed;
	text = m->text;
	*m = (struct metrics_text){ 0 };
	if (!has_failed)
		return text;
	free(text);
	return NULL;
}
