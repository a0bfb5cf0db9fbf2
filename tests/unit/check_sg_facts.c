/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_sg_facts.c - what the check of an sg path makes of the answers: nothing
 * but the configured LUN gets through; types, sizes, caches and access states are
 * what the device says, and what it does not say is not made up.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>

#include "check_sg_env.h"

/* --- identity --- */

START_TEST(another_lun_is_told_apart)
{
	conf.wwid = "3600000000000000000000000000000b2";
	check(true);
	assert_result(CHECK_IDENTITY, "it is LUN " FAKE_WWID ", not the configured "
				      "3600000000000000000000000000000b2");
	/* Nothing was asked that belongs to its blocks. */
	ck_assert_str_eq(asked(), "00 12 12/00 12/83 12/80");
	ck_assert(!identity.known);
}
END_TEST

START_TEST(any_printed_form_will_do)
{
	static const char *const forms[] = {"naa.600000000000000000000000000000a1",
					    "600000000000000000000000000000A1",
					    "0x600000000000000000000000000000a1"};

	conf.wwid = forms[_i];
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(core.info.ident, FAKE_WWID);
}
END_TEST

/* integrity H17: the device behind the name has changed. */
START_TEST(a_swapped_lun_is_found)
{
	check(true);
	assert_result(CHECK_OK, NULL);
	fake.naa[15] = 0xa2;
	check(true);
	assert_result(CHECK_IDENTITY, "it is LUN 3600000000000000000000000000000a2");
}
END_TEST

START_TEST(all_paths_show_the_same_designators)
{
	check(true);
	assert_result(CHECK_OK, NULL);
	path2 = open_as("/dev/sg5");
	use(path2);
	run_check(loop, path2, true);
	assert_result(CHECK_OK, NULL);
	/* Same WWID, another serial number: a clone. */
	fake.serial = "SER2";
	run_check(loop, path2, true);
	assert_result(CHECK_IDENTITY, "than /dev/sg4");
	use(path);
}
END_TEST

START_TEST(page_80_only_where_it_is_allowed)
{
	fake.page83 = false;
	conf.wwid = "SACME_Disk_SER1";
	conf.allow_vpd80 = _i;
	check(true);
	if (_i) {
		assert_result(CHECK_OK, NULL);
		ck_assert_str_eq(core.info.ident, "SACME_Disk_SER1");
	} else {
		assert_result(CHECK_IDENTITY, "no identity");
	}
}
END_TEST

START_TEST(no_vpd_at_all)
{
	fake.vpd = false;
	conf.allow_vpd80 = true;
	check(true);
	assert_result(CHECK_IDENTITY, "no serial number in page 80h");
	ck_assert_str_eq(asked(), "00 12 12/00 12/83 12/80");
}
END_TEST

START_TEST(optional_pages_may_be_missing)
{
	fake.pageb0 = fake.pageb1 = fake.pageb2 = fake.lbpme = false;
	fake.serial = NULL;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 12 12/00 12/83 9e 1a 00");
	ck_assert_uint_eq(core.info.caps, PATH_CAP_FUA);
}
END_TEST

/* --- device types --- */

static const struct {
	uint8_t type;
	const char *says; /* NULL: served */
} types[] = {
	{0x00, NULL},	     {0x01, "a tape"},		 {0x05, NULL},
	{0x07, NULL},	     {0x08, "a medium changer"}, {0x0d, "an enclosure"},
	{0x0e, NULL},	     {0x14, "a zoned disk"},	 {0x1f, "of unknown type"},
	{0x7f, "no device"}, {0x20, "no device"},
};

START_TEST(device_types)
{
	fake.type = types[_i].type;
	check(true);
	if (types[_i].says)
		assert_result(CHECK_DOWN, types[_i].says);
	else
		assert_result(CHECK_OK, NULL);
}
END_TEST

