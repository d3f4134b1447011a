#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What carve plan prints for other programs: those programs read it. What-if, drawings, and that
# planning writes nothing.

# shellcheck disable=SC2154 # from carve.bash
# shellcheck disable=SC2030,SC2031 # each test is a process of its own

load carve.bash

setup() {
	machine=$sysroots/2n-2igb-2nvme-1sw-smt.sysroot
	spec=$BATS_TEST_TMPDIR/a.yaml
	other=$BATS_TEST_TMPDIR/b.yaml
	file=$BATS_TEST_TMPDIR/projection
	cat >"$spec" <<-'SPEC'
		name: a
		cpus: 1
		memory: 512M
		devices: [{id: nic, vf: {class: net}}, {id: disk, vf: {class: nvme}, near: nic}]
		boot: {kernel: /boot/vmlinuz, cmdline: "a='b c' console=ttyS0"}
	SPEC
	cat >"$other" <<-'SPEC'
		name: b
		cpus: 1
		memory: 512M
		boot: {kernel: /boot/vmlinuz}
	SPEC
}

needs() {
	command -v "$1" >/dev/null || {
		echo "SKIP: no $1: scripts/install-deps check" >&2
		skip "no $1: scripts/install-deps check"
	}
}

# project FORMAT [ARG...]: the projection of the first spec, in $file
project() {
	local format=$1

	shift
	expect 0 plan --from "$machine" --format "$format" "$spec" "$@"
	printf '%s\n' "$output" >"$file"
}

# plan_json FILTER: of the first spec's plan
plan_json() {
	"$carve" plan --json --from "$machine" "$spec" | jq -r "$1"
}

# made NAME: a machine of tests/machines as a snapshot, in $machine
made() {
	local make
	make=$(dirname "$carve")/../tests/unit/make-machine

	[[ -x $make ]] || skip "no $make: meson compile -C $(dirname "$carve")/.. make-machine"
	machine=$BATS_TEST_TMPDIR/$1.sysroot
	"$make" "$root/tests/machines/$1.machine" "$machine"
}

@test "libvirt's own schema takes the domain" {
	local schema=/usr/share/libvirt/schemas/domain.rng

	needs xmllint
	[[ -r $schema ]] || skip "no $schema: scripts/install-deps check"
	project libvirt
	xmllint --noout --relaxng "$schema" "$file"
	[[ $(xmllint --xpath 'count(//hostdev)' "$file") == 2 ]]
	[[ $(xmllint --xpath 'string(//vcpupin[@vcpu=1]/@cpuset)' "$file") == \
		$(plan_json '.vcpus[1].host_cpu') ]]
	made dgx-h100
	spec=$root/examples/hgx.yaml
	project libvirt
	xmllint --noout --relaxng "$schema" "$file"
	[[ $(xmllint --xpath 'count(//hostdev)' "$file") == 16 ]]
	[[ $(xmllint --xpath 'count(//controller[@model="pcie-switch-upstream-port"])' "$file") == 8 ]]
}

