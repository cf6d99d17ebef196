/* Files of the root and of the host. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

/* In the image's folder on the host, where that is the root: the runner compares it before and after. */
void attack_root_writes(struct verdict *verdict)
{
	const char *root = getenv("CONTROL") ? host_text("IMAGE") : "";
	char made[256], program[256];

	snprintf(made, sizeof(made), "%s/made", root);
	snprintf(program, sizeof(program), "%s/attack", root);
	refused(verdict, "create", open(made, O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
	refused(verdict, "mkdir", mkdir(made, 0700));
	refused(verdict, "symlink", symlink("/etc", made));
	refused(verdict, "chmod", chmod(program, 0755));
	refused(verdict, "rename", rename(program, made));
	refused(verdict, "setxattr", setxattr(program, "user.attack", "x", 1, 0));
	refused(verdict, "truncate", truncate(program, 0));
	refused(verdict, "unlink", unlink(program));
}

void attack_hard_links(struct verdict *verdict)
{
	write_text("/tmp/file", "x");
	refused(verdict, "from the root to /tmp", link("/attack", "/tmp/hard"));
	refused(verdict, "from /tmp to the root", link("/tmp/file", "/hard"));
	refused(verdict, "from /proc/self/exe", linkat(AT_FDCWD, "/proc/self/exe", AT_FDCWD, "/tmp/exe", AT_SYMLINK_FOLLOW));
	refused(verdict, "from /tmp to /run, another mount of one file system", link("/tmp/file", "/run/hard"));
}

void attack_host_file(struct verdict *verdict)
{
	char path[512];

	no_read(verdict, host_text("HOST_FILE"));
	snprintf(path, sizeof(path), "/../../../../../../../..%s", host_text("HOST_FILE"));
	no_read(verdict, path);
	unlink("/tmp/way");
	if (symlink(host_text("HOST_FILE"), "/tmp/way") == 0 && !getenv("CONTROL"))
		no_read(verdict, "/tmp/way");
	unlink("/tmp/way");
	snprintf(path, sizeof(path), "/proc/self/root%s", host_text("HOST_FILE"));
	no_read(verdict, path);
	snprintf(path, sizeof(path), "/proc/self/cwd/../../../..%s", host_text("HOST_FILE"));
	no_read(verdict, path);
}
