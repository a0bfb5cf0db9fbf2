/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * steady.c - a steady, verified load: how long does it stall when paths fail?
 *
 * A few threads, each with one request at a time on a block device (O_DIRECT)
 * or on an NBD connection of its own, at fixed times.  Each writes the next
 * block of a region that is its own, then reads one back that it wrote before
 * and compares every word of it: data that was lost or is not the last ends
 * the run.  An I/O error is counted, and the thread goes on.  SIGTERM ends the
 * load early.
 *
 * A request that is late keeps those from starting that were due meanwhile;
 * these are counted as well, each with the time it would have taken (a stall
 * that was met once by each thread would be no more than a handful of samples
 * otherwise).  Prints one JSON object: requests with the missed ones, the
 * longest gap between two completions of all threads, quantiles of all times,
 * from when a request was due to its end, and the longest time of one.
 *
 * No block is written twice unless the run wraps around a region (the size of
 * the disk bounds it): where a write is in doubt, one with other data to the
 * same blocks has to wait for it, and that is another question.
 */
#include "base/bytes.h"
#include "base/units.h"
#include "export/nbd_proto.h"
#include "nbdclient.h"

#include <fcntl.h>
#include <getopt.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX    64u
#define ANSWER_LIMIT_S 300

static struct {
	const char *device, *socket, *export;
	unsigned threads, period_ms, block;
	double seconds, warmup;
} opt = {.export = "",
	 .threads = 8,
	 .period_ms = 20,
	 .block = 4096,
	 .seconds = 5,
	 .warmup = 1};

struct worker {
	pthread_t thread;
	unsigned index;
	int fd;
	uint64_t first, nblocks; /* its region */
	uint64_t written;	 /* blocks, from the first on and round again */
	uint8_t *buf;
};

static struct worker workers[THREADS_MAX];
static volatile sig_atomic_t stopped;	   /* by a signal: end now, and tell */
static uint64_t start_ns, from_ns, end_ns; /* of the run, of what counts, of both */

/* What was seen, under the lock. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static uint64_t *sample, nsamples, max_samples, last_ns, gap_ns, errors;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

/* Every word of a block tells where it is and which write it is of. */
static uint64_t word(uint64_t block, uint64_t lap, unsigned i)
{
	return (block << 24 ^ lap << 12 ^ i) * 0x9e3779b97f4a7c15ull + 1;
}

static void fill(uint8_t *buf, uint64_t block, uint64_t lap)
{
	for (unsigned i = 0; i < opt.block / 8; i++)
		put_be64(buf + (size_t)i * 8, word(block, lap, i));
}

static void compare(const uint8_t *buf, uint64_t block, uint64_t lap)
{
	for (unsigned i = 0; i < opt.block / 8; i++)
		if (get_be64(buf + (size_t)i * 8) != word(block, lap, i))
			die("block %llu, write %llu: wrong data at byte %u",
			    (unsigned long long)block, (unsigned long long)lap, i * 8);
}

/* --- the two ways --------------------------------------------------------------------
 */

/* One request over NBD: 0, or a positive errno. */
static int nbd_rw(struct worker *w, bool write, uint64_t offset)
{
	struct nbd_request_hdr h;
	struct nbd_simple_reply r;
	struct iovec iov[2] = {{&h, sizeof(h)}, {w->buf, opt.block}};
	struct msghdr m = {.msg_iov = iov, .msg_iovlen = write ? 2 : 1};
	size_t len = sizeof(h) + (write ? opt.block : 0);

	memset(&h, 0, sizeof(h));
	put_be32(&h.magic, NBD_REQUEST_MAGIC);
	put_be16(&h.type, write ? NBD_WRITE : NBD_READ);
	put_be64(&h.cookie, w->written);
	put_be64(&h.offset, offset);
	put_be32(&h.length, opt.block);
	if (sendmsg(w->fd, &m, MSG_NOSIGNAL) != (ssize_t)len)
		die("send: %s", strerror(errno));
	read_all(w->fd, &r, sizeof(r), "reply");
	if (get_be32(&r.magic) != NBD_SIMPLE_REPLY_MAGIC ||
	    get_be64(&r.cookie) != w->written)
		die("not a reply to what was asked");
	if (get_be32(&r.error))
		return (int)get_be32(&r.error);
	if (!write)
		read_all(w->fd, w->buf, opt.block, "data");
	return 0;
}

