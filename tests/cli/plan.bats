#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# plan on captured machines: same machine and spec, same bytes; refusals with their exit codes.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

setup() {
	machine=$sysroots/2n-2igb-2nvme-1sw.sysroot
	spec=$BATS_TEST_TMPDIR/vm.yaml
}

# spec LINE...: writes $spec
spec() {
	{
		printf 'name: vm1\ncpus: 1\nmemory: 512M\n'
		printf 'boot: {kernel: /boot/vmlinuz}\n'
		printf '%s\n' "$@"
	} >"$spec"
}

@test "plan --json is valid, and the same bytes every time" {
	spec 'devices: [{id: nic, vf: {class: net}}, {id: disk, vf: {class: nvme}, near: nic}]'
	expect 0 plan --json --sysroot "$machine" "$spec"
	first=$output
	[[ $(jq .carve_plan <<<"$output") == 1 ]]
	expect 0 plan --json --sysroot "$machine" "$spec"
	[[ $output == "$first" ]]
}

@test "plan as text, and with the rejected candidates" {
	spec 'devices: [{id: nic, vf: {class: net}}]'
	expect 0 plan --sysroot "$machine" "$spec"
	has "$output" vm1 numvfs
	expect 0 plan --explain --sysroot "$machine" "$spec"
}

@test "disks are in the plan, and in what is made of it" {
	spec 'disks: [{path: /srv/root.img, serial: root}, {path: /dev/vg0/data, readonly: true}]'
	expect 0 plan --sysroot "$machine" "$spec"
	has "$output" disk0 /srv/root.img 0000:00:04.0 disk1 /dev/vg0/data read-only
	expect 0 plan --json --sysroot "$machine" "$spec"
	[[ $(jq -r '.disks[1].path' <<<"$output") == /dev/vg0/data ]]
	expect 0 plan --format qemu --sysroot "$machine" "$spec"
	has "$output" file.driver=host_device,file.filename=/dev/vg0/data addr=0x5
	sed 's/vm1/vm2/' "$spec" >"$BATS_TEST_TMPDIR/vm2.yaml"
	expect 6 plan --sysroot "$machine" "$spec" "$BATS_TEST_TMPDIR/vm2.yaml"
	has "$errors" /srv/root.img vm1 vm2
}

@test "networks, shares and vsock are in the plan, and in what is made of it" {
	spec 'net: [{id: lan, bridge: br0}, {ovs: br-int, vlan: 7}, {passt: true, forward: ["tcp:2222:22"]}]' \
		'shares: [{path: /scratch/project, readonly: true}]' 'vsock: auto'
	expect 0 plan --sysroot "$machine" "$spec"
	has "$output" lan 'bridge br0' 0000:00:1c.0 'ovs br-int, VLAN 7' 'tcp 2222 to 22' \
		/scratch/project read-only project 'vsock: the guest is CID'
	expect 0 plan --json --sysroot "$machine" "$spec"
	tap=$(jq -r '.net[0].tap' <<<"$output")
	[[ $tap =~ ^cv[0-9a-f]{8}-0$ ]]
	[[ $(jq -r '[.steps[] | select(.kind == "tap")][0].object' <<<"$output") == "$tap" ]]
	cid=$(jq .vsock_cid <<<"$output")
	expect 0 plan --format qemu --sysroot "$machine" "$spec"
	has "$output" "ifname=$tap" "guest-cid=$cid" tag=project
	expect 0 plan --format libvirt --sysroot "$machine" "$spec"
	has "$output" '<source bridge="br0"/>' '<driver type="virtiofs"/>' "address=\"$cid\""
}

@test "two guests do not have one port of the host, one MAC or one CID" {
	for line in 'net: [{passt: true, forward: ["tcp:2222:22"]}]' \
		'net: [{bridge: br0, mac: "52:54:00:00:00:01"}]' \
		'net: [{vhost_user: /run/a.sock}]' 'vsock: 42'; do
		spec "$line"
		sed 's/vm1/vm2/' "$spec" >"$BATS_TEST_TMPDIR/vm2.yaml"
		expect 6 plan --sysroot "$machine" "$spec" "$BATS_TEST_TMPDIR/vm2.yaml"
		has "$errors" vm1 vm2
	done
}

@test "a bad network is refused at its place" {
	spec 'net: [{bridge: br0, passt: true}]'
	expect 2 plan --sysroot "$machine" "$spec"
	has "$errors" vm.yaml:5:7 'bridge: and passt:' 'exactly one of'
}

@test "two specs get different cores" {
	spec
	sed 's/vm1/vm2/' "$spec" >"$BATS_TEST_TMPDIR/vm2.yaml"
	expect 0 plan --json --sysroot "$machine" "$spec" "$BATS_TEST_TMPDIR/vm2.yaml"
	[[ $(jq '.plans | length' <<<"$output") == 2 ]]
	[[ $(jq -c '.plans[0].vcpus' <<<"$output") != $(jq -c '.plans[1].vcpus' <<<"$output") ]]
}

@test "what does not fit is a failed precondition" {
	spec
	sed -i 's/cpus: 1/cpus: 64/' "$spec"
	expect 5 plan --sysroot "$machine" "$spec"
	spec
	sed -i 's/512M/512G/' "$spec"
	expect 5 plan --sysroot "$machine" "$spec"
}

@test "a device that is not there, and one in a shared group" {
	spec 'devices: [{id: x, bdf: "0000:99:00.0"}]'
	expect 3 plan --sysroot "$machine" "$spec"
	has "$errors" 0000:99:00.0
	spec 'devices: [{id: x, bdf: "0000:85:00.0"}]'
	expect 5 plan --sysroot "$machine" "$spec"
	has "$errors" 0000:85:00.0 0000:86:00.0
}

@test "a device in use names its holder" {
	spec 'devices: [{id: x, bdf: "0000:21:00.0"}]'
	expect 6 plan --sysroot "$sysroots/2n-2igb-2nvme-1sw-busy.sysroot" "$spec"
	has "$errors" 0000:21:00.0 "is up"
}

@test "a machine without IOMMU gets no device" {
	spec 'devices: [{id: nic, vf: {class: net}}]'
	expect 5 plan --sysroot "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot" "$spec"
	has "$errors" IOMMU
}

@test "a spec that is wrong names file, line and column" {
	spec 'cpu: 4'
	expect 2 plan --sysroot "$machine" "$spec"
	has "$errors" vm.yaml:5: cpu
	expect 2 --json plan --sysroot "$machine" "$spec"
	jq -e .error.code <<<"$errors" >/dev/null
	expect 3 plan --sysroot "$machine" "$BATS_TEST_TMPDIR/nothing.yaml"
}

@test "an allowance that is no list or size" {
	spec
	expect 2 plan --cpus 3-1 --sysroot "$machine" "$spec"
	has "$errors" 3-1
	expect 2 plan --memory lots --sysroot "$machine" "$spec"
	has "$errors" lots
}

@test "an allowance keeps the guest on its CPUs" {
	spec
	for cpus in 2-3 5-6; do
		expect 0 plan --json --cpus "$cpus" --sysroot "$machine" "$spec"
		host=$(jq '.vcpus[0].host_cpu' <<<"$output")
		[[ $host -ge ${cpus%-*} && $host -le ${cpus#*-} ]]
	done
}
