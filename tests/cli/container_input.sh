#!/bin/bash
# bench container: bad input gives one clear line and the documented exit status; a dry run tells the plan and makes nothing. No root needed.
source "$(dirname "$0")/../lib.sh"

export BENCH_RUN_DIR=$WORK/run BENCH_IMAGE_DIR=$WORK/images
mkdir -p "$WORK"/root/{proc,sys,dev,tmp,run,etc} "$WORK/run"
run() { "$BIN/bench" container run "$@"; }

expect_fail 2 "unknown command 'container frobnicate'" bench container frobnicate
expect_fail 2 "what is to be run" run
expect_fail 2 "^bench: --memory: 'lots' is not a size" run --memory lots "$WORK/root" sh
expect_fail 2 "^bench: --memory: '0': expected more than nothing" run -m 0 "$WORK/root" sh
expect_fail 2 "^bench: --cpus: 'all'" run --cpus all "$WORK/root" sh
expect_fail 2 "^bench: --mount: target 'relative' must be an absolute path" run --mount /usr:relative "$WORK/root" sh
expect_fail 2 "^bench: --mount: source $WORK/none" run -v "$WORK/none:/x" "$WORK/root" sh
expect_fail 2 "^bench: --cap-add: 'net_amdin' is no capability" run --cap-add net_amdin "$WORK/root" sh
grep -qF "hint: was 'net_admin' meant?" "$WORK/stderr" || fail "no suggestion: $(cat "$WORK/stderr")"
expect_fail 2 "^bench: --net: 'wifi': expected own, none, host, bridge or user" run --net wifi "$WORK/root" sh
expect_fail 2 "^bench: --ns: 'user=own'" run --ns user=own "$WORK/root" sh
expect_fail 2 "^bench: --device: /dev/no-such-device|^bench: --device: device /dev/no-such-device" run --device /dev/no-such-device "$WORK/root" sh
expect_fail 2 "^bench: --timeout: 'soon' is not a duration" run --timeout soon "$WORK/root" sh
expect_fail 2 "^bench: --env-file: $WORK/none" run --env-file "$WORK/none" "$WORK/root" sh
expect_fail 2 "contradict each other" run -d -i "$WORK/root" sh
expect_fail 2 "limits need cgroups" run -m 64M --cgroup off "$WORK/root" sh
if [ "$(id -u)" = 0 ]; then # of what reaches devices, without anything that keeps it from the host's
	for reach in "--cap-add mknod" "--cap-add sys_rawio" "--cap-add all" "--device /dev/null"; do
		# shellcheck disable=SC2086
		expect_fail 3 "without a user namespace needs the cgroup controller 'devices', which cgroup=off leaves out" \
			run --userns off --cgroup off $reach "$WORK/root" sh
		grep -qF "hint: let it have a user namespace" "$WORK/stderr" || fail "no remedy: $(cat "$WORK/stderr")"
	done
fi
expect_fail 3 "no-such-image" run no-such-image sh
expect_fail 3 "$WORK/none" run "$WORK/none" sh
expect_fail 3 "no command: $WORK/root says nothing" run "$WORK/root"
expect_fail 3 "nobody-at-all" run -u nobody-at-all "$WORK/root" sh
# A folder that was meant, and an image that was named.
(
	cd "$WORK" || exit 1
	expect_fail 3 "root" run root sh
	grep -qF "./root" "$WORK/stderr" || fail "no hint at the folder: $(cat "$WORK/stderr")"
)

# What is written needs two folders: a dry run makes none, but says how.
mkdir "$WORK/kept"
expect_fail 3 "no folder 'upper' in it" run --dry-run --upper "$WORK/kept" "$WORK/root" /bin/true
grep -qF "hint: mkdir $WORK/kept/upper" "$WORK/stderr" || fail "no hint: $(cat "$WORK/stderr")"
expect_fail 3 "^bench: the root has no user 'nobody-at-all'" run -u nobody-at-all "$WORK/root" sh
expect_fail 2 "^bench: --memory: a container's start itself needs more" run -m 1 "$WORK/root" sh
grep -q 'cgroup=' "$WORK/stderr" && fail "the hint is not in the words of the command line: $(cat "$WORK/stderr")"
expect_fail 2 "^bench: --bridge needs --net bridge" run --bridge lab "$WORK/root" sh
for command in logs inspect; do
	status=0
	bench container "$command" one two >/dev/null 2>"$WORK/stderr" || status=$?
	[ "$status" = 2 ] && grep -q "one container at a time; what is 'two'" "$WORK/stderr" || fail "$command of two: $status $(cat "$WORK/stderr")"
done

for command in exec logs inspect kill stop pause resume rm; do
	words=nobody
	[ "$command" = exec ] && words="nobody true"
	# shellcheck disable=SC2086
	expect_fail 3 "there is no container 'nobody'" bench container $command $words
	expect_fail 2 "which container|in which container" bench container $command
