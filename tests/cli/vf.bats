#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# VFs by the operator: what there is, what would be done, and what is refused before anything is
# written.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

setup() {
	idle=$sysroots/2n-2igb-2nvme-1sw.sysroot
	busy=$sysroots/2n-2igb-2nvme-1sw-busy.sysroot # 0000:81:00.0 has 3 VFs
	host=$BATS_TEST_TMPDIR/host.sysroot
}

# with MACHINE PATH TEXT...: a copy of the machine, in $host, that has these files as well
with() {
	cp "$1" "$host"
	shift
	while (($#)); do
		printf 'f %s %s\n' "$1" "$(jq -n --arg text "$2" '$text')" >>"$host"
		shift 2
	done
}

lease() {
	jq -cn --arg name "$1" --arg bdf "$2" '{carve_lease: 1, name: $name,
		owner: {uid: 1000, user: "alice", job: "4711",
			boot_id: "de3ad01e-f819-49b4-9490-da3ec3b76c32"},
		since: 1700000000, cpus: "1", devices: [$bdf], pages: []}'
}

# steps: kind, object and value of each, from the output of --dry-run --json
steps() {
	jq -r '.steps[] | "\(.kind) \(.object) \(.value)"' <<<"$output"
}

# refused STATUS WORD... -- ARG...: a dry run with all words in its message, and nothing printed
refused() {
	local status=$1 words=()

	shift
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	expect "$status" "$@" --dry-run
	[[ -z $output ]]
	has "$errors" "${words[@]}"
}

@test "PFs and their VFs" {
	expect 0 vf list --sysroot "$busy"
	has "$output" 0000:21:00.0 "0 of 7" 0000:81:00.0 "3 of 7" 0000:81:10.4 "is up with an address"
	expect 0 vf list 81:00.0 --sysroot "$busy" --json
	[[ $(jq -r '.pfs[] | "\(.bdf) \(.count) \(.total) \(.autoprobe) \(.switchdev)"' <<<"$output") == \
		"0000:81:00.0 3 7 false false" ]]
	[[ $(jq -r '.pfs[0].vfs[] | "\(.index) \(.bdf) \(.group) \(.settings)"' <<<"$output") == \
		$'0 0000:81:10.0 19 null\n1 0000:81:10.2 20 null\n2 0000:81:10.4 21 null' ]]
}

@test "a leased VF is told with its lease" {
	with "$busy" run/carve/leases/vm0.json "$(lease vm0 0000:81:10.2)"
	expect 0 vf list --sysroot "$host" --json
	[[ $(jq -r '.pfs[].vfs[] | select(.lease) | "\(.bdf) \(.lease)"' <<<"$output") == \
		"0000:81:10.2 vm0" ]]
}

@test "create: no host driver for new VFs, then the count" {
	expect 0 vf create 21:00.0 4 --sysroot "$idle" --dry-run --json
	[[ $(steps) == "attr /sys/bus/pci/devices/0000:21:00.0/sriov_drivers_autoprobe 0
numvfs-set 0000:21:00.0 4" ]]
	expect 0 vf create 21:00.0 all --driver-autoprobe --sysroot "$idle" --dry-run --json
	[[ $(steps) == "numvfs-set 0000:21:00.0 7" ]]
}

@test "create: the count that is there is left alone, another one goes through 0" {
	expect 0 vf create 81:00.0 3 --sysroot "$busy" --dry-run
	[[ $output == "0000:81:00.0: 3 VFs, nothing to change" ]]
	expect 0 vf create 81:00.0 5 --sysroot "$busy" --dry-run --json
	[[ $(steps) == "numvfs-set 0000:81:00.0 5 replace" ]]
}

@test "what a killed create left is no success" {
	with "$busy" run/carve/operations/vf-0000-81-00-0/journal ""
	refused 6 "not finished" "carve recover vf-0000-81-00-0" -- vf create 81:00.0 3 --sysroot "$host"
}

@test "destroy" {
	expect 0 vf destroy 21:00.0 --sysroot "$busy" --dry-run
	has "$output" "nothing to change"
	expect 0 vf destroy 81:00.0 --sysroot "$busy" --dry-run --json
	[[ $(steps) == "numvfs-set 0000:81:00.0 0 replace
attr /sys/bus/pci/devices/0000:81:00.0/sriov_drivers_autoprobe 1" ]]
}

@test "a VF in use is not pulled away" {
	with "$busy" run/carve/leases/vm0.json "$(lease vm0 0000:81:10.2)"
	refused 6 "leased by vm0, user alice, job 4711" 0000:81:10.2 -- \
		vf destroy 81:00.0 --sysroot "$host"
	refused 6 "leased by vm0" -- vf create 81:00.0 7 --sysroot "$host"
	refused 6 "lease of vm0" "carve stop vm0" -- vf set 81:10.2 vlan=7 --sysroot "$host"
	expect 0 vf create 81:00.0 3 --sysroot "$host" --dry-run
	expect 0 vf set 81:00.0/0 vlan=7 --sysroot "$host" --dry-run
}

@test "set: not while its PF is being changed" {
	with "$busy" run/carve/leases/vf-0000-81-00-0.json \
		"$(lease vf-0000-81-00-0 0000:81:00.0 | jq -c '.cpus = ""')"
	refused 6 "lease of vf-0000-81-00-0" "carve recover vf-0000-81-00-0" -- \
		vf set 81:10.2 vlan=7 --sysroot "$host"
}

@test "set: not what somebody took without a lease" {
	with "$busy"
	echo 'l sys/devices/pci0000:80/0000:80:00.0/0000:81:10.2/driver ../../../../bus/pci/drivers/vfio-pci' >>"$host"
	refused 6 "in use" "bound to vfio-pci" -- vf set 81:10.2 vlan=7 --sysroot "$host"
	# up with an address: settings of the network do it no harm
	expect 0 vf set 81:10.4 vlan=7 --sysroot "$busy" --dry-run
}

@test "set: by the address of the VF or its number" {
	expect 0 vf set 81:10.2 vlan=7 trust=on max_rate=100 --sysroot "$busy" --dry-run --json
	[[ $(steps) == "vf-net 0000:81:00.0/1 vlan=7 trust=on max_rate=100" ]]
	expect 0 vf set 81:00.0/2 mac=02:00:00:00:00:01 --sysroot "$busy" --dry-run --json
	[[ $(steps) == "vf-net 0000:81:00.0/2 mac=02:00:00:00:00:01" ]]
}

@test "not a PF" {
	refused 2 "no SR-IOV" "carve vf list" -- vf create 00:01.0 1 --sysroot "$idle"
	refused 2 bridge -- vf create 20:00.0 1 --sysroot "$idle"
	refused 2 "VF 1 of 0000:81:00.0" -- vf create 81:10.2 1 --sysroot "$busy"
	refused 3 "no such function" -- vf destroy 0000:99:00.0 --sysroot "$idle"
	refused 2 "not the address" -- vf create eth0 1 --sysroot "$idle"
}

@test "more VFs than the device offers, or no number" {
	refused 2 "8 VFs wanted" "at most 7" -- vf create 21:00.0 8 --sysroot "$idle"
	refused 2 "1 or more" -- vf create 21:00.0 1.5 --sysroot "$idle"
	refused 2 "carve vf destroy" -- vf create 21:00.0 0 --sysroot "$idle"
}

@test "no IOMMU" {
	refused 5 "no IOMMU" -- vf create 21:00.0 1 \
		--sysroot "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot"
}

@test "settings that cannot be" {
	refused 2 01:00:00:00:00:01 "one station" -- \
		vf set 81:10.2 mac=01:00:00:00:00:01 --sysroot "$busy"
	refused 2 5000 "1 to 4094" -- vf set 81:10.2 vlan=5000 --sysroot "$busy"
	refused 2 "max_rate 100" "at least min_rate, 500" -- \
		vf set 81:10.2 min_rate=500 max_rate=100 --sysroot "$busy"
	refused 2 colour "one of mac" -- vf set 81:10.2 colour=red --sysroot "$busy"
	refused 2 "KEY=VALUE" -- vf set 81:10.2 vlan --sysroot "$busy"
	refused 2 twice -- vf set 81:10.2 vlan=1 vlan=2 --sysroot "$busy"
	refused 2 "class net" -- vf set 81:10.2 queues=2 interrupts=1 --sysroot "$busy"
	refused 2 together -- vf set 81:10.2 queues=2 --sysroot "$busy"
	refused 2 "no VF" "a PF" -- vf set 81:00.0 vlan=1 --sysroot "$busy"
	refused 3 "no such VF" "3 VFs" -- vf set 81:00.0/3 vlan=1 --sysroot "$busy"
}

@test "policy: what differs, and what would be done" {
	with "$busy" etc/carve/carve.yaml 'vfs:
  - {vendor: 8086, device: 10c9, count: 3}
  - {pf: 82:00.0, count: 2, queues: 2, interrupts: 1, autoprobe: on}
'
	expect 1 vf policy show --sysroot "$host"
	has "$output" "0000:21:00.0" differs "0000:81:00.0" "as wanted" "0000:82:00.0/1"
	expect 1 vf policy show --sysroot "$host" --json
	[[ $(jq -r '.pfs[] | "\(.pf) \(.count) \(.wanted) \(.applied)"' <<<"$output") == \
		$'0000:21:00.0 0 3 false\n0000:81:00.0 3 3 true\n0000:82:00.0 0 2 false' ]]
	expect 0 vf policy apply --sysroot "$host" --dry-run --json
	[[ $(steps) == "attr /sys/bus/pci/devices/0000:21:00.0/sriov_drivers_autoprobe 0
numvfs-set 0000:21:00.0 3
numvfs-set 0000:82:00.0 2
vf-nvme 0000:82:00.0/0 vq=2 vi=1
vf-nvme 0000:82:00.0/1 vq=2 vi=1" ]]
}

@test "policy: nothing is done when one entry cannot be" {
	with "$busy" etc/carve/carve.yaml 'vfs: [{pf: 21:00.0, count: 4}, {pf: 81:00.0, count: 9}]'
	refused 2 "9 VFs wanted" -- vf policy apply --sysroot "$host"
	expect 1 vf policy show --sysroot "$host"
	has "$output" "refused: the device does not offer that many VFs" "0000:21:00.0"
	with "$busy" etc/carve/carve.yaml 'vfs: [{pf: 81:00.0, count: 3, vlan: 5000}]'
	refused 2 "/etc/carve/carve.yaml:1:" 5000 -- vf policy apply --sysroot "$host"
	with "$busy" etc/carve/carve.yaml 'vfs: [{pf: 82:00.0, count: 1, vlan: 5}]'
	refused 2 "class nvme" -- vf policy apply --sysroot "$host"
}

@test "policy: a dry run is refused where apply is" {
	local policy='vfs: [{pf: 21:00.0, count: 2}, {pf: 81:00.0, count: 3}]'

	with "$busy" etc/carve/carve.yaml "$policy"
	expect 0 vf policy apply --sysroot "$host" --dry-run
	with "$busy" etc/carve/carve.yaml "$policy" run/carve/operations/vf-0000-81-00-0/journal ""
	refused 6 "not finished" "carve recover vf-0000-81-00-0" -- vf policy apply --sysroot "$host"
	with "$busy" etc/carve/carve.yaml "$policy" run/carve/leases/vf-0000-21-00-0.json \
		"$(lease vf-0000-21-00-0 0000:21:00.0 | jq -c '.cpus = ""')"
	refused 6 "carve recover vf-0000-21-00-0" -- vf policy apply --sysroot "$host"
	with "$busy" etc/carve/carve.yaml "$policy" run/carve/leases/dev-0000-21-00-0.json \
		"$(lease dev-0000-21-00-0 0000:21:00.0 | jq -c '.cpus = ""')"
	refused 6 0000:21:00.0 "carve device release dev-0000-21-00-0" -- \
		vf policy apply --sysroot "$host"
	# what an earlier boot left holds nothing
	echo 'f run/carve/boot_id "11111111-2222-3333-4444-555555555555"' >>"$host"
	expect 0 vf policy apply --sysroot "$host" --dry-run
}

@test "policy: none, and one that holds" {
	expect 0 vf policy show --sysroot "$busy"
	has "$output" "no policy"
	with "$busy" etc/carve/carve.yaml 'vfs: [{pf: 81:00.0, count: 3}]'
	expect 0 vf policy show --sysroot "$host"
	expect 0 vf policy apply --sysroot "$host" --dry-run
	[[ $output == "nothing to change" ]]
}

@test "a later file replaces the list" {
	with "$busy" etc/carve/carve.yaml 'vfs: [{pf: 81:00.0, count: 1}]' \
		etc/carve/conf.d/10-vfs.yaml 'vfs: [{pf: 81:00.0, count: 3}]'
	expect 0 vf policy show --sysroot "$host"
}

@test "a captured machine is not changed" {
	for verb in "create 21:00.0 1" "destroy 81:00.0" "set 81:10.2 vlan=1" "policy apply"; do
		# shellcheck disable=SC2086 # words
		expect 2 vf $verb --sysroot "$busy"
		has "$errors" "real host only" "carve vf ${verb%% *}"
	done
}

@test "help down to the last verb" {
	expect 0 help vf policy apply
	has "$output" "usage: carve vf policy apply"
	expect 0 vf policy --help
	has "$output" show apply
	expect 2 vf policy
	has "$errors" "one of: show apply"
	expect 2 help vf create more
}
