/* bench: measures containers against virtual machines. Finds the command and hands over. */
#include "command.h"

#include <base/files.h>
#include <runtime/container.h>

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
	bool runs_images; /* then this program must be out of their reach: run again from where nobody can write, which links it again, ~10 ms */
} commands[] = {
	{"doctor", cmd_doctor, "what can run here, what cannot, why, and the command that mends it", false},
	{"run", cmd_run, "run an experiment: bench run startup --n 100", true},
	{"show", cmd_show, "print a saved result", false},
	{"image", cmd_image, "import, list and remove what containers run: bench image import debian.tar", false},
	{"container", cmd_container, "containers started by hand: run, exec, ps, inspect …", true},
	{"clean", cmd_clean, "remove what runs that were killed left behind", false},
};

static void print_help(FILE *out)
{
	fputs("Usage: bench COMMAND [OPTION…]\n"
	      "Measures containers against virtual machines: the same workload as a process, in a container and in a VM, by one clock.\n\n",
	      out);
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  bench %-9s %s\n", commands[i].name, commands[i].help);
	fputs("\n  bench COMMAND --help   the options of a command\n"
	      "  bench --version\n\n"
	      "Start here:\n"
	      "  bench doctor\n"
	      "  bench run startup --n 100\n\n"
	      "Exit status: 0 fine, 1 finding, 2 usage, 3 could not run, 4 not comparable, 130 interrupted.\n",
	      out);
}

/* Names in a message may be a stranger's: what would steer a terminal is shown as '?'. */
static void print_plain(const char *before, const char *text)
{
	fputs(before, stderr);
	for (; *text; text++)
		fputc((unsigned char)*text < 0x20 || *text == 0x7f ? '?' : *text, stderr);
	fputc('\n', stderr);
}

int report_error(const struct error *err, int status)
{
	print_plain("bench: ", err->message);
	if (err->hint[0])
		print_plain("  hint: ", err->hint);
	return status;
}

bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

int find_agent(const char *wish, char *ret, size_t size, struct error *err)
{
	static const char *const places[] = {"%.*s/bench-agent", "%.*s/../libexec/bench/bench-agent"};
	const char *program = container_self_path();
	char self[PATH_MAX], candidate[PATH_MAX + 64];

	if (wish) {
		if (!realpath(wish, self))
			return error_errno(err, "agent %s", wish);
		return path_format(ret, size, err, "%s", self);
	}
	if (program[0] != '/')
		return error_set(err, ENOENT, "the path of this program is not known: is /proc mounted?");
	int folder = (int)(strrchr(program, '/') - program);
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		snprintf(candidate, sizeof(candidate), places[i], folder, program);
#pragma GCC diagnostic pop
		if (access(candidate, X_OK) == 0 && realpath(candidate, self))
			return path_format(ret, size, err, "%s", self);
	}
	error_set(err, ENOENT, "the agent 'bench-agent' is not beside this program");
	return error_hint(err, "build it (make), or name it with --agent");
}

/* What a careless parent may have left us with: closed standard streams (our sockets would take their numbers) and an ignored SIGCHLD (no child could be
 * waited for). */
static void sane_start(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
	signal(SIGCHLD, SIG_DFL);
}

/* First of all: what was done before would be done twice. A failure is told; what starts foreign images looks again and refuses. */
static void protect(int argc, char **argv)
{
	struct error err = {0};
	bool runs_images = false;

	for (size_t i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		runs_images = runs_images || (strcmp(argv[1], commands[i].name) == 0 && commands[i].runs_images);
	if (container_protect_self(runs_images ? argv : NULL, &err) < 0)
		report_error(&err, 0);
}

int main(int argc, char **argv)
{
	struct error err;

	sane_start();
	protect(argc, argv);
	argp_err_exit_status = EXIT_USAGE;
	if (argc < 2) {
		print_help(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0 || strcmp(argv[1], "-h") == 0) {
		print_help(stdout);
		return EXIT_FINE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		puts("bench " BENCH_VERSION);
		return EXIT_FINE;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		char name[64];

		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		snprintf(name, sizeof(name), "bench %s", commands[i].name);
		argv[1] = name;
		return commands[i].run(argc - 1, argv + 1);
	}
	error_set(&err, EINVAL, "unknown command '%s'", argv[1]);
	error_hint(&err, "commands: doctor, run, show, image, container, clean; see 'bench --help'");
	return report_error(&err, EXIT_USAGE);
}
