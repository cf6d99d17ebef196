/* limits_bite [CASE…]: tries each limit on this host and prints a line for each. Exit status 0: all that are there bite; 77: none is there; 1: one does
 * not. LIMITS_MUST names cases, separated by commas, that must be there. */
#include "scene.h"

static const struct {
	const char *name;
	limit_case run;
} cases[] = {
	{"quota", case_quota},
	{"weight", case_weight},
	{"cpuset", case_cpuset},
	{"memory", case_memory},
	{"high", case_high},
	{"swap", case_swap},
	{"pids", case_pids},
	{"read-bytes", case_read_bytes},
	{"write-bytes", case_write_bytes},
	{"read-ops", case_read_ops},
	{"write-ops", case_write_ops},
	{"io-weight", case_io_weight},
	{"devices", case_devices},
	{"hugetlb", case_hugetlb},
	{"freezer", case_freezer},
	{"net-prio", case_net_prio},
};

static bool is_named(const char *name, int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		if (strcmp(argv[i], name) == 0)
			return true;
	return argc < 2;
}

static bool must_be_there(const char *name)
{
	const char *must = getenv("LIMITS_MUST");
	size_t length = strlen(name);

	for (const char *at = must; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
		if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
			return true;
	return false;
}

int main(int argc, char **argv)
{
	static const char *const words[] = {"bites", "absent", "FAILED"};
	int n_bite = 0, n_failed = 0;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[400] = "";

		if (!is_named(cases[i].name, argc, argv))
			continue;
		enum verdict verdict = cases[i].run(text, sizeof(text));
		if (verdict == ABSENT && must_be_there(cases[i].name))
			verdict = FAILED;
		printf("%-12s %-7s %s\n", cases[i].name, words[verdict], text);
		fflush(stdout);
		n_bite += verdict == BITES;
		n_failed += verdict == FAILED;
	}
	return n_failed ? 1 : n_bite ? 0 : 77;
}
