#include "boot_trace.h"

#include <bench/cleanup.h>
#include <bench/timeline.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

enum {
	/* Keys of fw_cfg that carry the kernel: its address, size, data, entry, command line, initramfs, set-up (QEMU's
	 * include/standard-headers/linux/qemu_fw_cfg.h). A guest's kernel may have a driver for the rest, and use it later on. */
	KEY_FIRST = 0x07,
	KEY_LAST = 0x18,
	KEY_NUMA = 0x0d,
	KEY_MAX_CPUS = 0x0f,
};

void boot_trace_init(struct boot_trace *t)
{
	*t = (struct boot_trace){.fd = -1, .opened = -1};
	trace_pipe_init(&t->pipe);
}

static int watch_process(struct boot_trace *t, const char *pid_dir, const char *name, struct error *err)
{
	snprintf(t->pid_name, sizeof(t->pid_name), "%s.pid", name);
	t->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (t->fd < 0 || inotify_add_watch(t->fd, pid_dir, IN_CREATE | IN_MOVED_TO) < 0)
		return error_errno(err, "watch %s", pid_dir);
	/* After our own opening, so that the first that is told of is QEMU's. */
	t->opened = t->path[0] ? inotify_add_watch(t->fd, t->path, IN_OPEN) : -1;
	return t->path[0] && t->opened < 0 ? error_errno(err, "watch %s", t->path) : 0;
}

int boot_trace_begin(struct boot_trace *t, const char *path, const char *pid_dir, const char *name, struct error *err)
{
	int rc = 0;

	if (path[0]) {
		snprintf(t->path, sizeof(t->path), "%s", path);
		rc = trace_pipe_open(&t->pipe, path, err);
	}
	return rc == 0 && pid_dir ? watch_process(t, pid_dir, name, err) : rc;
}

void boot_trace_take(struct boot_trace *t)
{
	_Alignas(struct inotify_event) char events[4096];
	int64_t now_ns = clock_now_ns();
	ssize_t got = read(t->fd, events, sizeof(events));

	for (const char *at = events; got > 0 && at < events + got;) {
		const struct inotify_event *event = (const void *)at;

		if (event->len > 0 && strcmp(event->name, t->pid_name) == 0 && t->forked_ns == 0)
			t->forked_ns = now_ns;
		if (event->wd == t->opened && event->mask & IN_OPEN && t->begun_ns == 0)
			t->begun_ns = now_ns;
		at += sizeof(*event) + event->len;
	}
}

/* "4711@1795489053.230729:": the time of day in nanoseconds; 0: this is no line of a trace. */
static int64_t parse_stamp(const char *line, const char **ret_event)
{
	const char *at = strchr(line, '@');
	char *end;

	if (!at)
		return 0;

	long long seconds = strtoll(at + 1, &end, 10);

	if (*end != '.' || seconds <= 0 || seconds > INT64_MAX / 1000000000 - 1)
		return 0;

	const char *fraction = end + 1;
	long microseconds = strtol(fraction, &end, 10);

	*ret_event = end + 1;
	return *end == ':' && end - fraction == 6 && microseconds >= 0 ? seconds * 1000000000 + microseconds * 1000 : 0;
}

/* "fw_cfg_select 0x55697efa7220 key 0x0015 'cmdline_data', ret: 1" */
static bool is_part_of_kernel(const char *event)
{
	const char *key = strstr(event, " key 0x");
	long number = key && strncmp(event, "fw_cfg_select ", 14) == 0 ? strtol(key + strlen(" key "), NULL, 16) : -1;

	return number >= KEY_FIRST && number <= KEY_LAST && (number < KEY_NUMA || number > KEY_MAX_CPUS);
}

static void parse_line(const char *line, struct vm_stamps *stamps)
{
	const char *event;
	int64_t at_ns = parse_stamp(line, &event);

	if (at_ns == 0)
		return;
	if (stamps->running_ns == 0 && strncmp(event, "vm_state_notify running 1 ", 26) == 0)
		stamps->running_ns = at_ns;
	if (is_part_of_kernel(event))
		stamps->kernel_ns = at_ns;
}

void boot_trace_parse(const char *text, struct vm_stamps *ret)
{
	char line[256];

	*ret = (struct vm_stamps){0};
	/* What has no end is not written yet. */
	for (const char *end; (end = strchr(text, '\n')); text = end + 1)
		if ((size_t)(end - text) < sizeof(line)) {
			memcpy(line, text, (size_t)(end - text));
			line[end - text] = '\0';
			parse_line(line, ret);
		}
}

/* QEMU stamps with the time of day. It is the same clock as ours but for an offset, which changes by what the clock is corrected. */
static int64_t time_of_day_offset_ns(void)
{
	struct timespec day;
	int64_t before_ns = clock_now_ns();

	clock_gettime(CLOCK_REALTIME, &day);
	return (int64_t)day.tv_sec * 1000000000 + day.tv_nsec - (before_ns + clock_now_ns()) / 2;
}

void boot_trace_stamps(struct boot_trace *t, struct vm_stamps *ret)
{
	_cleanup_free_ char *text = trace_pipe_text(&t->pipe);
	int64_t offset_ns = time_of_day_offset_ns();

	*ret = (struct vm_stamps){0};
	if (!text)
		return;
	boot_trace_parse(text, ret);
	ret->running_ns -= ret->running_ns > 0 ? offset_ns : 0;
	ret->kernel_ns -= ret->kernel_ns > 0 ? offset_ns : 0;
}

void boot_trace_done(struct boot_trace *t)
{
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	if (t->path[0])
		unlink(t->path);
	t->path[0] = '\0';
	trace_pipe_done(&t->pipe);
}
