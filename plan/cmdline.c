// SPDX-License-Identifier: GPL-2.0-or-later
/* Kernel command line advice for the host and the guests of plans: each word with its reason. */
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "plan/projections.h"

/** struct advice - what the words are made from */
struct advice {
	FILE *out;
	const struct inventory *inv;
	const struct plan *plans;
	size_t n;
	struct cv_cpuset given; /* CPUs of all guests */
	struct cv_cpuset rest;
};

static bool is_within(const struct cv_cpuset *set, const struct cv_cpuset *of)
{
	struct cv_cpuset left = *set;

	cv_cpuset_andnot(&left, of);
	return cv_cpuset_is_empty(&left);
}

/* ---- the host ---- */

/* A word with a list of CPUs, or a line that says that it is in effect. */
static void put_cpus(const struct advice *a, const char *word, const struct cv_cpuset *cpus,
		     const struct cv_cpuset *in_effect, const char *why)
{
	_cleanup_free_ char *list = cv_format_cpulist(cpus);

	fprintf(a->out, "# %s\n", why);
	if (in_effect && is_within(cpus, in_effect))
		fprintf(a->out, "# in effect: %s%s\n", word, list ? list : "?");
	else
		fprintf(a->out, "%s%s\n", word, list ? list : "?");
}

static void put_isolation(const struct advice *a)
{
	const struct inv_host *h = &a->inv->host;

	if (h->has_cpuset_exclusive)
		put_cpus(a, "isolcpus=managed_irq,", &a->given, NULL,
			 "queue interrupts of drivers stay off the guests' CPUs; the scheduler is "
			 "kept off them at run time, by a cpuset partition");
	else
		put_cpus(a, "isolcpus=managed_irq,domain,", &a->given, &h->isolated,
			 "this kernel has no cpuset.cpus.exclusive: the scheduler can be kept off "
			 "the guests' CPUs at boot only");
	put_cpus(a, "nohz_full=", &a->given, &h->nohz_full,
		 "no timer tick while one vCPU thread runs");
	put_cpus(a, "rcu_nocbs=", &a->given, &h->rcu_nocbs,
		 "RCU callbacks run on the housekeeping CPUs");
	put_cpus(a, "irqaffinity=", &a->rest, NULL,
		 "interrupts that nobody places go to the housekeeping CPUs");
}

static uint64_t pages_on(const struct advice *a, int host_node, uint64_t page_size)
{
	uint64_t pages = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t n = 0; n < a->plans[i].n_nodes; n++) {
			const struct plan_node *node = &a->plans[i].nodes[n];

			if (node->host_node == host_node && node->page_size == page_size)
				pages += node->pages;
		}
	return pages;
}

static void put_pages_of(const struct advice *a, uint64_t page_size)
{
	char size[CV_SIZE_MAX];
	const char *separator = "";

	fprintf(a->out, "hugepagesz=%s hugepages=", cv_format_size(page_size, size));
	for (size_t i = 0; i < a->inv->n_nodes; i++) {
		int id = a->inv->nodes[i].id;
		uint64_t pages = pages_on(a, id, page_size);

		if (!pages)
			continue;
		fprintf(a->out, "%s%d:%" PRIu64, separator, id, pages);
		separator = ",";
	}
	fputc('\n', a->out);
}

/* Page sizes of the guests, each once, smallest first. */
static uint64_t next_size(const struct advice *a, uint64_t after)
{
	uint64_t next = 0;

	for (size_t i = 0; i < a->n; i++)
		for (size_t n = 0; n < a->plans[i].n_nodes; n++) {
			uint64_t size = a->plans[i].nodes[n].page_size;

			if (size > after && (!next || size < next))
				next = size;
		}
	return next;
}

static void put_pages(const struct advice *a)
{
	fputs("# memory of these guests, per node; at boot none of it is fragmented\n", a->out);
	for (uint64_t size = next_size(a, 0); size; size = next_size(a, size))
		put_pages_of(a, size);
}

static bool has_devices(const struct advice *a)
{
	for (size_t i = 0; i < a->n; i++)
		if (a->plans[i].n_devices)
			return true;
	return false;
}

static void put_iommu(const struct advice *a)
{
	const struct inv_host *h = &a->inv->host;
	bool is_intel = strcmp(h->cpu_vendor, "GenuineIntel") == 0;

	if (!has_devices(a))
		return;
	if (h->iommu == INV_IOMMU_NONE && is_intel)
		fputs("# devices are passed through, and no IOMMU is active: VT-d must be enabled "
		      "in the firmware too\nintel_iommu=on\n",
		      a->out);
	else if (h->iommu == INV_IOMMU_NONE)
		fputs("# devices are passed through, and no IOMMU is active: enable it in the "
		      "firmware; no word is needed\n",
		      a->out);
	if (h->iommu != INV_IOMMU_NONE && strcmp(h->iommu_domain, "identity") != 0)
		fputs("# devices that stay with the host are not translated; those of guests "
		      "always are\niommu=pt\n",
		      a->out);
}

/* ---- a guest ---- */

static void put_guest(const struct advice *a, const struct plan *p)
{
	fprintf(a->out, "\n# guest %s\n", p->name);
	if (!p->cmdline || !strstr(p->cmdline, "console=ttyS0"))
		fputs("# the serial port is the console that carve console shows\nconsole=ttyS0\n",
		      a->out);
	fputs("# each vCPU has a CPU of its own: a lock holder is never preempted\nnopvspin\n",
	      a->out);
	if (p->n_nodes > 1)
		fputs("# memory is bound to its node on the host, and programs place themselves: "
		      "no faults to sample it\nnuma_balancing=disable\n",
		      a->out);
}

char *plan_cmdline(const struct inventory *inv, const struct plan *plans, size_t n)
{
	struct advice a = { .inv = inv, .plans = plans, .n = n, .rest = inv->host.online };
	char *text = NULL;
	size_t size = 0;

	a.out = open_memstream(&text, &size);
	if (!a.out)
		return NULL;
	for (size_t i = 0; i < n; i++)
		cv_cpuset_or(&a.given, &plans[i].host_cpus);
	cv_cpuset_andnot(&a.rest, &a.given);
	fputs("# host\n", a.out);
	put_isolation(&a);
	put_pages(&a);
	put_iommu(&a);
	for (size_t i = 0; i < n; i++)
		put_guest(&a, &plans[i]);
	if (fclose(a.out) == 0)
		return text;
	free(text);
	return NULL;
}
