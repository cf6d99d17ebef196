/* bench image: import, list and remove what containers run. One option table a subcommand. */
#include "command.h"
#include "progress.h"

#include <base/units.h>
#include <bench/cleanup.h>
#include <image/image.h>

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <libsmartcols/libsmartcols.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- import ---- */

struct import_command {
	struct image_import_options options;
	struct progress progress;
	char phase[64];
	bool quiet;
	struct error err;
};

enum { OPT_NAME = 256, OPT_TAG, OPT_REPLACE, OPT_MAX_SIZE };

static const struct argp_option import_options[] = {
	{"name", OPT_NAME, "NAME", 0, "what the image is called here (default: what the archive calls it, else its file name)", 0},
	{"tag", OPT_TAG, "TAG", 0, "which image of an archive with several: a tag or a whole reference", 0},
	{"replace", OPT_REPLACE, NULL, 0, "an image of this name gives way", 0},
	{"max-size", OPT_MAX_SIZE, "SIZE", 0, "refuse a layer that is larger when unpacked (default: 64G)", 0},
	{"quiet", 'q', NULL, 0, "no progress", 0},
	{0},
};

static error_t parse_import(int key, char *arg, struct argp_state *state)
{
	struct import_command *command = state->input;

	switch (key) {
	case OPT_NAME:
		command->options.name = arg;
		return 0;
	case OPT_TAG:
		command->options.tag = arg;
		return 0;
	case OPT_REPLACE:
		command->options.replace = true;
		return 0;
	case OPT_MAX_SIZE:
		if (parse_bytes(arg, &command->options.max_bytes, &command->err) == 0 && command->options.max_bytes == 0)
			error_set(&command->err, EINVAL, "--max-size 0: expected e.g. 64G");
		return 0;
	case 'q':
		command->quiet = true;
		return 0;
	case ARGP_KEY_ARG:
		if (command->options.source)
			error_set(&command->err, EINVAL, "one source at a time; what is '%s'?", arg);
		command->options.source = arg;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp import_argp = {
	.options = import_options,
	.parser = parse_import,
	.args_doc = "SOURCE",
	.doc = "Imports an image, so that containers can run it. SOURCE is a folder with a root file system, a tar of one (in any common "
	       "compression, '-' is standard input), an OCI image layout (folder or tar), or an archive of 'docker save'.\v"
	       "Nothing is downloaded: other programs fetch or build images, and this one checks what it gets (digests, paths, "
	       "platform).\n\n"
	       "A Debian root, made from its packages:\n"
	       "  mmdebstrap --variant=essential bookworm debian.tar\n"
	       "  bench image import debian.tar\n\n"
	       "An image that Docker or Podman has:\n"
	       "  docker save alpine:3.20 | bench image import -  --name alpine\n\n"
	       "An image of a registry, without a daemon:\n"
	       "  skopeo copy docker://docker.io/library/alpine:3.20 oci:alpine:3.20\n"
	       "  bench image import alpine\n\n"
	       "As root images lie in /var/lib/bench/images, else in ~/.local/share/bench/images; BENCH_IMAGE_DIR names another folder.",
};

/* The one thing that a signal handler can reach. */
static bool interrupted;

static void on_signal(int number)
{
	interrupted = true;
}

/* Without SA_RESTART, so that a read that waits ends. */
static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = on_signal}, before;

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			sigaction(numbers[i], &action, NULL);
}

static const char *source_name(const char *source)
{
	const char *slash = strrchr(source, '/');

	return slash && slash[1] ? slash + 1 : source;
}

static void on_progress(void *arg, const char *what, int64_t done_bytes, int64_t total_bytes)
{
	struct import_command *command = arg;

	if (strcmp(command->phase, what) != 0) {
		snprintf(command->phase, sizeof(command->phase), "%s", what);
		command->progress.phase = NULL;
	}
	progress_bytes(&command->progress, source_name(command->options.source), command->phase, done_bytes, total_bytes);
}

static void print_imported(const struct image *image)
{
	char size[32];

	printf("imported %s: %zu layer%s, %s, sha256:%.12s\n", image->name, image->n_layers, image->n_layers == 1 ? "" : "s",
	       format_bytes(image->bytes, size, sizeof(size)), image->digest);
	for (size_t i = 0; image->notes && image->notes[i]; i++)
		printf("  note: %s\n", image->notes[i]);
}

