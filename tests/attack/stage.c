/* Building the stage, starting a container on it, listening. */
#include "stage.h"

#include <base/files.h>
#include <bench/cleanup.h>
#include <bench/timeline.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ATTACK_MS = 60000, END_MS = 1000, ORDINARY = 65534 };

void outcome_set(struct outcome *outcome, enum outcome_kind kind, const char *format, ...)
{
	va_list ap;

	outcome->kind = kind;
	va_start(ap, format);
	vsnprintf(outcome->how, sizeof(outcome->how), format, ap);
	va_end(ap);
}

/* ---- what there is on the host ---- */

__attribute__((format(printf, 2, 3))) static void tell(struct stage *stage, const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	if (stage->n_variables == STAGE_VARIABLES || vasprintf(&stage->variables[stage->n_variables], format, ap) < 0)
		abort();
	va_end(ap);
	stage->n_variables++;
}

void stage_copy(const char *from, const char *to, unsigned mode)
{
	struct error err = {0};

	if (file_copy(from, to, mode, &err) < 0 || chmod(to, mode) < 0) {
		fprintf(stderr, "stage: %s\n", err.message);
		abort();
	}
}

void stage_write(const struct stage *stage, const char *name, const char *text, unsigned mode)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", stage->image, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0)
		abort();
	close(fd);
}

static void start_canary(struct stage *stage)
{
	stage->canary_pid = fork();
	if (stage->canary_pid > 0)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_DUMPABLE, 1);
	setpgid(0, 0);
	for (;;)
		pause();
}

static void open_sockets(struct stage *stage)
{
	struct sockaddr_un name = {.sun_family = AF_UNIX};
	struct sockaddr_in port = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(port);

	stage->socket_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	stage->port_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int length = snprintf(name.sun_path + 1, sizeof(name.sun_path) - 1, "bench-attack-%d", (int)getpid());
	if (bind(stage->socket_fd, (void *)&name, (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length)) < 0 ||
	    bind(stage->port_fd, (void *)&port, sizeof(port)) < 0 || listen(stage->socket_fd, 100) < 0 || listen(stage->port_fd, 100) < 0 ||
	    getsockname(stage->port_fd, (void *)&port, &size) < 0)
		abort();
	tell(stage, "HOST_SOCKET=%s", name.sun_path + 1);
	tell(stage, "HOST_PORT=%d", ntohs(port.sin_port));
}

/* Memory and a queue in the host's IPC namespace, ended by stage_close(). */
static void make_ipc(struct stage *stage)
{
	key_t key = 0x62000000 | (getpid() & 0xffffff);

	stage->shm = shmget(key, 4096, IPC_CREAT | IPC_EXCL | 0666);
	stage->queue = msgget(key, IPC_CREAT | IPC_EXCL | 0666);
	tell(stage, "HOST_IPC=%d", (int)key);
	tell(stage, "HOST_SHM=%d", stage->shm);
}

/* NAME_KIND is length << 16 | type, 0 where the kernel has no such handle; NAME_A and NAME_B are its words. */
static void tell_handle(struct stage *stage, const char *name, int fd)
{
	struct {
		unsigned bytes;
		int type;
		long words[16];
	} handle = {.bytes = sizeof(handle.words)};
	int mount_id;

	if (syscall(SYS_name_to_handle_at, fd, "", &handle, &mount_id, AT_EMPTY_PATH) < 0 || handle.bytes > 2 * sizeof(long))
		handle.bytes = 0;
	tell(stage, "%s_KIND=%u", name, handle.bytes ? handle.bytes << 16 | (unsigned)handle.type : 0);
	tell(stage, "%s_A=%ld", name, handle.words[0]);
	tell(stage, "%s_B=%ld", name, handle.words[1]);
	close(fd);
}

static void tell_host(struct stage *stage)
{
	static const char *const kinds[] = {"mnt", "pid", "net", "user", "uts"};
	static const char secret[] = "bench-attack secret";

	tell(stage, "PATH=/");
	tell(stage, "HOST_PID=%d", (int)stage->canary_pid);
	tell(stage, "HOST_ADDRESS=%ld", (long)(intptr_t)secret);
	tell(stage, "HOST_FILE=%s", stage->file);
	/* A session keyring of our own: the key must not lie in that of whoever calls the test. */
	syscall(SYS_keyctl, 1 /* JOIN_SESSION_KEYRING */, NULL);
	tell(stage, "HOST_KEY=%ld", syscall(SYS_add_key, "user", "bench-attack", secret, sizeof(secret), -3));
	tell_handle(stage, "HOST_MNT", open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
	tell_handle(stage, "HOST_PIDFS", (int)syscall(SYS_pidfd_open, stage->canary_pid, 0));
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char path[64], link[64] = "";

		snprintf(path, sizeof(path), "/proc/self/ns/%s", kinds[i]);
		if (readlink(path, link, sizeof(link) - 1) < 0)
			abort();
		tell(stage, "HOST_NS_%s=%s", kinds[i], link);
	}
}

