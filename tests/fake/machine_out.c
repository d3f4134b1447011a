// SPDX-License-Identifier: GPL-2.0-or-later
/* Entries of the manifest, in the text formats of sysfs. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/manifest_entry.h"
#include "tests/fake/machine_model.h"

#define FORMAT_PATH(path, fmt)                  \
	char path[MACHINE_PATH];                \
	va_list ap;                             \
	va_start(ap, fmt);                      \
	vsnprintf(path, sizeof(path), fmt, ap); \
	va_end(ap)

void machine_put(struct machine_out *o, const char *text, const char *fmt, ...)
{
	FORMAT_PATH(path, fmt);
	cv_manifest_write_file(o->f, path, text, strlen(text));
}

void machine_put_int(struct machine_out *o, long long value, const char *fmt, ...)
{
	char text[32];

	FORMAT_PATH(path, fmt);
	snprintf(text, sizeof(text), "%lld\n", value);
	cv_manifest_write_file(o->f, path, text, strlen(text));
}

void machine_put_bytes(struct machine_out *o, const void *data, size_t len, const char *fmt, ...)
{
	FORMAT_PATH(path, fmt);
	cv_manifest_write_file(o->f, path, data, len);
}

void machine_put_link(struct machine_out *o, const char *target, const char *fmt, ...)
{
	FORMAT_PATH(path, fmt);
	cv_manifest_write_link(o->f, path, target);
}

void machine_put_dir(struct machine_out *o, const char *fmt, ...)
{
	FORMAT_PATH(path, fmt);
	cv_manifest_write_dir(o->f, path);
}

void machine_put_list(struct machine_out *o, const struct cv_cpuset *set, const char *fmt, ...)
{
	_cleanup_free_ char *list = cv_format_cpulist(set);
	_cleanup_free_ char *line = NULL;

	FORMAT_PATH(path, fmt);
	if (!list || asprintf(&line, "%s\n", list) < 0)
		abort();
	cv_manifest_write_file(o->f, path, line, strlen(line));
}

/* Groups of 32 bits from the highest; the first has only as many digits as there are CPUs. */
void machine_put_mask(struct machine_out *o, const struct cv_cpuset *set, int bits, const char *fmt,
		      ...)
{
	char text[MACHINE_MAX_CPUS / 4 + MACHINE_MAX_CPUS / 32 + 2], *p = text;

	FORMAT_PATH(path, fmt);
	for (int group = (bits - 1) / 32; group >= 0; group--) {
		uint32_t word = (uint32_t)(set->bits[group / 2] >> (group % 2 * 32));
		int left = bits - group * 32, digits = left >= 32 ? 8 : (left + 3) / 4;

		p += sprintf(p, "%0*x%c", digits, word, group ? ',' : '\n');
	}
	cv_manifest_write_file(o->f, path, text, (size_t)(p - text));
}

struct cv_cpuset machine_all_cpus(const struct machine *m)
{
	struct cv_cpuset all = { 0 };

	for (int i = 0; i < m->n_cpus; i++)
		cv_cpuset_add(&all, i);
	return all;
}
