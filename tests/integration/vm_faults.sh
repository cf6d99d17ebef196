#!/bin/bash
# Machines that fail, in ways beyond those of bad_host.sh: each ends in one line of error with status 3, and the host is as before.
source "$(dirname "$0")/../lib.sh"
needs vm
[ "$(id -u)" -eq 0 ] || must_run root "needs root for small file systems of its own"

export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}
run_vm() {
	rm -rf "$WORK/out" # a start that is too late is a result, too
	bench run startup --driver "${DRIVER:-vm}" --n 1 --warmup 0 --out "$WORK/out" "$@"
}
bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
kernel=$(find "$BENCH_CACHE_DIR" /boot -name 'vmlinuz*' -type f ! -path '*/kernels-*' 2>/dev/null | head -1)
[ -n "$kernel" ] || fail "no kernel to play with"
host_state >"$WORK/before"

# A fault is told in this time or it was not noticed, but waited out: a start may last a minute (the default of --timeout). Hosts are slow, and what comes
# before the fault (libvirt's look at QEMU, a boot until its panic) takes seconds on a busy one.
SOON=40
# timed SECONDS FAULT COMMAND…: fails when the fault took longer to be told; prints how long it took.
timed() {
	local limit=$1 fault=$2 start=$EPOCHREALTIME took
	shift 2
	"$@"
	took=$(bc <<<"$EPOCHREALTIME - $start")
	printf 'MEASURED %-30s %s s: %s\n' "$fault" "$took" "$(grep '^bench: ' "$WORK/stderr" | head -1)"
	[ "$(bc <<<"$took < $limit")" -eq 1 ] || fail "$fault: told after $took s instead of $limit"
}

# Named and gone before anything is made.
mkdir "$WORK/nothing"
for program in sh bash gnuplot ps; do ln -s "$(command -v "$program" || echo /nowhere)" "$WORK/nothing/$program"; done
timed $SOON "QEMU missing" expect_fail 3 "QEMU is not installed" env "PATH=$WORK/nothing" "$BIN/bench" run startup --driver vm --n 1 --warmup 0 --out "$WORK/out-none"
grep -q "hint: apt install" "$WORK/stderr" || fail "no package is named: $(cat "$WORK/stderr")"

DRIVER=vm:append=rdinit=/nowhere timed $SOON "a guest that panics" expect_fail 3 "[Pp]anic" run_vm
DRIVER=vm:microvm,append=rdinit=/nowhere timed $SOON "a microvm that panics" expect_fail 3 "[Pp]anic" run_vm

# It waits for its root for ever, and says nothing. What is told is the limit of eight seconds.
DRIVER="vm:append=rdinit=/nowhere rootwait root=/dev/nowhere" timed $((8 + SOON)) "a guest that hangs" expect_fail 3 "in time|does not answer" run_vm --timeout 8s
DRIVER="vm:microvm,append=rdinit=/nowhere rootwait root=/dev/nowhere" timed $((8 + SOON)) "a microvm that hangs" expect_fail 3 "in time|does not answer" run_vm --timeout 8s

# Every word of its kernel goes where the agent's answers are expected, until its init takes the port; or to the console, which nobody may leave unread.
flood="ignore_loglevel initcall_debug"
bench run startup --driver "vm:append=console=ttyS0 $flood,label=flood" --driver "vm:microvm,append=console=ttyS0 $flood,label=micro" \
	--driver "vm:append=console=ttyS1 $flood,label=console" --driver "vm:microvm,append=console=ttyS1 $flood,label=micro-console" \
	--n 1 --warmup 0 --timeout 60s \
	--out "$WORK/flood" >/dev/null 2>"$WORK/log" || fail "a guest that floods its channel: $(cat "$WORK/log")"
/usr/bin/python3 -c 'import json, sys
for sample in json.load(open(sys.argv[1]))["samples"]: assert sample["status"] == "ok", sample' "$WORK/flood/result.json" || fail "a flood drowns the answers"

head -c 200000 "$kernel" >"$WORK/short"
timed $SOON "a kernel cut short" expect_fail 3 "$WORK/short" run_vm --kernel "$WORK/short"

# The image is whole when the run looks at it, and cut short while the guest's kernel starts.
tree=$WORK/tree
mkdir -p "$tree"/{bin,dev,proc,run,sys,tmp} "$WORK/cache/vm"
cp /bin/busybox "$tree/bin/sh"
for part in kernels modules capabilities; do
	if [ -d "$BENCH_CACHE_DIR/vm/$part" ]; then cp -a "$BENCH_CACHE_DIR/vm/$part" "$WORK/cache/vm/"; fi
