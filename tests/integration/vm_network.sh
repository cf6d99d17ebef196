#!/bin/bash
# Guests with an interface: who reaches whom (test_vm_network), and whole runs with each network beside a container on the same bridge; what the result
# says of it; nothing is left, also when the run is killed.
source "$(dirname "$0")/../lib.sh"
needs container vm
[ "$(id -u)" -eq 0 ] || must_run vm "taps need root"

# The drivers of the guest's kernel are fetched once, before anything is compared.
bench run startup --driver vm:net=user --n 1 --warmup 0 --out "$WORK/first" >"$WORK/table" 2>"$WORK/log" || fail "$(cat "$WORK/log")"
host_state >"$WORK/before"

"$BIN/test_vm_network" -j1 >"$WORK/said" 2>&1 || fail "who reaches whom: $(cat "$WORK/said")"
same_host "test_vm_network"

bridge=bt$$
bench run startup --driver "vm:net=bridge,bridge=$bridge" --driver "vm:kind=microvm,net=bridge,bridge=$bridge,label=micro" --driver vm:net=user,label=user \
	--driver "container:net=bridge,bridge=$bridge" --n 2 --warmup 0 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host "a run"
/usr/bin/python3 - "$WORK/out/result.json" "$bridge" <<'PY' || fail "the result is not right"
import json, sys

result, bridge = json.load(open(sys.argv[1])), sys.argv[2]
networks = {driver["label"]: driver["info"].get("network", "") for driver in result["drivers"]}
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
for label in "vm", "micro", "container":
    assert bridge in networks[label], networks
for label in "vm", "micro":
    assert "vhost" in networks[label], networks
assert "slirp" in networks["user"], networks
for label, text in networks.items():
    print("MEASURED", label, text)
PY

# Killed in the middle: a supervisor undoes what is in the journals.
BENCH_OUT=$WORK/killed
"$BIN/bench" run startup --driver vm:net=bridge,cpu=80 --n 50 --warmup 0 --out "$BENCH_OUT" >/dev/null 2>&1 &
run=$!
# shellcheck disable=SC2016 # for the inner shell
wait_until 60 bash -c 'ip -o link show type tun | grep -q bn'
kill -KILL "$run"
wait "$run" 2>/dev/null || true
wait_until 30 bash -c '! ip -o link | grep -qE " (bn|bench)[0-9a-f]{8}"'
same_host "a run that was killed"

expect_fail 3 'net=tap.*expected none, user or bridge' "$BIN/bench" run startup --driver vm:net=tap --n 1 --out "$WORK/bad"
expect_fail 3 'option bridge needs net=bridge' "$BIN/bench" run startup --driver vm:bridge=b0 --n 1 --out "$WORK/bad"
echo passed
