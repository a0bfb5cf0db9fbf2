/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sg_kernel.c - the sg driver and the kernel below it, over a model of sg:
 * "not now" is no error of the path; depth means files; a device that goes away
 * loses no command; nothing is sent on a path that cannot be trusted.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "base/fault.h"
#include "base/prng.h"
#include "check_sg_env.h"

/* --- depth and back-pressure --- */

START_TEST(depth_decides_the_number_of_files)
{
	struct sg_path_stats st;
	unsigned i;

	/* Of many paths each has as few as will do. */
	identity.npaths = _i ? 100 : 0;
	fake.queue_depth = 40;
	open_good();
	ck_assert_uint_eq(core.info.depth, 40);
	ck_assert(sg_path_get_stats(path, &st));
	ck_assert_uint_eq(st.nfiles, _i ? 3 : 16);
	ck_assert_uint_eq(fake.nopen, st.nfiles + 2);
	fake.hold = true;
	for (i = 0; i < 40; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i, 1)), 0);
	ck_assert_int_eq(path->ops->submit(path, make(40, CMD_READ, 40, 1)), -EAGAIN);
	path->ops->flush(path);
	run_all(loop);
	ck_assert_uint_eq(core.rooms, 0);
	ck_assert_uint_eq(fake.max_per_file, 16);
	fake_sg_release();
	run_until_done(loop, 40);
	ck_assert_uint_ge(core.rooms, 1);
	sg_path_get_stats(path, &st);
	ck_assert_uint_eq(st.edom, 0);
}
END_TEST

/* sg keeps a buffer for each file, which one command can use; what does not fit into it goes by the last files. */
START_TEST(small_commands_have_a_file_each)
{
	unsigned i;

	fake.queue_depth = 20;
	open_good();
	fake.hold = true;
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, 200 * i, 128)), 0);
	for (; i < 20; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i, 1)), 0);
	path->ops->flush(path);
	run_all(loop);
	ck_assert_uint_eq(sg->files[0].buffer_bytes, 32 << 10);
	ck_assert_uint_eq(sg->files[15].buffer_bytes, 512 << 10);
	/* Of the large ones the first has the large buffer; the second was the first to find no buffer. */
	ck_assert_uint_eq(sg->files[0].inflight, 5);
	for (i = 1; i < 16; i++)
		ck_assert_uint_eq(sg->files[i].inflight, 1);
	fake_sg_release();
	run_until_done(loop, 20);
}
END_TEST

static const struct {
	int queue_depth, can_queue;
	unsigned conf, want;
} depths[] = {
	{32, 1000, 0, 32}, {32, 1000, 8, 8}, {64, 24, 0, 12},
	{64, 1, 0, 1},	   {0, 1000, 0, 16},
};

START_TEST(depth_stays_below_host_and_configuration)
{
	fake.queue_depth = depths[_i].queue_depth;
	fake.can_queue = depths[_i].can_queue;
	conf.depth = depths[_i].conf;
	open_good();
	ck_assert_uint_eq(core.info.depth, depths[_i].want);
}
END_TEST

static const enum fault_site sites[] = {FAULT_SG_WRITE_EDOM, FAULT_SG_WRITE_ENOMEM};

/* "Not now" is kept from core: the command goes out when something has ended. */
START_TEST(back_pressure_is_no_error)
{
	struct sg_path_stats st;
	unsigned i;

	open_good();
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_WRITE, i, 1)), 0);
	/* The third and all after it, the reserve included. */
	fault_arm(sites[_i], 3, 4);
	path->ops->flush(path);
	ck_assert_uint_eq(fake.nlog, 2);
	ck_assert_int_eq(path->ops->submit(path, make(4, CMD_WRITE, 4, 1)), -EAGAIN);
	run_until_done(loop, 4);
	ck_assert_uint_ge(core.rooms, 1);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(cmds[i].outcome.verdict, V_OK);
	sg_path_get_stats(path, &st);
	ck_assert_uint_ge(_i ? st.enomem : st.edom, 2);
	ck_assert_uint_eq(core.lost, 0);
}
END_TEST

