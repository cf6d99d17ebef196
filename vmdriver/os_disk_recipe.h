/* How the packages' archive becomes a disk, in the shell's words. Part of the disks' keys: a change here makes new disks. Private to os_disk.c. */
#pragma once

#include <osimage/os_image.h>

/* From the archive ($1) and the agent ($2), in an empty folder: kernel, initrd, facts and the tree "root". $3 becomes the machine's id: empty,
 * or the word that makes systemd take this for its first start. No getty takes the
 * agent's port. */
#define OS_DISK_UNPACK                                                                                                                     \
	"set -eu; umask 022; mkdir root; tar -x -f \"$1\" -C root --numeric-owner --exclude='./dev/*'\n"                                   \
	"cp \"$2\" root" OS_IMAGE_AGENT "; chmod 755 root" OS_IMAGE_AGENT "\n"                                                             \
	"ln -s /dev/null root/etc/systemd/system/serial-getty@ttyS0.service\n"                                                             \
	"printf %s \"$3\" >root/etc/machine-id\n"                                                                                          \
	"cp root/boot/vmlinuz-* kernel; cp root/boot/initrd.img-* initrd\n"                                                                \
	"sed -n 's/^PRETTY_NAME=\"\\(.*\\)\"$/release: \\1/p' root/etc/os-release >facts\n"                                                \
	"echo \"packages: $(grep -c '^Status: install ok installed' root/var/lib/dpkg/status)\" >>facts\n"

/* The file system alone. */
#define OS_DISK_PLAIN "mke2fs -q -F -t ext4 -L bench-os -d root disk 1G >log 2>&1 || { cat log; exit 1; }\nrm -rf root log\n"

/* A disk for a PC's firmware: boot sector, a FAT partition with boot loader, kernel and initrd (1 to 65 MiB), the file system behind it. $4 is
 * the boot sector's file, $5 the kernel's command line. */
#define OS_DISK_FIRMWARE                                                                                                                   \
	"truncate -s 1090M disk\n"                                                                                                         \
	"printf 'label: dos\\nstart=2048,size=131072,type=c,bootable\\nstart=133120,size=2097152,type=83\\n' | sfdisk -q disk\n"           \
	"dd if=\"$4\" of=disk bs=440 count=1 conv=notrunc status=none\n"                                                                   \
	"mformat -i disk@@1M -F -T 131072 -h 255 -s 63 -H 2048 ::\n"                                                                       \
	"printf '%s\\n' 'DEFAULT linux' 'PROMPT 0' 'NOESCAPE 1' 'LABEL linux' 'LINUX /vmlinuz' 'INITRD /initrd' \"APPEND $5\" "            \
	">syslinux.cfg\n"                                                                                                                  \
	"mcopy -i disk@@1M kernel ::/vmlinuz; mcopy -i disk@@1M initrd ::/initrd; mcopy -i disk@@1M syslinux.cfg ::/\n"                    \
	"syslinux --install --offset 1048576 disk\n"                                                                                       \
	"mke2fs -q -F -t ext4 -L bench-os -E offset=68157440 -d root disk 1G >log 2>&1 || { cat log; exit 1; }\n"                          \
	"rm -rf root log syslinux.cfg\n"
