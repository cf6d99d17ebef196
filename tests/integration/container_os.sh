#!/bin/bash
# A whole Debian in a container: its systemd is process 1, the agent answers when multi-user is reached, the groups it divides up are its own and
# nothing else is; nothing is left behind.
source "$(dirname "$0")/../lib.sh"
needs container
[ "$(id -u)" -eq 0 ] || must_run container-os "a system container needs root"
command -v mmdebstrap >/dev/null || must_run container-os "no mmdebstrap to make the image"

# The image is made outside of what is compared.
bench run startup --driver container:os --n 1 --warmup 0 --out "$WORK/first" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"

host_state >"$WORK/before"
bench run startup --driver container,container:os --n 3 --warmup 0 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host container_os
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
labels = [driver["label"] for driver in result["drivers"]]
at = labels.index("container:os")
samples = [s for s in result["samples"] if s["driver"] == at]
assert len(samples) == 3 and all(s["status"] == "ok" for s in samples), samples
for sample in samples:
    stamps = [sample["marks"][mark] for mark in ("request", "launched", "sandbox", "main", "ready", "stop", "gone")]
    assert stamps == sorted(stamps), stamps
PY

# The first process of a container whose worker we stopped while it lives: the time to look.
first_process() {
	local pid
	for pid in $(pgrep -x systemd); do
		if tr '\0' '\n' <"/proc/$pid/environ" 2>/dev/null | grep -qx container=bench && [ -S "/proc/$pid/root/run/systemd/private" ]; then
			init=$pid worker=$(sed -n 's/^PPid:\t//p' "/proc/$pid/status")
			kill -STOP "$worker"
			return 0
		fi
	done
	return 1
}
inside() { nsenter -t "$init" -U -m -p -n -u -i -C -S 0 -G 0 -- "$@"; }
running() { [[ "$(inside systemctl is-system-running 2>&1 || true)" =~ ^(running|degraded)$ ]]; }

bench run startup --driver container:os --n 1 --warmup 0 --out "$WORK/look" >"$WORK/table" 2>"$WORK/log" &
run=$!
wait_until 20 first_process
trap 'kill -CONT "$worker" 2>/dev/null || true; rm -rf "$WORK"' EXIT
wait_until 30 running
inside systemctl is-active multi-user.target >/dev/null || fail "multi-user is not reached"
inside systemctl --no-legend --plain --failed >"$WORK/failed"
inside systemctl --no-legend --plain list-units --type=service --state=running | cut -d' ' -f1 | sort >"$WORK/services"
grep -q '^dbus.service' "$WORK/services" || fail "dbus does not run: $(cat "$WORK/services")"
echo "running: $(paste -sd' ' "$WORK/services"); failed: $(cut -d' ' -f1 "$WORK/failed" | paste -sd' ')"
! [ -s "$WORK/failed" ] || fail "units failed: $(cat "$WORK/failed"; inside systemctl show -p Id,Result,ExecMainStatus "$(cut -d" " -f1 "$WORK/failed" | head -n 1)")"

# What its root may not, as the kernel sees it: with its capabilities and without its filter, which would deny more.
caps=$(sed -n 's/^CapBnd:\t//p' "/proc/$init/status")
[ "$caps" = 00000000000005fb ] || fail "capabilities: $caps"
grep -q '^Seccomp:	2' "/proc/$init/status" || fail "no filter"
grep -q '^NoNewPrivs:	1' "/proc/$init/status" || fail "no-new-privileges is off"
as_root_inside() { inside setpriv --bounding-set=-all,+chown,+dac_override,+fowner,+fsetid,+kill,+setgid,+setuid,+net_bind_service,+setpcap "$@"; }
as_root_inside mkdir /sys/fs/cgroup/mine || fail "it cannot make a group of its own"
as_root_inside rmdir /sys/fs/cgroup/mine
# However it fills its part: hidden groups, as deep and as many as it may, with names as long as can be. All of it goes at the stop (same_host below).
as_root_inside mkdir /sys/fs/cgroup/.hidden /sys/fs/cgroup/.hidden/..below || fail "it cannot make a hidden group"
as_root_inside /usr/bin/perl -e '
	chdir "/sys/fs/cgroup" or die; my $depth = 0;
	while ($depth < 100 && mkdir "n" x 255) { chdir "n" x 255 or die; $depth++ }
	chdir "/sys/fs/cgroup" or die; my $count = 0;
	while ($count < 3000 && mkdir "g$count") { $count++ }
	print "$depth $count\n"' >"$WORK/filled" || fail "it cannot fill its part"
read -r depth count <"$WORK/filled"
[ "$depth" -eq 16 ] || fail "groups are $depth deep"
[ "$count" -gt 500 ] && [ "$count" -lt 1000 ] || fail "$count groups were made"
! as_root_inside sh -c 'echo max >/sys/fs/cgroup/cgroup.max.depth' 2>/dev/null || fail "it may change how deep its groups are"
# shellcheck disable=SC2016 # for the shell inside
for try in 'echo 1 >/sys/fs/cgroup/cgroup.freeze' 'echo 1 >/sys/fs/cgroup/pids.max' 'echo 5 >/proc/sys/user/max_user_namespaces' \
	'echo h >/proc/sysrq-trigger' 'echo x >/proc/sys/kernel/core_pattern' 'mkdir /sys/kernel/x' 'echo 1 >/proc/sys/net/ipv4/ip_forward' \
	'mkdir /m && mount -t cgroup -o memory none /m' 'mount -o remount,rw /proc/sys' 'echo -900 >/proc/1/oom_score_adj'; do
	! as_root_inside sh -c "$try" 2>/dev/null || fail "inside this works: $try"
done
! inside sh -c 'find / -xdev -name release_agent; find /sys/fs/cgroup -name release_agent' 2>/dev/null | grep -q . || fail "there is a release_agent"
grep -q ' /sys/fs/cgroup cgroup2 ' "/proc/$init/mounts" || fail "no cgroup2"
! grep -q ' cgroup ' "/proc/$init/mounts" || fail "a hierarchy of version 1 is in sight"
kill -CONT "$worker"
wait "$run" || fail "run: $(cat "$WORK/log")"
trap 'rm -rf "$WORK"' EXIT
same_host "after its groups were filled"

# The worker is killed with a system in it.
bench run startup --driver container:os --n 1 --warmup 0 --out "$WORK/killed" >"$WORK/table" 2>"$WORK/log" &
run=$!
wait_until 20 first_process
as_root_inside mkdir -p /sys/fs/cgroup/.hidden/below || fail "it cannot make a hidden group"
kill -KILL "$worker"
wait "$run" || true
wait_until 10 [ ! -e "/proc/$init" ]
same_host "after a kill"

expect_fail 3 "kind of container 'no' is not known" bench run startup --driver container:no --n 1 --out "$WORK/no"
expect_fail 3 "namespaces of its own" bench run startup --driver container:os,pid=host --n 1 --out "$WORK/no"
echo passed
