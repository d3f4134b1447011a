// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bdf.h"
#include "base/cleanup.h"
#include "base/parse.h"
#include "tests/fake/fake_pci.h"

#define BUS "/sys/bus/pci"
/* What sysfs does not show but the kernel knows; not part of the host's state. */
#define HIDDEN "/.fake/pci"
#define PROBES "/.fake/probes"

static bool has(struct fake *f, const char *path)
{
	return fake_text(f, path);
}

/* Copies the text of a file, "" when there is none. */
static const char *text_of(struct fake *f, char buf[CV_PATH_MAX], const char *path)
{
	const char *text = fake_text(f, path);

	snprintf(buf, CV_PATH_MAX, "%s", text ? text : "");
	return buf;
}

/* The real directory of a device, kept aside because only the links show it. */
static const char *device_dir(struct fake *f, char buf[CV_PATH_MAX], const char *bdf)
{
	char path[CV_PATH_MAX];

	return text_of(f, buf, cv_pathf(path, HIDDEN "/%s/dir", bdf));
}

const char *fake_pci_bound(struct fake *f, const char *bdf, char buf[64])
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];

	snprintf(buf, 64, "%.63s", text_of(f, text, cv_pathf(path, HIDDEN "/%s/bound", bdf)));
	return buf;
}

unsigned int fake_pci_probes(struct fake *f, const char *bdf)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];
	uint64_t n = 0;

	cv_parse_u64(text_of(f, text, cv_pathf(path, PROBES "/%s", bdf)), &n);
	return (unsigned int)n;
}

static bool is_in_use(struct fake *f, const char *group)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];

	text_of(f, text, cv_pathf(path, HIDDEN "/groups/%s", group));
	return strcmp(text, "") && strcmp(text, "0");
}

/* Counts the devices of a group that VFIO has; its node comes with the first, goes with the last. */
static void count_vfio(struct fake *f, const char *bdf, int change)
{
	char path[CV_PATH_MAX], group[CV_PATH_MAX], text[CV_PATH_MAX];
	uint64_t n = 0;

	text_of(f, group, cv_pathf(path, HIDDEN "/%s/group", bdf));
	if (!*group)
		return;
	cv_parse_u64(text_of(f, text, cv_pathf(path, HIDDEN "/groups/%.50s", group)), &n);
	fake_filef(f, cv_pathf(path, HIDDEN "/groups/%.50s", group), "%d", (int)n + change);
	cv_pathf(path, "/dev/vfio/%.50s", group);
	if (!is_in_use(f, group))
		fake_remove(f, path);
	else if (change > 0 && !n)
		fake_file(f, path, "");
}

static void bind_to(struct fake *f, const char *bdf, const char *driver)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX], target[CV_PATH_MAX];

	device_dir(f, dir, bdf);
	fake_link(f, cv_pathf(path, "%.400s/driver", dir),
		  cv_pathf(target, BUS "/drivers/%s", driver));
	fake_link(f, cv_pathf(path, BUS "/drivers/%s/%s", driver, bdf), dir);
	fake_file(f, cv_pathf(path, HIDDEN "/%s/bound", bdf), driver);
	if (!strcmp(driver, "vfio-pci"))
		count_vfio(f, bdf, 1);
	else
		fake_filef(f, cv_pathf(path, PROBES "/%s", bdf), "%u", fake_pci_probes(f, bdf) + 1);
}

static void unbind(struct fake *f, const char *bdf)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX], driver[64];

	fake_pci_bound(f, bdf, driver);
	if (!*driver)
		return;
	device_dir(f, dir, bdf);
	fake_remove(f, cv_pathf(path, "%.400s/driver", dir));
	fake_remove(f, cv_pathf(path, BUS "/drivers/%s/%s", driver, bdf));
	fake_remove(f, cv_pathf(path, HIDDEN "/%s/bound", bdf));
	if (!strcmp(driver, "vfio-pci"))
		count_vfio(f, bdf, -1);
}

