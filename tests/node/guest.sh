# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What guests of the node boot: the node's own kernel (its ELF form: nothing to unpack under two levels
# of emulation) and an initramfs with carve-guest; made in build/guest when missing or older than its
# parts.

# guest_prepare BUILD-DIR
guest_prepare() {
	local build=$1 kernel=$1/node/kernel image

	image=$kernel/vmlinux
	[[ -e $image ]] || image=$kernel/vmlinuz
	mkdir -p "$build/guest"
	ln -sfn "$(realpath "$image")" "$build/guest/vmlinuz"
	if [[ ! $build/guest/initramfs.img -nt $build/tools/guest/carve-guest ||
		! $build/guest/initramfs.img -nt $kernel/release ]]; then
		tools/guest/mkinitramfs --modules "$kernel/lib/modules/$(<"$kernel/release")" \
			--guest "$build/tools/guest/carve-guest" --output "$build/guest/initramfs.img"
	fi
}
