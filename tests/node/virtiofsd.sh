# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# virtiofsd for the emulated node. Debian 12 has none that takes --fd and --readonly: the one of Debian 13 runs from a
# root file system of its own, by that one's loader and libraries.

virtiofsd_root() {
	echo "$1/node/virtiofsd-root"
}

# virtiofsd_run BUILD-DIR ARGUMENT...
virtiofsd_run() {
	local root

	root=$(realpath "$(virtiofsd_root "$1")")
	shift
	"$root/usr/lib64/ld-linux-x86-64.so.2" --library-path "$root/usr/lib/x86_64-linux-gnu" \
		"$root/usr/libexec/virtiofsd" "$@"
}

# virtiofsd_prepare BUILD-DIR: on the build machine, once; a minute.
virtiofsd_prepare() {
	local said

	scripts/debian-root trixie "$(virtiofsd_root "$1")" virtiofsd >&2 || return 1
	said=$(virtiofsd_run "$1" --version 2>&1) && [[ $said == virtiofsd\ * ]] && return
	echo "node: virtiofsd of $(virtiofsd_root "$1") does not run: $said; remove the folder" >&2
	return 1
}

# virtiofsd_install BUILD-DIR: inside the node, where Carve looks for it.
virtiofsd_install() {
	local at=/usr/local/libexec/virtiofsd root

	root=$(realpath "$(virtiofsd_root "$1")")
	mkdir -p "${at%/*}"
	cat >"$at" <<-EOT
		#!/bin/sh
		exec $root/usr/lib64/ld-linux-x86-64.so.2 --library-path $root/usr/lib/x86_64-linux-gnu \\
			$root/usr/libexec/virtiofsd "\$@"
	EOT
	chmod 755 "$at"
}
