/* containers/folder, state, log_file, keeper: what a container leaves on disk, who finds it, who undoes it. */
#include "scratch.h"

#include <containers/control.h>
#include <containers/folder.h>
#include <containers/keeper.h>
#include <containers/log_file.h>
#include <containers/monitor.h>
#include <containers/state.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

Test(containers_folder, is_found_by_id_beginning_and_name)
{
	struct scratch scratch = scratch_make();
	struct folder one, two;
	struct error err = {0};
	char path[FOLDER_PATH_MAX], beginning[7];

	cr_expect_eq(folder_find(scratch.path, "x", path, &err), -ENOENT);
	cr_expect_not_null(strstr(err.hint, "there are none"));
	cr_assert_eq(folder_create(scratch.path, "web", &one, &err), 0, "%s", err.message);
	cr_assert_eq(folder_create(scratch.path, NULL, &two, &err), 0, "%s", err.message);
	cr_expect_eq(folder_find(scratch.path, "web", path, &err), 0, "%s", err.message);
	cr_expect_str_eq(path, one.path);
	cr_expect_eq(folder_find(scratch.path, two.id, path, &err), 0);
	cr_expect_str_eq(path, two.path);
	snprintf(beginning, sizeof(beginning), "%s", one.id);
	cr_expect_eq(folder_find(scratch.path, beginning, path, &err), 0);
	cr_expect_str_eq(path, one.path);
	cr_expect_eq(folder_find(scratch.path, "we", path, &err), -ENOENT, "a name is not abbreviated");
	cr_expect_eq(folder_find(scratch.path, "", path, &err), -EINVAL);
	cr_expect_eq(folder_create(scratch.path, "web", &(struct folder){0}, &err), -EEXIST);
	cr_expect_not_null(strstr(err.message, one.id));
	cr_expect_eq(folder_remove(&one, &err), 0);
	cr_expect_eq(folder_remove(&two, &err), 0);
	cr_expect_eq(folder_remove(&two, &err), 0);
	cr_expect_not(path_exists(scratch.path), "the empty parents are gone");
}

Test(containers_folder, an_ambiguous_beginning_is_told)
{
	struct scratch scratch = scratch_make();
	struct error err = {0};
	char path[FOLDER_PATH_MAX];

	cr_assert_eq(dir_make(scratch_path(&scratch, "containers"), 0700, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "containers/abcdef000001"), 0700, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "containers/abcdef000002"), 0700, NULL), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "containers/not-an-id"), 0700, NULL), 0);
	cr_expect_eq(folder_find(scratch.path, "abc", path, &err), -ENOTUNIQ);
	cr_expect_not_null(strstr(err.message, "abcdef000001, abcdef000002") ? err.message
									     : strstr(err.message, "abcdef000002, abcdef000001"));
	cr_expect_eq(folder_find(scratch.path, "abcdef000002", path, &err), 0);
	cr_expect_eq(folder_find(scratch.path, "not", path, &err), -ENOENT);
	scratch_remove(&scratch);
}

Test(containers_folder, of_somebody_else_is_refused)
{
	struct scratch scratch = scratch_make();
	struct folder folder;
	struct error err = {0};
	char path[FOLDER_PATH_MAX];

	cr_assert_eq(dir_make(scratch_path(&scratch, "containers"), 0700, NULL), 0);
	cr_assert_eq(chmod(scratch_path(&scratch, "containers"), 0777), 0);
	cr_expect_eq(folder_create(scratch.path, NULL, &folder, &err), -EPERM);
	cr_expect_eq(folder_find(scratch.path, "a", path, &err), -EPERM);
	scratch_remove(&scratch);
}

static struct container_state example(void)
{
	struct container_state state = {.id = "0123456789ab",
					.name = "web",
					.image = "debian",
					.status = STATE_RUNNING,
					.monitor_pid = 5,
					.pid = 4194303,
					.pid_ticks = 7,
					.created_at = "2026-01-02T03:04:05Z",
					.exit_status = -1,
					.uid = 4294967294u,
					.working_dir = "/"};

