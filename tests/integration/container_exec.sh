#!/bin/bash
# bench container exec: a further process sees what the container sees, with its restrictions, its streams and its exit status.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container

export BENCH_RUN_DIR=$WORK/run
trap end_containers EXIT
mkdir "$WORK/run"
host_state() { container_state; }
root=$WORK/root
make_busybox_root "$root" || must_run container "no busybox"
host_state >"$WORK/before"
exec_in() { "$BIN/bench" container exec "$@"; }

id=$("$BIN/bench" container run -d --name box --hostname box -e GREETING=hello -w /tmp "$root" sh -c 'echo mine >/tmp/file; while :; do sleep 0.1; done')
[ -n "$id" ] || fail "no container"
wait_until 10 exec_in box test -e /tmp/file
[ "$(exec_in box hostname)" = box ] || fail "host name: $(exec_in box hostname)"
[ "$(exec_in box sh -c 'echo $GREETING; pwd; cat file')" = "hello
/tmp
mine" ] || fail "environment, working folder, files: $(exec_in box sh -c 'echo $GREETING; pwd; cat file')"
[ "$(exec_in -e GREETING=bye -w / box sh -c 'echo $GREETING; pwd')" = "bye
/" ] || fail "options"
# The same namespaces as its first process, to the inode.
exec_in box sh -c 'for name in cgroup ipc mnt net pid time user uts; do readlink /proc/1/ns/$name; readlink /proc/self/ns/$name; done' |
	uniq -c | awk '$1 != 2 { exit 1 }' || fail "other namespaces: $(exec_in box sh -c 'ls -l /proc/1/ns /proc/self/ns')"
# No more rights than that.
restrictions='grep -E "^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp:)" /proc'
[ "$(exec_in box sh -c "$restrictions/1/status")" = "$(exec_in box sh -c "$restrictions/self/status")" ] ||
	fail "other restrictions: $(exec_in box sh -c "$restrictions/1/status; $restrictions/self/status")"
[ "$(exec_in -u user box id -u)" = 1000 ] || [ "$(id -u)" != 0 ] || fail "a user by name: $(exec_in -u user box id)"
expect_fail 3 "nobody-at-all" exec_in -u nobody-at-all box id

# Streams and status.
status=0
exec_in box sh -c 'exit 7' || status=$?
[ "$status" = 7 ] || fail "exit status $status"
status=0
exec_in box sh -c 'kill -9 $$' || status=$?
[ "$status" = 137 ] || fail "ended by a signal: $status"
[ "$(echo pass on | exec_in -i box cat)" = "pass on" ] || fail "input"
[ "$(exec_in box seq 1 100000 | md5sum)" = "$(seq 1 100000 | md5sum)" ] || fail "output"
expect_fail 3 "no-such-program" exec_in box no-such-program
# A signal reaches it, not the container.
"$BIN/bench" container exec box sh -c 'trap "exit 5" TERM; echo ready; while :; do sleep 0.05; done' >"$WORK/ready" &
pid=$!
wait_until 10 grep -q ready "$WORK/ready"
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 5 ] || fail "a signal for exec: status $status"
exec_in box true || fail "the container did not survive that"
# In its groups, so it is counted, limited, and ends with the container.
"$BIN/bench" container inspect box >"$WORK/inspect"
"$BIN/bench" container exec box sleep 1000 &
pid=$!
# The whole line: until its exec, the process has that of bench, which ends likewise.
# shellcheck disable=SC2016 # for the inner shell
sleeping() { exec_in box sh -c 'for line in /proc/[0-9]*/cmdline; do [ "$(tr "\0" " " <"$line")" = "sleep 1000 " ] && exit 0; done; exit 1' 2>/dev/null; }
wait_until 10 sleeping
if [ "$(/usr/bin/python3 -c 'import json, sys; print(len(json.load(sys.stdin)["cgroup_dirs"]))' <"$WORK/inspect")" -gt 0 ]; then
	"$BIN/bench" container inspect box | /usr/bin/python3 -c 'import json, sys; assert len(json.load(sys.stdin)["processes"]) >= 3' ||
		fail "it is not in the groups of its container"
	bench container pause box
	expect_fail 3 "container box is paused" exec_in box true
	bench container resume box
fi
timeout 120 /usr/bin/python3 "$HERE/integration/container_terminal.py" "$BIN/bench" "$root" exec || fail "exec at a terminal"
bench container rm -f box
status=0
wait "$pid" || status=$?
[ "$status" = 137 ] || fail "exec outlived its container: $status"
expect_fail 3 "there is no container 'box'" exec_in box true
same_host "exec"
echo passed
