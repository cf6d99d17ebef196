#include "capabilities.h"

#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The one table. Left out on purpose: MKNOD and SYS_* (devices and the kernel), NET_RAW and NET_ADMIN (forged packets), SETPCAP and SETFCAP
 * (ways back to more), SYS_CHROOT (a second root under the same mounts). */
static const int kept[] = {CAP_CHOWN, CAP_DAC_OVERRIDE, CAP_FOWNER, CAP_FSETID, CAP_KILL, CAP_SETGID, CAP_SETUID, CAP_NET_BIND_SERVICE};

uint64_t capabilities_default(void)
{
	uint64_t set = 0;

	for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
		set |= UINT64_C(1) << kept[i];
	return set;
}

uint64_t capabilities_held(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &header, data) < 0)
		return 0;
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

int capabilities_last(void)
{
	int count = cap_max_bits();

	return (count > 0 && count <= 64 ? count : CAP_LAST_CAP + 1) - 1;
}

void capabilities_names(uint64_t set, char *ret, size_t size)
{
	size_t used = 0;

	ret[0] = '\0';
	for (int cap = 0; cap < 64 && used < size; cap++) {
		if (!(set & (UINT64_C(1) << cap)))
			continue;
		char *name = cap_to_name(cap);
		if (name)
			used += (size_t)snprintf(ret + used, size - used, "%s%s", used ? " " : "",
						 strncmp(name, "cap_", 4) == 0 ? name + 4 : name);
		cap_free(name);
	}
}
