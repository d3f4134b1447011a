// SPDX-License-Identifier: GPL-2.0-or-later
/* The plan for people. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "base/table.h"
#include "plan/plan.h"

static void put_table(FILE *out, struct cv_table *t)
{
	_cleanup_free_ char *text = cv_table_text(t, true, 0);

	if (text)
		fprintf(out, "%s\n", text);
}

static void put_head(FILE *out, const struct plan *p)
{
	_cleanup_free_ char *vmm = cv_format_cpulist(&p->vmm_cpus);
	_cleanup_free_ char *host = cv_format_cpulist(&p->host_cpus);

	fprintf(out,
		"guest %s: %zu vCPUs on host CPUs %s, VMM threads on %s, backend %s, user %s\n",
		p->name, p->n_vcpus, host ? host : "?", vmm ? vmm : "?", p->backend,
		p->user[0] ? p->user : "(caller)");
	fprintf(out, "topology: %d package(s), %d L3 each, %d core(s) each, %d thread(s) each\n\n",
		p->packages, p->dies, p->cores, p->threads);
}

static int put_nodes(FILE *out, const struct plan *p)
{
	static const struct cv_column columns[] = {
		{ .name = "GUEST NODE", .right = true },
		{ .name = "HOST NODE", .right = true },
		{ .name = "VCPUS" },
		{ .name = "HOST CPUS" },
		{ .name = "MEMORY", .right = true },
		{ .name = "PAGES" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_nodes; i++) {
		const struct plan_node *n = &p->nodes[i];
		struct cv_cpuset host = { 0 };
		char id[24], host_id[12], memory[CV_SIZE_MAX], size[CV_SIZE_MAX], pages[64];

		CV_CPUSET_FOREACH(v, &n->vcpus)
		if ((size_t)v < p->n_vcpus)
			cv_cpuset_add(&host, p->vcpus[v].host_cpu);
		_cleanup_free_ char *vcpus = cv_format_cpulist(&n->vcpus);
		_cleanup_free_ char *cpus = cv_format_cpulist(&host);
		snprintf(id, sizeof(id), "%zu", i);
		snprintf(host_id, sizeof(host_id), "%d", n->host_node);
		snprintf(pages, sizeof(pages), "%llu x %s", (unsigned long long)n->pages,
			 cv_format_size(n->page_size, size));
		const char *cells[] = {
			id, host_id, vcpus, cpus, cv_format_size(n->memory, memory), pages
		};
		if (cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	put_table(out, t);
	return 0;
}

static int put_devices(FILE *out, const struct plan *p)
{
	static const struct cv_column columns[] = {
		{ .name = "DEVICE" }, { .name = "HOST" },
		{ .name = "GUEST" },  { .name = "GUEST NODE", .right = true },
		{ .name = "CLASS" },  { .name = "ORIGIN" },
		{ .name = "MAC" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (p->n_devices == 0)
		return 0;
	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_devices; i++) {
		const struct plan_device *d = &p->devices[i];
		char host[CV_BDF_MAX], guest[CV_BDF_MAX], node[12], origin[64], pf[CV_BDF_MAX];

		snprintf(node, sizeof(node), "%d", d->guest_node);
		if (d->is_vf)
			snprintf(origin, sizeof(origin), "VF %d of %s%s", d->vf_index,
				 cv_format_bdf(d->pf, pf), d->is_new ? ", new" : "");
		else
			snprintf(origin, sizeof(origin), "%s",
				 d->driver[0] ? d->driver : "unbound");
		const char *cells[] = { d->id,
					cv_format_bdf(d->host, host),
					cv_format_bdf(d->guest, guest),
					node,
					d->class_name,
					origin,
					d->mac };
		if (cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	fputc('\n', out);
	put_table(out, t);
	return 0;
}

static int put_disks(FILE *out, const struct plan *p)
{
	static const struct cv_column columns[] = {
		{ .name = "DISK" },   { .name = "PATH" },   { .name = "GUEST" },
		{ .name = "ACCESS" }, { .name = "SERIAL" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (p->n_disks == 0)
		return 0;
	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_disks; i++) {
		const struct plan_disk *d = &p->disks[i];
		char guest[CV_BDF_MAX];
		const char *access = d->is_vhost_user ? "vhost-user"
				     : d->is_readonly ? "read-only"
				     : d->has_discard ? "read-write, discard"
						      : "read-write";
		const char *cells[] = { d->id, d->path, cv_format_bdf(d->guest, guest), access,
					d->serial };

		if (cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	fputc('\n', out);
	put_table(out, t);
	return 0;
}

/* Where a network leads, and what is special about it. Heap string. */
static char *net_text(const struct plan_net *n)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "%s%s%s", plan_net_words[n->kind], n->to[0] ? " " : "", n->to);
	if (n->vlan)
		fprintf(out, ", VLAN %d", n->vlan);
	if (n->mtu)
		fprintf(out, ", MTU %u", n->mtu);
	for (size_t i = 0; i < n->n_forwards; i++)
		fprintf(out, ", %s %u to %u", n->forwards[i].is_udp ? "udp" : "tcp",
			n->forwards[i].host, n->forwards[i].guest);
	if (fclose(out) == 0)
		return text;
	free(text);
	return NULL;
}

