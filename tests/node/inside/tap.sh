# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# TAP and the few things every test inside the emulated node needs. Sourced; CARVE names the command.

tap_count=0
tap_failed=0
said_file=$(mktemp)
tap_log=${NODE_RESULTS:-/tmp}/tests.log
: "${CARVE:=build/tools/carve}"
# AddressSanitizer, in a developer build, wants its place in the address space free.
[[ $CARVE == build/* ]] || echo 0 >/proc/sys/kernel/randomize_va_space

# tap_case NAME FUNCTION [ARG...]: one test; its output is shown when it fails.
tap_case() {
	local name=$1 out began=$SECONDS status

	shift
	tap_count=$((tap_count + 1))
	# not as a condition: that would switch set -e off inside
	out=$(set -e; "$@" 2>&1)
	status=$?
	if ((status == 0)); then
		echo "ok $tap_count - $name"
	else
		tap_failed=$((tap_failed + 1))
		echo "not ok $tap_count - $name"
		tail -n 40 <<<"$out" | sed 's/^/# /'
	fi
	{ echo "== $name ($((SECONDS - began)) s)"; echo "$out"; } >>"$tap_log"
}

tap_end() {
	echo "1..$tap_count"
	((tap_failed == 0))
}

# expect_exit CODE COMMAND...: runs it, keeps stdout and stderr for expect_said, checks the exit code.
expect_exit() {
	local want=$1 got=0 said

	shift
	said=$("$@" 2>&1) || got=$?
	# unchanged runs this in a subshell: what was said comes back through a file
	echo "$said" >"$said_file"
	if ((got != want)); then
		echo "exit code $got, wanted $want: $*"
		echo "$said"
		return 1
	fi
}

# expect_said TEXT...: each text was said by the last expect_exit.
expect_said() {
	local text said

	said=$(<"$said_file")
	for text in "$@"; do
		if [[ $said != *"$text"* ]]; then
			echo "not said: '$text' in:"
			echo "$said"
			return 1
		fi
	done
}

# state_save FILE, state_same FILE: the host before, and whether it still is like that.
state_save() {
	"$CARVE" state --json >"$1"
}

state_same() {
	"$CARVE" state --diff "$1"
}

# unchanged COMMAND...: the host is the same before and after it.
unchanged() {
	local before status

	before=$(mktemp)
	state_save "$before"
	set +e
	(set -e; "$@")
	status=$?
	set -e
	state_same "$before"
	rm -f "$before"
	return "$status"
}

# site_config: what guests of the tests boot, and as whom. The tree may lie where that user cannot look.
site_config() {
	local file

	mkdir -p /etc/carve /run/guest
	for file in vmlinuz initramfs.img; do
		[[ -e /run/guest/$file ]] || : >"/run/guest/$file"
		mount --bind "$(realpath "build/guest/$file")" "/run/guest/$file"
	done
	cat >/etc/carve/carve.yaml <<-EOT
	version: 1
	vm_defaults: {user: nobody}
	boot:
	  kernel: /run/guest/vmlinuz
	  initrd: /run/guest/initramfs.img
	  cmdline: "quiet console=ttyS0"
	EOT
}

# pf_netdev INDEX: network interface of the n-th igb (0: NUMA node 0, 1: node 1).
pf_netdev() {
	local dev index=0

	for dev in /sys/bus/pci/drivers/igb/0*; do
		if ((index++ == $1)); then
			ls "$dev/net"
			return
		fi
	done
	echo "no igb $1" >&2
	return 1
}

# pf_bdf DRIVER INDEX: address of the n-th device of a driver.
pf_bdf() {
	local dev index=0

	for dev in "/sys/bus/pci/drivers/$1"/0*; do
		if ((index++ == $2)); then
			basename "$dev"
			return
		fi
	done
	return 1
}

# link_up NETDEV: up, with the link there: it takes a second or two.
link_up() {
	local tries

	ip link set "$1" up
	for ((tries = 0; tries < 200; tries++)); do
		[[ $(<"/sys/class/net/$1/operstate") == up ]] && return
		sleep 0.1
	done
	echo "no link on $1" >&2
	return 1
}