/* As a login of another user would be: no group, no capability, and /proc/self its own. */
static void become_ordinary(const struct stage *stage)
{
	if (geteuid() != 0)
		return;
	if (chown(stage->base, ORDINARY, ORDINARY) < 0 || setgroups(0, NULL) < 0 || setresgid(ORDINARY, ORDINARY, ORDINARY) < 0 ||
	    setresuid(ORDINARY, ORDINARY, ORDINARY) < 0)
		abort();
	prctl(PR_SET_DUMPABLE, 1);
}

/* Mounts of our own, and a peer group of our own: what others mount on this host meanwhile does not show, and what a container made of these
 * mounts lets out does. */
static int leave_peers(struct error *err)
{
	if (geteuid() == 0 && (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
			       mount(NULL, "/", NULL, MS_REC | MS_SHARED, NULL) < 0))
		return error_errno(err, "make mounts of our own");
	return 0;
}

int stage_open(struct stage *stage, const char *program, bool ordinary, struct error *err)
{
	*stage = (struct stage){.base = "/tmp/bench-attack-XXXXXX", .shm = -1, .queue = -1, .socket_fd = -1, .port_fd = -1};
	snprintf(stage->program, sizeof(stage->program), "%s", program);
	if (leave_peers(err) < 0)
		return -1;
	if (!mkdtemp(stage->base) || chmod(stage->base, 0755) < 0)
		return error_errno(err, "make %s", stage->base);
	if (ordinary)
		become_ordinary(stage);
	snprintf(stage->image, sizeof(stage->image), "%s/image", stage->base);
	snprintf(stage->outside, sizeof(stage->outside), "%s/outside", stage->base);
	snprintf(stage->file, sizeof(stage->file), "%s/secret", stage->outside);
	if (mkdir(stage->outside, 0755) < 0)
		return error_errno(err, "make %s", stage->outside);
	char path[128];
	snprintf(path, sizeof(path), "%s/attack", stage->outside);
	stage_copy(stage->program, path, 0755);
	int fd = open(stage->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
	if (fd < 0 || write(fd, "secret\n", 7) != 7)
		return error_errno(err, "write %s", stage->file);
	close(fd);
	/* On purpose: it stays open across exec, as a careless library's would. */
	int dir = open(stage->outside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || dup2(dir, LEAKED_FD) < 0)
		return error_errno(err, "leak %s", stage->outside);
	close(dir);
	cgroup_run_name("", stage->cgroup_name, sizeof(stage->cgroup_name));
	start_canary(stage);
	tell_host(stage);
	open_sockets(stage);
	make_ipc(stage);
	return 0;
}

void stage_close(struct stage *stage)
{
	if (stage->canary_pid > 0) {
		kill(stage->canary_pid, SIGKILL);
		waitpid(stage->canary_pid, NULL, 0);
	}
	for (size_t i = 0; i < stage->n_variables; i++)
		free(stage->variables[i]);
	shmctl(stage->shm, IPC_RMID, NULL);
	msgctl(stage->queue, IPC_RMID, NULL);
	close(stage->socket_fd);
	close(stage->port_fd);
	close(LEAKED_FD);
	dir_remove(stage->base, NULL);
}

void stage_reset(struct stage *stage, const char *attack, enum container_choice userns, bool seccomp_off)
{
	static const char *const folders[] = {"", "/proc", "/sys", "/dev", "/tmp", "/run", "/data"};
	char path[128];

	dir_remove(stage->image, NULL);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s%s", stage->image, folders[i]);
		if (mkdir(path, 0755) < 0)
			abort();
	}
	snprintf(path, sizeof(path), "%s/attack", stage->image);
	stage_copy(stage->program, path, 0755);
	stage->argv[0] = "/attack";
	stage->argv[1] = attack;
	stage->argv[2] = NULL;
	stage->options = container_options_default();
	stage->options.rootfs = stage->image;
	stage->options.argv = stage->argv;
	stage->options.envp = (const char *const *)stage->variables;
	stage->options.userns = userns;
	stage->options.seccomp_off = seccomp_off;
	stage->options.cgroup_name = stage->cgroup_name;
	stage->options.limits = (struct cgroup_limits){.memory_bytes = 96 << 20, .cpu_percent = 100, .pids_max = 64};
}

/* ---- playing ---- */

