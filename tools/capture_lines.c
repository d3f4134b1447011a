// SPDX-License-Identifier: GPL-2.0-or-later
#include "tools/capture_lines.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"

/** struct line_rule - which lines of the files that match @path are shown */
struct line_rule {
	const char *path;
	bool (*is_shown)(const char *line, size_t len, size_t index);
};

/* Kernel modules: what is looked for is vfio-pci. */
static bool is_vfio_line(const char *line, size_t len, size_t index)
{
	return memmem(line, len, "/vfio", 5) != NULL;
}

/* Mounts of block devices; those of the network name servers of the site. */
static bool is_disk_mount(const char *line, size_t len, size_t index)
{
	const char *dash = memmem(line, len, " - ", 3);
	const char *blank = dash ? memchr(dash + 3, ' ', len - (size_t)(dash + 3 - line)) : NULL;

	return blank && (size_t)(line + len - blank) > 5 && strncmp(blank, " /dev/", 6) == 0;
}

static bool is_memory_total(const char *line, size_t len, size_t index)
{
	static const char *const keys[] = { "MemTotal:", "MemFree:", "FilePages:", "Shmem:",
					    "SReclaimable:" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(keys); i++)
		if (memmem(line, len, keys[i], strlen(keys[i])))
			return true;
	return false;
}

static bool is_memlock(const char *line, size_t len, size_t index)
{
	return index == 0 || memmem(line, len, "Max locked memory", 17);
}

/* The first CPU stands for all; the clock rate changes all the time. */
static bool is_model(const char *line, size_t len, size_t index)
{
	static const char *const keys[] = { "processor",   "vendor_id", "cpu family",
					    "model",	   "stepping",	"flags",
					    "physical id", "core id",	"address sizes" };

	for (size_t i = 0; i < CV_ARRAY_SIZE(keys); i++)
		if (len >= strlen(keys[i]) && strncmp(line, keys[i], strlen(keys[i])) == 0)
			return index < 28;
	return false;
}

static const struct line_rule line_rules[] = {
	{ "*/modules/*/modules.dep", is_vfio_line },
	{ "*/modules/*/modules.builtin", is_vfio_line },
	{ "/proc/[0-9]*/mountinfo", is_disk_mount },
	{ "/proc/self/mountinfo", is_disk_mount },
	{ "/proc/self/limits", is_memlock },
	{ "/proc/cpuinfo", is_model },
	{ "/proc/meminfo", is_memory_total },
	{ "/sys/devices/system/node/node*/meminfo", is_memory_total },
};

static const struct line_rule *find_line_rule(const char *path)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(line_rules); i++)
		if (fnmatch(line_rules[i].path, path, 0) == 0)
			return &line_rules[i];
	return NULL;
}

/* Drops the other lines of @text in place. */
static size_t keep_lines(const struct line_rule *rule, char *text)
{
	size_t kept = 0, index = 0;

	for (char *line = text; *line; index++) {
		size_t len = strcspn(line, "\n");
		char *next = line + len + (line[len] == '\n');

		if (rule->is_shown(line, len, index)) {
			memmove(text + kept, line, (size_t)(next - line));
			kept += (size_t)(next - line);
		}
		line = next;
	}
	text[kept] = '\0';
	return kept;
}

/* "  24:  17  0  IR-PCI-MSI 0-edge  eth0" without the counts, nor the line that names the CPUs. */
static size_t drop_counts(char *text)
{
	char *to = text;

	for (char *line = text; *line;) {
		size_t len = strcspn(line, "\n"), number = strcspn(line, ":\n");
		char *next = line + len + (line[len] == '\n');
		char *name = line + number + (number < len);

		name += strspn(name, " 0123456789");
		if (number < len && name < next) {
			memmove(to, line, number + 1);
			to += number + 1;
			if (name > line + number + 1)
				*to++ = ' ';
			memmove(to, name, (size_t)(next - name));
			to += next - name;
		}
		line = next;
	}
	*to = '\0';
	return (size_t)(to - text);
}

size_t capture_lines(const char *path, char *text, size_t len)
{
	const struct line_rule *rule = find_line_rule(path);

	if (strcmp(path, "/proc/interrupts") == 0)
		return drop_counts(text);
	return rule ? keep_lines(rule, text) : len;
}
