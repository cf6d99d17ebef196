#!/bin/bash
# bench container, as a person uses it: streams, exit status, signals, background, limits, kept state; nothing is left on the host.
source "$(dirname "$0")/../lib.sh"
source "$HERE/integration/roots.sh"
needs container
host_state() { container_state; }

export BENCH_RUN_DIR=$WORK/run
trap end_containers EXIT
mkdir "$WORK/run"
root=$WORK/root
make_busybox_root "$root" || must_run container "no busybox"
run() { bench container run "$@"; }
field() { bench container inspect "$1" | /usr/bin/python3 -c "import json, sys; print(json.load(sys.stdin)$2)"; }
status_of() {
	local status=0
	"$@" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
	echo "$status"
}
is_gone() { ! bench container inspect "$1" >/dev/null 2>&1; }
limits=yes
[ "$(status_of run -m 32M --pids 20 "$root" true)" = 0 ] || limits=no
container_state >"$WORK/before"

# ---- streams and exit status ----
[ "$(run "$root" echo hello)" = hello ] || fail "output"
[ "$(status_of run "$root" sh -c 'exit 7')" = 7 ] || fail "exit status 7: $(cat "$WORK/stderr")"
[ "$(status_of run "$root" sh -c 'echo out; echo err >&2')" = 0 ] && [ "$(cat "$WORK/stdout")" = out ] && [ "$(cat "$WORK/stderr")" = err ] ||
	fail "stdout and stderr are not apart"
[ "$(echo pass on | run -i "$root" cat)" = "pass on" ] || fail "standard input"
[ -z "$(echo pass on | run "$root" cat)" ] || fail "without -i there must be no input"
head -c 20000000 /dev/urandom >"$WORK/noise"
[ "$(cat "$WORK/noise" | run -i "$root" cat | cmp - "$WORK/noise" && echo same)" = same ] || fail "20 MB through a container"
[ "$(run "$root" seq 1 200000 | (sleep 0.2; md5sum))" = "$(seq 1 200000 | md5sum)" ] || fail "a reader that begins late"
[ "$(run "$root" yes 2>/dev/null | head -1)" = y ] || fail "a reader that leaves early"
# The container must not reach the files behind our streams: what it gets are pipes.
mode=$(stat -c %a:%u:%g /dev/null)
run "$root" sh -c 'chmod 600 /proc/self/fd/1 /proc/self/fd/0; chown 5:5 /proc/self/fd/1' </dev/null >/dev/null 2>&1 || true
[ "$(stat -c %a:%u:%g /dev/null)" = "$mode" ] || fail "/dev/null of the host was changed"
: >"$WORK/output"
chmod 640 "$WORK/output"
run "$root" sh -c 'chmod 777 /proc/self/fd/1' >"$WORK/output" 2>/dev/null || true
[ "$(stat -c %a "$WORK/output")" = 640 ] || fail "our output file was changed"
expect_fail 3 "step exec no-such-program" run "$root" no-such-program
same_host "foreground runs"

# ---- options ----
[ "$(run --hostname box "$root" hostname)" = box ] || fail "host name"
[ "$(run -e A=1 -e A=2 -e PATH=/bin "$root" sh -c 'echo $A')" = 2 ] || fail "environment"
[ "$(run --entrypoint /bin/echo "$root" a b)" = "a b" ] || fail "entrypoint"
[ "$(run --cap-drop ALL --cap-add KILL "$root" grep CapEff /proc/self/status | tr -dc 0-9a-f | tail -c 16)" ] || fail "capabilities"

# ---- signals ----
for signal in INT TERM HUP; do
	"$BIN/bench" container run "$root" sh -c 'trap "echo got '$signal'; exit 3" '$signal'; echo ready; while :; do sleep 0.05; done' >"$WORK/$signal" 2>"$WORK/stderr" &
	pid=$!
	wait_until 10 grep -qs ready "$WORK/$signal"
	# A job in the background of a script ignores SIGINT; the monitor takes it all the same.
	kill -s "$signal" "$pid"
	status=0
	wait "$pid" || status=$?
	[ "$status" = 3 ] && grep -q "got $signal" "$WORK/$signal" || fail "SIG$signal: status $status, $(cat "$WORK/$signal")"
