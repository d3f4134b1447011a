#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# topo and snapshot on captured machines; audit.bats has the audit. CARVE_GOLDEN_UPDATE=1 writes the golden files anew.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

@test "topo --json of each machine equals its golden file" {
	for machine in $(machines); do
		expect 0 topo --json --sysroot "$machine"
		same_json "$golden/topo-$(basename "$machine" .sysroot).json" \
			"$(without_names <<<"$output")"
	done
}

@test "topo draws packages, nodes, cores, bridges, switches and devices" {
	expect 0 topo --sysroot "$sysroots/2n-2igb-2nvme-1sw.sysroot"
	has "$output" OBJECT "package 1" "node 1" "L3 1" "core 7: CPU 7" "host bridge pci0000:80" \
		"root port" "switch upstream port, level 1" "switch downstream port, level 1" \
		"0/7" "0/4" "node unknown" "ACS SV RR CR UF" nvme igb
	# a device whose node nobody knows has "-", never 0
	grep -qE '0000:00:12.0 other +- ' <<<"$output"
}

@test "topo --matrix is laid out as nvidia-smi topo -m, with a legend" {
	machine=$sysroots/2n-2igb-2nvme-1sw.sysroot
	expect 0 topo --matrix --sysroot "$machine"
	has "$output" NIC0 NVME1 "CPU AFFINITY" "NUMA NODE" "PHB   a PCIe host bridge" \
		"NIC0  0000:21:00.0"
	grep -qE '^NIC0 +X +SYS +SYS +SYS +0-3 +0$' <<<"$output"
	grep -qE '^NIC1 +SYS +X +PHB +PHB +4-7 +1$' <<<"$output"
}

@test "topo --matrix --json: the distances are symmetric and those of the table" {
	for machine in $(machines); do
		expect 0 topo --json --sysroot "$machine"
		[[ $(jq 'has("distances")' <<<"$output") == false ]]
		expect 0 topo --matrix --json --sysroot "$machine"
		matrix=$(jq -c '[.distances[].classes]' <<<"$output")
		[[ $(jq 'length > 2 and . == transpose' <<<"$matrix") == true ]]
		[[ $(jq -r '[range(length) as $i | .[$i][$i]] | unique[]' <<<"$matrix") == X ]]
	done
}

@test "topo shows siblings of a core, VFs below their PF, and who holds a device" {
	expect 0 topo --sysroot "$sysroots/2n-2igb-2nvme-1sw-smt.sysroot"
	has "$output" "core 0: CPU 0-1"
	expect 0 topo --sysroot "$sysroots/2n-2igb-2nvme-1sw-busy.sysroot"
	has "$output" "3/7" " VF 2" "mounted on /mnt" "is up with" "2M pages: 64 free of 64"
}

@test "topo --cpus-only and --devices-only show their half" {
	machine=$sysroots/2n-2igb-2nvme-1sw.sysroot
	expect 0 topo --cpus-only --sysroot "$machine"
	has "$output" "core 0"
	has_not "$output" 'host bridge'
	expect 0 topo --devices-only --sysroot "$machine"
	has "$output" "host bridge pci0000:80" "node unknown"
	has_not "$output" 'core 0'
}

@test "a snapshot of a snapshot is the same machine" {
	for machine in $(machines); do
		copy=$BATS_TEST_TMPDIR/$(basename "$machine")
		expect 0 snapshot "$copy" --sysroot "$machine"
		expect 0 topo --json --sysroot "$machine"
		first=$output
		expect 0 topo --json --sysroot "$copy"
		[[ $output == "$first" ]]
	done
}

@test "snapshot of this host: topo of it is that of the host; never over an older one" {
	expect 0 snapshot "$BATS_TEST_TMPDIR/here"
	expect 0 topo --json
	# memory comes and goes between the two
	first=$(jq 'del(.nodes[] | .mem_free, .obtainable)' <<<"$output")
	expect 0 topo --json --sysroot "$BATS_TEST_TMPDIR/here"
	diff <(echo "$first") <(jq 'del(.nodes[] | .mem_free, .obtainable)' <<<"$output")
	expect 1 snapshot "$BATS_TEST_TMPDIR/here"
	has "$errors" manifest.sysroot
}

@test "a snapshot holds no arguments of processes and nothing of proc but what is listed" {
	expect 0 snapshot "$BATS_TEST_TMPDIR/here"
	manifest=$(<"$BATS_TEST_TMPDIR/here/manifest.sysroot")
	has_not "$manifest" '^. proc/[0-9]+/(cmdline|environ|maps)'
	files=$(grep -E '^f proc/[0-9]+/' <<<"$manifest" | cut -d' ' -f2)
	has_not "$(grep -vE '/(comm|mountinfo)$' <<<"$files")" .
}
