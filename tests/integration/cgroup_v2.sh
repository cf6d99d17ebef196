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
kernel=$(find "${BENCH_CACHE_DIR:-/var/cache/bench}" /boot -name 'vmlinuz*' -type f ! -path '*/kernels-*' 2>/dev/null | head -1)

# Its root: busybox, the programs with their libraries, at the same paths as here.
root=$WORK/root
mkdir -p "$root"/{bin,proc,sys,dev,tmp,run,etc,root}
cp "$(command -v busybox)" "$root/bin/busybox"
echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
tests=(test_runtime_container test_runtime_failure test_runtime_cgroup test_runtime_roots test_runtime_exec test_cgroup test_cgroup_limits test_cgroup_hierarchy test_cgroup_usage)
programs=("$BIN/bench" "$BIN/limits_bite" "${tests[@]/#/$BIN/}")
for file in "${programs[@]}" "$BIN/bench-agent" "$HERE/data" "$SOURCE/docs/examples"; do
	[ -e "$file" ] || continue
	mkdir -p "$root$(dirname "$file")"
	cp -a "$file" "$root$file"
done
ldd "${programs[@]}" 2>/dev/null | awk '$2 == "=>" && $3 ~ "^/" { print $3 } $1 ~ "^/lib.*ld-" { print $1 }' | sort -u | while read -r library; do
	mkdir -p "$root$(dirname "$library")"
	cp -L "$library" "$root$library"
done

# Disks and swap in the guest are loop devices over files of its tmpfs, and some roots are overlays. Distribution kernels have both drivers as
# modules, which come with the kernel's package and not with what the vm driver keeps.
version=$(basename "$kernel" | sed 's/^vmlinuz-//')
kept=$BIN/../test-modules/$version # beside what was built: fetched once
if [ ! -e "$kept/loop.ko" ] || [ ! -e "$kept/overlay.ko" ]; then
	modules=/lib/modules/$version
	if [ ! -d "$modules" ] && command -v apt-get >/dev/null && (cd "$WORK" && apt-get -q download "linux-image-$version" >/dev/null 2>&1); then
		dpkg-deb -x "$WORK/linux-image-$version"_*.deb "$WORK/package" && modules=$WORK/package/lib/modules/$version
	fi
	mkdir -p "$kept"
	for name in loop overlay; do
		module=$(find "$modules" -name "$name.ko*" 2>/dev/null | head -1 || true)
		case $module in
		*.xz) xz -dc "$module" >"$kept/$name.ko" ;;
		*.zst) zstd -qdc "$module" >"$kept/$name.ko" ;;
		?*) cp "$module" "$kept/$name.ko" ;;
		esac
	done
	rm -rf "$WORK/package" "$WORK"/linux-image-*.deb
fi
for name in loop overlay; do
	if [ -e "$kept/$name.ko" ]; then
		cp "$kept/$name.ko" "$root/$name.ko"
	else
		echo "no $name.ko of $version: the guest goes without disks, swap or overlays"
	fi
done
must=quota,weight,cpuset,memory,high,pids,devices,hugetlb,freezer
[ ! -e "$root/loop.ko" ] || must=$must,read-bytes,write-bytes,read-ops,write-ops,swap

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
# As systemd does, one by one: kernels differ in what they have.
for c in cpu memory pids cpuset io hugetlb; do echo +\$c >/sys/fs/cgroup/cgroup.subtree_control; done
ifconfig lo up
exec >/dev/ttyS0 2>&1
echo "controllers: \$(cat /sys/fs/cgroup/cgroup.controllers)"
[ ! -e /overlay.ko ] || insmod /overlay.ko
$BIN/bench doctor
$BIN/bench run startup --driver process,container:cgroup=on --n 3 --warmup 1 --memory 64M --out /tmp/out 2>&1 && echo "RUN FINE"
grep -E '"(cgroup|limits)":' /tmp/out/result.json
for t in ${tests[*]}; do
	$BIN/\$t -j1 --timeout 240 && echo "TEST FINE \$t"
done
echo 16 >/proc/sys/vm/nr_hugepages
if [ -e /loop.ko ] && insmod /loop.ko; then
	for i in 0 1; do
		dd if=/dev/zero of=/disk\$i bs=1M count=128 2>/dev/null
		[ -e /dev/loop\$i ] || mknod /dev/loop\$i b 7 \$i
		losetup /dev/loop\$i /disk\$i
	done
	mkswap /dev/loop1 >/dev/null && swapon /dev/loop1
	export LIMITS_DISK=/dev/loop0
fi
for idle in "" "--idle Students"; do
	$BIN/bench container shares --quiet --check $SOURCE/docs/examples/faculty.json \$idle && echo "SHARES FINE \$idle"
done
LIMITS_MUST=$must $BIN/limits_bite && echo "LIMITS FINE"
# Version 1's own: on a host like this it can be mounted beside.
mkdir /net_prio
mount -t cgroup -o net_prio net_prio /net_prio && LIMITS_MUST=net-prio $BIN/limits_bite net-prio && echo "PRIORITY FINE"
find /sys/fs/cgroup /net_prio -name '*bench*' | sed 's/^/LEFT /'
echo "ALL SAID"
poweroff -f
INIT
chmod +x "$root/init" "$root/init2"
(cd "$root" && find . | busybox cpio -o -H newc 2>/dev/null) >"$WORK/initramfs"

timeout 900 qemu-system-x86_64 -M q35 -accel tcg -m 2048 -smp 2 -nodefaults -display none -no-reboot -serial "file:$WORK/serial" \
	-kernel "$kernel" -initrd "$WORK/initramfs" -append "console=ttyS0 quiet panic=-1 cgroup_no_v1=cpu,cpuacct,cpuset,memory,devices,freezer,blkio,pids,hugetlb,perf_event,net_cls,rdma,misc" </dev/null >"$WORK/qemu" 2>&1 || fail "the guest did not end: $(tail -5 "$WORK/serial")"
tr -d '\r' <"$WORK/serial" >"$WORK/said"
grep -q 'ALL SAID' "$WORK/said" || fail "the guest did not say all: $(tail -20 "$WORK/said")"
for wanted in 'controllers:.*memory.*pids' 'RUN FINE' 'LIMITS FINE' 'SHARES FINE $' 'SHARES FINE --idle' "${tests[@]/#/TEST FINE }"; do
	grep -qE "$wanted" "$WORK/said" || fail "no '$wanted' in what the guest said: $(cat "$WORK/said")"
done
grep -q '^LEFT' "$WORK/said" && fail "cgroups are left: $(grep '^LEFT' "$WORK/said")"
grep -E '"(cgroup|limits)":|(bites|absent) |MEASURED|^(Faculty|Students)|these groups had' "$WORK/said"
echo passed
