/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * main.c - the simulator's command line: many seeds in forked children, so that
 * an assertion of the core costs one seed and not the run.
 */
#include "cover.h"
#include "shrink.h"
#include "world.h"

#include "base/fault.h"
#include "base/log.h"
#include "base/units.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX 64
#define BATCH 32u
#define PLANT_SEEDS 2000u
#define SEED_CPU_SEC 20

/* One child; it writes where it is, the parent reads that when it is gone. */
struct job {
	pid_t pid; /* the parent's, 0: none runs */
	uint64_t next, end; /* seeds */
	uint64_t seed;	    /* being run */
	bool twice;	    /* for the second time, as a check */
	uint64_t nseeds, nops, ncmds, virtual_ns, steps, cpu_ns;
};

static struct {
	struct world_options world;
	uint64_t from, count;
	bool one, cover, shrink;
	unsigned jobs, fail_max;
	unsigned time_sec;
	const char *name, *plant;
} opt = {
	.world = { .nops = 500,
		   .until_ns = NS_NEVER,
		   .plant = -1,
		   .verify_every = 16,
		   .max_paths = SIM_PATHS_MAX,
		   .max_clients = SIM_CLIENTS_MAX,
		   .max_iodepth = SIM_IODEPTH_MAX },
	.from = 1,
	.count = 100,
	.jobs = 1,
	.fail_max = 10,
};

static struct job *jobs; /* shared with the children */
static unsigned nfailed;
static uint64_t first_failed;

static uint64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t cpu_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static void usage(FILE *f)
{
	fprintf(f, "usage: sim [--seed N] [--seeds FROM:COUNT] [--time SEC] [--jobs J] [--ops N]\n"
		   "           [--trace] [--log] [--until NS] [--plant NAME] [--name NAME] [--verify STEPS]\n"
		   "           [--driver sim|sg] [--export core|nbd|fuse] [--cover] [--shrink]\n"
		   "           [--paths N] [--clients N] [--iodepth N] [--without FAULT,...]\n"
		   "Runs the core against a model of array, paths and clients; each seed is one world.\n"
		   "  --seed N     that seed alone, in this process; prints its trace hash\n"
		   "  --time SEC   seeds from FROM on (default: new ones) until the time is over\n"
		   "  --trace      print what happens; --log the core's messages, too\n"
		   "  --until NS   stop at that virtual time and print the state\n"
		   "  --driver sg  the paths are those of path/sg, over a model of the kernel\n"
		   "  --export nbd clients speak NBD to the server, over wires that are slow or cut\n"
		   "  --export fuse programs use the file of the FUSE export\n"
		   "  --cover      say where the runs have been: verdicts, states, faults\n"
		   "  --shrink     with --seed: look for the smallest run that fails in the same way\n"
		   "  --paths and the like: at most so many; --without: leave out what the seed drew\n"
		   "  --plant NAME switch a planted bug on; success is to find it within %u seeds\n",
		PLANT_SEEDS);
}

/* --- a child ------------------------------------------------------------------------ */

static void run_seed(struct job *j, uint64_t seed)
{
	struct world_result a, b;

	j->seed = seed;
	j->twice = false;
	world_run(seed, &opt.world, &a);
	j->nseeds++;
	j->nops += a.nops;
	j->ncmds += a.ncmds;
	j->steps += a.steps;
	j->virtual_ns += a.virtual_ns;
	if (prng_mix(seed) % 100 != 0)
		return;
	j->twice = true;
	world_run(seed, &opt.world, &b);
	if (a.hash == b.hash)
		return;
	printf("seed %llu: its trace hash differs from run to run: %016llx, %016llx\n", (unsigned long long)seed,
	       (unsigned long long)a.hash, (unsigned long long)b.hash);
	fflush(stdout);
	_exit(1);
}

static void child(struct job *j)
{
	uint64_t start = cpu_ns();
	struct itimerval limit = { .it_value.tv_sec = SEED_CPU_SEC };

	while (j->next < j->end) {
		/* One that makes no way in virtual time ends here. */
		setitimer(ITIMER_VIRTUAL, &limit, NULL);
		run_seed(j, j->next++);
		j->cpu_ns += cpu_ns() - start;
		start = cpu_ns();
	}
	fflush(stdout);
	_exit(0);
}

/* --- the parent ---------------------------------------------------------------------- */

