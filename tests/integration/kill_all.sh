#!/bin/bash
# The other ways to die: the supervisor is killed, a worker is killed, both bench and supervisor at once (then 'bench clean' mends), Ctrl-C.
source "$(dirname "$0")/../lib.sh"
needs container vm

start_run() {
	"$BIN/bench" run startup --driver process,container,vm --n 1000 --out "$WORK/out-$1" >/dev/null 2>"$WORK/log-$1" &
	pid=$!
	# Until guests are being started: then there is something to lose.
	for ((tick = 0; tick < 600; tick++)); do
		grep -q '"sample"' "$WORK/out-$1/samples.jsonl" 2>/dev/null && pgrep -f 'qemu-system.*-name guest=bench-' >/dev/null && break
		kill -0 "$pid" 2>/dev/null || fail "$1: the run ended by itself: $(cat "$WORK/log-$1")"
		sleep 0.1
	done
	supervisor=$(pgrep -P "$pid" | head -1)
}

bench run startup --driver container,vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"

start_run interrupt
kill -INT "$pid"
status=0 && wait "$pid" || status=$?
[ "$status" -eq 130 ] || fail "interrupted: status $status instead of 130: $(cat "$WORK/log-interrupt")"
same_host interrupt
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out-interrupt/result.json" || fail "the result of an interrupted run breaks the schema"
grep -q '"interrupted": *true' "$WORK/out-interrupt/result.json" || fail "the result does not say that it was interrupted"

start_run supervisor
kill -KILL "$supervisor"
status=0 && wait "$pid" || status=$?
[ "$status" -eq 3 ] || fail "supervisor killed: status $status instead of 3: $(cat "$WORK/log-supervisor")"
same_host "supervisor killed"

start_run worker
worker=$(pgrep -P "$supervisor" -o -f 'bench run') # the oldest: it cannot be QEMU
kill -KILL "$worker"
sleep 0.2
kill -0 "$pid" 2>/dev/null || fail "a worker's death ended the run: $(cat "$WORK/log-worker")"
kill -INT "$pid"
wait "$pid" || true
same_host "worker killed"

start_run both
kill -STOP "$pid" "$supervisor"
kill -KILL "$supervisor" "$pid"
wait "$pid" 2>/dev/null || true
status=0 && bench clean --check >"$WORK/check" || status=$?
[ "$status" -eq 1 ] || fail "clean --check: status $status instead of 1: $(cat "$WORK/check")"
bench clean >"$WORK/clean" || fail "clean: $(cat "$WORK/clean")"
same_host "both killed and cleaned"
bench clean --check >/dev/null || fail "clean --check still finds something"
echo passed
