// SPDX-License-Identifier: GPL-2.0-or-later
/* carve-vmm: the native VMM. Started by carve with a plan and open descriptors; not meant for people. */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/parse.h"
#include "plan/plan.h"
#include "tools/version.h"
#include "vmm/core/machine.h"
#include "vmm/core/phases.h"

#define PLAN_BYTES_MAX (64 << 20)

/** struct args - the command line; descriptors -1: not given */
struct args {
	const char *dir;
	int plan_fd, hypervisor_fd, vfio_fd;
	struct given {
		const char *id;
		int fd;
	} devices[VMM_DEVICE_FDS_MAX];
	size_t n_devices;
	struct plan_link links[PLAN_LINKS_MAX];
	size_t n_links;
	bool has_sandbox;
};

enum option_value {
	OPTION_DIR = 256,
	OPTION_PLAN,
	OPTION_HYPERVISOR,
	OPTION_VFIO,
	OPTION_DEVICE,
	OPTION_LINK,
	OPTION_SANDBOX,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option options[] = {
	{ "dir", required_argument, NULL, OPTION_DIR },
	{ "plan-fd", required_argument, NULL, OPTION_PLAN },
	{ "hypervisor-fd", required_argument, NULL, OPTION_HYPERVISOR },
	{ "vfio-fd", required_argument, NULL, OPTION_VFIO },
	{ "device", required_argument, NULL, OPTION_DEVICE },
	{ "link", required_argument, NULL, OPTION_LINK },
	{ "sandbox", required_argument, NULL, OPTION_SANDBOX },
	{ "version", no_argument, NULL, OPTION_VERSION },
	{ "help", no_argument, NULL, OPTION_HELP },
	{ NULL, 0, NULL, 0 },
};

static const char usage[] =
	"usage: carve-vmm --plan-fd N --hypervisor-fd N --dir DIR [--vfio-fd N] [--device ID=N]...\n"
	"                 [--link ID=N[,N...]]... [--sandbox on|off]\n"
	"carve run starts it; carve(1) and carve-vmm(8) tell more\n";

static int parse_fd(const char *text, int *ret)
{
	uint64_t n = 0;
	int r = cv_parse_u64(text, &n);

	if (r < 0 || n > 1 << 20)
		return -EINVAL;
	*ret = (int)n;
	return 0;
}

/* "ID=N" */
static int parse_device(struct args *a, char *text)
{
	char *equals = strchr(text, '=');
	struct given *g = &a->devices[a->n_devices];

	if (!equals || a->n_devices == VMM_DEVICE_FDS_MAX)
		return -EINVAL;
	*equals = '\0';
	g->id = text;
	a->n_devices++;
	return parse_fd(equals + 1, &g->fd);
}

/* "ID=N[,N...]" */
static int parse_link(struct args *a, char *text)
{
	char *rest = strchr(text, '='), *one;
	struct plan_link *l = &a->links[a->n_links];
	int r = 0;

	if (!rest || a->n_links == PLAN_LINKS_MAX)
		return -EINVAL;
	*rest++ = '\0';
	l->id = text;
	a->n_links++;
	while (r == 0 && (one = strsep(&rest, ",")))
		r = l->n == PLAN_LINK_FDS_MAX ? -EINVAL : parse_fd(one, &l->fds[l->n++]);
	return r;
}

static int parse_sandbox(struct args *a, const char *text)
{
	a->has_sandbox = strcmp(text, "on") == 0;
	return a->has_sandbox || strcmp(text, "off") == 0 ? 0 : -EINVAL;
}

static int parse_option(struct args *a, int option, char *value)
{
	switch (option) {
	case OPTION_DIR:
		a->dir = value;
		return 0;
	case OPTION_PLAN:
		return parse_fd(value, &a->plan_fd);
	case OPTION_HYPERVISOR:
		return parse_fd(value, &a->hypervisor_fd);
	case OPTION_VFIO:
		return parse_fd(value, &a->vfio_fd);
	case OPTION_DEVICE:
		return parse_device(a, value);
	case OPTION_LINK:
		return parse_link(a, value);
	case OPTION_SANDBOX:
		return parse_sandbox(a, value);
	case OPTION_VERSION:
		printf("carve-vmm %s\n", CARVE_VERSION);
		exit(0);
	case OPTION_HELP:
		printf("%s", usage);
		exit(0);
	}
	return -EINVAL;
}

static int parse_args(struct args *a, int argc, char **argv)
{
	int option, r = 0;

	while (r == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
		r = parse_option(a, option, optarg);
	if (r < 0 || optind != argc || !a->dir || a->plan_fd < 0 || a->hypervisor_fd < 0)
		return -EINVAL;
	return 0;
}

static int read_plan(int fd, struct plan *ret, struct cv_error *err)
{
	_cleanup_json_ json_t *j = NULL;
	_cleanup_free_ char *text = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || st.st_size <= 0 || st.st_size > PLAN_BYTES_MAX)
		return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "BAD_PLAN", "--plan-fd",
			       "no plan can be read there");
	text = calloc(1, (size_t)st.st_size + 1);
	if (!text || pread(fd, text, (size_t)st.st_size, 0) != st.st_size)
		return cv_fail_errno(err, -EIO, "--plan-fd", "the plan cannot be read");
	r = cv_json_parse(text, "--plan-fd", &j, err);
	return r ?: plan_from_json(j, "--plan-fd", ret, err);
}

