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

# timed FAULT COMMAND…: prints how long the fault took to be told; a figure, not a test.
timed() {
	local fault=$1 start=$EPOCHREALTIME
	shift
	"$@"
	printf 'MEASURED %-30s %s s: %s\n' "$fault" "$(bc <<<"$EPOCHREALTIME - $start")" "$(grep '^bench: ' "$WORK/stderr" | head -1)"
}

DRIVER=vm:append=rdinit=/nowhere timed "a guest that panics" expect_fail 3 "[Pp]anic" run_vm
DRIVER=vm:microvm,append=rdinit=/nowhere timed "a microvm that panics" expect_fail 3 "[Pp]anic" run_vm

# It waits for its root for ever, and says nothing.
DRIVER="vm:append=rdinit=/nowhere rootwait root=/dev/nowhere" timed "a guest that hangs" expect_fail 3 "in time|does not answer" run_vm --timeout 8s
DRIVER="vm:microvm,append=rdinit=/nowhere rootwait root=/dev/nowhere" timed "a microvm that hangs" expect_fail 3 "in time|does not answer" run_vm --timeout 8s

# Every word of its kernel goes where the agent's answers are expected, until its init takes the port.
flood="console=ttyS0 ignore_loglevel initcall_debug"
bench run startup --driver "vm:append=$flood,label=flood" --driver "vm:microvm,append=$flood,label=micro" --n 1 --warmup 0 --timeout 60s \
	--out "$WORK/flood" >/dev/null 2>"$WORK/log" || fail "a guest that floods its channel: $(cat "$WORK/log")"
/usr/bin/python3 -c 'import json, sys
for sample in json.load(open(sys.argv[1]))["samples"]: assert sample["status"] == "ok", sample' "$WORK/flood/result.json" || fail "a flood drowns the answers"

head -c 200000 "$kernel" >"$WORK/short"
timed "a kernel cut short" expect_fail 3 "$WORK/short" run_vm --kernel "$WORK/short"

# More than any host has; QEMU refuses to reserve it.
timed "no memory for the guest" expect_fail 3 "memory" run_vm --memory 4096G

# The QEMU of this very run, which names a file below its folder; ended as soon as it is there.
mkdir "$WORK/run"
kill_qemu() {
	local pid
	pid=$(pgrep -f "^[^ ]*qemu-system.*$WORK/run/" | head -1) && [ -n "$pid" ] && kill -KILL "$pid"
}
{ wait_until 30 kill_qemu; } &
killer=$!
BENCH_RUN_DIR=$WORK/run timed "QEMU killed in the middle of a boot" expect_fail 3 "killed|died|process exited|closed the monitor" run_vm
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
BENCH_RUN_DIR=$WORK/run timed "QEMU that stands still" expect_fail 3 "in time|does not answer" run_vm --timeout 5s
wait "$freezer" || fail "no QEMU was found to stop"
rmdir "$WORK/run" 2>/dev/null || fail "files are left: $(find "$WORK/run")"

mkdir "$WORK/small"
# shellcheck disable=SC2016 # for the inner shell
full() { unshare -m --propagation private bash -c 'mount -t tmpfs -o size=2m none "$1"; shift; exec "$@"' bash "$WORK/small" "$@"; }
BENCH_RUN_DIR=$WORK/small timed "disk full" expect_fail 3 "No space left" full "$BIN/bench" run startup --driver vm --n 1 --warmup 0 --out "$WORK/out-full"

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