static int put_nets(FILE *out, const struct plan *p)
{
	static const struct cv_column columns[] = {
		{ .name = "NETWORK" },
		{ .name = "LEADS TO" },
		{ .name = "GUEST" },
		{ .name = "MAC" },
		{ .name = "QUEUES", .right = true },
		{ .name = "HOST INTERFACE" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (p->n_nets == 0)
		return 0;
	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_nets; i++) {
		const struct plan_net *n = &p->nets[i];
		_cleanup_free_ char *to = net_text(n);
		char guest[CV_BDF_MAX], queues[12];

		snprintf(queues, sizeof(queues), "%u", n->queues);
		const char *cells[] = { n->id,	to,	cv_format_bdf(n->guest, guest),
					n->mac, queues, n->tap };
		if (!to || cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	fputc('\n', out);
	put_table(out, t);
	return 0;
}

static int put_shares(FILE *out, const struct plan *p)
{
	static const struct cv_column columns[] = {
		{ .name = "SHARE" },  { .name = "PATH" }, { .name = "GUEST" },
		{ .name = "ACCESS" }, { .name = "TAG" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (p->n_shares == 0)
		return 0;
	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_shares; i++) {
		const struct plan_share *d = &p->shares[i];
		char guest[CV_BDF_MAX];
		const char *cells[] = { d->id, d->path, cv_format_bdf(d->guest, guest),
					d->is_readonly ? "read-only" : "read-write", d->tag };

		if (cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	fputc('\n', out);
	put_table(out, t);
	return 0;
}

static void put_vsock(FILE *out, const struct plan *p)
{
	if (p->vsock_cid)
		fprintf(out, "\nvsock: the guest is CID %u\n", p->vsock_cid);
}

static int put_steps(FILE *out, const struct plan *p, const struct cv_step_table *table)
{
	static const struct cv_column columns[] = {
		{ .name = "STEP", .right = true },
		{ .name = "KIND" },
		{ .name = "OBJECT" },
		{ .name = "VALUE" },
		{ .name = "UNDO" },
	};
	_cleanup_(cv_table_freep) struct cv_table *t = NULL;

	if (cv_table_new(columns, CV_ARRAY_SIZE(columns), &t) < 0)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_steps; i++) {
		const struct cv_step *s = &p->steps[i];
		const struct cv_step_ops *ops = table ? cv_step_find(table, s->kind) : NULL;
		char seq[12];

		snprintf(seq, sizeof(seq), "%u", s->seq);
		const char *cells[] = { seq, s->kind, s->object, s->value, ops ? ops->undo : "" };
		if (cv_table_add(t, -1, cells) < 0)
			return -ENOMEM;
	}
	fprintf(out, "\nchanges of the host, in order; undone in reverse:\n");
	put_table(out, t);
	return 0;
}

static void put_reasons(FILE *out, const char *title, const struct plan_reason *r, size_t n)
{
	if (n)
		fprintf(out, "\n%s:\n", title);
	for (size_t i = 0; i < n; i++)
		fprintf(out, "  %-14s %s\n", r[i].object, r[i].text);
}

char *plan_text(const struct plan *p, const struct cv_step_table *table, bool explain)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	put_head(out, p);
	int r = put_nodes(out, p);
	r = r ?: put_devices(out, p);
	r = r ?: put_disks(out, p);
	r = r ?: put_nets(out, p);
	r = r ?: put_shares(out, p);
	put_vsock(out, p);
	r = r ?: put_steps(out, p, table);
	put_reasons(out, "why", p->reasons, p->n_reasons);
	if (explain)
		put_reasons(out, "why not", p->rejected, p->n_rejected);
	if (fclose(out) != 0 || r < 0) {
		free(text);
		return NULL;
	}
	return text;
}