/* PF with sriov_drivers_autoprobe 0: its VFs match a driver only by driver_override. */
static bool is_probed(struct fake *f, const char *bdf)
{
	char path[CV_PATH_MAX], pf[CV_PATH_MAX], text[CV_PATH_MAX];

	text_of(f, pf, cv_pathf(path, HIDDEN "/%s/pf", bdf));
	if (!*pf)
		return true;
	text_of(f, text, cv_pathf(path, BUS "/devices/%.30s/sriov_drivers_autoprobe", pf));
	return strcmp(text, "0");
}

/* The driver the bus would choose, "" for none. */
static void match(struct fake *f, const char *bdf, char driver[CV_PATH_MAX])
{
	char path[CV_PATH_MAX];

	text_of(f, driver, cv_pathf(path, BUS "/devices/%s/driver_override", bdf));
	if (strcmp(driver, "(null)"))
		return;
	driver[0] = '\0';
	if (is_probed(f, bdf))
		text_of(f, driver, cv_pathf(path, HIDDEN "/%s/driver", bdf));
}

static bool is_loaded(struct fake *f, const char *driver)
{
	char path[CV_PATH_MAX];

	return *driver && has(f, cv_pathf(path, BUS "/drivers/%.100s/bind", driver));
}

static void probe(struct fake *f, const char *bdf)
{
	char driver[CV_PATH_MAX], bound[64];

	match(f, bdf, driver);
	if (!*fake_pci_bound(f, bdf, bound) && is_loaded(f, driver))
		bind_to(f, bdf, driver);
}

static bool is_device(struct fake *f, const char *bdf)
{
	char dir[CV_PATH_MAX];
	struct cv_bdf b;

	return !cv_parse_bdf(bdf, &b) && *device_dir(f, dir, bdf);
}

static int write_probe(struct fake *f, const char *path, const char *text, void *ctx)
{
	if (!is_device(f, text))
		return -ENODEV;
	probe(f, text);
	return 1;
}

/* The NAME of .../drivers/NAME/bind. */
static void driver_of_path(const char *path, char driver[64])
{
	const char *name = path + strlen(BUS "/drivers/");

	snprintf(driver, 64, "%.*s", (int)strcspn(name, "/"), name);
}

static int write_bind(struct fake *f, const char *path, const char *text, void *ctx)
{
	char driver[64], bound[64], matched[CV_PATH_MAX];

	driver_of_path(path, driver);
	if (!is_device(f, text))
		return -ENODEV;
	if (*fake_pci_bound(f, text, bound))
		return -EBUSY;
	match(f, text, matched);
	if (strcmp(matched, driver))
		return -ENODEV;
	bind_to(f, text, driver);
	return 1;
}

static int write_unbind(struct fake *f, const char *path, const char *text, void *ctx)
{
	char driver[64], bound[64];

	driver_of_path(path, driver);
	if (!is_device(f, text) || strcmp(fake_pci_bound(f, text, bound), driver))
		return -ENODEV;
	unbind(f, text);
	return 1;
}

static int write_override(struct fake *f, const char *path, const char *text, void *ctx)
{
	fake_file(f, path, *text ? text : "(null)");
	return 1;
}

void fake_pci_remove(struct fake *f, const char *bdf)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX], group[CV_PATH_MAX];

	unbind(f, bdf);
	fake_remove(f, device_dir(f, dir, bdf));
	fake_remove(f, cv_pathf(path, BUS "/devices/%s", bdf));
	text_of(f, group, cv_pathf(path, HIDDEN "/%s/group", bdf));
	if (*group)
		fake_remove(f, cv_pathf(path, "/sys/kernel/iommu_groups/%.50s", group));
	fake_remove(f, cv_pathf(path, HIDDEN "/%s", bdf));
}

static unsigned int number_of(struct fake *f, const char *dir, const char *name)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];
	uint64_t n = 0;

	cv_parse_u64(text_of(f, text, cv_pathf(path, "%.400s/%s", dir, name)), &n);
	return (unsigned int)n;
}

static void vf_address(struct fake *f, const char *pf, const char *dir, unsigned int i,
		       char buf[CV_BDF_MAX])
{
	struct cv_bdf b = { 0 };

	cv_parse_bdf(pf, &b);
	b = cv_bdf_add(b,
		       number_of(f, dir, "sriov_offset") + i * number_of(f, dir, "sriov_stride"));
	cv_format_bdf(b, buf);
}

