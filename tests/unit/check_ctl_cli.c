/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * check_ctl_cli.c - the program lunmuxctl against a real control socket: what
 * it prints, its exit status in each case that lunmuxctl(8) lists, and that it
 * always ends.
 *
 * The program is ./lunmuxctl, where "make check" runs.
 */
#include "config.h"

#include "check_ctl_prog.h"

START_TEST(test_healthy)
{
	start(4);
	ck_assert_int_eq(ctl("$CTL list"), 0);
	has(out, "NAME");
	has(out, "db01");
	has(out, "4/4");
	has(out, "1.0G");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has(out, "db01 (3600a0980) lunmux 1.0G 512B blocks  LIO-ORG  disk?\n");
	has(out, "|-+- policy='service-time' prio=50 status=active group=0\n");
	has(out, "`-+- policy='service-time' prio=10 status=enabled group=1\n");
	has(out, "| |- 2:0:0:1 sg3 active active/optimized inflight=0/28 errors=0");
	has(out, "  `- 5:0:0:1 sg6 active");
	has_not(out, "\033");
	ck_assert_int_eq(ctl("$CTL paths db01"), 0);
	has(out, "/dev/sg6");
	ck_assert_int_eq(ctl("$CTL stats db01"), 0);
	has(out, "p99.9");
	has(out, "\n  group prio paths reqs cmds ");
	has(out, "\n  1     10   2/2   0    0    ");
	ck_assert_int_eq(ctl("$CTL ping db01"), 0);
	has(out, "db01: lunmuxd 1.2.3 answers");
	ck_assert_str_eq(errs, "");
	finish();
}
END_TEST

START_TEST(test_change)
{
	start(2);
	ck_assert_int_eq(ctl("$CTL fail-path db01 sg3"), 0);
	ck_assert_str_eq(out, "db01: /dev/sg3 is disabled now\n");
	ck_assert_int_eq(sps[0]->path.state, PATH_DISABLED);
	ck_assert_int_eq(ctl("$CTL status"), 3);
	has(out, "disabled");
	has(out, "(failed by the administrator)");
	ck_assert_int_eq(ctl("$CTL fail-path 3:0:0:1"), 0); /* the only LUN */
	has(errs, "no path is usable");
	ck_assert_int_eq(ctl("$CTL list"), 4);
	ck_assert_int_eq(
		ctl("$CTL reinstate-path /dev/sg3 && $CTL reinstate-path sg4 &&"
		    " $CTL wait --paths 2"),
		0);
	has(out, "2/2 paths usable");
	ck_assert_int_eq(ctl("$CTL set queue_depth 9"), 0);
	ck_assert_str_eq(out, "db01: queue_depth is 9 (was auto)\n");
	ck_assert_int_eq(ctl("$CTL set db01 selector round-robin"), 0);
	ck_assert_int_eq(lun_params(lun)->selector, SEL_ROUND_ROBIN);
	finish();
}
END_TEST

START_TEST(test_reload)
{
	json_t *j, *list;

	start(2);
	ck_assert_int_eq(ctl("$CTL reload"), 0);
	ck_assert_str_eq(out, "db01: reloaded, nothing has changed\n");
	write_conf("path_selector numa\nqueue_depth 9\nno_path_retry fail\nmax_requests 99\n");
	ck_assert_int_eq(ctl("$CTL reload db01"), 0);
	ck_assert_str_eq(out, "db01: path_selector is numa (was service-time)\n"
			      "db01: no_path_retry is fail (was 12)\n"
			      "db01: queue_depth is 9 (was auto)\n"
			      "db01: max_requests needs a restart to be 99 (was 1024)\n");
	ck_assert_int_eq(lun_params(lun)->selector, SEL_NUMA);
	ck_assert_uint_eq(lun_params(lun)->depth, 9);
	ck_assert_uint_eq(lun_params(lun)->max_reqs, 1024);
	/* The restart is still due, and what set has changed goes back. */
	ck_assert_int_eq(ctl("$CTL set depth 5 && $CTL --json reload"), 0);
	j = json_loads(strchr(out, '\n') + 1, 0, NULL);
	list = json_object_get(json_array_get(json_object_get(j, "luns"), 0), "changed");
	ck_assert_uint_eq(json_array_size(list), 1);
	ck_assert_str_eq(str(json_array_get(list, 0), "keyword"), "queue_depth");
	ck_assert_int_eq(num(json_array_get(list, 0), "value"), 9);
	ck_assert_int_eq(num(json_array_get(list, 0), "previous"), 5);
	list = json_object_get(json_array_get(json_object_get(j, "luns"), 0), "restart");
	ck_assert_str_eq(str(json_array_get(list, 0), "keyword"), "max_requests");
	json_decref(j);
	finish();
}
END_TEST

