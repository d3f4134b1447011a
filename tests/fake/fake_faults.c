// SPDX-License-Identifier: GPL-2.0-or-later
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "tests/fake/fake_faults.h"

#define DEVICES "/sys/bus/pci/devices"
#define SLOTS "/sys/bus/pci/slots"
#define HIDDEN "/.fake/faults"
#define MAX_FUNCTIONS 8

/* Command 0406, status 2811; no byte is zero, so that it is text for the fake. */
#define ALIVE "\x06\x04\x11\x28"
#define ALL_ONES "\xff\xff\xff\xff\xff\xff\xff\xff"

/* Those that can come back; set before anything forks. */
static const struct fake_pci *functions[MAX_FUNCTIONS];
static size_t n_functions;

static const char *text_at(struct fake *f, char buf[CV_PATH_MAX], const char *path)
{
	const char *text = fake_text(f, path);

	snprintf(buf, CV_PATH_MAX, "%s", text ? text : "");
	return buf;
}

/* The real directory of a function. */
static const char *dir_of(char buf[CV_PATH_MAX], const struct fake_pci *d)
{
	return cv_pathf(buf, "/sys/devices/%s/%s", d->bus, d->bdf);
}

static const struct fake_pci *find(const char *bdf)
{
	for (size_t i = 0; i < n_functions; i++)
		if (strcmp(functions[i]->bdf, bdf) == 0)
			return functions[i];
	return NULL;
}

static const struct fake_pci *must_find(const char *bdf)
{
	const struct fake_pci *d = find(bdf);

	if (!d)
		abort();
	return d;
}

static void set(struct fake *f, const struct fake_pci *d, const char *name, const char *text)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX];

	fake_file(f, cv_pathf(path, "%.400s/%s", dir_of(dir, d), name), text);
}

static void revive(struct fake *f, const struct fake_pci *d)
{
	uint64_t vendor = 0, device = 0;
	char ids[2][8], header[32];

	if (sscanf(d->ids, "%7s %7s", ids[0], ids[1]) != 2 || cv_parse_hex(ids[0], &vendor) ||
	    cv_parse_hex(ids[1], &device))
		abort();
	snprintf(header, sizeof(header), "%c%c%c%c" ALIVE, (char)vendor, (char)(vendor >> 8),
		 (char)device, (char)(device >> 8));
	set(f, d, "config", header);
}

static void count_error(struct fake *f, const struct fake_pci *d)
{
	char path[CV_PATH_MAX], dir[CV_PATH_MAX], text[CV_PATH_MAX], line[64];
	uint64_t n = 0;

	text_at(f, text, cv_pathf(path, "%.400s/aer_dev_fatal", dir_of(dir, d)));
	cv_parse_u64(strrchr(text, ' ') + 1, &n);
	snprintf(line, sizeof(line), "DLP 0\nTOTAL_ERR_FATAL %d", (int)n + 1);
	set(f, d, "aer_dev_fatal", line);
}

static int strike(struct fake *f, const struct fake_pci *d, enum fake_fault fault)
{
	if (fault == FAKE_BLOCKS)
		fake_hang(f);
	if (fault == FAKE_DEAD)
		set(f, d, "config", ALL_ONES);
	if (fault == FAKE_NARROW)
		set(f, d, "current_link_width", "4");
	if (fault == FAKE_ERRORS)
		count_error(f, d);
	if (fault == FAKE_REVIVES)
		revive(f, d);
	if (fault == FAKE_REFUSES)
		return -ENOTTY;
	return fault == FAKE_FAILS ? -EIO : 1;
}

void fake_faults_strike(struct fake *f, const char *bdf, enum fake_fault fault)
{
	strike(f, must_find(bdf), fault);
}

static enum fake_fault fault_of(struct fake *f, const char *bdf, const char *method)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];
	uint64_t fault = FAKE_WORKS;

	cv_parse_u64(text_at(f, text, cv_pathf(path, HIDDEN "/%s/%s", bdf, method)), &fault);
	return (enum fake_fault)fault;
}

void fake_faults_set(struct fake *f, const char *bdf, const char *method, enum fake_fault fault)
{
	char path[CV_PATH_MAX];

	fake_filef(f, cv_pathf(path, HIDDEN "/%s/%s", bdf, method), "%d", (int)fault);
}

/* The BDF in /sys/devices/.../BDF/NAME. */
static const struct fake_pci *of_path(const char *path)
{
	char dir[CV_PATH_MAX];

	snprintf(dir, sizeof(dir), "%.*s", (int)(strrchr(path, '/') - path), path);
	return must_find(strrchr(dir, '/') + 1);
}

/* As the kernel: in the order of reset_method, the next one only after -ENOTTY. */
static int write_reset(struct fake *f, const char *path, const char *text, void *ctx)
{
	const struct fake_pci *d = of_path(path);
	char dir[CV_PATH_MAX], method[CV_PATH_MAX], methods[CV_PATH_MAX], *save = NULL;

	text_at(f, methods, cv_pathf(method, "%.400s/reset_method", dir_of(dir, d)));
	for (char *m = strtok_r(methods, " ", &save); m; m = strtok_r(NULL, " ", &save)) {
		int r = strike(f, d, fault_of(f, d->bdf, m));

		if (r != -ENOTTY)
			return r;
	}
	return -ENOTTY;
}

