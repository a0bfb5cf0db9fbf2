/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_handover.c - what a lunmuxd leaves to its successor comes back as it was;
 * anything else is refused, and none of it is believed.
 */
#include <config.h>

#include "daemon/handover.h"

#include "base/bytes.h"
#include "base/units.h"
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct handover h, back;
static struct nbd_conn_state conns[3];
static const char *disabled[] = { "/dev/sg3", "/tmp/two words" };
static uint8_t in[] = "half a request", out[] = "\0\0an answer\n";
static char err[256];

static int a_socket(void)
{
	int s[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s), 0);
	close(s[1]);
	return s[0];
}

static void fill(void)
{
	handover_init(&h);
	strcpy(h.name, "db01");
	strcpy(h.wwid, "file:/srv/disk.img");
	strcpy(h.version, "1.2");
	h.upgrades = 7;
	h.frozen_ns = 1234567890123ull;
	h.lock_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	h.unix_fd = a_socket();
	h.ctl_fd = a_socket();
	h.size_bytes = 1ull << 40;
	h.block_bytes = 4096;
	h.device = 3;
	strcpy(h.backend, "lunmux:db01:x");
	h.device_bytes = 1ull << 40;
	h.takeovers = 2;
	for (unsigned i = 0; i < ARRAY_SIZE(conns); i++)
		conns[i] = (struct nbd_conn_state){ .fd = a_socket(), .state = "request", .joined = true };
	strcpy(conns[0].peer, "unix pid 4711 uid 0");
	conns[0].in = in;
	conns[0].in_len = sizeof(in);
	conns[0].structured = conns[0].meta = true;
	conns[0].meta_for = 2;
	conns[0].tx_flags = 0xffff;
	conns[0].requests = (uint64_t)INT64_MAX;
	conns[0].debt.unflushed = true;
	conns[1].out = out;
	conns[1].out_len = sizeof(out);
	conns[1].kernel = true;
	conns[2].state = "option";
	conns[2].joined = false;
	conns[2].opt = UINT32_MAX;
	h.conns = conns;
	h.nconns = ARRAY_SIZE(conns);
	h.disabled = disabled;
	h.ndisabled = ARRAY_SIZE(disabled);
}

static int written(void)
{
	int fd = handover_write(&h);

	ck_assert_int_ge(fd, 0);
	return fd;
}

static void refused(int fd, const char *why)
{
	ck_assert_int_eq(handover_read(fd, &back, err, sizeof(err)), -EINVAL);
	ck_assert_msg(strstr(err, why) != NULL, "says \"%s\"", err);
	ck_assert_uint_eq(back.nconns, 0);
	ck_assert_int_eq(back.lock_fd, -1);
}

START_TEST(test_round_trip)
{
	int fd;

	fill();
	fd = written();
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
	ck_assert_int_eq(handover_read(fd, &back, err, sizeof(err)), 0);
	ck_assert_str_eq(back.name, "db01");
	ck_assert_str_eq(back.wwid, h.wwid);
	ck_assert_str_eq(back.version, "1.2");
	ck_assert_uint_eq(back.upgrades, 7);
	ck_assert_uint_eq(back.frozen_ns, h.frozen_ns);
	ck_assert_int_eq(back.lock_fd, h.lock_fd);
	ck_assert_int_eq(back.unix_fd, h.unix_fd);
	ck_assert_int_eq(back.ctl_fd, h.ctl_fd);
	ck_assert_int_eq(back.tcp_fd, -1);
	ck_assert_uint_eq(back.size_bytes, h.size_bytes);
	ck_assert_uint_eq(back.block_bytes, 4096);
	ck_assert_int_eq(back.device, 3);
	ck_assert_str_eq(back.backend, h.backend);
	ck_assert_uint_eq(back.takeovers, 2);
	ck_assert_uint_eq(back.nconns, 3);
	for (unsigned i = 0; i < 3; i++) {
		ck_assert_int_eq(back.conns[i].fd, conns[i].fd);
		ck_assert_str_eq(back.conns[i].state, conns[i].state);
		ck_assert_str_eq(back.conns[i].peer, conns[i].peer);
		ck_assert(back.conns[i].joined == conns[i].joined);
		ck_assert(back.conns[i].kernel == conns[i].kernel);
		ck_assert_uint_eq(back.conns[i].in_len, conns[i].in_len);
		ck_assert_uint_eq(back.conns[i].out_len, conns[i].out_len);
	}
	ck_assert_int_eq(memcmp(back.conns[0].in, in, sizeof(in)), 0);
	ck_assert_int_eq(memcmp(back.conns[1].out, out, sizeof(out)), 0);
	ck_assert(back.conns[0].structured && back.conns[0].meta && back.conns[0].debt.unflushed);
	ck_assert(!back.conns[0].debt.owed && !back.conns[1].structured);
	ck_assert_int_eq(back.conns[0].meta_for, 2);
	ck_assert_uint_eq(back.conns[0].tx_flags, 0xffff);
	ck_assert_uint_eq(back.conns[0].requests, (uint64_t)INT64_MAX);
	ck_assert_uint_eq(back.conns[2].opt, UINT32_MAX);
	ck_assert_uint_eq(back.ndisabled, 2);
	ck_assert_str_eq(back.disabled[1], "/tmp/two words");
	handover_clear(&back);
}
END_TEST

