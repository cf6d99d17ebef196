#!/bin/bash
# How does the built-in container start beside the runtimes that people use? One interleaved run on the same root and agent:
#
#   sudo tests/bench/container-start.sh build/release/bin [N] [OUT]
#
# process        vfork + exec of the agent: the floor of any start
# container      the built-in runtime: all namespaces, cgroup limits (CPU, memory, pids), capabilities, seccomp filter
# bwrap          bwrap --unshare-all on the same root: no cgroup, no filter
# crun           crun run of a bundle that `crun spec` wrote, with the same root, terminal off; no seccomp list
#
# crun refuses hybrid cgroup mounts: where /sys/fs/cgroup/unified is mounted, everything runs in a mount namespace without it.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-500}
out=${3:-bench-results/container-start-$(date +%Y%m%d-%H%M%S)}
for tool in bwrap crun /usr/bin/python3; do
	command -v "$tool" >/dev/null || { echo "$0: $tool is not installed" >&2; exit 3; }
done
if [ -z "${BENCH_UNIFIED_HIDDEN:-}" ] && mountpoint -q /sys/fs/cgroup/unified; then
	BENCH_UNIFIED_HIDDEN=1 exec unshare -m sh -c 'umount /sys/fs/cgroup/unified && exec "$0" "$@"' "$0" "$@"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/bundle/rootfs"/{proc,sys,dev,tmp,run}
cp "$bin/bench-agent" "$work/bundle/rootfs/agent"
(cd "$work/bundle" && crun spec)
/usr/bin/python3 - "$work/bundle/config.json" <<'PY'
import json, sys

path = sys.argv[1]
config = json.load(open(path))
config["process"]["terminal"] = False
config["process"]["args"] = ["/agent"]
config["process"].pop("rlimits", None)
config["root"]["readonly"] = True
config["linux"]["resources"] = {"memory": {"limit": 256 << 20}, "pids": {"limit": 64}, "cpu": {"quota": 100000, "period": 100000}}
json.dump(config, open(path, "w"), indent=1)
PY
mkdir "$work/state"

"$bin/bench" run startup --n "$n" --out "$out" --driver process,container \
	--driver "command:label=bwrap,argv=bwrap --unshare-all --die-with-parent --ro-bind $work/bundle/rootfs / --proc /proc --dev /dev --tmpfs /tmp --hostname bench /agent" \
	--driver "command:label=crun,argv=crun --root $work/state run --bundle $work/bundle {id}"
