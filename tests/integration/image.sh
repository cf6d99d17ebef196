#!/bin/bash
# Images: every form is imported, listed, merged as containers will see it, and removed; what is hostile, foreign or cut off is refused in one line; an
# import that is interrupted or killed leaves the store as it was.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"

export BENCH_IMAGE_DIR=$WORK/store
import() { bench image import --quiet "$@" </dev/null; }
names() { bench image list --json | /usr/bin/python3 -c 'import json, sys; print(" ".join(i["name"] for i in json.load(sys.stdin)))'; }
field() { bench image list --json | /usr/bin/python3 -c 'import json, sys; print(next(i[sys.argv[2]] for i in json.load(sys.stdin) if i["name"] == sys.argv[1]))' "$@"; }
store_is_empty() { [ -z "$(find "$BENCH_IMAGE_DIR"/{images,layers,tmp} -mindepth 1)" ]; }
# wait_for COMMAND…: until it succeeds, ten seconds at most.
wait_for() {
	local deadline=$((SECONDS + 10))
	until "$@"; do
		[ $SECONDS -lt $deadline ] || fail "waited in vain for: $*"
		sleep 0.05
	done
}
one_temporary() { [ "$(find "$BENCH_IMAGE_DIR/tmp" -mindepth 1 -maxdepth 1 | wc -l)" -eq 1 ]; }
# left_out REASON: the test goes on without one root, unless BENCH_MUST_RUN has "image".
left_out() {
	case ",${BENCH_MUST_RUN:-}," in *,image,*) fail "image must run here: $1" ;; esac
	echo "left out: $1"
}
has_temporary() { [ -n "$(ls -A "$BENCH_IMAGE_DIR/tmp")" ]; }

reason=$(make_busybox_root "$WORK/busybox") || must_run image "$reason"
make_archives "$WORK/busybox" "$WORK/archives"

echo "== every form"
import "$WORK/busybox" >/dev/null
tar -C "$WORK/busybox" -cf "$WORK/plain.tar" .
for suffix in gz xz zst bz2; do
	tar -C "$WORK/busybox" -caf "$WORK/$suffix.tar.$suffix" .
	import "$WORK/$suffix.tar.$suffix" >/dev/null
done
import "$WORK/plain.tar" >/dev/null
bench image import - --quiet --name piped <"$WORK/plain.tar" >/dev/null
[ "$(field piped digest)" = "sha256" ] && fail "a digest is 64 digits"
[ "$(field piped digest)" = "$(sha256sum "$WORK/plain.tar" | cut -d' ' -f1)" ] || fail "the digest of a tar is not that of its bytes"
[ "$(field gz architecture)" = "$(field plain architecture)" ] && [ -n "$(field gz architecture)" ] || fail "no architecture was found"
import "$WORK/archives/oci" --name oci-folder >/dev/null
import "$WORK/archives/oci.tar" >/dev/null
import "$WORK/archives/docker.tar" --name docker >/dev/null
import "$WORK/archives/save.tar" >/dev/null
[ "$(names)" = "busybox bz2 docker example/app:1.0 gz oci-folder oci:1.0 piped plain xz zst" ] || fail "names: $(names)"
[ "$(field docker digest)" = "$(field oci:1.0 digest)" ] || fail "the same image has two digests"
[ "$(field docker layers)" = "$(field oci-folder layers)" ] || fail "the same layers are not shared"
bench image list | grep -qE '^oci:1\.0 +[a-z0-9]+ .* 2 ' || fail "list: $(bench image list)"
expect_fail 3 "there is an image 'plain' already" import "$WORK/plain.tar"
import --replace "$WORK/plain.tar" >/dev/null

echo "== whiteouts"
layers=$(bench image list --json | /usr/bin/python3 -c 'import json, sys; print("\n".join(next(i["layers"] for i in json.load(sys.stdin) if i["name"] == "docker")))')
upper=$(tail -n 1 <<<"$layers")
lower=$(head -n 1 <<<"$layers")
[ "$(stat -c '%F %t:%T' "$upper/etc/os-release")" = "character special file 0:0" ] || fail "a whiteout is $(stat -c '%F %t:%T' "$upper/etc/os-release")"
/usr/bin/python3 -c 'import os, sys; assert os.getxattr(sys.argv[1], "user.overlay.opaque") == b"y"' "$upper/home" || fail "home is not opaque"
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$WORK/merged"
	unshare -m sh -ec "mount -t overlay overlay -o lowerdir=$upper:$lower $WORK/merged; test ! -e $WORK/merged/etc/os-release; test ! -e $WORK/merged/home/user;
		test -f $WORK/merged/upper; test -f $WORK/merged/etc/passwd" || fail "overlayfs does not see what the layers say"
	[ "$(stat -c %u:%a "$lower/tmp")" = 0:1777 ] || fail "owner and mode were not kept"
