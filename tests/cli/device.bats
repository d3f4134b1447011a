#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# carve device on captured machines: what it shows, what it refuses before anything is written, what it
# would do.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

nic=0000:21:00.0     # up, with an address
pf=0000:81:00.0      # has three VFs
vf=0000:81:10.0
disk=0000:82:00.0    # idle
mounted=0000:85:00.0 # shares its group with $mate
mate=0000:86:00.0
port=0000:80:00.0

setup() {
	machine=$BATS_TEST_TMPDIR/host.sysroot
	cp "$sysroots/2n-2igb-2nvme-1sw-busy.sysroot" "$machine"
	boot=$(sed -n 's/^f proc\/sys\/kernel\/random\/boot_id "\([^\\]*\).*/\1/p' "$machine")
}

# add LINE...: entries of the captured machine (docs/formats/sysroot.md)
add() {
	printf '%s\n' "$@" >>"$machine"
}

# file PATH TEXT: one line of text
file() {
	add "f $1 \"${2//\"/\\\"}\\n\""
}

# without PATH: an entry less
without() {
	grep -v "^[a-z] $1 " "$machine" >"$machine.new"
	mv "$machine.new" "$machine"
}

# instead FILE TEXT: what a file of the machine says from now on
instead() {
	without "$1"
	file "$1" "$2"
}

owner() {
	echo "{\"uid\": 1000, \"user\": \"alice\", \"job\": \"4711\", \"boot_id\": \"$boot\"}"
}

# lease NAME CPUS BDF: of alice
lease() {
	file "run/carve/leases/$1.json" "{\"carve_lease\": 1, \"name\": \"$1\", \"owner\": $(owner),\
 \"since\": 1700000000, \"cpus\": \"$2\", \"devices\": [\"$3\"], \"pages\": []}"
}