START_TEST(a_cdrom_is_read_only)
{
	fake.type = 5;
	fake.block_bytes = 2048;
	fake.nblocks = FAKE_DISK_BYTES / 2048;
	fake.mode6 = false;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 12 12/00 12/83 12/80 12/b0 12/b1 12/b2 25 00");
	ck_assert(core.info.read_only && !core.info.write_cache);
	ck_assert_uint_eq(core.info.block_bytes, 2048);
	ck_assert_uint_eq(core.info.max_blocks, MIB / 2048);
	ck_assert_uint_eq(core.info.caps, PATH_CAP_FUA);
}
END_TEST

START_TEST(an_rbc_disk_has_its_own_cache_page)
{
	fake.type = 0x0e;
	fake.wce = _i;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake.log[fake.nlog - 2].cdb[2], 6);
	ck_assert(core.info.write_cache == (bool)_i);
}
END_TEST

START_TEST(write_protection)
{
	fake.wp = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert(core.info.read_only);
	ck_assert_uint_eq(core.info.caps & (PATH_CAP_DISCARD | PATH_CAP_WRITE_ZEROES),
			  0);
}
END_TEST

START_TEST(rotation)
{
	static const struct {
		uint16_t rpm;
		bool rotational;
	} rows[] = {{0, false}, {1, false}, {7200, true}};

	fake.rpm = rows[_i].rpm;
	check(true);
	ck_assert(core.info.rotational == rows[_i].rotational);
}
END_TEST

/* --- capacity --- */

static const struct {
	uint32_t block_bytes;
	bool served;
} sizes[] = {
	{512, true},  {1024, true}, {4096, true},    {65536, true},
	{520, false}, {256, false}, {131072, false}, {2352, false},
};

START_TEST(block_sizes)
{
	fake.block_bytes = sizes[_i].block_bytes;
	check(true);
	if (sizes[_i].served) {
		assert_result(CHECK_OK, NULL);
		ck_assert_uint_eq(core.info.block_bytes, sizes[_i].block_bytes);
	} else {
		assert_result(CHECK_DOWN, "are not served");
	}
}
END_TEST

START_TEST(capacity_commands)
{
	/* Too old to be asked for 16 bytes; then so large that there is no other way.
	 */
	fake.version = 4;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x25), 1);
	ck_assert_uint_eq(fake_sg_count(0x9e), 0);
	fake.nblocks = 1ull << 33;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(core.info.nblocks, 1ull << 33);
	ck_assert_uint_eq(fake_sg_count(0x25), 1);
	ck_assert_uint_eq(fake_sg_count(0x9e), 1);
	/* Large, and cannot say how large. */
	fake.cap16 = false;
	check(true);
	assert_result(CHECK_DOWN, "READ CAPACITY(16): sense 5/20/00");
	fake.version = 7;
	fake.nblocks = 1000;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(core.info.nblocks, 1000);
}
END_TEST

START_TEST(type_2_protection_is_refused)
{
	fake.prot_type = 2;
	check(true);
	assert_result(CHECK_DOWN, "type 2 protection");
	fake.prot_type = 1;
	check(true);
	assert_result(CHECK_OK, NULL);
}
END_TEST

START_TEST(limits_of_the_device)
{
	fake.max_xfer_blocks = 100;
	fake.max_unmap_blocks = 0xffffffff;
	fake.max_write_same = 1ull << 40;
	check(true);
	ck_assert_uint_eq(core.info.max_blocks, 100);
	ck_assert_uint_eq(core.info.max_discard_blocks, 0xffffffff);
	ck_assert_uint_eq(core.info.max_zero_blocks, 128 * MIB / 512);
	conf.max_xfer_bytes = 0;
}
END_TEST

/* --- caching page --- */

START_TEST(mode_sense_forms)
{
	fake.wce = false;
	fake.mode6 = false;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert(!core.info.write_cache);
	ck_assert_uint_eq(fake_sg_count(0x5a), 1);
	/* No caching page: a cache may be on; the header still tells of write
	 * protection. */
	fake.mode6 = true;
	fake.mode_page = false;
	fake.wp = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert(core.info.write_cache && core.info.read_only);
	ck_assert_uint_eq(fake_sg_count(0x1a), 2);
	/* Nothing at all. */
	fake.mode6 = fake.mode10 = fake.wp = false;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert(core.info.write_cache && !core.info.read_only);
	ck_assert(!(core.info.caps & PATH_CAP_FUA));
}
END_TEST

