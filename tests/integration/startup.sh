#!/bin/bash
# The main job, small: real processes, containers and guests; the result against its schema; nothing left behind.
source "$(dirname "$0")/../lib.sh"
needs container vm

host_state >"$WORK/before"
bench run startup --driver process,container,vm --n 5 --warmup 1 --seed 7 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" ||
	fail "run: $(cat "$WORK/log")"
same_host startup

/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" "$(sha256sum "$BIN/bench-agent" | cut -d' ' -f1)" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
labels = [driver["label"] for driver in result["drivers"]]
assert sorted(labels) == ["container", "null", "process", "vm"], labels
assert result["environment"]["agent_sha256"] == sys.argv[2]
guest = result["drivers"][labels.index("vm")]["info"]
assert guest["accelerator"] in ("tcg", "kvm") and guest["machine"], guest
counted = [sample for sample in result["samples"] if not sample["warmup"]]
blocks = {sample["block"] for sample in counted}
assert len(blocks) >= 5, blocks
for block in blocks:
    assert sorted(s["driver"] for s in counted if s["block"] == block) == [0, 1, 2, 3], "a block runs every driver once"
fastest = {}
for index, label in enumerate(labels):
    samples = [sample for sample in counted if sample["driver"] == index]
    assert all(sample["status"] == "ok" and not sample["phases_disagree"] for sample in samples), (label, samples)
    for sample in samples:
        stamps = [sample["marks"][mark] for mark in ("request", "launched", "sandbox", "kernel", "init", "main", "ready", "stop", "gone")
                  if mark in sample["marks"]]
        assert stamps == sorted(stamps), (label, sample["marks"])
    fastest[label] = min(sample["marks"]["ready"] for sample in samples)
# Of five, on a host where others run, the medians of a process and a container may change places; the fastest do not.
assert fastest["null"] < fastest["process"] < fastest["container"] < fastest["vm"], fastest
wanted = {"process": {"launched", "main"}, "container": {"launched", "sandbox", "init", "main"}, "vm": {"launched", "sandbox", "kernel", "init", "main"}}
for label, marks in wanted.items():
    for sample in counted:
        if sample["driver"] == labels.index(label):
            assert marks <= set(sample["marks"]), (label, sample["marks"])
PY
for chart in startup-ecdf startup-phases; do
	grep -q '<svg' "$WORK/out/$chart.svg" || fail "$chart.svg is no SVG"
	head -c 8 "$WORK/out/$chart.png" | grep -qa PNG || fail "$chart.png is no PNG"
	[ -s "$WORK/out/$chart.gp" ] && [ -s "$WORK/out/$chart.tsv" ] || fail "$chart cannot be redrawn"
done
# The accelerator stands on every figure of a guest.
grep -q 'vm (TCG\|vm (KVM' "$WORK/table" || fail "the table does not name the accelerator"
grep -q 'TCG\|KVM' "$WORK/out/startup-ecdf.svg" "$WORK/out/startup-phases.svg" "$WORK/out/report.html" || fail "a chart does not name the accelerator"
bench show "$WORK/out/result.json" | grep -q '^container' || fail "show"
echo passed
