#!/bin/bash
# Every kind of machine that doctor lists runs here, three times, beside each other in one run; the complete systems have a test of their own (vm_os.sh). Marks are
# there where they can be seen, in their order, and every stop leaves nothing.
source "$(dirname "$0")/../lib.sh"
needs vm

kinds=$(bench doctor | sed -n 's/^vm:\([a-z0-9-]*\) .*/\1/p')
for kind in microvm restore os os-firmware; do grep -qx "$kind" <<<"$kinds" || fail "doctor does not list vm:$kind"; done
list=vm:q35
for kind in $kinds; do
	needs "vm:$kind"
	case $kind in os | os-firmware) ;; *) list+=,vm:$kind ;; esac
done

bench run startup --driver "$list" --n 1 --warmup 0 --timeout 120s --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "first: $(cat "$WORK/log")"
host_state >"$WORK/before"
bench run startup --driver "$list" --n 3 --warmup 0 --timeout 120s --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "a run of all kinds"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" "$list" <<'PY' || fail "the result is not right"
import json, statistics, sys

result, labels = json.load(open(sys.argv[1])), sys.argv[2].split(",")
for label in labels:
    index = [driver["label"] for driver in result["drivers"]].index(label)
    info = result["drivers"][index]["info"]
    samples = [sample for sample in result["samples"] if sample["driver"] == index]
    assert len(samples) == 3 and all(sample["status"] == "ok" for sample in samples), samples
    assert info["accelerator"] in ("tcg", "kvm") and info["machine"] and info["kernel"], info
    for sample in samples:
        marks = sample["marks"]
        ladder = [marks[mark] for mark in ("launched", "sandbox", "kernel", "init", "main", "ready", "stop", "gone") if mark in marks]
        assert ladder == sorted(ladder) and {"ready", "stop", "gone"} <= set(marks), (label, marks)
    ready = statistics.median(sample["marks"]["ready"] for sample in samples) / 1e6
    gone = statistics.median(sample["marks"]["gone"] - sample["marks"]["stop"] for sample in samples) / 1e6
    print(f"MEASURED {label:16} {info['accelerator']} T0 to T6 {ready:8.1f} ms, stop {gone:6.1f} ms")
PY
echo passed
