/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_nbd_many.c - many requests at once: in one send, over several
 * connections, with one cookie, and at random against an array of bytes.
 */
#include <config.h>

#include "nbd_rig.h"

#include "base/bytes.h"
#include "base/prng.h"
#include "base/units.h"
#include "unit.h"

#include <sys/socket.h>
#include <unistd.h>

#define SIZE (8192u * 512u)

static const struct rig_conf able = {.caps = PATH_CAP_FUA | PATH_CAP_DISCARD |
					     PATH_CAP_WRITE_ZEROES |
					     PATH_CAP_FAST_ZERO | PATH_CAP_STATUS};
static const struct rig_conf four_k = {.block_bytes = 4096,
				       .caps = PATH_CAP_FUA | PATH_CAP_WRITE_ZEROES};

/* 40 reads in one send; their blocks make one range, in an order in which none follows
 * another, or in theirs. */
static unsigned commands_of_40(int fd, bool in_order)
{
	unsigned before = rig.ncmds[CMD_READ];
	uint8_t all[40 * 28];
	char data[4096];

	for (unsigned i = 0; i < 40; i++) {
		uint64_t nr = in_order ? i : i < 20 ? 2 * i : 2 * (i - 20) + 1;

		nr_request_bytes(all + 28 * i, 0, NBD_READ, 100 + i, nr * 4096, 4096);
	}
	nr_send(fd, all, sizeof(all));
	for (unsigned i = 0; i < 40; i++) {
		uint8_t head[16];

		nr_recv(fd, head, sizeof(head));
		ck_assert_uint_eq(get_be32(head + 4), 0);
		nr_recv(fd, data, sizeof(data));
	}
	return rig.ncmds[CMD_READ] - before;
}

/* Half of them is carried out before the rest, so they are not all there to be merged; but for those that follow one
 * upon the other, and if there is another client. */
START_TEST(test_halves)
{
	int fd, idle;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	ck_assert_uint_ge(commands_of_40(fd, false), 16);
	ck_assert_uint_eq(commands_of_40(fd, true), 1);
	idle = nr_connect();
	nr_go(idle, 0);
	rig_advance(&rig, 2 * NS_PER_SEC);
	ck_assert_uint_eq(commands_of_40(fd, false), 1);
	nr_close(idle);
	nr_close(fd);
	nr_stop();
}
END_TEST

static struct {
	int fd;	     /* the other client */
	unsigned at; /* command of this number is its */
} other;

static void other_asks(const struct cmd *cmd)
{
	uint8_t b[28];

	if (rig.ncmds[CMD_READ] == 1) {
		nr_request_bytes(b, 0, NBD_READ, 7, 4000 * 512, 512);
		ck_assert_int_eq(send(other.fd, b, sizeof(b), 0), sizeof(b));
	}
	if (cmd->lba == 4000)
		other.at = rig.ncmds[CMD_READ];
}

/* Another client that asks while the first of 100 are carried out need not wait for the last; but for that it must
 * have been heard of late. */
START_TEST(test_share)
{
	const unsigned n = 100;
	uint8_t all[100 * 28], head[16];
	char data[4096];
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	other.fd = nr_connect();
	nr_go(other.fd, 0);
	nr_request(other.fd, 0, NBD_READ, 7, 0, 512);
	nr_expect_simple(other.fd, 7, 0);
	nr_recv(other.fd, data, 512);
	if (_i)
		rig_advance(&rig, 2 * NS_PER_SEC);
	rig.ncmds[CMD_READ] = other.at = 0;
	rig.seen = other_asks;
	/* Each of a block, with one between them: nothing can be merged. */
	for (unsigned i = 0; i < n; i++)
		nr_request_bytes(all + 28 * i, 0, NBD_READ, 100 + i, i * 1024, 512);
	nr_send(fd, all, n * 28);
	for (unsigned i = 0; i < n; i++) {
		nr_recv(fd, head, sizeof(head));
		nr_recv(fd, data, 512);
	}
	nr_expect_simple(other.fd, 7, 0);
	nr_recv(other.fd, data, 512);
	if (_i)
		ck_assert_uint_eq(other.at, n + 1);
	else
		ck_assert_uint_le(other.at, 2 * 16 + 1);
	nr_close(other.fd);
	nr_close(fd);
	nr_stop();
	rig.seen = NULL;
}
END_TEST

/* 600 requests in one string, twice the number of slots and more: each is answered
 * once. */
