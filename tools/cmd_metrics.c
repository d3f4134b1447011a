// SPDX-License-Identifier: GPL-2.0-or-later
/* carve metrics: the node and its guests for Prometheus, by node_exporter's textfile collector. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "plan/metrics.h"
#include "tools/metrics_guests.h"
#include "tools/version.h"

#define FILE_NAME "carve.prom"
#define GUESTS_MAX_STATES 8

/* ---- the file ---- */

static int write_all(int fd, const char *text, size_t len)
{
	while (len > 0) {
		ssize_t n = write(fd, text, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		text += n;
		len -= (size_t)n;
	}
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* The collector reads *.prom only, and never sees one that is half written. Each process has a file of its
 * own, so that two at once do not mix; one that a killed process of the same number left is no one's. */
static int replace_at(int dir, const char *text)
{
	_cleanup_close_ int fd = -1;
	char name[64];
	int r;

	snprintf(name, sizeof(name), "." FILE_NAME ".%d.tmp", (int)getpid());
	unlinkat(dir, name, 0);
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = write_all(fd, text, strlen(text));
	if (r == 0 && renameat(dir, name, dir, FILE_NAME) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(dir, name, 0);
	return r;
}

static int write_file(struct cmd *c, const char *path, const char *text)
{
	_cleanup_close_ int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int r = dir < 0 ? -errno : replace_at(dir, text);

	if (r == 0)
		return 0;
	cv_fail_errno(&c->err, r, path, "cannot write " FILE_NAME " there");
	cv_error_hint(&c->err, "name the directory that node_exporter is given with "
			       "--collector.textfile.directory, as a user who may write there");
	return r;
}

/* ---- the verb ---- */

static char *make_text(const struct inventory *inv, const struct metrics_found *found, size_t n)
{
	static const enum vm_state states[] = { VM_RUNNING, VM_PAUSED, VM_SILENT, VM_EXITED,
						VM_PARTIAL };
	_cleanup_free_ struct metrics_guest *guests = calloc(n + 1, sizeof(*guests));
	const char *words[GUESTS_MAX_STATES];

	if (!guests)
		return NULL;
	for (size_t i = 0; i < n; i++)
		guests[i] = found[i].guest;
	for (size_t i = 0; i < CV_ARRAY_SIZE(states); i++)
		words[i] = vm_state_name(states[i]);
	return metrics_of(&(struct metrics_node){
		.version = CARVE_VERSION,
		.build = CARVE_BUILD_ID,
		.inv = inv,
		.states = words,
		.n_states = CV_ARRAY_SIZE(states),
		.guests = guests,
		.n_guests = n,
	});
}

static int output(struct cmd *c, const struct inventory *inv, const struct metrics_found *found,
		  size_t n)
{
	_cleanup_free_ char *text = make_text(inv, found, n);
	const char *dir = cmd_value(c, "textfile");

	if (!text)
		return cv_fail_errno(&c->err, -ENOMEM, NULL, "cannot make the metrics");
	if (dir && !c->dry_run)
		return write_file(c, dir, text);
	cmd_print("%s", text);
	return 0;
}

/* The format is the readers': there is no JSON of it. */
static int refuse_json(struct cmd *c)
{
	if (!c->json)
		return 0;
	cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NO_JSON", "metrics --json",
		"metrics have a format of their own");
	cv_error_wanted(&c->err, "the text format of Prometheus");
	cv_error_hint(&c->err, "carve list --json and carve topo --json tell the same as JSON");
	return -EINVAL;
}

static int run(struct cmd *c)
{
	_cleanup_inventory_ struct inventory inv = { 0 };
	struct metrics_found *found = NULL;
	size_t n = 0;
	int r = refuse_json(c);

	r = r ?: cmd_inventory(c, CMD_HOLDERS, NULL, 0, &inv);
	r = r ?: metrics_guests_read(c, &found, &n);
	r = r ?: output(c, &inv, found, n);
	metrics_guests_free(found, n);
	return r;
}

static const struct cmd_option options[] = {
	{ "textfile", "DIR", "write " FILE_NAME " there, for node_exporter, instead of printing",
	  false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_metrics = {
	.name = "metrics",
	.args = "",
	.summary = "guests, pages, devices and launch times for Prometheus",
	.complete = "",
	.options = options,
	.run = run,
};
