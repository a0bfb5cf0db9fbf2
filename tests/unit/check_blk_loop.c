// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_blk_loop.c - loop devices as paths: every operation; devices that are
 * mounted, held, or paths already; detached under load and attached again, to
 * the same file and to another one.  Needs root and loop devices.
 */
#include <config.h>

#include "check_blk_env.h"
#include "base/limits.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct combo {
	enum blk_engine_kind engine;
	const char *dir;
} combos[] = {
	{ BLK_ENGINE_AUTO, "/dev/shm" },
	{ BLK_ENGINE_AUTO, "." },
	{ BLK_ENGINE_AIO, "/dev/shm" },
	{ BLK_ENGINE_AIO, "." },
};

static struct env v;
static char err[300];

static void begin(int i)
{
	make_file(combos[i].dir, v.file, sizeof(v.file), NBLOCKS);
	ck_assert_int_eq(loop_attach(v.file, 0, v.dev, sizeof(v.dev)), 0);
	env_engine(&v, combos[i].engine, 64);
	env_path(&v, BLK_DIRECT_AUTO, 0);
}

/* As blk_path_new() refuses it. */
static void refused(const char *dev, int want, const char *word1, const char *word2)
{
	struct blk_conf conf = { 0 };
	struct path *p = NULL;
	char wwid[200];
	int r;

	snprintf(wwid, sizeof(wwid), "file:%s", v.file);
	conf.wwid = wwid;
	err[0] = '\0';
	r = blk_path_new(v.engine, &conf, dev, &p, err, sizeof(err));
	ck_assert_msg(r == want, "%s: %d, not %d: %s", dev, r, want, err);
	ck_assert_msg(strstr(err, word1) && strstr(err, word2), "%s", err);
}

START_TEST(operations)
{
	begin(_i);
	ck_assert(v.info.caps & PATH_CAP_STATUS);
	ck_assert(v.info.caps & PATH_CAP_FAST_ZERO);
	ops_all(&v);
	env_end(&v);
}
END_TEST

/* A loop device knows no allocation; the file behind it does. */
START_TEST(allocation)
{
	struct extent ext[4];
	struct cmd *c;
	uint8_t *data;

	begin(_i);
	data = mem(128 * BLK);
	pattern(data, 128 * BLK, 1);
	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 1024, data, 128, CMD_F_FUA).verdict, V_OK);
	c = cmd_new(CMD_STATUS, 0, NBLOCKS, 0);
	c->extents = ext;
	c->max_extents = 4;
	ck_assert_int_eq(v.path->ops->submit(v.path, c), 0);
	env_wait(&v, &told.completed, told.completed + 1);
	ck_assert_int_eq(c->outcome.verdict, V_OK);
	ck_assert_uint_eq(c->nextents, 3);
	ck_assert(ext[0].hole && ext[0].nblocks == 1024);
	ck_assert(!ext[1].hole && ext[1].nblocks == 128);
	free(c);
	free(data);
	env_end(&v);
}
END_TEST

/* The kernel takes WRITE ZEROES back (a loop device on tmpfs, at the first ZERO_RANGE): zeroes are
 * written from then on, of any length. */
START_TEST(zeroes_taken_back)
{
	static const uint32_t lens[] = { 1, 128, 129, NBLOCKS - 1 };
	uint8_t *data;
	int fd;

	begin(0);
	fd = open(v.dev, O_RDWR);
	ck_assert_int_eq(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, 0, 4096), 0);
	close(fd);
	data = mem(NBLOCKS * BLK);
	for (unsigned i = 0; i < 2 * ARRAY_SIZE(lens); i++) {
		uint32_t n = lens[i / 2];

		pattern(data, NBLOCKS * BLK, i);
		ck_assert_int_eq(env_rw(&v, CMD_WRITE, 0, data, NBLOCKS, 0).verdict, V_OK);
		ck_assert_int_eq(env_op(&v, CMD_WRITE_ZEROES, 1, n, i % 2 ? CMD_F_FUA : 0).verdict,
				 V_OK);
		ck_assert_int_eq(env_rw(&v, CMD_READ, 0, data, NBLOCKS, 0).verdict, V_OK);
		ck_assert(!all_zero(data, BLK));
		ck_assert(all_zero(data + BLK, n * BLK));
		if (n + 1 < NBLOCKS)
			ck_assert(!all_zero(data + (n + 1) * BLK, BLK));
	}
	free(data);
	env_end(&v);
}
END_TEST

