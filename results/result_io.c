/* Results to and from files. The document is written part by part, one line an element, so that a file can be read by eye, compared by lines, and
 * never stands in memory as a tree. */
#include "result_io.h"

#include "json_map.h"
#include "result_json.h"
#include "result_parse.h"
#include "summary.h"
#include "summary_json.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum {
	FILE_SIZE_MAX = 256 << 20,
	READ_STEP = 1 << 20,
	SOURCE_TEXT_MAX = 120,
	DUMP_FLAGS = JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6), /* reals are of the summary alone: six digits say all */
};

/* ---- writing ---- */

/* A document under construction; after a failure it accepts everything. */
struct writer {
	FILE *out;
	bool failed, separate;
};

/* The line of a member or element at `depth`; takes the value over. */
static void write_value(struct writer *writer, int depth, const char *key, json_t *value)
{
	fprintf(writer->out, "%s%*s", writer->separate ? ",\n" : "\n", depth * 2, "");
	if (key)
		fprintf(writer->out, "\"%s\": ", key);
	if (!value || json_dumpf(value, writer->out, DUMP_FLAGS) < 0)
		writer->failed = true;
	json_decref(value);
	writer->separate = true;
}

static void write_open(struct writer *writer, int depth, const char *key, char bracket)
{
	fprintf(writer->out, "%s%*s\"%s\": %c", writer->separate ? ",\n" : "\n", depth * 2, "", key, bracket);
	writer->separate = false;
}

static void write_close(struct writer *writer, int depth, char bracket)
{
	/* An empty list closes where it opened. */
	if (writer->separate)
		fprintf(writer->out, "\n%*s", depth * 2, "");
	fputc(bracket, writer->out);
	writer->separate = true;
}

/* A list that is there already, one line an element; takes it over. */
static void write_array(struct writer *writer, int depth, const char *key, json_t *array)
{
	json_t *value;
	size_t i;

	write_open(writer, depth, key, '[');
	json_array_foreach(array, i, value) write_value(writer, depth + 1, NULL, json_incref(value));
	write_close(writer, depth, ']');
	json_decref(array);
}

/* An object, one line a member; takes it over. */
static void write_object(struct writer *writer, const char *key, json_t *object)
{
	const char *name;
	json_t *value;

	write_open(writer, 1, key, '{');
	writer->failed |= !object;
	json_object_foreach(object, name, value)
	{
		if (json_is_array(value))
			write_array(writer, 2, name, json_incref(value));
		else
			write_value(writer, 2, name, json_incref(value));
	}
	write_close(writer, 1, '}');
	json_decref(object);
}

static void write_document(struct writer *writer, const struct result *result, const struct summary *summary)
{
	fputc('{', writer->out);
	write_value(writer, 1, "schema_version", json_integer(RESULT_SCHEMA_VERSION));
	write_value(writer, 1, "experiment", json_text_new(result->experiment));
	write_value(writer, 1, "command_line", json_text_new(result->command_line ? result->command_line : ""));
	write_value(writer, 1, "started_at", json_text_new(result->started_at));
	write_value(writer, 1, "duration_ns", json_integer(result->duration_ns));
	write_value(writer, 1, "interrupted", json_boolean(result->interrupted));
	write_object(writer, "plan", result_json_plan(&result->plan));
	write_object(writer, "environment", result_json_environment(&result->environment));
	write_open(writer, 1, "drivers", '[');
	for (size_t i = 0; i < result->n_drivers; i++)
		write_value(writer, 2, NULL, result_json_driver(&result->drivers[i]));
	write_close(writer, 1, ']');
	write_open(writer, 1, "left_out", '[');
	for (size_t i = 0; i < result->n_left_out; i++)
		write_value(writer, 2, NULL, result_json_left_out(&result->left_out[i]));
	write_close(writer, 1, ']');
	write_open(writer, 1, "blocks", '[');
	for (size_t i = 0; i < result->n_blocks; i++)
		write_value(writer, 2, NULL, result_json_block(&result->blocks[i]));
	write_close(writer, 1, ']');
	write_open(writer, 1, "samples", '[');
	for (size_t i = 0; i < result->n_samples; i++)
		write_value(writer, 2, NULL, result_json_sample(&result->samples[i], result_steps(result, &result->samples[i])));
	write_close(writer, 1, ']');
	write_object(writer, "summary", summary_json(result, summary));
	fputs("\n}\n", writer->out);
}

