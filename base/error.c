#include <bench/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int error_set(struct error *err, int code, const char *format, ...)
{
	if (!err)
		return -code;

	va_list ap;

	va_start(ap, format);
	vsnprintf(err->message, sizeof(err->message), format, ap);
	va_end(ap);
	err->code = code;
	err->hint[0] = '\0';
	return -code;
}

int error_errno(struct error *err, const char *format, ...)
{
	int code = errno ? errno : EIO;

	if (!err)
		return -code;

	va_list ap;

	va_start(ap, format);
	int used = vsnprintf(err->message, sizeof(err->message), format, ap);
	va_end(ap);
	if (used >= 0 && (size_t)used < sizeof(err->message))
		snprintf(err->message + used, sizeof(err->message) - (size_t)used, ": %s", strerror(code));
	err->code = code;
	err->hint[0] = '\0';
	return -code;
}

int error_prefix(struct error *err, const char *format, ...)
{
	if (!err)
		return -EIO;

	char rest[sizeof(err->message)];
	va_list ap;

	memcpy(rest, err->message, sizeof(rest));
	va_start(ap, format);
	int used = vsnprintf(err->message, sizeof(err->message), format, ap);
	va_end(ap);
	if (used >= 0 && (size_t)used < sizeof(err->message)) {
		size_t room = sizeof(err->message) - (size_t)used;

		if (snprintf(err->message + used, room, ": %s", rest) >= (int)room)
			memcpy(err->message + sizeof(err->message) - 4, "...", 4);
	}
	return err->code ? -err->code : -EIO;
}

int error_hint(struct error *err, const char *format, ...)
{
	if (!err)
		return -EIO;

	va_list ap;

	va_start(ap, format);
	vsnprintf(err->hint, sizeof(err->hint), format, ap);
	va_end(ap);
	return -err->code;
}