/* Four nodes of one file: four paths, and one file behind them. */
START_TEST(four_paths)
{
	struct path *p[3];
	char dev[3][128];
	uint8_t *data;
	struct cmd *c;

	begin(_i);
	data = mem(BLK);
	pattern(data, BLK, 7);
	ck_assert_int_eq(env_rw(&v, CMD_WRITE, 9, data, 1, CMD_F_FUA).verdict, V_OK);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(loop_attach(v.file, 0, dev[i], sizeof(dev[i])), 0);
		p[i] = env_open(&v, dev[i], BLK_DIRECT_AUTO, 0);
		ck_assert_int_eq(env_check(&v, p[i], true), CHECK_OK);
		ck_assert_str_eq(told.info.ident, v.info.ident);
		memset(data, 0, BLK);
		c = cmd_new(CMD_READ, 9, 1, 0);
		cmd_data(c, data, BLK);
		ck_assert_int_eq(p[i]->ops->submit(p[i], c), 0);
		env_wait(&v, &told.completed, told.completed + 1);
		ck_assert_uint_eq(data[0], 1 + 7 * 31);
		free(c);
	}
	refused(dev[1], -EBUSY, "is a path already", dev[1]);
	for (int i = 0; i < 3; i++) {
		env_close(&v, p[i]);
		loop_detach(dev[i]);
	}
	free(data);
	env_end(&v);
}
END_TEST

static int autoclear(const char *dev)
{
	char path[200];
	FILE *f;
	int value = -1;

	snprintf(path, sizeof(path), "/sys/block/%s/loop/autoclear", dev + strlen("/dev/"));
	f = fopen(path, "re");
	if (f) {
		if (fscanf(f, "%d", &value) != 1)
			value = -1;
		fclose(f);
	}
	return value;
}

/* losetup -d while commands run: they end well, the next check lets the device go, it is really
 * detached, and the path comes back with the same file and with no other. */
START_TEST(detach)
{
	enum { N = 32 };
	char other[128];
	struct cmd *c[N], *late;
	uint8_t *data;

	begin(_i);
	make_file(combos[_i].dir, other, sizeof(other), NBLOCKS);
	data = mem(N * 8 * BLK);
	for (unsigned i = 0; i < N; i++) {
		c[i] = cmd_new(CMD_WRITE, 8 * i, 8, 0);
		cmd_data(c[i], data + i * 8 * BLK, 8 * BLK);
		ck_assert_int_eq(v.path->ops->submit(v.path, c[i]), 0);
	}
	ck_assert_int_eq(loop_detach(v.dev), 0);
	ck_assert_int_eq(autoclear(v.dev), 1); /* the kernel waits for us */
	env_wait(&v, &told.completed, N);
	for (unsigned i = 0; i < N; i++) {
		ck_assert_int_eq(c[i]->outcome.verdict, V_OK);
		free(c[i]);
	}
	ck_assert_int_eq(env_check(&v, v.path, false), CHECK_DOWN);
	ck_assert_ptr_nonnull(strstr(told.why, "detached"));
	late = cmd_new(CMD_FLUSH, 0, 0, 0);
	ck_assert_int_eq(v.path->ops->submit(v.path, late), -ENODEV);

	/* This check runs after the close: nothing is attached now. */
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_DOWN);
	ck_assert_msg(strstr(told.why, "no file is attached"), "%s", told.why);
	ck_assert(!loop_is_attached(v.dev));
	ck_assert_int_eq(v.path->ops->submit(v.path, late), -ENODEV);

	ck_assert_int_eq(loop_attach_to(v.dev, other), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_IDENTITY);
	ck_assert_msg(strstr(told.why, other) && strstr(told.why, v.file), "%s", told.why);
	ck_assert_int_eq(v.path->ops->submit(v.path, late), -ENODEV);
	ck_assert_int_eq(loop_detach(v.dev), 0);
	ck_assert(!loop_is_attached(v.dev)); /* we do not keep it open */

	ck_assert_int_eq(loop_attach_to(v.dev, v.file), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_OK);
	ck_assert_str_eq(told.info.ident, v.info.ident);
	ck_assert_int_eq(env_rw(&v, CMD_READ, 0, data, 8, 0).verdict, V_OK);
	free(late);
	free(data);
	unlink(other);
	env_end(&v);
}
END_TEST

