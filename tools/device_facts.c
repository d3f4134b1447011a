// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/device_facts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define DEVICES "/sys/bus/pci/devices"
#define KMSG "/dev/kmsg"
#define RECORD_MAX 8192	   /* Documentation/ABI/testing/dev-kmsg: one record per read */
#define RECORDS_MAX 200000 /* somebody may write faster than we read */

/* ---- interrupts ---- */

/* The numbers of a row of /proc/interrupts, one per CPU: "  40:  12  0  IR-PCI-MSI ..." */
static uint64_t sum_row(const char *row)
{
	uint64_t sum = 0, value;
	char word[24];

	for (;;) {
		row += strspn(row, " ");
		size_t len = strcspn(row, " \n");

		if (len == 0 || len >= sizeof(word))
			return sum;
		memcpy(word, row, len);
		word[len] = '\0';
		if (cv_parse_u64(word, &value) < 0)
			return sum;
		sum += value;
		row += len;
	}
}

static uint64_t count_irq(const char *table, const char *number)
{
	size_t len = strlen(number);

	for (const char *line = table; line && *line;) {
		const char *end = strchr(line, '\n');
		const char *word = line + strspn(line, " ");

		if (strncmp(word, number, len) == 0 && word[len] == ':')
			return sum_row(word + len + 1);
		line = end ? end + 1 : NULL;
	}
	return 0;
}

static void add_cpus(struct cv_sysroot *root, const char *number, struct cv_cpuset *cpus)
{
	struct cv_cpuset now = { 0 };
	char path[CV_PATH_MAX];

	cv_pathf(path, "/proc/irq/%s/effective_affinity_list", number);
	if (cv_read_cpulist(root, path, &now) == 0 ||
	    cv_read_cpulist(root, cv_pathf(path, "/proc/irq/%s/smp_affinity_list", number), &now) ==
		    0)
		cv_cpuset_or(cpus, &now);
}

/* With MSI off the pin's interrupt is in "irq" (0: it has none); it counts when somebody listens to it. */
static int list_irqs(struct cv_sysroot *root, const char *bdf, struct cv_strv *ret)
{
	char path[CV_PATH_MAX], number[16], actions[64];
	int r = cv_list(root, cv_pathf(path, DEVICES "/%s/msi_irqs", bdf), ret);

	if (r == 0 && ret->n)
		return 0;
	r = cv_read_into(root, cv_pathf(path, DEVICES "/%s/irq", bdf), number, sizeof(number));
	if (r < 0 || strcmp(number, "0") == 0)
		return r;
	cv_pathf(path, "/sys/kernel/irq/%s/actions", number);
	if (cv_read_into(root, path, actions, sizeof(actions)) < 0 || !actions[0])
		return 0;
	return cv_strv_add(ret, number);
}

void device_irqs_read(struct cv_sysroot *root, const char *bdf, struct device_irqs *ret)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	_cleanup_free_ char *table = NULL;
	struct device_irqs irqs = { 0 };

	if (cv_read_str(root, "/proc/interrupts", &table) < 0)
		table = NULL;
	if (list_irqs(root, bdf, &names) < 0)
		cv_strv_done(&names);
	for (size_t i = 0; i < names.n; i++) {
		irqs.n++;
		irqs.count += count_irq(table, names.v[i]);
		add_cpus(root, names.v[i], &irqs.cpus);
	}
	*ret = irqs;
}

json_t *device_irqs_json(const struct device_irqs *irqs)
{
	_cleanup_free_ char *cpus = cv_format_cpulist(&irqs->cpus);

	return json_pack("{s:i,s:s,s:I}", "number", (int)irqs->n, "cpus", cpus ? cpus : "", "count",
			 (json_int_t)irqs->count);
}

/* ---- kernel log ---- */

/** struct needles - how lines of the log name one function */
struct needles {
	char full[CV_BDF_MAX]; /* "0000:81:10.0" */
	char brief[16];	       /* "[81:10.0]", as VT-d names it in segment 0 */
	char slot[CV_BDF_MAX]; /* "PCI:0000:81:10)", as NVIDIA names it */
};

