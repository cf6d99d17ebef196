#!/bin/bash
# Machines through daemons of libvirt's: the system's, a user's own, and one that is reached over a network. Each run works, tells the truth, and leaves
# nothing: neither in order, nor when it or the daemon is killed.
source "$(dirname "$0")/../lib.sh"
source "$(dirname "$0")/daemon.sh"
needs vm
export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}
# Kernel and modules of the guest, while there is a network.
[ "${DAEMON_INSIDE:-}" = yes ] || bench run startup --driver vm:net=user --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
daemon_enter "$@"

export BENCH_RUN_DIR=$WORK/run
SYSTEM=qemu:///system
TCP=qemu+tcp://127.0.0.1/system
POOL=/var/lib/libvirt/images
mkdir -p "$BENCH_RUN_DIR" "$POOL"
# Nothing is said of qemu.conf: its defaults hold, change of owners included.
cat >/etc/libvirt/libvirtd.conf <<'CONF'
listen_tls = 0
listen_tcp = 1
listen_addr = "127.0.0.1"
auth_tcp = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0777"
CONF

run_vm() {
	rm -rf "$WORK/out"
	"$BIN/bench" run startup --driver "vm:connect=$1,accel=tcg" --warmup 0 --out "$WORK/out" "${@:2}"
}
qemus() { pgrep -f '^[^ ]*qemu-system.*guest=bench-' || true; }
machines() { virsh -q -c "$SYSTEM" list --all --name | grep -v '^$' || true; }
volumes() { find "$POOL" -type f; }

nothing_left() {
	wait_until 5 eval '[ -z "$(qemus)" ]'
	wait_until 5 eval '[ -z "$(machines)" ]'
	[ -z "$(volumes)" ] || fail "$1: volumes are left: $(volumes)"
	wait_until 5 eval '[ -z "$(ls -A "$BENCH_RUN_DIR")" ]'
	[ -z "${TRACE:-}" ] || echo "$SECONDS s: $1"
}

# timed WHAT COMMAND…: prints how long it took; a figure, not a test.
timed() {
	local what=$1 start=$EPOCHREALTIME
	shift
	"$@"
	printf 'MEASURED %-42s %s s: %s\n' "$what" "$(bc <<<"$EPOCHREALTIME - $start")" "$(grep '^bench: ' "$WORK/stderr" | head -1)"
}

# check_result KIND: every sample is good, and says what can be seen there.
check_result() {
	/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "$1: the result breaks its schema"
	/usr/bin/python3 - "$WORK/out/result.json" "$1" <<'PY' || fail "$1: the result is not right"
import json, sys

result, kind = json.load(open(sys.argv[1])), sys.argv[2]
uris = {"system": "qemu:///system", "session": "qemu:///session", "remote": "qemu+tcp://127.0.0.1/system"}
seen = 0
for sample in result["samples"]:
    driver = result["drivers"][sample["driver"]]
    if driver["name"] != "vm":
        continue
    seen += 1
    marks = sample["marks"]
    assert sample["status"] == "ok" and not sample["phases_disagree"], sample
    assert marks["request"] < marks["sandbox"] < marks["main"] < marks["ready"] < marks["stop"] < marks["gone"], marks
    assert "kernel" not in marks, marks
    assert driver["info"]["uri"] == uris[kind] and driver["info"]["trace"] == "off", driver
    assert sample["guest_memory"]["used_bytes"] > 1 << 20, sample
    # 0.02 to 0.22 s on an idle host; on another host libvirt asks QEMU to end, and waits for that.
    assert marks["gone"] - marks["stop"] < (8e9 if kind == "remote" else 1.5e9), marks
    if kind == "remote":
        assert "launched" not in marks and sample["footprint"]["pss_bytes"] is None, sample
    else:
        assert marks["request"] < marks["launched"] < marks["sandbox"] and "init" in marks, marks
        assert sample["footprint"]["pss_bytes"] > 100 << 20 and sample["guest_memory"]["ram_bytes"] > 30 << 20, sample
    print("MEASURED %-42s T0-T6 %.2f s, stop %.3f s" % (driver["label"], marks["ready"] / 1e9, (marks["gone"] - marks["stop"]) / 1e9))
assert seen >= 1, result["samples"]
PY
}

# layers [BUT]: all that was written since the beginning, but for what a daemon found out about QEMU.
layers() { find /run "$WORK/host/upper" -path '*/capabilities' -prune -o -print | grep -vE -- "${1:-^$}" | sort; }

owners() { find "$BENCH_CACHE_DIR" "$BIN"/bench* -path '*/daemon-capabilities' -prune -o -type f -printf '%p %U:%G %m %s\n' | sort; }

