/* Fuzzes the unpacking of a layer, whiteouts and links included, in a folder in memory: any bytes are refused with one line or unpacked, and nothing
 * outside the layer changes. The first byte chooses how (see below); checksums of tar headers are mended, else nearly all inputs would end there.
 * Corpus: tests/fuzz/corpus/image_tar. */
#include "fuzz_scratch.h"

#include <image/layer.h>
#include <image/platform.h>
#include <image/unpack.h>

#include <bench/cleanup.h>

#include <stdint.h>
#include <sys/mman.h>

enum { MEND_CHECKSUMS = 1, UNPRIVILEGED = 2, PLAIN = 4, TAR_BLOCK = 512, SIZE_MAX_FILES = 1 << 20 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t size_of_entry(const uint8_t *header)
{
	size_t size = 0;

	for (int i = 124; i < 136 && header[i] >= '0' && header[i] <= '7'; i++)
		size = size * 8 + (size_t)(header[i] - '0');
	return size;
}

static void mend_checksums(uint8_t *tar, size_t size)
{
	for (size_t at = 0; at + TAR_BLOCK <= size;) {
		uint8_t *header = tar + at;
		unsigned sum = 0;
		char text[8];

		if (header[0] == '\0')
			return;
		memset(header + 148, ' ', 8);
		for (int i = 0; i < TAR_BLOCK; i++)
			sum += header[i];
		snprintf(text, sizeof(text), "%06o", sum);
		memcpy(header + 148, text, 7);
		size_t blocks = size_of_entry(header) / TAR_BLOCK + (size_of_entry(header) % TAR_BLOCK != 0);
		if (blocks > size / TAR_BLOCK)
			return;
		at += TAR_BLOCK * (1 + blocks);
	}
}

static void unpack(int fd, uint8_t how)
{
	struct layer_options options = {.privileged = geteuid() == 0 && !(how & UNPRIVILEGED),
					.plain = (how & PLAIN) != 0,
					.max_bytes = SIZE_MAX_FILES,
					.max_entries = 256};
	_cleanup_close_ int root = open(scratch.box, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(layer_done) struct layer layer;
	char hex[IMAGE_DIGEST_HEX + 1], architecture[16];
	enum unpack_kind kind;
	struct error err = {0};

	require(root >= 0);
	layer_init(&layer, root, &options);
	int rc = unpack_sniff(fd, &kind, &err);
	if (rc == 0) {
		require(lseek(fd, 0, SEEK_SET) == 0);
		rc = unpack_tar(fd, &layer, NULL, hex, &err);
	}
	if (rc == 0)
		rc = layer_finish(&layer, &err);
	if (rc < 0) {
		check_refusal(rc, &err);
		return;
	}
	require(strlen(hex) == IMAGE_DIGEST_HEX);
	platform_of_root(root, architecture, sizeof(architecture));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_close_ int fd = memfd_create("tar", MFD_CLOEXEC);
	_cleanup_free_ uint8_t *tar = malloc(size + 1);

	if (size < 1)
		return 0;
	memcpy(tar, data + 1, size - 1);
	if (data[0] & MEND_CHECKSUMS)
		mend_checksums(tar, size - 1);
	require(fd >= 0 && write(fd, tar, size - 1) == (ssize_t)size - 1 && lseek(fd, 0, SEEK_SET) == 0);
	scratch_empty();
	unpack(fd, data[0]);
	scratch_check();
	return 0;
}
