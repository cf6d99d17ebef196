#include "virt_error.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int virt_error(struct error *err, const char *format, ...)
{
	const virError *last = virGetLastError();
	char context[160], text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);
	snprintf(text, sizeof(text), "%s", last && last->message ? last->message : "libvirt gives no reason");
	/* QEMU's own words come with line breaks; an error of ours is one line. */
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = p[1] ? ' ' : '\0';
	return error_set(err, EIO, "%s: %s", context, text);
}

static void ignore(void *arg, virErrorPtr error)
{
}

void virt_error_silence(void)
{
	virSetErrorFunc(NULL, ignore);
}
