#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# carve state: each kind of thing that carve may change is noticed when it changes.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

# put FILE TEXT: a file of the host in $host
put() {
	mkdir -p "$(dirname "$host/$1")"
	printf '%s\n' "$2" >"$host/$1"
}

setup() {
	host=$BATS_TEST_TMPDIR/host
	pf=sys/bus/pci/devices/0000:81:00.0
	put $pf/driver_override "(null)"
	put $pf/sriov_numvfs 0
	put $pf/sriov_drivers_autoprobe 1
	put $pf/msi_irqs/40 msix
	put $pf/msi_irqs/41 msix
	put $pf/net/eth1/flags 0x1003
	put $pf/net/eth1/operstate up
	ln -s ../../../../bus/pci/drivers/igb "$host/$pf/driver"
	put proc/irq/40/smp_affinity_list 0-7
	put proc/irq/41/smp_affinity_list 0-7
	put proc/irq/4/smp_affinity_list 0-7
	put proc/irq/default_smp_affinity ff
	put sys/kernel/irq/4/actions ttyS0
	put sys/devices/system/node/node1/hugepages/hugepages-2048kB/nr_hugepages 64
	put sys/devices/system/node/node1/hugepages/hugepages-2048kB/surplus_hugepages 0
	put sys/devices/system/node/node1/hugepages/hugepages-2048kB/free_hugepages 64
	put sys/fs/cgroup/cgroup.controllers "cpuset cpu"
	put sys/fs/cgroup/cgroup.subtree_control cpu
	put sys/fs/cgroup/cpuset.cpus.isolated ""
	put sys/fs/cgroup/a/cpuset.cpus 0-3
	put sys/fs/cgroup/a/cpuset.cpus.exclusive ""
	put sys/fs/cgroup/a/cpuset.cpus.partition member
	put sys/fs/cgroup/a/cgroup.type domain
	put proc/modules "vfio_pci 16384 0 - Live 0x0"
	put dev/vfio/12 ""
	put dev/kvm ""
	chmod 600 "$host/dev/vfio/12" "$host/dev/kvm"
	put run/carve/leases/vm1.json '{"name": "vm1"}'
	put run/carve/shared/pool '{}'
	put run/carve/vm/vm1/plan.json '{}'
	put var/lib/carve/quarantine/0000:82:00.0.json '{}'
	expect 0 state --json --sysroot "$host"
	echo "$output" >"$BATS_TEST_TMPDIR/before.json"
}

# differs OBJECT BEFORE NOW: exactly this is reported
differs() {
	expect 1 state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
	[[ $output == "$1: $2 -> $3" ]] && return
	printf 'wanted: %s: %s -> %s\ngot: %s\n' "$1" "$2" "$3" "$output"
	return 1
}

# change FILE TEXT OBJECT BEFORE NOW: reported, and no longer when it is taken back
change() {
	local old

	old=$(<"$host/$1")
	put "$1" "$2"
	differs "$3" "$4" "$5"
	put "$1" "$old"
	expect 0 state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
}

@test "two readings of a host at rest are identical" {
	expect 0 state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
	[[ $output == identical ]]
	expect 0 --json state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
	[[ $(jq '.differences | length' <<<"$output") == 0 ]]
}

@test "of PCI functions: override, VF count, autoprobe, interrupts, links" {
	change "$pf/driver_override" vfio-pci pci/0000:81:00.0/driver_override "" vfio-pci
	change "$pf/sriov_numvfs" 7 pci/0000:81:00.0/numvfs 0 7
	change "$pf/sriov_drivers_autoprobe" 0 pci/0000:81:00.0/autoprobe 1 0
	change proc/irq/41/smp_affinity_list 0-3 pci/0000:81:00.0/irq/1 0-7 0-3
	change "$pf/net/eth1/flags" 0x1002 pci/0000:81:00.0/net/eth1/flags 0x1003 0x1002
	change "$pf/net/eth1/operstate" down pci/0000:81:00.0/net/eth1/operstate up down
}

