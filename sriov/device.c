// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/device.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"

#define MAX_NODE 4095 /* far above any kernel's MAX_NUMNODES */

/* linux/ioport.h: flags in the third column of "resource". */
#define RESOURCE_IO 0x100
#define RESOURCE_MEM 0x200
#define RESOURCE_PREFETCH 0x2000
#define RESOURCE_MEM_64 0x100000

static uint64_t hex_of(struct cv_sysroot *root, const char *bdf, const char *name, uint64_t max)
{
	char path[CV_PATH_MAX];
	uint64_t value;

	if (cv_read_hex(root, sr_path(path, bdf, name), &value) < 0 || value > max)
		return 0;
	return value;
}

static unsigned int count_of(struct cv_sysroot *root, const char *bdf, const char *name)
{
	char path[CV_PATH_MAX];
	uint64_t value;

	if (cv_read_u64(root, sr_path(path, bdf, name), &value) < 0 || value > UINT16_MAX)
		return 0;
	return (unsigned int)value;
}

static void text_of(struct cv_sysroot *root, const char *bdf, const char *name, char *buf,
		    size_t size)
{
	char path[CV_PATH_MAX];

	if (cv_read_into(root, sr_path(path, bdf, name), buf, size) < 0)
		buf[0] = '\0';
}

static void read_ids(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	d->vendor = (uint16_t)hex_of(root, bdf, "vendor", UINT16_MAX);
	d->device = (uint16_t)hex_of(root, bdf, "device", UINT16_MAX);
	d->subvendor = (uint16_t)hex_of(root, bdf, "subsystem_vendor", UINT16_MAX);
	d->subdevice = (uint16_t)hex_of(root, bdf, "subsystem_device", UINT16_MAX);
	d->class = (uint32_t)hex_of(root, bdf, "class", 0xffffff);
}

static void read_binding(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	char path[CV_PATH_MAX];

	if (sr_driver(root, bdf, d->driver, sizeof(d->driver)) < 0)
		d->driver[0] = '\0';
	if (d->is_quarantined ||
	    sr_override(root, bdf, 0, d->driver_override, sizeof(d->driver_override)) < 0)
		d->driver_override[0] = '\0';
	d->group = sr_group(root, bdf);
	if (cv_read_int(root, sr_path(path, bdf, "numa_node"), &d->node) < 0 || d->node < 0 ||
	    d->node > MAX_NODE)
		d->node = -1;
	text_of(root, bdf, "reset_method", d->reset_methods, sizeof(d->reset_methods));
}

/* "0x00000000fe000000 0x00000000fe01ffff 0x0000000000140204" */
static int parse_bar(char *line, struct inv_bar *ret)
{
	uint64_t v[3];
	char *save = NULL;
	char *word = strtok_r(line, " \t", &save);

	for (int i = 0; i < 3; i++) {
		if (!word || cv_parse_hex(word, &v[i]) < 0)
			return -EINVAL;
		word = strtok_r(NULL, " \t", &save);
	}
	if (v[2] == 0 || v[1] < v[0] || v[1] - v[0] == UINT64_MAX || v[1] == 0)
		return 0;
	ret->size = v[1] - v[0] + 1;
	ret->is_io = (v[2] & (RESOURCE_IO | RESOURCE_MEM)) == RESOURCE_IO;
	ret->is_prefetchable = v[2] & RESOURCE_PREFETCH;
	ret->is_64bit = v[2] & RESOURCE_MEM_64;
	return 0;
}

static void read_bars(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *save = NULL, *line;

	if (cv_read_str(root, sr_path(path, bdf, "resource"), &text) < 0)
		return;
	line = strtok_r(text, "\n", &save);
	for (int i = 0; line && i < INV_MAX_BARS; i++) {
		if (parse_bar(line, &d->bars[i]) < 0)
			return;
		line = strtok_r(NULL, "\n", &save);
	}
}

/* "8.0 GT/s PCIe", "2.5 GT/s", "Unknown": tenths of GT/s */
static unsigned int parse_speed(const char *text)
{
	const char *dot = strchr(text, '.');
	char whole[8];
	uint64_t value;
	size_t len = dot ? (size_t)(dot - text) : strcspn(text, " ");

	if (len == 0 || len >= sizeof(whole))
		return 0;
	memcpy(whole, text, len);
	whole[len] = '\0';
	if (cv_parse_u64(whole, &value) < 0 || value > 10000)
		return 0;
	value *= 10;
	if (dot && dot[1] >= '0' && dot[1] <= '9')
		value += (uint64_t)(dot[1] - '0');
	return (unsigned int)value;
}

