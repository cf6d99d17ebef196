/* Which files are kernels: crafted headers of all sorts. */
#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <criterion/criterion.h>
#include <vmdriver/kernel_image.h>

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64];

static void setup(void)
{
	strcpy(path, "/tmp/kernel-image-test-XXXXXX");
	close(mkstemp(path));
}

static void teardown(void)
{
	unlink(path);
}

static void put(const void *data, size_t size)
{
	FILE *f = fopen(path, "w");

	cr_assert_eq(fwrite(data, 1, size, f), size);
	fclose(f);
}

static void refused(int code, const char *why)
{
	struct kernel_image image = {.format = "untouched"};
	struct error err = {0};

	cr_assert_eq(kernel_image_read(path, &image, &err), -code, "%s", err.message);
	cr_assert(strstr(err.message, path) && strstr(err.message, why), "'%s' does not say '%s'", err.message, why);
	cr_assert(err.hint[0]);
	cr_assert_str_eq(image.format, "untouched");
}

/* A bzImage of one setup sector and 16 KiB of payload, with a version string in it. */
static void make_bzimage(uint8_t image[32768])
{
	memset(image, 0, 32768);
	image[0x1f1] = 1;                      /* setup_sects */
	image[0x1f4] = 0x00, image[0x1f5] = 4; /* syssize: 1024 * 16 bytes */
	image[0x1fe] = 0x55, image[0x1ff] = 0xaa;
	memcpy(image + 0x202, "HdrS", 4);
	image[0x206] = 0x0f, image[0x207] = 0x02; /* protocol 2.15 */
	image[0x20e] = 0x80, image[0x20f] = 0x00; /* kernel_version at 0x280 */
	image[0x236] = 1;                         /* XLF_KERNEL_64 */
	image[0x262] = 0x30;                      /* init_size: 0x300000 */
	strcpy((char *)image + 0x280, "6.1.0-test (x@y) #1 SMP");
}

Test(kernel_image, bzimage, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};
	uint8_t bytes[32768];

	make_bzimage(bytes);
	put(bytes, sizeof(bytes));
	cr_assert_eq(kernel_image_read(path, &image, &err), 0, "%s", err.message);
	cr_assert_str_eq(image.format, "bzImage");
	cr_assert_str_eq(image.arch, "x86_64");
	cr_assert_str_eq(image.version, "6.1.0-test (x@y) #1 SMP");
	cr_assert_eq(image.needs_bytes, 0x300000);
	cr_assert_eq(image.size_bytes, 32768);
}

Test(kernel_image, version_outside_the_file_is_not_read, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	uint8_t bytes[32768];

	make_bzimage(bytes);
	bytes[0x20e] = bytes[0x20f] = 0xff;
	put(bytes, sizeof(bytes));
	cr_assert_eq(kernel_image_read(path, &image, NULL), 0);
	cr_assert_str_eq(image.version, "");
}

Test(kernel_image, cut_short, .init = setup, .fini = teardown)
{
	uint8_t bytes[32768];

	make_bzimage(bytes);
	put(bytes, 9000);
	refused(ENOEXEC, "cut short");
}

Test(kernel_image, thirty_two_bits, .init = setup, .fini = teardown)
{
	uint8_t bytes[32768];

	make_bzimage(bytes);
	bytes[0x236] = 0;
	put(bytes, sizeof(bytes));
	refused(ENOEXEC, "32-bit");
}

Test(kernel_image, things_that_are_no_kernel, .init = setup, .fini = teardown)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *why;
	} cases[] = {
		{"", 0, "is empty"},
		{"root:x:0:0:root:/root:/bin/bash\n", 32, "is a text file"},
		{"\x1f\x8b\x08\0\0\0\0\0", 8, "is a gzip file"},
		{"\x28\xb5\x2f\xfd\0\0\0\0", 8, "is a zstd file"},
		{"\xfd"
		 "7zXZ\0\0\0",
		 8, "is an xz file"},
		{"\x01\x02\x03\x04", 4, "is no Linux kernel image"},
		{"\x7f"
		 "ELF\x01\x01\x01\0",
		 8, "no 64-bit kernel"},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(cases[i].bytes, cases[i].size);
		refused(ENOEXEC, cases[i].why);
	}
}