# held BDF: as carve device bind leaves it
held() {
	local name=dev-${1//[:.]/-}

	lease "$name" "" "$1"
	file "run/carve/operations/$name/operation.json" \
		"{\"carve_operation\": 1, \"name\": \"$name\", \"held\": true, \"complete\": true}"
}

quarantine() {
	file "var/lib/carve/quarantine/$1.json" "{\"carve_quarantine\": 1, \"bdf\": \"$1\",\
 \"reason\": \"it hung\", \"evidence\": \"config: ffffffff\", \"since\": 1700000000,\
 \"owner\": $(owner)}"
}

# device VERB ARG...: on the machine, exit code 0
device() {
	expect 0 device "$@" --sysroot "$machine"
}

# refused CODE WORD... -- ARG...: exit code, and each word in the error
refused() {
	local code=$1 words=()

	shift
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	expect "$code" device "$@" --sysroot "$machine"
	has "$errors" "${words[@]}"
	[[ -z $output ]]
}

# of BDF FILTER: of a function in carve device list --json
of() {
	device list --vfs --json
	jq -r ".devices[] | select(.bdf == \"$1\") | $2" <<<"$output"
}

# steps FILTER: of the last output, as [kind, object, value]
steps() {
	jq -c "[.steps[] | select($1) | [.kind, .object, .value]]" <<<"$output"
}

@test "list has every function but bridges, VFs only when asked for" {
	device list
	has "$output" $nic $pf $disk $mate "3/7" "network interface eth0" "mounted on /mnt"
	has_not "$output" "$vf|$port"
	device list --vfs
	has "$output" "|-$vf" "\`-0000:81:10.4"
	device list --names
	[[ $output == "$(grep -oE '^[0-9a-f:.]+' <<<"$output")" ]]
	device list --json
	[[ $(jq -r .carve_device_list <<<"$output") == 1 ]]
	[[ $(jq '.devices | length' <<<"$output") -eq 12 ]]
}

@test "list filters by class and by node" {
	device list --class nvme --names
	[[ $output == "$disk"$'\n'"$mounted" ]]
	device list --class net --node 0 --names
	[[ $output == "$nic" ]]
	device list --class net --node 1 --vfs --names
	[[ $(wc -l <<<"$output") -eq 4 ]]
	device list --class gpu
	[[ $output == "no such devices" ]]
	device list --class bridge --names
	has "$output" $port
	device list --node -1 --names
	has "$output" 0000:00:01.0
	refused 2 cores "one of" -- list --class cores
	refused 2 two "number of a NUMA node" -- list --node two
}

@test "every class of the machines can be asked for" {
	while read -r one; do
		for class in $("$carve" topo --json --sysroot "$one" |
			jq -r '.. | .class_name? // empty' | sort -u); do
			expect 0 device list --class "$class" --sysroot "$one"
			has "$output" "$class"
		done
	done < <(machines)
}

@test "list tells who has a device: a VM, an operator, nobody" {
	lease vm1 4-7 $vf
	held $disk
	device list --vfs
	has "$(grep $vf <<<"$output")" "VM vm1 of alice"
	has "$(grep $disk <<<"$output")" "held for alice"
	[[ $(of $vf .lease) == vm1 && $(of $vf .lease_of_vm) == true ]]
	[[ $(of $disk .lease_of_vm) == false && $(of $disk .lease_user) == alice ]]
	[[ $(of $pf .lease) == null ]]
}

@test "list tells the health" {
	quarantine $vf
	[[ $(of $vf .health) == quarantined ]]
	[[ $(of $disk .health) == ok ]]
}

@test "show tells all of a VF" {
	lease vm1 4-7 $vf
	device show $vf
	has "$output" "8086:10ca" "VF 0 of $pf" "group        19" "VM vm1" "job 4711" flr
	device show 81:10.0 --json
	[[ $(jq -r .carve_device_show <<<"$output") == 1 ]]
	[[ $(jq -r .lease.owner.job <<<"$output") == 4711 ]]
	[[ $(jq -r .members[0].bdf <<<"$output") == "$vf" ]]
	[[ $(jq -r '.reset.rungs[0]' <<<"$output") == flr ]]
	[[ $(jq -r .quarantine <<<"$output") == null ]]
}

@test "show tells members of the group, who holds it, and why it is in quarantine" {
	quarantine $mounted
	device show $mounted
	has "$output" "$mate, memory" "mounted on /mnt" "it hung" "config: ffffffff" nvme
	device show $mounted --json
	[[ $(jq -r .quarantine.evidence <<<"$output") == "config: ffffffff" ]]
	[[ $(jq -r '.holders[0].path' <<<"$output") == /mnt ]]
	[[ $(jq '.members | length' <<<"$output") -ge 2 ]]
}

@test "show counts errors, interrupts, and what the kernel log says" {
	local dir=sys/devices/pci0000:80/0000:80:01.0/$disk

	file $dir/aer_dev_fatal "TOTAL_ERR_FATAL 2"
	file $dir/aer_dev_nonfatal "TOTAL_ERR_NONFATAL 0"
	file $dir/aer_dev_correctable "TOTAL_ERR_COR 5"
	file $dir/msi_irqs/47 msix
	file $dir/msi_irqs/49 msix
	instead proc/irq/47/effective_affinity_list 3
	instead proc/irq/49/effective_affinity_list 6
	instead proc/interrupts "  47:   10   2  IR-PCI-MSIX nvme0q0\n  49:  1  0  IR-PCI-MSIX x"
	add "f dev/kmsg \"\
6,1,5,-;DMAR: [DMA Read NO_PASID] Request device [82:00.0] fault addr 0x1000 [fault reason 0x06]\n\
6,2,6,-;DMAR: [DMA Read NO_PASID] Request device [82:00.1] fault addr 0x1000 [fault reason 0x06]\n\
6,3,7,-;pcieport 0000:80:01.0: AER: Correctable error received: $disk\n\
6,4,8,-;NVRM: Xid (PCI:0000:82:00): 79, pid=1, GPU has fallen off the bus.\n\
6,5,9,-;NVRM: Xid (PCI:0000:83:00): 31, pid=1\n\""
	device show $disk
	has "$output" "2 fatal, 0 nonfatal, 5 correctable" "2 on CPUs 3,6, 13 delivered" \
		"1 IOMMU faults, 1 AER reports, 1 Xids" "fallen off the bus"
	device show $disk --json
	[[ $(jq -c '[.interrupts.number, .interrupts.count]' <<<"$output") == "[2,13]" ]]
	[[ $(jq -r .kernel_log.last_xid <<<"$output") == 79 ]]
}

@test "holders names all of them, each once" {
	add 'l proc/99/fd/3 /dev/nvme0n1' 'l proc/99/fd/4 /dev/nvme0n1' \
		'l proc/100/fd/7 /dev/nvme0' 'l proc/101/fd/0 /dev/null'
	file proc/99/comm fio
	file proc/100/comm nvme
	file proc/101/comm sh
	device holders $disk
	[[ $output == "pid 99 (fio) has /dev/nvme0n1 open"$'\n'"pid 100 (nvme) has /dev/nvme0 open" ]]
	device holders $disk --json
	[[ $(jq -c '[.holders[] | [.kind, .pid, .command, .path]]' <<<"$output") == \
		'[["process",99,"fio","/dev/nvme0n1"],["process",100,"nvme","/dev/nvme0"]]' ]]
	device holders $vf
	[[ $output == "nobody holds $vf" ]]
}

@test "group by address and by number" {
	device group $mounted
	has "$output" "group 17" "cannot have it as it is" "a host driver has it" $mate "no driver"
	device group 19
	has "$output" "VFIO can have it" $vf
	device group 17 --json
	[[ $(jq -r .viable <<<"$output") == false ]]
	[[ $(jq -r ".members[] | select(.bdf == \"$mate\") | .blocks" <<<"$output") == false ]]
	[[ $(jq -r ".members[] | select(.bdf == \"$mounted\") | .blocks" <<<"$output") == true ]]
	refused 3 9999 "no such IOMMU group" -- group 9999
	refused 2 group17 address -- group group17
	cp "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot" "$machine"
	refused 3 $disk "no such IOMMU group" -- group $disk
}

@test "addresses that are none, and functions that are not there" {
	for verb in show holders bind release reset clear reserve; do
		refused 2 81:10.8 "no PCI address" -- $verb 81:10.8 --dry-run
		refused 3 0000:ff:00.0 "" -- $verb 0000:ff:00.0 --dry-run
	done
	refused 2 81:10.0 twice -- bind $vf 81:10.0 --dry-run
}

@test "bind would do this, in this order" {
	device bind $vf $disk --user root --dry-run --json
	[[ $(jq -r .carve_operation <<<"$output") == 1 ]]
	[[ $(jq -r .held <<<"$output") == true ]]
	[[ $(jq -c '[.steps[] | [.kind, .object, .value]]' <<<"$output") == "[\
[\"module\",\"vfio-pci\",\"loaded\"],[\"numvfs\",\"$pf\",\"3\"],\
[\"health\",\"$vf\",\"\"],[\"health\",\"$disk\",\"nvme\"],\
[\"hooks\",\"bind\",\"$vf $disk\"],\
[\"bind\",\"$vf\",\"vfio-pci\"],[\"bind\",\"$disk\",\"vfio-pci\"],\
[\"group-owner\",\"$vf\",\"root\"],[\"group-owner\",\"$disk\",\"root\"],\
[\"hooks\",\"ready\",\"$vf $disk\"]]" ]]
	file sys/devices/pci0000:80/0000:80:01.0/$disk/d3cold_allowed 1
	device bind $disk --driver mlx5_vfio_pci --dry-run
	has "$output" "until it is released" d3cold_allowed mlx5_vfio_pci
	# a VF has no power of its own
	file sys/devices/pci0000:80/0000:80:00.0/$vf/d3cold_allowed 1
	device bind $vf --dry-run
	has_not "$output" d3cold_allowed
}

@test "bind makes the first VFs of a PF, and would bind all of them or none" {
	device bind $nic=2 $disk=2 $pf=1 --dry-run --json
	[[ $(steps '.kind == "attr-shared"') == "[\
[\"attr-shared\",\"/sys/bus/pci/devices/$nic/sriov_drivers_autoprobe\",\"0\"],\
[\"attr-shared\",\"/sys/bus/pci/devices/$disk/sriov_drivers_autoprobe\",\"0\"]]" ]]
	[[ $(steps '.kind == "numvfs"') == "[[\"numvfs\",\"$nic\",\"2\"],\
[\"numvfs\",\"$disk\",\"2\"],[\"numvfs\",\"$pf\",\"3\"]]" ]]
	[[ $(jq -c .devices <<<"$output") == "[\"0000:21:10.0\",\"0000:21:10.2\",\
\"0000:82:00.1\",\"0000:82:00.2\",\"$vf\"]" ]]
	[[ $(jq -r .name <<<"$output") == dev-0000-21-10-0 ]]
	[[ $(steps '.kind == "bind"' | jq length) -eq 5 ]]
	[[ $(steps '.kind == "group-owner"' | jq length) -eq 5 ]]
	[[ $(steps '.kind == "attr"') == "[]" ]]
	device bind $nic=all --reset --dry-run --json
	[[ $(jq '.devices | length' <<<"$output") -eq 7 ]]
	[[ $(steps '.kind == "numvfs"') == "[[\"numvfs\",\"$nic\",\"7\"]]" ]]
	# those that are there
	device bind $pf=3 --dry-run --json
	[[ $(jq -r '.devices[2]' <<<"$output") == 0000:81:10.4 ]]
	[[ $(steps '.kind == "attr-shared"') == "[]" ]]
}

@test "bind refuses VFs that cannot be had" {
	refused 2 "not a number of VFs" "1 or more" -- bind $nic=0 --dry-run
	refused 2 "not a number of VFs" -- bind $nic=x --dry-run
	refused 2 "99 VFs wanted" "at most 7" -- bind $nic=99 --dry-run
	refused 2 $vf "is a VF itself" "$pf" -- bind $vf=1 --dry-run
	refused 2 $mate "no SR-IOV" -- bind $mate=1 --dry-run
	refused 2 $port bridge -- bind $port=1 --dry-run
	refused 3 0000:ff:00.0 "carve vf list" -- bind 0000:ff:00.0=1 --dry-run
	refused 2 "no PCI address" -- bind eth0=1 --dry-run
	refused 5 "3 VFs" "through 0" "carve vf create $pf 4" -- bind $pf=4 --dry-run
	refused 2 $vf twice -- bind $vf $pf=2 --dry-run
	refused 2 $nic twice -- bind $nic=1 $nic=2 --dry-run
	# behind a switch without ACS a VF would join the group of its PF
	refused 5 $mounted "would join its PF's group" -- bind $mounted=1 --dry-run
	lease vm1 4-7 0000:21:10.2
	refused 6 "VM vm1" -- bind $nic=2 --dry-run
	device bind $nic=1 --dry-run
	quarantine $nic
	refused 5 $nic "it hung" -- bind $nic=1 --dry-run
}

@test "bind brings huge pages of a node" {
	device bind $disk --pages 1:2M=64 --pages 1:1G=1 --dry-run --json
	[[ $(steps '.kind == "hugepages"') == \
		'[["hugepages","node1/2M","64"],["hugepages","node1/1G","1"]]' ]]
	for bad in x 0:2M 0=5 0:2M=0 0:2M=-1 -1:2M=1 0:2X=1 0:0=1 :2M=1 0:2M=99999999999999999999; do
		refused 2 "names no huge pages" "NODE:SIZE=COUNT" -- bind $disk --pages $bad --dry-run
	done
	refused 2 twice -- bind $disk --pages 1:2M=1 --pages 1:2048K=2 --dry-run
	refused 3 "no NUMA node 9" "nodes 0, 1" -- bind $disk --pages 9:2M=1 --dry-run
	refused 3 "of this size" "2M" -- bind $disk --pages 0:64K=1 --dry-run
	refused 5 "64 free" "hugepagesz=2M" -- bind $disk --pages 1:2M=1000000 --dry-run
	# what a VM has is not free
	file run/carve/leases/vm1.json "{\"carve_lease\": 1, \"name\": \"vm1\", \"owner\": $(owner),\
 \"since\": 1, \"cpus\": \"4\", \"devices\": [], \"pages\": [{\"node\": 1, \"page_size\": 2097152,\
 \"pages\": 60}]}"
	refused 5 "4 free" -- bind $disk --pages 1:2M=1000000 --dry-run
}

@test "bind refuses what cannot be had, before anything is made" {
	refused 2 $port bridge -- bind $port --dry-run
	refused 6 $mounted "mounted on /mnt" -- bind $mounted --dry-run
	refused 6 $nic eth0 -- bind $nic --dry-run
	refused 6 $pf "3 VFs" -- bind $pf --dry-run
	refused 5 $mate "$mounted (nvme)" -- bind $mate --dry-run
	refused 2 uio_pci_generic isolates -- bind $vf --driver uio_pci_generic --dry-run
	refused 2 nobody-of-this-name "no such user" -- bind $vf --user nobody-of-this-name --dry-run
	add 'l proc/99/fd/3 /dev/nvme0n1'
	file proc/99/comm fio
	refused 6 "pid 99 (fio)" /dev/nvme0n1 -- bind $disk --dry-run
	# all or none
	refused 6 $disk -- bind $vf $disk --dry-run
	cp "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot" "$machine"
	refused 5 $disk IOMMU -- bind $disk --dry-run
}

@test "bind refuses what is leased or in quarantine, and says how to go on" {
	lease vm1 4-7 $vf
	refused 6 "VM vm1" "carve stop" -- bind $vf --dry-run
	held 0000:81:10.2
	refused 6 "carve device release 0000:81:10.2" -- bind 0000:81:10.2 --dry-run
	quarantine 0000:81:10.4
	refused 5 "it hung" "carve device clear 0000:81:10.4" -- bind 0000:81:10.4 --dry-run
}

@test "what somebody else bound is refused; what is reserved is not somebody else's" {
	local dir=sys/devices/pci0000:80/0000:80:00.0/$vf entry

	add "l $dir/driver ../../../../bus/pci/drivers/vfio-pci"
	refused 6 "bound to vfio-pci by somebody else" -- bind $vf --dry-run
	refused 6 "not bound by carve" driverctl -- release $vf --dry-run
	entry="{\"bdf\": \"$vf\", \"vendor\": \"0x8086\", \"device\": \"0x10ca\",\
 \"serial\": \"\", \"driver\": \"vfio-pci\"}"
	file etc/carve/reserved.json "{\"carve_reserved\": 1, \"functions\": [$entry]}"
	device bind $vf --dry-run
	device reserve --list
	has "$output" $vf 8086:10ca bound
}

@test "release knows what it can give back" {
	held $disk
	device release $disk --dry-run
	has "$output" dev-0000-82-00-0
	refused 3 $vf "does not hold it" -- release $vf --dry-run
	lease vm1 4-7 $vf
	refused 6 "VM vm1" "carve stop vm1" -- release $vf --dry-run
}

@test "release takes the name of what was bound, and the VFs of a PF" {
	file run/carve/leases/dev-0000-81-10-0.json "{\"carve_lease\": 1, \"owner\": $(owner),\
 \"name\": \"dev-0000-81-10-0\", \"since\": 1, \"cpus\": \"\", \"pages\": [],\
 \"devices\": [\"$vf\", \"0000:81:10.2\", \"0000:81:10.4\"]}"
	file run/carve/operations/dev-0000-81-10-0/operation.json \
		'{"carve_operation": 1, "name": "dev-0000-81-10-0", "held": true, "complete": true}'
	for named in dev-0000-81-10-0 $pf=3 $pf=all "$pf=1 0000:81:10.2 0000:81:10.4"; do
		# shellcheck disable=SC2086 # words
		device release $named --dry-run
		[[ $output == "would undo dev-0000-81-10-0" ]]
	done
	refused 2 "bound together" "carve device release dev-0000-81-10-0" -- release $pf=2 --dry-run
	refused 5 $pf "no such VFs" "3 VFs" -- release $pf=5 --dry-run
	refused 3 dev-x "nothing under this name" -- release dev-x --dry-run
	refused 2 "no PCI address" -- release dev-../x --dry-run
}

@test "release leaves a change of VFs that was cut off to recover" {
	lease vf-0000-81-00-0 "" $vf
	file run/carve/operations/vf-0000-81-00-0/journal ""
	refused 6 $vf "not finished" "carve recover vf-0000-81-00-0" -- release $vf --dry-run
}

@test "a VF is part of the change of its PF until that is finished" {
	lease vf-0000-81-00-0 "" $pf
	refused 6 "lease of vf-0000-81-00-0" "carve recover vf-0000-81-00-0" -- bind $vf --dry-run
	without run/carve/leases/vf-0000-81-00-0.json
	lease vm1 4-7 $pf
	device bind $vf --dry-run
}

@test "release waits for whoever has the group open, before anything is undone" {
	local dir=sys/devices/pci0000:80/0000:80:01.0/$disk

	held $disk
	without $dir/driver
	add "l $dir/driver ../../../../bus/pci/drivers/vfio-pci" 'l proc/99/fd/3 /dev/vfio/15'
	file proc/99/comm testpmd
	refused 6 "pid 99 (testpmd)" /dev/vfio/15 -- release $disk --dry-run
	# who wants it for a guest is told both: whose it is, and who has it open
	printf 'name: wants\ncpus: 1\nmemory: 512M\nboot: {kernel: /boot/k}\ndevices:\n  - bdf: "%s"\n' \
		$disk >"$machine.yaml"
	expect 6 run "$machine.yaml" --dry-run --sysroot "$machine"
	has "$errors" "lease of dev-0000-82-00-0" "pid 99 (testpmd)" "carve device release $disk"
}

@test "release takes what was bound together only together" {
	local both="[\"$vf\", \"0000:81:10.2\"]"

	file run/carve/leases/dev-x.json "{\"carve_lease\": 1, \"name\": \"dev-x\",\
 \"owner\": $(owner), \"since\": 1, \"cpus\": \"\", \"devices\": $both, \"pages\": []}"
	file run/carve/operations/dev-x/journal ""
	refused 2 dev-x "carve device release $vf 0000:81:10.2" -- release $vf --dry-run
	device release 0000:81:10.2 $vf --dry-run
	[[ $output == "would undo dev-x" ]]
}

@test "reset would try this, and refuses what is used" {
	device reset $vf --dry-run
	[[ $output == "$vf: would try flr" ]]
	device reset $disk --rung flr --dry-run --json
	[[ $(jq -c .devices[0].rungs <<<"$output") == '["flr"]' ]]
	refused 5 $vf "this way" flr -- reset $vf --rung bus --dry-run
	refused 2 gently "one of" -- reset $vf --rung gently --dry-run
	refused 2 $port bridge -- reset $port --dry-run
	refused 6 $mounted "mounted on /mnt" -- reset $mounted --dry-run
	refused 6 $pf "3 VFs" -- reset $pf --dry-run
	lease vm1 4-7 $vf
	refused 6 "VM vm1" "carve stop vm1" -- reset $vf --dry-run
}

# model HEX: ids of the idle disk, as config space has them
model() {
	sed -i "s|^\(b .*/$disk/config \)361b1000|\1$1|" "$machine"
	grep -q "/$disk/config $1" "$machine"
}

@test "a model that survives no reset is not given to VFIO, nor reset" {
	model 0210a174 # 1002:74a1
	refused 5 $disk "does not survive" MxGPU-Virtualization/issues/25 "reset_method" -- bind $disk --dry-run
	refused 5 $disk "does not survive" -- bind $vf $disk --dry-run
	refused 5 $disk "not reset" MxGPU-Virtualization/issues/25 -- reset $disk --dry-run
	refused 5 $disk "not reset" -- reset $vf $disk --dry-run
	# its VFs do
	device bind $disk=2 --dry-run
}

@test "a model that survives some resets is given to VFIO with those alone" {
	model de104223 # 10de:2342
	device bind $disk --dry-run --json
	[[ $(steps '.kind == "reset-method"') == "[[\"reset-method\",\"$disk\",\"flr\"]]" ]]
	[[ $(jq -c '[.steps[] | select(.kind == "reset-method" or .kind == "bind") | .kind]' \
		<<<"$output") == '["reset-method","bind"]' ]]
	device bind $vf --dry-run --json
	[[ $(steps '.kind == "reset-method"') == "[]" ]]
}

@test "reset has no options but those that people need" {
	device reset --help
	has "$output" --rung
	has_not "$output" crash-at
	refused 2 gently "one of" -- reset $vf --rung gently --dry-run
}

@test "clear tells the reason, and refuses what is not healthy" {
	refused 3 $vf "not in quarantine" -- clear $vf --dry-run
	quarantine $vf
	device clear $vf --dry-run
	has "$output" "it hung" "config: ffffffff" "healthy now" "would be cleared"
	quarantine $disk
	without "sys/devices/pci0000:80/0000:80:01.0/$disk/config"
	add "b sys/devices/pci0000:80/0000:80:01.0/$disk/config $(printf 'ff%.0s' {1..256})"
	refused 5 $disk "not healthy" "carve device reset" "--force" -- clear $disk --dry-run
	device clear $disk --force --dry-run
	has "$output" "still not healthy"
}

@test "reserve notes who a device is, and refuses what the host needs" {
	device reserve --list
	[[ $output == "nothing is reserved" ]]
	device reserve $vf $disk --dry-run --json
	[[ $(jq -c '[.devices[] | [.bdf, .driver, .state]]' <<<"$output") == \
		"[[\"$vf\",\"vfio-pci\",\"not bound\"],[\"$disk\",\"vfio-pci\",\"not bound\"]]" ]]
	refused 6 $mounted "mounted on /mnt" "next boot" -- reserve $mounted --dry-run
	refused 6 $nic eth0 -- reserve $nic --dry-run
	refused 2 $port bridge -- reserve $port --dry-run
	refused 3 $vf "not reserved" -- reserve $vf --remove --dry-run
	refused 2 reserve "" -- reserve
	refused 2 reserve "" -- reserve $vf --list
	refused 2 reserve "" -- reserve --list --apply
	cp "$sysroots/2n-2igb-2nvme-1sw-noiommu.sysroot" "$machine"
	refused 5 $disk "no IOMMU group" -- reserve $disk --dry-run
}

@test "a reserved slot with another card in it shows" {
	file etc/carve/reserved.json "{\"carve_reserved\": 1, \"functions\": [{\"bdf\": \"$vf\",\
 \"vendor\": \"0x15b3\", \"device\": \"0x101e\", \"serial\": \"\", \"driver\": \"vfio-pci\"}]}"
	device reserve --list
	has "$output" "another card"
	device reserve $vf --remove --dry-run
	[[ $output == "nothing is reserved" ]]
}

@test "the names that udev asks for" {
	add "l sys/kernel/iommu_groups/77/devices/$vf ../../../../devices/x/$vf"
	device udev-name 77
	[[ $output == "$vf" ]]
	refused 3 9999 -- udev-name 9999
	refused 3 vfio -- udev-name vfio
}

@test "what changes the node needs the real host" {
	for verb in bind release reset clear; do
		refused 2 "carve device $verb works on the real host only" -- $verb $vf
	done
	refused 2 "real host" -- reserve $vf
	refused 2 "real host" -- reserve --apply
}
