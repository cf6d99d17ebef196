/* What libvirt and QEMU may reach of this host: the run's own folder, what was prepared for them, the devices of a machine. */
#include "confine.h"
#include "host.h"

#include <base/files.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A QEMU of its own brings its files along, beside or above the folder of its program. */
static const char *qemu_home(char path[PATH_MAX])
{
	char program[PATH_MAX];

	if (!host_find_qemu(program, sizeof(program)) || !realpath(program, path))
		return NULL;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (slash && slash > path)
			*slash = '\0';
	}
	return path;
}

int host_confine(struct vm_host *host, const struct vm_options *o, const char *capabilities, struct error *err)
{
	char home[PATH_MAX], cache[PATH_MAX];
	const char *qemu = qemu_home(home);
	const char *const writable[] = {o->run_dir, capabilities};
	const char *readable[2] = {cache, qemu};
	const struct confine_options options = {.writable = writable,
						.n_writable = 2,
						.readable = readable,
						.n_readable = qemu ? 2 : 1,
						.network = o->network == VM_NETWORK_USER};
	int rc = path_format(cache, sizeof(cache), err, "%s/vm", o->cache_dir);

	/* Root's libvirt works on the host at large (account.h), and a daemon's QEMU is not ours to confine. */
	if (rc < 0 || geteuid() == 0 || !connection_uri_is_embed(host->facts.uri))
		return rc;
	return confine(&options, host->facts.confined, sizeof(host->facts.confined), err);
}
