#!/bin/bash
# How does the built-in runtime start beside the runtimes that people use? One interleaved run on the same root, agent and memory limit:
#
#   sudo tests/bench/container-start.sh build/release/bin [N] [OUT]
#
# process        vfork + exec of the agent
# floor          container:bare=on: clone3 with the same namespaces as `cold`, and exec; nothing else: the floor of any container
# cold           container: all namespaces, cgroup limits (CPU, memory, pids), own read-only root, capabilities, seccomp list: all in line
# warm           container:pool=8: network namespaces, cgroups and roots made ahead, outside the measured time
# bwrap          bwrap --unshare-all on the same root, /proc, /dev, a tmpfs: no cgroup, no seccomp list
# crun           crun run of the bundle that `crun spec` wrote, same root read-only, same limits, terminal off, no seccomp list
# crun-seccomp   the same with our own allow-list (about Docker's default profile) for the architectures that Docker names
# runc           runc run of crun's bundle, without a seccomp list
# lxc            lxc-execute: same root, the distribution's defaults for namespaces, no cgroup limit
# nspawn         systemd-nspawn --register=no --keep-unit --private-network --read-only --pipe
# gvisor         runsc --platform=ptrace --network=none --ignore-cgroups run of a bundle without limits
#
# Each is the distribution's package. bwrap and crun are needed; of the others, what is missing or does not run is skipped with its reason.
# LEAVE_OUT="nspawn gvisor" leaves some out. crun refuses hybrid cgroup mounts: where /sys/fs/cgroup/unified is mounted, everything runs in a
# mount namespace without it. Every engine gets a socket pair and private files for its standard streams: gVisor changes their owner.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-500}
out=${3:-bench-results/container-start-$(date +%Y%m%d-%H%M%S)}
source=$(realpath "$(dirname "$0")/../..")
for tool in bwrap crun /usr/bin/python3; do
	command -v "$tool" >/dev/null || { echo "$0: $tool is not installed" >&2; exit 3; }
done
if [ -z "${BENCH_UNIFIED_HIDDEN:-}" ] && mountpoint -q /sys/fs/cgroup/unified; then
	BENCH_UNIFIED_HIDDEN=1 exec unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$0" "$@"' "$0" "$@"
fi

work=$(mktemp -d)
had_pivot=$(compgen -G '/sys/fs/cgroup/*/lxc.pivot' || true)
# lxc-execute leaves an empty group in each hierarchy.
tidy() {
	rm -rf "$work"
	[ -n "$had_pivot" ] || rmdir /sys/fs/cgroup/*/lxc.pivot 2>/dev/null || true
}
trap tidy EXIT
chmod 755 "$work"
root=$work/root
mkdir -p "$root"/{proc,sys,dev,tmp,run,usr} "$work"/{crun,crun-seccomp,gvisor,state,lxc}
cp "$bin/bench-agent" "$root/agent"
(cd "$work/crun" && crun spec)
/usr/bin/python3 "$source/tests/bench/oci_bundles.py" "$work" "$source/runtime/filter.c"
cat >"$work/lxc.conf" <<CONF
lxc.rootfs.path = dir:$root
lxc.rootfs.options = ro
lxc.net.0.type = empty
lxc.mount.auto = proc:mixed sys:ro
lxc.environment = PATH=/
CONF

drivers=()
# engine LABEL COMMAND…: takes it in, unless it is left out, missing, or its first starts fail.
engine() {
	local label=$1 spec reason
	shift
	spec="command:label=$label,argv=$*"
	if [[ " ${LEAVE_OUT:-} " == *" $label "* ]]; then
		echo "left out: $label" >&2
	elif ! command -v "$1" >/dev/null; then
		echo "skipped: $label: $1 is not installed" >&2
	elif ! reason=$("$bin/bench" run startup --n 2 --warmup 0 --timeout 20s --out "$work/trial" --driver process --driver "$spec" 2>&1) ||
		! /usr/bin/python3 "$source/tests/bench/all_ready.py" "$work/trial/result.json" "$label"; then
		echo "skipped: $label does not run here: $(tail -n 3 <<<"$reason" | tr '\n' ' ')" >&2
	else
		drivers+=(--driver "$spec")
	fi
	rm -rf "$work/trial"
}

engine bwrap bwrap --unshare-all --die-with-parent --ro-bind "$root" / --proc /proc --dev /dev --tmpfs /tmp --hostname bench /agent
engine crun crun --root "$work/state" run --bundle "$work/crun" "{id}"
engine crun-seccomp crun --root "$work/state" run --bundle "$work/crun-seccomp" "{id}"
engine runc runc --root "$work/state" run --bundle "$work/crun" "{id}"
engine lxc lxc-execute -P "$work/lxc" -n "{id}" -f "$work/lxc.conf" -- /agent
engine nspawn systemd-nspawn -q --register=no --keep-unit --private-network --read-only --resolv-conf=off --timezone=off \
	--link-journal=no --pipe -M "{id}" -D "$root" /agent
engine gvisor runsc --platform=ptrace --network=none --ignore-cgroups --root "$work/state" run --bundle "$work/gvisor" "{id}"

"$bin/bench" run startup --n "$n" --out "$out" \
	--driver "process,container:label=floor,bare=on,container:label=cold,container:label=warm,pool=8" "${drivers[@]}"

read -r mode owner < <(stat -c '%a %U:%G' /dev/null)
[ "$mode $owner" = "666 root:root" ] || { echo "$0: an engine changed /dev/null to $mode $owner" >&2; exit 1; }