/* A bad file changes nothing and says where and why. */
static const struct {
	const char *conf, *error;
} bad_conf[] = {
	{"path_selector numa\nqueue_deepth 9\n", ":6:1: \"queue_deepth\": unknown keyword"},
	{"queue_depth 0\n", ":5:13: queue_depth \"0\": out of range"},
	{"path_depth 9\nqueue_depth 8\n", ":6:1: queue_depth: less than path_depth"},
	{"}\nmultipath {\nwwid 3600b\nalias db01\n", "given twice"},
};

START_TEST(test_reload_bad)
{
	start(2);
	write_conf(bad_conf[_i].conf);
	ck_assert_int_eq(ctl("$CTL reload"), 78);
	has(errs, bad_conf[_i].error);
	has(errs, "/lunmux.conf:");
	ck_assert_int_eq(lun_params(lun)->selector, SEL_SERVICE_TIME);
	ck_assert_uint_eq(lun_params(lun)->depth, 0);
	ck_assert_int_eq(unlink(conf_path), 0);
	ck_assert_int_eq(ctl("$CTL reload"), 78);
	has(errs, "No such file");
	finish();
}
END_TEST

/* The LUN of a daemon is what it was started for. */
START_TEST(test_reload_other_lun)
{
	start(2);
	write_conf("");
	ck_assert_int_eq(ctl("sed -i 's/wwid.*/wwid 3600b/' %s && $CTL reload", conf_path), 78);
	has(errs, "/lunmux.conf: db01 has another WWID or name now");
	ck_assert_int_eq(ctl("sed -i s/db01/db02/ %s && $CTL reload", conf_path), 78);
	has(errs, "/lunmux.conf: db01 is not listed any more");
	finish();
}
END_TEST

START_TEST(test_events)
{
	json_t *j;

	start(2);
	ck_assert_int_eq(ctl("$CTL fail-path sg3 && $CTL events"), 0);
	has(out, " lun    starting -> up: a path is usable\n");
	has(out, " path   /dev/sg3: active -> disabled: failed by the administrator\n");
	ck_assert_int_eq(ctl("$CTL events db01 -n 1 --json"), 0);
	j = out_json();
	json_decref(j);
	/* What happens from now on; the end of the reader ends it. */
	ck_assert_int_eq(ctl("($CTL events -f; echo \"ended $?\" >&2) | (while read -r l; do case $l in"
			     " *sg3*found*) echo seen; exit;; esac; done) &"
			     " sleep 0.2; $CTL reinstate-path sg3 && wait; $CTL ping"),
			 0);
	has(out, "seen");
	ck_assert_int_eq(ctl("$CTL trace"), 0);
	has(out, "VERDICT");
	ck_assert_int_eq(ctl("$CTL status -n 3"), 2);
	has(errs, "an option of events, trace");
	finish();
}
END_TEST

START_TEST(test_quarantine)
{
	path_other[1] = "it is LUN 3600b, not the configured 3600a0980";
	start(2);
	ck_assert_int_eq(ctl("$CTL status"), 3);
	has(out, "(quarantine: it is LUN 3600b, not");
	ck_assert_int_eq(ctl("$CTL paths"), 3);
	has(out, "quarantine: it is LUN 3600b, not");
	ck_assert_int_eq(ctl("$CTL reinstate-path sg4"), 1);
	has(errs, "/dev/sg4 is in quarantine: it is LUN 3600b");
	path_other[1] = NULL;
	ck_assert_int_eq(ctl("$CTL accept-path db01 sg4 && $CTL wait --paths 2"), 0);
	has(out, "its check decides");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has_not(out, "quarantine");
	finish();
}
END_TEST

START_TEST(test_switch_group)
{
	start(4);
	ck_assert_int_eq(ctl("$CTL switch-group db01 1"), 0);
	ck_assert_str_eq(out, "db01: group 1 (prio=10) carries the I/O now\n");
	has(errs, "failback is immediate");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has(out, "prio=10 status=active group=1 (by hand)\n");
	ck_assert_int_eq(ctl("$CTL switch-group 2:0:0:1"), 0);
	ck_assert_str_eq(out, "db01: group 0 (prio=50) carries the I/O now\n");
	ck_assert_int_eq(ctl("$CTL switch-group 7"), 2);
	has(errs, "there is no group 7");
	finish();
}
END_TEST

