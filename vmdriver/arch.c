#include "arch.h"

#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

/* x86_64: QEMU's default, with a local timer that says of itself that it always runs (arat). Without it Linux uses that timer for single shots only beside a PIT
 * or an HPET, which microvm does not have, and its idle guests wake 250 times a second (tick_is_oneshot_available() of kernel/time/tick-common.c).
 * aarch64: QEMU's default is a 32-bit processor; a Cortex-A72 starts as fast as any that it emulates, "max" takes four times as long (docs/vm.md). The kernel's
 * console is the port that it has from its first word on, so that any panic is seen; the other one is behind PCI. */
static const struct arch archs[] = {
	{"x86_64", "amd64", {"q35", "microvm"}, "qemu-system-x86_64", "qemu-system-x86", "ttyS1", "/dev/ttyS0", "qemu64", "arat"},
	{"aarch64", "arm64", {"virt"}, "qemu-system-aarch64", "qemu-system-arm", "ttyAMA0", "/dev/ttyS0", "cortex-a72", NULL},
};

enum { ARCHS = sizeof(archs) / sizeof(archs[0]) };

const struct arch *arch_by_name(const char *name)
{
	for (size_t i = 0; i < ARCHS; i++)
		if (strcmp(archs[i].name, name) == 0)
			return &archs[i];
	return NULL;
}

const struct arch *arch_host(void)
{
	struct utsname host;

	uname(&host);
	return arch_by_name(host.machine);
}

int arch_find(const char *name, const struct arch **ret, struct error *err)
{
	const struct arch *found = name && name[0] ? arch_by_name(name) : arch_host();

	if (!found) {
		error_set(err, EINVAL, "guests of architecture %.40s are not known here", name && name[0] ? name : "as this host's");
		return error_hint(err, "use arch=x86_64 or arch=aarch64");
	}
	*ret = found;
	return 0;
}

bool arch_is_host(const struct arch *arch)
{
	return arch == arch_host();
}

static const char *find_machine(const struct arch *arch, const char *machine)
{
	for (size_t i = 0; arch->machines[i]; i++)
		if (strcmp(arch->machines[i], machine) == 0)
			return arch->machines[i];
	return NULL;
}

int arch_machine(const struct arch *arch, const char *machine, const char **ret, struct error *err)
{
	const char *found = machine ? find_machine(arch, machine) : arch->machines[0];

	if (found) {
		*ret = found;
		return 0;
	}
	for (size_t i = 0; i < ARCHS; i++)
		if (find_machine(&archs[i], machine)) {
			error_set(err, EINVAL, "machine '%s' is one of %s, the guest is %s", machine, archs[i].name, arch->name);
			return error_hint(err, "leave the option machine out, or use arch=%s", archs[i].name);
		}
	error_set(err, EINVAL, "machine '%s' is not known", machine);
	return error_hint(err, "use %s%s%s", arch->machines[0], arch->machines[1] ? " or " : "",
			  arch->machines[1] ? arch->machines[1] : "");
}