static void print_replay(uint64_t seed)
{
	printf("  replay: tests/sim/sim --seed %llu", (unsigned long long)seed);
	shrink_print(&opt.world);
	if (opt.plant)
		printf(" --plant %s", opt.plant);
	printf(" --trace\n");
	fflush(stdout);
}

static void reap(struct job *j, int status)
{
	j->pid = 0;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return;
	if (WIFSIGNALED(status))
		printf("seed %llu: the run died of signal %d (%s)\n", (unsigned long long)j->seed, WTERMSIG(status),
		       WTERMSIG(status) == SIGABRT   ? "an assertion" :
		       WTERMSIG(status) == SIGVTALRM ? "it does not come to an end" :
						       strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 1)
		printf("seed %llu: the run ended with status %d\n", (unsigned long long)j->seed, WEXITSTATUS(status));
	if (!nfailed++ || j->seed < first_failed)
		first_failed = j->seed;
	j->nseeds++;
	print_replay(j->seed);
}

static bool start(struct job *j, uint64_t *next, uint64_t end)
{
	pid_t pid;

	if (j->next >= j->end) {
		if (*next >= end)
			return false;
		j->next = *next;
		j->end = MIN(*next + BATCH, end);
		*next = j->end;
	}
	fflush(stdout);
	pid = fork();
	if (pid < 0) {
		perror("sim: fork");
		exit(2);
	}
	if (!pid)
		child(j);
	j->pid = pid;
	return true;
}

static struct job *job_of(pid_t pid)
{
	for (unsigned i = 0; i < opt.jobs; i++)
		if (jobs[i].pid == pid)
			return &jobs[i];
	return NULL;
}

/* Returns the number of jobs that run. */
static unsigned start_all(uint64_t *next, uint64_t end, uint64_t end_ns)
{
	unsigned running = 0;
	bool over = wall_ns() >= end_ns || nfailed >= opt.fail_max;

	for (unsigned i = 0; i < opt.jobs; i++)
		running += jobs[i].pid || (!over && start(&jobs[i], next, end));
	return running;
}

static void run_all(void)
{
	uint64_t next = opt.from, end = opt.from + opt.count;
	uint64_t end_ns = opt.time_sec ? wall_ns() + opt.time_sec * NS_PER_SEC : NS_NEVER;

	while (start_all(&next, end, end_ns)) {
		int status;
		pid_t pid = wait(&status);
		struct job *j = job_of(pid);

		if (j)
			reap(j, status);
		/* Killed in the middle of a batch: the rest of it goes on. */
	}
	opt.count = next - opt.from;
}

static struct job sum_jobs(void)
{
	struct job s = { 0 };

	for (unsigned i = 0; i < opt.jobs; i++) {
		s.nseeds += jobs[i].nseeds;
		s.nops += jobs[i].nops;
		s.ncmds += jobs[i].ncmds;
		s.steps += jobs[i].steps;
		s.virtual_ns += jobs[i].virtual_ns;
		s.cpu_ns += jobs[i].cpu_ns;
	}
	return s;
}

static int report(void)
{
	struct job s = sum_jobs();
	double cpu = (double)MAX(s.cpu_ns, 1u) / 1e9;

	printf("%llu seeds (%llu to %llu), %llu operations, %llu commands, %.0f seeds/s per core, virtual/real %.0f\n",
	       (unsigned long long)s.nseeds, (unsigned long long)opt.from,
	       (unsigned long long)(opt.from + opt.count - 1), (unsigned long long)s.nops,
	       (unsigned long long)s.ncmds, (double)s.nseeds / cpu, (double)s.virtual_ns / 1e9 / cpu);
	if (opt.plant) {
		if (nfailed)
			printf("PASS %s: found by seed %llu\n", opt.name, (unsigned long long)first_failed);
		else
			printf("FAIL %s: not found by %llu seeds\n", opt.name, (unsigned long long)s.nseeds);
		return nfailed ? 0 : 1;
	}
	if (nfailed)
		printf("FAIL %s: %u of %llu seeds, the first is %llu\n", opt.name, nfailed,
		       (unsigned long long)s.nseeds, (unsigned long long)first_failed);
	else
		printf("PASS %s\n", opt.name);
	return nfailed ? 1 : 0;
}

