/* Fuzzes the documents of an OCI layout and of a docker archive, by whole imports into a store in memory. The input is up to four documents, divided by
 * lines "---": configuration, manifest, nested index, index.json (one that begins with "[" is manifest.json of a docker archive instead). "@c @m @i @l @d"
 * stand for the digests of configuration, manifest, nested index, a layer, and the layer unpacked; "@C @M @I @L" for their sizes, "@h @t" for the bare
 * digits of configuration and layer: so that a document that
 * was changed still has the digest that is asked for. Corpus: tests/fuzz/corpus/image_oci. */
#include "fuzz_scratch.h"

#include <image/digest.h>
#include <image/image.h>

#include <bench/cleanup.h>

#include <stdint.h>

enum { DOCUMENTS = 4, TEXT_MAX = 1 << 16, TAR_SIZE = 1536 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct blob {
	char hex[IMAGE_DIGEST_HEX + 1];
	size_t size;
};

static void write_file(const char *folder, const char *name, const void *data, size_t size)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *file = fopen(path, "we");
	require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0);
}

static void write_blob(const char *layout, const void *data, size_t size, struct blob *ret)
{
	struct digest digest;
	char name[96];

	digest_init(&digest);
	digest_update(&digest, data, size);
	digest_hex(&digest, ret->hex);
	ret->size = size;
	snprintf(name, sizeof(name), "blobs/sha256/%s", ret->hex);
	write_file(layout, name, data, size);
}

/* A tar with one empty file "a". */
static void write_layer(const char *layout, struct blob *ret)
{
	char tar[TAR_SIZE] = {0};
	unsigned sum = 0;

	tar[0] = 'a';
	memcpy(tar + 100, "0000644", 8);
	memcpy(tar + 108, "0000000", 8);
	memcpy(tar + 116, "0000000", 8);
	memcpy(tar + 124, "00000000000", 12);
	memcpy(tar + 136, "00000000000", 12);
	memset(tar + 148, ' ', 8);
	tar[156] = '0';
	memcpy(tar + 257, "ustar\00000", 8);
	for (int i = 0; i < 512; i++)
		sum += (unsigned char)tar[i];
	snprintf(tar + 148, 8, "%06o", sum);
	write_blob(layout, tar, sizeof(tar), ret);
}

/* Puts digests and sizes in. `blobs`: configuration, manifest, nested index, layer. */
static size_t expand(const char *text, size_t size, const struct blob blobs[4], char *ret)
{
	static const struct {
		char letter;
		int blob;
		bool is_size, is_bare;
	} marks[] = {{'c', 0, false, false}, {'m', 1, false, false}, {'i', 2, false, false}, {'l', 3, false, false},
		     {'d', 3, false, false}, {'C', 0, true, false},  {'M', 1, true, false},  {'I', 2, true, false},
		     {'L', 3, true, false},  {'h', 0, false, true},  {'t', 3, false, true}};
	size_t used = 0;

	for (size_t i = 0; i < size && used + 128 < TEXT_MAX; i++) {
		size_t m = 0;

		while (m < sizeof(marks) / sizeof(marks[0]) && (text[i] != '@' || i + 1 >= size || text[i + 1] != marks[m].letter))
			m++;
		if (m == sizeof(marks) / sizeof(marks[0])) {
			ret[used++] = text[i];
			continue;
		}
		const struct blob *blob = &blobs[marks[m].blob];
		i++;
		used += marks[m].is_size ? (size_t)sprintf(ret + used, "%zu", blob->size)
					 : (size_t)sprintf(ret + used, "%s%s", marks[m].is_bare ? "" : "sha256:", blob->hex);
	}
	return used;
}

static size_t next_document(const char **rest, const char *end, const char **ret)
{
	const char *divider = memmem(*rest, (size_t)(end - *rest), "\n---\n", 5);

	*ret = *rest;
	*rest = divider ? divider + 5 : end;
	return (size_t)((divider ? divider : end) - *ret);
}

static void write_layout(const char *layout, const char *input, size_t size)
{
	static char text[TEXT_MAX];
	struct blob blobs[DOCUMENTS] = {0};
	const char *rest = input, *document;

	write_layer(layout, &blobs[3]);
	for (int i = 0; i < DOCUMENTS - 1; i++) {
		size_t length = next_document(&rest, input + size, &document);

		write_blob(layout, text, expand(document, length, blobs, text), &blobs[i]);
	}
	size_t length = expand(rest, (size_t)(input + size - rest), blobs, text);
	if (length && text[0] == '[') {
		write_file(layout, "manifest.json", text, length);
		return;
	}
	write_file(layout, "index.json", text, length);
	write_file(layout, "oci-layout", "{\"imageLayoutVersion\": \"1.0.0\"}", 31);
}

static void import(const char *layout, const char *store_path)
{
	struct image_import_options options = {.source = layout, .max_bytes = 1 << 20, .max_files = 64};
	struct image_store *store = NULL;
	struct image image = {0}, *images = NULL;
	struct error err = {0};
	uint32_t uid, gid;
	size_t n = 0;

	require(image_store_open(store_path, &store, &err) == 0);
	int rc = image_import(store, &options, &image, &err);
	if (rc < 0)
		check_refusal(rc, &err);
	require(image_list(store, &images, &n, &err) == 0 && n == (rc == 0));
	if (rc == 0) {
		require(strcmp(images[0].name, image.name) == 0 && image.n_layers > 0);
		rc = image_user(&image, image.config.user, &uid, &gid, &err);
		if (rc < 0)
			check_refusal(rc, &err);
		require(image_remove(store, image.name, &err) == 0);
		image_done(&images[0]);
	}
	free(images);
	image_done(&image);
	image_store_close(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char layout[128], blobs[160], store[128];

	if (size > TEXT_MAX / 2)
		return 0;
	scratch_empty();
	snprintf(layout, sizeof(layout), "%s/fuzz", scratch.box);
	snprintf(blobs, sizeof(blobs), "%s/blobs/sha256", layout);
	snprintf(store, sizeof(store), "%s/store", scratch.box);
	require(dir_make(blobs, 0700, NULL) == 0);
	write_layout(layout, (const char *)data, size);
	import(layout, store);
	scratch_check();
	return 0;
}
