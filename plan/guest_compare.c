// SPDX-License-Identifier: GPL-2.0-or-later
/* Is the guest what was planned? Compares a guest report with the plan. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "plan/plan.h"

#define GUEST_REPORT_VERSION 1
/* Memory the guest kernel keeps for itself and firmware (page structs, kernel image, initramfs): a
 * node may show this much less than planned. */
#define MEMORY_SLACK_BYTES (192ULL << 20)
#define MEMORY_SLACK_PERCENT 8

static const json_t *find_by_int(const json_t *array, const char *key, int64_t value)
{
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v)
		if (cv_json_int(v, key, -1) == value)
			return v;
	return NULL;
}

static const json_t *find_by_str(const json_t *array, const char *key, const char *value)
{
	size_t i;
	json_t *v;

	json_array_foreach(array, i, v)
		if (strcmp(cv_json_str(v, key, ""), value) == 0)
			return v;
	return NULL;
}

static int compare_counts(const struct plan *p, const json_t *report, struct cv_strv *diffs)
{
	size_t cpus = json_array_size(json_object_get(report, "cpus"));
	size_t nodes = json_array_size(json_object_get(report, "nodes"));
	int r = 0;

	if (cpus != p->n_vcpus)
		r = cv_strv_addf(diffs, "vCPUs: guest has %zu, planned %zu", cpus, p->n_vcpus);
	if (r == 0 && nodes != p->n_nodes)
		r = cv_strv_addf(diffs, "NUMA nodes: guest has %zu, planned %zu", nodes,
				 p->n_nodes);
	return r;
}

static int compare_node(const struct plan *p, size_t i, const json_t *report, struct cv_strv *diffs)
{
	const json_t *n = find_by_int(json_object_get(report, "nodes"), "node", (int64_t)i);
	const json_t *distances = json_object_get(n, "distances");
	_cleanup_free_ char *vcpus = cv_format_cpulist(&p->nodes[i].vcpus);
	const char *found = cv_json_str(n, "cpus", "");
	uint64_t kib = (uint64_t)cv_json_int(n, "memory_kib", 0), planned = p->nodes[i].memory;
	uint64_t slack = MEMORY_SLACK_BYTES + planned / 100 * MEMORY_SLACK_PERCENT;
	int r = 0;

	if (!n || !vcpus)
		return n ? -ENOMEM : cv_strv_addf(diffs, "node %zu: missing in the guest", i);
	if (strcmp(found, vcpus) != 0)
		r = cv_strv_addf(diffs, "node %zu: guest CPUs %s, planned %s", i, found, vcpus);
	if (r == 0 && (kib * 1024 > planned || kib * 1024 + slack < planned))
		r = cv_strv_addf(diffs, "node %zu: guest memory %llu KiB, planned %llu KiB", i,
				 (unsigned long long)kib, (unsigned long long)planned / 1024);
	for (size_t j = 0; j < p->n_nodes && r == 0; j++) {
		int64_t d = json_integer_value(json_array_get(distances, j));

		if (p->n_nodes > 1 && d != p->nodes[i].distances[j])
			r = cv_strv_addf(diffs,
					 "node %zu: distance to node %zu is %lld, planned %d", i, j,
					 (long long)d, p->nodes[i].distances[j]);
	}
	return r;
}

static bool same_group(const struct plan_vcpu *a, const struct plan_vcpu *b, int by_l3)
{
	return by_l3 ? a->l3 == b->l3 : a->core == b->core;
}

/* vCPUs that share a core (or an L3) with vCPU @i, as a list. */
static char *planned_mates(const struct plan *p, size_t i, int by_l3)
{
	struct cv_cpuset s = { 0 };

	for (size_t j = 0; j < p->n_vcpus; j++)
		if (same_group(&p->vcpus[i], &p->vcpus[j], by_l3))
			cv_cpuset_add(&s, (int)j);
	return cv_format_cpulist(&s);
}

static int compare_mates(const struct plan *p, size_t i, const json_t *cpu, const char *key,
			 int by_l3, const char *what, struct cv_strv *diffs)
{
	_cleanup_free_ char *planned = planned_mates(p, i, by_l3);
	const char *found = cv_json_str(cpu, key, "");

	if (!planned)
		return -ENOMEM;
	if (strcmp(found, planned) == 0)
		return 0;
	return cv_strv_addf(diffs, "vCPU %zu: %s shared by %s, planned %s", i, what,
			    found[0] ? found : "(unknown)", planned);
}

