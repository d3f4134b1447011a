#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# carve diff: of manifests, plans and VMs; what it tells, and what it refuses.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

# put FILE TEXT: a file of the host in $host
put() {
	mkdir -p "$(dirname "$host/$1")"
	printf '%s\n' "$2" >"$host/$1"
}

# manifest FILE BIOS [JQ]: a manifest around the plan of a real machine, changed by a filter
manifest() {
	jq --arg bios "$2" '{carve_manifest: 1, time: now, name: .name,
		host: {kernel: "6.12", firmware: {bios_version: $bios}},
		devices: [{bdf: "0000:81:00.0", link: {width: 8}}, {bdf: "0000:21:00.0", link: {width: 4}}],
		plan: .} | '"${3:-.}" "$dir/plan.json" >"$1"
}

setup() {
	dir=$BATS_TEST_TMPDIR
	host=$dir/host
	put proc/sys/kernel/random/boot_id this
	put run/carve/boot_id this
	mkdir -p "$host/run/carve/vm/vm1/vmm" "$host/run/carve/vm/early/vmm"
	printf 'name: vm1\ncpus: 2\nmemory: 512M\nnodes: [0]\nboot: {kernel: /k}\n' >"$dir/vm1.yaml"
	expect 0 plan --json "$dir/vm1.yaml" --sysroot "$sysroots/2n-2igb-2nvme-1sw.sysroot"
	echo "$output" >"$dir/plan.json"
	manifest "$dir/a.json" 2.7b
	cp "$dir/a.json" "$host/run/carve/vm/vm1/manifest.json"
}

@test "a manifest with itself" {
	expect 0 diff "$dir/a.json" "$dir/a.json"
	[[ $output == identical ]]
	expect 0 diff "$dir/a.json" "$dir/a.json" --json
	[[ $(jq -c '[.carve_diff, .differences]' <<<"$output") == "[1,[]]" ]]
	# when it was is no difference
	manifest "$dir/b.json" 2.7b '.time += 99'
	expect 0 diff "$dir/a.json" "$dir/b.json"
}

@test "firmware, a link and a pin that are others" {
	manifest "$dir/b.json" 2.8 '.devices |= reverse | .devices[1].link.width = 2
		| .plan.vcpus[1].host_cpu = 77 | .plan.reasons = []'
	expect 1 diff "$dir/a.json" "$dir/b.json"
	pin=$(jq '.vcpus[1].host_cpu' "$dir/plan.json")
	[[ $output == "host.firmware.bios_version: 2.7b -> 2.8
devices[0000:81:00.0].link.width: 8 -> 2
plan.vcpus[1].host_cpu: $pin -> 77" ]]
	expect 1 diff "$dir/b.json" "$dir/a.json" --json
	[[ $(jq -c '.differences[0]' <<<"$output") == \
		'{"path":"host.firmware.bios_version","old":"2.8","new":"2.7b"}' ]]
	[[ $(jq '.differences | length' <<<"$output") == 3 ]]
}

@test "a device that is no longer there" {
	manifest "$dir/b.json" 2.7b '.devices |= .[:1]'
	expect 1 diff "$dir/a.json" "$dir/b.json"
	[[ $output == 'devices[0000:21:00.0]: {"bdf":"0000:21:00.0","link":{"width":4}} -> (not there)' ]]
	expect 1 diff "$dir/b.json" "$dir/a.json" --json
	[[ $(jq -c '.differences[0] | keys' <<<"$output") == '["new","path"]' ]]
}

@test "a VM by its name, with a file" {
	expect 0 diff vm1 "$dir/a.json" --sysroot "$host"
	manifest "$dir/b.json" 3
	expect 1 diff vm1 "$dir/b.json" --sysroot "$host"
	[[ $output == "host.firmware.bios_version: 2.7b -> 3" ]]
	# of an earlier boot it is no VM any more
	put proc/sys/kernel/random/boot_id other
	expect 3 diff vm1 "$dir/a.json" --sysroot "$host"
	has "$errors" vm1 "no VM and no file"
}

@test "plans, and a plan with a manifest" {
	sed 's/cpus: 2/cpus: 3/' "$dir/vm1.yaml" >"$dir/more.yaml"
	expect 0 plan --json "$dir/more.yaml" --sysroot "$sysroots/2n-2igb-2nvme-1sw.sysroot"
	echo "$output" >"$dir/more.json"
	expect 0 diff "$dir/plan.json" "$dir/plan.json"
	expect 0 diff "$dir/plan.json" "$dir/a.json"
	expect 1 diff "$dir/a.json" "$dir/more.json"
	has "$output" "topology.cores: 2 -> 3" "vcpus[2]: (not there) -> "
	has_not "$output" '^(plan\.|host\.|devices|reasons|rejected)'
}

@test "what cannot be compared is named" {
	expect 3 diff "$dir/a.json" nowhere
	has "$errors" nowhere "carve list" /var/lib/carve/runs
	expect 3 diff early "$dir/a.json" --sysroot "$host"
	has "$errors" early/manifest.json "carve show early"
	echo '{"carve_topo": 1}' >"$dir/x.json"
	expect 2 diff "$dir/a.json" "$dir/x.json"
	has "$errors" x.json carve_manifest carve_plan
	echo '{"carve_manifest": 2}' >"$dir/x.json"
	expect 2 diff "$dir/x.json" "$dir/a.json"
	has "$errors" x.json newer
	echo '{"carve_manifest": 1' >"$dir/x.json"
	expect 2 diff "$dir/x.json" "$dir/a.json"
	has "$errors" x.json:
	expect 2 diff "$dir/a.json"
	has "$errors" missing
}
