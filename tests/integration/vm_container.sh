#!/bin/bash
# Containers in machines: measured as a kind of machine and, with shared=on, as containers in one that runs; the facts of a result say what was in force inside; a
# runtime that is missing or that crashes is one line; a machine that is killed costs one start; nothing is left.
source "$(dirname "$0")/../lib.sh"
needs container vm
[ -r "$BIN/bench-guest" ] || must_run vm "bench-guest was not built: no static libraries (scripts/install-deps)"

bench doctor >"$WORK/doctor" || true
grep -qE '^vm:container +(yes|limited) ' "$WORK/doctor" || fail "doctor says nothing of vm:container: $(cat "$WORK/doctor")"

bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"
bench run startup --driver vm:container,label=own --driver vm:container,shared=on,label=shared --driver vm:container,machine=microvm,label=micro \
	--driver container --n 3 --warmup 0 --memory 64M --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "a run"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
drivers = {driver["label"]: (index, driver["info"]) for index, driver in enumerate(result["drivers"])}
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]

host = drivers["container"][1]
for label in "own", "shared", "micro":
    index, info = drivers[label]
    assert set("mnt pid net uts ipc cgroup user".split()) <= set(info["container namespaces"].split()), info
    assert info["container pids"].split()[1:] == ["1"], info
    assert info["container seccomp mode"] == "2" and info["container no new privileges"] == "1", info
    assert not int(info["container caps bounding"], 16) & (1 << 21 | 1 << 12), info
    assert info["container memory.max"] == str(64 << 20) and info["container cpu.max"] == "100000 100000", info
    assert int(info["memory"]) >= 256 << 20, info
    # The same code with the same choices as on the host.
    for key in "seccomp", "capabilities", "limits":
        assert info["container " + key] == host[key], (key, info, host)
    marks = [sample["marks"] for sample in result["samples"] if sample["driver"] == index]
    assert len(marks) == 3, marks
    wanted = {"request", "main", "ready", "stop", "gone"}
    for each in marks:
        assert each.keys() == wanted if label == "shared" else each.keys() >= wanted | {"launched", "sandbox", "init"}, (label, each)
assert float(drivers["shared"][1]["machine booted in"].split()[0]) > 0, drivers["shared"]
PY

# The anatomy shows the runtime as a step of its own.
bench run anatomy --driver vm:container --n 1 --warmup 0 --out "$WORK/anatomy" >"$WORK/table" 2>"$WORK/log" || fail "anatomy: $(cat "$WORK/log")"
grep -q "runtime in the guest" "$WORK/table" || fail "the anatomy has no step for the runtime: $(cat "$WORK/table")"
same_host "an anatomy"

# From inside: the limit bites and the guest goes on; the ends of containers and machines.
"$BIN/test_vm_container" -j1 >"$WORK/said" 2>&1 || fail "in the guest: $(cat "$WORK/said")"
same_host "test_vm_container"

# A machine of its own cannot be what it is not.
expect_fail 3 "options shared and guest-memory are for machines that run containers" "$BIN/bench" run startup --driver vm:q35,shared=on --n 1 --out "$WORK/no"
expect_fail 3 "a machine for containers" "$BIN/bench" run startup --driver vm:container,restore=on --n 1 --out "$WORK/no"
expect_fail 3 "a machine for containers" "$BIN/bench" run startup --driver vm:container,net=user --n 1 --out "$WORK/no"
expect_fail 3 "memory limit of 2097152 bytes" "$BIN/bench" run startup --driver vm:container,label=own --memory 2M --n 1 --out "$WORK/no"

# Programs of our own beside the agent's: none, one that is no program, one that ends at once.
mkdir "$WORK/bin"
cp "$BIN/bench" "$BIN/bench-agent" "$WORK/bin/"
expect_fail 3 "the runtime for guests, $WORK/bin/bench-guest: No such file" "$WORK/bin/bench" run startup --driver vm:container,label=own --n 1 --out "$WORK/no"
"$WORK/bin/bench" doctor >"$WORK/doctor" || true
grep -qE "^vm:container +no +the runtime for guests" "$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"
grep -A1 "^vm:container" "$WORK/doctor" | grep -q "mend: .*static libraries" || fail "doctor: $(cat "$WORK/doctor")"
echo "no program" >"$WORK/bin/bench-guest"
expect_fail 3 "runtime /runtime cannot be started: Exec format error" "$WORK/bin/bench" run startup --driver vm:container,label=own --n 1 --out "$WORK/no"
expect_fail 3 "runtime /runtime cannot be started: Exec format error" "$WORK/bin/bench" run startup --driver vm:container,label=own,shared=on --n 1 --out "$WORK/no"
printf 'int main(void) { __builtin_trap(); }' | cc -x c -static -o "$WORK/bin/bench-guest" - || fail "no static program can be made"
expect_fail 3 "Kernel panic.*kill init" "$WORK/bin/bench" run startup --driver vm:container,label=own --n 1 --out "$WORK/no"
same_host "runtimes that are none"

# QEMU is killed between starts or in one: at most that one fails, and says why.
mkdir "$WORK/run"
machine_of_run() {
	pgrep -f "^[^ ]*qemu-system.*guest=bench-shared.*$WORK/run/" | head -1
}
kill_shared() {
	local pid
	grep -qE ' [1-9][0-9]*/400 starts ' "$WORK/log" || return 1 # a driver whose first start fails is given up
	pid=$(machine_of_run) && [ -n "$pid" ] && kill -KILL "$pid"
}
: >"$WORK/log"
BENCH_RUN_DIR=$WORK/run "$BIN/bench" run startup --driver vm:container,shared=on --n 200 --warmup 0 --out "$WORK/killed" >/dev/null 2>"$WORK/log" &
run=$!
wait_until 60 kill_shared
wait "$run" || true # what failed shows in the exit status of some
[ -s "$WORK/killed/result.json" ] || fail "no result: $(cat "$WORK/log")"
/usr/bin/python3 - "$WORK/killed/result.json" <<'PY' || fail "a killed machine costs more than one start"
import json, sys

result = json.load(open(sys.argv[1]))
index = [driver["label"] for driver in result["drivers"]].index("vm:container")
samples = [sample for sample in result["samples"] if sample["driver"] == index]
failed = [sample for sample in samples if sample["status"] != "ok"]
assert len(failed) <= 1 and all("killed" in sample["reason"] for sample in failed), failed
assert samples[-1]["status"] == "ok" and len(samples) >= 199, (len(samples), samples[-1])
PY
rmdir "$WORK/run" 2>/dev/null || fail "files are left: $(find "$WORK/run")"
same_host "a killed machine"
echo passed
