#!/bin/bash
# What the kernel of a guest leaves out of its start stands in the result: work of the start alone by default, nothing with tune=off, its protections only when asked for.
source "$(dirname "$0")/../lib.sh"
needs vm

export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}
expect_fail 3 "tune=much: expected off, start or all" bench run startup --driver vm:tune=much --n 1 --out "$WORK/no"
expect_fail 3 "boot loader" bench run startup --driver vm:os-firmware,tune=all --n 1 --out "$WORK/no"
expect_fail 3 "kernel_form=elf: expected auto, bzimage or vmlinux" bench run startup --driver vm:kernel_form=elf --n 1 --out "$WORK/no"

host_state >"$WORK/before"
bench run startup --driver vm:microvm,tune=off,label=plain --driver vm:tune=off,kernel_form=bzimage,label=packed --driver vm:label=start \
	--driver vm:microvm,tune=all,label=all --n 2 --warmup 0 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "tuned machines"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
drivers = {driver["label"]: driver for driver in result["drivers"]}
words = {label: set(drivers[label]["info"]["cmdline"].split()) for label in ("plain", "packed", "start", "all")}
# tune=off leaves nothing out.
for label in ("plain", "packed"):
    assert drivers[label]["info"]["tune"] == "off"
    assert not any(word.startswith(("mitigations", "cryptomgr", "init_on_alloc", "initcall")) for word in words[label]), words[label]
# The default leaves out work of the start alone, and says so.
assert drivers["start"]["info"]["tune"] == "start" and any("no self-tests of ciphers" in note for note in drivers["start"]["notes"]), drivers["start"]
assert {"cryptomgr.notests", "noreplace-smp"} <= words["start"] and not any(word.startswith(("mitigations", "init_on_alloc", "initcall")) for word in words["start"]), words
assert {"cryptomgr.notests", "mitigations=off", "init_on_alloc=0"} <= words["all"], words
assert drivers["plain"]["info"]["kernel form"].startswith("vmlinux") and drivers["packed"]["info"]["kernel form"].startswith("bzImage")
PY
for label in start all; do grep -q "tune=$label" "$WORK/table" || fail "the table does not name tune=$label: $(cat "$WORK/table")"; done
echo passed
