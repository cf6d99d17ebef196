#include "snapshot.h"

#include "host.h"
#include "virt_error.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* For the one boot that is saved: emulated, on a busy host, with a kernel of the user's. */
enum { BOOT_LIMIT_S = 120 };

struct snapshot {
	char path[PATH_MAX];
	int fd;
	char *text;     /* what libvirt keeps at the beginning of the file */
	size_t n_text;  /* bytes */
	unsigned count; /* of machines, the saved one included */
	uint64_t seed;  /* of the UUIDs */
	char id[32], uuid[40];
};

/* Id and UUID of machine number `count`; the length is the same for all. */
static void set_names(struct snapshot *s)
{
	snprintf(s->id, sizeof(s->id), "saved-%08x-%08x", (unsigned)getpid(), s->count);
	/* A random one by RFC 4122, but for its last digits. */
	snprintf(s->uuid, sizeof(s->uuid), "%08x-%04x-4%03x-8%03x-%04x%08x", (unsigned)(s->seed >> 32), (unsigned)(s->seed >> 16 & 0xffff),
		 (unsigned)(s->seed >> 4 & 0xfff), (unsigned)(s->seed & 0xfff), (unsigned)getpid() & 0xffff, s->count);
}

/* ---- libvirt's part of the image: "LibvirtQemudSave", version, length of the text after the header; numbers as the host writes them ---- */

size_t snapshot_text_bytes(const void *header, size_t size)
{
	static const char magic[] = "LibvirtQemudSave";
	uint32_t numbers[2];

	if (size < SNAPSHOT_HEADER || memcmp(header, magic, sizeof(magic) - 1) != 0)
		return 0;
	memcpy(numbers, (const char *)header + sizeof(magic) - 1, sizeof(numbers));
	return numbers[0] != 2 || numbers[1] == 0 || numbers[1] > SNAPSHOT_TEXT_MAX ? 0 : SNAPSHOT_HEADER + numbers[1];
}

unsigned snapshot_replace(char *text, size_t size, const char *from, const char *to)
{
	size_t length = strlen(from);
	unsigned n = 0;

	for (char *at = text; (at = memmem(at, size - (size_t)(at - text), from, length)); at += length, n++)
		memcpy(at, to, length);
	return n;
}

static int read_text(struct snapshot *s, struct error *err)
{
	char header[SNAPSHOT_HEADER];
	ssize_t got = pread(s->fd, header, sizeof(header), 0);

	s->n_text = got > 0 ? snapshot_text_bytes(header, (size_t)got) : 0;
	if (s->n_text == 0)
		return error_set(err, EBADMSG, "saved state %s: not in a form that is known", s->path);
	s->text = malloc(s->n_text);
	if (!s->text)
		return error_set(err, ENOMEM, "out of memory");
	got = pread(s->fd, s->text, s->n_text, 0);
	if (got != (ssize_t)s->n_text)
		return error_set(err, EBADMSG, "saved state %s: cut short", s->path);
	return 0;
}

int snapshot_next(struct snapshot *s, const char **ret_id, struct error *err)
{
	char id[sizeof(s->id)], uuid[sizeof(s->uuid)];

	memcpy(id, s->id, sizeof(id));
	memcpy(uuid, s->uuid, sizeof(uuid));
	s->count++;
	set_names(s);

	/* Its name and two sockets; its UUID. */
	unsigned ids = snapshot_replace(s->text, s->n_text, id, s->id), uuids = snapshot_replace(s->text, s->n_text, uuid, s->uuid);

	if (ids < 3 || uuids < 1)
		return error_set(err, EBADMSG, "saved state %s: libvirt does not keep the machine's description as it was expected",
				 s->path);
	if (pwrite(s->fd, s->text, s->n_text, 0) != (ssize_t)s->n_text)
		return error_errno(err, "saved state %s", s->path);
	*ret_id = s->id;
	return 0;
}

const char *snapshot_path(const struct snapshot *s)
{
	return s->path;
}

/* ---- making ---- */

static int save(struct snapshot *s, struct vm *vm, struct error *err)
{
	struct vm_facts *facts = &vm->host->facts;
	int64_t begin_ns = clock_now_ns();
	struct stat st;

	/* Paused first: nothing of the guest's work then goes on while it is written. */
	if (virDomainSuspend(vm->domain) < 0)
		return virt_error(err, "pause the machine that is to be saved");
	if (virDomainSaveFlags(vm->domain, s->path, NULL, VIR_DOMAIN_SAVE_PAUSED) < 0) {
		virt_error(err, "save the machine");
		return error_hint(err, "the run folder needs room for the guest's memory");
	}
	facts->snapshot_save_ns = clock_now_ns() - begin_ns;
	s->fd = open(s->path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	if (s->fd < 0)
		return error_errno(err, "saved state %s", s->path);
	if (fchmod(s->fd, 0600) < 0 || fstat(s->fd, &st) < 0)
		return error_errno(err, "saved state %s", s->path);
	facts->snapshot_bytes = st.st_size;
	return read_text(s, err);
}

static int boot_and_save(struct snapshot *s, struct vm_host *host, const struct vm_options *o, struct error *err)
{
	int64_t begin_ns = clock_now_ns(), deadline_ns = begin_ns + BOOT_LIMIT_S * INT64_C(1000000000);
	struct vm *vm = NULL;
	char why[256];

	host->domain.uuid = s->uuid;

	int rc = vm_start(host, s->id, deadline_ns, &vm, err);

	host->domain.uuid = NULL;
	if (rc < 0)
		return rc;
	rc = o->ready(o->ready_arg, vm_view(vm)->control_fd, deadline_ns, err);
	if (rc < 0) {
		vm_diagnose(vm, why, sizeof(why));
		error_set(err, -rc, "the machine that is to be saved: %s", why);
	}
	host->facts.snapshot_boot_ns = clock_now_ns() - begin_ns;
	if (rc == 0)
		rc = save(s, vm, err);

	int stopped = vm_stop(vm, rc < 0 ? NULL : err);

	return rc < 0 ? rc : stopped;
}

int snapshot_make(struct vm_host *host, const struct vm_options *o, struct snapshot **ret, struct error *err)
{
	struct snapshot *s = calloc(1, sizeof(*s));

	if (!s)
		return error_set(err, ENOMEM, "out of memory");
	s->fd = -1;

	int rc = getrandom(&s->seed, sizeof(s->seed), 0) == sizeof(s->seed) ? 0 : error_errno(err, "random numbers");

	set_names(s);
	if (rc == 0)
		rc = path_format(s->path, sizeof(s->path), err, "%s/saved", host->dir);
	if (rc == 0 && o->note)
		o->note(o->note_arg, "booting the machine whose saved state others start from");
	if (rc == 0)
		rc = boot_and_save(s, host, o, err);
	if (rc < 0) {
		snapshot_free(s);
		return rc;
	}
	*ret = s;
	return 0;
}

void snapshot_free(struct snapshot *s)
{
	if (!s)
		return;
	if (s->fd >= 0)
		close(s->fd);
	if (s->path[0])
		unlink(s->path);
	free(s->text);
	free(s);
}
