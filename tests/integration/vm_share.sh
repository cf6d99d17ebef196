#!/bin/bash
# Machines whose root is a folder of the host, by virtiofs and by 9p: they boot, the folder stays as it is, and what cannot be is one line; nothing is left.
source "$(dirname "$0")/../lib.sh"
needs vm
[ "$(id -u)" -eq 0 ] || must_run root "hides virtiofsd in a mount namespace"
virtiofsd=
for place in /usr/lib/qemu/virtiofsd /usr/libexec/virtiofsd /usr/lib/virtiofsd "$(command -v virtiofsd || true)"; do
	if [ -z "$virtiofsd" ] && [ -x "$place" ]; then virtiofsd=$place; fi
done
[ -n "$virtiofsd" ] || must_run vm "virtiofsd is not installed (scripts/install-deps)"

export BENCH_IMAGE_DIR=$WORK/store
tree=$WORK/tree
mkdir -p "$tree"/{bin,dev,etc,proc,run,sys,tmp}
cp /bin/busybox "$tree/bin/sh"
echo "a root file system" >"$tree/etc/motd"
chmod 4755 "$tree/bin/sh"
chown 1234:2345 "$tree/etc/motd"
bench image import --quiet "$tree" --name small </dev/null

# look: all that a stat tells, of a folder's time of access all but that (find moves it), and attributes.
look() {
	find "$tree" -printf '%p %U:%G %m %s %T@ %C@ %l ' -type f -printf '%A@' -o -printf '\n' | sort
	/usr/bin/python3 - "$tree" <<'PY'
import os, sys
for folder, folders, files in os.walk(sys.argv[1]):
    for name in sorted(folders + files):
        path = os.path.join(folder, name)
        print(path, [(a, os.getxattr(path, a)) for a in sorted(os.listxattr(path))])
PY
}
/usr/bin/python3 -c 'import os, sys; os.setxattr(sys.argv[1], "user.kept", b"1")' "$tree/etc/motd" 2>/dev/null || true

bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"
look >"$WORK/tree-before"
grep -q 1234:2345 "$WORK/tree-before" || fail "nothing is looked at"
drivers=(--driver "vm:root=virtiofs,rootfs=$tree,label=q35" --driver "vm:microvm,root=virtiofs,image=small,root-writes=memory,label=micro")
bench run startup "${drivers[@]}" --n 3 --warmup 0 --out "$WORK/out" >/dev/null 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
look | diff "$WORK/tree-before" - || fail "the shared folder was changed"
same_host "shared roots"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" "$tree" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
info = {driver["label"]: driver["info"] for driver in result["drivers"]}
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
assert info["q35"]["root"] == "virtiofs, read-only, from folder " + sys.argv[2], info["q35"]
assert info["q35"]["root carrier"].startswith("virtiofsd "), info["q35"]
assert "virtiofs" in info["q35"]["modules"].split(), info["q35"]
assert "overlay" in info["micro"]["root"] and "image small" in info["micro"]["root"], info["micro"]
PY

run_vm() {
	rm -rf "$WORK/no"
	bench run startup --driver "$1" --n 1 --warmup 0 --out "$WORK/no" "${@:2}"
}
# Refused before anything is made.
expect_fail 3 "restored machine cannot have a shared root" run_vm "vm:restore,root=virtiofs,rootfs=$tree"
expect_fail 3 "complete system has its own disk" run_vm "vm:os,root=virtiofs,rootfs=$tree"
expect_fail 3 "root=virtiofs needs a root file system" run_vm "vm:root=virtiofs"
expect_fail 3 "disks cannot be had through qemu:///system" run_vm "vm:root=virtiofs,rootfs=$tree,connect=qemu:///system"
# shellcheck disable=SC2016 # for the inner shell
hidden() { unshare -m --propagation private sh -c 'mount --bind /dev/null "$0"; PATH=/usr/sbin:/usr/bin:/sbin:/bin exec "$@"' "$virtiofsd" "$@"; }
expect_fail 3 "virtiofsd is not installed" hidden "$BIN/bench" run startup --driver "vm:root=virtiofs,rootfs=$tree" --n 1 --out "$WORK/no"
grep -q "hint: apt install" "$WORK/stderr" || fail "no package is named: $(cat "$WORK/stderr")"

