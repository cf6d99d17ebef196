/* Text that strangers wrote, made fit for a message, and names that become file names. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { TEXT_SHOWN_MAX = 120 };

struct shown {
	char text[TEXT_SHOWN_MAX];
};

/* Control characters and bytes beyond ASCII become "?", and what is long is cut: a file name of an archive must not move the cursor. */
struct shown text_shown(const char *text);

/* 64 lower-case hexadecimal digits and nothing else. */
bool text_is_hex_digest(const char *text);

/* A word of letters, digits and ". _ -" that is neither empty nor longer than `size` - 1: an architecture, an operating system. */
bool text_is_word(const char *text, size_t size);
