#!/bin/bash
# Guests of another architecture: the agent, the kernel and the machine are of that architecture, the result says so and that they are emulated; what is of
# the wrong one is refused in one line; a panic is quoted; neither the host nor its package tools are changed.
source "$(dirname "$0")/../lib.sh"
needs vm
if [ "$(uname -m)" != x86_64 ]; then
	echo "SKIPPED: on $(uname -m) aarch64 is not what is emulated here"
	exit 77
fi
line=$(bench doctor | grep -E '^vm:aarch64 ') || fail "doctor has no line for vm:aarch64"
grep -qE '^vm:aarch64 +no ' <<<"$line" && must_run vm "$line"

export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}
run_one() { bench run startup --driver "$1" --n 1 --warmup 0 --out "$WORK/no"; }

# Without its agent: the line of doctor and the run's error name the packages that mend it.
mkdir "$WORK/bin"
cp "$BIN/bench" "$BIN/bench-agent" "$WORK/bin"
"$WORK/bin/bench" doctor >"$WORK/doctor" || true
grep -A1 -E '^vm:aarch64 +no .*bench-agent-aarch64' "$WORK/doctor" | grep -q 'mend: .*gcc-aarch64-linux-gnu' || fail "doctor: $(cat "$WORK/doctor")"
expect_fail 3 "agent for guests of aarch64" "$WORK/bin/bench" run startup --driver vm:aarch64 --n 1 --out "$WORK/no"

expect_fail 3 "machine 'q35' is one of x86_64, the guest is aarch64" run_one vm:q35,arch=aarch64
expect_fail 3 "the host's own architecture alone" run_one vm:aarch64,accel=kvm
expect_fail 3 "a complete system is of x86_64 alone" run_one vm:os,arch=aarch64

package_state() {
	dpkg --print-foreign-architectures 2>/dev/null || true
	{ find /var/lib/apt/lists /var/cache/apt -name '*arm64*' 2>/dev/null || true; } | sort
}
host_state >"$WORK/before"
package_state >"$WORK/packages-before"
bench run startup --driver vm:q35,vm:aarch64 --driver vm:aarch64,restore=on,label=restored --n 3 --warmup 1 --seed 5 --out "$WORK/out" \
	>"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "guests of aarch64"
package_state | diff -u "$WORK/packages-before" - || fail "the host's package tools know of arm64 now"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" "$(sha256sum "$BIN/bench-agent-aarch64" | cut -d' ' -f1)" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
for index, driver in enumerate(result["drivers"]):
    if driver["label"] == "null":
        continue
    info, samples = driver["info"], [sample for sample in result["samples"] if sample["driver"] == index]
    assert len(samples) == 4 and all(sample["status"] == "ok" for sample in samples), samples
    if driver["label"] == "vm:q35":
        assert info["arch"] == "x86_64" and "agent sha256" not in info and "emulated arch" not in info, info
        continue
    assert info["arch"] == info["emulated arch"] == "aarch64" and info["machine"] == "virt" and info["machine_full"].startswith("virt-"), info
    assert info["accelerator"] == "tcg" and info["accelerator reason"] == "emulates another architecture: aarch64 on x86_64", info
    assert info["agent sha256"] == sys.argv[2] != result["environment"]["agent_sha256"], info
    assert info["kernel form"].startswith("Image") and info["kernel"][0].isdigit() and info["modules"] == "none", info
    assert any(note.startswith("TCG (emulated), aarch64: ") for note in driver["notes"]), driver["notes"]
    for sample in samples:
        # QEMU loads this kernel by itself: nobody sees when it begins.
        assert "kernel" not in sample["marks"] and ("init" in sample["marks"]) == (driver["label"] == "vm:aarch64"), sample["marks"]
        assert 8 << 20 < sample["guest_memory"]["ram_bytes"] <= 256 << 20, sample
        assert 0 < sample["guest_memory"]["used_bytes"] < sample["guest_memory"]["total_bytes"] <= 256 << 20, sample
PY
grep -qF 'vm:aarch64 (TCG, aarch64 virt)' "$WORK/table" || fail "the table does not say what is emulated: $(cat "$WORK/table")"

kernel=$(find "$BENCH_CACHE_DIR"/vm/kernels-aarch64 -name 'vmlinuz-*' -type f | head -1)
hosts=$(/usr/bin/python3 -c 'import json, re, sys
for driver in json.load(open(sys.argv[1]))["drivers"]:
    if driver["label"] == "vm:q35": print(re.search(r"\((/.*)\)", driver["info"]["kernel source"])[1])' "$WORK/out/result.json")
expect_fail 3 "$kernel is for aarch64, the guest is x86_64: as a Linux container needs a Linux kernel of its host's architecture" run_one "vm:q35,kernel=$kernel"
grep -q "hint: a machine can emulate another architecture: use arch=aarch64" "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"
expect_fail 3 "$hosts is for x86_64, the guest is aarch64" run_one "vm:aarch64,kernel=$hosts"
head -c 9000000 "$kernel" >"$WORK/short"
expect_fail 3 "$WORK/short is cut short" run_one "vm:aarch64,kernel=$WORK/short"

# Packed by gzip, as some distributions have it.
gzip -c "$kernel" >"$WORK/packed"
bench run startup --driver "vm:aarch64,kernel=$WORK/packed" --n 1 --warmup 0 --out "$WORK/gzip" >/dev/null 2>"$WORK/log" || fail "gzip: $(cat "$WORK/log")"

# The last and the first moment that a kernel has for it.
expect_fail 3 "the guest's kernel says: Kernel panic - not syncing: VFS" run_one vm:aarch64,append=rdinit=/nowhere
expect_fail 3 "the guest's kernel says: Kernel panic - not syncing: System is deadlocked on memory" run_one vm:aarch64,append=mem=40M

bench run anatomy -d vm:aarch64 --n 1 --warmup 0 --out "$WORK/anatomy" >"$WORK/table" 2>"$WORK/log" || fail "anatomy: $(cat "$WORK/log")"
/usr/bin/python3 - "$WORK/anatomy/result.json" <<'PY' || fail "anatomy is not right: $(cat "$WORK/table")"
import json, sys

result = json.load(open(sys.argv[1]))
whole = [driver.get("variant", {}).get("role") for driver in result["drivers"]].index("whole")
sample = [s for s in result["samples"] if s["driver"] == whole][0]
# They follow each other without a gap, though the kernel's begin is not seen.
ends = [0] + [pair[1] for pair in sample["steps"]]
assert len(sample["steps"]) == len(result["drivers"][whole]["steps"]) == 7, result["drivers"][whole]["steps"]
assert all(pair[0] == end for pair, end in zip(sample["steps"], ends)) and ends[-1] == sample["marks"]["ready"], sample
PY
same_host "all of it"
echo passed