/* Somebody else still has the detached device open: we do not take it back. */
START_TEST(detach_shared)
{
	int fd;

	begin(_i);
	fd = open(v.dev, O_RDONLY);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(loop_detach(v.dev), 0);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(env_check(&v, v.path, true), CHECK_DOWN);
		ck_assert_msg(strstr(told.why, "detached"), "%s", told.why);
	}
	close(fd);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_DOWN);
	ck_assert(!loop_is_attached(v.dev));
	ck_assert_int_eq(loop_attach_to(v.dev, v.file), 0);
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_OK);
	env_end(&v);
}
END_TEST

/* A device whose size becomes 0 or less than it was under our descriptor. */
START_TEST(shrunk)
{
	static const enum cmd_op ops[] = { CMD_READ, CMD_WRITE, CMD_WRITE_ZEROES, CMD_DISCARD };
	uint8_t *data;
	int fd;

	begin(_i);
	data = mem(8 * BLK);
	ck_assert_int_eq(truncate(v.file, NBLOCKS * BLK / 2), 0);
	fd = open(v.dev, O_RDWR);
	ck_assert_int_eq(ioctl(fd, LOOP_SET_CAPACITY, 0), 0);
	close(fd);
	for (unsigned i = 0; i < ARRAY_SIZE(ops); i++) {
		struct outcome o = env_rw(&v, ops[i], NBLOCKS - 8, data, 8, 0);

		/* ENOSPC or EINVAL from the kernel, and no word about the data. */
		ck_assert_int_eq(o.verdict, V_FAIL);
		ck_assert(o.flags & VF_IDENTITY);
		ck_assert(!(o.flags & VF_GHOST)); /* what a loop device has ended is over */
	}
	ck_assert_int_eq(env_check(&v, v.path, true), CHECK_OK);
	ck_assert_uint_eq(told.info.nblocks, NBLOCKS / 2);
	free(data);
	env_end(&v);
}
END_TEST

START_TEST(not_attached)
{
	char dev[128];

	begin(0);
	ck_assert_int_eq(loop_attach(v.file, 0, dev, sizeof(dev)), 0);
	ck_assert_int_eq(loop_detach(dev), 0);
	refused(dev, -ENXIO, "no file is attached", "losetup");
	ck_assert_int_eq(loop_attach(v.file, 4096, dev, sizeof(dev)), 0);
	refused(dev, -EREMCHG, "only a part", v.file);
	ck_assert_int_eq(loop_detach(dev), 0);
	env_end(&v);
}
END_TEST

START_TEST(other_file)
{
	char dev[128], other[128];

	begin(0);
	make_file(".", other, sizeof(other), NBLOCKS);
	ck_assert_int_eq(loop_attach(other, 0, dev, sizeof(dev)), 0);
	refused(dev, -EREMCHG, other, v.file);
	ck_assert_int_eq(loop_detach(dev), 0);
	unlink(other);
	env_end(&v);
}
END_TEST