/* --- access states --- */

static const struct {
	uint8_t state;
	enum access_state access;
	unsigned prio;
} states[] = {
	{0x00, ACCESS_ACTIVE, 50},	 {0x01, ACCESS_NONOPTIMIZED, 10},
	{0x81, ACCESS_NONOPTIMIZED, 90}, {0x02, ACCESS_STANDBY, 1},
	{0x03, ACCESS_UNAVAILABLE, 0},	 {0x0f, ACCESS_TRANSITIONING, 0},
	{0x04, ACCESS_NONOPTIMIZED, 5},	 {0x84, ACCESS_NONOPTIMIZED, 85}, /* LBA dependent */
	{0x0e, ACCESS_UNAVAILABLE, 0},	 /* offline */
};

START_TEST(access_states)
{
	fake.tpgs = 3;
	fake.alua_state = states[_i].state;
	fake.standby_tells = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_int_eq(core.info.access, states[_i].access);
	ck_assert_uint_eq(core.info.prio, states[_i].prio);
	ck_assert_int_eq(core.info.tpg, 7);
	ck_assert_uint_eq(core.info.nblocks, FAKE_DISK_BYTES / 512);
	/* The cheap check sees a change. */
	fake.alua_state = 0;
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_str_eq(asked(), "00 a3");
	ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
	ck_assert_int_eq(core.info.tpg, 7);
}
END_TEST

/* How long a transition may take; a target that knows the plain header only is asked
 * once for more. */
START_TEST(transition_time)
{
	fake.tpgs = 1;
	fake.transition_sec = 17;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(core.info.transition_ns, 17 * NS_PER_SEC);
	ck_assert(!core.info.explicit_alua);
	check(false);
	ck_assert_str_eq(asked(), "00 a3");
}
END_TEST

START_TEST(plain_rtpg)
{
	fake.tpgs = 1;
	fake.transition_sec = 17;
	fake.rtpg_plain_only = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_ptr_nonnull(strstr(asked(), "a3 a3"));
	ck_assert_uint_eq(core.info.transition_ns, 0);
	ck_assert_uint_eq(core.info.prio, 50);
	check(false);
	ck_assert_str_eq(asked(), "00 a3");
}
END_TEST

/* Once, after its identity, and only of a target that changes by request alone. */
START_TEST(activation)
{
	for (uint8_t tpgs = 0; tpgs < 4; tpgs++) {
		fake.tpgs = tpgs;
		fake.alua_state = tpgs ? 2 : 0;
		fake.standby_tells = true;
		fake.stpgs = 0;
		check(true);
		assert_result(CHECK_OK, NULL);
		ck_assert(core.info.explicit_alua == (tpgs == 2));
		path->ops->activate(path);
		check(false);
		ck_assert_uint_eq(fake.stpgs, 0);
		check(true);
		assert_result(CHECK_OK, NULL);
		ck_assert_uint_eq(fake.stpgs, tpgs == 2);
		if (tpgs != 2)
			continue;
		ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
		check(true);
		ck_assert_uint_eq(fake.stpgs, 1);
	}
}
END_TEST

/* Another LUN is not asked for anything. */
START_TEST(no_activation_of_a_stranger)
{
	fake.tpgs = 2;
	fake.alua_state = 2;
	fake.standby_tells = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	path->ops->activate(path);
	fake.naa[15] ^= 1;
	check(true);
	ck_assert_int_eq(core.result, CHECK_IDENTITY);
	ck_assert_uint_eq(fake.stpgs, 0);
}
END_TEST

/* RTPG says standby, TEST UNIT READY is GOOD: one of them is wrong, and READ tells
 * which. */
