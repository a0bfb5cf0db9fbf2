/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sg_check.c - the check of an sg path: what it asks in which order; that
 * unit attentions start it over; that whatever fails under it, it ends, and says
 * where.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "base/fault.h"
#include "check_sg_env.h"

START_TEST(a_good_disk)
{
	fake.phys_exponent = 3;
	fake.unmap_granularity = 16;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), FULL_ROW);
	ck_assert_uint_eq(core.info.block_bytes, 512);
	ck_assert_uint_eq(core.info.phys_block_bytes, 4096);
	ck_assert_uint_eq(core.info.nblocks, FAKE_DISK_BYTES / 512);
	ck_assert(!core.info.read_only && !core.info.rotational &&
		  core.info.write_cache);
	ck_assert_uint_eq(core.info.caps, PATH_CAP_FUA | PATH_CAP_DISCARD |
						  PATH_CAP_WRITE_ZEROES |
						  PATH_CAP_STATUS | PATH_CAP_FAST_ZERO);
	ck_assert_uint_eq(core.info.max_blocks, MIB / 512);
	ck_assert_uint_eq(core.info.max_discard_blocks, 1000);
	ck_assert_uint_eq(core.info.max_zero_blocks, 0x10000);
	ck_assert_uint_eq(core.info.discard_granularity_blocks, 16);
	ck_assert_uint_eq(core.info.depth, 16);
	ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
	ck_assert_uint_eq(core.info.prio, 1);
	ck_assert_uint_eq(core.news, 0);
	ck_assert_str_eq(core.info.ident, FAKE_WWID);
	ck_assert_str_eq(core.info.product, "ACME Disk 1.0");
}
END_TEST

START_TEST(the_cheap_check_is_one_command)
{
	check(true);
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00");
	ck_assert_uint_eq(core.info.nblocks, FAKE_DISK_BYTES / 512);
	fake_sg_sense(0x00, -1, 0, 1, 2, 4, 3);
	check(false);
	assert_result(CHECK_DOWN, "TEST UNIT READY: sense 2/04/03");
}
END_TEST

/* Asked for a cheap check before any full one, it does the whole. */
START_TEST(never_less_than_a_full_check_first)
{
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), FULL_ROW);
}
END_TEST

START_TEST(the_kernels_fast_view_of_depth_is_followed)
{
	check(true);
	fake.queue_depth = 5;
	check(false);
	ck_assert_uint_eq(core.info.depth, 5);
	fake.queue_depth = 100; /* slots and files are those of the first open */
	check(false);
	ck_assert_uint_eq(core.info.depth, 16);
}
END_TEST

/* --- every step fails in every way --- */

static const struct {
	int opcode, page;
	const char *name;
	bool optional; /* refused: the check goes on without */
} places[] = {
	{0x00, -1, "TEST UNIT READY", false},
	{0x12, -2, "INQUIRY", false},
	{0x12, 0x00, "VPD page 00h", true},
	{0x12, 0x83, "VPD page 83h", false},
	{0x12, 0x80, "VPD page 80h", true},
	{0x12, 0xb0, "VPD page B0h", true},
	{0x12, 0xb1, "VPD page B1h", true},
	{0x12, 0xb2, "VPD page B2h", true},
	{0x9e, -1, "READ CAPACITY(16)", true},
	{0x1a, -1, "MODE SENSE(6)", true},
	{0xa3, -1, "REPORT TARGET PORT GROUPS", true},
};

/* The transport fails under it: the path is down, and says where and how. */
START_TEST(transport_errors_end_it)
{
	struct fake_inject in = {.opcode = places[_i].opcode,
				 .page = places[_i].page,
				 .times = 1,
				 .host_status = 1};
	char want[100];

	fake.tpgs = 1;
	fake_sg_inject(&in);
	check(true);
	snprintf(want, sizeof(want), "%s: host_status 01 (no connection)",
		 places[_i].name);
	assert_result(CHECK_DOWN, want);
	check(true);
	assert_result(CHECK_OK, NULL);
}
END_TEST

START_TEST(refusals)
{
	fake.tpgs = 1;
	fake_sg_sense(places[_i].opcode, places[_i].page, 0, 1, 5, 0x20, 0);
	check(true);
	if (places[_i].optional)
		assert_result(CHECK_OK, NULL);
	else if (places[_i].page == 0x83)
		assert_result(CHECK_IDENTITY, "83h");
	else
		assert_result(CHECK_DOWN, places[_i].name);
}
END_TEST

/* A unit attention at any step, the last one too: from the start again, then all is
 * well. */
