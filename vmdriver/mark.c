#include "mark.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

enum { DIGITS = 8 };

static const char first[] = "bench-";

bool mark_is_valid(const char *mark)
{
	const char *digits = mark + strlen(first);

	if (strncmp(mark, first, strlen(first)) != 0 || strspn(digits, "0123456789abcdef") != DIGITS || digits[DIGITS] != '-')
		return false;

	const char *number = digits + DIGITS + 1;

	return *number && strlen(mark) < MARK_SIZE && number[strspn(number, "0123456789")] == '\0';
}

bool mark_is_on(const char *mark, const char *name)
{
	size_t length = strlen(mark);

	return strncmp(name, mark, length) == 0 && name[length] == '-' && name[length + 1];
}

int mark_make(char *ret, struct error *err)
{
	uint32_t number;

	if (getrandom(&number, sizeof(number), 0) != sizeof(number))
		return error_errno(err, "random name");
	snprintf(ret, MARK_SIZE, "%s%08x-0", first, number);
	return 0;
}