# Two layers are not one folder.
mkdir "$WORK/second"
tar -C "$tree" -cf "$WORK/second/layer.tar" .
look >"$WORK/tree-before" # tar has read it
/usr/bin/python3 - "$WORK/second" <<'PY'
import hashlib, json, os, sys, tarfile

os.chdir(sys.argv[1])
def digest(name):
    return hashlib.sha256(open(name, "rb").read()).hexdigest()
open("more", "w").write("x")
with tarfile.open("other.tar", "w") as tar:
    tar.add("more")
layers = ["layer.tar", "other.tar"]
json.dump({"architecture": os.uname().machine.replace("x86_64", "amd64"), "os": "linux", "config": {},
           "rootfs": {"type": "layers", "diff_ids": ["sha256:" + digest(layer) for layer in layers]}}, open("config", "w"))
config = digest("config") + ".json"
os.rename("config", config)
json.dump([{"Config": config, "RepoTags": ["two:latest"], "Layers": layers}], open("manifest.json", "w"))
with tarfile.open("../two.tar", "w") as tar:
    for name in ["manifest.json", config] + layers:
        tar.add(name)
PY
bench image import --quiet "$WORK/two.tar" --name two </dev/null
expect_fail 3 "2 layers cannot be shared" run_vm "vm:root=virtiofs,image=two"

# 9p: this kernel has the driver, or it is said that it has none.
if bench run startup --driver "vm:root=9p,rootfs=$tree" --n 1 --warmup 0 --out "$WORK/9p" >/dev/null 2>"$WORK/log"; then
	look | diff "$WORK/tree-before" - || fail "the folder was changed by 9p"
else
	expect_fail 3 "root=9p: the guest's kernel .* has no driver for it" run_vm "vm:root=9p,rootfs=$tree"
	grep -q "hint: use kernel=FILE" "$WORK/stderr" || fail "no way out is named: $(cat "$WORK/stderr")"
fi

# Its virtiofsd ends in the middle of a boot: told at once, and nothing is left. Then without a guest that could do it: by SIGKILL of bench itself.
mkdir "$WORK/run"
daemon() { pgrep -f "^[^ ]*virtiofsd .*$WORK/run/"; }
kill_daemon() {
	local pids
	pids=$(daemon) && [ "$(wc -w <<<"$pids")" -eq 2 ] && kill -KILL "$(tail -1 <<<"$pids")"
}
{ wait_until 30 kill_daemon; } &
killer=$!
start=$SECONDS
BENCH_RUN_DIR=$WORK/run expect_fail 3 "virtiofsd .*died or was killed" run_vm "vm:root=virtiofs,rootfs=$tree" --timeout 120s
[ $((SECONDS - start)) -lt 60 ] || fail "a dead virtiofsd was noticed after $((SECONDS - start)) s"
wait "$killer" || fail "no virtiofsd was found to kill"
if daemon; then fail "virtiofsd lives on"; fi
rmdir "$WORK/run" 2>/dev/null || fail "files are left: $(find "$WORK/run")"

mkdir "$WORK/run"
BENCH_RUN_DIR=$WORK/run "$BIN/bench" run startup --driver "vm:root=virtiofs,rootfs=$tree" --n 50 --warmup 0 --out "$WORK/killed" >/dev/null 2>&1 &
victim=$!
wait_until 60 daemon >/dev/null
kill -KILL "$victim"
wait "$victim" 2>/dev/null || true
gone() { ! daemon >/dev/null && ! pgrep -f "^[^ ]*qemu-system.*$WORK/run/" >/dev/null; }
wait_until 20 gone
BENCH_RUN_DIR=$WORK/run bench clean >/dev/null 2>&1 || true
look | diff "$WORK/tree-before" - || fail "the shared folder was changed"
same_host vm_share
echo passed