/* A width of 255 is how the kernel says "unknown" for devices without a link. */
static unsigned int read_width(struct cv_sysroot *root, const char *bdf, const char *name)
{
	unsigned int width = count_of(root, bdf, name);

	return width <= 32 ? width : 0;
}

static void read_link(struct cv_sysroot *root, const char *bdf, struct inv_link *l)
{
	char text[INV_TEXT];

	text_of(root, bdf, "current_link_speed", text, sizeof(text));
	l->speed = parse_speed(text);
	text_of(root, bdf, "max_link_speed", text, sizeof(text));
	l->max_speed = parse_speed(text);
	l->width = read_width(root, bdf, "current_link_width");
	l->max_width = read_width(root, bdf, "max_link_width");
}

/* For a function whose lock somebody may keep for ever: reading its sriov_numvfs would wait for it. */
static unsigned int count_vfs(struct cv_sysroot *root, const char *bdf, unsigned int total)
{
	char vf[CV_BDF_MAX];
	unsigned int n = 0;

	while (n < total && sr_vf_of(root, bdf, n, vf) == 0)
		n++;
	return n;
}

static void read_sriov(struct cv_sysroot *root, const char *bdf, bool is_quarantined,
		       struct inv_sriov *s)
{
	s->total = count_of(root, bdf, "sriov_totalvfs");
	s->num = is_quarantined ? count_vfs(root, bdf, s->total)
				: count_of(root, bdf, "sriov_numvfs");
	s->offset = count_of(root, bdf, "sriov_offset");
	s->stride = count_of(root, bdf, "sriov_stride");
	s->vf_device = (uint16_t)hex_of(root, bdf, "sriov_vf_device", UINT16_MAX);
	s->autoprobe = count_of(root, bdf, "sriov_drivers_autoprobe") == 1;
	if (s->num > s->total)
		s->num = s->total;
}

static void read_netdev(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX];
	uint64_t value;

	if (cv_list(root, sr_path(path, bdf, "net"), &names) < 0 || names.n == 0 ||
	    strlen(names.v[0]) >= sizeof(d->netdev))
		return;
	snprintf(d->netdev, sizeof(d->netdev), "%s", names.v[0]);
	if (cv_read_hex(root, cv_pathf(path, "/sys/class/net/%s/flags", d->netdev), &value) == 0)
		d->net_up = value & IFF_UP;
	/* Reading "carrier" of an interface that is down is EINVAL. */
	if (cv_read_u64(root, cv_pathf(path, "/sys/class/net/%s/carrier", d->netdev), &value) == 0)
		d->net_carrier = value == 1;
}

void sr_device_read(struct cv_sysroot *root, struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	d->parent = d->pf = d->vf_index = -1;
	cv_format_bdf(d->bdf, bdf);
	read_ids(root, bdf, d);
	read_binding(root, bdf, d);
	read_bars(root, bdf, d);
	read_link(root, bdf, &d->link);
	read_sriov(root, bdf, d->is_quarantined, &d->sriov);
	read_netdev(root, bdf, d);
}

/* "pci0000:40": the directory of a root bus */
static bool is_root_bus(const char *part)
{
	size_t len = strlen(part);
	const char *colon = strchr(part, ':');

	if (strncmp(part, "pci", 3) != 0 || !colon || len >= 16 || colon - part < 7)
		return false;
	return strspn(part + 3, "0123456789abcdef") == (size_t)(colon - part - 3) &&
	       strlen(colon + 1) == 2 && strspn(colon + 1, "0123456789abcdef") == 2;
}

int sr_parse_chain(const char *target, char ret_root[16], struct cv_bdf *ret_parent,
		   unsigned int *ret_depth)
{
	_cleanup_free_ char *copy = strdup(target);
	struct cv_bdf seen, parent = { 0 };
	unsigned int depth = 0;
	char *save = NULL;

	ret_root[0] = '\0';
	for (char *part = copy ? strtok_r(copy, "/", &save) : NULL; part;
	     part = strtok_r(NULL, "/", &save)) {
		if (is_root_bus(part)) { /* a second one: a domain below a function (VMD) */
			snprintf(ret_root, 16, "%s", part);
			depth = 0;
		} else if (ret_root[0] && cv_parse_bdf(part, &seen) == 0) {
			if (depth++ > 0)
				*ret_parent = parent;
			parent = seen;
		}
	}
	*ret_depth = depth > 0 ? depth - 1 : 0;
	return depth > 1 ? 1 : 0;
}
