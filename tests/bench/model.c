/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * model.c - what one queue above the paths is worth: the core, unchanged, over
 * modelled disks and paths (model_dev.c), in virtual time.
 *
 *   model [--json FILE]     the tables; exit 1 if a goal is missed
 *
 * "above" is one LUN over all paths.  "below" is how dm-multipath works on bios,
 * with our own core: a path is chosen for each request first (the one with the
 * fewest bytes under way), and each path has a queue, an elevator and a queue
 * depth of its own.
 */
#include "model_dev.h"

#include "base/hist.h"
#include "base/log.h"
#include "base/prng.h"
#include "base/units.h"
#include "core/sel.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATHS 8u
#define JOBS 256u
#define DEPTH 32u
#define NO_TASK_SET 4096u

/* --- a run ------------------------------------------------------------------------------ */

struct setup {
	unsigned npaths;
	bool below;
	enum elv_kind elevator;
	enum sel_kind selector;
	enum medium medium;
	unsigned depth, task_set;
	struct wire wire[PATHS];
	/* The load: so many requests are outstanding, so many of each stream. */
	unsigned nrandom, nstreams, per_stream;
	uint32_t bytes;
	uint64_t warm_ns, run_ns;
};

struct job {
	struct run *run;
	bool stream;
	unsigned nr;
	unsigned lun;
};

struct result {
	double mib_s, iops, kib_cmd, seek_mib;
	uint64_t cmds, reqs, full;
	double p50_ms, p999_ms, max_ms;
};

struct run {
	const struct setup *s;
	struct loop *loop;
	struct dev dev;
	struct lun *lun[PATHS];
	unsigned nluns;
	uint64_t under_way[PATHS]; /* bytes, by LUN */
	struct job jobs[JOBS];
	unsigned njobs;
	uint64_t stream_lba[JOBS];
	struct prng prng;
	struct hist latency;
	uint64_t reqs;
	bool counting, over;
};

static uint64_t job_lba(struct job *j)
{
	struct run *r = j->run;
	uint32_t n = r->s->bytes / MODEL_BLOCK;
	uint64_t lba;

	if (!j->stream)
		return prng_below(&r->prng, MODEL_BLOCKS / n) * n;
	lba = r->stream_lba[j->nr];
	r->stream_lba[j->nr] = (lba + n) % MODEL_BLOCKS;
	return lba;
}

/* Below: the path is chosen before there is a queue. */
static unsigned choose_lun(const struct run *r)
{
	unsigned best = 0;

	for (unsigned i = 1; i < r->nluns; i++)
		if (r->under_way[i] < r->under_way[best])
			best = i;
	return best;
}

static void job_done(struct req *req);

static void job_ask(struct job *j)
{
	struct run *r = j->run;
	struct req *req;

	j->lun = choose_lun(r);
	r->under_way[j->lun] += r->s->bytes;
	req = lun_req_get(r->lun[j->lun], r->s->bytes);
	assert(req);
	req->op = REQ_READ;
	req->lba = job_lba(j);
	req->nblocks = r->s->bytes / MODEL_BLOCK;
	req->done = job_done;
	req->owner = j;
	lun_submit(req);
}

static void job_done(struct req *req)
{
	struct job *j = req->owner;
	struct run *r = j->run;

	assert(!req->err || r->over);
	r->under_way[j->lun] -= r->s->bytes;
	if (r->counting) {
		hist_add(&r->latency, loop_now_ns(r->loop) - req->submit_ns);
		r->reqs++;
	}
	lun_req_put(req);
	if (!r->over)
		job_ask(j);
}

static void run_until(struct run *r, uint64_t end_ns)
{
	while (loop_now_ns(r->loop) < end_ns && loop_sim_step(r->loop))
		;
}

static void run_luns(struct run *r)
{
	const struct setup *s = r->s;
	unsigned each = s->below ? 1 : s->npaths;
	struct lun_params par;

	lun_params_default(&par);
	par.elevator = s->elevator;
	par.selector = s->selector;
	par.grouping = GROUP_MULTIBUS;
	par.depth = s->depth;
	par.max_reqs = 2 * JOBS;
	par.buffer_bytes = 128 * MIB;
	par.max_ghosts = 1; /* it is all reads */
	r->nluns = s->npaths / each;
	for (unsigned i = 0; i < r->nluns; i++) {
		int rc = lun_new(r->loop, &par, &r->lun[i]);

		assert(rc == 0);
		for (unsigned k = 0; k < each; k++) {
			char name[16];

			snprintf(name, sizeof(name), "path%u", i * each + k);
			rc = lun_add_path(r->lun[i], dev_path(&r->dev, name, &s->wire[i * each + k]));
			assert(rc == 0);
		}
	}
	run_until(r, loop_now_ns(r->loop) + 100 * NS_PER_MS);
}

