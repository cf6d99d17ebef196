#include "netns.h"

#include "netlink.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>

struct errand {
	int netns_fd; /* -1: a new namespace */
	int (*work)(void *arg, struct error *err);
	void *arg;
	int rc;
	struct error err;
};

static void *run_errand(void *arg)
{
	struct errand *errand = arg;

	/* A thread has its own network namespace, and no other than the network one is changed. */
	if (errand->netns_fd >= 0 ? setns(errand->netns_fd, CLONE_NEWNET) < 0 : unshare(CLONE_NEWNET) < 0)
		errand->rc = error_errno(&errand->err, "enter the network namespace");
	else
		errand->rc = errand->work(errand->arg, &errand->err);
	return NULL;
}

static int run_in_thread(struct errand *errand, struct error *err)
{
	sigset_t all, before;
	pthread_t thread;

	/* A signal for the process is the caller's business: the thread must not be the one that gets it. */
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int code = pthread_create(&thread, NULL, run_errand, errand);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (code != 0)
		return error_set(err, code, "thread for the network namespace: %s", strerror(code));
	pthread_join(thread, NULL);
	if (errand->rc < 0 && err)
		*err = errand->err;
	return errand->rc;
}

static int open_socket(void *arg, struct error *err)
{
	return netlink_open(arg, err);
}

int netns_socket(int netns_fd, struct nl_sock **ret, struct error *err)
{
	struct errand errand = {.netns_fd = netns_fd, .work = open_socket, .arg = ret};

	if (netns_fd < 0)
		return error_set(err, EBADF, "no network namespace is given");
	return run_in_thread(&errand, err);
}

int netns_try(int (*work)(void *arg, struct error *err), void *arg, struct error *err)
{
	struct errand errand = {.netns_fd = -1, .work = work, .arg = arg};

	return run_in_thread(&errand, err);
}
