#!/bin/bash
# The anatomy of a container's start, small: real steps, real variants; the result against its schema; nothing left behind.
source "$(dirname "$0")/../lib.sh"
needs container

host_state >"$WORK/before"
bench run anatomy --n 8 --warmup 1 --seed 7 --without 'two namespaces:uts=host,ipc=host' --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" ||
	fail "run: $(cat "$WORK/log")"
same_host anatomy

/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
drivers = result["drivers"]
roles = {driver["label"]: driver.get("variant", {}).get("role") for driver in drivers}
assert roles["container"] == "whole" and roles["container (again)"] == "again" and roles["process"] == "floor", roles
assert roles["two namespaces"] == "without", roles
whole = [driver["label"] for driver in drivers].index("container")
names = [step["name"] for step in drivers[whole]["steps"]]
assert len(set(names)) == len(names) > 3, names
summary = result["summary"]
assert summary["whole"] == "container" and summary["start_noise_ns"] >= 0, summary["whole"]
# Every variant of the table was measured or is left out with a reason.
left_out = {entry["label"]: entry["reason"] for entry in result["left_out"]}
for variant in ("net=host", "pid=host", "uts=host", "mount=host", "seccomp=off", "cgroup=off", "pool=4", "root=overlay"):
    assert variant in roles or left_out[variant], variant
assert all(left_out.values()), left_out
timed = 0
for sample in result["samples"]:
    if sample["status"] != "ok" or not drivers[sample["driver"]].get("steps"):
        continue
    lanes = {}
    for step, pair in zip(drivers[sample["driver"]]["steps"], sample["steps"]):
        if pair:
            timed += 1
            assert 0 <= pair[0] <= pair[1] <= sample["marks"]["ready"], (step, pair)
            lanes.setdefault(step["lane"], []).append(pair)
    for pairs in lanes.values():
        pairs.sort()
        assert all(before[1] <= after[0] for before, after in zip(pairs, pairs[1:])), pairs
assert timed > 50, timed
own = summary["drivers"][whole]
assert [step["name"] for step in own["steps"]] == names
assert any(step["duration"]["n"] >= 8 for step in own["steps"])
PY
for chart in anatomy-costs anatomy-steps; do
	grep -q '<svg' "$WORK/out/$chart.svg" || fail "$chart.svg is no SVG"
	head -c 8 "$WORK/out/$chart.png" | grep -qa PNG || fail "$chart.png is no PNG"
done
grep -q 'What each feature costs: container' "$WORK/table" || fail "the table has no costs: $(cat "$WORK/table")"
bench show "$WORK/out" >"$WORK/shown" && grep -q '^all, T0→T6' "$WORK/shown" || fail "show: $(cat "$WORK/shown")"

# Ended in the middle, it keeps what it has. (SIGTERM: a shell starts its background commands with SIGINT ignored.)
"$BIN/bench" run anatomy --n 100000 --out "$WORK/cut" >"$WORK/table" 2>"$WORK/log" &
pid=$!
for ((tick = 0; tick < 600; tick++)); do
	blocks=$(grep -cs '"block":{' "$WORK/cut/samples.jsonl" || true)
	[ "${blocks:-0}" -lt 3 ] || break
	sleep 0.1
done
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" -eq 130 ] || fail "ended: status $status: $(cat "$WORK/log")"
grep -q '^INTERRUPTED after' "$WORK/table" || fail "ended: $(cat "$WORK/table")"
[ -s "$WORK/cut/result.json" ] && [ ! -e "$WORK/cut/samples.jsonl" ] || fail "ended: $(ls "$WORK/cut")"
same_host "anatomy, interrupted"
echo passed
