#!/bin/bash
# Machines that start from a saved state beside such that boot: all marks of the ladder, the steps, the memory; nothing left behind.
source "$(dirname "$0")/../lib.sh"
needs vm

expect_fail 3 "neither on nor off" bench run startup --driver vm:restore=perhaps --n 1
expect_fail 3 "a daemon ends with its client" bench run startup --driver vm:restore,connect=qemu:///system --n 1

host_state >"$WORK/before"
bench run startup --driver vm:q35,vm:restore --driver vm:restore,machine=microvm,label=micro --n 3 --warmup 1 --seed 7 --out "$WORK/out" \
	>"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "restored machines"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, statistics, sys

result = json.load(open(sys.argv[1]))
labels = [driver["label"] for driver in result["drivers"]]
medians = {}
for index, label in enumerate(labels):
    if label == "null":
        continue
    info, samples = result["drivers"][index]["info"], [sample for sample in result["samples"] if sample["driver"] == index]
    boots = label == "vm:q35"
    assert ("saved state" in info) == (not boots) and ("cold boot" in info) == (not boots), (label, info)
    for sample in samples:
        marks = sample["marks"]
        assert sample["status"] == "ok" and not sample["phases_disagree"], (label, sample)
        # A restored guest's kernel and init began before it was saved: never guessed.
        assert all((mark in marks) == boots for mark in ("kernel", "init", "main")), (label, marks)
        order = [marks[mark] for mark in ("launched", "sandbox", "kernel", "init", "main", "ready") if mark in marks]
        assert order == sorted(order), (label, marks)
        memory, footprint = sample["guest_memory"], sample["footprint"]
        assert 8 << 20 < memory["ram_bytes"] <= 256 << 20, memory
        assert abs(memory["ram_bytes"] + memory["vmm_pss_bytes"] - footprint["pss_bytes"]) < 8 << 20, (memory, footprint)
        assert 0 < memory["used_bytes"] < memory["total_bytes"] <= 256 << 20, memory
    medians[label] = statistics.median(s["marks"]["ready"] for s in samples if not s["warmup"])
assert medians["vm:restore"] < medians["vm:q35"] / 3, medians  # the bar is measured on a quiet host; here others may run
PY
grep -q "^Memory of an instance" "$WORK/table" || fail "no table of memory: $(cat "$WORK/table")"
grep -qF "from the saved state" "$WORK/table" || fail "the table does not name what is restored: $(cat "$WORK/table")"

for kind in q35 microvm restore; do
	bench run anatomy -d "vm:$kind" --n 1 --warmup 0 --out "$WORK/anatomy-$kind" >"$WORK/table" 2>"$WORK/log" || fail "anatomy of $kind: $(cat "$WORK/log")"
	/usr/bin/python3 - "$WORK/anatomy-$kind/result.json" <<'PY' || fail "anatomy of $kind is not right: $(cat "$WORK/table")"
import json, sys

result = json.load(open(sys.argv[1]))
whole = [driver.get("variant", {}).get("role") for driver in result["drivers"]].index("whole")
steps = result["drivers"][whole]["steps"]
sample = [s for s in result["samples"] if s["driver"] == whole][0]
assert sample["status"] == "ok" and len(sample["steps"]) == len(steps) and all(sample["steps"]), (steps, sample)
# They follow each other without a gap: together they are the whole start.
ends = [0] + [pair[1] for pair in sample["steps"]]
assert all(pair[0] == end for pair, end in zip(sample["steps"], ends)) and ends[-1] == sample["marks"]["ready"], sample
PY
done
same_host "anatomy of a machine's start"

# No room for the state: one line that says so, and nothing stays.
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$WORK/small"
	cat >"$WORK/small.sh" <<-'SH'
		mount -t tmpfs -o size=50M none "$1/small"
		BENCH_RUN_DIR=$1/small "$2/bench" run startup --driver vm:restore,kernel_form=bzimage,label=small --n 1 --out "$1/never"
		status=$?
		[ -z "$(ls -A "$1/small")" ] || echo "bench: files are left" >&2
		exit $status
	SH
	expect_fail 3 "save the machine: .*No space left" unshare --mount bash "$WORK/small.sh" "$WORK" "$BIN"
	same_host "no room for a saved state"
fi
echo passed
