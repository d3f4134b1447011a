#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What verbs say of VMs on disk: damaged ones, leases left alone, a /run kept over a reboot.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

# put FILE TEXT: a file of the host in $host
put() {
	mkdir -p "$(dirname "$host/$1")"
	printf '%s\n' "$2" >"$host/$1"
}

setup() {
	host=$BATS_TEST_TMPDIR/host
	put proc/sys/kernel/random/boot_id this
	put run/carve/boot_id this
	put run/carve/vm/broken/journal nonsense
	mkdir -p "$host/run/carve/vm/early/vmm" "$host/run/carve/vm/Not.a-name"
	put run/carve/leases/orphan.json '{}'
}

@test "list shows a damaged VM and a half-made one, and goes on" {
	expect 0 list --sysroot "$host"
	[[ $(grep -cE '^(broken|early) +partial' <<<"$output") == 2 ]]
	has "$errors" broken "damaged journal"
	expect 0 --json list --sysroot "$host"
	[[ $(jq -r '[.vms[] | .name, .state] | join(" ")' <<<"$output") == "broken partial early partial" ]]
}

@test "recover names what there is, and refuses what there is not" {
	expect 0 recover --dry-run --sysroot "$host"
	has "$output" "broken: cannot be undone" "early: would be undone" \
		"orphan: lease without a VM, would be dropped"
	expect 0 recover orphan --dry-run --sysroot "$host"
	[[ $output == "orphan: lease without a VM, would be dropped" ]]
	expect 3 recover orphann --dry-run --sysroot "$host"
	has "$errors" orphann
}

@test "VMs of an earlier boot are not there, until recover drops them" {
	put proc/sys/kernel/random/boot_id other
	expect 0 list --sysroot "$host"
	[[ $output == "no VMs" ]]
	expect 3 show early --sysroot "$host"
	expect 0 recover --dry-run --sysroot "$host"
	has "$output" "early: of an earlier boot, would be dropped" \
		"orphan: of an earlier boot, would be dropped"
	expect 0 recover early --dry-run --sysroot "$host"
	expect 3 recover typo --dry-run --sysroot "$host"
	[[ -e $host/run/carve/vm/early ]]
}