done
# Process 1 without handler: ends as it would outside.
"$BIN/bench" container run --name sleeper "$root" sleep 1000 2>"$WORK/stderr" &
pid=$!
wait_until 10 bench container inspect sleeper >/dev/null 2>&1
wait_until 10 [ "$(field sleeper '["status"]')" = running ]
kill -TERM "$pid"
status=0
wait "$pid" || status=$?
[ "$status" = 143 ] || fail "SIGTERM without handler: status $status"
[ "$(status_of run --timeout 200ms "$root" sleep 1000)" = 124 ] || fail "--timeout: $(cat "$WORK/stderr")"
grep -q 'killed after 200 ms' "$WORK/stderr" || fail "--timeout is not told"
same_host "signals"

# ---- background ----
id=$(run -d --name web "$root" sh -c 'echo begins; while :; do sleep 0.1; done')
[[ $id =~ ^[0-9a-f]{12}$ ]] || fail "-d printed '$id'"
bench container ps | grep -qE "^$id +web +.* running " || fail "ps: $(bench container ps)"
bench container ps --json | /usr/bin/python3 -c '
import json, os, sys
(one,) = json.load(sys.stdin)
assert one["name"] == "web" and one["state"] == "running" and one["uptime_ns"] > 0, one
os.kill(one["pid"], 0)
' || fail "ps --json"
bench container inspect "${id:0:6}" >"$WORK/inspect" || fail "an abbreviated id"
/usr/bin/python3 - "$WORK/inspect" <<'PY' || fail "inspect is not right: $(cat "$WORK/inspect")"
import json, os, sys

c = json.load(open(sys.argv[1]))
assert c["running"] and c["monitored"] and not c["paused"]
assert c["command"][0] == "sh"
assert c["pid"] in c["processes"]
for kind, inode in c["namespaces"].items():
    assert inode == int(os.readlink(f"/proc/{c['pid']}/ns/{kind}").split("[")[1][:-1]), kind
assert c["namespaces"]["mnt"] != int(os.readlink("/proc/self/ns/mnt").split("[")[1][:-1])
for folder in c["cgroup_dirs"]:
    assert os.path.isdir(folder), folder
PY
bench container ns web | grep -qE '^net +[0-9]+ no ' || fail "ns of a container: $(bench container ns web)"
wait_until 10 grep -q begins <(bench container logs web)
expect_fail 3 "a container is called 'web' already: $id" run -d --name web "$root" true
expect_fail 3 "container $id runs" bench container rm web
if [ "$(field web '["cgroup_dirs"]')" != "[]" ]; then
	bench container pause web
	[ "$(field web '["paused"]')" = True ] || fail "pause"
	bench container ps | grep -qE "^$id .* paused " || fail "ps does not show it paused"
	bench container resume web
	[ "$(field web '["paused"]')" = False ] || fail "resume"
	bench container pause web # and it must be possible to kill it so
fi
bench container kill web
wait_until 10 is_gone web
same_host "background"

id=$(run -d --keep "$root" sh -c 'trap "echo ends; exit 5" TERM; while :; do sleep 0.05; done')
bench container kill -s 0 "$id" 2>/dev/null && fail "signal 0 was taken"
bench container stop -T 5s "$id"
bench container ps -a | grep -qE "^$id .* exited 5 " || fail "kept state: $(bench container ps -a)"
[ "$(bench container logs "$id")" = ends ] || fail "log of a kept container"
[ "$(bench container ps | wc -l)" = 1 ] || fail "ps shows what has ended"
bench clean --check >/dev/null || fail "a kept container is not left behind"
expect_fail 3 "does not run" bench container kill "$id"
bench container rm "$id"
id=$(run -d "$root" sh -c 'trap "" TERM; while :; do sleep 0.05; done')
bench container stop -T 100ms "$id"
is_gone "$id" || fail "stop by force"
id=$(run -d "$root" sleep 1000)
bench container rm -f "$id"
is_gone "$id" || fail "rm -f"
same_host "stop and rm"

# ---- limits ----
if [ "$limits" = yes ]; then
	[ "$(status_of run -m 16M "$root" sh -c 'exec head -c 100000000 /dev/zero >/dev/shm/x || exec tail -c 100000000 /dev/zero')" != 0 ] || fail "a memory limit that does not bite"
	[ "$(status_of run -m 16M "$root" tail -c 100000000 /dev/zero)" = 137 ] || fail "no OOM kill: $(cat "$WORK/stderr")"
	grep -qE '^bench: [0-9a-f]{12}: [0-9]+ process(es were| was) killed because the memory limit of 16.0 MiB was reached' "$WORK/stderr" ||
		fail "an OOM kill is not told: $(cat "$WORK/stderr")"
	[ "$(status_of run --pids 5 "$root" sh -c 'for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait')" != 0 ] || fail "a process limit that does not bite"
fi
same_host "limits"
echo passed
