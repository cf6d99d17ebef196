/* Plays every attack against the container runtime, in one round:
 *   run_attacks PROGRAM ROUND [--all] [NAME…]
 * ROUND: root (no user namespace), root-userns, user (an ordinary one), no-filter and no-filter-userns (root, seccomp off: what the other walls
 * hold alone), outside (no container at all: shows that the attacks are sound). --all: also those that the filter alone holds, in rounds
 * without it.
 * One line an attack; exit status 0: all held, 1: one escaped or is broken, 77: the round cannot be played here. */
#include "attack_list.h"
#include "stage.h"

#include <runtime/support.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *name;
	unsigned conditions;
} attacks[] = {
#define ATTACK(name, conditions, class) {#name, conditions},
	ATTACKS
#undef ATTACK
};
enum { ATTACK_COUNT = sizeof(attacks) / sizeof(attacks[0]) };

static const struct round {
	const char *name;
	enum container_choice userns;
	bool seccomp_off, ordinary, outside;
} rounds[] = {
	{"root", CONTAINER_OFF, false, false, false},           {"root-userns", CONTAINER_ON, false, false, false},
	{"user", CONTAINER_AUTO, false, true, false},           {"no-filter", CONTAINER_OFF, true, false, false},
	{"no-filter-userns", CONTAINER_ON, true, false, false}, {"outside", CONTAINER_OFF, true, false, true},
};

static const char *const kinds[] = {"held", "ESCAPED", "not tried", "BROKEN"};

/* NULL: it can be tried in this round. */
static const char *why_not(const struct stage *stage, const struct round *round, unsigned conditions, const char *limits, bool all)
{
	if (round->outside)
		return conditions & WORKS_OUTSIDE ? NULL : "says nothing outside a container, or would hurt";
	if (conditions & BY_FILTER && round->seccomp_off && !(conditions & OR_USERNS && round->userns == CONTAINER_ON) && !all)
		return "the filter alone stands against it";
	if (conditions & BY_USERNS && round->userns == CONTAINER_OFF)
		return "the user namespace alone stands against it";
	if (conditions & ON_CPUSET && strcmp(limits, "none") == 0)
		return "CPUs are bound by affinity alone here";
	if (conditions & AS_HOST_ROOT && round->ordinary)
		return "the stage needs root";
	if (conditions & ON_MEMORY_LIMIT && !strstr(limits, "memory="))
		return "memory is not limited here, the host would suffer";
	if (conditions & ON_PIDS_LIMIT && !strstr(limits, "pids="))
		return "processes are not limited here, the host would suffer";
	return NULL;
}

static const struct scene *scene_of(const char *attack)
{
	for (const struct scene *scene = scenes; scene->attack; scene++)
		if (strcmp(scene->attack, attack) == 0)
			return scene;
	return NULL;
}

static void compare_host(const struct stage *stage, const char *before, struct outcome *outcome)
{
	char *after = stage_host_state(stage);
	size_t same = 0;

	while (after && before && before[same] && before[same] == after[same])
		same++;
	if (!after || !before || before[same] != after[same]) {
		while (same && before && before[same - 1] != '\n')
			same--;
		outcome_set(outcome, OUTCOME_ESCAPED, "the host changed: %.300s -> %.300s", before + same, after ? after + same : "?");
	}
	free(after);
}

static void play(struct stage *stage, const struct round *round, const char *attack, struct outcome *outcome)
{
	const struct scene *scene = scene_of(attack);

	stage_reset(stage, attack, round->userns, round->seccomp_off);
	if (scene && scene->set)
		scene->set(stage);
	char *before = stage_host_state(stage);
	if (round->outside)
		stage_play_outside(stage, attack, outcome);
	else if (scene && scene->play)
		scene->play(stage, attack, outcome);
	else
		stage_start(stage, scene, outcome);
	if (!round->outside)
		compare_host(stage, before, outcome);
	free(before);
}

/* What is limited here, in the plan's own words. */
static int ask_limits(struct stage *stage, const struct round *round, char *ret, size_t size, struct error *err)
{
	struct container_plan *plan = NULL;

	stage_reset(stage, "nothing", round->userns, round->seccomp_off);
	if (container_support(&stage->options, err) == CONTAINER_UNSUPPORTED)
		return -1;
	int rc = container_prepare(&stage->options, &plan, err);
	if (rc == 0)
		rc = container_plan_open(plan, err);
	if (rc == 0)
		snprintf(ret, size, "%s", container_plan_facts(plan)->limits);
	container_plan_free(plan);
	return rc;
}

static bool is_chosen(const char *name, char **names)
{
	for (char **at = names; *at; at++)
		if (strcmp(*at, name) == 0)
			return true;
	return !*names;
}

static int play_all(struct stage *stage, const struct round *round, bool all, char **names, const char *limits)
{
	unsigned counts[4] = {0};

	for (size_t i = 0; i < ATTACK_COUNT; i++) {
		struct outcome outcome = {.kind = OUTCOME_HELD};
		const char *reason = why_not(stage, round, attacks[i].conditions, limits, all);

		if (!is_chosen(attacks[i].name, names))
			continue;
		if (reason)
			outcome_set(&outcome, OUTCOME_NOT_TRIED, "%s", reason);
		else
			play(stage, round, attacks[i].name, &outcome);
		counts[outcome.kind]++;
		printf("%-17s %-22s %s: %s\n", round->name, attacks[i].name, kinds[outcome.kind], outcome.how);
		fflush(stdout);
	}
	printf("%-17s %u held, %u escaped, %u broken, %u not tried; limits: %s\n", round->name, counts[OUTCOME_HELD],
	       counts[OUTCOME_ESCAPED], counts[OUTCOME_BROKEN], counts[OUTCOME_NOT_TRIED], limits);
	/* Outside everything must get through. */
	return counts[round->outside ? OUTCOME_HELD : OUTCOME_ESCAPED] + counts[OUTCOME_BROKEN] > 0;
}

static const struct round *round_named(const char *name)
{
	for (size_t i = 0; i < sizeof(rounds) / sizeof(rounds[0]); i++)
		if (strcmp(rounds[i].name, name) == 0)
			return &rounds[i];
	return NULL;
}

static int cannot(const char *reason)
{
	const char *must = getenv("BENCH_MUST_RUN");

	if (must && strstr(must, "container")) {
		printf("FAILED: must run here, but: %s\n", reason);
		return 1;
	}
	printf("SKIPPED: %s\n", reason);
	return 77;
}

int main(int argc, char **argv)
{
	const struct round *round = argc > 2 ? round_named(argv[2]) : NULL;
	struct error err = {0};
	char limits[200] = "none";
	struct stage stage;
	int status;

	if (container_protect_self(argv, &err) < 0)
		return cannot(err.message);
	if (!round) {
		fprintf(stderr, "usage: run_attacks PROGRAM root|root-userns|user|no-filter|no-filter-userns|outside [--all] [NAME...]\n");
		return 2;
	}
	if (!round->ordinary && geteuid() != 0)
		return puts("SKIPPED: this round needs root; as an ordinary user the round \"user\" is played"), 77;
	bool all = argc > 3 && strcmp(argv[3], "--all") == 0;
	if (stage_open(&stage, argv[1], round->ordinary, &err) < 0)
		status = cannot(err.message);
	else if (!round->outside && ask_limits(&stage, round, limits, sizeof(limits), &err) < 0)
		status = cannot(err.message);
	else
		status = play_all(&stage, round, all, argv + 3 + all, limits);
	stage_close(&stage);
	return status;
}