static int compare_cpu(const struct plan *p, size_t i, const json_t *report, struct cv_strv *diffs)
{
	const json_t *c = find_by_int(json_object_get(report, "cpus"), "cpu", (int64_t)i);
	int r = 0;

	if (!c)
		return cv_strv_addf(diffs, "vCPU %zu: missing in the guest", i);
	if (cv_json_int(c, "node", -1) != p->vcpus[i].guest_node)
		r = cv_strv_addf(diffs, "vCPU %zu: on node %lld, planned %d", i,
				 (long long)cv_json_int(c, "node", -1), p->vcpus[i].guest_node);
	if (r == 0 && cv_json_int(c, "package", -1) != p->vcpus[i].package)
		r = cv_strv_addf(diffs, "vCPU %zu: in package %lld, planned %d", i,
				 (long long)cv_json_int(c, "package", -1), p->vcpus[i].package);
	r = r ?: compare_mates(p, i, c, "threads", 0, "core", diffs);
	return r ?: compare_mates(p, i, c, "l3_cpus", 1, "L3", diffs);
}

/* The ports above a device from the host bridge down: "0000:20:01.0/0000:21:00.0". */
static char *planned_path(const struct plan *p, const struct plan_device *d)
{
	_cleanup_strv_ struct cv_strv up = { 0 }, down = { 0 };
	char bdf[CV_BDF_MAX];
	int r = 0;

	for (int b = d->bridge; b >= 0 && p->bridges[b].parent >= 0 && r == 0;
	     b = p->bridges[b].parent)
		r = cv_strv_add(&up, cv_format_bdf(p->bridges[b].bdf, bdf));
	for (size_t i = up.n; i > 0 && r == 0; i--)
		r = cv_strv_add(&down, up.v[i - 1]);
	return r == 0 ? cv_strv_join(&down, "/") : NULL;
}

static char *found_path(const json_t *dev)
{
	const json_t *path = json_object_get(dev, "path");
	_cleanup_strv_ struct cv_strv ports = { 0 };
	int r = 0;

	for (size_t i = 0; i < json_array_size(path) && r == 0; i++) {
		const char *port = json_string_value(json_array_get(path, i));

		r = cv_strv_add(&ports, port ? port : "?");
	}
	return r == 0 ? cv_strv_join(&ports, "/") : NULL;
}

static int compare_path(const struct plan *p, const struct plan_device *d, const json_t *dev,
			struct cv_strv *diffs)
{
	_cleanup_free_ char *planned = planned_path(p, d), *found = found_path(dev);

	if (!planned || !found)
		return -ENOMEM;
	if (strcmp(planned, found) == 0)
		return 0;
	return cv_strv_addf(diffs, "%s: behind ports %s, planned behind %s", d->id,
			    found[0] ? found : "(none)", planned);
}

/* The range of a kind that holds @at, NULL none. */
static const struct plan_range *find_range(const struct plan *p, enum plan_range_kind kind,
					   uint64_t at)
{
	for (size_t i = 0; i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];

		if (r->kind == kind && r->start <= at && at - r->start < r->size)
			return r;
	}
	return NULL;
}

/* A BAR may be anywhere but on memory and on what is reserved: firmware and kernel choose. */
static int compare_bar(const struct plan *p, const struct plan_device *d, const json_t *bar,
		       struct cv_strv *diffs)
{
	uint64_t start = (uint64_t)cv_json_int(bar, "start", 0);
	uint64_t size = (uint64_t)cv_json_int(bar, "size", 0);

	for (size_t i = 0; start && i < p->n_ranges; i++) {
		const struct plan_range *r = &p->ranges[i];

		if ((r->kind == PLAN_RAM || r->kind == PLAN_RESERVED) &&
		    start < r->start + r->size && r->start < start + size)
			return cv_strv_addf(
				diffs,
				"%s: BAR %lld at 0x%llx, planned not to touch 0x%llx-0x%llx "
				"(%s: %s)",
				d->id, (long long)cv_json_int(bar, "index", -1),
				(unsigned long long)start, (unsigned long long)r->start,
				(unsigned long long)(r->start + r->size - 1),
				plan_range_words[r->kind], r->why);
	}
	return 0;
}

static int compare_bars(const struct plan *p, const struct plan_device *d, const json_t *dev,
			struct cv_strv *diffs)
{
	const json_t *bar;
	size_t i;
	int r = 0;

	json_array_foreach(json_object_get(dev, "bars"), i, bar)
		r = r ?: compare_bar(p, d, bar, diffs);
	return r;
}

