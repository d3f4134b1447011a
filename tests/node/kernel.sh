#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# kernel.sh DIR: puts the node's kernel into DIR, unless it is there already:
#   vmlinuz, vmlinux, release, lib/modules/RELEASE (uncompressed), initramfs.img
# The kernel is the newest signed 6.12 image that apt knows. It is unpacked, never installed.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
dir=${1:?usage: kernel.sh DIR}

die() {
	echo "kernel.sh: $*" >&2
	exit 1
}

newest_image() {
	apt-cache search --names-only '^linux-image-6\.12\.[0-9.]+(\+[a-z0-9]+)?-amd64$' |
		cut -d' ' -f1 | sort -V | tail -n 1
}

fetch_kernel() {
	local image=$1 work=$2 release

	echo "node: fetching $image" >&2
	(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "$image" >&2) ||
		die "cannot download $image; run scripts/install-deps"
	dpkg-deb -x "$work"/linux-image-*.deb "$work/unpacked"
	rm -f "$work"/linux-image-*.deb
	[[ -d $work/unpacked/lib/modules ]] || mv "$work/unpacked/usr/lib" "$work/unpacked/lib"
	release=$(basename "$work"/unpacked/lib/modules/*)
	find "$work/unpacked/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -n 64 -P "$(nproc)" xz -d
	depmod -b "$work/unpacked" "$release"
	cp "$work/unpacked/boot/vmlinuz-$release" "$work/unpacked/vmlinuz"
	echo "$release" >"$work/unpacked/release"
	rm -rf "${dir:?}/lib" "${dir:?}/boot"
	cp -a --reflink=auto "$work/unpacked/." "$dir/"
}

# field FILE OFFSET BYTES: one little-endian number of a file.
field() {
	od -A n -t "u$3" -j "$2" -N "$3" "$1" | tr -d ' '
}

# The ELF kernel inside a bzImage (Documentation/arch/x86/boot.rst: setup_sects, payload_offset,
# payload_length): the node starts from it, because unpacking under emulation takes seconds.
extract_vmlinux() {
	local image=$1 start bytes unpack

	start=$((($(field "$image" $((0x1f1)) 1) + 1) * 512 + $(field "$image" $((0x248)) 4)))
	# The last four bytes are the unpacked size, not part of the stream.
	bytes=$(($(field "$image" $((0x24c)) 4) - 4))
	case $(field "$image" "$start" 4) in
	4247762216) unpack=zstd ;;
	1484404733) unpack=xz ;;
	*) unpack=gzip ;;
	esac
	head -c $((start + bytes)) "$image" | tail -c "$bytes" | "$unpack" -dc >"$2" 2>/dev/null
}

build_initramfs() {
	local root=$1/initramfs modules module

	modules=$dir/lib/modules/$(<"$dir/release")
	mkdir -p "$root"/{bin,proc,dev,rw,modules}
	cp /bin/busybox "$root/bin/busybox"
	for module in sh mount umount insmod mkdir ln sleep switch_root; do
		ln -s busybox "$root/bin/$module"
	done
	for module in netfs 9pnet 9pnet_virtio 9p overlay; do
		find "$modules/kernel" -name "$module.ko" -exec cp {} "$root/modules/" \;
	done
	install -m 755 "$here/initramfs-init" "$root/init"
	(cd "$root" && find . | cpio -o -H newc --quiet -R 0:0) >"$1/initramfs.img"
	mv "$1/initramfs.img" "$dir/initramfs.img"
}

mkdir -p "$dir"
exec {lock}>"$dir/.lock"
flock "$lock"
work=$(mktemp -d "$dir/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
if [[ ! -s $dir/release ]]; then
	image=$(newest_image)
	[[ -n $image ]] || die "apt knows no 6.12 kernel image; run scripts/install-deps"
	fetch_kernel "$image" "$work"
fi
if [[ ! -s $dir/vmlinux ]]; then
	extract_vmlinux "$dir/vmlinuz" "$work/vmlinux" || cp "$dir/vmlinuz" "$work/vmlinux"
	mv "$work/vmlinux" "$dir/vmlinux"
fi
if [[ ! -s $dir/initramfs.img || $here/initramfs-init -nt $dir/initramfs.img ||
	$here/kernel.sh -nt $dir/initramfs.img ]]; then
	build_initramfs "$work"
fi
