#!/bin/bash
# Containers of images: distributions side by side on one kernel, as a person would use them; what they write is gone and the image as before; a terminal
# inside; what an image says of its program; images of other hosts; an ordinary user.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run image "layers with their own users need root"
host_state() { container_state; }

export BENCH_RUN_DIR=$WORK/run BENCH_IMAGE_DIR=$WORK/store
mkdir "$WORK/run"
# What runs in the background ends with this script, whatever happens: without its folder `bench clean` would not find it.
end_all() {
	local id
	for id in $(bench container ps -a 2>/dev/null | awk 'NR > 1 { print $1 }'); do
		bench container rm -f "$id" >/dev/null 2>&1 || true
	done
	rm -rf "$WORK"
}
trap end_all EXIT
import() { bench image import --quiet "$@" </dev/null; }
run() { bench container run "$@"; }
layers_of() { bench image list --json | /usr/bin/python3 -c 'import json, sys; print("\n".join(next(i["layers"] for i in json.load(sys.stdin) if i["name"] == sys.argv[1])))' "$1"; }
# Names, owners, modes, times and bytes of all layers of an image.
hash_of() { layers_of "$1" | while read -r layer; do tar -C "$layer" --sort=name --xattrs --xattrs-include='*' --pax-option=delete=atime,delete=ctime -c .; done | sha256sum; }
# same WHAT GOT WANTED
same() { [ "$2" = "$3" ] || fail "$1: '$2' instead of '$3': $(cat "$WORK/stderr" 2>/dev/null || true)"; }
status_of() {
	local status=0
	"$@" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
	echo "$status"
}
# prepare FUNCTION ARGUMENT…: a root; without it, its tests are left out unless BENCH_MUST_RUN has "image".
prepare() {
	local reason
	reason=$("$@") && return 0
	case ",${BENCH_MUST_RUN:-}," in *,image,*) fail "image must run here: $reason" ;; esac
	echo "left out: $reason"
	return 1
}

prepare make_busybox_root "$WORK/busybox" || exit 77
import "$WORK/busybox" >/dev/null
make_archives "$WORK/busybox" "$WORK/archives"
debian=no musl=no lua=no
if prepare make_debian_root_tar "$WORK/debian.tar"; then
	import "$WORK/debian.tar" >/dev/null
	debian=yes
fi
if prepare make_musl_root "$WORK/musl"; then
	import "$WORK/musl" >/dev/null
	musl=yes
fi
if prepare make_interpreter_roots "$WORK/lua51" "$WORK/lua54"; then
	import "$WORK/lua51" --name lua:5.1 >/dev/null
	import "$WORK/lua54" --name lua:5.4 >/dev/null
	lua=yes
fi
container_state >"$WORK/before"

echo "== busybox"
busybox_before=$(hash_of busybox)
same "os-release" "$(run busybox sh -c '. /etc/os-release; echo $ID')" busybox
run busybox busybox | head -1 >"$WORK/banner"
grep -q '^BusyBox v' "$WORK/banner" || fail "banner: $(cat "$WORK/banner")"
same "kernel" "$(run busybox uname -r)" "$(uname -r)"

if [ "$debian" = yes ]; then
	echo "== two distributions at the same time"
	debian_before=$(hash_of debian)
	run -d --name box busybox sleep 1000 >/dev/null
	run -d --name deb --hostname bookcase debian sleep 1000 >/dev/null
	inside() { bench container exec "$1" sh -c '. /etc/os-release; echo $ID $(uname -r) $(hostname)'; }
	for ((tick = 0; tick < 2; tick++)); do # to and fro
		same "Debian" "$(inside deb)" "debian $(uname -r) bookcase"
		same "busybox" "$(inside box | cut -d' ' -f 1,2)" "busybox $(uname -r)"
	done
	same "containers" "$(bench container ps | grep -cE ' (box|deb) .* running ')" 2
	expect_fail 3 "image 'debian' is in use by a container" bench image rm debian
	bench container rm -f box
	bench container rm -f deb

	echo "== Debian"
	same "ps" "$(run debian sh -c 'ps -e -o pid=,comm=' | awk '{ printf "%s %s,", $1, $2 }' | sed 's/[0-9]* ps,$/ps,/')" "1 sh,ps,"
	same "hostname" "$(run --hostname shelf debian hostname)" shelf
	run debian ip -o a >"$WORK/ip"
	grep -q ' lo .*127\.0\.0\.1/8' "$WORK/ip" || fail "no loopback: $(cat "$WORK/ip")"
	same "links" "$(run debian ip -o link | wc -l)" 1
	run debian apt --version | grep -q '^apt [0-9]' || fail "apt"
	same "packages" "$(run debian sh -c 'dpkg -S /bin/ps | cut -d: -f 1')" procps
	same "exit status" "$(status_of run debian bash -c 'exit 7')" 7
	same "a signal" "$(status_of run debian bash -c 'kill -KILL $$ & wait; exec 2>&-; exit 9')" 9 # process 1 cannot kill itself
	same "user" "$(run -u nobody debian sh -c 'id -un; id -gn' | tr '\n' ' ')" "nobody nogroup "
	same "no rights" "$(status_of run -u nobody debian touch /etc/x)" 1
	same "working folder" "$(run -w /usr/share debian pwd)" /usr/share
	same "environment" "$(run -e WORD='two words' debian sh -c 'echo "$WORD"')" "two words"
	same "files of many users" "$(run debian stat -c %U:%G:%a /etc/shadow)" root:shadow:640

	echo "== what is written is gone"
	same "writes" "$(run debian sh -c 'echo new >/new; echo changed >/etc/hostname; rm -r /usr/share/doc; chmod 600 /etc/passwd; mkdir /opt/x
		cat /new /etc/hostname; test ! -e /usr/share/doc && echo removed' | tr '\n' ' ')" "new changed removed "
	same "gone" "$(run debian sh -c 'test ! -e /new && test ! -e /opt/x && test -d /usr/share/doc && stat -c %a /etc/passwd')" 644
	same "read-only" "$(status_of run --read-only debian touch /new)" 1
	mkdir "$WORK/upper"
	run --upper "$WORK/upper" debian sh -c 'echo kept >/kept'
	same "kept" "$(run --upper "$WORK/upper" debian cat /kept)" kept
	same "the image of Debian" "$(hash_of debian)" "$debian_before"
	same "mounts at /" "$(run debian cat /proc/self/mounts | awk '$2 == "/"' | wc -l)" 1

	echo "== a terminal"
	/usr/bin/python3 "$HERE/integration/terminal.py" "$BIN/bench" container run -it -e TERM=dumb -e PS1='inside> ' debian bash --norc --noprofile || fail "a terminal in Debian"