static int write_method(struct fake *f, const char *path, const char *text, void *ctx)
{
	const struct fake_pci *d = of_path(path);
	char hidden[CV_PATH_MAX], all[CV_PATH_MAX], copy[CV_PATH_MAX], *save = NULL;

	text_at(f, all, cv_pathf(hidden, HIDDEN "/%s/methods", d->bdf));
	snprintf(copy, sizeof(copy), "%s", text);
	for (char *m = strtok_r(copy, " ", &save); m; m = strtok_r(NULL, " ", &save))
		if (!strstr(all, m))
			return -EINVAL;
	return 0;
}

static int write_remove(struct fake *f, const char *path, const char *text, void *ctx)
{
	const struct fake_pci *d = of_path(path);

	if (fault_of(f, d->bdf, "remove") == FAKE_BLOCKS)
		strike(f, d, FAKE_BLOCKS);
	fake_pci_remove(f, d->bdf);
	return 1;
}

static void make(struct fake *f, const struct fake_pci *d)
{
	char path[CV_PATH_MAX], text[CV_PATH_MAX];

	fake_pci_device(f, d);
	revive(f, d);
	set(f, d, "current_link_speed", "16.0 GT/s PCIe");
	set(f, d, "max_link_speed", "16.0 GT/s PCIe");
	set(f, d, "current_link_width", "16");
	set(f, d, "max_link_width", "16");
	set(f, d, "aer_dev_correctable", "RxErr 0\nTOTAL_ERR_COR 0");
	set(f, d, "aer_dev_nonfatal", "DLP 0\nTOTAL_ERR_NONFATAL 0");
	set(f, d, "aer_dev_fatal", "DLP 0\nTOTAL_ERR_FATAL 0");
	set(f, d, "reset_method", text_at(f, text, cv_pathf(path, HIDDEN "/%s/methods", d->bdf)));
	set(f, d, "d3cold_allowed", "1");
	set(f, d, "reset", "");
	set(f, d, "remove", "");
}

static void find_again(struct fake *f, const struct fake_pci *d, const char *way)
{
	char path[CV_PATH_MAX];
	enum fake_fault fault = fault_of(f, d->bdf, way);

	if (fault == FAKE_GONE || fake_text(f, cv_pathf(path, DEVICES "/%s/config", d->bdf)))
		return;
	make(f, d);
	strike(f, d, fault);
}

static int write_rescan(struct fake *f, const char *path, const char *text, void *ctx)
{
	for (size_t i = 0; i < n_functions; i++)
		find_again(f, functions[i], "rescan");
	return 1;
}

static int write_power(struct fake *f, const char *path, const char *text, void *ctx)
{
	char file[CV_PATH_MAX], address[CV_PATH_MAX];

	snprintf(file, sizeof(file), "%.*s/address", (int)(strrchr(path, '/') - path), path);
	text_at(f, address, file);
	for (size_t i = 0; i < n_functions; i++) {
		const struct fake_pci *d = functions[i];

		if (strncmp(d->bdf, address, strlen(address)) != 0)
			continue;
		if (strcmp(text, "0") == 0)
			fake_pci_remove(f, d->bdf);
		else if (fault_of(f, d->bdf, "slot") == FAKE_GONE)
			return -ENODEV; /* as pciehp does for an empty slot */
		else
			find_again(f, d, "slot");
	}
	return 0;
}

void fake_faults_install(struct fake *f)
{
	static const struct fake_hook hooks[] = {
		{ .pattern = "/sys/devices/*/reset", .write = write_reset },
		{ .pattern = "/sys/devices/*/reset_method", .write = write_method },
		{ .pattern = "/sys/devices/*/remove", .write = write_remove },
		{ .pattern = "/sys/devices/*/rescan", .write = write_rescan },
		{ .pattern = "/sys/bus/pci/rescan", .write = write_rescan },
		{ .pattern = SLOTS "/*/power", .write = write_power },
	};

	n_functions = 0;
	fake_file(f, "/sys/bus/pci/rescan", "");
	for (size_t i = 0; i < CV_ARRAY_SIZE(hooks); i++)
		fake_hook(f, &hooks[i]);
}

void fake_faults_add(struct fake *f, const struct fake_pci *d, const char *methods)
{
	char path[CV_PATH_MAX];

	if (n_functions == MAX_FUNCTIONS)
		abort();
	functions[n_functions++] = d;
	fake_file(f, cv_pathf(path, HIDDEN "/%s/methods", d->bdf), methods);
	make(f, d);
}

void fake_faults_slot(struct fake *f, const char *name, const char *bdf)
{
	char path[CV_PATH_MAX];

	fake_filef(f, cv_pathf(path, SLOTS "/%s/address", name), "%.*s",
		   (int)(strrchr(bdf, '.') - bdf), bdf);
	fake_file(f, cv_pathf(path, SLOTS "/%s/power", name), "1");
}
