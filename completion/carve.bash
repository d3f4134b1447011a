# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# Completion of carve(1). Every word comes from the command itself: carve __complete [VERB [VERB]]
# prints verbs or options, with a leading @ what completes the arguments of a verb (@inner: the verbs
# among the words), and in lines "@value --OPTION WORD..." the values of an option, or one word in
# capitals for what it takes.

# The verbs on the command line so far, one per line: the first two words that are neither options
# nor values of global ones. A verb without verbs of its own does not care for the second.
_carve_verbs() {
	local i found=0

	for ((i = 1; i < COMP_CWORD && found < 2; i++)); do
		case ${COMP_WORDS[i]} in
		--sysroot) ((i++)) ;;
		-*) ;;
		*)
			echo "${COMP_WORDS[i]}"
			((found++))
			;;
		esac
	done
}

# _carve_words PROGRAM KIND WORDS VERB...: candidates for an argument
_carve_words() {
	case $2 in
	@vm | @start) "$1" list --names 2>/dev/null ;;
	@device) "$1" device list --names --vfs 2>/dev/null ;;
	@inner) grep -v '^--' <<<"$3" ;;
	@verb) "$1" __complete "${@:5}" 2>/dev/null | grep -v '^[-@]' ;;
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
	local program=$1 current=${COMP_WORDS[COMP_CWORD]} verbs words kind value
	local previous=${COMP_WORDS[COMP_CWORD - 1]}

	COMPREPLY=()
	mapfile -t verbs < <(_carve_verbs)
	words=$("$program" __complete "${verbs[@]}" 2>/dev/null)
	value=$(_carve_value "$previous" "$words" | head -n 1)
	kind=$(grep '^@' <<<"$words" | grep -v '^@value ')
	words=$(grep -v '^@' <<<"$words")
	if [[ $value == FILE || $value == PATH || $value == DIR ]]; then
		kind=@file words=""
	elif [[ $value == [a-z]* ]]; then
		kind="" words=${value// /$'\n'}
	elif [[ -n $value ]]; then
		return
	elif [[ $current != -* ]]; then
		[[ ${#verbs[@]} -eq 0 ]] && words=$(grep -v '^--' <<<"$words")
		[[ ${#verbs[@]} -gt 0 ]] &&
			words=$(_carve_words "$program" "$kind" "$words" "${verbs[@]}")
	fi
	if [[ ($kind == @file || $kind == @start) && $current != -* ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current"; compgen -f -- "$current")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}

complete -F _carve carve
