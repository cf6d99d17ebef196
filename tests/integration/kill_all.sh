#!/bin/bash
# The other ways to die: the supervisor is killed, a worker is killed, both bench and supervisor at once (then 'bench clean' mends), Ctrl-C.
source "$(dirname "$0")/../lib.sh"
needs container vm

start_run() {
	"$BIN/bench" run startup --driver process,container,vm --n 1000 --out "$WORK/out-$1" >/dev/null 2>"$WORK/log-$1" &
	pid=$!
	# Until a guest has been ready once and the next is being started: then there is something to keep and something to lose.
	for ((tick = 0; tick < 600; tick++)); do
		grep -q '"driver": *3.*"status": *"ok"' "$WORK/out-$1/samples.jsonl" 2>/dev/null && pgrep -f 'qemu-system.*-name guest=bench-' >/dev/null && break
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

# A worker that dies takes one sample with it: the run goes on, with new guests.
start_run worker
for child in $(pgrep -P "$supervisor"); do
	# libvirt's threads live in one worker only
	[[ "$(cat "/proc/$child/comm")" == bench* ]] && [ "$(find "/proc/$child/task" -mindepth 1 -maxdepth 1 | wc -l)" -gt 1 ] && worker=$child
done
[ -n "${worker:-}" ] || fail "the vm driver's worker is not to be found"
kill -KILL "$worker"
for ((tick = 0; tick < 300; tick++)); do
	if sed '1,/its worker was killed by signal 9/d' "$WORK/out-worker/samples.jsonl" | grep -q '"driver": *3.*"status": *"ok"'; then
		break
	fi
	kill -0 "$pid" 2>/dev/null || fail "a worker's death ended the run: $(cat "$WORK/log-worker")"
	sleep 0.1
done
grep -q 'its worker was killed by signal 9' "$WORK/out-worker/samples.jsonl" || fail "the sample that died with its worker is not in the journal"
((tick < 300)) || fail "no guest was started after a worker's death: $(tail -3 "$WORK/out-worker/samples.jsonl")"
kill -INT "$pid"
wait "$pid" || true
same_host "worker killed"

# Interrupted while it prepares: no result, no folder, nothing else.
"$BIN/bench" run startup --driver vm --n 5 --out "$WORK/out-early" >/dev/null 2>"$WORK/log-early" &
pid=$!
for ((tick = 0; tick < 100; tick++)); do
	[ -n "$(pgrep -P "$pid")" ] && break
	sleep 0.01
done
kill -INT "$pid"
status=0 && wait "$pid" || status=$?
[ "$status" -eq 130 ] || fail "interrupted early: status $status instead of 130: $(cat "$WORK/log-early")"
[ ! -e "$WORK/out-early" ] || fail "interrupted early: a folder is left"
same_host "interrupted early"

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
