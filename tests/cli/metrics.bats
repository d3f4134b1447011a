#!/usr/bin/env bats
# SPDX-License-Identifier: GPL-2.0-or-later
# carve metrics: the format, on captured machines; the file for node_exporter.

# shellcheck disable=SC2154 # from carve.bash

load carve.bash

# is_format FILE: each family once, HELP and TYPE before its samples, each series once, nothing else
is_format() {
	perl -ne '
		my $name = qr/[a-zA-Z_:][a-zA-Z0-9_:]*/;
		my $label = qr/[a-zA-Z_][a-zA-Z0-9_]*="(?:[ !#-\[\]-~]|\\[\\"n])*"/;
		chomp or die "no newline at the end\n";
		if (/^# HELP ($name) [ -~]+$/) { $family = $1; $type = ""; die "twice: $_\n" if $seen{$1}++; next }
		if (/^# TYPE ($name) (gauge|counter)$/ && $1 eq $family && !$type) { $type = $2; next }
		/^(($name)(?:\{$label(?:,$label)*\})?) [0-9.e+]+$/ && $2 eq $family && $type or die "line $.: $_\n";
		die "twice: $_\n" if $seen{" $1"}++;
		$n++;
		END { die "no samples\n" unless $n }' "$1"
}

setup() {
	dir=$BATS_TEST_TMPDIR
	machine=$sysroots/2n-2igb-2nvme-1sw.sysroot
}

@test "every captured machine gives text that Prometheus reads" {
	while read -r m; do
		expect 0 metrics --sysroot "$m"
		echo "$output" >"$dir/text"
		is_format "$dir/text"
	done < <(machines)
}

@test "the reader of this test sees what is wrong" {
	expect 0 metrics --sysroot "$machine"
	echo "$output" >"$dir/good"
	is_format "$dir/good"
	# shellcheck disable=SC2016 # of sed
	for change in '/^# TYPE carve_guests /d' '/^# HELP carve_devices /d' 's/^\(carve_guests{.*\) 0$/\1 x/' \
		'$p' 's/^\(carve_guests{state="\)/\1\\q/' '1{h;d};$G'; do
		sed "$change" "$dir/good" >"$dir/bad"
		if is_format "$dir/bad"; then
			echo "not seen: $change"
			return 1
		fi
	done
}

@test "pages, devices and VFs of a machine" {
	expect 0 metrics --sysroot "$machine"
	has "$output" 'carve_guests{state="running"} 0' 'carve_devices{state="quarantined"} 0' \
		'carve_hugepages_held{node="1",size="2097152"} 0' 'carve_pf_vfs_limit{pf="0000:81:00.0"} 7'
	[[ $(grep -c '^carve_pf_vfs{' <<<"$output") == 4 ]]
	has_not "$output" '^carve_guest_info'
}

@test "guests that are damaged or ended are told of" {
	{
		cat "$machine"
		echo 'd run/carve/vm/early/vmm'
		echo 'f run/carve/vm/broken/journal "nonsense"'
	} >"$dir/host.sysroot"
	expect 0 metrics --sysroot "$dir/host.sysroot"
	has "$output" 'carve_guests{state="partial"} 2' 'carve_guest_info{guest="broken",' \
		'carve_guest_info{guest="early",'
	echo "$output" >"$dir/text"
	is_format "$dir/text"
}

@test "--textfile replaces the file as a whole and leaves nothing else" {
	mkdir "$dir/out"
	echo old >"$dir/out/carve.prom"
	ln "$dir/out/carve.prom" "$dir/linked"
	expect 0 metrics --sysroot "$machine" --textfile "$dir/out"
	[[ -z $output ]]
	is_format "$dir/out/carve.prom"
	[[ $(ls -A "$dir/out") == carve.prom ]]
	[[ $(stat -c %a "$dir/out/carve.prom") == 644 ]]
	# written aside, not into: who had the old one open still reads all of it
	[[ $(<"$dir/linked") == old ]]
}

@test "--textfile does not write through a link" {
	mkdir "$dir/out"
	echo mine >"$dir/target"
	ln -s "$dir/target" "$dir/out/carve.prom"
	expect 0 metrics --sysroot "$machine" --textfile "$dir/out"
	[[ $(<"$dir/target") == mine && ! -L $dir/out/carve.prom ]]
}

@test "many at once: whoever reads sees a whole file" {
	mkdir "$dir/out"
	for _ in 1 2 3 4; do
		"$carve" metrics --sysroot "$machine" --textfile "$dir/out" >/dev/null 3>&- &
	done
	while [[ -n $(jobs -r) ]]; do
		[[ ! -e $dir/out/carve.prom ]] || is_format "$dir/out/carve.prom"
		sleep 0.02
	done
	is_format "$dir/out/carve.prom"
	[[ $(ls -A "$dir/out") == carve.prom ]]
}

@test "--dry-run writes nothing" {
	mkdir "$dir/out"
	expect 0 metrics --sysroot "$machine" --textfile "$dir/out" --dry-run
	has "$output" carve_guests
	[[ -z $(ls -A "$dir/out") ]]
}

@test "what cannot be done is named" {
	expect 3 metrics --sysroot "$machine" --textfile "$dir/nowhere"
	has "$errors" "$dir/nowhere" node_exporter
	echo x >"$dir/file"
	expect 1 metrics --sysroot "$machine" --textfile "$dir/file"
	has "$errors" "$dir/file"
	expect 2 metrics --sysroot "$machine" --json
	has "$errors" Prometheus
	mkdir -p "$dir/out/carve.prom"
	expect 1 metrics --sysroot "$machine" --textfile "$dir/out"
	[[ $(ls -A "$dir/out") == carve.prom ]]
}
