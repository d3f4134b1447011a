// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile snapshot: any manifest, read as a host all the way to plans, projections and audit. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/json.h"
#include "base/sysroot.h"
#include "numa/inventory.h"
#include "plan/audit.h"
#include "plan/plan.h"
#include "plan/projections.h"
#include "plan/spec.h"
#include "sriov/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What fits a small host, and what asks for each kind of device */
static const char *const specs[] = {
	"version: 1\nname: small\ncpus: 1\nmemory: 64M\npage_size: 2M\nboot: {kernel: /k}\n",
	"version: 1\nname: vf\ncpus: 1\nmemory: 64M\npage_size: 2M\nboot: {kernel: /k}\n"
	"devices:\n- {id: nic, vf: {class: net}}\n",
	"version: 1\nname: gpu\ncpus: 2\nmemory: 1G\npage_size: 1G\nboot: {kernel: /k}\n"
	"devices:\n- {id: gpu, class: gpu}\n- {id: disk, class: nvme}\n",
};

static void need(int ok)
{
	if (!ok)
		abort();
}

/* What was written is read again without change. */
static void round_trip(const struct plan *p)
{
	_cleanup_json_ json_t *first = plan_json(p), *second = NULL;
	_cleanup_plan_ struct plan again = { 0 };
	struct cv_error err = { 0 };

	need(first && plan_from_json(first, "again", &again, &err) == 0);
	second = plan_json(&again);
	need(json_equal(first, second));
}

static void draw(const struct inventory *inv, const struct plan *p, size_t n)
{
	_cleanup_free_ char *text = plan_draw(inv, p, n, PLAN_DRAW_TEXT, 0);
	_cleanup_free_ char *svg = plan_draw(inv, p, n, PLAN_DRAW_SVG, 0);
	_cleanup_free_ char *words = plan_cmdline(inv, p, n);

	need(text && svg && words);
}

static void project(const struct plan *p)
{
	static const struct plan_qemu qemu = { "qemu", "/run/carve/vm/a", -1 };
	_cleanup_strv_ struct cv_strv argv = { 0 };
	_cleanup_free_ char *libvirt = plan_libvirt_xml(p), *nccl = plan_nccl_xml(p);
	_cleanup_free_ char *hwloc = plan_hwloc_xml(p), *text = plan_text(p, NULL, true);

	need(libvirt && nccl && hwloc && text);
	need(plan_qemu_argv(p, &qemu, &argv) == 0);
}

/* Each spec alone: a plan that holds, or an error with its text. */
static void plan(const struct inventory *inv, const char *text)
{
	_cleanup_spec_ struct spec spec = { 0 };
	_cleanup_plan_ struct plan p = { 0 };
	_cleanup_site_ struct site site;
	struct cv_error err = { 0 };
	int r;

	site_default(&site);
	need(spec_parse(text, strlen(text), "fuzz.yaml", &spec, &err) == 0);
	r = plan_make(inv, &site, &spec, 1, NULL, &p, &err);
	if (r < 0) {
		need(err.err == r && err.what[0]);
		return;
	}
	round_trip(&p);
	project(&p);
	draw(inv, &p, 1);
}

static void judge(const struct inventory *inv)
{
	struct audit audit = { 0 };

	json_decref(inventory_json(inv));
	if (audit_run(inv, AUDIT_ISOLATE, &audit) == 0) {
		free(audit_fix_plan(&audit));
		audit_done(&audit);
	}
}

static void look_at(struct cv_sysroot *root)
{
	struct inventory inv = { 0 };

	if (nu_inventory_read(root, &(struct nu_depth){ .noise = true }, &inv, NULL) == 0 &&
	    sr_inventory_read(root, &(struct sr_depth){ .holders = true }, &inv, NULL) == 0) {
		judge(&inv);
		for (size_t i = 0; i < CV_ARRAY_SIZE(specs); i++)
			plan(&inv, specs[i]);
	}
	inventory_done(&inv);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char path[] = "/tmp/fuzz-inventory-XXXXXX.sysroot";
	struct cv_sysroot *root = NULL;
	int fd = mkstemps(path, (int)sizeof(".sysroot") - 1);

	if (fd < 0)
		return -1;
	if (write(fd, data, size) == (ssize_t)size && cv_sysroot_open(path, &root, NULL) == 0) {
		look_at(root);
		cv_sysroot_close(root);
	}
	close(fd);
	unlink(path);
	return 0;
}
