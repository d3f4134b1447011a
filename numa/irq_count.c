// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/irq_count.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/interrupts.h"
#include "numa/irq_guest.h"

void nu_irq_counts_done(struct nu_irq_counts *c)
{
	free(c->host);
	free(c->device);
	free(c->vectors);
	*c = (struct nu_irq_counts){ 0 };
}

static int add_vector(struct nu_irq_counts *c, const struct cv_interrupt *line, const char *name)
{
	struct nu_vector v = { .count = 0 }, *grown;

	if (nu_irq_parse_vfio(name, &v.bdf, &v.number) < 0)
		return 0;
	for (size_t i = 0; i < line->n; i++)
		v.count += (uint32_t)line->counts[i];
	grown = reallocarray(c->vectors, c->n_vectors + 1, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	c->vectors = grown;
	grown[c->n_vectors++] = v;
	return 0;
}

/* What is counted for the whole machine is of no CPU. */
static int count_line(void *ctx, const struct cv_interrupt *line)
{
	struct nu_irq_counts *c = ctx;
	const char *vfio = strstr(line->what, "vfio-");
	bool is_device = vfio || strcmp(line->label, "PIN") == 0;
	bool is_global = strcmp(line->label, "ERR") == 0 || strcmp(line->label, "MIS") == 0;

	for (size_t i = 0; !is_global && i < line->n; i++) {
		int cpu = line->cpus[i];

		if (cpu >= CV_CPU_MAX)
			return -EINVAL;
		cv_cpuset_add(&c->cpus, cpu);
		(is_device ? c->device : c->host)[cpu] += (uint32_t)line->counts[i];
	}
	return vfio ? add_vector(c, line, vfio) : 0;
}

int nu_irq_counts_parse(const char *text, struct nu_irq_counts *ret)
{
	_cleanup_irq_counts_ struct nu_irq_counts c = { .n_vectors = 0 };
	int r;

	c.host = calloc(CV_CPU_MAX, sizeof(*c.host));
	c.device = calloc(CV_CPU_MAX, sizeof(*c.device));
	if (!c.host || !c.device)
		return -ENOMEM;
	r = cv_interrupts_each(text, count_line, &c);
	if (r < 0)
		return r;
	*ret = c;
	c = (struct nu_irq_counts){ .n_vectors = 0 };
	return 0;
}

int nu_irq_counts_now(struct cv_sysroot *root, struct nu_irq_counts *ret)
{
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r = cv_read(root, "/proc/interrupts", &text, &len);

	return r ?: nu_irq_counts_parse(text, ret);
}
