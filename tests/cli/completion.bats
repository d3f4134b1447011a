#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# Help, completion and man page say the same.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

# complete_words WORD...: what bash offers for the last word
complete_words() {
	bash --noprofile --norc -c '
		. "$0"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMPREPLY=()
		_carve "$1"
		printf "%s\n" "${COMPREPLY[@]}"' "$root/completion/carve.bash" "$carve" "$@"
}

# verb_options VERB...
verb_options() {
	"$carve" __complete "$@" | grep '^--'
}

@test "the verbs that complete are those of the help" {
	expect 0 help
	from_help=$(sed -n '/^verbs$/,/^$/s/^  \([a-z]*\) .*/\1/p' <<<"$output" | sort)
	[[ $from_help == "$(all_verbs | sort)" ]]
	[[ $(complete_words "" | sort) == "$from_help" ]]
}

@test "verbs and options complete from their first letters" {
	[[ $(complete_words au) == audit ]]
	[[ $(complete_words --sys) == --sysroot ]]
	[[ $(complete_words topo --dev) == --devices-only ]]
	[[ $(complete_words -v topo --cp) == --cpus-only ]]
	[[ $(complete_words --sysroot x top) == topo ]]
	[[ $(complete_words help sna) == snapshot ]]
}

@test "verbs of a verb complete, and what they take" {
	[[ $(complete_words dev) == device ]]
	[[ $(complete_words device "" | sort) == "$(inner_verbs device | cut -d ' ' -f 2 | sort)" ]]
	[[ $(complete_words device hold) == holders ]]
	[[ $(complete_words help device hold) == holders ]]
	[[ $(complete_words device list --vf) == --vfs ]]
	[[ $(complete_words -v device --json list --vf) == --vfs ]]
	[[ $(complete_words device list --class nv) == nvme ]]
	[[ -z $(complete_words device udev) ]]
	[[ $(complete_words device show "" | sort) == \
		"$("$carve" device list --names --vfs | sort)" ]]
	[[ -z $(complete_words topo "") ]]
}

@test "values complete where an option takes words" {
	[[ $(complete_words plan --draw "" | sort | xargs) == "svg text" ]]
	[[ $(complete_words plan --format li) == libvirt ]]
	[[ $(complete_words audit --intent "" | sort | xargs) == "isolate p2p" ]]
	[[ $(complete_words plan x.yaml --format h) == hwloc ]]
	[[ -z $(complete_words plan --cpus exampl) ]]
}

@test "files complete where files are wanted" {
	cd "$root"
	[[ $(complete_words plan examples/mini) == examples/minimal.yaml ]]
	[[ $(complete_words --sysroot exampl) == examples ]]
	[[ $(complete_words state --diff exampl) == examples ]]
	[[ $(complete_words plan --from exampl) == examples ]]
	[[ $(complete_words plan --hwloc-xml exampl) == examples ]]
	[[ $(complete_words diff exampl) == examples ]]
	[[ $(complete_words metrics --textfile exampl) == examples ]]
	[[ -z $(complete_words topo exampl) ]]
}

@test "every option of the help completes, hidden ones do not" {
	while read -ra words; do
		expect 0 help "${words[@]}"
		from_help=$(grep -oE '^  --[a-z-]+' <<<"$output" | tr -d ' ' | sort)
		[[ $from_help == "$(verb_options "${words[@]}" | sort)" ]]
	done < <(every_verb)
	has_not "$(complete_words run --cr)" crash-at
}

@test "the man page has every verb and every option" {
	page=$(<"$root/man/carve.1.scd")
	while read -ra words; do
		has "$page" "*carve ${words[*]}*"
		for option in $(verb_options "${words[@]}"); do
			has "$page" "*$option*"
		done
	done < <(every_verb)
}

@test "the man page has no verb and no option that carve does not have" {
	known=$(while read -ra words; do verb_options "${words[@]}"; done < <(every_verb) | sort -u)
	while read -r option; do
		grep -qx -- "$option" <<<"$known" || { echo "no option $option"; return 1; }
	done < <(grep -oE '^	?\*--[a-z-]+\*' "$root/man/carve.1.scd" | grep -oE -- '--[a-z-]+')
	while read -r verb; do
		every_verb | grep -qx "$verb" || { echo "no verb $verb"; return 1; }
	done < <(sed -nE 's/^\*carve ([a-z]+( [a-z]+)?)\*.*/\1/p' "$root/man/carve.1.scd")
}

@test "the man page is valid scdoc" {
	command -v scdoc >/dev/null || skip "scdoc is not installed: scripts/install-deps build"
	scdoc <"$root/man/carve.1.scd" >/dev/null
}
