# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of carve(1). Every word comes from the command itself: carve __complete [VERB] prints
# verbs or options, and with a leading @ what completes the arguments of a verb.

# The verb on the command line so far; skips the options and the values of global ones.
_carve_verb() {
	local i

	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		--sysroot) ((i++)) ;;
		-*) ;;
		*)
			echo "${COMP_WORDS[i]}"
			return
			;;
		esac
	done
}

# _carve_words PROGRAM KIND: candidates for an argument
_carve_words() {
	case $2 in
	@vm) "$1" list --names 2>/dev/null ;;
	@verb) "$1" __complete 2>/dev/null | grep -v '^--' ;;
	esac
}

_carve() {
	local program=$1 current=${COMP_WORDS[COMP_CWORD]} verb words kind
	local previous=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	verb=$(_carve_verb)
	words=$("$program" __complete ${verb:+"$verb"} 2>/dev/null)
	kind=$(grep '^@' <<<"$words")
	words=$(grep -v '^@' <<<"$words")
	if [[ $previous == --sysroot || $previous == --diff || $previous == --tests ]]; then
		kind=@file words=""
	elif [[ $current != -* ]]; then
		[[ -z $verb ]] && words=$(grep -v '^--' <<<"$words")
		[[ -n $verb ]] && words=$(_carve_words "$program" "$kind")
	fi
	if [[ $kind == @file && $current != -* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$current")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _carve carve
