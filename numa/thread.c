// SPDX-License-Identifier: GPL-2.0-or-later
#include "numa/thread.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/parse.h"

#define STAT_STATE 0	  /* fields of /proc/TID/stat behind the name, proc_pid_stat(5): field 3 */
#define STAT_PROCESSOR 36 /* field 39 */

/* The value of "Key:\tvalue\n" into @buf. Return: 0, -EINVAL. */
static int field(const char *text, const char *key, char *buf, size_t size)
{
	const char *p = strstr(text, key);
	size_t len;

	if (!p)
		return -EINVAL;
	p += strlen(key);
	p += strspn(p, " \t");
	len = strcspn(p, "\n");
	if (len >= size)
		return -EINVAL;
	memcpy(buf, p, len);
	buf[len] = '\0';
	return 0;
}

static int parse_status(const char *text, struct nu_thread *t)
{
	char list[4096];
	int r = field(text, "Cpus_allowed_list:", list, sizeof(list));

	if (field(text, "Name:", t->name, sizeof(t->name)) < 0)
		t->name[0] = '\0';
	return r ?: cv_parse_cpulist(list, &t->cpus);
}

/* The name, in parentheses, may hold anything. */
static void read_stat(struct cv_sysroot *root, struct nu_thread *t)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX], *p = NULL, *save = NULL;
	int n = 0;

	if (cv_read_str(root, cv_pathf(path, "/proc/%d/stat", t->tid), &text) == 0)
		p = strrchr(text, ')');
	for (char *w = p ? strtok_r(p + 1, " ", &save) : NULL; w; w = strtok_r(NULL, " ", &save)) {
		if (n == STAT_STATE)
			t->state = w[0];
		else if (n == STAT_PROCESSOR)
			(void)cv_parse_int(w, &t->cpu);
		n++;
	}
}

static void read_cgroup(struct cv_sysroot *root, struct nu_thread *t)
{
	_cleanup_free_ char *text = NULL;
	char path[CV_PATH_MAX];

	if (cv_read_str(root, cv_pathf(path, "/proc/%d/cgroup", t->tid), &text) < 0 ||
	    field(text, "0::", t->cgroup, sizeof(t->cgroup)) < 0)
		t->cgroup[0] = '\0';
}

int nu_thread_read(struct cv_sysroot *root, pid_t tid, struct nu_thread *ret)
{
	struct nu_thread t = { .tid = tid, .state = '?', .cpu = -1 };
	_cleanup_free_ char *status = NULL;
	char path[CV_PATH_MAX];
	int r = cv_read_str(root, cv_pathf(path, "/proc/%d/status", tid), &status);

	r = r ?: parse_status(status, &t);
	if (r < 0)
		return r;
	read_stat(root, &t);
	read_cgroup(root, &t);
	*ret = t;
	return 0;
}
