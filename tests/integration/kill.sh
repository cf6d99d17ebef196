#!/bin/bash
# Nothing is left behind, whatever killed us: a run with containers and guests is killed with SIGKILL at a random moment, again and again
# (BENCH_KILL_ROUNDS, default 20); two seconds later the host must be as before.
source "$(dirname "$0")/../lib.sh"
needs container vm

rounds=${BENCH_KILL_ROUNDS:-20}
# Once to the end first: the kernel and other things that are kept in the cache are not what this is about.
bench run startup --driver container,vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"
for ((round = 1; round <= rounds; round++)); do
	moment_ms=$((RANDOM % 5000))
	"$BIN/bench" run startup --driver process,container,vm --n 1000 --out "$WORK/out-$round" >/dev/null 2>"$WORK/log" &
	pid=$!
	sleep "$(printf '%d.%03d' $((moment_ms / 1000)) $((moment_ms % 1000)))" # the random moment
	kill -KILL "$pid" 2>/dev/null || fail "round $round: the run had ended by itself: $(cat "$WORK/log")"
	wait "$pid" 2>/dev/null || true
	same_host "round $round, killed after $moment_ms ms"
	# What was measured is kept and can be read.
	if [ -s "$WORK/out-$round/samples.jsonl" ] && grep -q '"sample"' "$WORK/out-$round/samples.jsonl"; then
		bench show "$WORK/out-$round/samples.jsonl" >"$WORK/shown" || fail "round $round: the samples of the killed run cannot be read"
	fi
	rm -rf "$WORK/out-$round"
done
echo "passed: $rounds rounds"
