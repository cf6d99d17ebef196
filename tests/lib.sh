# shellcheck shell=bash
# What the test scripts share. A script is called with the folder that holds bench and bench-agent:
#   tests/integration/startup.sh build/dev/bin
# Exit status 0: passed; 77: skipped (with the reason on stdout); anything else: failed.
set -euo pipefail

BIN=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH}")
HERE=$(dirname "$(realpath "${BASH_SOURCE[0]}")")
SOURCE=$(dirname "$HERE")
# shellcheck disable=SC2034 # for the scripts that source this
SCHEMA=$SOURCE/results/schema/result.schema.json
WORK=$(mktemp -d "${TMPDIR:-/tmp}/bench-test.XXXXXX")
trap 'rm -rf "$WORK"' EXIT
# Charts and report are drawn in runs that look at them.
bench() { "$BIN/bench" "$@"; }

fail() {
	echo "FAILED: $*" >&2
	exit 1
}

# must_run WHAT REASON: skips, unless BENCH_MUST_RUN says that this host can do it.
must_run() {
	case ",${BENCH_MUST_RUN:-}," in
	*",$1,"*) fail "$1 must run here: $2" ;;
	esac
	echo "SKIPPED: $2"
	exit 77
}

# needs DRIVER…: skips with the reason of the driver's own probe ("vm", "vm:os").
needs() {
	local driver doctor
	for driver in "$@"; do
		doctor=$(bench doctor -d "$driver" || true)
		if grep -qE "^$driver +no " <<<"$doctor"; then
			must_run "${driver%%:*}" "$(grep -E "^$driver +no " <<<"$doctor")"
		fi
	done
}

# expect_fail STATUS PATTERN COMMAND…: the command must end with this status and one line of error (and at most one hint) that matches.
expect_fail() {
	local want=$1 pattern=$2 status=0
	shift 2
	"$@" >"$WORK/stdout" 2>"$WORK/stderr" || status=$?
	[ "$status" -eq "$want" ] || fail "'$*' ended with $status instead of $want: $(cat "$WORK/stderr")"
	grep -v '^  hint: ' "$WORK/stderr" | grep -vE '^[a-z0-9-]+: |starts .* ETA|^$|^(result|report)  ' >"$WORK/rest" || true
	grep -qE -e "$pattern" "$WORK/stderr" || fail "'$*' said: $(cat "$WORK/stderr"), expected /$pattern/"
	[ "$(grep -c '^bench: ' "$WORK/stderr")" -eq 1 ] || fail "'$*' said more or less than one line of error: $(cat "$WORK/stderr")"
	[ ! -s "$WORK/rest" ] || fail "'$*' also printed: $(cat "$WORK/rest")"
}

# wait_until SECONDS COMMAND…: until the command succeeds; fails after that time.
wait_until() {
	local deadline=$((SECONDS + $1))
	shift
	until "$@"; do
		[ "$SECONDS" -lt "$deadline" ] || fail "waited in vain for: $*"
		sleep 0.02
	done
}

# Everything that a run makes on a host, as text: processes of ours, mounts, cgroups, network namespaces, links, and files in run and temporary folders.
host_state() {
	echo "# processes"
	ps -eo args= | grep -E 'bench-super|bench-agent|/agent|[q]emu-system|bench run|bench container' | grep -vE "grep|$0|bash|-DBENCH_AGENT|-D BENCH_AGENT" | sort || true # a compiler that names the agent is none
	echo "# mounts"
	awk '{ print $3, $4, $5 }' /proc/self/mountinfo | sort
	echo "# cgroups"
	{ find /sys/fs/cgroup -type d -name '*bench*' 2>/dev/null || true; } | sort # other services make groups of their own at any time
	echo "# network namespaces"
	for ns in /proc/[0-9]*/ns/net; do readlink "$ns" 2>/dev/null || true; done | sort -u
	echo "# links"
	ip -o link | awk '{ print $2 }'
	echo "# files"
	{ find /run /dev/shm /var/tmp -xdev 2>/dev/null || true; } | sort # what vanishes meanwhile is no failure
	find "${TMPDIR:-/tmp}" -xdev -maxdepth 1 -name 'bench*' ! -path "$WORK" 2>/dev/null | sort || true
}

# end_containers: at the end of a script, failed or not: its containers (those in BENCH_RUN_DIR) and what is left of them go before their state does.
end_containers() {
	"$BIN/bench" container ps -a --json 2>/dev/null | grep -oE '"id": "[0-9a-f]{12}"' | grep -oE '[0-9a-f]{12}' |
		xargs -r "$BIN/bench" container rm -f >/dev/null 2>&1 || true
	"$BIN/bench" clean >/dev/null 2>&1 || true
	rm -rf "$WORK"
}

# container_state: the same for `bench container` alone, whose groups bear an id of twelve digits: monitors and keepers of this script, processes in
# such groups, and what else only they make. For scripts that may run beside measurements and other people's containers (their monitors hold a lock
# elsewhere).
container_state() {
	local process others
	others=$(find /proc/[0-9]*/fd -lname '*/containers/*/lock' ! -lname "$WORK/*" -printf '%l\n' 2>/dev/null | grep -oE '[0-9a-f]{12}/lock$' | cut -d/ -f1 | sort -u || true)
	others=${others:-none}
	others=${others//$'\n'/|}
	echo "# processes"
	for process in /proc/[0-9]*; do
		if grep -qE '^bench(-keeper)?$' "$process/comm" 2>/dev/null && grep -qzxF "BENCH_RUN_DIR=$BENCH_RUN_DIR" "$process/environ" 2>/dev/null; then
			tr '\0' ' ' <"$process/cmdline" 2>/dev/null || true
		elif grep -E '/bench-[0-9a-f]{12}(/|$)' "$process/cgroup" 2>/dev/null | grep -qvE "bench-(${others})"; then
			echo "in a group: $(cat "$process/comm" 2>/dev/null || true)"
		fi
	done
	echo "# mounts"
	awk '{ print $3, $4, $5 }' /proc/self/mountinfo | grep -F "$WORK" | sort || true
	echo "# cgroups"
	find /sys/fs/cgroup -type d -regextype posix-extended -regex '.*/bench-[0-9a-f]{12}' 2>/dev/null | grep -vE "bench-(${others})$" | sort || true
	echo "# files"
	find "$WORK/run" 2>/dev/null | sort || true
}

# same_host WHAT: within two seconds (asynchronous ends in the kernel) the host must look as $WORK/before says.
same_host() {
	local tick
	for ((tick = 0; tick < 20; tick++)); do
		host_state >"$WORK/after"
		cmp -s "$WORK/before" "$WORK/after" && return 0
		sleep 0.1
	done
	diff -u "$WORK/before" "$WORK/after" || fail "$1: the host is not as before"
}