START_TEST(unit_attentions_start_it_over)
{
	bool last = _i == ARRAY_SIZE(places);
	unsigned i = last ? 0 : (unsigned)_i;

	fake.tpgs = 1;
	fake_sg_sense(places[i].opcode, places[i].page, last, 1, 6, 0x3f, 0x0e);
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_ge(fake_sg_count(0x00), 3);
	/* All of it was asked again, after the attention. */
	ck_assert_uint_gt(fake.nlog, 12);
	ck_assert_ptr_nonnull(strstr(asked(), FULL_ROW_ALUA));
}
END_TEST

START_TEST(unit_attentions_without_end)
{
	fake_sg_sense(places[_i].opcode, places[_i].page, 0, 10000, 6, 0x29, 0);
	fake.tpgs = 1;
	check(true);
	assert_result(CHECK_DOWN, "again and again");
	ck_assert_uint_le(fake.nlog, 100);
}
END_TEST

START_TEST(eight_unit_attentions_are_taken)
{
	fake_sg_sense(0x00, -1, 0, 8, 6, 0x29, 0);
	check(true);
	assert_result(CHECK_OK, NULL);
	/* What they said about the LU is told on. */
	ck_assert_uint_eq(core.news, VF_CACHE | VF_IDENTITY);
	core.news = 0;
	check(false);
	ck_assert_uint_eq(core.news, 0);
	fake_sg_sense(0x00, -1, 0, 9, 6, 0x29, 0);
	check(true);
	assert_result(CHECK_DOWN, "sense 6/29/00");
}
END_TEST

/* The path of a check that failed may never be checked again. */
START_TEST(news_are_told_whatever_becomes_of_the_check)
{
	fake_sg_sense(0x00, -1, 0, 1, 6, 0x29, 1);
	fake_sg_sense(0x12, -2, 0, 1, 4, 0x44, 0);
	check(true);
	assert_result(CHECK_DOWN, "INQUIRY");
	ck_assert_uint_eq(core.news, VF_CACHE | VF_IDENTITY);
	core.news = 0;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(core.news, 0);
}
END_TEST

START_TEST(a_unit_attention_makes_a_cheap_check_full)
{
	check(true);
	fake_sg_sense(0x00, -1, 0, 1, 6, 0x2a, 9);
	fake.nblocks = 100;
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 " FULL_ROW);
	ck_assert_uint_eq(core.info.nblocks, 100);
	ck_assert_uint_eq(core.doubts, 1);
	/* Asymmetric access state changed: that casts no doubt on who it is. */
	fake_sg_sense(0x00, -1, 0, 1, 6, 0x2a, 6);
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(core.doubts, 1);
}
END_TEST

START_TEST(aborted_and_busy_are_asked_again)
{
	struct fake_inject busy = {.opcode = 0x9e, .times = 2, .status = 0x28};

	fake_sg_sense(0x12, 0x83, 0, 3, 0xb, 0, 0);
	fake_sg_inject(&busy);
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(),
			 "00 12 12/00 12/83 12/83 12/83 12/83 12/80 12/b0 12/b1 12/b2 "
			 "9e 9e 9e 1a 00");
	fake_sg_sense(0x12, 0x83, 0, 4, 0xb, 0, 0);
	check(true);
	assert_result(CHECK_DOWN, "VPD page 83h: sense b/00/00");
}
END_TEST

static const struct fake_inject spoiled[] = {
	{.opcode = 0xa3, .page = -1, .host_status = 7},
	{.opcode = 0x12, .page = 0x83, .host_status = 8},
	{.opcode = 0x9e, .page = -1, .status = 0x40},
	{.opcode = 0x00, .page = -1, .status = 0x02, .sense = {0x70, 0, 0xb, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x4b, 3}, .sense_len = 18},
};

/* Lost or damaged under way: asked again, at most three times more. */
START_TEST(spoiled_ones_are_asked_again)
{
	struct fake_inject in = spoiled[_i];

	fake.tpgs = 1;
	in.times = 3;
	fake_sg_inject(&in);
	check(true);
	assert_result(CHECK_OK, NULL);
	in.times = 4;
	fake_sg_inject(&in);
	check(true);
	assert_result(CHECK_DOWN, NULL);
}
END_TEST

START_TEST(a_reservation_of_another_host_is_no_failure)
{
	struct fake_inject in = {.opcode = 0x00, .times = 2, .status = 0x18};

	fake_sg_inject(&in);
	check(true);
	assert_result(CHECK_OK, NULL);
}
END_TEST

