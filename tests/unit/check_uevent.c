/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_uevent.c - which events make us look for paths, which make us check one,
 * which are none of our business; and that a monitor starts and stops.
 */
#include <config.h>

#include "base/units.h"
#include "loop/loop.h"
#include "path/uevent.h"
#include "unit.h"

#include <stdio.h>

static const struct {
	struct uevent ev;
	unsigned means;
} rows[] = {
	{ { "scsi_generic", "", "add", "sg3", "21:3" }, UEVENT_SCAN },
	{ { "scsi_generic", "", "remove", "sg3", "21:3" }, UEVENT_SCAN },
	{ { "scsi_generic", "", "change", "sg3", "21:3" }, UEVENT_SCAN },
	{ { "block", "disk", "change", "loop4", "7:4" }, UEVENT_SCAN },
	{ { "block", "disk", "change", "loop4", "7:4", .resize = true }, UEVENT_SCAN | UEVENT_CHECK },
	{ { "block", "disk", "remove", "dm-3", "253:3" }, UEVENT_SCAN },
	{ { "block", "disk", "add", "sdb", "8:16" }, UEVENT_SCAN },
	{ { "block", "partition", "add", "sdb1", "8:17" }, 0 },
	{ { "block", "disk", "change", "nbd0", "43:0", .resize = true }, 0 },
	{ { "block", "disk", "add", "ram0", "1:0" }, 0 },
	{ { "block", "disk", "add", "zram0", "254:0" }, 0 },
	{ { "scsi", "scsi_device", "change", "2:0:0:1", "", "CAPACITY_DATA_HAS_CHANGED" }, UEVENT_CHECK },
	{ { "scsi", "scsi_device", "change", "2:0:0:1", "", "ASYMMETRIC_ACCESS_STATE_CHANGED" },
	  UEVENT_CHECK },
	{ { "scsi", "scsi_device", "change", "2:0:0:1", "", "INQUIRY_DATA_HAS_CHANGED" }, UEVENT_CHECK },
	{ { "scsi", "scsi_device", "change", "2:0:0:1", "", "REPORTED_LUNS_DATA_HAS_CHANGED" },
	  UEVENT_CHECK },
	{ { "scsi", "scsi_device", "change", "2:0:0:1", "", "MODE_PARAMETERS_CHANGED" }, 0 },
	{ { "scsi", "scsi_device", "add", "2:0:0:1" }, 0 },
	{ { "net", "", "add", "eth0" }, 0 },
	/* Some have been lost. */
	{ { "" }, UEVENT_SCAN },
};

START_TEST(meanings)
{
	ck_assert_msg(uevent_means(&rows[_i].ev) == rows[_i].means, "%s %s %s: %u",
		      rows[_i].ev.subsystem, rows[_i].ev.sysname, rows[_i].ev.sdev_ua,
		      uevent_means(&rows[_i].ev));
}
END_TEST

START_TEST(whose_it_is)
{
	struct uevent scsi = { .sysname = "2:0:0:1" }, loop4 = { .sysname = "loop4", .dev = "7:4" };
	struct uevent lost = { "" };

	ck_assert(uevent_is_about(&scsi, "2:0:0:1"));
	ck_assert(!uevent_is_about(&scsi, "2:0:0:10") && !uevent_is_about(&scsi, "7:4"));
	ck_assert(uevent_is_about(&loop4, "7:4") && !uevent_is_about(&loop4, "7:40"));
	ck_assert(!uevent_is_about(&scsi, "") && !uevent_is_about(&lost, ""));
}
END_TEST

static void nothing(struct uevent_monitor *m, const struct uevent *ev)
{
}

/* A network namespace may have none; then that is what it says. */
START_TEST(start_and_stop)
{
	struct loop *l = loop_ev_new();
	struct uevent_monitor m = { .fn = nothing };

	uevent_stop(&m);
	for (int i = 0; i < 3; i++) {
		if (uevent_start(l, &m) < 0)
			ck_assert_ptr_null(m.priv);
		uevent_stop(&m);
		ck_assert_ptr_null(m.priv);
	}
	loop_free(l);
}
END_TEST

int main(void)
{
	Suite *s = suite_create("uevent");
	TCase *t = tcase_create("uevent");

	tcase_add_loop_test(t, meanings, 0, ARRAY_SIZE(rows));
	tcase_add_test(t, whose_it_is);
	tcase_add_test(t, start_and_stop);
	suite_add_tcase(s, t);
	return unit_main(s);
}
