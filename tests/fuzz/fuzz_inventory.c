// SPDX-License-Identifier: GPL-2.0-or-later
/* A hostile snapshot: any manifest, read as a host all the way to inventory, audit and topo JSON. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/json.h"
#include "base/sysroot.h"
#include "numa/inventory.h"
#include "plan/audit.h"
#include "sriov/inventory.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look_at(struct cv_sysroot *root)
{
	struct inventory inv = { 0 };
	struct audit audit = { 0 };

	setenv("HWLOC_COMPONENTS", "linux,stop", 1);
	setenv("HWLOC_FSROOT", cv_sysroot_dir(root), 1);
	if (nu_inventory_read(root, &(struct nu_depth){ .noise = true }, &inv, NULL) == 0 &&
	    sr_inventory_read(root, &(struct sr_depth){ .holders = true }, &inv, NULL) == 0) {
		json_decref(inventory_json(&inv));
		if (audit_run(&inv, AUDIT_ISOLATE, &audit) == 0)
			audit_done(&audit);
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
