#!/bin/bash
# Limits of machines are exceeded, and what was measured is printed; the same words limit a container and a machine in one run.
source "$(dirname "$0")/../lib.sh"
needs container vm
[ "$(id -u)" -eq 0 ] || must_run vm "limits are tried as root"

bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >"$WORK/table" 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"
"$BIN/test_vm_limits" -j1 >"$WORK/said" 2>&1 || fail "a limit does not bite: $(cat "$WORK/said")"
grep MEASURED "$WORK/said"
same_host "test_vm_limits"

bench run startup --driver vm:cpu=60,cpu-weight=50,overhead=512M --driver container:cpu=60,cpu-weight=50 --driver vm:label=free --n 3 --warmup 0 \
	--memory 128M --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "a run"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, statistics, sys

result = json.load(open(sys.argv[1]))
drivers = {driver["label"]: (index, driver["info"]) for index, driver in enumerate(result["drivers"])}
for label in "vm", "container":
    limits = drivers[label][1]["limits"]
    assert "cpu=60%" in limits and "weight=50" in limits, limits
assert "memory=%d" % ((128 + 512) << 20) in drivers["vm"][1]["limits"], drivers["vm"][1]
assert drivers["free"][1]["cgroup"] == "none", drivers["free"][1]
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
PY

expect_fail 3 'cgroup=off says none' "$BIN/bench" run startup --driver vm:cgroup=off,cpu=20 --n 1 --out "$WORK/bad"
expect_fail 3 'option cpu' "$BIN/bench" run startup --driver vm:cpu=0 --n 1 --out "$WORK/bad"
expect_fail 3 'option vcpus' "$BIN/bench" run startup --driver vm:vcpus=many --n 1 --out "$WORK/bad"
echo passed
