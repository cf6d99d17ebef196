/* The root folder of a container on the host: what it must have, and the smallest one that has it. */
#pragma once

#include <bench/error.h>

/* Makes the minimal root: the folders that mounts go to, and a copy of the agent as /agent. */
int runtime_rootfs_prepare(const char *dir, const char *agent_path, struct error *err);

/* Has the folder all that the mounts need? The error names what is missing. */
int runtime_rootfs_check(const char *dir, struct error *err);
