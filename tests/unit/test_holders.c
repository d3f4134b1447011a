// SPDX-License-Identifier: GPL-2.0-or-later
/* Who uses a function on the host. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "sriov/inventory.h"
#include "tests/fake/fake_pci.h"
#include "tests/unit/sriov_host.h"

static void inventory_names_holders(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, REAL_PF "/net/eth0");
	fake_file(h->fake, "/sys/class/net/eth0/flags", "0x1003");
	fake_file(h->fake, "/proc/net/route",
		  "Iface\tDestination\tGateway\neth0\t000010AC\t00000000\n");
	fake_link(h->fake, "/sys/class/block/nvme0n1p1",
		  "../../devices/pci0000:40/" DISK "/nvme/nvme0/nvme0n1/nvme0n1p1");
	fake_file(h->fake, REAL_DISK "/nvme/nvme0/nvme0n1/nvme0n1p1/dev", "259:1");
	fake_file(h->fake, "/proc/1/mountinfo",
		  "20 1 0:5 / / rw - tmpfs x rw\n"
		  "36 20 259:1 / /scratch rw shared:1 - ext4 /dev/root rw\n");
	assert_int_equal(cv_write_str(h->root, DEV MATE "/driver_override", "vfio-pci"), 0);
	assert_int_equal(cv_write_str(h->root, "/sys/bus/pci/drivers_probe", MATE), 0);
	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_non_null(strstr(device_at(&inv, PF)->holder, "eth0"));
	assert_int_equal(device_at(&inv, DISK)->holder_kind, INV_HOLDER_MOUNT);
	assert_string_equal(device_at(&inv, DISK)->holder, "/dev/nvme0n1p1 mounted on /scratch");
	assert_int_equal(device_at(&inv, MATE)->holder_kind, INV_HOLDER_FOREIGN);
	assert_int_equal(device_at(&inv, PORT)->holder_kind, INV_HOLDER_NONE);
}

static void inventory_finds_open_nodes(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	/* a namespace with native multipath: only the subsystem knows the controller */
	fake_link(h->fake, "/sys/class/block/nvme0n1",
		  "../../devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1");
	fake_link(h->fake, "/sys/class/nvme-subsystem/nvme-subsys0/nvme0",
		  "../../../pci0000:40/" DISK "/nvme/nvme0");
	fake_link(h->fake, "/proc/99/fd/3", "/dev/null");
	fake_link(h->fake, "/proc/99/fd/4", "/dev/nvme0n1");
	fake_file(h->fake, "/proc/99/comm", "fio");
	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, DISK)->holder_kind, INV_HOLDER_PROCESS);
	assert_string_equal(device_at(&inv, DISK)->holder, "pid 99 (fio) has /dev/nvme0n1 open");
}

static void inventory_finds_gpu_users(void **state)
{
	static const struct fake_pci gpu = {
		"0000:43:00.0", "pci0000:40", "0x10de 0x2330 0x030200", NULL, 4, 0
	};
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_pci_device(h->fake, &gpu);
	fake_file(h->fake, "/proc/driver/nvidia/gpus/" DISK "/information",
		  "Model: \t\t X\nDevice Minor: \t 0");
	fake_file(h->fake, "/proc/driver/nvidia/gpus/0000:43:00.0/information",
		  "Model: \t\t X\nBus Location: \t 0000:43:00.0\nDevice Minor: \t 12\n"
		  "GPU Excluded:\t No");
	fake_link(h->fake, "/proc/99/fd/3", "/dev/nvidiactl");
	fake_link(h->fake, "/proc/99/fd/4", "/dev/nvidia12");
	fake_file(h->fake, "/proc/99/comm", "train");
	read_inventory(h, &inv);
	assert_string_equal(device_at(&inv, "0000:43:00.0")->holder,
			    "pid 99 (train) has /dev/nvidia12 open");
	assert_int_equal(device_at(&inv, DISK)->holder_kind, INV_HOLDER_NONE);
}

static void inventory_names_interfaces_on_top(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	fake_dir(h->fake, REAL_PF "/net/eth0");
	fake_file(h->fake, "/sys/class/net/eth0/flags", "0x1002");
	fake_link(h->fake, "/sys/class/net/eth0/upper_macvlan0", "../macvlan0");
	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_string_equal(device_at(&inv, PF)->holder, "network interface eth0 carries macvlan0");
}

/* An empty directory: the interface was moved; none at all: the driver makes no interface. */
static void inventory_sees_other_namespaces(void **state)
{
	struct host *h = *state;
	_cleanup_inventory_ struct inventory inv = { 0 };

	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, PF)->holder_kind, INV_HOLDER_NONE);
	fake_dir(h->fake, REAL_PF "/net");
	fake_dir(h->fake, REAL_DISK "/net");
	inventory_done(&inv);
	read_inventory(h, &inv);
	assert_int_equal(device_at(&inv, PF)->holder_kind, INV_HOLDER_NETDEV);
	assert_non_null(strstr(device_at(&inv, PF)->holder, "another network namespace"));
	assert_int_equal(device_at(&inv, DISK)->holder_kind, INV_HOLDER_NONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_host(inventory_names_holders),
		with_host(inventory_finds_open_nodes),
		with_host(inventory_finds_gpu_users),
		with_host(inventory_names_interfaces_on_top),
		with_host(inventory_sees_other_namespaces),
	};

	return cmocka_run_group_tests_name("holders", tests, NULL, NULL);
}
