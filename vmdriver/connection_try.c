#include "connection_try.h"

#include "apart.h"
#include "connection.h"
#include "virt_error.h"

#include <bench/cleanup.h>
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdint.h>
#include <string.h>

/* It must answer, not only take the connection. */
static int connect_and_ask(void *arg, struct error *err)
{
	const char *uri = arg;
	virConnectPtr handle = virConnectOpen(uri);
	unsigned long version;

	if (!handle)
		return virt_error(err, "connect to libvirt at %s", uri);

	int rc = virConnectGetLibVersion(handle, &version) < 0 ? virt_error(err, "ask libvirt at %s", uri) : 0;

	virConnectClose(handle);
	return rc;
}

int connection_hint(const char *uri, struct error *err)
{
	if (strncmp(uri, "test", 4) == 0)
		return error_hint(err, "use qemu:///embed");
	if (strstr(err ? err->message : "", "uthenticat"))
		return error_hint(err, "join the group libvirt, or run as root; qemu:///embed needs no daemon");
	if (strstr(uri, "/session"))
		return error_hint(err, "is its daemon running? libvirtd --daemon --timeout 120 starts it; qemu:///embed needs none");
	return error_hint(err, "is its daemon running? systemctl start libvirtd (or virtqemud) starts it; qemu:///embed needs none");
}

int connection_try(const char *uri, struct error *err)
{
	struct error why = {0};
	int rc = apart(connect_and_ask, (void *)(uintptr_t)uri,
		       connection_uri_is_remote(uri) ? CONNECTION_TRY_REMOTE_MS : CONNECTION_TRY_MS, &why);

	if (rc == 0)
		return 0;
	if (rc == -ETIMEDOUT)
		error_prefix(&why, "connect to libvirt at %s", uri);
	rc = connection_hint(uri, &why);
	if (err)
		*err = why;
	return rc;
}
