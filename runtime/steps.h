/* The steps that a child walks: child_*.c, with a comment each. Internal to runtime/. */
#pragma once

#include <stdint.h>

struct child;
struct step;

int step_namespaces(struct child *child, const struct step *step);
int step_tell_joined(struct child *child, const struct step *step);
int step_await(struct child *child, const struct step *step);
int step_map_ids(struct child *child, const struct step *step);
int step_quotas(struct child *child, const struct step *step);
int step_oom_score(struct child *child, const struct step *step);
int step_become_root(struct child *child, const struct step *step);
int step_no_groups(struct child *child, const struct step *step);
int step_join_cgroup(struct child *child, const struct step *step);
int step_join_sent(struct child *child, const struct step *step);
int step_affinity(struct child *child, const struct step *step);
int step_session(struct child *child, const struct step *step);
int step_keyring(struct child *child, const struct step *step);
int step_hostname(struct child *child, const struct step *step);
int step_new_proc(struct child *child, const struct step *step);
int step_join_slot(struct child *child, const struct step *step);
int step_enter_slot(struct child *child, const struct step *step);
int step_top(struct child *child, const struct step *step);
int step_attach_proc(struct child *child, const struct step *step);
int step_network(struct child *child, const struct step *step);
int step_network_join(struct child *child, const struct step *step);
int step_network_settle(struct child *child, const struct step *step);
int step_unblock_signals(struct child *child, const struct step *step);
int step_signals(struct child *child, const struct step *step);
int step_die_with_parent(struct child *child, const struct step *step);
int step_rlimits(struct child *child, const struct step *step);
int step_open_files(struct child *child, const struct step *step);
int step_stdio(struct child *child, const struct step *step);
int step_no_new_privileges(struct child *child, const struct step *step);
int step_bounding_set(struct child *child, const struct step *step);
int step_capabilities(struct child *child, const struct step *step);
int step_seccomp(struct child *child, const struct step *step);
int step_exec(struct child *child, const struct step *step);

int step_private_mounts(struct child *child, const struct step *step);
int step_root(struct child *child, const struct step *step);
int step_root_copy(struct child *child, const struct step *step);
int step_tmpfs(struct child *child, const struct step *step);
int step_tmpfs_bind(struct child *child, const struct step *step);
int step_dev(struct child *child, const struct step *step);
int step_dev_folder(struct child *child, const struct step *step);
int step_device_node(struct child *child, const struct step *step);
int step_device_bind(struct child *child, const struct step *step);
int step_device_links(struct child *child, const struct step *step);
int step_mount_proc(struct child *child, const struct step *step);
int step_lock_bind(struct child *child, const struct step *step);
int step_keep_read_only(struct child *child, const struct step *step); /* child_system.c */
int step_mount_groups(struct child *child, const struct step *step);
int step_attach_sys(struct child *child, const struct step *step);
int step_bind_proc(struct child *child, const struct step *step);
int step_mask_file(struct child *child, const struct step *step);
int step_mask_dir(struct child *child, const struct step *step);
int step_leave_old_root(struct child *child, const struct step *step);
int step_old_root_left(struct child *child, const struct step *step);
int step_pivot(struct child *child, const struct step *step);
int step_chroot(struct child *child, const struct step *step);

int step_overlay(struct child *child, const struct step *step);
int step_folders(struct child *child, const struct step *step);
int step_etc(struct child *child, const struct step *step);
int step_read_only(struct child *child, const struct step *step);
int step_volume(struct child *child, const struct step *step);
int step_make_folder(struct child *child, const struct step *step);
int step_devpts(struct child *child, const struct step *step);
int step_terminal(struct child *child, const struct step *step);
int step_working_dir(struct child *child, const struct step *step);
int step_run_as(struct child *child, const struct step *step);