START_TEST(test_unit_ready_against_rtpg)
{
	static uint8_t data[512];
	struct cmd c = {.op = CMD_READ, .nblocks = 1, .niov = 1};

	fake.tpgs = 1;
	fake.alua_state = 2;
	fake.tur_always = fake.standby_tells = true;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_int_eq(core.info.access, ACCESS_NONOPTIMIZED);
	ck_assert_uint_eq(core.info.prio, 1);
	check(false);
	ck_assert_int_eq(core.info.access, ACCESS_NONOPTIMIZED);
	c.path = path;
	c.iov[0].iov_base = data;
	c.iov[0].iov_len = sizeof(data);
	path->ops->submit(path, &c);
	path->ops->flush(path);
	run_until_done(loop, 1);
	ck_assert_int_eq(c.outcome.verdict, V_GROUP);
	check(true);
	ck_assert_int_eq(core.info.access, ACCESS_STANDBY);
	fake.alua_state = 0;
	check(false);
	ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
}
END_TEST

/* A target without RTPG in that state: the sense of TEST UNIT READY says enough. */
START_TEST(access_state_from_sense)
{
	check(true);
	fake_sg_sense(0x00, -1, 0, 1, 2, 4, 0x0b);
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_int_eq(core.info.access, ACCESS_STANDBY);
	check(false);
	ck_assert_int_eq(core.info.access, ACCESS_ACTIVE);
}
END_TEST

/* An unavailable port does not even tell the capacity: that of the LUN is known from
 * others. */
START_TEST(unavailable_paths_take_the_size_of_the_lun)
{
	fake.tpgs = 1;
	fake.alua_state = 3;
	check(true);
	assert_result(CHECK_DOWN, "does not tell its size");
	fake.alua_state = 0;
	path2 = open_as("/dev/sg5");
	use(path2);
	run_check(loop, path2, true);
	assert_result(CHECK_OK, NULL);
	use(path);
	fake.alua_state = 3;
	check(true);
	assert_result(CHECK_OK, NULL);
	ck_assert_int_eq(core.info.access, ACCESS_UNAVAILABLE);
	ck_assert_uint_eq(core.info.nblocks, FAKE_DISK_BYTES / 512);
	/* Before it carries data, all of it is read. */
	fake.alua_state = 0;
	check(false);
	assert_result(CHECK_OK, NULL);
	ck_assert_uint_eq(fake_sg_count(0x9e), 1);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("sg_facts");
	TCase *t = tcase_create("answers");
	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, another_lun_is_told_apart);
	tcase_add_loop_test(t, any_printed_form_will_do, 0, 3);
	tcase_add_test(t, a_swapped_lun_is_found);
	tcase_add_test(t, all_paths_show_the_same_designators);
	tcase_add_loop_test(t, page_80_only_where_it_is_allowed, 0, 2);
	tcase_add_test(t, no_vpd_at_all);
	tcase_add_test(t, optional_pages_may_be_missing);
	tcase_add_loop_test(t, device_types, 0, ARRAY_SIZE(types));
	tcase_add_test(t, a_cdrom_is_read_only);
	tcase_add_loop_test(t, an_rbc_disk_has_its_own_cache_page, 0, 2);
	tcase_add_test(t, write_protection);
	tcase_add_loop_test(t, rotation, 0, 3);
	tcase_add_loop_test(t, block_sizes, 0, ARRAY_SIZE(sizes));
	tcase_add_test(t, capacity_commands);
	tcase_add_test(t, type_2_protection_is_refused);
	tcase_add_test(t, limits_of_the_device);
	tcase_add_test(t, mode_sense_forms);
	tcase_add_test(t, transition_time);
	tcase_add_test(t, plain_rtpg);
	tcase_add_test(t, activation);
	tcase_add_test(t, no_activation_of_a_stranger);
	tcase_add_loop_test(t, access_states, 0, ARRAY_SIZE(states));
	tcase_add_test(t, test_unit_ready_against_rtpg);
	tcase_add_test(t, access_state_from_sense);
	tcase_add_test(t, unavailable_paths_take_the_size_of_the_lun);
	suite_add_tcase(s, t);
	return unit_main(s);
}