# ---- no daemon
timed "no daemon" expect_fail 3 "connect to libvirt at $SYSTEM: .*No such file" run_vm "$SYSTEM" --n 1
grep -q 'hint: is its daemon running?.* qemu:///embed needs none' "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"
timed "no daemon, over a network" expect_fail 3 "Connection refused" run_vm "$TCP" --n 1
bench doctor >"$WORK/doctor" || true # the default connection
nothing_on_host() { [ -z "$(qemus)" ] && [ -z "$(pgrep libvirtd || true)" ]; }
nothing_on_host || fail "a daemon was started"

daemon_start --listen
timed "no storage pool" expect_fail 3 "storage pool 'default'" run_vm "$TCP" --n 1
virsh -q -c "$SYSTEM" pool-create-as default dir --target "$POOL" >/dev/null
layers >"$WORK/before"

# ---- the system's daemon
rm -rf "$WORK/out"
bench run startup --driver "vm:q35,connect=$SYSTEM,label=system q35" --driver "vm:microvm,connect=$SYSTEM,label=system microvm" --n 1 --warmup 0 \
	--out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "system: $(cat "$WORK/log")"
check_result system
owners >"$WORK/owners"
run_vm "$SYSTEM" --n 1 >"$WORK/table" 2>"$WORK/log" &
runner=$!
wait_until 20 eval '[ -n "$(machines)" ]'
pid=$(qemus)
[ "$(stat -c %u "/proc/$pid")" -eq 0 ] || fail "QEMU runs as user $(stat -c %u "/proc/$pid")"
wait "$runner" || fail "system: $(cat "$WORK/log")"
owners >"$WORK/owners-now"
diff -u "$WORK/owners" "$WORK/owners-now" || fail "files of the host were changed"
grep -q "where libvirt's daemon puts it" "$WORK/table" || fail "it is not said who makes the machines"
nothing_left "system"

# A machine of somebody else's has the name of ours.
foreign() {
	local id n
	id=$(find "$BENCH_RUN_DIR/bench" -mindepth 1 -maxdepth 1 -name '????????' -printf '%f' 2>/dev/null) && [ -n "$id" ] || return 1
	for n in 1 2 3 4 5; do
		echo "<domain type='qemu'><name>bench-$id-1-$n</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>" >"$WORK/foreign.xml"
		virsh -q -c "$SYSTEM" define "$WORK/foreign.xml" || return 1
	done
}
{ wait_until 10 foreign; } >/dev/null &
definer=$!
expect_fail 3 "bench-[0-9a-f]*-1-[0-9]': create the machine: .*already exists" run_vm "$SYSTEM" --n 8
wait "$definer" || fail "no machine of that name could be defined"
[ "$(machines | wc -l)" -eq 5 ] || fail "the machines of somebody else are gone: $(machines)"
machines | xargs -n 1 virsh -q -c "$SYSTEM" undefine >/dev/null
nothing_left "foreign"

# ---- killed
# processes RUNNER: sets supervisor and worker (of the machines).
processes() {
	supervisor=$(pgrep -P "$1" -x bench-super | head -1) && [ -n "$supervisor" ] || return 1
	worker=$(pgrep -P "$supervisor" | sort -n | tail -1) && [ -n "$worker" ]
}
has_machine() { machines | grep -q -- "-1-$1\$"; }
# start_and_wait URI NUMBER: a run whose machine of that number is there.
start_and_wait() {
	rm -rf "$WORK/killed"
	"$BIN/bench" run startup --driver "vm:connect=$1,accel=tcg" --n 50 --warmup 0 --out "$WORK/killed" >/dev/null 2>"$WORK/log" &
	runner=$!
	wait_until 20 has_machine "$2"
	processes "$runner" || fail "no supervisor"
}
start_and_wait "$SYSTEM" 0
kill -KILL "$runner"
wait "$runner" 2>/dev/null || true
nothing_left "bench was killed"

# At its first start it would be the end of the run.
start_and_wait "$SYSTEM" 1
first=$(machines)
kill -KILL "$worker"
another() {
	local now
	now=$(machines)
	[ "$(wc -w <<<"$now")" -eq 1 ] && [ "$now" != "$first" ]
}
wait_until 20 another
kill -INT "$runner"
wait "$runner" && fail "an interrupted run ended as if nothing were" || [ $? -eq 130 ] || fail "interrupted: $(cat "$WORK/log")"
nothing_left "the worker was killed"

