#!/bin/bash
# What does the road through libvirt cost, and how far is our machine from a default one? One interleaved run, with the same kernel, initramfs and
# accelerator:
#
#   tests/bench/vm-start.sh build/release/bin [N] [OUT]
#
# vm-q35, vm-microvm      the vm driver: embedded libvirt, its machine description
# qemu-q35, qemu-microvm  QEMU started by hand with that very machine, kernel, initramfs and command line, taken from a running one of the driver's, without
#                         what libvirt adds to rule it (monitor, trace, sandbox): the floor
# vm-q35-tuned            the driver's q35 with tune=all: its kernel does less than the distribution means it to
# virt-install            QEMU started by hand with what virt-install gives a guest by default: q35 with PCIe ports, USB 3, VGA, disk, network, sound,
#                         tablet, balloon, random numbers, the guest agent's channel; the kernel packed, as the distribution ships it
#
# All are ready when the agent, PID 1 of the guest, answers on its first serial port. Below the table: the ratios, paired by block.
# LEAVE_OUT="virt-install" leaves some out.
set -euo pipefail

bin=$(realpath "${1:?usage: $0 FOLDER-OF-BENCH [N] [OUT]}")
n=${2:-30}
out=${3:-bench-results/vm-start-$(date +%Y%m%d-%H%M%S)}
source=$(realpath "$(dirname "$0")")
qemu=$(command -v qemu-system-x86_64) || { echo "$0: qemu-system-x86_64 is not installed" >&2; exit 3; }
work=$(mktemp -d /tmp/vs.XXXXXX) # short: the names of sockets below it are limited
trap 'rm -rf "$work"' EXIT

# The words of a running QEMU of the driver's, and copies of the files that they name: they end with the run.
# catch NAME DRIVER
catch() {
	local run pid='' found=
	mkdir -p "$work/$1" "$work/run"
	BENCH_RUN_DIR=$work/run "$bin/bench" run startup --driver "$2" --n 3 --warmup 0 --out "$work/$1/out" >"$work/$1/log" 2>&1 &
	run=$!
	while [ -z "$found" ] && kill -0 "$run" 2>/dev/null; do
		for pid in $(pgrep -f "^[^ ]*qemu-system.*$work/run/" || true); do
			tr '\0' '\n' <"/proc/$pid/cmdline" >"$work/$1/words" 2>/dev/null || continue
			# Not the proof of the accelerator, nor libvirt's questions to QEMU: a machine of the run, with the run's files.
			if grep -q -- "^guest=bench-" "$work/$1/words" && /usr/bin/python3 "$source/qemu_by_hand.py" "$work/$1" "$qemu"; then
				found=1
				break
			fi
		done
		read -rt 0.01 <> <(:) || true
	done
	wait "$run" || { cat "$work/$1/log" >&2; exit 3; }
	[ -n "$found" ] || { echo "$0: no QEMU of $2 was seen" >&2; exit 3; }
}

catch qemu-q35 vm:q35
catch qemu-microvm vm:microvm
catch packed vm:q35,kernel_form=bzimage

memory=$(sed -n '/^-m$/{n;p}' "$work/packed/words")
append=$(sed -n '/^-append$/{n;p}' "$work/packed/words")
ports=
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do ports+=" -device pcie-root-port,id=port$i,bus=pcie.0,chassis=$i"; done
mkdir "$work/virt-install"
cat >"$work/virt-install/start" <<SH
#!/bin/sh
exec $qemu -name guest -machine q35,usb=off,vmport=off,dump-guest-core=off -accel tcg -cpu qemu64 -m $memory -smp 1 -overcommit mem-lock=off \\
	-display none -no-user-config -nodefaults -rtc base=utc,driftfix=slew -global kvm-pit.lost_tick_policy=delay -no-reboot \\
	-global ICH9-LPC.disable_s3=1 -global ICH9-LPC.disable_s4=1 -boot strict=on \\
	-kernel $work/packed/kernel -initrd $work/packed/initrd -append '$append' $ports \\
	-device qemu-xhci,p2=15,p3=15,id=usb,bus=port1 -device virtio-serial-pci,id=serial,bus=port2 \\
	-blockdev driver=null-co,node-name=disk,size=10737418240,read-zeroes=on -device virtio-blk-pci,bus=port3,drive=disk,bootindex=1 \\
	-netdev user,id=net,restrict=on -device virtio-net-pci,netdev=net,bus=port4 \\
	-chardev stdio,id=control,signal=off -device isa-serial,chardev=control,index=0 -chardev null,id=console -device isa-serial,chardev=console,index=1 \\
	-chardev null,id=agent -device virtserialport,bus=serial.0,chardev=agent,name=org.qemu.guest_agent.0 \\
	-device usb-tablet,bus=usb.0 -device virtio-vga,bus=pcie.0 -audiodev none,id=sound -device ich9-intel-hda -device hda-duplex,audiodev=sound \\
	-device virtio-balloon-pci,bus=port5 -object rng-random,id=random,filename=/dev/urandom -device virtio-rng-pci,rng=random,bus=port6
SH
chmod 755 "$work/virt-install/start"
if ! grep -q '^tcg$' "$work/packed/words"; then sed -i 's/-accel tcg -cpu qemu64/-accel kvm -cpu host/' "$work/virt-install/start"; fi

drivers=()
add() { [[ " ${LEAVE_OUT:-} " == *" $1 "* ]] || drivers+=(--driver "$2"); }
add qemu-q35 "command:label=qemu-q35,argv=$work/qemu-q35/start"
add vm-q35 "vm:q35,label=vm-q35"
add vm-q35-tuned "vm:q35,tune=all,label=vm-q35-tuned"
add qemu-microvm "command:label=qemu-microvm,argv=$work/qemu-microvm/start"
add vm-microvm "vm:microvm,label=vm-microvm"
add virt-install "command:label=virt-install,argv=$work/virt-install/start"
"$bin/bench" run startup --n "$n" --out "$out" "${drivers[@]}"
/usr/bin/python3 "$source/paired_ratios.py" "$out/result.json" vm-q35/qemu-q35 vm-microvm/qemu-microvm virt-install/vm-q35 virt-install/vm-q35-tuned virt-install/vm-microvm