static void run_load(struct run *r)
{
	for (unsigned i = 0; i < r->s->nstreams; i++)
		r->stream_lba[i] = MODEL_BLOCKS / r->s->nstreams * i + 12345 * 8 * i;
	r->njobs = r->s->nrandom + r->s->per_stream * r->s->nstreams;
	assert(r->njobs <= JOBS);
	for (unsigned i = 0; i < r->njobs; i++) {
		r->jobs[i] = (struct job){ .run = r, .stream = i >= r->s->nrandom };
		if (r->jobs[i].stream)
			r->jobs[i].nr = (i - r->s->nrandom) / r->s->per_stream;
		job_ask(&r->jobs[i]);
	}
}

static void run_end(struct run *r)
{
	r->over = true;
	for (unsigned i = 0; i < r->nluns; i++)
		lun_stop(r->lun[i], 0);
	while (loop_sim_step(r->loop))
		;
	for (unsigned i = 0; i < r->nluns; i++)
		lun_free(r->lun[i]);
	loop_free(r->loop);
}

static struct result measure(const struct setup *s)
{
	struct run *r = calloc(1, sizeof(*r));
	struct result res;
	double secs = (double)s->run_ns / 1e9;

	assert(r);
	r->s = s;
	r->loop = loop_sim_new(1000 * NS_PER_SEC);
	prng_init(&r->prng, 1, 1);
	dev_init(&r->dev, r->loop, s->medium, s->task_set);
	run_luns(r);
	run_load(r);
	run_until(r, loop_now_ns(r->loop) + s->warm_ns);
	r->dev.cmds = r->dev.bytes = r->dev.seek_blocks = r->dev.full = 0;
	r->counting = true;
	run_until(r, loop_now_ns(r->loop) + s->run_ns);
	r->counting = false;
	res = (struct result){
		.mib_s = (double)r->reqs * s->bytes / MIB / secs,
		.iops = (double)r->reqs / secs,
		.kib_cmd = (double)r->dev.bytes / KIB / (double)MAX(r->dev.cmds, 1u),
		.seek_mib = (double)r->dev.seek_blocks * MODEL_BLOCK / MIB / (double)MAX(r->dev.cmds, 1u),
		.cmds = r->dev.cmds,
		.reqs = r->reqs,
		.full = r->dev.full,
		.p50_ms = (double)hist_quantile_ns(&r->latency, 500) / 1e6,
		.p999_ms = (double)hist_quantile_ns(&r->latency, 999) / 1e6,
		.max_ms = (double)r->latency.max_ns / 1e6,
	};
	run_end(r);
	free(r);
	return res;
}

/* --- what is said ------------------------------------------------------------------------- */

static FILE *json;
static unsigned missed;

static void record(const char *section, const char *what, const char *how, unsigned n, const struct result *r)
{
	if (!json)
		return;
	fprintf(json,
		"{\"section\": \"%s\", \"what\": \"%s\", \"how\": \"%s\", \"paths\": %u, \"mib_s\": %.2f, \"iops\": %.1f, "
		"\"commands\": %llu, \"requests\": %llu, \"kib_per_command\": %.2f, \"seek_mib\": %.1f, \"task_set_full\": %llu, "
		"\"p50_ms\": %.3f, \"p999_ms\": %.3f, \"max_ms\": %.3f}\n",
		section, what, how, n, r->mib_s, r->iops, (unsigned long long)r->cmds, (unsigned long long)r->reqs,
		r->kib_cmd, r->seek_mib, (unsigned long long)r->full, r->p50_ms, r->p999_ms, r->max_ms);
}

static void goal(bool met, const char *what, double is, const char *than, double want)
{
	printf("  %s: %s is %.3f (goal: %s %.2f)\n", met ? "met" : "MISSED", what, is, than, want);
	missed += !met;
}

static void at_least(const char *what, double is, double want)
{
	goal(is >= want, what, is, "at least", want);
}

static void at_most(const char *what, double is, double want)
{
	goal(is <= want, what, is, "at most", want);
}

/* --- one elevator above, or one below each path ---------------------------------------------- */

static struct setup four_paths(void)
{
	struct setup s = { .npaths = 4, .elevator = ELV_DEADLINE, .selector = SEL_SERVICE_TIME,
			   .medium = MEDIUM_ARRIVAL, .depth = DEPTH, .task_set = DEPTH,
			   .bytes = 4096, .warm_ns = 2 * NS_PER_SEC, .run_ns = 20 * NS_PER_SEC };