static int device_rw(struct worker *w, bool write, uint64_t offset)
{
	ssize_t n = write ? pwrite(w->fd, w->buf, opt.block, (off_t)offset)
			  : pread(w->fd, w->buf, opt.block, (off_t)offset);

	if (n < 0)
		return errno;
	if ((uint32_t)n != opt.block)
		die("%s: %zd bytes of %u", opt.device, n, opt.block);
	return 0;
}

static int rw(struct worker *w, bool write, uint64_t block)
{
	int rc = opt.device ? device_rw(w, write, block * opt.block)
			    : nbd_rw(w, write, block * opt.block);

	if (rc && rc != EIO)
		die("%s: %s", write ? "write" : "read", strerror(rc));
	return rc;
}

static uint64_t open_disk(struct worker *w)
{
	uint64_t size = 0;

	if (!opt.device) {
		w->fd = nbd_connect(opt.socket, ANSWER_LIMIT_S);
		return nbd_handshake(w->fd, opt.export);
	}
	w->fd = open(opt.device, O_RDWR | O_DIRECT | O_CLOEXEC);
	if (w->fd < 0 || ioctl(w->fd, BLKGETSIZE64, &size) < 0)
		die("%s: %s", opt.device, strerror(errno));
	return size;
}

/* --- the load
 * ------------------------------------------------------------------------- */

/* A request that was due at @due_ns has ended; those due before that and not started
 * are late, too. */
static void note(uint64_t due_ns, uint64_t at_ns, int rc)
{
	pthread_mutex_lock(&lock);
	if (at_ns >= from_ns) {
		if (last_ns < from_ns)
			last_ns = from_ns;
		if (at_ns > last_ns && at_ns - last_ns > gap_ns)
			gap_ns = at_ns - last_ns;
		for (; due_ns < at_ns && nsamples < max_samples;
		     due_ns += opt.period_ms * NS_PER_MS)
			sample[nsamples++] = at_ns - due_ns;
		errors += rc != 0;
	}
	if (at_ns > last_ns)
		last_ns = at_ns;
	pthread_mutex_unlock(&lock);
}

/* All that was written once more, at the end. */
static void check_all(struct worker *w)
{
	uint64_t k = w->written - MIN(w->written, w->nblocks);

	for (; k < w->written; k++) {
		if (rw(w, false, w->first + k % w->nblocks))
			die("reading all again: %s", strerror(EIO));
		compare(w->buf, w->first + k % w->nblocks, k / w->nblocks);
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;
	const uint64_t period_ns = opt.period_ms * NS_PER_MS;
	/* Evenly spread over the period. */
	uint64_t due_ns = start_ns + period_ns * w->index / opt.threads,
		 random = w->index + 1;
	bool reading = false;

	for (; due_ns < end_ns && !stopped; due_ns += period_ns) {
		struct timespec ts = {(time_t)(due_ns / NS_PER_SEC),
				      (long)(due_ns % NS_PER_SEC)};
		uint64_t k = w->written, at_ns;
		int rc;

		while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &ts, NULL) ==
			       EINTR &&
		       !stopped)
			;
		if (stopped)
			break;
		if (reading) {
			random = random * 6364136223846793005ull +
				 1442695040888963407ull;
			k -= 1 + (random >> 33) % MIN(w->written, w->nblocks);
		} else {
			fill(w->buf, w->first + k % w->nblocks, k / w->nblocks);
		}
		rc = rw(w, !reading, w->first + k % w->nblocks);
		at_ns = now_ns();
		if (!rc && reading)
			compare(w->buf, w->first + k % w->nblocks, k / w->nblocks);
		note(due_ns, at_ns, rc);
		/* A write that failed is made again. */
		if (!rc && !reading)
			w->written++;
		reading = !rc && !reading;
		while (due_ns + period_ns < at_ns)
			due_ns += period_ns;
	}
	check_all(w);
	return NULL;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

