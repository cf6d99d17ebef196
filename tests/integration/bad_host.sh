#!/bin/bash
# Hosts that cannot, and guests that do not: each ends in one clear line with its documented status, and nothing is left behind.
source "$(dirname "$0")/../lib.sh"
needs container vm
[ "$(id -u)" -eq 0 ] || must_run root "needs root to build such hosts in mount namespaces"

run_vm() { bench run startup --driver "${DRIVER:-vm}" --n 1 --warmup 0 --out "$WORK/out" "$@"; }
# hidden SETUP COMMAND…: runs the command in a mount namespace that SETUP has changed.
hidden() {
	local setup=$1
	shift
	unshare -m --propagation private bash -c "$setup; exec \"\$@\"" bash "$@"
}
bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
kernel=$(find "${BENCH_CACHE_DIR:-/var/cache/bench}" /boot -name 'vmlinuz*' -type f ! -path '*/kernels-*' 2>/dev/null | head -1)
[ -n "$kernel" ] || fail "no kernel to play with"
host_state >"$WORK/before"

echo "a kernel file that is text"
echo "I am no kernel" >"$WORK/text"
expect_fail 3 "$WORK/text" run_vm --kernel "$WORK/text"
expect_fail 3 "No such file" run_vm --kernel "$WORK/none"

echo "a kernel that panics"
DRIVER=vm:append=rdinit=/nowhere expect_fail 3 "[Pp]anic" run_vm

echo "memory too small to boot"
expect_fail 3 "vm: .*" run_vm --memory 16M --timeout 20s
grep -qiE 'memory|MiB|panic' "$WORK/stderr" || fail "it is not said that memory is short: $(cat "$WORK/stderr")"

echo "a guest that is not ready in time"
expect_fail 3 "not ready in time|no answer in time" run_vm --timeout 300ms
grep -q '"censored"' "$WORK/out/result.json" || fail "the start that was too late is not in the result"
rm -rf "$WORK/out"

echo "a machine type that does not exist"
expect_fail 3 "toaster" run_vm --machine toaster

echo "no /dev/kvm: TCG, with the reason"
no_kvm='mount -t tmpfs none /dev/shm; mkdir /dev/shm/d; for n in null zero full random urandom tty; do touch /dev/shm/d/$n; mount --bind /dev/$n /dev/shm/d/$n; done; mkdir /dev/shm/d/shm /dev/shm/d/pts; mount --rbind /dev/pts /dev/shm/d/pts; mount --rbind /dev/shm/d /dev'
hidden "$no_kvm" "$BIN/bench" doctor >"$WORK/doctor" || true
grep -q '/dev/kvm: No such file' "$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"
hidden "$no_kvm" "$BIN/bench" run startup --driver vm --n 1 --warmup 0 --out "$WORK/out-nokvm" >"$WORK/table" 2>"$WORK/log" || fail "no kvm: $(cat "$WORK/log")"
grep -q 'TCG' "$WORK/table" || fail "no kvm: the table does not say TCG"
expect_fail 3 "kvm" hidden "$no_kvm" "$BIN/bench" run startup --driver vm:accel=kvm --n 1 --warmup 0 --out "$WORK/out"

echo "libvirt without QEMU"
no_qemu='for q in /usr/bin/qemu-system-* /usr/bin/qemu-kvm /usr/bin/kvm /usr/libexec/qemu-kvm; do [ ! -e $q ] || { touch '"$WORK"'/empty; mount --bind '"$WORK"'/empty $q; }; done'
expect_fail 3 "[Qq][Ee][Mm][Uu]" hidden "$no_qemu" "$BIN/bench" run startup --driver vm --n 1 --warmup 0 --out "$WORK/out"
grep -q 'hint: ' "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"

echo "no permission for cgroups"
ro_cgroups='for m in $(awk '"'"'$5 ~ "^/sys/fs/cgroup" { print $5 }'"'"' /proc/self/mountinfo); do mount -o remount,bind,ro $m; done'
expect_fail 3 "cgroup" hidden "$ro_cgroups" "$BIN/bench" run startup --driver container:cgroup=on --n 1 --warmup 0 --out "$WORK/out"
hidden "$ro_cgroups" "$BIN/bench" run startup --driver container --n 1 --warmup 0 --out "$WORK/out-nocg" >"$WORK/table" 2>"$WORK/log" || fail "no cgroups: $(cat "$WORK/log")"
grep -qiE 'not limited|no .*limit|cgroup' "$WORK/table" || fail "it is not said that nothing is limited: $(cat "$WORK/table")"

echo "a run folder from which nothing can be executed"
hidden 'mount -t tmpfs -o noexec,nosuid,nodev none /run' "$BIN/bench" run startup --driver process,container,vm --n 1 --warmup 0 --out "$WORK/out-noexec" >/dev/null 2>"$WORK/log" ||
	fail "noexec: $(cat "$WORK/log")"

echo "disk full while the result is written"
mkdir "$WORK/small"
full='mount -t tmpfs -o size=128k none '"$WORK/small"
status=0
hidden "$full"' ; head -c 120K /dev/zero >'"$WORK/small/fill"'; export OUT='"$WORK/small/out"'; true' \
	bash -c '"$0" run startup --driver mock --n 200 --out "$OUT"; s=$?; ls "$OUT"; exit $s' "$BIN/bench" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
[ "$status" -eq 3 ] || fail "disk full: status $status: $(cat "$WORK/stderr")"
grep -q 'No space left' "$WORK/stderr" || fail "disk full: $(cat "$WORK/stderr")"
grep -q 'samples.jsonl' "$WORK/stdout" || fail "disk full: the samples are not kept: $(cat "$WORK/stdout")"
grep -qE '\.tmp|result.json' "$WORK/stdout" && fail "disk full: something half-written is left: $(cat "$WORK/stdout")"

echo "an output folder that cannot be written to"
mkdir "$WORK/ro"
expect_fail 3 "Read-only file system" hidden "mount -t tmpfs -o ro none $WORK/ro" "$BIN/bench" run startup --driver mock --n 1 --out "$WORK/ro/out"

same_host bad_host
echo passed
