#include "text.h"

#include "image.h"

#include <string.h>

struct shown text_shown(const char *text)
{
	struct shown shown = {""};
	size_t n = 0;

	for (; text && text[n] && n + 4 < sizeof(shown.text); n++)
		shown.text[n] = text[n] < ' ' || text[n] > '~' ? '?' : text[n];
	if (text && text[n])
		memcpy(shown.text + n, "...", 3);
	return shown;
}

bool text_is_hex_digest(const char *text)
{
	return strspn(text, "0123456789abcdef") == IMAGE_DIGEST_HEX && text[IMAGE_DIGEST_HEX] == '\0';
}

bool text_is_word(const char *text, size_t size)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");

	return length > 0 && length < size && text[length] == '\0';
}