START_TEST(test_device)
{
	start(1);
	ck_assert_int_eq(ctl("$CTL attach db01 /dev/nbd9"), 1);
	ck_assert_str_eq(errs, "lunmuxctl: db01: /dev/nbd9: it is in use\n");
	ck_assert_int_eq(ctl("$CTL attach"), 0);
	ck_assert_str_eq(out, "db01: attached as /dev/nbd3\n");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has(out, "export nbd-kernel /dev/nbd3 state=attached\n");
	ck_assert_int_eq(ctl("$CTL attach /dev/nbd3"), 1);
	has(errs, "attached already");
	env_dev.in_use = true;
	ck_assert_int_eq(ctl("$CTL detach"), 1);
	ck_assert_str_eq(errs, "lunmuxctl: db01: /dev/nbd3 is in use: mounted on /srv\n"
			       "  hint: with --force it is detached all the same, and its users get "
			       "errors\n");
	ck_assert_int_eq(ctl("$CTL --json detach --force db01"), 0);
	has(out, "\"state\":\"detached\"");
	/* The kernel does not answer. */
	env_dev.slow = true;
	ck_assert_int_eq(ctl("$CTL --timeout 0.3 attach db01"), 8);
	has(errs, "has not answered yet");
	ck_assert_int_eq(ctl("$CTL attach a b"), 5);
	ck_assert_int_eq(ctl("$CTL attach --force"), 2);
	has(errs, "it is an option of detach");
	finish();
}
END_TEST

START_TEST(test_without_a_path)
{
	start(1);
	ck_assert_int_eq(ctl("$CTL queueing off"), 0);
	ck_assert_str_eq(out, "db01: up, queueing is off\n");
	ck_assert_int_eq(ctl("$CTL queueing db01 off"), 0);
	ck_assert_str_eq(out, "db01: up, queueing is off; nothing was changed\n");
	ck_assert_int_eq(ctl("$CTL status"), 0);
	has(out, "no_path_retry=12 queueing=off\n");
	ck_assert_int_eq(ctl("$CTL queueing db01 default && $CTL status"), 0);
	has(out, "no_path_retry=12\n");
	ck_assert_int_eq(ctl("$CTL fail db01 now"), 1);
	has(errs, "a path is usable");
	ck_assert_int_eq(ctl("$CTL fail db01"), 2); /* of the only LUN: when? */
	has(errs, "not now");
	ck_assert_int_eq(ctl("$CTL fail-path sg3 && $CTL fail now"), 0);
	has(out, "db01: failing, queueing is default\n");
	finish();
}
END_TEST

/* The longest name of a path is shown whole and can be given back. */
START_TEST(test_longest_name)
{
	char name[PATH_NAME_BYTES] = "/srv/";

	memset(name + 5, 'n', sizeof(name) - 6);
	start(2);
	strcpy(sps[0]->path.name, name);
	ck_assert_int_eq(ctl("$CTL paths && $CTL status && $CTL list && $CTL stats"), 0);
	has(out, name);
	ck_assert_int_eq(ctl("$CTL fail-path %s", name), 0);
	has(out, name);
	ck_assert_int_eq(ctl("$CTL fail-path x%s", name), 5);
	finish();
}
END_TEST

START_TEST(test_json)
{
	const json_t *l;
	json_t *j;

	path_down[1] = true;
	start(2);
	ck_assert_int_eq(ctl("$CTL --json status"), 3);
	j = out_json();
	ck_assert_str_eq(str(j, "verb"), "status");
	ck_assert_int_eq(num(j, "exit"), 3);
	ck_assert_uint_eq(json_array_size(json_object_get(j, "errors")), 0);
	l = json_array_get(json_object_get(j, "luns"), 0);
	ck_assert_str_eq(str(l, "health"), "degraded");
	ck_assert_uint_eq(json_array_size(json_object_get(l, "path_list")), 2);
	json_decref(j);
	ck_assert_int_eq(ctl("$CTL fail-path db01 sg99 --json"), 5);
	j = out_json();
	l = json_array_get(json_object_get(j, "errors"), 0);
	ck_assert_str_eq(str(l, "code"), "no-such-path");
	ck_assert_str_eq(str(l, "name"), "db01");
	has(str(l, "hint"), "/dev/sg3");
	json_decref(j);
	finish();
}
END_TEST

