// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/host.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"
#include "numa/binding.h"

#define CPU_DIR "/sys/devices/system/cpu"

/** struct text_fact - a file whose text is copied into struct inv_host */
struct text_fact {
	const char *path;
	size_t offset;
	size_t size;
};

#define TEXT_FACT(path, member)                                                                 \
	{                                                                                       \
		path, offsetof(struct inv_host, member), sizeof(((struct inv_host *)0)->member) \
	}

static const struct text_fact text_facts[] = {
	TEXT_FACT("/proc/sys/kernel/osrelease", kernel),
	TEXT_FACT("/proc/sys/kernel/random/boot_id", boot_id),
	TEXT_FACT("/proc/cmdline", cmdline),
	TEXT_FACT("/run/systemd/container", container),
	TEXT_FACT(CPU_DIR "/cpu0/cpufreq/scaling_governor", governor),
};

static void copy_text(char *buf, size_t size, const char *text, size_t len)
{
	if (len >= size)
		len = size - 1;
	memcpy(buf, text, len);
	buf[len] = '\0';
}

static void read_text_facts(struct cv_sysroot *root, struct inv_host *host)
{
	for (size_t i = 0; i < CV_ARRAY_SIZE(text_facts); i++) {
		const struct text_fact *f = &text_facts[i];
		_cleanup_free_ char *text = NULL;

		if (cv_read_str(root, f->path, &text) == 0)
			copy_text((char *)host + f->offset, f->size, text, strlen(text));
	}
}

/* Is @word one of the blank-separated words of the @len bytes at @text? */
static bool has_word(const char *text, size_t len, const char *word)
{
	size_t n = strlen(word);

	while (len > 0) {
		size_t blanks = 0, w = 0;

		while (blanks < len && strchr(" \t\n", text[blanks]))
			blanks++;
		text += blanks;
		len -= blanks;
		while (w < len && !strchr(" \t\n", text[w]))
			w++;
		if (w == n && memcmp(text, word, n) == 0)
			return true;
		text += w;
		len -= w;
	}
	return false;
}

/* The value of the first "key : value" line, without the newline. Return: its length, 0 if none. */
static size_t find_line(const char *text, const char *key, const char **ret)
{
	size_t n = strlen(key);

	for (const char *line = text; line; line = strchr(line, '\n')) {
		const char *p;

		line += *line == '\n';
		if (strncmp(line, key, n) != 0)
			continue;
		p = line + n + strspn(line + n, " \t");
		if (*p != ':')
			continue;
		p += 1 + strspn(p + 1, " \t");
		*ret = p;
		return strcspn(p, "\n");
	}
	return 0;
}

static void read_cpuinfo(struct cv_sysroot *root, struct inv_host *host)
{
	_cleanup_free_ char *text = NULL;
	const char *v;
	size_t len;

	if (cv_read_str(root, "/proc/cpuinfo", &text) < 0)
		return;
	len = find_line(text, "vendor_id", &v);
	if (len > 0)
		copy_text(host->cpu_vendor, sizeof(host->cpu_vendor), v, len);
	len = find_line(text, "model name", &v);
	if (len > 0)
		copy_text(host->cpu_model, sizeof(host->cpu_model), v, len);
	len = find_line(text, "flags", &v);
	if (len == 0)
		return;
	host->has_virt = has_word(v, len, "svm") || has_word(v, len, "vmx");
	host->has_npt = has_word(v, len, "npt") || has_word(v, len, "ept");
}

static bool is_set(struct cv_sysroot *root, const char *path)
{
	uint64_t v;

	return cv_read_u64(root, path, &v) == 0 && v != 0;
}

static bool file_has_word(struct cv_sysroot *root, const char *path, const char *word)
{
	_cleanup_free_ char *text = NULL;

	return cv_read_str(root, path, &text) == 0 && has_word(text, strlen(text), word);
}

/* "6.12.1-amd64": at least Linux @major.@minor? */
static bool is_release_from(const char *release, int major, int minor)
{
	char text[INV_TEXT], *save = NULL;
	int found[2] = { 0, 0 };

	snprintf(text, sizeof(text), "%s", release);
	for (int i = 0; i < 2; i++) {
		const char *word = strtok_r(i ? NULL : text, ".-+", &save);

		if (!word || cv_parse_int(word, &found[i]) < 0)
			return false;
	}
	return found[0] > major || (found[0] == major && found[1] >= minor);
}

/* Below the root only: the root itself shows cpuset.cpus.isolated, which came after it, also in
 * distribution kernels of older numbers that have both. */
static bool has_cpuset_exclusive(struct cv_sysroot *root, const struct inv_host *host)
{
	return cv_exists(root, NU_CGROUP_MOUNT "/cpuset.cpus.isolated") ||
	       is_release_from(host->kernel, 6, 7);
}

static void read_tuning(struct cv_sysroot *root, struct inv_host *host)
{
	uint64_t ksm;

	host->has_kvm = cv_exists(root, "/dev/kvm");
	host->has_cgroup2 = cv_exists(root, NU_CGROUP_MOUNT "/cgroup.controllers");
	host->has_cpuset = file_has_word(root, NU_CGROUP_MOUNT "/cgroup.controllers", "cpuset");
	host->has_cpuset_exclusive = has_cpuset_exclusive(root, host);
	host->smt_active = is_set(root, CPU_DIR "/smt/active");
	host->ksm_run = cv_read_u64(root, "/sys/kernel/mm/ksm/run", &ksm) == 0 && ksm == 1;
	host->numa_balancing = is_set(root, "/proc/sys/kernel/numa_balancing");
	host->thp_always = file_has_word(root, "/sys/kernel/mm/transparent_hugepage/enabled",
					 "[always]");
}

/* "Max locked memory         8388608              8388608              bytes" */
static uint64_t read_memlock(struct cv_sysroot *root)
{
	_cleanup_free_ char *text = NULL;
	const char *p;
	char hard[24];
	uint64_t bytes;

	if (cv_read_str(root, "/proc/self/limits", &text) < 0)
		return 0;
	p = strstr(text, "Max locked memory ");
	if (!p || sscanf(p, "Max locked memory %*s %23s", hard) != 1)
		return 0;
	if (strcmp(hard, "unlimited") == 0)
		return UINT64_MAX;
	return cv_parse_u64(hard, &bytes) == 0 ? bytes : 0;
}

/* A list that may be absent, empty, or "(null)" as the kernel prints nohz_full without the option */
static void add_list(struct cv_sysroot *root, const char *path, struct cv_cpuset *set)
{
	struct cv_cpuset found;

	if (cv_read_cpulist(root, path, &found) == 0)
		cv_cpuset_or(set, &found);
}

int nu_host_read(struct cv_sysroot *root, struct inv_host *host, struct cv_error *err)
{
	int r;

	r = cv_read_cpulist(root, CPU_DIR "/online", &host->online);
	if (r < 0)
		return cv_fail_errno(err, r, CPU_DIR "/online", "cannot read the online CPUs");
	if (cv_cpuset_is_empty(&host->online))
		return cv_fail(err, -EINVAL, CV_EXIT_FAILED, "EINVAL_CONTENT", CPU_DIR "/online",
			       "no CPU is online");
	add_list(root, CPU_DIR "/isolated", &host->isolated);
	add_list(root, NU_CGROUP_MOUNT "/cpuset.cpus.isolated", &host->isolated);
	add_list(root, CPU_DIR "/nohz_full", &host->nohz_full);
	read_text_facts(root, host);
	read_cpuinfo(root, host);
	read_tuning(root, host);
	host->memlock_limit = read_memlock(root);
	return 0;
}
