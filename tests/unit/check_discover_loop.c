// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_discover_loop.c - loop devices are found by the file behind them: all
 * of them and no other, under any name, in order, without a part of the file
 * or a file that only took over the name.  Needs root and loop devices.
 */
#include <config.h>

#include "check_blk_env.h"
#include "path/discover_loop.h"
#include "base/limits.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char file[128], other[128], devs[4][128];

static void setup(void)
{
	make_file(".", file, sizeof(file), NBLOCKS);
	make_file(".", other, sizeof(other), NBLOCKS);
	memset(devs, 0, sizeof(devs));
}

static void teardown(void)
{
	for (int i = 0; i < 4; i++)
		if (devs[i][0])
			loop_detach(devs[i]);
	unlink(file);
	unlink(other);
}

static int number(const char *dev)
{
	return atoi(dev + strlen("/dev/loop"));
}

START_TEST(finds_all)
{
	char names[4][PATH_NAME_BYTES], link_name[150];
	int n;

	ck_assert_int_eq(discover_loop_scan(file, names, 4), 0);
	ck_assert_int_eq(loop_attach(file, 0, devs[0], sizeof(devs[0])), 0);
	ck_assert_int_eq(loop_attach(other, 0, devs[1], sizeof(devs[1])), 0);
	ck_assert_int_eq(loop_attach(file, 4096, devs[2], sizeof(devs[2])), 0);
	snprintf(link_name, sizeof(link_name), "%s.link", file);
	ck_assert_int_eq(link(file, link_name), 0);
	ck_assert_int_eq(loop_attach(link_name, 0, devs[3], sizeof(devs[3])), 0);

	memset(names, 0, sizeof(names));
	n = discover_loop_scan(file, names, 4);
	ck_assert_int_eq(n, 2);
	ck_assert_int_lt(number(names[0]), number(names[1]));
	ck_assert(strcmp(names[0], devs[0]) == 0 || strcmp(names[0], devs[3]) == 0);
	ck_assert(strcmp(names[1], devs[0]) == 0 || strcmp(names[1], devs[3]) == 0);
	/* Room for one: the count is whole. */
	memset(names, 0, sizeof(names));
	ck_assert_int_eq(discover_loop_scan(link_name, names, 1), 2);
	ck_assert_str_ne(names[0], "");
	ck_assert_str_eq(names[1], "");
	unlink(link_name);
}
END_TEST

/* The file is deleted and another takes its name: the device still stands for the old one. */
START_TEST(name_reused)
{
	char names[4][PATH_NAME_BYTES];

	ck_assert_int_eq(loop_attach(file, 0, devs[0], sizeof(devs[0])), 0);
	ck_assert_int_eq(discover_loop_scan(file, names, 4), 1);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(discover_loop_scan(file, names, 4), -ENOENT);
	ck_assert_int_eq(rename(other, file), 0);
	ck_assert_int_eq(discover_loop_scan(file, names, 4), 0);
}
END_TEST

/* A look must neither hold the device nor change it. */
START_TEST(disturbs_nobody)
{
	char names[4][PATH_NAME_BYTES];
	int fd;

	ck_assert_int_eq(loop_attach(file, 0, devs[0], sizeof(devs[0])), 0);
	fd = open(devs[0], O_RDWR | O_EXCL);
	ck_assert_int_ge(fd, 0);
	ck_assert_int_eq(discover_loop_scan(file, names, 4), 1);
	ck_assert_str_eq(names[0], devs[0]);
	close(fd);
	ck_assert(loop_is_attached(devs[0]));
}
END_TEST

START_TEST(sysfs_only)
{
	struct loop_backing *b = malloc(sizeof(*b)), *c = malloc(sizeof(*c));
	struct stat st, node;
	int fd;

	ck_assert_int_eq(loop_attach(file, 4096, devs[0], sizeof(devs[0])), 0);
	ck_assert_int_eq(stat(file, &st), 0);
	ck_assert_int_eq(stat(devs[0], &node), 0);
	ck_assert_int_eq(loop_backing_sysfs(node.st_rdev, b), 0);
	fd = open(devs[0], O_RDONLY);
	ck_assert_int_eq(loop_backing_fd(fd, c), 0);
	close(fd);
	ck_assert(b->known && b->dev == st.st_dev && b->ino == st.st_ino && b->offset == 4096);
	ck_assert(c->known && c->dev == st.st_dev && c->ino == st.st_ino && c->offset == 4096);
	ck_assert(!b->autoclear && !c->autoclear && !b->deleted);
	ck_assert_str_eq(b->file, file);
	unlink(file);
	ck_assert_int_eq(loop_backing_sysfs(node.st_rdev, b), 0);
	ck_assert(b->deleted && !b->known);
	ck_assert_int_eq(loop_detach(devs[0]), 0);
	/* Whoever has it open, to look at it, keeps it for a moment. */
	for (int i = 0; i < 500 && loop_backing_sysfs(node.st_rdev, b) == 0; i++)
		usleep(10000);
	ck_assert_int_eq(loop_backing_sysfs(node.st_rdev, b), -ENXIO);
	devs[0][0] = '\0';
	free(b);
	free(c);
}
END_TEST

int main(void)
{
	Suite *s;
	TCase *tc;

	if (!have_loops())
		return skip_all("needs root and /dev/loop-control");
	s = suite_create("discover_loop");
	tc = tcase_create("scan");
	tcase_set_timeout(tc, 60);
	tcase_add_checked_fixture(tc, setup, teardown);
	tcase_add_test(tc, finds_all);
	tcase_add_test(tc, name_reused);
	tcase_add_test(tc, disturbs_nobody);
	tcase_add_test(tc, sysfs_only);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