static double quantile_ms(double q)
{
	uint64_t i = (uint64_t)(q * (double)nsamples);

	return nsamples ? (double)sample[MIN(i, nsamples - 1)] / 1e6 : 0;
}

static void usage(void)
{
	die("usage: steady -d DEVICE | -s SOCKET [-n EXPORT]  [-j THREADS] [-p PERIOD "
	    "IN MS]\n"
	    "	[-b BYTES] [-t SECONDS] [-w WARM-UP SECONDS]");
}

static void options(int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "d:s:n:j:p:b:t:w:")) != -1) {
		switch (ch) {
		case 'd':
			opt.device = optarg;
			break;
		case 's':
			opt.socket = optarg;
			break;
		case 'n':
			opt.export = optarg;
			break;
		case 'j':
			opt.threads = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'p':
			opt.period_ms = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 'b':
			opt.block = (unsigned)strtoul(optarg, NULL, 10);
			break;
		case 't':
			opt.seconds = strtod(optarg, NULL);
			break;
		case 'w':
			opt.warmup = strtod(optarg, NULL);
			break;
		default:
			usage();
		}
	}
	if (optind != argc || !opt.device == !opt.socket)
		usage();
	if (opt.threads < 1 || opt.threads > THREADS_MAX || opt.period_ms < 1 ||
	    opt.block < 512 || opt.block % 512 || opt.seconds < 0 || opt.warmup < 0)
		die("threads 1 to %u, a period of 1 ms or more, blocks of 512 bytes or "
		    "a multiple",
		    THREADS_MAX);
}

static void set_up(void)
{
	uint64_t blocks = 0;

	for (unsigned i = 0; i < opt.threads; i++) {
		struct worker *w = &workers[i];

		w->index = i;
		blocks = open_disk(w) / opt.block;
		w->nblocks = blocks / opt.threads;
		w->first = w->nblocks * i;
		if (!w->nblocks)
			die("the disk is too small");
		w->buf = aligned_alloc(4096, (opt.block + 4095u) & ~4095u);
		if (!w->buf)
			die("out of memory");
	}
	max_samples =
		(uint64_t)((opt.seconds + ANSWER_LIMIT_S) * 1000 / opt.period_ms) *
		opt.threads;
	sample = malloc(max_samples * sizeof(*sample));
	if (!sample)
		die("out of memory");
}

static void stop(int sig)
{
	(void)sig;
	stopped = 1;
}

int main(int argc, char **argv)
{
	options(argc, argv);
	set_up();
	signal(SIGTERM, stop);
	start_ns = now_ns() + 10 * NS_PER_MS;
	from_ns = start_ns + (uint64_t)(opt.warmup * 1e9);
	end_ns = from_ns + (uint64_t)(opt.seconds * 1e9);
	for (unsigned i = 0; i < opt.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("no thread");
	for (unsigned i = 0; i < opt.threads; i++)
		pthread_join(workers[i].thread, NULL);
	qsort(sample, nsamples, sizeof(*sample), by_size);
	printf("{\"requests\":%llu,\"errors\":%llu,\"gap_ms\":%.2f,\"p50_ms\":%.2f,"
	       "\"p99_ms\":%.2f,"
	       "\"p999_ms\":%.2f,\"max_ms\":%.2f}\n",
	       (unsigned long long)nsamples, (unsigned long long)errors,
	       (double)gap_ns / 1e6, quantile_ms(.5), quantile_ms(.99),
	       quantile_ms(.999), quantile_ms(1));
	return 0;
}
