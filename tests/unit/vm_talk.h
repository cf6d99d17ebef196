/* In the child of a scene (vm_scene.h): a machine that has booted, and requests to the agent in it. */
#pragma once

#include "vm_scene.h"

/* Sends a request and reads its answer of one line. */
static __attribute__((unused)) bool ask(const struct vm *vm, const char *request, char *ret, size_t size)
{
	int fd = vm_view(vm)->control_fd;
	size_t length = strlen(request);

	ret[0] = '\0';
	return write(fd, request, length) == (ssize_t)length && write(fd, "\n", 1) == 1 && line_read(fd, in_ms(READY_MS), ret, size);
}

static __attribute__((unused)) void expect(const struct vm *vm, const char *request, const char *answer)
{
	char line[512], why[400];

	if (ask(vm, request, line, sizeof(line)) && strncmp(line, answer, strlen(answer)) == 0)
		return;
	vm_diagnose((struct vm *)vm, why, sizeof(why));
	fail("'%s': '%s' instead of '%s' (%s)", request, line, answer, why);
}

/* NULL, and a word about it, when it does not get there. */
static __attribute__((unused)) struct vm *begin(struct vm_host *host, const char *id)
{
	struct error err = {0};
	struct vm *vm = NULL;
	char why[400];

	if (!host)
		return NULL;
	if (vm_start(host, id, in_ms(READY_MS), &vm, &err) < 0) {
		fail("start %s: %s", id, err.message);
		return NULL;
	}
	if (reaches_pong(vm_view(vm)))
		return vm;
	vm_diagnose(vm, why, sizeof(why));
	fail("%s: no pong: %s", id, why);
	vm_stop(vm, NULL);
	return NULL;
}

static __attribute__((unused)) void end(struct vm *vm)
{
	struct error err = {0};

	check(vm_stop(vm, &err) == 0, "stop: %s", err.message);
}

static __attribute__((unused)) void need_root_for(const char *what)
{
	if (geteuid() != 0)
		cr_skip_test("%s needs root", what);
}
