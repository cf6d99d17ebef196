/* Draws one chart with gnuplot: in a private folder beside the target, from where finished files are renamed into place. */
#include "gnuplot.h"

#include <base/files.h>
#include <base/process.h>
#include <bench/cleanup.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DRAW_TIMEOUT_MS = 120000 };

/* A temporary folder; removed with what is in it. */
struct workspace {
	char path[PATH_MAX];
};

static void workspace_remove(struct workspace *workspace)
{
	if (workspace->path[0])
		dir_remove(workspace->path, NULL);
}

static int write_file(const char *dir, const char *name, const char *suffix, const char *data, size_t size, struct error *err)
{
	char path[PATH_MAX];
	int r = path_format(path, sizeof(path), err, "%s/%s.%s", dir, name, suffix);

	return r < 0 ? r : file_write_atomic(path, data, size, 0644, err);
}

/* Moves a drawn file into place: synced first, so that the name never shows half a picture. */
static int install(const char *from_dir, const char *to_dir, const char *name, const char *suffix, struct error *err)
{
	char from[PATH_MAX], to[PATH_MAX];
	struct stat st;
	int r = path_format(from, sizeof(from), err, "%s/%s.%s", from_dir, name, suffix);

	if (r < 0)
		return r;
	r = path_format(to, sizeof(to), err, "%s/%s.%s", to_dir, name, suffix);
	if (r < 0)
		return r;
	_cleanup_close_ int fd = open(from, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "gnuplot drew no %s.%s", name, suffix);
	if (fstat(fd, &st) < 0 || st.st_size == 0) {
		error_set(err, EIO, "gnuplot drew an empty %s.%s", name, suffix);
		error_hint(err, "run `gnuplot %s.gp` in %s to see what it says", name, to_dir);
		return -EIO;
	}
	if (fsync(fd) < 0 || rename(from, to) < 0)
		return error_errno(err, "write %s", to);
	return 0;
}

/* The line of gnuplot's output that says what is wrong: the one that names the script, else the last that says anything. */
static void complaint(char *output, const char *script, char *ret, size_t size)
{
	char *rest = output;
	bool named = false;

	snprintf(ret, size, "no message");
	for (char *line; !named && (line = strsep(&rest, "\n"));) {
		line += strspn(line, " \t^");
		if (!*line)
			continue;
		named = strstr(line, script) != NULL;
		snprintf(ret, size, "%s", line);
	}
}

static int run_gnuplot(const char *name, const char *cwd, struct error *err)
{
	char script[128], output[4096] = "", line[256];

	snprintf(script, sizeof(script), "%s.gp", name);
	/* -d: the person's own ~/.gnuplot must not change the picture */
	const char *const argv[] = {"gnuplot", "-d", script, NULL};
	int r = process_run(argv, cwd, DRAW_TIMEOUT_MS, true, output, sizeof(output), err);

	if (r < 0)
		return error_prefix(err, "draw %s", name);
	if (r == 0)
		return 0;
	complaint(output, script, line, sizeof(line));
	error_set(err, EIO, "gnuplot ended with %d drawing %s: %s", r, name, line);
	error_hint(err, "is gnuplot 5.2 or newer? data and script are kept, redraw with `gnuplot %s`", script);
	return -EIO;
}

int gnuplot_draw(const struct gnuplot_chart *chart, const char *dir, struct error *err)
{
	_cleanup_(workspace_remove) struct workspace workspace = {0};
	char program[PATH_MAX];
	int r = write_file(dir, chart->name, "tsv", chart->data, chart->data_size, err);

	if (r == 0)
		r = write_file(dir, chart->name, "gp", chart->script, chart->script_size, err);
	if (r < 0)
		return r;
	if (!process_find("gnuplot", program, sizeof(program))) {
		error_set(err, ENOENT, "charts are not drawn: no gnuplot in PATH");
		error_hint(err, "install gnuplot, then run `gnuplot %s.gp` in %s", chart->name, dir);
		return -ENOENT;
	}
	struct workspace made;

	r = path_format(made.path, sizeof(made.path), err, "%s/.%s.XXXXXX", dir, chart->name);
	if (r < 0)
		return r;
	if (!mkdtemp(made.path))
		return error_errno(err, "create a folder in %s", dir);
	workspace = made;
	r = write_file(workspace.path, chart->name, "tsv", chart->data, chart->data_size, err);
	if (r == 0)
		r = write_file(workspace.path, chart->name, "gp", chart->script, chart->script_size, err);
	if (r == 0)
		r = run_gnuplot(chart->name, workspace.path, err);
	if (r == 0)
		r = install(workspace.path, dir, chart->name, "svg", err);
	if (r == 0)
		r = install(workspace.path, dir, chart->name, "png", err);
	return r;
}
