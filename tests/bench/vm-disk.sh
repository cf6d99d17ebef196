#!/bin/bash
# How fast are the same files read, and the same bytes written, in a container and in machines with the file systems that a root can have? As root:
#
#   tests/bench/vm-disk.sh build/release/bin [ROUNDS] [FILES-MIB] [FOLDER] [KERNEL]
#
# FOLDER (default: a temporary one; it should lie on a disk, not on a tmpfs) gets the files: a large one, and many of 16 KiB, of the host's own programs, so
# that they compress as programs do. The table has MiB/s: median of the rounds, least and most. What a container reads is the folder itself, what a machine
# reads is the image that was made of it (ext4 without journal; squashfs with zstd; erofs not compressed), or, by virtiofs and 9p, the folder itself, which the
# host shares. 9p needs a KERNEL with its driver; all machines then have that one. "direct" is one file of the same folder for the container, a disk with
# cache=none for the machine, a file beside it in the run's folder: 1 MiB at a time, one request at once.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [ROUNDS] [FILES-MIB] [FOLDER] [KERNEL]}")
rounds=${2:-7}
mib=${3:-64}
[ "$(id -u)" -eq 0 ] || { echo "$0: containers with a host's folder and machines are compared as root" >&2; exit 3; }
work=$(mktemp -d "${4:-/var/tmp}/bench-disk.XXXXXX")
cache=${BENCH_CACHE_DIR:-/var/cache/bench}
tidy() {
	# The images of this tree are of no use to anybody else.
	sed -n 's/^image //p' "$work/lines" 2>/dev/null | sort -u | while read -r key; do rm -rf "$cache/vm/disks/$key"; done
	rm -rf "$work"
}
trap tidy EXIT
mkdir -p "$work/root"/{dev,proc,sys,tmp,run,data/small}
chmod 755 "$work" "$work/root"
cp "$bin/bench-agent" "$work/root/agent"
: >"$work/root/scratch"
truncate -s "${mib}M" "$work/root.scratch"
find /usr/lib /usr/bin -xdev -type f -size +64k -print0 | sort -z | xargs -0 cat 2>/dev/null | head -c "$((mib / 2))M" >"$work/root/data/large" || true
split -b 16K -a 4 "$work/root/data/large" "$work/root/data/small/"

"$bin/vm-disk" "$bin/bench-agent" "$cache" "$work/root" "$rounds" "$mib" ${5:+"$5"} >"$work/lines"
/usr/bin/python3 - "$work/lines" <<'PY'
import statistics, sys

rates, order = {}, []
for line in open(sys.argv[1]):
    if line.startswith("image "):
        continue
    _, variant, state, size, seconds = line.split()
    if variant not in order:
        order.append(variant)
    rates.setdefault((state, variant), []).append(int(size) / float(seconds) / (1 << 20))
states = ("disk", "host", "again", "direct-read", "direct-write")
print("MiB/s, median [least-most]")
print("%-15s" % "" + "".join("%24s" % state for state in states))
for variant in order:
    cells = []
    for state in states:
        values = rates.get((state, variant))
        cells.append("%24s" % ("%.0f [%.0f-%.0f]" % (statistics.median(values), min(values), max(values)) if values else "-"))
    print("%-15s" % variant + "".join(cells))
PY
