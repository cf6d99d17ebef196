#!/bin/bash
# What does the road through libvirt cost, and how far is our machine from a default one? One interleaved run, with the same kernel, agent and accelerator, as root:
#
#   tests/bench/vm-start.sh build/release/bin [N] [OUT]
#
# vm-q35, vm-microvm      the vm driver: embedded libvirt, its machine description
# qemu-q35, qemu-microvm  (a) QEMU started by hand with that very machine, kernel, initramfs and command line, taken from a running one of the driver's, without
#                         what libvirt adds to rule it (monitor, trace, sandbox): the floor
# virsh-q35, virsh-microvm (b) `virsh create` of the very description, by a libvirt daemon of an ordinary user
# virt-install            (c) `virsh create` of what virt-install describes by default (virt-install.xml): PCIe ports, USB 3, VGA, disk, network, sound, tablet, balloon,
#                         random numbers, the guest agent's channel; the kernel packed, as the distribution ships it, and none of the words of tune=
#
# All are ready when the agent, PID 1 of the guest, answers on its first serial port. Below the table: the ratios, paired by block.
# LEAVE_OUT="virt-install" leaves some out. Needs virsh and libvirtd (Debian: libvirt-clients, libvirt-daemon).
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-30}
out=${3:-bench-results/vm-start-$(date +%Y%m%d-%H%M%S)}
source=$(realpath "$(dirname "$0")")
[ "$(id -u)" -eq 0 ] || { echo "$0: the daemon of an ordinary user is started by root" >&2; exit 3; }
for tool in qemu-system-x86_64 virsh libvirtd setpriv; do
	command -v "$tool" >/dev/null || { echo "$0: $tool is not installed" >&2; exit 3; }
done
qemu=$(command -v qemu-system-x86_64)
relay=$(find "$bin" "$bin/.." -maxdepth 3 -name relay -type f | head -n 1)
work=$(mktemp -d /tmp/vs.XXXXXX) # short: the names of sockets below it are limited
daemon=
tidy() {
	[ -z "$daemon" ] || { kill "$daemon" && wait "$daemon"; } 2>/dev/null || true
	rm -rf "$work"
}
trap tidy EXIT
chmod 755 "$work"

# A daemon that changes no owner and makes no group: an ordinary user's. It ends with this script.
user=(setpriv --reuid nobody --regid nogroup --clear-groups --reset-env env "HOME=$work/s" "XDG_RUNTIME_DIR=$work/s" "XDG_CONFIG_HOME=$work/s" "XDG_CACHE_HOME=$work/s")
virsh=("${user[@]}" virsh -q -c qemu:///session)
mkdir -p "$work/s/libvirt"
echo 'stdio_handler = "file"' >"$work/s/libvirt/qemu.conf" # no daemon for logs
chown -R nobody: "$work/s"
"${user[@]}" libvirtd >"$work/daemon.log" 2>&1 &
daemon=$!
until "${virsh[@]}" version >/dev/null 2>&1; do
	kill -0 "$daemon" || { cat "$work/daemon.log" >&2; exit 3; }
	read -rt 0.1 <> <(:) || true
done

# The words of a running QEMU of the driver's, its description, and copies of the files that they name: they end with the run.
# catch NAME DRIVER
catch() {
	local run pid='' found=
	mkdir -p "$work/$1" "$work/run"
	chmod 755 "$work/$1"
	BENCH_RUN_DIR=$work/run "$bin/bench" run startup --driver "$2" --n 3 --warmup 0 --out "$work/$1/out" >"$work/$1/log" 2>&1 &
	run=$!
	while [ -z "$found" ] && kill -0 "$run" 2>/dev/null; do
		for pid in $(pgrep -f "^[^ ]*qemu-system.*$work/run/" || true); do
			tr '\0' '\n' <"/proc/$pid/cmdline" >"$work/$1/words" 2>/dev/null || continue
			# Not the proof of the accelerator, nor libvirt's questions to QEMU: a machine of the run, with the run's files.
			if grep -q -- "^guest=bench-" "$work/$1/words" && /usr/bin/python3 "$source/qemu_by_hand.py" "$work/$1" "$qemu" &&
				find "$work/run" -path '*/run/qemu/bench-*.xml' -size +1k -exec cp {} "$work/$1/status.xml" \; 2>/dev/null &&
				grep -q '</domstatus>' "$work/$1/status.xml" 2>/dev/null; then
				found=1
				break
			fi
		done
		read -rt 0.01 <> <(:) || true
	done
	wait "$run" || { cat "$work/$1/log" >&2; exit 3; }
	[ -n "$found" ] || { echo "$0: no QEMU of $2 was seen" >&2; exit 3; }
	chmod 644 "$work/$1/kernel" "$work/$1/initrd"
}

# virsh_machine NAME CAUGHT TEMPLATE
virsh_machine() {
	mkdir -p "$work/$1"
	chmod 755 "$work/$1"
	[ "$1" = "$2" ] || cp "$work/$2"/{kernel,initrd} "$work/$1/"
	/usr/bin/python3 "$source/virsh_domain.py" "$work/$2/status.xml" "$3" "$work/$1" "$1" "$work/s/$1.sock"
	printf '#!/bin/sh\nexec %s\n' "$(printf '%q ' "$relay" "$work/s/$1.sock" "${virsh[@]}" create "$work/$1/domain.xml" -- "${virsh[@]}" destroy "$1")" >"$work/$1/start"
	chmod 755 "$work/$1/start"
}

catch qemu-q35 vm:q35
catch qemu-microvm vm:microvm
catch packed vm:q35,kernel_form=bzimage,tune=off
virsh_machine virsh-q35 qemu-q35 -
virsh_machine virsh-microvm qemu-microvm -
virsh_machine virt-install packed "$source/virt-install.xml"
truncate -s 10G "$work/virt-install/disk"
chown nobody: "$work/virt-install/disk"

drivers=()
add() { [[ " ${LEAVE_OUT:-} " == *" $1 "* ]] || drivers+=(--driver "$2"); }
for machine in q35 microvm; do
	add "qemu-$machine" "command:label=qemu-$machine,argv=$work/qemu-$machine/start"
	add "vm-$machine" "vm:$machine,label=vm-$machine"
	add "virsh-$machine" "command:label=virsh-$machine,argv=$work/virsh-$machine/start"
done
add virt-install "command:label=virt-install,argv=$work/virt-install/start"
"$bin/bench" run startup --n "$n" --out "$out" "${drivers[@]}"
/usr/bin/python3 "$source/paired_ratios.py" "$out/result.json" vm-q35/qemu-q35 vm-microvm/qemu-microvm virsh-q35/vm-q35 virsh-microvm/vm-microvm virt-install/vm-q35 \
	virt-install/vm-microvm
