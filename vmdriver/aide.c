#include "aide.h"

#include <base/files.h>
#include <base/journal.h>
#include <bench/cleanup.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { ID_SIZE = 48, MACHINES_MAX = 4096 };

enum aide_op { AIDE_PREPARE, AIDE_ADMIT, AIDE_RELEASE };

struct request {
	enum aide_op op;
	pid_t pid;
	char id[ID_SIZE];
};

struct reply {
	struct error error; /* code 0: done */
	struct network_link link;
	char memory_dir[CGROUP_PATH_MAX];
	struct aide_facts facts; /* of the first reply alone */
};

struct aide {
	pid_t pid;
	int socket_fd;
	struct aide_facts facts;
};

/* ---- the aide's own process ---- */

struct machine {
	struct machine *next;
	char id[ID_SIZE];
	struct network_link link;
	struct cgroup group;
};

struct work {
	const struct aide_options *options;
	pid_t caller;
	int socket_fd;
	struct network *network;
	struct cgroup_tree tree;
	struct machine *machines;
	size_t n_machines;
};

static int open_links(struct work *work, struct aide_facts *facts, struct error *err)
{
	struct network_options options = {.bridge = work->options->bridge, .journal = work->options->journal};

	if (!work->options->link)
		return 0;
	int rc = network_support(err);
	if (rc == 0)
		rc = network_open(&options, &work->network, err);
	if (rc == 0)
		snprintf(facts->network, sizeof(facts->network), "eth0 on bridge %s, %s", network_bridge(work->network),
			 network_subnet(work->network));
	return rc;
}

static int refuse_note(const struct cgroup_tree *tree, struct error *err)
{
	error_set(err, EPERM, "%s", tree->note);
	return error_hint(err, "%s%sgo without limits: cgroup=auto or cgroup=off", tree->remedy, tree->remedy[0] ? "; or " : "");
}

static void tell_groups(const struct work *work, enum cgroup_mode mode, struct aide_facts *facts)
{
	const struct cgroup_tree *tree = &work->tree;
	size_t used = (size_t)snprintf(facts->cgroup, sizeof(facts->cgroup), "%s", tree->n_dirs ? cgroup_mode_names[mode] : "none");

	for (int i = 0; i < CGROUP_CONTROLLER_COUNT && used < sizeof(facts->cgroup); i++)
		if (tree->dir_of[i] >= 0)
			used += (size_t)snprintf(facts->cgroup + used, sizeof(facts->cgroup) - used, " %s", cgroup_controller_names[i]);
	cgroup_limits_text(tree, work->options->limits, facts->limits, sizeof(facts->limits));
	snprintf(facts->note, sizeof(facts->note), "%s", tree->note);
	facts->groups = tree->n_dirs > 0;
}

static int open_groups(struct work *work, struct aide_facts *facts, struct error *err)
{
	const struct aide_options *o = work->options;
	const unsigned counted = CGROUP_BIT(CGROUP_MEMORY) | CGROUP_BIT(CGROUP_PIDS) | CGROUP_BIT(CGROUP_CPUACCT);
	struct cgroup_layout layout;

	if (!o->cgroup_name)
		return 0;
	int rc = cgroup_detect("", &layout, err);
	if (rc == 0)
		rc = cgroup_tree_plan_limits("", &layout, o->cgroup_name, o->limits, counted, &work->tree, err);
	if (rc < 0)
		return rc;
	if (work->tree.note[0] && o->cgroup_required)
		return refuse_note(&work->tree, err);
	rc = cgroup_tree_open(&work->tree, o->journal, err);
	if (rc == 0 && cgroup_tree_try(&work->tree, o->limits, err) != 0 && o->cgroup_required)
		rc = err->code ? -err->code : -EPERM;
	if (rc < 0 && !o->cgroup_required) {
		cgroup_tree_abandon(&work->tree);
		snprintf(work->tree.note, sizeof(work->tree.note), "no control groups: %.200s", err->message);
		rc = 0;
	}
	if (rc == 0)
		tell_groups(work, layout.mode, facts);
	return rc;
}

static struct machine **find(struct work *work, const char *id)
{
	struct machine **at = &work->machines;

	while (*at && strcmp((*at)->id, id) != 0)
		at = &(*at)->next;
	return at;
}

static int release(struct work *work, struct machine **at, struct error *err)
{
	struct machine *machine = *at;
	int rc = 0, detached = 0;

	if (!machine)
		return 0;
	rc = cgroup_remove(&work->tree, &machine->group, err);
	if (work->network)
		detached = network_detach(work->network, &machine->link, rc < 0 ? NULL : err);
	*at = machine->next;
	free(machine);
	work->n_machines--;
	return rc < 0 ? rc : detached;
}