START_TEST(the_reserve_serves_when_there_is_no_memory)
{
	struct sg_path_stats st;

	open_good();
	fault_arm(FAULT_SG_WRITE_ENOMEM, 1, 1);
	ck_assert_int_eq(run_one(make(0, CMD_WRITE, 3, 2))->verdict, V_OK);
	sg_path_get_stats(path, &st);
	ck_assert_uint_eq(st.reserve_used, 1);
	ck_assert_int_eq(fake.log[0].fd, sg_reserve_file(sg)->lfd.fd);
	ck_assert_int_eq(path->ops->submit(path, make(1, CMD_READ, 0, 1)), 0);
}
END_TEST

/* With nothing of ours in flight nobody will wake us: core gets the commands back. */
START_TEST(back_pressure_has_a_bound)
{
	open_good();
	fake.write_errno = ENOMEM;
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_LATER);
	ck_assert(cmds[0].outcome.flags & VF_NOT_RUN);
	ck_assert_uint_eq(core.lost, 0);
	fake.write_errno = 0;
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_OK);
}
END_TEST

/* What waits for room was meant for a path that core has since found to be doubtful: not for a LUN that
 * nobody knows. */
START_TEST(back_pressure_outlived_by_a_doubt)
{
	open_good();
	fault_arm(FAULT_SG_WRITE_ENOMEM, 2, 2);
	ck_assert_int_eq(path->ops->submit(path, make(0, CMD_WRITE, 0, 1)), 0);
	ck_assert_int_eq(path->ops->submit(path, make(1, CMD_WRITE, 1, 1)), 0);
	path->ops->flush(path);
	ck_assert_uint_eq(fake.nlog, 1);
	core.unusable = true;
	run_until_done(loop, 2);
	ck_assert_int_eq(cmds[0].outcome.verdict, V_OK);
	ck_assert_int_eq(cmds[1].outcome.verdict, V_CANCELED);
	ck_assert(cmds[1].outcome.flags & VF_NOT_RUN);
	ck_assert_uint_eq(fake.nlog, 1);
	core.unusable = false;
	ck_assert_int_eq(run_one(make(2, CMD_WRITE, 2, 1))->verdict, V_OK);
}
END_TEST

START_TEST(a_sleeping_write_is_measured)
{
	struct sg_path_stats st;

	open_good();
	fake.write_blocks_ns = 3 * NS_PER_SEC;
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_OK);
	sg_path_get_stats(path, &st);
	ck_assert_uint_eq(st.batch_max_ns, 3 * NS_PER_SEC);
	ck_assert_uint_eq(core.wrote_max_ns, 3 * NS_PER_SEC);
	/* So is a check's: it is the same loop that stands still. */
	fake.write_blocks_ns = 4 * NS_PER_SEC;
	run_check(loop, path, false);
	ck_assert_uint_eq(core.wrote_max_ns, 4 * NS_PER_SEC);
	/* And a whole row together: all of them wait for the one. */
	fake.write_blocks_ns = 2 * NS_PER_SEC;
	for (unsigned i = 0; i < 3; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i, 1)), 0);
	path->ops->flush(path);
	run_until_done(loop, 4);
	ck_assert_uint_eq(core.wrote_max_ns, 6 * NS_PER_SEC);
}
END_TEST

/* --- the end of a device --- */

START_TEST(eperm_is_explained)
{
	open_good();
	fake.write_errno = EPERM;
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_FAIL);
	ck_assert(cmds[0].outcome.flags & VF_NOT_RUN);
	ck_assert_ptr_nonnull(strstr(last_error, "credentials"));
	ck_assert_uint_eq(core.lost, 1);
	ck_assert_int_eq(path->ops->submit(path, make(1, CMD_READ, 0, 1)), -ENODEV);
	fake.write_errno = 0;
}
END_TEST

START_TEST(einval_is_not_the_end_of_the_path)
{
	open_good();
	fake.write_errno = EINVAL;
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_OTHER);
	fake.write_errno = 0;
	ck_assert_uint_eq(core.lost, 0);
	ck_assert_int_eq(run_one(make(1, CMD_READ, 0, 1))->verdict, V_OK);
}
END_TEST

/* The rest of a batch is handed back, nothing of it was sent. */
START_TEST(enodev_in_the_middle_of_a_batch)
{
	unsigned i;

	open_good();
	for (i = 0; i < 3; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_WRITE, i, 1)), 0);
	fake.removed = true;
	path->ops->flush(path);
	run_until_done(loop, 3);
	for (i = 0; i < 3; i++) {
		ck_assert_int_eq(cmds[i].outcome.verdict, V_FAIL);
		ck_assert(cmds[i].outcome.flags & VF_NOT_RUN);
	}
	ck_assert_uint_eq(core.lost, 1);
	run_all(loop);
	ck_assert_uint_eq(fake.nopen, 0); /* so that the kernel can forget it */
}
END_TEST

