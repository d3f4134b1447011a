#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# carve certify: what is refused before a guest is looked at, and limits in a plan.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

setup() {
	machine=$sysroots/2n-2igb-2nvme-1sw.sysroot
}

@test "no such guest" {
	expect 3 certify no-such-guest
	has "$errors" no-such-guest
	expect 3 certify no-such-guest --json
	[[ $(jq -r .error.object <<<"$errors") == no-such-guest ]]
	[[ -z $output ]]
}

@test "a captured machine runs nothing" {
	expect 2 certify g --sysroot "$machine"
}

@test "a duration that is none" {
	for seconds in 0 3601 x -1 1.5 ""; do
		expect 2 certify no-such-guest --duration "$seconds"
	done
	expect 2 certify no-such-guest --duration 0
	has "$errors" "0 s" "1 to 3600"
}

@test "a limit that is none" {
	expect 2 certify g extra
	for limit in exits=5 exits_per_second exits_per_second= exits_per_second=x off_core=101% page_leaf=3M =5; do
		expect 2 certify no-such-guest --limit "$limit"
		has "$errors" "no limit"
	done
}

@test "limits of a spec are in its plan" {
	spec=$BATS_TEST_TMPDIR/g.yaml
	printf '%s\n' "name: g" "cpus: 1" "memory: 512M" "limits: {page_leaf: 2M, off_core: 0.25 %}" \
		"boot: {kernel: /k}" >"$spec"
	expect 0 plan "$spec" --json --sysroot "$machine"
	[[ $(jq -c .limits <<<"$output") == '{"off_core_ppm":2500,"page_leaf":2097152}' ]]
	sed -i 's/2M,/3M,/' "$spec"
	expect 2 plan "$spec" --sysroot "$machine"
	has "$errors" "g.yaml:4:21" 3M "4K, 2M or 1G"
}