@test "a driver that is another, or gone" {
	ln -sfn ../../../../bus/pci/drivers/vfio-pci "$host/$pf/driver"
	differs pci/0000:81:00.0/driver igb vfio-pci
	rm "$host/$pf/driver"
	differs pci/0000:81:00.0/driver igb ""
}

@test "an interrupt that only got another number is no difference" {
	mv "$host/$pf/msi_irqs/41" "$host/$pf/msi_irqs/57"
	mv "$host/proc/irq/41" "$host/proc/irq/57"
	expect 0 state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
}

@test "of the rest: interrupts, pages, cgroups, modules" {
	pool=sys/devices/system/node/node1/hugepages/hugepages-2048kB
	change proc/irq/4/smp_affinity_list 1 irq/4:ttyS0 0-7 1
	change proc/irq/default_smp_affinity 0f irq/default ff 0f
	change $pool/nr_hugepages 65 node1/hugepages-2048kB/nr 64 65
	change $pool/surplus_hugepages 1 node1/hugepages-2048kB/surplus 0 1
	change sys/fs/cgroup/cgroup.subtree_control "cpu cpuset" cgroup/cgroup.subtree_control \
		cpu "cpu cpuset"
	change sys/fs/cgroup/cpuset.cpus.isolated 4-5 cgroup/cpuset.cpus.isolated "" 4-5
	change sys/fs/cgroup/a/cpuset.cpus 0-2 cgroup/a/cpuset.cpus 0-3 0-2
	change sys/fs/cgroup/a/cpuset.cpus.exclusive 3 cgroup/a/cpuset.cpus.exclusive "" 3
	change sys/fs/cgroup/a/cpuset.cpus.partition isolated cgroup/a/cpuset.cpus.partition \
		member isolated
	change proc/modules "vfat 1 0" module/vfio_pci loaded "(not there)"
	# how many pages are in use is not Carve's doing
	put $pool/free_hugepages 1
	expect 0 state --diff "$BATS_TEST_TMPDIR/before.json" --sysroot "$host"
}

@test "of device nodes: mode, and a node that came" {
	local id
	id=$(stat -c %u:%g "$host/dev/kvm")
	chmod 660 "$host/dev/kvm"
	differs dev/kvm "0600 $id" "0660 $id"
	chmod 600 "$host/dev/kvm"
	install -m 600 /dev/null "$host/dev/vfio/13"
	differs dev/vfio/13 "(not there)" "0600 $id"
}

@test "of Carve itself: leases, VMs, shared changes, quarantine" {
	rm "$host/run/carve/leases/vm1.json"
	differs run/carve/leases/vm1.json '{"name": "vm1"}' "(not there)"
	put run/carve/leases/vm1.json '{"name": "vm1"}'
	mkdir "$host/run/carve/vm/vm2"
	differs run/carve/vm/vm2 "(not there)" directory
	rmdir "$host/run/carve/vm/vm2"
	change run/carve/shared/pool '{"x": 1}' run/carve/shared/pool '{}' '{"x": 1}'
	rm "$host/var/lib/carve/quarantine/0000:82:00.0.json"
	differs var/lib/carve/quarantine/0000:82:00.0.json '{}' "(not there)"
}

@test "a file that is no saved state is refused" {
	expect 3 state --diff "$BATS_TEST_TMPDIR/nothing.json"
	echo '{"carve_topo": 1}' >"$BATS_TEST_TMPDIR/x.json"
	expect 2 state --diff "$BATS_TEST_TMPDIR/x.json"
	has "$errors" x.json
	echo '{"carve_hoststate": 99, "values": {}}' >"$BATS_TEST_TMPDIR/x.json"
	expect 2 state --diff "$BATS_TEST_TMPDIR/x.json"
}

@test "state of this host, twice" {
	expect 0 state --json
	echo "$output" >"$BATS_TEST_TMPDIR/now.json"
	[[ $(jq '.values | length' <<<"$output") -gt 0 ]]
	expect 0 state --diff "$BATS_TEST_TMPDIR/now.json"
}