done
own_cache() { BENCH_CACHE_DIR=$WORK/cache BENCH_RUN_DIR=$WORK/run "$@"; }
mkdir -p "$WORK/run"
DRIVER="vm:root=ext4,rootfs=$tree" own_cache run_vm >/dev/null 2>"$WORK/log" || fail "a root on ext4: $(cat "$WORK/log")"
cut_image() { pgrep -f "^[^ ]*qemu-system.*guest=bench-.*$WORK/run/" >/dev/null && truncate -s 0 "$WORK"/cache/vm/disks/*/disk; }
mkdir -p "$WORK/run"
{ wait_until 30 cut_image; } &
cutter=$!
DRIVER="vm:root=ext4,rootfs=$tree" timed $SOON "an image cut short in use" expect_fail 3 "mount the root file system of type ext4" own_cache run_vm
wait "$cutter" || fail "no QEMU was found whose image could be cut"
rm -rf "$WORK/run"
DRIVER="vm:root=ext4,rootfs=$tree" own_cache run_vm >/dev/null 2>"$WORK/log" || fail "after a damaged image: $(cat "$WORK/log")"
grep -q "is damaged" "$WORK/log" || fail "nobody noticed a damaged image: $(cat "$WORK/log")"

# The saved state is cut short between two machines that start from it: those after that fail, each with the reason, and the run has what was before.
cut_state() {
	pgrep -f "^[^ ]*qemu-system.*guest=bench-saved-[0-9a-f]*-00000002.*$WORK/run/" >/dev/null && truncate -s 100000 "$(find "$WORK/run" -path '*/vm/saved')"
}
mkdir -p "$WORK/run"
{ wait_until 60 cut_state; } &
cutter=$!
DRIVER=vm:restore own_cache bench run startup --driver vm:restore --n 3 --warmup 0 --timeout 20s --out "$WORK/cut" >/dev/null 2>"$WORK/log" ||
	fail "a saved state cut short: $(cat "$WORK/log")"
wait "$cutter" || fail "no saved state was found to cut"
/usr/bin/python3 - "$WORK/cut/result.json" <<'PY' || fail "a saved state cut short is not told"
import json, sys

result = json.load(open(sys.argv[1]))
restored = [sample for sample in result["samples"] if result["drivers"][sample["driver"]]["label"] == "vm:restore"]
failed = [sample["reason"] for sample in restored if sample["status"] == "failed"]
assert failed and all("restore the machine: " in reason and "\n" not in reason for reason in failed), restored
PY
[ -z "$(find "$WORK/run" -mindepth 1 -name 'saved*')" ] || fail "files are left: $(find "$WORK/run")"
rm -rf "$WORK/run"

# More than any host has; QEMU refuses to reserve it.
timed $SOON "no memory for the guest" expect_fail 3 "memory" run_vm --memory 4096G

# The QEMU of this very run, which names a file below its folder; ended as soon as it is there.
mkdir -p "$WORK/run"
kill_qemu() {
	local pid
	pid=$(pgrep -f "^[^ ]*qemu-system.*$WORK/run/" | head -1) && [ -n "$pid" ] && kill -KILL "$pid"
}
{ wait_until 30 kill_qemu; } &
killer=$!
BENCH_RUN_DIR=$WORK/run timed $SOON "QEMU killed in the middle of a boot" expect_fail 3 "killed|died|process exited|closed the monitor" run_vm
wait "$killer" || fail "no QEMU was found to kill"
rmdir "$WORK/run" 2>/dev/null || fail "files are left: $(find "$WORK/run")"

# A QEMU that stands still while libvirt talks to it.
mkdir -p "$WORK/run"
freeze_qemu() {
	local pid
	pid=$(pgrep -f "^[^ ]*qemu-system.*guest=bench-.*$WORK/run/" | head -1) && [ -n "$pid" ] && kill -STOP "$pid"
}
{ wait_until 30 freeze_qemu; } &
freezer=$!
BENCH_RUN_DIR=$WORK/run timed $((5 + SOON)) "QEMU that stands still" expect_fail 3 "in time|does not answer" run_vm --timeout 5s
wait "$freezer" || fail "no QEMU was found to stop"
rmdir "$WORK/run" 2>/dev/null || fail "files are left: $(find "$WORK/run")"

mkdir "$WORK/small"
# shellcheck disable=SC2016 # for the inner shell
full() { unshare -m --propagation private bash -c 'mount -t tmpfs -o size=2m none "$1"; shift; exec "$@"' bash "$WORK/small" "$@"; }
BENCH_RUN_DIR=$WORK/small timed $SOON "disk full" expect_fail 3 "No space left" full "$BIN/bench" run startup --driver vm --n 1 --warmup 0 --out "$WORK/out-full"

# The name of a machine that runs: tests/unit/test_vm_name.c. An image while it is made on a full disk: vm_disk.sh. Two runs side by side:
bench run startup --driver vm --n 2 --warmup 0 --out "$WORK/one" >/dev/null 2>"$WORK/log1" &
one=$!
bench run startup --driver vm --n 2 --warmup 0 --out "$WORK/two" >/dev/null 2>"$WORK/log2" || true
wait "$one" || true
# Neither ends the other's machines, and both have a result.
for n in 1 2; do
	[ ! -s "$WORK/log$n" ] || grep -qE 'died|killed' "$WORK/log$n" && fail "side by side: $(cat "$WORK/log$n")"
done
[ -s "$WORK/one/result.json" ] && [ -s "$WORK/two/result.json" ] || fail "side by side: no result: $(cat "$WORK/log1" "$WORK/log2")"
same_host vm_faults
echo passed
