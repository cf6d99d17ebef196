#!/bin/bash
# What does each choice of a machine's start change, alone, against a machine whose kernel leaves nothing out (tune=off)? One interleaved run; under TCG the kernel's own work weighs most:
#
#   tests/bench/vm-changes.sh build/release/bin [N] [OUT]
#
# The table of docs/methodology.md is of this program. Ratios are to `plain`, paired by block.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-20}
out=${3:-bench-results/vm-changes-$(date +%Y%m%d-%H%M%S)}
drivers=(--driver "vm:tune=off,label=plain")
pairs=()
# change LABEL OPTIONS
change() {
	drivers+=(--driver "vm:tune=off,$2,label=$1")
	pairs+=("$1/plain")
}
change bzimage kernel_form=bzimage
change no-trace trace=off
change microvm machine=microvm
change selftests append=cryptomgr.notests
change mitigations append=mitigations=off
change zeroing append=init_on_alloc=0
change smp-patching append=noreplace-smp
change rcu append=rcupdate.rcu_expedited=1
change initcalls append=initcall_blacklist=init_kprobe_trace\\,load_system_certificate_list\\,crypto_kdf108_init
drivers+=(--driver vm:label=default --driver "vm:tune=all,label=tune-all")
pairs+=(default/plain tune-all/plain)
change memory-1g memory=1G
change net-user net=user
change balloon balloon=128M
"$bin/bench" run startup --n "$n" --out "$out" "${drivers[@]}"
/usr/bin/python3 "$(dirname "$0")/paired_ratios.py" "$out/result.json" "${pairs[@]}"
