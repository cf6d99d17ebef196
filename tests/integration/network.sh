#!/bin/bash
# Links on the real host: a network is opened, used and closed by the unit tests' programs here and not in a namespace of its own, killed in between, and
# cleaned; afterwards links, addresses, routes, neighbours' limits and forwarding are as before.
source "$(dirname "$0")/../lib.sh"
[ "$(id -u)" -eq 0 ] || must_run root "needs root to make links"
[ -x "$BIN/test_network_host" ] || must_run network "test_network_host is not built"

# What a network of ours could have changed. Addresses' remaining lifetimes and counters are not part of it.
network_state() {
	ip -o link | sed 's/ state [A-Z]*//'
	ip -o address | sed 's/valid_lft .*//'
	ip route show table all | sort
	ip rule
	(cd /proc/sys/net && grep -rs . ipv4/ip_forward ipv4/conf/*/forwarding ipv6/conf/*/forwarding ipv4/neigh/default/gc_thresh* || true)
	tc qdisc show | sed 's/ [0-9a-f]*: / /'
	if command -v nft >/dev/null; then nft list ruleset 2>/dev/null || true; fi
}

# As network_state, but waits for what the kernel ends by itself (a namespace goes a moment after its last process).
same_network() {
	local tick
	for ((tick = 0; tick < 50; tick++)); do
		network_state >"$WORK/after"
		cmp -s "$WORK/before" "$WORK/after" && return 0
		sleep 0.1
	done
	diff -u "$WORK/before" "$WORK/after" || fail "$1: the host's network is not as before"
}

network_state >"$WORK/before"
find /run/bench 2>/dev/null | sort >"$WORK/run-before" || true

echo "a network is made, used and closed"
"$BIN/test_network_host" --filter 'network_host/used_and_closed' --quiet || fail "used_and_closed"
same_network "used and closed"

echo "its process is killed: bench clean takes links and bridge away"
run=/run/bench/$(od -An -N4 -tx4 /dev/urandom | tr -d ' ')
(umask 077 && mkdir -p "$run")
: >"$run/lock"
BENCH_NETWORK_JOURNAL=$run/w0.journal "$BIN/test_network_host" --filter 'network_host/killed' --quiet || fail "killed"
grep -q '^link bench' "$run/w0.journal" || fail "the bridge is not in the journal: $(cat "$run/w0.journal")"
bench clean --check >"$WORK/check" && fail "clean --check: nothing is said to be left: $(cat "$WORK/check")"
grep -q '  link bench' "$WORK/check" || fail "clean --check does not name the bridge: $(cat "$WORK/check")"
network_state >"$WORK/now"
cmp -s "$WORK/before" "$WORK/now" && fail "the killed process left nothing: this test shows nothing"
bench clean >"$WORK/clean" || fail "clean: $(cat "$WORK/clean")"
same_network "bench clean"
[ ! -e "$run" ] || fail "$run is left"
rmdir /run/bench/network 2>/dev/null && fail "/run/bench/network is left"
rmdir /run/bench 2>/dev/null || true
find /run/bench 2>/dev/null | sort >"$WORK/run-after" || true
cmp -s "$WORK/run-before" "$WORK/run-after" || fail "/run/bench: $(diff "$WORK/run-before" "$WORK/run-after")"

echo passed
