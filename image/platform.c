#include "platform.h"

#include "beneath.h"
#include "image.h"
#include "text.h"

#include <bench/cleanup.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef EM_LOONGARCH
#define EM_LOONGARCH 258
#endif

static const struct {
	const char *machine; /* as uname(2) says it */
	const char *oci;
	unsigned char elf_class, elf_data;
	unsigned elf_machine;
} architectures[] = {
	{"x86_64", "amd64", ELFCLASS64, ELFDATA2LSB, EM_X86_64},
	{"aarch64", "arm64", ELFCLASS64, ELFDATA2LSB, EM_AARCH64},
	{"i686", "386", ELFCLASS32, ELFDATA2LSB, EM_386},
	{"i386", "386", ELFCLASS32, ELFDATA2LSB, EM_386},
	{"armv7l", "arm", ELFCLASS32, ELFDATA2LSB, EM_ARM},
	{"armv6l", "arm", ELFCLASS32, ELFDATA2LSB, EM_ARM},
	{"riscv64", "riscv64", ELFCLASS64, ELFDATA2LSB, EM_RISCV},
	{"ppc64le", "ppc64le", ELFCLASS64, ELFDATA2LSB, EM_PPC64},
	{"ppc64", "ppc64", ELFCLASS64, ELFDATA2MSB, EM_PPC64},
	{"s390x", "s390x", ELFCLASS64, ELFDATA2MSB, EM_S390},
	{"mips64", "mips64le", ELFCLASS64, ELFDATA2LSB, EM_MIPS},
	{"mips", "mipsle", ELFCLASS32, ELFDATA2LSB, EM_MIPS},
	{"loongarch64", "loong64", ELFCLASS64, ELFDATA2LSB, EM_LOONGARCH},
};

enum { ARCHITECTURES = sizeof(architectures) / sizeof(architectures[0]) };

const char *platform_oci_name(const char *machine)
{
	for (size_t i = 0; i < ARCHITECTURES; i++)
		if (strcmp(architectures[i].machine, machine) == 0)
			return architectures[i].oci;
	return machine;
}

int image_check_platform(const char *architecture, const char *os, struct error *err)
{
	struct utsname host;
	char shown_os[24];

	if (uname(&host) < 0)
		return error_errno(err, "uname");
	const char *own = platform_oci_name(host.machine);
	bool is_linux = !*os || strcmp(os, "linux") == 0;
	if (is_linux && (!*architecture || strcmp(platform_oci_name(architecture), own) == 0))
		return 0;
	snprintf(shown_os, sizeof(shown_os), "%s", *os ? text_shown(os).text : "linux");
	error_set(err, ENOEXEC, "a Linux container shares this host's kernel, Linux on %s; the image is for %s%s%s", host.machine, shown_os,
		  *architecture ? "/" : "", text_shown(architecture).text);
	return error_hint(err, "import the tag for linux/%s instead; the 'vm' driver can emulate other machines", own);
}

static const char *elf_name(const unsigned char *head, size_t size)
{
	if (size < 20 || memcmp(head, ELFMAG, SELFMAG) != 0)
		return "";
	bool is_big = head[EI_DATA] == ELFDATA2MSB;
	unsigned machine = is_big ? head[18] << 8 | head[19] : head[19] << 8 | head[18];

	for (size_t i = 0; i < ARCHITECTURES; i++)
		if (architectures[i].elf_machine == machine && architectures[i].elf_class == head[EI_CLASS] &&
		    architectures[i].elf_data == head[EI_DATA])
			return architectures[i].oci;
	return "";
}

void platform_of_root(int root_fd, char *ret, size_t size)
{
	static const char *const programs[] = {
		"bin/sh",
		"usr/bin/sh",
		"bin/busybox",
		"bin/bash",
		"usr/bin/env",
		"sbin/init",
		"init",
		"lib64/ld-linux-x86-64.so.2",
		"lib/ld-linux-aarch64.so.1",
		"lib/ld-linux.so.2",
		"lib/ld-linux-armhf.so.3",
		"lib/ld-linux-riscv64-lp64d.so.1",
		"lib64/ld64.so.2",
		"lib/ld64.so.1",
		"lib/ld-musl-x86_64.so.1",
		"lib/ld-musl-aarch64.so.1",
	};
	unsigned char head[64];

	ret[0] = '\0';
	for (size_t i = 0; !*ret && i < sizeof(programs) / sizeof(programs[0]); i++) {
		_cleanup_close_ int fd = beneath_open_file(root_fd, programs[i], true, NULL);
		ssize_t got = fd >= 0 ? read(fd, head, sizeof(head)) : -1;

		if (got > 0)
			snprintf(ret, size, "%s", elf_name(head, (size_t)got));
	}
}