/* The last line is the verdict; "HOLDING" before it is a question. `ended`: by itself, before it was stopped. */
static void judge(const char *text, int status, bool ended, struct outcome *outcome)
{
	const char *line = strstr(text, "ESCAPED: ");

	if (outcome->kind != OUTCOME_HELD)
		return; /* the scene saw it */
	if (line)
		outcome_set(outcome, OUTCOME_ESCAPED, "%.*s", (int)strcspn(line + 9, "\r\n"), line + 9);
	else if ((line = strstr(text, "held: ")))
		outcome_set(outcome, OUTCOME_HELD, "%.*s", (int)strcspn(line + 6, "\r\n"), line + 6);
	else if (status == 128 + SIGKILL && ended)
		outcome_set(outcome, OUTCOME_HELD, "the container was ended by a limit of its group");
	else
		outcome_set(outcome, OUTCOME_BROKEN, "no verdict, status %d: %.200s", status, text);
}

/* Reads until the end of the stream or the deadline. */
static void listen_to(int stream, struct stage *stage, struct container *container, const struct scene *scene, char *text, size_t size,
		      struct outcome *outcome)
{
	int64_t deadline_ns = clock_now_ns() + (int64_t)ATTACK_MS * 1000000;
	size_t used = 0;
	bool asked = false;

	text[0] = '\0';
	while (used < size - 1) {
		int64_t left_ms = (deadline_ns - clock_now_ns()) / 1000000;
		ssize_t got = 0;

		if (left_ms <= 0 || poll(&(struct pollfd){.fd = stream, .events = POLLIN}, 1, (int)left_ms) <= 0)
			break;
		got = read(stream, text + used, size - 1 - used);
		if (got <= 0)
			break;
		used += (size_t)got;
		text[used] = '\0';
		if (asked || !strstr(text, "HOLDING\n"))
			continue;
		asked = true;
		if (scene && scene->during)
			scene->during(stage, container, outcome);
		if (send(stream, "\n", 1, MSG_NOSIGNAL) < 0 && write(stream, "\n", 1) < 0)
			break; /* a terminal is no socket */
	}
}

void stage_start_prepared(struct stage *stage, struct container_plan *plan, const struct scene *scene, struct outcome *outcome)
{
	struct container container = CONTAINER_NONE;
	struct error err = {0};
	char text[4096];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	const int stdio[3] = {pair[1], pair[1], -1};
	int rc = container_start(plan, "victim", stdio, 0, &container, &err);
	close(pair[1]);
	if (rc < 0) {
		outcome_set(outcome, OUTCOME_HELD, "refused: %s", err.message);
	} else {
		listen_to(stage->options.terminal ? container.terminal_fd : pair[0], stage, &container, scene, text, sizeof(text), outcome);
		bool ended = poll(&(struct pollfd){.fd = container.pidfd, .events = POLLIN}, 1, END_MS) == 1;
		cleanup_close(&container.terminal_fd);
		if (container_stop(plan, &container, &err) < 0)
			outcome_set(outcome, OUTCOME_BROKEN, "%s", err.message);
		else
			judge(text, container.status, ended, outcome);
	}
	close(pair[0]);
}

void stage_start(struct stage *stage, const struct scene *scene, struct outcome *outcome)
{
	struct container_plan *plan = NULL;
	struct error err = {0};

	if (container_prepare(&stage->options, &plan, &err) < 0) {
		outcome_set(outcome, OUTCOME_HELD, "refused: %s", err.message);
		return;
	}
	stage_start_prepared(stage, plan, scene, outcome);
	container_plan_free(plan);
}

/* /tmp is new, with the stage in it: what an attack leaves behind goes with the mounts. */
static void enter_private_mounts(const struct stage *stage)
{
	char from[64];

	if (unshare(CLONE_NEWNS | CLONE_NEWUTS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		_exit(99);
	int fd = open(stage->base, O_PATH | O_DIRECTORY | O_CLOEXEC);
	snprintf(from, sizeof(from), "/proc/self/fd/%d", fd);
	if (mount("tmpfs", "/tmp", "tmpfs", 0, NULL) < 0 || mkdir(stage->base, 0755) < 0 ||
	    mount(from, stage->base, NULL, MS_BIND, NULL) < 0)
		_exit(99);
}

void stage_play_outside(struct stage *stage, const char *attack, struct outcome *outcome)
{
	char text[4096], path[128];
	int pair[2], status = 0;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
		abort();
	pid_t pid = fork();
	if (pid == 0) {
		enter_private_mounts(stage);
		snprintf(path, sizeof(path), "IMAGE=%s", stage->image);
		tell(stage, "%s", path);
		tell(stage, "SETUID=%s/setuid", stage->image);
		tell(stage, "CONTROL=1");
		snprintf(path, sizeof(path), "%s/attack", stage->outside);
		if (dup2(pair[1], 0) == 0 && dup2(pair[1], 1) == 1)
			execve(path, (char *const[]){path, (char *)(intptr_t)attack, NULL}, stage->variables);
		_exit(98);
	}
	close(pair[1]);
	listen_to(pair[0], stage, NULL, NULL, text, sizeof(text), outcome);
	close(pair[0]);
	waitpid(pid, &status, 0);
	judge(text, WIFEXITED(status) ? WEXITSTATUS(status) : -1, true, outcome);
}
