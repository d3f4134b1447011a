// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/irq.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "base/strv.h"

#define PCI_DIR "/sys/bus/pci/devices"
#define MASK_DIGITS (CV_CPU_MAX / 4)

/* ---- masks ---- */

char *nu_mask_format(const struct cv_cpuset *s)
{
	size_t size = MASK_DIGITS + MASK_DIGITS / 8 + 1, len = 0;
	char *text = calloc(1, size);

	for (int group = CV_CPU_MAX / 32 - 1; text && group >= 0; group--) {
		unsigned int bits = (unsigned int)(s->bits[group / 2] >> (group % 2 * 32));

		if (len || bits || group == 0)
			len += (size_t)snprintf(text + len, size - len, len ? ",%08x" : "%x", bits);
	}
	return text;
}

/* ---- which function a vector was made for ---- */

/** struct vector - an MSI vector of a PCI function */
struct vector {
	int number;
	char key[NU_IRQ_KEY];
};

struct vectors {
	struct vector *v;
	size_t n, room;
};

static int add_vector(struct vectors *list, const char *bdf, size_t index, const char *number)
{
	struct vector *v;

	if (list->n == list->room) {
		size_t room = list->room ? 2 * list->room : 64;

		v = reallocarray(list->v, room, sizeof(*v));
		if (!v)
			return -ENOMEM;
		list->v = v;
		list->room = room;
	}
	v = &list->v[list->n];
	if (cv_parse_int(number, &v->number) < 0 || strlen(bdf) >= CV_BDF_MAX)
		return 0;
	snprintf(v->key, sizeof(v->key), "%.19s/%zu", bdf, index);
	list->n++;
	return 0;
}

/* Vectors of a function keep their order when they are made anew, not their numbers. */
static int read_vectors(struct cv_sysroot *root, struct vectors *ret)
{
	_cleanup_strv_ struct cv_strv devices = { 0 };
	char path[CV_PATH_MAX];
	int r = cv_list(root, PCI_DIR, &devices);

	if (r < 0)
		return r == -ENOENT ? 0 : r;
	for (size_t i = 0; i < devices.n && r == 0; i++) {
		_cleanup_strv_ struct cv_strv numbers = { 0 };

		cv_pathf(path, PCI_DIR "/%s/msi_irqs", devices.v[i]);
		if (cv_list(root, path, &numbers) < 0)
			continue;
		for (size_t k = 0; k < numbers.n && r == 0; k++)
			r = add_vector(ret, devices.v[i], k, numbers.v[k]);
	}
	return r;
}

static int by_number(const void *a, const void *b)
{
	const struct vector *x = a, *y = b;

	return (x->number > y->number) - (x->number < y->number);
}

static const char *find_vector(const struct vectors *list, int number)
{
	const struct vector key = { .number = number };
	const struct vector *found = list->n ? bsearch(&key, list->v, list->n, sizeof(key),
						       by_number)
					     : NULL;

	return found ? found->key : NULL;
}

/* ---- the list ---- */

bool nu_irq_is_vfio(const char *actions)
{
	for (const char *p = actions; p; p = strchr(p, ',')) {
		p += *p == ',';
		if (strncmp(p, "vfio-", 5) != 0)
			return false;
	}
	return true;
}

/* Return: 1, 0 when nobody handles it or it is gone. */
static int read_irq(struct cv_sysroot *root, const char *name, const struct vectors *vectors,
		    struct nu_irq *ret)
{
	struct nu_irq irq = { .node = -1 };
	char path[CV_PATH_MAX];
	const char *key;

	if (cv_parse_int(name, &irq.number) < 0)
		return 0;
	cv_pathf(path, "/sys/kernel/irq/%s/actions", name);
	if (cv_read_into(root, path, irq.actions, sizeof(irq.actions)) == -ENAMETOOLONG)
		snprintf(irq.actions, sizeof(irq.actions), "many");
	cv_pathf(path, "/proc/irq/%s/smp_affinity_list", name);
	if (!irq.actions[0] || cv_read_cpulist(root, path, &irq.cpus) < 0)
		return 0;
	(void)cv_read_int(root, cv_pathf(path, "/proc/irq/%s/node", name), &irq.node);
	key = find_vector(vectors, irq.number);
	irq.is_msi = key;
	irq.is_guest = nu_irq_is_vfio(irq.actions);
	snprintf(irq.key, sizeof(irq.key), "%s", key ? key : name);
	*ret = irq;
	return 1;
}

int nu_irqs_read(struct cv_sysroot *root, struct nu_irqs *ret, struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_irqs_ struct nu_irqs irqs = { 0 };
	struct vectors vectors = { 0 };
	int r = cv_list(root, "/proc/irq", &names);

	if (r == 0)
		r = read_vectors(root, &vectors);
	if (r == 0)
		irqs.v = calloc(names.n + 1, sizeof(*irqs.v));
	if (r == 0 && !irqs.v)
		r = -ENOMEM;
	if (r == 0 && vectors.n)
		qsort(vectors.v, vectors.n, sizeof(*vectors.v), by_number);
	for (size_t i = 0; i < names.n && r == 0; i++)
		irqs.n += (size_t)read_irq(root, names.v[i], &vectors, &irqs.v[irqs.n]);
	free(vectors.v);
	if (r < 0)
		return cv_fail_errno(err, r, "/proc/irq", "cannot list the interrupts");
	*ret = irqs;
	irqs = (struct nu_irqs){ 0 };
	return 0;
}

void nu_irqs_done(struct nu_irqs *irqs)
{
	free(irqs->v);
	*irqs = (struct nu_irqs){ 0 };
}

/* ---- moving one ---- */

/* What irq_can_set_affinity_usr() and the interrupt chips answer for interrupts that user space
 * cannot move: managed ones, timers, chained and per-CPU ones. */
static bool is_refusal(int r)
{
	return r == -EIO || r == -EPERM || r == -EINVAL || r == -ENOSYS || r == -EOPNOTSUPP;
}

static int fail_move(const struct nu_irq *irq, int r, const char *path, const char *list,
		     struct cv_error *err)
{
	cv_fail_errno(err, r, path, "cannot move interrupt %d (%s) to the CPUs %s", irq->number,
		      irq->actions, list);
	if (r == -ENOSPC)
		cv_error_hint(err, "no interrupt vectors are left on these CPUs: keep more of them "
				   "for the host (housekeeping in carve.yaml)");
	return r;
}

int nu_irq_move(struct cv_sysroot *root, const struct nu_irq *irq, const struct cv_cpuset *cpus,
		struct cv_error *err)
{
	_cleanup_free_ char *list = cv_format_cpulist(cpus);
	struct cv_cpuset now;
	char path[CV_PATH_MAX];
	int r;

	if (cv_cpuset_equal(&irq->cpus, cpus))
		return 0;
	if (!list)
		return cv_fail_errno(err, -ENOMEM, irq->key, "cannot move an interrupt");
	cv_pathf(path, "/proc/irq/%d/smp_affinity_list", irq->number);
	r = cv_write_str(root, path, list);
	/* gone meanwhile: its driver was unbound */
	if (!cv_exists(root, path))
		return 0;
	if (is_refusal(r))
		return 1;
	if (r < 0)
		return fail_move(irq, r, path, list, err);
	r = cv_read_cpulist(root, path, &now);
	return r == 0 && !cv_cpuset_equal(&now, cpus);
}
