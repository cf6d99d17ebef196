#include "undo.h"

#include "apart.h"
#include "connection.h"
#include "mark.h"
#include "upload.h"
#include "virt_error.h"
#include "vm.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is asked of a daemon of this host needs no network. */
enum { UNDO_MS = 3000, UNDO_REMOTE_MS = 10000 };

struct work {
	char mark[MARK_SIZE], pool[128], uri[256];
};

/* One that ended meanwhile is no failure. */
static int end_one(virDomainPtr domain, struct error *err)
{
	if (virDomainDestroy(domain) == 0)
		return 0;

	const virError *last = virGetLastError();

	if (last && (last->code == VIR_ERR_NO_DOMAIN || last->code == VIR_ERR_OPERATION_INVALID))
		return 0;
	return virt_error(err, "end machine %s", virDomainGetName(domain));
}

static int end_machines(virConnectPtr connection, const char *mark, struct error *err)
{
	virDomainPtr *domains = NULL;
	int rc = 0,
	    n = virConnectListAllDomains(connection, &domains, VIR_CONNECT_LIST_DOMAINS_ACTIVE | VIR_CONNECT_LIST_DOMAINS_TRANSIENT);

	if (n < 0)
		return virt_error(err, "list machines");
	for (int i = 0; i < n; i++) {
		const char *name = virDomainGetName(domains[i]);
		int one = name && mark_is_on(mark, name) ? end_one(domains[i], err) : 0;

		rc = rc < 0 ? rc : one;
		virDomainFree(domains[i]);
	}
	free(domains);
	return rc;
}

/* One a machine; the daemon would keep them for ever. */
static void remove_logs(const struct work *work)
{
	char dir[PATH_MAX], path[PATH_MAX];

	if (!connection_log_dir(work->uri, dir, sizeof(dir)))
		return;

	_cleanup_closedir_ DIR *folder = opendir(dir);

	for (struct dirent *entry; folder && (entry = readdir(folder));)
		if (mark_is_on(work->mark, entry->d_name) && path_format(path, sizeof(path), NULL, "%s/%s", dir, entry->d_name) == 0)
			unlink(path);
}

/* A daemon of this host that is gone has no machines: their QEMUs are processes here, which the journal names too. */
static int undo(void *arg, struct error *err)
{
	const struct work *work = arg;
	bool remote = connection_uri_is_remote(work->uri);
	virConnectPtr connection = virConnectOpen(work->uri);

	if (!connection) {
		remove_logs(work);
		return remote ? virt_error(err, "connect to libvirt at %s", work->uri) : 0;
	}

	int ended = end_machines(connection, work->mark, err);
	int removed = remote ? upload_remove(connection, work->pool, work->mark, ended < 0 ? NULL : err) : 0;

	virConnectClose(connection);
	remove_logs(work);
	return ended < 0 ? ended : removed;
}

/* The next word of the text, up to a blank. */
static bool take_word(const char **text, char *ret, size_t size)
{
	size_t length = strcspn(*text, " ");

	if (length == 0 || length >= size || (*text)[length] != ' ')
		return false;
	memcpy(ret, *text, length);
	ret[length] = '\0';
	*text += length + 1;
	return true;
}

int undo_argument(const char *mark, const char *pool, const char *uri, char *ret, size_t size, struct error *err)
{
	if (strchr(pool, ' ') || !pool[0])
		return error_set(err, EINVAL, "storage pool '%s': its name has blanks", pool);

	int length = snprintf(ret, size, "%s %s %s", mark, pool, uri);

	return length < 0 || (size_t)length >= size ? error_set(err, ENAMETOOLONG, "names at libvirt: too long") : 0;
}

int vm_undo(const char *argument, struct error *err)
{
	const char *text = argument;
	struct work work;

	if (!take_word(&text, work.mark, sizeof(work.mark)) || !take_word(&text, work.pool, sizeof(work.pool)) ||
	    strlen(text) >= sizeof(work.uri) || !mark_is_valid(work.mark) || connection_check_uri(text, NULL) < 0)
		return error_set(err, EINVAL, "'%s' names nothing of ours at libvirt", argument);
	strcpy(work.uri, text);
	int rc = apart(undo, &work, connection_uri_is_remote(work.uri) ? UNDO_REMOTE_MS : UNDO_MS, err);

	return rc < 0 ? error_prefix(err, "libvirt at %s, machines and volumes %s-*", work.uri, work.mark) : 0;
}
