#!/bin/bash
# bench container shares: the example of the lecture, with containers in its leaves, gets what is declared; what an idle group leaves goes to the others; an end in
# between and a killed bench leave nothing.
source "$(dirname "$0")/../lib.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run container "groups are made as root"
export BENCH_RUN_DIR=$WORK/run
mkdir -p "$BENCH_RUN_DIR"
faculty=$SOURCE/docs/examples/faculty.json
status=0
bench container shares --quiet --seconds 0.3 "$faculty" >/dev/null 2>"$WORK/why" || status=$?
[ "$status" -eq 0 ] || { grep -q 'no cgroup limit' "$WORK/why" && must_run container "$(head -1 "$WORK/why")"; } || fail "$(cat "$WORK/why")"

# shares WANTED OPTION…: the groups must have these percents of what all had together, within 3 points; up to three times where a host is busy. `used` is the part of
# the CPU that they had, 0 to 1.
shares() {
	local wanted=$1 attempt
	shift
	for attempt in 1 2 3; do
		bench container shares --json --check "$@" >"$WORK/json" 2>"$WORK/log" && break
		[ "$attempt" -lt 3 ] || fail "$*: $(cat "$WORK/log" "$WORK/json")"
	done
	/usr/bin/python3 - "$WORK/json" "$wanted" <<'PYTHON' || fail "$*: $(cat "$WORK/json")"
import json, sys
said = json.load(open(sys.argv[1]))
used = said["cpu_used_percent"] / 100
wanted = [float(eval(word)) for word in sys.argv[2].split()]
groups = said["groups"]
assert len(groups) == len(wanted)
for group, want in zip(groups, wanted):
    assert abs(group["expected_percent"] - want) < 0.01, group
    assert abs(group["measured_percent"] - want) <= 3, group
    assert group["least_percent"] <= group["measured_percent"] <= group["most_percent"], group
    print("%-16s %3g %% declared, %5.1f %% expected, %5.1f %% measured" % (group["group"], group["declared_percent"], want, group["measured_percent"]))
sum_ns = sum(group["cpu_ns"] for group in groups if group["leaf"])
assert abs(sum_ns / said["duration_ns"] * 100 - said["cpu_used_percent"]) < 0.1
print("%.1f %% of CPU %d" % (said["cpu_used_percent"], said["cpu"]))
PYTHON
}
echo "all busy"
shares "40 20 20 60" "$faculty"
echo "Students idle"
shares "100 50 50 0" --idle Students "$faculty"
echo "Faculty/Web idle"
shares "40 0 40 60" --idle Faculty/Web "$faculty"
echo "an upper limit"
echo '{"groups": {"a": {"cpu_share": 60, "cpu_percent": 10}, "b": {"cpu_share": 40}}}' >"$WORK/capped.json"
shares "100*min(.6,.1/used) 100-100*min(.6,.1/used)" "$WORK/capped.json"

echo "nobody meets a check of no points"
expect_fail 1 "is off by [0-9.]+ points \(allowed: 0\)" bench container shares --seconds 0.3 --check=0 "$faculty"
bench container shares --seconds 0.3 "$faculty" >"$WORK/table" 2>"$WORK/log" || fail "$(cat "$WORK/log")"
grep -qE '^Faculty/Non-Web +50 % +20.0 % +[0-9.]+ % +[0-9.]+-[0-9.]+ % +[+-][0-9.]+ +█+' "$WORK/table" || fail "the table: $(cat "$WORK/table")"

# started OPTION…: in the background, until it measures. Its pid is $pid, the id of its folder and groups $id.
started() {
	: >"$WORK/log" # what an earlier one said must not be seen
	"$BIN/bench" container shares "$@" "$faculty" >/dev/null 2>>"$WORK/log" &
	pid=$!
	for ((i = 0; i < 200; i++)); do
		grep -q measuring "$WORK/log" && break
		sleep 0.05
	done
	grep -q measuring "$WORK/log" || fail "it does not begin: $(cat "$WORK/log")"
	id=$(basename "$BENCH_RUN_DIR"/bench/containers/*)
	[ -n "$(find /sys/fs/cgroup -type d -name "bench-$id")" ] || fail "no group bench-$id"
}
# ended STATUS: it ends like that, and leaves neither process nor group nor file. After a kill its keeper needs a moment.
ended() {
	local status=0
	wait "$pid" 2>/dev/null || status=$?
	[ "$status" -eq "$1" ] || fail "status $status instead of $1: $(cat "$WORK/log")"
	for ((i = 0; i < 100; i++)); do
		[ -e "$BENCH_RUN_DIR/bench" ] || break
		sleep 0.05
	done
	[ -z "$(find "$BENCH_RUN_DIR" -mindepth 1)" ] || fail "files are left: $(find "$BENCH_RUN_DIR")"
	[ -z "$(find /sys/fs/cgroup -type d -name "bench-$id")" ] || fail "groups are left: $(find /sys/fs/cgroup -name "bench-$id")"
	! grep -ls "bench-$id" /proc/[0-9]*/cgroup || fail "processes are left"
	for agent in $agents; do
		# A zombie is only waiting for process 1, who takes its time in some containers.
		! grep -qE '^State:.[^ZX]' "/proc/$agent/status" 2>/dev/null || [ "$(cat "/proc/$agent/comm" 2>/dev/null)" != agent ] ||
			fail "container $agent is left"
	done
}
echo "each leaf has its container, below it and nowhere else"
started --seconds 60
agents=$(pgrep -x -P "$pid" agent)
[ "$(wc -w <<<"$agents")" -eq 3 ] || fail "$agents: not 3 containers"
for leaf in Faculty/Web Faculty/Non-Web Students; do
	inside=0
	for agent in $agents; do
		! grep -qE "[:,]cpu[,:].*/bench-$id/$leaf/member/|^0::.*/bench-$id/$leaf/member/" "/proc/$agent/cgroup" || inside=$((inside + 1))
	done
	[ "$inside" -eq 1 ] || fail "$inside containers in $leaf"
done
echo "interrupted"
kill -INT "$pid"
ended 130
echo "killed"
started --seconds 60
agents=$(pgrep -x -P "$pid" agent)
kill -KILL "$pid"
ended 137
bench clean --check || fail "something is left"
echo "to its end"
started --seconds 1
agents=$(pgrep -x -P "$pid" agent)
ended 0

echo "no controller, read-only groups, not root"
expect_fail 3 "no cgroup limit.* for cpu|no cgroup file system" unshare -m --propagation private bash -c "umount -l /sys/fs/cgroup/cpu* 2>/dev/null || umount -l /sys/fs/cgroup; exec $BIN/bench container shares $faculty"
grep -q '^  hint: ' "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"
mkdir -m 777 "$WORK/nobody"
chmod 755 "$WORK"
expect_fail 3 "cgroup|Permission denied" setpriv --reuid 65534 --regid 65534 --clear-groups env BENCH_RUN_DIR="$WORK/nobody" "$BIN/bench" container shares "$faculty"
grep -qi 'root' "$WORK/stderr" || fail "it is not said that root is needed: $(cat "$WORK/stderr")"
[ -z "$(find "$BENCH_RUN_DIR" "$WORK/nobody" -mindepth 1)" ] || fail "files are left by what was refused: $(find "$BENCH_RUN_DIR" "$WORK/nobody")"
echo passed
