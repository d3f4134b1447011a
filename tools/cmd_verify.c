// SPDX-License-Identifier: GPL-2.0-or-later
/* carve verify: the guest's own report against the plan. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "numa/irq_guest.h"
#include "tools/verify.h"
#include "tools/vm.h"
#include "vmm/agent.h"

#define TESTS_MAX_BYTES (256 << 10)
#define TIMEOUT_S 120

/* By its id in the spec; disks and shares, which have none there, are disk0, share0, ... Return: NULL, none. */
static const struct cv_bdf *find_address(const struct plan *p, const char *id)
{
	static const struct cv_bdf vsock = { .dev = PLAN_VSOCK_SLOT };

	for (size_t i = 0; i < p->n_devices; i++)
		if (strcmp(p->devices[i].id, id) == 0)
			return &p->devices[i].guest;
	for (size_t i = 0; i < p->n_disks; i++)
		if (strcmp(p->disks[i].id, id) == 0)
			return &p->disks[i].guest;
	for (size_t i = 0; i < p->n_nets; i++)
		if (strcmp(p->nets[i].id, id) == 0)
			return &p->nets[i].guest;
	for (size_t i = 0; i < p->n_shares; i++)
		if (strcmp(p->shares[i].id, id) == 0)
			return &p->shares[i].guest;
	return p->vsock_cid && strcmp(id, PLAN_VSOCK_ID) == 0 ? &vsock : NULL;
}

/* Tests name devices ("device": "nic0"); the guest knows addresses. */
int verify_resolve(struct cmd *c, const struct plan *p, struct verify_request *q)
{
	size_t i;
	json_t *t;

	json_array_foreach(q->tests, i, t) {
		const char *id = cv_json_str(t, "device", "");
		char bdf[CV_BDF_MAX];
		const struct cv_bdf *guest = find_address(p, id);

		if (guest)
			json_object_set_new(t, "bdf", json_string(cv_format_bdf(*guest, bdf)));
		else if (id[0])
			return cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "NO_DEVICE", id,
				       "a test names a device that the plan does not have");
	}
	return 0;
}

static int read_tests(struct cmd *c, const char *path, json_t **ret)
{
	_cleanup_free_ char *text = NULL;
	_cleanup_json_ json_t *j = NULL;
	size_t len;

	int r = cmd_read_file(c, path, TESTS_MAX_BYTES, &text, &len);
	r = r ?: cv_json_parse(text, path, &j, &c->err);
	if (r < 0)
		return r;
	json_t *tests = json_object_get(j, "tests");
	if (!json_is_array(tests))
		return cv_fail(&c->err, -EINVAL, CV_EXIT_USAGE, "BAD_TESTS", path,
			       "no list named tests in the file");
	*ret = json_incref(tests);
	return 0;
}

int verify_read(struct cmd *c, struct verify_request *ret)
{
	struct verify_request q = { 0 };
	const char *path = cmd_value(c, "tests");
	int r = cmd_seconds(c, "timeout", TIMEOUT_S, &q.seconds);

	if (r < 0)
		return r;
	if (path)
		r = read_tests(c, path, &q.tests);
	else
		q.tests = json_array();
	if (r < 0)
		return r;
	if (!q.tests)
		return cv_fail_errno(&c->err, -ENOMEM, path, "cannot read the tests");
	*ret = q;
	return 0;
}

static int ask_guest(struct cmd *c, const struct plan *p, const struct verify_request *q,
		     json_t **ret)
{
	/* the id tells this answer from one to an earlier request */
	_cleanup_json_ json_t *request = json_pack("{s:i,s:i,s:O}", "carve_request", 1, "id",
						   (int)getpid(), "tests", q->tests);
	_cleanup_free_ char *answer = NULL;
	char sock[CV_PATH_MAX];
	_cleanup_free_ char *line = request ? cv_json_line(request) : NULL;
	if (!line)
		return cv_fail_errno(&c->err, -ENOMEM, p->name, "cannot ask the guest");
	int r = vmm_agent_request(vm_path(sock, p->name, "vmm/guest.sock"), line, q->seconds * 1000,
				  &answer, &c->err);
	if (r == -ETIMEDOUT)
		cv_error_hint(&c->err,
			      "the guest needs carve-guest running; carve console %s shows how "
			      "far it came",
			      p->name);
	return r < 0 ? r : cv_json_parse(answer, "guest report", ret, &c->err);
}

/* A test that the guest left out did not pass. */
static int add_unanswered(const struct verify_request *q, const json_t *report,
			  struct cv_strv *diffs)
{
	size_t i;
	json_t *want;

