// SPDX-License-Identifier: GPL-2.0-or-later
/* What drivers make below a function: network interfaces, RDMA and NVMe devices. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "tests/fake/machine_model.h"

/* A directory of class @class below the function, and its link in /sys/class. */
static void put_class(struct machine_out *o, const struct machine_function *f, const char *below,
		      const char *class, const char *name)
{
	char link[MACHINE_PATH + 128];

	snprintf(link, sizeof(link), "../../%s/%s", f->path, below);
	machine_put_link(o, link, "sys/class/%s/%s", class, name);
}

static void put_text(struct machine_out *o, const struct machine_function *f, const char *dir,
		     const char *name, const char *text)
{
	machine_put(o, text, "sys/%s/%s/%s", f->path, dir, name);
}

static void put_netdev(struct machine_out *o, const struct machine_function *f)
{
	bool is_ib = strcmp(f->profile->netdev, "ib") == 0;
	char name[16], dir[32], address[64];

	snprintf(name, sizeof(name), "%s%d", f->profile->netdev, f->instance);
	snprintf(dir, sizeof(dir), "net/%s", name);
	snprintf(address, sizeof(address), "%s02:00:00:00:%02x:%02x\n",
		 is_ib ? "00:00:10:49:fe:80:00:00:00:00:00:00:00:00:" : "", f->bdf.bus,
		 f->bdf.dev << 3 | f->bdf.fn);
	put_text(o, f, dir, "address", address);
	put_text(o, f, dir, "type", is_ib ? "32\n" : "1\n");
	put_text(o, f, dir, "flags", "0x1002\n");
	put_text(o, f, dir, "operstate", "down\n");
	put_text(o, f, dir, "dev_port", "0\n");
	machine_put_link(o, "../..", "sys/%s/%s/device", f->path, dir);
	put_class(o, f, dir, "net", name);
}

static void put_rdma(struct machine_out *o, const struct machine_function *f)
{
	char name[16], dir[48], guid[32];

	snprintf(name, sizeof(name), "mlx5_%d", f->instance);
	snprintf(dir, sizeof(dir), "infiniband/%s", name);
	snprintf(guid, sizeof(guid), "0200:00ff:fe00:%02x%02x\n", f->bdf.bus, f->bdf.dev);
	put_text(o, f, dir, "node_guid", guid);
	put_text(o, f, dir, "sys_image_guid", guid);
	put_text(o, f, dir, "node_type", "1: CA\n");
	machine_put_link(o, "../..", "sys/%s/%s/device", f->path, dir);
	put_class(o, f, dir, "infiniband", name);
}

static void put_nvme(struct machine_out *o, const struct machine_function *f)
{
	char name[16], disk[24], dir[32], below[64], dev[16];

	snprintf(name, sizeof(name), "nvme%d", f->instance);
	snprintf(disk, sizeof(disk), "%sn1", name);
	snprintf(dir, sizeof(dir), "nvme/%s", name);
	snprintf(below, sizeof(below), "%s/%s", dir, disk);
	snprintf(dev, sizeof(dev), "259:%d\n", f->instance);
	put_text(o, f, dir, "model", "NVMe disk\n");
	put_text(o, f, dir, "state", "live\n");
	machine_put_link(o, "../..", "sys/%s/%s/device", f->path, dir);
	put_class(o, f, dir, "nvme", name);
	put_text(o, f, below, "dev", dev);
	put_text(o, f, below, "size", "7501476528\n");
	put_text(o, f, below, "queue/hw_sector_size", "512\n");
	machine_put_link(o, "..", "sys/%s/%s/device", f->path, below);
	put_class(o, f, below, "block", disk);
}

static void iommu_name(enum inv_iommu kind, int i, char buf[64])
{
	if (kind == INV_IOMMU_INTEL)
		snprintf(buf, 64, "dmar%d", i);
	else if (kind == INV_IOMMU_AMD)
		snprintf(buf, 64, "ivhd%d", i);
	else
		snprintf(buf, 64, "smmu3.0x%016x", i * 0x1000000);
}

static void put_iommus(const struct machine *m, struct machine_out *o)
{
	char name[64], link[128];

	for (int i = 0; m->host.iommu != INV_IOMMU_NONE && i < m->n_packages; i++) {
		iommu_name(m->host.iommu, i, name);
		snprintf(link, sizeof(link), "../../devices/virtual/iommu/%s", name);
		machine_put_link(o, link, "sys/class/iommu/%s", name);
	}
}

void machine_write_classes(const struct machine *m, struct machine_out *o)
{
	put_iommus(m, o);
	for (int i = 0; i < m->n_fns; i++) {
		const struct machine_function *f = &m->fns[i];

		/* Drivers make them; VFs have none yet. */
		if (f->pf >= 0 || !f->profile->driver || strcmp(f->driver, f->profile->driver) != 0)
			continue;
		if (f->profile->netdev)
			put_netdev(o, f);
		if (f->profile->has_rdma)
			put_rdma(o, f);
		if (f->profile->has_nvme)
			put_nvme(o, f);
	}
}
