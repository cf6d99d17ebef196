#!/bin/bash
# Runs of virtual machines, of every kind that can run here, change no owner, mode, size, time of change or extended attribute of a file of the host. The time of
# change tells of what was changed and put back, too: who gives a file another owner, or an attribute to remember that by, and takes it back, moves it.
source "$(dirname "$0")/../lib.sh"
needs vm

# A complete system takes minutes to be made, and a download: it takes part where vm_os.sh, for one, has made it.
cache=/var/cache/bench
[ "$(id -u)" -eq 0 ] || cache=${XDG_CACHE_HOME:-$HOME/.cache}/bench
compgen -G "$cache/os/*/root.tar" >/dev/null || cache=$(dirname "$BIN")/test-cache
export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$cache} BENCH_IMAGE_DIR=$WORK/store
tree=$WORK/tree
mkdir -p "$tree"/{bin,dev,etc,proc,run,sys,tmp}
cp /bin/busybox "$tree/bin/sh"
echo "a root file system" >"$tree/etc/motd"
chmod 4755 "$tree/bin/sh"
[ "$(id -u)" -ne 0 ] || chown 1234:2345 "$tree/etc/motd"
bench image import --quiet "$tree" --name small </dev/null

# attributes: a line for each file that libvirt, QEMU or virtiofsd could have touched: what they are given, and where they look.
attributes() {
	/usr/bin/python3 - "$tree" "$BENCH_IMAGE_DIR" "$BENCH_CACHE_DIR" "$BIN" <<'PY'
import os, shutil, stat, sys

tree, store, cache, bin = sys.argv[1:]
folders = [tree, store, cache, "/boot", "/etc/libvirt", "/var/lib/libvirt", "/run/libvirt", "/etc/qemu", "/usr/share/qemu", "/usr/share/seabios",
           "/usr/lib/qemu", "/usr/libexec/qemu", "/usr/lib/ipxe/qemu"]
files = ["/dev/" + name for name in ("kvm null zero full random urandom tty ptmx shm vhost-net vhost-vsock net/tun").split()]
files += ["/tmp", "/run", "/var/tmp", "/etc/passwd", "/etc/group", "/usr/libexec/virtiofsd", shutil.which("qemu-system-x86_64") or "/nowhere"]
files += [os.path.join(bin, name) for name in os.listdir(bin) if name.startswith("bench")]
# What a run keeps for the next one (libvirt's findings, proofs, locks, new images) comes and goes: of it what is made once and only read.
kept = ("/vm/kernels", "/vm/modules", "/vm/disks", "/vm/os", "/os")
for folder in folders:
    for at, inside, names in os.walk(folder):
        files += [os.path.join(at, name) for name in names + inside]
for path in sorted(set(files)):
    below = path[len(cache):] if path.startswith(cache + "/") else None
    if below is not None and (not below.startswith(kept) or below.endswith("/lock")):
        continue
    try:
        s = os.lstat(path)
        names = os.listxattr(path, follow_symlinks=False)
        kept_by = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(names)]
    except OSError:
        continue
    # The time of change of a device or a shared folder moves with every use by others.
    own = stat.S_ISREG(s.st_mode) or path.startswith((tree + "/", store + "/"))
    print(path, "%d:%d %o" % (s.st_uid, s.st_gid, s.st_mode), "%d %d" % (s.st_size, s.st_ctime_ns) if own else "", kept_by)
PY
}

drivers=(--driver "vm:q35,label=q35" --driver "vm:microvm,net=user,label=micro" --driver "vm:restore,label=restored"
	--driver "vm:root=ext4,rootfs=$tree,disk=8M,net=user,label=disks")
if [ -x /usr/lib/qemu/virtiofsd ] || [ -x /usr/libexec/virtiofsd ] || [ -x /usr/lib/virtiofsd ]; then
	drivers+=(--driver "vm:root=virtiofs,rootfs=$tree,label=folder" --driver "vm:microvm,root=virtiofs,image=small,label=layer")
fi
if compgen -G "$BENCH_CACHE_DIR/os/*/root.tar" >/dev/null; then drivers+=(--driver "vm:os,label=os"); fi

# look_again BEFORE: what was there before is still there, and as it was. What is new is the next look's.
look_again() {
	attributes >"$WORK/attributes-now"
	comm -23 <(sort "$1") <(sort "$WORK/attributes-now") >"$WORK/changed"
	[ ! -s "$WORK/changed" ] || fail "files of the host were changed; before, and now: $(diff -u "$1" "$WORK/attributes-now")"
}
# run NAME COUNT: whether it worked is asked last, as a driver that harms files may harm itself.
run() {
	local status=0
	bench run startup "${drivers[@]}" --n "$2" --warmup 0 --timeout 120s --out "$WORK/$1" >/dev/null 2>"$WORK/log" || status=$?
	look_again "$WORK/attributes"
	[ "$status" -eq 0 ] || fail "$(cat "$WORK/log")"
	/usr/bin/python3 -c 'import json, sys
for sample in json.load(open(sys.argv[1]))["samples"]: assert sample["status"] == "ok", sample' "$WORK/$1/result.json" || fail "a machine did not start"
	same_host "the $1 run"
}

# The first run may have much to find out and to make, which is kept for the second.
host_state >"$WORK/before"
attributes >"$WORK/attributes"
run first 1
mv "$WORK/attributes-now" "$WORK/attributes"
for path in /dev/null "$tree/etc/motd" "$BENCH_IMAGE_DIR/" "$BENCH_CACHE_DIR/vm/disks/" "$(command -v qemu-system-x86_64 || echo /)"; do
	grep -qF "$path" "$WORK/attributes" || fail "$path is not looked at"
done
grep -qE "^(/boot/|$BENCH_CACHE_DIR/vm/kernels/)vmlinuz" "$WORK/attributes" || fail "no kernel is looked at"
run second 2
diff -u "$WORK/attributes" "$WORK/attributes-now" || fail "files of the host came with a run that had nothing to make"
echo "passed: $(wc -l <"$WORK/attributes") files are as before, after $((${#drivers[@]} / 2)) kinds of machines"