static void add_vf(struct fake *f, const char *pf, const char *dir, unsigned int i)
{
	char path[CV_PATH_MAX], ids[CV_PATH_MAX], driver[CV_PATH_MAX], bus[CV_PATH_MAX];
	char vf[CV_BDF_MAX], target[CV_PATH_MAX];
	const struct fake_pci d = {
		.bdf = vf,
		.bus = bus,
		.ids = text_of(f, ids, cv_pathf(path, HIDDEN "/%s/vf_ids", pf)),
		.driver = text_of(f, driver, cv_pathf(path, HIDDEN "/%s/vf_driver", pf)),
		.group = (int)(number_of(f, cv_pathf(path, HIDDEN "/%s", pf), "vf_group") + i),
		.node = (int)number_of(f, dir, "numa_node"),
	};

	vf_address(f, pf, dir, i, vf);
	snprintf(bus, sizeof(bus), "%.400s", dir + strlen("/sys/devices/"));
	*strrchr(bus, '/') = '\0';
	fake_file(f, cv_pathf(path, HIDDEN "/%s/pf", vf), pf);
	fake_pci_device(f, &d);
	cv_pathf(target, "../%s", vf);
	fake_link(f, cv_pathf(path, "%.400s/virtfn%u", dir, i), target);
	cv_pathf(target, "../%s", pf);
	fake_link(f, cv_pathf(path, "/sys/devices/%.400s/%s/physfn", bus, vf), target);
}

static void remove_vf(struct fake *f, const char *pf, const char *dir, unsigned int i)
{
	char path[CV_PATH_MAX], vf[CV_BDF_MAX];

	vf_address(f, pf, dir, i, vf);
	fake_pci_remove(f, vf);
	fake_remove(f, cv_pathf(path, "%.400s/virtfn%u", dir, i));
}

/* How many of @wanted VFs come up; a fault that lasts for some writes only counts itself down. */
static unsigned int come_up(struct fake *f, const char *pf, unsigned int wanted)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX];
	unsigned int times = number_of(f, cv_pathf(dir, HIDDEN "/%s", pf), "partial_times");
	unsigned int most = number_of(f, dir, "partial");

	if (times == 0 || most >= wanted)
		return wanted;
	fake_filef(f, cv_pathf(path, HIDDEN "/%s/partial_times", pf), "%u", times - 1);
	return most;
}

/* The kernel refuses another number while VFs are there. */
static int write_numvfs(struct fake *f, const char *path, const char *text, void *ctx)
{
	char dir[CV_PATH_MAX];
	unsigned int now;
	uint64_t wanted;
	const char *pf;

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	pf = strrchr(dir, '/') + 1;
	now = number_of(f, dir, "sriov_numvfs");
	if (cv_parse_u64(text, &wanted))
		return -EINVAL;
	if (wanted > number_of(f, dir, "sriov_totalvfs"))
		return -ERANGE;
	if (now && wanted && wanted != now)
		return -EBUSY;
	wanted = now ? wanted : come_up(f, pf, (unsigned int)wanted);
	for (unsigned int i = 0; !now && i < wanted; i++)
		add_vf(f, pf, dir, i);
	for (unsigned int i = 0; !wanted && i < now; i++)
		remove_vf(f, pf, dir, i);
	fake_filef(f, path, "%u", (unsigned int)wanted);
	return 1;
}

void fake_pci_install(struct fake *f)
{
	static const struct fake_hook hooks[] = {
		{ .pattern = BUS "/drivers_probe", .write = write_probe },
		{ .pattern = BUS "/drivers/*/bind", .write = write_bind },
		{ .pattern = BUS "/drivers/*/unbind", .write = write_unbind },
		{ .pattern = "/sys/devices/*/driver_override", .write = write_override },
		{ .pattern = "/sys/devices/*/sriov_numvfs", .write = write_numvfs },
	};

	fake_dir(f, BUS "/devices");
	fake_dir(f, BUS "/drivers");
	fake_dir(f, "/sys/kernel/iommu_groups");
	fake_dir(f, "/dev/vfio");
	fake_dir(f, HIDDEN);
	fake_dir(f, HIDDEN "/groups");
	fake_file(f, BUS "/drivers_probe", "");
	fake_file(f, BUS "/drivers_autoprobe", "1");
	for (size_t i = 0; i < CV_ARRAY_SIZE(hooks); i++)
		fake_hook(f, &hooks[i]);
}

