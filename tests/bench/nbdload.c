/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * nbdload.c - an NBD client that is cheaper than any server: load and latency.
 *
 * It keeps a fixed number of requests in flight on each connection of a Unix
 * socket, sends all that may go by one sendmsg() and takes as many replies as
 * there are by one recv(), so that it is the server that is measured.  One
 * thread; with one connection it blocks in recv(), with more it polls.
 *
 * It is no judge's friend either: each reply must be a simple one without an
 * error, must name a request that is out, and brings the length asked for;
 * anything else ends the run with a message.  Data carries a stamp (its own
 * offset, in the first eight bytes of every 4 KiB), written by every write and
 * checked in the first block of every read, unless -N says that the server
 * stores nothing.
 *
 * With -L it sends its whole depth, then waits for all replies, and so on: what
 * the server finds in one look depends on the clock much less.
 *
 * Prints one JSON object.  Times are from the sendmsg() that carried the
 * request to the recv() that brought its last byte.
 *
 * The same load on a block device, to compare with: -d instead of -s.  Then it is
 * io_submit() that sends all that may go, and io_getevents() that takes all there is.
 */
#include "base/bytes.h"
#include "base/hist.h"
#include "base/units.h"
#include "export/nbd_proto.h"
#include "nbdclient.h"

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define CONNS_MAX 64u
#define DEPTH_MAX_PER_CONN 1024u
#define RBUF_BYTES (512u * 1024u)
#define STAMP_EVERY 4096u
#define IOVS_MAX 512u

struct slot {
	uint64_t offset, sent_ns;
	bool is_write, is_out;
};

struct conn {
	int fd;
	struct slot *slot;
	unsigned *free_slots, nfree;
	/* Of the reply that is coming in: its header so far, then bytes of data still due. */
	uint8_t hdr[sizeof(struct nbd_simple_reply) + sizeof(uint64_t)];
	unsigned hdr_got, hdr_need;
	struct slot *cur;
	uint32_t data_left;
	/* What a short sendmsg() has left over. */
	struct iovec *out;
	unsigned nout, out_pos;
	struct nbd_request_hdr *out_hdr;
	uint8_t *payload; /* one block size a slot: its stamps are its own */
	/* Of a block device. */
	aio_context_t aio;
	struct iocb *iocb, **iocbs; /* by slot; those to be submitted */
};

static struct {
	const char *socket, *device, *export, *pattern;
	uint32_t block;
	unsigned depth, conns, batch, write_percent;
	double seconds, warmup;
	uint64_t total; /* requests; 0: by time */
	bool sequential, no_check, lock_step;
	int server_pid;
	bool machine;
	uint64_t size, seed;
} opt = {
	.export = "",
	.pattern = "randread",
	.block = 4096,
	.depth = 1,
	.conns = 1,
	.seconds = 1,
	.warmup = 0.2,
	.seed = 1,
};

static struct conn conns[CONNS_MAX];
static struct hist latency;
static uint64_t cursor, started, ended, sends, recvs;
static uint8_t *rbuf;

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * NS_PER_SEC + (uint64_t)ts.tv_nsec;
}

static uint64_t random64(void)
{
	uint64_t z = (opt.seed += 0x9e3779b97f4a7c15ull); /* splitmix64 */

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
	return z ^ (z >> 31);
}

/* --- the server's processor time ------------------------------------------------ */

static size_t read_file(const char *path, char *text, size_t size)
{
	FILE *f = fopen(path, "re");
	size_t n = 0;

	if (f) {
		n = fread(text, 1, size - 1, f);
		fclose(f);
	}
	text[n] = 0;
	return n;
}

/* What process @pid has used, in the kernel's ticks but with its dead threads; 0 if it has gone.
 * Its parent goes to *@ret_parent. */
