#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# audit on captured machines. CARVE_GOLDEN_UPDATE=1 writes the golden files anew.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

plain=$sysroots/2n-2igb-2nvme-1sw.sysroot

@test "audit --json of each machine equals its golden file, and the exit code is its verdict" {
	for machine in $(machines); do
		file=$golden/audit-$(basename "$machine" .sysroot).json
		wanted=$(jq '[.summary.fail, 1] | min' "$file" 2>/dev/null || echo 0)
		expect "$wanted" audit --json --sysroot "$machine" || [[ -n ${CARVE_GOLDEN_UPDATE:-} ]]
		same_json "$file" "$output"
	done
}

@test "a machine without IOMMU fails the audit, and the table says what to do" {
	expect 1 audit --sysroot "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot"
	has "$output" VERDICT iommu fail "fix:" intel_iommu=on
	expect 1 audit --problems --sysroot "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot"
	has_not "$output" '^pass'
}

@test "the audit of a snapshot is the audit of the machine" {
	for machine in $(machines); do
		copy=$BATS_TEST_TMPDIR/$(basename "$machine")
		again=$copy.again
		expect 0 snapshot "$copy" --sysroot "$machine"
		expect 0 snapshot "$again" --sysroot "$copy"
		for intent in isolate p2p; do
			first=$("$carve" audit --json --intent $intent --sysroot "$machine" || true)
			[[ -n $first ]]
			diff <(echo "$first") \
				<("$carve" audit --json --intent $intent --sysroot "$copy")
			diff <(echo "$first") \
				<("$carve" audit --json --intent $intent --sysroot "$again")
		done
	done
}

@test "a switch without ACS fails --intent isolate, naming its ports; --intent p2p does not mind" {
	expect 1 audit --json --sysroot "$plain"
	[[ $(jq -r '[.findings[] | select(.check == "acs" and .verdict == "fail")][0].object' \
		<<<"$output") == 0000:8* ]]
	expect 0 audit --json --intent p2p --sysroot "$plain"
	[[ $(jq '[.findings[] | select(.check == "acs")] | length' <<<"$output") == 0 ]]
	[[ $(jq '[.findings[] | select(.check == "acs-p2p")] | length' <<<"$output") -gt 0 ]]
}

@test "--intent takes two words only" {
	expect 2 audit --intent both --sysroot "$plain"
	has "$errors" "--intent" both "isolate p2p"
	expect 2 audit --intent
}

@test "--fix-plan prints each change of the JSON, and nothing else than comments besides" {
	for machine in $(machines); do
		json=$("$carve" audit --json --sysroot "$machine" || true)
		wanted=$(jq '[.summary.fail, 1] | min' <<<"$json")
		expect "$wanted" audit --fix-plan --sysroot "$machine"
		while IFS= read -r value; do
			has "$output" "$value"
		done < <(jq -r '.findings[].change | select(. != null and .how != "cmdline").value' \
			<<<"$json")
		while IFS= read -r path; do
			has "$output" "> $path"
		done < <(jq -r '.findings[].change | select(. != null and .how == "write").path' \
			<<<"$json")
		[[ $(grep -c '^# add to the kernel command line' <<<"$output") -le 1 ]]
	done
}

@test "each finding says what, its effect and, unless it passes, what to do" {
	for machine in $(machines); do
		json=$("$carve" audit --json --sysroot "$machine" || true)
		[[ $(jq '[.findings[] | select(.evidence == "" or .effect == "" or
			((.fix == "") != (.verdict == "pass")))] | length' <<<"$json") == 0 ]]
	done
}
