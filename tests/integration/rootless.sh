#!/bin/bash
# An ordinary user: process, container in a user namespace, guest over libvirt's embedded driver; what is not limited is said.
source "$(dirname "$0")/../lib.sh"
needs container vm
[ "$(id -u)" -eq 0 ] || must_run rootless-as-root "this test gives root's rights up itself; as an ordinary user the others cover it"

# A home of its own, from which nobody's other files can be reached.
chmod 755 "$WORK"
mkdir "$WORK/home" "$WORK/bin"
cp "$BIN/bench" "$BIN/bench-agent" "$WORK/bin"
chown -R 65534:65534 "$WORK/home"
# The kernel that root has downloaded already, as a user would name one.
cache=${BENCH_CACHE_DIR:-/var/cache/bench}
kernel=$(find "$cache" -name 'vmlinuz*' -type f ! -path '*/kernels-*' 2>/dev/null | head -1)
if [ -n "$kernel" ]; then
	cp "$kernel" "$WORK/home/vmlinuz"
	chmod 644 "$WORK/home/vmlinuz"
fi
as_user() {
	(cd "$WORK/home" && env -i PATH="$PATH" HOME="$WORK/home" USER=nobody BENCH_TEST=1 setpriv --reuid 65534 --regid 65534 --clear-groups --inh-caps=-all "$@")
}

before=$(as_user sh -c 'ps -u 65534 -o args= | grep -vE "ps -u|sh -c|grep" || true')
as_user "$WORK/bin/bench" doctor >"$WORK/doctor" || fail "doctor: $(cat "$WORK/doctor")"
grep -qE '^container +(yes|limited)' "$WORK/doctor" || must_run container "$(grep '^container' "$WORK/doctor")"
as_user "$WORK/bin/bench" run startup --driver process,container,vm ${kernel:+--kernel "$WORK/home/vmlinuz"} --n 2 --warmup 1 --out "$WORK/home/out" >"$WORK/table" 2>"$WORK/log" ||
	fail "run: $(cat "$WORK/log")"
grep -qiE 'rootless|not limited|no .*limit' "$WORK/table" || fail "it is not said that the container is not limited: $(cat "$WORK/table")"
/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/home/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/home/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
assert result["environment"]["privileged"] is False
assert all(sample["status"] == "ok" for sample in result["samples"]), result["samples"]
PY
after=$(as_user sh -c 'ps -u 65534 -o args= | grep -vE "ps -u|sh -c|grep" || true')
[ "$before" = "$after" ] || fail "processes are left: $after"
[ ! -e /tmp/bench-65534 ] || fail "/tmp/bench-65534 is left"
echo passed