static int run_one(void)
{
	struct world_result r;

	printf("# seed %llu, %u operations\n", (unsigned long long)opt.from, opt.world.nops);
	world_run(opt.from, &opt.world, &r);
	printf("seed %llu: good; trace hash %016llx, %u operations, %u commands, %llu steps, %.3f s of virtual time\n",
	       (unsigned long long)opt.from, (unsigned long long)r.hash, r.nops, r.ncmds, (unsigned long long)r.steps,
	       (double)r.virtual_ns / 1e9);
	return 0;
}

/* --- options -------------------------------------------------------------------------- */

static uint64_t number(const char *what, const char *s, char **ret_end)
{
	char *end;
	unsigned long long v;

	errno = 0;
	v = strtoull(s, &end, 10);
	if (errno || end == s || *s == '-' || (*end && !ret_end)) {
		fprintf(stderr, "sim: --%s %s: a number is expected\n", what, s);
		exit(2);
	}
	if (ret_end)
		*ret_end = end;
	return v;
}

static void parse_seeds(const char *arg)
{
	char *end;

	opt.from = number("seeds", arg, &end);
	if (*end != ':') {
		fprintf(stderr, "sim: --seeds %s: FROM:COUNT is expected\n", arg);
		exit(2);
	}
	opt.count = number("seeds", end + 1, NULL);
}

static void parse_plant(const char *arg)
{
	char name[64];

	snprintf(name, sizeof(name), "plant-%s", arg);
	opt.plant = arg;
	opt.world.plant = fault_by_name(name);
	if (opt.world.plant >= 0)
		return;
	fprintf(stderr, "sim: --plant %s: no such bug; there are:", arg);
	for (int i = 0; i < FAULT_NR; i++)
		if (strncmp(fault_name((enum fault_site)i), "plant-", 6) == 0)
			fprintf(stderr, " %s", fault_name((enum fault_site)i) + 6);
	fprintf(stderr, "\n");
	exit(2);
}

static void list_plants(void)
{
	for (int i = 0; i < FAULT_NR; i++)
		if (strncmp(fault_name((enum fault_site)i), "plant-", 6) == 0)
			printf("%s\n", fault_name((enum fault_site)i) + 6);
	exit(0);
}

enum { O_SEED = 256, O_SEEDS, O_TIME, O_JOBS, O_OPS, O_TRACE, O_LOG, O_UNTIL, O_PLANT, O_PLANTS, O_NAME, O_VERIFY, O_DRIVER, O_EXPORT, O_COVER,
       O_SHRINK, O_PATHS, O_CLIENTS, O_IODEPTH, O_WITHOUT };

static const struct option options[] = {
	{ "seed", 1, NULL, O_SEED },   { "seeds", 1, NULL, O_SEEDS }, { "time", 1, NULL, O_TIME },
	{ "jobs", 1, NULL, O_JOBS },   { "ops", 1, NULL, O_OPS },     { "trace", 0, NULL, O_TRACE },
	{ "log", 0, NULL, O_LOG },     { "until", 1, NULL, O_UNTIL }, { "plant", 1, NULL, O_PLANT },
	{ "plants", 0, NULL, O_PLANTS }, { "name", 1, NULL, O_NAME },   { "verify", 1, NULL, O_VERIFY },
	{ "driver", 1, NULL, O_DRIVER }, { "export", 1, NULL, O_EXPORT }, { "cover", 0, NULL, O_COVER }, { "shrink", 0, NULL, O_SHRINK },
	{ "paths", 1, NULL, O_PATHS }, { "clients", 1, NULL, O_CLIENTS }, { "iodepth", 1, NULL, O_IODEPTH },
	{ "without", 1, NULL, O_WITHOUT }, { "help", 0, NULL, 'h' },      { 0 },
};

static void parse_without(const char *arg)
{
	size_t len;

	for (; *arg; arg += len + (arg[len] == ',')) {
		int cut;

		len = strcspn(arg, ",");
		cut = swarm_cut_by_name(arg, len);
		if (cut < 0) {
			fprintf(stderr, "sim: --without %.*s: no such thing; there are:", (int)len, arg);
			for (int i = 0; i < CUT_NR; i++)
				fprintf(stderr, " %s", swarm_cut_name(i));
			fprintf(stderr, "\n");
			exit(2);
		}
		opt.world.without |= 1ull << cut;
	}
}

static void parse_driver(const char *arg)
{
	opt.world.sg = strcmp(arg, "sg") == 0;
	if (opt.world.sg || strcmp(arg, "sim") == 0)
		return;
	fprintf(stderr, "sim: --driver %s: sim or sg is expected\n", arg);
	exit(2);
}

