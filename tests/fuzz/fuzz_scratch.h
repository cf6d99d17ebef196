/* A folder in memory for a fuzz target that unpacks: <scratch>/box is emptied for each input, <scratch>/canary must never change. */
#pragma once

#include <base/files.h>

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fuzz_scratch {
	char path[64], box[80], canary[80];
};

static struct fuzz_scratch scratch;

static void require(bool holds)
{
	if (!holds)
		abort();
}

static void scratch_end(void)
{
	dir_remove(scratch.path, NULL);
}

/* An empty box. */
static void scratch_empty(void)
{
	if (!scratch.path[0]) {
		snprintf(scratch.path, sizeof(scratch.path), "%s/bench-fuzz.XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
		require(mkdtemp(scratch.path) != NULL);
		snprintf(scratch.box, sizeof(scratch.box), "%s/box", scratch.path);
		snprintf(scratch.canary, sizeof(scratch.canary), "%s/canary", scratch.path);
		require(file_write_atomic(scratch.canary, "alive", 5, 0600, NULL) == 0);
		atexit(scratch_end);
	}
	require(dir_remove(scratch.box, NULL) == 0 && mkdir(scratch.box, 0700) == 0);
}

/* Nothing beside the box was touched: the canary is as it was, has one name, and nothing new stands beside it. */
static void scratch_check(void)
{
	char text[16];
	struct stat st;

	require(file_read("", scratch.canary, text, sizeof(text), NULL) == 5 && strcmp(text, "alive") == 0);
	require(stat(scratch.canary, &st) == 0 && st.st_nlink == 1 && (st.st_mode & 07777) == 0600 && st.st_uid == geteuid());
	require(stat(scratch.path, &st) == 0 && st.st_nlink == 3 && (st.st_mode & 07777) == 0700);
}

/* A refusal is one line that a terminal may show. */
static void check_refusal(int rc, const struct error *err)
{
	require(rc < 0 && err->code == -rc && err->message[0] && !strpbrk(err->message, "\n\r\x1b\x7f"));
}