static int prepare(struct work *work, const char *id, struct reply *reply, struct error *err)
{
	struct machine **at = find(work, id);
	int rc = 0;

	if (*at)
		return error_set(err, EEXIST, "there is a machine of that name");
	if (work->n_machines == MACHINES_MAX)
		return error_set(err, E2BIG, "more than %d machines at once", MACHINES_MAX);
	*at = calloc(1, sizeof(**at));
	if (!*at)
		return error_set(err, ENOMEM, "out of memory");
	work->n_machines++;
	snprintf((*at)->id, sizeof((*at)->id), "%s", id);
	if (work->tree.n_dirs)
		rc = cgroup_create(&work->tree, id, work->options->limits, &(*at)->group, err);
	if (rc == 0 && work->network)
		rc = network_attach_tap(work->network, work->options->uid, &(*at)->link, err);
	if (rc < 0) {
		release(work, at, NULL);
		return rc;
	}
	reply->link = (*at)->link;
	return 0;
}

/* All four of its user ids; false: it has ended, or the file is not what it should be. */
static bool is_of_user(pid_t pid, uid_t uid)
{
	char path[64], text[8192], ids[128], *at = ids, *end = NULL;
	int n = 0;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	if (file_read("", path, text, sizeof(text), NULL) < 0 || !text_field(text, "Uid", ids, sizeof(ids)))
		return false;
	for (; n < 4 && strtoul(at, &end, 10) == uid && end != at; n++)
		at = end;
	return n == 4;
}

static bool share_user_namespace(pid_t a, pid_t b)
{
	struct stat of[2];
	char path[64];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)(i ? b : a));
		if (stat(path, &of[i]) < 0)
			return false;
	}
	return of[0].st_dev == of[1].st_dev && of[0].st_ino == of[1].st_ino;
}

/* What is in a group is killed with it. So no process gets there that the caller, who has given up root, could not kill by itself. The descriptor comes
 * first: what was looked at is that process, if it still lives afterwards. */
static int hold_process(const struct work *work, pid_t pid, struct error *err)
{
	_cleanup_close_ int fd = pid > 1 ? (int)syscall(SYS_pidfd_open, pid, 0) : -1;
	bool fits = fd >= 0 && is_of_user(pid, work->options->uid) && share_user_namespace(pid, work->caller);

	if (fd < 0 || poll(&(struct pollfd){.fd = fd, .events = POLLIN}, 1, 0) != 0)
		return error_set(err, ESRCH, "process %d has ended", (int)pid);
	return fits ? take_fd(&fd) : error_set(err, EPERM, "process %d is not one of QEMU's user and user namespace", (int)pid);
}

static int admit(struct work *work, const struct request *request, struct reply *reply, struct error *err)
{
	struct machine *machine = *find(work, request->id);
	const char *dir;

	if (!machine)
		return error_set(err, ENOENT, "there is no machine of that name");
	if (machine->group.n_dirs == 0)
		return 0;
	_cleanup_close_ int held = hold_process(work, request->pid, err);
	if (held < 0)
		return held;
	dir = cgroup_memory_dir(&work->tree, &machine->group);
	snprintf(reply->memory_dir, sizeof(reply->memory_dir), "%s", dir ? dir : "");
	return cgroup_admit(&machine->group, request->pid, err);
}

/* It becomes the name of a group. */
static bool is_id(const char *id)
{
	return id[0] && id[0] != '.' && !strchr(id, '/');
}

static void handle(struct work *work, const struct request *request, struct reply *reply)
{
	if (!is_id(request->id)) {
		error_set(&reply->error, EINVAL, "that is no name of a machine");
		return;
	}
	switch (request->op) {
	case AIDE_PREPARE:
		prepare(work, request->id, reply, &reply->error);
		break;
	case AIDE_ADMIT:
		admit(work, request, reply, &reply->error);
		break;
	case AIDE_RELEASE:
		release(work, find(work, request->id), &reply->error);
		break;
	default:
		error_set(&reply->error, EBADMSG, "unknown request");
	}
}

static void answer(struct work *work, struct request *request)
{
	struct reply reply = {0};

	request->id[ID_SIZE - 1] = '\0';
	handle(work, request, &reply);
	/* A caller that is gone is seen at the next read. */
	send(work->socket_fd, &reply, sizeof(reply), MSG_NOSIGNAL);
}

