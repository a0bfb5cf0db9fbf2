/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_json.c - doc/json.md and what lunmuxctl --json prints are the same:
 * every member is documented with its type, and every documented one is there.
 */
#include "config.h"

#include "check_ctl_prog.h"
#include "check_json_doc.h"

static const char *const runs[] = {
	"list", "status", "paths", "stats", "ping", "events", "trace", "wait", "flush", "resize",
	"set depth 5", "reload", "upgrade", "switch-group 0", "queueing on", "queueing default", "drain-path sg4",
	"add-path sg20", "del-path sg20", "inject sg3 delay 5", "inject sg3 off", "attach",
	"detach", "reinstate-path sg4", "fail-path sg3", "fail-path sg4", "fail now",
};

START_TEST(test_document)
{
	char section[32] = "";

	read_doc();
	start(2);
	write_conf("max_requests 99\nno_path_retry 3\n");
	for (size_t i = 0; i < ARRAY_SIZE(runs); i++) {
		json_t *j, *list, *v;
		size_t k;

		if (!strcmp(runs[i], "trace"))
			ck_assert_int_eq(ctl("$CTL flush"), 0);
		ctl("$CTL --json %s", runs[i]);
		sscanf(runs[i], "%31s", section);
		j = out_json();
		list = json_object_get(j, "luns");
		ck_assert_msg(json_array_size(list) == 1, "%s: %s", runs[i], out);
		json_array_foreach(list, k, v) check_value(section, "", v);
		json_decref(j);
	}
	/* The other way round. */
	for (size_t i = 0; i < nrows; i++)
		ck_assert_msg(rows[i].seen || strstr(rows[i].type, "optional") ||
				      !strcmp(rows[i].section, "accept-path") ||
				      !strcmp(rows[i].section, "scan"), /* check_scan.c */
			      "doc/json.md: %s: %s is nowhere in the output", rows[i].section,
			      rows[i].member);
	lun_reinstate_path(lun, &sps[0]->path);
	run_ms(20);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_json");
	TCase *tc = tcase_create("json");

	if (access("./lunmuxctl", X_OK) < 0) {
		puts("check_ctl_json: skipped: there is no ./lunmuxctl here");
		return 77;
	}
	tcase_set_timeout(tc, 120);
	tcase_add_test(tc, test_document);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