static int image_import_command(int argc, char **argv)
{
	struct import_command command = {0};
	struct image_store *store = NULL;
	struct image image;

	argp_parse(&import_argp, argc, argv, 0, NULL, &command);
	if (!command.err.code && !command.options.source) {
		error_set(&command.err, EINVAL, "which folder or archive?");
		error_hint(&command.err, "bench image import debian.tar; see 'bench image import --help'");
	}
	if (command.err.code)
		return report_error(&command.err, EXIT_USAGE);
	catch_signals();
	progress_init(&command.progress, command.quiet);
	command.options.progress = on_progress;
	command.options.progress_arg = &command;
	command.options.cancelled = &interrupted;
	int rc = image_store_open(NULL, &store, &command.err);
	if (rc == 0)
		rc = image_import(store, &command.options, &image, &command.err);
	image_store_close(store);
	progress_end(&command.progress);
	if (rc < 0)
		return report_error(&command.err, rc == -EINTR ? EXIT_INTERRUPTED : EXIT_COULD_NOT_RUN);
	print_imported(&image);
	image_done(&image);
	return EXIT_FINE;
}

/* ---- list ---- */

struct list_command {
	bool json;
	struct error err;
};

static const struct argp_option list_options[] = {
	{"json", 'j', NULL, 0, "print all that is known of them as JSON", 0},
	{0},
};

static error_t parse_list(int key, char *arg, struct argp_state *state)
{
	struct list_command *command = state->input;

	if (key == 'j')
		command->json = true;
	else if (key == ARGP_KEY_ARG)
		error_set(&command->err, EINVAL, "'%s': nothing is expected here", arg);
	else
		return ARGP_ERR_UNKNOWN;
	return 0;
}

static const struct argp list_argp = {.options = list_options, .parser = parse_list, .doc = "Lists the images that containers can run."};

static json_t *texts_to_json(char *const *texts)
{
	json_t *list = json_array();

	for (size_t i = 0; texts && texts[i]; i++)
		json_array_append_new(list, json_string(texts[i]));
	return list;
}

static json_t *image_to_json(const struct image *image)
{
	const struct image_config *config = &image->config;

	return json_pack("{s:s, s:s, s:s, s:I, s:s, s:s, s:o, s:o, s:o, s:s*, s:s*, s:o, s:o}", "name", image->name, "digest",
			 image->digest, "imported_at", image->imported_at, "bytes", (json_int_t)image->bytes, "architecture",
			 config->architecture, "os", config->os, "entrypoint", texts_to_json(config->entrypoint), "command",
			 texts_to_json(config->command), "environment", texts_to_json(config->environment), "working_dir",
			 config->working_dir, "user", config->user, "layers", texts_to_json(image->layers), "notes",
			 texts_to_json(image->notes));
}

static int print_json(const struct image *images, size_t n, struct error *err)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, image_to_json(&images[i]));
	bool is_whole = json_array_size(list) == n;
	bool is_written = is_whole && json_dumpf(list, stdout, JSON_INDENT(2)) == 0 && fputc('\n', stdout) != EOF && fflush(stdout) == 0;

	json_decref(list);
	if (!is_whole)
		return error_set(err, ENOMEM, "out of memory");
	return is_written ? 0 : error_errno(err, "write to stdout");
}

static int add_row(struct libscols_table *table, const struct image *image)
{
	struct libscols_line *line = scols_table_new_line(table, NULL);
	char size[32], layers[16], digest[16];

	snprintf(layers, sizeof(layers), "%zu", image->n_layers);
	snprintf(digest, sizeof(digest), "%.12s", image->digest);
	const char *const cells[] = {image->name,
				     image->config.architecture[0] ? image->config.architecture : "-",
				     format_bytes(image->bytes, size, sizeof(size)),
				     layers,
				     image->imported_at,
				     digest};
	for (size_t i = 0; line && i < sizeof(cells) / sizeof(cells[0]); i++)
		if (scols_line_set_data(line, i, cells[i]) < 0)
			return -ENOMEM;
	return line ? 0 : -ENOMEM;
}

static void cleanup_table(struct libscols_table **table)
{
	scols_unref_table(*table);
}

static int print_table(const struct image *images, size_t n, struct error *err)
{
	static const struct {
		const char *name;
		int flags;
	} columns[] = {{"NAME", 0}, {"ARCH", 0}, {"SIZE", SCOLS_FL_RIGHT}, {"LAYERS", SCOLS_FL_RIGHT}, {"IMPORTED", 0}, {"DIGEST", 0}};
	_cleanup_(cleanup_table) struct libscols_table *table = scols_new_table();
	bool is_whole = table && scols_table_set_column_separator(table, "  ") == 0;

	for (size_t i = 0; is_whole && i < sizeof(columns) / sizeof(columns[0]); i++)
		is_whole = scols_table_new_column(table, columns[i].name, 0, columns[i].flags) != NULL;
	/* a name that is cut names nothing: let the terminal wrap instead */
	if (is_whole)
		scols_table_set_termforce(table, SCOLS_TERMFORCE_NEVER);
	for (size_t i = 0; is_whole && i < n; i++)
		is_whole = add_row(table, &images[i]) == 0;
	if (!is_whole)
		return error_set(err, ENOMEM, "out of memory");
	return scols_print_table(table) < 0 ? error_set(err, EIO, "write to stdout") : 0;
}