fi

echo "== roots of other worlds"
if reason=$(make_musl_root "$WORK/musl"); then
	import "$WORK/musl" >/dev/null
	root=$(field musl layers | tr -d "[]'")
	[ "$(id -u)" -ne 0 ] || chroot "$root" /usr/bin/hello | grep -q '^hello from musl' || fail "the musl root does not run"
else
	left_out "$reason"
fi
if reason=$(make_interpreter_roots "$WORK/lua51" "$WORK/lua54"); then
	import "$WORK/lua51" --name lua:5.1 >/dev/null
	import "$WORK/lua54" --name lua:5.4 >/dev/null
	for version in 5.1 5.4; do
		root=$(field lua:$version layers | tr -d "[]'")
		[ "$(id -u)" -ne 0 ] || [ "$(chroot "$root" /usr/bin/lua -e 'print(_VERSION)')" = "Lua $version" ] || fail "lua $version does not run"
	done
else
	left_out "$reason"
fi
if reason=$(make_debian_root_tar "$WORK/debian.tar"); then
	import "$WORK/debian.tar" >"$WORK/out"
	grep -q '^imported debian: 1 layer' "$WORK/out" || fail "debian: $(cat "$WORK/out")"
	root=$(field debian layers | tr -d "[]'")
	tar -tf "$WORK/debian.tar" | wc -l >"$WORK/in-tar"
	find "$root" | wc -l >"$WORK/in-store"
	[ "$(id -u)" -ne 0 ] || cmp "$WORK/in-tar" "$WORK/in-store" || fail "a Debian of $(cat "$WORK/in-tar") files became one of $(cat "$WORK/in-store")"
	[ "$(id -u)" -ne 0 ] || [ "$(stat -c %a "$root/usr/bin/passwd" 2>/dev/null || stat -c %a "$root/usr/bin/su")" = 4755 ] || fail "setuid was lost"
else
	left_out "$reason"
fi

echo "== refusals"
before=$(find "$BENCH_IMAGE_DIR" | sort | sha256sum)
ARCHITECTURE=arm64 OS=linux make_archives "$WORK/busybox" "$WORK/arm"
ARCHITECTURE=amd64 OS=windows make_archives "$WORK/busybox" "$WORK/windows"
[ "$(uname -m)" = aarch64 ] || expect_fail 3 "shares this host's kernel, Linux on $(uname -m); the image is for linux/arm64" import "$WORK/arm/oci"
expect_fail 3 "the image is for windows/amd64" import "$WORK/windows/docker.tar"
mkdir -p "$WORK/sparc/bin"
{ printf '\177ELF\002\002\001' && head -c 11 /dev/zero && printf '\000\025' && head -c 44 /dev/zero; } >"$WORK/sparc/bin/sh" # 64 bits, big-endian, PowerPC
[ "$(uname -m)" = ppc64 ] || expect_fail 3 'the image is for linux/ppc64' import "$WORK/sparc"
cp -r "$WORK/archives/oci" "$WORK/damaged"
damaged=$(find "$WORK/damaged/blobs/sha256" -type f -size +100k | head -n 1)
printf X | dd of="$damaged" bs=1 seek=5000 conv=notrunc status=none
mkdir -p "$WORK/empty" # layers that the store has are not read again: an empty one
BENCH_IMAGE_DIR=$WORK/other expect_fail 3 'does not match its digest' import "$WORK/damaged"
expect_fail 3 'there are no files in it' import "$WORK/empty"
expect_fail 3 'No such file' import "$WORK/missing"
expect_fail 3 'neither a folder nor a file' import /dev/null
head -c 100000 "$WORK/gz.tar.gz" >"$WORK/cut.tar.gz"
expect_fail 3 'not a sound tar' import "$WORK/cut.tar.gz"
head -c 100000 /dev/urandom >"$WORK/noise"
expect_fail 3 'not a sound tar' import "$WORK/noise"
expect_fail 3 "no image called|no image '2.0'" import "$WORK/archives/oci" --tag 2.0
expect_fail 3 'more than 64.0 KiB when unpacked' import "$WORK/plain.tar" --replace --max-size 64K
expect_fail 3 "is no name" import "$WORK/plain.tar" --name ../x
expect_fail 3 "there is no image 'nothing'" bench image rm nothing
expect_fail 2 'which image' bench image rm
expect_fail 2 'unknown command' bench image frobnicate
[ "$(find "$BENCH_IMAGE_DIR" | sort | sha256sum)" = "$before" ] || fail "a refused import changed the store"

