/* The journal of samples: one write(2) a line, so that a killed process leaves whole lines but for the last. */
#include "sample_journal.h"

#include "json_map.h"
#include "result_json.h"
#include "result_parse.h"

#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

struct sample_journal {
	int fd;
	off_t size; /* of the whole lines */
	char path[];
};

/* Writes a line; what a full disk left of it is taken back, so that a later line does not continue it. Takes the value over. */
static int write_line(struct sample_journal *journal, json_t *value, struct error *err)
{
	_cleanup_free_ char *text = value ? json_dumps(value, JSON_COMPACT) : NULL;
	size_t length;
	ssize_t written;

	json_decref(value);
	if (!text)
		return error_set(err, ENOMEM, "write %s: out of memory", journal->path);
	length = strlen(text);
	text[length++] = '\n'; /* in the place of the NUL: one buffer, one write */
	do
		written = write(journal->fd, text, length);
	while (written < 0 && errno == EINTR);
	if (written == (ssize_t)length) {
		journal->size += written;
		return 0;
	}
	if (written < 0)
		error_errno(err, "write %s", journal->path);
	else
		error_set(err, ENOSPC, "write %s: the disk is full", journal->path);
	if (ftruncate(journal->fd, journal->size) < 0 || lseek(journal->fd, journal->size, SEEK_SET) < 0)
		return error_errno(err, "truncate %s to its whole lines", journal->path);
	return err ? -err->code : -EIO;
}

static json_t *header_json(const struct result *header)
{
	struct json_make make = json_make_begin();
	json_t *drivers = json_array(), *left_out = json_array();

	json_make_set(&make, "journal_version", json_integer(RESULT_JOURNAL_VERSION));
	json_make_set(&make, "schema_version", json_integer(RESULT_SCHEMA_VERSION));
	json_make_set(&make, "experiment", json_text_new(header->experiment));
	json_make_set(&make, "command_line", json_text_new(header->command_line ? header->command_line : ""));
	json_make_set(&make, "started_at", json_text_new(header->started_at));
	json_make_set(&make, "plan", result_json_plan(&header->plan));
	json_make_set(&make, "environment", result_json_environment(&header->environment));
	for (size_t i = 0; i < header->n_drivers; i++)
		make.failed |= json_array_append_new(drivers, result_json_driver(&header->drivers[i])) < 0;
	json_make_set(&make, "drivers", drivers);
	for (size_t i = 0; i < header->n_left_out; i++)
		make.failed |= json_array_append_new(left_out, result_json_left_out(&header->left_out[i])) < 0;
	json_make_set(&make, "left_out", left_out);
	return json_make_end(&make);
}

int sample_journal_open(const char *path, const struct result *header, struct sample_journal **ret, struct error *err)
{
	struct sample_journal *journal = calloc(1, sizeof(*journal) + strlen(path) + 1);
	int r;

	if (!journal)
		return error_set(err, ENOMEM, "create %s: out of memory", path);
	strcpy(journal->path, path);
	journal->fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (journal->fd < 0) {
		r = error_errno(err, "create %s", path);
		free(journal);
		return r;
	}
	r = write_line(journal, header_json(header), err);
	if (r < 0) {
		unlink(path);
		sample_journal_close(journal);
		return r;
	}
	*ret = journal;
	return 0;
}

/* {"<key>": <value>} */
static json_t *wrap(const char *key, json_t *value)
{
	struct json_make make = json_make_begin();

	json_make_set(&make, key, value);
	return json_make_end(&make);
}

int sample_journal_sample(struct sample_journal *journal, const struct sample *sample, const struct step_times *steps, struct error *err)
{
	return write_line(journal, wrap("sample", result_json_sample(sample, steps)), err);
}

int sample_journal_block(struct sample_journal *journal, const struct block *block, struct error *err)
{
	return write_line(journal, wrap("block", result_json_block(block)), err);
}

void sample_journal_close(struct sample_journal *journal)
{
	if (!journal)
		return;
	close(journal->fd);
	free(journal);
}
