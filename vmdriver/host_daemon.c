/* What is different where a daemon of libvirt's makes the machines, on this host or another. */
#include "host.h"
#include "undo.h"
#include "upload.h"

#include <base/journal.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *pool_of(const struct vm_options *o)
{
	return o->pool ? o->pool : UPLOAD_POOL_DEFAULT;
}

int host_check_daemon(const struct vm_options *o, struct error *err)
{
	bool remote = o->uri && connection_uri_is_remote(o->uri);

	if (o->pool && !remote)
		return error_set(err, EINVAL, "a storage pool is for another host: '%s' is this one", o->uri ? o->uri : VM_URI_EMBED);
	if (remote && o->os != VM_OS_NONE) {
		error_set(err, ENOTSUP, "'%s': the disk of a complete system is on this host", o->uri);
		return error_hint(err, "run the program on that host");
	}
	/* Emulated, it needs to know the rate of its host's clock (command_line.c). */
	if (remote && ((o->machine && strcmp(o->machine, "q35") != 0) || (o->arch && strcmp(o->arch, "x86_64") != 0))) {
		error_set(err, ENOTSUP, "'%s': machine %s is not offered on another host", o->uri, o->machine ? o->machine : o->arch);
		return error_hint(err, "use machine=q35");
	}
	if (remote && o->modules && strcmp(o->modules, "none") == 0) {
		error_set(err, ENOTSUP, "'%s': the control stream from another host needs a module of the guest's kernel", o->uri);
		return error_hint(err, "leave modules=none out");
	}
	return 0;
}

int host_mark(struct vm_host *host, const struct vm_options *o, struct error *err)
{
	char argument[512];
	int rc = 0;

	if (!host->facts.daemon)
		return 0;
	if (o->mark && !mark_is_valid(o->mark))
		return error_set(err, EINVAL, "'%s' is no mark of a run", o->mark);
	if (o->mark)
		snprintf(host->mark, sizeof(host->mark), "%s", o->mark);
	else
		rc = mark_make(host->mark, err);
	if (rc == 0)
		rc = undo_argument(host->mark, pool_of(o), host->facts.uri, argument, sizeof(argument), err);
	if (rc < 0)
		return rc;
	if (host->facts.remote)
		snprintf(host->pool, sizeof(host->pool), "%s", pool_of(o));
	return journal_add(o->journal, JOURNAL_DOMAIN, argument, err);
}

int host_upload(struct vm_host *host, struct error *err)
{
	virConnectPtr connection = connection_handle(host->connection);
	char there[PATH_MAX];
	int rc = upload_file(connection, host->pool, host->mark, "kernel", host->kernel, there, sizeof(there), err);

	if (rc == 0) {
		strcpy(host->kernel, there);
		rc = upload_file(connection, host->pool, host->mark, "initramfs", host->initramfs, there, sizeof(there), err);
	}
	if (rc == 0)
		strcpy(host->initramfs, there);
	return rc;
}

void host_remove_uploads(struct vm_host *host)
{
	if (host->pool[0] && host->connection && !host->wedged && !connection_is_lost(host->connection))
		upload_remove(connection_handle(host->connection), host->pool, host->mark, NULL);
}

void host_name_machine(const struct vm_host *host, const char *id, char *ret, size_t size)
{
	if (!host->mark[0])
		snprintf(ret, size, "bench-%s", id);
	else if (mark_is_on(host->mark, id))
		snprintf(ret, size, "%s", id);
	else
		snprintf(ret, size, "%s-%s", host->mark, id);
}
