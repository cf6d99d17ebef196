/* What the attacks inside the container share. An attack tries something and tells the verdict how the kernel answered.
 *
 * House rule: an attack that succeeds must do no harm, since the one who runs the test is then its victim. It opens and does not write; it
 * writes back what it read; it calls with an argument that is only looked at after the permission; it signals with 0. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct verdict {
	bool escaped;
	size_t used;
	char how[1000];
};

#define ATTACK(name, conditions, class) void attack_##name(struct verdict *verdict);
#include "attack_list.h"
ATTACKS
#undef ATTACK

/* What was seen, on either side. */
void saw(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));
void broke(struct verdict *verdict, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For a call: any error is a refusal. */
void refused(struct verdict *verdict, const char *what, long rc);

/* For a call whose arguments are nonsense: only EPERM, EACCES and ENOSYS are a refusal, any other error came after the permission. */
void denied(struct verdict *verdict, const char *what, long rc);

/* A file must not open for writing, or for reading. Where it is missing there is nothing to open. */
void no_write(struct verdict *verdict, const char *path);
void no_read(struct verdict *verdict, const char *path);

/* What the runner says about the host. */
const char *host_text(const char *name);
long host_number(const char *name);

/* Tells the runner that a resource is held now, and waits until it has looked at the host. */
void hold(void);

/* Writes a small file; false and errno where that does not work. */
bool write_text(const char *path, const char *text);
/* Bytes read, -1 on failure; always terminated. */
long read_text(const char *path, char *ret, size_t size);
