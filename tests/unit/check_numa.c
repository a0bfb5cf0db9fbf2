/* SPDX-License-Identifier: GPL-2.0-or-later */
/* check_numa.c - proves that distances are read as the kernel writes them, and nothing else. */
#include <config.h>

#include "base/numa.h"
#include "base/sys.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const char *online, *distance;

static ssize_t fake_read_file(const char *path, char *buf, size_t size)
{
	const char *text = NULL;

	if (!strcmp(path, "/s/devices/system/node/online"))
		text = online;
	else if (!strcmp(path, "/s/devices/system/node/node1/distance"))
		text = distance;
	if (!text)
		return -ENOENT;
	return snprintf(buf, size, "%s", text);
}

static const struct sys_ops fake_sys = { .read_file = fake_read_file };

static const struct {
	const char *online, *distance;
	int node, rc;
	unsigned d0, d1, d4;
} rows[] = {
	{ "0-1,4", "20 10 30", 1, 0, 20, 10, 30 },
	{ "1", "10", 1, 0, 0, 10, 0 },
	{ "0-4", "20 10 30 40 50", 1, 0, 20, 10, 50 },
	{ "0-1,4", "20 10 30", 2, -ENOENT, 0, 0, 0 },
	{ "0-1,4", "20 10 30", -1, -ENOENT, 0, 0, 0 },
	{ "0-1,4", "20 10 30", NUMA_NODES_MAX, -ENOENT, 0, 0, 0 },
	{ NULL, "20 10", 1, -ENOENT, 0, 0, 0 },
	{ "0-1,4", "20 10", 1, -EINVAL, 0, 0, 0 },
	{ "0-1", "20 x", 1, -EINVAL, 0, 0, 0 },
	{ "0-1", "20 256", 1, -EINVAL, 0, 0, 0 },
	{ "0-1 ", "20 10", 1, -EINVAL, 0, 0, 0 },
	{ "", "", 1, -EINVAL, 0, 0, 0 },
	{ "0-", "10 20", 1, -EINVAL, 0, 0, 0 },
	/* more nodes than are remembered */
	{ "0-1,200", "20 10 30", 1, 0, 20, 10, 0 },
};

START_TEST(test_rows)
{
	uint8_t d[NUMA_NODES_MAX];

	memset(d, 0xff, sizeof(d));
	online = rows[_i].online;
	distance = rows[_i].distance;
	sys = &fake_sys;
	ck_assert_int_eq(numa_distances("/s", rows[_i].node, d), rows[_i].rc);
	sys = &sys_libc;
	ck_assert_uint_eq(d[0], rows[_i].d0);
	ck_assert_uint_eq(d[1], rows[_i].d1);
	ck_assert_uint_eq(d[4], rows[_i].d4);
	ck_assert_uint_eq(d[NUMA_NODES_MAX - 1], 0);
}
END_TEST

/* On whatever this runs: a machine without nodes is no error of ours. */
START_TEST(test_this_machine)
{
	uint8_t d[NUMA_NODES_MAX];
	int node = numa_here();

	if (node < 0 || numa_distances("/sys", node, d) < 0)
		return;
	ck_assert_uint_eq(d[node], NUMA_LOCAL_DISTANCE);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("numa");
	TCase *tc = tcase_create("numa");

	tcase_add_loop_test(tc, test_rows, 0, (int)(sizeof(rows) / sizeof(rows[0])));
	tcase_add_test(tc, test_this_machine);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
