#!/bin/bash
# bench container run -it at a terminal: prompt, window size, Ctrl-C, Ctrl-Z, exit status; the terminal is as before, whatever ended it.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container

export BENCH_RUN_DIR=$WORK/run
trap end_containers EXIT
mkdir "$WORK/run"
host_state() { container_state; }
make_busybox_root "$WORK/root" || must_run container "no busybox"
host_state >"$WORK/before"
for test in session signals failure hangup; do
	timeout 120 /usr/bin/python3 "$HERE/integration/container_terminal.py" "$BIN/bench" "$WORK/root" "$test" || fail "$test"
	same_host "$test"
done

# A terminal inside, none in front: bytes go through it, its end of input is told, behind a whole line and behind a begun one.
for text in 'one\ntwo\n' 'one\ntwo'; do
	status=0
	# shellcheck disable=SC2059 # the text is a format on purpose
	printf "$text" | timeout 60 "$BIN/bench" container run -it "$WORK/root" sh -c 'test -t 0 && cat; exit 8' >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
	[ "$status" = 8 ] || fail "the end of input: status $status, $(cat "$WORK/stderr")"
	grep -q two "$WORK/stdout" || fail "input through a terminal: $(cat "$WORK/stdout")"
done
same_host "no terminal in front"
echo passed
