/* Calls that reach deep into the kernel. Their arguments are nonsense: only the answer to the permission counts. */
#include "attack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

void attack_kernel_programs(struct verdict *verdict)
{
	uint64_t map[16] = {1 /* hash */ | 4ull << 32, 4 | 1ull << 32};
	struct {
		uint32_t type, size;
		uint64_t config, rest[12];
	} attr = {.type = 1, .size = 64}; /* a software clock of a whole CPU */

	denied(verdict, "bpf map", syscall(SYS_bpf, 0, map, 72));
	denied(verdict, "perf_event_open", syscall(SYS_perf_event_open, &attr, -1, 0, -1, 0ul));
	denied(verdict, "userfaultfd", syscall(SYS_userfaultfd, 0));
}

/* Not needed by programs, and each a wide door to the kernel. */
void attack_rare_calls(struct verdict *verdict)
{
	static const struct {
		const char *name;
		long number;
	} calls[] = {
		{"io_uring_setup", SYS_io_uring_setup},
		{"io_uring_enter", SYS_io_uring_enter},
		{"io_uring_register", SYS_io_uring_register},
		{"keyctl", SYS_keyctl},
		{"add_key", SYS_add_key},
		{"request_key", SYS_request_key},
		{"bpf", SYS_bpf},
		{"userfaultfd", SYS_userfaultfd},
		{"perf_event_open", SYS_perf_event_open},
		{"fanotify_init", SYS_fanotify_init},
		{"name_to_handle_at", SYS_name_to_handle_at},
		{"open_by_handle_at", SYS_open_by_handle_at},
		{"process_vm_readv", SYS_process_vm_readv},
		{"process_vm_writev", SYS_process_vm_writev},
		{"process_madvise", SYS_process_madvise},
		{"kcmp", SYS_kcmp},
		{"move_pages", SYS_move_pages},
		{"mbind", SYS_mbind},
		{"set_mempolicy", SYS_set_mempolicy},
		{"migrate_pages", SYS_migrate_pages},
		{"setns", SYS_setns},
		{"mount", SYS_mount},
		{"move_mount", SYS_move_mount},
		{"fsmount", SYS_fsmount},
		{"fspick", SYS_fspick},
		{"quotactl_fd", 443},
		{"pidfd_getfd", SYS_pidfd_getfd},
#if defined(__x86_64__)
		{"modify_ldt", SYS_modify_ldt},
		{"iopl", SYS_iopl},
		{"uselib", SYS_uselib},
		{"ustat", SYS_ustat},
		{"sysfs", SYS_sysfs},
#endif
	};

	for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++)
		denied(verdict, calls[i].name, syscall(calls[i].number, -1L, 0L, 0L, 0L, 0L, 0L));
}

void attack_kernel_code(struct verdict *verdict)
{
	denied(verdict, "init_module", syscall(SYS_init_module, NULL, 0ul, ""));
	denied(verdict, "finit_module", syscall(SYS_finit_module, -1, "", ~0));
	denied(verdict, "delete_module", syscall(SYS_delete_module, NULL, 0));
	denied(verdict, "kexec_load", syscall(SYS_kexec_load, 0ul, 0ul, NULL, 0xffful));
#if defined(__x86_64__)
	denied(verdict, "iopl", syscall(SYS_iopl, 3));
	denied(verdict, "ioperm", syscall(SYS_ioperm, 0x80ul, 1ul, 1));
#endif
}

void attack_host_switches(struct verdict *verdict)
{
	denied(verdict, "reboot", syscall(SYS_reboot, 0, 0, 0, NULL)); /* wrong magic numbers */
	denied(verdict, "swapon", syscall(SYS_swapon, "/nowhere", 0));
	denied(verdict, "swapoff", syscall(SYS_swapoff, "/nowhere"));
	denied(verdict, "acct", syscall(SYS_acct, "/nowhere"));
	denied(verdict, "syslog", syscall(SYS_syslog, 8, NULL, 99)); /* no such level */
	refused(verdict, "quotactl", syscall(SYS_quotactl, 0x800005u << 8, "/nowhere", 0, NULL));
#if defined(SYS_lookup_dcookie)
	refused(verdict, "lookup_dcookie", syscall(SYS_lookup_dcookie, 0ul, NULL, 0ul));
#endif
	if (!getenv("CONTROL"))
		denied(verdict, "vhangup", syscall(SYS_vhangup));
}

/* "shocker": a handle of the file system's root, guessed or asked for, opens what lies outside our root. */
void attack_file_handles(struct verdict *verdict)
{
	struct {
		unsigned bytes;
		int type;
		unsigned char handle[128];
	} asked = {.bytes = 128}, guessed = {.bytes = 8, .type = 1, .handle = {2}};
	int mount_id, fd = open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	long rc = syscall(SYS_name_to_handle_at, fd, "", &asked, &mount_id, 0x1000 /* AT_EMPTY_PATH */);
	saw(verdict, "name_to_handle_at: %s", rc < 0 ? strerror(errno) : "a handle");
	refused(verdict, "open_by_handle_at, asked", rc < 0 ? -1 : syscall(SYS_open_by_handle_at, fd, &asked, O_RDONLY));
	refused(verdict, "open_by_handle_at, inode 2", syscall(SYS_open_by_handle_at, fd, &guessed, O_RDONLY));
	close(fd);
}

void attack_keyrings(struct verdict *verdict)
{
	char text[64];

	refused(verdict, "read the host's key", syscall(SYS_keyctl, 11 /* READ */, host_number("HOST_KEY"), text, sizeof(text)));
	refused(verdict, "describe it", syscall(SYS_keyctl, 6, host_number("HOST_KEY"), text, sizeof(text)));
	refused(verdict, "link it", syscall(SYS_keyctl, 8 /* LINK */, host_number("HOST_KEY"), -2));
	refused(verdict, "the user's keyring", syscall(SYS_keyctl, 0, -4, 0));
	refused(verdict, "add_key", getenv("CONTROL") ? 0 : syscall(SYS_add_key, "user", "bench-attack", "x", 1ul, -3));
}