/* A crashed daemon's LUN beside a living one, and names that are no LUN. */
START_TEST(test_absent_and_dead)
{
	char dir[128], path[160];

	start(1);
	ck_assert_int_eq(ctl("$CTL status db02"), 5);
	has(errs, "there is no LUN db02");
	has(errs, "did you mean db01?");
	ck_assert_int_eq(ctl("$CTL status ../db01"), 5);
	ck_assert_int_eq(ctl("./lunmuxctl -R /nonexistent/rundir status"), 5);
	ck_assert_int_eq(ctl("./lunmuxctl -R /nonexistent/rundir list"), 0);
	ck_assert_str_eq(out, "");

	snprintf(dir, sizeof(dir), "%s/dead", rundir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ck_assert_int_eq(ctl("$CTL status dead"), 6); /* a directory without a socket */
	snprintf(path, sizeof(path), "%s/ctl.sock", dir);
	leave_stale_socket(path);
	ck_assert_int_eq(ctl("$CTL status dead"), 6);
	has(errs, "lunmuxd is not running for dead");
	ck_assert_int_eq(ctl("$CTL list"), 4);
	has(out, "no-daemon");
	has(out, "db01");
	ck_assert_int_eq(ctl("$CTL fail-path sg3"), 2); /* which of two? */
	has(errs, "which LUN?");
	ck_assert_int_eq(ctl("$CTL wait dead --state down"), 0);
	ck_assert_int_eq(ctl("$CTL wait dead --timeout 0.2"), 6);
	unlink(path);
	rmdir(dir);
	finish();
}
END_TEST

START_TEST(test_wait_timeout)
{
	start(1);
	ck_assert_int_eq(ctl("$CTL wait --paths 2 --timeout 0.1"), 8);
	has(errs, "1 of 1 paths usable after 0.1 s");
	ck_assert_int_eq(ctl("$CTL wait --timeout 0"), 0);
	finish();
}
END_TEST

/* Nobody serves the socket: a daemon that is stopped or stuck in the kernel. */
START_TEST(test_hung_daemon)
{
	struct sockaddr_un a;
	char dir[128];
	uint64_t t0;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	start(1);
	snprintf(dir, sizeof(dir), "%s/hung", rundir);
	ck_assert_int_eq(mkdir(dir, 0755), 0);
	ck_assert_int_eq(ctl_socket_addr(rundir, "hung", &a), 0);
	ck_assert_int_eq(bind(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(listen(fd, 0), 0);
	t0 = loop_clock_ns(loop);
	ck_assert_int_eq(ctl("$CTL ping hung --timeout 0.3"), 8);
	has(errs, "does not answer");
	/* The first fills the backlog; the next cannot even connect. */
	ck_assert_int_eq(ctl("$CTL ping hung --timeout 0.3"), 8);
	ck_assert_int_eq(ctl("$CTL wait hung --timeout 0.1"), 8);
	/* The others' answers are not lost with it. */
	ck_assert_int_eq(ctl("$CTL list --timeout 0.3"), 4);
	has(out, "1/1");
	ck_assert_uint_lt(loop_clock_ns(loop) - t0, 8 * NS_PER_SEC);
	close(fd);
	unlink(a.sun_path);
	rmdir(dir);
	finish();
}
END_TEST

static const struct {
	const char *args, *error;
} usage[] = {
	{"", "which verb?"},
	{"statsu", "did you mean status?"},
	{"xyzzy", "no verb xyzzy"},
	{"status a b", "too many"},
	{"fail-path", "too few"},
	{"status --paths 2", "option of wait"},
	{"wait --paths 0", "--paths"},
	{"wait --paths 2x", "--paths"},
	{"wait --state sideways", "up or down"},
	{"wait --state down --paths 1", "--state down"},
	{"ping --timeout -1", "--timeout"},
	{"ping --timeout nan", "--timeout"},
	{"ping --timeout 1e300", "--timeout"},
	{"ping --nonsense", "nonsense"},
	{"set db01 queue_depth none", "not a whole number"},
	{"set db01 queue_deepth 3", "did you mean queue_depth?"},
	{"fail-path db01 \"$(printf '\\377')\"", "UTF-8"},
};

START_TEST(test_usage)
{
	start(1);
	ck_assert_int_eq(ctl("$CTL %s", usage[_i].args), 2);
	has(errs, usage[_i].error);
	ck_assert_str_eq(out, "");
	finish();
}
END_TEST

START_TEST(test_help)
{
	start(0);
	ck_assert_int_eq(ctl("$CTL --help"), 0);
	has(out, "Usage: lunmuxctl");
	ck_assert_int_eq(ctl("$CTL wait --help"), 0);
	has(out, "--state");
	ck_assert_int_eq(ctl("$CTL help fail-path"), 0);
	has(out, "H:C:T:L");
	ck_assert_int_eq(ctl("$CTL --version"), 0);
	ck_assert_str_eq(out, "lunmuxctl " PACKAGE_VERSION "\n");
	finish();
}
END_TEST

/* A reader that leaves is no error; a disk that is full is. */
START_TEST(test_output)
{
	start(2);
	ck_assert_int_eq(ctl("{ $CTL status; echo $? >&2; } | true"), 0);
	ck_assert_str_eq(errs, "0\n");
	ck_assert_int_eq(ctl("{ sleep 0.1; $CTL status; echo $? >&2; } | true"), 0);
	ck_assert_str_eq(errs, "0\n");
	ck_assert_int_eq(ctl("$CTL status >&-"), 1);
	has(errs, "standard output");
	ck_assert_int_eq(ctl("$CTL status >/dev/full"), 1);
	has(errs, "No space left");
	ck_assert_int_eq(ctl("$CTL ping <&- 2>&-"), 0);
	finish();
}
END_TEST

/* Another user: may not look into the directory, then may not use the socket. */
START_TEST(test_permission)
{
	if (geteuid() != 0) {
		fputs("test_permission: skipped, only root can become another user\n",
		      stderr);
		return;
	}
	start(1);
	/* The program may lie where the other user cannot reach it: give it as standard
	 * input. */
	ck_assert_int_eq(ctl("setpriv --reuid 65534 --regid 65534 --clear-groups "
			     "/proc/self/fd/0 -R %s status db01 <./lunmuxctl",
			     rundir),
			 7);
	has(errs, "Permission denied");
	has(errs, "hint: be root");
	ck_assert_int_eq(chmod(rundir, 0755), 0);
	ck_assert_int_eq(ctl("setpriv --reuid 65534 --regid 65534 --clear-groups "
			     "/proc/self/fd/0 -R %s list <./lunmuxctl",
			     rundir),
			 7);
	ck_assert_int_eq(chmod(sockpath, 0666), 0);
	ck_assert_int_eq(ctl("setpriv --reuid 65534 --regid 65534 --clear-groups "
			     "/proc/self/fd/0 -R %s list <./lunmuxctl",
			     rundir),
			 0);
	ck_assert_int_eq(ctl("setpriv --reuid 65534 --regid 65534 --clear-groups "
			     "/proc/self/fd/0 -R %s fail-path sg3 <./lunmuxctl",
			     rundir),
			 7);
	ck_assert_int_eq(sps[0]->path.state, PATH_ACTIVE);
	finish();
}
END_TEST

int main(void)
{
	Suite *s = suite_create("ctl_cli");
	TCase *tc = tcase_create("cli");

	if (access("./lunmuxctl", X_OK) < 0) {
		puts("check_ctl_cli: skipped: there is no ./lunmuxctl here");
		return 77;
	}
	tcase_set_timeout(tc, 60);
	tcase_add_test(tc, test_healthy);
	tcase_add_test(tc, test_change);
	tcase_add_test(tc, test_events);
	tcase_add_test(tc, test_reload);
	tcase_add_test(tc, test_reload_other_lun);
	tcase_add_loop_test(tc, test_reload_bad, 0, ARRAY_SIZE(bad_conf));
	tcase_add_test(tc, test_quarantine);
	tcase_add_test(tc, test_switch_group);
	tcase_add_test(tc, test_device);
	tcase_add_test(tc, test_without_a_path);
	tcase_add_test(tc, test_longest_name);
	tcase_add_test(tc, test_json);
	tcase_add_test(tc, test_absent_and_dead);
	tcase_add_test(tc, test_wait_timeout);
	tcase_add_test(tc, test_hung_daemon);
	tcase_add_loop_test(tc, test_usage, 0, ARRAY_SIZE(usage));
	tcase_add_test(tc, test_help);
	tcase_add_test(tc, test_output);
	tcase_add_test(tc, test_permission);
	suite_add_tcase(s, tc);
	return unit_main(s);
}
