#!/bin/bash
# bench container as an ordinary user: everything that needs no privilege works, what is missing is said, nothing is left.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run rootless-as-root "this test gives root's rights up itself; as an ordinary user the others cover it"

chmod 755 "$WORK"
mkdir "$WORK/home" "$WORK/bin" "$WORK/run"
cp "$BIN/bench" "$BIN/bench-agent" "$WORK/bin"
make_busybox_root "$WORK/home/root" || must_run container "no busybox"
chown -R 65534:65534 "$WORK/home" "$WORK/run"
as_user() {
	(cd "$WORK/home" && env -i PATH="$PATH" HOME="$WORK/home" USER=nobody BENCH_RUN_DIR="$WORK/run" setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@")
}
user_bench() { as_user "$WORK/bin/bench" "$@"; }
# run_user ARGUMENT…: a container of the root above; its output is in $WORK/stdout and $WORK/stderr.
run_user() {
	status=0
	user_bench container run "$@" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || status=$?
}
user_processes() { as_user sh -c 'ps -u 65534 -o args= | grep -vE "ps -u|sh -c|grep|defunct" || true'; }
no_state() { [ -z "$(find "$WORK/run" -mindepth 1)" ]; }

user_bench doctor >"$WORK/doctor" || true
grep -qE '^container +(yes|limited)' "$WORK/doctor" || must_run container "$(grep '^container' "$WORK/doctor")"
before=$(user_processes)
trap 'user_bench container rm -f mine >/dev/null 2>&1 || true; user_bench clean >/dev/null 2>&1 || true; rm -rf "$WORK"' EXIT

run_user ./root sh -c 'id -u; hostname; echo $$; exit 7'
[ "$status" = 7 ] || fail "exit status $status: $(cat "$WORK/stderr")"
[ "$(sed -n 1p "$WORK/stdout")" = 0 ] && [ "$(sed -n 3p "$WORK/stdout")" = 1 ] || fail "it is not root and process 1 inside: $(cat "$WORK/stdout")"
[ "$(echo pass on | user_bench container run -i ./root cat)" = "pass on" ] || fail "input"
run_user ./root sh -c 'echo changed >/etc/passwd && cat /etc/passwd'
if [ "$status" = 0 ]; then
	[ "$(cat "$WORK/stdout")" = changed ] || fail "the overlay"
else
	run_user --read-only ./root true
	[ "$status" = 0 ] || fail "a read-only root: $(cat "$WORK/stderr")"
fi
grep -q '^root:' "$WORK/home/root/etc/passwd" || fail "the root folder was changed"

# A limit that cannot be had is an error when it was asked for, and a note when that was allowed.
run_user -m 64M ./root true
if [ "$status" != 0 ]; then
	[ "$status" = 3 ] && grep -q 'a limit cannot be set' "$WORK/stderr" && grep -q -- '--cgroup auto' "$WORK/stderr" || fail "a limit that is missing: $(cat "$WORK/stderr")"
	run_user -m 64M --cgroup auto --read-only ./root true
	[ "$status" = 0 ] || fail "a limit that may be missing: $(cat "$WORK/stderr")"
fi

id=$(user_bench container run -d --read-only --name mine ./root sleep 1000 </dev/null)
user_bench container ps | grep -qE "^$id +mine " || fail "ps: $(user_bench container ps)"
user_bench container inspect mine | /usr/bin/python3 -c '
import json, sys
c = json.load(sys.stdin)
assert c["running"] and c["config"]["rootless"], c
' || fail "inspect"
[ "$(user_bench container exec mine hostname)" = "$id" ] || fail "exec"
user_bench container ns mine | grep -qE '^users +0 … 0 inside are 65534 … 65534 outside' || fail "ns: $(user_bench container ns mine)"
# What it may not see is said; root's containers are not even there.
user_bench container ns >"$WORK/ns" || fail "ns of all"
grep -qE '[0-9]+ of [0-9]+ processes do not show all their namespaces to us; to root they do' "$WORK/ns" || fail "ns does not say what is hidden: $(cat "$WORK/ns")"
[ -z "$(bench container ps | grep "$id")" ] || fail "another user's container is shown"
user_bench container stop -T 1s mine
no_state || fail "state is left: $(find "$WORK/run")"

# Its monitor is killed.
id=$(user_bench container run -d --read-only ./root sleep 1000 </dev/null)
monitor=$(user_bench container inspect "$id" | /usr/bin/python3 -c 'import json, sys; print(json.load(sys.stdin)["monitor_pid"])')
kill -KILL "$monitor"
wait_until 10 no_state
as_before() { [ "$before" = "$(user_processes)" ]; }
wait_until 10 as_before
# A folder of the run base that others can write to is refused.
mkdir -p "$WORK/run/bench/containers"
chown -R 65534:65534 "$WORK/run"
chmod 777 "$WORK/run/bench/containers"
run_user --read-only ./root true
[ "$status" = 3 ] && grep -q 'not a folder that only you can write to' "$WORK/stderr" || fail "a folder that others can write to: $status $(cat "$WORK/stderr")"
echo passed
