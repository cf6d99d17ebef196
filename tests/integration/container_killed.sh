#!/bin/bash
# A monitor that is killed takes its container with it and leaves nothing; with its keeper killed too, `bench clean` undoes the rest.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container
host_state() { container_state; }

export BENCH_RUN_DIR=$WORK/run
trap end_containers EXIT
mkdir "$WORK/run"
root=$WORK/root
make_busybox_root "$root" || must_run container "no busybox"
container_state >"$WORK/before"
field() { bench container inspect "$1" | /usr/bin/python3 -c "import json, sys; print(json.load(sys.stdin)$2)"; }
child_called() {
	local child
	for child in $(ps -o pid= --ppid "$1"); do
		[ "$(cat "/proc/$child/comm")" = "$2" ] && echo "$child"
	done
	return 0
}
no_folder() { [ -z "$(find "$WORK/run" -name '????????????' -path '*/containers/*')" ]; }

# A program that changes its user loses its parent death signal: it must end all the same.
for program in 'while :; do sleep 0.05; done' 'exec su user -s /bin/sh -c "while :; do sleep 0.05; done"'; do
	id=$(bench container run -d "$root" sh -c "$program")
	[ -n "$id" ] || fail "no id"
	inside=$(field "$id" '["pid"]')
	kill -KILL "$(field "$id" '["monitor_pid"]')"
	wait_until 10 no_folder
	[ ! -e "/proc/$inside" ] || [ "$(awk '{ print $3 }' "/proc/$inside/stat" 2>/dev/null)" = Z ] || fail "the container outlived its monitor"
	bench clean --check >"$WORK/clean" || fail "something is left: $(cat "$WORK/clean")"
	same_host "monitor killed"
done

# In the foreground bench itself is the monitor.
"$BIN/bench" container run "$root" sh -c 'echo ready; while :; do sleep 0.05; done' >"$WORK/stdout" 2>&1 &
wait_until 10 grep -q ready "$WORK/stdout"
wait_until 10 sh -c '"$0" container ps | grep -q running' "$BIN/bench"
id=$(bench container ps | awk 'NR == 2 { print $1 }')
kill -KILL "$(field "$id" '["monitor_pid"]')"
wait || true
wait_until 10 no_folder
same_host "foreground killed"

# Both at once, paused or not: nobody is left but `bench clean`. The container itself dies by its parent death signal.
for state in running paused; do
	id=$(bench container run -d "$root" sh -c 'while :; do sleep 0.05; done')
	[ "$state" = running ] || bench container pause "$id" 2>/dev/null || true
	monitor=$(field "$id" '["monitor_pid"]')
	kill -KILL "$(child_called "$monitor" bench-keeper)" "$monitor"
	wait_until 10 sh -c '! kill -0 "$0" 2>/dev/null' "$monitor"
	bench container ps -a | grep -qE "^$id .* dead " || fail "ps does not show it dead: $(bench container ps -a)"
	status=0
	bench clean --check >"$WORK/clean" || status=$?
	[ "$status" = 1 ] && grep -q "left behind by .*/containers/$id" "$WORK/clean" || fail "clean --check ($status): $(cat "$WORK/clean")"
	bench clean >"$WORK/clean" || fail "clean: $(cat "$WORK/clean")"
	bench clean --check >"$WORK/clean" || fail "clean left something: $(cat "$WORK/clean")"
	same_host "$state, all killed"
done

# The same by hand, for one.
id=$(bench container run -d "$root" sleep 1000)
monitor=$(field "$id" '["monitor_pid"]')
kill -KILL "$(child_called "$monitor" bench-keeper)" "$monitor"
wait_until 10 sh -c '! kill -0 "$0" 2>/dev/null' "$monitor"
bench container rm "$id"
same_host "rm of a dead one"

# At random moments of start and end.
for ((round = 0; round < ${BENCH_KILL_ROUNDS:-20}; round++)); do
	"$BIN/bench" container run "$root" sleep 0.05 >/dev/null 2>&1 &
	pid=$!
	sleep "$(printf '0.%03d' $((RANDOM % 150)))" # the random moment
	kill -KILL "$(ps -o pid= --ppid "$pid" | head -1)" 2>/dev/null || true
	kill -KILL "$pid" 2>/dev/null || true
	wait "$pid" 2>/dev/null || true
done
wait_until 10 sh -c '"$0" clean >/dev/null; "$0" clean --check >/dev/null' "$BIN/bench"
same_host "killed at random moments"
echo passed
