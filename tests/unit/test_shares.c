/* What is expected of a hierarchy: shares, idle groups, upper limits; and which hierarchies no container can run in. */
#include <containers/shares.h>

#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

static struct cgroup_hierarchy parse(const char *text)
{
	struct cgroup_hierarchy hierarchy;
	struct error err = {0};

	cr_assert_eq(cgroup_hierarchy_parse(text, strlen(text), "x", &hierarchy, &err), 0, "%s", err.message);
	return hierarchy;
}

/* `idle`: path of a group, or NULL. `want`: percents in the order of the nodes, ended by a negative one. */
static void expect(const char *text, const char *idle, double cpu, const double *want)
{
	struct cgroup_hierarchy hierarchy = parse(text);
	bool is_idle[CGROUP_NODES_MAX] = {false};
	double got[CGROUP_NODES_MAX];
	size_t n = 0;

	if (idle)
		is_idle[cgroup_hierarchy_find(&hierarchy, idle)] = true;
	shares_expect(&hierarchy, is_idle, cpu, got);
	for (; want[n] >= 0; n++)
		cr_expect_float_eq(100 * got[n], want[n], 1e-6, "%s without %s, node %zu: %f instead of %f", text, idle ? idle : "nobody",
				   n, 100 * got[n], want[n]);
	cr_expect_eq(n, hierarchy.n_nodes);
	cgroup_hierarchy_free(&hierarchy);
}

/* Faculty, Faculty/Web, Faculty/Non-Web, Students */
static const char faculty[] = "{\"groups\": {\"Faculty\": {\"cpu_share\": 40, \"groups\": {\"Web\": {\"cpu_share\": 50}, \"Non-Web\": "
			      "{\"cpu_share\": 50}}}, \"Students\": {\"cpu_share\": 60}}}";

Test(shares, busy_groups_get_what_is_declared)
{
	expect(faculty, NULL, 1, (double[]){40, 20, 20, 60, -1});
	expect(faculty, NULL, 0.3, (double[]){40, 20, 20, 60, -1});
	expect("{\"groups\": {\"a\": {}, \"b\": {}, \"c\": {}, \"d\": {}}}", NULL, 1, (double[]){25, 25, 25, 25, -1});
	expect("{\"groups\": {\"a\": {\"groups\": {\"b\": {}}}}}", NULL, 1, (double[]){100, 100, -1});
}

Test(shares, what_an_idle_group_leaves_goes_to_its_siblings_first)
{
	expect(faculty, "Faculty/Web", 1, (double[]){40, 0, 40, 60, -1});
	expect(faculty, "Students", 1, (double[]){100, 50, 50, 0, -1});
	expect(faculty, "Faculty", 1, (double[]){0, 0, 0, 100, -1});
}

Test(shares, what_a_limit_leaves_goes_to_others)
{
	static const char capped[] = "{\"groups\": {\"a\": {\"cpu_share\": 60, \"cpu_percent\": 30}, \"b\": {\"cpu_share\": 30}, "
				     "\"c\": {\"cpu_share\": 10}}}";
	static const char inner[] = "{\"groups\": {\"a\": {\"cpu_share\": 50, \"cpu_percent\": 20, \"groups\": {\"x\": {}, \"y\": {}}}, "
				    "\"b\": {\"cpu_share\": 50}}}";
	static const char all[] = "{\"groups\": {\"a\": {\"cpu_percent\": 10}, \"b\": {\"cpu_percent\": 30}}}";

	expect(capped, NULL, 1, (double[]){30, 52.5, 17.5, -1});
	expect(capped, "b", 1, (double[]){30, 0, 70, -1});
	expect(inner, NULL, 1, (double[]){20, 10, 10, 80, -1});
	/* Of what they had: where others used half of the CPU, a limit of 30 % is 60 % of the rest, and no limit any more. */
	expect(capped, NULL, 0.5, (double[]){60, 30, 10, -1});
	/* Both at their limits: the CPU is idle for the rest of the time. */
	expect(all, NULL, 0.4, (double[]){25, 75, -1});
}

Test(shares, the_worst_is_found)
{
	struct cgroup_hierarchy hierarchy = parse(faculty);
	struct shares shares = {.parts = {{.expected = 40, .measured = 41},
					  {.expected = 20, .measured = 22.5},
					  {.expected = 20, .measured = 18.5},
					  {.expected = 60, .measured = 59}}};
	double points;

	cr_expect_eq(shares_worst(&hierarchy, &shares, &points), 1);
	cr_expect_float_eq(points, 2.5, 1e-9);
	cgroup_hierarchy_free(&hierarchy);
}

static void refuse(const char *text, int cpu, const char *message)
{
	struct cgroup_hierarchy hierarchy = parse(text);
	struct shares_options options = {.cpu = cpu};
	struct error err = {0};

	cr_expect_eq(shares_check(&hierarchy, &options, &err), -EINVAL);
	cr_expect_str_eq(err.message, message);
	cgroup_hierarchy_free(&hierarchy);
}

Test(shares, groups_in_which_nothing_can_run_are_refused)
{
	struct cgroup_hierarchy hierarchy = parse(faculty);
	struct shares_options options = {.idle = {true, false, false, true}};
	struct error err = {0};

	cr_expect_eq(shares_check(&hierarchy, &options, &err), -EINVAL);
	cr_expect_str_eq(err.message, "all groups are to be idle: nothing is left to measure");
	options.idle[3] = false;
	cr_expect_eq(shares_check(&hierarchy, &options, &err), 0);
	cgroup_hierarchy_free(&hierarchy);
	refuse("{\"groups\": {\"a\": {\"groups\": {\"b\": {\"memory\": \"1M\"}}}}}", 0,
	       "group a/b: memory of 1048576 bytes: a container's start needs 4 MiB");
	refuse("{\"groups\": {\"a\": {\"cpus\": \"0,65\"}}}", 64, "group a: its CPUs are 0,65, and all members are to run on CPU 64");
}

Test(shares, the_cpu_is_one_that_we_may_use)
{
	struct error err = {0};
	cpu_set_t usable;
	int cpu = -1, again = -1;

	cr_assert_eq(shares_cpu(-1, &cpu, &err), 0, "%s", err.message);
	cr_assert_eq(sched_getaffinity(0, sizeof(usable), &usable), 0);
	cr_expect(CPU_ISSET((size_t)cpu, &usable));
	cr_expect_eq(shares_cpu(cpu, &again, &err), 0);
	cr_expect_eq(again, cpu);
	cr_expect_eq(shares_cpu(CPU_SETSIZE, &again, &err), -EINVAL);
}