static int make_text(const struct result *result, char **ret, size_t *ret_size, struct error *err)
{
	_cleanup_(summary_free) struct summary summary = {0};
	_cleanup_free_ char *text = NULL;
	struct writer writer = {0};
	size_t size = 0;
	int r = summary_make(result, &summary, err);

	if (r < 0)
		return r;
	writer.out = open_memstream(&text, &size);
	if (!writer.out)
		return error_errno(err, "result as text");
	write_document(&writer, result, &summary);
	if (fclose(writer.out) != 0 || writer.failed)
		return error_set(err, ENOMEM, "result as text: out of memory");
	if (size > FILE_SIZE_MAX)
		return error_set(err, EFBIG, "result as text: %zu MiB, more than the %d MiB that can be read back", size >> 20,
				 FILE_SIZE_MAX >> 20);
	*ret = take_ptr(text);
	*ret_size = size;
	return 0;
}

char *result_to_text(const struct result *result, struct error *err)
{
	char *text = NULL;
	size_t size;

	return make_text(result, &text, &size, err) < 0 ? NULL : text;
}

int result_write(const struct result *result, const char *path, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r = make_text(result, &text, &size, err);

	if (r == 0)
		r = file_write_atomic(path, text, size, 0644, err);
	return r;
}

/* ---- reading ---- */

/* Reads all of a descriptor, pipes too. */
static int read_all(int fd, const char *path, char **ret, size_t *ret_size, struct error *err)
{
	_cleanup_free_ char *text = NULL;
	size_t size = 0, room = 0;

	for (;;) {
		ssize_t got;

		if (room - size < READ_STEP) {
			char *grown = realloc(text, room = room ? room * 2 : 2 * READ_STEP);

			if (!grown)
				return error_set(err, ENOMEM, "read %s: out of memory", path);
			text = grown;
		}
		got = read(fd, text + size, READ_STEP);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_errno(err, "read %s", path);
		if (got == 0)
			break;
		size += (size_t)got;
		if (size > FILE_SIZE_MAX)
			return error_set(err, EFBIG, "%s: larger than %d MiB, no result of bench", path, FILE_SIZE_MAX >> 20);
	}
	*ret = take_ptr(text);
	*ret_size = size;
	return 0;
}

/* How messages name the file: a long path by its end, so that the rest of the message has room. */
static const char *source_name(const char *path)
{
	size_t length = strlen(path);

	return length > SOURCE_TEXT_MAX ? path + length - SOURCE_TEXT_MAX : path;
}

int result_read(const char *path, struct result *ret, struct error *err)
{
	_cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	_cleanup_free_ char *text = NULL;
	size_t size = 0;
	int r;

	if (fd < 0)
		return error_errno(err, "open %s", path);
	r = read_all(fd, path, &text, &size, err);
	return r < 0 ? r : result_parse(text, size, source_name(path), ret, err);
}

/* ---- the model ---- */

void result_free(struct result *result)
{
	free(result->command_line);
	free(result->drivers);
	free(result->blocks);
	free(result->samples);
	free(result->steps);
	*result = (struct result){0};
}

/* Makes room for element n of a list whose room is always the power of two at or above its length. */
static void *make_room(void *list, size_t n, size_t element_size)
{
	if (n & (n - 1))
		return list;
	return reallocarray(list, n ? 2 * n : 1, element_size);
}

int result_add_block(struct result *result, const struct block *block, struct error *err)
{
	struct block *blocks = make_room(result->blocks, result->n_blocks, sizeof(*blocks));

	if (!blocks)
		return error_set(err, ENOMEM, "block %zu: out of memory", result->n_blocks);
	result->blocks = blocks;
	blocks[result->n_blocks++] = *block;
	return 0;
}

int result_add_sample(struct result *result, const struct sample *sample, struct error *err)
{
	struct sample *samples = make_room(result->samples, result->n_samples, sizeof(*samples));

	if (!samples)
		return error_set(err, ENOMEM, "sample %zu: out of memory", result->n_samples);
	result->samples = samples;
	samples[result->n_samples++] = *sample;
	return 0;
}

int result_add_steps(struct result *result, const struct step_times *steps, uint32_t *ret_number, struct error *err)
{
	struct step_times *list;

	if (result->n_steps == UINT32_MAX)
		return error_set(err, E2BIG, "steps of sample %zu: more than can be numbered", result->n_samples);
	list = make_room(result->steps, result->n_steps, sizeof(*list));
	if (!list)
		return error_set(err, ENOMEM, "steps of sample %zu: out of memory", result->n_samples);
	result->steps = list;
	list[result->n_steps++] = *steps;
	*ret_number = (uint32_t)result->n_steps;
	return 0;
}
