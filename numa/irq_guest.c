// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/irq_guest.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/irq_ledger.h"

/* "vfio-msix[3](0000:81:10.0)", "vfio-intx(0000:81:10.0)": names of drivers/vfio/pci/vfio_pci_intrs.c */
int nu_irq_parse_vfio(const char *name, struct cv_bdf *ret_bdf, unsigned int *ret_vector)
{
	const char *bracket = strchr(name, '['), *paren = strchr(name, '(');
	char text[CV_BDF_MAX];
	uint64_t vector = 0;
	int r;

	if (!paren || strlen(paren) > CV_BDF_MAX)
		return -EINVAL;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(paren + 1, ")"), paren + 1);
	r = cv_parse_bdf(text, ret_bdf);
	if (r == 0 && bracket) {
		snprintf(text, sizeof(text), "%.*s", (int)strcspn(bracket + 1, "]"), bracket + 1);
		r = cv_parse_u64(text, &vector);
	}
	*ret_vector = (unsigned int)vector;
	return r;
}

static int find_device(const struct plan *p, struct cv_bdf bdf)
{
	for (size_t i = 0; i < p->n_devices; i++)
		if (cv_bdf_cmp(p->devices[i].host, bdf) == 0)
			return (int)i;
	return -1;
}

/* The @n-th vCPU of a guest node, counted round; of the whole guest when the node has none. */
static int pick_cpu(const struct plan *p, int node, unsigned int n)
{
	unsigned int count = 0;

	for (size_t i = 0; i < p->n_vcpus; i++)
		count += p->vcpus[i].guest_node == node;
	if (count == 0)
		return p->vcpus[n % p->n_vcpus].host_cpu;
	n %= count;
	for (size_t i = 0; i < p->n_vcpus; i++)
		if (p->vcpus[i].guest_node == node && n-- == 0)
			return p->vcpus[i].host_cpu;
	return -1;
}

static bool is_of_plan(const struct plan *p, const struct nu_irq *irq, int *ret_cpu)
{
	struct cv_bdf bdf;
	unsigned int vector;
	int device;

	if (!irq->is_guest || p->n_vcpus == 0 || nu_irq_parse_vfio(irq->actions, &bdf, &vector) < 0)
		return false;
	device = find_device(p, bdf);
	if (device < 0)
		return false;
	*ret_cpu = pick_cpu(p, p->devices[device].guest_node, (unsigned int)device + vector);
	return true;
}

int nu_guest_irqs(struct cv_sysroot *root, const struct plan *plan, struct nu_guest_irq **ret,
		  size_t *ret_n, struct cv_error *err)
{
	_cleanup_irqs_ struct nu_irqs irqs = { 0 };
	struct nu_guest_irq *list;
	size_t n = 0;
	int r = nu_irqs_read(root, &irqs, err);

	if (r < 0)
		return r;
	list = calloc(irqs.n + 1, sizeof(*list));
	if (!list)
		return cv_fail_errno(err, -ENOMEM, plan->name, "cannot list the interrupts");
	for (size_t i = 0; i < irqs.n; i++) {
		if (!is_of_plan(plan, &irqs.v[i], &list[n].wanted))
			continue;
		list[n++].irq = irqs.v[i];
	}
	*ret = list;
	*ret_n = n;
	return 0;
}

/* Notes where lines were. Return: 0, -errno. */
static int note_lines(struct cv_sysroot *root, const struct nu_guest_irq *list, size_t n,
		      struct cv_error *err)
{
	_cleanup_irq_ledger_ struct nu_irq_ledger ledger = { 0 };
	bool is_changed = false;
	int r = nu_irq_ledger_read(root, &ledger, err);

	for (size_t i = 0; i < n && r == 0; i++) {
		const struct nu_irq *irq = &list[i].irq;

		if (irq->is_msi || json_object_get(ledger.irqs, irq->key))
			continue;
		is_changed = true;
		if (nu_irq_remember(ledger.irqs, irq->key, &irq->cpus) < 0)
			r = cv_fail_errno(err, -ENOMEM, irq->key, "cannot note an interrupt");
	}
	return r == 0 && is_changed ? nu_irq_ledger_write(root, &ledger, err) : r;
}

int nu_guest_irqs_place(struct cv_sysroot *root, const struct plan *plan, struct cv_error *err)
{
	_cleanup_free_ struct nu_guest_irq *list = NULL;
	size_t n = 0;
	int moved = 0, first = nu_guest_irqs(root, plan, &list, &n, err);

	first = first ?: note_lines(root, list, n, err);
	if (first < 0)
		return first;
	for (size_t i = 0; i < n; i++) {
		struct cv_cpuset one = { 0 };
		int r;

		cv_cpuset_add(&one, list[i].wanted);
		if (cv_cpuset_equal(&one, &list[i].irq.cpus))
			continue;
		r = nu_irq_move(root, &list[i].irq, &one, first ? NULL : err);
		moved += r == 0;
		if (r < 0 && !first)
			first = r;
	}
	return first ? first : moved;
}
