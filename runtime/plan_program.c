/* The program of a plan: arguments, environment, and where it may be found. */
#include "plan_build.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char **copy_strings(const char *const *from)
{
	size_t n = 0;

	while (from[n])
		n++;
	char **ret = calloc(n + 1, sizeof(*ret));
	for (size_t i = 0; ret && i < n; i++)
		if (!(ret[i] = strdup(from[i]))) {
			plan_free_strings(ret);
			return NULL;
		}
	return ret;
}

void plan_free_strings(char **strings)
{
	for (char **string = strings; string && *string; string++)
		free(*string);
	free(strings);
}

/* Where a program without a slash may be: each folder of PATH, in its order. */
static char **search_path(const char *name, char *const *envp)
{
	const char *path = "";
	size_t n = 0, length;

	for (; *envp; envp++)
		if (strncmp(*envp, "PATH=", 5) == 0)
			path = *envp + 5;
	char **ret = calloc(strlen(path) + 2, sizeof(*ret));
	for (; ret; path += length + 1) {
		length = strcspn(path, ":");
		if (length > 0 && asprintf(&ret[n], "%.*s/%s", (int)length, path, name) < 0) {
			ret[n] = NULL;
			plan_free_strings(ret);
			return NULL;
		}
		n += length > 0;
		if (!path[length])
			break;
	}
	return ret;
}

int plan_program(struct container_plan *plan, const struct container_options *options, struct error *err)
{
	static const char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

	if (!options->argv || !options->argv[0] || !options->argv[0][0])
		return error_set(err, EINVAL, "container: no program to run");
	plan->argv = copy_strings(options->argv);
	plan->envp = copy_strings(options->envp ? options->envp : environment);
	if (plan->argv && plan->envp && !strchr(plan->argv[0], '/'))
		plan->programs = search_path(plan->argv[0], plan->envp);
	else
		plan->programs = copy_strings((const char *const[]){options->argv[0], NULL});
	if (!plan->argv || !plan->envp || !plan->programs)
		return error_set(err, ENOMEM, "container: out of memory for arguments and variables");
	if (!plan->programs[0])
		return error_set(err, ENOENT, "container: '%s' has no slash, and PATH is empty", plan->argv[0]);
	return 0;
}
