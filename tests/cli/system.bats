#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# What the service manager and udev read: units, rules, and the example hooks.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

system=$root/system

# in_directory NAME...: copies of the files as they are installed, with a command that exists
in_directory() {
	local name

	for name; do
		sed "s#@bindir@/carve#$carve#" "$system/$name.in" >"$BATS_TEST_TMPDIR/$name"
	done
}

need() {
	command -v "$1" >/dev/null || skip "no $1 here: apt install $2"
}

# with_rules DEVICE: what udev makes of it with the rules in $BATS_TEST_TMPDIR/rules, nothing outside
# of the process is changed
with_rules() {
	# shellcheck disable=SC2016 # expanded inside
	unshare --mount sh -ec '
		mount -t tmpfs none /run/udev
		mount -t tmpfs none /usr/lib/udev/rules.d
		mount -t tmpfs none /dev
		mknod -m 666 /dev/null c 1 3
		mount --bind "$1" /etc/udev/rules.d
		udevadm test --action=add "$2" 2>&1' sh "$BATS_TEST_TMPDIR/rules" "$1"
}

need_rules() {
	need udevadm udev
	[[ $EUID -eq 0 ]] || skip "udev rules are tried as root only"
	mkdir -p "$BATS_TEST_TMPDIR/rules" /run/udev /etc/udev/rules.d 2>/dev/null || true
	with_rules /sys/class/mem/null >/dev/null || skip "no mount namespace of its own here"
}

# a PCI function with or without driver: pci_function [!] -e
pci_function() {
	local path

	for path in /sys/bus/pci/devices/*; do
		if test "$@" "$path/driver" && [[ -r $path/vendor ]]; then
			echo "${path##*/}"
			return
		fi
	done
	return 1
}

# reserve BDF: rules for it, that note what they would write instead of writing it
reserve() {
	local dev=/sys/bus/pci/devices/$1

	mkdir -p "$BATS_TEST_TMPDIR/rules"
	grep 0000:17:00.0 "$golden/reserved.rules" |
		sed -e "s/0000:17:00.0/$1/g" \
			-e "s/ATTR{vendor}==\"[^\"]*/ATTR{vendor}==\"$(<"$dev/vendor")/" \
			-e "s/ATTR{device}==\"[^\"]*/ATTR{device}==\"$(<"$dev/device")/" \
			-e 's/ATTR{driver_override}=/ENV{WOULD_OVERRIDE}=/' \
			-e 's/ATTR{\[subsystem\/pci\]drivers_probe}=/ENV{WOULD_PROBE}=/' \
			-e 's/RUN{builtin}+="kmod load /ENV{WOULD_LOAD}="/' \
			>"$BATS_TEST_TMPDIR/rules/10-carve-reserved.rules"
}

@test "units are well formed" {
	need systemd-analyze systemd
	in_directory carve-reserve.service carve-recover.service
	run systemd-analyze verify --man=no "$BATS_TEST_TMPDIR"/carve-*.service
	echo "$output"
	[[ $status -eq 0 && $output != *carve-* ]]
}

@test "reserved functions are taken before anything loads a driver" {
	in_directory carve-reserve.service carve-recover.service
	has "$(<"$BATS_TEST_TMPDIR/carve-reserve.service")" "DefaultDependencies=no" \
		"Before=systemd-modules-load.service systemd-udev-trigger.service" \
		"$carve device reserve --apply"
	has "$(<"$BATS_TEST_TMPDIR/carve-recover.service")" "Before=slurmd.service libvirtd.service" \
		"$carve recover"
}

