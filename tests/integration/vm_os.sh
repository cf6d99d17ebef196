#!/bin/bash
# A complete Debian as a guest: multi-user.target is reached before the agent answers, the disk in the cache stays as it was made, what a run says
# about it is true, and nothing is left.
source "$(dirname "$0")/../lib.sh"
needs vm
command -v mmdebstrap >/dev/null || must_run vm "mmdebstrap is not installed (scripts/install-deps)"
cache=${BENCH_CACHE_DIR:-$([ "$(id -u)" -eq 0 ] && echo /var/cache/bench || echo "${XDG_CACHE_HOME:-$HOME/.cache}/bench")}

# Refused before anything is made, in one line.
expect_fail 3 "boots the kernel that is installed in it" "$BIN/bench" run startup --driver vm:os,kernel=/vmlinuz --n 1 --out "$WORK/no"
expect_fail 3 "command line is the boot loader's" "$BIN/bench" run startup --driver vm:os-firmware,append=debug --n 1 --out "$WORK/no"

host_state >"$WORK/before"
bench run startup --driver vm:os,vm:os-firmware --n 3 --warmup 0 --timeout 180 --out "$WORK/out" >"$WORK/table" 2>"$WORK/log" || fail "run: $(cat "$WORK/log")"
same_host vm_os

/usr/bin/python3 "$HERE/cli/validate_result.py" "$SCHEMA" "$WORK/out/result.json" || fail "the result breaks its schema"
/usr/bin/python3 - "$WORK/out/result.json" <<'PY' || fail "the result is not right"
import json, sys

result = json.load(open(sys.argv[1]))
labels = [driver["label"] for driver in result["drivers"]]
for label in ("vm:os", "vm:os-firmware"):
    index = labels.index(label)
    info = result["drivers"][index]["info"]
    assert "Debian" in info["os"] and int(info["os packages"]) > 80 and int(info["memory"]) >= 512 << 20, info
    assert int(info["disk bytes"]) > int(info["disk bytes allocated"]) > 100 << 20, info
    assert info["kernel"] and "installed in the guest" in info["kernel source"], info
    assert "BENCH_INIT=/sbin/init" in info["cmdline"], info
    samples = [sample for sample in result["samples"] if sample["driver"] == index]
    assert len(samples) == 3, samples
    for sample in samples:
        marks = sample["marks"]
        assert sample["status"] == "ok", sample
        assert marks["launched"] < marks["init"] < marks["main"] < marks["ready"] < marks["stop"] < marks["gone"], marks
        # All of systemd lies between its first moment and the agent's: that is no matter of milliseconds.
        assert marks["main"] - marks["init"] > 200e6, marks
PY

# By another way than the driver's: QEMU alone, the console on, and what systemd itself says on it.
kept() { find "$cache/vm/os" ! -name lock -printf '%p %T@ %C@ %s %m %U:%G\n' | sort; }
kept >"$WORK/kept"
disk=$(find "$cache/vm/os" -name disk -size 1048576k -printf '%T@ %p\n' | sort -n | tail -1 | cut -d' ' -f2)
[ -n "$disk" ] || fail "no disk is kept below $cache/vm/os"
qemu-system-x86_64 -M q35 -accel tcg -m 512 -nodefaults -display none -no-reboot -serial "file:$WORK/control" -serial "file:$WORK/console" \
	-kernel "$(dirname "$disk")/kernel" -initrd "$(dirname "$disk")/initrd" -drive "file=$disk,format=raw,if=virtio,snapshot=on" \
	-append "console=ttyS1 systemd.show_status=1 BENCH_CONTROL=/dev/ttyS0 root=/dev/vda rootfstype=ext4 rw init=/usr/lib/bench/agent BENCH_INIT=/sbin/init" \
	</dev/null >"$WORK/qemu" 2>&1 &
qemu=$!
trap 'kill "$qemu" 2>/dev/null || true; rm -rf "$WORK"' EXIT
wait_until 120 grep -qa 'hello bench-agent' "$WORK/control"
tr -d '\033\r' <"$WORK/console" | sed 's/\[[0-9;]*m//g' >"$WORK/said"
kill "$qemu"
wait "$qemu" || true
head -1 "$WORK/control" | grep -qa '^mark init' || fail "the first word is not that of process 1: $(cat "$WORK/control")"
grep -qa 'Reached target multi-user.target\|Reached target .*Multi-User' "$WORK/said" || fail "the agent answered before multi-user.target: $(tail -5 "$WORK/said")"
grep -qa 'Started serial-getty@ttyS0' "$WORK/said" && fail "a getty has the agent's port"

# Starts write to layers of their own.
bench run startup --driver vm:os --n 1 --warmup 0 --timeout 180 --out "$WORK/again" >/dev/null 2>"$WORK/log" || fail "again: $(cat "$WORK/log")"
grep -q "making" "$WORK/log" && fail "what is in the cache was made once more: $(cat "$WORK/log")"
kept | diff "$WORK/kept" - || fail "a start changed what is in the cache"
[ -z "$(find "$cache/vm/os" -name 'tmp-*')" ] || fail "a folder of a making is left"
echo passed
