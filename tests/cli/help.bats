#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# The command line: help, what is refused, exit codes, errors as text and as JSON.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

@test "carve alone, help, --help and -h print the same help" {
	expect 0
	first=$output
	has "$first" "usage: carve VERB" "global options" "--sysroot PATH"
	for words in help --help -h; do
		expect 0 $words
		[[ $output == "$first" ]]
	done
}

@test "the help names every verb" {
	expect 0 help
	for verb in $(all_verbs); do
		has "$output" "  $verb "
	done
}

@test "help VERB and VERB --help print the verb's usage and options" {
	while read -ra words; do
		expect 0 help "${words[@]}"
		has "$output" "usage: carve ${words[*]}" "global options"
		first=$output
		expect 0 "${words[@]}" --help
		[[ $output == "$first" ]]
	done < <(every_verb)
}

@test "the help of a verb with verbs of its own names them" {
	for verb in device vf; do
		expect 0 help "$verb"
		while read -ra words; do
			has "$output" "  ${words[1]} "
		done < <(inner_verbs "$verb")
		expect 2 "$verb"
		has "$errors" list "carve help $verb"
		expect 2 "$verb" frobnicate
		has "$errors" frobnicate "carve help $verb"
		expect 2 help "$verb" frobnicate
	done
	expect 2 help topo list
	has "$errors" list "too many"
}

@test "an unknown verb is a usage error that names it" {
	expect 2 frobnicate
	has "$errors" "carve:" frobnicate "carve help"
	[[ -z $output ]]
}

@test "an unknown option is a usage error, for every verb" {
	while read -ra words; do
		expect 2 "${words[@]}" --frobnicate
		has "$errors" --frobnicate "carve help ${words[*]}"
		expect 2 "${words[@]}" -Q
	done < <(every_verb)
}

@test "an option without its value, and a flag with one" {
	expect 2 topo --sysroot
	has "$errors" --sysroot value
	expect 2 topo --json=yes
	has "$errors" --json=yes "no value"
}

@test "missing and extra arguments are usage errors" {
	for verb in plan run show stop console verify snapshot; do
		expect 2 "$verb"
		has "$errors" missing
	done
	for verb in topo audit list state version; do
		expect 2 "$verb" extra
		has "$errors" extra "too many"
	done
}

@test "an error with --json is one JSON object on stderr" {
	expect 2 --json topo extra
	[[ $(jq -r .error.code <<<"$errors") == TOO_MANY_ARGUMENTS ]]
	[[ $(jq -r .error.object <<<"$errors") == extra ]]
	[[ -z $output ]]
}

@test "version as text and as JSON" {
	expect 0 version
	has "$output" "carve " "backends: native qemu"
	first=$output
	expect 0 --version
	[[ $output == "$first" ]]
	expect 0 --json version
	[[ $(jq -c '[.carve_version, .backends]' <<<"$output") == '[1,["native","qemu"]]' ]]
}

@test "a sysroot that is not there, is no snapshot, or is damaged" {
	expect 3 topo --sysroot "$BATS_TEST_TMPDIR/nothing"
	has "$errors" "$BATS_TEST_TMPDIR/nothing"
	echo "not a snapshot" >"$BATS_TEST_TMPDIR/bad.sysroot"
	expect 2 topo --sysroot "$BATS_TEST_TMPDIR/bad.sysroot"
	has "$errors" bad.sysroot:1:
	printf 'carve-sysroot 1\nf ../../etc/passwd "x"\n' >"$BATS_TEST_TMPDIR/bad.sysroot"
	expect 2 topo --sysroot "$BATS_TEST_TMPDIR/bad.sysroot"
	has "$errors" bad.sysroot:2:
}

@test "verbs that change the node refuse a snapshot" {
	machine=$(machines | head -n 1)
	for words in "run $root/examples/minimal.yaml" "stop x" "recover"; do
		# shellcheck disable=SC2086
		expect 2 --sysroot "$machine" $words
		has "$errors" "real host"
	done
}
