# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# The machines the node can be: shape_argv fills the array `qemu_argv` for one shape.
# Reads: shape, sockets, cores, threads, memory_gib (per NUMA node), iommu, icount, one_thread, node_files.
# shellcheck disable=SC2034,SC2154 # these come from node, and it reads the arrays
# One NUMA node per socket. Nodes 0 and 1 have the PCI host bridges 0000:20 and 0000:80.

shape_names=(default bare)
cpu_without=-misalignsse,-osvw,-nrip-save,-xsavec,-fxsr-opt
declare -a qemu_argv

arg() {
	qemu_argv+=("$@")
}

shape_cpus() {
	local per_socket=$((cores * threads)) socket other x2apic=on

	# TCG serves the topology leaves of topoext but does not offer them: without them Linux sees
	# no shared L3 and a guest no SMT. What TCG really lacks is switched off by name. Model 49
	# (Rome) makes Linux read the L3 from CPUID instead of deriving it from the APIC ID.
	# QEMU with instruction counting stops at a write to an x2APIC register.
	[[ $icount == yes ]] && x2apic=off
	arg -cpu "EPYC,model=49,+svm,+npt,x2apic=$x2apic,+topoext,x-force-features=on,$cpu_without"
	arg -smp "$((sockets * per_socket)),sockets=$sockets,cores=$cores,threads=$threads"
	arg -m "$((sockets * memory_gib))G"
	for ((socket = 0; socket < sockets; socket++)); do
		arg -object "memory-backend-ram,id=ram$socket,size=${memory_gib}G"
		arg -numa "node,nodeid=$socket,memdev=ram$socket,cpus=$((socket * per_socket))-$((socket * per_socket + per_socket - 1))"
	done
	for ((socket = 0; socket < sockets; socket++)); do
		for ((other = socket + 1; other < sockets; other++)); do
			arg -numa "dist,src=$socket,dst=$other,val=21"
		done
	done
}

shape_machine() {
	arg -nodefaults -display none -no-reboot -machine q35
	if [[ $icount == yes ]]; then
		arg -accel tcg,thread=single -icount shift=auto,sleep=off
	elif [[ $iommu == no || $one_thread == yes ]]; then
		# Without interrupt remapping Linux uses xAPIC mode: README.md, "Boots that hang".
		arg -accel tcg,thread=single
	else
		arg -accel tcg,thread=multi
	fi
	if [[ $iommu == yes ]]; then
		arg -device intel-iommu,intremap=on,eim=on,caching-mode=on
	fi
	arg -device isa-debug-exit,iobase=0x501,iosize=1
}

# A host bridge per NUMA node. Ports: id, bridge, slot.
shape_bridges() {
	((sockets < 2)) || arg -device pxb-pcie,id=host1,bus=pcie.0,addr=0x11,bus_nr=128,numa_node=1
	arg -device pxb-pcie,id=host0,bus=pcie.0,addr=0x10,bus_nr=32,numa_node=0
}

shape_port() {
	arg -device "pcie-root-port,id=$1,bus=$2,addr=$3,chassis=${4:?}"
}

# An 82576 with 7 VFs; all of them hang on one hub.
shape_nic() {
	local index=$1 port=$2

	arg -netdev "hubport,id=wire$index,hubid=0"
	arg -device "igb,id=nic$index,bus=$port,netdev=wire$index,mac=52:54:00:ca:00:0$index"
}

# An NVMe with 4 VFs; every VF can get up to 4 queues and 4 interrupts of the flexible ones.
shape_nvme() {
	local index=$1 bus=$2 file=$3

	arg -drive "if=none,id=disk$index,file=$file,format=raw,snapshot=on"
	arg -device "nvme-subsys,id=subsys$index,nqn=carve-$index"
	arg -device "nvme,id=nvme$index,bus=$bus,serial=carve$index,subsys=subsys$index,sriov_max_vfs=4,sriov_vq_flexible=16,sriov_vi_flexible=16"
	arg -device "nvme-ns,drive=disk$index,bus=nvme$index,nsid=1,shared=on"
}

# Nothing below this switch has ACS: the NVMe, its VFs and the ivshmem are one IOMMU group.
shape_switch() {
	arg -device "x3130-upstream,id=switch,bus=$1"
	arg -device xio3130-downstream,id=down0,bus=switch,addr=0.0,multifunction=on,chassis=100
	arg -device xio3130-downstream,id=down1,bus=switch,addr=0.1,chassis=101
	shape_nvme 1 down0 "$node_files/pattern.img"
	arg -object memory-backend-memfd,id=window,size=1G,share=on
	arg -device ivshmem-plain,id=window0,bus=down1,memdev=window
}

shape_devices() {
	shape_bridges
	shape_port port0 host0 0 1
	shape_nic 0 port0
	((sockets < 2)) && return
	shape_port port1 host1 0 2
	shape_port port2 host1 1 3
	shape_port port3 host1 2 4
	shape_port port4 host1 3 5
	shape_nic 1 port1
	shape_nvme 0 port2 "$node_files/pattern.img"
	shape_switch port3
	arg -device edu,id=edu0,bus=port4,dma_mask=0xffffffff
	arg -device edu,id=edu1,bus=pcie.0,addr=0x12,dma_mask=0xffffffff
}

shape_argv() {
	qemu_argv=()
	shape_machine
	shape_cpus
	case $shape in
	bare) ;;
	*) shape_devices ;;
	esac
}

# Each 8-byte little-endian word of the pattern is its own byte offset; 64 MiB.
shape_pattern() {
	[[ -s $1 ]] && return
	perl -e 'for (my $o = 0; $o < 64 << 20; $o += 4096) {
		print pack("Q<*", map { $o + 8 * $_ } 0 .. 511) }' >"$1.new.$$"
	mv "$1.new.$$" "$1"
}