	texts_add(&state.command, "sh");
	texts_add(&state.command, "%s", "");
	texts_add(&state.environment, "A=b");
	state.config = json_pack("{s:s}", "rootfs", "/x");
	return state;
}

Test(containers_state, comes_back_as_it_was_written)
{
	struct scratch scratch = scratch_make();
	struct container_state state = example(), back;
	struct error err = {0};

	cr_assert_eq(state_write(scratch.path, &state, &err), 0, "%s", err.message);
	cr_assert_eq(state_read(scratch.path, &back, &err), 0, "%s", err.message);
	cr_expect_str_eq(back.name, "web");
	cr_expect_eq(back.status, STATE_RUNNING);
	cr_expect_eq(back.exit_status, -1);
	cr_expect_eq(back.uid, 4294967294u);
	cr_expect_eq(back.command.n, 2);
	cr_expect_str_eq(back.command.list[1], "");
	cr_expect_str_eq(json_string_value(json_object_get(back.config, "rootfs")), "/x");
	cr_expect_not(state_is_running(&back), "no such process");
	state_done(&back);
	state_done(&state);
	scratch_remove(&scratch);
}

Test(containers_state, a_damaged_one_is_an_error_with_its_place)
{
	static const char *const damaged[] = {"", "[]", "{", "{\"id\": 5}", "{\"id\": \"0123456789abcdef0123\"}", "null"};
	struct scratch scratch = scratch_make();
	struct container_state back;

	for (size_t i = 0; i < sizeof(damaged) / sizeof(damaged[0]); i++) {
		struct error err = {0};

		scratch_write(&scratch, "state.json", damaged[i]);
		cr_expect_eq(state_read(scratch.path, &back, &err), -EBADMSG, "%s", damaged[i]);
		cr_expect_not_null(strstr(err.message, "state.json"), "%s", err.message);
	}
	unlink(scratch_path(&scratch, "state.json"));
	cr_expect_eq(state_read(scratch.path, &back, NULL), -ENOENT);
	scratch_remove(&scratch);
}

Test(containers_log, keeps_the_last_and_the_one_before)
{
	struct scratch scratch = scratch_make();
	struct log_file log = LOG_FILE_NONE;
	struct error err = {0};
	char *text = NULL;
	size_t size;

	cr_assert_eq(log_file_open(scratch.path, 10, &log, &err), 0, "%s", err.message);
	log_file_write(&log, "aaaaaaaa", 8);
	log_file_write(&log, "bbbbbbbb", 8);
	log_file_write(&log, "cccccccc", 8);
	log_file_close(&log);
	FILE *out = open_memstream(&text, &size);
	cr_expect_eq(log_file_print(scratch.path, out, &err), 0);
	fclose(out);
	cr_expect_str_eq(text, "bbbbbbbbcccccccc");
	free(text);
	scratch_remove(&scratch);
}

/* The monitor is a child that is killed; what it named in the journal goes, and the folder too. */
Test(containers_keeper, undoes_what_a_killed_monitor_left, .timeout = 30)
{
	struct scratch scratch = scratch_make();
	struct error err = {0};
	int ready[2];
	char journal[FOLDER_PATH_MAX];

	cr_assert_eq(pipe(ready), 0);
	pid_t monitor = fork();
	if (monitor == 0) {
		struct keeper keeper;
		struct folder folder;

		if (folder_create(scratch.path, NULL, &folder, NULL) < 0 ||
		    keeper_start(folder.path, folder.lock_fd, false, &keeper, NULL) < 0)
			_exit(1);
		if (write(ready[1], folder.path, sizeof(folder.path)) < 0)
			_exit(2);
		pause();
		_exit(3);
	}
	char path[FOLDER_PATH_MAX];
	cr_assert_eq(read(ready[0], path, sizeof(path)), sizeof(path));
	cr_assert_eq(folder_file(path, "journal", journal, sizeof(journal), &err), 0);
	cr_assert_eq(dir_make(scratch_path(&scratch, "x"), 0700, NULL), 0); /* so that the parent stays */
	cr_expect(folder_is_held(path));
	kill(monitor, SIGKILL);
	cr_expect_eq(waitpid(monitor, NULL, 0), monitor);
	cr_expect_eq(folder_wait_free(path, 10000, &err), 0, "%s", err.message);
	cr_expect_not(path_exists(path));
	scratch_remove(&scratch);
}

