// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/drift_memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

/** struct mapping - one line of numa_maps; @pages: by node, kernel numbers up to CV_CPU_MAX */
struct mapping {
	char policy[32];
	struct cv_cpuset nodes; /* that hold pages */
	uint64_t pages[PLAN_MAX_NODES];
	uint64_t elsewhere; /* pages on nodes that the plan does not have */
};

static int plan_node(const struct plan *p, int host_node)
{
	for (size_t i = 0; i < p->n_nodes; i++)
		if (p->nodes[i].host_node == host_node)
			return (int)i;
	return -1;
}

/* "N1=256" */
static void parse_pages(const struct plan *p, char *word, struct mapping *m)
{
	char *sign = strchr(word, '=');
	uint64_t pages;
	int node, i;

	if (word[0] != 'N' || !sign)
		return;
	*sign = '\0';
	if (cv_parse_int(word + 1, &node) < 0 || cv_parse_u64(sign + 1, &pages) < 0)
		return;
	i = plan_node(p, node);
	cv_cpuset_add(&m->nodes, node);
	if (i >= 0)
		m->pages[i] += pages;
	else
		m->elsewhere += pages;
}

/* "7f12a0000000 bind:1 file=/memfd:ram0\040(deleted) huge dirty=256 N1=256 kernelpagesize_kB=2048" */
static bool parse_line(const struct plan *p, char *line, struct mapping *ret)
{
	struct mapping m = { .elsewhere = 0 };
	bool is_huge = false, is_memfd = false;
	char *save = NULL, *word = strtok_r(line, " ", &save);

	word = strtok_r(NULL, " ", &save);
	if (!word)
		return false;
	snprintf(m.policy, sizeof(m.policy), "%s", word);
	while ((word = strtok_r(NULL, " ", &save))) {
		is_huge = is_huge || strcmp(word, "huge") == 0;
		is_memfd = is_memfd || strncmp(word, "file=/memfd:", 12) == 0;
		parse_pages(p, word, &m);
	}
	*ret = m;
	return is_huge && is_memfd;
}

/* Each part of the memory is bound to one node of the plan. */
static int check_policy(const struct plan *p, const struct mapping *m, struct nu_drifts *out)
{
	_cleanup_free_ char *nodes = cv_format_cpulist(&m->nodes);
	struct nu_drift *d;
	int node;

	if (strncmp(m->policy, "bind:", 5) == 0 && cv_parse_int(m->policy + 5, &node) == 0 &&
	    plan_node(p, node) >= 0)
		return 0;
	d = nu_drift_add(out, NU_DRIFT_MEMORY);
	if (!d || !nodes)
		return -ENOMEM;
	snprintf(d->object, sizeof(d->object), "memory on node %s", nodes[0] ? nodes : "?");
	snprintf(d->found, sizeof(d->found), "policy %s", m->policy);
	snprintf(d->wanted, sizeof(d->wanted), "policy bind to one node of the plan");
	return 0;
}

static int check_count(const struct plan_node *n, uint64_t pages, uint64_t elsewhere,
		       struct nu_drifts *out)
{
	struct nu_drift *d;
	int len;

	if (pages == n->pages)
		return 0;
	d = nu_drift_add(out, NU_DRIFT_MEMORY);
	if (!d)
		return -ENOMEM;
	snprintf(d->object, sizeof(d->object), "memory of node %d", n->host_node);
	len = snprintf(d->found, sizeof(d->found), "%llu pages there", (unsigned long long)pages);
	if (elsewhere)
		snprintf(d->found + len, sizeof(d->found) - (size_t)len,
			 ", %llu on nodes that are not planned", (unsigned long long)elsewhere);
	snprintf(d->wanted, sizeof(d->wanted), "%llu pages", (unsigned long long)n->pages);
	return 0;
}

int nu_drift_memory(struct cv_sysroot *root, const struct nu_running *vm, struct nu_drifts *out)
{
	const struct plan *p = vm->plan;
	struct mapping m, all = { .elsewhere = 0 };
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *save = NULL;
	int r = 0;

	if (cv_read_str(root, cv_pathf(path, "/proc/%d/numa_maps", vm->pid), &text) < 0)
		return 0;
	for (char *l = strtok_r(text, "\n", &save); l && r == 0; l = strtok_r(NULL, "\n", &save)) {
		if (!parse_line(p, l, &m))
			continue;
		r = check_policy(p, &m, out);
		all.elsewhere += m.elsewhere;
		for (size_t i = 0; i < p->n_nodes; i++)
			all.pages[i] += m.pages[i];
	}
	for (size_t i = 0; i < p->n_nodes && r == 0; i++)
		r = check_count(&p->nodes[i], all.pages[i], all.elsewhere, out);
	return r;
}
