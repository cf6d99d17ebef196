/* SHA-256 of streams, and the digests of descriptors ("sha256:<hex>"). */
#pragma once

#include "image.h"

#include <bench/error.h>

#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

struct digest {
	struct sha256_ctx context;
	int64_t bytes; /* hashed so far */
};

void digest_init(struct digest *digest);
void digest_update(struct digest *digest, const void *data, size_t size);
void digest_hex(struct digest *digest, char ret[IMAGE_DIGEST_HEX + 1]);

/* Takes the 64 digits out of "sha256:<hex>". -EPROTONOSUPPORT: another algorithm; -EBADMSG: no digest. */
int digest_parse(const char *text, char ret[IMAGE_DIGEST_HEX + 1], struct error *err);
