/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text format of Prometheus (prometheus.io/docs/instrumenting/exposition_formats, version 0.0.4),
 * as the textfile collector of node_exporter reads it. */
#ifndef CARVE_PLAN_METRICS_TEXT_H
#define CARVE_PLAN_METRICS_TEXT_H

#include <stddef.h>
#include <stdio.h>

enum metrics_type { METRICS_GAUGE, METRICS_COUNTER };

/** struct metrics_family - a metric; static, its samples are written one after the other */
struct metrics_family {
	const char *name;
	const char *help;
	enum metrics_type type;
};

/** struct metrics_label - of a sample; any text */
struct metrics_label {
	const char *name;
	const char *value;
};

#define METRICS_LABELS_MAX 8

/** struct metrics_text - being written; metrics_text_init(), then metrics_text_take() in any case */
struct metrics_text {
	FILE *f;
	char *text;
	size_t len;
	const struct metrics_family *family;
};

/** metrics_text_init() - Return: 0, -ENOMEM. */
int metrics_text_init(struct metrics_text *m);
/**
 * metrics_sample() - one sample; the first of a family is preceded by its HELP and TYPE
 * @labels: up to one without name, METRICS_LABELS_MAX at most
 */
void metrics_sample(struct metrics_text *m, const struct metrics_family *family,
		    const struct metrics_label *labels, double value);
/** metrics_text_take() - what was written. Return: heap string, NULL when memory was out. */
char *metrics_text_take(struct metrics_text *m);

#endif
