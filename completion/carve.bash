# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of carve(1). Every word comes from the command itself: carve __complete [VERB] prints
# verbs or options, with a leading @ what completes the arguments of a verb, and in lines
# "@value --OPTION WORD..." the values of an option, or one word in capitals for what it takes.

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

# _carve_value OPTION LINES: what the value of an option is; empty for a flag
_carve_value() {
	local line

	while read -r line; do
		[[ $line == "@value $1 "* ]] && echo "${line#"@value $1 "}"
	done <<<"$2"
	[[ $1 == --sysroot ]] && echo PATH
}

_carve() {
	local program=$1 current=${COMP_WORDS[COMP_CWORD]} verb words kind value
	local previous=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	verb=$(_carve_verb)
	words=$("$program" __complete ${verb:+"$verb"} 2>/dev/null)
	value=$(_carve_value "$previous" "$words" | head -n 1)
	kind=$(grep '^@' <<<"$words" | grep -v '^@value ')
	words=$(grep -v '^@' <<<"$words")
	if [[ $value == FILE || $value == PATH ]]; then
		kind=@file words=""
	elif [[ $value == [a-z]* ]]; then
		kind="" words=${value// /$'\n'}
	elif [[ -n $value ]]; then
		return
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
