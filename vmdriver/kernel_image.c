#include "kernel_image.h"

#include "kernel_arm64.h"

#include <bench/cleanup.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Offsets of the x86 boot protocol (Documentation/arch/x86/boot.rst). */
enum {
	SETUP_SECTS = 0x1f1,
	SYSSIZE = 0x1f4,
	BOOT_FLAG = 0x1fe,
	HEADER_MAGIC = 0x202,
	PROTOCOL = 0x206,
	KERNEL_VERSION = 0x20e,
	XLOADFLAGS = 0x236,
	INIT_SIZE = 0x260,
	HEADER_END = 0x268,
	SECTOR = 512,
	HEAD_BYTES = 64 * 1024, /* holds the setup code with the version string, and an ELF image's notes' headers */
};

static uint32_t little_endian(const uint8_t *p, int bytes)
{
	uint32_t value = 0;

	for (int i = 0; i < bytes; i++)
		value |= (uint32_t)p[i] << (8 * i);
	return value;
}

/* ---- bzImage ---- */

static bool is_bzimage(const uint8_t *head, size_t length)
{
	return length >= HEADER_END && little_endian(head + BOOT_FLAG, 2) == 0xaa55 && memcmp(head + HEADER_MAGIC, "HdrS", 4) == 0;
}

static void bzimage_version(const uint8_t *head, size_t length, char *ret, size_t size)
{
	size_t offset = little_endian(head + KERNEL_VERSION, 2);
	size_t used = 0;

	if (offset == 0)
		return;
	for (offset += SECTOR; offset < length && head[offset] && used + 1 < size; offset++)
		ret[used++] = head[offset] >= ' ' && head[offset] < 0x7f ? (char)head[offset] : '?';
	ret[used] = '\0';
}

static int read_bzimage(const uint8_t *head, size_t length, struct kernel_image *ret, struct error *err)
{
	uint32_t protocol = little_endian(head + PROTOCOL, 2);
	uint32_t sectors = head[SETUP_SECTS] ? head[SETUP_SECTS] : 4;
	int64_t needed = (int64_t)(sectors + 1) * SECTOR + (int64_t)little_endian(head + SYSSIZE, 4) * 16;

	if (protocol < 0x20c)
		return error_set(err, ENOEXEC, "is a Linux kernel from before 3.8");
	if (!(little_endian(head + XLOADFLAGS, 2) & 1))
		return error_set(err, ENOEXEC, "is a 32-bit Linux kernel");
	if (ret->size_bytes < needed)
		return error_set(err, ENOEXEC, "is cut short: %lld of at least %lld bytes", (long long)ret->size_bytes, (long long)needed);
	ret->format = "bzImage";
	ret->arch = "x86_64";
	ret->needs_bytes = little_endian(head + INIT_SIZE, 4);
	bzimage_version(head, length, ret->version, sizeof(ret->version));
	return 0;
}

/* ---- ELF: QEMU enters it by the address in its PVH note ---- */

enum { PVH_NOTE = 18 };

static bool notes_have_pvh(const uint8_t *notes, size_t length)
{
	Elf64_Nhdr n;

	for (size_t at = 0; at + sizeof(n) <= length;) {
		memcpy(&n, notes + at, sizeof(n));
		at += sizeof(n);

		size_t name = ((size_t)n.n_namesz + 3) & ~(size_t)3;
		size_t description = ((size_t)n.n_descsz + 3) & ~(size_t)3;

		if (name > length - at || description > length - at - name)
			return false;
		if (n.n_type == PVH_NOTE && n.n_namesz == 4 && memcmp(notes + at, "Xen", 4) == 0)
			return true;
		at += name + description;
	}
	return false;
}

static bool elf_has_pvh(int fd, const Elf64_Ehdr *header)
{
	uint8_t notes[4096];
	Elf64_Phdr p;

	for (int i = 0; i < header->e_phnum && i < 64; i++) {
		if (pread(fd, &p, sizeof(p), (off_t)(header->e_phoff + (uint64_t)i * sizeof(p))) != sizeof(p))
			return false;
		if (p.p_type != PT_NOTE)
			continue;

		size_t length = p.p_filesz < sizeof(notes) ? p.p_filesz : sizeof(notes);

		if (pread(fd, notes, length, (off_t)p.p_offset) == (ssize_t)length && notes_have_pvh(notes, length))
			return true;
	}
	return false;
}