static int image_list_command(int argc, char **argv)
{
	struct list_command command = {0};
	struct image_store *store = NULL;
	struct image *images = NULL;
	size_t n = 0;

	argp_parse(&list_argp, argc, argv, 0, NULL, &command);
	if (command.err.code)
		return report_error(&command.err, EXIT_USAGE);
	int rc = image_store_open(NULL, &store, &command.err);
	if (rc == 0)
		rc = image_list(store, &images, &n, &command.err);
	image_store_close(store);
	if (rc == 0 && command.json)
		rc = print_json(images, n, &command.err);
	else if (rc == 0 && n > 0)
		rc = print_table(images, n, &command.err);
	else if (rc == 0)
		puts("there are no images yet; 'bench image import --help' says where to get one");
	for (size_t i = 0; i < n; i++)
		image_done(&images[i]);
	free(images);
	return rc < 0 ? report_error(&command.err, EXIT_COULD_NOT_RUN) : EXIT_FINE;
}

/* ---- rm ---- */

struct remove_command {
	int first; /* index of the first name in argv */
	struct error err;
};

static error_t parse_remove(int key, char *arg, struct argp_state *state)
{
	struct remove_command *command = state->input;

	if (key != ARGP_KEY_ARGS)
		return ARGP_ERR_UNKNOWN;
	command->first = state->next;
	return 0;
}

static const struct argp remove_argp = {
	.parser = parse_remove,
	.args_doc = "NAME…",
	.doc = "Removes images, and the layers that no other image has. An image that a container uses stays.",
};

static int image_remove_command(int argc, char **argv)
{
	struct remove_command command = {0};
	struct image_store *store = NULL;
	int status = EXIT_FINE;

	argp_parse(&remove_argp, argc, argv, 0, NULL, &command);
	if (command.first == 0) {
		error_set(&command.err, EINVAL, "which image?");
		error_hint(&command.err, "'bench image list' shows those that are there");
		return report_error(&command.err, EXIT_USAGE);
	}
	if (image_store_open(NULL, &store, &command.err) < 0)
		return report_error(&command.err, EXIT_COULD_NOT_RUN);
	for (int i = command.first; i < argc; i++) {
		if (image_remove(store, argv[i], &command.err) < 0)
			status = report_error(&command.err, EXIT_COULD_NOT_RUN);
		else
			printf("removed %s\n", argv[i]);
	}
	image_store_close(store);
	return status;
}

/* ---- the command ---- */

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} subcommands[] = {
	{"import", image_import_command, "import a folder, a tar, an OCI layout or an archive of 'docker save'"},
	{"list", image_list_command, "list the images"},
	{"rm", image_remove_command, "remove images"},
};

static void print_help(FILE *out)
{
	fputs("Usage: bench image COMMAND [OPTION…]\n"
	      "What containers run: root file systems, imported once, checked, and read-only from there on.\n\n",
	      out);
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++)
		fprintf(out, "  bench image %-8s %s\n", subcommands[i].name, subcommands[i].help);
	fputs("\nExamples:\n"
	      "  bench image import debian.tar\n"
	      "  docker save alpine:3.20 | bench image import - --name alpine\n"
	      "  bench image import --help        where to get images\n",
	      out);
}

int cmd_image(int argc, char **argv)
{
	const char *wish = argc > 1 ? argv[1] : "";
	struct error err;
	char name[64];

	if (strcmp(wish, "--help") == 0 || strcmp(wish, "-?") == 0 || strcmp(wish, "help") == 0) {
		print_help(stdout);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof(subcommands) / sizeof(subcommands[0]); i++) {
		if (strcmp(wish, subcommands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "bench image %s", wish);
		argv[1] = name;
		return subcommands[i].run(argc - 1, argv + 1);
	}
	if (*wish)
		error_set(&err, EINVAL, "unknown command 'image %s'", wish);
	else
		error_set(&err, EINVAL, "what about images?");
	error_hint(&err, "commands: import, list, rm; see 'bench image --help'");
	return report_error(&err, EXIT_USAGE);
}
