// SPDX-License-Identifier: GPL-2.0-or-later
#include "sriov/device.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "sriov/function.h"
#include "sriov/vf_net.h"

#define MAX_NODE 4095 /* far above any kernel's MAX_NUMNODES */

/* linux/ioport.h: flags in the third column of "resource". */
#define RESOURCE_IO 0x100
#define RESOURCE_MEM 0x200
#define RESOURCE_PREFETCH 0x2000
#define RESOURCE_MEM_64 0x100000
#define RESOURCE_UNSET 0x20000000

#define VF_BAR_LINE 7

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

void sr_device_vendor(struct cv_sysroot *root, struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	d->vendor = (uint16_t)hex_of(root, bdf, "vendor", UINT16_MAX);
	d->device = (uint16_t)hex_of(root, bdf, "device", UINT16_MAX);
}

void sr_device_ids(struct cv_sysroot *root, struct inv_dev *d)
{
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	sr_device_vendor(root, d);
	d->class = (uint32_t)hex_of(root, bdf, "class", 0xffffff);
}

static void read_subsystem(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	d->subvendor = (uint16_t)hex_of(root, bdf, "subsystem_vendor", UINT16_MAX);
	d->subdevice = (uint16_t)hex_of(root, bdf, "subsystem_device", UINT16_MAX);
}

/* A VF is a part of its PF's device, wherever somebody told the kernel that this one is. */
static void read_node(struct cv_sysroot *root, const char *bdf, const struct inv_dev *pf,
		      struct inv_dev *d)
{
	char path[CV_PATH_MAX];

	if (pf && pf->node >= 0)
		d->node = pf->node;
	else if (cv_read_int(root, sr_path(path, bdf, "numa_node"), &d->node) < 0 || d->node < 0 ||
		 d->node > MAX_NODE)
		d->node = -1;
}

static void read_binding(struct cv_sysroot *root, const char *bdf, struct inv_dev *d)
{
	if (sr_driver(root, bdf, d->driver, sizeof(d->driver)) < 0)
		d->driver[0] = '\0';
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
	ret->address = v[2] & RESOURCE_UNSET ? 0 : v[0];
	ret->is_io = (v[2] & (RESOURCE_IO | RESOURCE_MEM)) == RESOURCE_IO;
	ret->is_prefetchable = v[2] & RESOURCE_PREFETCH;
	ret->is_64bit = v[2] & RESOURCE_MEM_64;
	return 0;
}

/* Lines of "resource": six BARs, the expansion ROM, then the VF BARs of a PF, each for all its VFs. */
static struct inv_bar *bar_of_line(struct inv_dev *d, int line)
{
	if (line < INV_MAX_BARS)
		return &d->bars[line];
	if (line >= VF_BAR_LINE && line < VF_BAR_LINE + INV_MAX_BARS)
		return &d->sriov.vf_bars[line - VF_BAR_LINE];
	return NULL;
}

static void parse_bars(char *text, struct inv_dev *d)
{
	char *save = NULL, *line = strtok_r(text, "\n", &save);

	for (int i = 0; line && i < VF_BAR_LINE + INV_MAX_BARS; i++) {
		struct inv_bar *bar = bar_of_line(d, i);

		if (bar && parse_bar(line, bar) < 0)
			return;
		line = strtok_r(NULL, "\n", &save);
	}
}

/* A VF BAR is as large as its part of what the kernel set aside; without TotalVFs nobody knows. */
static void divide_vf_bars(struct inv_sriov *s, unsigned int total_vfs)
{
	for (int i = 0; i < INV_MAX_BARS; i++) {
		s->vf_bars[i].size = total_vfs ? s->vf_bars[i].size / total_vfs : 0;
		if (s->vf_bars[i].size == 0)
			s->vf_bars[i] = (struct inv_bar){ 0 };
	}
}

static void read_bars(struct cv_sysroot *root, const char *bdf, const struct sr_config *c,
		      struct inv_dev *d)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	if (cv_read_str(root, sr_path(path, bdf, "resource"), &text) < 0)
		return;
	parse_bars(text, d);
	divide_vf_bars(&d->sriov, c->total_vfs ? c->total_vfs : d->sriov.total);
}