	for (unsigned i = 0; i < PATHS; i++)
		s.wire[i] = (struct wire){ .bytes_s = 400000000, .cmd_ns = 20 * NS_PER_US };
	return s;
}

static struct result elevator_row(const char *load, const char *how, struct setup s)
{
	struct result r = measure(&s);

	printf("  %-34s%9.0f%9.1f%10.1f%9.1f%10.2f%10llu%9.1f\n", how, (double)r.cmds / ((double)s.run_ns / 1e9), r.kib_cmd,
	       r.seek_mib, r.mib_s, r.iops / 1000, (unsigned long long)r.full, r.p999_ms);
	record("elevator", load, how, s.npaths, &r);
	return r;
}

/* Of one load: above by deadline and fifo, below with the whole depth for each queue and with its part. The ratio of
 * throughputs, above to the better one below. */
static double elevator_load(const char *load, struct setup s)
{
	struct result above, below, part;

	printf("\n%s\n  %-34s%9s%9s%10s%9s%10s%10s%9s\n", load, "", "cmds/s", "KiB/cmd", "MiB seek", "MiB/s", "1000 IOPS",
	       "full", "p99.9 ms");
	above = elevator_row(load, "one queue above four paths", s);
	s.elevator = ELV_FIFO;
	elevator_row(load, "- the same, elevator fifo", s);
	s.elevator = ELV_DEADLINE;
	s.below = true;
	below = elevator_row(load, "four queues below the choice", s);
	s.depth = DEPTH / s.npaths;
	part = elevator_row(load, "- the same, a quarter depth each", s);
	return above.mib_s / MAX(below.mib_s, part.mib_s);
}

static void elevator(void)
{
	static const struct {
		const char *name;
		enum medium medium;
		unsigned nrandom, nstreams, per_stream;
		double want; /* of the throughput above to that below */
	} loads[] = {
		{ "a sequential reader, disk that serves by arrival", MEDIUM_ARRIVAL, 0, 1, 64, 2 },
		{ "a sequential reader, disk that sorts", MEDIUM_SORTS, 0, 1, 64, 2 },
		{ "4 sequential readers, disk that serves by arrival", MEDIUM_ARRIVAL, 0, 4, 16, 1.05 },
		/* It stays with a reader as long as requests of one come in one by one: for half a second. */
		{ "4 sequential readers, disk that sorts", MEDIUM_SORTS, 0, 4, 16, 0 },
		{ "64 random readers, disk that serves by arrival", MEDIUM_ARRIVAL, 64, 0, 0, 1.3 },
		{ "64 random readers, disk that sorts", MEDIUM_SORTS, 64, 0, 0, 1 },
		{ "2 sequential and 32 random readers, by arrival", MEDIUM_ARRIVAL, 32, 2, 16, 1.1 },
		{ "4 sequential readers, flash", MEDIUM_FLASH, 0, 4, 16, 1.5 },
		{ "64 random readers, flash", MEDIUM_FLASH, 64, 0, 0, 0.97 },
	};

	puts("== one elevator and one queue depth (32) above four paths, or one below each; 4 KiB reads; task set 32");
	for (unsigned i = 0; i < ARRAY_SIZE(loads); i++) {
		struct setup s = four_paths();
		double above_to_below;

		s.medium = loads[i].medium;
		s.nrandom = loads[i].nrandom;
		s.nstreams = loads[i].nstreams;
		s.per_stream = loads[i].per_stream;
		if (s.medium == MEDIUM_FLASH)
			s.warm_ns = s.run_ns = 200 * NS_PER_MS;
		above_to_below = elevator_load(loads[i].name, s);
		if (loads[i].want > 0)
			at_least("throughput, above to below", above_to_below, loads[i].want);
	}
}

/* --- many paths --------------------------------------------------------------------------------- */

/* Flash that is quicker than its paths: 100 MB/s and 20 us a command each. */
static struct setup narrow_paths(unsigned n)
{
	struct setup s = four_paths();

	s.npaths = n;
	s.medium = MEDIUM_FLASH;
	s.elevator = ELV_AUTO;
	s.depth = 128;
	s.task_set = NO_TASK_SET;
	s.nrandom = 128;
	s.bytes = 128 * KIB;
	s.warm_ns = 100 * NS_PER_MS;
	s.run_ns = 400 * NS_PER_MS;
	for (unsigned i = 0; i < PATHS; i++)
		s.wire[i].bytes_s = 100000000;
	return s;
}