/* The kernel joins the memory of nodes that follow each other, and keeps parts for itself: each of its
 * ranges lies in planned memory from its first to its last byte. */
static int compare_ram(const struct plan *p, const json_t *report, struct cv_strv *diffs)
{
	const json_t *ram = json_object_get(report, "ram"), *v;
	size_t i;
	int r = 0;

	if (json_array_size(ram) == 0)
		return cv_strv_addf(diffs, "memory: the guest shows no addresses of it");
	json_array_foreach(ram, i, v) {
		uint64_t at = (uint64_t)cv_json_int(v, "start", 0);
		uint64_t end = at + (uint64_t)cv_json_int(v, "size", 0);
		const struct plan_range *in;

		while (at < end && (in = find_range(p, PLAN_RAM, at)))
			at = in->start + in->size;
		if (r == 0 && at < end)
			r = cv_strv_addf(diffs,
					 "memory: the guest has some at 0x%llx, planned none there",
					 (unsigned long long)at);
	}
	return r;
}

static int compare_device(const struct plan *p, const struct plan_device *d, const json_t *report,
			  struct cv_strv *diffs)
{
	char bdf[CV_BDF_MAX], ids[16], found[16];
	const json_t *dev = find_by_str(json_object_get(report, "pci"), "bdf",
					cv_format_bdf(d->guest, bdf));
	int64_t node = cv_json_int(dev, "node", -2);
	int r = 0;

	if (!dev)
		return cv_strv_addf(diffs, "%s: no device at %s in the guest", d->id, bdf);
	snprintf(ids, sizeof(ids), "%04x:%04x", d->vendor, d->device);
	snprintf(found, sizeof(found), "%.4s:%.4s", cv_json_str(dev, "vendor", "?"),
		 cv_json_str(dev, "device", "?"));
	if (strcmp(ids, found) != 0)
		r = cv_strv_addf(diffs, "%s: %s is a %s, planned %s", d->id, bdf, found, ids);
	if (r == 0 && node != d->guest_node)
		r = cv_strv_addf(diffs, "%s: %s on node %lld, planned %d", d->id, bdf,
				 (long long)node, d->guest_node);
	r = r ?: compare_path(p, d, dev, diffs);
	r = r ?: compare_bars(p, d, dev, diffs);
	const char *mac = cv_json_str(json_object_get(dev, "net"), "mac", "");
	if (r == 0 && d->mac[0] && mac[0] && strcmp(mac, d->mac) != 0)
		r = cv_strv_addf(diffs, "%s: MAC %s, planned %s", d->id, mac, d->mac);
	return r;
}

static int compare_tests(const json_t *report, struct cv_strv *diffs)
{
	size_t i;
	json_t *t;
	int r = 0;

	json_array_foreach(json_object_get(report, "tests"), i, t) {
		if (r == 0 && !cv_json_bool(t, "ok", 0))
			r = cv_strv_addf(diffs, "test %s of %s failed: %s",
					 cv_json_str(t, "kind", "?"), cv_json_str(t, "bdf", "?"),
					 cv_json_str(t, "detail", ""));
	}
	return r;
}

int plan_compare_guest(const struct plan *p, const json_t *report, struct cv_strv *ret_diffs,
		       struct cv_error *err)
{
	_cleanup_strv_ struct cv_strv diffs = { 0 };
	int r = cv_json_version(report, "carve_guest_report", GUEST_REPORT_VERSION, "guest report",
				err);

	if (r < 0)
		return r;
	if (json_object_get(report, "error"))
		return cv_fail(err, -EINVAL, CV_EXIT_GUEST, "GUEST_ERROR", p->name,
			       "the guest could not answer: %s", cv_json_str(report, "error", "?"));
	r = compare_counts(p, report, &diffs);
	for (size_t i = 0; i < p->n_nodes && r == 0; i++)
		r = compare_node(p, i, report, &diffs);
	for (size_t i = 0; i < p->n_vcpus && r == 0; i++)
		r = compare_cpu(p, i, report, &diffs);
	r = r ?: compare_ram(p, report, &diffs);
	for (size_t i = 0; i < p->n_devices && r == 0; i++)
		r = compare_device(p, &p->devices[i], report, &diffs);
	r = r ?: compare_tests(report, &diffs);
	if (r < 0)
		return cv_fail_errno(err, r, p->name, "cannot compare the guest with its plan");
	*ret_diffs = diffs;
	diffs = (struct cv_strv){ 0 };
	return 0;
}
