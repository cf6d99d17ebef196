#!/bin/bash
# Commands with the mock driver, to the letter: transcripts/<case>/command is run, its output compared with transcripts/<case>/expected.
# What differs from host to host (date, machine, paths, widths of columns, the null driver's rows) is taken out. UPDATE=1 writes the expected files anew.
source "$(dirname "$0")/../lib.sh"

normalise() {
	awk '/^null \(/ { next } /^- null|^host: / { drop = 1; next } /^  / && drop { next } { drop = 0; print }' |
		sed -E -e "s#$WORK#WORK#g" -e 's/started [0-9TZ:-]+, took .*/started DATE/' -e 's/ETA .*/ETA T/' -e 's/  +/  /g' -e 's/ +$//'
}
for case in "$HERE"/cli/transcripts/*/; do
	name=$(basename "$case")
	# shellcheck disable=SC2034 # used by the commands
	OUT=$WORK/$name
	(
		# shellcheck source=/dev/null
		source "$case/command"
	) >"$WORK/output" 2>&1 || echo "status $?" >>"$WORK/output"
	normalise <"$WORK/output" >"$WORK/actual"
	if [ "${UPDATE:-}" = 1 ]; then
		cp "$WORK/actual" "$case/expected"
	fi
	diff -u "$case/expected" "$WORK/actual" || fail "transcript $name"
done
echo passed
