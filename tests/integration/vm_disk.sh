#!/bin/bash
# Machines with a root file system on a disk: made of a folder and of a container's image, kept, noticed when damaged, nothing half-made on a full disk; the
# limits of disks bite; nothing is left.
source "$(dirname "$0")/../lib.sh"
needs vm
[ "$(id -u)" -eq 0 ] || must_run vm "a full disk is tried as root"
for tool in cpio mke2fs mksquashfs mkfs.erofs; do
	command -v "$tool" >/dev/null || must_run vm "$tool is not installed (scripts/install-deps)"
done

# A cache of its own, with the kernel and its modules, so that nothing is downloaded once more.
cache=${BENCH_CACHE_DIR:-/var/cache/bench}
bench run startup --driver vm:disk=1M --n 1 --warmup 0 --out "$WORK/first" >"$WORK/table" 2>"$WORK/log" || fail "an empty disk: $(cat "$WORK/log")"
export BENCH_CACHE_DIR=$WORK/cache BENCH_IMAGE_DIR=$WORK/store
mkdir -p "$BENCH_CACHE_DIR/vm"
for part in kernels modules capabilities; do
	if [ -d "$cache/vm/$part" ]; then cp -a "$cache/vm/$part" "$BENCH_CACHE_DIR/vm/"; fi
done

tree=$WORK/tree
mkdir -p "$tree"/{bin,dev,etc,proc,run,sys,tmp}
cp /bin/busybox "$tree/bin/sh"
echo "a root file system" >"$tree/etc/motd"
bench image import --quiet "$tree" --name small </dev/null

# Refused before anything is made, in one line.
expect_fail 3 "root=ext4 needs a root file system" "$BIN/bench" run startup --driver vm:root=ext4 --n 1 --out "$WORK/no"
expect_fail 3 "option root=btrfs" "$BIN/bench" run startup --driver "vm:root=btrfs,rootfs=$tree" --n 1 --out "$WORK/no"
expect_fail 3 "option rootfs: $WORK/nowhere" "$BIN/bench" run startup --driver "vm:root=ext4,rootfs=$WORK/nowhere" --n 1 --out "$WORK/no"
expect_fail 3 "from one of them" "$BIN/bench" run startup --driver "vm:root=ext4,rootfs=$tree,image=small" --n 1 --out "$WORK/no"
expect_fail 3 "option image: .*nowhere" "$BIN/bench" run startup --driver vm:root=ext4,image=nowhere --n 1 --out "$WORK/no"
expect_fail 3 "does not set them for a microvm" "$BIN/bench" run startup --driver vm:microvm,disk=8M,read_bps=4M --n 1 --out "$WORK/no"
expect_fail 3 "the machine has none" "$BIN/bench" run startup --driver vm:read_bps=4M --n 1 --out "$WORK/no"
expect_fail 3 "another file system is mounted" "$BIN/bench" run startup --driver vm:root=ext4,rootfs=/ --n 1 --out "$WORK/no"
expect_fail 3 "too small for an initramfs" "$BIN/bench" run startup --driver "vm:root=initramfs,rootfs=$tree,memory=80M" --n 1 --out "$WORK/no"
[ ! -d "$BENCH_CACHE_DIR/vm/disks" ] || [ -z "$(find "$BENCH_CACHE_DIR/vm/disks" -mindepth 1 -type d -name 'tmp-*')" ] || fail "a refusal left something"

host_state >"$WORK/before"
drivers=(--driver "vm:root=ext4,rootfs=$tree,read_bps=4M,write_iops=50,label=ext4" --driver "vm:microvm,root=squashfs,image=small,label=squashfs"
	--driver "vm:microvm,root=erofs,root-writes=memory,rootfs=$tree,disk=8M,label=erofs"
	--driver "vm:root=initramfs,rootfs=$tree,memory=256M,label=initramfs" --driver "vm:restore,root=erofs,rootfs=$tree,label=restored")
bench run startup "${drivers[@]}" --n 2 --warmup 0 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "a run with disks"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
info = {driver["label"]: driver["info"] for driver in result["drivers"] if driver["label"] != "null"}
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
assert info["ext4"]["root"].startswith("ext4 on virtio-blk, read-only, from folder"), info["ext4"]
assert info["squashfs"]["root"] == "squashfs on virtio-blk, read-only, from image small", info["squashfs"]
assert "overlay" in info["erofs"]["root"] and "8.00 MiB" in info["erofs"]["disk"], info["erofs"]
assert "read_bps=4194304" in info["ext4"]["disk limits"] and "write_iops=50" in info["ext4"]["disk limits"], info["ext4"]
assert "initramfs" in info["initramfs"]["root"], info["initramfs"]
assert info["restored"]["start"] == "restored", info["restored"]
for label in info:
    assert "key " in info[label]["root image"], info[label]
PY

# Starts only read what is in the cache; a damaged image is made again, and that is said.
kept() { find "$BENCH_CACHE_DIR/vm/disks" -name disk -printf '%p %s %T@ %m\n' | sort; }
[ "$(kept | wc -l)" -eq 4 ] || fail "not one image a format: $(kept)"
kept >"$WORK/kept"
bench run startup "${drivers[@]:0:2}" --n 1 --warmup 0 --out "$WORK/again" >/dev/null 2>"$WORK/log" || fail "again: $(cat "$WORK/log")"
grep -q "making an image" "$WORK/log" && fail "it was made once more: $(cat "$WORK/log")"
kept | diff "$WORK/kept" - || fail "a start changed what is in the cache"
for image in "$BENCH_CACHE_DIR"/vm/disks/*/disk; do
	printf '?' | dd of="$image" bs=1 seek=600 conv=notrunc status=none
done
bench run startup "${drivers[@]:0:2}" --n 1 --warmup 0 --out "$WORK/mended" >/dev/null 2>"$WORK/log" || fail "mended: $(cat "$WORK/log")"
grep -q "is damaged" "$WORK/log" || fail "nobody noticed a damaged image: $(cat "$WORK/log")"

# A full disk while an image is made: one line, and nothing of it stays.
mkdir "$WORK/full"
head -c 40M /dev/urandom >"$tree/big"
cat >"$WORK/full.sh" <<'SH'
set -eu
mount -t tmpfs -o size=24m,mode=755 bench-test "$1"
for kept in kernels modules capabilities; do
	[ -d "$2/vm/$kept" ] || continue
	mkdir -p "$1/vm/$kept"
	mount --bind "$2/vm/$kept" "$1/vm/$kept"
done
shift 2
exec "$@"
SH
for root in initramfs ext4 squashfs erofs; do
	expect_fail 3 "make an image for root=$root: no space left" env "BENCH_CACHE_DIR=$WORK/full" unshare -m --propagation private \
		sh "$WORK/full.sh" "$WORK/full" "$BENCH_CACHE_DIR" \
		sh -c '"$@"; status=$?; find "$BENCH_CACHE_DIR/vm/disks" -mindepth 1 ! -name lock >"$BENCH_CACHE_DIR.left"; exit $status' sh \
		"$BIN/bench" run startup --driver "vm:root=$root,rootfs=$tree,memory=512M" --n 1 --out "$WORK/no"
	[ ! -s "$WORK/full.left" ] || fail "something half-made stays: $(cat "$WORK/full.left")"
done
same_host "runs on a full disk"

# The limits, by the host's clock.
"$BIN/test_vm_storage" -j1 >"$WORK/said" 2>&1 || fail "storage: $(cat "$WORK/said")"
grep MEASURED "$WORK/said"
same_host "test_vm_storage"
echo passed