/* The kernel cuts the BARs of VFs from those of the PF, in order. Return: false when it is unknown. */
static bool cut_vf_bars(const struct inv_dev *pf, struct inv_dev *d)
{
	uint64_t any = 0;

	for (int i = 0; pf && i < INV_MAX_BARS; i++) {
		const struct inv_bar *all = &pf->sriov.vf_bars[i];
		struct inv_bar *bar = &d->bars[i];

		any |= all->size;
		bar->size = all->size;
		bar->is_64bit = all->is_64bit;
		bar->is_prefetchable = all->is_prefetchable;
		bar->is_io = all->is_io;
		bar->address = all->address ? all->address + (uint64_t)d->vf_index * all->size : 0;
	}
	return any != 0;
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

void sr_device_link(struct cv_sysroot *root, const char *bdf, struct inv_link *l)
{
	char text[INV_TEXT];

	text_of(root, bdf, "current_link_speed", text, sizeof(text));
	l->speed = parse_speed(text);
	text_of(root, bdf, "max_link_speed", text, sizeof(text));
	l->max_speed = parse_speed(text);
	l->width = read_width(root, bdf, "current_link_width");
	l->max_width = read_width(root, bdf, "max_link_width");
}

/* Number of a "virtfn3" among the entries of a PF, -1 for what is none. */
static int number_of_link(const char *name)
{
	const char *prefix = "virtfn";
	uint64_t number;

	if (strncmp(name, prefix, strlen(prefix)) != 0 ||
	    cv_parse_u64(name + strlen(prefix), &number) < 0 || number >= UINT16_MAX)
		return -1;
	return (int)number;
}

void sr_device_count_vfs(struct cv_sysroot *root, struct inv_dev *d)
{
	_cleanup_strv_ struct cv_strv names = { 0 };
	char path[CV_PATH_MAX], bdf[CV_BDF_MAX];
	struct inv_sriov *s = &d->sriov;

	if (s->total == 0)
		return;
	s->num = 0;
	if (cv_list(root, cv_pathf(path, SR_DEVICES "/%s", cv_format_bdf(d->bdf, bdf)), &names) < 0)
		return;
	for (size_t i = 0; i < names.n; i++) {
		unsigned int count = (unsigned int)(number_of_link(names.v[i]) + 1);

		if (count > s->num && count <= s->total)
			s->num = count;
	}
}

void sr_device_sriov(struct cv_sysroot *root, struct inv_dev *d)
{
	struct inv_sriov *s = &d->sriov;
	char bdf[CV_BDF_MAX];

	cv_format_bdf(d->bdf, bdf);
	s->total = count_of(root, bdf, "sriov_totalvfs");
	if (s->total == 0)
		return;
	if (d->is_quarantined)
		sr_device_count_vfs(root, d);
	s->offset = count_of(root, bdf, "sriov_offset");
	s->stride = count_of(root, bdf, "sriov_stride");
	s->vf_device = (uint16_t)hex_of(root, bdf, "sriov_vf_device", UINT16_MAX);
}

/* The driver may allow fewer VFs than the capability has: a larger number would be refused. */
static void read_vf_policy(struct cv_sysroot *root, const char *bdf, struct inv_sriov *s)
{
	char path[CV_PATH_MAX];
	uint64_t total;

	if (cv_read_u64(root, sr_path(path, bdf, "sriov_totalvfs"), &total) == 0 &&
	    total < s->total)
		s->total = (unsigned int)total;
	if (s->num > s->total)
		s->num = s->total;
	s->autoprobe = count_of(root, bdf, "sriov_drivers_autoprobe") == 1;
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
	d->is_switchdev = d->sriov.num > 0 && sr_vf_net_is_switchdev(root, bdf);
}

void sr_device_read(struct cv_sysroot *root, const struct sr_config *c, const struct inv_dev *pf,
		    bool is_plan, struct inv_dev *d)
{
	char bdf[CV_BDF_MAX], path[CV_PATH_MAX];

	cv_format_bdf(d->bdf, bdf);
	d->is_shallow = false;
	read_node(root, bdf, pf, d);
	if (is_plan && inv_is_bridge(d))
		return;
	if (c->depth != SR_CONFIG_FULL) {
		read_subsystem(root, bdf, d);
		sr_device_link(root, bdf, &d->link);
	}
	read_binding(root, bdf, d);
	if (!pf && !inv_is_bridge(d))
		d->has_d3cold = cv_exists(root, sr_path(path, bdf, "d3cold_allowed"));
	if (d->sriov.total > 0)
		read_vf_policy(root, bdf, &d->sriov);
	if (!cut_vf_bars(pf, d))
		read_bars(root, bdf, c, d);
	if (d->driver[0])
		read_netdev(root, bdf, d);
}
