/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * shrink.c - see shrink.h. Randomness is keyed by entity, so what is left out shifts little of the
 * rest; each step is tried, and kept if the failure stays the same.
 */
#include "shrink.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define STEP_CPU_SEC 20

/* Which oracle fired, or which signal came; "" for a good run. */
struct ending {
	char oracle[16];
};

static char *mailbox; /* shared with the child: the name of the oracle */
static unsigned nruns;

static void run(uint64_t seed, const struct world_options *opt)
{
	struct world_result r;
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	assert(null >= 0);
	dup2(null, 1);
	dup2(null, 2);
	alarm(2 * STEP_CPU_SEC);
	world_run(seed, opt, &r);
	_exit(0);
}

static struct ending try(uint64_t seed, const struct world_options *opt)
{
	struct world_options o = *opt;
	struct ending e = { "" };
	int status;
	pid_t pid;

	o.trace = o.log = false;
	o.ret_oracle = mailbox;
	mailbox[0] = 0;
	fflush(stdout);
	nruns++;
	pid = fork();
	assert(pid >= 0);
	if (!pid)
		run(seed, &o);
	waitpid(pid, &status, 0);
	if (WIFSIGNALED(status))
		snprintf(e.oracle, sizeof(e.oracle), "signal %d", WTERMSIG(status));
	else if (WEXITSTATUS(status))
		snprintf(e.oracle, sizeof(e.oracle), "%s", mailbox);
	return e;
}

static bool is_same(uint64_t seed, const struct world_options *opt, const struct ending *want)
{
	struct ending e = try(seed, opt);

	return strcmp(e.oracle, want->oracle) == 0;
}

/* The least value of *@at that keeps the failure, by halving. */
static void lessen(uint64_t seed, struct world_options *opt, unsigned *at, const struct ending *want)
{
	unsigned good = 0, bad = *at;

	while (bad - good > 1) {
		*at = good + (bad - good) / 2;
		if (is_same(seed, opt, want))
			bad = *at;
		else
			good = *at;
	}
	*at = bad;
}

static bool leave_out(uint64_t seed, struct world_options *opt, const struct ending *want)
{
	bool less = false;

	for (int i = 0; i < CUT_NR; i++) {
		if (opt->without >> i & 1)
			continue;
		opt->without |= 1ull << i;
		if (is_same(seed, opt, want))
			less = true;
		else
			opt->without &= ~(1ull << i);
	}
	return less;
}

void shrink_print(const struct world_options *opt)
{
	const char *comma = " --without ";

	if (opt->nops != 500)
		printf(" --ops %u", opt->nops);
	if (opt->sg)
		printf(" --driver sg");
	if (opt->nbd)
		printf(" --export nbd");
	if (opt->fuse)
		printf(" --export fuse");
	if (opt->max_paths < SIM_PATHS_MAX)
		printf(" --paths %u", opt->max_paths);
	if (opt->max_clients < SIM_CLIENTS_MAX)
		printf(" --clients %u", opt->max_clients);
	if (opt->max_iodepth < SIM_IODEPTH_MAX)
		printf(" --iodepth %u", opt->max_iodepth);
	for (int i = 0; i < CUT_NR; i++) {
		if (!(opt->without >> i & 1))
			continue;
		printf("%s%s", comma, swarm_cut_name(i));
		comma = ",";
	}
}

int shrink(uint64_t seed, const struct world_options *opt)
{
	struct world_options o = *opt;
	struct ending want;

	mailbox = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert(mailbox != MAP_FAILED);
	want = try(seed, &o);
	if (!want.oracle[0]) {
		printf("seed %llu does not fail\n", (unsigned long long)seed);
		return 1;
	}
	do {
		lessen(seed, &o, &o.nops, &want);
		lessen(seed, &o, &o.max_paths, &want);
		lessen(seed, &o, &o.max_clients, &want);
		lessen(seed, &o, &o.max_iodepth, &want);
	} while (leave_out(seed, &o, &want));
	printf("seed %llu fails by %s; the smallest of %u runs that does:\n  tests/sim/sim --seed %llu",
	       (unsigned long long)seed, want.oracle, nruns, (unsigned long long)seed);
	shrink_print(&o);
	printf(" --trace\n");
	return 0;
}