/* Held O_EXCL by another process, which is named. */
START_TEST(held)
{
	int go[2], ready[2];
	char dev[128], c;
	pid_t pid;

	begin(0);
	ck_assert_int_eq(loop_attach(v.file, 0, dev, sizeof(dev)), 0);
	ck_assert_int_eq(pipe(go) | pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(dev, O_RDONLY | O_EXCL);

		close(go[1]);
		if (fd < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		_exit(read(go[0], &c, 1) < 0);
	}
	close(go[0]);
	ck_assert_int_eq(read(ready[0], &c, 1), 1);
	refused(dev, -EBUSY, "open in process", "check_blk_loop");
	close(go[1]);
	ck_assert_int_eq(waitpid(pid, NULL, 0), pid);
	blk_path_free(env_open(&v, dev, BLK_DIRECT_AUTO, 0));
	ck_assert_int_eq(loop_detach(dev), 0);
	env_end(&v);
}
END_TEST

/* Mounted: the node itself, another node of the same file, and the file as a path. */
START_TEST(mounted)
{
	char dev[128], dev2[128], cmd[300], dir[] = "/tmp/check_blk_mnt.XXXXXX";
	int r;

	make_file(".", v.file, sizeof(v.file), NBLOCKS * 4);
	env_engine(&v, BLK_ENGINE_AUTO, 8);
	snprintf(cmd, sizeof(cmd), "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F %s", v.file);
	ck_assert_msg(system(cmd) == 0, "mke2fs is needed");
	ck_assert_int_eq(loop_attach(v.file, 0, dev, sizeof(dev)), 0);
	ck_assert_int_eq(loop_attach(v.file, 0, dev2, sizeof(dev2)), 0);
	ck_assert_ptr_nonnull(mkdtemp(dir));
	r = mount(dev, dir, "ext4", 0, NULL) ? mount(dev, dir, "ext2", 0, NULL) : 0;
	ck_assert_msg(r == 0, "mount: %s", strerror(errno));
	refused(dev, -EBUSY, "mounted on", dir);
	refused(dev2, -EBUSY, dev, dir);
	refused(v.file, -EBUSY, dev, dir);
	ck_assert_int_eq(umount(dir), 0);
	blk_path_free(env_open(&v, dev2, BLK_DIRECT_AUTO, 0));
	rmdir(dir);
	loop_detach(dev);
	loop_detach(dev2);
	env_end(&v);
}
END_TEST

START_TEST(read_only_device)
{
	struct loop_config cfg = { .info.lo_flags = LO_FLAGS_READ_ONLY };
	struct outcome o;
	uint8_t *data;
	int fd;

	make_file(".", v.file, sizeof(v.file), NBLOCKS);
	/* Find a free one, and attach again. */
	ck_assert_int_eq(loop_attach(v.file, 0, v.dev, sizeof(v.dev)), 0);
	ck_assert_int_eq(loop_detach(v.dev), 0);
	fd = open(v.dev, O_RDONLY);
	cfg.fd = (uint32_t)open(v.file, O_RDONLY);
	ck_assert_int_eq(ioctl(fd, LOOP_CONFIGURE, &cfg), 0);
	close((int)cfg.fd);
	close(fd);
	env_engine(&v, BLK_ENGINE_AUTO, 8);
	env_path(&v, BLK_DIRECT_AUTO, 0);
	ck_assert(v.info.read_only);
	ck_assert(!(v.info.caps & PATH_CAP_DISCARD));
	data = mem(BLK);
	ck_assert_int_eq(env_rw(&v, CMD_READ, 0, data, 1, 0).verdict, V_OK);
	o = env_rw(&v, CMD_WRITE, 0, data, 1, 0);
	ck_assert_int_ne(o.verdict, V_OK);
	free(data);
	env_end(&v);
}
END_TEST

int main(void)
{
	const int n = ARRAY_SIZE(combos);
	Suite *s;
	TCase *tc;

	if (!have_loops())
		return skip_all("needs root and /dev/loop-control");
	s = suite_create("blk_loop");
	tc = tcase_create("loop");
	tcase_set_timeout(tc, 60);
	tcase_add_loop_test(tc, operations, 0, n);
	tcase_add_loop_test(tc, allocation, 0, n);
	tcase_add_loop_test(tc, four_paths, 0, n);
	tcase_add_loop_test(tc, detach, 0, n);
	tcase_add_loop_test(tc, detach_shared, 0, n);
	tcase_add_loop_test(tc, shrunk, 0, n);
	tcase_add_test(tc, zeroes_taken_back);
	tcase_add_test(tc, not_attached);
	tcase_add_test(tc, other_file);
	tcase_add_test(tc, held);
	tcase_add_test(tc, mounted);
	tcase_add_test(tc, read_only_device);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
