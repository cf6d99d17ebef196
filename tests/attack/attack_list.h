/* All attacks: ATTACK(name, conditions, class). Included by the program inside the container (which makes its table of it) and by the runner
 * (which knows what each needs). docs/security.md names each of them; a test compares. */

/* What an attack needs, and what follows from it. */
#define ON_MEMORY_LIMIT (1u << 0) /* would hurt the host where the group's memory is not limited */
#define ON_PIDS_LIMIT   (1u << 1) /* the same for processes */
#define BY_FILTER       (1u << 2) /* the system call filter alone stands against it: not tried without */
#define BY_USERNS       (1u << 3) /* the user namespace alone stands against it: not tried without */
#define AS_HOST_ROOT    (1u << 4) /* the stage needs root on the host */
#define WORKS_OUTSIDE   (1u << 5) /* a root without container succeeds: the proof that the attack itself is sound */
#define ON_CPUSET       (1u << 6) /* the CPUs are bound by affinity alone where the group cannot have them */
#define OR_USERNS       (1u << 7) /* beside BY_FILTER: the quotas of a user namespace stand against it too */

#define ATTACKS                                                                                                                            \
	/* attack_program.c: the runtime's own program */                                                                                  \
	ATTACK(exe_write, WORKS_OUTSIDE, "CVE-2019-5736: /proc/self/exe, /proc/1/exe for writing")                                         \
	ATTACK(exe_interpreter, 0, "CVE-2019-5736: image's program is #!/proc/self/exe")                                                   \
	ATTACK(exe_of_exec, 0, "CVE-2019-5736: /proc/PID/exe of a process that enters")                                                    \
	ATTACK(memory_of_exec, 0, "CVE-2016-9962: ptrace and /proc/PID/mem of a process that enters")                                      \
	ATTACK(exec_into_full_group, ON_MEMORY_LIMIT, "OOM kill of a process that enters takes its parent along")                          \
	/* attack_descriptors.c */                                                                                                         \
	ATTACK(leaked_descriptors, WORKS_OUTSIDE, "CVE-2024-21626: descriptors of the runtime that stay open")                             \
	ATTACK(working_dir_descriptor, 0, "CVE-2024-21626: working folder /proc/self/fd/N")                                                \
	ATTACK(program_descriptor, 0, "CVE-2024-21626: image's program, or its interpreter, is /proc/self/fd/N/…")                         \
	ATTACK(descriptor_links, WORKS_OUTSIDE, "/dev/fd, /dev/stdin: reopening and walking up from them")                                 \
	ATTACK(empty_stdio, 0, "what stands for a missing stream: keeping data, mode, owner, attributes in it")                            \
	ATTACK(peer_descriptor, WORKS_OUTSIDE, "SO_PEERPIDFD of the control stream: a descriptor of the runtime's process")                \
	/* attack_proc.c */                                                                                                                \
	ATTACK(core_pattern, WORKS_OUTSIDE, "core_pattern, modprobe, uevent_helper, binfmt_misc: programs that the kernel runs")           \
	ATTACK(sysctls, WORKS_OUTSIDE, "/proc/sys/kernel, vm, fs, net: writing")                                                           \
	ATTACK(sysrq, 0, "/proc/sysrq-trigger")                                                                                            \
	ATTACK(masked_files, WORKS_OUTSIDE, "masked parts of /proc and /sys")                                                              \
	ATTACK(kernel_addresses, BY_FILTER, "kallsyms, modules, iomem, dmesg: addresses of the kernel")                                    \
	ATTACK(sysfs, WORKS_OUTSIDE, "/sys: writing, control groups, debugfs, tracefs")                                                    \
	ATTACK(host_processes, WORKS_OUTSIDE, "/proc/PID/root, cwd, mem, fd, environ of host processes")                                   \
	ATTACK(proc_self_files, 0, "oom_score_adj, timens_offsets, attr, uid_map of its own")                                              \
	ATTACK(fake_proc, 0, "CVE-2025-52881: files of the image where the runtime writes to /proc")                                       \
	ATTACK(mask_source, 0, "CVE-2025-31133: image's dev/null is a link to what is masked")                                             \
	/* attack_mounts.c */                                                                                                              \
	ATTACK(remount, WORKS_OUTSIDE, "remount / and /proc/sys writable, by mount and mount_setattr")                                     \
	ATTACK(unmount, 0, "umount of what masks, of /, of /proc")                                                                         \
	ATTACK(new_mounts, WORKS_OUTSIDE, "mounting tmpfs, proc, sysfs, cgroup, debugfs; fsopen; open_tree")                               \
	ATTACK(release_agent, 0, "CVE-2022-0492: release_agent of cgroup v1, also as root of nested namespaces")                           \
	ATTACK(host_groups, BY_FILTER | OR_USERNS, "cgroup v1 hierarchies without a group of ours, mounted from nested namespaces")        \
	ATTACK(nested_namespace, 0, "root of a nested user namespace against locked mounts")                                               \
	ATTACK(change_root, WORKS_OUTSIDE, "chroot, pivot_root, the way up from a folder left behind")                                     \
	ATTACK(root_links, 0, "image's proc, sys, dev, tmp, run are links to outside")                                                     \
	ATTACK(root_race, 0, "CVE-2021-30465: a mount's target becomes a link during the start")                                           \
	ATTACK(mount_race, 0, "CVE-2021-30465: target of --mount becomes a link during the start")                                         \
	ATTACK(mount_over_proc, 0, "CVE-2019-16884: a volume over /proc")                                                                  \
	ATTACK(source_race, 0, "a volume's source, below what another container may write, becomes a link during the start")               \
	ATTACK(overlay_layers, 0, "overlay: whiteouts, links and hard links from upper to lower")                                          \
	ATTACK(terminal_race, 0, "CVE-2025-52565: /dev/pts and /dev/console are links")                                                    \
	/* attack_namespaces.c */                                                                                                          \
	ATTACK(more_namespaces, BY_FILTER | OR_USERNS, "unshare, clone, clone3: a user namespace for all capabilities")                    \
	ATTACK(enter_host, WORKS_OUTSIDE, "setns to namespaces of host processes")                                                         \
	ATTACK(namespace_walk, 0, "namespaces of others by ioctl: owner, parent, neighbours, through /proc and pidfds")                    \
	ATTACK(kernel_handles, 0, "file handles of namespaces and processes of the host")                                                  \
	ATTACK(names_and_clocks, WORKS_OUTSIDE, "sethostname, setdomainname, adjtimex, settimeofday")                                      \
	/* attack_processes.c */                                                                                                           \
	ATTACK(signals, WORKS_OUTSIDE, "signals to host processes")                                                                        \
	ATTACK(adoption, 0, "CLONE_PARENT: a new process as child of the runtime")                                                         \
	ATTACK(trace_host, WORKS_OUTSIDE, "ptrace, process_vm_readv, pidfd_getfd on host processes")                                       \
	ATTACK(host_ipc, WORKS_OUTSIDE, "System V memory and message queues of the host")                                                  \
	ATTACK(priorities, WORKS_OUTSIDE, "nice, real-time and deadline scheduling, I/O priority")                                         \
	ATTACK(affinity, ON_CPUSET, "sched_setaffinity beyond the cpuset")                                                                 \
	ATTACK(resource_limits, 0, "raising its own limits; core files")                                                                   \
	ATTACK(capabilities, WORKS_OUTSIDE, "inherited, ambient and bounding capabilities, SETPCAP, securebits")                           \
	ATTACK(setuid_program, AS_HOST_ROOT | WORKS_OUTSIDE, "setuid program of the image")                                                \
	/* attack_filter.c */                                                                                                              \
	ATTACK(personality_flags, BY_FILTER, "personality READ_IMPLIES_EXEC, ADDR_COMPAT_LAYOUT")                                          \
	ATTACK(other_abi, BY_FILTER, "32-bit calls (int 0x80) and x32 numbers around the filter")                                          \
	ATTACK(nested_filter, BY_FILTER, "a filter of its own that allows more; user notification")                                        \
	ATTACK(traced_call, BY_FILTER, "ptrace changes a call after the filter saw it; suspending seccomp")                                \
	ATTACK(young_calls, BY_FILTER, "calls that are younger than the filter")                                                           \
	ATTACK(terminal_input, BY_FILTER, "TIOCSTI, TIOCLINUX, also with garnished numbers")                                               \
	/* attack_kernel.c */                                                                                                              \
	ATTACK(kernel_programs, WORKS_OUTSIDE, "bpf, perf_event_open, userfaultfd")                                                        \
	ATTACK(rare_calls, BY_FILTER, "io_uring, modify_ldt, vm86, name_to_handle, fanotify, keyctl…")                                     \
	ATTACK(kernel_code, 0, "init_module, kexec, iopl, ioperm")                                                                         \
	ATTACK(host_switches, WORKS_OUTSIDE, "reboot, swapon, acct, quotactl, vhangup, lookup_dcookie")                                    \
	ATTACK(file_handles, WORKS_OUTSIDE, "open_by_handle_at (shocker)")                                                                 \
	ATTACK(keyrings, BY_FILTER | WORKS_OUTSIDE, "session and user keyring of the host")                                                \
	/* attack_devices.c */                                                                                                             \
	ATTACK(make_nodes, WORKS_OUTSIDE, "mknod of disk, mem, kvm in every writable place")                                               \
	ATTACK(image_nodes, AS_HOST_ROOT | WORKS_OUTSIDE, "device nodes that the image brings")                                            \
	ATTACK(given_device, AS_HOST_ROOT, "--device: other nodes than the given one")                                                     \
	ATTACK(host_nodes, WORKS_OUTSIDE, "nodes of the host in /dev")                                                                     \
	ATTACK(shared_nodes, 0, "mode, owner and times of /dev/null are the host's")                                                       \
	/* attack_files.c */                                                                                                               \
	ATTACK(root_writes, WORKS_OUTSIDE, "creating, opening, renaming, chmod, xattr in the root")                                        \
	ATTACK(page_cache, 0, "CVE-2016-5195, CVE-2022-0847: writing to the pages of a file that is only readable")                        \
	ATTACK(hard_links, 0, "hard links between writable folders and the root")                                                          \
	ATTACK(host_file, WORKS_OUTSIDE, "a known file of the host by its path, by .. and by links")                                       \
	/* attack_network.c */                                                                                                             \
	ATTACK(raw_sockets, WORKS_OUTSIDE, "AF_PACKET, raw IP")                                                                            \
	ATTACK(rare_sockets, BY_FILTER, "AF_VSOCK, AF_ALG and other rare families")                                                        \
	ATTACK(abstract_socket, WORKS_OUTSIDE, "abstract unix socket and loopback port of the host")                                       \
	ATTACK(netlink, WORKS_OUTSIDE, "netlink: links of the host, audit, process events, changing lo")                                   \
	/* attack_neighbour.c */                                                                                                           \
	ATTACK(neighbour, 0, "another container: its sockets, queues, memory, files, processes, keys")                                     \
	ATTACK(passed_folder, 0, "its root, /proc and namespaces, passed as descriptors over a shared volume")                             \
	/* attack_floods.c */                                                                                                              \
	ATTACK(fork_bomb, ON_PIDS_LIMIT, "processes until no more")                                                                        \
	ATTACK(memory_bomb, ON_MEMORY_LIMIT, "memory until killed")                                                                        \
	ATTACK(tmpfs_flood, 0, "/dev/shm, /tmp, /run: bytes and inodes until full")                                                        \
	ATTACK(descriptor_flood, ON_MEMORY_LIMIT | ON_PIDS_LIMIT, "open files until no more")                                              \
	ATTACK(pipe_flood, ON_MEMORY_LIMIT, "pipes of the largest size until no more")                                                     \
	ATTACK(inotify_flood, BY_USERNS, "inotify instances until no more: a quota by user")                                               \
	ATTACK(timer_flood, ON_MEMORY_LIMIT, "timers until no more: a quota by user")                                                      \
	ATTACK(core_dump, 0, "a crash: no core file outside")                                                                              \
	/* a start as any other: proves that the stage itself works */                                                                     \
	ATTACK(nothing, 0, "no attack: the container works")
