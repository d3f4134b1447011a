# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Turns specs/*.yaml and *.tests.json into files for this node: @NAME@ becomes an address or checksum.

# pci_find VENDOR:DEVICE WANT-NODE: address of a function; WANT-NODE is a number or "none" (-1).
pci_find() {
	local dev node

	for dev in /sys/bus/pci/devices/*; do
		[[ $(<"$dev/vendor"):$(<"$dev/device") == "$1" ]] || continue
		node=$(<"$dev/numa_node")
		if [[ $2 == none && $node == -1 ]] || [[ $2 == "$node" ]]; then
			basename "$dev"
			return
		fi
	done
	echo "no $1 on node $2" >&2
	return 1
}

# pattern OFFSET BYTES [SEED]: a part of the known pattern: each 8-byte word is its offset, plus the seed.
pattern() {
	perl -e 'my ($o, $n, $s) = @ARGV; print pack("Q<*", map { $o + $s + 8 * $_ } 0 .. $n / 8 - 1)' \
		"$1" "$2" "${3:-0}"
}

# pattern_sum OFFSET BYTES [SEED]: its SHA-256.
pattern_sum() {
	pattern "$@" | sha256sum | cut -d' ' -f1
}

# specs_prepare DIR: fills DIR with the specs and test lists of this node.
specs_prepare() {
	local from=tests/node/specs file

	mkdir -p "$1"
	IGB0=$(pf_bdf igb 0)
	IGB1=$(pf_bdf igb 1)
	NVME0=$(pf_bdf nvme 0)
	NVME1=$(pf_bdf nvme 1)
	NVME1_BLOCK=$(basename "$(echo "/sys/bus/pci/devices/$NVME1/nvme"/nvme*)")n1
	EDU=$(pci_find 0x1234:0x11e8 1)
	IVSHMEM=$(pci_find 0x1af4:0x1110 1)
	EDU_BARE=$(pci_find 0x1234:0x11e8 none)
	SEED=$((SRANDOM + 1)) # what a guest writes was never there before
	for file in "$from"/*; do
		sed -e "s/@IGB0@/$IGB0/; s/@IGB1@/$IGB1/; s/@NVME0@/$NVME0/; s/@NVME1@/$NVME1/" \
			-e "s/@EDU@/$EDU/; s/@EDU_BARE@/$EDU_BARE/; s/@IVSHMEM@/$IVSHMEM/" \
			-e "s/@SEED@/$SEED/; s/@NVME1_BLOCK@/$NVME1_BLOCK/" -e "s/@PATTERN@/$(pattern_sum 4096 1048576)/" \
			-e "s/@PATTERN0@/$(pattern_sum 0 65536)/" "$file" >"$1/${file##*/}"
	done
}