/* integrity H23: results still arrive after the hang-up, and the loop does not spin on
 * it. */
START_TEST(hang_up_with_commands_in_flight)
{
	struct sg_path_stats st;
	unsigned i;

	open_good();
	fake.hold = true;
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_WRITE, i, 1)), 0);
	path->ops->flush(path);
	loop_sim_step(loop);
	fake_sg_remove();
	ck_assert_uint_eq(core.lost, 1);
	sg_path_get_stats(path, &st);
	ck_assert_uint_le(st.empty_wakes, 2);
	ck_assert_int_eq(sg->files[0].lfd.events, 0);
	ck_assert_int_eq(path->ops->submit(path, make(9, CMD_READ, 0, 1)), -ENODEV);
	ck_assert_uint_gt(fake.nopen, 0);
	fake_sg_release();
	run_until_done(loop, 5);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(cmds[i].outcome.verdict, V_OK);
	run_all(loop);
	ck_assert_uint_eq(fake.nopen, 0);
}
END_TEST

START_TEST(hang_up_while_idle)
{
	open_good();
	fake_sg_remove();
	ck_assert_uint_eq(core.lost, 1);
	run_all(loop);
	ck_assert_uint_eq(fake.nopen, 0);
	run_check(loop, path, true);
	ck_assert_int_eq(core.result, CHECK_DOWN);
	/* It comes back under the same name. */
	fake.removed = false;
	run_check(loop, path, true);
	ck_assert_msg(core.result == CHECK_OK, "%s", core.why);
	ck_assert_int_eq(run_one(make(0, CMD_READ, 0, 1))->verdict, V_OK);
}
END_TEST

/* Ready for ever without a result and without a hang-up: a kernel that we do not know.
 */
START_TEST(a_file_that_is_always_ready_does_not_spin)
{
	unsigned i;

	open_good();
	for (i = 0; i < 1000 && sg->files[0].lfd.events; i++)
		sg->files[0].lfd.fn(&sg->files[0].lfd, LOOP_READ);
	ck_assert_uint_eq(i, SG_EMPTY_WAKES_MAX);
	ck_assert_uint_eq(core.lost, 1);
}
END_TEST

START_TEST(unknown_results_end_the_path)
{
	struct sg_path_stats st;

	open_good();
	fake.hold = true;
	path->ops->submit(path, make(0, CMD_READ, 0, 1));
	path->ops->submit(path, make(1, CMD_READ, 1, 1));
	path->ops->flush(path);
	fake.stranger = _i + 1;
	fake_sg_release();
	loop_sim_step(loop);
	ck_assert_uint_eq(core.lost, 1);
	ck_assert_ptr_nonnull(strstr(last_error, "unknown command"));
	/* The command whose name it was not is not taken for done; the other one is. */
	run_until_done(loop, 1);
	ck_assert_ptr_eq(core.done[0], &cmds[1]);
	ck_assert_int_eq(path->ops->submit(path, make(2, CMD_READ, 0, 1)), -ENODEV);
	sg_path_get_stats(path, &st);
	ck_assert_uint_eq(st.strangers, 1);
	/* It would be waited for, for ever: end the test by force. */
	loop_timer_stop(loop, &sg->drain_timer);
	sg->slots[0].file->inflight = 0;
	sg->inflight = 0;
}
END_TEST

/* The right name, out of the wrong file: the kernel would have mixed up its own lists.
 */
START_TEST(results_come_out_of_their_own_file)
{
	unsigned i;

	identity.npaths = 100;
	fake.queue_depth = 20;
	open_good();
	fake.hold = true;
	for (i = 0; i < 20; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i, 1)), 0);
	path->ops->flush(path);
	run_all(loop);
	fake.hold = false;
	/* The second one is in the second file; the first file is told. */
	fake_sg_release_one(1);
	fake.crossed = true;
	sg->files[0].lfd.fn(&sg->files[0].lfd, LOOP_READ);
	ck_assert_uint_eq(core.lost, 1);
	ck_assert_uint_eq(core.ndone, 0);
	fake_sg_release();
	run_until_done(loop, 19);
	loop_timer_stop(loop, &sg->drain_timer);
	cmds[1].drv = NULL;
	sg->files[0].inflight = 0;
	sg->files[1].inflight = 0;
	sg->inflight = 0;
}
END_TEST

