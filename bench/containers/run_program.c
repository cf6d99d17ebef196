#include "run_program.h"

#include <base/files.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define PATH_DEFAULT "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

/* "./root", "/srv/root", "..": what begins like a path is one. */
static bool is_folder_word(const char *word)
{
	return word[0] == '/' || strcmp(word, ".") == 0 || strcmp(word, "..") == 0 || strncmp(word, "./", 2) == 0 ||
	       strncmp(word, "../", 3) == 0;
}

static int find_folder(const char *path, struct run_program *program, struct error *err)
{
	struct stat st;

	if (!realpath(path, program->rootfs))
		return error_errno(err, "root folder %s", path);
	if (stat(program->rootfs, &st) < 0 || !S_ISDIR(st.st_mode))
		return error_set(err, ENOTDIR, "root folder %s: not a folder", path);
	return path_format(program->image, sizeof(program->image), err, "%s", program->rootfs);
}

static int find_image(const char *name, struct run_program *program, struct error *err)
{
	struct stat st;
	int rc = image_store_open(NULL, &program->store, err);

	if (rc == 0)
		rc = image_find(program->store, name, &program->found, err);
	if (rc == -ENOENT && stat(name, &st) == 0 && S_ISDIR(st.st_mode))
		error_hint(err, "if the folder was meant: ./%.150s", name);
	if (rc < 0)
		return rc;
	program->has_image = true;
	rc = image_hold(program->store, program->found.name, &program->hold_fd, err);
	if (rc == 0 && program->found.n_layers == 0)
		rc = error_set(err, EINVAL, "image '%s' has no layers", name);
	if (rc == 0)
		rc = path_format(program->rootfs, sizeof(program->rootfs), err, "%s", program->found.layers[0]);
	if (rc == 0)
		rc = path_format(program->image, sizeof(program->image), err, "%s", program->found.name);
	return rc;
}

/* The image's layers but the lowest, which is the root. */
static int list_layers(struct run_program *program, struct error *err)
{
	size_t n = program->has_image ? program->found.n_layers : 0;

	if (n < 2)
		return 0;
	program->layers = calloc(n, sizeof(*program->layers));
	if (!program->layers)
		return error_set(err, ENOMEM, "out of memory");
	for (size_t i = 1; i < n; i++)
		program->layers[i - 1] = program->found.layers[i];
	return 0;
}

static const char *const *words(char **list)
{
	return (const char *const *)list;
}

static int list_arguments(const struct run_spec *spec, struct run_program *program, struct error *err)
{
	const struct image_config *config = &program->found.config;
	bool own = spec->argv && spec->argv[0];

	if (spec->entrypoint && spec->entrypoint[0])
		texts_add(&program->argv, "%s", spec->entrypoint);
	else if (!spec->entrypoint)
		texts_add_all(&program->argv, words(config->entrypoint));
	/* The image's own command belongs to the image's own entrypoint. */
	texts_add_all(&program->argv, own ? spec->argv : spec->entrypoint ? NULL : words(config->command));
	if (program->argv.n == 0) {
		error_set(err, EINVAL, "no command: %s says nothing about what to run", program->image);
		return error_hint(err, "add one behind it, e.g. /bin/sh");
	}
	return texts_check(&program->argv, err);
}

static void add_home(struct run_program *program)
{
	if (!texts_variable(&program->envp, "HOME"))
		texts_set_variable(&program->envp, program->uid == 0 ? "HOME=/root" : "HOME=/");
}

static int list_environment(const struct run_spec *spec, struct run_program *program, struct error *err)
{
	const char *term = getenv("TERM");

	texts_add(&program->envp, "%s", PATH_DEFAULT);
	if (spec->terminal)
		texts_add(&program->envp, "TERM=%s", term && *term ? term : "xterm");
	for (char **variable = program->found.config.environment; variable && *variable; variable++)
		texts_set_variable(&program->envp, *variable);
	for (size_t i = 0; i < spec->environment.n; i++)
		texts_set_variable(&program->envp, spec->environment.list[i]);
	add_home(program);
	return texts_check(&program->envp, err);
}

int run_program_user(const struct image *image, const char *user, uint32_t *ret_uid, uint32_t *ret_gid, struct error *err)
{
	if (user && *user)
		return image_user(image, user, ret_uid, ret_gid, err);
	*ret_uid = *ret_gid = 0;
	return 0;
}

static int find_user(const struct run_spec *spec, struct run_program *program, struct error *err)
{
	char *layers[] = {program->rootfs, NULL};
	struct image folder = {.layers = layers, .n_layers = 1};
	const char *user = spec->user ? spec->user : program->found.config.user;

	return run_program_user(program->has_image ? &program->found : &folder, user, &program->uid, &program->gid, err);
}

static int find_working_dir(const struct run_spec *spec, struct run_program *program, struct error *err)
{
	const char *dir = spec->working_dir ? spec->working_dir : program->found.config.working_dir;

	program->working_dir = strdup(dir && *dir ? dir : "/");
	return program->working_dir ? 0 : error_set(err, ENOMEM, "out of memory");
}

static void point(struct run_spec *spec, const struct run_program *program)
{
	struct container_options *options = &spec->options;

	options->rootfs = program->rootfs;
	options->layers = program->layers;
	options->argv = words(program->argv.list);
	options->envp = words(program->envp.list);
	options->working_dir = program->working_dir;
	options->run_uid = program->uid;
	options->run_gid = program->gid;
	options->terminal = spec->terminal;
}

int run_program_find(struct run_spec *spec, struct run_program *ret, struct error *err)
{
	const char *folder = spec->rootfs ? spec->rootfs : is_folder_word(spec->image) ? spec->image : NULL;
	int rc;

	*ret = (struct run_program){.hold_fd = -1};
	rc = folder ? find_folder(folder, ret, err) : find_image(spec->image, ret, err);
	if (rc == 0)
		rc = list_layers(ret, err);
	if (rc == 0)
		rc = list_arguments(spec, ret, err);
	if (rc == 0)
		rc = find_user(spec, ret, err);
	if (rc == 0)
		rc = list_environment(spec, ret, err);
	if (rc == 0)
		rc = find_working_dir(spec, ret, err);
	if (rc < 0)
		run_program_done(ret);
	else
		point(spec, ret);
	return rc;
}

void run_program_done(struct run_program *program)
{
	texts_done(&program->argv);
	texts_done(&program->envp);
	free(program->layers);
	free(program->working_dir);
	if (program->has_image)
		image_done(&program->found);
	cleanup_close(&program->hold_fd);
	if (program->store)
		image_store_close(program->store);
	*program = (struct run_program){.hold_fd = -1};
}