/* Whoever held these open would keep their other ends from seeing that the caller died. */
static void close_others(int socket_fd, int journal_fd)
{
	const int keep[] = {socket_fd < journal_fd ? socket_fd : journal_fd, socket_fd < journal_fd ? journal_fd : socket_fd};
	unsigned from = 3;

	for (int i = 0; i < 2; i++) {
		if (keep[i] < (int)from)
			continue;
		if (keep[i] > (int)from)
			close_range(from, (unsigned)keep[i] - 1, 0);
		from = (unsigned)keep[i] + 1;
	}
	close_range(from, ~0u, 0);
}

static void serve(struct work *work)
{
	struct request request;
	ssize_t got;

	while ((got = recv(work->socket_fd, &request, sizeof(request), 0)) == sizeof(request) || (got < 0 && errno == EINTR))
		if (got > 0)
			answer(work, &request);
}

static _Noreturn void aide_main(const struct aide_options *options, int socket_fd)
{
	struct work work = {.options = options,
			    .caller = getppid(),
			    .socket_fd = socket_fd,
			    .tree = {.ops = &cgroup_null_ops, .dir_of = CGROUP_NO_DIRS}};
	struct reply first = {0};

	prctl(PR_SET_NAME, "bench-aide");
	close_others(socket_fd, journal_fd(options->journal));
	/* What stops the caller ends the aide by the end of its socket, and not before it has undone its work. */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	int rc = open_links(&work, &first.facts, &first.error);
	if (rc == 0)
		rc = open_groups(&work, &first.facts, &first.error);
	if (rc == 0)
		first.error = (struct error){0};
	if (send(socket_fd, &first, sizeof(first), MSG_NOSIGNAL) == sizeof(first) && rc == 0)
		serve(&work);
	while (work.machines)
		release(&work, &work.machines, NULL);
	network_close(work.network);
	cgroup_tree_close(&work.tree, NULL);
	_exit(0);
}

/* ---- the caller's side ---- */

static int receive(struct aide *aide, struct reply *ret, struct error *err)
{
	ssize_t got;

	do
		got = recv(aide->socket_fd, ret, sizeof(*ret), 0);
	while (got < 0 && errno == EINTR);
	if (got != sizeof(*ret))
		return error_set(err, ECHILD, "the process that makes links and control groups died");
	if (ret->error.code && err)
		*err = ret->error;
	return ret->error.code ? -ret->error.code : 0;
}

static int ask(struct aide *aide, enum aide_op op, const char *id, pid_t pid, struct reply *ret, struct error *err)
{
	struct request request = {.op = op, .pid = pid};

	if (strlen(id) >= sizeof(request.id))
		return error_set(err, ENAMETOOLONG, "name of a machine: longer than %d characters", ID_SIZE - 1);
	strcpy(request.id, id);
	if (send(aide->socket_fd, &request, sizeof(request), MSG_NOSIGNAL) < 0)
		return error_errno(err, "process that makes links and control groups");
	return receive(aide, ret, err);
}

int aide_open(const struct aide_options *options, struct aide **ret, struct error *err)
{
	struct aide *aide = calloc(1, sizeof(*aide));
	struct reply first;
	int ends[2];

	if (!aide)
		return error_set(err, ENOMEM, "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0) {
		free(aide);
		return error_errno(err, "socket pair");
	}
	aide->socket_fd = ends[0];
	aide->pid = fork();
	if (aide->pid == 0)
		aide_main(options, ends[1]);
	close(ends[1]);
	int rc = aide->pid < 0 ? error_errno(err, "fork") : receive(aide, &first, err);
	if (rc < 0) {
		aide_close(aide);
		return rc;
	}
	aide->facts = first.facts;
	*ret = aide;
	return 0;
}

const struct aide_facts *aide_facts(const struct aide *aide)
{
	return &aide->facts;
}

int aide_prepare(struct aide *aide, const char *id, struct network_link *ret_link, struct error *err)
{
	struct reply reply;
	int rc = ask(aide, AIDE_PREPARE, id, 0, &reply, err);

	if (rc == 0 && reply.link.host_name[0])
		*ret_link = reply.link;
	return rc;
}

int aide_admit(struct aide *aide, const char *id, pid_t pid, char *ret_memory_dir, struct error *err)
{
	struct reply reply;
	int rc = ask(aide, AIDE_ADMIT, id, pid, &reply, err);

	if (rc == 0)
		memcpy(ret_memory_dir, reply.memory_dir, CGROUP_PATH_MAX);
	return rc;
}

int aide_release(struct aide *aide, const char *id, struct error *err)
{
	struct reply reply;

	return ask(aide, AIDE_RELEASE, id, 0, &reply, err);
}

void aide_close(struct aide *aide)
{
	if (!aide)
		return;
	close(aide->socket_fd);
	while (aide->pid > 0 && waitpid(aide->pid, NULL, 0) < 0 && errno == EINTR)
		;
	free(aide);
}