static uint64_t process_stat_ns(int pid, int *ret_parent)
{
	unsigned long long user, sys;
	char path[64], text[1024], *p;

	*ret_parent = 0;
	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	read_file(path, text, sizeof(text));
	p = strrchr(text, ')'); /* the name may hold anything */
	if (!p || sscanf(p + 1, " %*c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", ret_parent,
			 &user, &sys) != 3)
		return 0;
	return (user + sys) * (NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The same in nanoseconds, of the threads that live; 0 where the kernel does not say. */
static uint64_t process_sched_ns(int pid)
{
	unsigned long long ns;
	char path[300], text[100];
	struct dirent *e;
	uint64_t sum = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	d = opendir(path);
	while (d && (e = readdir(d))) {
		if (atoi(e->d_name) <= 0)
			continue;
		snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", pid, e->d_name);
		if (read_file(path, text, sizeof(text)) && sscanf(text, "%llu", &ns) == 1)
			sum += ns;
	}
	if (d)
		closedir(d);
	return sum;
}

struct cpu {
	uint64_t stat_ns, sched_ns;
};

/* Of the server and of all processes below it: two levels are enough for every server known. */
static struct cpu tree_cpu(int root)
{
	struct cpu sum = { 0, 0 };
	int parent, grand;
	struct dirent *e;
	DIR *d = opendir("/proc");

	while (d && (e = readdir(d))) {
		int pid = atoi(e->d_name);
		uint64_t ns;

		if (pid <= 0)
			continue;
		ns = process_stat_ns(pid, &parent);
		if (pid != root && parent != root) {
			process_stat_ns(parent, &grand);
			if (grand != root)
				continue;
		}
		sum.stat_ns += ns;
		sum.sched_ns += process_sched_ns(pid);
	}
	if (d)
		closedir(d);
	return sum;
}

/* Seconds between two looks. The finer count misses threads that have ended, the other one
 * rounds: the larger is nearer to the truth. */
static double cpu_s(struct cpu from, struct cpu to)
{
	uint64_t stat_ns = to.stat_ns - from.stat_ns;
	uint64_t sched_ns = to.sched_ns > from.sched_ns ? to.sched_ns - from.sched_ns : 0;
	/* Two ticks of rounding are no threads that have ended. */
	const uint64_t tick_ns = NS_PER_SEC / (uint64_t)sysconf(_SC_CLK_TCK);

	return (double)(sched_ns && stat_ns < sched_ns + 4 * tick_ns ? sched_ns : stat_ns) / 1e9;
}

/* Seconds in which the processors of the whole machine had something to do, by what the idle
 * ones say: those are measured, the busy ones sampled. */
static double machine_busy_s(void)
{
	unsigned long long idle, iowait;
	char text[200];

	read_file("/proc/stat", text, sizeof(text));
	if (sscanf(text, "cpu %*u %*u %*u %llu %llu", &idle, &iowait) != 2)
		die("/proc/stat: no line of all processors");
	return (double)now_ns() / 1e9 * (double)sysconf(_SC_NPROCESSORS_ONLN) -
	       (double)(idle + iowait) / (double)sysconf(_SC_CLK_TCK);
}

static void device_open(struct conn *c)
{
	c->fd = open(opt.device, (opt.write_percent ? O_RDWR : O_RDONLY) | O_DIRECT | O_CLOEXEC);
	if (c->fd < 0 || ioctl(c->fd, BLKGETSIZE64, &opt.size) < 0)
		die("%s: %s", opt.device, strerror(errno));
	if (syscall(SYS_io_setup, opt.depth, &c->aio) < 0)
		die("io_setup: %s", strerror(errno));
	c->iocb = calloc(opt.depth, sizeof(*c->iocb));
	c->iocbs = calloc(opt.depth, sizeof(struct iocb *));
	if (!c->iocb || !c->iocbs)
		die("out of memory");
}

static void conn_open(struct conn *c)
{
	bool has_payload = opt.device || opt.write_percent;
	unsigned i;

	if (opt.device) {
		device_open(c);
	} else {
		c->fd = nbd_connect(opt.socket, 10);
		opt.size = nbd_handshake(c->fd, opt.export);
	}
	if (opt.size < opt.block)
		die("the export is smaller than a block");
	c->slot = calloc(opt.depth, sizeof(*c->slot));
	c->free_slots = calloc(opt.depth, sizeof(*c->free_slots));
	c->out = calloc(2 * opt.depth, sizeof(*c->out));
	c->out_hdr = calloc(opt.depth, sizeof(*c->out_hdr));
	c->payload = has_payload ? aligned_alloc(4096, ((size_t)opt.depth * opt.block + 4095) & ~4095ul)
				 : NULL;
	if (!c->slot || !c->free_slots || !c->out || !c->out_hdr ||
	    (has_payload && !c->payload))
		die("out of memory");
	if (c->payload)
		for (size_t k = 0; k < (size_t)opt.depth * opt.block; k += 8)
			memcpy(c->payload + k, &(uint64_t){ random64() }, 8);
	for (i = 0; i < opt.depth; i++)
		c->free_slots[c->nfree++] = opt.depth - 1 - i;
	c->hdr_need = sizeof(struct nbd_simple_reply);
}

/* --- sending ------------------------------------------------------------------------- */

static uint64_t next_offset(void)
{
	uint64_t n = opt.size / opt.block, block;

	block = opt.sequential ? cursor++ % n : random64() % n;
	return block * opt.block;
}

static void stamp(uint8_t *data, uint64_t offset)
{
	for (uint32_t k = 0; k + 8 <= opt.block; k += STAMP_EVERY)
		put_be64(data + k, offset + k);
}

static void add_iocb(struct conn *c, unsigned i)
{
	struct slot *s = &c->slot[i];
	uint8_t *data = c->payload + (size_t)i * opt.block;

	if (s->is_write)
		stamp(data, s->offset);
	c->iocb[i] = (struct iocb){ .aio_data = i,
				    .aio_lio_opcode = s->is_write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD,
				    .aio_fildes = (uint32_t)c->fd,
				    .aio_buf = (uintptr_t)data,
				    .aio_nbytes = opt.block,
				    .aio_offset = (int64_t)s->offset };
	c->iocbs[c->nout++] = &c->iocb[i];
}

static void add_request(struct conn *c, unsigned i, uint64_t at_ns)
{
	struct slot *s = &c->slot[i];
	struct nbd_request_hdr *h = &c->out_hdr[i];

	*s = (struct slot){ .offset = next_offset(), .sent_ns = at_ns, .is_out = true };
	s->is_write = opt.write_percent == 100 ||
		      (opt.write_percent && random64() % 100 < opt.write_percent);
	started++;
	if (opt.device) {
		add_iocb(c, i);
		return;
	}
	put_be32(&h->magic, NBD_REQUEST_MAGIC);
	put_be16(&h->flags, 0);
	put_be16(&h->type, s->is_write ? NBD_WRITE : NBD_READ);
	put_be64(&h->cookie, i);
	put_be64(&h->offset, s->offset);
	put_be32(&h->length, opt.block);
	c->out[c->nout++] = (struct iovec){ h, sizeof(*h) };
	if (s->is_write) {
		uint8_t *data = c->payload + (size_t)i * opt.block;

		stamp(data, s->offset);
		c->out[c->nout++] = (struct iovec){ data, opt.block };
	}
}

static void submit(struct conn *c)
{
	while (c->out_pos < c->nout) {
		long n = syscall(SYS_io_submit, c->aio, (long)(c->nout - c->out_pos),
				 c->iocbs + c->out_pos);

		if (n < 0)
			die("io_submit: %s", strerror(errno));
		sends++;
		c->out_pos += (unsigned)n;
	}
	c->nout = c->out_pos = 0;
}

/* Send what is queued; what the socket does not take stays for later. */
static void push(struct conn *c)
{
	if (opt.device) {
		submit(c);
		return;
	}
	while (c->out_pos < c->nout) {
		struct msghdr m = { .msg_iov = c->out + c->out_pos,
				    .msg_iovlen = MIN(c->nout - c->out_pos, IOVS_MAX) };
		/* Asleep here only where replies are so small that they always find room: else both
		 * sides would wait for each other. */
		int flags = opt.write_percent == 100 && opt.conns == 1 ? 0 : MSG_DONTWAIT;
		ssize_t n = sendmsg(c->fd, &m, MSG_NOSIGNAL | flags);

		if (n < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (n < 0)
			die("send: %s", strerror(errno));
		sends++;
		for (; n > 0 && (size_t)n >= c->out[c->out_pos].iov_len; c->out_pos++)
			n -= (ssize_t)c->out[c->out_pos].iov_len;
		if (n > 0) {
			c->out[c->out_pos].iov_base = (uint8_t *)c->out[c->out_pos].iov_base + n;
			c->out[c->out_pos].iov_len -= (size_t)n;
		}
	}
	c->nout = c->out_pos = 0;
}

static void fill(struct conn *c, bool more)
{
	if (c->nout) {
		push(c);
		if (c->nout)
			return;
	}
	if (opt.lock_step && c->nfree < opt.depth)
		return;
	while (more && c->nfree && !(opt.total && started >= opt.total)) {
		unsigned n = opt.batch ? MIN(opt.batch, c->nfree) : c->nfree;
		uint64_t at_ns = now_ns();

		while (n-- && !(opt.total && started >= opt.total))
			add_request(c, c->free_slots[--c->nfree], at_ns);
		push(c);
		if (c->nout)
			return;
	}
}

/* --- receiving ----------------------------------------------------------------------- */

static void finish(struct conn *c, uint64_t at_ns)
{
	struct slot *s = c->cur;

	s->is_out = false;
	c->free_slots[c->nfree++] = (unsigned)(s - c->slot);
	c->cur = NULL;
	c->hdr_got = 0;
	c->hdr_need = sizeof(struct nbd_simple_reply);
	hist_add(&latency, at_ns - s->sent_ns);
	ended++;
}

static void check_stamp(uint64_t got, const struct slot *s)
{
	if (!opt.no_check && !s->is_write && got != s->offset)
		die("wrong data at offset %llu: stamp %llx", (unsigned long long)s->offset,
		    (unsigned long long)got);
}

/* The header is here whole, for a read also the first eight bytes of its data. */
static void header(struct conn *c, uint64_t at_ns)
{
	const struct nbd_simple_reply *r = (const void *)c->hdr;
	uint64_t cookie = get_be64(&r->cookie);

	if (!c->cur) {
		if (get_be32(&r->magic) != NBD_SIMPLE_REPLY_MAGIC)
			die("a reply begins with %08x", get_be32(&r->magic));
		if (get_be32(&r->error))
			die("the server answered error %u", get_be32(&r->error));
		if (cookie >= opt.depth || !c->slot[cookie].is_out)
			die("a reply to a request that is not out");
		c->cur = &c->slot[cookie];
		if (c->cur->is_write) {
			finish(c, at_ns);
			return;
		}
		c->hdr_need += (unsigned)sizeof(uint64_t);
		return;
	}
	check_stamp(get_be64(c->hdr + sizeof(*r)), c->cur);
	c->data_left = opt.block - (uint32_t)sizeof(uint64_t);
}

static void take(struct conn *c, const uint8_t *p, size_t n, uint64_t at_ns)
{
	while (n > 0) {
		size_t k;

		if (c->data_left) {
			k = MIN(n, c->data_left);
			c->data_left -= (uint32_t)k;
			if (!c->data_left)
				finish(c, at_ns);
		} else {
			k = MIN(n, (size_t)(c->hdr_need - c->hdr_got));
			memcpy(c->hdr + c->hdr_got, p, k);
			c->hdr_got += (unsigned)k;
			if (c->hdr_got == c->hdr_need)
				header(c, at_ns);
		}
		p += k;
		n -= k;
	}
}

static void reap(struct conn *c)
{
	static struct io_event event[DEPTH_MAX_PER_CONN];
	long n = syscall(SYS_io_getevents, c->aio, 1l, (long)opt.depth, event, NULL);
	uint64_t at_ns = now_ns();

	if (n < 0 && errno != EINTR)
		die("io_getevents: %s", strerror(errno));
	recvs++;
	for (long i = 0; i < n; i++) {
		struct slot *s = &c->slot[event[i].data];

		if (event[i].res != (int64_t)opt.block)
			die("a request ended with %lld", (long long)event[i].res);
		check_stamp(get_be64(c->payload + event[i].data * opt.block), s);
		c->cur = s;
		finish(c, at_ns);
	}
}

static void receive(struct conn *c, int flags)
{
	ssize_t n = recv(c->fd, rbuf, RBUF_BYTES, flags);

	if (n == 0)
		die("the server closed the connection");
	if (n < 0) {
		if (errno == EINTR || (errno == EAGAIN && flags & MSG_DONTWAIT))
			return;
		die("receive: %s", errno == EAGAIN ? "no answer in 10 s" : strerror(errno));
	}
	recvs++;
	take(c, rbuf, (size_t)n, now_ns());
}

static bool is_idle(void)
{
	for (unsigned i = 0; i < opt.conns; i++)
		if (conns[i].nfree < opt.depth)
			return false;
	return true;
}

/* Until @end_ns, or all of opt.total; @drain: then until nothing is out. */
static void run_until(uint64_t end_ns, bool drain)
{
	struct pollfd pf[CONNS_MAX];
	bool more = true;

	for (;;) {
		more = more && (opt.total ? started < opt.total : now_ns() < end_ns);
		if (!more && (!drain || is_idle()))
			return;
		for (unsigned i = 0; i < opt.conns; i++)
			fill(&conns[i], more);
		if (is_idle())
			continue;
		if (opt.device) {
			reap(&conns[0]);
			continue;
		}
		if (opt.conns == 1 && !conns[0].nout) {
			receive(&conns[0], 0);
			continue;
		}
		for (unsigned i = 0; i < opt.conns; i++)
			pf[i] = (struct pollfd){ conns[i].fd,
						 (short)(POLLIN | (conns[i].nout ? POLLOUT : 0)), 0 };
		if (poll(pf, opt.conns, 10000) == 0)
			die("no answer in 10 s");
		for (unsigned i = 0; i < opt.conns; i++)
			if (pf[i].revents & (POLLIN | POLLHUP | POLLERR))
				receive(&conns[i], MSG_DONTWAIT);
	}
}

/* --- the whole ------------------------------------------------------------------------- */

static double own_cpu_s(void)
{
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	return (double)(ru.ru_utime.tv_sec + ru.ru_stime.tv_sec) +
	       (double)(ru.ru_utime.tv_usec + ru.ru_stime.tv_usec) / 1e6;
}

static void set_pattern(void)
{
	static const struct {
		const char *name;
		bool sequential;
		unsigned write_percent;
	} known[] = {
		{ "randread", false, 0 }, { "randwrite", false, 100 }, { "read", true, 0 },
		{ "write", true, 100 },	  { "randrw", false, 30 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
		if (strcmp(known[i].name, opt.pattern) != 0)
			continue;
		opt.sequential = known[i].sequential;
		opt.write_percent = known[i].write_percent;
		return;
	}
	die("-o %s: is none of randread, randwrite, randrw, read, write", opt.pattern);
}

static void usage(void)
{
	die("usage: nbdload -s SOCKET [-n EXPORT] | -d DEVICE\n"
	    "	[-o randread|randwrite|randrw|read|write]\n"
	    "	[-b BYTES] [-q DEPTH] [-c CONNECTIONS] [-B REQUESTS A SEND] [-t SECONDS]\n"
	    "	[-w WARM-UP SECONDS] [-l REQUESTS IN ALL] [-p SERVER'S PID] [-r SEED] [-L] [-M] [-N]");
}

static void options(int argc, char **argv)
{
	int ch;

	while ((ch = getopt(argc, argv, "s:d:n:o:b:q:c:B:t:w:l:p:r:LMN")) != -1) {
		switch (ch) {
		case 's': opt.socket = optarg; break;
		case 'd': opt.device = optarg; break;
		case 'n': opt.export = optarg; break;
		case 'o': opt.pattern = optarg; break;
		case 'b': opt.block = (uint32_t)strtoul(optarg, NULL, 10); break;
		case 'q': opt.depth = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'c': opt.conns = (unsigned)strtoul(optarg, NULL, 10); break;
		case 'B': opt.batch = (unsigned)strtoul(optarg, NULL, 10); break;
		case 't': opt.seconds = strtod(optarg, NULL); break;
		case 'w': opt.warmup = strtod(optarg, NULL); break;
		case 'l': opt.total = strtoull(optarg, NULL, 10); break;
		case 'p': opt.server_pid = atoi(optarg); break;
		case 'r': opt.seed = strtoull(optarg, NULL, 10); break;
		case 'L': opt.lock_step = true; break;
		case 'M': opt.machine = true; break;
		case 'N': opt.no_check = true; break;
		default: usage();
		}
	}
	if (!opt.socket == !opt.device || (opt.device && opt.conns != 1) || optind != argc)
		usage();
	if (opt.block < 512 || opt.block > 32u << 20 || opt.block % 512)
		die("-b %u: 512 to 32 MiB, a multiple of 512", opt.block);
	if (opt.depth < 1 || opt.depth > DEPTH_MAX_PER_CONN || opt.conns < 1 || opt.conns > CONNS_MAX)
		die("depth 1 to %u, connections 1 to %u", DEPTH_MAX_PER_CONN, CONNS_MAX);
	set_pattern();
}

static void report(double elapsed, double server_cpu, double own_cpu, double machine_cpu)
{
	double n = (double)latency.count;

	printf("{\"pattern\":\"%s\",\"block\":%u,\"depth\":%u,\"conns\":%u,\"requests\":%llu,"
	       "\"seconds\":%.4f,\"iops\":%.1f,\"mib_s\":%.1f,\"mean_us\":%.2f,\"p50_us\":%.2f,"
	       "\"p99_us\":%.2f,\"p999_us\":%.2f,\"max_us\":%.2f,",
	       opt.pattern, opt.block, opt.depth, opt.conns, (unsigned long long)latency.count,
	       elapsed, n / elapsed, n * opt.block / elapsed / 1048576.,
	       n > 0 ? (double)latency.sum_ns / n / 1e3 : 0.,
	       (double)hist_quantile_ns(&latency, 500) / 1e3,
	       (double)hist_quantile_ns(&latency, 990) / 1e3,
	       (double)hist_quantile_ns(&latency, 999) / 1e3, (double)latency.max_ns / 1e3);
	if (opt.server_pid)
		printf("\"server_cpu_us\":%.3f,\"server_cpu_s\":%.3f,", n > 0 ? server_cpu / n * 1e6 : 0.,
		       server_cpu);
	/* With those of the warm-up, for who counts what they came to. */
	printf("\"sent\":%llu,", (unsigned long long)started);
	if (opt.machine)
		printf("\"machine_cpu_us\":%.3f,", n > 0 ? machine_cpu / n * 1e6 : 0.);
	printf("\"client_cpu_us\":%.3f,\"replies_per_recv\":%.2f,\"requests_per_send\":%.2f}\n",
	       n > 0 ? own_cpu / n * 1e6 : 0., recvs ? n / (double)recvs : 0.,
	       sends ? n / (double)sends : 0.);
}

int main(int argc, char **argv)
{
	struct cpu before = { 0, 0 }, after = { 0, 0 };
	uint64_t start_ns;
	double cpu, machine = 0, elapsed;

	options(argc, argv);
	rbuf = malloc(RBUF_BYTES);
	if (!rbuf)
		die("out of memory");
	for (unsigned i = 0; i < opt.conns; i++)
		conn_open(&conns[i]);
	if (!opt.total)
		run_until(now_ns() + (uint64_t)(opt.warmup * 1e9), false);
	memset(&latency, 0, sizeof(latency));
	sends = recvs = 0;
	if (opt.server_pid)
		before = tree_cpu(opt.server_pid);
	cpu = own_cpu_s();
	if (opt.machine)
		machine = machine_busy_s();
	start_ns = now_ns();
	run_until(start_ns + (uint64_t)(opt.seconds * 1e9), true);
	elapsed = (double)(now_ns() - start_ns) / 1e9;
	cpu = own_cpu_s() - cpu;
	if (opt.machine)
		machine = machine_busy_s() - machine;
	if (opt.server_pid)
		after = tree_cpu(opt.server_pid);
	report(elapsed, cpu_s(before, after), cpu, machine);
	return 0;
}
