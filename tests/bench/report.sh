# SPDX-License-Identifier: GPL-2.0-or-later
# The lines of a benchmark: one per figure, as text or JSON (sourced).
#   bench_header KEY VALUE...   what the figures were taken with
#   bench_line GOAL NAME OURS PEER TARGET UNIT   "ok" when OURS/PEER <= TARGET, else "short"
#   bench_end                   exit status: 1 when a figure fell short or none was taken
bench_json=${bench_json:-}
bench_short=0
bench_lines=0

bench_header() {
	local values=()

	if [[ -n $bench_json ]]; then
		while (($#)); do
			values+=(--arg "$1" "$2")
			shift 2
		done
		jq -nc "${values[@]}" '{bench: 1} + $ARGS.named'
		return
	fi
	while (($#)); do
		printf '# %s: %s\n' "$1" "$2"
		shift 2
	done
}

bench_line() {
	local goal=$1 name=$2 ours=$3 peer=$4 target=$5 unit=$6 ratio verdict=short

	ratio=$(awk -v a="$ours" -v b="$peer" 'BEGIN { printf "%.4f", (b > 0 ? a / b : 999) }')
	if awk -v r="$ratio" -v t="$target" 'BEGIN { exit !(r <= t) }'; then
		verdict=ok
	else
		bench_short=1
	fi
	bench_lines=$((bench_lines + 1))
	if [[ -n $bench_json ]]; then
		jq -nc --arg goal "$goal" --arg name "$name" --arg unit "$unit" --arg verdict "$verdict" \
			--argjson ours "$ours" --argjson peer "$peer" --argjson ratio "$ratio" \
			--argjson target "$target" '$ARGS.named'
	else
		printf '%s %s ours=%s peer=%s unit=%s ratio=%s target=%s %s\n' "$goal" "$name" "$ours" \
			"$peer" "$unit" "$ratio" "$target" "$verdict"
	fi
}

bench_end() {
	((bench_lines > 0 && bench_short == 0))
}