@test "a device's controller leads up to the host bridge of its node" {
	needs xmllint
	made dgx-h100
	spec=$root/examples/hgx.yaml
	project libvirt
	for gpu in 0 7; do
		index=$(xmllint --xpath "string(//hostdev[alias/@name='ua-gpu$gpu']/address/@bus)" "$file")
		while model=$(xmllint --xpath "string(//controller[@type='pci'][@index=$((index))]/@model)" \
			"$file") && [[ $model != pcie-expander-bus ]]; do
			[[ -n $model ]]
			index=$(xmllint --xpath \
				"string(//controller[@type='pci'][@index=$((index))]/address/@bus)" "$file")
		done
		node=$(xmllint --xpath \
			"string(//controller[@type='pci'][@index=$((index))]/target/node)" "$file")
		[[ $node == "$(plan_json ".devices[] | select(.id == \"gpu$gpu\").node")" ]]
	done
}

# hwloc_count TYPE: objects of the file
hwloc_count() {
	lstopo-no-graphics -i "$file" --of xml | grep -c "type=\"$1\""
}

@test "hwloc reads the guest that was planned" {
	needs lstopo-no-graphics
	project hwloc
	[[ $(hwloc_count PU) == $(plan_json '.vcpus | length') ]]
	[[ $(hwloc_count Core) == $(plan_json '[.vcpus[].core] | unique | length') ]]
	[[ $(hwloc_count L3Cache) == $(plan_json '[.vcpus[].l3] | unique | length') ]]
	[[ $(hwloc_count NUMANode) == $(plan_json '.nodes | length') ]]
	[[ $(hwloc_count PCIDev) == $(plan_json '.devices | length') ]]
	# the plain parser of hwloc, without libxml2, takes it too
	[[ $(HWLOC_LIBXML=0 hwloc_count PU) == $(plan_json '.vcpus | length') ]]
}

@test "hwloc finds each device of a large guest on its node" {
	needs hwloc-calc
	made dgx-h100
	spec=$root/examples/hgx.yaml
	project hwloc
	while read -r bdf node; do
		[[ $(hwloc-calc -i "$file" --physical -I numanode "pci=$bdf") == "$node" ]]
	done < <(plan_json '.devices[] | "\(.guest) \(.node)"')
	[[ $(hwloc_count PU) == $(plan_json '.vcpus | length') ]]
}

@test "NCCL's file has the GPUs and NICs by guest address, below their switch" {
	needs xmllint
	project nccl
	xmllint --noout "$file"
	[[ $(xmllint --xpath 'count(//pci)' "$file") == 1 ]] # the NIC, and no NVMe
	made dgx-h100
	spec=$root/examples/hgx.yaml
	project nccl
	[[ $(xmllint --xpath 'count(//cpu)' "$file") == 2 ]]
	[[ $(xmllint --xpath 'count(//pci[@class="0x060400"])' "$file") == 8 ]]
	for i in 0 3 7; do
		gpu=$(plan_json ".devices[] | select(.id == \"gpu$i\").guest")
		nic=$(plan_json ".devices[] | select(.id == \"ib$i\").guest")
		[[ $(xmllint --xpath "count(//pci[pci/@busid='$gpu'][pci/@busid='$nic'])" "$file") == 1 ]]
	done
	! grep -E '<(gpu|net|nic)' "$file" || return 1
}

@test "a shell reads the QEMU command line as it was planned" {
	expect 0 plan --from "$machine" --format qemu "$spec" "$other"
	has "$output" "# guest a" "# guest b"
	project qemu
	eval "words=($(sed 's/ \\$//' "$file"))"
	[[ ${words[0]} == /usr/bin/qemu-system-x86_64 ]]
	for ((i = 0; i < ${#words[@]}; i++)); do
		[[ ${words[i]} != -append ]] || appended=${words[i + 1]}
	done
	[[ $appended == "a='b c' console=ttyS0" ]]
}

# QEMU ends memory below 4 GiB, and places BARs, where carve-vmm does not.
@test "a projection for QEMU is of the plan that QEMU would run" {
	echo "backend: qemu" | cat "$spec" - >"$other"
	for format in qemu libvirt; do
		project "$format"
		expect 0 plan --from "$machine" --format "$format" "$other"
		diff "$file" - <<<"$output"
	done
	[[ $(plan_json .backend) == native ]]
}

@test "words for kernel command lines, with reasons" {
	expect 0 plan --from "$machine" --format cmdline "$spec" "$other"
	has "$output" nohz_full= "hugepagesz=2M hugepages=" "# guest a" "# guest b" nopvspin
	has_not "$output" '^[^#].*#'
	expect 0 plan --from "$machine" --format cmdline --guest b "$spec" "$other"
	has_not "$output" "guest a"
}

@test "an XML file is of one guest" {
	for format in libvirt nccl hwloc; do
		expect 2 plan --from "$machine" --format "$format" "$spec" "$other"
		has "$errors" "2 specs: a b" "--guest NAME"
		expect 0 plan --from "$machine" --format "$format" --guest b "$spec" "$other"
	done
	expect 3 plan --from "$machine" --format nccl --guest c "$spec" "$other"
	has "$errors" "found:  c" "one of: a b"
	expect 0 plan --json --from "$machine" --guest b "$spec" "$other"
	[[ $(jq -r .name <<<"$output") == b ]]
}

@test "a format or form that is not there is named, with those that are" {
	expect 2 plan --from "$machine" --format xml "$spec"
	has "$errors" --format "found:  xml" "one of: json qemu libvirt nccl hwloc cmdline"
	expect 2 plan --from "$machine" --draw png "$spec"
	has "$errors" --draw "found:  png" "one of: text svg"
	expect 2 plan --from "$machine" --draw
	expect 2 plan --json --from "$machine" --format qemu "$spec"
	has "$errors" TWO_FORMS
	expect 2 plan --from "$machine" --draw text --format qemu "$spec"
	has "$errors" "one form"
	expect 0 plan --json --from "$machine" --format json "$spec"
}

@test "--from is --sysroot" {
	expect 0 plan --json --from "$machine" "$spec"
	first=$output
	expect 0 plan --json --sysroot "$machine" "$spec"
	[[ $output == "$first" ]]
	expect 0 plan --format json --from="$machine" "$spec"
	[[ $output == "$first" ]]
}

@test "what-if changes the plan, each one given" {
	expect 0 plan --json --from "$machine" "$spec"
	before=$(jq -c '[.nodes[0].host_node, (.vcpus | length), .nodes[0].memory]' <<<"$output")
	expect 0 plan --json --from "$machine" --what-if nodes=1 --what-if smt=one-per-core \
		--what-if memory=1G "$spec"
	[[ $(jq -c '[.nodes[0].host_node, (.vcpus | length), .nodes[0].memory]' <<<"$output") == \
		"[1,1,1073741824]" ]]
	[[ $before != "[1,1,1073741824]" ]]
	expect 5 plan --from "$machine" --what-if housekeeping=2 "$spec"
	expect 5 plan --from "$machine" --what-if intremap=off "$spec"
	expect 0 plan --from "$machine" --what-if intremap=off --what-if intremap=on "$spec"
	expect 0 plan --json --from "$machine" "$spec"
	[[ $(jq -c '[.nodes[0].host_node, (.vcpus | length), .nodes[0].memory]' <<<"$output") == \
		"$before" ]]
}

@test "a device in use is planned with what-if, and only then" {
	machine=$sysroots/2n-2igb-2nvme-1sw-busy.sysroot
	sed -i 's/^devices:.*/devices: [{id: nic, bdf: "0000:21:00.0"}]/' "$spec"
	expect 6 plan --from "$machine" "$spec"
	expect 0 plan --from "$machine" --what-if device.0000:21:00.0.holder=none "$spec"
}

@test "a what-if that makes no sense" {
	expect 2 plan --from "$machine" --what-if cpu=4 "$spec"
	has "$errors" "no such key" "found:  cpu" page_size device.BDF.node
	expect 2 plan --from "$machine" --what-if memory=much "$spec"
	has "$errors" memory=much "a size"
	expect 2 plan --from "$machine" --what-if device.0000:99:00.0.node=1 "$spec"
	has "$errors" "carve topo"
}

@test "drawings show every guest and device" {
	needs xmllint
	expect 0 plan --from "$machine" --draw text "$spec" "$other"
	has "$output" "A  a: 1 core" "B  b: 1 core" "[hA" "-> nic at" "-> disk at" \
		"$(plan_json '.devices[0].host')"
	expect 0 plan --from "$machine" --draw svg "$spec" "$other"
	printf '%s\n' "$output" >"$file"
	xmllint --noout "$file"
	[[ $(xmllint --xpath 'count(//*[local-name()="rect"][*[local-name()="title"]])' "$file") -ge \
		$("$carve" topo --json --sysroot "$machine" | jq '[.cpus[].core] | unique | length') ]]
	made dgx-h100
	expect 0 plan --from "$machine" --draw text "$root/examples/hgx.yaml"
	has "$output" "2 packages, 2 nodes, 112 cores, 224 CPUs" "-> gpu7 at" "-> ib7 at"
	[[ $(grep -c ' switch, root port ' <<<"$output") == 8 ]]
	[[ $(wc -l <<<"$output") -le 60 ]]
	[[ $(wc -L <<<"$output") -le 100 ]]
}

@test "CPUs and memory of an hwloc file" {
	needs lstopo-no-graphics
	lstopo-no-graphics -i "package:2 numa:2 l3:1 core:4 pu:2" --of xml >"$file"
	expect 0 topo --json --hwloc-xml "$file"
	[[ $(jq '.cpus | length' <<<"$output") == 32 ]]
	[[ $(jq '.nodes | length' <<<"$output") == 4 ]]
	[[ $(jq '.devices | length' <<<"$output") == 0 ]]
	expect 0 topo --json --hwloc-xml "$file" --sysroot "$machine"
	[[ $(jq '.cpus | length' <<<"$output") == 32 ]]
	[[ $(jq '.devices | length' <<<"$output") -gt 4 ]]
	sed -i 's/^memory:.*/memory: 256M/; s/^cpus:.*/cpus: 3/' "$other"
	expect 0 plan --json --hwloc-xml "$file" --what-if node.2.pages.2M=128 --what-if nodes=2 "$other"
	[[ $(jq -c '[.nodes[0].host_node, (.vcpus | length)]' <<<"$output") == "[2,6]" ]]
	expect 5 plan --hwloc-xml "$file" --what-if cpus=4 "$other"
	expect 3 plan --hwloc-xml "$BATS_TEST_TMPDIR/nothing" "$other"
	echo "<topology" >"$file"
	expect 2 plan --hwloc-xml "$file" "$other"
}

@test "the examples of several guests and of large machines are planned" {
	expect 0 plan --from "$machine" "$root/examples/pair-a.yaml" "$root/examples/pair-b.yaml"
	made dgx-h100
	expect 0 plan --from "$machine" "$root/examples/hgx.yaml"
	made dgx-a100
	expect 0 plan --json --from "$machine" "$root/examples/p2p.yaml"
	[[ $(jq -c '[.devices[].clique] | unique' <<<"$output") == "[0]" ]]
}

# writes TRACE: system calls that change a file or more, but for the private copy of a manifest
writes() {
	grep -E 'O_(WRONLY|RDWR|CREAT|TRUNC)|^[0-9]+ +(mkdir|rmdir|unlink|rename|link|symlink|chmod|fchmod|chown|fchown|truncate|ftruncate|utime|mknod|mount|umount|setxattr|write|pwrite)' "$1" |
		grep -vE '/carve-sysroot-|"/dev/null"|write\([12]<|write\([0-9]+<(pipe|UNIX)|^[0-9]+ +<'
}

@test "planning writes nothing but its answer" {
	needs strace
	for from in --from="$machine" --from=/; do
		for format in --explain --format=nccl --draw=svg; do
			ASAN_OPTIONS=detect_leaks=0 strace -f -y -o "$file" \
				-e trace=%file,write,pwrite64,writev,ftruncate,fchmod,fchown,mount \
				"$carve" plan "$from" "$format" "$other" >/dev/null 2>&1 || [[ $from == *=/ ]]
			grep -q openat "$file" # there is a trace to judge
			! writes "$file" || return 1
		done
	done
}
