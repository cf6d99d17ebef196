#!/bin/bash
# A run of virtual machines changes no owner, mode, size, time of change or extended attribute of a file of the host.
source "$(dirname "$0")/../lib.sh"
needs vm

export BENCH_CACHE_DIR=${BENCH_CACHE_DIR:-$(dirname "$BIN")/test-cache}

# attributes: a line for each file that libvirt or QEMU could have touched.
attributes() {
	local path
	{
		find /boot /etc/libvirt /var/lib/libvirt /run/libvirt /etc/qemu /usr/share/qemu /usr/share/seabios -xdev 2>/dev/null || true
		find "$BENCH_CACHE_DIR" -path '*/capabilities' -prune -o -type f -name '*vmlinu*' -print 2>/dev/null || true
		ls -d /dev/{kvm,null,zero,full,random,urandom,tty,ptmx,shm,vhost-net,vhost-vsock,net/tun} "$BIN"/bench* 2>/dev/null || true
		printf '%s\n' /tmp /run /var/tmp "$(command -v qemu-system-x86_64)"
	} | sort -u | while read -r path; do
		# The time of change of a device or a shared folder moves with every use by others.
		if [ -f "$path" ]; then stat -c '%n %U:%G %a %s %Z' "$path"; else stat -c '%n %U:%G %a' "$path"; fi 2>/dev/null || true
		/usr/bin/python3 -c 'import os, sys; [print("  ", a, os.getxattr(sys.argv[1], a)) for a in sorted(os.listxattr(sys.argv[1]))]' "$path" 2>/dev/null || true
	done
}

bench run startup --driver vm --n 1 --warmup 0 --out "$WORK/first" >/dev/null 2>"$WORK/log" || fail "$(cat "$WORK/log")"
attributes >"$WORK/attributes"
grep -q '^/dev/null ' "$WORK/attributes" || fail "nothing is looked at"
host_state >"$WORK/before"
for kind in q35 microvm; do
	bench run startup --driver "vm:$kind" --n 2 --warmup 0 --out "$WORK/$kind" >/dev/null 2>"$WORK/log" || fail "$kind: $(cat "$WORK/log")"
	attributes >"$WORK/attributes-now"
	diff -u "$WORK/attributes" "$WORK/attributes-now" || fail "$kind: files of the host were changed"
done
same_host vm_host_untouched
echo "passed: $(grep -c '^/' "$WORK/attributes") files are as before"
