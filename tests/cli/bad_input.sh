#!/bin/bash
# Bad input: one clear line and the documented exit status, and nothing is left behind. No root, no guest needed.
source "$(dirname "$0")/../lib.sh"

expect_fail 2 "unknown command 'frobnicate'" bench frobnicate
expect_fail 2 "which experiment" bench run
expect_fail 2 "unknown experiment 'speed'" bench run speed
expect_fail 2 "startup has no variants" bench run startup -d mock --with 'x:ready=2ms'
expect_fail 3 "variant 'nonsense': expected FEATURE:OPTION=VALUE" bench run anatomy -d mock --without nonsense --out "$WORK/no"
expect_fail 3 "driver 'mock' has no option 'flavour'" bench run anatomy -d mock --without 'x:flavour=mint' --out "$WORK/no"
expect_fail 3 "two variants or drivers are called 'x'" bench run anatomy -d mock --without 'x:ready=2ms' --with 'x:ready=3ms' --out "$WORK/no"
expect_fail 3 "step 'a': expected NAME@LANE:BEGIN-END" bench run anatomy -d mock:steps=a --out "$WORK/no"
expect_fail 2 "unknown driver 'dokcer'" bench run startup --driver process,dokcer
expect_fail 2 "driver 'mock' has no option 'speed'" bench run startup --driver mock:speed=1
expect_fail 2 "two drivers are labelled 'mock'" bench run startup --driver mock,mock
for n in 0 -3 1e9 9999999999999999999999 "" " 5" 5x; do
	expect_fail 2 "^bench: --n '$n': expected a whole number from 1 to" bench run startup --driver mock --n="$n"
done
expect_fail 2 "--timeout: 'soon' is not a duration" bench run startup --driver mock --timeout soon
expect_fail 2 "--memory: 'lots' is not a size" bench run startup --driver mock --memory lots
expect_fail 2 "--seed '0'" bench run startup --driver mock --seed 0
expect_fail 2 "which result" bench show
expect_fail 3 "no/such/file" bench show "$WORK/no/such/file"
expect_fail 3 "driver 'command' needs the option argv" bench run startup --driver command --n 1 --out "$WORK/o0"
expect_fail 3 "no-such-program" bench run startup --driver command:argv=no-such-program --n 1 --out "$WORK/o0"
expect_fail 3 "agent" bench run startup --driver mock --agent "$WORK/none" --n 1 --out "$WORK/o0"
expect_fail 3 "mock: start 1 fails as declared" bench run startup --driver mock:fail=1 --n 1 --out "$WORK/o1"

# Results that were truncated, or made by somebody who does not mean well.
bench run startup --driver mock --n 3 --out "$WORK/good" >/dev/null 2>&1
size=$(stat -c %s "$WORK/good/result.json")
head -c $((size / 2)) "$WORK/good/result.json" >"$WORK/truncated.json"
: >"$WORK/empty.json"
head -c 100000 /dev/zero | tr '\0' '[' >"$WORK/deep.json"
head -c 4096 /dev/urandom >"$WORK/noise.json"
echo '{"schema_version": 999}' >"$WORK/future.json"
echo '[1, 2, 3]' >"$WORK/array.json"
for bad in truncated empty deep noise future array; do
	expect_fail 3 "$bad.json" bench show "$WORK/$bad.json"
done
expect_fail 3 "holds neither result.json nor samples.jsonl" bench show "$WORK"
bench show "$WORK/good" | grep -q '^mock' || fail "show does not take the folder"

# Nothing is ever overwritten.
expect_fail 3 "already holds a result" bench run startup --driver mock --n 1 --out "$WORK/good"
# An output folder that cannot be made, known before anything is measured.
expect_fail 3 "null/out" bench run startup --driver mock --n 1 --out /dev/null/out
[ ! -e "$WORK/o0" ] || fail "a run that measured nothing left its folder"

# Standard streams that a careless parent closed; stdout that is full.
bench run startup --driver mock --n 1 --out "$WORK/closed" <&- >&- 2>&- || fail "with closed standard streams"
[ -s "$WORK/closed/result.json" ] || fail "with closed standard streams: no result"
expect_fail 3 "No space left" sh -c '"$0" run startup --driver mock --n 1 --json --out "$1" >/dev/full' "$BIN/bench" "$WORK/full"
# Two runs into one folder.
expect_fail 3 "another run writes to" flock "$WORK/noise.json" sh -c 'mkdir "$1"; exec 9<"$1"; flock 9; "$0" run startup --driver mock --n 1 --out "$1"' "$BIN/bench" "$WORK/busy"
# Every start too late: the result shows it, and the exit status too.
expect_fail 3 "start 2 hangs as declared" bench run startup --driver mock:hang=1 --n 2 --warmup 0 --out "$WORK/late"
expect_fail 3 "not ready in time in any of its first starts" bench run startup --driver mock:hang=1 --n 5 --warmup 0 --out "$WORK/later"
[ "$(grep -c '"censored"' "$WORK/late/result.json")" -ge 1 ] || fail "censored starts are not in the result"

# What is no cache of ours stays, and nothing is said to be well.
mkdir "$WORK/no-cache"
expect_fail 3 "does not look like a cache" env BENCH_CACHE_DIR="$WORK/no-cache" BENCH_RUN_DIR="$WORK/run" "$BIN/bench" clean --cache
[ ! -s "$WORK/stdout" ] || fail "clean --cache fails and says: $(cat "$WORK/stdout")"
[ -d "$WORK/no-cache" ] || fail "clean --cache removed what is no cache"

# Help at every level, on stdout, with status 0.
for command in "" run show doctor clean; do
	# shellcheck disable=SC2086
	grep -q 'Usage: bench' <<<"$(bench $command --help)" || fail "bench $command --help"
done
bench --version | grep -qE '^bench [0-9]' || fail "--version"
echo passed
