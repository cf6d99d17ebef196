#!/bin/sh
# The JSON Schema of results: accepts what the writer writes (tests/data/result-valid), refuses what must not be in a result.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
schema=$here/../../results/schema/result.schema.json
if ! /usr/bin/python3 -c 'import jsonschema' 2>/dev/null; then
	# Where tests must run, a missing package is a fault of the setup.
	[ -z "${BENCH_MUST_RUN:-}" ] || { echo "FAILED: python3-jsonschema is not installed, and BENCH_MUST_RUN is set" >&2; exit 1; }
	echo "SKIPPED: python3-jsonschema is not installed"
	exit 77
fi
work=$(mktemp -d /tmp/bench-test-schema-XXXXXX)
trap 'rm -rf "$work"' EXIT

"$here/validate_result.py" "$schema" "$here"/../data/result-valid/*/input.json

# refused NAME EXPRESSION PATH: the minimal result changed by a Python expression on r is refused, and the message names the path.
refused() {
	/usr/bin/python3 - "$here/../data/result-valid/minimal/input.json" "$work/$1.json" "$2" <<-'PYTHON'
		import json, sys
		with open(sys.argv[1]) as file:
		    r = json.load(file)
		exec(sys.argv[3])
		with open(sys.argv[2], "w") as file:
		    json.dump(r, file)
	PYTHON
	if "$here/validate_result.py" "$schema" "$work/$1.json" 2>"$work/message"; then
		echo "$1: accepted" >&2
		exit 1
	fi
	grep -qF "$work/$1.json: $3" "$work/message" || { echo "$1: expected '$3', found: $(cat "$work/message")" >&2; exit 1; }
}

refused guest-without-accelerator 'del r["drivers"][1]["info"]["accelerator"]' 'drivers[1].info:'
refused guest-with-empty-machine 'r["drivers"][1]["info"]["machine"] = ""' 'drivers[1].info.machine:'
refused unknown-member 'r["samples"][0]["extra"] = 1' 'samples[0]:'
refused unknown-mark 'r["samples"][0]["marks"]["teardown"] = 1' 'samples[0].marks:'
refused negative-time 'r["blocks"][0]["duration_ns"] = -1' 'blocks[0].duration_ns:'
refused index-out-of-range 'r["samples"][3]["driver"] = 2' 'samples[3].driver:'
refused label-twice 'r["drivers"][1]["label"] = "process"' 'drivers[1].label:'
refused step-lane 'r["drivers"][0]["steps"] = [{"name": "a", "lane": "uncle"}]' 'drivers[0].steps[0].lane:'
refused step-of-three 'r["samples"][0]["steps"] = [[1, 2, 3]]' 'samples[0].steps[0]:'
refused variant-role 'r["drivers"][0]["variant"] = {"role": "none"}' 'drivers[0].variant.role:'
refused left-out-without-reason 'r["left_out"] = [{"label": "vm2"}]' 'left_out[0]:'
refused left-out-absent 'del r["left_out"]' 'document:'
refused too-many-left-out 'r["left_out"] = [{"label": f"d{i}", "reason": "x"} for i in range(33)]' 'left_out:'
refused left-out-control-character 'r["left_out"] = [{"label": "vm2", "reason": "a\nb"}]' 'left_out[0].reason:'
refused no-summary 'del r["summary"]' 'document:'
echo "schema: 1 accepted set, 15 refusals"