for uri in "$SYSTEM" "$TCP"; do
	if [ "$uri" = "$TCP" ]; then
		layers >"$WORK/after"
		diff -u "$WORK/before" "$WORK/after" || fail "files are left"
	fi
	start_and_wait "$uri" 0
	kill -STOP "$runner" # it must not do the supervisor's work
	kill -KILL "$supervisor" "$worker"
	kill -KILL "$runner"
	wait "$runner" 2>/dev/null || true
	[ "$uri" = "$SYSTEM" ] || [ -n "$(volumes)" ] || fail "what clean is for is not there"
	bench clean >"$WORK/clean" 2>&1 || fail "clean: $(cat "$WORK/clean")"
	nothing_left "all were killed ($uri)"
done

# ---- over a network
run_vm "$TCP,net=user" --n 1 >"$WORK/table" 2>"$WORK/log" || fail "remote: $(cat "$WORK/log")"
check_result remote
grep -q 'another host runs the machines' "$WORK/table" || fail "it is not said what is not seen"
nothing_left "remote"
expect_fail 3 "panic|does not answer|switched itself off" run_vm "$TCP,append=rdinit=/nowhere" --n 1 --timeout 20s
nothing_left "remote panic"
# Another host keeps the log of each machine: it is none of ours to remove.
layers '/log/libvirt/qemu/bench-' >"$WORK/after"
diff -u "$WORK/before" "$WORK/after" || fail "files are left"

# ---- the daemon ends in the middle of a run
# lose_daemon SIGNAL URI
lose_daemon() {
	{
		wait_until 30 has_machine 1 && kill "-$1" "${daemon_pid:?}"
	} &
	timed "daemon ended by SIG$1, $2" expect_fail 3 "the connection to libvirt at ${2//+/.} broke" run_vm "$2" --n 8 --timeout 20s
	wait "$!" || fail "the daemon was not ended"
	wait_until 10 daemon_is_gone
	/usr/bin/python3 -c 'import json, sys
samples = [sample for sample in json.load(open(sys.argv[1]))["samples"] if sample["driver"] == 1]
assert samples[0]["status"] == "ok" and samples[-1]["status"] == "failed", samples' "$WORK/out/result.json" || fail "what was measured is not kept"
	[ "$2" != "$SYSTEM" ] || wait_until 5 eval '[ -z "$(qemus)" ]'
	daemon_start --listen
}
for signal in TERM KILL; do
	lose_daemon "$signal" "$SYSTEM"
	nothing_left "the daemon was ended by SIG$signal"
done
# Of another host nothing can be ended while its daemon is away, and QEMU does not end with that: the new daemon finds it, and `bench clean` both.
lose_daemon KILL "$TCP"
grep -q "hint: what is left goes with 'bench clean'" "$WORK/stderr" || fail "it is not said that something is left: $(cat "$WORK/stderr")"
[ -n "$(volumes)" ] || fail "what clean is for is not there"
bench clean >"$WORK/clean" 2>&1 || fail "clean: $(cat "$WORK/clean")"
nothing_left "the daemon of another host was killed"

# ---- an ordinary user: on the system's daemon, then on one of his own
mkdir -p "$WORK/home/bin"
cp "$BIN/bench" "$BIN/bench-agent" "$WORK/home/bin"
kernel=$(find "$BENCH_CACHE_DIR" /boot -name 'vmlinuz*' -type f 2>/dev/null | head -1)
cp "$kernel" "$WORK/home/vmlinuz"
chmod 755 "$WORK/home/bin"/*
chmod 644 "$WORK/home/vmlinuz"
BENCH_CACHE_DIR='' daemon_start_session
user_run() {
	rm -rf "$WORK/home/out" "$WORK/out"
	BENCH_CACHE_DIR='' as_user "$WORK/home/bin/bench" run startup --driver "vm:connect=$1,accel=tcg,label=vm of a user" --kernel "$WORK/home/vmlinuz" --n 1 \
		--warmup 0 --out "$WORK/home/out"
}
user_runs() {
	user_run "$1" >"$WORK/table" 2>"$WORK/log" || fail "$2: $(cat "$WORK/log")"
	cp -r "$WORK/home/out" "$WORK/out"
	check_result "$2"
}
user_runs "$SYSTEM" system
user_runs qemu:///session session
[ "$(as_user virsh -q -c qemu:///session list --all | wc -l)" -eq 0 ] || fail "session: a machine is left"
daemon_stop_session
timed "no daemon of the user's own" expect_fail 3 "connect to libvirt at qemu:///session" user_run qemu:///session
[ -z "$(pgrep -u "$DAEMON_USER" libvirtd || true)" ] || fail "a daemon was started"
nothing_left "ordinary user"
daemon_stop
echo passed