/* No prefix of it is one. */
START_TEST(test_cut_off)
{
	int fd;
	off_t size;

	fill();
	fd = written();
	size = lseek(fd, 0, SEEK_END);
	ck_assert_int_gt(size, 1000);
	refused(-1, "no such file");
	refused(h.unix_fd, "no such file");
	refused(9999, "no such file");
	while (size-- > 0) {
		ck_assert_int_eq(ftruncate(fd, size), 0);
		refused(fd, "");
	}
}
END_TEST

/* A byte is another one: refused, or what is there is sound. */
START_TEST(test_flipped)
{
	struct nbd_conn_state *st;
	uint8_t old, now;
	off_t size;
	int fd;

	fill();
	fd = written();
	size = lseek(fd, 0, SEEK_END);
	for (off_t i = 0; i < size; i++) {
		ck_assert_int_eq(pread(fd, &old, 1, i), 1);
		now = old ^ (1u << (i % 7)) ^ 0x08;
		ck_assert_int_eq(pwrite(fd, &now, 1, i), 1);
		if (handover_read(fd, &back, err, sizeof(err)) == 0) {
			for (size_t k = 0; k < back.nconns; k++) {
				st = &back.conns[k];
				ck_assert_int_ge(fcntl(st->fd, F_GETFD), 0);
				ck_assert(st->in_len == 0 || st->in[st->in_len - 1] < 255);
				ck_assert_ptr_nonnull(st->state);
			}
			handover_clear(&back);
		} else {
			ck_assert(i < 32 || err[0] != '\0');
		}
		ck_assert_int_eq(pwrite(fd, &old, 1, i), 1);
	}
	ck_assert_int_eq(handover_read(fd, &back, err, sizeof(err)), 0);
}
END_TEST

START_TEST(test_refused)
{
	uint8_t format[4];
	int fd;

	fill();
	conns[1].fd = conns[0].fd;
	refused(written(), "there twice");
	conns[1].fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	refused(written(), "no socket");
	conns[1].fd = 9999;
	refused(written(), "is not there");
	conns[1].fd = 2;
	refused(written(), "is not there");
	conns[1].fd = a_socket();
	h.device = -1;
	refused(written(), "1 connections of the kernel, and no device");
	h.device = 3;
	h.lock_fd = -1;
	refused(written(), "is not there");
	h.lock_fd = h.unix_fd;
	refused(written(), "there twice");
	fill();
	fd = written();
	put_be32(format, HANDOVER_FORMAT + 1);
	ck_assert_int_eq(pwrite(fd, format, 4, 16), 4);
	refused(fd, "knows 1");
}
END_TEST

/* It is the child's only if it is the child's. */
START_TEST(test_other_process)
{
	pid_t pid;
	int fd, status;

	fill();
	fd = written();
	pid = fork();
	if (pid == 0)
		_exit(handover_read(fd, &back, err, sizeof(err)) == -EINVAL &&
				      strstr(err, "another process")
			      ? 0
			      : 1);
	ck_assert_int_eq(waitpid(pid, &status, 0), pid);
	ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(test_close_others)
{
	int stray;

	fill();
	stray = dup(h.lock_fd);
	ck_assert_int_ge(stray, 0);
	handover_close_others(&h);
	ck_assert_int_lt(fcntl(stray, F_GETFD), 0);
	ck_assert_int_ge(fcntl(h.lock_fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(h.unix_fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(h.ctl_fd, F_GETFD), 0);
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_ge(fcntl(conns[i].fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(2, F_GETFD), 0);
	handover_close_others(NULL);
	ck_assert_int_lt(fcntl(h.lock_fd, F_GETFD), 0);
	ck_assert_int_lt(fcntl(conns[2].fd, F_GETFD), 0);
	ck_assert_int_ge(fcntl(2, F_GETFD), 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = { test_round_trip, test_cut_off, test_flipped, test_refused,
				       test_other_process, test_close_others };
	Suite *s = suite_create("handover");
	TCase *tc = tcase_create("handover");

	tcase_set_timeout(tc, 60);
	for (unsigned i = 0; i < ARRAY_SIZE(tests); i++)
		tcase_add_test(tc, tests[i]);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