/* Each device of the plan has its descriptor. */
static int sort_devices(const struct args *a, const struct plan *p, int *fds, struct cv_error *err)
{
	for (size_t i = 0; i < p->n_devices; i++) {
		fds[i] = -1;
		for (size_t k = 0; k < a->n_devices; k++)
			if (strcmp(a->devices[k].id, p->devices[i].id) == 0)
				fds[i] = a->devices[k].fd;
		if (fds[i] < 0 || a->vfio_fd < 0)
			return cv_fail(err, -EINVAL, CV_EXIT_USAGE, "NO_DESCRIPTOR",
				       p->devices[i].id, "the device was not handed over");
	}
	return 0;
}

static int run(const struct args *a, uint64_t start_us, struct cv_error *err)
{
	_cleanup_plan_ struct plan plan = { 0 };
	_cleanup_free_ int *fds = NULL;
	int r = read_plan(a->plan_fd, &plan, err);

	if (r < 0)
		return r;
	fds = calloc(plan.n_devices + 1, sizeof(*fds));
	if (!fds)
		return cv_fail_errno(err, -ENOMEM, NULL, "cannot start");
	r = sort_devices(a, &plan, fds, err);
	if (r < 0)
		return r;
	struct vmm_machine_input in = {
		.plan = &plan,
		.dir = a->dir,
		.hypervisor_fd = a->hypervisor_fd,
		.vfio_fd = a->vfio_fd,
		.device_fds = fds,
		.links = a->links,
		.n_links = a->n_links,
		.start_us = start_us,
		.has_sandbox = a->has_sandbox,
	};
	return vmm_machine_main(&in, err);
}

int main(int argc, char **argv)
{
	struct args a = { .plan_fd = -1, .hypervisor_fd = -1, .vfio_fd = -1, .has_sandbox = true };
	uint64_t start = vmm_now_us();
	struct cv_error err = { 0 };
	int r = parse_args(&a, argc, argv);

	if (r < 0) {
		fprintf(stderr, "%s", usage);
		return CV_EXIT_USAGE;
	}
	r = run(&a, start, &err);
	if (r >= 0)
		return r;
	_cleanup_free_ char *text = cv_error_format(&err);
	fprintf(stderr, "carve-vmm: %s\n", text ? text : strerror(-r));
	return err.exit ? (int)err.exit : CV_EXIT_FAILED;
}