static int read_elf(int fd, const uint8_t *head, size_t length, struct kernel_image *ret, struct error *err)
{
	Elf64_Ehdr header;

	if (length < sizeof(header) || head[EI_CLASS] != ELFCLASS64)
		return error_set(err, ENOEXEC, "is an ELF file, but no 64-bit kernel");
	memcpy(&header, head, sizeof(header));
	if (header.e_machine != EM_X86_64)
		return error_set(err, ENOEXEC, "is an ELF file for another architecture");
	if (!elf_has_pvh(fd, &header))
		return error_set(err, ENOEXEC, "is an ELF file without the PVH entry of a Linux kernel (CONFIG_PVH)");
	ret->format = "ELF with PVH entry";
	ret->arch = "x86_64";
	return 0;
}

/* ---- what else it may be ---- */

static bool is_text(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < length && i < 512; i++)
		if ((head[i] < ' ' && head[i] != '\n' && head[i] != '\r' && head[i] != '\t') || head[i] == 0x7f)
			return false;
	return length > 0;
}

static const char *what_else(const uint8_t *head, size_t length)
{
	if (length == 0)
		return "is empty";
	if (length >= 8 && memcmp(head, "MZ\0\0zimg", 8) == 0)
		return "is a kernel packed for EFI (zboot), which needs firmware";
	if (length >= 2 && head[0] == 0x1f && head[1] == 0x8b)
		return "is a gzip file";
	if (length >= 4 && little_endian(head, 4) == 0xfd2fb528)
		return "is a zstd file";
	if (length >= 6 && memcmp(head,
				  "\xfd"
				  "7zXZ",
				  5) == 0)
		return "is an xz file";
	if (is_text(head, length))
		return "is a text file";
	return "is no Linux kernel image";
}

static int recognise(int fd, const uint8_t *head, size_t length, struct kernel_image *ret, struct error *err)
{
	if (is_bzimage(head, length))
		return read_bzimage(head, length, ret, err);
	if (length >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0)
		return read_elf(fd, head, length, ret, err);
	if (kernel_arm64_is(head, length))
		return kernel_arm64_read(fd, ret, err);
	if (kernel_arm64_is_gzip(fd, head, length))
		return kernel_arm64_read_gzip(fd, ret, err);
	return error_set(err, ENOEXEC, "%s", what_else(head, length));
}

int kernel_image_read(const char *path, struct kernel_image *ret, struct error *err)
{
	struct kernel_image image = {0};
	/* Not blocking: a FIFO is refused, not waited for. */
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	_cleanup_free_ uint8_t *head = malloc(HEAD_BYTES);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_errno(err, "kernel %s", path);
		return error_hint(err, "name a readable Linux kernel image, as /boot/vmlinuz-…, or leave --kernel out");
	}
	if (!head)
		return error_set(err, ENOMEM, "kernel %s: out of memory", path);

	ssize_t length = S_ISREG(st.st_mode) ? pread(fd, head, HEAD_BYTES, 0) : 0;

	if (length < 0)
		return error_errno(err, "read kernel %s", path);
	image.size_bytes = st.st_size;

	struct error why = {0};
	int rc = S_ISREG(st.st_mode) ? recognise(fd, head, (size_t)length, &image, &why) : error_set(&why, ENOEXEC, "is no regular file");

	if (rc < 0) {
		error_set(err, -rc, "kernel %s %s", path, why.message);
		return error_hint(
			err, "name a bzImage (x86-64) or an Image (arm64), as /boot/vmlinuz-… of a distribution, or leave --kernel out");
	}
	*ret = image;
	return 0;
}

int kernel_image_check_arch(const struct kernel_image *image, const char *path, const char *arch, struct error *err)
{
	if (strcmp(image->arch, arch) == 0)
		return 0;
	error_set(err, ENOEXEC,
		  "kernel %s is for %s, the guest is %s: as a Linux container needs a Linux kernel of its host's architecture, a guest "
		  "needs one of "
		  "its machine's",
		  path, image->arch, arch);
	return error_hint(err, "a machine can emulate another architecture: use arch=%s, or name a kernel for %s", image->arch, arch);
}