@test "udev has nothing to say about the rules" {
	local rules=$BATS_TEST_TMPDIR/rules

	need udevadm udev
	mkdir -p "$rules"
	sed "s#@bindir@#/usr/bin#" "$system/60-carve-vfio.rules.in" >"$rules/60-carve-vfio.rules"
	cp "$golden/reserved.rules" "$rules/10-carve-reserved.rules"
	if udevadm verify --help >/dev/null 2>&1; then
		udevadm verify --resolve-names=never "$rules"/*.rules
		return
	fi
	need_rules
	run with_rules /sys/class/mem/null
	has "$output" "rules.d/60-carve-vfio.rules" "rules.d/10-carve-reserved.rules"
	has_not "$output" 'carve-[a-z]*\.rules:[0-9]+'
	# and it would say so
	echo 'SUBSYSTEM="pci", NONSENSE=="x"' >>"$rules/60-carve-vfio.rules"
	run with_rules /sys/class/mem/null
	has "$output" "60-carve-vfio.rules:"
}

@test "a VFIO group gets the names of its functions" {
	local rules=$BATS_TEST_TMPDIR/rules

	need_rules
	sed -e "s#@bindir@/carve#/bin/echo 0000:41:00.0 0000:41:00.1#" -e 's/ device udev-name %k//' \
		-e 's/SUBSYSTEM!="vfio"/SUBSYSTEM!="mem"/' -e 's/KERNEL!="\[0-9\]\*"/KERNEL!="null"/' \
		"$system/60-carve-vfio.rules.in" >"$rules/60-carve-vfio.rules"
	run with_rules /sys/class/mem/null
	[[ $status -eq 0 ]]
	has "$output" /dev/vfio/by-carve/0000:41:00.0 /dev/vfio/by-carve/0000:41:00.1
	[[ $(grep -c '^DEVLINKS=' <<<"$output") -eq 1 ]]
	[[ $(grep '^DEVLINKS=' <<<"$output" | wc -w) -eq 2 ]]
	# a name that cannot be found is no name
	sed -i 's#/bin/echo .*", GOTO#/bin/false", GOTO#' "$rules/60-carve-vfio.rules"
	run with_rules /sys/class/mem/null
	has_not "$output" by-carve/
}

@test "a function without driver is reserved by its rule" {
	local bdf

	need_rules
	bdf=$(pci_function ! -e) || skip "no PCI function without driver here"
	reserve "$bdf"
	run with_rules "/sys/bus/pci/devices/$bdf"
	has "$output" "WOULD_OVERRIDE=vfio-pci" "WOULD_PROBE=$bdf" "WOULD_LOAD=vfio-pci"
	# another model in its slot is not
	sed -i 's/ATTR{device}=="[^"]*/ATTR{device}=="0x0000/' \
		"$BATS_TEST_TMPDIR/rules/10-carve-reserved.rules"
	run with_rules "/sys/bus/pci/devices/$bdf"
	has_not "$output" WOULD_
}

@test "another card of the same model is not reserved" {
	local bdf

	need_rules
	bdf=$(pci_function ! -e) || skip "no PCI function without driver here"
	reserve "$bdf"
	sed -i "s#/run/carve/replaced/$bdf#$BATS_TEST_TMPDIR/replaced#" \
		"$BATS_TEST_TMPDIR/rules/10-carve-reserved.rules"
	run with_rules "/sys/bus/pci/devices/$bdf"
	has "$output" WOULD_OVERRIDE=
	touch "$BATS_TEST_TMPDIR/replaced"
	run with_rules "/sys/bus/pci/devices/$bdf"
	has_not "$output" WOULD_
}

@test "a function that a driver has is left alone by its rule" {
	local bdf

	need_rules
	bdf=$(pci_function -e) || skip "no PCI function with a driver here"
	reserve "$bdf"
	run with_rules "/sys/bus/pci/devices/$bdf"
	[[ $status -eq 0 ]]
	has_not "$output" WOULD_
}

# hook NAME STAGE: an example as it would be run, on a host below $BATS_TEST_TMPDIR
hook() {
	env -i PATH="$BATS_TEST_TMPDIR/bin:/usr/bin:/bin" LANG=C CARVE_STAGE="$2" CARVE_VM=vm1 \
		CARVE_USER=ada CARVE_DEVICES="${devices:?}" sys="$BATS_TEST_TMPDIR/sys" \
		pkeys="$BATS_TEST_TMPDIR/pkeys" fragments="$BATS_TEST_TMPDIR/fragments" \
		partitions="$BATS_TEST_TMPDIR/partitions" "$root/examples/hooks/$1"
}

# program NAME BODY: one that the hook finds first
program() {
	mkdir -p "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\n%s\n' "$2" >"$BATS_TEST_TMPDIR/bin/$1"
	chmod 755 "$BATS_TEST_TMPDIR/bin/$1"
}