static struct result narrow_row(const char *what, struct setup s)
{
	struct result r = measure(&s);

	printf("  %-44s%3u paths%9.1f MiB/s%9.0f IOPS, p99.9 %.2f ms, slowest %.1f ms, %llu full\n", what, s.npaths, r.mib_s,
	       r.iops, r.p999_ms, r.max_ms, (unsigned long long)r.full);
	record("aggregation", what, sel_by_kind(s.selector)->name, s.npaths, &r);
	return r;
}

static void equal_paths(uint32_t bytes, const char *what)
{
	double one = 0;

	for (unsigned n = 1; n <= PATHS; n *= 2) {
		struct setup s = narrow_paths(n);
		struct result r;

		s.bytes = bytes;
		r = narrow_row(what, s);
		if (n == 1)
			one = r.iops;
		else
			at_least("of so many times one path", r.iops / one / n, 0.95);
	}
}

static void unequal_paths(enum sel_kind sel, double want)
{
	struct setup s = narrow_paths(3);
	struct result r;
	char what[64];

	s.selector = sel;
	s.wire[1].bytes_s *= 2;
	s.wire[2].bytes_s *= 4;
	snprintf(what, sizeof(what), "paths of 1:2:4, %s", sel_by_kind(sel)->name);
	r = narrow_row(what, s);
	if (want > 0)
		at_least("of the sum of the paths", r.mib_s * MIB / 700e6, want);
}

/* One of four is bad; compared with the other three alone. */
static void bad_path(const char *what, uint32_t bytes, uint64_t late_ns, uint64_t hangs_ns)
{
	struct setup s = narrow_paths(4);
	struct result bad, alone;

	s.bytes = bytes;
	s.nrandom = s.depth = 64;
	s.warm_ns = s.run_ns = 3 * NS_PER_SEC;
	s.wire[3].late_ns = late_ns;
	s.wire[3].hangs_ns = hangs_ns;
	bad = narrow_row(what, s);
	s.npaths = 3;
	alone = narrow_row("- the other three alone", s);
	at_least("throughput, of the others alone", bad.mib_s / alone.mib_s, 0.9);
	at_most("p99.9, of the others alone", bad.p999_ms / alone.p999_ms, 1.3);
}

/* An array with a task set of 32, told to take twice that. */
static void full_task_set(void)
{
	uint64_t one = 0;

	for (unsigned below = 0; below < 2; below++)
		for (unsigned n = 1; n <= PATHS; n *= 2) {
			struct setup s = narrow_paths(n);
			struct result r;

			s.below = below;
			s.bytes = 4096;
			s.depth = 64;
			s.task_set = 32;
			s.warm_ns = 0;
			s.run_ns = 2 * NS_PER_SEC;
			r = narrow_row(below ? "task set 32, a queue below each path" : "task set 32, one queue of depth 64", s);
			if (n == 1)
				one = r.full;
			else if (!below)
				at_most("TASK SET FULL, of one path's", (double)r.full / (double)MAX(one, 1u), 1.1);
		}
}

static void aggregation(void)
{
	puts("\n== paths of 100 MB/s and 20 us a command before flash that is quicker; random reads");
	equal_paths(128 * KIB, "equal paths, 128 KiB");
	equal_paths(4096, "equal paths, 4 KiB");
	unequal_paths(SEL_SERVICE_TIME, 0.95);
	unequal_paths(SEL_HISTORICAL, 0.95);
	unequal_paths(SEL_QUEUE_LENGTH, 0.95);
	unequal_paths(SEL_ROUND_ROBIN, 0);
	bad_path("one of four is 30 ms slower, 16 KiB", 16 * KIB, 30 * NS_PER_MS, 0);
	bad_path("one of four is 30 ms slower, 64 KiB", 64 * KIB, 30 * NS_PER_MS, 0);
	/* The loop's clock starts at 1000 s; the load runs from a tenth of a second later. */
	bad_path("one of four hangs after 1 s, 16 KiB", 16 * KIB, 0, 1004 * NS_PER_SEC);
	bad_path("one of four hangs after 1 s, 64 KiB", 64 * KIB, 0, 1004 * NS_PER_SEC);
	full_task_set();
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "--json") == 0)
		json = fopen(argv[2], "w");
	if (argc != 1 && !json) {
		fprintf(stderr, "usage: %s [--json FILE]\n", argv[0]);
		return 2;
	}
	log_set_level(LOG_L_ERR);
	elevator();
	aggregation();
	if (json && fclose(json) != 0)
		return 1;
	printf("\n%u goals missed\n", missed);
	return missed ? 1 : 0;
}