START_TEST(close_waits_for_what_is_in_flight)
{
	open_good();
	fake.hold = true;
	path->ops->submit(path, make(0, CMD_WRITE, 0, 1));
	path->ops->flush(path);
	path->ops->submit(path, make(1, CMD_WRITE, 1, 1)); /* not sent yet */
	path->ops->close(path);
	ck_assert_int_eq(path->ops->submit(path, make(2, CMD_WRITE, 2, 1)), -ENODEV);
	run_until_done(loop, 1);
	ck_assert_ptr_eq(core.done[0], &cmds[1]);
	ck_assert_int_eq(cmds[1].outcome.verdict, V_CANCELED);
	run_all(loop);
	ck_assert_uint_eq(core.closed, 0);
	fake_sg_release();
	run_until_done(loop, 2);
	ck_assert_int_eq(cmds[0].outcome.verdict, V_OK);
	run_all(loop);
	ck_assert_uint_eq(core.closed, 1);
	ck_assert_uint_eq(fake.nopen, 0);
	path->ops->release(path);
	path = NULL;
}
END_TEST

START_TEST(close_after_hang_up_with_commands_in_flight)
{
	open_good();
	fake.hold = true;
	path->ops->submit(path, make(0, CMD_WRITE, 0, 1));
	path->ops->flush(path);
	fake_sg_remove();
	path->ops->close(path);
	ck_assert_uint_eq(core.closed, 0);
	loop_sim_step(loop);
	ck_assert_uint_eq(core.closed, 0);
	fake_sg_release();
	run_all(loop);
	ck_assert_uint_eq(core.ndone, 1);
	ck_assert_uint_eq(core.closed, 1);
	path->ops->release(path);
	path = NULL;
}
END_TEST

/* --- opening --- */

static const struct {
	const char *dev;
	int open_errno, version, want;
	const char *says;
} opens[] = {
	{"/dev/sg4", ENOENT, 30536, -ENOENT, "modprobe sg"},
	{"/dev/sg4", EACCES, 30536, -EACCES, "group disk"},
	{"/dev/sg4", EBUSY, 30536, -EBUSY, "exclusively"},
	{"/dev/sg4", EROFS, 30536, -EROFS, "write access"},
	{"/dev/sg4", 0, 20136, -ENOTTY, "version 3"},
	{"/dev/sda", 0, 30536, -ENOTTY, "lsscsi -g"},
	{"/dev/sgx", 0, 30536, -ENOTTY, "lsscsi -g"},
	{"/dev/sg42949672960000", 0, 30536, -ENOTTY, "lsscsi -g"},
};

START_TEST(what_cannot_be_opened_says_why)
{
	fake.open_errno = opens[_i].open_errno;
	fake.version_num = opens[_i].version;
	ck_assert_int_eq(
		sg_path_new(loop, &conf, opens[_i].dev, &path, errbuf, sizeof(errbuf)),
		opens[_i].want);
	ck_assert_ptr_null(path);
	ck_assert_msg(strstr(errbuf, opens[_i].says) &&
			      strstr(errbuf, opens[_i].dev) == errbuf,
		      "%s", errbuf);
	ck_assert_uint_eq(fake.nopen, 0);
}
END_TEST

START_TEST(a_name_has_an_end)
{
	char dev[2 * PATH_NAME_BYTES] = "/dev/sg";

	memset(dev + 7, '1', PATH_NAME_BYTES);
	ck_assert_int_eq(sg_path_new(loop, &conf, dev, &path, errbuf, sizeof(errbuf)),
			 -ENAMETOOLONG);
}
END_TEST

START_TEST(the_address_is_shown)
{
	open_good();
	ck_assert_str_eq(path->dev, "2:0:5:1");
	ck_assert_int_eq(path->host, 2);
	ck_assert_int_eq(path->numa_node, -1);
	ck_assert_str_eq(path->name, "/dev/sg4");
	ck_assert_str_eq(path->ops->name, "sg");
}
END_TEST

START_TEST(transfers_fit_the_host)
{
	fake.tablesize = 64;
	open_good();
	ck_assert_uint_eq(core.info.max_blocks,
			  64 * (unsigned)sysconf(_SC_PAGESIZE) / 512);
}
END_TEST

/* --- all together --- */

static unsigned ends[512];