static const struct {
	uint8_t key, asc, ascq;
} not_ready[] = {
	{2, 0x04, 0x01}, {2, 0x3a, 0}, {2, 0x04, 0x02}, {3, 0x11, 0}, {4, 0x3e, 1}};

START_TEST(not_ready_is_down)
{
	char want[64];

	fake_sg_sense(0x00, -1, 0, 1, not_ready[_i].key, not_ready[_i].asc,
		      not_ready[_i].ascq);
	check(true);
	snprintf(want, sizeof(want), "TEST UNIT READY: sense %x/%02x/%02x",
		 not_ready[_i].key, not_ready[_i].asc, not_ready[_i].ascq);
	assert_result(CHECK_DOWN, want);
}
END_TEST

/* --- the kernel's side --- */

START_TEST(no_room_is_waited_for)
{
	fault_arm(_i ? FAULT_SG_WRITE_ENOMEM : FAULT_SG_WRITE_EDOM, 3, 5);
	check(true);
	assert_result(CHECK_OK, NULL);
	fault_arm(FAULT_SG_WRITE_ENOMEM, 1, 0);
	check(true);
	assert_result(CHECK_DOWN, "Cannot allocate memory");
	ck_assert_uint_eq(core.lost, 0);
}
END_TEST

START_TEST(removed_in_the_middle)
{
	path = open_as("/dev/sg4");
	use(path);
	fake.hold = true;
	path->ops->check(path, true);
	loop_sim_step(loop);
	fake_sg_remove();
	ck_assert_uint_eq(core.lost, 1);
	ck_assert_uint_eq(core.nchecked, 0); /* its command is still out */
	fake_sg_release();
	run_all(loop);
	ck_assert_uint_eq(core.nchecked, 1);
	assert_result(CHECK_DOWN, "removed");
	ck_assert_uint_eq(fake.nopen, 0);
	check(true);
	assert_result(CHECK_DOWN, "the device has gone");
	fake.removed = false;
	fake.naa[15] = 0xa2; /* another LUN has the name now */
	check(true);
	assert_result(CHECK_IDENTITY, NULL);
	ck_assert_uint_eq(core.closed, 0);
}
END_TEST

START_TEST(removed_before_a_step)
{
	check(true);
	fake.removed = true;
	check(true);
	assert_result(CHECK_DOWN, "No such device");
	ck_assert_uint_eq(core.lost, 1);
}
END_TEST

START_TEST(close_in_the_middle)
{
	path = open_as("/dev/sg4");
	use(path);
	fake.hold = true;
	path->ops->check(path, true);
	loop_sim_step(loop);
	path->ops->close(path);
	run_all(loop);
	ck_assert_uint_eq(core.closed, 0);
	fake_sg_release();
	run_all(loop);
	ck_assert_uint_eq(core.nchecked, 1);
	assert_result(CHECK_DOWN, "closing");
	ck_assert_uint_eq(core.closed, 1);
	path->ops->release(path);
	path = NULL;
}
END_TEST

/* Data and check do not share a file, nor slots. */
START_TEST(a_check_runs_beside_data)
{
	unsigned i;

	conf.check_read_bytes = _i ? CHECK_READ_BYTES_MAX : 0;
	check(true);
	fake.hold = true;
	for (i = 0; i < 16; i++)
		ck_assert_int_eq(path->ops->submit(path, make(i, CMD_READ, i, 1)), 0);
	path->ops->flush(path);
	loop_sim_step(loop);
	fake.hold = false;
	ck_assert_int_eq(path->ops->submit(path, make(16, CMD_READ, 16, 1)), -EAGAIN);
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x28), (unsigned)_i);
	ck_assert_uint_eq(core.ndone, 0);
	fake_sg_release();
	run_until_done(loop, 16);
	for (i = 0; i < 16; i++)
		ck_assert_mem_eq(cmds[i].iov[0].iov_base, fake.disk + i * 512, 512);
}
END_TEST

/* --- the READ --- */

static const struct {
	uint32_t want_bytes, xfer_bytes, xfer_blocks, block_bytes, blocks;
	uint64_t nblocks; /* 0: of the whole disk */
} sizes[] = {
	{1, 0, 0, 512, 1, 0},
	{512, 0, 0, 512, 1, 0},
	{513, 0, 0, 512, 2, 0},
	{1, 0, 0, 4096, 1, 0},
	{65536, 0, 0, 4096, 16, 0},
	{CHECK_READ_BYTES_MAX, 0, 0, 512, 2048, 0},
	{UINT32_MAX, 0, 0, 512, 2048, 0}, /* as much as the path may ask for */
	{65536, 0, 16, 512, 16, 0},	  /* VPD page B0h */
	{CHECK_READ_BYTES_MAX, 128 * KIB, 0, 512, 256, 0},
	{65536, 0, 0, 512, 5, 5},
};