void fake_pci_driver(struct fake *f, const char *name)
{
	char path[CV_PATH_MAX];

	fake_file(f, cv_pathf(path, BUS "/drivers/%s/bind", name), "");
	fake_file(f, cv_pathf(path, BUS "/drivers/%s/unbind", name), "");
}

static void add_group(struct fake *f, const struct fake_pci *d, const char *dir)
{
	char path[CV_PATH_MAX], target[CV_PATH_MAX];

	if (d->group < 0)
		return;
	fake_link(f, cv_pathf(path, "%.400s/iommu_group", dir),
		  cv_pathf(target, "/sys/kernel/iommu_groups/%d", d->group));
	fake_link(f, cv_pathf(path, "/sys/kernel/iommu_groups/%d/devices/%s", d->group, d->bdf),
		  dir);
	fake_filef(f, cv_pathf(path, HIDDEN "/%s/group", d->bdf), "%d", d->group);
}

void fake_pci_device(struct fake *f, const struct fake_pci *d)
{
	static const char *const names[] = { "vendor", "device", "class" };
	char path[CV_PATH_MAX], dir[CV_PATH_MAX], target[CV_PATH_MAX], text[CV_PATH_MAX];
	const char *ids = d->ids;

	cv_pathf(dir, "/sys/devices/%s/%s", d->bus, d->bdf);
	fake_file(f, cv_pathf(path, HIDDEN "/%s/dir", d->bdf), dir);
	fake_file(f, cv_pathf(path, HIDDEN "/%s/driver", d->bdf), d->driver ? d->driver : "");
	for (size_t i = 0; i < CV_ARRAY_SIZE(names); i++) {
		size_t len = strcspn(ids, " ");

		fake_filef(f, cv_pathf(path, "%.400s/%s", dir, names[i]), "%.*s", (int)len, ids);
		ids += len + (ids[len] == ' ');
	}
	fake_file(f, cv_pathf(path, "%.400s/driver_override", dir), "(null)");
	fake_filef(f, cv_pathf(path, "%.400s/numa_node", dir), "%d", d->node);
	fake_link(f, cv_pathf(path, BUS "/devices/%s", d->bdf),
		  cv_pathf(target, "../../../%.400s", dir + strlen("/sys/")));
	add_group(f, d, dir);
	if (strcmp(text_of(f, text, BUS "/drivers_autoprobe"), "0"))
		probe(f, d->bdf);
}

void fake_pci_sriov(struct fake *f, const char *bdf, const struct fake_sriov *s)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX];

	device_dir(f, dir, bdf);
	fake_filef(f, cv_pathf(path, "%.400s/sriov_totalvfs", dir), "%u", s->total);
	fake_filef(f, cv_pathf(path, "%.400s/sriov_offset", dir), "%u", s->offset);
	fake_filef(f, cv_pathf(path, "%.400s/sriov_stride", dir), "%u", s->stride);
	fake_file(f, cv_pathf(path, "%.400s/sriov_numvfs", dir), "0");
	fake_file(f, cv_pathf(path, "%.400s/sriov_drivers_autoprobe", dir), "1");
	fake_file(f, cv_pathf(path, HIDDEN "/%s/vf_ids", bdf), s->vf_ids);
	fake_file(f, cv_pathf(path, HIDDEN "/%s/vf_driver", bdf), s->vf_driver ? s->vf_driver : "");
	fake_filef(f, cv_pathf(path, HIDDEN "/%s/vf_group", bdf), "%d", s->first_group);
}

void fake_pci_partial(struct fake *f, const char *bdf, unsigned int most, unsigned int times)
{
	char path[CV_PATH_MAX];

	fake_filef(f, cv_pathf(path, HIDDEN "/%s/partial", bdf), "%u", most);
	fake_filef(f, cv_pathf(path, HIDDEN "/%s/partial_times", bdf), "%u", times);
}
