#!/bin/bash
# A host with nothing but cgroup v2: the runtime's own tests and a run with limits, inside a guest with a distribution kernel. Needed because
# many test hosts have v1 or hybrid cgroups, where v2's controllers cannot be tried.
source "$(dirname "$0")/../lib.sh"
needs container vm
for tool in qemu-system-x86_64 busybox; do
	command -v "$tool" >/dev/null || must_run vm "there is no $tool"
done

# The kernel that a run of the vm driver has put into the cache.
bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
kernel=$(find "${BENCH_CACHE_DIR:-/var/cache/bench}" /boot -name 'vmlinuz*' -type f 2>/dev/null | head -1)

# Its root: busybox, the programs with their libraries, at the same paths as here.
root=$WORK/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,run,etc,root}
cp "$(command -v busybox)" "$root/bin/busybox"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
programs=("$BIN/bench" "$BIN/test_runtime_container" "$BIN/test_runtime_failure" "$BIN/test_runtime_cgroup" "$BIN/test_cgroup")
for file in "${programs[@]}" "$BIN/bench-agent" "$HERE/data"; do
	[ -e "$file" ] || continue
	mkdir -p "$root$(dirname "$file")"
	cp -a "$file" "$root$file"
done
ldd "${programs[@]}" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/lib.*ld-" { print $1 }' | sort -u | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done
# pivot_root does not work on the kernel's first root: move to a tmpfs.
cat >"$root/init" <<'INIT'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mkdir /newroot
mount -t tmpfs -o size=1g newroot /newroot
for f in *; do
	[ "$f" = newroot ] || cp -a "$f" /newroot/
done
exec switch_root /newroot /init2
INIT
cat >"$root/init2" <<INIT
#!/bin/busybox sh
export PATH=/bin HOME=/root LSAN_OPTIONS=detect_leaks=0 BENCH_MUST_RUN=container
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t devtmpfs dev /dev; mkdir -p /dev/shm; mount -t tmpfs shm /dev/shm
mount -t cgroup2 cgroup2 /sys/fs/cgroup
echo +cpu +memory +pids >/sys/fs/cgroup/cgroup.subtree_control # as systemd does
ifconfig lo up
exec >/dev/ttyS0 2>&1
echo "controllers: \$(cat /sys/fs/cgroup/cgroup.controllers)"
$BIN/bench doctor
$BIN/bench run startup --driver process,container:cgroup=on --n 3 --warmup 1 --memory 64M --out /tmp/out 2>&1 && echo "RUN FINE"
grep -E '"(cgroup|limits)":' /tmp/out/result.json
for t in test_runtime_container test_runtime_failure test_runtime_cgroup test_cgroup; do
	$BIN/\$t -j1 --timeout 240 && echo "TEST FINE \$t"
done
find /sys/fs/cgroup -name '*bench*' | sed 's/^/LEFT /'
echo "ALL SAID"
poweroff -f
INIT
chmod +x "$root/init" "$root/init2"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$WORK/initramfs"

timeout 500 qemu-system-x86_64 -M q35 -accel tcg -m 2048 -smp 2 -nodefaults -display none -no-reboot -serial "file:$WORK/serial" \
	-kernel "$kernel" -initrd "$WORK/initramfs" -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=all" </dev/null >"$WORK/qemu" 2>&1 || fail "the guest did not end: $(tail -5 "$WORK/serial")"
tr -d '\r' <"$WORK/serial" >"$WORK/said"
grep -q 'ALL SAID' "$WORK/said" || fail "the guest did not say all: $(tail -20 "$WORK/said")"
for wanted in 'controllers:.*memory.*pids' 'RUN FINE' 'TEST FINE test_runtime_container' 'TEST FINE test_runtime_failure' 'TEST FINE test_runtime_cgroup' 'TEST FINE test_cgroup'; do
	grep -qE "$wanted" "$WORK/said" || fail "no '$wanted' in what the guest said: $(cat "$WORK/said")"
done
grep -q '^LEFT' "$WORK/said" && fail "cgroups are left: $(grep '^LEFT' "$WORK/said")"
grep -E '"(cgroup|limits)":' "$WORK/said"
echo passed
