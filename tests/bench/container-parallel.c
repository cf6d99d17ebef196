/* Starts per second from several processes at once.
 *
 *   container-parallel AGENT WORKERS BURSTS BURST [KEY=VALUE…]
 *
 * Each worker has a plan of its own. All begin together: BURST starts one after the other, each up to its agent's answer; then, outside the
 * measured time, everybody stops what it started and refills its pool (pool=BURST is what makes a warm burst). The rate of a burst is all starts by
 * the time from the common beginning to the last worker's end; printed are its median and extremes. Cold and warm are counted alike. */
#include "starts.h"

#include <bench/timeline.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS_MAX = 64 };

/* A worker waits for a byte, bursts, and writes when it was done. */
struct worker {
	pid_t pid;
	int go, done; /* write end, read end */
};

static int burst(struct starts *starts, unsigned size, struct one_start *ones)
{
	unsigned n = 0;

	while (n < size && starts_one(starts, n, &ones[n]) == 0)
		n++;
	return n == size ? 0 : -1;
}

static int serve(struct starts *starts, unsigned bursts, unsigned size, int go, int done)
{
	struct one_start *ones = calloc(size, sizeof(*ones));
	int rc = ones ? 0 : -1;
	char byte;

	for (unsigned i = 0; i < bursts && rc == 0; i++) {
		container_plan_refill(starts->plan, NULL);
		if (write(done, "r", 1) != 1 || read(go, &byte, 1) != 1)
			break;
		rc = burst(starts, size, ones);
		int64_t end_ns = clock_now_ns();
		if (rc == 0 && write(done, &end_ns, sizeof(end_ns)) != sizeof(end_ns))
			rc = -1;
		for (unsigned n = 0; n < size && rc == 0; n++)
			rc = starts_stop(starts, &ones[n]);
	}
	free(ones);
	return rc;
}

static int work(const char *agent, unsigned bursts, unsigned size, char **options, size_t n_options, int go, int done)
{
	struct starts starts;

	if (starts_open(agent, options, n_options, &starts) < 0)
		return 1;
	int rc = serve(&starts, bursts, size, go, done);
	starts_close(&starts);
	return rc < 0;
}

static int spawn(struct worker *ret, const char *agent, unsigned bursts, unsigned size, char **options, size_t n_options)
{
	int go[2], done[2];

	if (pipe(go) < 0 || pipe(done) < 0)
		return -1;
	ret->pid = fork();
	if (ret->pid == 0) {
		close(go[1]);
		close(done[0]);
		_exit(work(agent, bursts, size, options, n_options, go[0], done[1]));
	}
	close(go[0]);
	close(done[1]);
	ret->go = go[1];
	ret->done = done[0];
	return ret->pid < 0 ? -1 : 0;
}

/* One burst of all; its rate, or -1. */
static double run_burst(struct worker *workers, unsigned n, unsigned size)
{
	int64_t begin_ns, last_ns = 0, end_ns;
	char byte;

	for (unsigned i = 0; i < n; i++)
		if (read(workers[i].done, &byte, 1) != 1)
			return -1;
	begin_ns = clock_now_ns();
	for (unsigned i = 0; i < n; i++)
		if (write(workers[i].go, "g", 1) != 1)
			return -1;
	for (unsigned i = 0; i < n; i++) {
		if (read(workers[i].done, &end_ns, sizeof(end_ns)) != sizeof(end_ns))
			return -1;
		last_ns = end_ns > last_ns ? end_ns : last_ns;
	}
	return (double)n * size * 1e9 / (double)(last_ns - begin_ns);
}

static int run(struct worker *workers, unsigned n, unsigned bursts, unsigned size)
{
	double *rates = calloc(bursts, sizeof(*rates));
	unsigned done = 0;

	while (rates && done < bursts && (rates[done] = run_burst(workers, n, size)) > 0)
		done++;
	if (done == bursts) {
		double median = starts_quantile_us(rates, done, 0.5) * 1000;

		printf("%u at once: median %.0f starts/s (%.0f-%.0f in %u bursts of %u each)\n", n, median, rates[0], rates[done - 1], done,
		       size);
	}
	free(rates);
	return done == bursts ? 0 : -1;
}

int main(int argc, char **argv)
{
	struct worker workers[WORKERS_MAX];
	int rc = 0, status;
	unsigned n = 0;

	if (argc < 5) {
		fprintf(stderr, "usage: %s AGENT WORKERS BURSTS BURST [KEY=VALUE...]\n", argv[0]);
		return 2;
	}
	unsigned wanted = starts_argument("WORKERS", argv[2]), bursts = starts_argument("BURSTS", argv[3]),
		 size = starts_argument("BURST", argv[4]);
	if (wanted > WORKERS_MAX) {
		fprintf(stderr, "more than %d workers\n", WORKERS_MAX);
		return 2;
	}
	for (; n < wanted && rc == 0; n++)
		rc = spawn(&workers[n], argv[1], bursts, size, argv + 5, (size_t)(argc - 5));
	if (rc == 0)
		rc = run(workers, n, bursts, size);
	for (unsigned i = 0; i < n; i++) {
		close(workers[i].go);
		close(workers[i].done);
		if (workers[i].pid > 0 && (waitpid(workers[i].pid, &status, 0) < 0 || status != 0))
			rc = -1;
	}
	return rc < 0;
}
