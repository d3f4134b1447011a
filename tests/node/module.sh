#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# module.sh BUILD: builds the hypervisor module of kernel/ for the node's kernel: BUILD/kernel/carve.ko.
# The headers of that very kernel come from apt; they are unpacked into BUILD/node/kernel/headers, never
# installed. CARVE_MODULE_FLAGS: more arguments for make, as W=1.

set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=${1:?usage: module.sh BUILD}
source=$(cd "$here/../../kernel" && pwd)

die() {
	echo "module.sh: $*" >&2
	exit 1
}

# fetch_headers RELEASE DIR: the three packages a module build needs.
fetch_headers() {
	local release=$1 dir=$2 work package
	local common=${release%-amd64}

	work=$(mktemp -d "$dir.work.XXXXXX")
	# shellcheck disable=SC2064 # the name as it is now
	trap "rm -rf '$work'" EXIT
	echo "node: fetching linux-headers-$release" >&2
	(cd "$work" && apt-get download -qq -o APT::Sandbox::User=root "linux-headers-$release" \
		"linux-headers-$common-common" "linux-kbuild-$common" >&2) ||
		die "cannot download linux-headers-$release; run scripts/install-deps"
	for package in "$work"/*.deb; do
		dpkg-deb -x "$package" "$work/unpacked"
	done
	relocate "$work/unpacked/usr/src" "$release"
	rm -rf "$dir"
	mv "$work/unpacked" "$dir"
}

# relocate SRC RELEASE: the makefile of the headers names its common part by where Debian installs it.
relocate() {
	local makefile=$1/linux-headers-$2/Makefile

	# shellcheck disable=SC2016 # for make, not for the shell
	sed -i 's,/usr/src/,$(dir $(realpath $(lastword $(MAKEFILE_LIST))))../,' "$makefile"
}

# The objects lie in a copy: the source folder stays clean, and may be read-only.
build_module() {
	local headers=$1 work=$build/kernel

	mkdir -p "$work"
	copy_sources "$work"
	# shellcheck disable=SC2086 # a list of arguments
	make -s -C "$headers" M="$work" CONFIG_DEBUG_INFO_BTF_MODULES= ${CARVE_MODULE_FLAGS:-} modules
}

# copy_sources DIR: changed files only, so that make builds only what changed.
copy_sources() {
	local file name

	for file in "$source"/*; do
		name=${file##*/}
		cmp -s "$file" "$1/$name" || cp "$file" "$1/$name"
	done
	for file in "$1"/*.[chS]; do
		name=${file##*/}
		[[ -e $source/$name || $name == *.mod.c ]] || rm -f "$file"
	done
}

"$here/kernel.sh" "$build/node/kernel"
build=$(cd "$build" && pwd)
release=$(<"$build/node/kernel/release")
headers=$build/node/kernel/headers
exec {lock}>"$build/node/kernel/.headers-lock"
flock "$lock"
if [[ ! -e $headers/usr/src/linux-headers-$release/Module.symvers ]]; then
	fetch_headers "$release" "$headers"
fi
build_module "$headers/usr/src/linux-headers-$release"
