#include "virt_error.h"

#include <errno.h>
#include <libvirt/virterror.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* libvirt's words for a monitor that closed, or for a process that it was about to set up ("cannot set CPU affinity on process 7: No such process"). */
static bool only_gone(const char *text)
{
	return strstr(text, "process exited while connecting to monitor") || strstr(text, "unexpectedly closed the monitor") ||
	       strstr(text, "End of file from qemu monitor") || (strstr(text, " process ") && strstr(text, ": No such process"));
}

bool virt_error_qemu_words(const char *text, char *ret, size_t size)
{
	for (const char *p = text; (p = strstr(p, "Z qemu-"));) {
		const char *words = strstr(p, ": ");

		p += strlen("Z qemu-");
		if (!words || memchr(p, '\n', (size_t)(words - p)))
			continue;
		words += 2;
		if (strncmp(words, "warning: ", 9) == 0)
			continue;
		snprintf(ret, size, "%.*s", (int)strcspn(words, "\r\n"), words);
		return true;
	}
	return false;
}

int virt_error(struct error *err, const char *format, ...)
{
	const virError *last = virGetLastError();
	const char *message = last && last->message ? last->message : "libvirt gives no reason";
	char context[160], text[400];
	va_list ap;

	va_start(ap, format);
	vsnprintf(context, sizeof(context), format, ap);
	va_end(ap);

	bool by_qemu = virt_error_qemu_words(message, text, sizeof(text));

	if (!by_qemu)
		snprintf(text, sizeof(text), "%s", message);
	/* An error of ours is one line. */
	for (char *p = text; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = p[1] ? ' ' : '\0';

	int rc = error_set(err, !by_qemu && only_gone(text) ? ECONNRESET : EIO, "%s: %s%s", context, by_qemu ? "QEMU: " : "", text);

	if (by_qemu && strstr(text, "cannot set up guest memory"))
		error_hint(err, "the host does not have that much memory free: give the guest less (--memory)");
	return rc;
}

static void ignore(void *arg, virErrorPtr error)
{
}

void virt_error_silence(void)
{
	virSetErrorFunc(NULL, ignore);
}
