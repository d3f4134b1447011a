# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the tests of the command share: where it is, the captured machines, JSON checks.
# CARVE names the command; default: the developer build, else the release build.

root=$(cd "${BATS_TEST_DIRNAME:?}/../.." && pwd)
sysroots=$root/tests/sysroots
# shellcheck disable=SC2034 # read by the tests
golden=$root/tests/golden

find_carve() {
	local candidate

	for candidate in "${CARVE:-}" "$root/build-dev/tools/carve" "$root/build/tools/carve"; do
		if [[ -x $candidate ]]; then
			realpath "$candidate"
			return
		fi
	done
	echo "SKIP: no carve to test; meson compile -C build, or set CARVE=/path/to/carve" >&2
	exit 77
}
carve=$(find_carve)

# expect STATUS ARG...: runs carve; its output is in $output (stdout) and $errors (stderr)
expect() {
	local wanted=$1 status=0

	shift
	output=$("$carve" "$@" 2>"${BATS_TEST_TMPDIR:?}/stderr") || status=$?
	errors=$(<"$BATS_TEST_TMPDIR/stderr")
	[[ $status -eq $wanted ]] && return
	echo "carve $*: exit status $status, wanted $wanted"
	echo "$output"
	echo "$errors"
	return 1
}

# has TEXT WORD...: each word is in the text
has() {
	local text=$1 word

	shift
	for word; do
		[[ $text == *"$word"* ]] && continue
		printf 'no "%s" in:\n%s\n' "$word" "$text"
		return 1
	done
}

# has_not TEXT REGEX: no line of the text matches
has_not() {
	! grep -E -- "$2" <<<"$1" || return 1
}

# same_json FILE JSON: equal to a golden file; CARVE_GOLDEN_UPDATE=1 writes the file instead
same_json() {
	if [[ -n ${CARVE_GOLDEN_UPDATE:-} ]]; then
		jq . <<<"$2" >"$1"
		return
	fi
	diff -u "$1" <(jq . <<<"$2")
}

# The machines, one path per line.
machines() {
	printf '%s\n' "$sysroots"/*.sysroot
}

# Names of devices come from the pci.ids of this machine.
without_names() {
	jq 'del(.devices[]?.name)'
}

all_verbs() {
	"$carve" __complete | grep -v '^--'
}

# inner_verbs VERB: its own verbs as they are typed, "device list"
inner_verbs() {
	"$carve" __complete "$1" | grep -qx @inner || return 0
	"$carve" __complete "$1" | grep -v '^[-@]' | sed "s/^/$1 /"
}

# Every verb as it is typed, one per line: "topo", "device", "device list"
every_verb() {
	local verb

	all_verbs | while read -r verb; do
		echo "$verb"
		inner_verbs "$verb"
	done
}
