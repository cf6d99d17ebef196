/* Kernels unpacked by the host: made-up images packed in several ways, damaged ones, and a real one. */
#include <archive.h>
#include <archive_entry.h>
#include <base/files.h>
#include <criterion/criterion.h>
#include <elf.h>
#include <vmdriver/kernel.h>
#include <vmdriver/kernel_form.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SETUP_BYTES = 2 * 512, KERNEL_BYTES = 20000 };

static char dir[64], packed[128], unpacked[128];

static void setup(void)
{
	strcpy(dir, "/tmp/kernel-form-XXXXXX");
	cr_assert(mkdtemp(dir));
	snprintf(packed, sizeof(packed), "%s/bzImage", dir);
	snprintf(unpacked, sizeof(unpacked), "%s/vmlinux", dir);
}

static void teardown(void)
{
	dir_remove(dir, NULL);
}

/* The smallest ELF file with the note by which QEMU enters a kernel; `type` 18 is PVH's. */
static void fill_elf(uint8_t kernel[KERNEL_BYTES], uint32_t type)
{
	Elf64_Ehdr header = {.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_phoff = sizeof(header), .e_phnum = 1};
	Elf64_Phdr segment = {.p_type = PT_NOTE, .p_offset = 200, .p_filesz = 20};
	Elf64_Nhdr note = {.n_namesz = 4, .n_descsz = 4, .n_type = type};

	for (size_t i = 0; i < KERNEL_BYTES; i++)
		kernel[i] = (uint8_t)(i * 7);
	memcpy(header.e_ident, ELFMAG, SELFMAG);
	header.e_ident[EI_CLASS] = ELFCLASS64;
	memcpy(kernel, &header, sizeof(header));
	memcpy(kernel + sizeof(header), &segment, sizeof(segment));
	memcpy(kernel + 200, &note, sizeof(note));
	memcpy(kernel + 212, "Xen", 4);
}

static void put_number(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (8 * i));
}

static size_t pack(int (*filter)(struct archive *), const uint8_t *kernel, uint8_t *ret, size_t size)
{
	struct archive *a = archive_write_new();
	struct archive_entry *entry = archive_entry_new();
	size_t used;

	cr_assert_eq(archive_write_set_format_raw(a), ARCHIVE_OK);
	cr_assert_eq(filter(a), ARCHIVE_OK);
	cr_assert_eq(archive_write_set_bytes_in_last_block(a, 1), ARCHIVE_OK);
	cr_assert_eq(archive_write_open_memory(a, ret, size, &used), ARCHIVE_OK);
	archive_entry_set_filetype(entry, AE_IFREG);
	cr_assert_eq(archive_write_header(a, entry), ARCHIVE_OK);
	cr_assert_eq(archive_write_data(a, kernel, KERNEL_BYTES), KERNEL_BYTES);
	archive_entry_free(entry);
	archive_write_close(a);
	archive_write_free(a);
	return used;
}

/* What make bzImage does: setup code, the packed kernel, its size behind it. */
static void make_bzimage(int (*filter)(struct archive *), uint32_t note_type)
{
	static uint8_t image[SETUP_BYTES + 2 * KERNEL_BYTES];
	uint8_t kernel[KERNEL_BYTES];

	fill_elf(kernel, note_type);
	memset(image, 0, sizeof(image));
	image[0x1f1] = 1;

	size_t length = pack(filter, kernel, image + SETUP_BYTES, sizeof(image) - SETUP_BYTES - 4);

	put_number(image + 0x248, 0);
	put_number(image + 0x24c, (uint32_t)length + 4);
	put_number(image + SETUP_BYTES + length, KERNEL_BYTES);
	unlink(packed);
	cr_assert_eq(file_write_atomic(packed, image, SETUP_BYTES + length + 4, 0600, NULL), 0);
}

Test(kernel_form, unpacks_what_distributions_use, .init = setup, .fini = teardown)
{
	static const struct {
		const char *name;
		int (*filter)(struct archive *);
	} ways[] = {{"gzip", archive_write_add_filter_gzip}, {"xz", archive_write_add_filter_xz}, {"zstd", archive_write_add_filter_zstd}};

	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		uint8_t expected[KERNEL_BYTES], found[KERNEL_BYTES + 1];
		struct kernel_image image;
		struct error err = {0};

		make_bzimage(ways[i].filter, 18);
		cr_assert_eq(kernel_form_unpack(packed, unpacked, &image, &err), 0, "%s: %s", ways[i].name, err.message);
		cr_assert_str_eq(image.format, "ELF with PVH entry");
		fill_elf(expected, 18);

		FILE *file = fopen(unpacked, "r");

		cr_assert_eq(fread(found, 1, sizeof(found), file), KERNEL_BYTES);
		fclose(file);
		cr_assert_arr_eq(found, expected, KERNEL_BYTES);
		unlink(unpacked);
	}
}

Test(kernel_form, without_the_entry_it_stays_packed, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};

	make_bzimage(archive_write_add_filter_gzip, 17);
	cr_assert_eq(kernel_form_unpack(packed, unpacked, &image, &err), -ENOTSUP);
	cr_assert(strstr(err.message, "PVH"), "%s", err.message);
	cr_assert(!path_exists(unpacked));
}

Test(kernel_form, unknown_ways_of_packing_are_said, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};

	make_bzimage(archive_write_add_filter_none, 18);
	cr_assert_eq(kernel_form_unpack(packed, unpacked, &image, &err), -ENOTSUP);
	cr_assert(strstr(err.message, "not known"), "%s", err.message);
	cr_assert(!path_exists(unpacked));
}

Test(kernel_form, damaged_ones_leave_no_file, .init = setup, .fini = teardown)
{
	struct kernel_image image;
	struct error err = {0};
	struct stat st;

	make_bzimage(archive_write_add_filter_gzip, 18);
	cr_assert_eq(stat(packed, &st), 0);
	for (int64_t length = st.st_size - 1; length >= 0; length -= 97) {
		cr_assert_eq(truncate(packed, length), 0);
		cr_assert_lt(kernel_form_unpack(packed, unpacked, &image, &err), 0);
		cr_assert(!path_exists(unpacked));
	}
}

/* Never writes over a file, as all that makes files of a run. */
Test(kernel_form, an_existing_file_stays, .init = setup, .fini = teardown)
{
	struct kernel_image image;

	make_bzimage(archive_write_add_filter_gzip, 18);
	cr_assert_eq(file_write_atomic(unpacked, "x", 1, 0600, NULL), 0);
	cr_assert_eq(kernel_form_unpack(packed, unpacked, &image, NULL), -EEXIST);
	cr_assert(path_exists(unpacked));
}
