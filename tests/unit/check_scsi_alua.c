/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_scsi_alua.c - target port group reports of both header formats; groups and
 * ports that do not fit, or did not come, are left out and said so.
 */
#include "scsi/alua.h"

#include "base/units.h"
#include "scsi_test.h"

static uint8_t buf[8192];
static struct alua_report report;

START_TEST(test_extended)
{
	size_t len = hex_load("rtpg_ext.hex", buf, sizeof(buf));
	const struct alua_group *g;

	ck_assert_uint_eq(alua_full_bytes(buf, len), len);
	ck_assert(alua_parse(buf, len, &report));
	ck_assert(report.ngroups == 2 && report.nports == 3 && !report.truncated);
	ck_assert_uint_eq(report.transition_sec, 30);
	g = alua_find(&report, 0x1000);
	ck_assert_ptr_nonnull(g);
	ck_assert(g->pref && g->state == ALUA_OPTIMIZED && g->nports == 2);
	ck_assert(g->supported & ALUA_SUP_TRANSITIONING && g->status_code == 2);
	ck_assert_int_eq(alua_priority(g), 130);
	g = alua_find_port(&report, 3);
	ck_assert_ptr_nonnull(g);
	ck_assert(g->id == 0x1001 && !g->pref && g->state == ALUA_NON_OPTIMIZED);
	ck_assert_int_eq(alua_priority(g), 10);
	ck_assert_ptr_eq(alua_find_port(&report, 2), alua_find(&report, 0x1000));
	ck_assert_ptr_null(alua_find(&report, 7));
	ck_assert_ptr_null(alua_find_port(&report, 7));
}
END_TEST

START_TEST(test_plain)
{
	static const uint8_t plain[] = {0, 0, 0, 12, 0x02, 0x8f, 0, 1,
					0, 0, 0, 1,  0,	   0,	 0, 9};

	ck_assert(alua_parse(plain, sizeof(plain), &report));
	ck_assert(report.ngroups == 1 && !report.truncated &&
		  report.transition_sec == 0);
	ck_assert(report.group[0].state == ALUA_STANDBY && report.group[0].id == 1);
	ck_assert_uint_eq(report.port[0], 9);
	ck_assert_int_eq(alua_priority(&report.group[0]), 1);
}
END_TEST

START_TEST(test_cut)
{
	size_t len = hex_load("rtpg_ext.hex", buf, sizeof(buf));

	ck_assert(!alua_parse(buf, 3, &report));
	ck_assert(alua_parse(buf, 4, &report));
	ck_assert(report.ngroups == 0 && report.truncated);
	ck_assert(alua_parse(buf, len - 1, &report));
	ck_assert_msg(report.ngroups == 2 && report.nports == 2 && report.truncated,
		      "the group stays, its cut port does not");
	ck_assert(alua_parse(buf, len - 5, &report));
	ck_assert(report.ngroups == 1 && report.truncated);
	/* The count of ports lies. */
	buf[15] = 200;
	ck_assert(alua_parse(buf, len, &report));
	ck_assert(report.ngroups == 1 && report.nports == 5 && report.truncated);
	/* The length leaves all out. */
	buf[3] = 0;
	ck_assert(alua_parse(buf, len, &report));
	ck_assert(report.ngroups == 0 && !report.truncated);
	memset(buf, 0xff, 4);
	ck_assert_uint_eq(alua_full_bytes(buf, len), 0x100000003ull);
	ck_assert(alua_parse(buf, len, &report) && report.truncated);
}
END_TEST

START_TEST(test_many)
{
	unsigned i, n = GROUPS_MAX + 1;
	size_t len = 4 + 8 * (size_t)n;

	memset(buf, 0, sizeof(buf));
	buf[2] = (uint8_t)((len - 4) >> 8);
	buf[3] = (uint8_t)(len - 4);
	for (i = 0; i < n; i++)
		buf[4 + 8 * i + 3] = (uint8_t)i;
	ck_assert(alua_parse(buf, len, &report));
	ck_assert(report.ngroups == GROUPS_MAX && report.truncated);
	/* Two groups with more ports than there is room for. */
	len = 4 + 2 * (8 + 4 * 255);
	memset(buf, 0, sizeof(buf));
	buf[2] = (uint8_t)((len - 4) >> 8);
	buf[3] = (uint8_t)(len - 4);
	buf[4 + 7] = buf[4 + 8 + 4 * 255 + 7] = 255;
	buf[4 + 8 + 4 * 255 + 3] = 1;
	ck_assert(alua_parse(buf, len, &report));
	ck_assert(report.ngroups == 2 && report.truncated);
	ck_assert_uint_eq(report.nports, ALUA_PORTS_MAX);
	ck_assert_uint_eq(report.group[1].nports, ALUA_PORTS_MAX - 255);
}
END_TEST

START_TEST(test_states)
{
	struct alua_group g = {0};
	static const int want[16] = {50, 10, 1, 0, 5};
	unsigned i;

	for (i = 0; i < 16; i++) {
		g.state = (uint8_t)i;
		g.pref = false;
		ck_assert_int_eq(alua_priority(&g), want[i]);
		g.pref = true;
		ck_assert_int_eq(alua_priority(&g), want[i] ? want[i] + 80 : 0);
		ck_assert_ptr_nonnull(alua_state_name(i));
	}
	ck_assert_str_eq(alua_state_name(ALUA_TRANSITIONING), "transitioning");
	ck_assert_str_eq(alua_state_name(9), "reserved");
}
END_TEST

static void feed(const uint8_t *p, size_t len)
{
	unsigned i;

	if (!alua_parse(p, len, &report)) {
		ck_assert_uint_lt(len, 4);
		return;
	}
	ck_assert_uint_le(report.ngroups, GROUPS_MAX);
	ck_assert_uint_le(report.nports, ALUA_PORTS_MAX);
	for (i = 0; i < report.ngroups; i++)
		ck_assert_uint_le(report.group[i].first_port + report.group[i].nports,
				  report.nports);
	alua_find_port(&report, 0xffff);
}

/* Noise with a length that covers it. */
static void feed_long(const uint8_t *p, size_t len)
{
	uint8_t *copy = exact_copy(p, len);

	if (len >= 4) {
		copy[0] = copy[1] = 0;
	}
	feed(copy, len);
	free(copy);
}

START_TEST(test_robust)
{
	torment(buf, hex_load("rtpg_ext.hex", buf, sizeof(buf)), 2000, feed);
	noise(2000, 500, feed_long);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("scsi_alua");
	TCase *tc = tcase_create("alua");

	tcase_add_test(tc, test_extended);
	tcase_add_test(tc, test_plain);
	tcase_add_test(tc, test_cut);
	tcase_add_test(tc, test_many);
	tcase_add_test(tc, test_states);
	tcase_add_test(tc, test_robust);
	suite_add_tcase(s, tc);
	return run_suite(s);
}
