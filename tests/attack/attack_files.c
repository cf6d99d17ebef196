/* Files of the root and of the host. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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

/* By /proc/self/mem into a mapping that is only readable, and by a pipe whose page is the file's; it is the image's own file. */
static void write_to_pages(struct verdict *verdict, int fd, char *map, size_t size)
{
	int mem = open("/proc/self/mem", O_RDWR | O_CLOEXEC), pipe_fds[2];
	loff_t offset = 1;

	for (int i = 0; i < 200 && mem >= 0; i++) {
		if (pwrite(mem, "X", 1, (off_t)(uintptr_t)map) < 0 && i == 0)
			saw(verdict, "/proc/self/mem: %s", strerror(errno));
		madvise(map, size, MADV_DONTNEED);
	}
	if (mem >= 0)
		close(mem);
	if (pipe(pipe_fds) < 0)
		return;
	/* Filled and emptied, the pipe's buffers keep their flags where the kernel forgets to clear them. */
	char page[4096] = {0};
	for (int i = 0; i < 16; i++)
		if (write(pipe_fds[1], page, sizeof(page)) < 0 || read(pipe_fds[0], page, sizeof(page)) < 0)
			break;
	if (splice(fd, &offset, pipe_fds[1], NULL, 1, 0) == 1 && write(pipe_fds[1], "XX", 2) == 2)
		saw(verdict, "a page of the file is in the pipe");
	close(pipe_fds[0]);
	close(pipe_fds[1]);
}

void attack_page_cache(struct verdict *verdict)
{
	int fd = open("/attack", O_RDONLY | O_CLOEXEC);
	char before[64], after[64] = "";

	for (int shared = 0; shared < 2 && fd >= 0; shared++) {
		char *map = mmap(NULL, 4096, PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, fd, 0);

		if (map == MAP_FAILED || pread(fd, before, sizeof(before), 0) != sizeof(before))
			break;
		write_to_pages(verdict, fd, map, 4096);
		munmap(map, 4096);
		if (pread(fd, after, sizeof(after), 0) != sizeof(after) || memcmp(before, after, sizeof(before)) != 0)
			broke(verdict, "the image's file changed");
		else
			saw(verdict, "the file stays as it is");
	}
	if (fd < 0)
		broke(verdict, "the image's file does not open: %s", strerror(errno));
	else
		close(fd);
}
