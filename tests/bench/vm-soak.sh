#!/bin/bash
# Does a machine's boot ever hang on a busy host? Boots of vm:microvm and vm:q35 in turn, beside three processes that only spin:
#
#   tests/bench/vm-soak.sh build/release/bin [BOOTS-OF-EACH] [OUT]
#
# Fails unless every boot answered within a minute. What a microvm without tsc_early_khz does under TCG was found this way.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [BOOTS-OF-EACH] [OUT]}")
n=${2:-200}
out=${3:-bench-results/vm-soak-$(date +%Y%m%d-%H%M%S)}
spinners=()
tidy() { kill "${spinners[@]}" 2>/dev/null || true; }
trap tidy EXIT
for _ in 1 2 3; do
	# shellcheck disable=SC2286 # it only spins
	while :; do :; done &
	spinners+=($!)
done
"$bin/bench" run startup --driver vm:microvm,vm:q35 --n "$n" --warmup 0 --timeout 60s --out "$out"
/usr/bin/python3 - "$out/result.json" "$n" <<'PY'
import collections, json, sys

result, n = json.load(open(sys.argv[1])), int(sys.argv[2])
states = {label: collections.Counter(s["status"] for s in result["samples"] if result["drivers"][s["driver"]]["label"] == label)
          for label in ("vm:microvm", "vm:q35")}
for label, count in states.items():
    print(f"{label}: {dict(count)}")
sys.exit(any(count["ok"] < n or set(count) != {"ok"} for count in states.values()))
PY