fi

if [ "$musl" = yes ]; then
	echo "== musl"
	same "musl" "$(run musl /usr/bin/hello)" "hello from musl on $(uname -r)"
fi

if [ "$lua" = yes ]; then
	echo "== two versions of an interpreter"
	for name in lua lua5.1 lua5.4; do
		[ -z "$(command -v $name)" ] || echo "this host has a $name of its own"
	done
	for version in 5.1 5.4; do
		run -d --name "lua-$version" lua:$version /usr/bin/lua -e 'while true do end' >/dev/null
	done
	for version in 5.1 5.4; do
		bench container exec "lua-$version" /usr/bin/lua -v >"$WORK/lua" 2>&1
		grep -q "^Lua $version\." "$WORK/lua" || fail "lua $version: $(cat "$WORK/lua")"
		same "the other" "$(status_of bench container exec "lua-$version" test -e "/usr/bin/lua$([ $version = 5.1 ] && echo 5.4 || echo 5.1)")" 1
	done
	bench container rm -f lua-5.1
	bench container rm -f lua-5.4
fi

echo "== what an image says of its program"
import "$WORK/archives/oci" --name oci-folder >/dev/null
import "$WORK/archives/oci.tar" --name oci-tar >/dev/null
import "$WORK/archives/docker.tar" --name docker >/dev/null
import "$WORK/archives/save.tar" >/dev/null
for name in oci-folder oci-tar docker example/app:1.0; do
	# entrypoint busybox, command sh, user 1000, folder /root; the upper layer has taken os-release and home away
	same "$name" "$(echo 'id -u; pwd; echo $PATH; cat /upper; ls -A /home; test ! -e /etc/os-release && echo removed' | run -i "$name" | tr '\n' ' ')" \
		"1000 /root /bin:/usr/bin upper removed "
done
same "the command is replaced" "$(run docker echo one two)" "one two"
same "the entrypoint is replaced" "$(run --entrypoint /bin/cat docker /upper)" upper
same "no entrypoint" "$(run --entrypoint '' docker /bin/echo bare)" bare
same "user and folder" "$(run -u root -w /tmp -e PATH=/bin docker sh -c 'id -u; pwd; echo $PATH' | tr '\n' ' ')" "0 /tmp /bin "

echo "== images of other hosts"
other=arm64 && [ "$(uname -m)" != aarch64 ] || other=amd64
ARCHITECTURE=$other make_archives "$WORK/busybox" "$WORK/foreign"
expect_fail 3 "shares this host's kernel, Linux on $(uname -m); the image is for linux/$other" import "$WORK/foreign/oci"
grep -q '^  hint: ' "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"
expect_fail 3 "no image.*nothing" run nothing
same "the image of busybox" "$(hash_of busybox)" "$busybox_before"
same_host "containers of images"

if command -v setpriv >/dev/null; then
	echo "== an ordinary user"
	chmod 755 "$WORK" && mkdir -p "$WORK/home/run" "$WORK/bin" && cp "$BIN/bench" "$WORK/bin" && chown -R 65534:65534 "$WORK/home"
	chmod -R a+rX "$WORK/busybox"
	as_user() {
		(cd "$WORK/home" && env -i PATH="$PATH" HOME="$WORK/home" USER=nobody BENCH_RUN_DIR="$WORK/home/run" setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$WORK/bin/bench" "$@")
	}
	as_user image import --quiet "$WORK/busybox" >/dev/null </dev/null || fail "rootless import"
	same "rootless" "$(as_user container run busybox sh -c 'id -u; . /etc/os-release; echo $ID; echo x >/etc/new && cat /etc/new' 2>"$WORK/stderr" | tr '\n' ' ')" "0 busybox x "
	same "rootless, again" "$(as_user container run busybox test -e /etc/new >/dev/null 2>&1 && echo left)" ""
	same "rootless exit status" "$(status_of as_user container run busybox sh -c 'exit 7')" 7
	as_user image rm busybox >/dev/null
	[ -z "$(find "$WORK/home/run" -path '*/containers/*')" ] || fail "rootless: files are left: $(find "$WORK/home/run")"
	same_host "an ordinary user"
fi
echo passed