START_TEST(test_pipeline)
{
	const unsigned n = 600;
	uint8_t *b = malloc(n * (28 + 4096)), *seen = calloc(n, 1), h[16];
	size_t len = 0, at = 0;
	unsigned left = n;
	int fd;

	nr_start(NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	for (unsigned i = 0; i < n; i++) {
		nr_request_bytes(b + len, 0, NBD_WRITE, i, i * 4096, 4096);
		len += 28;
		rig_pattern(b + len, i * 4096, 4096, 9);
		len += 4096;
	}
	while (at < len) {
		ssize_t r = nr_try_send(fd, b + at, len - at);

		ck_assert_int_gt(r, 0);
		at += (size_t)r;
		while (left > 0 && nr_try_recv(fd, h, 16) == 16) {
			ck_assert_uint_eq(get_be32(h + 4), 0);
			ck_assert_uint_lt(get_be64(h + 8), n);
			ck_assert_uint_eq(seen[get_be64(h + 8)]++, 0);
			left--;
		}
	}
	ck_assert_uint_eq(left, 0);
	ck_assert(rig_is_pattern(rig.disk, 0, n * 4096, 9));
	nr_expect_quiet(fd);
	nr_close(fd);
	free(b);
	free(seen);
	nr_stop();
}
END_TEST

/* Large writes, their payloads in the socket before the requests are carried out, and received in two events that one
 * turn sees: the second does not write over what the first has brought. */
START_TEST(test_two_events)
{
	enum { LEN = 40960, N = 20 };
	int fd;

	nr_start(_i % 2 ? &four_k : NULL);
	fd = nr_connect();
	nr_go(fd, 0);
	rig_loop_stale(rig.loop, true);
	for (unsigned round = 0; round < 3; round++) {
		uint8_t *b = malloc(N * (28 + LEN)), h[16];
		size_t len = 0;

		for (unsigned i = 0; i < N; i++) {
			nr_request_bytes(b + len, 0, NBD_WRITE, i, i * LEN, LEN);
			rig_pattern(b + len + 28, i * LEN, LEN, round);
			len += 28 + LEN;
		}
		nr_send(fd, b, len);
		for (unsigned i = 0; i < N; i++) {
			nr_recv(fd, h, sizeof(h));
			ck_assert_uint_eq(get_be32(h + 4), 0);
		}
		ck_assert(rig_is_pattern(rig.disk, 0, N * LEN, round));
		free(b);
	}
	nr_expect_quiet(fd);
	nr_close(fd);
	nr_stop();
}
END_TEST

/* The same cookie many times, on two connections, in flight together: each is answered
 * as often. */
START_TEST(test_same_cookie)
{
	int fd[2];

	nr_start(NULL);
	for (unsigned i = 0; i < 2; i++) {
		fd[i] = nr_connect();
		nr_go(fd[i], 0);
	}
	rig.hold = true;
	for (unsigned n = 0; n < 20; n++)
		nr_request(fd[n % 2], 0, NBD_CACHE, 42, n * 4096, 512);
	nr_expect_quiet(fd[0]);
	rig_release(&rig);
	for (unsigned n = 0; n < 20; n++)
		nr_expect_simple(fd[n % 2], 42, 0);
	for (unsigned i = 0; i < 2; i++) {
		nr_expect_quiet(fd[i]);
		nr_close(fd[i]);
	}
	nr_stop();
}
END_TEST

struct op {
	uint16_t type;
	uint64_t offset;
	uint32_t len;
	unsigned seed;
};

static struct op random_op(struct prng *rng)
{
	static const uint16_t types[] = {NBD_READ,	   NBD_WRITE, NBD_WRITE,
					 NBD_WRITE_ZEROES, NBD_FLUSH, NBD_CACHE};
	struct op o = {.type = types[prng_below(rng, 6)]};
	uint64_t most;

	if (o.type == NBD_FLUSH)
		return o;
	o.offset = prng_below(rng, SIZE);
	most = prng_chance(rng, 1, 8) ? 300000 : 9000;
	o.len = (uint32_t)prng_below(rng, MIN(SIZE - o.offset, most));
	o.seed = (unsigned)prng_below(rng, 100);
	return o;
}

/* Random operations over four connections; after each answer the disk is what an array
 * of bytes would be. */
START_TEST(test_random)
{
	uint8_t *ref = calloc(1, SIZE), *got = malloc(SIZE), h[16];
	struct prng rng;
	int fd[4];

	nr_start(_i % 2 ? &able : &four_k);
	prng_init(&rng, 99, (uint64_t)_i);
	for (unsigned i = 0; i < 4; i++) {
		fd[i] = nr_connect();
		nr_go(fd[i], 0);
	}
	for (unsigned n = 0; n < 400; n++) {
		struct op o = random_op(&rng);
		int to = fd[prng_below(&rng, 4)];

		if (o.type == NBD_WRITE)
			nr_write_pattern(to, 0, n, o.offset, o.len, o.seed);
		else
			nr_request(to, 0, o.type, n, o.offset, o.len);
		nr_recv(to, h, 16);
		ck_assert_uint_eq(get_be32(h + 4), 0);
		ck_assert_uint_eq(get_be64(h + 8), n);
		if (o.type == NBD_READ) {
			nr_recv(to, got, o.len);
			ck_assert_int_eq(memcmp(got, ref + o.offset, o.len), 0);
		}
		if (o.type == NBD_WRITE)
			rig_pattern(ref + o.offset, o.offset, o.len, o.seed);
		if (o.type == NBD_WRITE_ZEROES)
			memset(ref + o.offset, 0, o.len);
		nr_expect_quiet(to);
	}
	ck_assert_int_eq(memcmp(ref, rig.disk, SIZE), 0);
	for (unsigned i = 0; i < 4; i++)
		nr_close(fd[i]);
	free(ref);
	free(got);
	nr_stop();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("nbd_many");
	TCase *tc = tcase_create("nbd_many");

	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_halves);
	tcase_add_loop_test(tc, test_share, 0, 2);
	tcase_add_test(tc, test_pipeline);
	tcase_add_loop_test(tc, test_two_events, 0, 2);
	tcase_add_test(tc, test_same_cookie);
	tcase_add_loop_test(tc, test_random, 0, 4);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
