/* A guest that makes QEMU say more than the host has room for. */
#include "vm_scene.h"

#include <sys/stat.h>

static int64_t size_of_files(const char *dir_path)
{
	_cleanup_closedir_ DIR *dir = opendir(dir_path);
	char path[PATH_MAX];
	int64_t total = 0;

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		struct stat st;

		snprintf(path, sizeof(path), "%s/%s", dir_path, entry->d_name);
		if (entry->d_name[0] == '.' || lstat(path, &st) < 0)
			continue;
		total += S_ISDIR(st.st_mode) ? size_of_files(path) : S_ISREG(st.st_mode) ? st.st_size : 0;
	}
	return total;
}

static void act_flood(struct scene *s)
{
	struct vm_host *host = open_host(s);
	struct error err = {0};
	struct vm_stamps stamps;
	struct vm *vm;

	if (!host)
		return;
	if (vm_start(host, "flood", in_ms(READY_MS), &vm, &err) < 0) {
		fail("start: %s", err.message);
		return;
	}

	int64_t before = size_of_files(s->run_dir);

	check(reaches_pong(vm_view(vm)), "a guest that floods does not get on");
	vm_stamps(vm, &stamps);
	check(vm_view(vm)->launched_ns <= stamps.running_ns && stamps.running_ns <= vm_view(vm)->resumed_ns, "ran at %lld",
	      (long long)stamps.running_ns);

	/* A trace of it is 1.4 MB a time. */
	check(write(vm_view(vm)->control_fd, "ping\n", 5) == 5 && reaches_pong(vm_view(vm)), "nor does it the second time");

	int64_t grown = size_of_files(s->run_dir) - before;

	check(grown < 256 << 10, "the run's folder has grown by %lld bytes", (long long)grown);
	check(vm_stop(vm, &err) == 0, "stop: %s", err.message);
	vm_host_close(host);
}

Test(vm_flood, does_not_fill_the_host, .timeout = 280)
{
	struct scene scene;

	prepare(&scene);
	scene.options.init_path = GUEST_FLOOD;
	scene.options.trace_guest = true;
	play(&scene, act_flood);
}