echo "== a full disk"
if [ "$(id -u)" -eq 0 ]; then
	mkdir "$WORK/small"
	unshare -m sh -c "mount -t tmpfs -o size=600k none $WORK/small && BENCH_IMAGE_DIR=$WORK/small/store $BIN/bench image import -q $WORK/plain.tar </dev/null;
		echo status=\$?; find $WORK/small/store/layers $WORK/small/store/tmp $WORK/small/store/images | wc -l" >"$WORK/full" 2>&1
	grep -q 'No space left on device' "$WORK/full" && grep -q 'status=3' "$WORK/full" || fail "full disk: $(cat "$WORK/full")"
	[ "$(tail -n 1 "$WORK/full")" = 3 ] || fail "a full disk left something: $(cat "$WORK/full")"
fi

echo "== interrupted, killed, alive"
mkfifo "$WORK/fifo"
# start: an import that waits for more of its standard input, as a process of its own that can be signalled. fd 9 is our end.
start_waiting() {
	# a shell lets its background children ignore SIGINT
	env --default-signal=INT "$BIN/bench" image import - --quiet --name waiting <"$WORK/fifo" >"$WORK/waiting.out" 2>"$WORK/waiting.err" &
	waiting=$!
	exec 9>"$WORK/fifo"
	head -c 512 "$WORK/plain.tar" >&9
	wait_for has_temporary
}
start_waiting
kill -INT "$waiting"
status=0 && wait "$waiting" || status=$?
exec 9>&-
[ $status -eq 130 ] || fail "an interrupted import ended with $status"
has_temporary && fail "an interrupted import left something"
start_waiting
kill -KILL "$waiting"
wait "$waiting" 2>/dev/null || true
exec 9>&-
has_temporary || fail "a killed import cannot have cleaned up"
start_waiting
wait_for one_temporary # what the killed one left goes when the next begins
import "$WORK/plain.tar" --name beside >/dev/null
has_temporary || fail "an import removed what belongs to one that lives"
tail -c +513 "$WORK/plain.tar" >&9
exec 9>&-
wait "$waiting" || fail "an import beside another: $(cat "$WORK/waiting.err")"
[ "$(field waiting digest)" = "$(field plain digest)" ] || fail "an import beside another got other bytes"

echo "== removal"
shared=$(dirname "$lower")
bench image rm oci-folder example/app:1.0 oci:1.0 >/dev/null
[ -d "$shared" ] || fail "a layer that another image has was removed"
bench image rm docker >/dev/null
[ ! -e "$shared" ] || fail "a layer that no image has stayed"
# shellcheck disable=SC2046
bench image rm $(names) >/dev/null
store_is_empty || fail "the store is not empty: $(find "$BENCH_IMAGE_DIR")"

echo "== without root"
if [ "$(id -u)" -eq 0 ] && command -v setpriv >/dev/null; then
	mkdir "$WORK/user" && chown 65534:65534 "$WORK/user" && chmod 755 "$WORK" && chmod 4755 "$WORK/busybox/bin/busybox"
	tar -C "$WORK/busybox" -cf "$WORK/setuid.tar" . && chmod 644 "$WORK/setuid.tar"
	as_user() { BENCH_IMAGE_DIR='' XDG_DATA_HOME=$WORK/user setpriv --reuid=65534 --regid=65534 --clear-groups "$@"; }
	as_user "$BIN/bench" image import --quiet "$WORK/setuid.tar" >"$WORK/out" </dev/null || fail "rootless import"
	grep -q 'all files belong to you' "$WORK/out" && grep -q 'setuid' "$WORK/out" || fail "rootless: $(cat "$WORK/out")"
	as_user "$BIN/bench" image import --quiet "$WORK/archives/oci.tar" >/dev/null </dev/null || fail "rootless import of a layout"
	as_user "$BIN/bench" image rm setuid oci:1.0 >/dev/null || fail "rootless removal"
	[ -z "$(ls -A "$WORK/user/bench/images/layers")" ] || fail "rootless: a layer stayed"
fi
echo passed