	json_array_foreach(q->tests, i, want) {
		const json_t *got = json_array_get(json_object_get(report, "tests"), i);
		const char *kind = cv_json_str(want, "kind", "?");

		if (strcmp(cv_json_str(got, "kind", ""), kind) == 0 &&
		    strcmp(cv_json_str(got, "bdf", ""), cv_json_str(want, "bdf", "")) == 0)
			continue;
		if (cv_strv_addf(diffs, "test %zu (%s): the guest did not answer it", i, kind) < 0)
			return -ENOMEM;
	}
	return 0;
}

static void print_tests(const struct plan *p, const json_t *report)
{
	size_t i;
	json_t *t;

	json_array_foreach(json_object_get(report, "tests"), i, t)
		cmd_print("%s: %s %s: %s: %s\n", p->name, cv_json_str(t, "kind", "?"),
			  cv_json_str(t, "bdf", ""), cv_json_bool(t, "ok", 0) ? "ok" : "FAILED",
			  cv_json_str(t, "detail", ""));
}

static int print_result(struct cmd *c, const struct plan *p, json_t *report,
			const struct cv_strv *diffs)
{
	if (c->json) {
		json_t *list = json_array();

		for (size_t i = 0; i < diffs->n; i++)
			json_array_append_new(list, json_string(diffs->v[i]));
		return cmd_print_json(c, json_pack("{s:i,s:s,s:b,s:o,s:O}", "carve_verify", 1,
						   "name", p->name, "equal", diffs->n == 0,
						   "differences", list, "report", report));
	}
	print_tests(p, report);
	for (size_t i = 0; i < diffs->n; i++)
		cmd_print("%s: %s\n", p->name, diffs->v[i]);
	if (diffs->n == 0)
		cmd_print(
			"%s: the guest is what was planned: %zu vCPUs, %zu nodes, %zu devices, %zu tests\n",
			p->name, p->n_vcpus, p->n_nodes, p->n_devices,
			json_array_size(json_object_get(report, "tests")));
	return 0;
}

static int fail_different(struct cmd *c, const struct plan *p, const struct cv_strv *diffs)
{
	cv_fail(&c->err, -EPROTO, CV_EXIT_GUEST, "GUEST_DIFFERS", p->name,
		"the guest is not what was planned: %zu differences", diffs->n);
	cv_error_found(&c->err, "%s", diffs->v[0]);
	cv_error_hint(&c->err, "carve verify %s --json has the whole report", p->name);
	return -EPROTO;
}

/*
 * By now the driver in the guest has switched its interrupts on. Best effort: a verification says
 * what the guest is, carve drift tells where interrupts are.
 */
static void place_interrupts(struct cmd *c, const struct plan *p)
{
	_cleanup_site_ struct site site = { 0 };
	_cleanup_close_ int lock = -1;
	struct cv_error kept = c->err, ignored = { 0 };

	umask(022); /* others may read what is noted of interrupts */
	if (!c->dry_run && p->n_devices && geteuid() == 0 && cmd_site(c, &site) == 0 &&
	    vm_lock(c, &site, &lock) == 0)
		(void)nu_guest_irqs_place(c->root, p, &ignored);
	c->err = kept;
}

int verify_vm(struct cmd *c, const char *name, struct verify_request *q)
{
	_cleanup_vm_ struct vm vm = { 0 };
	_cleanup_json_ json_t *report = NULL;
	_cleanup_strv_ struct cv_strv diffs = { 0 };
	int r = vm_read(c, name, &vm);

	r = r ?: verify_resolve(c, &vm.plan, q);
	r = r ?: ask_guest(c, &vm.plan, q, &report);
	if (r == 0)
		place_interrupts(c, &vm.plan);
	r = r ?: plan_compare_guest(&vm.plan, report, &diffs, &c->err);
	r = r ?: add_unanswered(q, report, &diffs);
	r = r ?: print_result(c, &vm.plan, report, &diffs);
	if (r == 0 && diffs.n)
		return fail_different(c, &vm.plan, &diffs);
	return r;
}

static int run(struct cmd *c)
{
	_cleanup_(verify_done) struct verify_request q = { 0 };
	int r = verify_read(c, &q);

	return r < 0 ? r : verify_vm(c, c->args[0], &q);
}

static const struct cmd_option options[] = {
	{ "tests", "FILE", "device tests to run in the guest (carve-guest(8)), JSON", false },
	{ "timeout", "SEC", "how long to wait for the guest, default 120", false },
	{ NULL, NULL, NULL, false },
};

const struct cmd_verb cmd_verify = {
	.name = "verify",
	.args = "NAME",
	.summary = "compare a running guest with its plan (needs carve-guest in the guest)",
	.min_args = 1,
	.max_args = 1,
	.complete = "vm",
	.needs = CMD_NEED_LIVE,
	.options = options,
	.run = run,
};