START_TEST(the_read_is_as_long_as_asked)
{
	const struct fake_log *last;

	conf.check_read_bytes = sizes[_i].want_bytes;
	conf.max_xfer_bytes = sizes[_i].xfer_bytes;
	fake.max_xfer_blocks = sizes[_i].xfer_blocks;
	fake.block_bytes = sizes[_i].block_bytes;
	fake.nblocks = sizes[_i].nblocks ? sizes[_i].nblocks : FAKE_DISK_BYTES / fake.block_bytes;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), FULL_ROW " 28");
	last = &fake.log[fake.nlog - 1];
	ck_assert_uint_eq(last->dxfer_len, sizes[_i].blocks * fake.block_bytes);
	ck_assert_uint_eq(last->cdb[8] + 256u * last->cdb[7], sizes[_i].blocks);
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 28");
}
END_TEST

/* TEST UNIT READY is good, and the READ is not. */
static const struct {
	struct fake_inject in;
	enum check_result result;
	const char *why;
} reads[] = {
	{{.times = 1, .host_status = 3}, CHECK_DOWN, "READ: host_status 03 (timeout)"},
	{{.times = 1, .host_status = 1}, CHECK_DOWN, "READ: host_status 01"},
	{{.times = 3, .host_status = 7}, CHECK_OK, NULL}, /* spoiled, and asked again */
	{{.times = 4, .host_status = 7}, CHECK_DOWN, "READ: host_status 07"},
	{{.times = 3, .resid = 256, .execute = true}, CHECK_OK, NULL},
	{{.times = 4, .resid = 256, .execute = true}, CHECK_DOWN, "READ: 256 of 512 bytes came"},
	{{.times = 4, .resid = 512, .execute = true}, CHECK_DOWN, "READ: 0 of 512 bytes came"},
	{{.times = 100, .status = 0x28}, CHECK_OK, NULL}, /* full: it has answered */
	{{.times = 100, .status = 0x18}, CHECK_OK, NULL}, /* reserved by another host */
};

START_TEST(the_read_fails)
{
	struct fake_inject in = reads[_i].in;

	conf.check_read_bytes = 1;
	check(true);
	assert_result(CHECK_OK, NULL);
	in.opcode = 0x28;
	fake_sg_inject(&in);
	check(_i & 1);
	assert_result(reads[_i].result, reads[_i].why);
}
END_TEST

static const struct {
	uint8_t key, asc, ascq;
	enum check_result result;
	const char *why;
} read_senses[] = {
	{3, 0x11, 0, CHECK_MARGINAL, "READ of 512 bytes: sense 3/11/00"},
	{4, 0x03, 0, CHECK_MARGINAL, "READ of 512 bytes: sense 4/03/00"},
	{5, 0x20, 0, CHECK_MARGINAL, "READ of 512 bytes: sense 5/20/00"},
	{2, 0x3a, 0, CHECK_DOWN, "READ: sense 2/3a/00"},
	{2, 0x08, 0, CHECK_DOWN, "READ: sense 2/08/00"}, /* what dm-error comes to, by LIO */
	{0xb, 0x4b, 3, CHECK_DOWN, "READ: sense b/4b/03"},
};

/* What the LU says of its blocks is no failure of the path, and over with the next good one. */
START_TEST(the_read_is_answered_badly)
{
	unsigned full;

	conf.check_read_bytes = 1;
	check(true);
	for (full = 0; full < 2; full++) {
		fake_sg_sense(0x28, -1, 0, 4, read_senses[_i].key, read_senses[_i].asc,
			      read_senses[_i].ascq);
		check(full);
		assert_result(read_senses[_i].result, read_senses[_i].why);
		check(full);
		while (core.result != CHECK_OK) /* the rest of the four */
			check(full);
	}
}
END_TEST

/* A unit attention that the READ meets is not lost: all is asked again. */
START_TEST(the_read_meets_a_unit_attention)
{
	conf.check_read_bytes = 1;
	check(true);
	fake_sg_sense(0x28, -1, 0, 1, 6, 0x29, 0);
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 28 " FULL_ROW " 28");
	ck_assert_uint_eq(core.news, VF_CACHE | VF_IDENTITY);
}
END_TEST