static void parse_export(const char *arg)
{
	opt.world.nbd = strcmp(arg, "nbd") == 0;
	opt.world.fuse = strcmp(arg, "fuse") == 0;
#ifndef HAVE_FUSE
	if (opt.world.fuse) {
		fprintf(stderr, "sim: --export fuse: this was built without FUSE\n");
		exit(77);
	}
#endif
	if (opt.world.fuse)
		opt.world.max_clients = 1; /* to the LUN the kernel is one */
	if (opt.world.nbd || opt.world.fuse || strcmp(arg, "core") == 0)
		return;
	fprintf(stderr, "sim: --export %s: core, nbd or fuse is expected\n", arg);
	exit(2);
}

/* What makes the world another one. */
static void parse_world(int o, const char *arg)
{
	switch (o) {
	case O_DRIVER:
		parse_driver(arg);
		return;
	case O_EXPORT:
		parse_export(arg);
		return;
	case O_PATHS:
		opt.world.max_paths = (unsigned)MAX(number("paths", arg, NULL), 1u);
		return;
	case O_CLIENTS:
		opt.world.max_clients = (unsigned)MAX(number("clients", arg, NULL), 1u);
		return;
	case O_IODEPTH:
		opt.world.max_iodepth = (unsigned)MAX(number("iodepth", arg, NULL), 1u);
		return;
	case O_WITHOUT:
		parse_without(arg);
		return;
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(2);
	}
}

static void parse_option(int o, const char *arg, bool *ret_seeds)
{
	switch (o) {
	case O_SEED:
		opt.one = true;
		opt.from = number("seed", arg, NULL);
		return;
	case O_SEEDS:
		parse_seeds(arg);
		*ret_seeds = true;
		return;
	case O_TIME:
		opt.time_sec = (unsigned)number("time", arg, NULL);
		return;
	case O_JOBS:
		opt.jobs = (unsigned)MIN(MAX(number("jobs", arg, NULL), 1u), JOBS_MAX);
		return;
	case O_OPS:
		opt.world.nops = (unsigned)MAX(number("ops", arg, NULL), 1u);
		return;
	case O_TRACE:
		opt.world.trace = true;
		return;
	case O_LOG:
		opt.world.log = true;
		return;
	case O_UNTIL:
		opt.world.until_ns = number("until", arg, NULL);
		return;
	case O_PLANT:
		parse_plant(arg);
		return;
	case O_PLANTS:
		list_plants();
		return;
	case O_NAME:
		opt.name = arg;
		return;
	case O_VERIFY:
		opt.world.verify_every = (unsigned)MAX(number("verify", arg, NULL), 1u);
		return;
	case O_COVER:
		opt.cover = true;
		return;
	case O_SHRINK:
		opt.shrink = true;
		return;
	default:
		parse_world(o, arg);
		return;
	}
}

int main(int argc, char **argv)
{
	bool seeds = false;
	int o;

	while ((o = getopt_long(argc, argv, "h", options, NULL)) != -1)
		parse_option(o, optarg, &seeds);
	if (optind < argc) {
		usage(stderr);
		return 2;
	}
	if (opt.time_sec && !seeds) {
		opt.from = (uint64_t)time(NULL) * 1000000;
		opt.count = UINT64_MAX / 2;
	}
	if (opt.plant) {
		opt.count = MIN(opt.count, PLANT_SEEDS);
		opt.count = seeds ? opt.count : PLANT_SEEDS;
		opt.fail_max = 1;
	}
	if (!opt.name)
		opt.name = opt.plant ? opt.plant : "seeds";
	log_init("core", NULL, opt.world.log ? LOG_L_DEBUG : (enum log_level)0);
	if (opt.world.trace)
		setvbuf(stdout, NULL, _IOLBF, 0);
	/* Each seed makes the same large tables anew: keep their pages. */
	mallopt(M_MMAP_THRESHOLD, 1 << 30);
	mallopt(M_TRIM_THRESHOLD, 1 << 30);
	if (opt.one && opt.shrink)
		return shrink(opt.from, &opt.world);
	if (opt.one)
		return run_one();
	if (opt.cover)
		cover_init();
	jobs = mmap(NULL, sizeof(*jobs) * JOBS_MAX, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(jobs != MAP_FAILED);
	run_all();
	if (opt.cover)
		cover_print();
	return report();
}
