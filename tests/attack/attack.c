/* The program inside the container: `attack NAME` tries one, says "held: …" or "ESCAPED: …" and ends with 0 or 1. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	void (*run)(struct verdict *verdict);
} attacks[] = {
#define ATTACK(name, conditions, class) {#name, attack_##name},
	ATTACKS
#undef ATTACK
};

static void append(struct verdict *verdict, const char *format, va_list ap)
{
	size_t left = sizeof(verdict->how) - verdict->used;

	if (verdict->used && left > 2) {
		strcpy(verdict->how + verdict->used, "; ");
		verdict->used += 2;
		left -= 2;
	}
	int length = vsnprintf(verdict->how + verdict->used, left, format, ap);
	verdict->used += length < 0 ? 0 : (size_t)length < left ? (size_t)length : left - 1;
}

void saw(struct verdict *verdict, const char *format, ...)
{
	va_list ap;

	if (verdict->escaped)
		return; /* only what broke through counts from then on */
	va_start(ap, format);
	append(verdict, format, ap);
	va_end(ap);
}

void broke(struct verdict *verdict, const char *format, ...)
{
	va_list ap;

	if (!verdict->escaped)
		verdict->used = 0;
	verdict->escaped = true;
	va_start(ap, format);
	append(verdict, format, ap);
	va_end(ap);
}

void refused(struct verdict *verdict, const char *what, long rc)
{
	if (rc < 0)
		saw(verdict, "%s: %s", what, strerror(errno));
	else
		broke(verdict, "%s worked", what);
}

void denied(struct verdict *verdict, const char *what, long rc)
{
	if (rc < 0 && (errno == EPERM || errno == EACCES || errno == ENOSYS))
		saw(verdict, "%s: %s", what, strerror(errno));
	else
		broke(verdict, "%s was permitted (%s)", what, rc < 0 ? strerror(errno) : "it worked");
}

static void no_open(struct verdict *verdict, const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	refused(verdict, path, fd);
	if (fd >= 0)
		close(fd);
}

void no_write(struct verdict *verdict, const char *path)
{
	no_open(verdict, path, O_WRONLY);
}

void no_read(struct verdict *verdict, const char *path)
{
	no_open(verdict, path, O_RDONLY);
}

const char *host_text(const char *name)
{
	const char *text = getenv(name);

	if (!text) {
		printf("BROKEN: the runner does not say %s\n", name);
		exit(2);
	}
	return text;
}

long host_number(const char *name)
{
	return strtol(host_text(name), NULL, 10);
}

void hold(void)
{
	char go;

	printf("HOLDING\n");
	fflush(stdout);
	while (read(0, &go, 1) < 0 && errno == EINTR)
		;
}

bool write_text(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	ssize_t length = (ssize_t)strlen(text);
	bool fine = fd >= 0 && write(fd, text, (size_t)length) == length;
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return fine;
}

long read_text(const char *path, char *ret, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	long got = fd < 0 ? -1 : read(fd, ret, size - 1);
	int saved = errno;

	ret[got < 0 ? 0 : got] = '\0';
	if (fd >= 0)
		close(fd);
	errno = saved;
	return got;
}

void attack_nothing(struct verdict *verdict)
{
	saw(verdict, "pid %d", (int)getpid());
}

int main(int argc, char **argv)
{
	const char *name = argv[argc - 1]; /* the last: an interpreter's command line has two more */
	struct verdict verdict = {.escaped = false};

	for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (strcmp(attacks[i].name, name) != 0)
			continue;
		attacks[i].run(&verdict);
		printf("%s: %s\n", verdict.escaped ? "ESCAPED" : "held", verdict.how);
		return verdict.escaped;
	}
	printf("BROKEN: no attack '%s'\n", name);
	return 2;
}