/* A group that does not serve is not read; one that only says so is, until the READ tells. */
START_TEST(nothing_is_read_in_standby)
{
	conf.check_read_bytes = 1;
	fake.tpgs = 1;
	fake.alua_state = 2;
	fake.standby_tells = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x28), 0);
	ck_assert_int_eq(core.info.access, ACCESS_STANDBY);
	fake.tur_always = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x28), 1);
	ck_assert_int_eq(core.info.access, ACCESS_STANDBY);
	check(true);
	ck_assert_uint_eq(fake_sg_count(0x28), 0); /* not believed again */
	fake.alua_state = 1;
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x28), 1);
	ck_assert_int_eq(core.info.access, ACCESS_NONOPTIMIZED);
}
END_TEST

/* What a group in standby has kept back is asked for again if it serves at the end of the check: core
 * would send data. */
static const struct {
	int opcode;
	unsigned times;
} withheld[] = { { 0x9e, 1 }, { 0x1a, 1 }, { 0x9e, 2 } };

/* A path that has told nothing yet, of a LUN whose size is known. */
static void second_path(void)
{
	fake.tpgs = 1;
	open_good();
	path2 = open_as("/dev/sg5");
	use(path2);
}

static void withhold(int opcode, unsigned times)
{
	fake_sg_sense(opcode, -1, 0, times, 2, 0x04, 0x0b);
	if (opcode == 0x9e)
		fake_sg_sense(0x25, -1, 0, times, 2, 0x04, 0x0b);
}

START_TEST(the_group_comes_up_during_the_check)
{
	struct cmd *c = make(0, CMD_READ, 0, 1);

	second_path();
	withhold(withheld[_i].opcode, withheld[_i].times);
	run_check(loop, path2, true);
	assert_result(CHECK_OK, NULL);
	ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
	ck_assert(core.info.caps & PATH_CAP_FUA);
	ck_assert_int_eq(path2->ops->submit(path2, c), 0);
	path2->ops->flush(path2);
	run_until_done(loop, 1);
	ck_assert_int_eq(c->outcome.verdict, V_OK);
}
END_TEST

START_TEST(the_group_only_says_that_it_serves)
{
	second_path();
	withhold(0x9e, 100);
	run_check(loop, path2, true);
	assert_result(CHECK_DOWN, "its port group says that it serves, and withholds");
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sg_check");
	TCase *t = tcase_create("steps");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, a_good_disk);
	tcase_add_test(t, the_cheap_check_is_one_command);
	tcase_add_test(t, never_less_than_a_full_check_first);
	tcase_add_test(t, the_kernels_fast_view_of_depth_is_followed);
	tcase_add_loop_test(t, transport_errors_end_it, 0, ARRAY_SIZE(places));
	tcase_add_loop_test(t, refusals, 0, ARRAY_SIZE(places));
	tcase_add_loop_test(t, unit_attentions_start_it_over, 0,
			    ARRAY_SIZE(places) + 1);
	tcase_add_loop_test(t, unit_attentions_without_end, 0, ARRAY_SIZE(places));
	tcase_add_test(t, eight_unit_attentions_are_taken);
	tcase_add_test(t, news_are_told_whatever_becomes_of_the_check);
	tcase_add_test(t, a_unit_attention_makes_a_cheap_check_full);
	tcase_add_test(t, aborted_and_busy_are_asked_again);
	tcase_add_loop_test(t, spoiled_ones_are_asked_again, 0, ARRAY_SIZE(spoiled));
	tcase_add_test(t, a_reservation_of_another_host_is_no_failure);
	tcase_add_loop_test(t, not_ready_is_down, 0, ARRAY_SIZE(not_ready));
	suite_add_tcase(s, t);
	t = tcase_create("kernel");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, no_room_is_waited_for, 0, 2);
	tcase_add_test(t, removed_in_the_middle);
	tcase_add_test(t, removed_before_a_step);
	tcase_add_test(t, close_in_the_middle);
	tcase_add_loop_test(t, a_check_runs_beside_data, 0, 2);
	suite_add_tcase(s, t);
	t = tcase_create("read");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_loop_test(t, the_read_is_as_long_as_asked, 0, ARRAY_SIZE(sizes));
	tcase_add_loop_test(t, the_read_fails, 0, ARRAY_SIZE(reads));
	tcase_add_loop_test(t, the_read_is_answered_badly, 0, ARRAY_SIZE(read_senses));
	tcase_add_test(t, the_read_meets_a_unit_attention);
	tcase_add_test(t, nothing_is_read_in_standby);
	tcase_add_loop_test(t, the_group_comes_up_during_the_check, 0, ARRAY_SIZE(withheld));
	tcase_add_test(t, the_group_only_says_that_it_serves);
	suite_add_tcase(s, t);
	return unit_main(s);
}