done
expect_fail 2 "which command" bench container exec nobody
expect_fail 2 "'TERMINATE' is no signal" bench container kill -s TERMINATE nobody
expect_fail 2 "--time: 'never' is not a duration" bench container stop -T never nobody
expect_fail 3 "there is no process 4194305|there is no container '4194305'" bench container ns 4194305
expect_fail 3 "there is no container 'nobody'" bench container ns nobody
shares() { "$BIN/bench" container shares "$@"; }
faculty=$SOURCE/docs/examples/faculty.json
echo '{"groups": {"A": {"cpu_share": 40}, "B": {"cpu_share": 50}}}' >"$WORK/ninety.json"
echo '{"groups": {"A": {"memory": "1M"}, "B": {}}}' >"$WORK/tiny.json"
expect_fail 2 "which file declares the groups" shares
expect_fail 3 "$WORK/none" shares "$WORK/none"
expect_fail 3 "ninety.json: line 1: groups: the cpu_shares of these groups sum up to 90: expected 100" shares "$WORK/ninety.json"
expect_fail 2 "one file at a time; what is '$faculty'" shares --check 2 "$faculty"
expect_fail 2 "^bench: --check: '-1': expected points" shares --check=-1 "$faculty"
expect_fail 2 "^bench: --check: 'few': expected points" shares --check=few "$faculty"
expect_fail 2 "^bench: --seconds: 'soon' is not a duration" shares --seconds soon "$faculty"
expect_fail 2 "^bench: --seconds: '0': expected 0.3 to 3600" shares --seconds 0 "$faculty"
expect_fail 2 "^bench: --cpu: .*'x'" shares --cpu x "$faculty"
expect_fail 2 "^bench: CPU 8000 is not there" shares --cpu 8000 "$faculty"
expect_fail 2 "declares no group 'Web'" shares --idle Web "$faculty"
grep -qF "hint: give its path, e.g. Students" "$WORK/stderr" || fail "no group is suggested: $(cat "$WORK/stderr")"
expect_fail 2 "nothing is left to measure" shares --idle Faculty --idle Students "$faculty"
expect_fail 2 "^bench: group A: memory of 1048576 bytes: a container's start needs 4 MiB" shares "$WORK/tiny.json"
[ "$(bench container ps -a)" = "ID NAME IMAGE PID STATE UPTIME MEMORY CPU ADDRESS" ] || fail "ps of nothing: $(bench container ps -a)"
[ "$(bench container ps -a --json)" = "[]" ] || fail "ps --json of nothing"

# Every option that the help names is one that is known: the table of the command against that of the library.
options=$(bench container run --help | grep -oE -- '--[a-z][a-z-]+' | sort -u | grep -vE -- '^--(help|usage|version)$')
[ "$(wc -l <<<"$options")" -gt 35 ] || fail "the help names too few options: $options"
for option in $options; do
	"$BIN/bench" container run "$option=x" >"$WORK/stdout" 2>"$WORK/stderr" </dev/null || true
	! grep -qE "there is no option" "$WORK/stderr" || fail "$option: $(cat "$WORK/stderr")"
done

# A dry run: the steps, nothing made. What follows the folder is the program's own, options too.
run --dry-run --cgroup off --cap-drop ALL --seccomp off "$WORK/root" sh -c 'echo --memory' >"$WORK/plan" 2>"$WORK/stderr" || fail "dry run: $(cat "$WORK/stderr")"
grep -qE '^child +exec +sh' "$WORK/plan" || fail "the plan does not end with exec: $(cat "$WORK/plan")"
grep -qE '^note .*no system call filter' "$WORK/plan" || fail "the plan does not say what is off: $(cat "$WORK/plan")"
[ -z "$(find "$WORK/run" -mindepth 1)" ] || fail "state was made: $(find "$WORK/run")"

# Namespaces: unprivileged or not, one's own can be seen.
bench container ns $$ >"$WORK/ns" || fail "ns: $(cat "$WORK/ns")"
inode=$(readlink /proc/$$/ns/mnt | tr -dc 0-9)
grep -qE "^mnt +$inode yes" "$WORK/ns" || fail "ns does not show $inode: $(cat "$WORK/ns")"
bench container ns --json $$ | /usr/bin/python3 -c '
import json, os, sys
shown = {n["kind"]: n["inode"] for n in json.load(sys.stdin)["namespaces"]}
for kind, inode in shown.items():
    path = f"/proc/{os.getppid()}/ns/{kind}"
    assert inode == int(os.readlink(path).split("[")[1][:-1]), kind
' || fail "ns --json differs from /proc"
bench container ns >"$WORK/all" || fail "ns of all"
grep -qE "^net +$(readlink /proc/$$/ns/net | tr -dc 0-9) yes" "$WORK/all" || fail "the table of all lacks ours: $(cat "$WORK/all")"
echo passed
