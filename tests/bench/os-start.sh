#!/bin/bash
# How does a whole operating system start in a container, beside an application's container? One interleaved run, the same image and agent; ready is
# the agent's answer, as the last service of multi-user.target:
#
#   sudo tests/bench/os-start.sh build/release/bin [N] [OUT]
#
# container      the agent alone in a container of the built-in runtime
# container:os   Debian with systemd as process 1 in the built-in runtime: user namespace, system call filter, eight capabilities, limits
# lxc            the same image in LXC: overlay with its upper layer on a tmpfs, lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed, the
#                capabilities that LXC keeps by default, no user namespace, no filter, no limits; the stream is carried by relay
# vm:q35         the agent alone in a machine
# vm:os          the same image, on a disk, in a machine: QEMU starts its kernel
# vm:os-firmware the same by firmware, boot loader and systemd's first start
#
# Below the table of times: processes and memory (PSS and what is private) of one of each, at rest.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-12}
out=${3:-bench-results/os-start-$(date +%Y%m%d-%H%M%S)}
command -v lxc-start >/dev/null || { echo "$0: lxc is not installed" >&2; exit 3; }
# What LXC leaves in each hierarchy, unless it was there before us.
had=$(find /sys/fs/cgroup -maxdepth 2 -name 'lxc*' || true)
work=$(mktemp -d)
tidy() {
	if mountpoint -q "$work/upper"; then umount "$work/upper"; fi
	rm -rf "$work"
	[ -n "$had" ] || find /sys/fs/cgroup -mindepth 2 -depth -type d -path '*/lxc*' -exec rmdir {} + 2>/dev/null || true
}
trap tidy EXIT
chmod 755 "$work"

# Makes the image, and tells where it is.
"$bin/bench" run startup --driver container:os --n 1 --warmup 0 --out "$work/first" >/dev/null
cache=${BENCH_CACHE_DIR:-/var/cache/bench}
root=$(find "$cache/os" -maxdepth 2 -name root | head -n 1)
[ -n "$root" ] || { echo "$0: no image below $cache/os" >&2; exit 3; }

mkdir "$work/upper" "$work/lxc"
mount -t tmpfs -o size=512m,mode=755 bench-os-start "$work/upper"
cat >"$work/lxc.conf" <<CONF
lxc.net.0.type = empty
lxc.mount.auto = proc:mixed sys:mixed cgroup:mixed
lxc.mount.entry = $bin/bench-agent usr/lib/bench/agent none bind,ro 0 0
lxc.mount.entry = tmpfs run tmpfs mode=755 0 0
lxc.mount.entry = $work/stream run/bench none bind,create=dir 0 0
lxc.environment = BENCH_CONTROL=/run/bench/control
lxc.signal.halt = SIGRTMIN+3
lxc.tty.max = 0
lxc.console.path = none
lxc.autodev = 1
CONF
mkdir "$work/stream"
cat >"$work/start" <<SH
#!/bin/sh
# Each has an upper layer of its own, as the built-in runtime's has.
mkdir -p "$work/upper/\$1/up"
exec lxc-start -P "$work/lxc" -n "\$1" -F -f "$work/lxc.conf" -s "lxc.rootfs.path=overlay:$root:$work/upper/\$1/up"
SH
cat >"$work/stop" <<SH
#!/bin/sh
lxc-stop -P "$work/lxc" -n "\$1" -t 5
rm -rf "$work/upper/\$1" "$work/lxc/\$1"
SH
chmod 755 "$work/start" "$work/stop"
relay=$(find "$bin" "$bin/.." -maxdepth 3 -name relay -type f | head -n 1)
lxc="command:label=lxc,argv=$relay $work/stream/control $work/start {id} -- $work/stop {id}"
"$bin/bench" run startup --n "$n" --warmup 1 --out "$out" --driver container --driver container:os --driver "$lxc" \
	--driver vm:q35,vm:os,vm:os-firmware

# Process 1 of the one system that boots.
system_of() {
	local pid
	for pid in $(pgrep -x systemd); do
		if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx "container=$1" && [ -S "/proc/$pid/root/run/systemd/private" ]; then
			init=$pid
			return 0
		fi
	done
	return 1
}

# at_rest LABEL DRIVER VALUE-OF-$container: stops the worker while the system lives, and sums over its processes.
at_rest() {
	local run worker pid pss=0 own=0 count=0 name init=
	"$bin/bench" run startup --n 1 --warmup 0 --out "$work/rest-$3" --driver "$2" >/dev/null 2>&1 &
	run=$!
	for ((tick = 0; tick < 400; tick++)); do
		system_of "$3" && break
		sleep 0.02
	done
	[ -n "$init" ] || { echo "$0: $1 was not seen to boot" >&2; return 1; }
	worker=$init
	while name=$(cat "/proc/$worker/comm") && [[ $name != bench* ]]; do worker=$(sed -n 's/^PPid:\t//p' "/proc/$worker/status"); done
	kill -STOP "$worker"
	# The system itself goes on to the last of its services.
	for ((tick = 0; tick < 400; tick++)); do
		pgrep --ns "$init" --nslist pid -x agent >/dev/null && break
		sleep 0.05
	done
	for pid in $(pgrep --ns "$init" --nslist pid .); do
		pss=$((pss + $(awk '/^Pss:/ { print $2 }' "/proc/$pid/smaps_rollup")))
		own=$((own + $(awk '/^Private/ { sum += $2 } END { print sum + 0 }' "/proc/$pid/smaps_rollup")))
		count=$((count + 1))
	done
	kill -CONT "$worker"
	wait "$run" || true
	printf '%-14s %9d %12d %12d\n' "$1" "$count" "$pss" "$own"
}
printf '\n%-14s %9s %12s %12s\n' system processes 'PSS KiB' 'private KiB'
at_rest container:os container:os bench
at_rest lxc "$lxc" lxc