@test "the InfiniBand hook writes a partition and takes it away" {
	local bus=$BATS_TEST_TMPDIR/sys/bus/pci/devices fragment devices="0000:41:00.1 0000:41:00.2"

	mkdir -p "$bus/0000:41:00.0/net/ib0" "$bus/0000:41:00.1" "$bus/0000:41:00.2"
	ln -s ../0000:41:00.1 "$bus/0000:41:00.0/virtfn0"
	ln -s ../0000:41:00.2 "$bus/0000:41:00.0/virtfn1"
	ln -s ../0000:41:00.0 "$bus/0000:41:00.1/physfn"
	ln -s ../0000:41:00.0 "$bus/0000:41:00.2/physfn"
	program ip 'cat <<END
7: ib0: <BROADCAST> mtu 4092
    vf 0     link/infiniband 80:00:00:00 brd 00:ff, NODE_GUID 11:22:33:00:77:66:77:00, PORT_GUID 11:22:33:00:77:66:77:01, link-state auto
    vf 1     link/infiniband 80:00:00:00 brd 00:ff, NODE_GUID 11:22:33:00:77:66:78:00, PORT_GUID 11:22:33:00:77:66:78:01, link-state auto
    vf 11     link/infiniband 80:00:00:00 brd 00:ff, NODE_GUID 00:00:00:00:00:00:00:00, PORT_GUID 00:00:00:00:00:00:00:00, link-state auto
END'
	fragment=$BATS_TEST_TMPDIR/fragments/$(uname -n)-vm1.conf
	printf 'bob 0x0001\nada 0x0123\n' >"$BATS_TEST_TMPDIR/pkeys"
	hook ib-partition post-bind
	[[ $(<"$fragment") == "carve_vm1=0x0123, ipoib, defmember=full : 0x1122330077667701, 0x1122330077667801 ;" ]]
	hook ib-partition pre-release
	[[ ! -e $fragment ]]
	hook ib-partition pre-release
	# no partition for this user
	echo 'bob 0x0001' >"$BATS_TEST_TMPDIR/pkeys"
	hook ib-partition post-bind
	[[ ! -e $fragment ]]
	# a VF whose GUID was never set
	echo 'ada 0x0123' >"$BATS_TEST_TMPDIR/pkeys"
	ln -s ../0000:41:00.3 "$bus/0000:41:00.0/virtfn11"
	mkdir "$bus/0000:41:00.3"
	ln -s ../0000:41:00.0 "$bus/0000:41:00.3/physfn"
	devices="0000:41:00.1 0000:41:00.3"
	run hook ib-partition post-bind
	[[ $status -eq 1 && ! -e $fragment ]]
	has "$output" 0000:41:00.3 "no port GUID"
}

@test "the fabric hook activates the partition of exactly these GPUs" {
	local bus=$BATS_TEST_TMPDIR/sys/bus/pci/devices bdf devices="0000:43:00.0 0000:1b:00.0 0000:41:00.1"

	for bdf in 0000:1b:00.0 0000:43:00.0 0000:52:00.0; do
		mkdir -p "$bus/$bdf"
		echo 0x10de >"$bus/$bdf/vendor"
		echo 0x030200 >"$bus/$bdf/class"
	done
	mkdir "$bus/0000:41:00.1"
	echo 0x15b3 >"$bus/0000:41:00.1/vendor"
	echo 0x020700 >"$bus/0000:41:00.1/class"
	program fmpm "echo \"\$*\" >>$BATS_TEST_TMPDIR/asked"
	printf '# of this machine\n1 0000:1b:00.0 0000:43:00.0 0000:52:00.0\n2 0000:1b:00.0 0000:43:00.0\n' \
		>"$BATS_TEST_TMPDIR/partitions"
	hook fabric-partition pre-bind
	hook fabric-partition post-release
	[[ $(xargs <"$BATS_TEST_TMPDIR/asked") == "-a 2 -d 2" ]]
	devices="0000:1b:00.0 0000:52:00.0"
	run hook fabric-partition pre-bind
	[[ $status -eq 1 ]]
	has "$output" "no partition of exactly 0000:1b:00.0 0000:52:00.0"
	# no GPU, nothing to do
	devices=0000:41:00.1
	hook fabric-partition pre-bind
	program fmpm "echo partition in use >&2; exit 4"
	devices="0000:43:00.0 0000:1b:00.0"
	run hook fabric-partition pre-bind
	[[ $status -eq 4 && $output == "partition in use" ]]
}
