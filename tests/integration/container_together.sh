#!/bin/bash
# bench container: two containers on one bridge, each with its own port 80, reach each other; a log is followed to its end; nothing is left.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run container "a bridge needs root"
# Other people's containers may come and go beside these: theirs are other bridges.
host_state() {
	container_state
	ip -o link | awk '$2 ~ "^bench-t-three"'
}

export BENCH_RUN_DIR=$WORK/run
trap end_containers EXIT
mkdir "$WORK/run"
root=$WORK/root
make_busybox_root "$root" || must_run container "no busybox"
mkdir "$root/www"
host_state >"$WORK/before"
address() { bench container inspect "$1" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["address"])'; }
serve() { bench container run -d --name "$1" --net bridge "${@:2}" "$root" sh -c "echo $1 >/www/name; exec httpd -f -p 80 -h /www" >/dev/null; }
# wget of a static busybox cannot look up addresses in a root without the C library's own modules; nc needs none.
ask() { printf 'GET /name HTTP/1.0\r\n\r\n' | bench container exec -i "$1" nc -w 2 "$2" 80 | tail -n 1; }
answers() { [ "$(ask "$1" "$2" 2>/dev/null)" = "$3" ]; }

serve one
serve two
wait_until 10 answers one "$(address two)" two
wait_until 10 answers two "$(address one)" one
# A bridge with a name, and one that a subnet alone makes, are others.
serve three --bridge bench-t-three --subnet 10.126.77.0/24
serve four --bridge bench-t-three --subnet 10.126.77.0/24
wait_until 10 answers three "$(address four)" four
[[ $(address three) == 10.126.77.* ]] || fail "the subnet: $(address three)"
serve five --subnet 10.126.78.0/24
bench container inspect five | grep -qF 10.126.78.0/24 || fail "inspect does not tell the network"
! answers one "$(address three)" three || fail "two bridges are one"
# The first to come may leave first.
bench container stop -T 0 one three
answers two "$(address two)" two || fail "the bridge went with its first container"
serve one
wait_until 10 answers two "$(address one)" one
bench container rm -f one two four five

bench container run -d --name talker -v "$WORK/run:/run/host" "$root" sh -c 'echo begun; until [ -e /run/host/go ]; do sleep 0.1; done; seq 1 20000; echo end' >/dev/null
bench container logs -f talker >"$WORK/followed" &
follower=$!
has_begun() { grep -q begun "$WORK/followed"; }
wait_until 10 has_begun
touch "$WORK/run/go"
wait "$follower" || fail "logs -f ended with $?"
[ "$(cat "$WORK/followed")" = "$(echo begun && seq 1 20000 && echo end)" ] || fail "what logs -f printed: $(tail -n 2 "$WORK/followed")"
rm "$WORK/run/go"
rmdir "$WORK"/run/bench/network 2>/dev/null || true
same_host "containers together"
echo passed
