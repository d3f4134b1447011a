/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a function does on the host right now: errors it reported, interrupts, what the kernel log says. */
#ifndef CARVE_TOOLS_DEVICE_FACTS_H
#define CARVE_TOOLS_DEVICE_FACTS_H

#include "base/bdf.h"
#include "base/cpulist.h"
#include "base/json.h"
#include "base/sysroot.h"

/**
 * struct device_irqs - interrupts of one function
 * @n:     how many it has (MSI, MSI-X, or the one of its pin)
 * @cpus:  those that they are delivered to
 * @count: delivered since the driver set them up, on all CPUs
 */
struct device_irqs {
	unsigned int n;
	struct cv_cpuset cpus;
	uint64_t count;
};
void device_irqs_read(struct cv_sysroot *root, const char *bdf, struct device_irqs *ret);

/**
 * struct device_log - lines of the kernel log about one function
 * @is_read: the log can be read (root, CAP_SYSLOG)
 * @faults:  reported by the IOMMU
 * @aer:     error reports of the bus
 * @xids:    errors that the NVIDIA driver numbers; @xid: the last one, -1 none
 * @last:    the last line of these
 */
struct device_log {
	bool is_read;
	unsigned int faults, aer, xids;
	int xid;
	char last[256];
};
/** device_log_scan() - pure: adds the lines of @text, which ends each with '\n' */
void device_log_scan(const char *text, struct cv_bdf bdf, struct device_log *log);
/** device_log_read() - the kernel's buffer, as far back as it goes */
void device_log_read(struct cv_sysroot *root, struct cv_bdf bdf, struct device_log *ret);

/** device_log_json(), device_irqs_json() - Return: a new reference, NULL. */
json_t *device_log_json(const struct device_log *log);
json_t *device_irqs_json(const struct device_irqs *irqs);

#endif