/* An Image with a PE header of one section, which ends with the file, a text that looks like a version, and the version. Most of it cannot be packed. */
enum { IMAGE_BYTES = 256 << 10 };

static void make_arm64(uint8_t image[IMAGE_BYTES])
{
	memset(image, 0, IMAGE_BYTES);
	memcpy(image, "MZ", 2);
	image[0x12] = 0x50; /* image_size: 0x500000 */
	image[0x18] = 0x0a; /* flags: little endian, 4 KiB pages */
	memcpy(image + 0x38, "ARM\x64", 4);
	image[0x3c] = 0x40;
	memcpy(image + 0x40, "PE\0\0", 4);
	image[0x46] = 1;                     /* sections */
	image[0x54] = 0x20;                  /* size of the optional header */
	image[0x40 + 24 + 0x20 + 17] = 0xf0; /* size: 0x3f000 */
	image[0x40 + 24 + 0x20 + 18] = 0x03;
	image[0x40 + 24 + 0x20 + 21] = 0x10; /* at 0x1000 */
	for (uint32_t at = 0x1000, x = 1; at < IMAGE_BYTES; at++, x = x * 1664525 + 1013904223)
		image[at] = (uint8_t)(x >> 24);
	strcpy((char *)image + 0x200, "Linux version %s (%s)");
	strcpy((char *)image + 0x300, "Linux version 6.1.0-test (x@y) (gcc (Debian) 12) # SMP 2026");
	strcpy((char *)image + 0x400, "Linux version 6.1.0-test (x@y) (gcc (Debian) 12) #1 SMP 2026\n");
}

static void put_gzip(const void *data, size_t size)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();

	archive_write_set_format_raw(a);
	cr_assert_eq(archive_write_add_filter_gzip(a), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_filename(a, path), ARCHIVE_OK);
	archive_entry_set_pathname(entry, "x");
	archive_entry_set_filetype(entry, AE_IFREG);
	cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK);
	cr_assert_eq(archive_write_data(a, data, size), (la_ssize_t)size);
	archive_entry_free(entry);
	cr_assert_eq(archive_write_close(a), ARCHIVE_OK);
	archive_write_free(a);
}

static void is_arm64(const char *format)
{
	struct kernel_image image;
	struct error err = {0};

	cr_assert_eq(kernel_image_read(path, &image, &err), 0, "%s", err.message);
	cr_assert_str_eq(image.format, format);
	cr_assert_str_eq(image.arch, "aarch64");
	cr_assert_str_eq(image.version, "6.1.0-test (x@y) #1 SMP 2026");
	cr_assert_eq(image.needs_bytes, 0x500000);
}

Test(kernel_image, arm64, .init = setup, .fini = teardown)
{
	uint8_t bytes[IMAGE_BYTES];

	make_arm64(bytes);
	put(bytes, sizeof(bytes));
	is_arm64("Image");
	put(bytes, sizeof(bytes) - 1);
	refused(ENOEXEC, "cut short");
	bytes[0x18] = 1;
	put(bytes, sizeof(bytes));
	refused(ENOEXEC, "big endian");
}

/* Without a PE header nobody knows how long it should be, and that is fine. */
Test(kernel_image, arm64_without_efi, .init = setup, .fini = teardown)
{
	uint8_t bytes[IMAGE_BYTES];

	make_arm64(bytes);
	bytes[0x40] = 0;
	put(bytes, 5000);
	is_arm64("Image");
	bytes[0x3f] = 0xff; /* a PE header far outside */
	bytes[0x40] = 'P';
	put(bytes, 5000);
	is_arm64("Image");
}