static void count_end(struct cmd *c)
{
	ends[c - cmds]++;
}

/* Random commands under random faults: each ends once, nobody's bytes are mixed up, and
 * what was acknowledged is on the disk. */
START_TEST(soak)
{
	static uint8_t want[FAKE_DISK_BYTES];
	unsigned round, i, n, total = 0;
	struct prng r;

	prng_init(&r, 99, _i);
	fake.queue_depth = 1 + (int)prng_below(&r, 60);
	open_good();
	core.on_done = count_end;
	memcpy(want, fake.disk, sizeof(want));
	for (round = 0; round < 60; round++) {
		n = 1 + (unsigned)prng_below(&r, sg->depth);
		fake.reverse = prng_chance(&r, 1, 2);
		fake.delay_ns = prng_below(&r, 3) * NS_PER_MS;
		memset(ends, 0, sizeof(ends));
		fault_disarm_all();
		if (prng_chance(&r, 1, 2))
			fault_arm(sites[prng_below(&r, 2)], 1 + prng_below(&r, n),
				  1 + prng_below(&r, 5));
		for (i = 0; i < n; i++) {
			/* Own blocks for each, so that order does not matter. */
			struct cmd *c =
				make(i, prng_chance(&r, 1, 2) ? CMD_WRITE : CMD_READ,
				     (uint64_t)i * 16 + prng_below(&r, 12),
				     1 + (uint32_t)prng_below(&r, 4));

			memset(c->iov[0].iov_base, (int)(round + i), c->iov[0].iov_len);
			ck_assert_int_eq(path->ops->submit(path, c), 0);
			if (prng_chance(&r, 1, 3))
				path->ops->flush(path);
			if (sg->stall_errno)
				n = i + 1;
		}
		path->ops->flush(path);
		total += n;
		run_until_done(loop, total);
		for (i = 0; i < n; i++) {
			struct cmd *c = &cmds[i];
			size_t len = c->iov[0].iov_len;

			ck_assert_uint_eq(ends[i], 1);
			ck_assert_int_eq(c->outcome.verdict, V_OK);
			if (c->op == CMD_WRITE)
				memcpy(want + c->lba * 512, c->iov[0].iov_base, len);
			else
				ck_assert_mem_eq(want + c->lba * 512,
						 c->iov[0].iov_base, len);
		}
		ck_assert_mem_eq(want, fake.disk, sizeof(want));
		ck_assert_uint_eq(sg->inflight, 0);
		/* As core does after path_room(). */
		for (i = 0; sg->stall_errno && i < 100; i++)
			loop_sim_step(loop);
	}
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sg_kernel");
	TCase *t = tcase_create("kernel");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, depth_decides_the_number_of_files, 0, 2);
	tcase_add_test(t, small_commands_have_a_file_each);
	tcase_add_loop_test(t, depth_stays_below_host_and_configuration, 0,
			    ARRAY_SIZE(depths));
	tcase_add_loop_test(t, back_pressure_is_no_error, 0, ARRAY_SIZE(sites));
	tcase_add_test(t, the_reserve_serves_when_there_is_no_memory);
	tcase_add_test(t, back_pressure_has_a_bound);
	tcase_add_test(t, back_pressure_outlived_by_a_doubt);
	tcase_add_test(t, a_sleeping_write_is_measured);
	tcase_add_test(t, eperm_is_explained);
	tcase_add_test(t, einval_is_not_the_end_of_the_path);
	tcase_add_test(t, enodev_in_the_middle_of_a_batch);
	tcase_add_test(t, hang_up_with_commands_in_flight);
	tcase_add_test(t, hang_up_while_idle);
	tcase_add_test(t, a_file_that_is_always_ready_does_not_spin);
	tcase_add_loop_test(t, unknown_results_end_the_path, 0, 2);
	tcase_add_test(t, results_come_out_of_their_own_file);
	tcase_add_test(t, close_waits_for_what_is_in_flight);
	tcase_add_test(t, close_after_hang_up_with_commands_in_flight);
	tcase_add_loop_test(t, what_cannot_be_opened_says_why, 0, ARRAY_SIZE(opens));
	tcase_add_test(t, a_name_has_an_end);
	tcase_add_test(t, the_address_is_shown);
	tcase_add_test(t, transfers_fit_the_host);
	tcase_add_loop_test(t, soak, 0, 20);
	suite_add_tcase(s, t);
	return unit_main(s);
}
