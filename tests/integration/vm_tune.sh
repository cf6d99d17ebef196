#!/bin/bash
# What a guest's kernel leaves out of its start is off by default, and stands in the result where it is not.
source "$(dirname "$0")/../lib.sh"
needs vm

export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}
expect_fail 3 "tune=much: expected off, selftests or all" bench run startup --driver vm:tune=much --n 1 --out "$WORK/no"
expect_fail 3 "boot loader" bench run startup --driver vm:os-firmware,tune=all --n 1 --out "$WORK/no"
expect_fail 3 "kernel_form=elf: expected auto, bzimage or vmlinux" bench run startup --driver vm:kernel_form=elf --n 1 --out "$WORK/no"

host_state >"$WORK/before"
bench run startup --driver vm:microvm,label=plain --driver vm:microvm,kernel_form=bzimage,label=packed --driver vm:tune=selftests,label=selftests \
	--driver vm:microvm,tune=all,label=all --n 2 --warmup 0 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "tuned machines"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
drivers = {driver["label"]: driver for driver in result["drivers"]}
words = {label: set(drivers[label]["info"]["cmdline"].split()) for label in ("plain", "packed", "selftests", "all")}
# Nothing is left out unasked.
for label in ("plain", "packed"):
    assert drivers[label]["info"]["tune"] == "off"
    assert not any(word.startswith(("mitigations", "cryptomgr", "init_on_alloc", "initcall")) for word in words[label]), words[label]
assert "cryptomgr.notests" in words["selftests"] and "mitigations=off" not in words["selftests"], words
assert {"cryptomgr.notests", "mitigations=off", "init_on_alloc=0"} <= words["all"], words
assert drivers["plain"]["info"]["kernel form"].startswith("vmlinux") and drivers["packed"]["info"]["kernel form"].startswith("bzImage")
PY
for label in selftests all; do grep -q "tune=$label" "$WORK/table" || fail "the table does not name tune=$label: $(cat "$WORK/table")"; done
echo passed