Test(kernel_image, arm64_in_gzip, .init = setup, .fini = teardown)
{
	uint8_t bytes[IMAGE_BYTES];
	struct stat st;

	make_arm64(bytes);
	put_gzip(bytes, sizeof(bytes));
	is_arm64("Image, gzip");
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(truncate(path, st.st_size / 2), 0);
	refused(ENOEXEC, "cut short");
	bytes[0x38] = 'x';
	put_gzip(bytes, sizeof(bytes));
	refused(ENOEXEC, "is a gzip file");
	make_arm64(bytes);
	bytes[0x16] = 0x7f;
	put_gzip(bytes, sizeof(bytes));
	refused(ENOEXEC, "impossible size");
}

Test(kernel_image, packed_for_firmware, .init = setup, .fini = teardown)
{
	put("MZ\0\0zimg\0\0\0\0", 12);
	refused(ENOEXEC, "zboot");
}

/* In one line: what it is for, what the guest is, the lecture's constraint; the remedy names the option. */
Test(kernel_image, of_another_architecture, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};
	uint8_t bytes[IMAGE_BYTES];

	make_arm64(bytes);
	put(bytes, sizeof(bytes));
	cr_assert_eq(kernel_image_read(path, &image, NULL), 0);
	cr_assert_eq(kernel_image_check_arch(&image, path, "aarch64", &err), 0);
	cr_assert_eq(kernel_image_check_arch(&image, path, "x86_64", &err), -ENOEXEC);
	cr_assert(strstr(err.message, path) && strstr(err.message, "is for aarch64, the guest is x86_64"), "%s", err.message);
	cr_assert(strstr(err.message, "a Linux container needs a Linux kernel"), "%s", err.message);
	cr_assert(strstr(err.hint, "can emulate") && strstr(err.hint, "arch=aarch64"), "%s", err.hint);
}

/* An ELF file with one note segment of the given type and owner. */
static void put_elf(uint16_t machine, uint32_t note_type, uint32_t note_size)
{
	struct {
		Elf64_Ehdr header;
		Elf64_Phdr segment;
		Elf64_Nhdr note;
		char name[4];
		uint64_t value;
	} file = {
		.header = {.e_machine = machine, .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 1, .e_phentsize = sizeof(Elf64_Phdr)},
		.segment = {.p_type = PT_NOTE, .p_offset = sizeof(Elf64_Ehdr) + sizeof(Elf64_Phdr), .p_filesz = sizeof(Elf64_Nhdr) + 12},
		.note = {.n_namesz = 4, .n_descsz = note_size, .n_type = note_type},
		.name = "Xen",
	};

	memcpy(file.header.e_ident, ELFMAG, SELFMAG);
	file.header.e_ident[EI_CLASS] = ELFCLASS64;
	put(&file, sizeof(file));
}

Test(kernel_image, elf, .init = setup, .fini = teardown)
{
	struct kernel_image image;

	put_elf(EM_X86_64, 18, 8);
	cr_assert_eq(kernel_image_read(path, &image, NULL), 0);
	cr_assert_str_eq(image.format, "ELF with PVH entry");
	put_elf(EM_X86_64, 3, 8);
	refused(ENOEXEC, "without the PVH entry");
	put_elf(EM_X86_64, 3, 0xfffffff0);
	refused(ENOEXEC, "without the PVH entry");
	put_elf(EM_AARCH64, 18, 8);
	refused(ENOEXEC, "another architecture");
}

Test(kernel_image, a_program_is_no_kernel)
{
	struct error err = {0};

	cr_assert_eq(kernel_image_read("/bin/true", &(struct kernel_image){0}, &err), -ENOEXEC);
	cr_assert(strstr(err.message, "PVH"), "%s", err.message);
}

Test(kernel_image, missing_folder_and_pipe, .init = setup, .fini = teardown)
{
	unlink(path);
	refused(ENOENT, "No such file");
	cr_assert_eq(mkfifo(path, 0600), 0);
	refused(ENOEXEC, "no regular file");
	unlink(path);
	cr_assert_eq(mkdir(path, 0700), 0);
	refused(ENOEXEC, "no regular file");
	rmdir(path);
}
