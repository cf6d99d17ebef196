#include "digest.h"

#include "text.h"

#include <errno.h>
#include <string.h>

void digest_init(struct digest *digest)
{
	sha256_init(&digest->context);
	digest->bytes = 0;
}

void digest_update(struct digest *digest, const void *data, size_t size)
{
	sha256_update(&digest->context, size, data);
	digest->bytes += (int64_t)size;
}

void digest_hex(struct digest *digest, char ret[IMAGE_DIGEST_HEX + 1])
{
	static const char digits[] = "0123456789abcdef";
	uint8_t raw[SHA256_DIGEST_SIZE];

	sha256_digest(&digest->context, sizeof(raw), raw);
	for (size_t i = 0; i < sizeof(raw); i++) {
		ret[2 * i] = digits[raw[i] >> 4];
		ret[2 * i + 1] = digits[raw[i] & 15];
	}
	ret[IMAGE_DIGEST_HEX] = '\0';
}

int digest_parse(const char *text, char ret[IMAGE_DIGEST_HEX + 1], struct error *err)
{
	static const char prefix[] = "sha256:";

	if (strncmp(text, "sha512:", 7) == 0)
		return error_set(err, EPROTONOSUPPORT, "digest '%s': only sha256 is supported", text_shown(text).text);
	if (strncmp(text, prefix, sizeof(prefix) - 1) != 0 || !text_is_hex_digest(text + sizeof(prefix) - 1))
		return error_set(err, EBADMSG, "'%s' is not a digest (sha256:<64 hexadecimal digits>)", text_shown(text).text);
	memcpy(ret, text + sizeof(prefix) - 1, IMAGE_DIGEST_HEX + 1);
	return 0;
}