Test(containers_keeper, goes_quietly_when_dismissed, .timeout = 30)
{
	struct scratch scratch = scratch_make();
	struct folder folder;
	struct keeper keeper;
	struct error err = {0};

	cr_assert_eq(folder_create(scratch.path, NULL, &folder, &err), 0, "%s", err.message);
	cr_assert_eq(keeper_start(folder.path, folder.lock_fd, false, &keeper, &err), 0, "%s", err.message);
	keeper_dismiss(&keeper);
	keeper_dismiss(&keeper);
	cr_expect(path_exists(folder.path));
	cr_expect_eq(waitpid(-1, NULL, WNOHANG), -1);
	cr_expect_eq(folder_remove(&folder, &err), 0);
}

Test(containers_folder, a_dead_one_is_undone_and_removed)
{
	struct scratch scratch = scratch_make();
	struct error err = {0};
	const char *path = scratch_path(&scratch, "containers/0123456789ab");
	char line[256];

	cr_assert_eq(dir_make(scratch_path(&scratch, "containers/0123456789ab/below"), 0700, NULL), 0);
	cr_assert_eq(chmod(scratch_path(&scratch, "containers"), 0700), 0);
	path = scratch_path(&scratch, "containers/0123456789ab");
	snprintf(line, sizeof(line), "path %s/below\n", path);
	scratch_write(&scratch, "containers/0123456789ab/journal", line);
	chmod(scratch_path(&scratch, "containers/0123456789ab/journal"), 0600);
	path = scratch_path(&scratch, "containers/0123456789ab");
	cr_expect_eq(folder_leftovers(path, NULL, NULL), 1);
	cr_expect_eq(control_remove(path, false, &err), 0, "%s", err.message);
	cr_expect_not(path_exists(scratch.path));
}

enum { LONELY_USER = 61234 };

/* As a user who may have so many processes and no more; returns the exit status: 0 where the start failed as it should. */
static int start_with_processes(const char *base, rlim_t processes)
{
	const struct rlimit limit = {processes, processes};
	pid_t pid = fork();
	int status = -1;

	if (pid == 0) {
		struct run_spec spec = run_spec_default();
		struct run_program program = {0};
		char id[FOLDER_ID_HEX + 1];
		struct error err = {0};

		spec.detach = true;
		if (setresgid(LONELY_USER, LONELY_USER, LONELY_USER) < 0 || setrlimit(RLIMIT_NPROC, &limit) < 0 ||
		    setresuid(LONELY_USER, LONELY_USER, LONELY_USER) < 0)
			_exit(2);
		int rc = monitor_background(base, &spec, &program, id, &err);
		_exit(rc == -EAGAIN && strstr(err.message, "fork the monitor") ? 0 : 3);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

Test(monitor, a_fork_that_fails_leaves_nothing, .timeout = 60)
{
	if (geteuid() != 0)
		cr_skip_test("needs root, to become a user without other processes");
	for (rlim_t processes = 1; processes <= 2; processes++) {
		struct scratch scratch = scratch_make();
		const char *base = scratch_path(&scratch, "base");

		cr_assert_eq(dir_make(base, 0700, NULL), 0);
		cr_assert(chown(scratch.path, LONELY_USER, LONELY_USER) == 0 && chown(base, LONELY_USER, LONELY_USER) == 0);
		cr_expect_eq(start_with_processes(base, processes), 0, "with %d processes", (int)processes);
		cr_expect_eq(access(base, F_OK), -1, "its folder is left");
		scratch_remove(&scratch);
	}
}
