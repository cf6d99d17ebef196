/* What libvirt and QEMU may reach of this host: the run's own folder, what was prepared for them, the devices of a machine. */
#include "confine.h"
#include "host.h"

#include <base/files.h>
#include <base/process.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A QEMU of its own brings its files along, beside or above the folder of its program. */
static const char *qemu_home(const struct arch *arch, char path[PATH_MAX])
{
	char program[PATH_MAX];

	if (!process_find(arch->emulator, program, sizeof(program)) || !realpath(program, path))
		return NULL;
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (slash && slash > path)
			*slash = '\0';
	}
	return path;
}

enum { READABLE_MAX = 64 };

/* Also what a machine is made from: a later vm_host_open() of this process needs it as well. */
static size_t name_readable(const struct vm_options *o, const char *cache, const char *qemu, const char *ret[READABLE_MAX])
{
	const char *const first[] = {cache, o->init_path, qemu, o->kernel};
	size_t n = 0;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (first[i])
			ret[n++] = first[i];
	for (size_t i = 0; i < o->n_root_layers && n < READABLE_MAX; i++)
		ret[n++] = o->root_layers[i];
	return n;
}

int host_confine(struct vm_host *host, const struct vm_options *o, const char *capabilities, struct error *err)
{
	char home[PATH_MAX], cache[PATH_MAX];
	const char *const writable[] = {o->run_dir, capabilities};
	const char *readable[READABLE_MAX];
	int rc = path_format(cache, sizeof(cache), err, "%s/vm", o->cache_dir);

	/* Root's libvirt works on the host at large (account.h), and a daemon's QEMU is not ours to confine. What is confined cannot mount, and each machine's
	 * virtiofsd is started by this process with mounts of its own. */
	if (rc < 0 || geteuid() == 0 || !connection_uri_is_embed(host->facts.uri) || o->root == VM_ROOT_VIRTIOFS)
		return rc;

	const struct confine_options options = {.writable = writable,
						.n_writable = 2,
						.readable = readable,
						.n_readable = name_readable(o, cache, qemu_home(host->arch, home), readable),
						.network = o->network == VM_NETWORK_USER};

	return confine(&options, host->facts.confined, sizeof(host->facts.confined), err);
}