static void make_needles(struct cv_bdf bdf, struct needles *n)
{
	cv_format_bdf(bdf, n->full);
	snprintf(n->brief, sizeof(n->brief), "[%02x:%02x.%x]", bdf.bus, bdf.dev, bdf.fn);
	snprintf(n->slot, sizeof(n->slot), "PCI:%04x:%02x:%02x", bdf.domain, bdf.bus, bdf.dev);
}

static bool has(const char *line, const char *word)
{
	return strstr(line, word) != NULL;
}

/* VT-d: intel/dmar.c; AMD-Vi: amd/iommu.c; ARM: arm-smmu-v3.c. */
static bool is_fault(const char *line, const struct needles *n, bool is_first_segment)
{
	if (has(line, "DMAR:") && has(line, "fault"))
		return has(line, n->full) || (is_first_segment && has(line, n->brief));
	return has(line, n->full) && (has(line, "IO_PAGE_FAULT") || has(line, "arm-smmu") ||
				      has(line, "INVALID_DEVICE_REQUEST"));
}

/* "NVRM: Xid (PCI:0000:65:00): 79, pid=..." Return: -1 when the line is none. */
static int xid_of(const char *line, const struct needles *n)
{
	const char *at = strstr(line, "NVRM: Xid (");
	char word[16];
	int xid;

	at = at && has(at, n->slot) ? strstr(at, "): ") : NULL;
	if (!at)
		return -1;
	at += strlen("): ");
	snprintf(word, sizeof(word), "%.*s", (int)strspn(at, "0123456789") % 16, at);
	return cv_parse_int(word, &xid) < 0 ? -1 : xid;
}

static void scan_line(const char *line, const struct needles *n, bool is_first_segment,
		      struct device_log *log)
{
	int xid = xid_of(line, n);

	if (is_fault(line, n, is_first_segment))
		log->faults++;
	else if (has(line, n->full) && has(line, "AER:"))
		log->aer++;
	else if (xid < 0)
		return;
	if (xid >= 0) {
		log->xids++;
		log->xid = xid;
	}
	snprintf(log->last, sizeof(log->last), "%.*s", (int)sizeof(log->last) - 1, line);
}

void device_log_scan(const char *text, struct cv_bdf bdf, struct device_log *log)
{
	struct needles n;

	make_needles(bdf, &n);
	for (const char *end = strchr(text, '\n'); end; end = strchr(text, '\n')) {
		const char *message = memchr(text, ';', (size_t)(end - text));
		char line[512];

		/* "6,1234,98765,-;message", or the message alone */
		message = message ? message + 1 : text;
		snprintf(line, sizeof(line), "%.*s",
			 (int)(end - message < 511 ? end - message : 511), message);
		scan_line(line, &n, bdf.domain == 0, log);
		text = end + 1;
	}
}

/* A record that was overwritten meanwhile is EPIPE: the next read goes on behind it. */
static void read_records(int fd, struct cv_bdf bdf, struct device_log *log)
{
	char text[RECORD_MAX + 1];

	for (int i = 0; i < RECORDS_MAX; i++) {
		ssize_t n = read(fd, text, RECORD_MAX);

		if (n < 0 && (errno == EPIPE || errno == EINTR))
			continue;
		if (n <= 0)
			return;
		text[n] = '\0';
		device_log_scan(text, bdf, log);
	}
}

void device_log_read(struct cv_sysroot *root, struct cv_bdf bdf, struct device_log *ret)
{
	struct device_log log = { .xid = -1 };
	_cleanup_close_ int fd = cv_open(root, KMSG, O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);

	log.is_read = fd >= 0;
	if (log.is_read)
		read_records(fd, bdf, &log);
	*ret = log;
}

json_t *device_log_json(const struct device_log *log)
{
	if (!log->is_read)
		return json_null();
	return json_pack("{s:i,s:i,s:i,s:o,s:o}", "iommu_faults", (int)log->faults, "aer",
			 (int)log->aer, "xids", (int)log->xids, "last_xid",
			 log->xid < 0 ? json_null() : json_integer(log->xid), "last",
			 cv_json_string(log->last));
}
